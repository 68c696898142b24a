//! Where all chance of a simulation comes from: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
//! generators", 2014). Small and fixed, so that a seed means the same scenario whatever the dependencies are.

use std::ops::RangeInclusive;

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A sequence that depends on this one's seed and on `purpose`, but on nothing drawn meanwhile: what is added to one part of a
    /// scenario leaves the others as they were.
    pub fn fork(&self, purpose: &str) -> Self {
        let mut forked = self.clone();
        for byte in purpose.bytes() {
            forked.0 = forked.next() ^ u64::from(byte);
        }
        Self(forked.next())
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `range`, which is not empty; as even as a scenario needs.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let width = range.end().saturating_sub(*range.start()).saturating_add(1).max(1);
        range.start() + self.next() % width
    }

    /// An index below `count`, which is not zero.
    pub fn index(&mut self, count: usize) -> usize {
        let last = count.saturating_sub(1) as u64;
        usize::try_from(self.within(0..=last)).unwrap_or(0)
    }

    /// True in `percent` of 100 draws.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.within(0..=99) < percent
    }

    /// One of `items`, which are not empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// `count` of `items`, or all of them, in an order of their own.
    pub fn some<T: Clone>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut left = items.to_vec();
        let count = count.min(left.len());
        (0..count).map(|_| left.swap_remove(self.index(left.len()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = Random::new(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn a_fork_does_not_depend_on_what_was_drawn_from_other_forks() {
        let random = Random::new(7);
        let mut links = random.fork("links");
        let before = random.fork("disks").next();
        links.next();
        assert_eq!(random.fork("disks").next(), before);
        assert_ne!(random.fork("links").next(), before);
    }

    #[test]
    fn draws_stay_in_their_bounds() {
        let mut random = Random::new(1);
        for _ in 0..1_000 {
            assert!((3..=5).contains(&random.within(3..=5)));
            assert!(random.index(2) < 2);
            assert!(!random.chance(0) && random.chance(100));
        }
        let mut some = random.some(&[1, 2, 3], 2);
        some.dedup();
        assert_eq!(some.len(), 2);
        assert_eq!(random.some(&[1, 2, 3], 9).len(), 3);
    }
}
