//! The pool: one lane of nonces for each sender, and the order in which to take them.
//!
//! Invariants:
//! - every transaction is in exactly one lane and in the index by hash;
//! - the totals are the sums over the lanes, and `tails` has the last transaction of each lane;
//! - neither count nor bytes exceed the limits after an insertion.
//!
//! A lane is changed only between [`Pool::detach`] and [`Pool::attach`], which keep totals and tails right.
//!
//! When the pool is full the worst lane end goes: queued before pending, then the lowest tip (the lowest of the
//! whole lane up to there, for nothing behind it can be had without it), then the youngest. Only ends go, so
//! eviction opens no gaps.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap},
    sync::Arc,
};

use alloy_consensus::Transaction as _;
use alloy_eips::eip7594::BlobTransactionSidecarVariant;
use alloy_primitives::{Address, B256};
use braid_types::{RecoveredTx, changes::AccountState};

use crate::{
    check,
    config::{PoolConfig, PoolRules},
    lane::{Entry, Lane},
    ordered::Ordered,
    rejection::Rejection,
};

/// The pool.
#[derive(Debug)]
pub struct Pool {
    config: PoolConfig,
    rules: PoolRules,
    lanes: HashMap<Address, Lane>,
    by_hash: HashMap<B256, (Address, u64)>,
    tails: BTreeSet<TailKey>,
    next_sequence: u64,
    size_bytes: usize,
    pending: usize,
    executable_lanes: usize,
}

/// The end of a lane, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TailKey {
    is_pending: bool,
    floor_tip: u128,
    sequence: Reverse<u64>,
    sender: Address,
}

/// What inserting did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// Hash of the transaction.
    pub hash: B256,
    /// Whether it can stand in the next block (no nonce gap before it, fees suffice).
    pub is_executable: bool,
    /// Hash of the transaction it replaced.
    pub replaced: Option<B256>,
}

/// Numbers of transactions, as `txpool_status` gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Without a nonce gap before them.
    pub pending: usize,
    /// Behind a nonce gap, or beyond what the account can pay.
    pub queued: usize,
    /// Bytes of all.
    pub size_bytes: usize,
}

/// All transactions by sender and nonce, as `txpool_content` gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolContent {
    /// Without a nonce gap before them.
    pub pending: BTreeMap<Address, BTreeMap<u64, RecoveredTx>>,
    /// Behind a nonce gap, or beyond what the account can pay.
    pub queued: BTreeMap<Address, BTreeMap<u64, RecoveredTx>>,
}

impl Pool {
    /// An empty pool for blocks that follow `rules`.
    pub fn new(config: PoolConfig, rules: PoolRules) -> Self {
        Self {
            config,
            rules,
            lanes: HashMap::new(),
            by_hash: HashMap::new(),
            tails: BTreeSet::new(),
            next_sequence: 0,
            size_bytes: 0,
            pending: 0,
            executable_lanes: 0,
        }
    }

    /// Checks that need neither pool nor state: type, chain id, size, intrinsic gas, gas limit, fees, blobs and their proofs.
    /// Costly for blob transactions (KZG), so call it outside any lock.
    ///
    /// # Errors
    /// The reason to refuse it.
    pub fn check(
        rules: &PoolRules,
        config: &PoolConfig,
        transaction: &RecoveredTx,
        sidecar: Option<&BlobTransactionSidecarVariant>,
    ) -> Result<(), Rejection> {
        check::check(rules, config, transaction, sidecar)
    }

    /// The rules of the next block.
    pub const fn rules(&self) -> &PoolRules {
        &self.rules
    }

    /// The limits.
    pub const fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// Adds a transaction that passed [`Pool::check`]. `account` is the sender's at the head that [`Pool::on_head`] was
    /// last told of: read it while holding whatever lock guards the pool, else a block that lands between strands the lane
    /// on an old nonce. A refused transaction leaves the pool as it was, but for those that `account` shows to be mined.
    ///
    /// # Errors
    /// The reason to refuse it.
    pub fn insert(
        &mut self,
        transaction: RecoveredTx,
        sidecar: Option<Arc<BlobTransactionSidecarVariant>>,
        account: AccountState,
    ) -> Result<Inserted, Rejection> {
        let sender = transaction.signer();
        if self.by_hash.contains_key(transaction.tx_hash()) {
            return Err(Rejection::AlreadyKnown);
        }
        self.check_nonce(transaction.nonce(), account.nonce)?;
        let entry = Entry::new(transaction, sidecar, self.next_sequence)?;
        if entry.cost > account.balance {
            return Err(Rejection::InsufficientFunds { balance: account.balance, cost: entry.cost });
        }
        self.check_place(sender, &entry)?;
        let (hash, nonce) = (entry.hash, entry.nonce);
        let replaced = self.put(sender, account, entry);
        let replaced_hash = replaced.as_ref().map(|old| old.hash);
        self.make_room(hash, replaced.map(|entry| Evicted { sender, account, entry }))?;
        self.next_sequence += 1;
        Ok(Inserted { hash, is_executable: self.is_executable(sender, nonce), replaced: replaced_hash })
    }

    /// Executable transactions, best effective tip first (ties: first come), nonces of a sender in order, until their gas
    /// limits add up to `gas_limit` and their blobs to the blob limit.
    pub fn best(&self, gas_limit: u64) -> Vec<RecoveredTx> {
        let blobs = self.rules.blob_params.map_or(0, |params| params.max_blob_count);
        let room = Room { gas: gas_limit, size_bytes: usize::MAX, blobs, transactions: usize::MAX };
        select(&self.rules, room, self.lanes.values().map(Lane::pending))
    }

    /// Transactions that will be executable after the `ordered` ones, in the order of [`Pool::best`] under `rules`, as long as there is
    /// `room`.
    pub fn best_after(&self, ordered: &Ordered, rules: &PoolRules, room: Room) -> Vec<RecoveredTx> {
        let lanes = self.lanes.iter().map(|(sender, lane)| {
            let after = ordered.standing(sender, lane.account()).map(|standing| lane.pending_after(standing));
            let now = after.is_none().then(|| lane.pending());
            after.into_iter().flatten().chain(now.into_iter().flatten())
        });
        select(rules, room, lanes)
    }

    /// Follows the chain: `rules` of the block after the new head, and the accounts of those senders that the pool holds
    /// whose state may have changed. Drops what is mined or stale.
    pub fn on_head(&mut self, rules: PoolRules, accounts: impl IntoIterator<Item = (Address, AccountState)>) {
        let is_other_fork = rules.fork != self.rules.fork || rules.chain_id != self.rules.chain_id;
        self.rules = rules;
        self.executable_lanes = self.lanes.values().filter(|lane| lane.is_executable(&self.rules)).count();
        for (sender, account) in accounts {
            self.follow_account(sender, account);
        }
        if is_other_fork {
            self.drop_invalid();
        }
    }

    /// Senders the pool holds transactions of, in order.
    pub fn senders(&self) -> Vec<Address> {
        let mut senders: Vec<_> = self.lanes.keys().copied().collect();
        senders.sort_unstable();
        senders
    }

    /// Whether the pool holds transactions of `sender`.
    pub fn has_sender(&self, sender: Address) -> bool {
        self.lanes.contains_key(&sender)
    }

    /// Whether a transaction is here.
    pub fn contains(&self, hash: B256) -> bool {
        self.by_hash.contains_key(&hash)
    }

    /// A transaction by hash.
    pub fn get(&self, hash: B256) -> Option<RecoveredTx> {
        Some(self.entry(hash)?.transaction.clone())
    }

    /// The sidecar of a blob transaction.
    pub fn sidecar(&self, hash: B256) -> Option<Arc<BlobTransactionSidecarVariant>> {
        self.entry(hash)?.sidecar.clone()
    }

    /// The nonce after the sender's last executable transaction; `None` if it has none here.
    pub fn next_nonce(&self, sender: Address) -> Option<u64> {
        let lane = self.lanes.get(&sender).filter(|lane| lane.pending_len() > 0)?;
        Some(lane.next_nonce())
    }

    /// Removes a transaction (and, as a gap opens, makes those behind it wait). Whether it was there.
    pub fn remove(&mut self, hash: B256) -> bool {
        let place = self.by_hash.get(&hash).copied();
        place.is_some_and(|(sender, nonce)| self.take(sender, nonce).is_some())
    }

    /// Removes all transactions.
    pub fn clear(&mut self) {
        self.lanes.clear();
        self.by_hash.clear();
        self.tails.clear();
        (self.size_bytes, self.pending, self.executable_lanes) = (0, 0, 0);
    }

    /// Numbers of transactions.
    pub fn status(&self) -> PoolStatus {
        let queued = self.by_hash.len() - self.pending;
        PoolStatus { pending: self.pending, queued, size_bytes: self.size_bytes }
    }

    /// Whether a transaction waits that could stand in the next block.
    pub const fn has_executable(&self) -> bool {
        self.executable_lanes > 0
    }

    /// All transactions, or those of one sender.
    pub fn content(&self, sender: Option<Address>) -> PoolContent {
        let mut content = PoolContent::default();
        let senders = sender.map_or_else(|| self.senders(), |sender| vec![sender]);
        for (sender, lane) in senders.iter().filter_map(|sender| Some((*sender, self.lanes.get(sender)?))) {
            let mut by_nonce = lane.entries().map(|entry| (entry.nonce, entry.transaction.clone()));
            let pending: BTreeMap<_, _> = by_nonce.by_ref().take(lane.pending_len()).collect();
            let queued: BTreeMap<_, _> = by_nonce.collect();
            if !pending.is_empty() {
                content.pending.insert(sender, pending);
            }
            if !queued.is_empty() {
                content.queued.insert(sender, queued);
            }
        }
        content
    }
}

impl Pool {
    fn check_nonce(&self, transaction: u64, state: u64) -> Result<(), Rejection> {
        let limit = self.config.max_per_sender as u64;
        match transaction.checked_sub(state) {
            None => Err(Rejection::NonceTooLow { state, transaction }),
            Some(ahead) if ahead > limit => Err(Rejection::NonceTooHigh { state, transaction, limit }),
            Some(_) => Ok(()),
        }
    }

    /// Whether `entry` may take a new place in the lane, or that of the transaction with its nonce.
    fn check_place(&self, sender: Address, entry: &Entry) -> Result<(), Rejection> {
        let Some(lane) = self.lanes.get(&sender) else { return Ok(()) };
        match lane.get(entry.nonce) {
            Some(old) if !entry.outbids(old, self.config.price_bump_percent) => Err(Rejection::ReplacementUnderpriced),
            None if lane.len() >= self.config.max_per_sender => {
                Err(Rejection::AccountLimitExceeded { pooled: lane.len() })
            }
            _ => Ok(()),
        }
    }

    fn is_executable(&self, sender: Address, nonce: u64) -> bool {
        let lane = self.lanes.get(&sender).filter(|lane| nonce < lane.next_nonce());
        lane.and_then(|lane| lane.get(nonce)).is_some_and(|entry| entry.fits(&self.rules))
    }

    fn entry(&self, hash: B256) -> Option<&Entry> {
        let (sender, nonce) = self.by_hash.get(&hash)?;
        self.lanes.get(sender)?.get(*nonce)
    }

    /// Evicts the worst until the limits hold. If that is the newcomer itself, everything is put back but it.
    fn make_room(&mut self, newcomer: B256, replaced: Option<Evicted>) -> Result<(), Rejection> {
        let mut evicted = Vec::from_iter(replaced);
        while self.by_hash.len() > self.config.max_transactions || self.size_bytes > self.config.max_size_bytes {
            let Some(worst) = self.take_worst() else { break };
            if worst.entry.hash != newcomer {
                evicted.push(worst);
                continue;
            }
            for Evicted { sender, account, entry } in evicted {
                self.put(sender, account, entry);
            }
            return Err(Rejection::Full);
        }
        Ok(())
    }

    fn take_worst(&mut self) -> Option<Evicted> {
        let sender = self.tails.first()?.sender;
        let (tail, _) = self.lanes.get(&sender)?.tail()?;
        let nonce = tail.nonce;
        self.take(sender, nonce)
    }

    /// Drops what a new fork no longer allows. Proofs of blobs were checked; their format may be the wrong one now.
    fn drop_invalid(&mut self) {
        let is_valid = |entry: &Entry| {
            check::check_envelope(&self.rules, &self.config, &entry.transaction, entry.sidecar.as_deref()).is_ok()
        };
        let entries = self.lanes.values().flat_map(Lane::entries);
        let invalid: Vec<_> = entries.filter(|entry| !is_valid(entry)).map(|entry| entry.hash).collect();
        for hash in invalid {
            self.remove(hash);
        }
    }

    /// Brings a lane up to its account's state; drops the transactions that its nonce has passed.
    fn follow_account(&mut self, sender: Address, account: AccountState) {
        let Some(mut lane) = self.detach(sender) else { return };
        for entry in lane.set_account(account) {
            self.by_hash.remove(&entry.hash);
        }
        self.attach(sender, lane);
    }

    /// Adds an entry to its lane; returns the one it replaces.
    fn put(&mut self, sender: Address, account: AccountState, entry: Entry) -> Option<Entry> {
        let mut lane = self.detach(sender).unwrap_or_default();
        let passed = lane.set_account(account);
        self.by_hash.insert(entry.hash, (sender, entry.nonce));
        let replaced = lane.insert(entry);
        for old in replaced.iter().chain(&passed) {
            self.by_hash.remove(&old.hash);
        }
        self.attach(sender, lane);
        replaced
    }

    /// Takes an entry out of its lane.
    fn take(&mut self, sender: Address, nonce: u64) -> Option<Evicted> {
        let mut lane = self.detach(sender)?;
        let account = *lane.account();
        let removed = lane.remove(nonce);
        self.attach(sender, lane);
        let entry = removed?;
        self.by_hash.remove(&entry.hash);
        Some(Evicted { sender, account, entry })
    }

    /// Takes a lane out, to change it.
    fn detach(&mut self, sender: Address) -> Option<Lane> {
        let lane = self.lanes.remove(&sender)?;
        self.size_bytes -= lane.size_bytes();
        self.pending -= lane.pending_len();
        self.executable_lanes -= usize::from(lane.is_executable(&self.rules));
        if let Some(key) = tail_key(sender, &lane) {
            self.tails.remove(&key);
        }
        Some(lane)
    }

    /// Puts a lane back, unless nothing is left in it.
    fn attach(&mut self, sender: Address, lane: Lane) {
        let Some(key) = tail_key(sender, &lane) else { return };
        self.tails.insert(key);
        self.size_bytes += lane.size_bytes();
        self.pending += lane.pending_len();
        self.executable_lanes += usize::from(lane.is_executable(&self.rules));
        self.lanes.insert(sender, lane);
    }
}

/// What is left of a block's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// For gas limits.
    pub gas: u64,
    /// For EIP-2718 encodings.
    pub size_bytes: usize,
    /// For blobs.
    pub blobs: u64,
    /// For transactions, by their number.
    pub transactions: usize,
}

impl Room {
    /// What is left after `entry`, if it fits.
    fn after(self, entry: &Entry) -> Option<Self> {
        Some(Self {
            gas: self.gas.checked_sub(entry.gas_limit)?,
            size_bytes: self.size_bytes.checked_sub(entry.size_bytes)?,
            blobs: self.blobs.checked_sub(entry.blobs)?,
            transactions: self.transactions.checked_sub(1)?,
        })
    }
}

/// The best of the transactions that `lanes` give, each its sender's in order, as long as they suit `rules` and there is room.
fn select<'a, L>(rules: &PoolRules, mut room: Room, lanes: impl Iterator<Item = L>) -> Vec<RecoveredTx>
where
    L: Iterator<Item = &'a Entry>,
{
    let mut lanes: Vec<_> = lanes.map(Iterator::peekable).collect();
    let rank = |entry: &Entry, lane| (entry.effective_tip(rules), Reverse(entry.sequence), lane);
    let mut heads = BinaryHeap::with_capacity(lanes.len());
    for (at, lane) in lanes.iter_mut().enumerate() {
        heads.extend(lane.peek().filter(|entry| entry.fits(rules)).map(|entry| rank(entry, at)));
    }
    let mut best = Vec::new();
    while let Some((_, _, at)) = heads.pop().filter(|_| room.transactions > 0) {
        let Some(entry) = lanes[at].next() else { continue };
        // One that no longer fits ends its lane: what follows needs its nonce.
        let Some(left) = room.after(entry) else { continue };
        room = left;
        best.push(entry.transaction.clone());
        heads.extend(lanes[at].peek().filter(|entry| entry.fits(rules)).map(|entry| rank(entry, at)));
    }
    best
}

/// A transaction taken out, with what it takes to put it back.
#[derive(Debug)]
struct Evicted {
    sender: Address,
    account: AccountState,
    entry: Entry,
}

fn tail_key(sender: Address, lane: &Lane) -> Option<TailKey> {
    let (entry, is_pending) = lane.tail()?;
    Some(TailKey { is_pending, floor_tip: entry.floor_tip, sequence: Reverse(entry.sequence), sender })
}

#[cfg(test)]
mod tests;
