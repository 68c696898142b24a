//! Executes a block on top of its parent and compares what came out with what its header says.
//!
//! Pure: parent state in, new state out; nothing is stored. The durable chain, the conformance tests (which hold many
//! branches at once) and, later, validators share it.

use std::sync::Arc;

use alloy_consensus::{Eip658Value, Header};
use alloy_primitives::{B256, U256};
use braid_exec::{BlockContext, BlockOutcome, Config, Ommer, OnInvalid, execute};
use braid_state::{State, StateAt, Stopwatch};
use braid_types::{Block, ChainSpec, ExecutedBlock, Fork, Receipt, StateChanges};

use crate::{
    consensus::{BlockError, body::receipts_root, validate_before_execution},
    stages::BlockLaps,
    view::{Ancestors, BlockView},
};

/// The block that another one stands on.
#[derive(Clone, Debug)]
pub struct Parent {
    /// Its header.
    pub header: Header,
    /// Its hash.
    pub hash: B256,
    /// Total difficulty up to it.
    pub total_difficulty: U256,
    /// The state after it.
    pub state: State,
}

impl Parent {
    /// The fork that rules it.
    pub fn fork(&self, spec: &ChainSpec) -> Fork {
        let before = self.total_difficulty.saturating_sub(self.header.difficulty);
        spec.fork_at(self.header.number, self.header.timestamp, before)
    }

    /// The state after it, as revm reads it.
    pub(crate) fn view(&self, ancestors: &Arc<dyn Ancestors>) -> BlockView {
        BlockView { state: StateAt::Recent(self.state.clone()), ancestors: Arc::clone(ancestors) }
    }
}

/// A valid block with everything it produced.
#[derive(Clone, Debug)]
pub struct Processed {
    /// The block with receipts.
    pub executed: Arc<ExecutedBlock>,
    /// What it changed.
    pub changes: StateChanges,
    /// The state after it, whose root the header carries.
    pub state: State,
    /// What the executor observed.
    pub statistics: braid_exec::Statistics,
    /// How long it took, for operators.
    pub laps: BlockLaps,
}

/// Validates and executes `block`.
///
/// # Errors
/// The first rule that the block breaks.
pub fn process(
    parent: &Parent,
    block: Block,
    spec: &ChainSpec,
    ancestors: &Arc<dyn Ancestors>,
    config: &Config,
) -> Result<Processed, BlockError> {
    let mut watch = Stopwatch::start();
    let fork = validate_before_execution(parent, &block, spec, ancestors.as_ref())?;
    let config = Config { on_invalid: OnInvalid::Fail, ..config_for(fork, config) };
    let context = block_context_of(&block, fork, spec);
    let mut outcome = execute(&context, &block.transactions, &parent.view(ancestors), &config)?;
    let execute_lap = watch.lap();
    fill_state_roots(&mut outcome, &parent.state);
    check_outcome(&block.header, &outcome, fork)?;
    let changes = std::mem::take(&mut outcome.changes).into_state_changes();
    let state = parent.state.apply(&changes);
    let (found, expected) = (block.header.state_root, state.root());
    if found != expected {
        return Err(BlockError::StateRoot { found, expected });
    }
    let mut processed = processed(parent, block, outcome, changes, state.trimmed());
    processed.laps = BlockLaps { execute: execute_lap, root: watch.lap() };
    Ok(processed)
}

/// The caller's configuration, with each transaction's changes where receipts hold state roots.
pub(crate) fn config_for(fork: Fork, config: &Config) -> Config {
    Config { per_transaction_changes: fork < Fork::Byzantium, ..config.clone() }
}

/// Puts the state roots into receipts from before Byzantium (EIP-658).
pub(crate) fn fill_state_roots(outcome: &mut BlockOutcome, before: &State) {
    let mut state = before.clone();
    for (receipt, changes) in outcome.receipts.iter_mut().zip(&outcome.transaction_changes) {
        state = state.apply(changes);
        set_state_root(receipt, state.root());
    }
}

/// Only legacy transactions existed before Byzantium.
fn set_state_root(receipt: &mut Receipt, root: B256) {
    if let Receipt::Legacy(legacy) = receipt
        && matches!(legacy.receipt.status, Eip658Value::PostState(_))
    {
        legacy.receipt.status = Eip658Value::PostState(root);
    }
}

fn check_outcome(header: &Header, outcome: &BlockOutcome, fork: Fork) -> Result<(), BlockError> {
    let (found, expected) = (header.gas_used, outcome.gas_used);
    if found != expected {
        return Err(BlockError::GasUsed { found, expected });
    }
    let (found, expected) = (header.receipts_root, receipts_root(&outcome.receipts));
    if found != expected {
        return Err(BlockError::ReceiptsRoot { found, expected });
    }
    if header.logs_bloom != outcome.logs_bloom {
        let (found, expected) = (Box::new(header.logs_bloom), Box::new(outcome.logs_bloom));
        return Err(BlockError::LogsBloom { found, expected });
    }
    let (found, expected) = (header.requests_hash, requests_hash(outcome, fork));
    if found != expected {
        return Err(BlockError::RequestsHash { found, expected });
    }
    Ok(())
}

/// The commitment to a block's requests (EIP-7685); `None` before Prague.
pub(crate) fn requests_hash(outcome: &BlockOutcome, fork: Fork) -> Option<B256> {
    (fork >= Fork::Prague).then(|| outcome.requests.requests_hash())
}

pub(crate) fn processed(
    parent: &Parent,
    block: Block,
    outcome: BlockOutcome,
    changes: StateChanges,
    state: State,
) -> Processed {
    let executed = ExecutedBlock {
        hash: block.header.hash_slow(),
        total_difficulty: parent.total_difficulty.saturating_add(block.header.difficulty),
        receipts: outcome.receipts,
        block,
    };
    let (executed, laps) = (Arc::new(executed), BlockLaps::default());
    Processed { executed, changes, state, statistics: outcome.statistics, laps }
}

/// What execution must know about a block with `header` under `fork`, its withdrawals and ommers apart: enough for
/// calls and tracing. To execute the whole block see [`block_context_of`].
pub fn block_context(header: &Header, fork: Fork, spec: &ChainSpec) -> BlockContext {
    BlockContext {
        chain_id: spec.chain_id,
        fork,
        height: header.number,
        timestamp: header.timestamp,
        beneficiary: header.beneficiary,
        gas_limit: header.gas_limit,
        base_fee: header.base_fee_per_gas.unwrap_or_default(),
        difficulty: header.difficulty,
        prevrandao: header.mix_hash,
        blob_params: spec.blob_params(fork, header.timestamp),
        excess_blob_gas: header.excess_blob_gas,
        parent_hash: header.parent_hash,
        parent_beacon_block_root: header.parent_beacon_block_root,
        withdrawals: Vec::new(),
        ommers: Vec::new(),
        is_dao_fork: spec.dao_fork_height() == Some(header.number),
        deposit_contract: spec.deposit_contract,
    }
}

/// What execution must know about `block` under `fork`.
pub fn block_context_of(block: &Block, fork: Fork, spec: &ChainSpec) -> BlockContext {
    let ommer = |header: &Header| Ommer { height: header.number, beneficiary: header.beneficiary };
    BlockContext {
        withdrawals: block.withdrawals.clone().unwrap_or_default(),
        ommers: block.ommers.iter().map(ommer).collect(),
        ..block_context(&block.header, fork, spec)
    }
}
