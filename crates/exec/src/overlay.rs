//! What a block has read and written so far, over the state it began with.
//!
//! The EVM reads through the overlay; after each transaction its journal is committed here. Every account is kept with
//! what the base state said about it, so that the block's changes come out as the difference between base and now, in
//! absolute values, whatever happened in between.
//!
//! Existence follows EIP-161: since Spurious Dragon an account that is touched and left empty ceases to exist; before,
//! touching an account brings it into existence, empty or not.

use std::collections::BTreeMap;

use alloy_eips::eip7928::{BlockAccessIndex, BlockAccessList};
use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, B256Map, U256Map, hash_map},
};
use braid_types::{
    StateChanges,
    changes::{AccountChange, AccountState},
};
use revm::{
    Database, DatabaseRef,
    bytecode::Bytecode,
    primitives::{StorageKey, StorageValue},
    state::{Account, AccountInfo, EvmState},
};

use crate::{
    access_list::{AccountRecord, Recorder},
    changes::{ChangedAccount, Changes},
};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Overlay<'a, S> {
    base: &'a S,
    /// Whether empty accounts are removed when touched (EIP-161).
    removes_empty: bool,
    accounts: AddressMap<Entry>,
    codes: B256Map<Bytecode>,
    /// Changes since the last [`Overlay::take_recorded`], if they are wanted.
    recorded: Option<StateChanges>,
    /// Accesses and changes so far, if the block's access list is wanted.
    accesses: Option<Recorder>,
    /// Where in the block we are, as access lists count.
    index: BlockAccessIndex,
}

/// An account as it was in the base state and as it is now.
#[derive(Debug, Default)]
struct Entry {
    base: Option<AccountState>,
    info: Option<AccountInfo>,
    slots: U256Map<Slot>,
    is_dirty: bool,
    /// Whether the storage of the base state is gone; then every slot not in `slots` is zero.
    storage_cleared: bool,
}

/// A slot as it was in the base state and as it is now.
#[derive(Clone, Copy, Debug)]
struct Slot {
    base: U256,
    value: U256,
}

impl<'a, S: DatabaseRef> Overlay<'a, S> {
    pub(crate) fn new(base: &'a S, removes_empty: bool, record: bool) -> Self {
        Self {
            base,
            removes_empty,
            accounts: AddressMap::default(),
            codes: B256Map::default(),
            recorded: record.then(StateChanges::default),
            accesses: None,
            index: BlockAccessIndex::PRE_EXECUTION,
        }
    }

    /// From now on everything is noted for the block's access list.
    pub(crate) fn record_accesses(&mut self) {
        self.record_in(Some(Recorder::default()));
    }

    /// From now on everything is noted in a recorder, if there is one.
    pub(crate) fn record_in(&mut self, recorder: Option<Recorder>) {
        self.accesses = recorder;
    }

    /// What was noted so far, if accesses were recorded.
    pub(crate) fn take_recorder(&mut self) -> Option<Recorder> {
        self.accesses.take()
    }

    /// What comes now belongs to `index` of the block's access list.
    pub(crate) fn begin(&mut self, index: BlockAccessIndex) {
        self.index = index;
    }

    /// The block's access list, if accesses were recorded.
    pub(crate) fn take_access_list(&mut self) -> Option<BlockAccessList> {
        self.accesses.take().map(Recorder::finish)
    }

    /// Takes over what a transaction or system call left in the journal.
    pub(crate) fn commit(&mut self, journal: EvmState) -> Result<(), S::Error> {
        #[expect(clippy::iter_over_hash_type, reason = "accounts are independent of each other")]
        for (address, account) in journal {
            if account.is_touched() {
                self.commit_account(address, account)?;
            } else if let Some(recorder) = &mut self.accesses {
                recorder.account(address).read_slots(account.storage.keys());
            }
        }
        Ok(())
    }

    fn commit_account(&mut self, address: Address, account: Account) -> Result<(), S::Error> {
        let removes_empty = self.removes_empty;
        let entry = load(&mut self.accounts, self.base, address)?;
        let is_removed = account.is_selfdestructed() || (removes_empty && account.is_empty());
        let is_cleared = is_removed || account.is_created();
        if let Some(recorder) = &mut self.accesses {
            let record = recorder.account(address);
            note_slots(record, self.index, &account, is_removed);
            note_account(record, self.index, entry.info.as_ref(), (!is_removed).then_some(&account.info));
        }
        if is_cleared {
            entry.clear_storage();
        }
        entry.is_dirty = true;
        entry.info = (!is_removed).then_some(account.info);
        let mut storage = BTreeMap::new();
        if !is_removed {
            #[expect(clippy::iter_over_hash_type, reason = "slots are independent of each other")]
            for (slot, value) in account.storage {
                if value.is_changed() {
                    entry.write(slot, value.present_value);
                    if self.recorded.is_some() {
                        storage.insert(slot, value.present_value);
                    }
                }
            }
        }
        record(&mut self.recorded, address, entry, is_cleared, storage);
        Ok(())
    }

    /// Adds `amount` wei to an account, as withdrawals and rewards do, and touches it.
    pub(crate) fn credit(&mut self, address: Address, amount: U256) -> Result<(), S::Error> {
        self.set_balance(address, |balance| balance.saturating_add(amount)).map(drop)
    }

    /// Takes the whole balance of an account; returns it. Touches the account.
    pub(crate) fn drain(&mut self, address: Address) -> Result<U256, S::Error> {
        self.set_balance(address, |_| U256::ZERO)
    }

    fn set_balance(&mut self, address: Address, to: impl FnOnce(U256) -> U256) -> Result<U256, S::Error> {
        let entry = load(&mut self.accounts, self.base, address)?;
        let mut info = entry.info.take().unwrap_or_default();
        let before = info.balance;
        info.balance = to(before);
        if let Some(recorder) = &mut self.accesses {
            recorder.account(address).set_balance(self.index, before, info.balance);
        }
        entry.is_dirty = true;
        let is_removed = self.removes_empty && info.is_empty();
        if is_removed {
            entry.clear_storage();
        } else {
            entry.info = Some(info);
        }
        record(&mut self.recorded, address, entry, is_removed, BTreeMap::new());
        Ok(before)
    }

    /// Whether an account has code, which an EIP-7002 or EIP-7251 contract must have.
    pub(crate) fn has_code(&mut self, address: Address) -> Result<bool, S::Error> {
        let entry = load(&mut self.accounts, self.base, address)?;
        Ok(entry.info.as_ref().is_some_and(|info| !info.is_empty_code_hash()))
    }

    /// The changes recorded since the last call.
    pub(crate) fn take_recorded(&mut self) -> Option<StateChanges> {
        self.recorded.as_mut().map(std::mem::take)
    }

    /// Everything that differs from the base state.
    pub(crate) fn into_changes(self) -> Changes {
        let mut changes = Changes::default();
        changes.accounts.reserve(self.accounts.len());
        #[expect(clippy::iter_over_hash_type, reason = "accounts and slots are independent of each other")]
        for (address, entry) in self.accounts {
            if entry.is_dirty {
                note_code(&mut changes.codes, &entry);
                entry.add_to(&mut changes, address);
            }
        }
        changes
    }
}

impl Entry {
    fn clear_storage(&mut self) {
        self.slots.clear();
        self.storage_cleared = true;
    }

    /// A written slot was read before, so what the base state said about it is known, unless the storage was cleared.
    fn write(&mut self, slot: StorageKey, value: StorageValue) {
        self.slots.entry(slot).or_insert(Slot { base: U256::ZERO, value }).value = value;
    }

    fn account(&self) -> Option<AccountState> {
        self.info.as_ref().map(account_state)
    }

    fn add_to(self, changes: &mut Changes, address: Address) {
        let account = self.account();
        let storage_cleared = self.storage_cleared && self.base.is_some();
        let before = changes.slots.len();
        #[expect(clippy::iter_over_hash_type, reason = "slots are independent of each other")]
        for (key, slot) in self.slots {
            if slot.value != slot.base {
                changes.slots.push((address, key, slot.value));
            }
        }
        if account != self.base || storage_cleared {
            changes.accounts.push(ChangedAccount { address, account, storage_cleared });
        } else if changes.slots.len() > before {
            changes.owners.insert(address, account);
        }
    }
}

impl<S: DatabaseRef> Database for Overlay<'_, S> {
    type Error = S::Error;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, S::Error> {
        Ok(load(&mut self.accounts, self.base, address)?.info.clone())
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, S::Error> {
        if let Some(code) = self.codes.get(&code_hash) {
            return Ok(code.clone());
        }
        let code = self.base.code_by_hash_ref(code_hash)?;
        self.codes.insert(code_hash, code.clone());
        Ok(code)
    }

    fn storage(&mut self, address: Address, slot: StorageKey) -> Result<StorageValue, S::Error> {
        let entry = load(&mut self.accounts, self.base, address)?;
        if let Some(known) = entry.slots.get(&slot) {
            return Ok(known.value);
        }
        let is_absent = entry.storage_cleared || entry.base.is_none();
        let value = if is_absent { U256::ZERO } else { self.base.storage_ref(address, slot)? };
        entry.slots.insert(slot, Slot { base: value, value });
        Ok(value)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, S::Error> {
        self.base.block_hash_ref(number)
    }
}

/// The entry of an account, read from the base state the first time.
fn load<'m, S: DatabaseRef>(
    accounts: &'m mut AddressMap<Entry>,
    base: &S,
    address: Address,
) -> Result<&'m mut Entry, S::Error> {
    match accounts.entry(address) {
        hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
        hash_map::Entry::Vacant(unknown) => {
            let info = base.basic_ref(address)?;
            let base = info.as_ref().map(account_state);
            Ok(unknown.insert(Entry { base, info, ..Entry::default() }))
        }
    }
}

/// What of an account the state keeps, its storage apart.
pub(crate) fn account_state(info: &AccountInfo) -> AccountState {
    AccountState { nonce: info.nonce, balance: info.balance, code_hash: info.code_hash }
}

/// Notes what became of the slots of an account that was touched.
pub(crate) fn note_slots(record: &mut AccountRecord, index: BlockAccessIndex, account: &Account, is_removed: bool) {
    #[expect(clippy::iter_over_hash_type, reason = "the recorder does not depend on the order")]
    for (slot, value) in &account.storage {
        let after = if is_removed { U256::ZERO } else { value.present_value };
        record.set_slot(index, *slot, value.original_value, after);
    }
}

/// Notes what became of an account.
pub(crate) fn note_account(
    record: &mut AccountRecord,
    index: BlockAccessIndex,
    before: Option<&AccountInfo>,
    after: Option<&AccountInfo>,
) {
    let old = before.map(account_state).unwrap_or_default();
    let new = after.map(account_state).unwrap_or_default();
    record.set_balance(index, old.balance, new.balance);
    record.set_nonce(index, old.nonce, new.nonce);
    if old.code_hash != new.code_hash {
        let code = after.and_then(|info| info.code.as_ref()).map(Bytecode::original_bytes).unwrap_or_default();
        record.set_code(index, old.code_hash, new.code_hash, code);
    }
}

/// Records one change of an account, if changes are wanted.
fn record(
    recorded: &mut Option<StateChanges>,
    address: Address,
    entry: &Entry,
    storage_cleared: bool,
    storage: BTreeMap<U256, U256>,
) {
    let Some(recorded) = recorded else { return };
    let mut change = StateChanges::default();
    note_code(&mut change.codes, entry);
    change.accounts.insert(address, AccountChange { account: entry.account(), storage_cleared, storage });
    recorded.extend(change);
}

/// Keeps code that the base state does not know under this account.
fn note_code(codes: &mut BTreeMap<B256, alloy_primitives::Bytes>, entry: &Entry) {
    let Some(info) = &entry.info else { return };
    let is_old = entry.base.is_some_and(|base| base.code_hash == info.code_hash);
    if is_old || info.is_empty_code_hash() {
        return;
    }
    if let Some(code) = &info.code {
        codes.insert(info.code_hash, code.original_bytes());
    }
}
