//! A simulated call as the transaction that stands in the simulated block: unsigned, so signed with zeros.

use std::sync::Arc;

use alloy_consensus::{
    EthereumTxEnvelope, SignableTransaction, TxEip1559, TxEip4844, TxEip7702, TxLegacy, transaction::Recovered,
};
use alloy_primitives::{Address, Signature, TxKind, U256};
use braid_types::{RecoveredTx, Transaction};

use crate::call::message::Message;

/// The transaction of `message`: of the newest type that its fields ask for, as geth chooses it.
pub(super) fn of(message: &Message, chain_id: u64) -> RecoveredTx {
    Arc::new(Recovered::new_unchecked(envelope(message, chain_id), message.from))
}

fn envelope(message: &Message, chain_id: u64) -> Transaction {
    let to = message.to.to().copied().unwrap_or_default();
    if message.is_legacy_price {
        return EthereumTxEnvelope::Legacy(unsigned(legacy(message)));
    }
    if let Some(authorizations) = &message.authorizations {
        return EthereumTxEnvelope::Eip7702(unsigned(TxEip7702 {
            authorization_list: authorizations.clone(),
            ..set_code(message, chain_id, to)
        }));
    }
    if let Some(hashes) = &message.blob_hashes {
        return EthereumTxEnvelope::Eip4844(unsigned(TxEip4844 {
            blob_versioned_hashes: hashes.clone(),
            ..blob(message, chain_id, to)
        }));
    }
    EthereumTxEnvelope::Eip1559(unsigned(dynamic_fee(message, chain_id)))
}

fn unsigned<T: SignableTransaction<Signature>>(transaction: T) -> alloy_consensus::Signed<T> {
    transaction.into_signed(Signature::new(U256::ZERO, U256::ZERO, false))
}

fn legacy(message: &Message) -> TxLegacy {
    TxLegacy {
        chain_id: None,
        nonce: message.nonce,
        gas_price: message.fee_cap,
        gas_limit: message.gas,
        to: message.to,
        value: message.value,
        input: message.input.clone(),
    }
}

fn dynamic_fee(message: &Message, chain_id: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id,
        nonce: message.nonce,
        gas_limit: message.gas,
        max_fee_per_gas: message.fee_cap,
        max_priority_fee_per_gas: message.tip_cap,
        to: message.to,
        value: message.value,
        access_list: message.access_list.clone().unwrap_or_default(),
        input: message.input.clone(),
    }
}

fn blob(message: &Message, chain_id: u64, to: Address) -> TxEip4844 {
    TxEip4844 {
        chain_id,
        nonce: message.nonce,
        gas_limit: message.gas,
        max_fee_per_gas: message.fee_cap,
        max_priority_fee_per_gas: message.tip_cap,
        to,
        value: message.value,
        access_list: message.access_list.clone().unwrap_or_default(),
        blob_versioned_hashes: Vec::new(),
        max_fee_per_blob_gas: message.blob_fee_cap,
        input: message.input.clone(),
    }
}

fn set_code(message: &Message, chain_id: u64, to: Address) -> TxEip7702 {
    TxEip7702 {
        chain_id,
        nonce: message.nonce,
        gas_limit: message.gas,
        max_fee_per_gas: message.fee_cap,
        max_priority_fee_per_gas: message.tip_cap,
        to,
        value: message.value,
        access_list: message.access_list.clone().unwrap_or_default(),
        authorization_list: Vec::new(),
        input: message.input.clone(),
    }
}

/// Whether the call creates a contract.
pub(super) const fn creates(message: &Message) -> bool {
    matches!(message.to, TxKind::Create)
}
