//! States behind the retained ones, read through the history index.
//!
//! `history` holds, for every key a block changed, the value before that block. The value of a key after the block at height h
//! is therefore the entry with the lowest height above h, or the flat value if there is none.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use braid_types::{Height, changes::AccountState};
use fjall::{OwnedWriteBatch, Readable, Snapshot};

use crate::{
    codes::Codes,
    error::StoreError,
    flat::{Flat, Key, account_from, slot_from},
    hashed::{HashedAccount, HashedChanges},
    state::{Difference, State},
};

/// A key in the history with the value there.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// An older state, read through the history index.
#[derive(Clone)]
pub struct HistoricalState(Arc<Inner>);

struct Inner {
    flat: Arc<Flat>,
    /// A consistent view: checkpoints go on underneath.
    snapshot: Snapshot,
    codes: Arc<Codes>,
    height: Height,
}

impl std::fmt::Debug for HistoricalState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistoricalState").field("height", &self.0.height).finish_non_exhaustive()
    }
}

impl HistoricalState {
    /// The state after the block at `height`.
    ///
    /// # Errors
    /// [`StoreError::Pruned`] if the flat store does not reach back, or up, to it.
    pub(crate) fn open(flat: Arc<Flat>, codes: Arc<Codes>, height: Height) -> Result<Self, StoreError> {
        let snapshot = flat.db.snapshot();
        let checkpoint = flat.checkpoint(&snapshot)?.ok_or(StoreError::Pruned(height))?;
        if height < checkpoint.history_from || height > checkpoint.block.height {
            return Err(StoreError::Pruned(height));
        }
        Ok(Self(Arc::new(Inner { flat, snapshot, codes, height })))
    }

    /// An account, if it existed.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn account(&self, address: Address) -> Result<Option<AccountState>, StoreError> {
        account_from(&self.value(&Key::Account(keccak256(address)))?)
    }

    /// A storage slot; zero if absent.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        let slot = keccak256(slot.to_be_bytes::<32>());
        slot_from(&self.value(&Key::Slot(keccak256(address), slot))?)
    }

    /// Byte code by hash.
    ///
    /// # Errors
    /// If the code is not known.
    pub fn code(&self, hash: B256) -> Result<Bytes, StoreError> {
        Ok(self.0.codes.get(hash)?)
    }

    fn value(&self, key: &Key) -> Result<Vec<u8>, StoreError> {
        let Inner { flat, snapshot, height, .. } = &*self.0;
        let range = key.at(height.saturating_add(1))..=key.at(Height::MAX);
        match snapshot.range(&flat.history, range).next() {
            Some(entry) => Ok(entry.value()?.to_vec()),
            None => flat.value(snapshot, key),
        }
    }
}

/// Records the values before the block at `height`. Where the block already has an entry for a key (it was
/// changed again by an override), the earlier one stands.
pub(crate) fn put_history(
    flat: &Flat,
    batch: &mut OwnedWriteBatch,
    height: Height,
    differences: &[Difference],
) -> Result<(), StoreError> {
    let entries = put_touched(flat, batch, height, differences)?;
    entries.into_iter().for_each(|(key, value)| batch.insert(&flat.history, key, value));
    Ok(())
}

/// Records which values the block at `height` changed. Returns what remains to be recorded: keys in the history, with the values before.
pub(crate) fn put_touched(
    flat: &Flat,
    batch: &mut OwnedWriteBatch,
    height: Height,
    differences: &[Difference],
) -> Result<Vec<Entry>, StoreError> {
    let known = flat.touched.get(height.to_be_bytes())?;
    let mut touched = known.as_ref().map(|bytes| bytes.to_vec()).unwrap_or_default();
    let mut entries = Vec::with_capacity(differences.len());
    for (key, old, _) in differences.iter().map(Difference::encoded) {
        let entry = key.at(height);
        if known.is_some() && flat.history.contains_key(&entry)? {
            continue;
        }
        touched.extend_from_slice(&key.tagged());
        entries.push((entry, old));
    }
    batch.insert(&flat.touched, height.to_be_bytes(), touched);
    Ok(entries)
}

/// Removes what [`put_history`] recorded for the block at `height`.
pub(crate) fn remove_history(flat: &Flat, batch: &mut OwnedWriteBatch, height: Height) -> Result<(), StoreError> {
    for key in touched(flat, height)? {
        batch.remove(&flat.history, key.at(height));
    }
    batch.remove(&flat.touched, height.to_be_bytes());
    Ok(())
}

/// The state after the block at `height`, rebuilt from `head`, the state of the flat store after the block at `through`.
pub(crate) fn rebuild(flat: &Flat, head: &State, height: Height, through: Height) -> Result<State, StoreError> {
    let mut old = BTreeMap::new();
    for above in height + 1..=through {
        for key in touched(flat, above)? {
            if let std::collections::btree_map::Entry::Vacant(entry) = old.entry(key) {
                let value = flat.history.get(key.at(above))?;
                entry.insert(value.ok_or(StoreError::Damaged("touched key without history"))?);
            }
        }
    }
    let mut accounts: BTreeMap<B256, HashedAccount> = BTreeMap::new();
    for (key, value) in &old {
        let (Key::Account(address) | Key::Slot(address, _)) = key;
        let change = accounts.entry(*address).or_insert_with(|| HashedAccount {
            key: *address,
            account: head.hashed_account(address),
            cleared: false,
            slots: Vec::new(),
        });
        match key {
            Key::Account(_) => change.account = account_from(value)?,
            Key::Slot(_, slot) => change.slots.push((*slot, slot_from(value)?)),
        }
    }
    let changes: HashedChanges = accounts.into_values().collect();
    Ok(head.apply_hashed(&changes))
}

fn touched(flat: &Flat, height: Height) -> Result<Vec<Key>, StoreError> {
    flat.touched.get(height.to_be_bytes())?.map_or_else(|| Ok(Vec::new()), |bytes| Key::parse_all(&bytes))
}
