//! `eth_estimateGas`: the smallest gas limit with which a call succeeds, nearly.
//!
//! A binary search as in geth (`eth/gasestimator`), so that clients see the numbers they know: at the cap first, for a
//! call that fails there fails everywhere; then at what that run used plus what calls hold back (the 64th part and the
//! stipend); then by halves, skewed to the low end, until the bounds are within 1.5 %.

use revm::context::result::{ExecutionResult, HaltReason};

use super::{
    message::{Fault, Message},
    outcome::{halt_sentence, peak_gas},
    site::Site,
};
use crate::error::RpcError;

/// Gas of a plain transfer.
const TRANSFER_GAS: u64 = 21_000;
/// Gas a callee gets free with a value (EIP-150's stipend).
const CALL_STIPEND: u64 = 2_300;
/// Bounds closer than this, in thousandths of the upper one, are close enough (geth: 0.015).
const ERROR_THOUSANDTHS: u64 = 15;

/// The least gas with which `message` succeeds here. `gas_limit` is what the client named, if anything.
pub(crate) fn estimate(site: &mut Site, message: &Message, gas_limit: Option<u64>) -> Result<u64, RpcError> {
    let ceiling = ceiling(site, message, gas_limit)?;
    if is_plain_transfer(site, message)? && run(site, message, TRANSFER_GAS).is_ok_and(|result| succeeded(&result)) {
        return Ok(TRANSFER_GAS);
    }
    let first = match run(site, message, ceiling)? {
        Some(result @ ExecutionResult::Success { .. }) => result,
        Some(ExecutionResult::Revert { output, .. }) => return Err(RpcError::reverted(&output)),
        Some(ExecutionResult::Halt { reason, .. }) if !matches!(reason, HaltReason::OutOfGas(_)) => {
            return Err(RpcError::server(halt_sentence(&reason)));
        }
        _ => return Err(RpcError::server(format!("gas required exceeds allowance ({ceiling})"))),
    };
    search(site, message, ceiling, &first)
}

/// Most gas worth trying: what the client named or the block has, what the sender can pay for, what the node allows.
fn ceiling(site: &Site, message: &Message, gas_limit: Option<u64>) -> Result<u64, RpcError> {
    let mut ceiling = gas_limit.filter(|gas| *gas >= TRANSFER_GAS).unwrap_or(site.env.gas_limit);
    if site.context.fork >= braid_types::Fork::Osaka {
        ceiling = ceiling.min(revm::primitives::eip7825::TX_GAS_LIMIT_CAP);
    }
    if message.fee_cap > 0 {
        ceiling = ceiling.min(affordable(site, message)?);
    }
    Ok(ceiling.min(site.gas_cap))
}

/// Gas the sender's balance buys after value and blobs.
fn affordable(site: &Site, message: &Message) -> Result<u64, RpcError> {
    let balance = site.account(message.from)?.balance;
    let rest = balance.checked_sub(message.value).filter(|rest| !rest.is_zero());
    let rest = rest.ok_or_else(|| RpcError::server("insufficient funds for transfer"))?;
    let blobs = alloy_primitives::U256::from(message.blob_gas()) * alloy_primitives::U256::from(message.blob_fee_cap);
    let rest = rest.checked_sub(blobs).ok_or_else(|| RpcError::server("insufficient funds for gas * price + value"))?;
    let gas = rest / alloy_primitives::U256::from(message.fee_cap);
    Ok(u64::try_from(gas).unwrap_or(u64::MAX))
}

fn is_plain_transfer(site: &Site, message: &Message) -> Result<bool, RpcError> {
    let Some(to) = message.to.to() else { return Ok(false) };
    Ok(message.input.is_empty() && site.account(*to)?.is_empty_code_hash())
}

/// Narrows the bounds down; `first` succeeded with `ceiling`.
fn search(site: &mut Site, message: &Message, ceiling: u64, first: &ExecutionResult) -> Result<u64, RpcError> {
    let (mut fails, mut succeeds) = (first.tx_gas_used().saturating_sub(1), ceiling);
    let optimistic = (peak_gas(first) + CALL_STIPEND) * 64 / 63;
    if optimistic < succeeds {
        if succeeded(&run(site, message, optimistic)?) {
            succeeds = optimistic;
        } else {
            fails = optimistic;
        }
    }
    while fails + 1 < succeeds {
        if (succeeds - fails) * 1_000 < succeeds * ERROR_THOUSANDTHS {
            break;
        }
        let middle = (fails + (succeeds - fails) / 2).min(fails.saturating_mul(2));
        if succeeded(&run(site, message, middle)?) {
            succeeds = middle;
        } else {
            fails = middle;
        }
    }
    Ok(succeeds)
}

/// One run; `None` if the gas does not even cover what every transaction pays.
fn run(site: &mut Site, message: &Message, gas: u64) -> Result<Option<ExecutionResult>, RpcError> {
    match site.run(&Message { gas, ..message.clone() }) {
        Ok(run) => Ok(Some(run.result)),
        Err(Fault::IntrinsicGas { .. } | Fault::FloorGas { .. }) => Ok(None),
        Err(Fault::Node(reason)) => Err(RpcError::internal(reason)),
        Err(fault) => Err(RpcError::server(format!("failed with {gas} gas: {fault}"))),
    }
}

fn succeeded(result: &Option<ExecutionResult>) -> bool {
    result.as_ref().is_some_and(ExecutionResult::is_success)
}
