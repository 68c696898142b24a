//! Keeps accounts, storage, code and blocks on disk, with their Merkle root and proofs.

mod codes;
pub mod error;
mod hashed;
pub mod state;
pub mod store;
mod trie;

pub use error::{CodeError, StoreError};
pub use state::{AccountProof, State, StorageProof};
pub use store::{Head, HistoricalState, StateAt, Store, StoreOptions, StoreStats};
