//! The chain: store, spec and pool behind one handle.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc};

use alloy_genesis::Genesis;
use alloy_primitives::B256;
use braid_exec::{BlockContext, Statistics};
use braid_pool::{Pool, PoolConfig};
use braid_state::{Head, State, Store, StoreError, StoreOptions};
use braid_types::{Block, ChainSpec, ExecutedBlock, Fork, Height, RecoveredTx, SpecError, StateChanges};
use parking_lot::Mutex;

use crate::{
    build::{Attributes, Built},
    consensus::BlockError,
    view::BlockView,
};

/// The pool, shared by RPC and sequencer.
pub type SharedPool = Arc<Mutex<Pool>>;

/// How to open a chain.
#[derive(Clone, Debug)]
pub struct ChainOptions {
    /// The genesis; must be the one the directory was made with.
    pub genesis: Genesis,
    /// Data directory.
    pub directory: PathBuf,
    /// How the store keeps what it keeps.
    pub store: StoreOptions,
    /// Limits of the pool.
    pub pool: PoolConfig,
    /// Worker threads for execution.
    pub threads: NonZeroUsize,
    /// Whether this is a development node, where senders may be impersonated.
    pub is_dev: bool,
}

/// Failed to use the chain.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The genesis cannot be followed.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The data directory was made with another genesis.
    #[error("data directory belongs to another chain: its genesis is {found}, not {expected}")]
    OtherGenesis {
        /// Hash of the genesis asked for.
        expected: B256,
        /// Hash of the genesis found.
        found: B256,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A block is not valid.
    #[error(transparent)]
    Block(#[from] BlockError),
}

/// What listeners hear after each change of the head.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Blocks that are no longer part of the chain, newest first.
    pub reverted: Vec<Arc<ExecutedBlock>>,
    /// Blocks that are new, oldest first.
    pub added: Vec<Arc<ExecutedBlock>>,
    /// What the executor observed while making them.
    pub statistics: Statistics,
}

/// One chain. Shared as `Arc<Chain>`; methods that write serialise themselves.
pub struct Chain {
    store: Store,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").finish_non_exhaustive()
    }
}

impl Chain {
    /// Opens the chain in a directory, with its genesis if the directory is new.
    ///
    /// # Errors
    /// If the genesis cannot be followed, the directory belongs to another chain, or the store fails.
    pub fn open(options: ChainOptions) -> Result<Self, ChainError> {
        let _ = options;
        todo!()
    }

    /// The rules.
    pub fn spec(&self) -> &ChainSpec {
        todo!()
    }

    /// The genesis the chain was opened with.
    pub fn genesis(&self) -> &Genesis {
        todo!()
    }

    /// The store, to read blocks, receipts and transactions from.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The pool.
    pub fn pool(&self) -> &SharedPool {
        todo!()
    }

    /// The newest block and its state.
    pub fn head(&self) -> Arc<Head> {
        todo!()
    }

    /// The fork that ruled an existing block.
    pub fn fork_of(&self, block: &ExecutedBlock) -> Fork {
        let _ = block;
        todo!()
    }

    /// What execution needed to know about an existing block (re-execution: tracing, `eth_call` on top of it).
    pub fn context_of(&self, block: &ExecutedBlock) -> BlockContext {
        let _ = block;
        todo!()
    }

    /// The state after the block at `height`, as revm reads it, with block hashes up to and including `height`.
    ///
    /// # Errors
    /// If that state is not kept, or the disk cannot be read.
    pub fn view_after(&self, height: Height) -> Result<BlockView, StoreError> {
        let _ = height;
        todo!()
    }

    /// Validates, executes and commits a block made elsewhere. It must stand on the head.
    ///
    /// # Errors
    /// If it is not valid or cannot be stored.
    pub fn import(&self, block: Block) -> Result<Arc<ExecutedBlock>, ChainError> {
        let _ = block;
        todo!()
    }

    /// Builds a block of `candidates` on the head, without committing it; for the `pending` tag.
    ///
    /// # Errors
    /// If it cannot be built.
    pub fn preview(&self, attributes: &Attributes, candidates: &[RecoveredTx]) -> Result<Built, ChainError> {
        let _ = (attributes, candidates);
        todo!()
    }

    /// Builds a block of `candidates` on the head and commits it. When it returns, the block is durable and visible.
    ///
    /// # Errors
    /// If it cannot be built or stored.
    pub fn produce(&self, attributes: &Attributes, candidates: &[RecoveredTx]) -> Result<Built, ChainError> {
        let _ = (attributes, candidates);
        todo!()
    }

    /// Changes the head's state without a block. Development nodes only.
    ///
    /// # Errors
    /// If the store fails.
    pub fn override_state(&self, changes: &StateChanges) -> Result<(), ChainError> {
        let _ = changes;
        todo!()
    }

    /// Goes back to an earlier height; see [`Store::rollback`]. Development nodes only.
    ///
    /// # Errors
    /// If the state at that height is no longer kept, or the store fails.
    pub fn rollback(&self, height: Height, state: Option<State>) -> Result<(), ChainError> {
        let _ = (height, state);
        todo!()
    }

    /// Calls `listener` after each change of the head, on the thread that made it; it must not block.
    pub fn on_commit(&self, listener: impl Fn(&Committed) + Send + Sync + 'static) {
        let _ = listener;
        todo!()
    }
}
