//! Headers and receipts are read as alloy writes them.

use alloy_consensus::Header as AlloyHeader;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::Bytes;
use proptest::prelude::*;

use super::*;
use crate::tests::ledger::Ledger;

#[test]
fn headers_of_all_forks_are_read() {
    let frontier =
        AlloyHeader { number: 7, timestamp: 9, extra_data: Bytes::from(vec![1; 32]), ..AlloyHeader::default() };
    let london = AlloyHeader { base_fee_per_gas: Some(7), ..frontier.clone() };
    let shanghai = AlloyHeader { withdrawals_root: Some(B256::repeat_byte(3)), ..london.clone() };
    let cancun = AlloyHeader {
        blob_gas_used: Some(1),
        excess_blob_gas: Some(2),
        parent_beacon_block_root: Some(B256::repeat_byte(4)),
        ..shanghai.clone()
    };
    let prague = AlloyHeader { requests_hash: Some(B256::repeat_byte(5)), ..cancun.clone() };
    for header in [frontier, london, shanghai, cancun, prague] {
        let read = EthereumHeader::decode(&alloy_rlp::encode(&header)).unwrap();
        assert_eq!(read.hash, header.hash_slow());
        assert_eq!((read.number, read.timestamp), (7, 9));
        assert_eq!(
            (read.parent_hash, read.state_root, read.transactions_root, read.receipts_root),
            (header.parent_hash, header.state_root, header.transactions_root, header.receipts_root)
        );
    }
}

#[test]
fn receipts_of_all_types_are_read() {
    let ledger = Ledger::new(1, 2);
    for (index, receipt) in ledger.receipts.iter().enumerate() {
        let read = Receipt::decode(&receipt.encoded_2718()).unwrap();
        assert_eq!(usize::from(read.transaction_type), index % 5);
        assert_eq!(read.outcome, if receipt.status() { Outcome::Success } else { Outcome::Failure });
        assert_eq!(read.cumulative_gas_used, receipt.cumulative_gas_used());
        assert_eq!(read.logs, receipt.logs());
    }
}

#[test]
fn a_receipt_with_a_state_root_is_read() {
    let root = B256::repeat_byte(9);
    let bloom = alloy_primitives::Bloom::ZERO;
    let mut bytes = Vec::new();
    alloy_rlp::encode_list::<&dyn alloy_rlp::Encodable, dyn alloy_rlp::Encodable>(
        &[&root, &21_000_u64, &bloom, &Vec::<Log>::new()],
        &mut bytes,
    );
    assert_eq!(Receipt::decode(&bytes).unwrap().outcome, Outcome::StateRoot(root));
}

#[test]
fn parts_and_extensions_are_refused() {
    let receipt = Ledger::new(1, 1).receipts[2].encoded_2718();
    for cut in 0..receipt.len() {
        Receipt::decode(&receipt[..cut]).unwrap_err();
    }
    Receipt::decode(&[receipt, vec![0]].concat()).unwrap_err();
    let header = alloy_rlp::encode(AlloyHeader::default());
    for cut in 0..header.len() {
        EthereumHeader::decode(&header[..cut]).unwrap_err();
    }
    EthereumHeader::decode(&[header, vec![0]].concat()).unwrap_err();
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
        let _ = Receipt::decode(&bytes);
        let _ = EthereumHeader::decode(&bytes);
        // Past the list's header, where the fields are.
        let mut list = Vec::new();
        Header { list: true, payload_length: bytes.len() }.encode(&mut list);
        list.extend(bytes);
        let _ = Receipt::decode(&list);
        let _ = EthereumHeader::decode(&list);
    }
}
