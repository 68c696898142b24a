//! A state test's transaction in the company of others, so that several threads have something to do.
//!
//! The others come from the same sender and can never be included: those before the transaction have a nonce that is not
//! yet due, those after it repeat it. But a thread that executes one ahead of its turn takes its nonce for granted, and
//! so does all that the transaction does; none of it may be left at the end. What the block pays beside its transactions
//! is taken back, for a state test knows no rewards.

use std::{iter, sync::Arc};

use alloy_consensus::{SignableTransaction as _, Transaction as _, TxLegacy, transaction::Recovered};
use alloy_primitives::{Signature, U256};
use braid_exec::{BlockContext, Config, ExecError, OnInvalid, execute};
use braid_types::{Fork, Receipt, RecoveredTx, StateChanges, Transaction, TxIndex, changes::AccountState};
use revm::DatabaseRef;

use super::suite::check_no_fallback;

/// Others before the transaction: about what one thread takes at first, so that another begins with the transaction.
const BEFORE: u32 = 3;
/// Others after it.
const AFTER: usize = 3;

/// Executes a transaction with others, in one block; returns what [`braid_exec::execute_alone`] must return.
/// `sender_nonce` is what the state says.
///
/// # Errors
/// If the transaction is invalid, if anything of the others is left, or if state cannot be read.
pub(crate) fn execute_in_company<S: DatabaseRef + Sync>(
    block: &BlockContext,
    transaction: &RecoveredTx,
    sender_nonce: u64,
    state: &S,
    config: &Config,
) -> Result<(Receipt, StateChanges), ExecError<S::Error>> {
    let config = Config { on_invalid: OnInvalid::Skip, ..config.clone() };
    let others = iter::repeat_n(not_due(transaction, sender_nonce), BEFORE as usize);
    let transactions: Vec<_> = others.chain(iter::repeat_n(Arc::clone(transaction), 1 + AFTER)).collect();
    let outcome = execute(block, &transactions, state, &config)?;
    let broken = |what: &str| ExecError::Evm(what.to_owned());
    check_no_fallback(&outcome.statistics).map_err(ExecError::Evm)?;
    let mut changes = outcome.changes.into_state_changes();
    take_reward_back(block, &mut changes);
    let place = TxIndex(BEFORE);
    if let Some((_, reason)) = outcome.skipped.into_iter().find(|(index, _)| *index == place) {
        if outcome.receipts.is_empty() && changes.accounts.keys().all(|address| *address == block.beneficiary) {
            return Err(ExecError::InvalidTransaction { index: TxIndex(0), reason });
        }
        return Err(broken("transactions that are invalid left something behind"));
    }
    let [receipt] = <[Receipt; 1]>::try_from(outcome.receipts).map_err(|_| broken("more than one was included"))?;
    Ok((receipt, changes))
}

/// A transaction that does the same but must wait for another one.
fn not_due(transaction: &RecoveredTx, sender_nonce: u64) -> RecoveredTx {
    let fields = TxLegacy {
        chain_id: None,
        nonce: sender_nonce.saturating_add(1),
        gas_price: transaction.max_fee_per_gas(),
        gas_limit: transaction.gas_limit(),
        to: transaction.kind(),
        value: transaction.value(),
        input: transaction.input().clone(),
    };
    let signed = fields.into_signed(Signature::new(U256::ONE, U256::ONE, false));
    Arc::new(Recovered::new_unchecked(Transaction::from(signed), transaction.signer()))
}

/// Undoes the payment of the reward, after which the fee recipient may be empty.
fn take_reward_back(block: &BlockContext, changes: &mut StateChanges) {
    let reward = U256::from(block.fork.block_reward());
    let Some(change) = changes.accounts.get_mut(&block.beneficiary).filter(|_| !reward.is_zero()) else { return };
    let Some(account) = &mut change.account else { return };
    account.balance = account.balance.saturating_sub(reward);
    if block.fork >= Fork::SpuriousDragon && *account == AccountState::default() {
        change.account = None;
    }
}
