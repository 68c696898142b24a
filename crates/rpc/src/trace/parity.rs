//! Parity's tracing: `trace_…`. Traces are flat lists in the order of execution; rewards stand at a block's end.

use std::{collections::HashSet, sync::Arc};

use alloy_eips::{BlockId, BlockNumHash};
use alloy_primitives::{B256, U64, U256, map::HashSet as AlloyHashSet};
use alloy_rpc_types_eth::{BlockOverrides, TransactionInfo, TransactionRequest, state::StateOverride};
use alloy_rpc_types_trace::parity::{
    LocalizedTransactionTrace, RewardAction, RewardType, TraceResults, TraceResultsWithTransactionHash, TraceType,
};
use braid_chain::exec;
use braid_types::{ExecutedBlock, Fork, limits};
use jsonrpsee::core::RegisterMethodError;
use revm::{DatabaseCommit, context::result::ResultAndState};
use revm_inspectors::tracing::{TracingInspector, TracingInspectorConfig, TransactionContext};

use super::{
    bound::{Bound, Steps},
    replay::{Replay, existing},
};
use crate::{
    call::site::Site,
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module, blocking},
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    blocking(module, "trace_block", 1, |context, arguments| {
        let id: BlockId = arguments.required(0)?;
        block_traces(context, existing(context, id)?)
    })?;
    blocking(module, "trace_transaction", 1, |context, arguments| transaction_traces(context, arguments.required(0)?))?;
    blocking(module, "trace_get", 2, get)?;
    blocking(module, "trace_replayTransaction", 2, replay_transaction)?;
    blocking(module, "trace_replayBlockTransactions", 2, replay_block)?;
    blocking(module, "trace_call", 5, call)?;
    blocking(module, "trace_callMany", 2, call_many)
}

/// What is recorded, as the client lists it.
type TraceTypes = HashSet<TraceType>;

/// Every trace of a block, rewards included.
pub(crate) fn block_traces(
    context: &RpcContext,
    block: Arc<ExecutedBlock>,
) -> Result<Vec<LocalizedTransactionTrace>, RpcError> {
    let rewards = rewards(context, &block);
    let mut replay = Replay::begin(context, block)?;
    let mut traces = Vec::new();
    for (place, transaction) in replay.transactions() {
        let (found, run) = localized(&mut replay, &place, exec::transaction_env(&transaction))?;
        traces.extend(found);
        replay.commit(run.state);
    }
    traces.extend(rewards);
    Ok(traces)
}

/// The traces of one transaction; `None` if there is no such transaction.
fn transaction_traces(context: &RpcContext, hash: B256) -> Result<Option<Vec<LocalizedTransactionTrace>>, RpcError> {
    let Some((mut replay, index)) = replay_before(context, hash)? else { return Ok(None) };
    let Some((place, transaction)) = replay.transactions().into_iter().nth(index) else { return Ok(None) };
    let (traces, _) = localized(&mut replay, &place, exec::transaction_env(&transaction))?;
    Ok(Some(traces))
}

pub(super) fn replay_before(context: &RpcContext, hash: B256) -> Result<Option<(Replay, usize)>, RpcError> {
    let store = context.chain.store();
    let Some((height, index)) = store.transaction(hash)? else { return Ok(None) };
    let Some(block) = store.block(height)? else { return Ok(None) };
    let index = index.0 as usize;
    Ok(Some((Replay::before(context, block, index)?, index)))
}

fn localized(
    replay: &mut Replay,
    place: &TransactionContext,
    tx: revm::context::TxEnv,
) -> Result<(Vec<LocalizedTransactionTrace>, ResultAndState), RpcError> {
    let mut inspector = TracingInspector::new(TracingInspectorConfig::default_parity());
    let run = replay.inspect(tx, (&mut Bound::new(Steps::Unrecorded), &mut inspector))?;
    let info = TransactionInfo {
        hash: place.tx_hash,
        index: place.tx_index.map(|index| index as u64),
        block_hash: Some(replay.block.hash),
        block_number: Some(replay.block.height()),
        base_fee: Some(replay.context.base_fee),
        ..TransactionInfo::default()
    };
    let builder = inspector.into_parity_builder().with_transaction_gas_used(run.result.tx_gas_used());
    Ok((builder.into_localized_transaction_traces(info), run))
}

/// Rewards of a block before Paris: for its miner, then for each ommer's.
fn rewards(context: &RpcContext, block: &ExecutedBlock) -> Vec<LocalizedTransactionTrace> {
    let fork = context.chain.fork_of(block);
    let reward = fork.block_reward();
    if reward == 0 || fork >= Fork::Paris {
        return Vec::new();
    }
    let (reward, ommers) = (U256::from(reward), &block.block.ommers);
    let place = BlockNumHash { number: block.height(), hash: block.hash };
    let for_block = reward + reward / U256::from(32) * U256::from(ommers.len());
    let miner =
        RewardAction { author: block.block.header.beneficiary, reward_type: RewardType::Block, value: for_block };
    let ommer = |header: &alloy_consensus::Header| RewardAction {
        author: header.beneficiary,
        reward_type: RewardType::Uncle,
        value: reward * U256::from((8 + header.number).saturating_sub(block.height())) / U256::from(8),
    };
    let actions = std::iter::once(miner).chain(ommers.iter().map(ommer));
    actions.map(|action| action.into_localized_trace(place)).collect()
}

/// The trace at an address within a transaction: `trace_get(hash, [index, …])`.
fn get(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Option<LocalizedTransactionTrace>, RpcError> {
    let indices: Vec<U64> = arguments.required(1)?;
    let address: Vec<usize> = indices.iter().map(|index| index.to::<usize>()).collect();
    let traces = transaction_traces(context, arguments.required(0)?)?.unwrap_or_default();
    Ok(traces.into_iter().find(|trace| trace.trace.trace_address == address))
}

fn replay_transaction(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<TraceResults, RpcError> {
    let (hash, types): (B256, TraceTypes) = (arguments.required(0)?, arguments.required(1)?);
    let absent = || RpcError::server("transaction not found");
    let (mut replay, index) = replay_before(context, hash)?.ok_or_else(absent)?;
    let (_, transaction) = replay.transactions().into_iter().nth(index).ok_or_else(absent)?;
    Ok(results(&mut replay, exec::transaction_env(&transaction), &types)?.0)
}

fn replay_block(
    context: &Arc<RpcContext>,
    arguments: &Arguments<'_>,
) -> Result<Vec<TraceResultsWithTransactionHash>, RpcError> {
    let (id, types): (BlockId, TraceTypes) = (arguments.required(0)?, arguments.required(1)?);
    let mut replay = Replay::begin(context, existing(context, id)?)?;
    let mut answer = Vec::new();
    for (place, transaction) in replay.transactions() {
        let (full_trace, run) = results(&mut replay, exec::transaction_env(&transaction), &types)?;
        let transaction_hash = place.tx_hash.unwrap_or_default();
        answer.push(TraceResultsWithTransactionHash { full_trace, transaction_hash });
        replay.commit(run.state);
    }
    Ok(answer)
}

fn results(
    replay: &mut Replay,
    tx: revm::context::TxEnv,
    types: &TraceTypes,
) -> Result<(TraceResults, ResultAndState), RpcError> {
    let types: AlloyHashSet<TraceType> = types.iter().copied().collect();
    let mut inspector = TracingInspector::new(TracingInspectorConfig::from_parity_config(&types));
    let run = replay.inspect(tx, (&mut bound(&types), &mut inspector))?;
    let results = inspector.into_parity_builder().into_trace_results_with_state(&run, &types, &replay.state);
    Ok((results.map_err(|error| RpcError::internal(error.to_string()))?, run))
}

/// The bound on traces of these types.
fn bound(types: &AlloyHashSet<TraceType>) -> Bound {
    let records = types.contains(&TraceType::VmTrace);
    Bound::new(if records { Steps::StackAndMemory } else { Steps::Unrecorded })
}

fn call(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<TraceResults, RpcError> {
    let (request, types): (TransactionRequest, TraceTypes) = (arguments.required(0)?, arguments.required(1)?);
    let id: BlockId = arguments.optional(2)?.unwrap_or_default();
    let (accounts, fields): (Option<StateOverride>, Option<BlockOverrides>) =
        (arguments.optional(3)?, arguments.optional(4)?);
    let mut site = Site::open(context, id, accounts.as_ref(), fields.as_ref())?;
    Ok(call_at(&mut site, request, &types)?.0)
}

fn call_at(
    site: &mut Site,
    request: TransactionRequest,
    types: &TraceTypes,
) -> Result<(TraceResults, ResultAndState), RpcError> {
    let types: AlloyHashSet<TraceType> = types.iter().copied().collect();
    let mut inspector = TracingInspector::new(TracingInspectorConfig::from_parity_config(&types));
    let message = site.message(request)?;
    let run =
        site.inspect(&message, (&mut bound(&types), &mut inspector)).map_err(|fault| fault.into_rpc(message.gas))?;
    let results = inspector.into_parity_builder().into_trace_results_with_state(&run, &types, &site.state);
    Ok((results.map_err(|error| RpcError::internal(error.to_string()))?, run))
}

/// Calls one after the other, each on the state that those before it left.
fn call_many(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Vec<TraceResults>, RpcError> {
    let calls: Vec<(TransactionRequest, TraceTypes)> = arguments.required(0)?;
    if calls.len() > limits::MAX_TRACES_PER_RESPONSE {
        return Err(RpcError::limit(format!("more than {} calls", limits::MAX_TRACES_PER_RESPONSE)));
    }
    let mut site = Site::open(context, arguments.optional(1)?.unwrap_or_default(), None, None)?;
    let mut answer = Vec::with_capacity(calls.len());
    for (request, types) in calls {
        let (results, run) = call_at(&mut site, request, &types)?;
        site.state.commit(run.state);
        answer.push(results);
    }
    Ok(answer)
}
