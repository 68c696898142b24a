//! `eth_simulateV1`: blocks that might be, executed for real and forgotten.
//!
//! A client describes a row of blocks with calls; each is executed as a block would be (system calls, receipts, roots, a
//! hash that the next one sees), on top of an existing block. With `validation` calls must be as valid as transactions,
//! signatures apart; without, they run free of charge and with any nonce. Errors have codes of their own (-38010 …
//! -38026), from the specification in ethereum/execution-apis.

mod block;
mod header;
mod request;
mod transaction;
mod transfers;

use std::sync::Arc;

use alloy_eips::BlockId;
use braid_chain::{
    Chain,
    state::{State, StateAt},
};
use jsonrpsee::core::RegisterMethodError;
use revm::database::CacheDB;

use self::{block::SimulatedBlock, request::Payload};
use crate::{
    call::site::CallState,
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module, blocking},
    resolve,
};

/// Registers the methods of this module.
///
/// # Errors
/// If a name is taken.
pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    blocking(module, "eth_simulateV1", 2, simulate)
}

/// What lasts from block to block.
struct Simulation {
    chain: Arc<Chain>,
    validates: bool,
    traces_transfers: bool,
    /// What the EVM reads.
    state: CallState,
    /// The same state with its trie.
    trie: State,
    /// Gas that the calls still to come may use, all together.
    gas_left: u64,
}

fn simulate(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Vec<SimulatedBlock>, RpcError> {
    let payload: Payload = arguments.required(0)?;
    let id: BlockId = arguments.optional(1)?.unwrap_or_default();
    let base = resolve::block_and_state(context, id)?;
    let StateAt::Recent(trie) = base.view.state.clone() else {
        return Err(RpcError::server("the state of this block is too old to simulate on"));
    };
    let header = &base.block.block.header;
    let limit = context.options.max_simulate_blocks;
    let plans = request::plan(payload.block_state_calls, header.number, header.timestamp, limit)?;
    let mut simulation = Simulation {
        chain: Arc::clone(&context.chain),
        validates: payload.validation,
        traces_transfers: payload.trace_transfers,
        state: CacheDB::new(base.view),
        trie,
        gas_left: context.options.gas_cap,
    };
    let mut fork = context.chain.fork_of(&base.block);
    let mut parent = base.block;
    let mut answer = Vec::with_capacity(plans.len());
    for plan in &plans {
        let (made, calls, made_fork) = block::simulate(&mut simulation, plan, &parent, fork)?;
        parent = Arc::new(made);
        fork = made_fork;
        answer.push(block::show(&parent, calls, payload.return_full_transactions.into()));
    }
    Ok(answer)
}
