//! What the flat store says about itself.

use alloy_primitives::B256;
use braid_types::{BlockRef, Height};

use super::reader::{CodecError, Reader};

/// What the flat store holds: everything up to a block and a record of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The newest block in the flat store.
    pub(crate) block: BlockRef,
    /// Root of the flat state.
    pub(crate) root: B256,
    /// Sequence number of the newest log record it includes.
    pub(crate) sequence: u64,
    /// The lowest height whose state can be read.
    pub(crate) history_from: Height,
    /// Height of the genesis block.
    pub(crate) first: Height,
}

impl Checkpoint {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![super::VERSION];
        out.extend_from_slice(&self.block.height.to_be_bytes());
        out.extend_from_slice(self.block.hash.as_slice());
        out.extend_from_slice(self.root.as_slice());
        for number in [self.sequence, self.history_from, self.first] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::versioned(bytes)?;
        let block = BlockRef { height: reader.u64()?, hash: reader.hash()? };
        let root = reader.hash()?;
        let checkpoint =
            Self { block, root, sequence: reader.u64()?, history_from: reader.u64()?, first: reader.u64()? };
        reader.finish()?;
        Ok(checkpoint)
    }
}
