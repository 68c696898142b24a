//! Calls that leave nothing behind: `eth_call`, `eth_estimateGas`, `eth_createAccessList`.
//!
//! Reading order: `message` (what is called), `site` (where), `overrides` and `precompiles` (what the client pretends),
//! `outcome` (how it ended), then `estimate` and `access_list`, which run a call several times.

mod access_list;
mod estimate;
pub(crate) mod message;
pub(crate) mod outcome;
pub(crate) mod overrides;
pub(crate) mod precompiles;
pub(crate) mod site;

use std::sync::Arc;

use alloy_eips::BlockId;
use alloy_primitives::{Bytes, U64};
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};
use jsonrpsee::core::RegisterMethodError;
use revm::context::result::ExecutionResult;

use self::site::Site;
use crate::{
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module, blocking},
};

/// Registers the methods of this module.
///
/// # Errors
/// If a name is taken.
pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    blocking(module, "eth_call", 4, call)?;
    blocking(module, "eth_estimateGas", 4, estimate_gas)?;
    blocking(module, "eth_createAccessList", 3, create_access_list)
}

/// Where and under which pretences: arguments 1 to 3 of `eth_call` and `eth_estimateGas`.
fn open(context: &RpcContext, arguments: &Arguments<'_>, default: BlockId) -> Result<Site, RpcError> {
    let id: BlockId = arguments.optional(1)?.unwrap_or(default);
    let state: Option<StateOverride> = arguments.optional(2)?;
    let block: Option<BlockOverrides> = arguments.optional(3)?;
    Site::open(context, id, state.as_ref(), block.as_ref())
}

fn call(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Bytes, RpcError> {
    let request: TransactionRequest = arguments.required(0)?;
    let mut site = open(context, arguments, BlockId::latest())?;
    let message = site.message(request)?;
    let run = site.run(&message).map_err(|fault| fault.into_rpc(message.gas))?;
    match run.result {
        ExecutionResult::Success { output, .. } => Ok(output.into_data()),
        ExecutionResult::Revert { output, .. } => Err(RpcError::reverted(&output)),
        ExecutionResult::Halt { reason, .. } => Err(RpcError::server(outcome::halt_sentence(&reason))),
    }
}

/// Gas that a transaction needs on top of a block.
pub(crate) fn estimate(context: &RpcContext, request: TransactionRequest, id: BlockId) -> Result<u64, RpcError> {
    let mut site = Site::open(context, id, None, None)?;
    let message = site.message(request)?;
    estimate::estimate(&mut site, &message, None)
}

/// On top of what waits, unless a block is named: at the head's own time stamp a contract that acts once a block (Uniswap's
/// price accumulator) would seem cheaper than it is in the next.
fn estimate_gas(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<U64, RpcError> {
    let request: TransactionRequest = arguments.required(0)?;
    let mut site = open(context, arguments, BlockId::pending())?;
    let gas_limit = request.gas;
    let message = site.message(request)?;
    estimate::estimate(&mut site, &message, gas_limit).map(U64::from)
}

fn create_access_list(
    context: &Arc<RpcContext>,
    arguments: &Arguments<'_>,
) -> Result<access_list::AccessListAnswer, RpcError> {
    let request: TransactionRequest = arguments.required(0)?;
    let id: BlockId = arguments.optional(1)?.unwrap_or_default();
    let state: Option<StateOverride> = arguments.optional(2)?;
    let mut site = Site::open(context, id, state.as_ref(), None)?;
    let message = site.message(request)?;
    access_list::create(&mut site, message)
}
