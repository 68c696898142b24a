//! Checks what a chain says of itself, for those who do not follow it: wallets, bridges, other shards.
//!
//! A client trusts the chain's first committee, or its group key, and nothing else. From there each step is a proof:
//!
//! ```text
//!  committee or group key
//!     │ signatures of a quorum (certificate)
//!     ▼
//!  header of an ordered block ──► the next committee, in the last of an epoch
//!     │ hash of the Ethereum block some heights before (execution commitment)
//!     ▼
//!  header of that block
//!     │ nodes of a trie
//!     ▼
//!  account, storage slot, transaction, receipt
//! ```
//!
//! Nothing here does I/O, reads a clock or draws random numbers, and what is not trusted never panics and has limits. The encodings
//! of consensus are written here again rather than taken from the engine, which is fifty times as large; that both
//! agree is tested where the engine is.
//!
//! Reading order: [`client`] (what is trusted), [`certified`], [`certificate`], [`header`], [`committee`]; [`ethereum`], [`trie`], [`proof`];
//! [`bundle`] (all of it in one file); [`ed25519`], [`bls`], `codec`.

#![forbid(unsafe_code)]

pub mod bls;
pub mod bundle;
pub mod certificate;
pub mod certified;
pub mod client;
mod codec;
pub mod committee;
pub mod ed25519;
pub mod ethereum;
pub mod header;
pub mod proof;
pub mod trie;

pub use bundle::{Bundle, BundleError, Claim, Fact, Proved};
pub use certificate::Finalization;
pub use certified::Certified;
pub use client::{Chain, Checkpoint, LightClient, Member, Network, Trust};
pub use codec::DecodeError;
pub use committee::Committee;
pub use header::{Dissemination, OrderedHeader};

#[cfg(test)]
mod tests;
