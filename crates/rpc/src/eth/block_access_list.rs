//! `eth_getBlockAccessList` and `debug_getRawBlockAccessList`: everything that a block accessed and changed (EIP-7928).
//!
//! Lists are not stored. The block is executed again on the state of its parent, as traces do, so a list can be had for
//! every block whose parent's state is kept, of any fork. The genesis executes nothing: its list is empty.

use std::sync::Arc;

use alloy_eips::{
    BlockId,
    eip7928::{AccountChanges, BlockAccessIndex, BlockAccessList},
};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use braid_chain::{
    exec::{self, AccessListUse, Config, access_list},
    state::StoreError,
};
use braid_types::ExecutedBlock;
use jsonrpsee::core::RegisterMethodError;
use serde::Serialize;

use crate::{
    context::RpcContext,
    error::RpcError,
    method::{Module, blocking},
    resolve,
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    blocking(module, "eth_getBlockAccessList", 1, |context, arguments| {
        let Some(block) = resolve::block(context, arguments.required::<BlockId>(0)?)? else { return Ok(None) };
        Ok(Some(access_list_of(context, &block)?.iter().map(AccountAccess::from).collect::<Vec<_>>()))
    })?;
    blocking(module, "debug_getRawBlockAccessList", 1, |context, arguments| {
        let block = resolve::block(context, arguments.required::<BlockId>(0)?)?;
        let block = block.ok_or_else(|| RpcError::not_found("Resource not found"))?;
        Ok(access_list::encode(&access_list_of(context, &block)?))
    })
}

fn access_list_of(context: &RpcContext, block: &Arc<ExecutedBlock>) -> Result<BlockAccessList, RpcError> {
    if block.height() == context.chain.genesis().number.unwrap_or_default() {
        return Ok(BlockAccessList::new());
    }
    let view = context.chain.view_after(block.height().saturating_sub(1)).map_err(unavailable)?;
    let config = Config { allow_contract_senders: true, access_list: AccessListUse::Produce, ..Config::default() };
    let executed = exec::execute(&context.chain.context_of(block), &block.block.transactions, &view, &config);
    let outcome = executed.map_err(|error| RpcError::internal(format!("re-execution failed: {error}")))?;
    outcome.access_list.ok_or_else(|| RpcError::internal("re-execution gave no access list"))
}

fn unavailable(error: StoreError) -> RpcError {
    match error {
        StoreError::Pruned(_) => RpcError::pruned(),
        other => other.into(),
    }
}

/// An account's entry as execution-apis has it: slots and their values in full length, everything else as quantities.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountAccess {
    address: Address,
    storage_changes: Vec<SlotChanges>,
    storage_reads: Vec<B256>,
    balance_changes: Vec<Change<U256>>,
    nonce_changes: Vec<Change<U64>>,
    code_changes: Vec<CodeChange>,
}

#[derive(Clone, Debug, Serialize)]
struct SlotChanges {
    key: B256,
    changes: Vec<Change<B256>>,
}

#[derive(Clone, Debug, Serialize)]
struct Change<T> {
    index: U64,
    value: T,
}

#[derive(Clone, Debug, Serialize)]
struct CodeChange {
    index: U64,
    code: Bytes,
}

impl From<&AccountChanges> for AccountAccess {
    fn from(account: &AccountChanges) -> Self {
        let slots = account.storage_changes.iter().map(|slot| SlotChanges {
            key: slot.slot.into(),
            changes: slot.changes.iter().map(|at| change(at.block_access_index, at.new_value.into())).collect(),
        });
        let balances = account.balance_changes.iter().map(|at| change(at.block_access_index, at.post_balance));
        let nonces = account.nonce_changes.iter().map(|at| change(at.block_access_index, U64::from(at.new_nonce)));
        let codes = account.code_changes.iter();
        Self {
            address: account.address,
            storage_changes: slots.collect(),
            storage_reads: account.storage_reads.iter().copied().map(B256::from).collect(),
            balance_changes: balances.collect(),
            nonce_changes: nonces.collect(),
            code_changes: codes
                .map(|at| CodeChange { index: U64::from(at.block_access_index.get()), code: at.new_code.clone() })
                .collect(),
        }
    }
}

fn change<T>(index: BlockAccessIndex, value: T) -> Change<T> {
    Change { index: U64::from(index.get()), value }
}
