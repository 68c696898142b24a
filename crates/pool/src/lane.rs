//! The transactions of one sender by nonce.
//!
//! A lane's first part is *pending*: its nonces follow the account's without a gap and the account can pay for all of
//! them together. The rest is *queued*. The border is kept as a count and a sum of costs, moved forward and back one
//! transaction at a time, so that appending costs no more than one look-up.

use std::{collections::BTreeMap, sync::Arc};

use alloy_consensus::Transaction as _;
use alloy_eips::{eip2718::Encodable2718 as _, eip7594::BlobTransactionSidecarVariant};
use alloy_primitives::{B256, U256};
use braid_types::{RecoveredTx, changes::AccountState};

use crate::{check, config::PoolRules, ordered::Standing, rejection::Rejection};

/// A transaction in the pool, with what ordering asks of it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) transaction: RecoveredTx,
    pub(crate) sidecar: Option<Arc<BlobTransactionSidecarVariant>>,
    pub(crate) hash: B256,
    pub(crate) nonce: u64,
    /// Order of arrival over the whole pool.
    pub(crate) sequence: u64,
    pub(crate) gas_limit: u64,
    pub(crate) max_fee: u128,
    pub(crate) tip: u128,
    pub(crate) max_blob_fee: u128,
    pub(crate) blobs: u64,
    pub(crate) cost: U256,
    pub(crate) size_bytes: usize,
    /// The lowest tip in the lane up to here: what a block's maker gets at worst before reaching this one.
    pub(crate) floor_tip: u128,
}

impl Entry {
    pub(crate) fn new(
        transaction: RecoveredTx,
        sidecar: Option<Arc<BlobTransactionSidecarVariant>>,
        sequence: u64,
    ) -> Result<Self, Rejection> {
        let sidecar_size = sidecar.as_ref().map_or(0, |sidecar| sidecar.size());
        let tip = check::tip_cap(&transaction);
        Ok(Self {
            hash: *transaction.tx_hash(),
            nonce: transaction.nonce(),
            sequence,
            gas_limit: transaction.gas_limit(),
            max_fee: transaction.max_fee_per_gas(),
            tip,
            max_blob_fee: transaction.max_fee_per_blob_gas().unwrap_or_default(),
            blobs: transaction.blob_count().unwrap_or_default(),
            cost: check::cost(&transaction).ok_or(Rejection::CostOverflow)?,
            size_bytes: transaction.encode_2718_len() + sidecar_size,
            floor_tip: tip,
            transaction,
            sidecar,
        })
    }

    /// Whether its fees, gas and blobs suit a block that follows `rules`.
    pub(crate) fn fits(&self, rules: &PoolRules) -> bool {
        let max_blobs = rules.blob_params.map_or(0, |params| params.max_blob_count);
        self.max_fee >= u128::from(rules.base_fee)
            && self.gas_limit <= rules.gas_limit
            && (self.blobs == 0 || (self.blobs <= max_blobs && self.max_blob_fee >= rules.blob_base_fee))
    }

    /// What a block's maker gets for each unit of gas. Only for one that [`Entry::fits`].
    pub(crate) fn effective_tip(&self, rules: &PoolRules) -> u128 {
        self.tip.min(self.max_fee.saturating_sub(u128::from(rules.base_fee)))
    }

    /// Whether it pays enough more than `old` to take its place: geth's rule, `percent` on both fees, and 100 % on all
    /// three where blobs are concerned, for they are costly to pass on.
    pub(crate) fn outbids(&self, old: &Self, percent: u64) -> bool {
        let has_blobs = self.blobs > 0 || old.blobs > 0;
        let percent = u128::from(if has_blobs { percent.max(100) } else { percent });
        let beats = |new: u128, old: u128| new > old && new >= old.saturating_mul(100 + percent) / 100;
        let blob_fee_beats = old.blobs == 0 || beats(self.max_blob_fee, old.max_blob_fee);
        beats(self.max_fee, old.max_fee) && beats(self.tip, old.tip) && blob_fee_beats
    }
}

/// The transactions of one sender.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane {
    account: AccountState,
    entries: BTreeMap<u64, Entry>,
    pending: usize,
    pending_cost: U256,
    size_bytes: usize,
}

impl Lane {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Number of pending transactions.
    pub(crate) const fn pending_len(&self) -> usize {
        self.pending
    }

    pub(crate) const fn account(&self) -> &AccountState {
        &self.account
    }

    pub(crate) const fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// The nonce after the last pending transaction.
    pub(crate) const fn next_nonce(&self) -> u64 {
        self.account.nonce.saturating_add(self.pending as u64)
    }

    pub(crate) fn get(&self, nonce: u64) -> Option<&Entry> {
        self.entries.get(&nonce)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Pending transactions in order of nonces.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &Entry> {
        // Lower nonces than the account's are dropped as the account is set, so the pending ones come first.
        self.entries.values().take(self.pending)
    }

    /// Transactions that will be pending once the account stands at `standing`, in order of nonces.
    pub(crate) fn pending_after(&self, standing: Standing) -> impl Iterator<Item = &Entry> {
        let mut balance = standing.balance;
        let follows = (standing.nonce..).zip(self.entries.range(standing.nonce..));
        follows.map_while(move |(expected, (&nonce, entry))| {
            balance = balance.checked_sub(entry.cost)?;
            (nonce == expected).then_some(entry)
        })
    }

    /// The last transaction, and whether it is pending.
    pub(crate) fn tail(&self) -> Option<(&Entry, bool)> {
        let (_, entry) = self.entries.last_key_value()?;
        Some((entry, self.pending == self.entries.len()))
    }

    /// Whether the first transaction could stand in a block that follows `rules`.
    pub(crate) fn is_executable(&self, rules: &PoolRules) -> bool {
        self.pending().next().is_some_and(|entry| entry.fits(rules))
    }

    /// Adds a transaction; returns the one of the same nonce that it replaces.
    pub(crate) fn insert(&mut self, entry: Entry) -> Option<Entry> {
        let nonce = entry.nonce;
        self.retreat_to(nonce);
        self.size_bytes += entry.size_bytes;
        let replaced = self.entries.insert(nonce, entry);
        self.size_bytes -= replaced.as_ref().map_or(0, |entry| entry.size_bytes);
        self.lower_floors_from(nonce);
        self.advance();
        replaced
    }

    /// Removes a transaction; those behind it wait then.
    pub(crate) fn remove(&mut self, nonce: u64) -> Option<Entry> {
        if !self.entries.contains_key(&nonce) {
            return None;
        }
        self.retreat_to(nonce);
        let entry = self.entries.remove(&nonce)?;
        self.size_bytes -= entry.size_bytes;
        self.lower_floors_from(nonce);
        Some(entry)
    }

    /// Follows the account; returns the transactions that its nonce has passed.
    pub(crate) fn set_account(&mut self, account: AccountState) -> Vec<Entry> {
        if account.nonce == self.account.nonce && account.balance >= self.pending_cost {
            self.account = account;
            self.advance();
            return Vec::new();
        }
        self.account = account;
        (self.pending, self.pending_cost) = (0, U256::ZERO);
        let mut passed = Vec::new();
        while let Some(first) = self.entries.first_entry().filter(|first| *first.key() < account.nonce) {
            let entry = first.remove();
            self.size_bytes -= entry.size_bytes;
            passed.push(entry);
        }
        if !passed.is_empty() {
            self.lower_floors_from(account.nonce);
        }
        self.advance();
        passed
    }

    /// Moves the border forward over every transaction that follows without a gap and can be paid.
    fn advance(&mut self) {
        let next = self.next_nonce();
        for (expected, (&nonce, entry)) in (next..).zip(self.entries.range(next..)) {
            let Some(cost) = self.pending_cost.checked_add(entry.cost) else { return };
            if nonce != expected || cost > self.account.balance {
                return;
            }
            self.pending += 1;
            self.pending_cost = cost;
        }
    }

    /// Moves the border back until `nonce` lies behind it.
    fn retreat_to(&mut self, nonce: u64) {
        let next = self.next_nonce();
        if nonce >= next {
            return;
        }
        for (_, entry) in self.entries.range(nonce..next) {
            self.pending -= 1;
            self.pending_cost -= entry.cost;
        }
    }

    /// Renews the floor tips from `nonce` on; stops where nothing changes any more.
    fn lower_floors_from(&mut self, nonce: u64) {
        let before = self.entries.range(..nonce).next_back();
        let mut floor = before.map_or(u128::MAX, |(_, entry)| entry.floor_tip);
        for (&at, entry) in self.entries.range_mut(nonce..) {
            floor = floor.min(entry.tip);
            if at > nonce && entry.floor_tip == floor {
                return;
            }
            entry.floor_tip = floor;
        }
    }
}
