//! What the node tells Prometheus: chain, pool, store and process.
//!
//! Counters and histograms follow each commit; gauges are read when somebody asks, so that an idle node does nothing.
//! The server offers the text
//! at `/metrics`; there is no listener of its own.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use braid_chain::{Chain, Committed, Stage, exec::Statistics, state::ROOT_THREADS};
use braid_rpc::{Observer, admission::Admission};
use eyre::Context;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::process;

/// Upper bounds of the buckets for times, in seconds: 100 microseconds to 10 seconds.
const SECONDS: [f64; 16] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Upper bounds of the buckets for counts within a block.
const COUNTS: [f64; 14] =
    [0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0];

/// How the names of the executor's idle threads begin.
const EXECUTION_THREADS: &str = "exec-";

/// The metrics of one chain.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    chain: Arc<Chain>,
    admission: Arc<OnceLock<Arc<Admission>>>,
}

impl Metrics {
    /// Begins to record. Once a process.
    ///
    /// # Errors
    /// If something records already.
    pub(crate) fn start(chain: Arc<Chain>) -> eyre::Result<Self> {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Full("braid_block_speculations".to_owned()), &COUNTS)?
            .set_buckets_for_metric(Matcher::Full("braid_block_conflicts".to_owned()), &COUNTS)?
            .set_buckets_for_metric(Matcher::Full("braid_block_re_executions".to_owned()), &COUNTS)?
            .set_buckets_for_metric(Matcher::Full("braid_block_deltas".to_owned()), &COUNTS)?;
        let handle = builder.install_recorder().wrap_err("failed to start metrics")?;
        describe();
        chain.on_commit(record);
        Ok(Self { handle, chain, admission: Arc::default() })
    }

    /// Also tells of the way into the pool, once there is one.
    pub(crate) fn watch(&self, admission: &Arc<Admission>) {
        // A node has one.
        let _ = self.admission.set(Arc::clone(admission));
    }

    /// The metrics in Prometheus's text format.
    pub(crate) fn render(&self) -> String {
        self.read_gauges();
        self.handle.run_upkeep();
        self.handle.render()
    }

    fn read_gauges(&self) {
        let head = self.chain.head();
        set("braid_block_height", head.block.height());
        set("braid_block_timestamp_seconds", head.block.block.header.timestamp);
        let pool = self.chain.pool().lock().status();
        set("braid_pool_pending_transactions", size(pool.pending));
        set("braid_pool_queued_transactions", size(pool.queued));
        set("braid_pool_bytes", size(pool.size_bytes));
        let store = self.chain.store().stats();
        set("braid_store_checkpoint_height", store.checkpoint);
        set("braid_store_log_bytes", store.log_bytes);
        set("braid_store_accounts", store.accounts);
        if let Some((in_memory, all)) = store.keys {
            set("braid_store_state_keys", all);
            set("braid_store_state_keys_in_memory", in_memory);
        }
        for (name, keys, bytes) in store.keyspaces {
            gauge!("braid_store_keyspace_keys", "keyspace" => name.clone()).set(approximate(keys));
            gauge!("braid_store_keyspace_bytes", "keyspace" => name).set(approximate(bytes));
        }
        if let Some(admission) = self.admission.get() {
            for stage in self.chain.read_stages(admission.queue()) {
                set_stage(&stage);
            }
        }
        if let Some(usage) = process::Usage::read() {
            gauge!("process_cpu_seconds_total").set(usage.cpu_seconds);
            gauge!("process_resident_memory_bytes").set(approximate(usage.resident_bytes));
            gauge!("process_open_fds").set(approximate(usage.open_files));
            gauge!("process_threads").set(approximate(usage.threads));
        }
    }
}

impl Observer for Metrics {
    fn on_call(&self, method: &'static str, duration: Duration, is_success: bool) {
        let result = if is_success { "success" } else { "error" };
        counter!("braid_rpc_calls_total", "method" => method, "result" => result).increment(1);
        histogram!("braid_rpc_call_seconds", "method" => method).record(duration);
    }
}

/// Records a change of the head.
fn record(committed: &Committed) {
    counter!("braid_blocks_reverted_total").increment(size(committed.reverted.len()));
    for block in &committed.added {
        counter!("braid_blocks_total").increment(1);
        counter!("braid_transactions_total").increment(size(block.block.transactions.len()));
        counter!("braid_gas_total").increment(block.block.header.gas_used);
    }
    if committed.added.is_empty() {
        return;
    }
    record_statistics(&committed.statistics);
    let timings = committed.timings;
    histogram!("braid_block_execution_seconds").record(timings.execution);
    histogram!("braid_block_commit_seconds").record(timings.commit);
    histogram!("braid_block_seconds").record(timings.execution + timings.commit);
}

/// Records what the executor observed in a block.
fn record_statistics(statistics: &Statistics) {
    counter!("braid_executions_total").increment(statistics.executions);
    counter!("braid_speculations_total").increment(statistics.speculations);
    counter!("braid_conflicts_total").increment(statistics.conflicts);
    counter!("braid_re_executions_total").increment(statistics.re_executions);
    counter!("braid_deltas_total").increment(statistics.deltas);
    counter!("braid_fallbacks_total").increment(statistics.fallbacks);
    gauge!("braid_execution_threads").set(approximate(statistics.threads));
    histogram!("braid_block_speculations").record(approximate(statistics.speculations));
    histogram!("braid_block_conflicts").record(approximate(statistics.conflicts));
    histogram!("braid_block_re_executions").record(approximate(statistics.re_executions));
    histogram!("braid_block_deltas").record(approximate(statistics.deltas));
}

fn describe() {
    describe_counter!("braid_blocks_total", "Blocks that became part of the chain since the start");
    describe_counter!("braid_blocks_reverted_total", "Blocks that ceased to be part of the chain");
    describe_counter!("braid_transactions_total", "Transactions in those blocks");
    describe_counter!("braid_gas_total", "Gas those blocks used");
    describe_counter!("braid_executions_total", "Transactions executed to make them, repetitions included");
    describe_counter!("braid_speculations_total", "Executions ahead of the commit frontier");
    describe_counter!("braid_conflicts_total", "Speculations that were found invalid");
    describe_counter!("braid_re_executions_total", "Transactions executed again after a conflict");
    describe_counter!("braid_deltas_total", "Results patched by a difference instead of executed again");
    describe_counter!("braid_fallbacks_total", "Blocks executed again sequentially after a broken invariant");
    describe_gauge!("braid_execution_threads", "Threads that executed the newest block");
    describe_histogram!("braid_block_speculations", "Speculations in a block");
    describe_histogram!("braid_block_conflicts", "Conflicts in a block");
    describe_histogram!("braid_block_re_executions", "Transactions executed again in a block");
    describe_histogram!("braid_block_deltas", "Patched results in a block");
    describe_histogram!("braid_block_execution_seconds", "Validation, execution and state root of a block");
    describe_histogram!("braid_block_commit_seconds", "Writing a block to the log and waiting for the disk");
    describe_histogram!("braid_block_seconds", "Execution and commit of a block");
    describe_counter!("braid_rpc_calls_total", "RPC calls by method and result");
    describe_histogram!("braid_rpc_call_seconds", "Time of an RPC call by method");
    describe_gauge!("braid_block_height", "Height of the head");
    describe_gauge!("braid_block_timestamp_seconds", "Time stamp of the head");
    describe_gauge!("braid_pool_pending_transactions", "Waiting transactions that could stand in the next block");
    describe_gauge!("braid_pool_queued_transactions", "Waiting transactions behind a nonce gap");
    describe_gauge!("braid_pool_bytes", "Bytes of the waiting transactions");
    describe_gauge!("braid_store_checkpoint_height", "Height of the newest checkpoint");
    describe_gauge!("braid_store_log_bytes", "Bytes of block log that are not in a checkpoint yet");
    describe_gauge!("braid_store_accounts", "Accounts in the state");
    describe_gauge!("braid_store_state_keys", "Accounts and slots on disk, where memory has a limit");
    describe_gauge!("braid_store_state_keys_in_memory", "Those of them that are in memory");
    describe_gauge!("braid_store_keyspace_keys", "Approximate number of keys by keyspace");
    describe_gauge!("braid_store_keyspace_bytes", "Bytes on disk by keyspace");
    describe_gauge!("braid_stage_busy_seconds_total", "Time that a stage of the pipeline worked, over its threads");
    describe_gauge!(
        "braid_stage_waiting_seconds_total",
        "Time that a stage waited: for a thread, a lock, the disk, work"
    );
    describe_gauge!("braid_stage_cpu_seconds_total", "Processor time of a stage, helpers included");
    describe_gauge!("braid_stage_items_total", "Transactions that went through a stage");
    describe_gauge!("braid_stage_threads", "Threads that may work on a stage at once");
    describe_gauge!("braid_stage_depth", "What waits before a stage: transactions, or bytes of log before checkpoint");
    describe_gauge!("braid_stage_limit", "How much may wait before a stage");
    describe_gauge!("process_cpu_seconds_total", "Processor time the process used");
    describe_gauge!("process_resident_memory_bytes", "Memory the process holds");
    describe_gauge!("process_open_fds", "Files the process has open");
    describe_gauge!("process_threads", "Threads of the process");
}

/// Sets the gauges of a stage. They are gauges although they only grow, for counters are whole numbers.
fn set_stage(stage: &Stage) {
    let Stage { name, reading, is_parallel, queue } = *stage;
    let threads = if is_parallel { std::thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    // Helpers do nothing else, so that all their time is the stage's.
    let helpers = match name {
        "execute" => process::seconds_of_threads(EXECUTION_THREADS),
        "root" => process::seconds_of_threads(ROOT_THREADS),
        _ => 0.0,
    };
    gauge!("braid_stage_busy_seconds_total", "stage" => name).set(reading.busy.as_secs_f64());
    gauge!("braid_stage_waiting_seconds_total", "stage" => name).set(reading.waiting.as_secs_f64());
    gauge!("braid_stage_cpu_seconds_total", "stage" => name).set(plus(reading.cpu.as_secs_f64(), helpers));
    gauge!("braid_stage_items_total", "stage" => name).set(approximate(reading.items));
    gauge!("braid_stage_threads", "stage" => name).set(approximate(size(threads)));
    if let Some(queue) = queue {
        gauge!("braid_stage_depth", "stage" => name).set(approximate(queue.depth));
        gauge!("braid_stage_limit", "stage" => name).set(approximate(queue.limit));
    }
}

#[expect(clippy::float_arithmetic, reason = "metrics are for people and dashboards")]
const fn plus(a: f64, b: f64) -> f64 {
    a + b
}

fn set(name: &'static str, value: u64) {
    gauge!(name).set(approximate(value));
}

fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Gauges are floating point: exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "metrics are for people and dashboards")]
const fn approximate(value: u64) -> f64 {
    value as f64
}
