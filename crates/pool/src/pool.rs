//! The pool: one lane of nonces for each sender, and the order in which to take them.

use std::{collections::BTreeMap, sync::Arc};

use alloy_eips::eip7594::BlobTransactionSidecarVariant;
use alloy_primitives::{Address, B256};
use braid_types::{RecoveredTx, changes::AccountState};

use crate::{
    config::{PoolConfig, PoolRules},
    rejection::Rejection,
};

/// The pool.
#[derive(Debug)]
pub struct Pool(());

/// What inserting did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// Hash of the transaction.
    pub hash: B256,
    /// Whether it can stand in the next block (no nonce gap before it, fees suffice).
    pub is_executable: bool,
    /// Hash of the transaction it replaced.
    pub replaced: Option<B256>,
}

/// Numbers of transactions, as `txpool_status` gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Without a nonce gap before them.
    pub pending: usize,
    /// Behind a nonce gap.
    pub queued: usize,
    /// Bytes of all.
    pub size_bytes: usize,
}

/// All transactions by sender and nonce, as `txpool_content` gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolContent {
    /// Without a nonce gap before them.
    pub pending: BTreeMap<Address, BTreeMap<u64, RecoveredTx>>,
    /// Behind a nonce gap.
    pub queued: BTreeMap<Address, BTreeMap<u64, RecoveredTx>>,
}

impl Pool {
    /// An empty pool for blocks that follow `rules`.
    pub fn new(config: PoolConfig, rules: PoolRules) -> Self {
        let _ = (config, rules);
        todo!()
    }

    /// Checks that need neither pool nor state: type, chain id, size, intrinsic gas, gas limit, fees, blobs and their proofs.
    /// Costly for blob transactions (KZG), so call it outside any lock.
    ///
    /// # Errors
    /// The reason to refuse it.
    pub fn check(
        rules: &PoolRules,
        config: &PoolConfig,
        transaction: &RecoveredTx,
        sidecar: Option<&BlobTransactionSidecarVariant>,
    ) -> Result<(), Rejection> {
        let _ = (rules, config, transaction, sidecar);
        todo!()
    }

    /// The rules of the next block.
    pub fn rules(&self) -> &PoolRules {
        todo!()
    }

    /// The limits.
    pub fn config(&self) -> &PoolConfig {
        todo!()
    }

    /// Adds a transaction that passed [`Pool::check`]. `account` is the sender's at the head.
    ///
    /// # Errors
    /// The reason to refuse it.
    pub fn insert(
        &mut self,
        transaction: RecoveredTx,
        sidecar: Option<Arc<BlobTransactionSidecarVariant>>,
        account: AccountState,
    ) -> Result<Inserted, Rejection> {
        let _ = (transaction, sidecar, account);
        todo!()
    }

    /// Executable transactions, best effective tip first (ties: first come), nonces of a sender in order, until their gas
    /// limits add up to `gas_limit` and their blobs to the blob limit.
    pub fn best(&self, gas_limit: u64) -> Vec<RecoveredTx> {
        let _ = gas_limit;
        todo!()
    }

    /// Follows the chain: `rules` of the block after the new head, and the accounts of those senders that the pool holds
    /// whose state may have changed. Drops what is mined or stale.
    pub fn on_head(&mut self, rules: PoolRules, accounts: impl IntoIterator<Item = (Address, AccountState)>) {
        let _ = (rules, accounts.into_iter().count());
        todo!()
    }

    /// Senders the pool holds transactions of.
    pub fn senders(&self) -> Vec<Address> {
        todo!()
    }

    /// A transaction by hash.
    pub fn get(&self, hash: B256) -> Option<RecoveredTx> {
        let _ = hash;
        todo!()
    }

    /// The sidecar of a blob transaction.
    pub fn sidecar(&self, hash: B256) -> Option<Arc<BlobTransactionSidecarVariant>> {
        let _ = hash;
        todo!()
    }

    /// The nonce after the sender's last executable transaction; `None` if it has none here.
    pub fn next_nonce(&self, sender: Address) -> Option<u64> {
        let _ = sender;
        todo!()
    }

    /// Removes a transaction (and, as a gap opens, makes those behind it wait). Whether it was there.
    pub fn remove(&mut self, hash: B256) -> bool {
        let _ = hash;
        todo!()
    }

    /// Removes all transactions.
    pub fn clear(&mut self) {
        todo!()
    }

    /// Numbers of transactions.
    pub fn status(&self) -> PoolStatus {
        todo!()
    }

    /// Whether a transaction waits that could stand in the next block.
    pub fn has_executable(&self) -> bool {
        todo!()
    }

    /// All transactions, or those of one sender.
    pub fn content(&self, sender: Option<Address>) -> PoolContent {
        let _ = sender;
        todo!()
    }
}
