//! Makes the next block out of waiting transactions.

use std::{collections::BTreeSet, sync::Arc};

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B256, Bytes};
use braid_exec::{BlockOutcome, Config, OnInvalid, execute};
use braid_state::Stopwatch;
use braid_types::{Block, ChainSpec, Fork, RecoveredTx, TxIndex};
use revm::context::result::InvalidTransaction;

pub use crate::consensus::fees::{next_base_fee, next_excess_blob_gas};
use crate::{
    consensus::{
        BlockError,
        body::{
            MAX_BLOCK_SIZE_BYTES, block_size, check_transaction, receipts_root, transaction_size, transactions_root,
            withdrawals_root,
        },
        header::{DAO_EXTRA_DATA, is_dao_extra_data_height},
        next_difficulty,
    },
    process::{Parent, Processed, block_context_of, config_for, fill_state_roots, processed, requests_hash},
    stages::BlockLaps,
    view::Ancestors,
};

/// What the block's maker chooses.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// Seconds since the Unix epoch; see [`ChainSpec::allows_timestamp`].
    pub timestamp: u64,
    /// Fee recipient.
    pub beneficiary: Address,
    /// Randomness of the block (`mixHash`).
    pub prevrandao: B256,
    /// Gas limit.
    pub gas_limit: u64,
    /// Extra data, at most 32 bytes.
    pub extra_data: Bytes,
    /// Root for EIP-4788; used since Cancun.
    pub parent_beacon_block_root: B256,
    /// Withdrawals; used since Shanghai.
    pub withdrawals: Vec<Withdrawal>,
    /// Base fee instead of the one that EIP-1559 gives; for development nodes.
    pub base_fee: Option<u64>,
    /// Excess blob gas instead of the one that the parent gives; for development nodes.
    pub excess_blob_gas: Option<u64>,
}

/// A block that was made, and what was left out.
#[derive(Clone, Debug)]
pub struct Built {
    /// The block, executed.
    pub processed: Processed,
    /// Candidates that could not be included, with the reason, in their order. One that only finds no room is left out
    /// with [`InvalidTransaction::CallerGasLimitMoreThanBlock`] or [`InvalidTransaction::TooManyBlobs`].
    pub skipped: Vec<(TxIndex, InvalidTransaction)>,
}

/// Bytes kept free for what a header gains while the block is made (integers that are not zero any more).
const HEADER_GROWTH_BYTES: usize = 128;

/// Builds and executes a block of `candidates`, in their order, on top of `parent`. Candidates that are not valid, or no longer fit, are
/// left out.
///
/// The gas limit is taken as given: [`crate::process()`] elsewhere accepts the block if it is within 1/1024 of the parent's.
///
/// # Errors
/// If the time stamp may not follow the parent's, the extra data too long, a system call fails, or state cannot be
/// read.
pub fn build(
    parent: &Parent,
    attributes: &Attributes,
    candidates: &[RecoveredTx],
    spec: &ChainSpec,
    ancestors: &Arc<dyn Ancestors>,
    config: &Config,
) -> Result<Built, BlockError> {
    if !spec.allows_timestamp(attributes.timestamp, parent.header.timestamp) {
        return Err(BlockError::Timestamp { found: attributes.timestamp, parent: parent.header.timestamp });
    }
    if attributes.extra_data.len() > 32 {
        return Err(BlockError::ExtraDataSize(attributes.extra_data.len()));
    }
    let mut watch = Stopwatch::start();
    let height = parent.header.number.saturating_add(1);
    let fork = spec.fork_at(height, attributes.timestamp, parent.total_difficulty);
    let mut block = empty_block(parent, attributes, fork, spec);
    let admitted = admit(&block, candidates, fork);
    let transactions: Vec<RecoveredTx> = admitted.positions.iter().map(|&at| Arc::clone(&candidates[at])).collect();

    let config = Config { on_invalid: OnInvalid::Skip, ..config_for(fork, config) };
    let context = block_context_of(&block, fork, spec);
    let mut outcome = execute(&context, &transactions, &parent.view(ancestors), &config)?;
    let execute_lap = watch.lap();
    fill_state_roots(&mut outcome, &parent.state);
    let skipped = all_skipped(&admitted, std::mem::take(&mut outcome.skipped));
    block.transactions = included(candidates, &skipped);
    let changes = std::mem::take(&mut outcome.changes).into_state_changes();
    let state = parent.state.apply(&changes).trimmed();
    seal(&mut block, &outcome, fork, state.root());
    let mut processed = processed(parent, block, outcome, changes, state);
    processed.laps = BlockLaps { execute: execute_lap, root: watch.lap() };
    Ok(Built { processed, skipped })
}

/// The block before execution: everything that does not depend on its transactions.
fn empty_block(parent: &Parent, attributes: &Attributes, fork: Fork, spec: &ChainSpec) -> Block {
    let withdrawals = (fork >= Fork::Shanghai).then(|| attributes.withdrawals.clone());
    let base_fee = next_base_fee(&parent.header, parent.fork(spec), fork);
    let excess_blob_gas = next_excess_blob_gas(&parent.header, spec, fork, attributes.timestamp);
    let is_cancun = fork >= Fork::Cancun;
    let number = parent.header.number.saturating_add(1);
    let header = Header {
        parent_hash: parent.hash,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: attributes.beneficiary,
        difficulty: next_difficulty(&parent.header, attributes.timestamp, fork),
        number,
        gas_limit: attributes.gas_limit,
        timestamp: attributes.timestamp,
        extra_data: extra_data(attributes, number, spec),
        mix_hash: attributes.prevrandao,
        base_fee_per_gas: base_fee.map(|expected| attributes.base_fee.unwrap_or(expected)),
        withdrawals_root: withdrawals_root(withdrawals.as_deref()),
        blob_gas_used: is_cancun.then_some(0),
        excess_blob_gas: excess_blob_gas.map(|expected| attributes.excess_blob_gas.unwrap_or(expected)),
        parent_beacon_block_root: is_cancun.then_some(attributes.parent_beacon_block_root),
        requests_hash: (fork >= Fork::Prague).then_some(B256::ZERO),
        ..Header::default()
    };
    Block { header, withdrawals, ..Block::default() }
}

/// The maker's extra data, save where the DAO fork prescribes it.
fn extra_data(attributes: &Attributes, height: u64, spec: &ChainSpec) -> Bytes {
    let is_prescribed = spec.dao_fork_height().is_some_and(|fork| is_dao_extra_data_height(height, fork));
    if is_prescribed { Bytes::from_static(DAO_EXTRA_DATA) } else { attributes.extra_data.clone() }
}

/// Which candidates are executed, by position, and which are refused before.
#[derive(Default)]
struct Admitted {
    positions: Vec<usize>,
    refused: Vec<(TxIndex, InvalidTransaction)>,
}

/// Refuses what the fork does not allow, and what would make the block too large (EIP-7934).
fn admit(block: &Block, candidates: &[RecoveredTx], fork: Fork) -> Admitted {
    let mut admitted = Admitted::default();
    let mut room = usize::MAX;
    if fork >= Fork::Osaka {
        room = MAX_BLOCK_SIZE_BYTES.saturating_sub(block_size(block) + HEADER_GROWTH_BYTES);
    }
    for (position, (index, candidate)) in (0..).map(TxIndex).zip(candidates).enumerate() {
        if let Err(reason) = check_transaction(candidate, fork, index) {
            admitted.refused.push((index, InvalidTransaction::Str(reason.to_string().into())));
            continue;
        }
        let size = transaction_size(candidate);
        if size > room {
            admitted.refused.push((index, InvalidTransaction::CallerGasLimitMoreThanBlock));
            continue;
        }
        room -= size;
        admitted.positions.push(position);
    }
    admitted
}

/// Everything left out, before and during execution, by its position among the candidates.
fn all_skipped(
    admitted: &Admitted,
    in_execution: Vec<(TxIndex, InvalidTransaction)>,
) -> Vec<(TxIndex, InvalidTransaction)> {
    let original = |TxIndex(index): TxIndex| {
        let position = usize::try_from(index).ok().and_then(|index| admitted.positions.get(index));
        TxIndex(position.and_then(|&position| u32::try_from(position).ok()).unwrap_or(index))
    };
    let executed = in_execution.into_iter().map(|(index, reason)| (original(index), reason));
    let mut skipped: Vec<_> = admitted.refused.iter().cloned().chain(executed).collect();
    skipped.sort_by_key(|&(index, _)| index);
    skipped
}

fn included(candidates: &[RecoveredTx], skipped: &[(TxIndex, InvalidTransaction)]) -> Vec<RecoveredTx> {
    let skipped: BTreeSet<TxIndex> = skipped.iter().map(|&(index, _)| index).collect();
    let numbered = (0..).map(TxIndex).zip(candidates);
    numbered.filter(|(index, _)| !skipped.contains(index)).map(|(_, candidate)| Arc::clone(candidate)).collect()
}

/// Writes what execution gave into the header.
fn seal(block: &mut Block, outcome: &BlockOutcome, fork: Fork, state_root: B256) {
    let transactions_root = transactions_root(&block.transactions);
    let header = &mut block.header;
    header.state_root = state_root;
    header.transactions_root = transactions_root;
    header.receipts_root = receipts_root(&outcome.receipts);
    header.logs_bloom = outcome.logs_bloom;
    header.gas_used = outcome.gas_used;
    header.blob_gas_used = header.blob_gas_used.map(|_| outcome.blob_gas_used);
    header.requests_hash = requests_hash(outcome, fork);
}
