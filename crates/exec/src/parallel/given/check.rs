//! Compares what is executed with what the access list says of it.
//!
//! Every account and slot that is accessed must be listed, and every change must be listed with its value. What is left is
//! that the list says no more than that: in the end each of its accounts and slots must have been accessed by
//! somebody, and as many changes must have been found as it has, for none is found twice.

use alloy_eips::eip7928::{AccountChanges, BalanceChange, BlockAccessIndex, NonceChange};
use alloy_primitives::{Address, B256, U256};
use revm::{
    DatabaseRef,
    primitives::KECCAK_EMPTY,
    state::{Account, AccountInfo, EvmState},
};

use crate::{access_list::GivenState, overlay::Overlay};

/// The list is not what the block does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused;

/// Whatever goes wrong is found again, and named, by sequential execution.
pub(crate) fn refused<E>(_: E) -> Refused {
    Refused
}

/// What of a list was found to be true so far.
#[derive(Debug)]
pub(crate) struct Checked<'a> {
    list: &'a [AccountChanges],
    given: &'a GivenState<'a>,
    accounts: Bits,
    slots: Bits,
    /// Number of changes.
    changes: usize,
    /// Accounts that lost what storage they may have had.
    pub(crate) cleared: Vec<Address>,
}

/// What of an account stands in lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fields<'a> {
    balance: U256,
    nonce: u64,
    code_hash: &'a B256,
}

const NOTHING: Fields<'static> = Fields { balance: U256::ZERO, nonce: 0, code_hash: &KECCAK_EMPTY };

impl<'a> Checked<'a> {
    pub(crate) fn new(list: &'a [AccountChanges], given: &'a GivenState<'a>) -> Self {
        let (accounts, slots) = (Bits::new(given.accounts()), Bits::new(given.slots()));
        Self { list, given, accounts, slots, changes: 0, cleared: Vec::new() }
    }

    /// Checks what one transaction left in the journal, and empties it.
    pub(crate) fn transaction(&mut self, index: BlockAccessIndex, journal: &mut EvmState) -> Result<(), Refused> {
        #[expect(clippy::iter_over_hash_type, reason = "accounts are independent of each other")]
        for (address, account) in journal.drain() {
            self.account(index, address, &account)?;
        }
        Ok(())
    }

    fn account(&mut self, index: BlockAccessIndex, address: Address, account: &Account) -> Result<(), Refused> {
        let number = self.given.account_number(&address).ok_or(Refused)?;
        self.accounts.set(number);
        let is_touched = account.is_touched();
        let is_removed = is_touched && (account.is_selfdestructed() || account.is_empty());
        #[expect(clippy::iter_over_hash_type, reason = "slots are independent of each other")]
        for (slot, value) in &account.storage {
            let slot = self.given.slot_number(number, *slot).ok_or(Refused)?;
            self.slots.set(slot);
            let after = if is_removed { U256::ZERO } else { value.present_value };
            if is_touched && after != value.original_value {
                let changes = self.given.slot_changes(number, slot);
                self.found(changes, |change| change.block_access_index, index, |change| change.new_value == after)?;
            }
        }
        if !is_touched {
            return Ok(());
        }
        if is_removed || account.is_created() {
            self.cleared.push(address);
        }
        let before = account.original_info();
        let after = if is_removed { NOTHING } else { fields(&account.info) };
        self.fields(index, number, fields(&before), after)
    }

    fn fields(
        &mut self,
        index: BlockAccessIndex,
        number: usize,
        before: Fields<'_>,
        after: Fields<'_>,
    ) -> Result<(), Refused> {
        let listed = &self.list[number];
        if before.balance != after.balance {
            let is_it = |change: &BalanceChange| change.post_balance == after.balance;
            self.found(&listed.balance_changes, |change| change.block_access_index, index, is_it)?;
        }
        if before.nonce != after.nonce {
            let is_it = |change: &NonceChange| change.new_nonce == after.nonce;
            self.found(&listed.nonce_changes, |change| change.block_access_index, index, is_it)?;
        }
        if before.code_hash != after.code_hash {
            self.found(&listed.code_changes, |change| change.block_access_index, index, |_| true)?;
            let listed = self.given.account_at(number, BlockAccessIndex::new(index.get().saturating_add(1)));
            if listed.code_hash != Some(*after.code_hash) {
                return Err(Refused);
            }
        }
        Ok(())
    }

    /// Checks what happened around the transactions, at one index, over an overlay that recorded it.
    pub(crate) fn overlay<S: DatabaseRef>(&mut self, mut overlay: Overlay<'_, S>) -> Result<(), Refused> {
        for account in overlay.take_access_list().ok_or(Refused)? {
            self.listed(&account)?;
        }
        let accounts = overlay.into_changes().accounts;
        let cleared = accounts.iter().filter(|account| account.storage_cleared);
        self.cleared.extend(cleared.map(|account| account.address));
        Ok(())
    }

    fn listed(&mut self, done: &AccountChanges) -> Result<(), Refused> {
        let number = self.given.account_number(&done.address).ok_or(Refused)?;
        self.accounts.set(number);
        for slot in done.storage_slots() {
            self.slots.set(self.given.slot_number(number, slot).ok_or(Refused)?);
        }
        for slot in &done.storage_changes {
            let listed = self.given.slot_number(number, slot.slot).ok_or(Refused)?;
            let listed = self.given.slot_changes(number, listed);
            self.all_in(&slot.changes, listed, |change| change.block_access_index)?;
        }
        let listed = &self.list[number];
        self.all_in(&done.balance_changes, &listed.balance_changes, |change| change.block_access_index)?;
        self.all_in(&done.nonce_changes, &listed.nonce_changes, |change| change.block_access_index)?;
        self.all_in(&done.code_changes, &listed.code_changes, |change| change.block_access_index)
    }

    fn all_in<T: PartialEq>(
        &mut self,
        done: &[T],
        listed: &[T],
        index: impl Fn(&T) -> BlockAccessIndex + Copy,
    ) -> Result<(), Refused> {
        done.iter().try_for_each(|change| self.found(listed, index, index(change), |listed| listed == change))
    }

    /// Checks that a change at an index is listed as it happened.
    fn found<T>(
        &mut self,
        listed: &[T],
        index_of: impl Fn(&T) -> BlockAccessIndex,
        index: BlockAccessIndex,
        is_it: impl FnOnce(&T) -> bool,
    ) -> Result<(), Refused> {
        let position = listed.binary_search_by_key(&index, index_of).map_err(|_| Refused)?;
        self.changes += 1;
        if is_it(&listed[position]) { Ok(()) } else { Err(Refused) }
    }

    /// Adds what another thread found.
    pub(crate) fn add(&mut self, other: Self) {
        self.accounts.add(&other.accounts);
        self.slots.add(&other.slots);
        self.changes += other.changes;
        self.cleared.extend(other.cleared);
    }

    /// Checks that the list says nothing that was not found.
    pub(crate) fn finish(&self) -> Result<(), Refused> {
        let is_complete = self.accounts.count() == self.given.accounts()
            && self.slots.count() == self.given.slots()
            && self.changes == self.list.iter().map(changes).sum::<usize>();
        if is_complete { Ok(()) } else { Err(Refused) }
    }
}

fn fields(info: &AccountInfo) -> Fields<'_> {
    Fields { balance: info.balance, nonce: info.nonce, code_hash: &info.code_hash }
}

/// Number of changes of an account.
fn changes(account: &AccountChanges) -> usize {
    let slots: usize = account.storage_changes.iter().map(|slot| slot.changes.len()).sum();
    slots + account.balance_changes.len() + account.nonce_changes.len() + account.code_changes.len()
}

/// A set of small numbers.
#[derive(Debug)]
struct Bits(Box<[u64]>);

impl Bits {
    fn new(numbers: usize) -> Self {
        Self(vec![0; numbers.div_ceil(64)].into())
    }

    fn set(&mut self, number: usize) {
        self.0[number / 64] |= 1 << (number % 64);
    }

    fn add(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            *own |= other;
        }
    }

    fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}
