//! Balances, nonces, code, storage and their proofs, after any block.

use std::collections::BTreeMap;

use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, Bytes, U64, U256, hex};
use braid_chain::state::{AccountProof, StateAt};
use braid_types::changes::AccountState;
use jsonrpsee::core::RegisterMethodError;
use serde::Serialize;

use crate::{
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module, blocking, quick, quick_unless_pending},
    resolve,
};

/// Slots one request may ask for (geth: 1024).
const MAX_SLOTS: usize = 1_024;

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    quick_unless_pending(module, "eth_getBalance", 2, |context, arguments| Ok(account(context, arguments)?.balance))?;
    quick_unless_pending(module, "eth_getCode", 2, |context, arguments| {
        let state = resolve::state(context, arguments.optional(1)?)?;
        code(&state, arguments.address(0)?)
    })?;
    quick(module, "eth_getTransactionCount", 2, |context, arguments| {
        let nonce = nonce(context, arguments.address(0)?, arguments.optional(1)?)?;
        Ok(U64::from(nonce))
    })?;
    quick_unless_pending(module, "eth_getStorageAt", 3, |context, arguments| {
        let (address, key) = (arguments.address(0)?, arguments.required::<String>(1)?);
        let (slot, _) = decode_key(&key)?;
        let state = resolve::state(context, arguments.optional(2)?)?;
        Ok(B256::from(state.storage(address, slot)?))
    })?;
    blocking(module, "eth_getStorageValues", 2, storage_values)?;
    blocking(module, "eth_getProof", 3, proof)
}

fn account(context: &RpcContext, arguments: &Arguments<'_>) -> Result<AccountState, RpcError> {
    let address = arguments.address(0)?;
    let state = resolve::state(context, arguments.optional(1)?)?;
    Ok(state.account(address)?.unwrap_or_default())
}

fn code(state: &StateAt, address: Address) -> Result<Bytes, RpcError> {
    let account = state.account(address)?.unwrap_or_default();
    Ok(state.code(account.code_hash)?)
}

/// The next nonce of an account; with the `pending` tag, after its transactions that wait in the pool.
pub(crate) fn nonce(context: &RpcContext, address: Address, id: Option<BlockId>) -> Result<u64, RpcError> {
    if id.is_some_and(|id| id.is_pending()) {
        let mined = context.head().state.account(address).unwrap_or_default().nonce;
        let waiting = context.chain.pool().lock().next_nonce(address).unwrap_or_default();
        return Ok(mined.max(waiting));
    }
    Ok(resolve::state(context, id)?.account(address)?.unwrap_or_default().nonce)
}

/// A storage key as geth reads it: up to 32 bytes of hexadecimal digits, `0x` or not, padded on the left. With it, its
/// length in bytes.
pub(crate) fn decode_key(text: &str) -> Result<(U256, usize), RpcError> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let padded = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.to_owned() };
    if padded.len() > 64 {
        let message = format!("storage key too long (want at most 32 bytes): {text:?}");
        return Err(RpcError::invalid_params(message));
    }
    let invalid = |_| RpcError::invalid_params(format!("invalid hex in storage key: {text:?}"));
    let bytes = hex::decode(&padded).map_err(invalid)?;
    Ok((U256::from_be_slice(&bytes), bytes.len()))
}

type StorageRequest = BTreeMap<Address, Vec<String>>;

fn storage_values(
    context: &std::sync::Arc<RpcContext>,
    arguments: &Arguments<'_>,
) -> Result<BTreeMap<Address, Vec<B256>>, RpcError> {
    let request: StorageRequest = arguments.required(0)?;
    let slots: usize = request.values().map(Vec::len).sum();
    if slots == 0 {
        return Err(RpcError::invalid_params("empty request"));
    }
    check_slots(slots)?;
    let state = resolve::state(context, arguments.optional(1)?)?;
    let mut values = BTreeMap::new();
    for (address, keys) in request {
        let read = |key: &String| Ok(B256::from(state.storage(address, decode_key(key)?.0)?));
        values.insert(address, keys.iter().map(read).collect::<Result<Vec<B256>, RpcError>>()?);
    }
    Ok(values)
}

fn check_slots(slots: usize) -> Result<(), RpcError> {
    if slots > MAX_SLOTS {
        return Err(RpcError::invalid_params(format!("too many slots (max {MAX_SLOTS})")));
    }
    Ok(())
}

/// `eth_getProof`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RpcProof {
    address: Address,
    account_proof: Vec<Bytes>,
    balance: U256,
    code_hash: B256,
    nonce: U64,
    storage_hash: B256,
    storage_proof: Vec<RpcStorageProof>,
}

#[derive(Clone, Debug, Serialize)]
struct RpcStorageProof {
    key: String,
    value: U256,
    proof: Vec<Bytes>,
}

fn proof(context: &std::sync::Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<RpcProof, RpcError> {
    let (address, keys) = (arguments.address(0)?, arguments.required::<Vec<String>>(1)?);
    check_slots(keys.len())?;
    let keys = keys.iter().map(|key| decode_key(key)).collect::<Result<Vec<_>, _>>()?;
    let slots: Vec<U256> = keys.iter().map(|(slot, _)| *slot).collect();
    let StateAt::Recent(state) = resolve::state(context, arguments.optional(2)?)? else {
        return Err(RpcError::server("distance to target block exceeds maximum proof window"));
    };
    let AccountProof { account, storage_root, nodes, storage } = state.prove(address, &slots);
    let account = account.unwrap_or_default();
    let storage_proof = storage.into_iter().zip(keys).map(|(proof, (slot, length))| RpcStorageProof {
        key: if length == 32 { B256::from(slot).to_string() } else { format!("{slot:#x}") },
        value: proof.value,
        proof: proof.nodes,
    });
    Ok(RpcProof {
        address,
        account_proof: nodes,
        balance: account.balance,
        code_hash: account.code_hash,
        nonce: U64::from(account.nonce),
        storage_hash: storage_root,
        storage_proof: storage_proof.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_geth_reads_them() {
        assert_eq!(decode_key("0x").unwrap(), (U256::ZERO, 0));
        assert_eq!(decode_key("0x1").unwrap(), (U256::from(1), 1));
        assert_eq!(decode_key("ff").unwrap(), (U256::from(255), 1));
        assert_eq!(decode_key(&format!("0x{}", "0".repeat(64))).unwrap(), (U256::ZERO, 32));
        assert_eq!(decode_key("0xasdf").unwrap_err().message, "invalid hex in storage key: \"0xasdf\"");
        let long = format!("0x{}", "0".repeat(65));
        let error = decode_key(&long).unwrap_err();
        assert_eq!(error.message, format!("storage key too long (want at most 32 bytes): \"{long}\""));
    }
}
