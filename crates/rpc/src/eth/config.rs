//! What the node follows and keeps: `eth_config` (EIP-7910) and `eth_capabilities`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alloy_eips::{eip2935, eip4788, eip7002, eip7251, eip7840::BlobParams};
use alloy_primitives::{Address, B256, Bytes, U64};
use braid_types::{ChainSpec, Fork, fork::Activation, limits};
use jsonrpsee::core::RegisterMethodError;
use serde::Serialize;

use crate::{
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module, quick},
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    quick(module, "eth_config", 0, config)?;
    quick(module, "eth_capabilities", 0, capabilities)
}

/// `eth_config`: the rules in force, the next ones and the last that are scheduled.
#[derive(Clone, Debug, Serialize)]
struct ForkConfigs {
    current: ForkConfig,
    next: Option<ForkConfig>,
    last: Option<ForkConfig>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ForkConfig {
    activation_time: u64,
    blob_schedule: Option<BlobSchedule>,
    chain_id: U64,
    fork_id: Bytes,
    precompiles: BTreeMap<&'static str, Address>,
    system_contracts: BTreeMap<&'static str, Address>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BlobSchedule {
    target: u64,
    max: u64,
    base_fee_update_fraction: u128,
}

impl From<BlobParams> for BlobSchedule {
    fn from(params: BlobParams) -> Self {
        Self {
            target: params.target_blob_count,
            max: params.max_blob_count,
            base_fee_update_fraction: params.update_fraction,
        }
    }
}

fn config(context: &Arc<RpcContext>, _: &Arguments<'_>) -> Result<ForkConfigs, RpcError> {
    let spec = context.chain.spec();
    let now = context.head().block.block.header.timestamp;
    let genesis = context.chain.store().block(0)?.ok_or_else(RpcError::header_not_found)?;
    let schedule = Schedule::new(spec, genesis.hash, genesis.block.header.timestamp);
    let current = schedule.times.range(..=now).next_back().copied();
    let mut later = schedule.times.range(now.saturating_add(1)..);
    let next = later.next().copied();
    let last = later.next_back().copied().or(next);
    Ok(ForkConfigs {
        current: schedule.config_at(spec, current.unwrap_or_default()),
        next: next.map(|time| schedule.config_at(spec, time)),
        last: last.map(|time| schedule.config_at(spec, time)),
    })
}

/// When the rules change, and the genesis that fork ids begin with.
struct Schedule {
    genesis_hash: B256,
    heights: BTreeSet<u64>,
    /// Forks and changes of the blob parameters.
    times: BTreeSet<u64>,
}

impl Schedule {
    fn new(spec: &ChainSpec, genesis_hash: B256, genesis_time: u64) -> Self {
        let config = &spec.config;
        let mut heights: BTreeSet<u64> =
            [config.dao_fork_block, config.merge_netsplit_block].into_iter().flatten().collect();
        let mut times = BTreeSet::new();
        for (_, activation) in spec.activations() {
            match activation {
                Activation::Height(height) => _ = heights.insert(*height),
                Activation::Timestamp(time) => _ = times.insert(*time),
                Activation::TotalDifficulty(_) => {}
            }
        }
        let blob_times = [config.bpo1_time, config.bpo2_time, config.bpo3_time, config.bpo4_time, config.bpo5_time];
        times.extend(blob_times.into_iter().flatten());
        heights.remove(&0);
        let times = times.into_iter().map(|time| if time <= genesis_time { 0 } else { time }).collect();
        Self { genesis_hash, heights, times }
    }

    /// EIP-2124 and EIP-6122: the checksum of the genesis hash and all activations up to `time`.
    fn fork_id(&self, time: u64) -> Bytes {
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(self.genesis_hash.as_slice());
        let times = self.times.range(1..=time.max(1)).filter(|activation| **activation <= time);
        for activation in self.heights.iter().chain(times) {
            checksum.update(&activation.to_be_bytes());
        }
        Bytes::copy_from_slice(&checksum.finalize().to_be_bytes())
    }

    fn config_at(&self, spec: &ChainSpec, time: u64) -> ForkConfig {
        let by_time = |(fork, activation): &(Fork, Activation)| match activation {
            Activation::Timestamp(at) => (*at <= time).then_some(*fork),
            _ => Some(*fork),
        };
        let fork = spec.activations().iter().filter_map(by_time).max().unwrap_or(Fork::Frontier);
        ForkConfig {
            activation_time: time,
            blob_schedule: spec.blob_params(fork, time).map(BlobSchedule::from),
            chain_id: U64::from(spec.chain_id),
            fork_id: self.fork_id(time),
            precompiles: precompiles(fork),
            system_contracts: system_contracts(spec, fork),
        }
    }
}

/// Precompiles by the name EIP-7910 gives them, with the fork that brought them and their address.
const PRECOMPILES: [(&str, Fork, u16); 18] = [
    ("ECREC", Fork::Frontier, 0x01),
    ("SHA256", Fork::Frontier, 0x02),
    ("RIPEMD160", Fork::Frontier, 0x03),
    ("ID", Fork::Frontier, 0x04),
    ("MODEXP", Fork::Byzantium, 0x05),
    ("BN254_ADD", Fork::Byzantium, 0x06),
    ("BN254_MUL", Fork::Byzantium, 0x07),
    ("BN254_PAIRING", Fork::Byzantium, 0x08),
    ("BLAKE2F", Fork::Istanbul, 0x09),
    ("KZG_POINT_EVALUATION", Fork::Cancun, 0x0a),
    ("BLS12_G1ADD", Fork::Prague, 0x0b),
    ("BLS12_G1MSM", Fork::Prague, 0x0c),
    ("BLS12_G2ADD", Fork::Prague, 0x0d),
    ("BLS12_G2MSM", Fork::Prague, 0x0e),
    ("BLS12_PAIRING_CHECK", Fork::Prague, 0x0f),
    ("BLS12_MAP_FP_TO_G1", Fork::Prague, 0x10),
    ("BLS12_MAP_FP2_TO_G2", Fork::Prague, 0x11),
    ("P256VERIFY", Fork::Osaka, 0x100),
];

fn precompiles(fork: Fork) -> BTreeMap<&'static str, Address> {
    let active = PRECOMPILES.into_iter().filter(|(_, since, _)| *since <= fork);
    active.map(|(name, _, number)| (name, Address::left_padding_from(&number.to_be_bytes()))).collect()
}

fn system_contracts(spec: &ChainSpec, fork: Fork) -> BTreeMap<&'static str, Address> {
    let contracts = [
        ("BEACON_ROOTS_ADDRESS", Fork::Cancun, eip4788::BEACON_ROOTS_ADDRESS),
        ("CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS", Fork::Prague, eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS),
        ("DEPOSIT_CONTRACT_ADDRESS", Fork::Prague, spec.deposit_contract),
        ("HISTORY_STORAGE_ADDRESS", Fork::Prague, eip2935::HISTORY_STORAGE_ADDRESS),
        ("WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS", Fork::Prague, eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS),
    ];
    contracts.into_iter().filter(|(_, since, _)| *since <= fork).map(|(name, _, address)| (name, address)).collect()
}

/// `eth_capabilities`: what this node can answer about which blocks.
#[derive(Clone, Debug, Serialize)]
struct Capabilities {
    head: HeadRef,
    state: Capability,
    tx: Capability,
    logs: Capability,
    receipts: Capability,
    blocks: Capability,
    stateproofs: Capability,
}

#[derive(Clone, Debug, Serialize)]
struct HeadRef {
    number: U64,
    hash: B256,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Capability {
    disabled: bool,
    oldest_block: U64,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_strategy: Option<DeleteStrategy>,
}

/// What goes as the chain grows.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteStrategy {
    r#type: &'static str,
    retention_blocks: U64,
}

fn capabilities(context: &Arc<RpcContext>, _: &Arguments<'_>) -> Result<Capabilities, RpcError> {
    let head = context.head().block.block_ref();
    let since = |oldest: u64| Capability { disabled: false, oldest_block: U64::from(oldest), delete_strategy: None };
    let window = limits::RETAINED_STATES as u64;
    let strategy = DeleteStrategy { r#type: "window", retention_blocks: U64::from(window) };
    let oldest_proof = head.height.saturating_sub(window - 1);
    // The genesis is always there.
    let oldest_block = context.chain.store().oldest_block()?;
    let all = since(if oldest_block > 1 { oldest_block } else { 0 });
    Ok(Capabilities {
        head: HeadRef { number: U64::from(head.height), hash: head.hash },
        state: since(oldest_state(context, head.height)),
        tx: all.clone(),
        logs: all.clone(),
        receipts: all.clone(),
        blocks: all,
        stateproofs: Capability { delete_strategy: Some(strategy), ..since(oldest_proof) },
    })
}

/// The oldest block whose state can be read: states are pruned from the oldest on, so a binary search finds it.
fn oldest_state(context: &RpcContext, head: u64) -> u64 {
    let (mut pruned, mut kept) = (0, head);
    while pruned < kept {
        let middle = pruned + (kept - pruned) / 2;
        match context.chain.store().state_at(middle) {
            Ok(_) => kept = middle,
            Err(_) => pruned = middle + 1,
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fork_ids_are_those_of_eip_2124() {
        // Mainnet, from the table of EIP-2124.
        let genesis_hash = "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3".parse().unwrap();
        let schedule = |heights: &[u64]| Schedule {
            genesis_hash,
            heights: heights.iter().copied().collect(),
            times: BTreeSet::from([1_681_338_455]),
        };
        assert_eq!(schedule(&[]).fork_id(0).to_string(), "0xfc64ec04");
        assert_eq!(schedule(&[1_150_000]).fork_id(0).to_string(), "0x97c2c34c");
        assert_eq!(schedule(&[1_150_000, 1_920_000]).fork_id(0).to_string(), "0x91d1f948");
        let all = [
            1_150_000, 1_920_000, 2_463_000, 2_675_000, 4_370_000, 7_280_000, 9_069_000, 9_200_000, 12_244_000,
            12_965_000, 13_773_000, 15_050_000,
        ];
        // EIP-6122: Shanghai by time stamp.
        assert_eq!(schedule(&all).fork_id(1_681_338_455).to_string(), "0xdce96c2d");
    }

    #[test]
    fn osaka_has_eighteen_precompiles() {
        assert_eq!(precompiles(Fork::Osaka).len(), 18);
        assert_eq!(precompiles(Fork::Frontier).len(), 4);
        let p256 = precompiles(Fork::Osaka)["P256VERIFY"];
        assert_eq!(p256.to_string(), "0x0000000000000000000000000000000000000100");
    }
}
