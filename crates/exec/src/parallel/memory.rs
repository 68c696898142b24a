//! What transactions wrote, in as many versions as there are writers: the state that lies over the base state while a
//! block executes.
//!
//! Version 0 is what happened before the transactions; version `i + 1` was written by transaction `i`. Who executes
//! transaction `i` reads the highest version at or below `i`, which may be a guess that does not last. That is no matter here:
//! nothing read is trusted before the commit has compared it with what is there then.
//!
//! Every publication also goes to the event log: the hashes of the locations it touched. Workers learn from the log which locations
//! may have been written at all, so that most reads never come here; the commit learns which reads may have
//! changed under a speculation. A hash only ever says "maybe": identity is the full address and slot.
//!
//! Order that everything rests on: a writer first puts its values here and then appends its event. A reader who has
//! followed the log up to some length sees at least everything that these events announced; what came later, the
//! commit finds in the rest of the log.

use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, AddressSet, B256Map},
};
use braid_types::changes::AccountState;
use hashbrown::HashTable;
use revm::bytecode::Bytecode;
use smallvec::{SmallVec, smallvec};

use crate::threads::{AtomicBool, AtomicU32, AtomicUsize, Mutex, Ordering, RwLock};

/// Number of a version; see the [module](self).
pub(crate) type Version = u32;

/// Locked parts of the memory for each thread, where there are several, so that two rarely meet at one. More than these
/// only cost cache.
const SHARDS_PER_THREAD: usize = 16;

/// Newest values of a location that are looked at one by one, before the others are searched.
const NEWEST: usize = 8;

/// Odd constant whose multiples spread well over 64 bits: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Multiplies to 128 bits and folds the halves together.
const fn fold(left: u64, right: u64) -> u64 {
    let product = (left as u128).wrapping_mul(right as u128);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
    {
        (product as u64) ^ ((product >> 64) as u64)
    }
}

/// Hash of an account's location.
pub(crate) fn account_hash(address: &Address) -> u64 {
    let (words, rest) = address.0.as_chunks::<8>();
    let rest = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
    let [first, second] = [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])];
    fold(first ^ SPREAD, second ^ u64::from(rest).wrapping_mul(SPREAD) ^ 0x517c_c1b7_2722_0a95)
}

/// Hash of a slot's location, from that of its account.
pub(crate) fn slot_hash(account: u64, slot: &U256) -> u64 {
    let [a, b, c, d] = *slot.as_limbs();
    fold(fold(a ^ account, d ^ SPREAD), fold(b ^ 0x2545_f491_4f6c_dd1d, c ^ account.rotate_left(32)) ^ SPREAD)
}

/// Hash that stands for the loss of an account's storage, from that of the account.
pub(crate) const fn clear_hash(account: u64) -> u64 {
    account.rotate_left(32) ^ SPREAD
}

/// The values that one location had, ordered by version; so many of them beside the key.
#[derive(Debug)]
struct Versions<T, const NEAR: usize>(SmallVec<[(Version, T); NEAR]>);

/// What is known about a value that is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may be withdrawn; then the value before it holds again.
    Guess,
    /// All before it is committed, and so will it be: nobody will ask for older values.
    Final,
}

impl<T: Copy, const NEAR: usize> Versions<T, NEAR> {
    /// How many values are at or below a version. Who executes asks for the newest; who commits, if many threads execute ahead, for one that
    /// lies thousands before it.
    fn up_to(&self, version: Version) -> usize {
        let near = self.0.len().saturating_sub(NEWEST);
        match self.0[near..].iter().rposition(|entry| entry.0 <= version) {
            Some(at) => near + at + 1,
            None => self.0[..near].partition_point(|entry| entry.0 <= version),
        }
    }

    /// The newest value at or below a version.
    fn at(&self, version: Version) -> Option<(Version, T)> {
        self.up_to(version).checked_sub(1).map(|at| self.0[at])
    }

    /// Puts a value, in place of one of the same version. Drops what no reader can see any more: of guesses, none that is
    /// at or above `committed`.
    fn put(&mut self, version: Version, value: T, standing: Standing, committed: Version) {
        let end = self.up_to(version);
        let before = end.checked_sub(1);
        if standing == Standing::Final {
            match before {
                Some(at) => self.0[at] = (version, value),
                None => self.0.insert(0, (version, value)),
            }
            return self.drop_first(end.saturating_sub(1));
        }
        match before {
            Some(at) if self.0[at].0 == version => self.0[at].1 = value,
            _ => self.0.insert(end, (version, value)),
        }
        self.drop_first(self.up_to(committed).saturating_sub(1));
    }

    /// Drops values that no reader can see any more, once they are half of all: to drop each at once would move all others each time.
    fn drop_first(&mut self, dead: usize) {
        if dead > 0 && dead * 2 >= self.0.len() {
            self.0.drain(..dead);
        }
    }

    fn withdraw(&mut self, version: Version) {
        if let Some(at) = self.up_to(version).checked_sub(1)
            && self.0[at].0 == version
        {
            self.0.remove(at);
        }
    }

    fn last(&self) -> Option<T> {
        self.0.last().map(|entry| entry.1)
    }
}

/// An account's versions.
#[derive(Debug)]
struct AccountEntry {
    address: Address,
    versions: Versions<Option<AccountState>, 1>,
    certainty: Certainty,
}

/// Whether the newest version of a location is known to differ from the base state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certainty {
    /// It does: it was written once, by a transaction that saw the base state.
    Differs,
    /// It is to be compared.
    Unknown,
}

/// A slot's versions.
#[derive(Debug)]
struct SlotEntry {
    address: Address,
    slot: U256,
    versions: Versions<U256, 2>,
    certainty: Certainty,
}

/// A hash table whose entries lie close together in memory, in the order in which they came: few locations of a large
/// table are in use at a time.
#[derive(Debug)]
struct Dense<T> {
    places: HashTable<u32>,
    entries: Vec<T>,
}

impl<T> Default for Dense<T> {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl<T> Dense<T> {
    fn with_capacity(capacity: usize) -> Self {
        Self { places: HashTable::with_capacity(capacity), entries: Vec::with_capacity(capacity) }
    }

    fn find(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<&T> {
        let place = *self.places.find(hash, |&place| is_it(&self.entries[place as usize]))?;
        Some(&self.entries[place as usize])
    }

    fn find_mut(&mut self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<&mut T> {
        let place = *self.places.find(hash, |&place| is_it(&self.entries[place as usize]))?;
        Some(&mut self.entries[place as usize])
    }

    /// Adds an entry that is not there yet. `hash_of` is asked when the table grows.
    fn add(&mut self, hash: u64, entry: T, hash_of: impl Fn(&T) -> u64) {
        #[expect(clippy::cast_possible_truncation, reason = "no memory holds so many entries of a shard")]
        let place = self.entries.len() as u32;
        self.entries.push(entry);
        self.places.insert_unique(hash, place, |&place| hash_of(&self.entries[place as usize]));
    }
}

#[derive(Debug, Default)]
struct Shard {
    accounts: Dense<AccountEntry>,
    slots: Dense<SlotEntry>,
}

/// Keeps neighbours off each other's cache lines (two, as processors fetch pairs).
#[repr(align(128))]
#[derive(Debug, Default)]
struct Aligned<T>(T);

/// The log of publications.
#[derive(Debug, Default)]
struct Events {
    /// Hashes of all touched locations, one event after the other.
    hashes: Vec<u32>,
    events: Vec<Event>,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    /// The lowest version that was published.
    first: Version,
    /// Where its hashes end.
    end: usize,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Memory {
    /// A power of two of them.
    shards: Box<[Aligned<Mutex<Shard>>]>,
    events: RwLock<Events>,
    /// Number of events, to be seen without the lock.
    length: Aligned<AtomicUsize>,
    /// Number of transactions that were committed when it was last told, for all below that are. It is told once a run: every
    /// writer reads it, and what one core writes and others read travels between them.
    committed: Aligned<AtomicU32>,
    /// Whether any account lost its storage. Rare; then every read of a slot asks for its account too.
    has_clears: AtomicBool,
    /// Versions that removed an account's storage; the slots of lower versions and of the base state are gone.
    clears: Mutex<AddressMap<Vec<Version>>>,
    codes: RwLock<B256Map<Bytecode>>,
    /// Accounts that the base state marks as having storage (EIP-7610), as far as anybody has read them. Almost always none.
    marked: RwLock<AddressSet>,
    has_marked: AtomicBool,
}

/// A value to publish.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccountWrite {
    pub(crate) address: Address,
    pub(crate) hash: u64,
    pub(crate) state: Option<AccountState>,
    pub(crate) clears_storage: bool,
    /// Whether the writer saw the base state and leaves something else.
    pub(crate) certainty: Certainty,
}

/// A value to publish.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotWrite {
    pub(crate) address: Address,
    pub(crate) slot: U256,
    pub(crate) hash: u64,
    pub(crate) value: U256,
    /// Whether the writer saw the base state and leaves something else.
    pub(crate) certainty: Certainty,
}

impl Memory {
    /// A memory for a block of so many transactions, and for so many threads.
    pub(crate) fn new(transactions: usize, threads: usize) -> Self {
        let shards = if threads == 1 { 1 } else { (threads * SHARDS_PER_THREAD).next_power_of_two() };
        // Room for two accounts and two slots a transaction, so that small transactions never make a table grow.
        let room = 2 * transactions / shards;
        let shard = || Shard { accounts: Dense::with_capacity(room), slots: Dense::with_capacity(room) };
        Self {
            shards: (0..shards).map(|_| Aligned(Mutex::new(shard()))).collect(),
            events: RwLock::default(),
            length: Aligned::default(),
            committed: Aligned::default(),
            has_clears: AtomicBool::new(false),
            clears: Mutex::default(),
            codes: RwLock::default(),
            marked: RwLock::default(),
            has_marked: AtomicBool::new(false),
        }
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // Neither the lowest bits nor the highest: by these the tables find their places.
        &self.shards[(hash >> 40) as usize & (self.shards.len() - 1)].0
    }

    /// The newest state of an account at or below a version, if any version is known.
    pub(crate) fn account(&self, address: &Address, hash: u64, version: Version) -> Option<Option<AccountState>> {
        let shard = self.shard(hash).lock();
        let entry = shard.accounts.find(hash, |entry| entry.address == *address)?;
        entry.versions.at(version).map(|(_, state)| state)
    }

    /// The newest value of a slot at or below a version, if any version is known.
    pub(crate) fn slot(&self, address: &Address, slot: &U256, hash: u64, version: Version) -> Option<U256> {
        let found = {
            let shard = self.shard(hash).lock();
            let entry = shard.slots.find(hash, |entry| entry.slot == *slot && entry.address == *address);
            entry.and_then(|entry| entry.versions.at(version))
        };
        if !self.has_clears() {
            return found.map(|(_, value)| value);
        }
        let cleared = self.cleared_at(address, version);
        match (found, cleared) {
            (Some((written, value)), cleared) if cleared.is_none_or(|cleared| written >= cleared) => Some(value),
            (_, Some(_)) => Some(U256::ZERO),
            _ => None,
        }
    }

    /// Whether any account may have lost its storage in this block.
    pub(crate) fn has_clears(&self) -> bool {
        // Ordering: set before the event that announces it, which is appended under a lock.
        self.has_clears.load(Ordering::Acquire)
    }

    /// The newest version, at or below `version`, that removed the account's storage.
    pub(crate) fn cleared_at(&self, address: &Address, version: Version) -> Option<Version> {
        let clears = self.clears.lock();
        clears.get(address)?.iter().copied().filter(|&cleared| cleared <= version).max()
    }

    /// Notes whether a version removes an account's storage.
    fn set_cleared(&self, version: Version, address: Address, is_cleared: bool) {
        if !is_cleared && !self.has_clears() {
            return;
        }
        // Ordering: see `has_clears`.
        self.has_clears.store(true, Ordering::Release);
        let mut clears = self.clears.lock();
        let versions = clears.entry(address).or_default();
        versions.retain(|&cleared| cleared != version);
        if is_cleared {
            versions.push(version);
        }
    }

    pub(crate) fn put_account(&self, version: Version, write: &AccountWrite, standing: Standing) {
        self.set_cleared(version, write.address, write.clears_storage);
        let committed = self.committed();
        let mut shard = self.shard(write.hash).lock();
        let AccountWrite { address, hash, state, certainty, .. } = *write;
        if let Some(entry) = shard.accounts.find_mut(hash, |entry| entry.address == address) {
            entry.certainty = Certainty::Unknown;
            entry.versions.put(version, state, standing, committed);
            return;
        }
        let entry = AccountEntry { address, versions: Versions(smallvec![(version, state)]), certainty };
        shard.accounts.add(hash, entry, |entry| account_hash(&entry.address));
    }

    pub(crate) fn put_slot(&self, version: Version, write: &SlotWrite, standing: Standing) {
        let committed = self.committed();
        let mut shard = self.shard(write.hash).lock();
        let SlotWrite { address, slot, hash, value, certainty } = *write;
        if let Some(entry) = shard.slots.find_mut(hash, |entry| entry.slot == slot && entry.address == address) {
            entry.certainty = Certainty::Unknown;
            entry.versions.put(version, value, standing, committed);
            return;
        }
        let entry = SlotEntry { address, slot, versions: Versions(smallvec![(version, value)]), certainty };
        shard.slots.add(hash, entry, |entry| slot_hash(account_hash(&entry.address), &entry.slot));
    }

    /// Takes back what a version wrote to an account.
    pub(crate) fn withdraw_account(&self, version: Version, address: &Address, hash: u64) {
        let mut shard = self.shard(hash).lock();
        if let Some(entry) = shard.accounts.find_mut(hash, |entry| entry.address == *address) {
            entry.certainty = Certainty::Unknown;
            entry.versions.withdraw(version);
        }
        drop(shard);
        self.set_cleared(version, *address, false);
    }

    /// Takes back what a version wrote to a slot.
    pub(crate) fn withdraw_slot(&self, version: Version, address: &Address, slot: &U256, hash: u64) {
        let mut shard = self.shard(hash).lock();
        if let Some(entry) = shard.slots.find_mut(hash, |entry| entry.slot == *slot && entry.address == *address) {
            entry.certainty = Certainty::Unknown;
            entry.versions.withdraw(version);
        }
    }

    /// Notes that the base state marks an account as having storage. Whoever writes an account has read it before.
    pub(crate) fn mark(&self, address: Address) {
        self.marked.write().insert(address);
        // Ordering: read by those who find what was written afterwards, under a shard's lock.
        self.has_marked.store(true, Ordering::Release);
    }

    /// Whether any account was marked.
    pub(crate) fn has_marked(&self) -> bool {
        // Ordering: see `mark`.
        self.has_marked.load(Ordering::Acquire)
    }

    /// Whether an account has storage that the base state marks, and nothing removed it since.
    pub(crate) fn is_marked(&self, address: &Address, version: Version) -> bool {
        self.has_marked()
            && self.marked.read().contains(address)
            && (!self.has_clears() || self.cleared_at(address, version).is_none())
    }

    /// Makes code known that a transaction deployed.
    pub(crate) fn put_code(&self, hash: B256, code: Bytecode) {
        self.codes.write().insert(hash, code);
    }

    /// Code that a transaction of this block deployed.
    pub(crate) fn code(&self, hash: &B256) -> Option<Bytecode> {
        self.codes.read().get(hash).cloned()
    }

    /// Announces that versions from `first` on touched locations with these hashes.
    pub(crate) fn announce(&self, first: Version, hashes: &[u32]) {
        let mut log = self.events.write();
        log.hashes.extend_from_slice(hashes);
        let event = Event { first, end: log.hashes.len() };
        log.events.push(event);
        // Ordering: pairs with `follow`, who then takes the lock.
        self.length.0.store(log.events.len(), Ordering::Release);
    }

    /// Gives every event from position `from` on to `see`: its first version, and its hashes. Returns the length of the
    /// log that was seen.
    pub(crate) fn follow(&self, from: usize, mut see: impl FnMut(Version, &[u32])) -> usize {
        // Ordering: pairs with `announce`.
        if self.length.0.load(Ordering::Acquire) == from {
            return from;
        }
        let log = self.events.read();
        let mut start = from.checked_sub(1).map_or(0, |before| log.events[before].end);
        for event in &log.events[from..] {
            see(event.first, &log.hashes[start..event.end]);
            start = event.end;
        }
        log.events.len()
    }

    /// Number of committed transactions, or fewer.
    pub(crate) fn committed(&self) -> Version {
        // Ordering: only prunes and paces; values are guarded by the shards' locks.
        self.committed.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set_committed(&self, committed: Version) {
        // Ordering: see `committed`.
        self.committed.0.store(committed, Ordering::Relaxed);
    }

    /// Accounts that lost their storage, each with the newest version that did it.
    pub(crate) fn cleared(&self) -> AddressMap<Version> {
        let clears = self.clears.lock();
        clears.iter().filter_map(|(&address, versions)| Some((address, *versions.iter().max()?))).collect()
    }

    /// Number of locations that were written.
    pub(crate) fn len(&self) -> usize {
        let length = |shard: &Aligned<Mutex<Shard>>| {
            let shard = shard.0.lock();
            shard.accounts.entries.len() + shard.slots.entries.len()
        };
        self.shards.iter().map(length).sum()
    }

    /// Takes out the newest version of every location of every `step`-th shard from `first` on.
    pub(crate) fn drain(&self, first: usize, step: usize) -> Final {
        let take = |shard: &Aligned<Mutex<Shard>>| std::mem::take(&mut *shard.0.lock());
        let shards: Vec<_> = self.shards.iter().skip(first).step_by(step).map(take).collect();
        let mut all = Final {
            accounts: Vec::with_capacity(shards.iter().map(|shard| shard.accounts.entries.len()).sum()),
            slots: Vec::with_capacity(shards.iter().map(|shard| shard.slots.entries.len()).sum()),
        };
        for shard in shards {
            for entry in shard.accounts.entries {
                let AccountEntry { address, versions, certainty } = entry;
                all.accounts.push(FinalAccount { address, state: versions.last(), certainty });
            }
            for entry in shard.slots.entries {
                let Some(&(version, value)) = entry.versions.0.last() else { continue };
                let SlotEntry { address, slot, certainty, .. } = entry;
                all.slots.push(FinalSlot { address, slot, version, value, certainty });
            }
        }
        all
    }
}

/// What is left of the memory when all is committed.
#[derive(Debug, Default)]
pub(crate) struct Final {
    pub(crate) accounts: Vec<FinalAccount>,
    pub(crate) slots: Vec<FinalSlot>,
}

/// The newest state of an account.
#[derive(Debug)]
pub(crate) struct FinalAccount {
    pub(crate) address: Address,
    /// `None`: what was written was withdrawn.
    pub(crate) state: Option<Option<AccountState>>,
    pub(crate) certainty: Certainty,
}

/// The newest value of a slot.
#[derive(Debug)]
pub(crate) struct FinalSlot {
    pub(crate) address: Address,
    pub(crate) slot: U256,
    pub(crate) version: Version,
    pub(crate) value: U256,
    pub(crate) certainty: Certainty,
}
