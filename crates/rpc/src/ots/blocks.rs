//! Blocks as the explorer's pages show them.

use std::sync::Arc;

use alloy_consensus::Transaction as _;
use alloy_eips::BlockId;
use alloy_primitives::{B256, U256};
use braid_types::{ExecutedBlock, limits};
use jsonrpsee::core::RegisterMethodError;
use serde_json::{Value, json};

use super::numbered;
use crate::{
    context::RpcContext,
    convert::{self, Detail, RpcReceipt},
    error::RpcError,
    method::{Arguments, Module, blocking},
    resolve,
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    blocking(module, "ots_getBlockDetails", 1, |context, arguments| details(context, numbered(arguments, 0)?))?;
    blocking(module, "ots_getBlockDetailsByHash", 1, |context, arguments| {
        let hash: B256 = arguments.required(0)?;
        details(context, hash.into())
    })?;
    blocking(module, "ots_getBlockTransactions", 3, transactions)
}

/// A block without its transactions, with what it issued and what was paid.
fn details(context: &RpcContext, id: BlockId) -> Result<Option<Value>, RpcError> {
    let Some(block) = resolve::block(context, id)? else { return Ok(None) };
    let mut shown = block_json(&block, Detail::Hashes)?;
    shown.remove("transactions");
    shown.insert("logsBloom".to_owned(), Value::Null);
    Ok(Some(json!({
        "block": shown,
        "issuance": issuance(context, &block),
        "totalFees": total_fees(&convert::receipts(&context.chain, &block)),
    })))
}

/// One page of a block's transactions, counted from its end, with their receipts.
fn transactions(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Option<Value>, RpcError> {
    let id = numbered(arguments, 0)?;
    let (page, size): (usize, usize) = (arguments.required(1)?, arguments.required(2)?);
    let size = page_size(size)?;
    let Some(block) = resolve::block(context, id)? else { return Ok(None) };
    let end = block.block.transactions.len().saturating_sub(page.saturating_mul(size));
    let range = end.saturating_sub(size)..end;
    let mut shown = block_json(&block, Detail::Full)?;
    if let Some(Value::Array(all)) = shown.get_mut("transactions") {
        *all = all.drain(range.clone()).map(shorten_input).collect();
    }
    let receipts = convert::receipts(&context.chain, &block);
    let page = receipts.get(range).unwrap_or_default();
    let receipts: Result<Vec<Value>, RpcError> = page.iter().map(|receipt| slim_receipt(receipt, &block)).collect();
    Ok(Some(json!({ "fullblock": shown, "receipts": receipts? })))
}

/// A page size within the bound.
pub(super) fn page_size(size: usize) -> Result<usize, RpcError> {
    let most = limits::MAX_OTS_PAGE;
    if size == 0 || size > most {
        return Err(RpcError::invalid_params(format!("page size must be 1 to {most}")));
    }
    Ok(size)
}

/// A block with the number of its transactions.
fn block_json(block: &ExecutedBlock, detail: Detail) -> Result<serde_json::Map<String, Value>, RpcError> {
    let shown = serde_json::to_value(convert::block(block, detail));
    let Ok(Value::Object(mut shown)) = shown else { return Err(RpcError::internal("block is no JSON object")) };
    shown.insert("transactionCount".to_owned(), json!(block.block.transactions.len()));
    Ok(shown)
}

/// Keeps the selector of a transaction's input: lists show no more.
fn shorten_input(mut transaction: Value) -> Value {
    if let Some(Value::String(input)) = transaction.get_mut("input") {
        input.truncate("0x12345678".len());
    }
    transaction
}

/// A receipt as lists show it: without logs, with its block's time.
pub(super) fn slim_receipt(receipt: &RpcReceipt, block: &ExecutedBlock) -> Result<Value, RpcError> {
    let mut shown = serde_json::to_value(receipt).map_err(|error| RpcError::internal(error.to_string()))?;
    shown["logs"] = Value::Null;
    shown["logsBloom"] = Value::Null;
    shown["timestamp"] = json!(format!("{:#x}", block.block.header.timestamp));
    Ok(shown)
}

fn total_fees(receipts: &[RpcReceipt]) -> U256 {
    let fee = |receipt: &RpcReceipt| U256::from(receipt.effective_gas_price) * U256::from(receipt.gas_used);
    receipts.iter().map(fee).sum()
}

/// What a block created: rewards before Paris, nothing since.
fn issuance(context: &RpcContext, block: &ExecutedBlock) -> Value {
    let reward = U256::from(context.chain.fork_of(block).block_reward());
    let ommers = &block.block.ommers;
    let block_reward = reward + reward / U256::from(32) * U256::from(ommers.len());
    let of_ommer = |number: u64| reward * U256::from((8 + number).saturating_sub(block.height())) / U256::from(8);
    let uncle_reward: U256 = ommers.iter().map(|ommer| of_ommer(ommer.number)).sum();
    json!({
        "blockReward": block_reward,
        "uncleReward": uncle_reward,
        "issuance": block_reward.saturating_add(uncle_reward),
    })
}

/// Whether a transaction's sender, receiver or created contract is `address`, which its receipt tells without running it.
pub(super) fn names(receipt: &RpcReceipt, address: alloy_primitives::Address) -> bool {
    receipt.from == address || receipt.to == Some(address) || receipt.contract_address == Some(address)
}

/// The nonce of the transaction at `index`, if `sender` sent it.
pub(super) fn nonce_of(block: &ExecutedBlock, index: usize, sender: alloy_primitives::Address) -> Option<u64> {
    let transaction = block.block.transactions.get(index)?;
    (transaction.signer() == sender).then(|| transaction.inner().nonce())
}
