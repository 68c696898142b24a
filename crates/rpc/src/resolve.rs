//! From what a client calls a block to the block and its state.
//!
//! On a lone node `safe` and `finalized` are the head: what is committed is durable and cannot be replaced. `pending` is
//! a block built on the fly from the pool; without a sequencer it is the head.

use std::sync::Arc;

use alloy_eips::{BlockId, BlockNumberOrTag};
use braid_chain::{BlockView, Processed, Sequencer, state::StateAt};
use braid_types::{ExecutedBlock, Height, limits};

use crate::{context::RpcContext, error::RpcError};

/// Times a pending block is begun anew because the head changed meanwhile.
const PENDING_ATTEMPTS: usize = 3;

/// A block with the state after it.
#[derive(Clone, Debug)]
pub struct BlockAndState {
    /// The block.
    pub block: Arc<ExecutedBlock>,
    /// The state after it.
    pub view: BlockView,
}

/// The height that a number or tag means; `None` for `pending`.
pub fn height(context: &RpcContext, number: BlockNumberOrTag) -> Option<Height> {
    match number {
        BlockNumberOrTag::Number(height) => Some(height),
        BlockNumberOrTag::Earliest => Some(context.chain.genesis().number.unwrap_or_default()),
        BlockNumberOrTag::Pending => None,
        BlockNumberOrTag::Latest | BlockNumberOrTag::Safe | BlockNumberOrTag::Finalized => {
            Some(context.head().block.height())
        }
    }
}

/// The block a client means, if it exists.
///
/// # Errors
/// If it cannot be read, or `pending` cannot be built.
pub fn block(context: &RpcContext, id: BlockId) -> Result<Option<Arc<ExecutedBlock>>, RpcError> {
    let head = context.head();
    match id {
        BlockId::Hash(hash) if hash.block_hash == head.block.hash => Ok(Some(Arc::clone(&head.block))),
        BlockId::Hash(hash) => match context.chain.store().height(hash.block_hash)? {
            Some(height) => Ok(context.chain.store().block(height)?.filter(|block| block.hash == hash.block_hash)),
            None => Ok(None),
        },
        BlockId::Number(number) => match height(context, number) {
            Some(height) if height == head.block.height() => Ok(Some(Arc::clone(&head.block))),
            Some(height) if height > head.block.height() => Ok(None),
            Some(height) => stored(context, height),
            None => pending(context).map(|pending| Some(pending.block)),
        },
    }
}

/// A block below the head. A chain that began with a snapshot does not have those from before it.
fn stored(context: &RpcContext, height: Height) -> Result<Option<Arc<ExecutedBlock>>, RpcError> {
    match context.chain.store().block(height)? {
        None if height >= context.chain.genesis().number.unwrap_or_default() => Err(RpcError::pruned()),
        found => Ok(found),
    }
}

/// The block a client means, with the state after it.
///
/// # Errors
/// If there is no such block, or its state is no longer kept.
pub fn block_and_state(context: &RpcContext, id: BlockId) -> Result<BlockAndState, RpcError> {
    if id.is_pending() {
        return pending(context);
    }
    let block = block(context, id)?.ok_or_else(|| absent(id))?;
    let view = context.chain.view_after(block.height())?;
    Ok(BlockAndState { block, view })
}

/// The state after the block a client means; the head's if it means none.
///
/// # Errors
/// If there is no such block, or its state is no longer kept.
pub fn state(context: &RpcContext, id: Option<BlockId>) -> Result<StateAt, RpcError> {
    match id.unwrap_or_default() {
        BlockId::Number(BlockNumberOrTag::Latest | BlockNumberOrTag::Safe | BlockNumberOrTag::Finalized) => {
            Ok(StateAt::Recent(context.head().state.clone()))
        }
        id => Ok(block_and_state(context, id)?.view.state),
    }
}

/// The block the sequencer would make now, with the state after it.
///
/// # Errors
/// If it cannot be built.
pub fn pending(context: &RpcContext) -> Result<BlockAndState, RpcError> {
    let mut head = context.head();
    let Some(sequencer) = &context.sequencer else {
        let view = context.chain.view_after(head.block.height())?;
        return Ok(BlockAndState { block: Arc::clone(&head.block), view });
    };
    for _ in 1..PENDING_ATTEMPTS {
        let outcome = build_pending(context, sequencer);
        let newer = context.head();
        // Attributes made for one head may not fit the next, on which the block was built.
        if outcome.is_ok() || Arc::ptr_eq(&head, &newer) {
            return outcome;
        }
        head = newer;
    }
    build_pending(context, sequencer)
}

fn build_pending(context: &RpcContext, sequencer: &Sequencer) -> Result<BlockAndState, RpcError> {
    let attributes = sequencer.next_attributes();
    let mut candidates = context.chain.pool().lock().best(attributes.gas_limit);
    candidates.truncate(limits::MAX_PENDING_BLOCK_TRANSACTIONS);
    let Processed { executed, state, .. } = context.chain.preview(&attributes, &candidates)?.processed;
    let ancestors = context.chain.ancestors(executed.height().saturating_sub(1));
    Ok(BlockAndState { block: executed, view: BlockView { state: StateAt::Recent(state), ancestors } })
}

/// geth's words for a block that is not there.
pub fn absent(id: BlockId) -> RpcError {
    match id {
        BlockId::Hash(_) => RpcError::server("header for hash not found"),
        BlockId::Number(_) => RpcError::header_not_found(),
    }
}
