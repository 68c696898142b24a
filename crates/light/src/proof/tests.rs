//! Claims about a block are believed if they are true.

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use proptest::prelude::*;

use super::*;
use crate::{
    ethereum::EMPTY_CODE,
    tests::ledger::{CONTRACT, EMPTY, Ledger, NOBODY, RICH},
    trie::EMPTY_ROOT,
};

fn header(ledger: &Ledger) -> EthereumHeader {
    EthereumHeader::decode(&alloy_rlp::encode(&ledger.header)).unwrap()
}

#[test]
fn accounts_are_proved() {
    let ledger = Ledger::new(1, 1);
    let proved = |address| ledger.account(address, &[]).verify(&header(&ledger)).unwrap();
    let rich = proved(RICH);
    assert!(rich.exists);
    assert_eq!((rich.account.nonce, rich.account.balance), (7, U256::from(u64::MAX)));
    let nobody = proved(NOBODY);
    assert_eq!((nobody.exists, nobody.account), (false, Account::EMPTY));
    let empty = proved(EMPTY);
    assert_eq!((empty.exists, empty.account), (true, Account::EMPTY));
}

#[test]
fn storage_is_proved_zeros_included() {
    let ledger = Ledger::new(1, 1);
    let slots = [U256::from(1), U256::from(40), U256::from(41), U256::MAX];
    let proved = ledger.account(CONTRACT, &slots).verify(&header(&ledger)).unwrap();
    let expected = slots.map(|slot| (slot, ledger.slots.get(&slot).copied().unwrap_or_default()));
    assert_eq!(proved.storage, expected);
    assert_eq!(proved.storage[3].1, U256::ZERO);
    // Of those without storage too, whether they exist or not.
    for address in [RICH, NOBODY] {
        let proved = ledger.account(address, &[U256::from(5)]).verify(&header(&ledger)).unwrap();
        assert_eq!(proved.storage, [(U256::from(5), U256::ZERO)]);
    }
}

#[test]
fn zeros_for_the_hashes_of_nobody_are_understood() {
    let ledger = Ledger::new(1, 1);
    let mut claim = ledger.account(NOBODY, &[]);
    claim.code_hash = B256::ZERO;
    claim.storage_hash = B256::ZERO;
    assert!(!claim.verify(&header(&ledger)).unwrap().exists);
    let mut claim = ledger.account(CONTRACT, &[]);
    claim.code_hash = B256::ZERO;
    let error = AccountError::Differs { address: CONTRACT, field: "the hash of its code" };
    assert_eq!(claim.verify(&header(&ledger)), Err(error));
}

#[test]
fn a_false_claim_about_an_account_is_refused() {
    let ledger = Ledger::new(1, 1);
    let refused = |change: &dyn Fn(&mut AccountClaim)| {
        let mut claim = ledger.account(CONTRACT, &[U256::from(1)]);
        change(&mut claim);
        claim.verify(&header(&ledger)).unwrap_err()
    };
    let differs = |field| AccountError::Differs { address: CONTRACT, field };
    assert_eq!(refused(&|claim| claim.nonce += U64::from(1)), differs("the nonce"));
    assert_eq!(refused(&|claim| claim.balance = U256::from(1)), differs("the balance"));
    assert_eq!(refused(&|claim| claim.code_hash = EMPTY_CODE), differs("the hash of its code"));
    assert_eq!(refused(&|claim| claim.storage_hash = EMPTY_ROOT), differs("the root of its storage"));
    let (slot, claimed) = (U256::from(1), U256::ZERO);
    let error = AccountError::SlotDiffers { slot, value: U256::MAX, claimed };
    assert_eq!(refused(&|claim| claim.storage_proof[0].value = claimed), error);
    let many = |claim: &mut AccountClaim| claim.storage_proof = vec![claim.storage_proof[0].clone(); MAX_SLOTS + 1];
    assert_eq!(refused(&many), AccountError::TooManySlots(MAX_SLOTS + 1));
    let error = refused(&|claim| claim.address = RICH);
    assert!(matches!(error, AccountError::Proof(RICH, _)), "{error}");
    let error = refused(&|claim| claim.storage_proof[0].key = U256::from(2));
    assert!(matches!(error, AccountError::SlotProof(slot, _) if slot == U256::from(2)), "{error}");
    // That somebody does not exist cannot be shown with the nodes of nobody, nor with none.
    let nobodys = ledger.account(NOBODY, &[]).account_proof;
    let error = refused(&|claim| claim.account_proof.clone_from(&nobodys));
    assert!(matches!(error, AccountError::Proof(CONTRACT, _)), "{error}");
    let error = refused(&|claim| claim.account_proof.clear());
    assert!(matches!(error, AccountError::Proof(CONTRACT, TrieError::Incomplete(_))), "{error}");
}

#[test]
fn receipts_of_all_types_are_proved() {
    // More than 128: places take one byte of RLP, then two.
    let ledger = Ledger::new(1, 30);
    for index in [0, 1, 2, 3, 4, 15, 16, 127, 128, 149] {
        let proved = ledger.receipt(index).verify(&header(&ledger)).unwrap();
        assert_eq!(proved.transaction_hash, *ledger.transactions[index].tx_hash());
        assert_eq!(proved.transaction_index, index as u64);
        assert_eq!(usize::from(proved.receipt.transaction_type), index % 5);
        assert_eq!(proved.receipt.cumulative_gas_used, 21_000 * (index as u64 + 1));
    }
    let alone = Ledger::new(1, 1);
    assert!(alone.receipt(0).verify(&header(&alone)).is_ok());
}

#[test]
fn a_false_claim_about_a_receipt_is_refused() {
    let ledger = Ledger::new(1, 30);
    let other = ledger.receipt(8);
    let refused = |change: &dyn Fn(&mut ReceiptClaim)| {
        let mut claim = ledger.receipt(7);
        change(&mut claim);
        claim.verify(&header(&ledger)).unwrap_err()
    };
    let (transaction, claimed) = (ledger.receipt(7).transaction_hash, B256::ZERO);
    let error = InclusionError::TransactionHash { transaction, claimed };
    assert_eq!(refused(&|claim| claim.transaction_hash = claimed), error);
    let error = refused(&|claim| claim.transaction_index = U64::from(8));
    assert!(matches!(error, InclusionError::TransactionProof(_)), "{error}");
    let error = refused(&|claim| claim.transaction_proof.clone_from(&other.transaction_proof));
    assert!(matches!(error, InclusionError::TransactionProof(_)), "{error}");
    let error = refused(&|claim| {
        claim.transaction_index = other.transaction_index;
        claim.transaction_proof.clone_from(&other.transaction_proof);
    });
    assert_eq!(error, InclusionError::OtherTransaction(8));
    assert_eq!(refused(&|claim| claim.receipt = other.receipt.clone()), InclusionError::OtherReceipt(7));
    let error = refused(&|claim| claim.receipt_proof.clone_from(&other.receipt_proof));
    assert!(matches!(error, InclusionError::ReceiptProof(_)), "{error}");
    // Beyond the end of the list nothing is there, and nothing can be claimed.
    let error = refused(&|claim| claim.transaction_index = U64::MAX);
    assert!(matches!(error, InclusionError::TransactionProof(_) | InclusionError::OtherTransaction(_)), "{error}");
}

#[test]
fn claims_are_read_as_nodes_answer() {
    // As geth writes it: quantities without leading zeros, a slot as a quantity or as 32 bytes.
    let json = r#"{
        "address": "0x1111111111111111111111111111111111111111", "accountProof": ["0x80"], "balance": "0x0",
        "codeHash": "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470", "nonce": "0x0",
        "storageHash": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
        "storageProof": [
            { "key": "0x0", "value": "0x0", "proof": [] },
            { "key": "0x00000000000000000000000000000000000000000000000000000000000000ff", "value": "0x0", "proof": [] }
        ] }"#;
    let claim: AccountClaim = serde_json::from_str(json).unwrap();
    assert_eq!(claim.storage_proof[1].key, U256::from(255));
    let mut header = header(&Ledger::new(1, 1));
    header.state_root = EMPTY_ROOT;
    assert!(!claim.verify(&header).unwrap().exists);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever byte of a claim's nodes is altered, the claim is refused.
    #[test]
    fn an_altered_node_is_refused(which: prop::sample::Index, at: prop::sample::Index, bit in 0..8_u8, list in 0..4) {
        let ledger = Ledger::new(1, 4);
        let (mut account, mut receipt) = (ledger.account(CONTRACT, &[U256::from(9)]), ledger.receipt(13));
        let nodes: &mut Vec<Bytes> = match list {
            0 => &mut account.account_proof,
            1 => &mut account.storage_proof[0].proof,
            2 => &mut receipt.transaction_proof,
            _ => &mut receipt.receipt_proof,
        };
        let which = which.index(nodes.len());
        let mut node = nodes[which].to_vec();
        let at = at.index(node.len());
        node[at] ^= 1 << bit;
        nodes[which] = node.into();
        let header = header(&ledger);
        prop_assert_eq!(account.verify(&header).is_err(), list < 2);
        prop_assert_eq!(receipt.verify(&header).is_err(), list >= 2);
    }

    #[test]
    fn who_is_not_there_is_proved_absent(address: [u8; 20]) {
        let ledger = Ledger::new(1, 1);
        let proved = ledger.account(Address::from(address), &[]).verify(&header(&ledger)).unwrap();
        prop_assert!(!proved.exists);
    }
}
