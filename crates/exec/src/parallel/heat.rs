//! Where transactions conflict, and what comes of it.
//!
//! A slot that conflicts is tracked from then on: perhaps what is done to it commutes. If tracking does not help, and not only once,
//! the slot is serial: transactions that are likely to touch it are executed in order. Once is no reason: what the first
//! transaction of a block accrues, all others read, and none of them writes it again.

use alloy_primitives::{Address, U256, map::HashMap};
use braid_types::RecoveredTx;
use revm::DatabaseRef;

use super::{
    access::SlotAccess,
    evm::HotSlots,
    predict::{Breadth, Chains, Lesson},
    worker::{Heat, Shared},
};
use crate::{contention::ContentionTally, symbolic::TrackedSlot};

/// Unforeseen conflicts at a serial slot after which all calls of a function that touches it are taken to do so.
const MANY_CONFLICTS: u64 = 4;
/// Slots of one account at which the first conflict is excused. A market that accrues once a block has a handful; a chain that leads from
/// slot to slot of a mapping has any number.
const MAX_EXCUSED: u32 = 8;
/// Of the transactions of chains, one in so many is asked for slots that its chain does not foresee.
const CHECKED_OF_CHAIN: u32 = 8;
/// Slots of one transaction that are looked at.
const MAX_SUSPECTS: usize = 16;

/// What was seen of the slots that conflicted.
#[derive(Debug, Default)]
pub(crate) struct HeatMap {
    slots: HashMap<(Address, U256), SlotHeat>,
    /// Slots of each account at which a conflict was excused.
    excused: Excused,
    /// The slots of the transaction that is looked at, of which it saw values that do not hold.
    pub(crate) suspects: HotSlots,
    /// The values that it saw.
    stale: Vec<(Address, U256, U256)>,
    has_serial: bool,
    chains: Chains,
    has_news: bool,
    /// Counts for the operator.
    pub(crate) tally: ContentionTally,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SlotHeat {
    /// Tracked: what is done to it commuted when it was looked at.
    Tracked,
    /// Tracked, although what a transaction did to it did not commute: the transaction saw `stale`. Others that saw it too ran at the
    /// same time; one that saw another value and does not commute tells that the slot was written again.
    Once {
        /// What was seen.
        stale: U256,
    },
    /// Transactions that touch it are executed in order.
    Serial {
        /// Conflicts since that was decided that no chain foresaw.
        conflicts: u64,
    },
}

impl SlotHeat {
    /// What becomes of a slot at a conflict in which `stale` was seen, which `commutes` or does not.
    fn after(before: Option<Self>, commutes: bool, stale: U256, mut may_excuse: impl FnMut() -> bool) -> Self {
        match before {
            Some(once @ Self::Once { stale: first }) if commutes || first == stale => once,
            Some(Self::Once { .. } | Self::Serial { .. }) => Self::Serial { conflicts: 0 },
            None | Some(Self::Tracked) if commutes => Self::Tracked,
            None | Some(Self::Tracked) if may_excuse() => Self::Once { stale },
            None | Some(Self::Tracked) => Self::Serial { conflicts: 0 },
        }
    }

    /// What workers are told.
    const fn told(self) -> Heat {
        match self {
            Self::Tracked | Self::Once { .. } => Heat::Tracked,
            Self::Serial { .. } => Heat::Serial,
        }
    }
}

/// How many slots of each account were excused.
#[derive(Debug, Default)]
struct Excused(HashMap<Address, u32>);

impl Excused {
    /// Whether one more slot of an account is excused.
    fn excuse(&mut self, address: Address) -> bool {
        let count = self.0.entry(address).or_default();
        *count += 1;
        *count <= MAX_EXCUSED
    }
}

impl HeatMap {
    /// Notes that a transaction saw a value of a slot that does not hold.
    pub(crate) fn suspect(&mut self, access: &SlotAccess, index: u32) {
        let SlotAccess { address, slot, seen, .. } = *access;
        self.tally.conflict(address, Some(slot));
        if let Some(SlotHeat::Serial { conflicts }) = self.slots.get_mut(&(address, slot)) {
            // Nothing is left to find out about the slot, but perhaps too little is known about who touches it.
            if !self.chains.foresees(index, address, slot) {
                *conflicts += 1;
            }
            return;
        }
        if self.suspects.is_empty() {
            self.stale.clear();
        }
        if self.suspects.len() < MAX_SUSPECTS && self.suspects.insert((address, slot)) {
            self.stale.push((address, slot, seen));
        }
    }

    /// Decides about the suspects, now that the transaction was executed again and they were tracked: if it would have gone the same
    /// way with the stale value, what it does commutes.
    pub(crate) fn judge<S: DatabaseRef>(&mut self, shared: &Shared<'_, S>, tracked: &[TrackedSlot], index: u32) {
        if self.suspects.is_empty() {
            return;
        }
        for (address, slot, stale) in std::mem::take(&mut self.stale) {
            let found = tracked.iter().find(|tracked| tracked.slot() == slot && tracked.address() == address);
            let commutes = found.is_some_and(|found| found.admits(stale));
            let before = self.slots.get(&(address, slot)).copied();
            let heat = SlotHeat::after(before, commutes, stale, || self.excused.excuse(address));
            self.slots.insert((address, slot), heat);
            if before.map(SlotHeat::told) != Some(heat.told()) {
                shared.heat.write().push((address, slot, heat.told()));
            }
            if heat.told() == Heat::Serial {
                self.has_serial = true;
                let lesson = Lesson { index, address, slot, breadth: Breadth::SameArguments };
                self.has_news |= self.chains.learn(shared.transactions, lesson);
            }
        }
        self.suspects.clear();
    }

    /// Notes that a transaction was patched.
    pub(crate) fn note_delta(&mut self, access: &SlotAccess) {
        self.tally.delta(access.address, Some(access.slot));
    }

    /// Whether it matters which slots committed transactions touched.
    pub(crate) const fn has_serial(&self) -> bool {
        self.has_serial
    }

    /// Notes which slots of an account a committed transaction touched.
    pub(crate) fn note_committed<'s>(
        &mut self,
        transactions: &[RecoveredTx],
        index: u32,
        address: Address,
        slots: impl Iterator<Item = &'s U256>,
    ) {
        if !self.has_serial || (self.chains.has(index) && !index.is_multiple_of(CHECKED_OF_CHAIN)) {
            return;
        }
        for &slot in slots {
            let Some(SlotHeat::Serial { conflicts }) = self.slots.get(&(address, slot)) else { continue };
            if self.chains.foresees(index, address, slot) {
                continue;
            }
            let breadth = if *conflicts < MANY_CONFLICTS { Breadth::SameArguments } else { Breadth::SameFunction };
            self.has_news |= self.chains.learn(transactions, Lesson { index, address, slot, breadth });
        }
    }

    /// The chains, if they changed since the last call.
    pub(crate) fn news(&mut self) -> Option<&[Vec<u32>]> {
        std::mem::take(&mut self.has_news).then_some(&self.chains.transactions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: U256 = U256::ZERO;
    const NEW: U256 = U256::ONE;

    fn after(before: Option<SlotHeat>, commutes: bool, stale: U256) -> SlotHeat {
        SlotHeat::after(before, commutes, stale, || true)
    }

    #[test]
    fn what_is_written_once_is_excused() {
        let once = after(None, false, OLD);
        assert_eq!(once, SlotHeat::Once { stale: OLD });
        assert_eq!(once.told(), Heat::Tracked);
        // Others that ran at the same time, and what commutes afterwards.
        assert_eq!(after(Some(once), false, OLD), once);
        assert_eq!(after(Some(once), true, NEW), once);
        assert_eq!(after(Some(once), false, NEW), SlotHeat::Serial { conflicts: 0 });
    }

    #[test]
    fn what_commuted_may_fail_to_once() {
        let tracked = after(None, true, OLD);
        assert_eq!(tracked, SlotHeat::Tracked);
        assert_eq!(after(Some(tracked), true, NEW), tracked);
        assert_eq!(after(Some(tracked), false, NEW), SlotHeat::Once { stale: NEW });
    }

    #[test]
    fn what_is_serial_stays_so() {
        let serial = SlotHeat::Serial { conflicts: 3 };
        assert_eq!(after(Some(serial), true, OLD).told(), Heat::Serial);
    }

    #[test]
    fn chains_from_slot_to_slot_are_excused_a_few_times() {
        let mut excused = Excused::default();
        let heats = (0..=MAX_EXCUSED).map(|_| SlotHeat::after(None, false, OLD, || excused.excuse(Address::ZERO)));
        let told: Vec<_> = heats.map(SlotHeat::told).collect();
        assert_eq!(told.iter().filter(|&&told| told == Heat::Tracked).count(), MAX_EXCUSED as usize);
        assert_eq!(told.last(), Some(&Heat::Serial));
        assert!(excused.excuse(Address::with_last_byte(1)));
    }
}
