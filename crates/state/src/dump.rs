//! The whole state by names instead of hashes.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use alloy_trie::KECCAK_EMPTY;
use braid_types::{AccountChange, StateChanges};

use crate::{error::StoreError, flat::Flat, state::State};

/// Every account and slot of `state` whose name the flat store remembers, and all code.
pub(crate) fn dump(flat: &Flat, state: &State) -> Result<StateChanges, StoreError> {
    let mut leaves = Vec::new();
    state.for_each(|key, account, slots| leaves.push((key, account, slots.collect::<Vec<_>>())));
    let mut dump = StateChanges::default();
    for (key, account, slots) in leaves {
        let Some(address) = preimage(flat, &key)?.and_then(|name| Address::try_from(&*name).ok()) else { continue };
        if account.code_hash != KECCAK_EMPTY {
            dump.codes.insert(account.code_hash, state.code(account.code_hash)?);
        }
        let storage = named_slots(flat, slots)?;
        dump.accounts.insert(address, AccountChange { account: Some(account), storage_cleared: false, storage });
    }
    Ok(dump)
}

fn named_slots(flat: &Flat, slots: Vec<(B256, U256)>) -> Result<BTreeMap<U256, U256>, StoreError> {
    let mut named = BTreeMap::new();
    for (key, value) in slots {
        if let Some(slot) = preimage(flat, &key)?.and_then(|name| U256::try_from_be_slice(&name)) {
            named.insert(slot, value);
        }
    }
    Ok(named)
}

fn preimage(flat: &Flat, hash: &B256) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(flat.preimage.get(hash)?.map(|name| name.to_vec()))
}
