//! Holds the transactions waiting for a block, in the order worth taking them.
//!
//! Sans-I/O: account states and rules come in as arguments.
//!
//! Reading order: [`pool`] (what it promises), `lane` (one sender's part), [`check`] (what is refused at the door),
//! [`rejection`] (in which words), [`ordered`] (choosing some blocks ahead).

pub mod check;
pub mod config;
mod lane;
pub mod ordered;
pub mod pool;
pub mod rejection;
#[cfg(test)]
mod testing;

pub use check::sidecar_for_fork;
pub use config::{PoolConfig, PoolRules};
pub use ordered::Ordered;
pub use pool::{Inserted, Pool, PoolContent, PoolStatus, Room};
pub use rejection::Rejection;
