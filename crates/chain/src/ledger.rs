//! The only door between consensus and chain: ordered blocks in, executed blocks out.
//!
//! Consensus orders blocks before anybody knows what they do. The ledger executes them on whatever branch they stand, remembers the
//! outcomes above the newest durable block, and makes a block durable once consensus says that it is final. States are
//! persistent, so a branch costs what it changes.
//!
//! The Ethereum block that an ordered block leads to is a function of the ordered block and its ancestors alone, as
//! [`order`](mod@crate::consensus::order) says; no setting of the node reaches it. Its transactions are the ordered ones, without those that
//! are invalid when their turn comes.
//!
//! Synchronous, deterministic, without a clock or threads of its own. Locks are taken in this order: `turn`, then those of the chain or
//! `tree`. Reading an outcome never waits for an execution.

mod check;
mod tree;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use alloy_primitives::{Address, B256, Bytes};
use braid_exec::Config;
use braid_pool::{Ordered, PoolRules, Rejection, Room};
use braid_state::{Stopwatch, StoreError};
use braid_types::{
    BlockRef, ExecutedBlock, Fork, Height, OrderedBlock, RecoveredTx, limits::MAX_ORDERED_BLOCK_SIZE_BYTES,
};
use parking_lot::Mutex;

use crate::{
    build::build,
    chain::{Chain, ChainError, now, parent_of},
    consensus::{BlockError, order},
    process::Parent,
    stages::waited,
    view::Ancestors,
};

use tree::{Speculation, SpeculativeAncestors, Tree};

/// The door between consensus and chain. Shared as `Arc<Ledger>`.
pub struct Ledger {
    chain: Arc<Chain>,
    /// Held while a block is executed or made durable.
    turn: Mutex<()>,
    tree: Mutex<Tree>,
    executed: AtomicU64,
    adopted: AtomicU64,
}

/// The newest durable block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durable {
    /// Its height.
    pub height: Height,
    /// Hash of the Ethereum block.
    pub hash: B256,
    /// Digest of the ordered block; zero at genesis.
    pub digest: B256,
}

/// How much a proposal may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposalLimits {
    /// Sum of the transactions' gas limits. The block's gas limit bounds it further.
    pub gas: u64,
    /// Sum of the transactions' sizes as EIP-2718 encodes them. [`MAX_ORDERED_BLOCK_SIZE_BYTES`] bounds it further.
    pub size_bytes: usize,
    /// How many transactions.
    pub transactions: usize,
}

impl Default for ProposalLimits {
    fn default() -> Self {
        Self { gas: u64::MAX, size_bytes: MAX_ORDERED_BLOCK_SIZE_BYTES, transactions: usize::MAX }
    }
}

/// Counts since the ledger was made, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerStatistics {
    /// Ordered blocks executed, repetitions included.
    pub executed: u64,
    /// Blocks made durable.
    pub adopted: u64,
    /// Outcomes kept above the newest durable block.
    pub speculative: u64,
}

/// Failed to use the ledger.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum LedgerError {
    // Rejections: the proposer is at fault.
    #[error("transactions have {found} bytes, more than {limit}")]
    Size { found: usize, limit: usize },
    #[error("gas limits of the transactions add up to more than the block's, {limit}")]
    Gas { limit: u64 },
    #[error("transaction {index} cannot be decoded: {reason}")]
    Malformed { index: usize, reason: String },
    #[error("transaction {index} has no valid signature")]
    Signature { index: usize },
    #[error("transaction {index} is a blob transaction, which ordered blocks cannot hold")]
    Blob { index: usize },
    #[error("transaction {index} is not valid: {reason}")]
    Invalid {
        index: usize,
        #[source]
        reason: Rejection,
    },
    #[error("transaction {hash} is there twice")]
    Duplicate { hash: B256 },
    // The caller is out of step.
    #[error("parent {parent} of the ordered block at height {height} is neither durable nor executed")]
    UnknownParent { height: Height, parent: B256 },
    #[error("height {height} is durable already, with another ordered block ({durable})")]
    Superseded { height: Height, durable: B256 },
    // Broken invariants.
    #[error("final block {found} contradicts the durable one at height {height}, {durable}")]
    Contradiction { height: Height, found: B256, durable: B256 },
    #[error("block at height {0} was not made from an ordered block: its extra data is no digest")]
    NotOrdered(Height),
    // The chain cannot be ordered by validators.
    #[error("the genesis names no validators (config.braid)")]
    NoValidators,
    #[error("a chain with validators must begin at height 0, not {0}")]
    GenesisHeight(Height),
    #[error("a chain with validators must begin with Cancun or a later fork, not {0:?}")]
    GenesisFork(Fork),
    /// The chain failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Who is at fault, which decides what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// What was given is wrong, or came out of turn: refuse it and go on.
    Rejection,
    /// Disk or configuration: stop, or try again later.
    Environment,
    /// The chain is not what it must be: halt, never continue.
    BrokenInvariant,
}

impl LedgerError {
    /// Who is at fault.
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Contradiction { .. } | Self::NotOrdered(_) | Self::Chain(ChainError::Block(_)) => {
                FaultKind::BrokenInvariant
            }
            Self::Chain(_) | Self::NoValidators | Self::GenesisHeight(_) | Self::GenesisFork(_) => {
                FaultKind::Environment
            }
            _ => FaultKind::Rejection,
        }
    }
}

impl From<StoreError> for LedgerError {
    fn from(error: StoreError) -> Self {
        Self::Chain(error.into())
    }
}

impl From<BlockError> for LedgerError {
    fn from(error: BlockError) -> Self {
        Self::Chain(error.into())
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("durable", &self.durable()).finish_non_exhaustive()
    }
}

impl Ledger {
    /// A ledger on a chain whose genesis names validators. Nothing is speculative yet.
    ///
    /// # Errors
    /// If the chain is not one that validators order.
    pub fn new(chain: Arc<Chain>) -> Result<Self, LedgerError> {
        let head = chain.head();
        if chain.spec().consensus.is_none() {
            return Err(LedgerError::NoValidators);
        }
        let genesis = chain.genesis();
        let first = genesis.number.unwrap_or_default();
        if first != 0 {
            return Err(LedgerError::GenesisHeight(first));
        }
        let fork = chain.spec().fork_at(1, genesis.timestamp, genesis.difficulty);
        if fork < Fork::Cancun {
            return Err(LedgerError::GenesisFork(fork));
        }
        let height = head.block.height();
        order::digest_of(&head.block.block.header).ok_or(LedgerError::NotOrdered(height))?;
        let (turn, tree) = (Mutex::new(()), Mutex::default());
        Ok(Self { chain, turn, tree, executed: AtomicU64::new(0), adopted: AtomicU64::new(0) })
    }

    /// The chain.
    pub const fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    /// Height, Ethereum hash and ordered digest of the newest durable block.
    pub fn durable(&self) -> Durable {
        durable_of(&self.chain.head().block)
    }

    /// Counts since the ledger was made.
    pub fn statistics(&self) -> LedgerStatistics {
        let speculative = self.tree.lock().len() as u64;
        // Ordering: plain counters.
        let [executed, adopted] = [&self.executed, &self.adopted].map(|count| count.load(Ordering::Relaxed));
        LedgerStatistics { executed, adopted, speculative }
    }

    /// Executes `block` on its parent, which must be durable or executed before, and remembers the outcome. Executing it
    /// again returns what was found.
    ///
    /// # Errors
    /// If the parent is not known, another block is durable at its height, or state cannot be read.
    pub fn execute(&self, block: &OrderedBlock) -> Result<BlockRef, LedgerError> {
        if let Some(done) = self.executed(block.height, block.digest)? {
            return Ok(done);
        }
        let _turn = self.turn.lock();
        let durable = self.durable();
        if block.height <= durable.height {
            return self.reference_at(block);
        }
        let speculation = self.speculate(block)?;
        let reference = speculation.executed().block_ref();
        self.tree.lock().insert(speculation);
        Ok(reference)
    }

    /// The outcome for an ordered digest (or zero for the genesis), if it is durable or executed.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn executed(&self, height: Height, digest: B256) -> Result<Option<BlockRef>, LedgerError> {
        if let Some(found) = self.tree.lock().get(height, digest) {
            return Ok(Some(found.executed().block_ref()));
        }
        if height > self.durable().height {
            return Ok(None);
        }
        let stored = self.chain.store().header(height)?;
        let same = stored.filter(|(_, header)| order::digest_of(header) == Some(digest));
        Ok(same.map(|(hash, _)| BlockRef { height, hash }))
    }

    /// Makes a final block durable, and forgets outcomes that are not on its chain. It must stand on the newest durable block, or
    /// be durable already. It is executed first if it was not before. When it returns, the block is the head.
    ///
    /// # Errors
    /// If another block is durable at its height (a broken invariant), the blocks before it are missing, or the store fails.
    pub fn commit(&self, block: &OrderedBlock) -> Result<Arc<ExecutedBlock>, LedgerError> {
        let _turn = self.turn.lock();
        let durable = self.durable();
        if block.height <= durable.height {
            return self.durable_at(block);
        }
        if block.height == durable.height + 1 && block.parent != durable.digest {
            let Durable { height, digest, .. } = durable;
            return Err(LedgerError::Contradiction { height, found: block.parent, durable: digest });
        }
        if block.height > durable.height + 1 {
            return Err(LedgerError::UnknownParent { height: block.height, parent: block.parent });
        }
        let speculation = self.speculate(block)?;
        self.chain.adopt(&speculation.built.processed, speculation.execution)?;
        self.tree.lock().prune(block.height, block.digest);
        self.chain.drop_invalid(&block.transactions, &speculation.built.skipped);
        // Ordering: a plain counter.
        self.adopted.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::clone(speculation.executed()))
    }

    /// Decodes and checks raw transactions as far as that needs no state: a function of bytes and genesis alone. Whom the first of them
    /// are `claimed` to be from may be false; where it is true, it saves time.
    ///
    /// # Errors
    /// The first transaction that is wrong, or the limit that all together exceed.
    pub fn check(&self, raw: &[Bytes], claimed: &[Address]) -> Result<Vec<RecoveredTx>, LedgerError> {
        check::check(&self.chain, raw, claimed)
    }

    /// Transactions worth a block on top of `pending`, the ordered blocks that are not durable yet, oldest first: the pool's
    /// best without what stands in `pending`. All of them would pass [`Ledger::check`].
    pub fn propose(&self, pending: &[Arc<OrderedBlock>], limits: ProposalLimits) -> Vec<RecoveredTx> {
        let ordered = Ordered::new(pending.iter().flat_map(|block| &block.transactions));
        let rules = self.rules_after(pending);
        let room = Room {
            gas: limits.gas.min(rules.gas_limit),
            size_bytes: limits.size_bytes.min(MAX_ORDERED_BLOCK_SIZE_BYTES),
            blobs: 0,
            transactions: limits.transactions,
        };
        let order = &self.chain.stages().order;
        let pool = waited(order, || self.chain.pool().lock());
        let mut watch = Stopwatch::start();
        let mut best = pool.best_after(&ordered, &rules, room);
        drop(pool);
        order.work(watch.lap(), best.len());
        if rules.fork != self.chain.spec().newest_fork() {
            check::retain_valid(&self.chain, &mut best);
        }
        best
    }

    /// Rules of the block after the newest of `pending` whose execution is known, or after the head.
    fn rules_after(&self, pending: &[Arc<OrderedBlock>]) -> PoolRules {
        let known = {
            let tree = self.tree.lock();
            pending.iter().rev().find_map(|block| tree.get(block.height, block.digest))
        };
        let head = self.chain.head();
        self.chain.rules_after(known.as_ref().map_or(&head.block, |known| known.executed()))
    }

    /// The outcome of a block above the durable ones; `turn` is held.
    fn speculate(&self, block: &OrderedBlock) -> Result<Arc<Speculation>, LedgerError> {
        if let Some(found) = self.tree.lock().get(block.height, block.digest) {
            return Ok(found);
        }
        let head = self.chain.head();
        let below = self.chain.ancestors(head.block.height());
        let on_head = block.height == head.block.height() + 1 && block.parent == durable_of(&head.block).digest;
        let (parent, path) = if on_head {
            (parent_of(&head), Vec::new())
        } else {
            let unknown = LedgerError::UnknownParent { height: block.height, parent: block.parent };
            let found = block.height.checked_sub(1).and_then(|height| self.tree.lock().get(height, block.parent));
            let parent = found.ok_or(unknown)?;
            (parent.as_parent(), parent.path_through(head.block.height()))
        };
        let ancestors = self.tree.lock().ancestors(&path, below);
        let outcome = self.run(block, &parent, ancestors)?;
        Ok(Arc::new(Speculation { path, ..outcome }))
    }

    fn run(
        &self,
        block: &OrderedBlock,
        parent: &Parent,
        ancestors: SpeculativeAncestors,
    ) -> Result<Speculation, LedgerError> {
        let started = now();
        // Development nodes let contracts send; no block that others must agree to may depend on it.
        let config = Config { allow_contract_senders: false, ..self.chain.config().clone() };
        let ancestors: Arc<dyn Ancestors> = Arc::new(ancestors);
        let attributes = order::attributes(block, &parent.header);
        let built = build(parent, &attributes, &block.transactions, self.chain.spec(), &ancestors, &config)?;
        // Ordering: a plain counter.
        self.executed.fetch_add(1, Ordering::Relaxed);
        Ok(Speculation { digest: block.digest, built, path: Vec::new(), execution: started.elapsed() })
    }

    /// The durable block that `block` became.
    fn durable_at(&self, block: &OrderedBlock) -> Result<Arc<ExecutedBlock>, LedgerError> {
        let height = block.height;
        let stored = self.chain.store().block(height)?.ok_or(StoreError::Pruned(height))?;
        let durable = order::digest_of(&stored.block.header).ok_or(LedgerError::NotOrdered(height))?;
        if durable != block.digest {
            return Err(LedgerError::Contradiction { height, found: block.digest, durable });
        }
        Ok(stored)
    }

    /// As [`Ledger::durable_at`], where another block there is no reason to halt.
    fn reference_at(&self, block: &OrderedBlock) -> Result<BlockRef, LedgerError> {
        match self.durable_at(block) {
            Ok(stored) => Ok(stored.block_ref()),
            Err(LedgerError::Contradiction { height, durable, .. }) => Err(LedgerError::Superseded { height, durable }),
            Err(error) => Err(error),
        }
    }
}

fn durable_of(block: &ExecutedBlock) -> Durable {
    // A head without a digest was refused when the ledger was made; nothing else makes blocks since then.
    let digest = order::digest_of(&block.block.header).unwrap_or_default();
    Durable { height: block.height(), hash: block.hash, digest }
}

#[cfg(test)]
mod tests;
