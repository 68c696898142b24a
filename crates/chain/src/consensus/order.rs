//! What a header says about the ordered block it was made from, on a chain whose blocks validators order.
//!
//! | header field | value |
//! |---|---|
//! | `timestamp` | the greater of the parent's and the ordered block's `timestamp_ms / 1000` |
//! | `beneficiary` | the ordered block's |
//! | `extraData` | the ordered block's digest, 32 bytes |
//! | `mixHash` | keccak-256 of that digest |
//! | `parentBeaconBlockRoot` | digest of the parent's ordered block; zero in the first |
//! | `gasLimit` | the parent's, hence the genesis's |
//! | `withdrawalsRoot` | that of no withdrawals |
//! | base fee and all the rest | as Ethereum has it |

use alloy_consensus::{EMPTY_ROOT_HASH, Header};
use alloy_primitives::{B256, keccak256};
use braid_types::{ChainSpec, OrderedBlock, ordered::GENESIS_DIGEST};

use super::BlockError;
use crate::build::Attributes;

/// The digest of the ordered block that a block was made from, zero for the genesis; `None` if it was made otherwise.
pub fn digest_of(header: &Header) -> Option<B256> {
    if header.number == 0 {
        return Some(GENESIS_DIGEST);
    }
    B256::try_from(header.extra_data.as_ref()).ok()
}

/// What the block that `ordered` leads to is made with.
pub(crate) fn attributes(ordered: &OrderedBlock, parent: &Header) -> Attributes {
    Attributes {
        timestamp: (ordered.timestamp_ms / 1_000).max(parent.timestamp),
        beneficiary: ordered.beneficiary,
        prevrandao: keccak256(ordered.digest),
        gas_limit: parent.gas_limit,
        extra_data: ordered.digest.into(),
        parent_beacon_block_root: ordered.parent,
        ..Attributes::default()
    }
}

/// Checks that a header could have been made so, where validators order blocks.
pub(super) fn check(header: &Header, parent: &Header, spec: &ChainSpec) -> Result<(), BlockError> {
    if spec.consensus.is_none() {
        return Ok(());
    }
    let (Some(digest), Some(before)) = (digest_of(header), digest_of(parent)) else {
        return Err(BlockError::Order { field: "extraData" });
    };
    let fields = [
        ("mixHash", header.mix_hash == keccak256(digest)),
        ("parentBeaconBlockRoot", header.parent_beacon_block_root == Some(before)),
        ("gasLimit", header.gas_limit == parent.gas_limit),
        ("withdrawalsRoot", header.withdrawals_root == Some(EMPTY_ROOT_HASH)),
    ];
    match fields.into_iter().find(|(_, is_right)| !is_right) {
        None => Ok(()),
        Some((field, _)) => Err(BlockError::Order { field }),
    }
}
