//! One transaction from the inside.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_trace::{
    otterscan::InternalOperation,
    parity::{Action, CallType, CreationMethod, TransactionTrace},
};
use jsonrpsee::core::RegisterMethodError;
use revm::context::result::ExecutionResult;
use revm_inspectors::{
    otterscan::InternalOperationsInspector,
    tracing::{TracingInspector, TracingInspectorConfig},
};
use serde::Serialize;

use crate::{
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module, blocking},
    trace,
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    blocking(module, "ots_getInternalOperations", 1, internal_operations)?;
    blocking(module, "ots_getTransactionError", 1, error)?;
    blocking(module, "ots_traceTransaction", 1, traces)
}

/// One frame of a transaction.
#[derive(Clone, Debug, Serialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: &'static str,
    depth: usize,
    from: Address,
    to: Address,
    value: Option<U256>,
    input: Bytes,
    output: Bytes,
}

fn absent() -> RpcError {
    RpcError::server("transaction not found")
}

fn internal_operations(
    context: &Arc<RpcContext>,
    arguments: &Arguments<'_>,
) -> Result<Vec<InternalOperation>, RpcError> {
    let hash: B256 = arguments.required(0)?;
    let mut inspector = InternalOperationsInspector::default();
    trace::inspect_transaction(context, hash, &mut inspector)?.ok_or_else(absent)?;
    Ok(inspector.into_operations())
}

/// What a transaction that reverted returned; empty for others.
fn error(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Bytes, RpcError> {
    let hash: B256 = arguments.required(0)?;
    let inspector = revm::inspector::NoOpInspector;
    let run = trace::inspect_transaction(context, hash, inspector)?.ok_or_else(absent)?;
    Ok(match run.result {
        ExecutionResult::Revert { output, .. } => output,
        _ => Bytes::new(),
    })
}

fn traces(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Vec<Entry>, RpcError> {
    let hash: B256 = arguments.required(0)?;
    let mut inspector = TracingInspector::new(TracingInspectorConfig::default_parity());
    trace::inspect_transaction(context, hash, &mut inspector)?.ok_or_else(absent)?;
    let traces = inspector.into_parity_builder().into_transaction_traces();
    Ok(traces.iter().filter_map(entry).collect())
}

fn entry(trace: &TransactionTrace) -> Option<Entry> {
    let depth = trace.trace_address.len();
    let output = trace.result.as_ref().map(|result| result.output().clone()).unwrap_or_default();
    Some(match &trace.action {
        Action::Call(call) => {
            let (kind, moves_value) = match call.call_type {
                CallType::CallCode => ("CALLCODE", true),
                CallType::DelegateCall => ("DELEGATECALL", false),
                CallType::StaticCall => ("STATICCALL", false),
                _ => ("CALL", true),
            };
            let value = moves_value.then_some(call.value);
            Entry { kind, depth, from: call.from, to: call.to, value, input: call.input.clone(), output }
        }
        Action::Create(create) => {
            let kind = if create.creation_method == CreationMethod::Create2 { "CREATE2" } else { "CREATE" };
            let to = created(trace).unwrap_or_default();
            let value = Some(create.value);
            Entry { kind, depth, from: create.from, to, value, input: create.init.clone(), output }
        }
        Action::Selfdestruct(end) => {
            let (from, to, value) = (end.address, end.refund_address, Some(end.balance));
            Entry { kind: "SELFDESTRUCT", depth, from, to, value, input: Bytes::new(), output }
        }
        Action::Reward(_) => return None,
    })
}

/// The contract that a frame created.
pub(super) fn created(trace: &TransactionTrace) -> Option<Address> {
    trace.result.as_ref().and_then(|result| result.created_contract())
}
