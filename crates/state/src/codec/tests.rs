//! Round trips, pinned bytes, and decoders fed with rubbish.

//! Everything comes back as it was, nothing else is accepted, and the bytes stay the same.

use std::{collections::BTreeMap, sync::Arc};

use alloy_consensus::{
    Header, Receipt, ReceiptEnvelope, SignableTransaction, TxEip1559, TxLegacy, transaction::Recovered,
};
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B256, Bytes, Log, Signature, TxKind, U256, keccak256};
use alloy_trie::KECCAK_EMPTY;
use braid_types::{AccountChange, Block, ExecutedBlock, StateChanges, Transaction, changes::AccountState};
use proptest::prelude::*;

use super::*;

fn sample_block() -> ExecutedBlock {
    let signature = Signature::new(U256::from(3), U256::from(4), true);
    let to = TxKind::Call(Address::repeat_byte(9));
    let legacy = TxLegacy { nonce: 1, to, value: U256::from(5), ..TxLegacy::default() }.into_signed(signature);
    let dynamic = TxEip1559 {
        chain_id: 31337,
        to: TxKind::Create,
        input: Bytes::from_static(&[0x60, 0]),
        ..TxEip1559::default()
    };
    let transactions: [Transaction; 2] = [legacy.into(), dynamic.into_signed(signature).into()];
    let log = Log::new_unchecked(Address::repeat_byte(7), vec![B256::repeat_byte(1)], Bytes::from_static(b"data"));
    let success = Receipt { status: true.into(), cumulative_gas_used: 21_000, logs: vec![log] };
    let post_state = alloy_consensus::Eip658Value::PostState(B256::repeat_byte(8));
    let old = Receipt { status: post_state, cumulative_gas_used: 50_000, logs: Vec::new() };
    let header = Header { number: 12, gas_limit: 30_000_000, base_fee_per_gas: Some(7), ..Header::default() };
    let withdrawal = Withdrawal { index: 1, validator_index: 2, address: Address::repeat_byte(3), amount: 4 };
    ExecutedBlock {
        hash: header.hash_slow(),
        block: Block {
            header,
            transactions: transactions
                .into_iter()
                .map(|transaction| Arc::new(Recovered::new_unchecked(transaction, Address::repeat_byte(6))))
                .collect(),
            ommers: vec![Header { number: 11, ..Header::default() }],
            withdrawals: Some(vec![withdrawal]),
        },
        receipts: vec![ReceiptEnvelope::Legacy(old.with_bloom()), ReceiptEnvelope::Eip1559(success.with_bloom())],
        total_difficulty: U256::from(1_000),
    }
}

fn sample_changes() -> StateChanges {
    let code = Bytes::from_static(&[0x60, 1]);
    let account = AccountState { nonce: 2, balance: U256::MAX, code_hash: keccak256(&code) };
    let storage = BTreeMap::from([(U256::ZERO, U256::from(256)), (U256::MAX, U256::ZERO)]);
    let changed = AccountChange { account: Some(account), storage_cleared: true, storage };
    let plain = AccountChange { account: Some(AccountState::default()), ..AccountChange::default() };
    let removed = AccountChange { account: None, storage_cleared: true, storage: BTreeMap::new() };
    let accounts = [changed, plain, removed];
    StateChanges {
        accounts: (1..).map(Address::repeat_byte).zip(accounts).collect(),
        codes: BTreeMap::from([(keccak256(&code), code)]),
    }
}

fn sample_record() -> Vec<u8> {
    BlockRecord::new(&sample_block(), &sample_changes(), B256::repeat_byte(0xaa)).bytes().to_vec()
}

#[test]
fn records_come_back_as_they_were() {
    let (block, changes, root) = (sample_block(), sample_changes(), B256::repeat_byte(0xaa));
    let expected = Record::Block { block: Box::new(block.clone()), changes: changes.clone(), root };
    assert_eq!(decode_record(&sample_record()).unwrap(), expected);
    let encoded = encode_override_record(12, &changes, root);
    assert_eq!(decode_record(&encoded).unwrap(), Record::Override { height: 12, changes, root });
    let record = BlockRecord::new(&block, &sample_changes(), root);
    assert_eq!((record.block(), record.receipts()), (encode_block(&block), encode_receipts(&block.receipts)));
    let receipts = decode_receipts(&encode_receipts(&block.receipts)).unwrap();
    assert_eq!(decode_block(&encode_block(&block), receipts).unwrap(), block);
    assert_eq!(block_hash(&encode_block(&block)).unwrap(), block.hash);
}

/// The format on disk. If this fails, the format changed: raise [`VERSION`], and read the old one or say so.
#[test]
fn the_format_is_the_one_on_disk() {
    let digest = keccak256(sample_record());
    assert_eq!(digest.to_string(), "0x474b12f5eafdf79f821b0e51deb6c22f910c32a7a9b53107b7d9465b8ff205d5");
    let digest = keccak256(encode_override_record(12, &sample_changes(), B256::repeat_byte(0xaa)));
    assert_eq!(digest.to_string(), "0x74ed89f19ad3b0dce89cad8f6978a09702b5aaf34b90210f962cc4487a4351fa");
}

#[test]
fn every_truncation_and_extension_is_an_error() {
    let encoded = sample_record();
    for len in 0..encoded.len() {
        assert!(decode_record(&encoded[..len]).is_err(), "cut at {len}");
    }
    let longer = [&encoded[..], &[0]].concat();
    assert!(matches!(decode_record(&longer), Err(CodecError::Trailing(1))));
    assert!(matches!(decode_record(&[2, 0]), Err(CodecError::Version(2))));
}

#[test]
fn checkpoints_and_accounts_come_back_as_they_were() {
    let block = braid_types::BlockRef { height: 5, hash: B256::repeat_byte(1) };
    let checkpoint = Checkpoint { block, root: B256::repeat_byte(2), sequence: 9, history_from: 3, first: 0 };
    assert_eq!(Checkpoint::decode(&checkpoint.encode()).unwrap(), checkpoint);
    for code_hash in [KECCAK_EMPTY, B256::repeat_byte(4)] {
        let account = AccountState { nonce: u64::MAX, balance: U256::from(1), code_hash };
        assert_eq!(decode_account(&encode_account(&account)).unwrap(), account);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_record(&bytes);
        let versioned = [&[VERSION], &bytes[..]].concat();
        let _ = (decode_record(&versioned), decode_receipts(&versioned), decode_block(&versioned, Vec::new()));
        let _ = (decode_account(&versioned), Checkpoint::decode(&versioned), decode_amount(&bytes));
    }

    #[test]
    fn a_damaged_record_never_makes_the_decoder_panic(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut encoded = sample_record();
        let at = at.index(encoded.len());
        encoded[at] ^= flip;
        let _ = decode_record(&encoded);
    }

    #[test]
    fn amounts_come_back_as_they_were(bytes in any::<[u8; 32]>(), shift in 0usize..256) {
        let value = U256::from_be_bytes(bytes) >> shift;
        prop_assert_eq!(decode_amount(&encode_amount(&value)).unwrap(), value);
    }
}
