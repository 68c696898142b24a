//! Sequential execution of a block, behind the interface the parallel executor will have.

use braid_types::RecoveredTx;
use revm::DatabaseRef;

use crate::outcome::{BlockContext, BlockOutcome, Config, ExecError};

/// Executes `transactions` in order on top of `state`, with the system calls, withdrawals and rewards that `block` asks for.
///
/// `state` answers `block_hash_ref` for the last 256 heights.
///
/// # Errors
/// If a transaction is invalid and `config` says to fail, if a system call fails, or if state cannot be read.
pub fn execute<S: DatabaseRef + Sync>(
    block: &BlockContext,
    transactions: &[RecoveredTx],
    state: &S,
    config: &Config,
) -> Result<BlockOutcome, ExecError<S::Error>> {
    let _ = (block, transactions, state, config);
    todo!()
}
