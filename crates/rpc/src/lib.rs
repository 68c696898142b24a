//! A read view of chain and pool as Ethereum JSON-RPC.
//!
//! Reading order: [`context`] (what every method works with), [`method`] (how a method is registered), [`error`] (how it
//! fails), [`resolve`] (which block a client means), [`convert`] (how blocks, transactions and receipts look), [`submit`]
//! (how transactions get into the pool), then the namespaces.

pub mod context;
pub mod convert;
pub mod error;
pub mod filters;
pub mod log_filter;
pub mod method;
pub mod resolve;
pub mod submit;

pub use context::{DevAccounts, RpcContext, RpcOptions};
pub use error::RpcError;
