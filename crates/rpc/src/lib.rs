//! A read view of chain and pool as Ethereum JSON-RPC.
//!
//! Reading order: [`context`] (what every method works with), [`method`] (how a method is registered), [`error`] (how it
//! fails), [`resolve`] (which block a client means), [`convert`] (how blocks, transactions and receipts look), [`submit`]
//! (how transactions get into the pool) and [`admission`] (how many at a time), [`consensus`] (what a network adds), then the namespaces, and [`server`] (the transport).

pub mod accounts;
pub mod admin;
pub mod admission;
pub mod call;
pub mod consensus;
pub mod context;
pub mod convert;
pub mod dev;
pub mod error;
pub mod eth;
pub mod execution_stats;
pub mod filters;
pub mod log_filter;
pub mod method;
pub mod net;
pub mod ots;
pub mod raw;
pub mod resolve;
pub mod server;
pub mod simulate;
pub mod submit;
pub mod trace;
pub mod txpool;

pub use context::{DevAccounts, RpcContext, RpcOptions};
pub use error::RpcError;
pub use server::{HttpRoute, Observer, Routes, ServeError, ServerHandle, ServerOptions, serve};

use jsonrpsee::core::RegisterMethodError;

/// Registers every method there is; which are offered is decided by [`server::methods`].
///
/// # Errors
/// If two methods have one name.
pub fn register(module: &mut method::Module) -> Result<(), RegisterMethodError> {
    eth::register(module)?;
    accounts::register(module)?;
    call::register(module)?;
    dev::register(module)?;
    trace::register(module)?;
    ots::register(module)?;
    simulate::register(module)?;
    net::register(module)?;
    consensus::register(module)?;
    txpool::register(module)?;
    raw::register(module)?;
    execution_stats::register(module)?;
    admin::register(module)
}
