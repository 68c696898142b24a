//! Limits of the pool, and the rules of the next block it admits for.

use alloy_eips::eip7840::BlobParams;
use braid_types::{Fork, limits};

/// Limits. Each has a default in [`braid_types::limits`].
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Transactions over all senders.
    pub max_transactions: usize,
    /// Bytes over all senders.
    pub max_size_bytes: usize,
    /// Transactions of one sender, and how far a nonce may lie ahead.
    pub max_per_sender: usize,
    /// Percent by which both fees of a replacement must exceed the old ones (geth: 10; blob transactions 100).
    pub price_bump_percent: u64,
    /// Smallest tip in wei per gas.
    pub min_tip: u128,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_transactions: limits::MAX_POOL_TRANSACTIONS,
            max_size_bytes: limits::MAX_POOL_SIZE_BYTES,
            max_per_sender: limits::MAX_POOL_TRANSACTIONS_PER_SENDER,
            price_bump_percent: 10,
            min_tip: 0,
        }
    }
}

/// What the next block will demand of its transactions.
#[derive(Clone, Debug)]
pub struct PoolRules {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Fork of the next block.
    pub fork: Fork,
    /// Gas limit of the next block.
    pub gas_limit: u64,
    /// Base fee of the next block, in wei per gas; 0 before London.
    pub base_fee: u64,
    /// Blob base fee of the next block, in wei per blob gas; 0 before Cancun.
    pub blob_base_fee: u128,
    /// Blob rules of the next block; `None` before Cancun.
    pub blob_params: Option<BlobParams>,
}
