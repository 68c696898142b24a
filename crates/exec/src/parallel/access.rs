//! What a transaction read and wrote, in the form in which it is compared, patched and published.
//!
//! revm's journal holds every account and slot that a transaction loaded, also in frames that were reverted, each with the value it
//! had before. An account is three things here: its code, which must be the same at commit; its nonce, which must be
//! the same if the transaction could have noticed; and its balance, which mostly is only passed on: then the transaction
//! is an addition or a subtraction with a least balance below which it would have gone another way.

use std::ops::Range;

use alloy_primitives::{Address, B256, U256};
use braid_types::changes::AccountState;
use revm::{
    bytecode::Bytecode,
    primitives::KECCAK_EMPTY,
    state::{Account, AccountInfo, EvmState, TransactionId},
};

use crate::{
    overlay::account_state,
    symbolic::{LogPatch, TrackedSlot, Tracker},
};

use super::{
    kept::Keeping,
    memory::{AccountWrite, Certainty, SlotWrite, Standing, Version, account_hash, clear_hash, slot_hash},
    view::{View, short},
};

/// An account that a transaction loaded.
#[derive(Clone, Debug)]
pub(crate) struct AccountAccess {
    pub(crate) address: Address,
    pub(crate) hash: u64,
    /// What was there.
    pub(crate) seen: Option<AccountState>,
    /// Whether `seen` is what the base state says.
    pub(crate) is_from_base: bool,
    /// What the transaction left, if it changed anything.
    pub(crate) after: Option<AfterAccount>,
    /// Whether `seen` holds a nonce that was expected but not there.
    pub(crate) is_guessed: bool,
    /// Whether the transaction destroyed it: then what it earns as fee recipient is lost.
    pub(crate) is_destroyed: bool,
    /// Whether another nonce could have made a difference.
    pub(crate) needs_nonce: bool,
    /// Whether another balance could have made a difference, even one above `least_balance`.
    pub(crate) needs_balance: bool,
    /// The least balance before the transaction with which all would have gone the same way.
    pub(crate) least_balance: U256,
}

/// What a transaction left of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AfterAccount {
    pub(crate) state: Option<AccountState>,
    pub(crate) clears_storage: bool,
}

/// A slot that a transaction loaded.
#[derive(Clone, Debug)]
pub(crate) struct SlotAccess {
    pub(crate) address: Address,
    pub(crate) slot: U256,
    pub(crate) hash: u64,
    pub(crate) seen: U256,
    pub(crate) is_from_base: bool,
    /// The value written, if it differs from the one seen.
    pub(crate) after: Option<U256>,
    /// Where it stands in the list of tracked slots, if it was tracked.
    pub(crate) tracked: Option<usize>,
}

/// Accounts, slots and code of one or several transactions, in flat lists that are used again.
#[derive(Debug, Default)]
pub(crate) struct Accesses {
    pub(crate) accounts: Vec<AccountAccess>,
    pub(crate) slots: Vec<SlotAccess>,
    pub(crate) codes: Vec<(B256, Bytecode)>,
    pub(crate) tracked: Vec<TrackedSlot>,
    pub(crate) log_patches: Vec<LogPatch>,
    /// Hashes of all accounts and slots, close together: mostly these alone are looked at.
    pub(crate) hashes: Vec<u32>,
}

/// One transaction's part of the lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccessRange {
    pub(crate) accounts: Range<usize>,
    pub(crate) slots: Range<usize>,
    pub(crate) codes: Range<usize>,
    /// `slot` of a patch counts from the start of the transaction's tracked slots.
    pub(crate) tracked: Range<usize>,
    pub(crate) log_patches: Range<usize>,
    pub(crate) hashes: Range<usize>,
    /// Whether its accounts are to be looked at in any case: a nonce was guessed, or the fee recipient is among them.
    pub(crate) is_special: bool,
}

/// What of a transaction decides how its accounts are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    pub(crate) address: Address,
    /// The most it may spend, which is checked first.
    pub(crate) upfront: U256,
    /// Whether any nonce may matter: creations, and EIP-7702 authorizations.
    pub(crate) needs_nonces: bool,
    /// Whether there are EIP-7702 authorizations, which ask for nonces of whatever accounts.
    pub(crate) has_authorizations: bool,
}

/// How a transaction's part of the journal is taken over.
#[derive(Debug)]
pub(crate) struct Taking<'t> {
    pub(crate) sender: Sender,
    /// Whether empty accounts that were touched go (EIP-161).
    pub(crate) removes_empty: bool,
    pub(crate) keeping: Keeping,
    pub(crate) tracker: &'t Tracker,
}

/// Where an account has more, 2^128 wei, no balance of the transaction is treated as a sum: what the rest can pay to one account, all
/// of them together, never makes an addition overflow.
const LARGEST_SUMMED: U256 = U256::from_limbs([0, 0, 1, 0]);

/// Where a nonce is higher, it is not treated as a count: what one transaction adds never reaches the highest nonce
/// (EIP-2681).
const LARGEST_COUNTED: u64 = 1 << 62;

impl Accesses {
    /// Makes room for so many transactions of the usual size.
    pub(crate) fn reserve(&mut self, transactions: usize) {
        self.accounts.reserve(3 * transactions);
        self.slots.reserve(3 * transactions);
        self.hashes.reserve(6 * transactions);
    }

    /// Empties the lists; their memory serves the next run.
    pub(crate) fn clear(&mut self) {
        self.accounts.clear();
        self.slots.clear();
        self.codes.clear();
        self.tracked.clear();
        self.log_patches.clear();
        self.hashes.clear();
    }

    /// Takes over what a transaction did from a journal, but for what stays there.
    pub(crate) fn take<S: revm::DatabaseRef>(
        &mut self,
        journal: &mut EvmState,
        view: &mut View<'_, S>,
        taking: Taking<'_>,
    ) -> AccessRange {
        let Taking { sender, removes_empty, mut keeping, tracker } = taking;
        let start = (self.accounts.len(), self.slots.len(), self.codes.len());
        let (tracked, log_patches, hashes) = (self.tracked.len(), self.log_patches.len(), self.hashes.len());
        self.tracked.extend_from_slice(tracker.slots());
        self.log_patches.extend_from_slice(tracker.log_patches());
        journal.retain(|&address, account| {
            if !keeping.has_loaded(account) {
                return true;
            }
            self.take_account(address, account, view, &sender, removes_empty, (tracked, keeping.transaction()));
            keeping.keep(&address, account)
        });
        let accounts = &mut self.accounts[start.0..];
        let is_large = |access: &AccountAccess| access.seen.is_some_and(|seen| seen.balance > LARGEST_SUMMED);
        if accounts.iter().any(is_large) {
            accounts.iter_mut().for_each(|access| access.needs_balance = true);
        }
        let is_special = accounts.iter().any(|access| access.is_guessed || view.is_beneficiary(&access.address));
        self.hashes.extend(accounts.iter().map(|access| short(access.hash)));
        self.hashes.extend(self.slots[start.1..].iter().map(|access| short(access.hash)));
        AccessRange {
            accounts: start.0..self.accounts.len(),
            slots: start.1..self.slots.len(),
            codes: start.2..self.codes.len(),
            tracked: tracked..self.tracked.len(),
            log_patches: log_patches..self.log_patches.len(),
            hashes: hashes..self.hashes.len(),
            is_special,
        }
    }

    fn take_account<S: revm::DatabaseRef>(
        &mut self,
        address: Address,
        account: &mut Account,
        view: &mut View<'_, S>,
        sender: &Sender,
        removes_empty: bool,
        (first_tracked, transaction): (usize, TransactionId),
    ) {
        let hash = account_hash(&address);
        let seen = seen(account);
        // The fee recipient is touched in any case, when it is paid.
        let is_touched = account.is_touched() || view.is_beneficiary(&address);
        let is_created = account.is_created();
        let is_removed = is_removed(account, removes_empty && !view.is_beneficiary(&address));
        let left = if is_touched { (!is_removed).then(|| account_state(&account.info)) } else { seen };
        let clears_storage = is_touched && (is_removed || is_created) && seen.is_some();
        let is_changed = left != seen || clears_storage;
        let is_sender = address == sender.address;
        let is_guessed = is_sender && view.has_guessed_nonce;
        let mut access = AccountAccess {
            address,
            hash,
            seen,
            is_from_base: !is_guessed && !view.may_be_written(hash),
            is_guessed,
            after: is_changed.then_some(AfterAccount { state: left, clears_storage }),
            is_destroyed: is_touched && account.is_selfdestructed(),
            needs_nonce: is_sender
                || is_created
                || sender.needs_nonces
                || left.map(|left| left.nonce) != seen.map(|seen| seen.nonce),
            needs_balance: is_created || account.is_selfdestructed(),
            least_balance: if is_sender { sender.upfront } else { U256::ZERO },
        };
        if let Some(observed) = view.observed.get(&address) {
            access.needs_balance |= observed.is_exact;
            access.least_balance = access.least_balance.max(observed.least);
            // Who names contracts by salts alone does not learn its nonce, it only adds to it. It must have had code: an
            // account without may also be where a creation aims at.
            let is_counter = observed.names_by_salt && !observed.names_by_nonce && !sender.has_authorizations;
            let had_code = seen.is_some_and(|seen| seen.code_hash != KECCAK_EMPTY && seen.nonce <= LARGEST_COUNTED);
            if is_counter && had_code && !is_sender && !is_created {
                access.needs_nonce = false;
            }
        }
        self.accounts.push(access);
        if !is_removed {
            self.take_code(seen, &account.info);
        }
        let is_from_base = !is_created && !view.may_be_cleared(hash);
        let before = self.slots.len();
        for (&slot, value) in account.storage.iter().filter(|(_, value)| value.transaction_id == transaction) {
            let slot_hash = slot_hash(hash, &slot);
            let is_written = is_touched && !is_removed && value.is_changed();
            self.slots.push(SlotAccess {
                address,
                slot,
                hash: slot_hash,
                seen: value.original_value,
                is_from_base: is_from_base && !view.may_be_written(slot_hash),
                after: is_written.then_some(value.present_value),
                tracked: self.find_tracked(first_tracked, &address, &slot),
            });
        }
        let may_be_written = |slot: &SlotAccess| slot.after.is_some() || slot.tracked.is_some();
        if !is_changed && self.slots[before..].iter().any(may_be_written) {
            view.owners.entry(address).or_insert(seen);
        }
    }

    fn find_tracked(&self, first: usize, address: &Address, slot: &U256) -> Option<usize> {
        let is_it = |tracked: &TrackedSlot| tracked.slot() == *slot && tracked.address() == *address;
        self.tracked[first..].iter().position(is_it).map(|at| first + at)
    }

    /// Keeps code that was deployed.
    fn take_code(&mut self, seen: Option<AccountState>, info: &AccountInfo) {
        if info.code_hash != seen.map_or(KECCAK_EMPTY, |seen| seen.code_hash)
            && !info.is_empty_code_hash()
            && let Some(code) = &info.code
        {
            self.codes.push((info.code_hash, code.clone()));
        }
    }
}

impl AccountAccess {
    /// Whether the transaction would have gone the same way with `now` in place of what it saw.
    pub(crate) fn admits(&self, now: Option<AccountState>) -> bool {
        let (Some(seen), Some(now)) = (self.seen, now) else { return self.seen == now };
        seen.code_hash == now.code_hash
            && (seen.nonce == now.nonce || (!self.needs_nonce && now.nonce <= LARGEST_COUNTED))
            && is_empty(&seen) == is_empty(&now)
            && (seen.balance == now.balance
                || (!self.needs_balance && now.balance >= self.least_balance && now.balance <= LARGEST_SUMMED))
    }

    /// What the transaction leaves if it finds `now`, which it [admits](Self::admits).
    pub(crate) fn patched(&self, now: Option<AccountState>) -> Option<AfterAccount> {
        let after = self.after?;
        let (Some(left), Some(seen), Some(now)) = (after.state, self.seen, now) else { return Some(after) };
        let balance = now.balance.wrapping_add(left.balance).wrapping_sub(seen.balance);
        let nonce = now.nonce.wrapping_add(left.nonce).wrapping_sub(seen.nonce);
        Some(AfterAccount { state: Some(AccountState { nonce, balance, code_hash: left.code_hash }), ..after })
    }

    pub(crate) fn write(&self, after: AfterAccount) -> AccountWrite {
        AccountWrite {
            address: self.address,
            hash: self.hash,
            state: after.state,
            clears_storage: after.clears_storage,
            certainty: certainty(self.is_from_base && after.state != self.seen),
        }
    }
}

impl SlotAccess {
    pub(crate) fn write(&self, value: U256) -> SlotWrite {
        let certainty = certainty(self.is_from_base && value != self.seen);
        SlotWrite { address: self.address, slot: self.slot, hash: self.hash, value, certainty }
    }
}

pub(crate) const fn certainty(differs_from_base: bool) -> Certainty {
    if differs_from_base { Certainty::Differs } else { Certainty::Unknown }
}

/// Publishes what one transaction wrote as `version`, and adds the hashes of what it touched to `hashes`.
pub(crate) fn publish<S: revm::DatabaseRef>(
    accesses: &Accesses,
    range: &AccessRange,
    version: Version,
    beneficiary: Address,
    view: &mut View<'_, S>,
    hashes: &mut Vec<u32>,
) {
    let memory = view.memory();
    for (hash, code) in &accesses.codes[range.codes.clone()] {
        memory.put_code(*hash, code.clone());
    }
    for access in &accesses.accounts[range.accounts.clone()] {
        let Some(after) = access.after else { continue };
        // Of the fee recipient, whose state the commit keeps, only the loss of its storage is to be known.
        if access.address == beneficiary && !after.clears_storage {
            continue;
        }
        memory.put_account(version, &access.write(after), Standing::Guess);
        view.note_write(access.hash, hashes);
        if after.clears_storage {
            view.note_write(clear_hash(access.hash), hashes);
        }
    }
    for access in &accesses.slots[range.slots.clone()] {
        let Some(value) = access.after else { continue };
        memory.put_slot(version, &access.write(value), Standing::Guess);
        view.note_write(access.hash, hashes);
    }
}

/// Takes back what [`publish`] published, and adds the hashes of what it touched to `hashes`.
pub(crate) fn withdraw<S: revm::DatabaseRef>(
    accesses: &Accesses,
    range: &AccessRange,
    version: Version,
    view: &View<'_, S>,
    hashes: &mut Vec<u32>,
) {
    let memory = view.memory();
    for access in &accesses.accounts[range.accounts.clone()] {
        let Some(after) = access.after else { continue };
        memory.withdraw_account(version, &access.address, access.hash);
        hashes.push(short(access.hash));
        if after.clears_storage {
            hashes.push(short(clear_hash(access.hash)));
        }
    }
    for access in &accesses.slots[range.slots.clone()] {
        if access.after.is_some() {
            memory.withdraw_slot(version, &access.address, &access.slot, access.hash);
            hashes.push(short(access.hash));
        }
    }
}

/// Whether a transaction removes an account. `removes_empty`: whether one that was touched and is empty goes (EIP-161).
/// The fee recipient does not: it is not paid yet, and whoever pays it decides.
pub(crate) fn is_removed(account: &Account, removes_empty: bool) -> bool {
    account.is_touched() && (account.is_selfdestructed() || (removes_empty && account.is_empty()))
}

/// What a transaction found of an account.
pub(crate) fn seen(account: &mut Account) -> Option<AccountState> {
    // To be asked for what can be changed costs no copy.
    (!account.is_loaded_as_not_existing()).then(|| account_state(account.original_info_mut()))
}

fn is_empty(state: &AccountState) -> bool {
    *state == AccountState::default()
}
