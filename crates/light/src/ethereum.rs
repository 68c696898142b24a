//! What is read of Ethereum's own encodings: headers, accounts and receipts.
//!
//! All of it stands under a hash that is proved, so it is read for what it says; that it keeps the rules of Ethereum is the
//! validators' word.

use alloy_primitives::{B256, Log, U256, b256, keccak256};
use alloy_rlp::{Decodable, Error as RlpError, Header, RlpDecodable, RlpEncodable};
use serde::Serialize;

use crate::trie::EMPTY_ROOT;

/// Hash of no code.
pub const EMPTY_CODE: B256 = b256!("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");

/// Bytes of a receipt's filter of logs.
const BLOOM_BYTES: usize = 256;

/// The parts of an Ethereum header that proofs need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EthereumHeader {
    /// Keccak of the encoding.
    pub hash: B256,
    /// The parent's hash.
    pub parent_hash: B256,
    /// Root of the accounts.
    pub state_root: B256,
    /// Root of the transactions.
    pub transactions_root: B256,
    /// Root of the receipts.
    pub receipts_root: B256,
    /// Height.
    pub number: u64,
    /// Seconds since 1970.
    pub timestamp: u64,
}

/// Bytes that are no Ethereum header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ethereum header: {0}")]
pub struct EthereumHeaderError(RlpError);

/// Bytes that are no receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a receipt: {0}")]
pub struct ReceiptError(RlpError);

impl EthereumHeader {
    /// Reads a header. Fields that later forks add at its end are passed over.
    ///
    /// # Errors
    /// If `rlp` is not one whole list that starts as a header does.
    pub fn decode(rlp: &[u8]) -> Result<Self, EthereumHeaderError> {
        Self::read(rlp).map_err(EthereumHeaderError)
    }

    fn read(rlp: &[u8]) -> Result<Self, RlpError> {
        let mut rest = rlp;
        let mut fields = Header::decode_bytes(&mut rest, true)?;
        if !rest.is_empty() {
            return Err(RlpError::UnexpectedLength);
        }
        let fields = &mut fields;
        let parent_hash = B256::decode(fields)?;
        skip(fields, 2)?; // ommers, beneficiary
        let state_root = B256::decode(fields)?;
        let transactions_root = B256::decode(fields)?;
        let receipts_root = B256::decode(fields)?;
        skip(fields, 2)?; // logs bloom, difficulty
        let number = u64::decode(fields)?;
        skip(fields, 2)?; // gas limit, gas used
        let timestamp = u64::decode(fields)?;
        skip(fields, 3)?; // extra data, prevrandao, nonce
        let hash = keccak256(rlp);
        Ok(Self { hash, parent_hash, state_root, transactions_root, receipts_root, number, timestamp })
    }
}

/// Passes over `count` items.
fn skip(bytes: &mut &[u8], count: usize) -> Result<(), RlpError> {
    for _ in 0..count {
        let header = Header::decode(bytes)?;
        *bytes = bytes.get(header.payload_length..).ok_or(RlpError::InputTooShort)?;
    }
    Ok(())
}

/// An account, as the trie of accounts holds it.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Account {
    /// Transactions sent, or contracts created.
    pub nonce: u64,
    /// Wei.
    pub balance: U256,
    /// Root of its storage.
    pub storage_root: B256,
    /// Hash of its code.
    pub code_hash: B256,
}

impl Account {
    /// What an account is that does not exist.
    pub const EMPTY: Self = Self { nonce: 0, balance: U256::ZERO, storage_root: EMPTY_ROOT, code_hash: EMPTY_CODE };
}

/// How a transaction went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Executed to its end.
    Success,
    /// Reverted or out of gas.
    Failure,
    /// Not told: before Byzantium receipts had the state's root instead.
    StateRoot(B256),
}

/// A transaction's receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its type (EIP-2718); 0 for the first kind.
    pub transaction_type: u8,
    /// How it went.
    pub outcome: Outcome,
    /// Gas used in the block up to and with it.
    pub cumulative_gas_used: u64,
    /// What it logged.
    pub logs: Vec<Log>,
}

impl Receipt {
    /// Reads a receipt as the trie of receipts holds it.
    ///
    /// # Errors
    /// If `bytes` are not one whole receipt.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReceiptError> {
        Self::read(bytes).map_err(ReceiptError)
    }

    fn read(bytes: &[u8]) -> Result<Self, RlpError> {
        let (transaction_type, mut rest) = match bytes {
            // EIP-2718: a type is below 0x80, and a list of the first kind starts above.
            [kind @ 0x01..0x80, rest @ ..] => (*kind, rest),
            _ => (0, bytes),
        };
        let mut fields = Header::decode_bytes(&mut rest, true)?;
        let outcome = read_outcome(&mut fields)?;
        let cumulative_gas_used = u64::decode(&mut fields)?;
        if Header::decode_bytes(&mut fields, false)?.len() != BLOOM_BYTES {
            return Err(RlpError::Custom("its filter of logs has not 256 bytes"));
        }
        let logs = Vec::<Log>::decode(&mut fields)?;
        if !rest.is_empty() || !fields.is_empty() {
            return Err(RlpError::UnexpectedLength);
        }
        Ok(Self { transaction_type, outcome, cumulative_gas_used, logs })
    }
}

fn read_outcome(fields: &mut &[u8]) -> Result<Outcome, RlpError> {
    match Header::decode_bytes(fields, false)? {
        [] => Ok(Outcome::Failure),
        [1] => Ok(Outcome::Success),
        other => B256::try_from(other).map(Outcome::StateRoot).map_err(|_| RlpError::Custom("it has no status")),
    }
}

#[cfg(test)]
mod tests;
