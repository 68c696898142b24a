//! Proofs of a block's transactions and receipts, from the lists that nodes answer with.
//!
//! The roots are computed again from the lists and compared with the header's, so that what a node answers is either what the header
//! commits to or an error here.

use std::collections::BTreeMap;

use alloy_consensus::{Header, ReceiptEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{B256, Bytes, Log, U64};
use alloy_rpc_types_eth::{Block, TransactionReceipt};
use alloy_trie::{HashBuilder, Nibbles, proof::ProofRetainer};
use braid_light::proof::ReceiptClaim;
use eyre::{OptionExt as _, bail, ensure};

/// The header of a block that a node has answered with.
///
/// # Errors
/// If it does not hash to what is due.
pub(super) fn header(block: &Block, due: B256) -> eyre::Result<Header> {
    let header = block.header.inner.clone();
    let hash = header.hash_slow();
    ensure!(hash == due, "the node's block {} has hash {hash}, its ordered header commits to {due}", header.number);
    Ok(header)
}

/// The proof of a transaction and its receipt in a block with full transactions.
///
/// # Errors
/// If the lists are not those of the block, or the transaction is not in it.
pub(super) fn receipt(block: &Block, receipts: Vec<TransactionReceipt>, hash: B256) -> eyre::Result<ReceiptClaim> {
    let header = &block.header.inner;
    let transactions = block.transactions.as_transactions().ok_or_eyre("the node's block has no full transactions")?;
    let index = transactions.iter().position(|transaction| *transaction.inner.tx_hash() == hash);
    let index = index.ok_or_eyre("the transaction is not in the block that its receipt names")?;
    let transactions: Vec<Bytes> =
        transactions.iter().map(|transaction| transaction.inner.inner().encoded_2718().into()).collect();
    let receipts: Vec<Bytes> = receipts
        .into_iter()
        .map(|receipt| {
            let receipt: ReceiptEnvelope<Log> = receipt.into_primitives_receipt().inner;
            receipt.encoded_2718().into()
        })
        .collect();
    let (transaction, transaction_proof) = prove(&transactions, index, header.transactions_root)?;
    let (receipt, receipt_proof) = prove(&receipts, index, header.receipts_root)?;
    let transaction_index = U64::from(index);
    Ok(ReceiptClaim {
        transaction_hash: hash,
        transaction_index,
        transaction,
        transaction_proof,
        receipt,
        receipt_proof,
    })
}

/// An item of a list and the nodes from the list's root to it.
fn prove(items: &[Bytes], index: usize, root: B256) -> eyre::Result<(Bytes, Vec<Bytes>)> {
    let key = Nibbles::unpack(alloy_rlp::encode(index));
    // A trie is built in the order of its keys, which is not that of the list.
    let leaves: BTreeMap<_, _> =
        items.iter().enumerate().map(|(index, item)| (Nibbles::unpack(alloy_rlp::encode(index)), item)).collect();
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(vec![key]));
    leaves.into_iter().for_each(|(key, item)| builder.add_leaf(key, item));
    let found = builder.root();
    if found != root {
        bail!("the node's list has root {found}, the block's header {root}");
    }
    let nodes = builder.take_proof_nodes().matching_nodes_sorted(&key).into_iter().map(|(_, node)| node).collect();
    Ok((items.get(index).cloned().unwrap_or_default(), nodes))
}
