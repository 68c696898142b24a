//! Blocks, transactions, receipts and logs as JSON-RPC shows them, field by field as geth does.
//!
//! The types are Braid's own rather than alloy's: they borrow nothing, hold exactly the fields that belong in an answer,
//! and keep geth's distinctions (a pending transaction has `blockHash: null`; a legacy one has no `accessList`; a receipt
//! has `root` before Byzantium and `status` since).

use alloy_consensus::{Header, Transaction as _, Typed2718};
use alloy_eips::{eip2930::AccessList, eip4895::Withdrawal, eip7702::SignedAuthorization};
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, U64, U128, U256};
use alloy_rlp::Encodable;
use braid_chain::Chain;
use braid_types::{ExecutedBlock, Receipt, RecoveredTx, Transaction};
use serde::Serialize;

/// What a block shows of its transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Their hashes.
    Hashes,
    /// All of them.
    Full,
}

impl From<bool> for Detail {
    fn from(is_full: bool) -> Self {
        if is_full { Self::Full } else { Self::Hashes }
    }
}

/// A header.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Ethereum's own")]
pub struct RpcHeader {
    /// `None` for the `pending` block.
    pub hash: Option<B256>,
    pub parent_hash: B256,
    pub sha3_uncles: B256,
    pub miner: Option<Address>,
    pub state_root: B256,
    pub transactions_root: B256,
    pub receipts_root: B256,
    pub logs_bloom: Bloom,
    pub difficulty: U256,
    pub number: U64,
    pub gas_limit: U64,
    pub gas_used: U64,
    pub timestamp: U64,
    pub extra_data: Bytes,
    pub mix_hash: B256,
    pub nonce: Option<B64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_fee_per_gas: Option<U64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawals_root: Option<B256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob_gas_used: Option<U64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excess_blob_gas: Option<U64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_beacon_block_root: Option<B256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_hash: Option<B256>,
}

/// A block.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Ethereum's own")]
pub struct RpcBlock {
    #[serde(flatten)]
    pub header: RpcHeader,
    pub size: U64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transactions: Option<RpcTransactions>,
    pub uncles: Vec<B256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawals: Option<Vec<Withdrawal>>,
}

/// The transactions of a block; see [`Detail`].
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum RpcTransactions {
    /// Hashes.
    Hashes(Vec<B256>),
    /// Objects.
    Full(Vec<RpcTransaction>),
}

/// A transaction, mined or not.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Ethereum's own")]
pub struct RpcTransaction {
    pub block_hash: Option<B256>,
    pub block_number: Option<U64>,
    pub block_timestamp: Option<U64>,
    pub transaction_index: Option<U64>,
    pub hash: B256,
    pub from: Address,
    pub to: Option<Address>,
    pub nonce: U64,
    pub value: U256,
    pub gas: U64,
    pub gas_price: U128,
    pub input: Bytes,
    #[serde(rename = "type")]
    pub kind: U64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<U64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_fee_per_gas: Option<U128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_priority_fee_per_gas: Option<U128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_fee_per_blob_gas: Option<U128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob_versioned_hashes: Option<Vec<B256>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_list: Option<AccessList>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_list: Option<Vec<SignedAuthorization>>,
    pub v: U64,
    pub r: U256,
    pub s: U256,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y_parity: Option<U64>,
}

/// A receipt.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Ethereum's own")]
pub struct RpcReceipt {
    pub block_hash: B256,
    pub block_number: U64,
    pub transaction_hash: B256,
    pub transaction_index: U64,
    pub from: Address,
    pub to: Option<Address>,
    pub contract_address: Option<Address>,
    pub cumulative_gas_used: U64,
    pub gas_used: U64,
    pub effective_gas_price: U128,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob_gas_used: Option<U64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob_gas_price: Option<U128>,
    pub logs: Vec<RpcLog>,
    pub logs_bloom: Bloom,
    #[serde(rename = "type")]
    pub kind: U64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<U64>,
    /// State after the transaction, before Byzantium.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<B256>,
}

/// A log.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Ethereum's own")]
pub struct RpcLog {
    pub address: Address,
    pub topics: Vec<B256>,
    pub data: Bytes,
    pub block_hash: B256,
    pub block_number: U64,
    pub block_timestamp: U64,
    pub transaction_hash: B256,
    pub transaction_index: U64,
    pub log_index: U64,
    pub removed: bool,
}

/// Where a transaction stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its block.
    pub block: &'a ExecutedBlock,
    /// Its position there.
    pub index: usize,
}

/// A header with its hash.
pub fn header(header: &Header, hash: B256) -> RpcHeader {
    RpcHeader {
        hash: Some(hash),
        parent_hash: header.parent_hash,
        sha3_uncles: header.ommers_hash,
        miner: Some(header.beneficiary),
        state_root: header.state_root,
        transactions_root: header.transactions_root,
        receipts_root: header.receipts_root,
        logs_bloom: header.logs_bloom,
        difficulty: header.difficulty,
        number: U64::from(header.number),
        gas_limit: U64::from(header.gas_limit),
        gas_used: U64::from(header.gas_used),
        timestamp: U64::from(header.timestamp),
        extra_data: header.extra_data.clone(),
        mix_hash: header.mix_hash,
        nonce: Some(header.nonce),
        base_fee_per_gas: header.base_fee_per_gas.map(U64::from),
        withdrawals_root: header.withdrawals_root,
        blob_gas_used: header.blob_gas_used.map(U64::from),
        excess_blob_gas: header.excess_blob_gas.map(U64::from),
        parent_beacon_block_root: header.parent_beacon_block_root,
        requests_hash: header.requests_hash,
    }
}

/// A block with its transactions.
pub fn block(executed: &ExecutedBlock, detail: Detail) -> RpcBlock {
    let transactions = &executed.block.transactions;
    let transactions = match detail {
        Detail::Hashes => RpcTransactions::Hashes(transactions.iter().map(|tx| *tx.tx_hash()).collect()),
        Detail::Full => {
            let full = |(index, tx)| transaction(tx, Some(Place { block: executed, index }));
            RpcTransactions::Full(transactions.iter().enumerate().map(full).collect())
        }
    };
    RpcBlock {
        header: header(&executed.block.header, executed.hash),
        size: U64::from(block_rlp_parts(executed).length),
        transactions: Some(transactions),
        uncles: executed.block.ommers.iter().map(Header::hash_slow).collect(),
        withdrawals: executed.block.withdrawals.clone(),
    }
}

/// An ommer as `eth_getUncleBy…` shows it: a block without transactions.
pub fn uncle(ommer: &Header) -> RpcBlock {
    let body = 2; // Two empty lists.
    let payload = ommer.length() + body;
    RpcBlock {
        header: header(ommer, ommer.hash_slow()),
        size: U64::from(alloy_rlp::Header { list: true, payload_length: payload }.length() + payload),
        transactions: None,
        uncles: Vec::new(),
        withdrawals: None,
    }
}

/// A transaction; `place` is `None` while it waits in the pool.
pub fn transaction(tx: &RecoveredTx, place: Option<Place<'_>>) -> RpcTransaction {
    let inner: &Transaction = tx.inner();
    let header = place.map(|place| &place.block.block.header);
    let base_fee = header.and_then(|header| header.base_fee_per_gas);
    let gas_price = match (inner.is_dynamic_fee(), header) {
        (true, Some(_)) => inner.effective_gas_price(base_fee),
        _ => inner.max_fee_per_gas(),
    };
    let is_blob = inner.is_eip4844();
    let is_legacy = inner.is_legacy();
    let (v, r, s) = signature(inner);
    RpcTransaction {
        block_hash: place.map(|place| place.block.hash),
        block_number: header.map(|header| U64::from(header.number)),
        block_timestamp: header.map(|header| U64::from(header.timestamp)),
        transaction_index: place.map(|place| U64::from(place.index)),
        hash: *inner.tx_hash(),
        from: tx.signer(),
        to: inner.to(),
        nonce: U64::from(inner.nonce()),
        value: inner.value(),
        gas: U64::from(inner.gas_limit()),
        gas_price: U128::from(gas_price),
        input: inner.input().clone(),
        kind: U64::from(inner.ty()),
        chain_id: inner.chain_id().map(U64::from),
        max_fee_per_gas: inner.is_dynamic_fee().then(|| U128::from(inner.max_fee_per_gas())),
        max_priority_fee_per_gas: inner.max_priority_fee_per_gas().map(U128::from),
        max_fee_per_blob_gas: inner.max_fee_per_blob_gas().map(U128::from),
        blob_versioned_hashes: is_blob.then(|| inner.blob_versioned_hashes().unwrap_or_default().to_vec()),
        access_list: inner.access_list().cloned(),
        authorization_list: inner.authorization_list().map(<[SignedAuthorization]>::to_vec),
        v,
        r,
        s,
        y_parity: (!is_legacy).then_some(v),
    }
}

/// `v` as the transaction's type encodes it, `r` and `s`.
fn signature(tx: &Transaction) -> (U64, U256, U256) {
    let signature = tx.signature();
    let parity = u64::from(signature.v());
    let v = match (tx.is_legacy(), tx.chain_id()) {
        (false, _) => parity,
        (true, None) => 27 + parity,
        // A chain id that overflows this was refused with the signature that carries it.
        (true, Some(chain_id)) => chain_id.wrapping_mul(2).wrapping_add(35 + parity),
    };
    (U64::from(v), signature.r(), signature.s())
}

/// The blob base fee that a block's header implies; `None` before Cancun.
pub fn blob_base_fee(chain: &Chain, block: &ExecutedBlock) -> Option<u128> {
    let header = &block.block.header;
    let params = chain.spec().blob_params(chain.fork_of(block), header.timestamp)?;
    Some(params.calc_blob_fee(header.excess_blob_gas?))
}

/// The receipts of a block.
pub fn receipts(chain: &Chain, block: &ExecutedBlock) -> Vec<RpcReceipt> {
    let blob_base_fee = blob_base_fee(chain, block);
    let mut first_log = 0;
    let mut receipts = Vec::with_capacity(block.receipts.len());
    for (index, receipt) in block.receipts.iter().enumerate() {
        receipts.extend(receipt_at(Place { block, index }, first_log, blob_base_fee));
        first_log += receipt.logs().len();
    }
    receipts
}

/// The receipt of one transaction; `None` if the block has none at that position.
pub fn receipt(chain: &Chain, place: Place<'_>) -> Option<RpcReceipt> {
    let first_log = place.block.receipts.iter().take(place.index).map(|receipt| receipt.logs().len()).sum();
    receipt_at(place, first_log, blob_base_fee(chain, place.block))
}

fn receipt_at(place: Place<'_>, first_log: usize, blob_base_fee: Option<u128>) -> Option<RpcReceipt> {
    let Place { block, index } = place;
    let (tx, receipt) = (block.block.transactions.get(index)?, block.receipts.get(index)?);
    let header = &block.block.header;
    let before = index.checked_sub(1).and_then(|index| block.receipts.get(index));
    let gas_before = before.map_or(0, Receipt::cumulative_gas_used);
    let blob_gas_used = tx.blob_gas_used().filter(|_| tx.is_eip4844());
    let inner = receipt.as_receipt();
    let root = inner.and_then(|receipt| receipt.status.as_post_state());
    let is_success = inner.is_some_and(|receipt| receipt.status.coerce_status());
    Some(RpcReceipt {
        block_hash: block.hash,
        block_number: U64::from(header.number),
        transaction_hash: *tx.tx_hash(),
        transaction_index: U64::from(index),
        from: tx.signer(),
        to: tx.to(),
        contract_address: tx.is_create().then(|| tx.signer().create(tx.nonce())),
        cumulative_gas_used: U64::from(receipt.cumulative_gas_used()),
        gas_used: U64::from(receipt.cumulative_gas_used().saturating_sub(gas_before)),
        effective_gas_price: U128::from(tx.effective_gas_price(header.base_fee_per_gas)),
        blob_gas_used: blob_gas_used.map(U64::from),
        blob_gas_price: blob_gas_used.and(blob_base_fee).map(U128::from),
        logs: logs_at(place, receipt, first_log),
        logs_bloom: *receipt.logs_bloom(),
        kind: U64::from(tx.ty()),
        status: root.is_none().then(|| U64::from(u64::from(is_success))),
        root,
    })
}

fn logs_at(place: Place<'_>, receipt: &Receipt, first_log: usize) -> Vec<RpcLog> {
    let numbered = receipt.logs().iter().enumerate();
    numbered.filter_map(|(offset, inner)| log(place, inner, first_log + offset)).collect()
}

/// A log, which stands at `log_index` among all logs of its block.
pub fn log(place: Place<'_>, inner: &alloy_primitives::Log, log_index: usize) -> Option<RpcLog> {
    let header = &place.block.block.header;
    Some(RpcLog {
        address: inner.address,
        topics: inner.topics().to_vec(),
        data: inner.data.data.clone(),
        block_hash: place.block.hash,
        block_number: U64::from(header.number),
        block_timestamp: U64::from(header.timestamp),
        transaction_hash: *place.block.block.transactions.get(place.index)?.tx_hash(),
        transaction_index: U64::from(place.index),
        log_index: U64::from(log_index),
        removed: false,
    })
}

/// Lengths of a block's RLP encoding.
struct BlockLengths {
    transactions: usize,
    ommers: usize,
    payload: usize,
    length: usize,
}

fn block_rlp_parts(executed: &ExecutedBlock) -> BlockLengths {
    let block = &executed.block;
    let transactions: usize = block.transactions.iter().map(|tx| tx.inner().length()).sum();
    let ommers: usize = block.ommers.iter().map(Encodable::length).sum();
    let list = |payload_length| alloy_rlp::Header { list: true, payload_length }.length() + payload_length;
    let withdrawals = block.withdrawals.as_ref().map_or(0, Encodable::length);
    let payload = block.header.length() + list(transactions) + list(ommers) + withdrawals;
    BlockLengths { transactions, ommers, payload, length: list(payload) }
}

/// A block as it is gossiped and exported.
pub fn block_rlp(executed: &ExecutedBlock) -> Bytes {
    let lengths = block_rlp_parts(executed);
    let block = &executed.block;
    let mut out = Vec::with_capacity(lengths.length);
    let begin_list = |payload_length, out: &mut Vec<u8>| alloy_rlp::Header { list: true, payload_length }.encode(out);
    begin_list(lengths.payload, &mut out);
    block.header.encode(&mut out);
    begin_list(lengths.transactions, &mut out);
    block.transactions.iter().for_each(|tx| tx.inner().encode(&mut out));
    begin_list(lengths.ommers, &mut out);
    block.ommers.iter().for_each(|ommer| ommer.encode(&mut out));
    if let Some(withdrawals) = &block.withdrawals {
        withdrawals.encode(&mut out);
    }
    out.into()
}
