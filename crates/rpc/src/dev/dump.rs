//! The whole state as one string, out and in: `anvil_dumpState` and `anvil_loadState`.
//!
//! The string is what anvil's is: `0x` and the hexadecimal digits of gzipped JSON, with the accounts under `accounts`,
//! each with `nonce`, `balance`, `code` and `storage`. Loading replaces the accounts that the dump names, storage
//! included, and leaves others alone. Blocks are not part of a dump.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    sync::Arc,
};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use braid_types::{
    StateChanges,
    changes::{AccountChange, AccountState},
    limits,
};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use jsonrpsee::core::RegisterMethodError;
use serde::{Deserialize, Serialize};

use super::{
    accounts::check_code,
    argument::{Big, Number},
    offer, wake,
};
use crate::{
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module},
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    offer(module, &["anvil_dumpState", "hardhat_dumpState"], 1, dump_state)?;
    offer(module, &["anvil_loadState", "hardhat_loadState"], 1, load_state)
}

/// The JSON inside a dump.
#[derive(Debug, Serialize)]
struct Dump {
    best_block_number: u64,
    accounts: BTreeMap<Address, DumpedAccount>,
}

#[derive(Debug, Serialize)]
struct DumpedAccount {
    nonce: u64,
    balance: U256,
    code: Bytes,
    storage: BTreeMap<B256, B256>,
}

/// The JSON inside a dump, as other tools write it too.
#[derive(Debug, Deserialize)]
struct Load {
    accounts: BTreeMap<Address, LoadedAccount>,
}

#[derive(Debug, Deserialize)]
struct LoadedAccount {
    nonce: Number,
    balance: Big,
    #[serde(default)]
    code: Bytes,
    #[serde(default)]
    storage: BTreeMap<B256, B256>,
}

fn dump_state(context: &Arc<RpcContext>, _: &Arguments<'_>) -> Result<Bytes, RpcError> {
    let best_block_number = context.head().block.height();
    let mut state = context.chain.store().dump()?;
    let codes = std::mem::take(&mut state.codes);
    let accounts = state.accounts.into_iter();
    let accounts = accounts.filter_map(|(address, change)| Some((address, dumped(change, &codes)?))).collect();
    let json = serde_json::to_vec(&Dump { best_block_number, accounts });
    compress(&json.map_err(|error| RpcError::internal(error.to_string()))?)
}

fn dumped(change: AccountChange, codes: &BTreeMap<B256, Bytes>) -> Option<DumpedAccount> {
    let account = change.account?;
    let storage = change.storage.into_iter().map(|(slot, value)| (slot.into(), value.into())).collect();
    let code = codes.get(&account.code_hash).cloned().unwrap_or_default();
    Some(DumpedAccount { nonce: account.nonce, balance: account.balance, code, storage })
}

fn compress(json: &[u8]) -> Result<Bytes, RpcError> {
    let failed = |error: std::io::Error| RpcError::internal(error.to_string());
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(json).map_err(failed)?;
    encoder.finish().map(Bytes::from).map_err(failed)
}

fn load_state(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<bool, RpcError> {
    let text: Bytes = arguments.required(0)?;
    let load: Load = serde_json::from_slice(&decompress(&text)?)
        .map_err(|error| RpcError::invalid_params(format!("state is not readable: {error}")))?;
    context.chain.override_state(&changes(load)?)?;
    wake(context);
    Ok(true)
}

/// Unfolds a dump; plain JSON passes as it is, as anvil lets it.
fn decompress(bytes: &[u8]) -> Result<Vec<u8>, RpcError> {
    if bytes.first() == Some(&b'{') {
        return Ok(bytes.to_vec());
    }
    let most = limits::MAX_LOADED_STATE_BYTES;
    let mut json = Vec::new();
    let read = GzDecoder::new(bytes).take(most + 1).read_to_end(&mut json);
    read.map_err(|error| RpcError::invalid_params(format!("state is not gzip: {error}")))?;
    if json.len() as u64 > most {
        return Err(RpcError::limit(format!("state unfolds to more than {most} bytes")));
    }
    Ok(json)
}

fn changes(load: Load) -> Result<StateChanges, RpcError> {
    let mut changes = StateChanges::default();
    for (address, account) in load.accounts {
        let code_hash = keccak256(&account.code);
        if !account.code.is_empty() {
            check_code(&account.code)?;
            changes.codes.insert(code_hash, account.code);
        }
        let (Number(nonce), Big(balance)) = (account.nonce, account.balance);
        let storage = account.storage.into_iter().map(|(slot, value)| (slot.into(), value.into())).collect();
        let account = Some(AccountState { nonce, balance, code_hash });
        changes.accounts.insert(address, AccountChange { account, storage_cleared: true, storage });
    }
    Ok(changes)
}
