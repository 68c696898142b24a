//! Blocks and receipts.

use std::sync::Arc;

use alloy_consensus::{Eip658Value, ReceiptEnvelope, TxType, transaction::Recovered};
use alloy_eips::eip2718::{Decodable2718, Encodable2718, Typed2718};
use alloy_primitives::{B256, Bytes, Log, U256};
use alloy_rlp::Encodable;
use braid_types::{Block, ExecutedBlock, Receipt, RecoveredTx, Transaction};

use super::reader::{CodecError, Reader, put_bytes, put_count, put_number};

/// Topics a log can have.
const MAX_TOPICS: usize = 4;

/// A block without its receipts.
pub(crate) fn encode_block(block: &ExecutedBlock) -> Vec<u8> {
    let mut out = vec![super::VERSION];
    put_block(&mut out, block);
    out
}

/// The inverse of [`encode_block`], with the block's receipts from their own place.
pub(crate) fn decode_block(bytes: &[u8], receipts: Vec<Receipt>) -> Result<ExecutedBlock, CodecError> {
    let mut reader = Reader::versioned(bytes)?;
    let (hash, total_difficulty, block) = read_block(&mut reader)?;
    reader.finish()?;
    Ok(ExecutedBlock { hash, block, receipts, total_difficulty })
}

/// The hash of an encoded block, without decoding the rest.
pub(crate) fn block_hash(bytes: &[u8]) -> Result<B256, CodecError> {
    Reader::versioned(bytes)?.hash()
}

/// The receipts of a block.
pub(crate) fn encode_receipts(receipts: &[Receipt]) -> Vec<u8> {
    let mut out = vec![super::VERSION];
    put_receipts(&mut out, receipts);
    out
}

/// The inverse of [`encode_receipts`].
pub(crate) fn decode_receipts(bytes: &[u8]) -> Result<Vec<Receipt>, CodecError> {
    let mut reader = Reader::versioned(bytes)?;
    let receipts = read_receipts(&mut reader)?;
    reader.finish()?;
    Ok(receipts)
}

pub(super) fn put_block(out: &mut Vec<u8>, executed: &ExecutedBlock) {
    let ExecutedBlock { hash, block, total_difficulty, receipts: _ } = executed;
    out.extend_from_slice(hash.as_slice());
    put_number(out, total_difficulty);
    block.header.encode(out);
    put_count(out, block.transactions.len());
    for transaction in &block.transactions {
        out.extend_from_slice(transaction.signer_ref().as_slice());
        put_count(out, transaction.inner().encode_2718_len());
        transaction.inner().encode_2718(out);
    }
    put_count(out, block.ommers.len());
    block.ommers.iter().for_each(|ommer| ommer.encode(out));
    out.push(u8::from(block.withdrawals.is_some()));
    if let Some(withdrawals) = &block.withdrawals {
        put_count(out, withdrawals.len());
        withdrawals.iter().for_each(|withdrawal| withdrawal.encode(out));
    }
}

pub(super) fn read_block(reader: &mut Reader<'_>) -> Result<(B256, U256, Block), CodecError> {
    let hash = reader.hash()?;
    let total_difficulty = reader.number()?;
    let header = reader.rlp()?;
    let transactions = reader.sequence(read_transaction)?;
    let ommers = reader.sequence(Reader::rlp)?;
    let withdrawals = match reader.byte()? {
        0 => None,
        1 => Some(reader.sequence(Reader::rlp)?),
        _ => return Err(CodecError::Invalid("withdrawals flag")),
    };
    Ok((hash, total_difficulty, Block { header, transactions, ommers, withdrawals }))
}

fn read_transaction(reader: &mut Reader<'_>) -> Result<RecoveredTx, CodecError> {
    let sender = reader.address()?;
    let transaction = Transaction::decode_2718_exact(reader.bytes()?)?;
    Ok(Arc::new(Recovered::new_unchecked(transaction, sender)))
}

pub(super) fn put_receipts(out: &mut Vec<u8>, receipts: &[Receipt]) {
    put_count(out, receipts.len());
    for receipt in receipts {
        put_receipt(out, receipt);
    }
}

fn put_receipt(out: &mut Vec<u8>, receipt: &Receipt) {
    out.push(receipt.ty());
    let (ReceiptEnvelope::Legacy(inner)
    | ReceiptEnvelope::Eip2930(inner)
    | ReceiptEnvelope::Eip1559(inner)
    | ReceiptEnvelope::Eip4844(inner)
    | ReceiptEnvelope::Eip7702(inner)) = receipt;
    match inner.receipt.status {
        Eip658Value::Eip658(success) => out.push(u8::from(success)),
        Eip658Value::PostState(root) => {
            out.push(2);
            out.extend_from_slice(root.as_slice());
        }
    }
    out.extend_from_slice(&inner.receipt.cumulative_gas_used.to_be_bytes());
    put_count(out, inner.receipt.logs.len());
    for log in &inner.receipt.logs {
        out.extend_from_slice(log.address.as_slice());
        put_count(out, log.topics().len());
        log.topics().iter().for_each(|topic| out.extend_from_slice(topic.as_slice()));
        put_bytes(out, &log.data.data);
    }
}

pub(super) fn read_receipts(reader: &mut Reader<'_>) -> Result<Vec<Receipt>, CodecError> {
    reader.sequence(read_receipt)
}

fn read_receipt(reader: &mut Reader<'_>) -> Result<Receipt, CodecError> {
    let tx_type = TxType::try_from(reader.byte()?).map_err(|_| CodecError::Invalid("receipt type"))?;
    let status = match reader.byte()? {
        0 => Eip658Value::Eip658(false),
        1 => Eip658Value::Eip658(true),
        2 => Eip658Value::PostState(reader.hash()?),
        _ => return Err(CodecError::Invalid("receipt status")),
    };
    let cumulative_gas_used = reader.u64()?;
    let logs = reader.sequence(read_log)?;
    let receipt = alloy_consensus::Receipt { status, cumulative_gas_used, logs };
    Ok(ReceiptEnvelope::from_typed(tx_type, receipt.with_bloom()))
}

fn read_log(reader: &mut Reader<'_>) -> Result<Log, CodecError> {
    let address = reader.address()?;
    let topics = reader.sequence(Reader::hash)?;
    if topics.len() > MAX_TOPICS {
        return Err(CodecError::Invalid("number of topics"));
    }
    Ok(Log::new_unchecked(address, topics, Bytes::copy_from_slice(reader.bytes()?)))
}
