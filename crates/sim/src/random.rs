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
