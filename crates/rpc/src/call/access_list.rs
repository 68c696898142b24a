//! `eth_createAccessList`: the accounts and slots a call touches, found by running it until the list no longer grows.
//!
//! A list changes what a call costs, and so may change what it does; hence the repetition, as in geth.

use alloy_eips::eip2930::AccessList;
use alloy_primitives::{TxKind, U64};
use braid_types::limits;
use revm::context::result::ExecutionResult;
use revm_inspectors::access_list::AccessListInspector;
use serde::Serialize;

use super::{message::Message, outcome::failure, site::Site};
use crate::error::RpcError;

/// What `eth_createAccessList` answers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccessListAnswer {
    access_list: AccessList,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    gas_used: U64,
}

/// The list of `message`, and what the call costs with it.
pub(crate) fn create(site: &mut Site, mut message: Message) -> Result<AccessListAnswer, RpcError> {
    if message.to == TxKind::Create {
        message.nonce = site.account(message.from)?.nonce;
    }
    let mut result = None;
    for _ in 0..limits::MAX_ACCESS_LIST_RUNS {
        let known = message.access_list.clone().unwrap_or_default();
        let (run, found) = trace(site, &message, known.clone())?;
        result = Some(run);
        if found == known {
            break;
        }
        message.access_list = Some(found);
    }
    let result = result.ok_or_else(|| RpcError::internal("the call was never run"))?;
    Ok(AccessListAnswer {
        access_list: message.access_list.unwrap_or_default(),
        error: failure(&result),
        gas_used: U64::from(result.tx_gas_used()),
    })
}

fn trace(site: &mut Site, message: &Message, known: AccessList) -> Result<(ExecutionResult, AccessList), RpcError> {
    let mut inspector = AccessListInspector::new(known);
    let run = site.inspect(message, &mut inspector).map_err(|fault| fault.into_rpc(message.gas))?;
    Ok((run.result, inspector.into_access_list()))
}
