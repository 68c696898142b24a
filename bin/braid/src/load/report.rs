//! What a load came to, as text and as JSON.
#![expect(clippy::float_arithmetic, reason = "rates and milliseconds for people to read")]

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::{Driven, LoadArgs, setup::Stage, workload::Workload};
use crate::stages::Interval;

/// The outcome of a load. Rates are per second; `included_tps` counts from the first send to the last receipt.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    workload: Workload,
    node: String,
    chain_id: u64,
    transactions: usize,
    accounts: usize,
    batch: usize,
    connections: usize,
    accepted: usize,
    rejected: usize,
    included: usize,
    failed: usize,
    /// Accepted, but without a receipt when time was up.
    missing: usize,
    reasons: BTreeMap<String, usize>,
    blocks: usize,
    seconds: f64,
    included_tps: f64,
    admission_seconds: f64,
    admission_tps: f64,
    latency_ms: Latency,
    bytes_sent: usize,
    /// CPU time of the node from the first send to the last receipt, if `--pid` named it.
    node_cpu_seconds: Option<f64>,
    node_cpu_us_per_transaction: Option<f64>,
    /// CPU time of the load itself meanwhile.
    own_cpu_us_per_transaction: f64,
    /// Refusals for lack of room after which transactions were sent again.
    repeated: usize,
    /// Milliseconds from sending a batch to its answer.
    answer_ms: Latency,
    /// Processor time of the node by stage, if it tells.
    stages: Option<Vec<StageCost>>,
    /// The most memory that the node held at any look, in MiB, and how much it may.
    peak_memory_mib: Option<u64>,
    max_memory_mib: Option<u64>,
}

/// What a stage took for a transaction, in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct StageCost {
    stage: &'static str,
    cpu_us: f64,
    busy_us: f64,
    waiting_us: f64,
}

/// CPU time used while the clock ran.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cpu {
    /// By the node, if it is known.
    pub(super) node: Option<Duration>,
    /// By this process.
    pub(super) own: Duration,
}

/// Milliseconds from sending a batch to seeing the receipt.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Latency {
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

impl Report {
    pub(super) fn new(args: &LoadArgs, stage: &Stage, driven: &Driven) -> Self {
        let Driven { sent, seen, cpu, interval, peak_bytes } = driven;
        let settled = seen.included + seen.failed;
        Self {
            workload: args.workload,
            node: stage.node.clone(),
            chain_id: stage.chain_id,
            transactions: args.txs.get(),
            accounts: args.accounts.get(),
            batch: args.batch.get(),
            connections: args.conns.get(),
            accepted: sent.accepted,
            rejected: sent.rejected,
            included: seen.included,
            failed: seen.failed,
            missing: sent.accepted.saturating_sub(settled),
            reasons: sent.reasons.clone(),
            blocks: seen.blocks,
            seconds: seen.duration.as_secs_f64(),
            included_tps: rate(seen.included, seen.duration),
            admission_seconds: sent.duration.as_secs_f64(),
            admission_tps: rate(sent.accepted, sent.duration),
            latency_ms: Latency::of(&seen.latencies),
            bytes_sent: sent.bytes,
            node_cpu_seconds: cpu.node.map(|cpu| cpu.as_secs_f64()),
            own_cpu_us_per_transaction: cpu.own.as_secs_f64() * 1e6 / settled.max(1) as f64,
            node_cpu_us_per_transaction: cpu
                .node
                .filter(|_| settled > 0)
                .map(|cpu| cpu.as_secs_f64() * 1e6 / settled as f64),
            repeated: sent.repeated,
            answer_ms: Latency::of(&sent.answers),
            stages: interval.as_ref().filter(|_| settled > 0).map(|interval| costs(interval, settled)),
            peak_memory_mib: peak_bytes.map(|bytes| bytes >> 20),
            max_memory_mib: args.max_memory,
        }
    }

    /// Whether every transaction was included and succeeded.
    const fn is_complete(&self) -> bool {
        self.included == self.transactions
    }

    /// Whether that is so, and the node kept within the memory it may have.
    pub(super) fn holds(&self) -> bool {
        let exceeds = |limit| self.peak_memory_mib.is_none_or(|peak| peak > limit);
        self.is_complete() && !self.max_memory_mib.is_some_and(exceeds)
    }
}

fn costs(interval: &Interval, transactions: usize) -> Vec<StageCost> {
    let each = |seconds: f64| seconds * 1e6 / transactions as f64;
    let staged = interval.stages.iter().map(|stage| StageCost {
        stage: stage.stage,
        cpu_us: each(stage.cpu_seconds),
        busy_us: each(stage.busy_seconds),
        waiting_us: each(stage.waiting_seconds),
    });
    let other = StageCost { stage: "other", cpu_us: each(interval.other_cpu_seconds()), busy_us: 0.0, waiting_us: 0.0 };
    staged.chain([other]).collect()
}

impl Latency {
    pub(super) fn of(latencies: &[Duration]) -> Self {
        let mut sorted = latencies.to_vec();
        sorted.sort_unstable();
        let at = |percent: usize| {
            // The smallest that at least so many percent do not exceed (nearest rank).
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
        };
        Self { p50: at(50), p95: at(95), p99: at(99), max: at(100) }
    }
}

fn rate(count: usize, duration: Duration) -> f64 {
    if duration.is_zero() { 0.0 } else { count as f64 / duration.as_secs_f64() }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { p50, p95, p99, max } = self.latency_ms;
        writeln!(f, "node        {} (chain {})", self.node, self.chain_id)?;
        write!(f, "load        {} × {}, ", self.transactions, self.workload)?;
        writeln!(f, "{} accounts, {} connections, batches of {}", self.accounts, self.connections, self.batch)?;
        writeln!(f, "included    {:.0} per second: {} in {:.2} s", self.included_tps, self.included, self.seconds)?;
        writeln!(f, "            in {} blocks", self.blocks)?;
        writeln!(f, "admission   {:.0} per second: {} bytes", self.admission_tps, self.bytes_sent)?;
        write!(f, "latency     p50 {p50:.0} ms, p95 {p95:.0} ms, p99 {p99:.0} ms, max {max:.0} ms")?;
        if let (Some(seconds), Some(each)) = (self.node_cpu_seconds, self.node_cpu_us_per_transaction) {
            write!(f, "\nnode CPU    {each:.0} µs per transaction, {seconds:.2} s in all")?;
        }
        let Latency { p50, p99, max, .. } = self.answer_ms;
        write!(f, "\nanswers     p50 {p50:.0} ms, p99 {p99:.0} ms, max {max:.0} ms to a batch; ")?;
        write!(f, "{} sent again for lack of room", self.repeated)?;
        if let Some(peak) = self.peak_memory_mib {
            write!(f, "\nmemory      at most {peak} MiB")?;
            if let Some(limit) = self.max_memory_mib {
                write!(f, " of {limit}")?;
            }
        }
        for StageCost { stage, cpu_us, busy_us, waiting_us } in self.stages.iter().flatten() {
            write!(
                f,
                "\nstage       {stage:<11}{cpu_us:>7.1} µs CPU{busy_us:>9.1} µs busy{waiting_us:>9.1} µs waiting"
            )?;
        }
        if !self.is_complete() {
            write!(f, "\nnot in      {} rejected, {} failed, {} missing", self.rejected, self.failed, self.missing)?;
        }
        for (reason, count) in &self.reasons {
            write!(f, "\n            {count} × {reason}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let latencies: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        let Latency { p50, p95, p99, max } = Latency::of(&latencies);
        assert_eq!([p50, p95, p99, max], [100.0, 190.0, 198.0, 200.0]);
        assert_eq!(Latency::of(&[]).max, 0.0);
        assert_eq!(Latency::of(&latencies[..1]).p50, 200.0);
    }

    #[test]
    fn a_rate_over_no_time_is_nothing() {
        assert_eq!(rate(5, Duration::ZERO), 0.0);
        assert_eq!(rate(5, Duration::from_millis(500)), 10.0);
    }
}
