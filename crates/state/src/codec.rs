//! The bytes of everything the store writes: log records, blocks, receipts, state changes, accounts.
//!
//! Integers are big-endian, sequences carry a 32-bit count, byte strings a 32-bit length, 256-bit numbers one length byte and
//! their bytes without leading zeros. Headers, withdrawals and transactions are in Ethereum's own encodings. Receipts
//! leave out the bloom, which follows from the logs. Every top-level value begins with [`VERSION`]; a change of format is a new
//! version, and the tests pin the present one.
//!
//! Decoders take any bytes: they return an error and never panic, and allocate no more than a multiple of the input.

mod block;
mod changes;
mod checkpoint;
mod reader;
mod record;
mod snapshot;

#[cfg(test)]
mod tests;

pub(crate) use block::{block_hash, decode_block, decode_receipts, encode_block, encode_receipts};
pub(crate) use changes::{decode_account, decode_amount, encode_account, encode_amount};
pub(crate) use checkpoint::Checkpoint;
pub use reader::CodecError;
pub(crate) use record::{BlockRecord, encode_override_record};
pub use record::{Record, decode_record};
pub(crate) use snapshot::{
    decode_chunk, decode_manifest, decode_progress, encode_chunk, encode_manifest, encode_progress,
};

/// Whether bytes are a chunk of a snapshot, of whatever state.
pub fn is_chunk(bytes: &[u8]) -> bool {
    decode_chunk(bytes).is_ok()
}

/// Version of all formats of this module.
pub(crate) const VERSION: u8 = 1;
