//! The block's access list (EIP-7928), noted as transactions become final.
//!
//! A transaction that is committed has told all accounts and slots that it loaded, and what it left lies in the memory as the
//! version after it. What was there before is the version below, or the base state. Most accesses only read; those take
//! one entry in the [`Recorder`] and no look-up in the memory.

use alloy_primitives::{Address, Bytes, U256};
use braid_types::changes::AccountState;
use revm::{DatabaseRef, primitives::KECCAK_EMPTY, state::Account};

use super::{
    access::{AccessRange, Accesses, AccountAccess, SlotAccess},
    base_account,
    memory::{Memory, Version},
};
use crate::{
    access_list::{BlockAccessIndex, Recorder},
    overlay::{note_account, note_slots},
};

/// Notes what a transaction did to an account, as revm's journal tells of one that was executed with final inputs; but
/// not the fee recipient's nonce, balance and code.
pub(super) fn record_journal(
    recorder: &mut Recorder,
    index: BlockAccessIndex,
    beneficiary: Address,
    (address, account, is_removed): (Address, &Account, bool),
) {
    let record = recorder.account(address);
    if !account.is_touched() {
        record.read_slots(account.storage.keys());
        return;
    }
    note_slots(record, index, account, is_removed);
    if address != beneficiary {
        let original = account.original_info();
        let before = (!account.is_loaded_as_not_existing()).then_some(&original);
        note_account(record, index, before, (!is_removed).then_some(&account.info));
    }
}

/// A committed transaction, whose writes are published.
#[derive(Debug)]
pub(super) struct Committed<'a, S> {
    pub(super) memory: &'a Memory,
    pub(super) state: &'a S,
    /// The version that it read; the next is what it wrote.
    pub(super) version: Version,
    /// Where it stands in the list.
    pub(super) index: BlockAccessIndex,
    /// The fee recipient, which the memory does not know.
    pub(super) beneficiary: Address,
    pub(super) accesses: &'a Accesses,
    pub(super) range: &'a AccessRange,
}

impl<S: DatabaseRef> Committed<'_, S> {
    /// Notes everything that the transaction accessed and changed, but the fee recipient's nonce, balance and code.
    pub(super) fn record(&self, recorder: &mut Recorder) -> Result<(), S::Error> {
        let mut slots = &self.accesses.slots[self.range.slots.clone()];
        for account in &self.accesses.accounts[self.range.accounts.clone()] {
            // The slots of an account follow those of the account before it.
            let end = slots.iter().position(|slot| slot.address != account.address).unwrap_or(slots.len());
            let (own, rest) = slots.split_at(end);
            slots = rest;
            self.record_slots(recorder, account, own)?;
            if account.address != self.beneficiary && account.after.is_some() {
                record_account(self.memory, recorder, self.index, account.address, self.account(account)?);
            }
        }
        Ok(())
    }

    fn record_slots(
        &self,
        recorder: &mut Recorder,
        account: &AccountAccess,
        slots: &[SlotAccess],
    ) -> Result<(), S::Error> {
        let record = recorder.account(account.address);
        let is_removed = account.after.is_some_and(|after| after.state.is_none());
        for access in slots {
            if access.after.is_none() && access.tracked.is_none() && !is_removed {
                record.read_slots([&access.slot]);
                continue;
            }
            let before = self.slot(access)?;
            let written = self.memory.slot(&access.address, &access.slot, access.hash, self.version + 1);
            let after = if is_removed { U256::ZERO } else { written.unwrap_or(before) };
            record.set_slot(self.index, access.slot, before, after);
        }
        Ok(())
    }

    /// What a slot held before.
    fn slot(&self, access: &SlotAccess) -> Result<U256, S::Error> {
        match self.memory.slot(&access.address, &access.slot, access.hash, self.version) {
            Some(known) => Ok(known),
            None if access.is_from_base => Ok(access.seen),
            None => self.state.storage_ref(access.address, access.slot),
        }
    }

    /// An account before and after.
    fn account(&self, access: &AccountAccess) -> Result<(Option<AccountState>, Option<AccountState>), S::Error> {
        let at = |version| self.memory.account(&access.address, access.hash, version);
        let before = match at(self.version) {
            Some(known) => known,
            None if access.is_from_base => access.seen,
            None => base_account(self.state, access.address)?,
        };
        Ok((before, at(self.version + 1).unwrap_or(before)))
    }
}

/// Notes what became of an account.
pub(super) fn record_account(
    memory: &Memory,
    recorder: &mut Recorder,
    index: BlockAccessIndex,
    address: Address,
    (before, after): (Option<AccountState>, Option<AccountState>),
) {
    let record = recorder.account(address);
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    record.set_balance(index, before.balance, after.balance);
    record.set_nonce(index, before.nonce, after.nonce);
    if before.code_hash != after.code_hash {
        let code = memory.code(&after.code_hash).filter(|_| after.code_hash != KECCAK_EMPTY);
        let code = code.map_or_else(Bytes::new, |code| code.original_bytes());
        record.set_code(index, before.code_hash, after.code_hash, code);
    }
}
