//! What `eth_simulateV1` is asked, and the row of blocks that the request describes.
//!
//! Numbers and times must rise. Where numbers leave a gap, empty blocks fill it; a time that is left out is 12 seconds
//! after the block before.

use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::U256;
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};
use serde::Deserialize;

use crate::{call::overrides::too_large, error::RpcError};

/// Block numbers do not rise.
const BLOCK_NUMBER_ORDER: i32 = -38020;
/// Time stamps do not rise.
const TIMESTAMP_ORDER: i32 = -38021;
/// The request is larger than the node allows.
const CLIENT_LIMIT: i32 = -38026;
/// Seconds between blocks whose time is left out.
const BLOCK_INTERVAL_S: u64 = 12;

/// The first argument.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload {
    #[serde(default)]
    pub(super) block_state_calls: Vec<BlockCalls>,
    #[serde(default)]
    pub(super) trace_transfers: bool,
    #[serde(default)]
    pub(super) validation: bool,
    #[serde(default)]
    pub(super) return_full_transactions: bool,
}

/// One block as the client describes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockCalls {
    block_overrides: Option<Overrides>,
    state_overrides: Option<StateOverride>,
    calls: Option<Vec<TransactionRequest>>,
}

/// Header fields, and withdrawals.
#[derive(Clone, Debug, Default, Deserialize)]
struct Overrides {
    #[serde(flatten)]
    fields: BlockOverrides,
    withdrawals: Option<Vec<Withdrawal>>,
}

/// One block to simulate, its place in the row settled.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) height: u64,
    pub(super) timestamp: u64,
    pub(super) fields: BlockOverrides,
    pub(super) withdrawals: Vec<Withdrawal>,
    pub(super) state: Option<StateOverride>,
    pub(super) calls: Vec<TransactionRequest>,
}

/// The row of blocks on top of a base block at `height` and `timestamp`, at most `limit` of them.
pub(super) fn plan(
    blocks: Vec<BlockCalls>,
    mut height: u64,
    mut timestamp: u64,
    limit: u64,
) -> Result<Vec<Plan>, RpcError> {
    if blocks.is_empty() {
        return Err(RpcError::invalid_params("empty input"));
    }
    if blocks.len() as u64 > limit {
        return Err(too_many());
    }
    let base = height;
    let mut plans = Vec::with_capacity(blocks.len());
    for block in blocks {
        let overrides = block.block_overrides.unwrap_or_default();
        let wanted = block_number(overrides.fields.number, height)?;
        if wanted - base > limit {
            return Err(too_many());
        }
        for number in height + 1..wanted {
            timestamp = after(timestamp);
            plans.push(Plan { height: number, timestamp, ..Plan::default() });
        }
        timestamp = block_time(overrides.fields.time, timestamp)?;
        height = wanted;
        plans.push(Plan {
            height,
            timestamp,
            fields: overrides.fields,
            withdrawals: overrides.withdrawals.unwrap_or_default(),
            state: block.state_overrides,
            calls: block.calls.unwrap_or_default(),
        });
    }
    Ok(plans)
}

fn too_many() -> RpcError {
    RpcError::new(CLIENT_LIMIT, "too many blocks")
}

const fn after(timestamp: u64) -> u64 {
    timestamp.saturating_add(BLOCK_INTERVAL_S)
}

/// A block's number, which must exceed the one before.
fn block_number(wanted: Option<U256>, previous: u64) -> Result<u64, RpcError> {
    let Some(wanted) = wanted else { return Ok(previous.saturating_add(1)) };
    let wanted = u64::try_from(wanted).map_err(|_| too_large("number"))?;
    if wanted <= previous {
        let message = format!("block numbers must be in order: {wanted} <= {previous}");
        return Err(RpcError::new(BLOCK_NUMBER_ORDER, message));
    }
    Ok(wanted)
}

/// A block's time, which must exceed the one before.
fn block_time(wanted: Option<u64>, previous: u64) -> Result<u64, RpcError> {
    let wanted = wanted.unwrap_or_else(|| after(previous));
    if wanted <= previous {
        let message = format!("block timestamps must be in order: {wanted} <= {previous}");
        return Err(RpcError::new(TIMESTAMP_ORDER, message));
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(json: &str) -> Vec<BlockCalls> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn gaps_are_filled_with_empty_blocks() {
        let blocks = blocks(r#"[{"blockOverrides":{"number":"0x3"}},{"calls":[{}]}]"#);
        let plans = plan(blocks, 0, 100, 256).unwrap();
        let row: Vec<_> = plans.iter().map(|plan| (plan.height, plan.timestamp, plan.calls.len())).collect();
        assert_eq!(row, [(1, 112, 0), (2, 124, 0), (3, 136, 0), (4, 148, 1)]);
    }

    #[test]
    fn numbers_and_times_must_rise() {
        let code = |json: &str| plan(blocks(json), 5, 100, 256).unwrap_err().code;
        assert_eq!(code(r#"[{"blockOverrides":{"number":"0x5"}}]"#), BLOCK_NUMBER_ORDER);
        assert_eq!(code(r#"[{"blockOverrides":{"time":"0x64"}}]"#), TIMESTAMP_ORDER);
        assert_eq!(code(r#"[{"blockOverrides":{"number":"0x200"}}]"#), CLIENT_LIMIT);
        assert_eq!(code(r#"[{"blockOverrides":{"number":"0xffffffffffffffffff"}}]"#), crate::error::INVALID_PARAMS);
        assert_eq!(code("[]"), crate::error::INVALID_PARAMS);
    }
}
