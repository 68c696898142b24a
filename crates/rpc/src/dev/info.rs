//! What a development node says about itself.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{B256, U64};
use braid_chain::next_base_fee;
use jsonrpsee::core::RegisterMethodError;
use serde::Serialize;

use super::{no_forking, offer};
use crate::{
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module},
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    offer(module, &["anvil_nodeInfo"], 0, node_info)?;
    offer(module, &["anvil_metadata", "hardhat_metadata"], 0, metadata)?;
    offer(module, &["anvil_setLoggingEnabled"], 1, |_, _| Ok(()))?;
    offer(module, &["hardhat_setLoggingEnabled"], 1, |_, _| Ok(true))?;
    offer(module, &["anvil_setChainId"], 1, set_chain_id)?;
    offer(module, &["anvil_setRpcUrl"], 1, |_, _| Err::<(), _>(no_forking()))
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeInfo {
    current_block_number: U64,
    current_block_timestamp: u64,
    current_block_hash: B256,
    hard_fork: String,
    transaction_order: &'static str,
    environment: Environment,
    fork_config: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Environment {
    base_fee: U64,
    chain_id: u64,
    gas_limit: U64,
    gas_price: U64,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    client_version: String,
    chain_id: u64,
    instance_id: B256,
    latest_block_number: u64,
    latest_block_hash: B256,
    snapshots: BTreeMap<U64, (u64, B256)>,
}

fn node_info(context: &Arc<RpcContext>, _: &Arguments<'_>) -> Result<NodeInfo, RpcError> {
    let head = context.head();
    let header = &head.block.block.header;
    let fork = context.chain.fork_of(&head.block);
    let timestamp = (context.clock)() / 1_000;
    let next = context.chain.fork_after(&head.block, timestamp.max(header.timestamp));
    let base_fee = context.chain.next_base_fee().or_else(|| next_base_fee(header, fork, next)).unwrap_or_default();
    let environment = Environment {
        base_fee: U64::from(base_fee),
        chain_id: context.chain_id(),
        gas_limit: U64::from(context.chain.gas_limit()),
        gas_price: U64::from(base_fee),
    };
    Ok(NodeInfo {
        current_block_number: U64::from(header.number),
        current_block_timestamp: header.timestamp,
        current_block_hash: head.block.hash,
        hard_fork: format!("{fork:?}").to_lowercase(),
        transaction_order: "fees",
        environment,
        fork_config: BTreeMap::new(),
    })
}

fn metadata(context: &Arc<RpcContext>, _: &Arguments<'_>) -> Result<Metadata, RpcError> {
    let head = context.head();
    let store = context.chain.store();
    let taken: Vec<_> = context.snapshots.lock().iter().map(|(id, snapshot)| (*id, snapshot.height)).collect();
    let mut snapshots = BTreeMap::new();
    for (id, height) in taken {
        snapshots.insert(U64::from(id), (height, store.hash(height)?.unwrap_or_default()));
    }
    Ok(Metadata {
        client_version: context.options.client_version.clone(),
        chain_id: context.chain_id(),
        instance_id: store.hash(0)?.unwrap_or_default(),
        latest_block_number: head.block.height(),
        latest_block_hash: head.block.hash,
        snapshots,
    })
}

fn set_chain_id(_: &Arc<RpcContext>, _: &Arguments<'_>) -> Result<(), RpcError> {
    Err(RpcError::server("the chain id is part of the genesis and cannot change; start the node with --chain-id"))
}
