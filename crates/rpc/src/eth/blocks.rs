//! Blocks, headers, ommers and the receipts of a block.

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::U64;
use braid_types::ExecutedBlock;
use jsonrpsee::core::RegisterMethodError;

use crate::{
    context::RpcContext,
    convert::{self, Detail, RpcBlock, RpcHeader, RpcReceipt},
    error::RpcError,
    method::{Arguments, Module, blocking, quick_unless_pending},
    resolve,
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    blocking(module, "eth_getBlockByNumber", 2, |context, arguments| {
        block(context, by_number(arguments)?, arguments.optional(1)?.unwrap_or(false).into())
    })?;
    blocking(module, "eth_getBlockByHash", 2, |context, arguments| {
        block(context, by_hash(arguments)?, arguments.optional(1)?.unwrap_or(false).into())
    })?;
    quick_unless_pending(module, "eth_getHeaderByNumber", 1, |context, arguments| {
        header(context, by_number(arguments)?)
    })?;
    quick_unless_pending(module, "eth_getHeaderByHash", 1, |context, arguments| header(context, by_hash(arguments)?))?;
    blocking(module, "eth_getBlockReceipts", 1, |context, arguments| receipts(context, arguments.required(0)?))?;
    quick_unless_pending(module, "eth_getBlockTransactionCountByNumber", 1, |context, arguments| {
        count(context, by_number(arguments)?, |block| block.block.transactions.len())
    })?;
    quick_unless_pending(module, "eth_getBlockTransactionCountByHash", 1, |context, arguments| {
        count(context, by_hash(arguments)?, |block| block.block.transactions.len())
    })?;
    quick_unless_pending(module, "eth_getUncleCountByBlockNumber", 1, |context, arguments| {
        count(context, by_number(arguments)?, |block| block.block.ommers.len())
    })?;
    quick_unless_pending(module, "eth_getUncleCountByBlockHash", 1, |context, arguments| {
        count(context, by_hash(arguments)?, |block| block.block.ommers.len())
    })?;
    quick_unless_pending(module, "eth_getUncleByBlockNumberAndIndex", 2, |context, arguments| {
        uncle(context, by_number(arguments)?, arguments.index(1)?)
    })?;
    quick_unless_pending(module, "eth_getUncleByBlockHashAndIndex", 2, |context, arguments| {
        uncle(context, by_hash(arguments)?, arguments.index(1)?)
    })
}

/// The first argument of a `…ByNumber` method.
pub(super) fn by_number(arguments: &Arguments<'_>) -> Result<BlockId, RpcError> {
    arguments.required::<BlockNumberOrTag>(0).map(BlockId::Number)
}

/// The first argument of a `…ByHash` method.
pub(super) fn by_hash(arguments: &Arguments<'_>) -> Result<BlockId, RpcError> {
    arguments.hash(0).map(BlockId::from)
}

fn block(context: &RpcContext, id: BlockId, detail: Detail) -> Result<Option<RpcBlock>, RpcError> {
    let Some(block) = resolve::block(context, id)? else { return Ok(None) };
    let mut shown = convert::block(&block, detail);
    if id.is_pending() {
        hide_pending(&mut shown.header);
    }
    Ok(Some(shown))
}

fn header(context: &RpcContext, id: BlockId) -> Result<Option<RpcHeader>, RpcError> {
    let Some(block) = resolve::block(context, id)? else { return Ok(None) };
    let mut shown = convert::header(&block.block.header, block.hash);
    if id.is_pending() {
        hide_pending(&mut shown);
    }
    Ok(Some(shown))
}

/// What geth leaves out of a block that is not sealed yet.
fn hide_pending(header: &mut RpcHeader) {
    header.hash = None;
    header.nonce = None;
    header.miner = None;
}

fn receipts(context: &RpcContext, id: BlockId) -> Result<Option<Vec<RpcReceipt>>, RpcError> {
    let block = resolve::block(context, id)?;
    Ok(block.map(|block| convert::receipts(&context.chain, &block)))
}

fn count(context: &RpcContext, id: BlockId, of: impl Fn(&ExecutedBlock) -> usize) -> Result<Option<U64>, RpcError> {
    Ok(resolve::block(context, id)?.map(|block| U64::from(of(&block))))
}

fn uncle(context: &RpcContext, id: BlockId, index: usize) -> Result<Option<RpcBlock>, RpcError> {
    let block = resolve::block(context, id)?;
    Ok(block.and_then(|block| block.block.ommers.get(index).map(convert::uncle)))
}
