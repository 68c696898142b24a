//! Executes a block over revm and returns exactly what sequential execution would.

pub mod block;
mod dao;
mod deposits;
mod eip1283;
pub mod evm;
pub mod outcome;
mod overlay;
pub mod parts;
mod system;

pub use block::execute;
pub use evm::{block_env, call_env, new_evm, transaction_env};
pub use outcome::{BlockContext, BlockOutcome, Config, ExecError, Ommer, OnInvalid, Statistics};
pub use parts::{after_transactions, before_transactions, execute_alone};
