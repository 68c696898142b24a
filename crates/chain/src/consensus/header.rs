//! A header on top of its parent's.

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_eips::eip4844::DATA_GAS_PER_BLOB;
use alloy_primitives::B64;
use braid_types::{ChainSpec, Fork, Height};

use super::{
    BlockError,
    difficulty::next_difficulty,
    fees::{next_base_fee, next_excess_blob_gas},
};

/// Extra data of the DAO fork's first blocks.
pub const DAO_EXTRA_DATA: &[u8] = b"dao-hard-fork";

/// Blocks from the DAO fork on that carry [`DAO_EXTRA_DATA`].
const DAO_EXTRA_DATA_BLOCKS: u64 = 10;
/// Bytes of extra data (Yellow Paper, section 4.4.4).
const MAX_EXTRA_DATA: usize = 32;
/// The gas limit changes by less than this part of itself.
const GAS_LIMIT_BOUND_DIVISOR: u64 = 1_024;
/// Least gas limit.
const MIN_GAS_LIMIT: u64 = 5_000;
/// Greatest gas limit (EIP-1985).
const MAX_GAS_LIMIT: u64 = i64::MAX.unsigned_abs();
/// London doubles the limit, as half of it becomes the target (EIP-1559).
const ELASTICITY: u64 = 2;

/// Checks a header under `fork` against its parent's under `parent_fork`. Ommers obey the same rules.
pub fn check(
    header: &Header,
    fork: Fork,
    parent: &Header,
    parent_fork: Fork,
    spec: &ChainSpec,
) -> Result<(), BlockError> {
    check_position(header, parent, spec)?;
    check_extra_data(header, spec)?;
    check_gas(header, fork, parent, parent_fork)?;
    check_seal_fields(header, fork, parent)?;
    check_presence(header, fork)?;
    let expected = next_base_fee(parent, parent_fork, fork);
    if header.base_fee_per_gas != expected {
        return Err(BlockError::BaseFee { found: header.base_fee_per_gas, expected });
    }
    check_blob_gas(header, fork, parent, spec)
}

fn check_position(header: &Header, parent: &Header, spec: &ChainSpec) -> Result<(), BlockError> {
    let expected = parent.number.saturating_add(1);
    if header.number != expected {
        return Err(BlockError::Height { found: header.number, expected });
    }
    if !spec.allows_timestamp(header.timestamp, parent.timestamp) {
        return Err(BlockError::Timestamp { found: header.timestamp, parent: parent.timestamp });
    }
    Ok(())
}

fn check_extra_data(header: &Header, spec: &ChainSpec) -> Result<(), BlockError> {
    if header.extra_data.len() > MAX_EXTRA_DATA {
        return Err(BlockError::ExtraDataSize(header.extra_data.len()));
    }
    let Some(fork_height) = spec.config.dao_fork_block else { return Ok(()) };
    let must_have = spec.config.dao_fork_support;
    let is_affected = is_dao_extra_data_height(header.number, fork_height);
    if is_affected && (header.extra_data.as_ref() == DAO_EXTRA_DATA) != must_have {
        return Err(BlockError::DaoExtraData { found: header.extra_data.clone() });
    }
    Ok(())
}

/// Whether a chain that made the DAO fork at `fork_height` marks the block at `height`.
pub const fn is_dao_extra_data_height(height: Height, fork_height: Height) -> bool {
    height >= fork_height && height - fork_height < DAO_EXTRA_DATA_BLOCKS
}

fn check_gas(header: &Header, fork: Fork, parent: &Header, parent_fork: Fork) -> Result<(), BlockError> {
    let is_first_of_london = fork >= Fork::London && parent_fork < Fork::London;
    let base = if is_first_of_london { parent.gas_limit.saturating_mul(ELASTICITY) } else { parent.gas_limit };
    let limit = header.gas_limit;
    let is_close = limit.abs_diff(base) < base / GAS_LIMIT_BOUND_DIVISOR;
    if !is_close || !(MIN_GAS_LIMIT..=MAX_GAS_LIMIT).contains(&limit) {
        return Err(BlockError::GasLimit { found: limit, parent: base });
    }
    if header.gas_used > limit {
        return Err(BlockError::GasUsedAboveLimit { used: header.gas_used, limit });
    }
    Ok(())
}

/// Difficulty always; nonce and ommers hash are fixed since Paris (EIP-3675).
fn check_seal_fields(header: &Header, fork: Fork, parent: &Header) -> Result<(), BlockError> {
    let expected = next_difficulty(parent, header.timestamp, fork);
    if header.difficulty != expected {
        return Err(BlockError::Difficulty { found: header.difficulty, expected });
    }
    if fork < Fork::Paris {
        return Ok(());
    }
    if header.nonce != B64::ZERO {
        return Err(BlockError::Nonce);
    }
    if header.ommers_hash != EMPTY_OMMER_ROOT_HASH {
        return Err(BlockError::OmmersHash { found: header.ommers_hash, expected: EMPTY_OMMER_ROOT_HASH });
    }
    Ok(())
}

/// A field is in the header if, and only if, its fork has come.
fn check_presence(header: &Header, fork: Fork) -> Result<(), BlockError> {
    let fields = [
        ("baseFeePerGas", header.base_fee_per_gas.is_some(), Fork::London),
        ("withdrawalsRoot", header.withdrawals_root.is_some(), Fork::Shanghai),
        ("blobGasUsed", header.blob_gas_used.is_some(), Fork::Cancun),
        ("excessBlobGas", header.excess_blob_gas.is_some(), Fork::Cancun),
        ("parentBeaconBlockRoot", header.parent_beacon_block_root.is_some(), Fork::Cancun),
        ("requestsHash", header.requests_hash.is_some(), Fork::Prague),
    ];
    for (field, is_present, since) in fields {
        let must_exist = fork >= since;
        if is_present != must_exist {
            return Err(BlockError::FieldPresence { field, must_exist });
        }
    }
    if header.block_access_list_hash.is_some() {
        return Err(BlockError::FieldPresence { field: "blockAccessListHash", must_exist: false });
    }
    if header.slot_number.is_some() {
        return Err(BlockError::FieldPresence { field: "slotNumber", must_exist: false });
    }
    Ok(())
}

fn check_blob_gas(header: &Header, fork: Fork, parent: &Header, spec: &ChainSpec) -> Result<(), BlockError> {
    let Some(params) = spec.blob_params(fork, header.timestamp) else { return Ok(()) };
    let (used, limit) = (header.blob_gas_used.unwrap_or_default(), params.max_blob_gas_per_block());
    if used > limit {
        return Err(BlockError::BlobGasAboveLimit { used, limit });
    }
    if used % DATA_GAS_PER_BLOB != 0 {
        return Err(BlockError::BlobGasUsed { found: used, expected: used - used % DATA_GAS_PER_BLOB });
    }
    let expected = next_excess_blob_gas(parent, spec, fork, header.timestamp);
    if header.excess_blob_gas != expected {
        return Err(BlockError::ExcessBlobGas { found: header.excess_blob_gas, expected });
    }
    Ok(())
}
