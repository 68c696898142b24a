//! Keeps accounts, storage, code and blocks on disk, with their Merkle root and proofs.
//!
//! Reading order: [`state`] (accounts and slots in a persistent trie), [`store`] (commit, read, roll back), `log` (the
//! commit point), `flat` and `checkpoint` (where the log goes), `history` (older states), `recovery` (opening),
//! `pager` (what of the state may be left out of memory), [`snapshot`] (the whole state for who joins late), [`meter`] (how operators learn what takes time).

mod checkpoint;
pub mod codec;
mod codes;
mod dump;
pub mod error;
mod flat;
mod hashed;
mod history;
pub mod log;
mod memory;
pub mod meter;
mod pager;
mod recovery;
mod rollback;
pub mod snapshot;
pub mod state;
pub mod store;
mod trie;
mod workers;

pub use error::{CodeError, StoreError};
pub use meter::{Lap, Meter, Reading, Stopwatch};
pub use snapshot::{Cursor, Import, Manifest, SnapshotError, Vacancy};
pub use state::{AccountProof, State, StorageProof};
pub use store::{Head, HistoricalState, StateAt, Store, StoreMeters, StoreOptions, StoreStats};
pub use workers::ROOT_THREADS;
