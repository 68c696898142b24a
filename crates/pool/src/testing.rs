//! Transactions and rules for the tests of this crate.

use std::sync::Arc;

use alloy_consensus::{SignableTransaction, Signed, TxEip1559, TxEip4844, TxEip7702, TxLegacy, transaction::Recovered};
use alloy_eips::eip7840::BlobParams;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use braid_types::{Fork, RecoveredTx, Transaction, block::impersonation_signature, changes::AccountState};

use crate::config::PoolRules;

pub(crate) const CHAIN_ID: u64 = 31_337;
pub(crate) const BLOCK_GAS_LIMIT: u64 = 30_000_000;

pub(crate) fn rules(fork: Fork, base_fee: u64) -> PoolRules {
    PoolRules {
        chain_id: CHAIN_ID,
        fork,
        gas_limit: BLOCK_GAS_LIMIT,
        base_fee,
        blob_base_fee: 1,
        blob_params: match fork {
            Fork::Osaka => Some(BlobParams::osaka()),
            Fork::Prague => Some(BlobParams::prague()),
            Fork::Cancun => Some(BlobParams::cancun()),
            _ => None,
        },
    }
}

pub(crate) fn account(nonce: u64, balance: u64) -> AccountState {
    AccountState { nonce, balance: U256::from(balance), ..AccountState::default() }
}

pub(crate) fn sender(number: u8) -> Address {
    Address::with_last_byte(number)
}

/// A plain transfer with the dynamic fees of EIP-1559.
pub(crate) fn transfer(nonce: u64, max_fee: u128, tip: u128) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: max_fee,
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(Address::repeat_byte(0xee)),
        ..TxEip1559::default()
    }
}

pub(crate) fn legacy(nonce: u64, gas_price: u128) -> TxLegacy {
    TxLegacy {
        chain_id: Some(CHAIN_ID),
        nonce,
        gas_limit: 21_000,
        gas_price,
        to: TxKind::Call(Address::repeat_byte(0xee)),
        ..TxLegacy::default()
    }
}

pub(crate) fn blob_transaction(nonce: u64, hashes: Vec<B256>) -> TxEip4844 {
    TxEip4844 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 100,
        max_priority_fee_per_gas: 10,
        max_fee_per_blob_gas: 10,
        blob_versioned_hashes: hashes,
        to: Address::repeat_byte(0xee),
        ..TxEip4844::default()
    }
}

pub(crate) fn set_code(nonce: u64) -> TxEip7702 {
    TxEip7702 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 100_000,
        max_fee_per_gas: 100,
        max_priority_fee_per_gas: 10,
        to: Address::repeat_byte(0xee),
        input: Bytes::new(),
        ..TxEip7702::default()
    }
}

/// Wraps a transaction as sent by `from`; the pool trusts the recovered sender, so no key is needed.
pub(crate) fn sent<T>(from: Address, transaction: T) -> RecoveredTx
where
    T: alloy_consensus::transaction::RlpEcdsaEncodableTx + SignableTransaction<Signature>,
    Transaction: From<Signed<T>>,
{
    let signed = transaction.into_signed(impersonation_signature(from));
    Arc::new(Recovered::new_unchecked(Transaction::from(signed), from))
}
