//! Going back: snapshots, rollbacks, reset.
//!
//! A snapshot is the head's height with the head's state, which is persistent: keeping one costs what changes afterwards.
//! Going back to it removes the blocks above and every snapshot taken later, and the one used, as in the other tools.

use std::sync::Arc;

use alloy_primitives::{U64, U256};
use braid_chain::{genesis_block, state::State};
use braid_types::{Height, limits};
use jsonrpsee::core::RegisterMethodError;
use serde::Deserialize;
use serde_json::Value;

use super::{
    argument::{Big, Number},
    no_forking, offer, sequencer, wake,
};
use crate::{
    context::{RpcContext, Snapshot},
    error::RpcError,
    method::{Arguments, Module},
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    offer(module, &["evm_snapshot", "anvil_snapshot"], 0, snapshot)?;
    offer(module, &["evm_revert", "anvil_revert"], 1, revert)?;
    offer(module, &["anvil_rollback"], 1, rollback)?;
    offer(module, &["anvil_reset"], 1, reset)?;
    offer(module, &["hardhat_reset"], 1, |context, arguments| reset(context, arguments).map(|()| true))
}

/// The argument of `anvil_reset`. Clients send an empty `forking` when they mean none.
#[derive(Debug, Default, Deserialize)]
struct ResetOptions {
    forking: Option<Forking>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Forking {
    json_rpc_url: Option<Value>,
    block_number: Option<Value>,
}

fn snapshot(context: &Arc<RpcContext>, _: &Arguments<'_>) -> Result<U64, RpcError> {
    let timestamp = sequencer(context)?.next_attributes().timestamp;
    let head = context.head();
    let taken = Snapshot { height: head.block.height(), state: head.state.clone(), timestamp };
    let mut snapshots = context.snapshots.lock();
    let id = snapshots.last_key_value().map_or(1, |(newest, _)| newest + 1);
    snapshots.insert(id, taken);
    while snapshots.len() > limits::MAX_SNAPSHOTS {
        snapshots.pop_first();
    }
    Ok(U64::from(id))
}

fn revert(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<bool, RpcError> {
    let Big(id) = arguments.required(0)?;
    let Some(snapshot) = take(context, id) else { return Ok(false) };
    let sequencer = sequencer(context)?;
    context.chain.rollback(snapshot.height, Some(snapshot.state))?;
    sequencer.set_time(snapshot.timestamp);
    wake(context);
    Ok(true)
}

/// Removes a snapshot and all later ones; `None` if there is none of that number.
fn take(context: &RpcContext, id: U256) -> Option<Snapshot> {
    let id = u64::try_from(id).ok()?;
    let mut snapshots = context.snapshots.lock();
    let snapshot = snapshots.remove(&id)?;
    snapshots.split_off(&id);
    Some(snapshot)
}

fn rollback(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    let depth = arguments.optional(0)?.map_or(1, |Number(depth)| depth);
    let head = context.head().block.height();
    let too_deep = || RpcError::invalid_params(format!("cannot go back {depth} blocks from block {head}"));
    let height = head.checked_sub(depth).ok_or_else(too_deep)?;
    if depth > 0 {
        go_back(context, height, None)?;
        wake(context);
    }
    Ok(())
}

fn reset(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    let options: ResetOptions = arguments.optional(0)?.unwrap_or_default();
    if options.forking.is_some_and(|forking| forking.json_rpc_url.is_some() || forking.block_number.is_some()) {
        return Err(no_forking());
    }
    let (genesis, _, state) = genesis_block(context.chain.genesis(), context.chain.spec())?;
    go_back(context, genesis.header.number, Some(state))?;
    context.chain.pool().lock().clear();
    context.impersonation.clear();
    sequencer(context)?.reset();
    Ok(())
}

/// Goes back to a height and forgets the snapshots above it.
fn go_back(context: &RpcContext, height: Height, state: Option<State>) -> Result<(), RpcError> {
    context.chain.rollback(height, state)?;
    context.snapshots.lock().retain(|_, snapshot| snapshot.height <= height);
    Ok(())
}
