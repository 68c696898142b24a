//! Byte code by its hash, shared by all states of a store.
//!
//! Code is content-addressed and never changes, so one table serves every state. Code of blocks that are not in the
//! flat store yet is *pinned*; the rest is a bounded cache, first in first out, in front of the disk. Without a disk
//! everything is pinned.

use std::collections::VecDeque;

use alloy_primitives::{B256, Bytes, map::HashMap};
use alloy_trie::KECCAK_EMPTY;
use parking_lot::RwLock;

use crate::error::CodeError;

/// The table of byte codes.
#[derive(Default)]
pub(crate) struct Codes {
    memory: RwLock<Memory>,
    disk: Disk,
    /// Bytes of code that are kept of what is on disk.
    limit_bytes: usize,
}

/// What stands behind the table.
#[derive(Default)]
enum Disk {
    /// Nothing: the memory keeps everything.
    #[default]
    None,
    /// A keyspace, until its store is closed. States may outlive their store, and must not keep the disk open.
    Keyspace(RwLock<Option<fjall::Keyspace>>),
}

#[derive(Default)]
struct Memory {
    pinned: HashMap<B256, Bytes>,
    cached: HashMap<B256, Bytes>,
    /// Keys of `cached`, oldest first.
    order: VecDeque<B256>,
    cached_bytes: usize,
}

impl std::fmt::Debug for Codes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Codes").field("has_disk", &self.has_disk()).finish_non_exhaustive()
    }
}

impl Codes {
    /// A table in front of a keyspace.
    pub(crate) fn on_disk(disk: fjall::Keyspace, limit_bytes: usize) -> Self {
        Self { memory: RwLock::default(), disk: Disk::Keyspace(RwLock::new(Some(disk))), limit_bytes }
    }

    /// The code with a hash; empty for the hash of nothing.
    pub(crate) fn get(&self, hash: B256) -> Result<Bytes, CodeError> {
        if hash == KECCAK_EMPTY {
            return Ok(Bytes::new());
        }
        if let Some(code) = self.memory.read().get(&hash) {
            return Ok(code);
        }
        let Disk::Keyspace(disk) = &self.disk else { return Err(CodeError(hash)) };
        let disk = disk.read().clone().ok_or(CodeError(hash))?;
        let found = disk.get(hash).map_err(|error| {
            tracing::error!(%error, %hash, "failed to read byte code");
            CodeError(hash)
        })?;
        let code = Bytes::copy_from_slice(&found.ok_or(CodeError(hash))?);
        self.memory.write().cache(hash, code.clone(), self.limit_bytes);
        Ok(code)
    }

    /// Lets go of the disk.
    pub(crate) fn close(&self) {
        if let Disk::Keyspace(disk) = &self.disk {
            disk.write().take();
        }
    }

    const fn has_disk(&self) -> bool {
        matches!(self.disk, Disk::Keyspace(_))
    }

    /// Adds code that a state may name from now on.
    pub(crate) fn add<'a>(&self, codes: impl IntoIterator<Item = (&'a B256, &'a Bytes)>) {
        let mut codes = codes.into_iter().peekable();
        if codes.peek().is_none() {
            return;
        }
        let mut memory = self.memory.write();
        for (hash, code) in codes {
            if self.has_disk() {
                memory.cache(*hash, code.clone(), self.limit_bytes);
            } else {
                memory.pinned.insert(*hash, code.clone());
            }
        }
    }

    /// Keeps committed code in memory until [`Codes::unpin`] says that it is on disk.
    pub(crate) fn pin<'a>(&self, codes: impl IntoIterator<Item = (&'a B256, &'a Bytes)>) {
        let mut memory = self.memory.write();
        memory.pinned.extend(codes.into_iter().map(|(hash, code)| (*hash, code.clone())));
    }

    /// Moves codes that are on disk now into the cache.
    pub(crate) fn unpin<'a>(&self, hashes: impl IntoIterator<Item = &'a B256>) {
        let mut memory = self.memory.write();
        for hash in hashes {
            if let Some(code) = memory.pinned.remove(hash) {
                memory.cache(*hash, code, self.limit_bytes);
            }
        }
    }
}

impl Memory {
    fn get(&self, hash: &B256) -> Option<Bytes> {
        self.pinned.get(hash).or_else(|| self.cached.get(hash)).cloned()
    }

    fn cache(&mut self, hash: B256, code: Bytes, limit_bytes: usize) {
        let len = code.len();
        if self.cached.insert(hash, code).is_some() {
            return;
        }
        self.order.push_back(hash);
        self.cached_bytes += len;
        while self.cached_bytes > limit_bytes
            && let Some(oldest) = self.order.pop_front()
        {
            self.cached_bytes -= self.cached.remove(&oldest).map_or(0, |code| code.len());
        }
    }
}
