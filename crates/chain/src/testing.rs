//! Chains that validators order, for the tests of this crate.

use std::{num::NonZeroUsize, path::Path, sync::Arc};

use alloy_consensus::{SignableTransaction, TxEip1559, transaction::Recovered};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_network::TxSignerSync;
use alloy_primitives::{Address, B256, TxKind, address, hex, keccak256};
use braid_pool::PoolConfig;
use braid_state::StoreOptions;
use braid_types::{
    ConsensusConfig, Fork, Height, OrderedBlock, RecoveredTx, Transaction,
    ordered::{CONSENSUS_KEY, CertificateScheme, Dissemination, GENESIS_DIGEST, GenesisValidator},
};

use crate::{
    Chain, ChainOptions, Ledger,
    tests::{CHAIN_ID, genesis, signer},
};

/// Stores the hash of the block before in the slot with the height of its own.
pub(crate) const HASH_KEEPER: Address = address!("0x00000000000000000000000000000000000000bb");
pub(crate) const HASH_KEEPER_CODE: &[u8] = &hex!("6001430340435500");

/// A genesis that names one validator.
pub(crate) fn ordered_genesis() -> Genesis {
    let mut genesis = genesis(Fork::LATEST);
    let validator = GenesisValidator {
        public_key: B256::repeat_byte(1),
        fee_recipient: Address::repeat_byte(0xfe),
        address: "127.0.0.1:30400".to_owned(),
    };
    let config = ConsensusConfig {
        execution_lag: 3,
        epoch_length: 1_000,
        scheme: CertificateScheme::Ed25519,
        dissemination: Dissemination::Whole,
        validators: vec![validator],
        group_polynomial: None,
    };
    genesis.config.extra_fields.insert_value(CONSENSUS_KEY.to_owned(), config).unwrap();
    let keeper = GenesisAccount { code: Some(HASH_KEEPER_CODE.into()), ..GenesisAccount::default() };
    genesis.alloc.insert(HASH_KEEPER, keeper);
    genesis
}

pub(crate) fn options(directory: &Path) -> ChainOptions {
    ChainOptions {
        genesis: ordered_genesis(),
        directory: directory.to_owned(),
        // Checkpoints only where a test asks for them.
        store: StoreOptions { checkpoint_interval_ms: 3_600_000, ..StoreOptions::default() },
        pool: PoolConfig::default(),
        threads: NonZeroUsize::MIN,
        is_dev: false,
    }
}

pub(crate) fn open_ledger(directory: &Path) -> Ledger {
    Ledger::new(Arc::new(Chain::open(options(directory)).unwrap())).unwrap()
}

/// An ordered block on `parent`, its digest made from all it says.
pub(crate) fn block_on(parent: (Height, B256), timestamp_ms: u64, transactions: Vec<RecoveredTx>) -> Arc<OrderedBlock> {
    let height = parent.0 + 1;
    let mut bytes = [height.to_be_bytes().as_slice(), parent.1.as_slice(), &timestamp_ms.to_be_bytes()].concat();
    for transaction in &transactions {
        bytes.extend_from_slice(transaction.tx_hash().as_slice());
    }
    Arc::new(OrderedBlock {
        height,
        digest: keccak256(bytes),
        parent: parent.1,
        timestamp_ms,
        beneficiary: Address::repeat_byte(0xfe),
        transactions,
    })
}

pub(crate) const GENESIS: (Height, B256) = (0, GENESIS_DIGEST);

pub(crate) fn place(block: &OrderedBlock) -> (Height, B256) {
    (block.height, block.digest)
}

/// A call of `to` without value.
pub(crate) fn call(from: u8, nonce: u64, to: TxKind, input: &[u8]) -> RecoveredTx {
    let signer = signer(from);
    let mut transaction = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 200_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1,
        to,
        input: input.to_vec().into(),
        ..TxEip1559::default()
    };
    let signature = signer.sign_transaction_sync(&mut transaction).unwrap();
    let signed = Transaction::from(transaction.into_signed(signature));
    Arc::new(Recovered::new_unchecked(signed, signer.address()))
}
