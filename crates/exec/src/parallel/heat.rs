//! Where transactions conflict, and what comes of it.
//!
//! A slot that conflicts is tracked from then on: perhaps what is done to it commutes. If tracking does not help, the slot is
//! serial: transactions that are likely to touch it are executed in order.

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
/// Slots of one transaction that are looked at.
const MAX_SUSPECTS: usize = 16;

/// What was seen of the slots that conflicted.
#[derive(Debug, Default)]
pub(crate) struct HeatMap {
    slots: HashMap<(Address, U256), SlotHeat>,
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
    /// Transactions that touch it are executed in order.
    Serial {
        /// Conflicts since that was decided that no chain foresaw.
        conflicts: u64,
    },
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
        for &(address, slot, stale) in &self.stale {
            let found = tracked.iter().find(|tracked| tracked.slot() == slot && tracked.address() == address);
            let commutes = found.is_some_and(|found| found.admits(stale));
            let (heat, told) = if commutes {
                (SlotHeat::Tracked, Heat::Tracked)
            } else {
                (SlotHeat::Serial { conflicts: 0 }, Heat::Serial)
            };
            if self.slots.insert((address, slot), heat) != Some(heat) {
                shared.heat.write().push((address, slot, told));
            }
            if !commutes {
                self.has_serial = true;
                let lesson = Lesson { index, address, slot, breadth: Breadth::SameArguments };
                self.has_news |= self.chains.learn(shared.transactions, lesson);
            }
        }
        self.suspects.clear();
        self.stale.clear();
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
        if !self.has_serial {
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
