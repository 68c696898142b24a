//! Where transactions conflict, and what comes of it.

use alloy_primitives::{Address, U256, map::HashMap};
use braid_types::Fork;
use revm::DatabaseRef;

use super::{
    access::SlotAccess,
    worker::{Heat, Shared},
};
use crate::symbolic::TrackedSlot;

/// Conflicts at a tracked slot, in spite of the tracking, after which it is not tracked any more.
const MAX_TRACKED_CONFLICTS: u64 = 3;

/// What was seen of the slots that conflicted.
#[derive(Debug, Default)]
pub(crate) struct HeatMap {
    slots: HashMap<(Address, U256), SlotHeat>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SlotHeat {
    /// Transactions that had to be executed again because of it.
    pub(crate) conflicts: u64,
    /// Transactions that were patched instead.
    pub(crate) deltas: u64,
    /// Conflicts while it was tracked, less the patches.
    failures: u64,
}

impl HeatMap {
    /// Notes that a transaction saw a value that does not hold.
    pub(crate) fn note_conflict<S: DatabaseRef>(
        &mut self,
        shared: &Shared<'_, S>,
        access: &SlotAccess,
        tracked: Option<&TrackedSlot>,
    ) {
        let heat = self.slots.entry((access.address, access.slot)).or_default();
        heat.conflicts += 1;
        // Before Istanbul nothing can be tracked.
        if heat.conflicts == 1 && shared.block.fork >= Fork::Istanbul {
            shared.heat.write().push((access.address, access.slot, Heat::Tracked));
        }
        if tracked.is_some() {
            heat.failures += 1;
            if heat.failures == MAX_TRACKED_CONFLICTS {
                shared.heat.write().push((access.address, access.slot, Heat::Serial));
            }
        }
    }

    /// Notes that a transaction was patched.
    pub(crate) fn note_delta(&mut self, access: &SlotAccess) {
        let heat = self.slots.entry((access.address, access.slot)).or_default();
        heat.deltas += 1;
        if heat.failures < MAX_TRACKED_CONFLICTS {
            heat.failures = heat.failures.saturating_sub(1);
        }
    }
}
