//! Chance that is no chance: every draw follows from the seed and from what it is about, so that it does not depend on the order in
//! which requests of different telephones arrive.

/// The first and the factor of FNV-1a (64 bits).
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// Draws about one subject.
#[derive(Clone, Debug)]
pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    /// Draws that follow from the seed and the parts of the subject's name.
    pub(crate) fn new(seed: u64, parts: &[&str]) -> Self {
        let mut hash = FNV_OFFSET;
        for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
        Self { state: hash ^ seed.wrapping_mul(FNV_PRIME) }
    }

    /// The next 64 bits (SplitMix64).
    pub(crate) const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included; `low` if there is none between.
    pub(crate) const fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        let width = high.abs_diff(low) + 1;
        low.wrapping_add_unsigned(self.next() % width)
    }

    /// Whether something happens that happens `per_mille` times of a thousand.
    pub(crate) const fn happens(&mut self, per_mille: u16) -> bool {
        self.next() % 1000 < per_mille as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_subject_draws_the_same() {
        let draws =
            |seed, name| (0..8).scan(Chance::new(seed, &[name]), |chance, _| Some(chance.next())).collect::<Vec<_>>();
        assert_eq!(draws(1, "a"), draws(1, "a"));
        assert_ne!(draws(1, "a"), draws(2, "a"));
        assert_ne!(draws(1, "a"), draws(1, "b"));
    }

    #[test]
    fn shares_are_about_what_they_should_be() {
        let mut chance = Chance::new(7, &["share"]);
        let hits = (0..10_000).filter(|_| chance.happens(333)).count();
        assert!((3000..3700).contains(&hits), "{hits}");
        assert!((0..1000).all(|_| (5..=9).contains(&chance.between(5, 9))));
        assert_eq!(chance.between(3, 3), 3);
    }
}
