//! Opening a data directory: lock, schema, flat store, trie, and the tail of the log.
//!
//! ```text
//! lock      held with flock(2) while a process uses the directory
//! schema    the version of the layout, as text
//! flat/     the flat store (see `flat`)
//! log/      the block log (see `log`)
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
    sync::Arc,
};

use alloy_primitives::{B256, U256};
use braid_types::{
    ExecutedBlock, StateChanges,
    changes::AccountState,
    limits::{MAX_BLOCK_CACHE_BYTES, MAX_CODE_CACHE_BYTES, RETAINED_STATES, RETAINED_STATES_IN_BOUNDED_MEMORY},
};
use fjall::{Guard, Readable, Snapshot};
use rayon::prelude::*;
use rustix::fs::{FlockOperation, flock};

use crate::{
    codec::{Checkpoint, Record, decode_record},
    codes::Codes,
    error::StoreError,
    flat::{Flat, KEYSPACES, MAX_TABLE_BYTES, MIN_TABLE_BYTES, account_from, slot_from},
    log::{Log, LogRecord},
    memory::{Limits, Memory, Names, Pending},
    pager::Pager,
    state::{AccountLeaf, State},
    trie::{self, Child, Op},
};

/// Version of the directory's layout and of everything in it.
const SCHEMA_VERSION: u32 = 1;

/// How the memory that a store may use is shared out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryShares {
    /// For the state's tries; `None`: all of them are in memory.
    pub(crate) state_bytes: Option<u64>,
    /// For what was read from tables; `None`: what the flat store thinks right.
    pub(crate) cache_bytes: Option<u64>,
    /// For what is not in tables yet, of each keyspace.
    pub(crate) table_bytes: u64,
    /// For byte code.
    pub(crate) code_bytes: usize,
    /// For past states and blocks.
    pub(crate) past: Limits,
}

impl MemoryShares {
    /// Without a limit: only what does not depend on the state's size has one.
    pub(crate) const UNLIMITED: Self = Self {
        state_bytes: None,
        cache_bytes: None,
        table_bytes: MAX_TABLE_BYTES,
        code_bytes: MAX_CODE_CACHE_BYTES,
        past: Limits { states: RETAINED_STATES, block_bytes: MAX_BLOCK_CACHE_BYTES },
    };

    /// Half for the state, a quarter for what is to be written, an eighth for what was read, a sixteenth each for byte code and for blocks.
    pub(crate) fn of(memory_bytes: u64) -> Self {
        let block_bytes = (memory_bytes / 16).min(MAX_BLOCK_CACHE_BYTES);
        Self {
            state_bytes: Some(memory_bytes / 2),
            cache_bytes: Some(memory_bytes / 8),
            table_bytes: (memory_bytes / 4 / KEYSPACES).clamp(MIN_TABLE_BYTES, MAX_TABLE_BYTES),
            code_bytes: usize::try_from(memory_bytes / 16).unwrap_or(usize::MAX).min(MAX_CODE_CACHE_BYTES),
            past: Limits { states: RETAINED_STATES_IN_BOUNDED_MEMORY, block_bytes },
        }
    }
}

/// What opening a directory yields.
pub(crate) struct Recovered {
    pub(crate) lock: File,
    pub(crate) flat: Arc<Flat>,
    pub(crate) codes: Arc<Codes>,
    pub(crate) pager: Option<Arc<Pager>>,
    pub(crate) log: Log,
    pub(crate) memory: Memory,
}

/// Opens `dir`, creating it if needed, and recovers to the newest durable record. `shares` says how much memory it may take.
pub(crate) fn recover(dir: &Path, shares: &MemoryShares) -> Result<Recovered, StoreError> {
    create(dir)?;
    let lock = lock(dir)?;
    check_schema(dir)?;
    let flat = Arc::new(Flat::open(&dir.join("flat"), shares)?);
    let codes = Arc::new(Codes::on_disk(flat.code.clone(), shares.code_bytes));
    let pager = shares.state_bytes.map(|bytes| Pager::new(&flat, bytes));
    let mut memory = read_checkpoint(&flat, &codes, pager.as_ref(), shares.past)?;
    let after = memory.checkpoint.map_or(0, |checkpoint| checkpoint.sequence);
    let (log, records) = Log::open(&dir.join("log"), after)?;
    sync(dir)?;
    for record in records {
        replay(&mut memory, &codes, &record)?;
    }
    Ok(Recovered { lock, flat, codes, pager, log, memory })
}

/// Creates the directory and makes its name durable.
pub(crate) fn create(dir: &Path) -> Result<(), StoreError> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir).map_err(StoreError::io("create", dir))?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync(parent.unwrap_or_else(|| Path::new(".")))
}

/// Makes what was created or renamed in a directory durable.
pub(crate) fn sync(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(StoreError::io("sync", dir))
}

pub(crate) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let options = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = options.map_err(StoreError::io("open", &path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::Locked(dir.to_owned())),
        Err(error) => Err(StoreError::io("lock", &path)(error.into())),
    }
}

/// Checks the version of an existing directory, and writes it into a new one.
pub(crate) fn check_schema(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join("schema");
    if !dir.join("flat").exists() {
        let mut file = File::create(&path).map_err(StoreError::io("create", &path))?;
        let written = writeln!(file, "{SCHEMA_VERSION}").and_then(|()| file.sync_all());
        written.map_err(StoreError::io("write", &path))?;
        return sync(dir);
    }
    let found = fs::read_to_string(&path).map_err(StoreError::io("read", &path))?;
    if found.trim() != SCHEMA_VERSION.to_string() {
        let found = found.trim().chars().take(32).collect();
        return Err(StoreError::Schema { path: dir.to_owned(), found, expected: SCHEMA_VERSION });
    }
    Ok(())
}

/// The flat store's block and state, with the trie rebuilt from its leaves.
fn read_checkpoint(
    flat: &Flat,
    codes: &Arc<Codes>,
    pager: Option<&Arc<Pager>>,
    limits: Limits,
) -> Result<Memory, StoreError> {
    let view = flat.db.snapshot();
    let Some(checkpoint) = flat.checkpoint(&view)? else {
        if flat.progress()?.is_some() {
            return Err(StoreError::Unfinished);
        }
        return Ok(Memory::new(State::with_accounts(None, 0, Arc::clone(codes), pager.cloned()), None, limits));
    };
    let Checkpoint { block, root, .. } = checkpoint;
    let state = rebuild_trie(flat, &view, codes, pager)?;
    if state.root() != root {
        return Err(StoreError::Root { height: block.height, expected: root, found: state.root() });
    }
    if let Some(pager) = pager {
        pager.set_durable(state.accounts(), &[]);
    }
    let head = flat.block(block.height)?.ok_or(StoreError::Damaged("block of the checkpoint is missing"))?;
    let mut memory = Memory::new(state.clone(), Some(checkpoint), limits);
    memory.set_head(Arc::new(head), 0, state);
    Ok(memory)
}

/// The state in the flat store, with no more of it in memory than must be if there is a pager.
pub(crate) fn rebuild_trie(
    flat: &Flat,
    view: &Snapshot,
    codes: &Arc<Codes>,
    pager: Option<&Arc<Pager>>,
) -> Result<State, StoreError> {
    // Each part becomes a trie where it is read: the leaves of all at once would take as much memory as the trie.
    let part = |nibble: u8| {
        let parts: Result<Vec<Part>, _> =
            (0..16).map(|second| read_part(flat, view, nibble << 4 | second, pager)).collect();
        parts.map(|parts| join(1, parts))
    };
    let parts: Result<Vec<Part>, _> = (0..16u8).into_par_iter().map(part).collect();
    let (accounts, count) = join(0, parts?);
    Ok(State::with_accounts(accounts, count, Arc::clone(codes), pager.cloned()))
}

/// The trie of some accounts, and how many they are.
type Part = (Option<Child<AccountLeaf>>, u64);

/// The accounts of sixteen parts, one for each nibble `at`, in order.
fn join(at: usize, parts: Vec<Part>) -> Part {
    let count = parts.iter().map(|(_, count)| count).sum();
    (trie::join(at, parts.into_iter().map(|(accounts, _)| accounts)), count)
}

/// All accounts, with their storage, whose hashed address begins with a byte. Accounts and slots come in the same order,
/// so one pass over both suffices.
fn read_part(flat: &Flat, view: &Snapshot, byte: u8, pager: Option<&Arc<Pager>>) -> Result<Part, StoreError> {
    let (from, to) = ([byte].to_vec(), [&[byte][..], &[0xff; 64]].concat());
    let mut slots = view.range(&flat.slot, from.clone()..=to.clone()).map(read_slot).peekable();
    let mut leaves = Vec::new();
    for entry in view.range(&flat.account, from..=to) {
        let (key, account) = read_account(entry)?;
        let mut storage = Storage::new(key, pager);
        while let Some(slot) = slots.next_if(|slot| !matches!(slot, Ok((owner, ..)) if *owner != key)) {
            let (_, slot, value) = slot?;
            storage.add(slot, value);
        }
        leaves.push((key, AccountLeaf { account, storage: storage.finish() }));
    }
    match slots.next() {
        None => {}
        Some(Err(error)) => return Err(error),
        Some(Ok(_)) => return Err(StoreError::Damaged("slot without account")),
    }
    let count = leaves.len();
    let mut accounts = trie::build(leaves, 2);
    if let Some(pager) = pager {
        pager.add_keys(count);
        accounts = accounts.map(|accounts| pager.trim_all(accounts));
    }
    Ok((accounts, count as u64))
}

/// Slots that become a trie together.
const SLOTS_AT_ONCE: usize = 1 << 18;

/// The storage of an account while its slots are read, in order.
struct Storage<'a> {
    account: B256,
    pager: Option<&'a Arc<Pager>>,
    trie: Option<Child<U256>>,
    slots: Vec<Op<U256>>,
}

impl<'a> Storage<'a> {
    const fn new(account: B256, pager: Option<&'a Arc<Pager>>) -> Self {
        Self { account, pager, trie: None, slots: Vec::new() }
    }

    fn add(&mut self, slot: B256, value: U256) {
        self.slots.push((slot, Some(value)));
        if self.slots.len() == SLOTS_AT_ONCE {
            self.build();
            if let Some(pager) = self.pager {
                self.trie = self.trie.take().map(|slots| pager.trim_slots(self.account, slots));
            }
        }
    }

    fn build(&mut self) {
        if let Some(pager) = self.pager {
            pager.add_keys(self.slots.len());
        }
        self.trie = trie::update(self.trie.as_ref(), &self.slots);
        self.slots.clear();
    }

    fn finish(mut self) -> Option<Child<U256>> {
        if !self.slots.is_empty() {
            self.build();
        }
        self.trie
    }
}

pub(crate) fn read_account(entry: Guard) -> Result<(B256, AccountState), StoreError> {
    let (key, value) = entry.into_inner()?;
    let key = B256::try_from(key.as_ref()).map_err(|_| StoreError::Damaged("key of an account is invalid"))?;
    let account = account_from(&value)?.ok_or(StoreError::Damaged("account without value"))?;
    Ok((key, account))
}

pub(crate) fn read_slot(entry: Guard) -> Result<(B256, B256, U256), StoreError> {
    let (key, value) = entry.into_inner()?;
    let (account, slot) = key.split_at_checked(32).unwrap_or_default();
    match (B256::try_from(account), B256::try_from(slot)) {
        (Ok(account), Ok(slot)) if !value.is_empty() => Ok((account, slot, slot_from(&value)?)),
        _ => Err(StoreError::Damaged("slot is invalid")),
    }
}

/// Applies one record of the log.
fn replay(memory: &mut Memory, codes: &Arc<Codes>, (sequence, payload): &LogRecord) -> Result<(), StoreError> {
    let record = decode_record(payload).map_err(StoreError::decode("log record"))?;
    let (block, new_block, changes, root) = match record {
        Record::Block { block, changes, root } => {
            let block = Arc::new(*block);
            check_next(memory, &block)?;
            (Arc::clone(&block), Some(block), changes, root)
        }
        Record::Override { height, changes, root } => {
            let head = memory.head.as_ref().ok_or(StoreError::Damaged("override before the genesis"))?;
            if head.block.height() != height {
                return Err(StoreError::Damaged("override of another block than the head"));
            }
            (Arc::clone(&head.block), None, changes, root)
        }
    };
    let state = apply(memory, codes, &block, &changes, root)?;
    let pending = Pending {
        record: None,
        sequence: *sequence,
        height: block.height(),
        block: new_block,
        names: Names::of(&changes),
        bytes: payload.len() as u64,
    };
    memory.push(block, pending, state);
    Ok(())
}

fn apply(
    memory: &Memory,
    codes: &Arc<Codes>,
    block: &ExecutedBlock,
    changes: &StateChanges,
    root: B256,
) -> Result<State, StoreError> {
    codes.pin(&changes.codes);
    let before = memory.head.as_ref().map_or(&memory.durable, |head| &head.state);
    let state = before.apply(changes);
    if state.root() != root {
        return Err(StoreError::Root { height: block.height(), expected: root, found: state.root() });
    }
    Ok(state)
}

/// Checks that a block follows the head; any block may be the first.
pub(crate) fn check_next(memory: &Memory, block: &ExecutedBlock) -> Result<(), StoreError> {
    let Some(head) = memory.head_ref() else { return Ok(()) };
    let (height, parent) = (block.height(), block.block.header.parent_hash);
    if head.height.checked_add(1) == Some(height) && parent == head.hash {
        return Ok(());
    }
    Err(StoreError::NotNext { height, parent, head })
}
