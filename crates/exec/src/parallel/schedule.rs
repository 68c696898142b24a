//! Who executes what next.
//!
//! Transactions are handed out in runs of neighbours, each about as long as it takes to be worth the
//! hand-over. The run at the frontier is executed with final inputs by whoever holds the commit; all others are
//! speculations. When speculations fail, speculating pauses, for longer each time, so that a block that cannot
//! run in parallel costs little more than its sequential execution.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use parking_lot::Mutex;

use super::access::{AccessRange, Accesses};
use alloy_primitives::U256;
use braid_types::Receipt;

/// Gas that every transaction pays before its first instruction.
const INTRINSIC_GAS: u64 = 21_000;
/// Gas that is executed in a microsecond, as measured for token transfers and swaps.
const GAS_PER_US: u64 = 2_500;
/// What a run of transactions should take, in microseconds.
const RUN_US: u64 = 60;
/// Most transactions in a run.
const MAX_RUN: u32 = 64;
/// Most transactions that may be executed ahead of the frontier.
const MAX_AHEAD: u32 = 1 << 14;
/// Failures in a row after which speculation pauses.
const FREE_FAILURES: u32 = 2;
/// Most runs that speculation pauses for.
const MAX_PAUSE: u32 = 256;

/// A run of transactions that was handed out for speculation.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) range: Range<u32>,
    pub(crate) progress: Mutex<Progress>,
}

/// What has been done of a run. Publishing happens under its lock, so that who takes the run over knows what was
/// published and that nothing will be.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Set by who takes the run over; the speculating worker stops.
    pub(crate) is_cancelled: bool,
    /// How much of the event log the run's reads are known to have seen.
    pub(crate) followed: usize,
    pub(crate) accesses: Accesses,
    pub(crate) executed: Vec<Executed>,
}

/// A transaction as it was executed ahead of the frontier.
#[derive(Debug)]
pub(crate) struct Executed {
    /// `None`: it was found invalid, or state could not be read.
    pub(crate) result: Option<Included>,
    pub(crate) accesses: AccessRange,
}

/// What an executed transaction adds to a block.
#[derive(Debug)]
pub(crate) struct Included {
    /// Its receipt, with its own gas in place of the cumulative.
    pub(crate) receipt: Receipt,
    /// What the fee recipient earns, in wei.
    pub(crate) fee: U256,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Schedule {
    total: u32,
    /// The first transaction that was never handed out.
    next: u32,
    /// Number of committed transactions.
    frontier: u32,
    /// Runs that were handed out for speculation and are not committed, by their first transaction.
    runs: BTreeMap<u32, (Arc<Run>, RunState)>,
    /// What a transaction takes on average, in sixteenths of a microsecond.
    average: u64,
    /// Speculations that failed one after the other.
    failures: u32,
    /// No speculation before the frontier gets here.
    paused_until: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunState {
    Running,
    Done,
}

/// What is to do at the frontier.
#[derive(Debug)]
pub(crate) enum Frontier {
    /// This run was executed ahead: check it and commit it.
    Check(Arc<Run>),
    /// These transactions are nobody's yet: execute them.
    Execute(Range<u32>),
    /// This run is being executed elsewhere but is likely to fail: take it over.
    TakeOver(Arc<Run>),
    /// The run at the frontier is being executed elsewhere.
    Elsewhere,
    /// All is committed.
    Finished,
}

impl Schedule {
    pub(crate) const fn new(total: u32) -> Self {
        Self { total, next: 0, frontier: 0, runs: BTreeMap::new(), average: 20 * 16, failures: 0, paused_until: 0 }
    }

    /// Takes note of how far the commit is, and says what comes next there.
    pub(crate) fn at_frontier(&mut self, frontier: u32) -> Frontier {
        self.frontier = frontier;
        if frontier == self.total {
            return Frontier::Finished;
        }
        if frontier == self.next {
            return Frontier::Execute(self.hand_out());
        }
        match self.runs.get(&frontier) {
            Some((_, RunState::Done)) => {}
            Some((_, RunState::Running)) if self.failures == 0 => return Frontier::Elsewhere,
            Some((run, RunState::Running)) => {
                let run = Arc::clone(run);
                self.runs.remove(&frontier);
                return Frontier::TakeOver(run);
            }
            None => return Frontier::Elsewhere,
        }
        match self.runs.remove(&frontier) {
            Some((run, _)) => Frontier::Check(run),
            None => Frontier::Elsewhere,
        }
    }

    /// Whether somebody should look after the frontier.
    pub(crate) fn is_frontier_open(&self) -> bool {
        self.frontier == self.next
            || self.runs.get(&self.frontier).is_some_and(|(_, state)| *state == RunState::Done || self.failures > 0)
    }

    /// A run to execute ahead of the frontier.
    pub(crate) fn speculate(&mut self) -> Option<Arc<Run>> {
        if !self.may_speculate() {
            return None;
        }
        let range = self.hand_out();
        let run = Arc::new(Run { range: range.clone(), progress: Mutex::default() });
        self.runs.insert(range.start, (Arc::clone(&run), RunState::Running));
        Some(run)
    }

    /// Whether there is something to execute ahead of the frontier.
    pub(crate) fn may_speculate(&self) -> bool {
        self.next < self.total && self.frontier >= self.paused_until && self.next - self.frontier < MAX_AHEAD
    }

    /// Marks a run as executed.
    pub(crate) fn finish(&mut self, run: &Run) {
        if let Some((_, state)) = self.runs.get_mut(&run.range.start) {
            *state = RunState::Done;
        }
    }

    fn hand_out(&mut self) -> Range<u32> {
        let start = self.next;
        self.next = self.total.min(start.saturating_add(self.run_length()));
        start..self.next
    }

    fn run_length(&self) -> u32 {
        u32::try_from(RUN_US * 16 / self.average.max(1)).unwrap_or(MAX_RUN).clamp(1, MAX_RUN)
    }

    /// Learns what a committed transaction took.
    pub(crate) fn note_gas(&mut self, gas_used: u64, transactions: u32) {
        let transactions = u64::from(transactions.max(1));
        let gas = (gas_used / transactions).saturating_sub(INTRINSIC_GAS);
        let cost = 16 + gas * 16 / GAS_PER_US;
        self.average = (self.average * 3 + cost) / 4;
    }

    /// Learns how a speculation ended.
    pub(crate) fn note_speculation(&mut self, frontier: u32, has_failed: bool) {
        if !has_failed {
            self.failures = 0;
            return;
        }
        self.failures += 1;
        let Some(doublings) = self.failures.checked_sub(FREE_FAILURES) else { return };
        let pause = 1u32.checked_shl(doublings).unwrap_or(MAX_PAUSE).min(MAX_PAUSE);
        self.paused_until = frontier.saturating_add(pause * self.run_length());
    }
}
