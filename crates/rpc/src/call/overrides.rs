//! Accounts and block fields that hold for one call only.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256, map::B256HashMap};
use alloy_rpc_types_eth::{
    BlockOverrides,
    state::{AccountOverride, StateOverride},
};
use braid_types::{StateChanges, changes::AccountChange};
use revm::{
    DatabaseRef,
    bytecode::Bytecode,
    context::BlockEnv,
    context_interface::block::BlobExcessGasAndPrice,
    database::CacheDB,
    state::{AccountInfo, EvmState},
};

use super::precompiles::CallPrecompiles;
use crate::error::RpcError;

/// What `overrides` change in `state`, and in the precompiles, which are changed at once.
///
/// Addresses are taken in order, so that what overrides say does not depend on how a map hashes.
pub(crate) fn state_changes<D: DatabaseRef<Error: std::fmt::Display>>(
    overrides: &StateOverride,
    state: &D,
    precompiles: &mut CallPrecompiles,
) -> Result<StateChanges, RpcError> {
    let ordered: BTreeMap<&Address, &AccountOverride> = overrides.iter().collect();
    let mut changes = StateChanges::default();
    let mut moved_to = Vec::new();
    for (&address, account) in ordered {
        if moved_to.contains(&address) {
            return Err(RpcError::server(format!("account {address} has already been overridden by a precompile")));
        }
        moved_to.extend(move_precompile(address, account, overrides, precompiles)?);
        let change = account_change(address, account, state, &mut changes)?;
        changes.accounts.insert(address, change);
    }
    Ok(changes)
}

/// Switches off the precompile at an overridden address, and moves it if asked; returns where to.
fn move_precompile(
    address: Address,
    account: &AccountOverride,
    overrides: &StateOverride,
    precompiles: &mut CallPrecompiles,
) -> Result<Option<Address>, RpcError> {
    let Some(target) = account.move_precompile_to else {
        precompiles.remove(address);
        return Ok(None);
    };
    if !precompiles.contains(address) {
        return Err(RpcError::server(format!("account {address:?} is not a precompile")));
    }
    if overrides.contains_key(&target) {
        return Err(RpcError::server(format!("account {target:?} is already overridden")));
    }
    if let Some(origin) = precompiles.remove(address) {
        precompiles.place(origin, target);
    }
    Ok(Some(target))
}

fn account_change<D: DatabaseRef<Error: std::fmt::Display>>(
    address: Address,
    account: &AccountOverride,
    state: &D,
    changes: &mut StateChanges,
) -> Result<AccountChange, RpcError> {
    if account.state.is_some() && account.state_diff.is_some() {
        return Err(RpcError::server(format!("account {address:?} has both 'state' and 'stateDiff'")));
    }
    let info = state.basic_ref(address).map_err(|error| RpcError::internal(error.to_string()))?;
    let mut now = info.as_ref().map(account_state);
    if let Some(nonce) = account.nonce {
        now.get_or_insert_default().nonce = nonce;
    }
    if let Some(code) = &account.code {
        let code_hash = keccak256(code);
        if !code.is_empty() {
            changes.codes.insert(code_hash, code.clone());
        }
        now.get_or_insert_default().code_hash = code_hash;
    }
    if let Some(balance) = account.balance {
        now.get_or_insert_default().balance = balance;
    }
    let slots = account.state.as_ref().or(account.state_diff.as_ref());
    if slots.is_some_and(|slots| !slots.is_empty()) {
        now.get_or_insert_default();
    }
    let storage = slots.map(words).unwrap_or_default();
    Ok(AccountChange { account: now, storage_cleared: account.state.is_some(), storage })
}

fn words(slots: &B256HashMap<B256>) -> BTreeMap<U256, U256> {
    slots.iter().map(|(slot, value)| ((*slot).into(), (*value).into())).collect()
}

fn account_state(info: &AccountInfo) -> braid_types::changes::AccountState {
    braid_types::changes::AccountState { nonce: info.nonce, balance: info.balance, code_hash: info.code_hash }
}

/// Applies changes to what the EVM reads.
pub(crate) fn apply<D: DatabaseRef>(changes: &StateChanges, db: &mut CacheDB<D>) -> Result<(), D::Error> {
    for (hash, code) in &changes.codes {
        db.cache.contracts.insert(*hash, bytecode(code));
    }
    for (&address, change) in &changes.accounts {
        let Some(now) = change.account else {
            let gone = db.load_account(address)?;
            *gone = revm::database::DbAccount::new_not_existing();
            continue;
        };
        let was_absent = db.load_account(address)?.info().is_none();
        let info = AccountInfo { balance: now.balance, nonce: now.nonce, ..AccountInfo::default() };
        let info = AccountInfo { code_hash: now.code_hash, ..info }.without_code();
        db.insert_account_info(address, info);
        let slots = change.storage.iter().map(|(slot, value)| (*slot, *value));
        if change.storage_cleared || was_absent {
            db.replace_account_storage(address, slots.collect())?;
        } else {
            db.load_account(address)?.storage.extend(slots);
        }
    }
    Ok(())
}

/// Code as the EVM runs it. Clients may name bytes that look like an EIP-7702 delegation and are none; those run as they are.
fn bytecode(code: &Bytes) -> Bytecode {
    Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code.clone()))
}

/// What a transaction's journal changed, in absolute values. `removes_empty`: touched empty accounts cease to exist
/// (EIP-161).
pub(crate) fn journal_changes(journal: &EvmState, removes_empty: bool) -> StateChanges {
    let touched = journal.iter().filter(|(_, account)| account.is_touched());
    let ordered: BTreeMap<_, _> = touched.collect();
    let mut changes = StateChanges::default();
    for (address, account) in ordered {
        let is_removed = account.is_selfdestructed() || (removes_empty && account.is_empty());
        let mut change = AccountChange { storage_cleared: is_removed || account.is_created(), ..Default::default() };
        if !is_removed {
            change.account = Some(account_state(&account.info));
            let written = account.storage.iter().filter(|(_, value)| value.is_changed());
            change.storage = written.map(|(slot, value)| (*slot, value.present_value)).collect();
            if let Some(code) = account.info.code.as_ref().filter(|code| !code.is_empty()) {
                changes.codes.insert(account.info.code_hash, code.original_bytes());
            }
        }
        changes.accounts.insert(*address, change);
    }
    changes
}

/// Overrides fields of a block as the EVM sees it.
pub(crate) fn apply_block(overrides: &BlockOverrides, block: &mut BlockEnv) -> Result<(), RpcError> {
    if overrides.beacon_root.is_some() {
        return Err(RpcError::server("block override \"beaconRoot\" is not supported for this RPC method"));
    }
    block.number = overrides.number.unwrap_or(block.number);
    block.timestamp = overrides.time.map_or(block.timestamp, U256::from);
    block.gas_limit = overrides.gas_limit.unwrap_or(block.gas_limit);
    block.beneficiary = overrides.coinbase.unwrap_or(block.beneficiary);
    block.difficulty = overrides.difficulty.unwrap_or(block.difficulty);
    block.prevrandao = overrides.random.or(block.prevrandao);
    if let Some(base_fee) = overrides.base_fee {
        block.basefee = u64::try_from(base_fee).map_err(|_| too_large("baseFeePerGas"))?;
    }
    if let Some(fee) = overrides.blob_base_fee {
        set_blob_base_fee(block, u128::try_from(fee).map_err(|_| too_large("blobBaseFee"))?);
    }
    Ok(())
}

/// Sets the price of blob gas.
pub(crate) fn set_blob_base_fee(block: &mut BlockEnv, blob_gasprice: u128) {
    let excess_blob_gas = block.blob_excess_gas_and_price.map_or(0, |fee| fee.excess_blob_gas);
    block.blob_excess_gas_and_price = Some(BlobExcessGasAndPrice { excess_blob_gas, blob_gasprice });
}

/// A number in an override that no chain can have.
pub(crate) fn too_large(field: &str) -> RpcError {
    RpcError::invalid_params(format!("block override \"{field}\" is too large"))
}
