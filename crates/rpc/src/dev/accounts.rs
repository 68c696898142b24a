//! Accounts changed without a transaction, senders impersonated, and transactions dropped from the pool.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rpc_types_eth::TransactionRequest;
use braid_types::{
    StateChanges,
    changes::{AccountChange, AccountState},
};
use jsonrpsee::core::RegisterMethodError;
use revm::bytecode::Bytecode;

use super::{
    argument::{Big, Number},
    offer, wake,
};
use crate::{
    accounts::prepare_unsigned,
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module},
    submit::Submission,
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    offer(module, &["anvil_setBalance", "evm_setAccountBalance"], 2, set_balance)?;
    offer(module, &["hardhat_setBalance"], 2, |context, arguments| set_balance(context, arguments).map(|()| true))?;
    offer(module, &["anvil_addBalance", "hardhat_addBalance"], 2, add_balance)?;
    offer(module, &["anvil_setCode", "evm_setAccountCode"], 2, set_code)?;
    offer(module, &["hardhat_setCode"], 2, |context, arguments| set_code(context, arguments).map(|()| true))?;
    let set_storage_names = ["anvil_setStorageAt", "hardhat_setStorageAt", "evm_setAccountStorageAt"];
    offer(module, &set_storage_names, 3, set_storage_at)?;
    offer(module, &["anvil_setNonce", "evm_setAccountNonce"], 2, set_nonce)?;
    offer(module, &["hardhat_setNonce"], 2, |context, arguments| set_nonce(context, arguments).map(|()| true))?;
    offer(module, &["anvil_impersonateAccount"], 1, impersonate)?;
    offer(module, &["hardhat_impersonateAccount"], 1, |context, arguments| {
        impersonate(context, arguments).map(|()| true)
    })?;
    offer(module, &["anvil_stopImpersonatingAccount"], 1, |context, arguments| {
        stop_impersonating(context, arguments).map(|_| ())
    })?;
    offer(module, &["hardhat_stopImpersonatingAccount"], 1, stop_impersonating)?;
    offer(module, &["anvil_autoImpersonateAccount", "hardhat_autoImpersonateAccount"], 1, auto_impersonate)?;
    offer(module, &["eth_sendUnsignedTransaction"], 1, send_unsigned)?;
    offer(module, &["anvil_dropTransaction"], 1, drop_transaction)?;
    offer(module, &["hardhat_dropTransaction"], 1, |context, arguments| {
        drop_transaction(context, arguments).map(|dropped| dropped.is_some())
    })?;
    offer(module, &["anvil_dropAllTransactions", "hardhat_dropAllTransactions"], 0, drop_all)?;
    offer(module, &["anvil_removePoolTransactions"], 1, drop_of_sender)
}

/// Replaces an account by what `change` makes of it; no block comes in between.
fn update(context: &RpcContext, address: Address, change: impl FnOnce(&mut AccountState)) -> Result<(), RpcError> {
    write(context, address, BTreeMap::new(), StateChanges::default(), change)
}

fn write(
    context: &RpcContext,
    address: Address,
    storage: BTreeMap<U256, U256>,
    mut changes: StateChanges,
    change: impl FnOnce(&mut AccountState),
) -> Result<(), RpcError> {
    context.chain.override_state_with(|state| {
        let mut account = state.account(address).unwrap_or_default();
        change(&mut account);
        let change = AccountChange { account: Some(account), storage_cleared: false, storage };
        changes.accounts.insert(address, change);
        changes
    })?;
    wake(context);
    Ok(())
}

fn set_balance(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    let (address, Big(balance)) = (arguments.required(0)?, arguments.required(1)?);
    update(context, address, |account| account.balance = balance)
}

fn add_balance(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    let (address, Big(amount)) = (arguments.required(0)?, arguments.required(1)?);
    update(context, address, |account| account.balance = account.balance.saturating_add(amount))
}

fn set_nonce(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    let (address, Number(nonce)) = (arguments.required(0)?, arguments.required(1)?);
    update(context, address, |account| account.nonce = nonce)
}

fn set_code(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    let (address, code): (Address, Bytes) = (arguments.required(0)?, arguments.required(1)?);
    let code_hash = keccak256(&code);
    let mut changes = StateChanges::default();
    if !code.is_empty() {
        check_code(&code)?;
        changes.codes.insert(code_hash, code);
    }
    write(context, address, BTreeMap::new(), changes, |account| account.code_hash = code_hash)
}

/// Refuses what begins like an EIP-7702 delegation and is none: no account can hold it, and the EVM cannot run it.
pub(super) fn check_code(code: &Bytes) -> Result<(), RpcError> {
    let wrong = |error| RpcError::invalid_params(format!("code cannot belong to an account: {error}"));
    Bytecode::new_raw_checked(code.clone()).map(|_| ()).map_err(wrong)
}

fn set_storage_at(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<bool, RpcError> {
    let (address, Big(slot), Big(value)) = (arguments.required(0)?, arguments.required(1)?, arguments.required(2)?);
    write(context, address, BTreeMap::from([(slot, value)]), StateChanges::default(), |_| {})?;
    Ok(true)
}

fn impersonate(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    context.impersonation.insert(arguments.required(0)?);
    Ok(())
}

fn stop_impersonating(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<bool, RpcError> {
    Ok(context.impersonation.remove(arguments.required(0)?))
}

fn auto_impersonate(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    context.impersonation.set_everyone(arguments.required(0)?);
    Ok(())
}

/// Sends a transaction as anyone, impersonated or not.
fn send_unsigned(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<B256, RpcError> {
    if !context.is_dev() {
        return Err(RpcError::method_not_found("eth_sendUnsignedTransaction"));
    }
    let request: TransactionRequest = arguments.required(0)?;
    let _choosing = request.nonce.is_none().then(|| context.choosing_nonce.lock());
    let Submission { transaction, sidecar } = prepare_unsigned(context, request)?;
    context.check(&transaction, sidecar.as_deref())?;
    context.submit(transaction, sidecar)
}

fn drop_transaction(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Option<B256>, RpcError> {
    let hash: B256 = arguments.required(0)?;
    Ok(context.chain.pool().lock().remove(hash).then_some(hash))
}

fn drop_all(context: &Arc<RpcContext>, _: &Arguments<'_>) -> Result<(), RpcError> {
    context.chain.pool().lock().clear();
    Ok(())
}

fn drop_of_sender(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    let sender: Address = arguments.required(0)?;
    let mut pool = context.chain.pool().lock();
    let content = pool.content(Some(sender));
    let lanes = content.pending.values().chain(content.queued.values());
    let hashes: Vec<B256> = lanes.flat_map(BTreeMap::values).map(|transaction| *transaction.tx_hash()).collect();
    for hash in hashes {
        pool.remove(hash);
    }
    Ok(())
}
