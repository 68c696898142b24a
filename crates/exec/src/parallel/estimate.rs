//! What transactions are likely to take, before they are executed: by their gas limits, and by how much of its limit a
//! transaction of this block uses.
//!
//! A limit says at least what a transaction cannot exceed. Runs are cut by it, so that a long transaction does not
//! hold up short ones that were handed out with it; and one that would take longer than all others, shared among the
//! workers, is begun at once (the longest first: Graham, "Bounds on multiprocessing timing anomalies", 1969). Otherwise
//! one thread would be left with it at the end while the others sleep.

use std::ops::Range;

/// Gas that every transaction pays before its first instruction.
pub(super) const INTRINSIC_GAS: u64 = 21_000;
/// Gas that is executed in a microsecond, as measured for token transfers and swaps.
pub(super) const GAS_PER_US: u64 = 2_500;
/// What even the shortest transaction takes, in gas.
const LEAST_GAS: u64 = GAS_PER_US;
/// Gas from which on a transaction may be begun ahead of its turn: a fifth of a millisecond.
const LONG_GAS: u64 = 200 * GAS_PER_US;
/// Transactions that may be begun ahead of their turn.
const MAX_LONG: usize = 64;
/// A transaction is begun at once that is likely to take so many times less than a worker's share of all that is left: some
/// take far longer than their gas lets expect.
const CAUTION: u64 = 2;
/// What is used of a limit, until it is known: a half.
const SHARE_AT_FIRST: u64 = WHOLE / 2;
/// All of a limit.
const WHOLE: u64 = 256;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Estimates {
    /// What each transaction may use, in gas.
    limits: Vec<u64>,
    /// The sum of the limits of transactions that nobody has begun.
    left: u64,
    /// Transactions with high limits, the highest last.
    long: Vec<u32>,
    /// What a transaction uses of its limit on average.
    share: u64,
}

impl Estimates {
    /// Estimates for transactions with these gas limits.
    pub(crate) fn new(gas_limits: impl Iterator<Item = u64>) -> Self {
        let limits: Vec<_> = gas_limits.map(execution_gas).collect();
        let mut long: Vec<_> =
            (0..).zip(&limits).filter(|&(_, &gas)| gas >= LONG_GAS).map(|(index, _)| index).collect();
        long.sort_unstable_by_key(|&index: &u32| limits[index as usize]);
        long.drain(..long.len().saturating_sub(MAX_LONG));
        Self { left: limits.iter().fold(0, |sum, &gas| sum.saturating_add(gas)), limits, long, share: SHARE_AT_FIRST }
    }

    /// What a transaction is likely to take, in microseconds.
    pub(crate) fn micros(&self, index: u32) -> u64 {
        let limit = self.limits.get(index as usize).copied().unwrap_or_default();
        (limit / WHOLE * self.share).max(LEAST_GAS) / GAS_PER_US
    }

    /// Learns that somebody began with these transactions.
    pub(crate) fn begun(&mut self, range: Range<u32>) {
        let begun = &self.limits[range.start as usize..range.end as usize];
        self.left = self.left.saturating_sub(begun.iter().fold(0, |sum, &gas| sum.saturating_add(gas)));
    }

    /// A transaction that is free and should not wait for its turn, since it may take as long as a worker's share of
    /// all that is left.
    pub(crate) fn longest(&mut self, workers: usize, is_free: impl Fn(u32) -> bool) -> Option<u32> {
        let workers = u64::try_from(workers).unwrap_or(u64::MAX);
        while let Some(&index) = self.long.last() {
            if is_free(index) {
                // High limits are mostly there because they are needed; low ones are mostly higher than needed.
                let left = self.left / WHOLE * self.share;
                let is_urgent = self.limits[index as usize].saturating_mul(workers.saturating_mul(CAUTION)) >= left;
                return is_urgent.then_some(index);
            }
            self.long.pop();
        }
        None
    }

    /// Learns how much of their limits transactions used: for each its gas and its limit.
    pub(crate) fn learn(&mut self, used: impl Iterator<Item = (u64, u64)>) {
        let (mut shares, mut all_limits) = (0, 0);
        for (used, limit) in used {
            let (used, limit) = (execution_gas(used), execution_gas(limit));
            // Some set limits far beyond what they need; they should not speak for all.
            let counted = limit.min(LONG_GAS);
            shares += used.min(limit).saturating_mul(WHOLE) / limit * counted;
            all_limits += counted;
        }
        if let Some(share) = shares.checked_div(all_limits) {
            self.share = (self.share * 3 + share).div_ceil(4);
        }
    }
}

/// The part of a transaction's gas that takes time in the EVM.
fn execution_gas(gas: u64) -> u64 {
    gas.saturating_sub(INTRINSIC_GAS).max(LEAST_GAS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimates(gas_limits: &[u64]) -> Estimates {
        Estimates::new(gas_limits.iter().copied())
    }

    #[test]
    fn limits_and_what_is_used_of_them_tell_the_time() {
        let mut estimates = estimates(&[21_000, 521_000]);
        assert_eq!((estimates.micros(0), estimates.micros(1)), (1, 99), "half of the limit, until more is known");
        for _ in 0..20 {
            estimates.learn([(121_000, 521_000)].into_iter());
        }
        assert!((38..=42).contains(&estimates.micros(1)), "{}", estimates.micros(1));
        assert_eq!(estimates.micros(0), 1);
    }

    #[test]
    fn a_limit_beyond_all_need_does_not_speak_for_others() {
        let mut estimates = estimates(&[121_000]);
        for _ in 0..20 {
            estimates.learn((0..10).map(|index| (121_000, if index == 0 { 30_000_000 } else { 121_000 })));
        }
        assert!(estimates.micros(0) >= 20, "{}", estimates.micros(0));
    }

    #[test]
    fn what_takes_longer_than_all_others_does_not_wait_for_its_turn() {
        let mut estimates = estimates(&[100_000, 100_000, 4_000_000, 9_000_000, 100_000]);
        assert_eq!(estimates.longest(2, |_| true), Some(3));
        estimates.begun(3..4);
        assert_eq!(estimates.longest(2, |index| index != 3), Some(2));
        assert_eq!(estimates.longest(2, |index| index < 2), None, "others are not worth it");
    }

    #[test]
    fn among_many_long_ones_none_is_urgent() {
        let limits = vec![1_000_000; 100];
        assert_eq!(estimates(&limits).longest(2, |_| true), None);
    }

    #[test]
    fn absurd_limits_are_no_trouble() {
        let mut estimates = estimates(&[u64::MAX, u64::MAX, 0]);
        assert_eq!(estimates.longest(2, |_| true).map(|index| index < 2), Some(true));
        estimates.begun(0..3);
        estimates.learn([(u64::MAX, u64::MAX), (0, 0)].into_iter());
        assert!(estimates.micros(0) > estimates.micros(2));
    }
}
