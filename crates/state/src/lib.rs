//! Keeps accounts, storage, code and blocks on disk, with their Merkle root and proofs.

pub mod error;
pub mod state;
pub mod store;

pub use error::{CodeError, StoreError};
pub use state::{AccountProof, State, StorageProof};
pub use store::{Head, HistoricalState, StateAt, Store, StoreOptions, StoreStats};
