//! Who executes a block, and whether two of them agree.

use std::{num::NonZeroUsize, panic::AssertUnwindSafe};

use alloy_consensus::Transaction as _;
use alloy_consensus::{Eip658Value, Receipt as ReceiptFields, ReceiptWithBloom};
use alloy_eips::{eip7685::Requests, eip7928::BlockAccessList};
use alloy_primitives::{B256, Bloom};
use braid_exec::{
    BlockOutcome, Config, ExecError, OnInvalid, Statistics, after_transactions, before_transactions, execute, new_evm,
    transaction_env,
};
use braid_types::{Fork, Receipt, RecoveredTx, StateChanges, TxIndex};
use revm::{
    ExecuteCommitEvm,
    context::result::{EVMError, ExecutionResult, InvalidTransaction},
    database::states::bundle_state::OriginalValuesKnown,
    database::{State, states::bundle_state::BundleRetention},
};

use crate::{
    case::Case,
    world::{Stored, Unreadable},
};

/// Everything that must be the same, whoever executes.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    pub receipts: Vec<Receipt>,
    pub skipped: Vec<(TxIndex, InvalidTransaction)>,
    pub gas_used: u64,
    pub blob_gas_used: u64,
    pub logs_bloom: Bloom,
    pub changes: StateChanges,
    pub requests: Requests,
    pub access_list: Option<BlockAccessList>,
}

/// What came of a block; the error by its text and data.
pub type Result = std::result::Result<Done, String>;

fn seen(outcome: std::result::Result<BlockOutcome, ExecError<Unreadable>>) -> (Result, Statistics) {
    match outcome {
        Err(error) => (Err(format!("{error:?}")), Statistics::default()),
        Ok(outcome) => {
            let done = Done {
                receipts: outcome.receipts,
                skipped: outcome.skipped,
                gas_used: outcome.gas_used,
                blob_gas_used: outcome.blob_gas_used,
                logs_bloom: outcome.logs_bloom,
                changes: outcome.changes.into_state_changes(),
                requests: outcome.requests,
                access_list: outcome.access_list,
            };
            (Ok(done), outcome.statistics)
        }
    }
}

/// The reference: one transaction after the other. That each transaction's changes are wanted apart rules threads out.
pub fn sequential(case: &Case, transactions: &[RecoveredTx]) -> Result {
    let config = Config { per_transaction_changes: true, ..case.config.clone() };
    seen(execute(&case.block, transactions, &case.base, &config)).0
}

/// What is to be proven. A panic counts as an error.
pub fn parallel(case: &Case, transactions: &[RecoveredTx], threads: usize) -> (Result, Statistics) {
    let config = Config { threads: NonZeroUsize::new(threads).unwrap(), ..case.config.clone() };
    let run = || seen(execute(&case.block, transactions, &case.base, &config));
    std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| (Err(PANIC.to_owned()), Statistics::default()))
}

/// What differs between two results of a case, if anything does. Threads may read what the sequence would have come to
/// later; so if a read fails, any error will do where there must be one.
pub fn difference_of(case: &Case, expected: &Result, found: &Result) -> Option<String> {
    let may_differ = !case.base.faults.is_empty();
    if may_differ && expected.is_err() && found.as_ref().is_err_and(|error| error != PANIC) {
        return None;
    }
    difference(expected, found)
}

const PANIC: &str = "it panicked";

fn difference(expected: &Result, found: &Result) -> Option<String> {
    let (expected, found) = match (expected, found) {
        (Ok(expected), Ok(found)) => (expected, found),
        (Err(expected), Err(found)) if expected == found => return None,
        (expected, found) => {
            let text = |result: &Result| result.as_ref().map_or_else(Clone::clone, |_| "a block".to_owned());
            return Some(format!("expected {}, found {}", text(expected), text(found)));
        }
    };
    let skipped = unlike("skipped transactions", &expected.skipped, &found.skipped);
    let receipts = || {
        let pairs = expected.receipts.iter().zip(&found.receipts).enumerate();
        pairs.map(|(index, (left, right))| unlike(&format!("receipt {index}"), left, right)).find_map(|found| found)
    };
    let accounts = || {
        let (left, right) = (&expected.changes.accounts, &found.changes.accounts);
        let addresses: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
        addresses
            .into_iter()
            .find_map(|address| unlike(&format!("account {address}"), &left.get(address), &right.get(address)))
    };
    skipped
        .or_else(receipts)
        .or_else(|| unlike("receipts", &expected.receipts.len(), &found.receipts.len()))
        .or_else(accounts)
        .or_else(|| unlike("codes", &expected.changes.codes, &found.changes.codes))
        .or_else(|| unlike("requests", &expected.requests, &found.requests))
        .or_else(|| unlike("access list", &expected.access_list, &found.access_list))
        .or_else(|| unlike("outcome", expected, found))
}

fn unlike<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, found: &T) -> Option<String> {
    (expected != found).then(|| format!("{what}: expected {expected:#?}, found {found:#?}"))
}

/// Compares the reference with the plain loop that any user of revm would write, over revm's own bookkeeping. revm
/// alone does not know of EIP-7610, and reads that fail are not its matter.
pub fn check_plain(case: &Case, transactions: &[RecoveredTx], expected: &Result) -> std::result::Result<(), String> {
    if !case.base.faults.is_empty() || case.base.world.has_marked() {
        return Ok(());
    }
    match (plain(case, transactions), expected) {
        (Ok(plain), Ok(expected)) => plain.compare(case, expected),
        (Err(_), Err(_)) => Ok(()),
        (Ok(_), Err(expected)) => Err(format!("revm executes the block, the reference does not: {expected}")),
        (Err(error), Ok(_)) => Err(format!("the reference executes the block, revm does not: {error}")),
    }
}

/// What revm made of a block.
struct Plain {
    receipts: Vec<Receipt>,
    skipped: Vec<TxIndex>,
    requests: Requests,
    accounts: std::collections::BTreeMap<alloy_primitives::Address, Stored>,
}

impl Plain {
    fn compare(&self, case: &Case, expected: &Done) -> std::result::Result<(), String> {
        let mut world = case.base.world.clone();
        world.apply(&expected.changes);
        let skipped: Vec<_> = expected.skipped.iter().map(|(index, _)| *index).collect();
        unlike("skipped by the plain loop", &skipped, &self.skipped)
            .or_else(|| unlike("receipts of the plain loop", &expected.receipts, &self.receipts))
            .or_else(|| unlike("requests of the plain loop", &expected.requests, &self.requests))
            .or_else(|| unlike("state of the plain loop", &world.accounts, &self.accounts))
            .map_or(Ok(()), Err)
    }
}

fn plain(case: &Case, transactions: &[RecoveredTx]) -> std::result::Result<Plain, String> {
    let block = &case.block;
    let mut world = case.base.world.clone();
    let base = crate::world::Base::new(world.clone());
    let before = before_transactions(block, &base).map_err(|error| error.to_string())?;
    world.apply(&before);
    let base = crate::world::Base::new(world.clone());
    let state = State::builder().with_database_ref(&base).with_bundle_update().build();
    let mut evm = new_evm(block, state);
    evm.ctx.cfg.disable_eip3607 = case.config.allow_contract_senders;
    let (mut receipts, mut skipped, mut gas_used, mut blob_gas) = (Vec::new(), Vec::new(), 0, 0);
    for (index, transaction) in (0..).map(TxIndex).zip(transactions) {
        let blobs = transaction.blob_gas_used().unwrap_or_default();
        let most_blobs = block.blob_params.map_or(u64::MAX, |params| params.max_blob_gas_per_block());
        let has_room = transaction.gas_limit() <= block.gas_limit - gas_used && blob_gas + blobs <= most_blobs;
        match has_room.then(|| evm.transact_commit(transaction_env(transaction))) {
            Some(Ok(result)) => {
                gas_used += result.tx_gas_used();
                blob_gas += blobs;
                receipts.push(receipt(block.fork, transaction, result, gas_used));
            }
            Some(Err(EVMError::Transaction(_))) | None if case.config.on_invalid == OnInvalid::Skip => {
                skipped.push(index);
            }
            _ => return Err(format!("transaction {} fails", index.0)),
        }
    }
    let state = &mut evm.ctx.journaled_state.database;
    state.merge_transitions(BundleRetention::PlainState);
    world.apply_plain(state.take_bundle().to_plain_state(OriginalValuesKnown::Yes));
    let base = crate::world::Base::new(world.clone());
    let (after, requests) = after_transactions(block, &receipts, &base).map_err(|error| error.to_string())?;
    world.apply(&after);
    Ok(Plain { receipts, skipped, requests, accounts: world.accounts })
}

fn receipt(fork: Fork, transaction: &RecoveredTx, result: ExecutionResult, cumulative_gas_used: u64) -> Receipt {
    let status = if fork >= Fork::Byzantium {
        Eip658Value::Eip658(result.is_success())
    } else {
        Eip658Value::PostState(B256::ZERO)
    };
    let logs = result.into_logs();
    let mut logs_bloom = Bloom::ZERO;
    logs.iter().for_each(|log| logs_bloom.accrue_log(log));
    let receipt = ReceiptFields { status, cumulative_gas_used, logs };
    Receipt::from_typed(transaction.inner().tx_type(), ReceiptWithBloom { receipt, logs_bloom })
}
