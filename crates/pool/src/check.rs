//! Checks that need neither pool nor state, in the order geth makes them (so that of several faults both name the same).
//!
//! Intrinsic and floor gas come from revm's own tables, so that the pool cannot take what execution refuses.
//! A blob transaction that creates a contract, a set-code transaction that does, and negative amounts cannot be
//! expressed in the decoded types; decoding refuses them.

use alloy_consensus::{Transaction as _, Typed2718 as _};
use alloy_eips::{
    eip2718::Encodable2718 as _,
    eip4844::{BLOB_TX_MIN_BLOB_GASPRICE, env_settings::EnvKzgSettings, kzg_to_versioned_hash},
    eip7594::{BlobTransactionSidecarVariant, CELLS_PER_EXT_BLOB},
};
use alloy_primitives::{B256, U256};
use braid_types::{Fork, RecoveredTx, Transaction, limits};
use revm::{
    context_interface::cfg::GasParams,
    primitives::{eip3860, eip7825},
};

use crate::{
    config::{PoolConfig, PoolRules},
    rejection::Rejection,
};

/// All checks.
pub(crate) fn check(
    rules: &PoolRules,
    config: &PoolConfig,
    transaction: &RecoveredTx,
    sidecar: Option<&BlobTransactionSidecarVariant>,
) -> Result<(), Rejection> {
    check_envelope(rules, config, transaction, sidecar)?;
    let Some(hashes) = transaction.blob_versioned_hashes() else {
        return if sidecar.is_some() { Err(Rejection::UnexpectedSidecar) } else { Ok(()) };
    };
    let sidecar = sidecar.ok_or(Rejection::MissingSidecar)?;
    check_commitments(hashes, sidecar)?;
    check_proofs(hashes, sidecar)
}

/// The checks that cost little and that a new fork can decide otherwise: everything but hashes and proofs of blobs.
pub(crate) fn check_envelope(
    rules: &PoolRules,
    config: &PoolConfig,
    transaction: &Transaction,
    sidecar: Option<&BlobTransactionSidecarVariant>,
) -> Result<(), Rejection> {
    check_size(transaction, sidecar)?;
    check_type(rules.fork, transaction.ty())?;
    check_initcode(rules.fork, transaction)?;
    check_gas_limit(rules, transaction.gas_limit())?;
    let tip = tip_cap(transaction);
    let max_fee = transaction.max_fee_per_gas();
    if max_fee < tip {
        return Err(Rejection::TipAboveFeeCap { tip, max_fee });
    }
    if let Some(have) = transaction.chain_id().filter(|have| *have != rules.chain_id) {
        return Err(Rejection::InvalidChainId { have, want: rules.chain_id });
    }
    if transaction.nonce() == u64::MAX {
        return Err(Rejection::NonceMax);
    }
    if cost(transaction).is_none() {
        return Err(Rejection::CostOverflow);
    }
    check_intrinsic_gas(rules.fork, transaction)?;
    if tip < config.min_tip {
        return Err(Rejection::TipBelowMinimum { tip, minimum: config.min_tip });
    }
    if transaction.authorization_list().is_some_and(<[_]>::is_empty) {
        return Err(Rejection::EmptyAuthorizationList);
    }
    check_blob_terms(rules, transaction, sidecar)
}

/// The most a block's maker can get for each unit of gas: the tip, or the whole price of an older type.
pub(crate) fn tip_cap(transaction: &Transaction) -> u128 {
    transaction.max_priority_fee_per_gas().unwrap_or_else(|| transaction.max_fee_per_gas())
}

/// The most the sender can be charged, in wei; `None` if that exceeds 256 bits.
pub(crate) fn cost(transaction: &Transaction) -> Option<U256> {
    // 64 bits times 128 bits cannot overflow 256.
    let gas = U256::from(transaction.gas_limit()) * U256::from(transaction.max_fee_per_gas());
    let blob_gas = U256::from(transaction.blob_gas_used().unwrap_or_default());
    let blobs = blob_gas * U256::from(transaction.max_fee_per_blob_gas().unwrap_or_default());
    gas.checked_add(blobs)?.checked_add(transaction.value())
}

fn check_size(transaction: &Transaction, sidecar: Option<&BlobTransactionSidecarVariant>) -> Result<(), Rejection> {
    let size = transaction.encode_2718_len();
    if size > limits::MAX_TRANSACTION_SIZE_BYTES {
        return Err(Rejection::Oversized { size, limit: limits::MAX_TRANSACTION_SIZE_BYTES });
    }
    let size = size + sidecar.map_or(0, BlobTransactionSidecarVariant::size);
    if size > limits::MAX_BLOB_TRANSACTION_SIZE_BYTES {
        return Err(Rejection::Oversized { size, limit: limits::MAX_BLOB_TRANSACTION_SIZE_BYTES });
    }
    Ok(())
}

fn check_type(fork: Fork, transaction_type: u8) -> Result<(), Rejection> {
    let (since, name) = match transaction_type {
        0 => return Ok(()),
        1 => (Fork::Berlin, "Berlin"),
        2 => (Fork::London, "London"),
        3 => (Fork::Cancun, "Cancun"),
        _ => (Fork::Prague, "Prague"),
    };
    if fork < since {
        return Err(Rejection::TypeNotSupported { transaction_type, fork: name });
    }
    Ok(())
}

fn check_initcode(fork: Fork, transaction: &Transaction) -> Result<(), Rejection> {
    let size = transaction.input().len();
    let limit = eip3860::MAX_INITCODE_SIZE;
    if fork >= Fork::Shanghai && transaction.is_create() && size > limit {
        return Err(Rejection::InitcodeTooLarge { size, limit });
    }
    Ok(())
}

fn check_gas_limit(rules: &PoolRules, gas: u64) -> Result<(), Rejection> {
    let cap = eip7825::TX_GAS_LIMIT_CAP;
    if rules.fork >= Fork::Osaka && gas > cap {
        return Err(Rejection::GasLimitTooHigh { cap, gas });
    }
    if gas > rules.gas_limit {
        return Err(Rejection::ExceedsBlockGasLimit);
    }
    Ok(())
}

fn check_intrinsic_gas(fork: Fork, transaction: &Transaction) -> Result<(), Rejection> {
    let (mut accounts, mut slots) = (0, 0);
    for item in transaction.access_list().iter().flat_map(|list| list.iter()) {
        accounts += 1;
        slots += item.storage_keys.len() as u64;
    }
    let authorizations = transaction.authorization_count().unwrap_or_default();
    let (input, is_create) = (transaction.input(), transaction.is_create());
    let params = GasParams::new_spec(fork.spec_id());
    let needed = params.initial_tx_gas(input, is_create, accounts, slots, authorizations, None);
    let gas = transaction.gas_limit();
    if gas < needed.initial_total_gas() {
        return Err(Rejection::IntrinsicGasTooLow { gas, needed: needed.initial_total_gas() });
    }
    if fork >= Fork::Prague && gas < needed.floor_gas() {
        return Err(Rejection::FloorDataGas { gas, needed: needed.floor_gas() });
    }
    Ok(())
}

/// Number, fee and format of blobs.
fn check_blob_terms(
    rules: &PoolRules,
    transaction: &Transaction,
    sidecar: Option<&BlobTransactionSidecarVariant>,
) -> Result<(), Rejection> {
    let (Some(count), Some(fee)) = (transaction.blob_count(), transaction.max_fee_per_blob_gas()) else {
        return Ok(());
    };
    let limit = rules.blob_params.map_or(0, |params| params.max_blobs_per_tx.min(params.max_blob_count));
    if fee < BLOB_TX_MIN_BLOB_GASPRICE {
        return Err(Rejection::BlobFeeBelowMinimum { fee, minimum: BLOB_TX_MIN_BLOB_GASPRICE });
    }
    if count == 0 {
        return Err(Rejection::NoBlobs);
    }
    if count > limit {
        return Err(Rejection::TooManyBlobs { count, limit });
    }
    let want = sidecar_version(rules.fork);
    match sidecar.map(|sidecar| u8::from(sidecar.is_eip7594())) {
        Some(got) if got != want => Err(Rejection::SidecarVersion { want, got }),
        _ => Ok(()),
    }
}

/// Version of sidecars under `fork`: 1, with a proof for each cell (EIP-7594), since Osaka.
fn sidecar_version(fork: Fork) -> u8 {
    u8::from(fork >= Fork::Osaka)
}

fn check_commitments(hashes: &[B256], sidecar: &BlobTransactionSidecarVariant) -> Result<(), Rejection> {
    let commitments = sidecar.commitments();
    if commitments.len() != hashes.len() {
        return Err(Rejection::CommitmentCount { commitments: commitments.len(), hashes: hashes.len() });
    }
    if sidecar.blobs().len() != commitments.len() {
        return Err(Rejection::BlobCount { blobs: sidecar.blobs().len(), commitments: commitments.len() });
    }
    for (index, (commitment, &claimed)) in commitments.iter().zip(hashes).enumerate() {
        let computed = kzg_to_versioned_hash(commitment.as_slice());
        if computed != claimed {
            return Err(Rejection::BlobHashMismatch { index, computed, claimed });
        }
    }
    Ok(())
}

fn check_proofs(hashes: &[B256], sidecar: &BlobTransactionSidecarVariant) -> Result<(), Rejection> {
    let (proofs, expected) = match sidecar {
        BlobTransactionSidecarVariant::Eip4844(sidecar) => (sidecar.proofs.len(), hashes.len()),
        BlobTransactionSidecarVariant::Eip7594(sidecar) => {
            (sidecar.cell_proofs.len(), hashes.len() * CELLS_PER_EXT_BLOB)
        }
    };
    if proofs != expected {
        return Err(Rejection::ProofCount { proofs, expected });
    }
    let valid = sidecar.validate(hashes, EnvKzgSettings::Default.get());
    valid.map_err(|error| Rejection::InvalidProof(error.to_string()))
}

/// The sidecar as the fork in force demands it: one of version 0 gets its cell proofs computed from Osaka on, as wallets
/// still make them. Costly (KZG), so call it outside any lock.
///
/// # Errors
/// If a blob is no valid polynomial, or the sidecar is newer than the fork.
pub fn sidecar_for_fork(
    fork: Fork,
    sidecar: BlobTransactionSidecarVariant,
) -> Result<BlobTransactionSidecarVariant, Rejection> {
    let (want, got) = (sidecar_version(fork), u8::from(sidecar.is_eip7594()));
    match (want, got) {
        (0, 1) => Err(Rejection::SidecarVersion { want, got }),
        (1, 0) => sidecar.try_convert_into_eip7594().map_err(|error| Rejection::InvalidProof(format!("{error:?}"))),
        _ => Ok(sidecar),
    }
}

#[cfg(test)]
mod tests;
