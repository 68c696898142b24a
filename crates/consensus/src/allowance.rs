//! How many transactions a block may hold so that the next one is not late.
//!
//! What a block costs the committee shows in when the next one comes: it is proposed when this one has been sent, checked and certified, and
//! something below it executed. Every node watches that by its own clock, whoever leads. If a block was followed too late, what a block may
//! hold shrinks in proportion, at most to a half; if one that was nearly full was followed in time, it grows by a quarter. What small blocks
//! take is the network's own time, and is not held against large ones.
//!
//! Only a leader's own proposals are bound by it: whether a block is valid does not depend on it.

use std::time::Duration;

use parking_lot::Mutex;

/// Below this many transactions a block says how quick the network is; above, how quick the committee is. No allowance is smaller.
const FEW: usize = 256;

/// The first allowance: what a processor core checks and executes in a tenth of a second.
const FIRST: usize = 2_048;

/// The largest allowance: beyond what other limits let into a block.
const MOST: usize = 65_536;

/// A longer time than this between small blocks is a fault and says nothing about the network.
const LONGEST_GAP_MS: u64 = 1_000;

/// A block as this node first saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub(crate) height: u64,
    pub(crate) view: u64,
    /// Milliseconds by this node's clock.
    pub(crate) at_ms: u64,
    pub(crate) transactions: usize,
}

/// What the next block may hold.
#[derive(Debug)]
pub(crate) struct Allowance(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Time to the next block if little waits.
    interval_ms: u64,
    /// From a small block to the next, smoothed.
    quiet_ms: u64,
    newest: Option<Sight>,
    transactions: usize,
}

impl Allowance {
    /// For blocks that come every `block_interval` if little waits.
    pub(crate) fn new(block_interval: Duration) -> Self {
        let interval_ms = u64::try_from(block_interval.as_millis()).unwrap_or(u64::MAX);
        Self(Mutex::new(State { interval_ms, quiet_ms: interval_ms, newest: None, transactions: FIRST }))
    }

    /// Transactions that the next block may hold.
    pub(crate) fn transactions(&self) -> usize {
        self.0.lock().transactions
    }

    /// Learns that a block is there. Blocks that do not follow the newest, and those after a view was given up, say nothing.
    pub(crate) fn observe(&self, sight: Sight) {
        let mut state = self.0.lock();
        let Some(newest) = state.newest.filter(|newest| newest.height < sight.height) else {
            state.newest = Some(state.newest.unwrap_or(sight));
            return;
        };
        state.newest = Some(sight);
        if newest.height + 1 == sight.height && newest.view + 1 == sight.view {
            state.follow(newest.transactions, sight.at_ms.saturating_sub(newest.at_ms));
        }
    }
}

impl State {
    /// When the next block should come: half an interval late, and twice as late as small blocks are.
    const fn target_ms(&self) -> u64 {
        let late_ms = self.quiet_ms.saturating_sub(self.interval_ms);
        self.interval_ms.saturating_add(self.interval_ms / 2).saturating_add(2 * late_ms)
    }

    /// A block with so many transactions was followed by another after `gap_ms`.
    fn follow(&mut self, transactions: usize, gap_ms: u64) {
        if transactions < FEW {
            self.quiet_ms = (7 * self.quiet_ms + gap_ms.min(LONGEST_GAP_MS)) / 8;
            return;
        }
        let target_ms = self.target_ms();
        if gap_ms > target_ms {
            let fitting = (transactions as u64).saturating_mul(target_ms) / gap_ms;
            let fitting = usize::try_from(fitting).unwrap_or(usize::MAX).max(transactions / 2);
            self.transactions = self.transactions.min(fitting.max(FEW));
        } else if transactions >= self.transactions / 4 * 3 {
            self.transactions = (self.transactions + self.transactions / 4).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A committee that needs so many microseconds a transaction, and so many milliseconds a block, by turns of `blocks`.
    struct Committee {
        allowance: Allowance,
        newest: Sight,
    }

    impl Committee {
        fn new() -> Self {
            let newest = Sight { height: 1, view: 1, at_ms: 0, transactions: 0 };
            Self { allowance: Allowance::new(Duration::from_millis(100)), newest }
        }

        fn step(&mut self, waiting: usize, each_us: u64, fixed_ms: u64) -> (usize, u64) {
            self.allowance.observe(self.newest);
            let before = self.newest;
            let gap_ms = (fixed_ms + before.transactions as u64 * each_us / 1_000).max(100);
            let transactions = waiting.min(self.allowance.transactions());
            self.newest =
                Sight { height: before.height + 1, view: before.view + 1, at_ms: before.at_ms + gap_ms, transactions };
            (transactions, gap_ms)
        }
    }

    #[test]
    fn blocks_become_what_can_be_done_in_time() {
        for each_us in [20, 100, 500] {
            let mut committee = Committee::new();
            for _ in 0..60 {
                committee.step(1_000_000, each_us, 10);
            }
            let gaps: Vec<u64> = (0..60).map(|_| committee.step(1_000_000, each_us, 10).1).collect();
            let mean = gaps.iter().sum::<u64>() / 60;
            assert!((100..200).contains(&mean), "{each_us}: {mean} ms");
            assert!(gaps.iter().all(|gap| *gap < 250), "{each_us}: {gaps:?}");
        }
    }

    #[test]
    fn a_slow_network_is_no_reason_for_small_blocks() {
        let mut committee = Committee::new();
        for _ in 0..60 {
            committee.step(10, 20, 300);
        }
        for _ in 0..60 {
            committee.step(1_000_000, 20, 300);
        }
        let (transactions, gap_ms) = committee.step(1_000_000, 20, 300);
        assert!(transactions > 8_000 && gap_ms < 900, "{transactions}, {gap_ms} ms");
    }

    #[test]
    fn a_stall_costs_half_and_a_view_given_up_nothing() {
        let sight = |height, view, at_ms| Sight { height, view, at_ms, transactions: FIRST };
        let allowance = Allowance::new(Duration::from_millis(100));
        allowance.observe(sight(1, 1, 0));
        allowance.observe(sight(2, 3, 4_000));
        assert_eq!(allowance.transactions(), FIRST);
        allowance.observe(sight(4, 4, 9_000));
        assert_eq!(allowance.transactions(), FIRST);
        allowance.observe(sight(4, 4, 10_000));
        allowance.observe(sight(3, 5, 10_000));
        allowance.observe(sight(5, 5, 19_000));
        assert_eq!(allowance.transactions(), FIRST / 2);
        allowance.observe(sight(6, 6, 19_100));
        assert_eq!(allowance.transactions(), FIRST / 8 * 5);
    }

    #[test]
    fn no_allowance_is_too_small_or_too_large() {
        let mut committee = Committee::new();
        for _ in 0..100 {
            committee.step(1_000_000, 100_000, 0);
        }
        assert_eq!(committee.allowance.transactions(), FEW);
        for _ in 0..100 {
            committee.step(1_000_000, 0, 0);
        }
        assert_eq!(committee.allowance.transactions(), MOST);
    }
}
