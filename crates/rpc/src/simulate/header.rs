//! The header of a simulated block: what its plan and its parent say before execution, and what execution adds.

use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, Header,
    proofs::{calculate_receipt_root, calculate_transaction_root, calculate_withdrawals_root},
};
use alloy_eips::eip7685::Requests;
use alloy_primitives::{B256, Bloom, U256};
use braid_chain::{next_base_fee, next_excess_blob_gas};
use braid_types::{ChainSpec, ExecutedBlock, Fork, Receipt, RecoveredTx};

use super::request::Plan;
use crate::{call::overrides::too_large, error::RpcError};

/// The fields that hold before execution. Without `validates`, a base fee that is not named is 0, so that calls that
/// name no price can run.
pub(super) fn begin(
    plan: &Plan,
    parent: &ExecutedBlock,
    parent_fork: Fork,
    fork: Fork,
    spec: &ChainSpec,
    validates: bool,
) -> Result<Header, RpcError> {
    let (before, fields) = (&parent.block.header, &plan.fields);
    let difficulty = if fork >= Fork::Paris { U256::ZERO } else { before.difficulty };
    Ok(Header {
        parent_hash: parent.hash,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: fields.coinbase.unwrap_or(before.beneficiary),
        difficulty: fields.difficulty.unwrap_or(difficulty),
        number: plan.height,
        gas_limit: fields.gas_limit.unwrap_or(before.gas_limit),
        timestamp: plan.timestamp,
        mix_hash: fields.random.unwrap_or_default(),
        base_fee_per_gas: base_fee(plan, before, parent_fork, fork, validates)?,
        excess_blob_gas: next_excess_blob_gas(before, spec, fork, plan.timestamp),
        parent_beacon_block_root: (fork >= Fork::Cancun).then(|| fields.beacon_root.unwrap_or_default()),
        ..Header::default()
    })
}

fn base_fee(
    plan: &Plan,
    parent: &Header,
    parent_fork: Fork,
    fork: Fork,
    validates: bool,
) -> Result<Option<u64>, RpcError> {
    if fork < Fork::London {
        return Ok(None);
    }
    if let Some(named) = plan.fields.base_fee {
        return u64::try_from(named).map(Some).map_err(|_| too_large("baseFeePerGas"));
    }
    Ok(if validates { next_base_fee(parent, parent_fork, fork) } else { Some(0) })
}

/// What execution tells about a block.
#[derive(Debug, Default)]
pub(super) struct Executed<'a> {
    pub(super) transactions: &'a [RecoveredTx],
    pub(super) receipts: &'a [Receipt],
    pub(super) gas_used: u64,
    pub(super) blob_gas_used: u64,
    pub(super) requests: Requests,
    pub(super) state_root: B256,
}

/// Fills in what execution told.
pub(super) fn finish(header: &mut Header, plan: &Plan, fork: Fork, result: &Executed<'_>) {
    let transactions: Vec<_> = result.transactions.iter().map(|transaction| transaction.inner()).collect();
    header.transactions_root = calculate_transaction_root(&transactions);
    header.receipts_root = calculate_receipt_root(result.receipts);
    header.logs_bloom = result.receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | *receipt.logs_bloom());
    header.gas_used = result.gas_used;
    header.state_root = result.state_root;
    header.withdrawals_root = (fork >= Fork::Shanghai).then(|| calculate_withdrawals_root(&plan.withdrawals));
    header.blob_gas_used = (fork >= Fork::Cancun).then_some(result.blob_gas_used);
    header.requests_hash = (fork >= Fork::Prague).then(|| result.requests.requests_hash());
}
