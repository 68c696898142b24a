//! Counts what transactions contend for, to name the worst of it in [`Statistics`](crate::Statistics).

use std::cmp::Reverse;

use alloy_primitives::{Address, U256, map::HashMap};
use braid_types::limits::MAX_CONTENTIONS_PER_BLOCK;

use crate::outcome::Contention;

/// Conflicts and deltas by location: an account with a slot, or without for its nonce, balance and code. It grows with the
/// locations that are contended, which a block's gas bounds.
#[derive(Clone, Debug, Default)]
pub struct ContentionTally {
    locations: HashMap<(Address, Option<U256>), Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    conflicts: u64,
    deltas: u64,
}

impl ContentionTally {
    /// Counts a speculation that was invalid because of a location.
    pub fn conflict(&mut self, address: Address, slot: Option<U256>) {
        self.locations.entry((address, slot)).or_default().conflicts += 1;
    }

    /// Counts a result that was patched because of a location.
    pub fn delta(&mut self, address: Address, slot: Option<U256>) {
        self.locations.entry((address, slot)).or_default().deltas += 1;
    }

    /// Adds what another thread counted.
    pub fn add(&mut self, other: Self) {
        #[expect(clippy::iter_over_hash_type, reason = "sums do not depend on the order")]
        for (location, counts) in other.locations {
            let sum = self.locations.entry(location).or_default();
            sum.conflicts += counts.conflicts;
            sum.deltas += counts.deltas;
        }
    }

    /// The worst, at most [`MAX_CONTENTIONS_PER_BLOCK`]: by conflicts, then by deltas, then by location.
    pub fn worst(self) -> Vec<Contention> {
        let contention =
            |((address, slot), Counts { conflicts, deltas })| Contention { address, slot, conflicts, deltas };
        let mut contended: Vec<_> = self.locations.into_iter().map(contention).collect();
        contended.sort_unstable_by_key(|one| (Reverse((one.conflicts, one.deltas)), one.address, one.slot));
        contended.truncate(MAX_CONTENTIONS_PER_BLOCK);
        contended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_come_first_and_the_rest_is_left_out() {
        let place = |number: usize| (Address::with_last_byte(7), Some(U256::from(number)));
        let (mut one, mut other) = (ContentionTally::default(), ContentionTally::default());
        for number in 0..2 * MAX_CONTENTIONS_PER_BLOCK {
            let (address, slot) = place(number);
            one.delta(address, slot);
            for _ in 0..number {
                other.conflict(address, slot);
            }
        }
        one.conflict(Address::ZERO, None);
        one.add(other);
        let worst = one.worst();
        assert_eq!(worst.len(), MAX_CONTENTIONS_PER_BLOCK);
        for (rank, contention) in worst.iter().enumerate() {
            let (address, slot) = place(2 * MAX_CONTENTIONS_PER_BLOCK - 1 - rank);
            let conflicts = 2 * MAX_CONTENTIONS_PER_BLOCK as u64 - 1 - rank as u64;
            assert_eq!(*contention, Contention { address, slot, conflicts, deltas: 1 });
        }
    }

    #[test]
    fn equal_counts_have_one_order() {
        let mut tally = ContentionTally::default();
        for (byte, slot) in [(2, None), (1, Some(U256::ZERO)), (1, None)] {
            tally.conflict(Address::with_last_byte(byte), slot);
        }
        let order: Vec<_> = tally.worst().into_iter().map(|one| (one.address.0[19], one.slot)).collect();
        assert_eq!(order, [(1, None), (1, Some(U256::ZERO)), (2, None)]);
    }
}
