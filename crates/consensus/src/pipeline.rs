//! From ordered blocks to executed ones: what proposing, verifying and finalizing have in common.
//!
//! A block is *checked* (its transactions decoded, their senders recovered) once, on one thread, and then *executed* on its
//! parent's outcome, on another. Executions are queued oldest first, so a block's ancestors are done when its turn comes. What was
//! checked is kept for a while by digest; a block is mostly asked for again when its children come and when it is final.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use alloy_primitives::B256;
use braid_chain::{Durable, FaultKind, Ledger, LedgerError, ProposalLimits};
use braid_types::{BlockRef, ExecutedBlock, Height, OrderedBlock, RecoveredTx, ordered::GENESIS_DIGEST};
use commonware_consensus::marshal::ancestry::Ancestry;
use futures::StreamExt as _;
use parking_lot::Mutex;

use crate::{
    block::{Block, Digest, Dissemination, Header},
    stop::Stopper,
    worker::Worker,
};

/// Checked blocks that are kept, some seconds' worth.
const MAX_RECENT_BLOCKS: usize = 32;

/// Final blocks that may wait to be made durable before this node stops judging new ones. It would have to fetch and execute what
/// lies between, and finality brings that anyway, in order.
const MAX_BEHIND: Height = 32;

/// Why a block got no further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The block, or one that it stands on, can never be part of the chain.
    #[error(transparent)]
    Invalid(LedgerError),
    /// Another block is final at the height of one of its ancestors.
    #[error("its ancestor at height {0} is not the final block there")]
    Superseded(Height),
    /// An ancestor could not be had, or the node is far behind or stopping: no verdict.
    #[error("its ancestors are not available")]
    Unavailable,
}

/// Checks and executes blocks.
pub(crate) struct Pipeline {
    ledger: Arc<Ledger>,
    lag: u64,
    checker: Worker,
    executor: Worker,
    recent: Mutex<BTreeMap<(Height, B256), Arc<OrderedBlock>>>,
    /// The highest block known to be final.
    tip: AtomicU64,
    stopper: Stopper,
}

/// The name of a block in the ledger: its digest, and zero for genesis, which nobody ordered.
fn ledger_digest(height: Height, digest: Digest) -> B256 {
    if height == 0 { GENESIS_DIGEST } else { B256::from(digest.0) }
}

fn ordered<K: Dissemination>(header: &Header<K>, transactions: Vec<RecoveredTx>) -> OrderedBlock {
    OrderedBlock {
        height: header.height,
        digest: ledger_digest(header.height, header.digest()),
        parent: ledger_digest(header.height.saturating_sub(1), header.parent),
        timestamp_ms: header.timestamp_ms,
        beneficiary: header.beneficiary,
        transactions,
    }
}

impl Pipeline {
    pub(crate) fn new(ledger: Arc<Ledger>, lag: u64, checker: Worker, executor: Worker, stopper: Stopper) -> Self {
        let tip = AtomicU64::new(ledger.durable().height);
        Self { ledger, lag, checker, executor, recent: Mutex::default(), tip, stopper }
    }

    pub(crate) const fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Learns that a block is final, whose predecessors may be missing here.
    pub(crate) fn learn_tip(&self, height: Height) {
        // Ordering: a plain maximum.
        self.tip.fetch_max(height, Ordering::Relaxed);
    }

    fn is_behind(&self) -> bool {
        // Ordering: as above.
        self.tip.load(Ordering::Relaxed) > self.ledger.durable().height + MAX_BEHIND
    }

    /// Sorts a failure: what a peer can cause is a refusal; anything else stops the node.
    pub(crate) fn refuse(&self, error: LedgerError) -> Refusal {
        match (&error, error.kind()) {
            (LedgerError::Superseded { height, .. }, _) => Refusal::Superseded(*height),
            (LedgerError::UnknownParent { .. }, _) => Refusal::Unavailable,
            (_, FaultKind::Rejection) => Refusal::Invalid(error),
            (_, FaultKind::Environment | FaultKind::BrokenInvariant) => {
                self.stopper.stop(error.into());
                Refusal::Unavailable
            }
        }
    }

    /// The block with its transactions decoded and checked.
    pub(crate) async fn check<K: Dissemination>(&self, block: &Block<K>) -> Result<Arc<OrderedBlock>, Refusal> {
        let key = (block.header.height, ledger_digest(block.header.height, block.header.digest()));
        if let Some(known) = self.recent.lock().get(&key) {
            return Ok(Arc::clone(known));
        }
        let (ledger, raw, claimed) = (Arc::clone(&self.ledger), block.transactions.clone(), block.senders.clone());
        let checked = self.checker.run(move || ledger.check(&raw, &claimed)).await.map_err(|_| Refusal::Unavailable)?;
        let transactions = checked.map_err(|error| self.refuse(error))?;
        Ok(self.remember(ordered(&block.header, transactions)))
    }

    /// Takes a block that this node built itself, whose transactions need no check.
    pub(crate) fn built<K: Dissemination>(
        &self,
        header: &Header<K>,
        transactions: Vec<RecoveredTx>,
    ) -> Arc<OrderedBlock> {
        self.remember(ordered(header, transactions))
    }

    fn remember(&self, block: OrderedBlock) -> Arc<OrderedBlock> {
        let block = Arc::new(block);
        let mut recent = self.recent.lock();
        recent.insert((block.height, block.digest), Arc::clone(&block));
        while recent.len() > MAX_RECENT_BLOCKS {
            recent.pop_first();
        }
        block
    }

    /// Queues the execution of `block`. Its ancestors must be executed or queued before.
    pub(crate) fn execute(&self, block: &Arc<OrderedBlock>) -> impl Future<Output = Result<BlockRef, Refusal>> {
        let (ledger, block) = (Arc::clone(&self.ledger), Arc::clone(block));
        let outcome = self.executor.run(move || ledger.execute(&block));
        async { outcome.await.map_err(|_| Refusal::Unavailable)?.map_err(|error| self.refuse(error)) }
    }

    /// Makes a final block durable.
    pub(crate) async fn commit(&self, block: &Arc<OrderedBlock>) -> Result<Arc<ExecutedBlock>, Refusal> {
        let (ledger, block) = (Arc::clone(&self.ledger), Arc::clone(block));
        let outcome = self.executor.run(move || ledger.commit(&block));
        outcome.await.map_err(|_| Refusal::Unavailable)?.map_err(|error| self.refuse(error))
    }

    /// Transactions for a block on top of `pending`, oldest first.
    pub(crate) async fn propose(
        &self,
        pending: Vec<Arc<OrderedBlock>>,
        limits: ProposalLimits,
    ) -> Result<Vec<RecoveredTx>, Refusal> {
        let ledger = Arc::clone(&self.ledger);
        self.checker.run(move || ledger.propose(&pending, limits)).await.map_err(|_| Refusal::Unavailable)
    }

    /// Executes what is missing below a child of `parent` and returns what the child has to commit to: the outcome at
    /// `execution_lag` below it. `ancestry` begins at or above the parent.
    pub(crate) async fn commitment<K: Dissemination>(
        &self,
        parent: (Height, Digest),
        ancestry: impl Ancestry<Block<K>>,
    ) -> Result<BlockRef, Refusal> {
        let target = (parent.0 + 1).saturating_sub(self.lag);
        let mut lineage = self.lineage(parent, target, ancestry).await?;
        if let Some(base) = lineage.base.filter(|base| base.height == target) {
            self.speculate(&lineage.blocks);
            return Ok(base);
        }
        let index = lineage.blocks.iter().position(|block| block.height == target).ok_or(Refusal::Unavailable)?;
        let below = lineage.blocks.split_off(index);
        // Oldest first; only the last one's outcome matters here.
        let (oldest_first, last) = (below.iter().rev(), below.len() - 1);
        let mut outcome = None;
        for (position, block) in oldest_first.enumerate() {
            let execution = self.execute(block);
            if position == last {
                outcome = Some(execution);
            }
        }
        self.speculate(&lineage.blocks);
        outcome.ok_or(Refusal::Unavailable)?.await
    }

    /// Queues the execution of blocks given newest first, and does not wait.
    fn speculate(&self, newest_first: &[Arc<OrderedBlock>]) {
        for block in newest_first.iter().rev() {
            drop(self.execute(block));
        }
    }

    /// The blocks above the newest durable one up to `parent`, oldest first.
    pub(crate) async fn in_flight<K: Dissemination>(
        &self,
        parent: (Height, Digest),
        ancestry: impl Ancestry<Block<K>>,
    ) -> Result<Vec<Arc<OrderedBlock>>, Refusal> {
        let Durable { height, .. } = self.ledger.durable();
        let mut blocks = self.lineage(parent, height, ancestry).await?.blocks;
        blocks.reverse();
        Ok(blocks)
    }

    /// Walks from `parent` down to the first block at or below `floor` that is executed.
    async fn lineage<K: Dissemination>(
        &self,
        parent: (Height, Digest),
        floor: Height,
        mut ancestry: impl Ancestry<Block<K>>,
    ) -> Result<Lineage, Refusal> {
        let mut blocks = Vec::new();
        let (mut height, mut digest) = (parent.0, ledger_digest(parent.0, parent.1));
        loop {
            if self.is_behind() {
                return Err(Refusal::Unavailable);
            }
            if height <= floor {
                // Read before the outcome: what is durable by then has one.
                let durable = self.ledger.durable();
                if let Some(base) = self.ledger.executed(height, digest).map_err(|error| self.refuse(error))? {
                    return Ok(Lineage { blocks, base: Some(base) });
                }
                if height <= durable.height {
                    return Err(Refusal::Superseded(height));
                }
            }
            let known = self.recent.lock().get(&(height, digest)).cloned();
            let block = match known {
                Some(block) => block,
                None => {
                    let found = find(&mut ancestry, height).await.ok_or(Refusal::Unavailable)?;
                    self.check(found.as_ref()).await?
                }
            };
            (height, digest) = (block.height.saturating_sub(1), block.parent);
            blocks.push(block);
        }
    }
}

struct Lineage {
    /// Newest first.
    blocks: Vec<Arc<OrderedBlock>>,
    /// The outcome of the parent of the last of them.
    base: Option<BlockRef>,
}

/// The ancestor at `height`; the stream goes down from some height above.
async fn find<K: Dissemination>(ancestry: &mut impl Ancestry<Block<K>>, height: Height) -> Option<Arc<Block<K>>> {
    while let Some(block) = ancestry.next().await {
        if block.inner().header.height == height {
            return Some(block.inner_shared());
        }
    }
    None
}
