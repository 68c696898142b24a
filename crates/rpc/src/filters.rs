//! Filters that clients poll (`eth_newFilter` and its kin).
//!
//! A filter remembers a position, not results: the height it has reported up to, or for pending transactions a sequence
//! number in one ring that all share. Installing ten thousand filters therefore costs a commit nothing. When blocks are
//! taken back, positions beyond them step back too.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::{AtomicUsize, Ordering},
};

use alloy_primitives::{B256, U128};
use braid_types::Height;
use parking_lot::Mutex;

use crate::{error::RpcError, log_filter::LogFilter};

/// Pending transaction hashes kept for filters that have not polled yet.
const MAX_PENDING_HASHES: usize = 65_536;

/// What a filter reports.
#[derive(Clone, Debug)]
pub enum FilterKind {
    /// Matching logs of new blocks.
    Logs(LogFilter),
    /// Hashes of new blocks.
    Blocks,
    /// Hashes of transactions that entered the pool.
    Pending,
}

/// What has come since a filter was last polled.
#[derive(Clone, Debug)]
pub enum Changes {
    /// Logs that match, of blocks from this height on.
    Logs(LogFilter, Position),
    /// Blocks from this height on.
    Blocks(Position),
    /// These transactions.
    Pending(Vec<B256>),
}

/// How far a filter of blocks or logs has reported; to be handed to [`FilterStore::advance`] once that is done anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The first height not reported.
    pub height: Height,
    /// Times that blocks were taken back before.
    rewinds: u64,
}

#[derive(Debug)]
struct Entry {
    kind: FilterKind,
    next_height: Height,
    next_pending: u64,
    polled_at_ms: u64,
}

#[derive(Debug, Default)]
struct Inner {
    entries: BTreeMap<U128, Entry>,
    /// Hashes with sequence numbers from `first_pending` on.
    pending: VecDeque<B256>,
    first_pending: u64,
    /// Times that blocks were taken back.
    rewinds: u64,
}

impl Inner {
    fn end_pending(&self) -> u64 {
        self.first_pending + self.pending.len() as u64
    }

    fn pending_since(&self, position: u64) -> Vec<B256> {
        let skipped = usize::try_from(position.saturating_sub(self.first_pending)).unwrap_or(usize::MAX);
        self.pending.iter().skip(skipped).copied().collect()
    }
}

/// All installed filters.
#[derive(Debug)]
pub struct FilterStore {
    inner: Mutex<Inner>,
    pending_filters: AtomicUsize,
    max_filters: usize,
    timeout_ms: u64,
}

impl FilterStore {
    /// An empty store.
    pub fn new(max_filters: usize, timeout_ms: u64) -> Self {
        Self { inner: Mutex::default(), pending_filters: AtomicUsize::new(0), max_filters, timeout_ms }
    }

    /// Installs a filter for what comes after the block at `head`.
    ///
    /// # Errors
    /// If there are too many.
    pub fn install(&self, kind: FilterKind, head: Height, now_ms: u64) -> Result<U128, RpcError> {
        let mut inner = self.inner.lock();
        inner.entries.retain(|_, entry| now_ms.saturating_sub(entry.polled_at_ms) < self.timeout_ms);
        if inner.entries.len() >= self.max_filters {
            return Err(RpcError::limit(format!("too many filters, limit is {}", self.max_filters)));
        }
        let id = U128::from_be_bytes(alloy_primitives::FixedBytes::<16>::random().0);
        let next_pending = inner.end_pending();
        inner.entries.insert(id, Entry { kind, next_height: head + 1, next_pending, polled_at_ms: now_ms });
        self.count_pending(&mut inner);
        Ok(id)
    }

    /// What has come since the last time; `None` if there is no such filter. Of blocks and logs it gives the position to
    /// look from, which stays until [`FilterStore::advance`] moves it.
    pub fn poll(&self, id: U128, now_ms: u64) -> Option<Changes> {
        let mut inner = self.inner.lock();
        let (end, rewinds) = (inner.end_pending(), inner.rewinds);
        let entry = inner.entries.get_mut(&id)?;
        entry.polled_at_ms = now_ms;
        let since_pending = std::mem::replace(&mut entry.next_pending, end);
        let position = Position { height: entry.next_height, rewinds };
        Some(match entry.kind.clone() {
            FilterKind::Logs(filter) => Changes::Logs(filter, position),
            FilterKind::Blocks => Changes::Blocks(position),
            FilterKind::Pending => Changes::Pending(inner.pending_since(since_pending)),
        })
    }

    /// Blocks from `from` up to before `next_height` were read for a filter. Whether that still holds: not if another poll
    /// has reported them, or blocks were taken back meanwhile; then they must not be reported.
    pub fn advance(&self, id: U128, from: Position, next_height: Height) -> bool {
        let mut inner = self.inner.lock();
        let rewinds = inner.rewinds;
        let unmoved = |entry: &&mut Entry| from == Position { height: entry.next_height, rewinds };
        let entry = inner.entries.get_mut(&id).filter(unmoved);
        entry.map(|entry| entry.next_height = next_height).is_some()
    }

    /// The log filter with this id.
    pub fn logs(&self, id: U128) -> Option<LogFilter> {
        match self.inner.lock().entries.get(&id).map(|entry| &entry.kind) {
            Some(FilterKind::Logs(filter)) => Some(filter.clone()),
            _ => None,
        }
    }

    /// Removes a filter; whether it was there.
    pub fn uninstall(&self, id: U128) -> bool {
        let mut inner = self.inner.lock();
        let removed = inner.entries.remove(&id).is_some();
        self.count_pending(&mut inner);
        removed
    }

    /// Blocks from `lowest` on are no longer part of the chain.
    pub fn rewind(&self, lowest: Height) {
        let mut inner = self.inner.lock();
        inner.rewinds += 1;
        for entry in inner.entries.values_mut() {
            entry.next_height = entry.next_height.min(lowest);
        }
    }

    /// Transactions entered the pool.
    pub fn on_pending(&self, hashes: impl Iterator<Item = B256>) {
        // Ordering: a count on its own; a filter that is being installed has not seen anything yet.
        if self.pending_filters.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut inner = self.inner.lock();
        inner.pending.extend(hashes);
        let excess = inner.pending.len().saturating_sub(MAX_PENDING_HASHES);
        inner.pending.drain(..excess);
        inner.first_pending += excess as u64;
    }

    fn count_pending(&self, inner: &mut Inner) {
        let count = inner.entries.values().filter(|entry| matches!(entry.kind, FilterKind::Pending)).count();
        if count == 0 {
            inner.first_pending = inner.end_pending();
            inner.pending.clear();
        }
        // Ordering: see `on_pending`.
        self.pending_filters.store(count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(store: &FilterStore, id: U128) -> Position {
        match store.poll(id, 1) {
            Some(Changes::Blocks(position)) => position,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_block_filter_reports_from_where_it_was_left() {
        let store = FilterStore::new(2, 100);
        let id = store.install(FilterKind::Blocks, 5, 0).unwrap();
        let first = position(&store, id);
        assert_eq!((first.height, position(&store, id)), (6, first), "nothing was reported");
        assert!(store.advance(id, first, 8));
        assert!(!store.advance(id, first, 8), "another poll has reported it");
        assert_eq!(position(&store, id).height, 8);
        store.rewind(4);
        assert_eq!(position(&store, id).height, 4);
        assert!(store.uninstall(id));
        assert!(store.poll(id, 4).is_none());
    }

    #[test]
    fn what_was_read_before_blocks_went_is_not_reported() {
        let store = FilterStore::new(2, 100);
        let id = store.install(FilterKind::Blocks, 5, 0).unwrap();
        let stale = position(&store, id);
        store.rewind(7);
        assert!(!store.advance(id, stale, 9));
        let fresh = position(&store, id);
        assert_eq!(fresh.height, 6);
        assert!(store.advance(id, fresh, 8));
    }

    #[test]
    fn pending_hashes_reach_each_filter_once() {
        let store = FilterStore::new(2, 100);
        let hash = B256::repeat_byte;
        store.on_pending([hash(1)].into_iter());
        let early = store.install(FilterKind::Pending, 0, 0).unwrap();
        store.on_pending([hash(2)].into_iter());
        let late = store.install(FilterKind::Pending, 0, 0).unwrap();
        store.on_pending([hash(3)].into_iter());
        let taken = |id| match store.poll(id, 1) {
            Some(Changes::Pending(hashes)) => hashes,
            other => panic!("{other:?}"),
        };
        assert_eq!(taken(early), [hash(2), hash(3)]);
        assert_eq!(taken(late), [hash(3)]);
        assert!(taken(late).is_empty());
    }

    #[test]
    fn filters_are_limited_and_expire() {
        let store = FilterStore::new(1, 100);
        let first = store.install(FilterKind::Blocks, 0, 0).unwrap();
        assert!(store.install(FilterKind::Blocks, 0, 99).is_err());
        let second = store.install(FilterKind::Blocks, 0, 100).unwrap();
        assert!(store.poll(first, 100).is_none());
        assert!(store.poll(second, 100).is_some());
    }
}
