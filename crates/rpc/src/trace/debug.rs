//! geth's tracing: `debug_trace…` with its built-in tracers.
//!
//! `revm-inspectors` records and shapes the traces. JavaScript tracers are refused: they would run a client's program.

use std::sync::Arc;

use alloy_consensus::{BlockHeader as _, transaction::SignerRecoverable};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{B256, Bytes};
use alloy_rlp::Decodable;
use alloy_rpc_types_eth::TransactionRequest;
use alloy_rpc_types_trace::geth::{GethDebugTracingCallOptions, GethDebugTracingOptions, GethTrace, TraceResult};
use braid_chain::exec;
use braid_types::{Block, ExecutedBlock, Transaction};
use jsonrpsee::core::RegisterMethodError;
use revm::context::result::ResultAndState;
use revm_inspectors::tracing::{DebugInspector, TransactionContext};

use super::{
    bound::{Bound, Steps},
    replay::{Replay, existing},
    struct_log,
};
use crate::{
    call::site::Site,
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module, blocking},
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    blocking(module, "debug_traceTransaction", 2, trace_transaction)?;
    blocking(module, "debug_traceBlockByNumber", 2, |context, arguments| {
        let number: BlockNumberOrTag = arguments.required(0)?;
        trace_block(context, existing(context, number.into())?, options(arguments)?)
    })?;
    blocking(module, "debug_traceBlockByHash", 2, |context, arguments| {
        let hash: B256 = arguments.required(0)?;
        trace_block(context, existing(context, hash.into())?, options(arguments)?)
    })?;
    blocking(module, "debug_traceBlock", 2, |context, arguments| {
        let rlp: Bytes = arguments.required(0)?;
        trace_block(context, decode(context, &rlp)?, options(arguments)?)
    })?;
    blocking(module, "debug_traceCall", 3, trace_call)
}

fn options(arguments: &Arguments<'_>) -> Result<GethDebugTracingOptions, RpcError> {
    Ok(arguments.optional(1)?.unwrap_or_default())
}

/// The tracer that a client asks for, and the bound on what it may record.
fn tracer(options: GethDebugTracingOptions) -> Result<(Bound, DebugInspector), RpcError> {
    use revm_inspectors::tracing::DebugInspectorError as Refusal;
    let is_default = options.tracer.as_ref().is_none_or(|tracer| tracer.as_str().is_empty());
    let steps = match (is_default, options.config.is_memory_enabled()) {
        (false, _) => Steps::Unrecorded,
        (true, false) => Steps::Stack,
        (true, true) => Steps::StackAndMemory,
    };
    let inspector = DebugInspector::new(options).map_err(|refusal| match refusal {
        Refusal::JsTracerNotEnabled | Refusal::UnsupportedTracer => {
            RpcError::invalid_params("tracer not found: only built-in tracers are offered, JavaScript is not run")
        }
        other => RpcError::invalid_params(other.to_string()),
    })?;
    Ok((Bound::new(steps), inspector))
}

fn trace_transaction(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<GethTrace, RpcError> {
    let hash: B256 = arguments.required(0)?;
    let (mut bound, mut inspector) = tracer(options(arguments)?)?;
    let absent = || RpcError::server("transaction not found");
    let (height, index) = context.chain.store().transaction(hash)?.ok_or_else(absent)?;
    let block = context.chain.store().block(height)?.ok_or_else(absent)?;
    let index = index.0 as usize;
    let mut replay = Replay::before(context, block, index)?;
    let (place, transaction) = replay.transactions().into_iter().nth(index).ok_or_else(absent)?;
    let tx = exec::transaction_env(&transaction);
    let run = replay.inspect(tx.clone(), (&mut bound, &mut inspector))?;
    let result = inspector.get_result(Some(place), &tx, &replay.env, &run, &mut replay.state);
    finish(result, &run)
}

fn trace_block(
    context: &RpcContext,
    block: Arc<ExecutedBlock>,
    options: GethDebugTracingOptions,
) -> Result<Vec<TraceResult>, RpcError> {
    let (mut bound, mut inspector) = tracer(options)?;
    let mut replay = Replay::begin(context, block)?;
    let mut results = Vec::new();
    for (place, transaction) in replay.transactions() {
        let tx = exec::transaction_env(&transaction);
        let run = replay.inspect(tx.clone(), (&mut bound, &mut inspector))?;
        let result = inspector.get_result(Some(place), &tx, &replay.env, &run, &mut replay.state);
        results.push(TraceResult::Success { result: finish(result, &run)?, tx_hash: place.tx_hash });
        replay.commit(run.state);
        inspector.fuse().map_err(|error| RpcError::internal(error.to_string()))?;
    }
    Ok(results)
}

fn trace_call(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<GethTrace, RpcError> {
    let request: TransactionRequest = arguments.required(0)?;
    let id: BlockId = arguments.optional(1)?.unwrap_or_default();
    let options: GethDebugTracingCallOptions = arguments.optional(2)?.unwrap_or_default();
    let (accounts, fields) = (options.state_overrides.as_ref(), options.block_overrides.as_ref());
    let mut site = match options.tx_index {
        None => Site::open(context, id, accounts, fields)?,
        Some(index) => {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            let Replay { block, context: rules, state, .. } = Replay::before(context, existing(context, id)?, index)?;
            Site::new(context, block, rules, state, accounts, fields)?
        }
    };
    let (mut bound, mut inspector) = tracer(options.tracing_options)?;
    let message = site.message(request)?;
    let run = site.inspect(&message, (&mut bound, &mut inspector)).map_err(|fault| fault.into_rpc(message.gas))?;
    let tx = message.tx_env(site.context.chain_id);
    let result = inspector.get_result(None::<TransactionContext>, &tx, &site.env, &run, &mut site.state);
    finish(result, &run)
}

/// A trace as geth shows it.
fn finish<E: std::fmt::Display>(trace: Result<GethTrace, E>, run: &ResultAndState) -> Result<GethTrace, RpcError> {
    let trace = trace.map_err(|error| RpcError::internal(error.to_string()))?;
    Ok(match trace {
        GethTrace::Default(frame) => GethTrace::Default(struct_log::polish(frame, &run.result)),
        other => other,
    })
}

/// A block from its RLP encoding, on a parent that the chain has.
fn decode(context: &RpcContext, mut rlp: &[u8]) -> Result<Arc<ExecutedBlock>, RpcError> {
    let malformed = |reason: String| RpcError::invalid_params(format!("could not decode block: {reason}"));
    let decoded =
        alloy_consensus::Block::<Transaction>::decode(&mut rlp).map_err(|error| malformed(error.to_string()))?;
    if !rlp.is_empty() {
        return Err(malformed("bytes after the end".to_owned()));
    }
    let mut transactions = Vec::with_capacity(decoded.body.transactions.len());
    for transaction in decoded.body.transactions {
        let recovered = transaction.try_into_recovered().map_err(|error| malformed(error.to_string()))?;
        transactions.push(Arc::new(recovered));
    }
    let parent = existing(context, decoded.header.parent_hash().into())?;
    let total_difficulty = parent.total_difficulty.saturating_add(decoded.header.difficulty);
    let hash = decoded.header.hash_slow();
    let withdrawals = decoded.body.withdrawals.map(|withdrawals| withdrawals.into_inner());
    let block = Block { header: decoded.header, transactions, ommers: decoded.body.ommers, withdrawals };
    Ok(Arc::new(ExecutedBlock { hash, block, receipts: Vec::new(), total_difficulty }))
}
