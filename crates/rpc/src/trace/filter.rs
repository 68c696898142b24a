//! `trace_filter`: traces of a range of blocks by sender and receiver. The range is run again block by block, so it is bounded.

use std::sync::Arc;

use alloy_eips::{BlockId, eip1898::LenientBlockNumberOrTag};
use alloy_rpc_types_trace::{filter::TraceFilter, parity::LocalizedTransactionTrace};
use braid_types::{Height, limits};
use jsonrpsee::core::RegisterMethodError;
use serde_json::{Map, Value};

use super::parity::block_traces;
use crate::{
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module, blocking, invalid_argument},
    resolve,
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    blocking(module, "trace_filter", 1, filter)
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, RpcError> {
    serde_json::from_value(value).map_err(|error| invalid_argument(0, &error.to_string()))
}

/// Takes a bound of the range, a number or a tag, out of the filter; `pending` is the head, for traces are of what happened.
fn bound(context: &RpcContext, filter: &mut Map<String, Value>, name: &str) -> Result<Option<Height>, RpcError> {
    let bound: Option<LenientBlockNumberOrTag> = filter.remove(name).map_or(Ok(None), parsed)?;
    let head = || context.head().block.height();
    Ok(bound.map(|number| resolve::height(context, number.into_inner()).unwrap_or_else(head)))
}

fn filter(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Vec<LocalizedTransactionTrace>, RpcError> {
    let mut object: Map<String, Value> = arguments.required(0)?;
    let (from, to) = (bound(context, &mut object, "fromBlock")?, bound(context, &mut object, "toBlock")?);
    let filter: TraceFilter = parsed(Value::Object(object))?;
    let head = context.head().block.height();
    // The genesis has no transactions.
    let from = from.unwrap_or(1).max(1);
    let to = to.unwrap_or(head).min(head);
    if to.saturating_sub(from) >= limits::MAX_SEARCHED_BLOCKS {
        return Err(RpcError::limit(format!("range of more than {} blocks", limits::MAX_SEARCHED_BLOCKS)));
    }
    let after = filter.after.map_or(0, |after| usize::try_from(after).unwrap_or(usize::MAX));
    let count = filter.count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
    let most = limits::MAX_TRACES_PER_RESPONSE;
    let wanted = after.saturating_add(count.min(most + 1));
    let matcher = filter.matcher();
    let (mut found, mut run_again) = (Vec::new(), 0);
    for height in from..=to {
        let Some(block) = resolve::block(context, BlockId::number(height))? else { continue };
        run_again += block.block.transactions.len();
        if run_again > limits::MAX_SEARCHED_TRANSACTIONS {
            return Err(RpcError::limit("the range holds too many transactions"));
        }
        found.extend(block_traces(context, block)?.into_iter().filter(|trace| matcher.matches(&trace.trace)));
        if found.len() >= wanted {
            break;
        }
    }
    let page: Vec<_> = found.into_iter().skip(after).take(count).collect();
    if page.len() > most {
        return Err(RpcError::limit(format!("more than {most} traces; ask for a smaller range, or name `count`")));
    }
    Ok(page)
}
