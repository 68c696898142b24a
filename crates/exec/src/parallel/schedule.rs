//! Who executes what next.
//!
//! Transactions are handed out in runs of neighbours, each about as long as it takes to be worth the
//! hand-over. The run at the frontier is executed with final inputs by whoever holds the commit; all others are
//! speculations. When speculations fail, speculating pauses, for longer each time, so that a block that cannot
//! run in parallel costs little more than its sequential execution.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use super::{
    access::{AccessRange, Accesses},
    estimate::Estimates,
    predict::Chain,
};
use alloy_primitives::U256;
use braid_types::Receipt;

use crate::threads::Mutex;

/// What a run of transactions should take, in microseconds.
const RUN_US: u64 = 60;
/// Most transactions in a run.
const MAX_RUN: u32 = 64;
/// Most transactions that may be executed ahead of the frontier.
const MAX_AHEAD: u32 = 1 << 14;
/// Runs that may wait for the frontier at first, for each thread; more when it turned out that they are right.
const RUNS_AT_FIRST: usize = 8;
/// The same after speculations that failed.
const LEAST_RUNS: usize = 2;
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
    pub(crate) lists: Lists,
}

/// What the transactions of a run read, wrote and came to.
#[derive(Debug, Default)]
pub(crate) struct Lists {
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
    states: Vec<TxState>,
    /// How many of them are waiting.
    waiting: usize,
    /// The first transaction that was never looked at. Before it, those that are still waiting are part of a chain.
    next: u32,
    /// Number of committed transactions.
    frontier: u32,
    /// Runs that were handed out for speculation and are not committed, by their first transaction.
    runs: BTreeMap<u32, (Arc<Run>, RunState)>,
    chains: Vec<ChainState>,
    /// The chain of each transaction; empty while there is none.
    chain_of: Vec<Option<Chain>>,
    estimates: Estimates,
    threads: usize,
    /// Runs that may be handed out and not committed: it doubles when a run was right, halves when one was not, and grows by one for each
    /// thread while the frontier executes a run itself. So little is done in vain where the block begins with transactions that
    /// depend on each other, and nobody waits for a long chain that is executed at the frontier.
    window: usize,
    /// Speculations that failed one after the other.
    failures: u32,
    /// No speculation before the frontier gets here.
    paused_until: u32,
    /// Emptied lists of runs that are committed, for the next: memory that one thread takes and another frees costs both.
    spare: Vec<Lists>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TxState {
    Waiting,
    HandedOut,
    /// Executed, ahead or finally.
    Executed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunState {
    Running,
    Done,
}

/// Transactions that are executed one after the other.
#[derive(Debug, Default)]
struct ChainState {
    transactions: Vec<u32>,
    /// How many of them, from the first, are known to be executed.
    executed: usize,
    /// Nothing of it is executed ahead before the frontier gets here: what was handed out before that was executed
    /// out of order, or on what such transactions left.
    held_until: u32,
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
    /// A schedule for transactions with these gas limits.
    pub(crate) fn new(gas_limits: impl ExactSizeIterator<Item = u64>, threads: usize) -> Self {
        Self {
            waiting: gas_limits.len(),
            states: vec![TxState::Waiting; gas_limits.len()],
            next: 0,
            frontier: 0,
            runs: BTreeMap::new(),
            chains: Vec::new(),
            chain_of: Vec::new(),
            estimates: Estimates::new(gas_limits),
            threads,
            window: threads.saturating_mul(RUNS_AT_FIRST),
            failures: 0,
            paused_until: 0,
            spare: Vec::new(),
        }
    }

    fn total(&self) -> u32 {
        u32::try_from(self.states.len()).unwrap_or(u32::MAX)
    }

    fn state(&self, index: u32) -> TxState {
        self.states.get(index as usize).copied().unwrap_or(TxState::Executed)
    }

    /// Takes note of how far the commit is, and says what comes next there.
    pub(crate) fn at_frontier(&mut self, frontier: u32) -> Frontier {
        for index in self.frontier..frontier {
            self.states[index as usize] = TxState::Executed;
        }
        self.frontier = frontier;
        if frontier == self.total() {
            return Frontier::Finished;
        }
        if self.state(frontier) == TxState::Waiting {
            let range = self.run_from(frontier, |schedule, index| {
                schedule.chain(index).is_none() || schedule.chain(index) == schedule.chain(frontier)
            });
            // Meanwhile each of the others has time for a run.
            self.window = self.window.saturating_add(self.threads).min(MAX_AHEAD as usize);
            return Frontier::Execute(range);
        }
        let Some((run, state)) = self.runs.get(&frontier) else { return Frontier::Elsewhere };
        let (run, state) = (Arc::clone(run), *state);
        if state == RunState::Running && !self.is_impatient_with(&run.range) {
            return Frontier::Elsewhere;
        }
        self.runs.remove(&frontier);
        if state == RunState::Done { Frontier::Check(run) } else { Frontier::TakeOver(run) }
    }

    /// Whether somebody should look after the frontier.
    pub(crate) fn is_frontier_open(&self) -> bool {
        self.state(self.frontier) == TxState::Waiting
            || self
                .runs
                .get(&self.frontier)
                .is_some_and(|(run, state)| *state == RunState::Done || self.is_impatient_with(&run.range))
    }

    /// Whether there is nothing more to hand out. What is left is commits, and what has to be executed again for them.
    pub(crate) fn is_all_handed_out(&self) -> bool {
        self.waiting == 0
    }

    /// Whether a run is taken over that is still being executed. Of one that is a single transaction nothing can be kept.
    fn is_impatient_with(&self, range: &Range<u32>) -> bool {
        self.failures > if range.len() == 1 { FREE_FAILURES } else { 0 }
    }

    /// A run to execute ahead of the frontier: of the chain that is ready and longest, or else of what comes next.
    pub(crate) fn speculate(&mut self) -> Option<Arc<Run>> {
        if self.frontier < self.paused_until || !self.has_room() {
            return None;
        }
        let range = self.longest().or_else(|| self.next_of_chains()).or_else(|| self.next_in_order())?;
        let progress = Progress { lists: self.spare.pop().unwrap_or_default(), ..Progress::default() };
        let run = Arc::new(Run { range: range.clone(), progress: Mutex::new(progress) });
        self.runs.insert(range.start, (Arc::clone(&run), RunState::Running));
        Some(run)
    }

    /// Whether there may be something to execute ahead of the frontier.
    pub(crate) fn may_speculate(&mut self) -> bool {
        self.frontier >= self.paused_until && self.has_room() && (self.may_look_ahead() || self.ready_chain().is_some())
    }

    /// Whether another run may wait for the frontier. While that stands at a long transaction there is time for more.
    fn has_room(&self) -> bool {
        let runs = usize::try_from(self.estimates.micros(self.frontier) / RUN_US).unwrap_or(usize::MAX);
        self.runs.len() < self.window.saturating_add(runs.saturating_mul(self.threads))
    }

    fn may_look_ahead(&self) -> bool {
        self.next < self.total() && self.next.saturating_sub(self.frontier) < MAX_AHEAD
    }

    /// Among the chains whose next transaction was passed over and can be executed now, the one with most to do.
    fn ready_chain(&mut self) -> Option<(Chain, u32)> {
        let mut best: Option<(usize, Chain, u32)> = None;
        for chain in 0..self.chains.len() {
            let Some(head) = self.head(chain).filter(|&head| head < self.next) else { continue };
            let left = self.chains[chain].transactions.len() - self.chains[chain].executed;
            if best.is_none_or(|(most, ..)| left > most) {
                best = Some((left, chain, head));
            }
        }
        best.map(|(_, chain, head)| (chain, head))
    }

    /// The first transaction of a chain that is not executed, if it waits.
    fn head(&mut self, chain: Chain) -> Option<u32> {
        loop {
            let state = &self.chains[chain];
            if self.frontier < state.held_until {
                return None;
            }
            let head = *state.transactions.get(state.executed)?;
            match self.state(head) {
                TxState::Executed => self.chains[chain].executed += 1,
                TxState::HandedOut => return None,
                TxState::Waiting => return Some(head),
            }
        }
    }

    fn chain(&self, index: u32) -> Option<Chain> {
        self.chain_of.get(index as usize).copied().flatten()
    }

    /// A transaction that would hold up the block if it waited for its turn.
    fn longest(&mut self) -> Option<Range<u32>> {
        let Self { estimates, states, chain_of, .. } = self;
        let is_free = |index: u32| {
            states[index as usize] == TxState::Waiting && chain_of.get(index as usize).copied().flatten().is_none()
        };
        let index = estimates.longest(self.threads, is_free)?;
        Some(self.hand_out(index..index + 1))
    }

    fn next_of_chains(&mut self) -> Option<Range<u32>> {
        let (chain, head) = self.ready_chain()?;
        Some(self.run_from(head, |schedule, index| schedule.chain(index) == Some(chain)))
    }

    /// What comes next in the block, passing over transactions whose chain is not ready.
    fn next_in_order(&mut self) -> Option<Range<u32>> {
        while self.may_look_ahead() {
            let index = self.next;
            let is_waiting = self.state(index) == TxState::Waiting;
            match self.chain(index) {
                _ if !is_waiting => self.next += 1,
                None => return Some(self.run_from(index, |schedule, index| schedule.chain(index).is_none())),
                Some(chain) if self.head(chain) == Some(index) => {
                    return Some(self.run_from(index, |schedule, index| schedule.chain(index) == Some(chain)));
                }
                Some(_) => self.next += 1,
            }
        }
        None
    }

    /// Hands out a run of neighbours from `start` on, as far as they wait and `belongs` says so.
    fn run_from(&mut self, start: u32, belongs: impl Fn(&Self, u32) -> bool) -> Range<u32> {
        let most = self.total().min(start.saturating_add(MAX_RUN));
        let mut end = start + 1;
        let mut micros = self.estimates.micros(start);
        while end < most && self.state(end) == TxState::Waiting && belongs(self, end) {
            micros += self.estimates.micros(end);
            if micros > RUN_US {
                break;
            }
            end += 1;
        }
        self.hand_out(start..end)
    }

    /// About how many transactions a run has.
    fn length_of_run_at(&self, index: u32) -> u32 {
        u32::try_from(RUN_US / self.estimates.micros(index).max(1)).unwrap_or(MAX_RUN).clamp(1, MAX_RUN)
    }

    fn hand_out(&mut self, range: Range<u32>) -> Range<u32> {
        for index in range.clone() {
            self.states[index as usize] = TxState::HandedOut;
        }
        if (range.start..=range.end).contains(&self.next) {
            self.next = range.end;
        }
        self.waiting -= range.len();
        self.estimates.begun(range.clone());
        range
    }

    /// Marks a run as executed.
    pub(crate) fn finish(&mut self, run: &Run) {
        if let Some((_, state)) = self.runs.get_mut(&run.range.start) {
            *state = RunState::Done;
            for index in run.range.clone() {
                self.states[index as usize] = TxState::Executed;
            }
        }
    }

    /// Keeps emptied lists; there are never more than there were runs at a time.
    pub(crate) fn keep(&mut self, lists: Lists) {
        self.spare.push(lists);
    }

    /// Learns which chains there are now.
    pub(crate) fn set_chains(&mut self, chains: &[Vec<u32>]) {
        // What failed taught something; the next speculations may well succeed.
        self.failures = 0;
        self.paused_until = self.frontier;
        self.chains.resize_with(chains.len(), ChainState::default);
        for (chain, transactions) in chains.iter().enumerate() {
            if self.chains[chain].transactions != *transactions {
                let transactions = transactions.clone();
                self.chains[chain] = ChainState { transactions, executed: 0, held_until: 0 };
                self.hold_back(chain);
            }
        }
        self.chain_of.clear();
        self.chain_of.resize(self.states.len(), None);
        for (chain, state) in self.chains.iter().enumerate() {
            for &index in &state.transactions {
                self.chain_of[index as usize] = Some(chain);
            }
        }
    }

    /// Lets a chain wait until the frontier has passed what was handed out of it.
    fn hold_back(&mut self, chain: Chain) {
        let mut last_first = self.chains[chain].transactions.iter().rev();
        let last = last_first.find(|&&index| self.state(index) != TxState::Waiting);
        self.chains[chain].held_until = last.map_or(0, |last| last + 1);
    }

    /// Learns how much of their gas limits transactions used: for each its gas and its limit.
    pub(crate) fn note_gas(&mut self, used: impl Iterator<Item = (u64, u64)>) {
        self.estimates.learn(used);
    }

    /// Learns how the speculation on a run that began with `first` ended.
    pub(crate) fn note_speculation(&mut self, first: u32, frontier: u32, has_failed: bool) {
        if !has_failed {
            self.failures = 0;
            self.window = (self.window * 2).min(MAX_AHEAD as usize);
            return;
        }
        self.failures += 1;
        self.window = (self.window / 2).max(self.threads.saturating_mul(LEAST_RUNS));
        if let Some(chain) = self.chain(first)
            && self.chains[chain].held_until <= frontier
        {
            self.hold_back(chain);
        }
        let Some(doublings) = self.failures.checked_sub(FREE_FAILURES) else { return };
        let pause = 1u32.checked_shl(doublings).unwrap_or(MAX_PAUSE).min(MAX_PAUSE);
        self.paused_until = frontier.saturating_add(pause * self.length_of_run_at(frontier));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(total: usize) -> impl ExactSizeIterator<Item = u64> {
        vec![100_000; total].into_iter()
    }

    fn starts(schedule: &mut Schedule) -> Vec<u32> {
        std::iter::from_fn(|| schedule.speculate()).map(|run| run.range.start).collect()
    }

    #[test]
    fn the_window_opens_when_runs_are_right_and_closes_when_they_are_not() {
        let mut schedule = Schedule::new(limits(1_000), 2);
        let first = starts(&mut schedule);
        assert_eq!(first.len(), 2 * RUNS_AT_FIRST);
        schedule.note_speculation(first[0], 0, false);
        assert_eq!(starts(&mut schedule).len(), 2 * RUNS_AT_FIRST, "twice as many in all");
        schedule.note_speculation(first[1], 0, true);
        assert_eq!(starts(&mut schedule).len(), 0);
    }

    #[test]
    fn the_window_opens_while_the_frontier_executes() {
        let mut schedule = Schedule::new(limits(1_000), 2);
        let mut frontier = 0;
        let first = starts(&mut schedule).len();
        assert_eq!(first, 2 * RUNS_AT_FIRST);
        let mut schedule = Schedule::new(limits(1_000), 2);
        for _ in 0..5 {
            let Frontier::Execute(range) = schedule.at_frontier(frontier) else { panic!("nobody else has it") };
            frontier = range.end;
        }
        assert_eq!(starts(&mut schedule).len(), first + 5 * 2);
    }

    #[test]
    fn a_new_chain_waits_until_the_frontier_has_passed_what_was_handed_out() {
        let mut schedule = Schedule::new(limits(100), 2);
        let ahead = schedule.speculate().unwrap();
        schedule.finish(&ahead);
        let chain: Vec<u32> = (0..100).collect();
        schedule.set_chains(&[chain]);
        assert!(schedule.speculate().is_none(), "what comes next would see what was executed out of order");
        let Frontier::Check(run) = schedule.at_frontier(0) else { panic!("the run is done") };
        assert!(matches!(schedule.at_frontier(run.range.end), Frontier::Execute(_)));
        assert!(schedule.speculate().is_none(), "the frontier has the next of the chain in hand");
    }

    #[test]
    fn a_long_transaction_is_a_run_by_itself_and_does_not_wait_for_its_turn() {
        let mut gas_limits = vec![60_000; 200];
        gas_limits[150] = 8_000_000;
        let mut schedule = Schedule::new(gas_limits.into_iter(), 2);
        assert_eq!(schedule.speculate().unwrap().range, 150..151);
        let next = starts(&mut schedule);
        assert_eq!(next[0], 0, "what comes next comes next");
        assert!(!schedule.is_all_handed_out());
    }

    #[test]
    fn runs_end_where_time_is_up() {
        let mut schedule = Schedule::new([60_000, 60_000, 600_000, 60_000].into_iter(), 2);
        let Frontier::Execute(range) = schedule.at_frontier(0) else { panic!("nobody else has it") };
        assert_eq!(range, 0..2);
        let runs: Vec<_> = std::iter::from_fn(|| schedule.speculate()).map(|run| run.range.clone()).collect();
        assert_eq!(runs, [2..3, 3..4]);
        assert!(schedule.is_all_handed_out());
    }

    #[test]
    fn a_chain_that_is_known_already_goes_on() {
        let mut schedule = Schedule::new(limits(100), 2);
        let chain: Vec<u32> = (0..100).collect();
        schedule.set_chains(std::slice::from_ref(&chain));
        let run = schedule.speculate().unwrap();
        schedule.finish(&run);
        schedule.set_chains(&[chain, Vec::new()]);
        assert_eq!(schedule.speculate().unwrap().range.start, run.range.end);
    }
}
