//! The `admin` namespace: facts about this node for its operator.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256};
use jsonrpsee::core::RegisterMethodError;
use serde::Serialize;

use crate::{
    error::RpcError,
    method::{Module, quick},
};

/// Registers the methods of this namespace.
///
/// # Errors
/// If a name is taken.
pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    quick(module, "admin_nodeInfo", 0, |context, _| {
        let genesis = context.chain.store().hash(0)?.ok_or_else(RpcError::header_not_found)?;
        let head = context.head();
        let eth = Protocol {
            network: context.chain_id(),
            genesis,
            head: head.block.hash,
            difficulty: head.block.total_difficulty,
        };
        Ok(NodeInfo { name: context.options.client_version.clone(), protocols: BTreeMap::from([("eth", eth)]) })
    })?;
    // A lone node has no peers.
    quick(module, "admin_peers", 0, |_, _| Ok(Vec::<NodeInfo>::new()))
}

#[derive(Clone, Debug, Serialize)]
struct NodeInfo {
    name: String,
    protocols: BTreeMap<&'static str, Protocol>,
}

#[derive(Clone, Debug, Serialize)]
struct Protocol {
    network: u64,
    genesis: B256,
    head: B256,
    difficulty: U256,
}
