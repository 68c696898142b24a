//! Numbers that look random and are the same on every run: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
//! number generators", 2014).

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not zero; as even as a benchmark needs.
    pub const fn below(&mut self, bound: usize) -> usize {
        // Both casts keep the value: `bound` has at most 64 bits and bounds the remainder.
        #[expect(clippy::cast_possible_truncation, reason = "the remainder is below a usize")]
        let number = (self.next() % bound as u64) as usize;
        number
    }

    /// Two different numbers below `bound`, which is at least two.
    pub const fn two_below(&mut self, bound: usize) -> (usize, usize) {
        let first = self.below(bound);
        let second = (first + 1 + self.below(bound - 1)) % bound;
        (first, second)
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
    fn pairs_differ_and_stay_in_bounds() {
        let mut random = Random::new(1);
        for _ in 0..1_000 {
            let (one, other) = random.two_below(3);
            assert!(one != other && one < 3 && other < 3);
        }
    }
}
