//! Executes a block on top of its parent and compares what came out with what its header says.
//!
//! Pure: parent state in, new state out; nothing is stored. The durable chain, the conformance tests (which hold many
//! branches at once) and, later, validators share it.

use std::sync::Arc;

use alloy_consensus::Header;
use alloy_primitives::{B256, U256};
use braid_exec::{BlockContext, Config};
use braid_state::State;
use braid_types::{Block, ChainSpec, ExecutedBlock, Fork, StateChanges};

use crate::{consensus::BlockError, view::Ancestors};

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
    let _ = (parent, block, spec, ancestors, config);
    todo!()
}

/// What execution must know about a block with `header` under `fork`.
pub fn block_context(header: &Header, fork: Fork, spec: &ChainSpec) -> BlockContext {
    let _ = (header, fork, spec);
    todo!()
}
