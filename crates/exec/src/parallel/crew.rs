//! Buffers that outlive a block.
//!
//! Starting a thread and touching fresh memory costs tens of microseconds each, as much as a small block takes. So
//! [threads](crate::threads) wait in a pool for the next block, and the larger buffers of a worker are used again: each
//! entry says which block it is of, and what another block left is not found. Nothing that a block learned is carried
//! over to the next.

use std::sync::LazyLock;

use alloy_primitives::{Address, U256};
use parking_lot::Mutex;

use super::hashes::{Epoch, Hashes};

/// Slots of the base state that a worker keeps: 180 KB, which fits a core's second-level cache.
const CACHED_SLOTS: usize = 2_048;
/// Buffers that are kept for later blocks; more are dropped.
const MAX_KEPT: usize = 64;

static KEPT: LazyLock<Mutex<Vec<Buffers>>> = LazyLock::new(Mutex::default);

/// A slot of the base state.
#[derive(Clone, Copy, Debug)]
struct CachedSlot {
    address: Address,
    epoch: Epoch,
    slot: U256,
    value: U256,
}

const NO_SLOT: CachedSlot = CachedSlot { address: Address::ZERO, epoch: 0, slot: U256::ZERO, value: U256::ZERO };

/// A worker's larger buffers.
#[derive(Debug)]
pub(crate) struct Buffers {
    pub(crate) hashes: Hashes,
    /// Slots of the base state, each at the place that its hash names.
    slots: Box<[CachedSlot]>,
    /// The block that uses the buffers.
    epoch: Epoch,
}

impl Buffers {
    /// Buffers in which nothing is found.
    pub(crate) fn take() -> Self {
        let mut buffers = KEPT.lock().pop().filter(|kept| kept.epoch < Epoch::MAX).unwrap_or_else(Self::new);
        // To empty them would cost as much as a small block.
        buffers.epoch += 1;
        buffers.hashes.begin(buffers.epoch);
        buffers
    }

    fn new() -> Self {
        Self { hashes: Hashes::new(), slots: vec![NO_SLOT; CACHED_SLOTS].into(), epoch: 0 }
    }

    /// A slot of the base state, read unless it is kept. `hash` is that of its location.
    pub(crate) fn slot<E>(
        &mut self,
        address: Address,
        slot: U256,
        hash: u64,
        read: impl FnOnce() -> Result<U256, E>,
    ) -> Result<U256, E> {
        #[expect(clippy::cast_possible_truncation, reason = "the low bits choose")]
        let cached = &mut self.slots[hash as usize % CACHED_SLOTS];
        if cached.epoch != self.epoch || cached.slot != slot || cached.address != address {
            *cached = CachedSlot { address, epoch: self.epoch, slot, value: read()? };
        }
        Ok(cached.value)
    }

    /// Keeps buffers for later.
    pub(crate) fn give_back(self) {
        let mut kept = KEPT.lock();
        if kept.len() < MAX_KEPT {
            kept.push(self);
        }
    }
}
