//! Makes a block's access list out of what happens in it.
//!
//! Accesses may come in any order. Changes come with ascending index; inside an index in any order and as often as
//! needed, for only the difference between the value before the index and the last one counts. A slot that changed and
//! changed back at one index is a read, as is one that was written and kept its value.

use alloy_eips::eip7928::{
    AccountChanges, BalanceChange, BlockAccessIndex, BlockAccessList, CodeChange, NonceChange, SlotChanges,
    StorageChange,
};
use alloy_primitives::{
    Address, B256, Bytes, U256,
    map::{AddressMap, U256Map},
};

use super::Accesses;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Recorder {
    accounts: AddressMap<AccountRecord>,
}

/// What happened to one account.
#[derive(Debug, Default)]
pub struct AccountRecord {
    /// Accessed slots; those without changes were read.
    slots: U256Map<History<U256>>,
    balance: History<U256>,
    nonce: History<u64>,
    code: History<Code>,
}

/// The values of one item in a block.
#[derive(Debug, Default)]
struct History<T> {
    /// The value before the first change.
    before: T,
    /// The value after each index that changed it.
    changes: Vec<(BlockAccessIndex, T)>,
}

/// Code, which its hash identifies.
#[derive(Debug, Default)]
struct Code {
    hash: B256,
    bytes: Bytes,
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Recorder {
    /// Notes that an account was accessed, and gives what is known about it.
    pub fn account(&mut self, address: Address) -> &mut AccountRecord {
        self.accounts.entry(address).or_default()
    }

    /// Notes everything that a transaction accessed.
    pub fn add(&mut self, accesses: &Accesses) {
        for (address, slots) in accesses.iter() {
            self.account(address).read_slots(slots);
        }
    }

    /// The list, in canonical order.
    pub fn finish(self) -> BlockAccessList {
        let mut list: BlockAccessList =
            self.accounts.into_iter().map(|(address, record)| record.finish(address)).collect();
        list.sort_unstable_by_key(|account| account.address);
        list
    }
}

impl AccountRecord {
    /// Notes that slots were accessed.
    pub fn read_slots<'a>(&mut self, slots: impl IntoIterator<Item = &'a U256>) {
        for slot in slots {
            self.slots.entry(*slot).or_default();
        }
    }

    /// Notes that `index` left a slot at `after`; it was `before` until then. Equal values make it a read.
    pub fn set_slot(&mut self, index: BlockAccessIndex, slot: U256, before: U256, after: U256) {
        self.slots.entry(slot).or_default().set(index, before, after);
    }

    /// Notes that `index` left the balance at `after`; it was `before` until then.
    pub fn set_balance(&mut self, index: BlockAccessIndex, before: U256, after: U256) {
        self.balance.set(index, before, after);
    }

    /// Notes that `index` left the nonce at `after`; it was `before` until then.
    pub fn set_nonce(&mut self, index: BlockAccessIndex, before: u64, after: u64) {
        self.nonce.set(index, before, after);
    }

    /// Notes that `index` left `code`, whose hash is `after`; the hash was `before` until then.
    pub fn set_code(&mut self, index: BlockAccessIndex, before: B256, after: B256, code: Bytes) {
        let before = Code { hash: before, bytes: Bytes::new() };
        self.code.set(index, before, Code { hash: after, bytes: code });
    }

    fn finish(self, address: Address) -> AccountChanges {
        let mut account = AccountChanges::new(address);
        #[expect(clippy::iter_over_hash_type, reason = "sorted below")]
        for (slot, history) in self.slots {
            if history.changes.is_empty() {
                account.storage_reads.push(slot);
            } else {
                account.storage_changes.push(SlotChanges::new(slot, history.into(StorageChange::new)));
            }
        }
        account.storage_reads.sort_unstable();
        account.storage_changes.sort_unstable_by_key(|change| change.slot);
        account.balance_changes = self.balance.into(BalanceChange::new);
        account.nonce_changes = self.nonce.into(NonceChange::new);
        account.code_changes = self.code.into(|index, code| CodeChange::new(index, code.bytes));
        account
    }
}

impl<T: PartialEq> History<T> {
    fn set(&mut self, index: BlockAccessIndex, before: T, after: T) {
        let is_open = match self.changes.last() {
            None => {
                self.before = before;
                false
            }
            Some((last, _)) => {
                debug_assert!(*last <= index, "indices ascend");
                *last == index
            }
        };
        if is_open {
            self.changes.pop();
        }
        if self.last() != &after {
            self.changes.push((index, after));
        }
    }

    fn last(&self) -> &T {
        self.changes.last().map_or(&self.before, |(_, value)| value)
    }

    fn into<C>(self, change: impl Fn(BlockAccessIndex, T) -> C) -> Vec<C> {
        self.changes.into_iter().map(|(index, value)| change(index, value)).collect()
    }
}
