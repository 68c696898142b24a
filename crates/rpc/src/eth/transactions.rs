//! Transactions by hash or position, and their receipts.

use std::sync::Arc;

use alloy_eips::{BlockId, eip2718::Encodable2718};
use alloy_primitives::{B256, Bytes};
use braid_types::{ExecutedBlock, Transaction};
use jsonrpsee::core::RegisterMethodError;

use super::blocks::{by_hash, by_number};
use crate::{
    context::RpcContext,
    convert::{self, Place, RpcReceipt, RpcTransaction},
    error::RpcError,
    method::{Module, quick, quick_unless_pending},
    resolve,
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    quick(module, "eth_getTransactionByHash", 1, |context, arguments| by_tx_hash(context, arguments.hash(0)?))?;
    quick_unless_pending(module, "eth_getTransactionByBlockNumberAndIndex", 2, |context, arguments| {
        in_block(context, by_number(arguments)?, arguments.index(1)?)
    })?;
    quick_unless_pending(module, "eth_getTransactionByBlockHashAndIndex", 2, |context, arguments| {
        in_block(context, by_hash(arguments)?, arguments.index(1)?)
    })?;
    quick(module, "eth_getRawTransactionByHash", 1, |context, arguments| raw_by_hash(context, arguments.hash(0)?))?;
    quick_unless_pending(module, "eth_getRawTransactionByBlockNumberAndIndex", 2, |context, arguments| {
        raw_in_block(context, by_number(arguments)?, arguments.index(1)?)
    })?;
    quick_unless_pending(module, "eth_getRawTransactionByBlockHashAndIndex", 2, |context, arguments| {
        raw_in_block(context, by_hash(arguments)?, arguments.index(1)?)
    })?;
    quick(module, "eth_getTransactionReceipt", 1, |context, arguments| receipt(context, arguments.hash(0)?))
}

/// The block that holds a transaction, and where.
pub(crate) fn locate(context: &RpcContext, hash: B256) -> Result<Option<(Arc<ExecutedBlock>, usize)>, RpcError> {
    let Some((height, index)) = context.chain.store().transaction(hash)? else { return Ok(None) };
    let index = usize::try_from(index.0).unwrap_or(usize::MAX);
    let block = resolve::block(context, BlockId::number(height))?;
    Ok(block.filter(|block| index < block.block.transactions.len()).map(|block| (block, index)))
}

/// The receipt of a mined transaction.
pub(crate) fn receipt(context: &RpcContext, hash: B256) -> Result<Option<RpcReceipt>, RpcError> {
    let located = locate(context, hash)?;
    Ok(located.and_then(|(block, index)| convert::receipt(&context.chain, Place { block: &block, index })))
}

/// The bytes of a transaction, in the pool (blobs included) or mined.
pub(crate) fn raw_by_hash(context: &RpcContext, hash: B256) -> Result<Option<Bytes>, RpcError> {
    if let Some((block, index)) = locate(context, hash)? {
        return Ok(block.block.transactions.get(index).map(|tx| tx.inner().encoded_2718().into()));
    }
    let pool = context.chain.pool().lock();
    let (transaction, sidecar) = (pool.get(hash), pool.sidecar(hash));
    drop(pool);
    Ok(transaction.map(|tx| match (tx.inner(), sidecar) {
        (Transaction::Eip4844(signed), Some(sidecar)) => {
            let (inner, signature, hash) = signed.clone().into_parts();
            let with_sidecar = inner.with_sidecar(Arc::unwrap_or_clone(sidecar));
            alloy_consensus::Signed::new_unchecked(with_sidecar, signature, hash).encoded_2718().into()
        }
        (inner, _) => inner.encoded_2718().into(),
    }))
}

fn by_tx_hash(context: &RpcContext, hash: B256) -> Result<Option<RpcTransaction>, RpcError> {
    if let Some((block, index)) = locate(context, hash)? {
        return Ok(shown(&block, index));
    }
    let waiting = context.chain.pool().lock().get(hash);
    Ok(waiting.map(|tx| convert::transaction(&tx, None)))
}

fn shown(block: &ExecutedBlock, index: usize) -> Option<RpcTransaction> {
    let tx = block.block.transactions.get(index)?;
    Some(convert::transaction(tx, Some(Place { block, index })))
}

fn in_block(context: &RpcContext, id: BlockId, index: usize) -> Result<Option<RpcTransaction>, RpcError> {
    Ok(resolve::block(context, id)?.and_then(|block| shown(&block, index)))
}

fn raw_in_block(context: &RpcContext, id: BlockId, index: usize) -> Result<Option<Bytes>, RpcError> {
    let block = resolve::block(context, id)?;
    let raw =
        |block: Arc<ExecutedBlock>| block.block.transactions.get(index).map(|tx| tx.inner().encoded_2718().into());
    Ok(block.and_then(raw))
}
