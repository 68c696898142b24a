//! The chain: rules, store and pool behind one handle.
//!
//! Every change of the head takes the same steps under one lock: build or validate on the head's state, make it durable
//! ([`Store::commit`] returns after the disk has it), bring the pool up to date, tell the listeners. Readers take no lock: they hold
//! the [`Head`] they started with.

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use alloy_consensus::Header;
use alloy_eips::{eip7002, eip7251};
use alloy_genesis::Genesis;
use alloy_primitives::{Address, B256};
use alloy_trie::KECCAK_EMPTY;
use braid_exec::{BlockContext, Config, OnInvalid, Statistics};
use braid_pool::{Pool, PoolConfig, PoolRules};
use braid_signatures::KnownKeys;
use braid_state::{Head, State, StateAt, Stopwatch, Store, StoreError, StoreOptions};
use braid_types::{
    Block, ChainSpec, ExecutedBlock, Fork, Height, RecoveredTx, SpecError, StateChanges, TxIndex, changes::AccountState,
};
use parking_lot::{Mutex, RwLock};
use revm::context::result::InvalidTransaction;

use crate::{
    build::{Attributes, Built, build, next_base_fee, next_excess_blob_gas},
    consensus::BlockError,
    genesis::genesis_block,
    process::{Parent, Processed, block_context_of, process},
    stages::Stages,
    view::{Ancestors, BlockView},
};

/// The pool, shared by RPC and sequencer.
pub type SharedPool = Arc<Mutex<Pool>>;

type Listener = Box<dyn Fn(&Committed) + Send + Sync>;

/// How to open a chain.
#[derive(Clone, Debug)]
pub struct ChainOptions {
    /// The genesis; must be the one the directory was made with.
    pub genesis: Genesis,
    /// Data directory.
    pub directory: PathBuf,
    /// How the store keeps what it keeps.
    pub store: StoreOptions,
    /// Limits of the pool.
    pub pool: PoolConfig,
    /// Worker threads for execution.
    pub threads: NonZeroUsize,
    /// Whether this is a development node, where senders may be impersonated.
    pub is_dev: bool,
}

/// Failed to use the chain.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The genesis cannot be followed.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The data directory was made with another genesis.
    #[error("data directory belongs to another chain: its genesis is {found}, not {expected}")]
    OtherGenesis {
        /// Hash of the genesis asked for.
        expected: B256,
        /// Hash of the genesis found.
        found: B256,
    },
    /// The genesis lacks a contract that every block of its fork calls.
    #[error("genesis has no code at {0}, which every block calls since Prague (EIP-7002, EIP-7251)")]
    MissingSystemContract(Address),
    /// The store holds blocks but not the genesis.
    #[error("data directory has no block at the genesis height {0}")]
    NoGenesis(Height),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A block is not valid.
    #[error(transparent)]
    Block(#[from] BlockError),
}

/// What listeners hear after each change of the head.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Blocks that are no longer part of the chain, newest first.
    pub reverted: Vec<Arc<ExecutedBlock>>,
    /// Blocks that are new, oldest first.
    pub added: Vec<Arc<ExecutedBlock>>,
    /// What the executor observed while making them.
    pub statistics: Statistics,
    /// How long it took.
    pub timings: Timings,
}

/// How long the making of a block took; for operators, never read by the chain itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Validation, execution and Merkle root.
    pub execution: Duration,
    /// Writing the log and waiting for the disk.
    pub commit: Duration,
}

/// One chain. Shared as `Arc<Chain>`; methods that write serialise themselves.
pub struct Chain {
    spec: ChainSpec,
    genesis: Genesis,
    store: Arc<Store>,
    pool: SharedPool,
    keys: KnownKeys,
    stages: Stages,
    config: Config,
    gas_limit: AtomicU64,
    /// Base fee of the next block instead of the one that EIP-1559 gives; development nodes only.
    next_base_fee: Mutex<Option<u64>>,
    writer: Mutex<()>,
    listeners: RwLock<Vec<Listener>>,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("chain_id", &self.spec.chain_id).finish_non_exhaustive()
    }
}

impl Chain {
    /// Opens the chain in a directory, with its genesis if the directory is new.
    ///
    /// # Errors
    /// If the genesis cannot be followed, the directory belongs to another chain, or the store fails.
    pub fn open(options: ChainOptions) -> Result<Self, ChainError> {
        let spec = ChainSpec::from_config(&options.genesis.config)?;
        let store = Store::open(&options.directory, &options.store)?;
        let head = open_at_genesis(&store, &options.genesis, &spec)?;
        let config = Config { threads: options.threads, allow_contract_senders: options.is_dev, ..Config::default() };
        let gas_limit = head.block.block.header.gas_limit;
        let pool = Pool::new(options.pool, rules_after(&head.block, gas_limit, None, &spec));
        Ok(Self {
            spec,
            genesis: options.genesis,
            store: Arc::new(store),
            pool: Arc::new(Mutex::new(pool)),
            keys: KnownKeys::default(),
            stages: Stages::default(),
            config,
            gas_limit: AtomicU64::new(gas_limit),
            next_base_fee: Mutex::new(None),
            writer: Mutex::new(()),
            listeners: RwLock::default(),
        })
    }

    /// The rules.
    pub const fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// The genesis the chain was opened with.
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The store, to read blocks, receipts and transactions from.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The pool.
    pub const fn pool(&self) -> &SharedPool {
        &self.pool
    }

    /// Public keys of those who have sent transactions.
    pub const fn keys(&self) -> &KnownKeys {
        &self.keys
    }

    /// What the pipeline's stages have done.
    pub const fn stages(&self) -> &Stages {
        &self.stages
    }

    /// How blocks are executed.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The newest block and its state.
    ///
    /// # Panics
    /// Never: a chain has at least its genesis from [`Chain::open`] on.
    pub fn head(&self) -> Arc<Head> {
        #[expect(clippy::expect_used, reason = "open commits a genesis before the chain exists")]
        self.store.head().expect("a chain has a genesis")
    }

    /// The fork that ruled an existing block.
    pub fn fork_of(&self, block: &ExecutedBlock) -> Fork {
        let header = &block.block.header;
        let parent_total_difficulty = block.total_difficulty.saturating_sub(header.difficulty);
        self.spec.fork_at(header.number, header.timestamp, parent_total_difficulty)
    }

    /// The fork that will rule a block on top of `parent` with a time stamp in seconds.
    pub fn fork_after(&self, parent: &ExecutedBlock, timestamp: u64) -> Fork {
        self.spec.fork_at(parent.height() + 1, timestamp, parent.total_difficulty)
    }

    /// What execution needed to know about an existing block (re-execution: tracing, `eth_call` on top of it).
    pub fn context_of(&self, block: &ExecutedBlock) -> BlockContext {
        block_context_of(&block.block, self.fork_of(block), &self.spec)
    }

    /// The state after the block at `height`, as revm reads it, with block hashes up to and including `height`.
    ///
    /// # Errors
    /// If that state is not kept, or the disk cannot be read.
    pub fn view_after(&self, height: Height) -> Result<BlockView, StoreError> {
        Ok(BlockView { state: self.store.state_at(height)?, ancestors: self.ancestors(height) })
    }

    /// The state of the head as revm reads it.
    pub fn view_of_head(&self) -> BlockView {
        let head = self.head();
        BlockView { state: StateAt::Recent(head.state.clone()), ancestors: self.ancestors(head.block.height()) }
    }

    /// Hashes of the blocks up to and including `newest`.
    pub fn ancestors(&self, newest: Height) -> Arc<dyn Ancestors> {
        Arc::new(StoredAncestors { store: Arc::clone(&self.store), newest })
    }

    /// Validates, executes and commits a block made elsewhere. It must stand on the head.
    ///
    /// # Errors
    /// If it is not valid or cannot be stored.
    pub fn import(&self, block: Block) -> Result<Arc<ExecutedBlock>, ChainError> {
        let _writer = self.writer.lock();
        let head = self.head();
        if block.header.parent_hash != head.block.hash {
            return Err(BlockError::UnknownParent(block.header.parent_hash).into());
        }
        let started = now();
        let ancestors = self.ancestors(head.block.height());
        let processed = process(&parent_of(&head), block, &self.spec, &ancestors, &self.config)?;
        let executed = Arc::clone(&processed.executed);
        self.commit(&processed, None, started.elapsed())?;
        Ok(executed)
    }

    /// Commits a block that was executed before, which took as long as `execution`. It must stand on the head.
    pub(crate) fn adopt(&self, processed: &Processed, execution: Duration) -> Result<(), ChainError> {
        let _writer = self.writer.lock();
        let parent = processed.executed.block.header.parent_hash;
        if parent != self.head().block.hash {
            return Err(BlockError::UnknownParent(parent).into());
        }
        self.commit(processed, None, execution)
    }

    /// Builds a block of `candidates` on the head, without committing it; for the `pending` tag.
    ///
    /// # Errors
    /// If it cannot be built.
    pub fn preview(&self, attributes: &Attributes, candidates: &[RecoveredTx]) -> Result<Built, ChainError> {
        let head = self.head();
        let config = Config { on_invalid: OnInvalid::Skip, ..self.config.clone() };
        let ancestors = self.ancestors(head.block.height());
        Ok(build(&parent_of(&head), attributes, candidates, &self.spec, &ancestors, &config)?)
    }

    /// Builds a block of `candidates` on the head and commits it. When it returns, the block is durable and visible.
    ///
    /// # Errors
    /// If it cannot be built or stored.
    pub fn produce(&self, attributes: &Attributes, candidates: &[RecoveredTx]) -> Result<Built, ChainError> {
        self.produce_if(attributes, candidates, |_| true).map(|(built, _)| built)
    }

    /// Like [`Chain::produce`], but commits the block only if `wanted` says so; whether it did.
    ///
    /// # Errors
    /// If it cannot be built or stored.
    pub fn produce_if(
        &self,
        attributes: &Attributes,
        candidates: &[RecoveredTx],
        wanted: impl Fn(&Built) -> bool,
    ) -> Result<(Built, bool), ChainError> {
        let _writer = self.writer.lock();
        let started = now();
        let built = self.preview(attributes, candidates)?;
        if !wanted(&built) {
            return Ok((built, false));
        }
        self.commit(&built.processed, attributes.base_fee, started.elapsed())?;
        Ok((built, true))
    }

    /// Leaves out of memory what was not used of the head's state, where memory has a limit; for times without blocks.
    ///
    /// # Errors
    /// If the store fails.
    pub fn trim(&self) -> Result<(), ChainError> {
        let _writer = self.writer.lock();
        Ok(self.store.trim()?)
    }

    /// Changes the head's state without a block. Development nodes only.
    ///
    /// # Errors
    /// If the store fails.
    pub fn override_state(&self, changes: &StateChanges) -> Result<(), ChainError> {
        self.override_state_with(|_| changes.clone())
    }

    /// Changes the head's state without a block, to what `change` makes of it; no block is committed in between.
    ///
    /// # Errors
    /// If the store fails.
    pub fn override_state_with(&self, change: impl FnOnce(&State) -> StateChanges) -> Result<(), ChainError> {
        let _writer = self.writer.lock();
        let changes = change(&self.head().state);
        let head = self.store.override_state(&changes)?;
        self.follow(&head.block, accounts_of(&changes));
        Ok(())
    }

    /// Goes back to an earlier height; see [`Store::rollback`]. Development nodes only.
    ///
    /// # Errors
    /// If the state at that height is no longer kept, or the store fails.
    pub fn rollback(&self, height: Height, state: Option<State>) -> Result<(), ChainError> {
        let _writer = self.writer.lock();
        let reverted = self.blocks_above(height)?;
        let head = self.store.rollback(height, state)?;
        let senders = self.pool.lock().senders();
        let accounts = senders.into_iter().map(|sender| (sender, head.state.account(sender).unwrap_or_default()));
        self.follow(&head.block, accounts);
        self.tell(&Committed {
            reverted,
            added: Vec::new(),
            statistics: Statistics::default(),
            timings: Timings::default(),
        });
        Ok(())
    }

    /// Calls `listener` after each change of the head, on the thread that made it; it must not block.
    pub fn on_commit(&self, listener: impl Fn(&Committed) + Send + Sync + 'static) {
        self.listeners.write().push(Box::new(listener));
    }

    /// Gas limit of the blocks to come.
    pub fn gas_limit(&self) -> u64 {
        // Ordering: a plain setting; nothing else is published through it.
        self.gas_limit.load(Ordering::Relaxed)
    }

    /// Sets the gas limit of the blocks to come, which the pool admits for.
    pub fn set_gas_limit(&self, gas_limit: u64) {
        let _writer = self.writer.lock();
        // Ordering: see gas_limit.
        self.gas_limit.store(gas_limit, Ordering::Relaxed);
        self.follow(&self.head().block, []);
    }

    /// Base fee that was set for the next block, if any.
    pub fn next_base_fee(&self) -> Option<u64> {
        *self.next_base_fee.lock()
    }

    /// Sets the base fee of the next block, once. Development nodes only.
    pub fn set_next_base_fee(&self, base_fee: u64) {
        let _writer = self.writer.lock();
        *self.next_base_fee.lock() = Some(base_fee);
        self.follow(&self.head().block, []);
    }

    /// Makes a processed block durable and visible. `base_fee` is the one that was set for it, if any.
    fn commit(&self, processed: &Processed, base_fee: Option<u64>, execution: Duration) -> Result<(), ChainError> {
        let Processed { executed, changes, state, statistics, laps } = processed;
        let transactions = executed.block.transactions.len();
        let started = now();
        self.store.commit(Arc::clone(executed), changes, state.clone())?;
        let timings = Timings { execution, commit: started.elapsed() };
        self.stages.execute.work(laps.execute, transactions);
        self.stages.root.work(laps.root, transactions);
        let mut watch = Stopwatch::start();
        self.next_base_fee.lock().take_if(|next| Some(*next) == base_fee);
        self.follow(executed, accounts_of(changes));
        let (added, statistics) = (vec![Arc::clone(executed)], statistics.clone());
        self.tell(&Committed { reverted: Vec::new(), added, statistics, timings });
        self.stages.publish.work(watch.lap(), transactions);
        Ok(())
    }

    /// Takes those of `candidates` out of the pool that were left out of a block for a reason that lasts.
    pub(crate) fn drop_invalid(&self, candidates: &[RecoveredTx], skipped: &[(TxIndex, InvalidTransaction)]) {
        let invalid: Vec<_> = skipped.iter().filter(|(_, reason)| is_final(reason)).collect();
        if invalid.is_empty() {
            return;
        }
        let mut pool = self.pool.lock();
        for (index, reason) in invalid {
            let Some(transaction) = candidates.get(index.0 as usize) else { continue };
            let hash = *transaction.tx_hash();
            tracing::debug!(%hash, %reason, "dropped a transaction that cannot be included");
            pool.remove(hash);
        }
    }

    /// What an ordinary block after `parent` will demand.
    pub(crate) fn rules_after(&self, parent: &ExecutedBlock) -> PoolRules {
        rules_after(parent, parent.block.header.gas_limit, None, &self.spec)
    }

    /// Lets the pool follow the head.
    fn follow(&self, head: &ExecutedBlock, accounts: impl IntoIterator<Item = (Address, AccountState)>) {
        let rules = rules_after(head, self.gas_limit(), self.next_base_fee(), &self.spec);
        self.pool.lock().on_head(rules, accounts);
    }

    fn tell(&self, committed: &Committed) {
        for listener in self.listeners.read().iter() {
            listener(committed);
        }
    }

    /// The blocks above `height`, newest first.
    fn blocks_above(&self, height: Height) -> Result<Vec<Arc<ExecutedBlock>>, StoreError> {
        let newest = self.head().block.height();
        let heights = (height.saturating_add(1)..=newest).rev();
        heights.filter_map(|height| self.store.block(height).transpose()).collect()
    }
}

/// Hashes of the blocks of a store up to a height.
struct StoredAncestors {
    store: Arc<Store>,
    newest: Height,
}

impl Ancestors for StoredAncestors {
    fn hash(&self, height: Height) -> Result<Option<B256>, StoreError> {
        if height > self.newest {
            return Ok(None);
        }
        self.store.hash(height)
    }

    fn block(&self, height: Height) -> Option<(Header, Vec<Header>)> {
        let executed = self.store.block(height).ok().flatten().filter(|_| height <= self.newest)?;
        Some((executed.block.header.clone(), executed.block.ommers.clone()))
    }
}

/// The head of an existing store after comparing its genesis, or of a new one after committing it.
fn open_at_genesis(store: &Store, genesis: &Genesis, spec: &ChainSpec) -> Result<Arc<Head>, ChainError> {
    let (block, changes, state) = genesis_block(genesis, spec)?;
    let expected = block.header.hash_slow();
    let height = block.header.number;
    let Some(head) = store.head() else {
        check_system_contracts(&block, &state, spec)?;
        let total_difficulty = block.header.difficulty;
        let executed = ExecutedBlock { hash: expected, block, receipts: Vec::new(), total_difficulty };
        return Ok(store.commit(Arc::new(executed), &changes, state)?);
    };
    let found = store.hash(height)?.ok_or(ChainError::NoGenesis(height))?;
    if found != expected {
        return Err(ChainError::OtherGenesis { expected, found });
    }
    Ok(head)
}

/// Without these contracts every block would be invalid.
fn check_system_contracts(genesis: &Block, state: &State, spec: &ChainSpec) -> Result<(), ChainError> {
    let header = &genesis.header;
    if spec.fork_at(header.number, header.timestamp, header.difficulty) < Fork::Prague {
        return Ok(());
    }
    let called = [eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS];
    let has_code = |address| state.account(address).is_some_and(|account| account.code_hash != KECCAK_EMPTY);
    match called.into_iter().find(|address| !has_code(*address)) {
        None => Ok(()),
        Some(address) => Err(ChainError::MissingSystemContract(address)),
    }
}

pub(crate) fn parent_of(head: &Head) -> Parent {
    Parent {
        header: head.block.block.header.clone(),
        hash: head.block.hash,
        total_difficulty: head.block.total_difficulty,
        state: head.state.clone(),
    }
}

/// What the block after `parent` will demand. Its time is not known yet; the earliest possible one decides the fork.
fn rules_after(parent: &ExecutedBlock, gas_limit: u64, base_fee: Option<u64>, spec: &ChainSpec) -> PoolRules {
    let header: &Header = &parent.block.header;
    let is_shared = spec.allows_timestamp(header.timestamp, header.timestamp);
    let timestamp = header.timestamp.saturating_add(u64::from(!is_shared));
    let fork = spec.fork_at(header.number + 1, timestamp, parent.total_difficulty);
    let parent_total_difficulty = parent.total_difficulty.saturating_sub(header.difficulty);
    let parent_fork = spec.fork_at(header.number, header.timestamp, parent_total_difficulty);
    let blob_params = spec.blob_params(fork, timestamp);
    let excess = next_excess_blob_gas(header, spec, fork, timestamp);
    let blob_base_fee = blob_params.zip(excess).map_or(0, |(params, excess)| params.calc_blob_fee(excess));
    PoolRules {
        chain_id: spec.chain_id,
        fork,
        gas_limit,
        base_fee: base_fee.or_else(|| next_base_fee(header, parent_fork, fork)).unwrap_or_default(),
        blob_base_fee,
        blob_params,
    }
}

/// Whether a transaction that was left out for `reason` can be forgotten. One that only found the block full, or waits for an
/// earlier nonce, stays.
pub(crate) const fn is_final(reason: &InvalidTransaction) -> bool {
    !matches!(
        reason,
        InvalidTransaction::CallerGasLimitMoreThanBlock
            | InvalidTransaction::NonceTooHigh { .. }
            | InvalidTransaction::TooManyBlobs { .. }
            | InvalidTransaction::GasPriceLessThanBasefee
            | InvalidTransaction::BlobGasPriceGreaterThanMax { .. }
    )
}

fn accounts_of(changes: &StateChanges) -> impl Iterator<Item = (Address, AccountState)> + '_ {
    changes.accounts.iter().map(|(&address, change)| (address, change.account.unwrap_or_default()))
}

#[expect(clippy::disallowed_methods, reason = "measured for operators; no decision of the chain depends on it")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
