//! Recovers the senders of many transactions at once.
//!
//! Reading order: [`recover_all`] in `recover` (what goes in and out), `lockstep` (the algorithm), `point` and `generator` (points,
//! eight at once), `field` (the arithmetic below), `scalar` (the arithmetic modulo the order). Beside it: `claim` (checking keys that are
//! given), `known` (where those come from).

mod backend;
mod claim;
mod field;
mod generator;
mod known;
mod lockstep;
mod multi;
mod point;
mod recover;
mod scalar;
mod senders;
#[cfg(test)]
mod tests;

pub use known::{KnownKeys, recover_claimed};
pub use recover::{PublicKey, RecoveryError, Signed, recover_all, recover_hinted};
pub use senders::{AllowedS, batch_size, claimed_batch_size, recover_senders};
