//! Methods of a development node, which change the chain at will: `evm_*`, `anvil_*`, `hardhat_*`.
//!
//! The three namespaces come from three tools and mean the same; a method is written once and offered under every name
//! that clients use for it. Answers are what each tool gives: anvil says `null` where hardhat says `true`. Arguments may
//! be numbers or hexadecimal strings, as those tools accept them. Register these methods on development nodes only.
//!
//! Reading order: `mining` (when blocks are made, and their time), `accounts` (state without transactions), `snapshot`
//! (going back), `dump` (state in and out), `info` (what the node says about itself), `argument` (how numbers look).

mod accounts;
mod argument;
mod dump;
mod info;
mod mining;
mod snapshot;

use braid_chain::Sequencer;
use jsonrpsee::core::RegisterMethodError;

use crate::{
    context::RpcContext,
    error::RpcError,
    method::{Handler, Module, blocking},
};

/// Registers the methods of this module.
///
/// # Errors
/// If a name is taken.
pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    mining::register(module)?;
    accounts::register(module)?;
    snapshot::register(module)?;
    dump::register(module)?;
    info::register(module)
}

/// Registers one handler under several names.
fn offer<R: serde::Serialize + Clone + Send + 'static>(
    module: &mut Module,
    names: &[&'static str],
    at_most: usize,
    handler: Handler<R>,
) -> Result<(), RegisterMethodError> {
    names.iter().try_for_each(|name| blocking(module, name, at_most, handler))
}

/// Who makes blocks here.
fn sequencer(context: &RpcContext) -> Result<&Sequencer, RpcError> {
    context.sequencer.as_deref().ok_or_else(|| RpcError::server("this node does not make blocks"))
}

/// Lets blocks be made of transactions that a change of the chain has just made executable.
fn wake(context: &RpcContext) {
    if let Some(sequencer) = &context.sequencer {
        sequencer.notify();
    }
}

/// The refusal of everything that would need another chain to read from.
fn no_forking() -> RpcError {
    RpcError::server("forking another chain is not supported")
}
