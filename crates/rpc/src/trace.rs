//! What happened inside transactions: geth's `debug_trace…` and Parity's `trace_…`.
//!
//! A past transaction is traced by running its block again from the state of its parent (`replay`), with an inspector on
//! the EVM. `debug` shapes the result as geth does, `parity` and `filter` as Parity did.

mod bound;
mod debug;
mod filter;
mod parity;
mod replay;
mod struct_log;
mod witness;

use alloy_primitives::B256;
use braid_chain::exec;
use jsonrpsee::core::RegisterMethodError;
use revm::{Inspector, context::result::ResultAndState, handler::MainnetContext};

pub(crate) use self::parity::block_traces;
use crate::{call::site::CallState, context::RpcContext, error::RpcError, method::Module};

/// Registers the methods of this module.
///
/// # Errors
/// If a name is taken.
pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    debug::register(module)?;
    witness::register(module)?;
    parity::register(module)?;
    filter::register(module)
}

/// Runs a past transaction under an inspector; `None` if there is no such transaction.
pub(crate) fn inspect_transaction<I>(
    context: &RpcContext,
    hash: B256,
    inspector: I,
) -> Result<Option<ResultAndState>, RpcError>
where
    I: for<'a> Inspector<MainnetContext<&'a mut CallState>>,
{
    let Some((mut replay, index)) = parity::replay_before(context, hash)? else { return Ok(None) };
    let Some((_, transaction)) = replay.transactions().into_iter().nth(index) else { return Ok(None) };
    replay.inspect(exec::transaction_env(&transaction), inspector).map(Some)
}
