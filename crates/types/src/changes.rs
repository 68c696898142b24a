//! What executing a block leaves behind, in absolute values.
//!
//! Maps are ordered, so that two equal sets of changes have one encoding and one iteration order.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256};

/// All state that a block (or a transaction) changed, as the values that hold afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateChanges {
    /// Changed accounts by address.
    pub accounts: BTreeMap<Address, AccountChange>,
    /// Byte code that became known, by its hash.
    pub codes: BTreeMap<B256, Bytes>,
}

/// The change of one account.
///
/// Order of application: if `storage_cleared`, every slot is removed; then `storage` is written (a zero value
/// removes the slot); then nonce, balance and code hash are set, or the account is removed if `account` is `None`
/// (which removes its storage too).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// The account afterwards; `None`: it does not exist.
    pub account: Option<AccountState>,
    /// Whether the storage the account had before was removed first (self-destruct, re-creation).
    pub storage_cleared: bool,
    /// Changed slots with their values afterwards; zero means removed.
    pub storage: BTreeMap<U256, U256>,
}

/// Nonce, balance and code hash of an account. Storage is apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// Number of transactions sent, or of contracts created.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// Keccak-256 of the code; [`alloy_trie::KECCAK_EMPTY`] without code.
    pub code_hash: B256,
}

impl Default for AccountState {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, code_hash: alloy_trie::KECCAK_EMPTY }
    }
}

impl StateChanges {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.codes.is_empty()
    }

    /// Adds `later`, which happened after `self`; afterwards `self` describes both.
    pub fn extend(&mut self, later: Self) {
        self.codes.extend(later.codes);
        for (address, change) in later.accounts {
            self.accounts.entry(address).or_default().extend(change);
        }
    }
}

impl AccountChange {
    fn extend(&mut self, later: Self) {
        if later.storage_cleared || later.account.is_none() {
            self.storage.clear();
            self.storage_cleared = true;
        }
        self.storage.extend(later.storage);
        self.account = later.account;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Address = Address::ZERO;

    fn change(account: Option<AccountState>, storage_cleared: bool, slots: &[(u64, u64)]) -> StateChanges {
        let storage = slots.iter().map(|&(slot, value)| (U256::from(slot), U256::from(value))).collect();
        let accounts = [(ADDRESS, AccountChange { account, storage_cleared, storage })].into();
        StateChanges { accounts, ..StateChanges::default() }
    }

    fn sum(changes: &[StateChanges]) -> StateChanges {
        let mut sum = StateChanges::default();
        for later in changes {
            sum.extend(later.clone());
        }
        sum
    }

    #[test]
    fn later_values_win() {
        let (old, new) = (AccountState::default(), AccountState { nonce: 1, ..AccountState::default() });
        let both = sum(&[change(Some(old), false, &[(1, 1), (2, 2)]), change(Some(new), false, &[(2, 0), (3, 3)])]);
        assert_eq!(both, change(Some(new), false, &[(1, 1), (2, 0), (3, 3)]));
    }

    #[test]
    fn clearing_forgets_slots_written_before_and_is_remembered() {
        let account = Some(AccountState::default());
        let recreated = sum(&[change(account, false, &[(1, 1)]), change(account, true, &[(2, 2)])]);
        assert_eq!(recreated, change(account, true, &[(2, 2)]));
        let written_again = sum(&[recreated, change(account, false, &[(3, 3)])]);
        assert_eq!(written_again, change(account, true, &[(2, 2), (3, 3)]));
    }

    #[test]
    fn removal_clears_what_a_later_creation_starts_from() {
        let account = Some(AccountState::default());
        let changes = [change(account, false, &[(1, 1)]), change(None, false, &[]), change(account, false, &[(2, 2)])];
        assert_eq!(sum(&changes), change(account, true, &[(2, 2)]));
    }
}
