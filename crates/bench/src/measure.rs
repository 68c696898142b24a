//! Times a block, sequential and parallel by turns in one process, and compares everything that comes out.
//!
//! What two threads can gain at best, a machine decides: cores share caches, memory and the host. So a third kind of run
//! can be taken by turns with the others: as many copies of the plain loop at once as there are threads, which need nothing
//! of each other ([`Measured::copies`]).

use std::{
    num::NonZeroUsize,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use alloy_consensus::transaction::Recovered;
use alloy_eips::{Decodable2718 as _, Encodable2718 as _, eip7685::Requests};
use braid_exec::{AccessListUse, BlockContext, BlockOutcome, Config, ExecError, access_list::BlockAccessList, execute};
use braid_types::{Receipt, RecoveredTx, StateChanges, Transaction};

use crate::{
    baseline,
    machine::{Since, cpu_time},
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
    /// The access list that it carries, for the executor.
    pub access_list: Option<Arc<BlockAccessList>>,
}

/// How a sample was measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Threads of the executor.
    pub threads: NonZeroUsize,
    /// Timed runs of each kind, after one that is not timed; `None`: as many as the length of a run suggests.
    pub runs: Option<NonZeroUsize>,
    /// Whether copies of the plain loop are run at once too.
    pub has_copies: bool,
}

/// What a run took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Time on the wall.
    pub wall: Duration,
    /// Time of all processors that the process used.
    pub cpu: Duration,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Gas of the block.
    pub gas: u64,
    /// Median of the plain loop.
    pub sequential: Cost,
    /// Median of the executor.
    pub parallel: Cost,
    /// Median of as many copies of the plain loop at once as there are threads, until the last has ended; if asked for.
    pub copies: Option<Duration>,
    /// Whether gas, receipts, requests and changes were the same on every run.
    pub identical: bool,
    /// Processors that other programs kept busy meanwhile; `None` where the system does not tell.
    pub others: Option<f64>,
}

/// What a block left behind, for comparison.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    gas_used: u64,
    receipts: Vec<Receipt>,
    requests: Requests,
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
    thread::scope(|scope| {
        let copies = plan.has_copies.then(|| Copies::start(scope, sample, plan.threads));
        measure_beside(sample, plan, copies)
    })
}

fn measure_beside(sample: &Sample, plan: Plan, copies: Option<Copies<'_>>) -> Result<Measured, ExecError<Missing>> {
    let (once, expected) = sequential(sample)?;
    let runs = plan.runs.map_or(if once.wall < LONG_RUN { 11 } else { 5 }, NonZeroUsize::get);
    let (_, first) = parallel(sample, plan.threads)?;
    let mut identical = first == expected;
    let since = Since::now();
    let (mut sequential_costs, mut parallel_costs, mut copies_times) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        if let Some(copies) = &copies {
            copies_times.push(copies.run()?);
        }
        let (cost, left) = sequential(sample)?;
        identical &= left == expected;
        sequential_costs.push(cost);
        let (cost, left) = parallel(sample, plan.threads)?;
        identical &= left == expected;
        parallel_costs.push(cost);
    }
    Ok(Measured {
        gas: expected.gas_used,
        sequential: medians(&sequential_costs),
        parallel: medians(&parallel_costs),
        copies: copies.map(|_| median(copies_times)),
        identical,
        others: since.used_by_others(),
    })
}

/// Threads that each run the plain loop when they are told to; they end when this is dropped.
struct Copies<'a> {
    sample: &'a Sample,
    begin: Vec<mpsc::Sender<()>>,
    ended: mpsc::Receiver<Result<(), ExecError<Missing>>>,
}

impl<'a> Copies<'a> {
    /// As many threads as there are, but for the caller's.
    fn start<'s>(scope: &'s thread::Scope<'s, '_>, sample: &'a Sample, threads: NonZeroUsize) -> Self
    where
        'a: 's,
    {
        let (tell, ended) = mpsc::channel();
        let start = |_| {
            let (begin, told) = mpsc::channel();
            let tell = tell.clone();
            scope.spawn(move || {
                let (transactions, state) = unshared(sample);
                told.iter().for_each(|()| copy(&sample.context, &transactions, &state, &tell));
            });
            begin
        };
        Self { sample, begin: (1..threads.get()).map(start).collect(), ended }
    }

    /// Runs all copies at once, one of them here; returns the time until the last has ended.
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    fn run(&self) -> Result<Duration, ExecError<Missing>> {
        let start = Instant::now();
        for begin in &self.begin {
            // Who cannot be told has panicked, and the scope passes that on.
            let _ = begin.send(());
        }
        let Sample { context, transactions, state, .. } = self.sample;
        let own = baseline::run(context, transactions, state)?;
        for ended in self.ended.iter().take(self.begin.len()) {
            ended?;
        }
        let time = start.elapsed();
        drop(own);
        Ok(time)
    }
}

/// Runs the plain loop, and tells that it has ended before what it left is freed.
fn copy(
    context: &BlockContext,
    transactions: &[RecoveredTx],
    state: &MemoryState,
    tell: &mpsc::Sender<Result<(), ExecError<Missing>>>,
) {
    let (told, left) = match baseline::run(context, transactions, state) {
        Ok(left) => (Ok(()), Some(left)),
        Err(error) => (Err(error), None),
    };
    // Nobody waits for it any more if another copy failed.
    let _ = tell.send(told);
    drop(left);
}

/// A sample's transactions and state with nothing whose uses are counted in one place for all threads.
fn unshared(sample: &Sample) -> (Vec<RecoveredTx>, MemoryState) {
    let unshared = |transaction: &RecoveredTx| {
        let encoded = transaction.encoded_2718();
        // What was encoded can be decoded.
        let decoded = Transaction::decode_2718_exact(&encoded).unwrap_or_else(|_| transaction.inner().clone());
        Arc::new(Recovered::new_unchecked(decoded, transaction.signer()))
    };
    (sample.transactions.iter().map(unshared).collect(), sample.state.unshared())
}

fn sequential(sample: &Sample) -> Result<(Cost, Left), ExecError<Missing>> {
    let (cost, done) = timed(|| baseline::run(&sample.context, &sample.transactions, &sample.state));
    let done = done?;
    let (gas_used, receipts, requests) = (done.gas_used, done.receipts, done.requests);
    let changes = done.cache.changes(sample.context.fork).map_err(ExecError::State)?;
    Ok((cost, Left { gas_used, receipts, requests, changes }))
}

fn parallel(sample: &Sample, threads: NonZeroUsize) -> Result<(Cost, Left), ExecError<Missing>> {
    let access_list = sample.access_list.clone().map_or(AccessListUse::Ignore, AccessListUse::Given);
    let config = Config { threads, access_list, ..Config::default() };
    let (cost, outcome) = timed(|| execute(&sample.context, &sample.transactions, &sample.state, &config));
    Ok((cost, outcome?.into()))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn timed<T>(run: impl FnOnce() -> T) -> (Cost, T) {
    let (cpu, begin) = (cpu_time(), Instant::now());
    let result = run();
    let wall = begin.elapsed();
    (Cost { wall, cpu: cpu_time().saturating_sub(cpu) }, result)
}

fn medians(costs: &[Cost]) -> Cost {
    Cost {
        wall: median(costs.iter().map(|cost| cost.wall).collect()),
        cpu: median(costs.iter().map(|cost| cost.cpu).collect()),
    }
}

pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
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
    use alloy_consensus::Transaction as _;
    use alloy_primitives::U256;
    use braid_types::Fork;
    use revm::state::AccountInfo;

    use super::*;
    use crate::world::{Action, World};

    #[test]
    fn the_median_is_the_middle() {
        let of = |times: &[u64]| median(times.iter().copied().map(Duration::from_secs).collect());
        assert_eq!(of(&[5, 1, 9]), Duration::from_secs(5));
        assert_eq!(of(&[5, 1, 9, 7]), Duration::from_secs(6));
        assert_eq!(of(&[]), Duration::ZERO);
    }

    #[test]
    fn work_costs_processor_time() {
        let (cost, sum) = timed(|| (0..20_000_000_u64).map(std::hint::black_box).sum::<u64>());
        assert!(sum > 0 && cost.cpu > Duration::ZERO && cost.wall > Duration::ZERO, "{cost:?}");
    }

    #[test]
    fn a_difference_is_noticed() {
        let mut sample = crate::workload::find("erc20-random-oz")[0].sample(Some(50)).unwrap();
        let (_, one) = sequential(&sample).unwrap();
        let (_, other) = parallel(&sample, NonZeroUsize::MIN).unwrap();
        assert_eq!(one, other);
        sample.transactions.pop();
        assert_ne!(one, parallel(&sample, NonZeroUsize::MIN).unwrap().1);
    }

    /// Before Cancun a destroyed contract is gone, whatever comes to its address afterwards.
    #[test]
    fn destroyed_contracts_leave_the_same_state() {
        let mut sample = crate::workload::find("worst-self-destructs")[0].sample(Some(40)).unwrap();
        let fork = Fork::Shanghai;
        sample.context = BlockContext {
            fork,
            blob_params: None,
            excess_blob_gas: None,
            parent_beacon_block_root: None,
            ..sample.context
        };
        let destroyed: Vec<_> = sample.transactions.iter().filter_map(|transaction| transaction.to()).collect();
        let mut world = World::new();
        let giver = world.user("giver", 0);
        let account = AccountInfo::from_balance(U256::from(1_u128 << 100));
        sample.state.insert(giver, account, []);
        for to in destroyed {
            let gift = Action { gas_limit: 50_000, ..Action::transfer(to, U256::ONE) };
            sample.transactions.push(world.transaction(giver, gift));
        }
        let (_, one) = sequential(&sample).unwrap();
        assert!(one.changes.accounts.values().any(|change| change.storage_cleared), "some are destroyed");
        let plan = Plan { threads: NonZeroUsize::MIN, runs: Some(NonZeroUsize::MIN), has_copies: false };
        assert!(measure(&sample, plan).unwrap().identical);
    }

    #[test]
    fn copies_run_the_whole_block_each_and_pass_errors_on() {
        let mut sample = crate::workload::find("erc20-random-oz")[0].sample(Some(50)).unwrap();
        let plan = Plan { threads: NonZeroUsize::new(3).unwrap(), runs: Some(NonZeroUsize::MIN), has_copies: true };
        let measured = measure(&sample, plan).unwrap();
        assert!(measured.copies.is_some_and(|copies| copies > Duration::ZERO));
        assert_eq!(measure(&sample, Plan { has_copies: false, ..plan }).unwrap().copies, None);
        sample.transactions.push(Arc::clone(&sample.transactions[0]));
        let run = || thread::scope(|scope| Copies::start(scope, &sample, plan.threads).run());
        assert!(matches!(run(), Err(ExecError::InvalidTransaction { .. })));
    }
}
