//! Signed transactions over plain TCP, for those who outgrow JSON.
//!
//! A client sends EIP-2718 envelopes, each after its length, and reads one answer for each, in the same order: the transaction's hash,
//! or why it was refused, with the code and the words that `eth_sendRawTransaction` would have used. It need not wait for an answer
//! before it sends the next. [`wire`] has the bytes.
//!
//! What arrives while the node is busy with a batch becomes the next batch, so that batches are as large as the load is
//! heavy: signatures are cheaper to check together. A connection that is not answered yet is not read beyond
//! [`MAX_BATCH_SIZE_BYTES`], so a node that is too slow slows its clients down; it never grows. What the pool has no room for is
//! refused in words.
//!
//! There is no encryption and no password, as there is none for JSON-RPC: whoever can reach the port may send transactions, which
//! are signed.
//!
//! [`MAX_BATCH_SIZE_BYTES`]: braid_types::limits::MAX_INGEST_BATCH_SIZE_BYTES

mod client;
mod server;
pub mod wire;

pub use client::{Client, ClientError};
pub use server::{ServerHandle, Settings, Submit, serve};
