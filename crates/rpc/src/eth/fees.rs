//! What inclusion costs: suggested prices, base fees and their history.

use std::sync::Arc;

use alloy_consensus::Transaction as _;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{B256, U64, U128};
use braid_types::{ExecutedBlock, Height};
use jsonrpsee::core::RegisterMethodError;
use serde::{Deserialize, Serialize};

use crate::{
    context::RpcContext,
    convert,
    error::RpcError,
    method::{Arguments, Module, blocking, quick},
    resolve,
};

/// Blocks whose tips are looked at for a suggestion (geth: 20).
const TIP_BLOCKS: u64 = 20;

/// Smallest tips that count of each block (geth: 3).
const TIPS_PER_BLOCK: usize = 3;

/// Tips below this are ignored (geth: 2 wei).
const MIN_TIP: u128 = 2;

/// Suggestion of a chain without tips.
const DEFAULT_TIP: u128 = 1_000_000_000;

/// Largest suggestion (geth: 500 gwei).
const MAX_TIP: u128 = 500_000_000_000;

/// Percentiles an `eth_feeHistory` may ask for (geth: 100).
const MAX_PERCENTILES: usize = 100;

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    blocking(module, "eth_gasPrice", 0, |context, _| {
        Ok(U128::from(suggested_tip(context)? + u128::from(next_base_fee(context))))
    })?;
    blocking(module, "eth_maxPriorityFeePerGas", 0, |context, _| Ok(U128::from(suggested_tip(context)?)))?;
    quick(module, "eth_baseFee", 0, |context, _| {
        let is_london = context.head().block.block.header.base_fee_per_gas.is_some() || next_base_fee(context) > 0;
        Ok(is_london.then(|| U64::from(next_base_fee(context))))
    })?;
    quick(module, "eth_blobBaseFee", 0, |context, _| {
        let pool = context.chain.pool().lock();
        let rules = pool.rules();
        Ok(rules.blob_params.map(|_| U128::from(rules.blob_base_fee)))
    })?;
    blocking(module, "eth_feeHistory", 3, fee_history)
}

/// Base fee of the next block; 0 before London.
pub(crate) fn next_base_fee(context: &RpcContext) -> u64 {
    context.chain.pool().lock().rules().base_fee
}

/// A tip that recent blocks would have taken: the 60th percentile of the smallest tips of each, as geth computes it.
pub(crate) fn suggested_tip(context: &RpcContext) -> Result<u128, RpcError> {
    let head = context.head();
    if let Some((hash, tip)) = *context.suggested_tip.lock()
        && hash == head.block.hash
    {
        return Ok(tip);
    }
    let mut tips = Vec::new();
    let lowest = head.block.height().saturating_sub(TIP_BLOCKS - 1);
    for height in lowest..=head.block.height() {
        // Right after a snapshot there are fewer.
        if let Some(block) = context.chain.store().block(height)? {
            tips.extend(smallest_tips(&block));
        }
    }
    tips.sort_unstable();
    let rank = tips.len().saturating_sub(1) * 60 / 100;
    let tip = tips.get(rank).copied().unwrap_or(DEFAULT_TIP).min(MAX_TIP);
    *context.suggested_tip.lock() = Some((head.block.hash, tip));
    Ok(tip)
}

/// The smallest tips that strangers paid in a block.
fn smallest_tips(block: &ExecutedBlock) -> Vec<u128> {
    let header = &block.block.header;
    let base_fee = header.base_fee_per_gas.unwrap_or_default();
    let strangers = block.block.transactions.iter().filter(|tx| tx.signer() != header.beneficiary);
    let tips = strangers.filter_map(|tx| tx.effective_tip_per_gas(base_fee)).filter(|tip| *tip >= MIN_TIP);
    let mut smallest: Vec<u128> = tips.collect();
    smallest.sort_unstable();
    smallest.truncate(TIPS_PER_BLOCK);
    smallest
}

/// `eth_feeHistory`.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct FeeHistory {
    oldest_block: U64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reward: Option<Vec<Vec<U128>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    base_fee_per_gas: Vec<U64>,
    gas_used_ratio: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    base_fee_per_blob_gas: Vec<U128>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blob_gas_used_ratio: Vec<f64>,
}

/// A block count, as a quantity or a plain number.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum Count {
    Plain(u64),
    Quantity(U64),
}

impl Count {
    fn get(self) -> u64 {
        match self {
            Self::Plain(count) => count,
            Self::Quantity(count) => count.to(),
        }
    }
}

fn fee_history(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<FeeHistory, RpcError> {
    let count = arguments.required::<Count>(0)?.get().min(context.options.max_fee_history);
    let newest = newest_block(context, arguments.required(1)?)?;
    let percentiles: Vec<f64> = arguments.optional(2)?.unwrap_or_default();
    check_percentiles(&percentiles)?;
    let count = count.min(newest + 1);
    if count == 0 {
        return Ok(FeeHistory::default());
    }
    let oldest = newest + 1 - count;
    let mut history = FeeHistory { oldest_block: U64::from(oldest), ..FeeHistory::default() };
    let mut rewards = Vec::new();
    for height in oldest..=newest {
        let block = resolve::block(context, BlockId::number(height))?.ok_or_else(RpcError::header_not_found)?;
        push_block(context, &mut history, &block);
        if !percentiles.is_empty() {
            rewards.push(block_rewards(&block, &percentiles));
        }
    }
    push_next(context, &mut history, newest)?;
    history.reward = (!percentiles.is_empty()).then_some(rewards);
    Ok(history)
}

fn newest_block(context: &RpcContext, number: BlockNumberOrTag) -> Result<Height, RpcError> {
    let head = context.head().block.height();
    match resolve::height(context, number).unwrap_or(head) {
        height if height > head => {
            Err(RpcError::server(format!("request beyond head block: requested {height}, head {head}")))
        }
        height => Ok(height),
    }
}

fn check_percentiles(percentiles: &[f64]) -> Result<(), RpcError> {
    if percentiles.len() > MAX_PERCENTILES {
        return Err(RpcError::server(format!("over the query limit {MAX_PERCENTILES}")));
    }
    if let Some(outside) = percentiles.iter().find(|percentile| !(0.0..=100.0).contains(*percentile)) {
        return Err(RpcError::server(format!("invalid reward percentile: {outside}")));
    }
    if let Some(pair) = percentiles.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(RpcError::server(format!("invalid reward percentile: {} >= {}", pair[0], pair[1])));
    }
    Ok(())
}

fn push_block(context: &RpcContext, history: &mut FeeHistory, block: &ExecutedBlock) {
    let header = &block.block.header;
    let blob_params = context.chain.spec().blob_params(context.chain.fork_of(block), header.timestamp);
    let max_blob_gas = blob_params.map_or(0, |params| params.max_blob_gas_per_block());
    history.base_fee_per_gas.push(U64::from(header.base_fee_per_gas.unwrap_or_default()));
    history.gas_used_ratio.push(ratio(header.gas_used, header.gas_limit));
    let blob_base_fee = convert::blob_base_fee(&context.chain, block).unwrap_or_default();
    history.base_fee_per_blob_gas.push(U128::from(blob_base_fee));
    history.blob_gas_used_ratio.push(ratio(header.blob_gas_used.unwrap_or_default(), max_blob_gas));
}

/// The fees of the block after the newest: those it has, or will have.
fn push_next(context: &RpcContext, history: &mut FeeHistory, newest: Height) -> Result<(), RpcError> {
    let (base_fee, blob_base_fee) = match resolve::block(context, BlockId::number(newest + 1))? {
        Some(next) => {
            let blob_base_fee = convert::blob_base_fee(&context.chain, &next).unwrap_or_default();
            (next.block.header.base_fee_per_gas.unwrap_or_default(), blob_base_fee)
        }
        None => {
            let pool = context.chain.pool().lock();
            (pool.rules().base_fee, pool.rules().blob_base_fee)
        }
    };
    history.base_fee_per_gas.push(U64::from(base_fee));
    history.base_fee_per_blob_gas.push(U128::from(blob_base_fee));
    Ok(())
}

#[expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a ratio is shown, nothing is computed from it"
)]
fn ratio(used: u64, limit: u64) -> f64 {
    if limit == 0 { 0.0 } else { used as f64 / limit as f64 }
}

/// For each percentile, the tip at or below which that share of the block's gas was bought.
fn block_rewards(block: &ExecutedBlock, percentiles: &[f64]) -> Vec<U128> {
    let base_fee = block.block.header.base_fee_per_gas.unwrap_or_default();
    let mut gas_before = 0;
    let mut bought: Vec<(u128, u64)> = Vec::with_capacity(block.receipts.len());
    for (tx, receipt) in block.block.transactions.iter().zip(&block.receipts) {
        let gas = receipt.cumulative_gas_used().saturating_sub(gas_before);
        gas_before = receipt.cumulative_gas_used();
        bought.push((tx.effective_tip_per_gas(base_fee).unwrap_or_default(), gas));
    }
    bought.sort_unstable_by_key(|(tip, _)| *tip);
    let mut remaining = bought.iter();
    let mut current = remaining.next();
    let mut gas = current.map_or(0, |(_, gas)| *gas);
    let mut rewards = Vec::with_capacity(percentiles.len());
    for percentile in percentiles {
        let threshold = share(block.block.header.gas_used, *percentile);
        while gas < threshold {
            let Some(next) = remaining.next() else { break };
            gas += next.1;
            current = Some(next);
        }
        rewards.push(U128::from(current.map_or(0, |(tip, _)| *tip)));
    }
    rewards
}

#[expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clients give percentiles as fractions, checked to lie between 0 and 100"
)]
fn share(total: u64, percentile: f64) -> u64 {
    (total as f64 * percentile / 100.0) as u64
}

/// Suggestion remembered for the block with this hash.
pub(crate) type SuggestedTip = Option<(B256, u128)>;
