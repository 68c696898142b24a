//! Contracts that stay in revm's journal from one transaction of a run to the next.
//!
//! Neighbours mostly call the same contracts. What a run's transactions leave is written by one worker, one after the
//! other, and nobody else writes between them; so what the journal holds of a contract after one of them is what the next would
//! read. A contract that stays need not be looked up, nor its code, nor its slots. revm tells by its own number of the
//! transaction what this one has loaded: an account or a slot of an earlier one counts as cold, and its value as the
//! original one.
//!
//! Only plain contracts stay: none that was created, destroyed or marked (EIP-7610), no account that borrows its code, as
//! that may be a sender whose nonce is guessed, and not the fee recipient, who earns in between. Who begins a run, or executes
//! where others have written in between, forgets them ([`Worker::forget`](super::worker::Worker::forget)).

use alloy_primitives::Address;
use revm::state::{Account, AccountStatus, EvmStorage, TransactionId};

use crate::overlay::account_state;

/// Contracts that stay: each is passed over by every later transaction of the run that does not call it.
const MAX_KEPT: usize = 8;
/// Slots that stay with a contract, for the same reason.
const MAX_SLOTS: usize = 8;
/// Slots for which a table has room that is used again.
const MAX_ROOM: usize = 56;

/// Decides, account by account, what stays when a transaction is over.
#[derive(Debug)]
pub(crate) struct Keeping {
    beneficiary: Address,
    /// revm's number of the transaction.
    transaction: TransactionId,
    left: usize,
}

impl Keeping {
    /// What stays after a transaction. `next` is the number that revm gives to the one after it; `keeps`: whether anything may
    /// stay.
    pub(crate) fn after(next: TransactionId, beneficiary: Address, keeps: bool) -> Self {
        let transaction = next.get().checked_sub(1).and_then(TransactionId::new).unwrap_or_default();
        Self { beneficiary, transaction, left: if keeps { MAX_KEPT } else { 0 } }
    }

    /// revm's number of the transaction: it is that of what the transaction loaded.
    pub(crate) const fn transaction(&self) -> TransactionId {
        self.transaction
    }

    /// Whether the transaction has loaded an account. If not, it stays as it is.
    pub(crate) fn has_loaded(&mut self, account: &Account) -> bool {
        let has_loaded = account.transaction_id == self.transaction;
        if !has_loaded {
            self.left = self.left.saturating_sub(1);
        }
        has_loaded
    }

    /// Whether an account stays, whose part in the transaction is noted; if so, it is made ready for the next.
    pub(crate) fn keep(&mut self, address: &Address, account: &mut Account) -> bool {
        const SPECIAL: AccountStatus =
            AccountStatus::Created.union(AccountStatus::SelfDestructed).union(AccountStatus::LoadedAsNotExisting);
        let is_contract = account.info.code.as_ref().is_some_and(|code| !code.is_empty() && !code.is_eip7702());
        let is_plain = !account.status.intersects(SPECIAL) && account.info.account_id.is_none();
        if self.left == 0 || !is_contract || !is_plain || *address == self.beneficiary || has_strayed(account) {
            return false;
        }
        self.left -= 1;
        account.unmark_touch();
        keep_slots(&mut account.storage);
        true
    }
}

/// Whether the journal holds of an account what the transaction did not leave: revm takes the value of a payment that overflows
/// its recipient from the payer for good, and relies on that nobody looks at accounts that are not touched.
fn has_strayed(account: &mut Account) -> bool {
    !account.is_touched() && account_state(&account.info) != account_state(account.original_info_mut())
}

/// Keeps slots, if there are few, with the values that they have now.
fn keep_slots(slots: &mut EvmStorage) {
    if slots.capacity() > MAX_ROOM {
        *slots = EvmStorage::default();
    } else if slots.len() > MAX_SLOTS {
        slots.clear();
    }
    #[expect(clippy::iter_over_hash_type, reason = "slots are independent of each other")]
    for slot in slots.values_mut() {
        slot.original_value = slot.present_value;
    }
}
