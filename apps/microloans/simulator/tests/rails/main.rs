//! The adapters of `braid-microloans-rails` against the simulator, over HTTP.

#![expect(clippy::unwrap_used, clippy::panic, unreachable_pub, reason = "helpers of tests")]

mod adapters;
mod storm;
mod support;
