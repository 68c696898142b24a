//! What a transaction leaves that was executed with final inputs: from revm's journal straight into the memory.
//!
//! Nothing of it will be compared or patched later, so it needs none of the lists of [`access`](super::access).

use alloy_primitives::{Address, U256};
use braid_types::changes::AccountState;
use revm::{
    DatabaseRef,
    primitives::KECCAK_EMPTY,
    state::{Account, EvmState, EvmStorage},
};

use super::{
    access::{certainty, is_removed, seen},
    kept::Keeping,
    memory::{AccountWrite, SlotWrite, Standing, Version, account_hash, clear_hash, slot_hash},
    view::View,
};
use crate::overlay::account_state;

/// What a transaction left of the fee recipient, whose account the committer keeps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Own {
    /// Its state, if the transaction changed it.
    pub(crate) left: Option<Option<AccountState>>,
    /// Whether the transaction destroyed it: then what it earns is lost.
    pub(crate) is_destroyed: bool,
}

/// Where a transaction's writes go.
#[derive(Debug)]
pub(crate) struct Settling<'w, 'a, S> {
    pub(crate) view: &'w mut View<'a, S>,
    /// Hashes of what was written, to be announced.
    pub(crate) hashes: &'w mut Vec<u32>,
    pub(crate) version: Version,
    pub(crate) beneficiary: Address,
    /// Whether empty accounts that were touched go (EIP-161).
    pub(crate) removes_empty: bool,
    pub(crate) keeping: Keeping,
}

impl<S: DatabaseRef> Settling<'_, '_, S> {
    /// Publishes what a transaction did, and takes it out of the journal but for what stays. Each account that it loaded is shown to
    /// `see` first, with whether it is removed.
    pub(crate) fn settle(mut self, journal: &mut EvmState, mut see: impl FnMut(Address, &Account, bool)) -> Own {
        let mut own = Own::default();
        journal.retain(|&address, account| {
            if !self.keeping.has_loaded(account) {
                return true;
            }
            let is_removed = is_removed(account, self.removes_empty && address != self.beneficiary);
            see(address, account, is_removed);
            // The fee recipient is touched in any case, when it is paid.
            if account.is_touched() || address == self.beneficiary {
                self.account(address, account, is_removed, &mut own);
            }
            self.keeping.keep(&address, account)
        });
        own
    }

    fn account(&mut self, address: Address, account: &mut Account, is_removed: bool, own: &mut Own) {
        let hash = account_hash(&address);
        let seen = seen(account);
        let left = (!is_removed).then(|| account_state(&account.info));
        let is_created = account.is_created();
        let clears_storage = (is_removed || is_created) && seen.is_some();
        let is_changed = left != seen || clears_storage;
        if address == self.beneficiary {
            *own = Own { left: is_changed.then_some(left), is_destroyed: account.is_selfdestructed() };
        }
        // Of the fee recipient only the loss of its storage is to be known.
        if is_changed && (address != self.beneficiary || clears_storage) {
            let certainty = certainty(left != seen && !self.view.may_be_written(hash));
            let write = AccountWrite { address, hash, state: left, clears_storage, certainty };
            self.view.memory().put_account(self.version, &write, Standing::Final);
            self.view.note_write(hash, self.hashes);
            if clears_storage {
                self.view.note_write(clear_hash(hash), self.hashes);
            }
        }
        if is_removed {
            return;
        }
        let Account { info, storage, .. } = account;
        if info.code_hash != seen.map_or(KECCAK_EMPTY, |seen| seen.code_hash)
            && !info.is_empty_code_hash()
            && let Some(code) = &info.code
        {
            self.view.memory().put_code(info.code_hash, code.clone());
        }
        let has_written = self.slots(address, hash, storage, is_created);
        if has_written && !is_changed {
            self.view.owners.entry(address).or_insert(seen);
        }
    }

    /// Publishes slots of an account. Returns whether any was changed.
    fn slots(&mut self, address: Address, account: u64, storage: &EvmStorage, is_created: bool) -> bool {
        let is_from_base = !is_created && !self.view.may_be_cleared(account);
        let mut has_written = false;
        #[expect(clippy::iter_over_hash_type, reason = "slots are independent of each other")]
        for (&slot, value) in storage {
            if value.is_changed() {
                self.slot(address, account, slot, value.present_value, is_from_base);
                has_written = true;
            }
        }
        has_written
    }

    fn slot(&mut self, address: Address, account: u64, slot: U256, value: U256, is_from_base: bool) {
        let hash = slot_hash(account, &slot);
        let certainty = certainty(is_from_base && !self.view.may_be_written(hash));
        let write = SlotWrite { address, slot, hash, value, certainty };
        self.view.memory().put_slot(self.version, &write, Standing::Final);
        self.view.note_write(hash, self.hashes);
    }
}
