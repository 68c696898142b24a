//! Holds the transactions waiting for a block, in the order worth taking them.
//!
//! Sans-I/O: account states and time come in as arguments.

pub mod config;
pub mod pool;
pub mod rejection;

pub use config::{PoolConfig, PoolRules};
pub use pool::{Inserted, Pool, PoolContent, PoolStatus};
pub use rejection::Rejection;
