//! Base fee (EIP-1559) and excess blob gas (EIP-4844, EIP-7918): what a block charges follows from its parent.

use alloy_consensus::Header;
use alloy_eips::{
    eip1559::{BaseFeeParams, INITIAL_BASE_FEE, calc_next_block_base_fee},
    eip4844::DATA_GAS_PER_BLOB,
    eip7840::BlobParams,
};
use alloy_primitives::U256;
use braid_types::{ChainSpec, Fork};

/// Base fee of the block after `parent` (EIP-1559); `None` if that block is before London.
pub fn next_base_fee(parent: &Header, parent_fork: Fork, fork: Fork) -> Option<u64> {
    if fork < Fork::London {
        return None;
    }
    let base_fee = parent.base_fee_per_gas.filter(|_| parent_fork >= Fork::London);
    let Some(base_fee) = base_fee else { return Some(INITIAL_BASE_FEE) };
    Some(calc_next_block_base_fee(parent.gas_used, parent.gas_limit, base_fee, BaseFeeParams::ethereum()))
}

/// Excess blob gas of the block after `parent` (EIP-4844, EIP-7918); `None` if that block is before Cancun. A parent
/// before Cancun counts as without excess and blobs.
pub fn next_excess_blob_gas(parent: &Header, spec: &ChainSpec, fork: Fork, timestamp: u64) -> Option<u64> {
    let params = spec.blob_params(fork, timestamp)?;
    let excess = parent.excess_blob_gas.unwrap_or_default();
    let used = parent.blob_gas_used.unwrap_or_default();
    let sum = excess.saturating_add(used);
    let target = params.target_blob_gas_per_block();
    if sum < target {
        return Some(0);
    }
    let base_fee = parent.base_fee_per_gas.unwrap_or_default();
    if fork >= Fork::Osaka && is_below_reserve(&params, excess, base_fee) {
        let above_target = params.max_blob_count.saturating_sub(params.target_blob_count);
        let scaled = u128::from(used) * u128::from(above_target) / u128::from(params.max_blob_count.max(1));
        return Some(excess.saturating_add(u64::try_from(scaled).unwrap_or(u64::MAX)));
    }
    Some(sum - target)
}

/// Whether a blob costs less than the execution gas that checking it is worth (EIP-7918).
fn is_below_reserve(params: &BlobParams, excess: u64, base_fee: u64) -> bool {
    let reserve = U256::from(params.blob_base_cost) * U256::from(base_fee);
    reserve > U256::from(DATA_GAS_PER_BLOB) * U256::from(params.calc_blob_fee(excess))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GWEI: u64 = 1_000_000_000;
    const BLOB: u64 = DATA_GAS_PER_BLOB;

    fn parent(gas_used: u64, base_fee: u64) -> Header {
        Header { gas_limit: 20_000, gas_used, base_fee_per_gas: Some(base_fee), ..Header::default() }
    }

    #[test]
    fn base_fee_follows_use() {
        let after = |used| next_base_fee(&parent(used, GWEI), Fork::London, Fork::London);
        assert_eq!(after(10_000), Some(GWEI));
        assert_eq!(after(20_000), Some(GWEI + GWEI / 8));
        assert_eq!(after(0), Some(GWEI - GWEI / 8));
        assert_eq!(next_base_fee(&parent(10_001, 1), Fork::London, Fork::London), Some(2), "rises by at least one");
    }

    #[test]
    fn the_first_london_block_starts_at_one_gwei() {
        let before = Header { base_fee_per_gas: None, ..parent(20_000, 0) };
        assert_eq!(next_base_fee(&before, Fork::Berlin, Fork::Berlin), None);
        assert_eq!(next_base_fee(&before, Fork::Berlin, Fork::London), Some(GWEI));
    }

    fn blob_parent(excess: u64, used: u64, base_fee: u64) -> Header {
        Header { excess_blob_gas: Some(excess), blob_gas_used: Some(used), ..parent(0, base_fee) }
    }

    #[test]
    fn excess_is_what_lies_above_the_forks_target() {
        for (fork, target) in [(Fork::Cancun, 3), (Fork::Prague, 6)] {
            let spec = ChainSpec::at_fork(1, fork);
            let after = |excess, used| next_excess_blob_gas(&blob_parent(excess, used, GWEI), &spec, fork, 1);
            assert_eq!(after(0, target * BLOB), Some(0));
            assert_eq!(after(0, (target + 1) * BLOB), Some(BLOB));
            assert_eq!(after(BLOB, (target + 1) * BLOB), Some(2 * BLOB));
            assert_eq!(after(BLOB, 0), Some(0));
        }
        let spec = ChainSpec::at_fork(1, Fork::Shanghai);
        assert_eq!(next_excess_blob_gas(&parent(0, 1), &spec, Fork::Shanghai, 1), None);
    }

    #[test]
    fn osaka_keeps_the_excess_up_while_blobs_are_cheaper_than_their_check() {
        let spec = ChainSpec::at_fork(1, Fork::Osaka);
        let params = spec.blob_params(Fork::Osaka, 1).unwrap();
        let (target, max) = (params.target_blob_count, params.max_blob_count);
        let parent = blob_parent(40 * BLOB, max * BLOB, GWEI);
        let next = next_excess_blob_gas(&parent, &spec, Fork::Osaka, 1);
        assert_eq!(next, Some(40 * BLOB + (max - target) * BLOB), "scaled, not reduced by the target");
        let cheap_execution = blob_parent(40 * BLOB, target * BLOB, 1);
        assert_eq!(next_excess_blob_gas(&cheap_execution, &spec, Fork::Osaka, 1), Some(40 * BLOB));
        let busy = blob_parent(40 * BLOB, target * BLOB, GWEI);
        assert_eq!(
            next_excess_blob_gas(&busy, &spec, Fork::Osaka, 1),
            Some(40 * BLOB + target * (max - target) * BLOB / max)
        );
        assert_eq!(next_excess_blob_gas(&parent, &spec, Fork::Osaka, 1), alloy(&params, &parent), "as alloy has it");
    }

    fn alloy(params: &BlobParams, parent: &Header) -> Option<u64> {
        let (excess, used) = (parent.excess_blob_gas?, parent.blob_gas_used?);
        Some(params.next_block_excess_blob_gas_osaka(excess, used, parent.base_fee_per_gas?))
    }
}
