//! What of the state may be left out of memory, and where it is read again.
//!
//! With a limit, the state's tries keep at most so many keys in memory ([`crate::trie::trim`] says how one is left out). The flat store has all of them
//! by their hashes, in the order of the trie, so the keys below a page are one range of it.
//!
//! What to leave out is found in turns: each looks at the accounts, and at the slots of large accounts, whose hashes begin with the same byte, and
//! leaves out what was not used since the turn of that byte before (a clock, in the terms of operating systems).

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU8, Ordering},
    },
};

use alloy_primitives::{B256, U256};
use braid_types::changes::AccountState;
use fjall::Keyspace;
use parking_lot::{Mutex, RwLock};

use crate::{
    error::StoreError,
    flat::Flat,
    recovery::{read_account, read_slot},
    state::{AccountLeaf, Difference},
    trie::{self, Branch, Child, Leaf, PAGE_KEYS, Range, Rules, Source},
};

/// Bytes of memory that a key takes, with its share of the branches above it. Measured with ten million accounts.
const KEY_MEMORY_BYTES: i64 = 400;

/// Bytes that a key takes which is not in memory: its share of the page and of what is above it. Measured likewise.
const AWAY_MEMORY_BYTES: i64 = 24;

/// Slots from which the storage of an account is looked at in parts.
const LARGE_STORAGE_SLOTS: usize = 4_096;

/// Turns at a time at most: two for each first byte of a hash, so that what was used is looked at again.
const MAX_TURNS: usize = 2 * 256;

/// Counts the keys in memory, and reads those that are not.
#[derive(Debug)]
pub(crate) struct Pager {
    /// Bytes that the keys may take.
    limit: i64,
    /// Keys of the state on disk, all of them.
    keys: AtomicI64,
    /// Keys that are not in memory.
    away: AtomicI64,
    /// The first byte of the hashes whose turn is next.
    turn: AtomicU8,
    /// Accounts with large storages.
    large: Mutex<BTreeSet<B256>>,
    /// The accounts on disk.
    durable: RwLock<Option<Child<AccountLeaf>>>,
    disk: RwLock<Option<Disk>>,
}

/// The keyspaces, until their store is closed. States may outlive their store, and must not keep the disk open.
#[derive(Clone)]
struct Disk {
    account: Keyspace,
    slot: Keyspace,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl Pager {
    /// Over a flat store; the state takes about `memory_bytes`.
    pub(crate) fn new(flat: &Flat, memory_bytes: u64) -> Arc<Self> {
        let disk = Disk { account: flat.account.clone(), slot: flat.slot.clone() };
        Arc::new(Self {
            limit: i64::try_from(memory_bytes).unwrap_or(i64::MAX),
            keys: AtomicI64::new(0),
            away: AtomicI64::new(0),
            turn: AtomicU8::new(0),
            large: Mutex::default(),
            durable: RwLock::new(None),
            disk: RwLock::new(Some(disk)),
        })
    }

    /// Lets go of the disk.
    pub(crate) fn close(&self) {
        self.disk.write().take();
        self.durable.write().take();
    }

    /// Keys in memory, and keys in all.
    pub(crate) fn keys(&self) -> (u64, u64) {
        let keys = self.keys.load(Ordering::Relaxed);
        let resident = keys - self.away.load(Ordering::Relaxed);
        (u64::try_from(resident).unwrap_or_default(), u64::try_from(keys).unwrap_or_default())
    }

    /// Whether there are more keys in memory than there may be.
    pub(crate) fn is_over(&self) -> bool {
        // Ordering: numbers that guard nothing.
        let (keys, away) = (self.keys.load(Ordering::Relaxed), self.away.load(Ordering::Relaxed));
        (keys - away).saturating_mul(KEY_MEMORY_BYTES) + away.saturating_mul(AWAY_MEMORY_BYTES) > self.limit
    }

    /// Says that the disk holds other accounts now, and what has changed.
    pub(crate) fn set_durable(&self, accounts: Option<&Child<AccountLeaf>>, differences: &[Difference]) {
        let change = |difference: &Difference| match difference {
            Difference::Account { old, new, .. } => i64::from(new.is_some()) - i64::from(old.is_some()),
            Difference::Slot { old, new, .. } => i64::from(!new.is_zero()) - i64::from(!old.is_zero()),
        };
        self.keys.fetch_add(differences.iter().map(change).sum(), Ordering::Relaxed);
        *self.durable.write() = accounts.cloned();
    }

    /// Counts keys that the disk has.
    pub(crate) fn add_keys(&self, count: usize) {
        self.keys.fetch_add(i64::try_from(count).unwrap_or_default(), Ordering::Relaxed);
    }

    /// The accounts with less of them in memory, if too much is. `None` if they stay as they are.
    pub(crate) fn trim(self: &Arc<Self>, accounts: &Child<AccountLeaf>) -> Option<Child<AccountLeaf>> {
        if !self.is_over() {
            return None;
        }
        let durable = self.durable.read().clone();
        let mut trimmed: Option<Child<AccountLeaf>> = None;
        for _ in 0..MAX_TURNS {
            if !self.is_over() {
                break;
            }
            let byte = self.turn.fetch_add(1, Ordering::Relaxed);
            let turn = |accounts: &Child<AccountLeaf>, range, slots| {
                trie::trim(accounts, durable.as_ref(), range, &AccountRules { pager: self, slots, spares_used: true })
            };
            let mut step = |range, slots| {
                let after = turn(trimmed.as_ref().unwrap_or(accounts), range, slots);
                trimmed = after.or_else(|| trimmed.take());
            };
            step(Range::Byte(byte), Range::All);
            let large: Vec<B256> = self.large.lock().iter().copied().collect();
            for account in large {
                step(Range::Key(account), Range::Byte(byte));
            }
        }
        trimmed
    }

    /// Accounts that stand on disk as they are, with as little of them in memory as can be.
    pub(crate) fn trim_all(self: &Arc<Self>, accounts: Child<AccountLeaf>) -> Child<AccountLeaf> {
        let rules = AccountRules { pager: self, slots: Range::All, spares_used: false };
        trie::trim(&accounts, Some(&accounts), Range::All, &rules).unwrap_or(accounts)
    }

    /// The same for slots of an account.
    pub(crate) fn trim_slots(self: &Arc<Self>, account: B256, slots: Child<U256>) -> Child<U256> {
        let rules = SlotRules { pager: self, account, spares_used: false };
        trie::trim(&slots, Some(&slots), Range::All, &rules).unwrap_or(slots)
    }

    fn disk(&self) -> Result<Disk, StoreError> {
        self.disk.read().clone().ok_or(StoreError::Damaged("state is read after its store was closed"))
    }

    fn count(&self, came: usize, left: usize) {
        let change = i64::try_from(left).unwrap_or_default() - i64::try_from(came).unwrap_or_default();
        self.away.fetch_add(change, Ordering::Relaxed);
    }

    /// All accounts whose hashes share `depth` nibbles with `path`.
    fn read_accounts(&self, path: &B256, depth: usize) -> Result<Vec<(B256, AccountState)>, StoreError> {
        let (from, to) = bounds(path, depth);
        self.disk()?.account.range(from.as_slice()..=to.as_slice()).map(read_account).collect()
    }

    /// The same for the slots of an account.
    fn read_slots(&self, account: &B256, path: &B256, depth: usize) -> Result<Vec<(B256, U256)>, StoreError> {
        let (from, to) = bounds(path, depth);
        let key = |slot: &B256| [account.as_slice(), slot.as_slice()].concat();
        let entries = self.disk()?.slot.range(key(&from)..=key(&to));
        entries.map(|entry| read_slot(entry).map(|(_, slot, value)| (slot, value))).collect()
    }
}

/// The lowest and the highest key that share `depth` nibbles with `path`.
fn bounds(path: &B256, depth: usize) -> (B256, B256) {
    let (mut from, mut to) = (*path, *path);
    for nibble in depth..64 {
        let mask = if nibble % 2 == 0 { 0xf0 } else { 0x0f };
        from[nibble / 2] &= !mask;
        to[nibble / 2] |= mask;
    }
    (from, to)
}

/// What was read; a state that cannot be read is not one that can be gone on with.
#[expect(clippy::panic, reason = "said above")]
fn whole<T>(read: Result<T, StoreError>) -> T {
    read.unwrap_or_else(|error| {
        tracing::error!(%error, "failed to read the state");
        panic!("failed to read the state: {error}")
    })
}

/// Accounts of a page, and those of their storages that one page or none holds.
#[derive(Debug)]
struct AccountPage {
    pager: Arc<Pager>,
    storages: Box<[(B256, Child<U256>)]>,
}

impl Source<AccountLeaf> for AccountPage {
    fn read(&self, path: &B256, depth: usize) -> Vec<(B256, AccountLeaf)> {
        let accounts = whole(self.pager.read_accounts(path, depth));
        let storage = |key: &B256| self.storages.iter().find(|(owner, _)| owner == key).map(|(_, slots)| slots.clone());
        accounts.into_iter().map(|(key, account)| (key, AccountLeaf { account, storage: storage(&key) })).collect()
    }

    fn count(&self, came: usize, left: usize) {
        self.pager.count(came, left);
    }
}

/// Slots of an account.
#[derive(Debug)]
struct SlotPage {
    pager: Arc<Pager>,
    account: B256,
}

impl Source<U256> for SlotPage {
    fn read(&self, path: &B256, depth: usize) -> Vec<(B256, U256)> {
        whole(self.pager.read_slots(&self.account, path, depth))
    }

    fn count(&self, came: usize, left: usize) {
        self.pager.count(came, left);
    }
}

struct AccountRules<'a> {
    pager: &'a Arc<Pager>,
    /// Which slots to look at of accounts that are.
    slots: Range,
    spares_used: bool,
}

impl Rules<AccountLeaf> for AccountRules<'_> {
    fn spares_used(&self) -> bool {
        self.spares_used
    }

    fn weight(&self, leaf: &Leaf<AccountLeaf>) -> Option<usize> {
        let slots = trie::count(leaf.value.storage.as_ref(), PAGE_KEYS - 1)?;
        Some(1 + slots)
    }

    fn trim(&self, leaf: &Leaf<AccountLeaf>, durable: Option<&Leaf<AccountLeaf>>) -> Option<AccountLeaf> {
        let (storage, durable) = (leaf.value.storage.as_ref()?, durable?.value.storage.as_ref());
        let mut range = self.slots;
        if self.spares_used && trie::count(Some(storage), LARGE_STORAGE_SLOTS).is_none() {
            // It has turns of its own.
            if self.pager.large.lock().insert(leaf.key) || matches!(range, Range::All) {
                return None;
            }
        } else {
            range = Range::All;
        }
        let rules = SlotRules { pager: self.pager, account: leaf.key, spares_used: self.spares_used };
        let storage = trie::trim(storage, durable, range, &rules)?;
        Some(AccountLeaf { account: leaf.value.account, storage: Some(storage) })
    }

    fn source(&self, branch: &Branch<AccountLeaf>) -> Arc<dyn Source<AccountLeaf>> {
        let mut storages = Vec::new();
        gather(branch, &mut |leaf| {
            if let Some(storage) = &leaf.value.storage {
                let trimmed = self.pager.trim_slots(leaf.key, storage.clone());
                storages.push((leaf.key, trimmed));
            }
        });
        Arc::new(AccountPage { pager: Arc::clone(self.pager), storages: storages.into_boxed_slice() })
    }
}

/// Calls `visit` with the leaves below a branch of a page.
fn gather(branch: &Branch<AccountLeaf>, visit: &mut impl FnMut(&Leaf<AccountLeaf>)) {
    for child in branch.children() {
        match child {
            Child::Leaf(leaf) => visit(leaf),
            Child::Branch(branch) => gather(branch, visit),
            Child::Page(page) => gather(page.branch(), visit),
        }
    }
}

struct SlotRules<'a> {
    pager: &'a Arc<Pager>,
    account: B256,
    spares_used: bool,
}

impl Rules<U256> for SlotRules<'_> {
    fn spares_used(&self) -> bool {
        self.spares_used
    }

    fn weight(&self, _leaf: &Leaf<U256>) -> Option<usize> {
        Some(1)
    }

    fn trim(&self, _leaf: &Leaf<U256>, _durable: Option<&Leaf<U256>>) -> Option<U256> {
        None
    }

    fn source(&self, _branch: &Branch<U256>) -> Arc<dyn Source<U256>> {
        Arc::new(SlotPage { pager: Arc::clone(self.pager), account: self.account })
    }
}
