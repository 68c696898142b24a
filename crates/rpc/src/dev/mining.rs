//! When blocks are made, what time they bear, and what the next one is made with.

use std::{sync::Arc, time::Duration};

use alloy_primitives::{Address, B256};
use braid_chain::Mining;
use braid_types::{Fork, limits};
use jsonrpsee::core::RegisterMethodError;
use serde::Deserialize;

use super::{argument::Number, offer, sequencer, wake};
use crate::{
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module},
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    offer(module, &["evm_mine"], 1, evm_mine)?;
    offer(module, &["anvil_mine"], 2, mine)?;
    offer(module, &["hardhat_mine"], 2, |context, arguments| mine(context, arguments).map(|()| true))?;
    offer(module, &["evm_increaseTime", "anvil_increaseTime"], 1, increase_time)?;
    offer(module, &["evm_setTime", "anvil_setTime"], 1, set_time)?;
    offer(module, &["evm_setNextBlockTimestamp", "anvil_setNextBlockTimestamp"], 1, set_next_timestamp)?;
    offer(module, &["anvil_setBlockTimestampInterval"], 1, set_timestamp_interval)?;
    offer(module, &["anvil_removeBlockTimestampInterval"], 0, remove_timestamp_interval)?;
    offer(module, &["evm_setAutomine", "anvil_setAutomine"], 1, set_automine)?;
    offer(module, &["anvil_getAutomine", "hardhat_getAutomine", "evm_getAutomine"], 0, automine)?;
    offer(module, &["evm_setIntervalMining", "anvil_setIntervalMining"], 1, set_interval)?;
    offer(module, &["anvil_getIntervalMining"], 0, interval)?;
    offer(module, &["evm_setBlockGasLimit", "anvil_setBlockGasLimit"], 1, set_gas_limit)?;
    offer(module, &["anvil_setNextBlockBaseFeePerGas"], 1, set_base_fee)?;
    offer(module, &["hardhat_setNextBlockBaseFeePerGas"], 1, |context, arguments| {
        set_base_fee(context, arguments).map(|()| true)
    })?;
    offer(module, &["anvil_setPrevRandao"], 1, set_prevrandao)?;
    offer(module, &["hardhat_setPrevRandao"], 1, |context, arguments| {
        set_prevrandao(context, arguments).map(|()| true)
    })?;
    offer(module, &["anvil_setCoinbase"], 1, set_coinbase)?;
    offer(module, &["hardhat_setCoinbase"], 1, |context, arguments| set_coinbase(context, arguments).map(|()| true))?;
    offer(module, &["anvil_setMinGasPrice", "hardhat_setMinGasPrice"], 1, set_min_gas_price)
}

/// The argument of `evm_mine`: a time stamp, or an object.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum MineOptions {
    Timestamp(Number),
    Options { timestamp: Option<Number>, blocks: Option<Number> },
}

fn evm_mine(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<&'static str, RpcError> {
    let (timestamp, blocks) = match arguments.optional(0)? {
        Some(MineOptions::Timestamp(Number(timestamp))) => (Some(timestamp), 1),
        Some(MineOptions::Options { timestamp, blocks }) => {
            (timestamp.map(|Number(timestamp)| timestamp), blocks.map_or(1, |Number(blocks)| blocks))
        }
        None => (None, 1),
    };
    if let Some(timestamp) = timestamp {
        next_timestamp(context, timestamp)?;
    }
    make(context, blocks, None)?;
    Ok("0x0")
}

fn mine(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    let blocks = arguments.optional(0)?.map_or(1, |Number(blocks)| blocks);
    let interval_s = arguments.optional(1)?.map(|Number(seconds)| seconds);
    make(context, blocks, interval_s)
}

fn make(context: &RpcContext, blocks: u64, interval_s: Option<u64>) -> Result<(), RpcError> {
    let most = limits::MAX_MINED_BLOCKS_PER_CALL;
    if blocks > most {
        return Err(RpcError::invalid_params(format!("at most {most} blocks can be mined at once")));
    }
    if let Some(interval_s) = interval_s {
        check_advance(context, blocks.saturating_mul(interval_s))?;
    }
    sequencer(context)?.mine(blocks, interval_s)?;
    Ok(())
}

fn increase_time(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<i64, RpcError> {
    let Number(seconds) = arguments.required(0)?;
    check_advance(context, seconds)?;
    Ok(sequencer(context)?.increase_time(seconds))
}

fn set_time(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<i64, RpcError> {
    let Number(timestamp) = arguments.required(0)?;
    check_timestamp(timestamp)?;
    Ok(sequencer(context)?.set_time(timestamp))
}

fn set_next_timestamp(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    let Number(timestamp) = arguments.required(0)?;
    next_timestamp(context, timestamp)
}

fn next_timestamp(context: &RpcContext, timestamp: u64) -> Result<(), RpcError> {
    check_timestamp(timestamp)?;
    sequencer(context)?.set_next_timestamp(timestamp).map_err(|head| {
        let earlier = "is lower than or equal to previous block's timestamp";
        RpcError::server(format!("Timestamp {timestamp} {earlier} {head}"))
    })
}

/// Refuses a time stamp beyond what this chain's clock shows, and what clients can hold in a double.
fn check_timestamp(timestamp: u64) -> Result<(), RpcError> {
    let latest = limits::MAX_TIMESTAMP_S;
    if timestamp > latest {
        return Err(RpcError::invalid_params(format!("timestamp {timestamp} exceeds the latest possible, {latest}")));
    }
    Ok(())
}

/// Refuses to go on from the next block's time by seconds that lead beyond the latest possible.
fn check_advance(context: &RpcContext, seconds: u64) -> Result<(), RpcError> {
    let next = sequencer(context)?.next_attributes().timestamp;
    check_timestamp(next.saturating_add(seconds))
}

fn set_timestamp_interval(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    let Number(seconds) = arguments.required(0)?;
    check_advance(context, seconds)?;
    sequencer(context)?.set_timestamp_interval(Some(seconds));
    Ok(())
}

fn remove_timestamp_interval(context: &Arc<RpcContext>, _: &Arguments<'_>) -> Result<bool, RpcError> {
    sequencer(context)?.set_timestamp_interval(None);
    Ok(true)
}

fn set_automine(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<bool, RpcError> {
    let sequencer = sequencer(context)?;
    match (arguments.required(0)?, sequencer.mining()) {
        (true, _) => sequencer.set_mining(Mining::Auto),
        (false, Mining::Auto) => sequencer.set_mining(Mining::Manual),
        (false, _) => {}
    }
    Ok(true)
}

fn automine(context: &Arc<RpcContext>, _: &Arguments<'_>) -> Result<bool, RpcError> {
    Ok(sequencer(context)?.mining() == Mining::Auto)
}

fn set_interval(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<bool, RpcError> {
    let Number(seconds) = arguments.required(0)?;
    let mining = if seconds == 0 { Mining::Manual } else { Mining::Interval(Duration::from_secs(seconds)) };
    sequencer(context)?.set_mining(mining);
    Ok(true)
}

fn interval(context: &Arc<RpcContext>, _: &Arguments<'_>) -> Result<Option<u64>, RpcError> {
    Ok(match sequencer(context)?.mining() {
        Mining::Interval(interval) => Some(interval.as_secs()),
        Mining::Auto | Mining::Manual => None,
    })
}

fn set_gas_limit(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<bool, RpcError> {
    let Number(gas_limit) = arguments.required(0)?;
    if gas_limit == 0 {
        return Err(RpcError::invalid_params("Block gas limit must be greater than 0"));
    }
    sequencer(context)?.set_gas_limit(gas_limit);
    wake(context);
    Ok(true)
}

fn set_base_fee(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    let Number(base_fee) = arguments.required(0)?;
    sequencer(context)?.set_next_base_fee(base_fee);
    wake(context);
    Ok(())
}

fn set_prevrandao(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    let prevrandao: B256 = arguments.required(0)?;
    sequencer(context)?.set_next_prevrandao(prevrandao);
    Ok(())
}

fn set_coinbase(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<(), RpcError> {
    let beneficiary: Address = arguments.required(0)?;
    sequencer(context)?.set_beneficiary(beneficiary);
    Ok(())
}

/// anvil and hardhat have this for chains without a base fee; here there is one since London.
fn set_min_gas_price(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<bool, RpcError> {
    let Number(_) = arguments.required(0)?;
    let fork = context.chain.fork_of(&context.head().block);
    let reason = if fork >= Fork::London {
        "setMinGasPrice is not supported when EIP-1559 is active"
    } else {
        "setMinGasPrice is not supported: the smallest tip is a setting of the pool"
    };
    Err(RpcError::server(reason))
}
