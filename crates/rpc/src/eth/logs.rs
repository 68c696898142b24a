//! Logs by filter, once or by polling.

use std::sync::Arc;

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{B256, U128};
use braid_types::{ExecutedBlock, Height};
use jsonrpsee::core::RegisterMethodError;
use serde::Serialize;

use crate::{
    context::RpcContext,
    convert::{self, Place, RpcLog},
    error::RpcError,
    filters::{Changes, FilterKind},
    log_filter::{FilterBlocks, LogFilter},
    method::{Arguments, Module, blocking, quick},
    resolve,
};

/// Times a poll looks anew because another one or a change of the chain came in between.
const POLL_ATTEMPTS: usize = 3;

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    blocking(module, "eth_getLogs", 1, |context, arguments| query(context, &arguments.required(0)?))?;
    quick(module, "eth_newFilter", 1, |context, arguments| install(context, FilterKind::Logs(arguments.required(0)?)))?;
    quick(module, "eth_newBlockFilter", 0, |context, _| install(context, FilterKind::Blocks))?;
    quick(module, "eth_newPendingTransactionFilter", 1, |context, _| install(context, FilterKind::Pending))?;
    quick(module, "eth_uninstallFilter", 1, |context, arguments| {
        Ok(context.filters.uninstall(arguments.required::<U128>(0)?))
    })?;
    blocking(module, "eth_getFilterChanges", 1, changes)?;
    blocking(module, "eth_getFilterLogs", 1, |context, arguments| {
        let filter = context.filters.logs(arguments.required::<U128>(0)?);
        query(context, &filter.ok_or_else(filter_not_found)?)
    })
}

/// What `eth_getFilterChanges` answers.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum FilterChanges {
    Logs(Vec<RpcLog>),
    Hashes(Vec<B256>),
}

impl FilterChanges {
    /// The same without entries.
    const fn emptied(&self) -> Self {
        match self {
            Self::Logs(_) => Self::Logs(Vec::new()),
            Self::Hashes(_) => Self::Hashes(Vec::new()),
        }
    }
}

fn filter_not_found() -> RpcError {
    RpcError::server("filter not found")
}

fn install(context: &RpcContext, kind: FilterKind) -> Result<U128, RpcError> {
    let head = context.head().block.height();
    context.filters.install(kind, head, (context.clock)())
}

fn changes(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<FilterChanges, RpcError> {
    let id: U128 = arguments.required(0)?;
    let mut nothing = FilterChanges::Hashes(Vec::new());
    for _ in 0..POLL_ATTEMPTS {
        let changes = context.filters.poll(id, (context.clock)()).ok_or_else(filter_not_found)?;
        let head = context.head().block.height();
        let (news, from, next) = match changes {
            Changes::Pending(hashes) => return Ok(FilterChanges::Hashes(hashes)),
            Changes::Blocks(from) => (FilterChanges::Hashes(new_blocks(context, from.height, head)?), from, head + 1),
            Changes::Logs(filter, from) => {
                let (logs, next) = new_logs(context, &filter, from.height, head)?;
                (FilterChanges::Logs(logs), from, next)
            }
        };
        if context.filters.advance(id, from, next) {
            return Ok(news);
        }
        nothing = news.emptied();
    }
    // Other polls report what there is, or the chain goes back without end; nothing is lost for the next poll.
    Ok(nothing)
}

fn new_blocks(context: &RpcContext, from: Height, head: Height) -> Result<Vec<B256>, RpcError> {
    let hashes = (from..=head).map(|height| context.chain.store().hash(height));
    let hashes: Result<Vec<Option<B256>>, _> = hashes.collect();
    Ok(hashes?.into_iter().flatten().collect())
}

/// Logs of blocks from `from` on, and the height up to which they reach: as far as the limits let it, so that a filter
/// left for long catches up over several polls.
fn new_logs(
    context: &RpcContext,
    filter: &LogFilter,
    from: Height,
    head: Height,
) -> Result<(Vec<RpcLog>, Height), RpcError> {
    let (first, last) = match filter.blocks {
        FilterBlocks::Hash(_) => (from, head),
        FilterBlocks::Range(first, last) => (bound(context, first, from), bound(context, last, head)),
    };
    let (first, last) = (first.max(from), last.min(head));
    let (max_blocks, max_logs) = (context.options.max_log_range.max(1), context.options.max_logs.max(1));
    let mut logs = Vec::new();
    for height in first..=last {
        if height - first >= max_blocks || logs.len() >= max_logs {
            return Ok((logs, height));
        }
        if let Some(block) = resolve::block(context, BlockId::number(height))? {
            collect(&block, filter, &mut logs);
        }
    }
    Ok((logs, head + 1))
}

/// The height a filter's bound means; a tag other than `earliest` bounds nothing that is yet to come.
fn bound(context: &RpcContext, bound: Option<BlockNumberOrTag>, open: Height) -> Height {
    match bound {
        Some(number @ (BlockNumberOrTag::Number(_) | BlockNumberOrTag::Earliest)) => {
            resolve::height(context, number).unwrap_or(open)
        }
        _ => open,
    }
}

/// The logs a filter asks for, in order.
pub(crate) fn query(context: &RpcContext, filter: &LogFilter) -> Result<Vec<RpcLog>, RpcError> {
    match filter.blocks {
        FilterBlocks::Hash(hash) => {
            let block = resolve::block(context, BlockId::from(hash))?;
            let block = block.ok_or_else(|| RpcError::server("unknown block"))?;
            let mut logs = Vec::new();
            collect(&block, filter, &mut logs);
            within_limit(context, logs, block.height()..=block.height())
        }
        FilterBlocks::Range(from, to) => scan(context, filter, range(context, from, to)?),
    }
}

type Range = std::ops::RangeInclusive<Height>;

fn range(
    context: &RpcContext,
    from: Option<BlockNumberOrTag>,
    to: Option<BlockNumberOrTag>,
) -> Result<Range, RpcError> {
    let head = context.head().block.height();
    let resolved =
        |bound: Option<BlockNumberOrTag>| resolve::height(context, bound.unwrap_or_default()).unwrap_or(head);
    let (first, last) = (resolved(from), resolved(to));
    if first > head || last > head {
        return Err(RpcError::invalid_params("block range extends beyond current head block"));
    }
    if first > last {
        return Err(RpcError::invalid_params("invalid block range params"));
    }
    Ok(first..=last)
}

fn scan(context: &RpcContext, filter: &LogFilter, range: Range) -> Result<Vec<RpcLog>, RpcError> {
    let limit = context.options.max_log_range;
    if range.end() - range.start() >= limit {
        return Err(RpcError::limit(format!("query spans more than {limit} blocks")));
    }
    let mut logs = Vec::new();
    for height in range.clone() {
        if let Some(block) = resolve::block(context, BlockId::number(height))? {
            collect(&block, filter, &mut logs);
        }
        if logs.len() > context.options.max_logs {
            break;
        }
    }
    within_limit(context, logs, range)
}

fn within_limit(context: &RpcContext, logs: Vec<RpcLog>, range: Range) -> Result<Vec<RpcLog>, RpcError> {
    let limit = context.options.max_logs;
    if logs.len() > limit {
        let (first, last) = range.into_inner();
        let message =
            format!("query of blocks {first} to {last} returns more than {limit} logs; ask for a smaller range");
        return Err(RpcError::limit(message));
    }
    Ok(logs)
}

/// Appends those logs of a block that a filter asks for.
pub(crate) fn collect(block: &ExecutedBlock, filter: &LogFilter, logs: &mut Vec<RpcLog>) {
    if !filter.may_match(&block.block.header.logs_bloom) {
        return;
    }
    let mut log_index = 0;
    for (index, receipt) in block.receipts.iter().enumerate() {
        for log in receipt.logs() {
            if filter.matches(log) {
                logs.extend(convert::log(Place { block, index }, log, log_index));
            }
            log_index += 1;
        }
    }
}
