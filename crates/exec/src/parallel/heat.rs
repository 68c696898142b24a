//! Where transactions conflict, and what comes of it.

use alloy_primitives::{Address, U256, map::HashMap};
use braid_types::Fork;
use revm::DatabaseRef;

use super::{
    access::SlotAccess,
    worker::{Heat, Shared},
};
use crate::{contention::ContentionTally, symbolic::TrackedSlot};

/// Conflicts at a tracked slot, in spite of the tracking, after which it is not tracked any more.
const MAX_TRACKED_CONFLICTS: u64 = 3;

/// What was seen of the slots that conflicted.
#[derive(Debug, Default)]
pub(crate) struct HeatMap {
    slots: HashMap<(Address, U256), SlotHeat>,
    /// Counts for the operator.
    pub(crate) tally: ContentionTally,
}

#[derive(Clone, Copy, Debug, Default)]
struct SlotHeat {
    /// Transactions that had to be executed again because of it.
    conflicts: u64,
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
        self.tally.conflict(access.address, Some(access.slot));
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
        self.tally.delta(access.address, Some(access.slot));
        if heat.failures < MAX_TRACKED_CONFLICTS {
            heat.failures = heat.failures.saturating_sub(1);
        }
    }
}
