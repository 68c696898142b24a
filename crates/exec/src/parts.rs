//! The parts of a block's execution around its transactions, one by one: for those who run the transactions themselves
//! (tracing a past block, simulating one).
//!
//! Both take the state that holds at that point and return what they changed; nothing is kept.

use alloy_eips::eip7685::Requests;
use alloy_primitives::U256;
use braid_types::{Fork, Receipt, RecoveredTx, StateChanges, TxIndex};
use revm::{DatabaseRef, context::ContextTr};

use crate::{
    block::{BlockEvm, execute_transaction, include, pay},
    dao,
    evm::new_evm,
    outcome::{BlockContext, BlockOutcome, ExecError},
    overlay::Overlay,
    system,
};

/// What happens before the first transaction: the DAO fork's irregular change, and the system calls of EIP-4788 and
/// EIP-2935.
///
/// # Errors
/// If state cannot be read.
pub fn before_transactions<S: DatabaseRef>(
    block: &BlockContext,
    state: &S,
) -> Result<StateChanges, ExecError<S::Error>> {
    let mut evm = block_evm(block, state);
    if block.is_dao_fork {
        dao::apply(evm.ctx.db_mut()).map_err(ExecError::State)?;
    }
    system::before_transactions(&mut evm, block)?;
    Ok(evm.ctx.journaled_state.database.into_changes().into_state_changes())
}

/// What happens after the last transaction: requests to the consensus layer, withdrawals and rewards.
///
/// # Errors
/// If a system contract that the fork demands is missing or fails, a deposit log is malformed, or state cannot be read.
pub fn after_transactions<S: DatabaseRef>(
    block: &BlockContext,
    receipts: &[Receipt],
    state: &S,
) -> Result<(StateChanges, Requests), ExecError<S::Error>> {
    let mut evm = block_evm(block, state);
    let mut requests = Requests::default();
    if block.fork >= Fork::Prague {
        requests = system::requests(&mut evm, block, receipts)?;
    }
    let mut overlay = evm.ctx.journaled_state.database;
    pay(&mut overlay, block).map_err(ExecError::State)?;
    Ok((overlay.into_changes().into_state_changes(), requests))
}

/// One transaction as Ethereum's state tests run it: without system calls, withdrawals and rewards, but the fee
/// recipient is touched, whatever it is paid. Returns the receipt and what changed.
///
/// # Errors
/// If the transaction is invalid or state cannot be read.
pub fn execute_alone<S: DatabaseRef>(
    block: &BlockContext,
    transaction: &RecoveredTx,
    state: &S,
) -> Result<(Receipt, StateChanges), ExecError<S::Error>> {
    let mut evm = block_evm(block, state);
    let mut outcome = BlockOutcome::default();
    let result = execute_transaction(&mut evm, block, transaction, &outcome)?;
    let result = result.map_err(|reason| ExecError::InvalidTransaction { index: TxIndex(0), reason })?;
    include(&mut outcome, block.fork, transaction, result, None);
    let receipt = outcome.receipts.pop().ok_or_else(|| ExecError::Evm("no receipt was made".to_owned()))?;
    let mut overlay = evm.ctx.journaled_state.database;
    overlay.credit(block.beneficiary, U256::ZERO).map_err(ExecError::State)?;
    Ok((receipt, overlay.into_changes().into_state_changes()))
}

fn block_evm<'a, S: DatabaseRef>(block: &BlockContext, state: &'a S) -> BlockEvm<'a, S> {
    new_evm(block, Overlay::new(state, block.fork >= Fork::SpuriousDragon, false))
}
