//! Times a block, sequential and parallel by turns in one process, and compares everything that comes out.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use braid_exec::{BlockContext, BlockOutcome, Config, ExecError, execute};
use braid_types::{Receipt, RecoveredTx, StateChanges};

use crate::{
    baseline,
    state::{MemoryState, Missing},
};

/// A run that takes longer is not repeated as often.
const LONG_RUN: Duration = Duration::from_millis(200);

/// One block of a workload, with the state it runs on.
#[derive(Debug)]
pub struct Sample {
    /// What it is called in reports.
    pub name: String,
    /// What its execution depends on.
    pub context: BlockContext,
    /// Its transactions.
    pub transactions: Vec<RecoveredTx>,
    /// The state before it.
    pub state: MemoryState,
}

/// How a sample was measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Threads of the executor.
    pub threads: NonZeroUsize,
    /// Timed runs of each kind, after one that is not timed; `None`: as many as the length of a run suggests.
    pub runs: Option<NonZeroUsize>,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Gas of the block.
    pub gas: u64,
    /// Median of the plain loop.
    pub sequential: Duration,
    /// Median of the executor.
    pub parallel: Duration,
    /// Whether gas, receipts, requests and changes were the same on every run.
    pub identical: bool,
}

/// What a block left behind, for comparison.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    gas_used: u64,
    receipts: Vec<Receipt>,
    requests: alloy_eips::eip7685::Requests,
    changes: StateChanges,
}

impl From<BlockOutcome> for Left {
    fn from(outcome: BlockOutcome) -> Self {
        let BlockOutcome { gas_used, receipts, requests, changes, .. } = outcome;
        Self { gas_used, receipts, requests, changes: changes.into_state_changes() }
    }
}

/// Measures a sample.
///
/// # Errors
/// If either side fails to execute it.
pub fn measure(sample: &Sample, plan: Plan) -> Result<Measured, ExecError<Missing>> {
    let (once, expected) = sequential(sample)?;
    let runs = plan.runs.map_or(if once < LONG_RUN { 11 } else { 5 }, NonZeroUsize::get);
    let (_, first) = parallel(sample, plan.threads)?;
    let mut identical = first == expected;
    let (mut sequential_times, mut parallel_times) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (time, left) = sequential(sample)?;
        identical &= left == expected;
        sequential_times.push(time);
        let (time, left) = parallel(sample, plan.threads)?;
        identical &= left == expected;
        parallel_times.push(time);
    }
    Ok(Measured {
        gas: expected.gas_used,
        sequential: median(sequential_times),
        parallel: median(parallel_times),
        identical,
    })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn sequential(sample: &Sample) -> Result<(Duration, Left), ExecError<Missing>> {
    let begin = Instant::now();
    let done = baseline::run(&sample.context, &sample.transactions, &sample.state)?;
    let time = begin.elapsed();
    let (gas_used, receipts, requests) = (done.gas_used, done.receipts, done.requests);
    let changes = done.cache.changes(sample.context.fork).map_err(ExecError::State)?;
    Ok((time, Left { gas_used, receipts, requests, changes }))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn parallel(sample: &Sample, threads: NonZeroUsize) -> Result<(Duration, Left), ExecError<Missing>> {
    let config = Config { threads, ..Config::default() };
    let begin = Instant::now();
    let outcome = execute(&sample.context, &sample.transactions, &sample.state, &config)?;
    let time = begin.elapsed();
    Ok((time, outcome.into()))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let middle = times.len() / 2;
    match times.len() {
        0 => Duration::ZERO,
        length if length % 2 == 1 => times[middle],
        _ => (times[middle - 1] + times[middle]) / 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        let of = |times: &[u64]| median(times.iter().copied().map(Duration::from_secs).collect());
        assert_eq!(of(&[5, 1, 9]), Duration::from_secs(5));
        assert_eq!(of(&[5, 1, 9, 7]), Duration::from_secs(6));
        assert_eq!(of(&[]), Duration::ZERO);
    }
}
