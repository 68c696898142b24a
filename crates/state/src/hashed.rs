//! State changes by hashed keys, in the order the trie and the flat store keep them.

use alloy_primitives::{Address, B256, U256};
use braid_keccak::hash_all;
use braid_types::{AccountChange, StateChanges, changes::AccountState};
use rayon::prelude::*;

/// Accounts, and slots of an account, whose keys a thread hashes at once.
const HASHED_AT_ONCE: usize = 128;

/// Changes in absolute values, sorted by hashed address.
pub(crate) type HashedChanges = Vec<HashedAccount>;

/// The change of one account, as [`braid_types::AccountChange`] with hashed keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HashedAccount {
    /// Keccak-256 of the address.
    pub(crate) key: B256,
    /// The account afterwards; `None`: it does not exist.
    pub(crate) account: Option<AccountState>,
    /// Whether earlier storage was removed first.
    pub(crate) cleared: bool,
    /// Changed slots by hashed slot, sorted; zero means removed.
    pub(crate) slots: Vec<(B256, U256)>,
}

/// Hashes and sorts the keys of `changes`.
pub(crate) fn hash_changes(changes: &StateChanges) -> HashedChanges {
    let accounts: Vec<_> = changes.accounts.iter().collect();
    let hashed = accounts.par_chunks(HASHED_AT_ONCE).flat_map_iter(hash_accounts);
    let mut hashed: HashedChanges = hashed.collect();
    hashed.par_sort_unstable_by_key(|account| account.key);
    hashed
}

fn hash_accounts<'a>(
    accounts: &'a [(&'a Address, &'a AccountChange)],
) -> impl Iterator<Item = HashedAccount> + use<'a> {
    let addresses: Vec<&Address> = accounts.iter().map(|(address, _)| *address).collect();
    let keys = hash_all(&addresses);
    keys.into_iter().zip(accounts).map(|(key, (_, change))| HashedAccount {
        key,
        account: change.account,
        cleared: change.storage_cleared,
        slots: hash_slots(change),
    })
}

/// The slots by hash, sorted.
fn hash_slots(change: &AccountChange) -> Vec<(B256, U256)> {
    let slots: Vec<[u8; 32]> = change.storage.keys().map(|slot| slot.to_be_bytes()).collect();
    let hashes: Vec<B256> = slots.par_chunks(HASHED_AT_ONCE).flat_map_iter(hash_all).collect();
    let mut slots: Vec<_> = hashes.into_iter().zip(change.storage.values().copied()).collect();
    slots.sort_unstable_by_key(|(key, _)| *key);
    slots
}
