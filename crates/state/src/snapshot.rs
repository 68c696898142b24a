//! The whole state in chunks, for nodes that join late: taken from a state in memory, and made into a store.
//!
//! A snapshot is the leaves of the state's tries in the order of their hashed keys, cut into chunks where a chunk is large
//! enough. A [`Cursor`] names a place in that order, so that a chunk can be asked for again, or of somebody else: a chunk is a
//! function of the state and its cursor. Hashed keys suffice: the trie and the flat store know no others. (Plain addresses,
//! which only `anvil_dumpState` asks for, are not part of it.)
//!
//! ```text
//! chunk   version u8 | cursor | count u32 | entry* | count u32 | code* | 0u8 or 1u8 and the next cursor
//! cursor  hashed address 32 | hashed slot 32
//! entry   hashed address 32 | account, as in log records | count u32 | (hashed slot 32 | value)*
//! code    length u32 | bytes
//! ```
//!
//! Entries ascend, and so do slots within one. An account whose storage is cut has an entry in each chunk, and the last one counts.
//! Code comes, once in a chunk, with the first entry of each account that names it.
//!
//! The *manifest* says what the state is that of: a block with its receipts, and headers before it, newest first.
//!
//! ```text
//! manifest  version u8 | length u32 | block, as in the flat store | length u32 | receipts | count u32 | RLP header*
//! ```
//!
//! An [`Import`] writes chunks into the flat store of an empty directory as they come, each in one atomic batch with the cursor of
//! the next, so that it goes on where it stopped. Nothing is trusted: [`Import::finish`] reads the trie back, compares its root, and looks
//! for every code. Only then does the directory get a checkpoint and become a store; until then [`crate::Store::open`]
//! refuses it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes, U256, keccak256};
use alloy_trie::KECCAK_EMPTY;
use braid_types::{
    BlockRef, ExecutedBlock,
    changes::AccountState,
    limits::{MAX_SNAPSHOT_CHUNK_SIZE_BYTES, MAX_SNAPSHOT_MANIFEST_SIZE_BYTES, SNAPSHOT_CHUNK_SIZE_BYTES},
};

use crate::{
    codec::{
        Checkpoint, CodecError, decode_chunk, decode_manifest, encode_account, encode_amount, encode_chunk,
        encode_manifest,
    },
    codes::Codes,
    error::{CodeError, StoreError},
    flat::{Flat, Key},
    log::Log,
    pager::Pager,
    recovery::{MemoryShares, check_schema, create, lock, rebuild_trie, sync},
    state::{Slots, State},
};

/// Where a chunk begins: the first account whose key is not below `account`, and of `account` itself the first slot that is not
/// below `slot`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// Keccak-256 of an address.
    pub account: B256,
    /// Keccak-256 of a slot.
    pub slot: B256,
}

/// A part of a state. See the module for its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) from: Cursor,
    pub(crate) entries: Vec<Entry>,
    pub(crate) codes: Vec<Bytes>,
    pub(crate) next: Option<Cursor>,
}

/// An account with some of its slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: B256,
    pub(crate) account: AccountState,
    pub(crate) slots: Vec<(B256, U256)>,
}

/// Bytes of an entry without slots, at most: key, flags, nonce, balance, code hash, count.
const ENTRY_SIZE_BYTES: usize = 32 + 1 + 9 + 33 + 32 + 4;

/// Bytes of a slot, at most.
const SLOT_SIZE_BYTES: usize = 32 + 33;

/// What an unfinished import says in the flat store: whose state it is, and where it goes on (nothing: it has everything).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) block: BlockRef,
    pub(crate) root: B256,
    pub(crate) next: Option<Cursor>,
}

/// Failed to take or to import a snapshot.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum SnapshotError {
    // What was given is wrong: ask somebody else.
    #[error("snapshot chunk has {found} bytes, more than {limit}")]
    ChunkSize { found: usize, limit: usize },
    #[error("failed to decode a snapshot chunk")]
    Chunk(#[source] CodecError),
    #[error("snapshot manifest has {found} bytes, more than {limit}")]
    ManifestSize { found: usize, limit: usize },
    #[error("failed to decode a snapshot manifest")]
    Manifest(#[source] CodecError),
    #[error("snapshot chunk begins at another place than the last one ended")]
    Place,
    #[error("snapshot has root {found}, but the header has {expected}")]
    Root { found: B256, expected: B256 },
    #[error("snapshot lacks the code {0}")]
    MissingCode(B256),
    #[error("snapshot chunk has code that none of its accounts names, or some twice")]
    UnnamedCode,
    #[error("snapshot has chunks left to import")]
    Incomplete,
    #[error("snapshot has no further chunk to import")]
    Complete,
    // The directory cannot take it.
    #[error("data directory {0} holds blocks already")]
    NotEmpty(PathBuf),
    // The snapshot cannot be taken.
    #[error("code {0} is too large for a snapshot chunk")]
    CodeSize(B256),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<fjall::Error> for SnapshotError {
    fn from(error: fjall::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<CodeError> for SnapshotError {
    fn from(error: CodeError) -> Self {
        StoreError::from(error).into()
    }
}

impl State {
    /// The chunk that begins at `from`, encoded, and where the next begins, if there is one.
    ///
    /// # Errors
    /// If code is missing, or larger than a chunk may be.
    pub fn snapshot_chunk(&self, from: Cursor) -> Result<(Vec<u8>, Option<Cursor>), SnapshotError> {
        self.snapshot_chunk_sized(from, SNAPSHOT_CHUNK_SIZE_BYTES)
    }

    fn snapshot_chunk_sized(
        &self,
        from: Cursor,
        size_bytes: usize,
    ) -> Result<(Vec<u8>, Option<Cursor>), SnapshotError> {
        let mut builder = Builder::new(from, size_bytes);
        let walked = self.walk_from(&from.account, &mut |key, account, storage| {
            let slot = if *key == from.account { from.slot } else { B256::ZERO };
            match builder.add(self, *key, account, slot, storage) {
                Ok(true) => ControlFlow::Continue(()),
                Ok(false) => ControlFlow::Break(Ok(())),
                Err(error) => ControlFlow::Break(Err(error)),
            }
        });
        if let ControlFlow::Break(Err(error)) = walked {
            return Err(error);
        }
        Ok((encode_chunk(&builder.chunk), builder.chunk.next))
    }
}

/// A chunk while it is filled.
struct Builder {
    chunk: Chunk,
    known: BTreeSet<B256>,
    room: usize,
}

impl Builder {
    fn new(from: Cursor, size_bytes: usize) -> Self {
        let chunk = Chunk { from, ..Chunk::default() };
        Self { chunk, known: BTreeSet::new(), room: size_bytes }
    }

    /// Adds an account with its slots from `slot` on; whether there is room for more.
    fn add(
        &mut self,
        state: &State,
        key: B256,
        account: AccountState,
        slot: B256,
        slots: Slots<'_>,
    ) -> Result<bool, SnapshotError> {
        if self.room == 0 {
            self.chunk.next = Some(Cursor { account: key, slot: B256::ZERO });
            return Ok(false);
        }
        self.take(ENTRY_SIZE_BYTES);
        if slot.is_zero() && account.code_hash != KECCAK_EMPTY && self.known.insert(account.code_hash) {
            self.add_code(state, account.code_hash)?;
        }
        let mut entry = Entry { key, account, slots: Vec::new() };
        slots(&slot, &mut |slot, value| {
            // An entry that continues another has a slot at least, so that every chunk makes progress.
            if self.room == 0 && !(entry.slots.is_empty() && self.chunk.entries.is_empty()) {
                self.chunk.next = Some(Cursor { account: key, slot: *slot });
                return ControlFlow::Break(());
            }
            self.take(SLOT_SIZE_BYTES);
            entry.slots.push((*slot, *value));
            ControlFlow::Continue(())
        });
        self.chunk.entries.push(entry);
        Ok(self.chunk.next.is_none())
    }

    fn add_code(&mut self, state: &State, hash: B256) -> Result<(), SnapshotError> {
        let code = state.code(hash)?;
        if code.len() > MAX_SNAPSHOT_CHUNK_SIZE_BYTES - SNAPSHOT_CHUNK_SIZE_BYTES - 1024 {
            return Err(SnapshotError::CodeSize(hash));
        }
        self.take(code.len() + 4);
        self.chunk.codes.push(code);
        Ok(())
    }

    fn take(&mut self, bytes: usize) {
        self.room = self.room.saturating_sub(bytes);
    }
}

/// What a snapshot says about its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The block whose state it is.
    pub head: ExecutedBlock,
    /// The headers before, newest first.
    pub headers: Vec<Header>,
}

impl Manifest {
    /// The manifest as bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode_manifest(self)
    }

    /// The inverse of [`Manifest::encode`]. Nothing in it is checked: neither hashes nor the senders of transactions.
    ///
    /// # Errors
    /// If the bytes are too many, or not exactly a manifest of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let (found, limit) = (bytes.len(), MAX_SNAPSHOT_MANIFEST_SIZE_BYTES);
        if found > limit {
            return Err(SnapshotError::ManifestSize { found, limit });
        }
        decode_manifest(bytes).map_err(SnapshotError::Manifest)
    }
}

/// A directory that is becoming a store.
#[derive(Debug)]
pub struct Import {
    dir: PathBuf,
    flat: Flat,
    progress: Progress,
    _lock: File,
}

impl Import {
    /// Begins to import the state with `root`, that of `block`, into `dir`, or goes on with it. An import of another state that was
    /// begun there is given up.
    ///
    /// # Errors
    /// If the directory holds blocks, is in use, or cannot be written.
    pub fn begin(dir: &Path, block: BlockRef, root: B256) -> Result<Self, SnapshotError> {
        create(dir)?;
        let lock = lock(dir)?;
        let discarded = dir.join("flat.discarded");
        remove(&discarded)?;
        check_schema(dir)?;
        let mut flat = Flat::open(&dir.join("flat"), &MemoryShares::UNLIMITED)?;
        check_empty(dir, &flat)?;
        let fresh = Progress { block, root, next: Some(Cursor::default()) };
        let found = flat.progress()?;
        let progress = found.filter(|found| (found.block, found.root) == (block, root)).unwrap_or(fresh);
        if found.is_some_and(|found| found != progress) {
            drop(flat);
            let path = dir.join("flat");
            fs::rename(&path, &discarded).map_err(StoreError::io("rename", &path))?;
            remove(&discarded)?;
            flat = Flat::open(&path, &MemoryShares::UNLIMITED)?;
        }
        let mut batch = flat.batch();
        flat.put_progress(&mut batch, &progress);
        batch.commit()?;
        sync(dir)?;
        Ok(Self { dir: dir.to_owned(), flat, progress, _lock: lock })
    }

    /// Where the next chunk must begin; `None`: there is none.
    pub const fn next(&self) -> Option<Cursor> {
        self.progress.next
    }

    /// Adds the next chunk. After an error nothing has changed, unless the store failed.
    ///
    /// # Errors
    /// If it is no chunk, or not the next one, or the disk fails.
    pub fn add(&mut self, chunk: &[u8]) -> Result<(), SnapshotError> {
        let expected = self.progress.next.ok_or(SnapshotError::Complete)?;
        let (found, limit) = (chunk.len(), MAX_SNAPSHOT_CHUNK_SIZE_BYTES);
        if found > limit {
            return Err(SnapshotError::ChunkSize { found, limit });
        }
        let chunk = decode_chunk(chunk).map_err(SnapshotError::Chunk)?;
        if chunk.from != expected {
            return Err(SnapshotError::Place);
        }
        let codes = named_codes(&chunk)?;
        let progress = Progress { next: chunk.next, ..self.progress };
        let flat = &self.flat;
        // Durable with the last batch: what a crash of the machine takes is asked for again.
        let mut batch = flat.batch().durability(None);
        for entry in &chunk.entries {
            flat.put_value(&mut batch, &Key::Account(entry.key), encode_account(&entry.account));
            for (slot, value) in &entry.slots {
                flat.put_value(&mut batch, &Key::Slot(entry.key, *slot), encode_amount(value));
            }
        }
        for (hash, code) in codes {
            batch.insert(&flat.code, hash.as_slice(), code.as_ref());
        }
        flat.put_progress(&mut batch, &progress);
        batch.commit()?;
        self.progress = progress;
        Ok(())
    }

    /// Checks the whole state, and makes the directory a store with `head` as its newest block, `genesis` as its first, and the hashes
    /// of `headers`, which precede the head. The caller has checked all three.
    ///
    /// # Errors
    /// If chunks are missing, the root is another, code is missing, or the disk fails. A wrong root or missing code discards what was
    /// imported, so that another import can begin.
    pub fn finish(
        self,
        genesis: &ExecutedBlock,
        headers: &[Header],
        head: &ExecutedBlock,
    ) -> Result<(), SnapshotError> {
        if self.progress.next.is_some() {
            return Err(SnapshotError::Incomplete);
        }
        match self.check() {
            Ok(()) => self.complete(genesis, headers, head),
            Err(error @ SnapshotError::Store(_)) => Err(error),
            Err(error) => self.discard().and(Err(error)),
        }
    }

    /// Writes what makes the directory a store.
    fn complete(&self, genesis: &ExecutedBlock, headers: &[Header], head: &ExecutedBlock) -> Result<(), SnapshotError> {
        let flat = &self.flat;
        let mut batch = flat.batch();
        for header in headers {
            flat.put_header(&mut batch, header);
        }
        flat.put_block(&mut batch, genesis);
        flat.put_block(&mut batch, head);
        let checkpoint = Checkpoint {
            block: self.progress.block,
            root: self.progress.root,
            sequence: 0,
            history_from: head.height(),
            first: genesis.height(),
        };
        flat.put_checkpoint(&mut batch, &checkpoint);
        flat.remove_progress(&mut batch);
        flat.db.persist(fjall::PersistMode::SyncAll)?;
        batch.commit()?;
        Ok(sync(&self.dir)?)
    }

    /// Removes everything that was imported, so that another import can begin.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn discard(self) -> Result<(), SnapshotError> {
        let Self { dir, flat, _lock, .. } = self;
        drop(flat);
        let (path, discarded) = (dir.join("flat"), dir.join("flat.discarded"));
        fs::rename(&path, &discarded).map_err(StoreError::io("rename", &path))?;
        remove(&discarded)
    }

    /// Compares the root, and looks for every code.
    fn check(&self) -> Result<(), SnapshotError> {
        let flat = &self.flat;
        // Only the root is asked for: what has one need not stay in memory.
        let pager = Pager::new(flat, 0);
        let state = rebuild_trie(flat, &flat.db.snapshot(), &Arc::new(Codes::default()), Some(&pager))?;
        let (found, expected) = (state.root(), self.progress.root);
        if found != expected {
            return Err(SnapshotError::Root { found, expected });
        }
        let mut codes = BTreeSet::new();
        state.for_each(|_, account, _| {
            codes.insert(account.code_hash);
        });
        codes.remove(&KECCAK_EMPTY);
        for hash in codes {
            if !flat.code.contains_key(hash)? {
                return Err(SnapshotError::MissingCode(hash));
            }
        }
        Ok(())
    }
}

/// What a directory holds that may become a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vacancy {
    /// No block, and no import.
    Empty,
    /// An import that is not complete, of the state after this block.
    Begun(BlockRef),
    /// Blocks.
    Taken,
}

/// Looks whether a snapshot can be imported into a directory. Creates nothing.
///
/// # Errors
/// If the directory is in use, or cannot be read.
pub fn vacancy(dir: &Path) -> Result<Vacancy, SnapshotError> {
    if !dir.join("flat").exists() {
        return Ok(Vacancy::Empty);
    }
    let _lock = lock(dir)?;
    check_schema(dir)?;
    let flat = Flat::open(&dir.join("flat"), &MemoryShares::UNLIMITED)?;
    match check_empty(dir, &flat) {
        Ok(()) => Ok(flat.progress()?.map_or(Vacancy::Empty, |progress| Vacancy::Begun(progress.block))),
        Err(SnapshotError::NotEmpty(_)) => Ok(Vacancy::Taken),
        Err(error) => Err(error),
    }
}

/// Gives up an import that was begun in a directory, so that it can become a store from the genesis on. Does nothing elsewhere.
///
/// # Errors
/// If the disk fails.
pub fn give_up(dir: &Path) -> Result<(), SnapshotError> {
    if !matches!(vacancy(dir)?, Vacancy::Begun(_)) {
        return Ok(());
    }
    let _lock = lock(dir)?;
    let (path, discarded) = (dir.join("flat"), dir.join("flat.discarded"));
    remove(&discarded)?;
    fs::rename(&path, &discarded).map_err(StoreError::io("rename", &path))?;
    remove(&discarded)
}

/// Checks that a directory holds no block: neither a checkpoint nor, before the first, a record.
fn check_empty(dir: &Path, flat: &Flat) -> Result<(), SnapshotError> {
    let not_empty = || SnapshotError::NotEmpty(dir.to_owned());
    if flat.checkpoint(&flat.db.snapshot())?.is_some() {
        return Err(not_empty());
    }
    let (_, records) = Log::open(&dir.join("log"), 0).map_err(StoreError::from)?;
    if records.is_empty() { Ok(()) } else { Err(not_empty()) }
}

/// The codes of a chunk by hash: those that its accounts name, but for an account that another chunk began with, and no others.
fn named_codes(chunk: &Chunk) -> Result<BTreeMap<B256, &Bytes>, SnapshotError> {
    let codes: BTreeMap<_, _> = chunk.codes.iter().map(|code| (keccak256(code), code)).collect();
    let begun = |entry: &&Entry| entry.key != chunk.from.account || chunk.from.slot.is_zero();
    let mut named: BTreeSet<_> = chunk.entries.iter().filter(begun).map(|entry| entry.account.code_hash).collect();
    named.remove(&KECCAK_EMPTY);
    match named.iter().find(|hash| !codes.contains_key(*hash)) {
        Some(missing) => Err(SnapshotError::MissingCode(*missing)),
        None if chunk.codes.len() > named.len() => Err(SnapshotError::UnnamedCode),
        None => Ok(codes),
    }
}

fn remove(dir: &Path) -> Result<(), SnapshotError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io("remove", dir)(error).into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
