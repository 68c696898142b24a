//! The `net`, `web3` and `rpc` namespaces: who this node is.

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes, keccak256};
use jsonrpsee::core::RegisterMethodError;

use crate::method::{Module, quick};

/// Registers the methods of these namespaces.
///
/// # Errors
/// If a name is taken.
pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    quick(module, "net_version", 0, |context, _| Ok(context.chain_id().to_string()))?;
    quick(module, "net_listening", 0, |_, _| Ok(true))?;
    quick(module, "web3_clientVersion", 0, |context, _| Ok(context.options.client_version.clone()))?;
    quick(module, "web3_sha3", 1, |_, arguments| Ok::<B256, _>(keccak256(arguments.required::<Bytes>(0)?)))?;
    quick(module, "rpc_modules", 0, |context, _| {
        let offered = context.options.namespaces.iter().map(|name| (name.clone(), "1.0"));
        Ok(offered.collect::<BTreeMap<String, &'static str>>())
    })
}
