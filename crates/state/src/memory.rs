//! What the store keeps in memory: the head, what no checkpoint has written yet, and a bounded past.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use alloy_primitives::{Address, B256, Bytes, U256, map::HashMap};
use braid_types::{BlockRef, ExecutedBlock, Height, StateChanges, TxIndex, limits::MAX_CACHED_BLOCKS};

use crate::{
    codec::{BlockRecord, Checkpoint},
    state::State,
    store::Head,
};

/// A record of the log that no checkpoint has written yet.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    /// Its sequence number in the log.
    pub(crate) sequence: u64,
    /// The block, or the head whose state was overridden.
    pub(crate) height: Height,
    /// The block; `None` for an override.
    pub(crate) block: Option<Arc<ExecutedBlock>>,
    /// The record, if it was written by this process and not read from the log.
    pub(crate) record: Option<BlockRecord>,
    /// What checkpoints need of the changes beside the states.
    pub(crate) names: Arc<Names>,
    /// Size in the log.
    pub(crate) bytes: u64,
}

/// Names that hashes hide: addresses with slots, and code.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) accounts: Vec<(Address, Vec<U256>)>,
    pub(crate) codes: BTreeMap<B256, Bytes>,
}

impl Names {
    pub(crate) fn of(changes: &StateChanges) -> Arc<Self> {
        let accounts = changes.accounts.iter().map(|(address, change)| {
            let written = change.storage.iter().filter(|(_, value)| !value.is_zero());
            (*address, written.map(|(slot, _)| *slot).collect())
        });
        Arc::new(Self { accounts: accounts.collect(), codes: changes.codes.clone() })
    }
}

/// How much of the past is kept beside what is pending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// States.
    pub(crate) states: usize,
    /// Bytes of blocks.
    pub(crate) block_bytes: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) head: Option<Arc<Head>>,
    /// Records since the last checkpoint, in order.
    pub(crate) pending: VecDeque<Pending>,
    pub(crate) pending_bytes: u64,
    /// The state in the flat store.
    pub(crate) durable: State,
    /// What the flat store holds.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// The state after each of the newest blocks, at least of all pending ones.
    pub(crate) states: BTreeMap<Height, State>,
    limits: Limits,
    blocks: BTreeMap<Height, (Arc<ExecutedBlock>, u64)>,
    block_bytes: u64,
    heights: HashMap<B256, Height>,
    transactions: HashMap<B256, (Height, TxIndex)>,
}

impl Memory {
    pub(crate) fn new(durable: State, checkpoint: Option<Checkpoint>, limits: Limits) -> Self {
        Self {
            head: None,
            pending: VecDeque::new(),
            pending_bytes: 0,
            durable,
            checkpoint,
            states: BTreeMap::new(),
            limits,
            blocks: BTreeMap::new(),
            block_bytes: 0,
            heights: HashMap::default(),
            transactions: HashMap::default(),
        }
    }

    /// Makes a block with its state the head, without a pending record.
    pub(crate) fn set_head(&mut self, block: Arc<ExecutedBlock>, bytes: u64, state: State) -> Arc<Head> {
        self.add_block(&block, bytes);
        self.states.insert(block.height(), state.clone());
        let head = Arc::new(Head { block, state });
        self.head = Some(Arc::clone(&head));
        self.trim();
        head
    }

    /// Replaces the head's state, which the flat store holds, by the same one, and forgets older ones, which may hold more in memory.
    pub(crate) fn replace_state(&mut self, state: State) {
        let Some(head) = &self.head else { return };
        let block = Arc::clone(&head.block);
        self.durable = state.clone();
        self.states = BTreeMap::from([(block.height(), state.clone())]);
        self.head = Some(Arc::new(Head { block, state }));
    }

    /// Adds a record that the log holds, and makes it the head.
    pub(crate) fn push(&mut self, block: Arc<ExecutedBlock>, pending: Pending, state: State) -> Arc<Head> {
        let bytes = pending.bytes;
        self.pending_bytes += bytes;
        self.pending.push_back(pending);
        self.set_head(block, bytes, state)
    }

    /// Forgets the first `count` pending records, which a checkpoint wrote.
    pub(crate) fn checkpointed(&mut self, count: usize, durable: State, checkpoint: Checkpoint) {
        let written: u64 = self.pending.drain(..count).map(|pending| pending.bytes).sum();
        self.pending_bytes -= written;
        self.durable = durable;
        self.checkpoint = Some(checkpoint);
        self.trim();
    }

    /// Forgets every block above `height`; nothing may be pending.
    pub(crate) fn truncate(&mut self, height: Height) {
        self.states.split_off(&(height + 1));
        for (height, (block, bytes)) in self.blocks.split_off(&(height + 1)) {
            self.forget(height, &block, bytes);
        }
    }

    pub(crate) fn block(&self, height: Height) -> Option<&Arc<ExecutedBlock>> {
        self.blocks.get(&height).map(|(block, _)| block)
    }

    pub(crate) fn height(&self, hash: &B256) -> Option<Height> {
        self.heights.get(hash).copied()
    }

    pub(crate) fn transaction(&self, hash: &B256) -> Option<(Height, TxIndex)> {
        self.transactions.get(hash).copied()
    }

    pub(crate) fn head_ref(&self) -> Option<BlockRef> {
        self.head.as_ref().map(|head| head.block.block_ref())
    }

    fn add_block(&mut self, block: &Arc<ExecutedBlock>, bytes: u64) {
        let height = block.height();
        if self.blocks.contains_key(&height) {
            return;
        }
        self.blocks.insert(height, (Arc::clone(block), bytes));
        self.block_bytes += bytes;
        self.heights.insert(block.hash, height);
        for (index, transaction) in (0..).zip(&block.block.transactions) {
            self.transactions.insert(*transaction.inner().hash(), (height, TxIndex(index)));
        }
    }

    fn forget(&mut self, height: Height, block: &ExecutedBlock, bytes: u64) {
        self.block_bytes -= bytes;
        self.heights.remove(&block.hash);
        for transaction in &block.block.transactions {
            let hash = transaction.inner().hash();
            if self.transactions.get(hash).is_some_and(|(place, _)| *place == height) {
                self.transactions.remove(hash);
            }
        }
    }

    /// Drops the oldest states and blocks beyond the limits, but nothing that is still pending, nor the head.
    fn trim(&mut self) {
        let head = self.head.as_ref().map_or(0, |head| head.block.height());
        let kept_from = self.pending.front().map_or(head, |pending| pending.height);
        while self.states.len() > self.limits.states
            && let Some((&height, _)) = self.states.first_key_value()
            && height < kept_from
        {
            self.states.remove(&height);
        }
        while (self.blocks.len() > MAX_CACHED_BLOCKS || self.block_bytes > self.limits.block_bytes)
            && let Some((&height, _)) = self.blocks.first_key_value()
            && height < kept_from
            && let Some((block, bytes)) = self.blocks.remove(&height)
        {
            self.forget(height, &block, bytes);
        }
    }
}
