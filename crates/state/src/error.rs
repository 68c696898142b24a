//! What can go wrong below the chain.

use alloy_primitives::B256;
use braid_types::Height;

/// Byte code that an account names is not in the store: a broken invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte code {0} is missing")]
pub struct CodeError(pub B256);

impl revm::database_interface::DBErrorMarker for CodeError {}

/// Failed to use the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the data directory.
    #[error("data directory {0} is in use by another process")]
    Locked(std::path::PathBuf),
    /// The state at this height is no longer kept.
    #[error("state at height {0} is not available")]
    Pruned(Height),
}
