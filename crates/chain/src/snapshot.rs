//! State sync: the state after a block for those who join late, and what they check before they believe it.
//!
//! A node that serves takes a [`Snapshot`]: a state that it holds on to, and a manifest. States are persistent, so holding one costs
//! what has changed since. A node that joins knows, from a certificate, the hash of one Ethereum header; everything
//! else follows from it or is refused:
//!
//! - the manifest's block must have that hash, its transactions and receipts the roots in its header, and each transaction the sender that
//!   its signature names;
//! - each header must be the parent of the next by hash, down to the oldest that BLOCKHASH can ask for, or to the genesis;
//! - the chunks together must give the header's state root, and all code by its hash ([`braid_state::snapshot`]).
//!
//! Afterwards the directory is a store whose newest block is that one; [`crate::Chain::open`] goes on from it. What happened before is not in
//! it: older blocks are unknown, and their states are not kept.

use std::{path::Path, sync::Arc};

use alloy_consensus::{Header, transaction::SignerRecoverable};
use alloy_genesis::Genesis;
use alloy_primitives::{B256, Bytes};
use braid_state::{Cursor, Import, Manifest, SnapshotError, State, StateAt, StoreError};
use braid_types::{
    Block, BlockRef, ChainSpec, ExecutedBlock, Fork, Height, RecoveredTx,
    limits::{MAX_SNAPSHOT_MANIFEST_SIZE_BYTES, SNAPSHOT_HEADERS},
};
use rayon::prelude::*;

use crate::{
    chain::{Chain, ChainError},
    consensus::{BlockError, body},
    genesis::genesis_block,
};

/// A state with what is needed to go on from it, for others to fetch.
#[derive(Clone, Debug)]
pub struct Snapshot {
    block: BlockRef,
    manifest: Bytes,
    state: State,
}

/// Failed to take or to import a snapshot.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum SyncError {
    // What was given is wrong: ask somebody else.
    #[error("snapshot is of block {found:?}, not of {expected:?}")]
    OtherBlock { found: BlockRef, expected: BlockRef },
    #[error("body of the snapshot's block is wrong")]
    Body(#[source] BlockError),
    #[error("transaction {index} of the snapshot's block was not sent by whom it names")]
    Sender { index: usize },
    #[error("snapshot has {found} headers before its block, not {expected}")]
    HeaderCount { found: usize, expected: usize },
    #[error("snapshot's header at height {height} is not the parent of the next")]
    NotParent { height: Height },
    #[error("snapshot's oldest header does not stand on the genesis {genesis}")]
    OtherGenesis { genesis: B256 },
    // The snapshot cannot be taken or used here.
    #[error("state at height {0} is not in memory any more, or there is none above the genesis")]
    NotKept(Height),
    #[error("the chain begins before Paris, and a snapshot does not tell total difficulties")]
    ProofOfWork,
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl SyncError {
    /// Whether another source may have what this one lacked.
    pub const fn is_sources_fault(&self) -> bool {
        match self {
            Self::NotKept(_) | Self::ProofOfWork | Self::Chain(_) => false,
            Self::Snapshot(error) => {
                !matches!(error, SnapshotError::Store(_) | SnapshotError::NotEmpty(_) | SnapshotError::CodeSize(_))
            }
            _ => true,
        }
    }
}

impl From<StoreError> for SyncError {
    fn from(error: StoreError) -> Self {
        Self::Chain(error.into())
    }
}

impl Snapshot {
    /// The snapshot of a chain at a durable height, whose state must still be in memory
    /// ([`braid_types::limits::RETAINED_STATES`]).
    ///
    /// # Errors
    /// If that state is not in memory, or the disk cannot be read.
    pub fn take(chain: &Chain, height: Height) -> Result<Self, SyncError> {
        let store = chain.store();
        let genesis = chain.genesis().number.unwrap_or_default();
        let (Some(head), Ok(StateAt::Recent(state)), true) =
            (store.block(height)?, store.state_at(height), height > genesis)
        else {
            return Err(SyncError::NotKept(height));
        };
        if state.root() != head.block.header.state_root {
            return Err(SyncError::NotKept(height));
        }
        let oldest = oldest_header(height, genesis);
        let header = |height| Ok(store.header(height)?.ok_or(StoreError::Pruned(height))?.1);
        let headers: Result<Vec<Header>, StoreError> = (oldest..height).rev().map(header).collect();
        let manifest = Manifest { head: Arc::unwrap_or_clone(head), headers: headers? }.encode();
        if manifest.len() > MAX_SNAPSHOT_MANIFEST_SIZE_BYTES {
            let (found, limit) = (manifest.len(), MAX_SNAPSHOT_MANIFEST_SIZE_BYTES);
            return Err(SnapshotError::ManifestSize { found, limit }.into());
        }
        let hash = store.hash(height)?.ok_or(StoreError::Pruned(height))?;
        Ok(Self { block: BlockRef { height, hash }, manifest: manifest.into(), state })
    }

    /// The block whose state it is.
    pub const fn block(&self) -> BlockRef {
        self.block
    }

    /// What a node that joins begins with. It may be tens of megabytes where blocks are large; cut it for the wire.
    pub const fn manifest(&self) -> &Bytes {
        &self.manifest
    }

    /// The chunk that begins at a cursor, at most [`braid_types::limits::MAX_SNAPSHOT_CHUNK_SIZE_BYTES`] long, and where the next begins. The
    /// first begins at the default.
    ///
    /// # Errors
    /// If code cannot be read.
    pub fn chunk(&self, from: Cursor) -> Result<(Vec<u8>, Option<Cursor>), SyncError> {
        Ok(self.state.snapshot_chunk(from)?)
    }
}

/// The import of a snapshot into a directory. It goes on where it stopped, if it is begun again with the same block.
#[derive(Debug)]
pub struct SnapshotImport {
    import: Import,
    genesis: ExecutedBlock,
    manifest: Manifest,
}

impl SnapshotImport {
    /// Checks the manifest of a snapshot of the `trusted` block, and begins to import it into a directory without blocks.
    ///
    /// # Errors
    /// If the manifest does not prove what it says, or the directory holds blocks.
    pub fn begin(directory: &Path, genesis: &Genesis, trusted: BlockRef, manifest: &[u8]) -> Result<Self, SyncError> {
        let spec = ChainSpec::from_config(&genesis.config).map_err(ChainError::from)?;
        let genesis = executed_genesis(genesis, &spec)?;
        let mut manifest = Manifest::decode(manifest)?;
        check_block(&mut manifest.head, trusted)?;
        check_headers(&manifest, &genesis)?;
        // Blocks add nothing to it since Paris.
        manifest.head.total_difficulty = genesis.total_difficulty;
        let import = Import::begin(directory, trusted, manifest.head.block.header.state_root)?;
        Ok(Self { import, genesis, manifest })
    }

    /// Where the next chunk must begin; `None`: all are there.
    pub const fn next(&self) -> Option<Cursor> {
        self.import.next()
    }

    /// The header of the block whose state it is.
    pub const fn header(&self) -> &Header {
        &self.manifest.head.block.header
    }

    /// Adds the next chunk.
    ///
    /// # Errors
    /// If it is no chunk or not the next one (ask again), or the disk fails.
    pub fn add(&mut self, chunk: &[u8]) -> Result<(), SyncError> {
        Ok(self.import.add(chunk)?)
    }

    /// Checks the state, and makes the directory a store with the trusted block as its newest.
    ///
    /// # Errors
    /// If the state is not that of the block (begin again, with another source), or the disk fails.
    pub fn finish(self) -> Result<BlockRef, SyncError> {
        let Self { import, genesis, manifest } = self;
        import.finish(&genesis, &manifest.headers, &manifest.head)?;
        Ok(manifest.head.block_ref())
    }
}

/// Height of the oldest header that a snapshot at `height` has.
fn oldest_header(height: Height, genesis: Height) -> Height {
    height.saturating_sub(SNAPSHOT_HEADERS - 1).max(genesis.saturating_add(1))
}

fn executed_genesis(genesis: &Genesis, spec: &ChainSpec) -> Result<ExecutedBlock, SyncError> {
    let (block, _, _) = genesis_block(genesis, spec).map_err(ChainError::from)?;
    let total_difficulty = block.header.difficulty;
    if spec.fork_at(block.header.number.saturating_add(1), block.header.timestamp, total_difficulty) < Fork::Paris {
        return Err(SyncError::ProofOfWork);
    }
    Ok(ExecutedBlock { hash: block.header.hash_slow(), block, receipts: Vec::new(), total_difficulty })
}

/// Checks a block with receipts and senders against the hash it must have.
fn check_block(executed: &mut ExecutedBlock, trusted: BlockRef) -> Result<(), SyncError> {
    let Block { header, .. } = &executed.block;
    let found = BlockRef { height: header.number, hash: header.hash_slow() };
    if found != trusted {
        return Err(SyncError::OtherBlock { found, expected: trusted });
    }
    executed.hash = found.hash;
    body::check_roots(&executed.block).map_err(SyncError::Body)?;
    let (found, expected) = (body::receipts_root(&executed.receipts), header.receipts_root);
    if found != expected {
        return Err(SyncError::Body(BlockError::ReceiptsRoot { found, expected }));
    }
    let is_sender = |transaction: &RecoveredTx| {
        transaction.inner().recover_signer().is_ok_and(|signer| signer == transaction.signer())
    };
    match executed.block.transactions.par_iter().position_first(|transaction| !is_sender(transaction)) {
        None => Ok(()),
        Some(index) => Err(SyncError::Sender { index }),
    }
}

/// Checks that the headers lead from the block down to as far as they must.
fn check_headers(manifest: &Manifest, genesis: &ExecutedBlock) -> Result<(), SyncError> {
    let Manifest { head, headers } = manifest;
    let first = genesis.height().saturating_add(1);
    let oldest = oldest_header(head.height(), genesis.height());
    let expected = usize::try_from(head.height().saturating_sub(oldest)).unwrap_or(usize::MAX);
    if headers.len() != expected {
        return Err(SyncError::HeaderCount { found: headers.len(), expected });
    }
    let mut child = &head.block.header;
    for header in headers {
        let is_below = header.number.checked_add(1) == Some(child.number);
        if !is_below || header.hash_slow() != child.parent_hash {
            return Err(SyncError::NotParent { height: header.number });
        }
        child = header;
    }
    if child.number == first && child.parent_hash != genesis.hash {
        return Err(SyncError::OtherGenesis { genesis: genesis.hash });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
