//! State changes by hashed keys, in the order the trie and the flat store keep them.

use alloy_primitives::{B256, U256, keccak256};
use braid_types::{StateChanges, changes::AccountState};
use rayon::prelude::*;

/// Accounts from which keys are hashed in parallel.
const PARALLEL_ACCOUNTS: usize = 32;

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
    let mut hashed: HashedChanges = accounts
        .into_par_iter()
        .with_min_len(PARALLEL_ACCOUNTS)
        .map(|(address, change)| {
            let mut slots: Vec<_> =
                change.storage.iter().map(|(slot, value)| (keccak256(slot.to_be_bytes::<32>()), *value)).collect();
            slots.sort_unstable_by_key(|(key, _)| *key);
            HashedAccount { key: keccak256(address), account: change.account, cleared: change.storage_cleared, slots }
        })
        .collect();
    hashed.par_sort_unstable_by_key(|account| account.key);
    hashed
}
