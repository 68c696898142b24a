//! The durable store: block log, flat state, blocks and history.

use std::{path::Path, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, U256};
use braid_types::{BlockRef, ExecutedBlock, Height, StateChanges, TxIndex, changes::AccountState};

use crate::{error::StoreError, state::State};

/// How a store keeps what it keeps.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Blocks whose state stays readable behind the head; `None`: all (archive).
    pub history: Option<u64>,
    /// Milliseconds between checkpoints.
    pub checkpoint_interval_ms: u64,
    /// Log bytes after which a checkpoint is made at once.
    pub checkpoint_size_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { history: None, checkpoint_interval_ms: 1_000, checkpoint_size_bytes: 64 << 20 }
    }
}

/// The newest block with the state after it.
#[derive(Clone, Debug)]
pub struct Head {
    /// The block.
    pub block: Arc<ExecutedBlock>,
    /// The state after it.
    pub state: State,
}

/// The state after some block: in memory, or read from disk.
#[derive(Clone, Debug)]
pub enum StateAt {
    /// One of the newest states; proofs are possible.
    Recent(State),
    /// An older state, without its trie.
    Historical(HistoricalState),
}

impl StateAt {
    /// An account, if it existed.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn account(&self, address: Address) -> Result<Option<AccountState>, StoreError> {
        let _ = address;
        todo!()
    }

    /// A storage slot; zero if absent.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        let _ = (address, slot);
        todo!()
    }

    /// Byte code by hash.
    ///
    /// # Errors
    /// If the disk cannot be read or the code is not known.
    pub fn code(&self, hash: B256) -> Result<Bytes, StoreError> {
        let _ = hash;
        todo!()
    }
}

/// An older state, read through the history index.
#[derive(Clone, Debug)]
pub struct HistoricalState(Arc<()>);

/// Sizes and counts, for `braid db stats` and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Height of the newest block.
    pub head: Height,
    /// Height of the newest checkpoint.
    pub checkpoint: Height,
    /// Bytes of log that are not in a checkpoint yet.
    pub log_bytes: u64,
    /// Name, approximate number of keys, and bytes on disk of each keyspace.
    pub keyspaces: Vec<(String, u64, u64)>,
    /// Accounts in the trie.
    pub accounts: u64,
}

/// The durable store of one chain. One process at a time; all methods take `&self` and may be called from any thread,
/// the writing ones ([`Store::commit`], [`Store::override_state`], [`Store::rollback`]) from one at a time.
#[derive(Debug)]
pub struct Store(());

impl Store {
    /// Opens the store in `dir`, creating the directory if needed, and recovers to the newest durable block.
    ///
    /// # Errors
    /// If the directory is locked, has another schema version, is damaged before its tail, or cannot be read.
    pub fn open(dir: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        let _ = (dir, options);
        todo!()
    }

    /// The newest block and its state; `None` before [`Store::commit`] was called with a genesis.
    pub fn head(&self) -> Option<Arc<Head>> {
        todo!()
    }

    /// Appends a block and waits until it is durable; then it is the head. The first block committed is the genesis.
    /// `state` is the state after `changes`, whose root the block's header must carry.
    ///
    /// # Errors
    /// If the disk fails. Nothing changed then, and the store refuses further writes.
    pub fn commit(
        &self,
        block: Arc<ExecutedBlock>,
        changes: &StateChanges,
        state: State,
    ) -> Result<Arc<Head>, StoreError> {
        let _ = (block, changes, state);
        todo!()
    }

    /// Changes the head's state without a block, durably. For development nodes (`anvil_setBalance` and its kin).
    ///
    /// # Errors
    /// If the disk fails.
    pub fn override_state(&self, changes: &StateChanges) -> Result<Arc<Head>, StoreError> {
        let _ = changes;
        todo!()
    }

    /// Removes every block above `height`, durably; the block at `height` becomes the head. For `evm_revert`.
    /// If `state` is given, the head's state becomes that one (a snapshot taken when `height` was the head).
    ///
    /// # Errors
    /// If the disk fails or the state at `height` is no longer kept.
    pub fn rollback(&self, height: Height, state: Option<State>) -> Result<Arc<Head>, StoreError> {
        let _ = (height, state);
        todo!()
    }

    /// The block at a height.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn block(&self, height: Height) -> Result<Option<Arc<ExecutedBlock>>, StoreError> {
        let _ = height;
        todo!()
    }

    /// The hash of the block at a height.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn hash(&self, height: Height) -> Result<Option<B256>, StoreError> {
        let _ = height;
        todo!()
    }

    /// The height of the block with a hash.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn height(&self, hash: B256) -> Result<Option<Height>, StoreError> {
        let _ = hash;
        todo!()
    }

    /// Where a transaction stands.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn transaction(&self, hash: B256) -> Result<Option<(Height, TxIndex)>, StoreError> {
        let _ = hash;
        todo!()
    }

    /// The state after the block at `height`.
    ///
    /// # Errors
    /// [`StoreError::Pruned`] if it is no longer kept or not there yet; or if the disk cannot be read.
    pub fn state_at(&self, height: Height) -> Result<StateAt, StoreError> {
        let _ = height;
        todo!()
    }

    /// Every account of the head with its storage, where the addresses are known; for `anvil_dumpState`.
    /// Addresses and slots are remembered when they are first written.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn dump(&self) -> Result<StateChanges, StoreError> {
        todo!()
    }

    /// Writes everything up to the head into the flat store and removes the log below it; what the background thread does.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn checkpoint(&self) -> Result<BlockRef, StoreError> {
        todo!()
    }

    /// Sizes and counts.
    pub fn stats(&self) -> StoreStats {
        todo!()
    }
}
