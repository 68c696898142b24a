//! What can go wrong below the chain.

use std::path::PathBuf;

use alloy_primitives::B256;
use braid_types::Height;

use crate::{codec::CodecError, log::LogError};

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
    Locked(PathBuf),
    /// The state at this height is no longer kept.
    #[error("state at height {0} is not available")]
    Pruned(Height),
    /// The data directory was written by another version.
    #[error("data directory {path} has schema version {found}, this version reads {expected}")]
    Schema {
        /// The data directory.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What this version writes.
        expected: u32,
    },
    /// A file operation failed.
    #[error("failed to {step} {path}")]
    Io {
        /// What was tried.
        step: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The block log failed or is damaged.
    #[error("failed to use the block log")]
    Log(#[from] LogError),
    /// The flat store failed.
    #[error("failed to use the flat store")]
    Flat(#[from] fjall::Error),
    /// Stored bytes cannot be decoded.
    #[error("failed to decode {what}")]
    Decode {
        /// What the bytes should have been.
        what: &'static str,
        /// Why they are not.
        #[source]
        source: CodecError,
    },
    /// The flat store contradicts itself.
    #[error("flat store is damaged: {0}")]
    Damaged(&'static str),
    /// The state read back does not have the root it was stored with.
    #[error("state at height {height} has root {found}, but {expected} was stored")]
    Root {
        /// The height.
        height: Height,
        /// The root that was stored.
        expected: B256,
        /// The root the state has.
        found: B256,
    },
    /// Byte code is missing.
    #[error("failed to read byte code")]
    Code(#[from] CodeError),
    /// A snapshot was begun to be imported, and never finished.
    #[error("data directory holds an unfinished snapshot")]
    Unfinished,
    /// There is no block yet.
    #[error("store has no genesis yet")]
    Empty,
    /// A block does not follow the head.
    #[error("block {height} with parent {parent} does not follow the head {head:?}")]
    NotNext {
        /// The block's height.
        height: Height,
        /// The parent it names.
        parent: B256,
        /// The head.
        head: braid_types::BlockRef,
    },
    /// A height above the head.
    #[error("height {0} is above the head")]
    AboveHead(Height),
    /// An earlier write failed; what the disk holds is only known after a restart.
    #[error("store refuses to write because an earlier write failed")]
    Poisoned,
}

impl StoreError {
    pub(crate) fn io<'a>(step: &'static str, path: &'a std::path::Path) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::Io { step, path: path.to_owned(), source }
    }

    pub(crate) fn decode(what: &'static str) -> impl FnOnce(CodecError) -> Self {
        move |source| Self::Decode { what, source }
    }
}
