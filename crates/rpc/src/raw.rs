//! `debug_getRaw…`: blocks, headers, receipts and transactions as Ethereum encodes them.

use std::sync::Arc;

use alloy_eips::{BlockId, eip2718::Encodable2718};
use alloy_primitives::Bytes;
use braid_types::ExecutedBlock;
use jsonrpsee::core::RegisterMethodError;

use crate::{
    context::RpcContext,
    convert,
    error::RpcError,
    eth::transactions,
    method::{Module, blocking},
    resolve,
};

/// Registers these methods.
///
/// # Errors
/// If a name is taken.
pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    blocking(module, "debug_getRawHeader", 1, |context, arguments| {
        let block = existing(context, arguments.required(0)?)?;
        Ok(Bytes::from(alloy_rlp::encode(&block.block.header)))
    })?;
    blocking(module, "debug_getRawBlock", 1, |context, arguments| {
        Ok(convert::block_rlp(&*existing(context, arguments.required(0)?)?))
    })?;
    blocking(module, "debug_getRawReceipts", 1, |context, arguments| {
        let block = existing(context, arguments.required(0)?)?;
        Ok(block.receipts.iter().map(|receipt| receipt.encoded_2718().into()).collect::<Vec<Bytes>>())
    })?;
    blocking(module, "debug_getRawTransaction", 1, |context, arguments| {
        Ok(transactions::raw_by_hash(context, arguments.hash(0)?)?.unwrap_or_default())
    })
}

fn existing(context: &RpcContext, id: BlockId) -> Result<Arc<ExecutedBlock>, RpcError> {
    resolve::block(context, id)?.ok_or_else(|| match id {
        BlockId::Hash(hash) => RpcError::server(format!("block {} not found", hash.block_hash)),
        BlockId::Number(number) => RpcError::server(format!("block {number} not found")),
    })
}
