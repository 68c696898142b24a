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
use braid_types::{ExecutedBlock, StateChanges, changes::AccountState};
use fjall::{Guard, Readable, Snapshot};
use rayon::prelude::*;
use rustix::fs::{FlockOperation, flock};

use crate::{
    codec::{Checkpoint, Record, decode_record},
    codes::Codes,
    error::StoreError,
    flat::{Flat, account_from, slot_from},
    log::{Log, LogRecord},
    memory::{Memory, Names, Pending},
    state::{AccountLeaf, State},
    trie::Op,
};

/// Version of the directory's layout and of everything in it.
const SCHEMA_VERSION: u32 = 1;

/// What opening a directory yields.
pub(crate) struct Recovered {
    pub(crate) lock: File,
    pub(crate) flat: Arc<Flat>,
    pub(crate) codes: Arc<Codes>,
    pub(crate) log: Log,
    pub(crate) memory: Memory,
}

/// Opens `dir`, creating it if needed, and recovers to the newest durable record.
pub(crate) fn recover(dir: &Path) -> Result<Recovered, StoreError> {
    create(dir)?;
    let lock = lock(dir)?;
    check_schema(dir)?;
    let flat = Arc::new(Flat::open(&dir.join("flat"))?);
    let codes = Arc::new(Codes::on_disk(flat.code.clone()));
    let mut memory = read_checkpoint(&flat, &codes)?;
    let after = memory.checkpoint.map_or(0, |checkpoint| checkpoint.sequence);
    let (log, records) = Log::open(&dir.join("log"), after)?;
    sync(dir)?;
    for record in records {
        replay(&mut memory, &codes, &record)?;
    }
    Ok(Recovered { lock, flat, codes, log, memory })
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
fn read_checkpoint(flat: &Flat, codes: &Arc<Codes>) -> Result<Memory, StoreError> {
    let view = flat.db.snapshot();
    let Some(checkpoint) = flat.checkpoint(&view)? else {
        if flat.progress()?.is_some() {
            return Err(StoreError::Unfinished);
        }
        return Ok(Memory::new(State::empty_over(Arc::clone(codes)), None));
    };
    let Checkpoint { block, root, .. } = checkpoint;
    let state = rebuild_trie(flat, &view, codes)?;
    if state.root() != root {
        return Err(StoreError::Root { height: block.height, expected: root, found: state.root() });
    }
    let head = flat.block(block.height)?.ok_or(StoreError::Damaged("block of the checkpoint is missing"))?;
    let mut memory = Memory::new(state.clone(), Some(checkpoint));
    memory.set_head(Arc::new(head), 0, state);
    Ok(memory)
}

pub(crate) fn rebuild_trie(flat: &Flat, view: &Snapshot, codes: &Arc<Codes>) -> Result<State, StoreError> {
    // Each part becomes a trie where it is read: the leaves of all at once would take as much memory as the trie.
    let part = |nibble| read_leaves(flat, view, nibble).map(State::part);
    let parts: Result<Vec<_>, _> = (0..16u8).into_par_iter().map(part).collect();
    Ok(State::join(parts?, Arc::clone(codes)))
}

/// All accounts, with their storage, whose hashed address begins with a nibble. Accounts and slots come in the same order,
/// so one pass over both suffices.
fn read_leaves(flat: &Flat, view: &Snapshot, nibble: u8) -> Result<Vec<Op<AccountLeaf>>, StoreError> {
    let from = [nibble << 4].to_vec();
    let to = [&[nibble << 4 | 0x0f][..], &[0xff; 64]].concat();
    let mut slots = view.range(&flat.slot, from.clone()..=to.clone()).map(read_slot).peekable();
    let mut leaves = Vec::new();
    for entry in view.range(&flat.account, from..=to) {
        let (key, account) = read_account(entry)?;
        let mut storage = Vec::new();
        while let Some(slot) = slots.next_if(|slot| !matches!(slot, Ok((owner, ..)) if *owner != key)) {
            let (_, slot, value) = slot?;
            storage.push((slot, Some(value)));
        }
        leaves.push((key, Some(AccountLeaf::new(account, &storage))));
    }
    match slots.next() {
        None => Ok(leaves),
        Some(Err(error)) => Err(error),
        Some(Ok(_)) => Err(StoreError::Damaged("slot without account")),
    }
}

fn read_account(entry: Guard) -> Result<(B256, AccountState), StoreError> {
    let (key, value) = entry.into_inner()?;
    let key = B256::try_from(key.as_ref()).map_err(|_| StoreError::Damaged("key of an account is invalid"))?;
    let account = account_from(&value)?.ok_or(StoreError::Damaged("account without value"))?;
    Ok((key, account))
}

fn read_slot(entry: Guard) -> Result<(B256, B256, U256), StoreError> {
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
