//! The methods and the server, on a chain in a temporary directory.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do without fails it")]

mod accounts;
mod blobs;
mod calls;
mod dev_methods;
mod executions;
mod fees;
mod forwarded;
mod kit;
mod logs;
mod reads;
mod simulations;
mod traces;
mod transport;
