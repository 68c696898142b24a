//! Plain data every part of Braid agrees on: transactions, blocks, state changes, forks and limits.
//!
//! No I/O, no clock, no threads. Ethereum's own types come from alloy and are re-exported under one name
//! each, so that the rest of the house has one word per idea.
//!
//! Reading order: [`block`] (what is ordered), [`changes`] (what execution leaves behind), [`fork`]
//! (which rules hold at which height), [`ordered`] (what validators agree on), [`limits`] (every bound, named).

pub mod block;
pub mod changes;
pub mod fork;
pub mod limits;
pub mod ordered;

pub use block::{Block, BlockRef, ExecutedBlock, Height, Receipt, RecoveredTx, Transaction, TxIndex};
pub use changes::{AccountChange, StateChanges};
pub use fork::{ChainSpec, Fork, SpecError};
pub use ordered::{ConsensusConfig, ExecutionCommitment, OrderedBlock};
