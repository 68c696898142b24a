//! The `eth` namespace, but for calls and simulation.

pub mod block_access_list;
pub mod blocks;
pub mod config;
pub mod fees;
pub mod logs;
pub mod send;
pub mod state;
pub mod subscribe;
pub mod transactions;

use alloy_primitives::{Address, U64};
use jsonrpsee::core::RegisterMethodError;

use crate::{
    error::RpcError,
    method::{Module, quick},
};

/// Registers the methods of this namespace.
///
/// # Errors
/// If a name is taken.
pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    quick(module, "eth_chainId", 0, |context, _| Ok(U64::from(context.chain_id())))?;
    quick(module, "eth_protocolVersion", 0, |_, _| Ok("0x44"))?;
    quick(module, "eth_blockNumber", 0, |context, _| Ok(U64::from(context.head().block.height())))?;
    quick(module, "eth_mining", 0, |context, _| Ok(context.sequencer.is_some() || context.is_validator()))?;
    quick(module, "eth_hashrate", 0, |_, _| Ok(U64::ZERO))?;
    quick(module, "eth_coinbase", 0, |context, _| {
        let sequencer = context.sequencer.as_ref();
        let beneficiary = sequencer.map(|sequencer| sequencer.next_attributes().beneficiary);
        beneficiary.ok_or_else(|| RpcError::server("etherbase must be explicitly specified"))
    })?;
    quick(module, "eth_accounts", 0, |context, _| Ok(context.accounts.addresses().collect::<Vec<Address>>()))?;
    blocks::register(module)?;
    block_access_list::register(module)?;
    transactions::register(module)?;
    state::register(module)?;
    logs::register(module)?;
    fees::register(module)?;
    config::register(module)?;
    send::register(module)?;
    subscribe::register(module)
}
