//! Micro-loans over HTTP: the books ([`braid_microloans_ledger`]) with callers, callbacks, and a worker that does what the outbox says.
//!
//! Every request that changes something names a caller by a token and itself by an idempotency key, and is one transaction: what it did, its answer and its
//! row in the audit log are written together. Nothing waits for a provider; what is to be sent is a row of the outbox, and the [`worker`] sends it,
//! asks what became of it, and can be killed anywhere.
//!
//! Reading order: [`config`], [`rails`], [`app`], [`auth`], [`posted`], [`api`], [`callbacks`], [`worker`], [`chain`], [`housekeeping`], [`reconcile`], [`desk`], [`serve`]; [`openapi`], [`metrics`], [`problem`].

#![forbid(unsafe_code)]

pub mod api;
pub mod app;
pub mod auth;
pub mod callbacks;
pub mod chain;
pub mod clock;
pub mod config;
pub mod desk;
pub mod hashing;
pub mod housekeeping;
pub mod limits;
pub mod messages;
pub mod metrics;
pub mod openapi;
pub mod posted;
pub mod problem;
pub mod rails;
pub mod reconcile;
pub mod serve;
pub mod worker;

pub use app::{App, Rails};
pub use clock::Clock;
pub use config::Config;
pub use serve::{router, serve};
