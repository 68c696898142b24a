//! Block 0 from a geth-format genesis.

use alloy_genesis::Genesis;
use braid_state::State;
use braid_types::{Block, ChainSpec, StateChanges};

use crate::consensus::BlockError;

/// The genesis block, the state it begins with, and that state as changes from nothing.
///
/// # Errors
/// If the genesis contradicts itself.
pub fn genesis_block(genesis: &Genesis, spec: &ChainSpec) -> Result<(Block, StateChanges, State), BlockError> {
    let _ = (genesis, spec);
    todo!()
}
