//! What a block must satisfy before and after it is executed: Ethereum's header, ommer and body rules.

use alloy_consensus::Header;
use alloy_primitives::U256;
use braid_types::{Block, ChainSpec, Fork};

use crate::process::Parent;

/// A block is not valid.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// The parent is not known.
    #[error("unknown parent {0}")]
    UnknownParent(alloy_primitives::B256),
}

/// Checks everything about a block that its parent and its own bytes tell, without executing it.
///
/// # Errors
/// The first rule that is broken.
pub fn validate_before_execution(parent: &Parent, block: &Block, spec: &ChainSpec) -> Result<Fork, BlockError> {
    let _ = (parent, block, spec);
    todo!()
}

/// Difficulty that a block with `timestamp` on top of `parent` must have under `fork`; zero since Paris.
pub fn next_difficulty(parent: &Header, timestamp: u64, fork: Fork) -> U256 {
    let _ = (parent, timestamp, fork);
    todo!()
}
