//! Records of the block log.

use alloy_primitives::B256;
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

pub(crate) fn encode_block_record(block: &ExecutedBlock, changes: &StateChanges, root: B256) -> Vec<u8> {
    let mut out = vec![super::VERSION, BLOCK];
    put_block(&mut out, block);
    put_receipts(&mut out, &block.receipts);
    put_changes(&mut out, changes);
    out.extend_from_slice(root.as_slice());
    out
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
