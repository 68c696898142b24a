//! Records of the block log.

use alloy_primitives::{B256, Bytes};
use braid_types::{ExecutedBlock, Height, StateChanges};

use super::{
    block::{put_block, put_receipts, read_block, read_receipts},
    changes::{put_changes, read_changes},
    reader::{CodecError, Reader},
};

const BLOCK: u8 = 0;
const OVERRIDE: u8 = 1;

/// One step of the chain, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A block was committed.
    Block {
        /// The block.
        block: Box<ExecutedBlock>,
        /// What it changed.
        changes: StateChanges,
        /// State root afterwards.
        root: B256,
    },
    /// The head's state was changed without a block.
    Override {
        /// Height of the head.
        height: Height,
        /// What changed.
        changes: StateChanges,
        /// State root afterwards.
        root: B256,
    },
}

/// The record of a block, encoded, which has the block and its receipts in it as the flat store keeps them.
#[derive(Clone, Debug)]
pub(crate) struct BlockRecord {
    bytes: Bytes,
    /// Where the receipts begin, and where they end.
    receipts: (usize, usize),
}

impl BlockRecord {
    /// Bytes of a record before the block.
    const BEFORE: usize = 2;

    /// Bytes that a transaction takes in a record for the most part, with its receipt and what it changes; what is reserved.
    const PER_TRANSACTION: usize = 640;

    pub(crate) fn new(block: &ExecutedBlock, changes: &StateChanges, root: B256) -> Self {
        let transactions = block.block.transactions.len();
        let mut out = Vec::with_capacity(transactions.saturating_add(4).saturating_mul(Self::PER_TRANSACTION));
        out.extend_from_slice(&[super::VERSION, BLOCK]);
        put_block(&mut out, block);
        let start = out.len();
        put_receipts(&mut out, &block.receipts);
        let receipts = (start, out.len());
        put_changes(&mut out, changes);
        out.extend_from_slice(root.as_slice());
        Self { bytes: out.into(), receipts }
    }

    /// The whole record.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The block, as [`super::encode_block`] gives it.
    pub(crate) fn block(&self) -> Vec<u8> {
        [&[super::VERSION], &self.bytes[Self::BEFORE..self.receipts.0]].concat()
    }

    /// The receipts, as [`super::encode_receipts`] gives them.
    pub(crate) fn receipts(&self) -> Vec<u8> {
        [&[super::VERSION], &self.bytes[self.receipts.0..self.receipts.1]].concat()
    }
}

pub(crate) fn encode_override_record(height: Height, changes: &StateChanges, root: B256) -> Vec<u8> {
    let mut out = vec![super::VERSION, OVERRIDE];
    out.extend_from_slice(&height.to_be_bytes());
    put_changes(&mut out, changes);
    out.extend_from_slice(root.as_slice());
    out
}

/// Decodes the payload of a log record.
///
/// # Errors
/// If the bytes are not exactly one record of this version.
pub fn decode_record(bytes: &[u8]) -> Result<Record, CodecError> {
    let mut reader = Reader::versioned(bytes)?;
    let record = match reader.byte()? {
        BLOCK => {
            let (hash, total_difficulty, block) = read_block(&mut reader)?;
            let receipts = read_receipts(&mut reader)?;
            let block = Box::new(ExecutedBlock { hash, block, receipts, total_difficulty });
            Record::Block { block, changes: read_changes(&mut reader)?, root: reader.hash()? }
        }
        OVERRIDE => {
            let height = reader.u64()?;
            Record::Override { height, changes: read_changes(&mut reader)?, root: reader.hash()? }
        }
        _ => return Err(CodecError::Invalid("record kind")),
    };
    reader.finish()?;
    Ok(record)
}
