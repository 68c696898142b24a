//! When a lone node makes blocks: as soon as transactions wait, at an interval, or on demand.
//!
//! The sequencer is one thread that owns the decision. Others wake it ([`Sequencer::notify`]) or ask it for blocks
//! ([`Sequencer::mine`]). Time comes from a clock it is given.

use std::{sync::Arc, time::Duration};

use alloy_primitives::{Address, B256, Bytes};
use braid_types::ExecutedBlock;

use crate::{
    build::Attributes,
    chain::{Chain, ChainError},
};

/// When blocks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mining {
    /// As soon as an executable transaction waits.
    Auto,
    /// Every so often, empty or not.
    Interval(Duration),
    /// Only on [`Sequencer::mine`].
    Manual,
}

/// Settings of the sequencer to begin with.
#[derive(Clone, Debug)]
pub struct SequencerOptions {
    /// When to make blocks.
    pub mining: Mining,
    /// Gas limit of blocks.
    pub gas_limit: u64,
    /// Fee recipient.
    pub beneficiary: Address,
    /// Extra data of headers.
    pub extra_data: Bytes,
}

/// A clock: milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Handle to the sequencer's thread. Dropping it stops the thread after the block it is making.
pub struct Sequencer {
    chain: Arc<Chain>,
}

impl std::fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequencer").finish_non_exhaustive()
    }
}

impl Sequencer {
    /// Starts the thread.
    pub fn start(chain: Arc<Chain>, options: SequencerOptions, clock: Clock) -> Self {
        let _ = (options, clock);
        Self { chain }
    }

    /// The chain it makes blocks for.
    pub const fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    /// Says that the pool has new transactions.
    pub fn notify(&self) {
        todo!()
    }

    /// Makes `count` blocks now, `interval_s` seconds apart in time stamps; returns when they are committed.
    ///
    /// # Errors
    /// If a block cannot be built or stored.
    pub fn mine(&self, count: u64, interval_s: Option<u64>) -> Result<Vec<Arc<ExecutedBlock>>, ChainError> {
        let _ = (count, interval_s);
        todo!()
    }

    /// What the next block would be made with, now.
    pub fn next_attributes(&self) -> Attributes {
        todo!()
    }

    /// When blocks are made.
    pub fn mining(&self) -> Mining {
        todo!()
    }

    /// Changes when blocks are made.
    pub fn set_mining(&self, mining: Mining) {
        let _ = mining;
        todo!()
    }

    /// Moves the clock forward by seconds; returns the total offset in seconds.
    pub fn increase_time(&self, seconds: u64) -> i64 {
        let _ = seconds;
        todo!()
    }

    /// Sets the clock to a time in seconds; it runs on from there. Returns the offset in seconds.
    pub fn set_time(&self, timestamp: u64) -> i64 {
        let _ = timestamp;
        todo!()
    }

    /// Time stamp of the next block, once.
    ///
    /// # Errors
    /// If it is not later than the head's; the head's time stamp.
    pub fn set_next_timestamp(&self, timestamp: u64) -> Result<(), u64> {
        let _ = timestamp;
        todo!()
    }

    /// Seconds between time stamps from now on; `None`: the clock's time.
    pub fn set_timestamp_interval(&self, seconds: Option<u64>) {
        let _ = seconds;
        todo!()
    }

    /// Base fee of the next block, once.
    pub fn set_next_base_fee(&self, base_fee: u64) {
        let _ = base_fee;
        todo!()
    }

    /// Randomness of the next block, once.
    pub fn set_next_prevrandao(&self, prevrandao: B256) {
        let _ = prevrandao;
        todo!()
    }

    /// Gas limit of blocks from now on.
    pub fn set_gas_limit(&self, gas_limit: u64) {
        let _ = gas_limit;
        todo!()
    }

    /// Fee recipient from now on.
    pub fn set_beneficiary(&self, beneficiary: Address) {
        let _ = beneficiary;
        todo!()
    }
}
