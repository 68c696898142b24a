//! What a block changed, as execution finds it: flat and in no order.
//!
//! Whoever needs the changes by address and slot asks for [`Changes::into_state_changes`]; until then nothing is sorted.

use std::collections::BTreeMap;

use alloy_primitives::{
    Address, B256, Bytes, U256,
    map::{AddressMap, hash_map},
};
use braid_types::{
    StateChanges,
    changes::{AccountChange, AccountState},
};

/// Everything that a block changed, in absolute values and in no order.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Accounts that changed, each once.
    pub(crate) accounts: Vec<ChangedAccount>,
    /// Slots that changed, each once, with the values that hold now.
    pub(crate) slots: Vec<(Address, U256, U256)>,
    /// Accounts of which slots changed but nothing else, as they are.
    pub(crate) owners: AddressMap<Option<AccountState>>,
    /// Byte code that became known, by its hash.
    pub(crate) codes: BTreeMap<B256, Bytes>,
}

/// An account of which more than slots changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChangedAccount {
    pub(crate) address: Address,
    pub(crate) account: Option<AccountState>,
    pub(crate) storage_cleared: bool,
}

impl Changes {
    /// Number of accounts and slots that changed.
    pub fn len(&self) -> usize {
        self.accounts.len() + self.slots.len()
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The changes by address and slot.
    pub fn into_state_changes(self) -> StateChanges {
        let Self { accounts, slots, owners, codes } = self;
        let mut all: AddressMap<Gathered> = AddressMap::with_capacity_and_hasher(accounts.len(), Default::default());
        for ChangedAccount { address, account, storage_cleared } in accounts {
            all.insert(address, Gathered { account, storage_cleared, slots: Vec::new() });
        }
        for (address, slot, value) in slots {
            let gathered = match all.entry(address) {
                hash_map::Entry::Occupied(known) => known.into_mut(),
                hash_map::Entry::Vacant(unknown) => {
                    let account = owners.get(&address).copied().flatten();
                    unknown.insert(Gathered { account, storage_cleared: false, slots: Vec::new() })
                }
            };
            gathered.slots.push((slot, value));
        }
        let list: Vec<_> = all.into_iter().map(|(address, gathered)| (address, gathered.into_change())).collect();
        StateChanges { accounts: list.into_iter().collect(), codes }
    }
}

/// An account's change while it is put together.
struct Gathered {
    account: Option<AccountState>,
    storage_cleared: bool,
    slots: Vec<(U256, U256)>,
}

impl Gathered {
    fn into_change(self) -> AccountChange {
        let storage = self.slots.into_iter().collect();
        AccountChange { account: self.account, storage_cleared: self.storage_cleared, storage }
    }
}
