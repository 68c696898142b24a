//! The pipeline: take from the pool, execute, commit, root. The only place where the whole flow is visible.
//!
//! Reading order: [`genesis`] (block 0), [`consensus`] (what a header must say), [`process`] (execute a block and compare
//! it with its header), [`build`] (make the next block), [`chain`] (the handle that everyone shares), [`sequencer`] (when
//! a lone node makes blocks), [`ledger`] (the door for validators),
//! [`snapshot`] (state sync), [`stages`] (what takes time).

pub mod build;
pub mod chain;
pub mod consensus;
pub mod genesis;
pub mod ledger;
pub mod process;
pub mod sequencer;
pub mod snapshot;
pub mod stages;
pub mod view;

pub use braid_exec as exec;
pub use braid_state as state;
pub use build::{Attributes, Built, build, next_base_fee, next_excess_blob_gas};
pub use chain::{Chain, ChainError, ChainOptions, Committed, SharedPool, Timings};
pub use consensus::BlockError;
pub use genesis::genesis_block;
pub use ledger::{Durable, FaultKind, Ledger, LedgerError, LedgerStatistics, ProposalLimits};
pub use process::{Parent, Processed, process};
pub use sequencer::{Clock, Mining, Sequencer, SequencerOptions};
pub use snapshot::{Snapshot, SnapshotImport, SyncError};
pub use stages::{Queue, Stage, Stages};
pub use view::{Ancestors, BlockView};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
