//! The durable store: block log, flat state, blocks and history.
//!
//! A commit is one record appended to the log and synced ([`crate::log`]); then the block is the head. A background
//! thread moves what the log holds into the flat store ([`mod@crate::flat`]) and removes the log below it
//! ([`crate::checkpoint`]). In between, memory has what the flat store lacks ([`crate::memory`]). Opening reads the flat store,
//! rebuilds the trie and replays the log ([`crate::recovery`]).
//!
//! Locks are taken in this order: `checkpointing`, `writer`, `memory`. After a failed write the store
//! refuses to write, and reads go on: what the disk holds is only known after a restart.

use std::{
    fs::File,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, U256};
use braid_types::{BlockRef, ExecutedBlock, Height, StateChanges, TxIndex, changes::AccountState};

use parking_lot::{Condvar, Mutex, RwLock};

use crate::{
    codec::{BlockRecord, encode_override_record},
    codes::Codes,
    error::StoreError,
    flat::Flat,
    log::{Log, LogError},
    memory::{Memory, Names, Pending},
    meter::{Meter, Stopwatch},
    pager::Pager,
    recovery::{MemoryShares, Recovered, check_next, recover},
    state::State,
};

pub use crate::history::HistoricalState;

/// A commit waits for a checkpoint once this many times [`StoreOptions::checkpoint_size_bytes`] are not in one.
const MAX_LOG_CHECKPOINT_SIZES: u64 = 4;

/// How a store keeps what it keeps.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Blocks whose state stays readable behind the head; `None`: all (archive).
    pub history: Option<u64>,
    /// Milliseconds between checkpoints.
    pub checkpoint_interval_ms: u64,
    /// Log bytes after which a checkpoint is made at once.
    pub checkpoint_size_bytes: u64,
    /// Memory to aim at for the state and for what the disk has at hand; `None`: the whole state is in memory.
    pub memory_bytes: Option<u64>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { history: None, checkpoint_interval_ms: 1_000, checkpoint_size_bytes: 64 << 20, memory_bytes: None }
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
        match self {
            Self::Recent(state) => Ok(state.account(address)),
            Self::Historical(state) => state.account(address),
        }
    }

    /// A storage slot; zero if absent.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        match self {
            Self::Recent(state) => Ok(state.storage(address, slot)),
            Self::Historical(state) => state.storage(address, slot),
        }
    }

    /// Byte code by hash.
    ///
    /// # Errors
    /// If the disk cannot be read or the code is not known.
    pub fn code(&self, hash: B256) -> Result<Bytes, StoreError> {
        match self {
            Self::Recent(state) => Ok(state.code(hash)?),
            Self::Historical(state) => state.code(hash),
        }
    }
}

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
    /// Accounts and slots in memory, and on disk, where memory has a limit.
    pub keys: Option<(u64, u64)>,
}

/// What the store's stages have done.
#[derive(Debug, Default)]
pub struct StoreMeters {
    /// Making blocks durable: writing is work, the disk's sync is waiting.
    pub disk: Meter,
    /// Moving blocks from the log into the flat store, in the background.
    pub checkpoint: Meter,
}

/// The durable store of one chain. One process at a time; all methods take `&self` and may be called from any thread,
/// the writing ones ([`Store::commit`], [`Store::override_state`], [`Store::rollback`]) from one at a time.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

/// What the store's threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: StoreOptions,
    pub(crate) flat: Arc<Flat>,
    pub(crate) codes: Arc<Codes>,
    pub(crate) pager: Option<Arc<Pager>>,
    pub(crate) memory: RwLock<Memory>,
    pub(crate) writer: Mutex<Writer>,
    /// Held during a checkpoint or a rollback.
    pub(crate) checkpointing: Mutex<()>,
    pub(crate) meters: StoreMeters,
    poisoned: AtomicBool,
    signal: Mutex<Signal>,
    wake: Condvar,
    /// Locked while the store is open.
    _lock: File,
}

/// Held by whoever appends to the log.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) log: Log,
}

/// What the background thread is told.
#[derive(Debug, Default)]
struct Signal {
    stop: bool,
    urgent: bool,
}

impl Store {
    /// Opens the store in `dir`, creating the directory if needed, and recovers to the newest durable block.
    ///
    /// # Errors
    /// If the directory is locked, has another schema version, is damaged before its tail, or cannot be read.
    pub fn open(dir: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        let Recovered { lock, flat, codes, pager, log, memory } =
            recover(dir, &options.memory_bytes.map_or(MemoryShares::UNLIMITED, MemoryShares::of))?;
        let shared = Arc::new(Shared {
            options: options.clone(),
            flat,
            codes,
            pager,
            memory: RwLock::new(memory),
            writer: Mutex::new(Writer { log }),
            checkpointing: Mutex::new(()),
            meters: StoreMeters::default(),
            poisoned: AtomicBool::new(false),
            signal: Mutex::default(),
            wake: Condvar::new(),
            _lock: lock,
        });
        let background = Arc::clone(&shared);
        let builder = std::thread::Builder::new().name("checkpoint".to_owned());
        let worker = builder.spawn(move || background.run()).map_err(StoreError::io("start a thread for", dir))?;
        Ok(Self { shared, worker: Some(worker) })
    }

    /// The newest block and its state; `None` before [`Store::commit`] was called with a genesis.
    pub fn head(&self) -> Option<Arc<Head>> {
        self.shared.memory.read().head.clone()
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
        self.shared.commit(block, changes, state)
    }

    /// Changes the head's state without a block, durably. For development nodes (`anvil_setBalance` and its kin).
    ///
    /// # Errors
    /// If the disk fails.
    pub fn override_state(&self, changes: &StateChanges) -> Result<Arc<Head>, StoreError> {
        self.shared.override_state(changes)
    }

    /// Removes every block above `height`, durably; the block at `height` becomes the head. For `evm_revert`.
    /// If `state` is given, the head's state becomes that one (a snapshot taken when `height` was the head).
    ///
    /// # Errors
    /// If the disk fails or the state at `height` is no longer kept.
    pub fn rollback(&self, height: Height, state: Option<State>) -> Result<Arc<Head>, StoreError> {
        self.shared.rollback(height, state)
    }

    /// The block at a height.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn block(&self, height: Height) -> Result<Option<Arc<ExecutedBlock>>, StoreError> {
        self.shared.block(height)
    }

    /// The hash of the block at a height.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn hash(&self, height: Height) -> Result<Option<B256>, StoreError> {
        let cached = self.shared.memory.read().block(height).map(|block| block.hash);
        cached.map_or_else(|| self.shared.flat.hash(height), |hash| Ok(Some(hash)))
    }

    /// Hash and header at a height. A store made from a snapshot has headers below it, whose blocks it does not have.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn header(&self, height: Height) -> Result<Option<(B256, Header)>, StoreError> {
        let cached =
            self.shared.memory.read().block(height).map(|executed| (executed.hash, executed.block.header.clone()));
        cached.map_or_else(|| self.shared.flat.header(height), |found| Ok(Some(found)))
    }

    /// Height of the oldest block above the genesis: above that, unless the store was made from a snapshot.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn oldest_block(&self) -> Result<Height, StoreError> {
        let first = self.shared.memory.read().checkpoint.map_or(0, |checkpoint| checkpoint.first);
        Ok(self.shared.flat.newest_header()?.unwrap_or(first).saturating_add(1))
    }

    /// The height of the block with a hash.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn height(&self, hash: B256) -> Result<Option<Height>, StoreError> {
        let cached = self.shared.memory.read().height(&hash);
        cached.map_or_else(|| self.shared.flat.height(hash), |height| Ok(Some(height)))
    }

    /// Where a transaction stands.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn transaction(&self, hash: B256) -> Result<Option<(Height, TxIndex)>, StoreError> {
        let cached = self.shared.memory.read().transaction(&hash);
        cached.map_or_else(|| self.shared.flat.transaction(hash), |place| Ok(Some(place)))
    }

    /// The state after the block at `height`.
    ///
    /// # Errors
    /// [`StoreError::Pruned`] if it is no longer kept or not there yet; or if the disk cannot be read.
    pub fn state_at(&self, height: Height) -> Result<StateAt, StoreError> {
        let retained = self.shared.memory.read().states.get(&height).cloned();
        if let Some(state) = retained {
            return Ok(StateAt::Recent(state));
        }
        let Shared { flat, codes, .. } = &*self.shared;
        HistoricalState::open(Arc::clone(flat), Arc::clone(codes), height).map(StateAt::Historical)
    }

    /// Every account of the head with its storage, where the addresses are known; for `anvil_dumpState`.
    /// Addresses and slots are remembered when they are first written.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn dump(&self) -> Result<StateChanges, StoreError> {
        self.shared.checkpoint()?;
        let head = self.head().ok_or(StoreError::Empty)?;
        crate::dump::dump(&self.shared.flat, &head.state)
    }

    /// Writes everything up to the head into the flat store and removes the log below it; what the background thread does.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn checkpoint(&self) -> Result<BlockRef, StoreError> {
        self.shared.checkpoint()
    }

    /// Whether more of the state is in memory than [`StoreOptions::memory_bytes`] allows.
    pub fn is_over_memory(&self) -> bool {
        self.shared.pager.as_ref().is_some_and(|pager| pager.is_over())
    }

    /// Leaves what was not used of the head's state out of memory, if there is too much of it. For times without blocks, whose states are trimmed
    /// when they are made. Nobody may derive a state that will be committed from the head meanwhile.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn trim(&self) -> Result<(), StoreError> {
        self.shared.trim()
    }

    /// What its stages have done since it was opened.
    pub fn meters(&self) -> &StoreMeters {
        &self.shared.meters
    }

    /// Bytes of log that are not in a checkpoint yet, and how many there may be before blocks wait for one.
    pub fn log_room(&self) -> (u64, u64) {
        (self.shared.memory.read().pending_bytes, self.shared.log_limit())
    }

    /// Sizes and counts.
    pub fn stats(&self) -> StoreStats {
        let memory = self.shared.memory.read();
        StoreStats {
            head: memory.head_ref().map_or(0, |head| head.height),
            checkpoint: memory.checkpoint.map_or(0, |checkpoint| checkpoint.block.height),
            log_bytes: memory.pending_bytes,
            keyspaces: self.shared.flat.sizes(),
            accounts: memory.head.as_ref().map_or(0, |head| head.state.account_count()),
            keys: self.shared.pager.as_ref().map(|pager| pager.keys()),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.shared.signal.lock().stop = true;
        self.shared.wake.notify_all();
        if let Some(worker) = self.worker.take()
            && worker.join().is_err()
        {
            tracing::error!("checkpoint thread panicked");
        }
        match self.shared.checkpoint() {
            Ok(_) | Err(StoreError::Empty | StoreError::Poisoned) => {}
            Err(error) => tracing::error!(%error, "failed to write the last checkpoint"),
        }
        self.shared.codes.close();
        if let Some(pager) = &self.shared.pager {
            pager.close();
        }
    }
}

impl Shared {
    /// See [`Store::commit`].
    fn commit(&self, block: Arc<ExecutedBlock>, changes: &StateChanges, state: State) -> Result<Arc<Head>, StoreError> {
        let (height, root) = (block.height(), state.root());
        let expected = block.block.header.state_root;
        if expected != root {
            return Err(StoreError::Root { height, expected, found: root });
        }
        let mut watch = Stopwatch::start();
        self.wait_for_room()?;
        self.meters.disk.wait(watch.lap().wall);
        let record = BlockRecord::new(&block, changes, root);
        let payload = record.clone();
        let state = state.over(&self.codes, self.pager.as_ref());
        let (head, synced_in) = self.append(payload.bytes(), changes, |memory| {
            check_next(memory, &block)?;
            Ok((Arc::clone(&block), Some((Arc::clone(&block), record)), state))
        })?;
        self.meters.disk.wait(synced_in);
        self.meters.disk.work(watch.lap().without(synced_in), block.block.transactions.len());
        Ok(head)
    }

    /// See [`Store::override_state`].
    fn override_state(&self, changes: &StateChanges) -> Result<Arc<Head>, StoreError> {
        self.wait_for_room()?;
        let head = self.memory.read().head.clone().ok_or(StoreError::Empty)?;
        let state = head.state.apply(changes);
        let payload = encode_override_record(head.block.height(), changes, state.root());
        self.append(&payload, changes, |memory| match memory.head_ref() {
            Some(now) if now == head.block.block_ref() => Ok((Arc::clone(&head.block), None, state)),
            _ => Err(StoreError::Damaged("head moved during an override")),
        })
        .map(|(head, _)| head)
    }

    /// Makes a record durable, then its block and state the head. `check` runs before anything is written. Also returns how long
    /// the record waited for the disk.
    fn append(
        &self,
        payload: &[u8],
        changes: &StateChanges,
        check: impl FnOnce(&Memory) -> Result<NewHead, StoreError>,
    ) -> Result<(Arc<Head>, Duration), StoreError> {
        let mut writer = self.writer.lock();
        self.check_writable()?;
        let (block, new_block, state) = check(&self.memory.read())?;
        if payload.len() > braid_types::limits::MAX_LOG_RECORD_SIZE_BYTES as usize {
            return Err(LogError::TooLarge(payload.len()).into());
        }
        self.codes.pin(&changes.codes);
        let sequence = writer.log.append(payload).map_err(|error| self.poison(error.into()))?;
        let (bytes, synced_in) = (payload.len() as u64, writer.log.synced_in);
        let names = Names::of(changes);
        let (new_block, record) = new_block.unzip();
        let pending = Pending { sequence, height: block.height(), block: new_block, record, names, bytes };
        let mut memory = self.memory.write();
        let head = memory.push(block, pending, state);
        if memory.pending_bytes >= self.options.checkpoint_size_bytes {
            self.signal.lock().urgent = true;
            self.wake.notify_all();
        }
        Ok((head, synced_in))
    }

    /// See [`Store::trim`].
    fn trim(&self) -> Result<(), StoreError> {
        let Some(pager) = self.pager.as_ref().filter(|pager| pager.is_over()) else { return Ok(()) };
        let _turn = self.checkpointing.lock();
        // The writer's lock keeps commits out until the head has been replaced.
        let _writer = self.writer.lock();
        self.checkpoint_in_turn()?;
        let head = self.memory.read().head.clone().ok_or(StoreError::Empty)?;
        let state = head.state.clone().trimmed();
        pager.set_durable(state.accounts(), &[]);
        self.memory.write().replace_state(state);
        Ok(())
    }

    /// Bounds what is not in a checkpoint yet when blocks come faster than checkpoints.
    fn wait_for_room(&self) -> Result<(), StoreError> {
        if self.memory.read().pending_bytes > self.log_limit() {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Bytes that may be in the log and in no checkpoint.
    fn log_limit(&self) -> u64 {
        self.options.checkpoint_size_bytes.saturating_mul(MAX_LOG_CHECKPOINT_SIZES)
    }

    pub(crate) fn block(&self, height: Height) -> Result<Option<Arc<ExecutedBlock>>, StoreError> {
        if let Some(block) = self.memory.read().block(height) {
            return Ok(Some(Arc::clone(block)));
        }
        Ok(self.flat.block(height)?.map(Arc::new))
    }

    pub(crate) fn check_writable(&self) -> Result<(), StoreError> {
        // Ordering: the flag guards no other data.
        if self.poisoned.load(Ordering::Relaxed) { Err(StoreError::Poisoned) } else { Ok(()) }
    }

    /// Remembers that a write failed.
    pub(crate) fn poison(&self, error: StoreError) -> StoreError {
        tracing::error!(%error, "write failed; the store refuses further writes");
        // Ordering: the flag guards no other data.
        self.poisoned.store(true, Ordering::Relaxed);
        error
    }

    /// The background thread: a checkpoint at every interval, or when the log has grown enough.
    fn run(&self) {
        let interval = Duration::from_millis(self.options.checkpoint_interval_ms);
        let mut signal = self.signal.lock();
        while !signal.stop {
            if !signal.urgent {
                self.wake.wait_for(&mut signal, interval);
            }
            if signal.stop {
                return;
            }
            signal.urgent = false;
            let result = parking_lot::MutexGuard::unlocked(&mut signal, || self.checkpoint());
            if let Err(error) = result
                && !matches!(error, StoreError::Empty)
            {
                tracing::error!(%error, "failed to write a checkpoint");
                return;
            }
        }
    }
}

/// The block that stands at the head, the same with its record if it is new, and the state after it.
type NewHead = (Arc<ExecutedBlock>, Option<(Arc<ExecutedBlock>, BlockRecord)>, State);
