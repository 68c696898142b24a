//! Where transactions conflict, and what comes of it.
//!
//! A slot that conflicts is tracked from then on: perhaps what is done to it commutes. If tracking does not help, the slot is
//! serial: transactions that are likely to touch it are executed in order.

use alloy_primitives::{Address, U256, map::HashMap};
use braid_types::{Fork, RecoveredTx};
use revm::DatabaseRef;

use super::{
    access::SlotAccess,
    predict::Chains,
    worker::{Heat, Shared},
};
use crate::{contention::ContentionTally, symbolic::TrackedSlot};

/// Conflicts at a tracked slot, less the times that tracking helped, after which it is serial.
const MAX_TRACKED_CONFLICTS: u64 = 2;

/// What was seen of the slots that conflicted.
#[derive(Debug, Default)]
pub(crate) struct HeatMap {
    slots: HashMap<(Address, U256), SlotHeat>,
    has_serial: bool,
    chains: Chains,
    has_news: bool,
    /// Counts for the operator.
    pub(crate) tally: ContentionTally,
}

#[derive(Clone, Copy, Debug, Default)]
struct SlotHeat {
    conflicts: u64,
    /// Conflicts while it was tracked, less the patches.
    failures: u64,
    is_serial: bool,
}

impl HeatMap {
    /// Notes that a transaction saw a value that does not hold.
    pub(crate) fn note_conflict<S: DatabaseRef>(
        &mut self,
        shared: &Shared<'_, S>,
        access: &SlotAccess,
        tracked: Option<&TrackedSlot>,
        index: u32,
    ) {
        self.tally.conflict(access.address, Some(access.slot));
        let heat = self.slots.entry((access.address, access.slot)).or_default();
        heat.conflicts += 1;
        if heat.is_serial {
            return;
        }
        // Before Istanbul nothing can be tracked.
        let can_be_tracked = shared.block.fork >= Fork::Istanbul;
        if heat.conflicts == 1 && can_be_tracked {
            shared.heat.write().push((access.address, access.slot, Heat::Tracked));
            return;
        }
        let Some(is_exact) = tracked.map(TrackedSlot::is_exact).or((!can_be_tracked).then_some(false)) else { return };
        heat.failures += 1;
        if is_exact || heat.failures == MAX_TRACKED_CONFLICTS {
            heat.is_serial = true;
            self.has_serial = true;
            shared.heat.write().push((access.address, access.slot, Heat::Serial));
            self.learn(shared.transactions, access, index);
        }
    }

    /// Notes that a transaction was patched.
    pub(crate) fn note_delta(&mut self, access: &SlotAccess) {
        self.tally.delta(access.address, Some(access.slot));
        let heat = self.slots.entry((access.address, access.slot)).or_default();
        heat.failures = heat.failures.saturating_sub(1);
    }

    /// Notes what a committed transaction touched.
    pub(crate) fn note_committed(&mut self, transactions: &[RecoveredTx], accesses: &[SlotAccess], index: u32) {
        if !self.has_serial {
            return;
        }
        for access in accesses {
            if self.slots.get(&(access.address, access.slot)).is_some_and(|heat| heat.is_serial) {
                self.learn(transactions, access, index);
            }
        }
    }

    fn learn(&mut self, transactions: &[RecoveredTx], access: &SlotAccess, index: u32) {
        self.has_news |= self.chains.learn(transactions, index, access.address, access.slot);
    }

    /// The chains, if they changed since the last call.
    pub(crate) fn news(&mut self) -> Option<&[Vec<u32>]> {
        std::mem::take(&mut self.has_news).then_some(&self.chains.transactions)
    }
}
