//! What the Otterscan explorer asks of a node, beyond `eth_*`: `ots_*` at level 8, and `erigon_getHeaderByNumber`.
//!
//! Erigon answers these from indices; here, a search runs through blocks, and runs their transactions again, within
//! named bounds ([`braid_types::limits`]).

mod blocks;
mod history;
mod transactions;

use std::sync::Arc;

use alloy_consensus::constants::KECCAK_EMPTY;
use alloy_eips::{BlockId, eip1898::LenientBlockNumberOrTag};
use alloy_primitives::Address;
use jsonrpsee::core::RegisterMethodError;

use crate::{
    context::RpcContext,
    convert,
    error::RpcError,
    method::{Arguments, Module, quick},
    resolve,
};

/// The level of Otterscan's API that this is.
const API_LEVEL: u64 = 8;

/// Registers the methods of this module.
///
/// # Errors
/// If a name is taken.
pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    quick(module, "ots_getApiLevel", 0, |_, _| Ok(API_LEVEL))?;
    quick(module, "ots_hasCode", 2, has_code)?;
    quick(module, "erigon_getHeaderByNumber", 1, |context, arguments| {
        let block = resolve::block(context, numbered(arguments, 0)?)?;
        Ok(block.map(|block| convert::header(&block.block.header, block.hash)))
    })?;
    blocks::register(module)?;
    transactions::register(module)?;
    history::register(module)
}

/// The block that a number means, which the explorer sends as an integer and others as a hex string, or a tag.
fn numbered(arguments: &Arguments<'_>, index: usize) -> Result<BlockId, RpcError> {
    arguments.required::<LenientBlockNumberOrTag>(index).map(BlockId::from)
}

fn has_code(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<bool, RpcError> {
    let address: Address = arguments.required(0)?;
    let is_integer = arguments.raw(1).is_some_and(|text| text.starts_with(|c: char| c.is_ascii_digit()));
    let id = if is_integer { Some(numbered(arguments, 1)?) } else { arguments.optional(1)? };
    let account = resolve::state(context, id)?.account(address)?;
    Ok(account.is_some_and(|account| account.code_hash != KECCAK_EMPTY))
}
