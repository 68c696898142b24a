//! Makes the next block out of waiting transactions.

use std::sync::Arc;

use alloy_consensus::Header;
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B256, Bytes};
use braid_exec::Config;
use braid_types::{ChainSpec, Fork, RecoveredTx, TxIndex};
use revm::context::result::InvalidTransaction;

use crate::{
    consensus::BlockError,
    process::{Parent, Processed},
    view::Ancestors,
};

/// What the block's maker chooses.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// Seconds since the Unix epoch; must exceed the parent's.
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
    /// Candidates that could not be included, with the reason.
    pub skipped: Vec<(TxIndex, InvalidTransaction)>,
}

/// Builds and executes a block of `candidates`, in their order, on top of `parent`. Candidates that are not valid, or no longer fit, are
/// left out.
///
/// # Errors
/// If a system call fails or state cannot be read.
pub fn build(
    parent: &Parent,
    attributes: &Attributes,
    candidates: &[RecoveredTx],
    spec: &ChainSpec,
    ancestors: &Arc<dyn Ancestors>,
    config: &Config,
) -> Result<Built, BlockError> {
    let _ = (parent, attributes, candidates, spec, ancestors, config);
    todo!()
}

/// Base fee of the block after `parent` (EIP-1559); `None` if that block is before London.
pub fn next_base_fee(parent: &Header, parent_fork: Fork, fork: Fork) -> Option<u64> {
    let _ = (parent, parent_fork, fork);
    todo!()
}

/// Excess blob gas of the block after `parent` (EIP-4844, EIP-7918); `None` if that block is before Cancun.
pub fn next_excess_blob_gas(parent: &Header, spec: &ChainSpec, fork: Fork, timestamp: u64) -> Option<u64> {
    let _ = (parent, spec, fork, timestamp);
    todo!()
}
