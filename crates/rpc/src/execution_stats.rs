//! `braid_blockExecutionStats`: what the executor observed while this node made or imported a block.
//!
//! Statistics are no part of the chain and differ from run to run, so they are kept in memory, for the newest blocks only.

use std::{collections::VecDeque, sync::Arc};

use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, U64, U256};
use braid_chain::{
    Committed, Timings,
    exec::{Contention, Statistics},
};
use braid_types::{ExecutedBlock, limits};
use jsonrpsee::core::RegisterMethodError;
use parking_lot::RwLock;
use serde::Serialize;

use crate::{
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module, quick},
    resolve,
};

/// Registers this method.
///
/// # Errors
/// If the name is taken.
pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    quick(module, "braid_blockExecutionStats", 1, stats)
}

/// Statistics of the newest blocks, the oldest first.
#[derive(Debug, Default)]
pub struct ExecutionStats {
    kept: RwLock<VecDeque<Arc<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    block: B256,
    statistics: Statistics,
    timings: Timings,
}

impl ExecutionStats {
    /// Follows a change of the head. Statistics that cover several blocks belong to none of them.
    pub fn on_commit(&self, committed: &Committed) {
        let mut kept = self.kept.write();
        for block in &committed.reverted {
            kept.retain(|entry| entry.block != block.hash);
        }
        let [block] = committed.added.as_slice() else { return };
        if kept.len() >= limits::MAX_KEPT_STATISTICS {
            kept.pop_front();
        }
        let (statistics, timings) = (committed.statistics.clone(), committed.timings);
        kept.push_back(Arc::new(Entry { block: block.hash, statistics, timings }));
    }

    fn find(&self, block: B256) -> Option<Arc<Entry>> {
        self.kept.read().iter().rev().find(|entry| entry.block == block).cloned()
    }
}

fn stats(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Option<RpcStats>, RpcError> {
    let id: BlockId = arguments.required(0)?;
    // A pending block is executed anew by whoever asks for it: nothing is known about it.
    if id.is_pending() {
        return Ok(None);
    }
    let Some(block) = resolve::block(context, id)? else { return Ok(None) };
    Ok(context.execution_stats.find(block.hash).map(|entry| RpcStats::new(&block, &entry)))
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RpcStats {
    number: U64,
    hash: B256,
    transactions: U64,
    gas_used: U64,
    threads: U64,
    executions: U64,
    speculations: U64,
    conflicts: U64,
    re_executions: U64,
    deltas: U64,
    fallbacks: U64,
    execution_us: U64,
    commit_us: U64,
    contended: Vec<RpcContention>,
}

#[derive(Clone, Debug, Serialize)]
struct RpcContention {
    address: Address,
    slot: Option<U256>,
    conflicts: U64,
    deltas: U64,
}

impl RpcStats {
    fn new(block: &ExecutedBlock, Entry { statistics, timings, .. }: &Entry) -> Self {
        let microseconds = |time: std::time::Duration| U64::from(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        Self {
            number: U64::from(block.height()),
            hash: block.hash,
            transactions: U64::from(block.block.transactions.len()),
            gas_used: U64::from(block.block.header.gas_used),
            threads: U64::from(statistics.threads),
            executions: U64::from(statistics.executions),
            speculations: U64::from(statistics.speculations),
            conflicts: U64::from(statistics.conflicts),
            re_executions: U64::from(statistics.re_executions),
            deltas: U64::from(statistics.deltas),
            fallbacks: U64::from(statistics.fallbacks),
            execution_us: microseconds(timings.execution),
            commit_us: microseconds(timings.commit),
            contended: statistics.contended.iter().map(RpcContention::from).collect(),
        }
    }
}

impl From<&Contention> for RpcContention {
    fn from(contention: &Contention) -> Self {
        Self {
            address: contention.address,
            slot: contention.slot,
            conflicts: U64::from(contention.conflicts),
            deltas: U64::from(contention.deltas),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(number: u64) -> Committed {
        let block = ExecutedBlock {
            hash: B256::from(U256::from(number)),
            block: braid_types::Block::default(),
            receipts: Vec::new(),
            total_difficulty: U256::ZERO,
        };
        let statistics = Statistics { executions: number, ..Statistics::default() };
        Committed { reverted: Vec::new(), added: vec![Arc::new(block)], statistics, timings: Timings::default() }
    }

    #[test]
    fn only_the_newest_are_kept() {
        let stats = ExecutionStats::default();
        let count = limits::MAX_KEPT_STATISTICS as u64 + 3;
        for number in 1..=count {
            stats.on_commit(&commit(number));
        }
        let executions = |number: u64| stats.find(U256::from(number).into()).map(|entry| entry.statistics.executions);
        assert_eq!((executions(3), executions(4), executions(count)), (None, Some(4), Some(count)));
        assert_eq!(stats.kept.read().len(), limits::MAX_KEPT_STATISTICS);
    }
}
