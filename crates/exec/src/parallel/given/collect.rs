//! What a block changed, out of the last values in its access list and the base state.

use std::collections::BTreeMap;

use alloy_eips::eip7928::{AccountChanges, BlockAccessIndex, BlockAccessList};
use alloy_primitives::{Address, B256, Bytes, U256};
use braid_types::changes::AccountState;
use revm::{DatabaseRef, primitives::KECCAK_EMPTY};

use super::check::{Refused, refused};
use crate::{
    access_list::GivenState,
    changes::{ChangedAccount, Changes},
    overlay::account_state,
};

/// What some accounts of the list changed.
#[derive(Debug, Default)]
pub(super) struct Collected {
    changes: Changes,
    /// Copies of parts of the list, with the number of the first account.
    parts: Vec<(usize, BlockAccessList)>,
}

impl Collected {
    /// Adds accounts of a list, the first of which has a number.
    pub(super) fn add<S: DatabaseRef>(
        &mut self,
        state: &S,
        given: &GivenState<'_>,
        first: usize,
        accounts: &[AccountChanges],
    ) -> Result<(), S::Error> {
        for (number, account) in (first..).zip(accounts) {
            add(&mut self.changes, state, given, number, account)?;
        }
        self.parts.push((first, accounts.to_vec()));
        Ok(())
    }
}

/// Adds what one account changed.
fn add<S: DatabaseRef>(
    changes: &mut Changes,
    state: &S,
    given: &GivenState<'_>,
    number: usize,
    listed: &AccountChanges,
) -> Result<(), S::Error> {
    let has_fields =
        !(listed.balance_changes.is_empty() && listed.nonce_changes.is_empty() && listed.code_changes.is_empty());
    if !has_fields && listed.storage_changes.is_empty() {
        return Ok(());
    }
    let address = listed.address;
    let (base, account) = ends(state, given, number, address)?;
    let slots = changes.slots.len();
    for slot in &listed.storage_changes {
        let Some(last) = slot.changes.last() else { continue };
        // A change is listed only if it makes a difference.
        if slot.changes.len() == 1 || state.storage_ref(address, slot.slot)? != last.new_value {
            changes.slots.push((address, slot.slot, last.new_value));
        }
    }
    if account != base {
        changes.accounts.push(ChangedAccount { address, account, storage_cleared: false });
    } else if changes.slots.len() > slots {
        changes.owners.insert(address, account);
    }
    if let Some((hash, code)) = new_code(listed, base, account) {
        changes.codes.insert(hash, code);
    }
    Ok(())
}

/// An account before the block and after it.
fn ends<S: DatabaseRef>(
    state: &S,
    given: &GivenState<'_>,
    number: usize,
    address: Address,
) -> Result<(Option<AccountState>, Option<AccountState>), S::Error> {
    let base = state.basic_ref(address)?;
    let before = base.as_ref().map(account_state);
    let after = given.account_at(number, BlockAccessIndex::new(u64::MAX)).over(base);
    Ok((before, after.as_ref().map(account_state)))
}

/// The code of an account, if it was deployed in this block.
fn new_code(
    listed: &AccountChanges,
    base: Option<AccountState>,
    account: Option<AccountState>,
) -> Option<(B256, Bytes)> {
    let hash = account?.code_hash;
    let code = &listed.code_changes.last()?.new_code;
    let is_old = base.is_some_and(|base| base.code_hash == hash);
    (hash != KECCAK_EMPTY && !is_old).then(|| (hash, code.clone()))
}

/// The changes that threads collected, and the list that they copied.
pub(super) fn join(parts: Vec<Collected>) -> (Changes, BlockAccessList) {
    let (mut all, mut copies) = (Changes::default(), Vec::new());
    for Collected { changes, parts } in parts {
        all.accounts.extend(changes.accounts);
        all.slots.extend(changes.slots);
        all.owners.extend(changes.owners);
        all.codes.extend(changes.codes);
        copies.extend(parts);
    }
    copies.sort_unstable_by_key(|(first, _)| *first);
    let list = copies.into_iter().flat_map(|(_, part)| part).collect();
    (all, list)
}

/// Notes accounts that lost their storage: those that were created or removed. Neither has storage since Cancun, but for
/// accounts of old that have nothing else: for blocks that meet these, a list does not tell enough.
pub(super) fn note_cleared<S: DatabaseRef>(
    changes: &mut Changes,
    cleared: &[Address],
    state: &S,
    list: &[AccountChanges],
    given: &GivenState<'_>,
) -> Result<(), Refused> {
    let mut lost = BTreeMap::new();
    for &address in cleared {
        let Some(base) = state.basic_ref(address).map_err(refused)? else { continue };
        let number = given.account_number(&address).ok_or(Refused)?;
        if base.account_id.is_some() || has_storage(state, &list[number]).map_err(refused)? {
            return Err(Refused);
        }
        lost.insert(address, number);
    }
    if lost.is_empty() {
        return Ok(());
    }
    for changed in &mut changes.accounts {
        changed.storage_cleared = lost.remove(&changed.address).is_some();
    }
    for (address, number) in lost {
        let (_, account) = ends(state, given, number, address).map_err(refused)?;
        let account = account.filter(|account| *account != AccountState::default());
        changes.owners.remove(&address);
        changes.accounts.push(ChangedAccount { address, account, storage_cleared: true });
    }
    Ok(())
}

/// Whether the base state has something in the listed slots of an account.
fn has_storage<S: DatabaseRef>(state: &S, listed: &AccountChanges) -> Result<bool, S::Error> {
    for slot in listed.storage_slots() {
        if state.storage_ref(listed.address, slot)? != U256::ZERO {
            return Ok(true);
        }
    }
    Ok(false)
}
