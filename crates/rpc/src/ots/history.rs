//! Searches through the chain: an address's transactions, its contract's creator, a sender's n-th transaction.
//!
//! A nonce and the presence of code change once and stay, so the block where they changed is found by halving the range.
//! Transactions that touch an address can be anywhere; blocks are run again until a page is full.

use std::sync::Arc;

use alloy_consensus::constants::KECCAK_EMPTY;
use alloy_eips::eip1898::LenientBlockNumberOrTag;
use alloy_primitives::{Address, B256, U64};
use braid_types::{ExecutedBlock, Height, changes::AccountState, limits};
use jsonrpsee::core::RegisterMethodError;
use serde::Serialize;
use serde_json::Value;

use super::{
    blocks::{names, nonce_of, page_size, slim_receipt},
    transactions::created,
};
use crate::{
    context::RpcContext,
    convert::{self, Place, RpcTransaction},
    error::RpcError,
    method::{Arguments, Module, blocking},
    resolve, trace,
};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    blocking(module, "ots_searchTransactionsBefore", 3, search_before)?;
    blocking(module, "ots_searchTransactionsAfter", 3, search_after)?;
    blocking(module, "ots_getTransactionBySenderAndNonce", 2, by_sender_and_nonce)?;
    blocking(module, "ots_getContractCreator", 1, contract_creator)
}

/// Transactions that touch an address, the newest first.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    txs: Vec<RpcTransaction>,
    receipts: Vec<Value>,
    /// Whether nothing newer exists.
    first_page: bool,
    /// Whether nothing older exists.
    last_page: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Creator {
    hash: B256,
    creator: Address,
}

/// A search through blocks in one direction.
struct Search {
    address: Address,
    size: usize,
    run_again: usize,
    found: Vec<(RpcTransaction, Value)>,
}

fn search_before(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Page, RpcError> {
    let (mut search, height) = Search::new(context, arguments)?;
    let head = context.head().block.height();
    let first_page = height == 0 || height > head;
    let start = if first_page { head } else { height - 1 };
    let end = search.run(context, (0..=start).rev())?;
    let (txs, receipts) = search.found.into_iter().unzip();
    Ok(Page { txs, receipts, first_page, last_page: end })
}

fn search_after(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Page, RpcError> {
    let (mut search, height) = Search::new(context, arguments)?;
    let head = context.head().block.height();
    let start = if height == 0 { 0 } else { height.saturating_add(1) };
    let end = search.run(context, start..=head)?;
    search.found.reverse();
    let (txs, receipts) = search.found.into_iter().unzip();
    Ok(Page { txs, receipts, first_page: end, last_page: height == 0 })
}

impl Search {
    fn new(context: &RpcContext, arguments: &Arguments<'_>) -> Result<(Self, Height), RpcError> {
        let address: Address = arguments.required(0)?;
        let number: LenientBlockNumberOrTag = arguments.required(1)?;
        // What is pending comes after the head.
        let pending = || context.head().block.height().saturating_add(1);
        let height = resolve::height(context, number.into_inner()).unwrap_or_else(pending);
        let size = page_size(arguments.required(2)?)?;
        Ok((Self { address, size, run_again: 0, found: Vec::new() }, height))
    }

    /// Collects whole blocks until the page is full; whether the end of the range was reached. Within a block, the order is
    /// that of the range.
    fn run(
        &mut self,
        context: &RpcContext,
        heights: impl DoubleEndedIterator<Item = Height> + Clone,
    ) -> Result<bool, RpcError> {
        let descends = heights.clone().next() > heights.clone().next_back();
        for (count, height) in (0_u64..).zip(heights) {
            if self.found.len() >= self.size {
                return Ok(false);
            }
            if count >= limits::MAX_SEARCHED_BLOCKS || self.run_again > limits::MAX_SEARCHED_TRANSACTIONS {
                return Err(RpcError::limit("the search would run through too many blocks"));
            }
            let Some(block) = context.chain.store().block(height)? else { continue };
            let mut found = self.in_block(context, &block)?;
            if descends {
                found.reverse();
            }
            self.found.extend(found);
        }
        Ok(true)
    }

    /// The transactions of a block that touch the address.
    fn in_block(
        &mut self,
        context: &RpcContext,
        block: &Arc<ExecutedBlock>,
    ) -> Result<Vec<(RpcTransaction, Value)>, RpcError> {
        if block.height() == 0 || block.block.transactions.is_empty() {
            return Ok(Vec::new());
        }
        self.run_again += block.block.transactions.len();
        let traces = trace::block_traces(context, Arc::clone(block))?;
        let touching: Vec<Option<u64>> = traces
            .iter()
            .filter(|trace| trace.contains_address(self.address))
            .map(|trace| trace.transaction_position)
            .collect();
        let receipts = convert::receipts(&context.chain, block);
        let mut found = Vec::new();
        for (index, (receipt, transaction)) in receipts.iter().zip(&block.block.transactions).enumerate() {
            if names(receipt, self.address) || touching.contains(&Some(index as u64)) {
                let shown = convert::transaction(transaction, Some(Place { block, index }));
                found.push((shown, slim_receipt(receipt, block)?));
            }
        }
        Ok(found)
    }
}

/// The lowest height at which `holds` is true of an account, which then stays so; `None` if it is not so at the head.
fn first_height(
    context: &RpcContext,
    address: Address,
    holds: impl Fn(&AccountState) -> bool,
) -> Result<Option<Height>, RpcError> {
    let at = |height: Height| -> Result<bool, RpcError> {
        let account = context.chain.store().state_at(height)?.account(address)?;
        Ok(account.is_some_and(|account| holds(&account)))
    };
    let (mut below, mut above) = (0, context.head().block.height());
    if !at(above)? {
        return Ok(None);
    }
    while below < above {
        let middle = below + (above - below) / 2;
        if at(middle)? {
            above = middle;
        } else {
            below = middle + 1;
        }
    }
    Ok(Some(above))
}

fn by_sender_and_nonce(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Option<B256>, RpcError> {
    let sender: Address = arguments.required(0)?;
    let nonce: u64 = match arguments.raw(1) {
        Some(text) if text.starts_with('"') => arguments.required::<U64>(1)?.to(),
        _ => arguments.required(1)?,
    };
    let Some(height) = first_height(context, sender, |account| account.nonce > nonce)? else { return Ok(None) };
    let Some(block) = context.chain.store().block(height)? else { return Ok(None) };
    let mut indices = 0..block.block.transactions.len();
    let index = indices.find(|index| nonce_of(&block, *index, sender) == Some(nonce));
    Ok(index.and_then(|index| block.block.transactions.get(index)).map(|transaction| *transaction.tx_hash()))
}

fn contract_creator(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Option<Creator>, RpcError> {
    let address: Address = arguments.required(0)?;
    let has_code = |account: &AccountState| account.code_hash != KECCAK_EMPTY;
    let Some(height) = first_height(context, address, has_code)?.filter(|height| *height > 0) else { return Ok(None) };
    let Some(block) = context.chain.store().block(height)? else { return Ok(None) };
    let traces = trace::block_traces(context, block)?;
    let creation = traces.iter().find(|trace| created(&trace.trace) == Some(address));
    Ok(creation.and_then(|trace| {
        let creator = trace.trace.action.as_create()?.from;
        Some(Creator { hash: trace.transaction_hash?, creator })
    }))
}
