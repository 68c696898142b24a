//! State sync: how who joins late gets a state, and what makes it believe it, over a channel of its own.
//!
//! ```text
//! who joins                                    who serves
//! Offer ──────────────────────────────────────►
//!       ◄────────────────────────────────────── heights of snapshots, sizes of their manifests
//! Evidence of one ────────────────────────────►
//!       ◄────────────────────────────────────── its block's certificate; a certified header that vouches for its execution
//! Ends of epochs from where it knows on ──────►
//!       ◄────────────────────────────────────── last headers of epochs, certified: each names the next committee
//! Manifest, piece by piece ───────────────────►
//! Chunk, one after another ───────────────────►
//! ```
//!
//! Nothing is believed on the word of a server ([`evidence`]): from the genesis's committee, the ends of epochs lead to the committees whose
//! certificates prove the ordered header at the snapshot's height, and, `execution_lag` above it, the one that carries the hash of its
//! Ethereum block. Everything in manifest and chunks follows from that hash ([`braid_chain::snapshot`]). A server that lies is found
//! out: at once, or, in the chunks, when they are all there; then it is given up, what it gave is thrown away, and another one
//! is asked. It costs time.
//!
//! Afterwards the chain's directory holds the block of the snapshot as its newest, and consensus's storage its certificate
//! ([`crate::anchor`]), where marshal begins, and the ends of epochs ([`crate::ends`]), so that who has joined can serve too. The
//! certificate is written first: a directory is a chain only if everything else is there, and a crash at any moment
//! leaves either something to be gone on with or a chain to start from.

pub mod evidence;
mod fetch;
pub mod message;
mod serve;

pub use fetch::{Joining, Progress, SyncError, Wanted, fetch};
pub(crate) use serve::{Server, Sources};

#[cfg(test)]
mod tests;
