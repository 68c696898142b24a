//! Bodies of ordered blocks that are wrong.

use alloy_consensus::{Signed, TxEip4844, TxLegacy};
use alloy_eips::eip2718::{Decodable2718, Encodable2718};
use alloy_primitives::Signature;
use proptest::prelude::*;

use super::*;
use crate::chain::ChainError;

fn raw(transaction: &RecoveredTx) -> Bytes {
    transaction.inner().encoded_2718().into()
}

fn refused(ledger: &Ledger, body: &[Bytes]) -> String {
    let error = ledger.check(body, &[]).unwrap_err();
    assert_eq!(error.kind(), FaultKind::Rejection, "{error}");
    error.to_string()
}

fn signed<T>(mut transaction: T, from: u8) -> Bytes
where
    T: SignableTransaction<Signature> + alloy_consensus::transaction::RlpEcdsaEncodableTx,
    Transaction: From<Signed<T>>,
{
    let signature = signer(from).sign_transaction_sync(&mut transaction).unwrap();
    Transaction::from(transaction.into_signed(signature)).encoded_2718().into()
}

#[test]
fn a_good_body_keeps_its_order_and_names_its_senders() {
    let (_directory, ledger) = ledger();
    let transactions: Vec<_> = (0..40).map(|at| transfer(5 - (at % 5), u64::from(at), 1)).collect();
    let raws: Vec<_> = transactions.iter().map(raw).collect();
    assert_eq!(ledger.check(&raws, &[]).unwrap(), transactions);
    assert_eq!(ledger.check(&[], &[]).unwrap(), []);
}

#[test]
fn senders_of_pooled_transactions_are_not_recovered_again() {
    let (_directory, ledger) = ledger();
    let pooled = transfer(1, 0, 1);
    insert(ledger.chain(), Arc::clone(&pooled));
    let checked = ledger.check(&[raw(&pooled), raw(&transfer(2, 0, 1))], &[]).unwrap();
    assert!(Arc::ptr_eq(&checked[0], &pooled));
}

#[test]
fn garbage_is_refused() {
    let (_directory, ledger) = ledger();
    let good = raw(&transfer(1, 0, 1));
    assert_eq!(refused(&ledger, &[good.clone(), Bytes::new()]), "transaction 1 cannot be decoded: no bytes");
    let truncated = good.slice(..good.len() - 1);
    assert!(refused(&ledger, &[truncated]).starts_with("transaction 0 cannot be decoded: "));
    let trailing: Bytes = [good.as_ref(), &[0]].concat().into();
    assert!(refused(&ledger, &[trailing]).starts_with("transaction 0 cannot be decoded: "));
    assert!(refused(&ledger, &[Bytes::from_static(&[0x7f, 1, 2])]).starts_with("transaction 0 cannot be decoded: "));
    let unsigned = TxEip1559 { chain_id: CHAIN_ID, ..TxEip1559::default() };
    let unsigned = unsigned.into_signed(Signature::new(U256::ZERO, U256::ZERO, false));
    let unsigned = Transaction::from(unsigned).encoded_2718().into();
    assert_eq!(refused(&ledger, &[unsigned]), "transaction 0 has no valid signature");
}

#[test]
fn no_other_bytes_than_its_own_give_a_transaction_the_hash_of_bytes() {
    let good = raw(&transfer(1, 0, 1));
    let given = |bytes: &[u8]| check::decode_hashed(bytes, keccak256(bytes));
    assert_eq!(given(&good).map(|found| *found.tx_hash()), Some(keccak256(&good)));
    for at in 0..good.len() {
        for change in 1..=u8::MAX {
            let mut bytes = good.to_vec();
            bytes[at] ^= change;
            let Some(found) = given(&bytes) else { continue };
            assert_eq!(found.encoded_2718(), bytes, "byte {at} changed by {change:#x}");
            assert_eq!(Transaction::decode_2718_exact(&bytes).unwrap(), found);
        }
    }
}

#[test]
fn the_first_of_several_faults_is_named_whatever_the_threads_do() {
    let (_directory, ledger) = ledger();
    let good = raw(&transfer(1, 0, 1));
    let mut body = vec![good; 64];
    for at in [9, 30, 63] {
        body[at] = Bytes::from_static(&[0x7f]);
    }
    for _ in 0..20 {
        assert!(refused(&ledger, &body).starts_with("transaction 9 cannot be decoded: "));
    }
}

#[test]
fn claims_about_senders_decide_nothing() {
    let transactions: Vec<_> = (0..250).map(|at| transfer(5 - (at % 5), u64::from(at), 1)).collect();
    let raws: Vec<_> = transactions.iter().map(raw).collect();
    let truth: Vec<Address> = transactions.iter().map(|transaction| transaction.signer()).collect();
    let rotated: Vec<Address> = truth.iter().cycle().skip(1).take(250).copied().collect();
    let strange = vec![Address::repeat_byte(9); 400];
    for claimed in [&truth[..], &rotated, &strange, &truth[..100]] {
        let (_directory, ledger) = ledger();
        // The second time the keys are known.
        for round in 0..2 {
            assert_eq!(ledger.check(&raws, claimed).unwrap(), transactions, "round {round}");
        }
        let mut forged = raws.clone();
        forged[7] = forged[8].clone();
        let error = ledger.check(&forged, claimed).unwrap_err();
        assert!(matches!(error, LedgerError::Duplicate { .. }), "{error}");
    }
}

#[test]
fn rules_of_the_chain_are_kept() {
    let (_directory, ledger) = ledger();
    let base = TxEip1559 { chain_id: CHAIN_ID, gas_limit: 21_000, to: TxKind::Call(RECIPIENT), ..TxEip1559::default() };
    let alien = signed(TxEip1559 { chain_id: 1, ..base.clone() }, 1);
    assert!(refused(&ledger, &[alien]).starts_with("transaction 0 is not valid: invalid sender: invalid chain id"));
    let hungry = signed(TxEip1559 { gas_limit: GAS_LIMIT + 1, ..base.clone() }, 1);
    assert!(refused(&ledger, &[hungry]).starts_with("transaction 0 is not valid: "));
    let starving = signed(TxEip1559 { gas_limit: 20_999, ..base.clone() }, 1);
    assert!(refused(&ledger, &[starving]).contains("intrinsic gas too low"));
    let tip = signed(TxEip1559 { max_priority_fee_per_gas: 1, ..base }, 1);
    assert!(refused(&ledger, &[tip]).starts_with("transaction 0 is not valid: "));
    let blob = TxEip4844 { chain_id: CHAIN_ID, blob_versioned_hashes: vec![B256::ZERO], ..TxEip4844::default() };
    let sentence = "transaction 0 is a blob transaction, which ordered blocks cannot hold";
    assert_eq!(refused(&ledger, &[signed(blob, 1)]), sentence);
    let unprotected = TxLegacy { gas_limit: 21_000, to: TxKind::Call(RECIPIENT), ..TxLegacy::default() };
    assert_eq!(ledger.check(&[signed(unprotected, 1)], &[]).unwrap().len(), 1, "as everywhere on Ethereum");
}

#[test]
fn duplicates_and_too_much_together_are_refused() {
    let (_directory, ledger) = ledger();
    let one = transfer(1, 0, 1);
    let sentence = format!("transaction {} is there twice", one.tx_hash());
    assert_eq!(refused(&ledger, &[raw(&one), raw(&transfer(2, 0, 1)), raw(&one)]), sentence);
    let half = |from| raw(&transfer_with_gas(from, 0, 1, GAS_LIMIT / 2));
    assert_eq!(ledger.check(&[half(1), half(2)], &[]).unwrap().len(), 2);
    let sentence = format!("gas limits of the transactions add up to more than the block's, {GAS_LIMIT}");
    assert_eq!(refused(&ledger, &[half(1), half(2), raw(&one)]), sentence);
    let large = Bytes::from(vec![2; MAX_ORDERED_BLOCK_SIZE_BYTES]);
    let sentence = "transactions have 4194305 bytes, more than 4194304";
    assert_eq!(refused(&ledger, &[large, Bytes::from_static(&[2])]), sentence);
}

#[test]
fn an_impersonated_transaction_in_the_pool_is_not_taken_for_signed() {
    let directory = tempfile::tempdir().unwrap();
    let options = ChainOptions { is_dev: true, ..options(directory.path()) };
    let ledger = Ledger::new(Arc::new(Chain::open(options).unwrap())).unwrap();
    let unsigned = TxEip1559 { chain_id: CHAIN_ID, gas_limit: 21_000, ..TxEip1559::default() };
    let from = signer(1).address();
    let signature = braid_types::block::impersonation_signature(from);
    let transaction = Transaction::from(TxEip1559 { to: TxKind::Call(RECIPIENT), ..unsigned }.into_signed(signature));
    let impersonated = Arc::new(Recovered::new_unchecked(transaction, from));
    insert(ledger.chain(), Arc::clone(&impersonated));
    match ledger.check(&[raw(&impersonated)], &[]) {
        Err(LedgerError::Signature { index: 0 }) => {}
        Ok(recovered) => assert_ne!(recovered[0].signer(), from, "what others would recover"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn errors_of_the_chain_are_told_apart_by_kind() {
    let store = LedgerError::from(StoreError::Poisoned);
    assert_eq!(store.kind(), FaultKind::Environment);
    let block = LedgerError::from(BlockError::Nonce);
    assert!(matches!(block, LedgerError::Chain(ChainError::Block(_))));
    assert_eq!(block.kind(), FaultKind::BrokenInvariant);
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer(body in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6)) {
        let (_directory, ledger) = shared();
        let body: Vec<Bytes> = body.into_iter().map(Bytes::from).collect();
        if let Ok(transactions) = ledger.check(&body, &[]) {
            prop_assert_eq!(transactions.len(), body.len());
        }
    }

    #[test]
    fn a_flipped_bit_never_keeps_transaction_and_sender(bit in any::<prop::sample::Index>()) {
        let (_directory, ledger) = shared();
        let original = transfer(1, 0, 1);
        let mut bytes = raw(&original).to_vec();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(transactions) = ledger.check(&[bytes.into()], &[]) {
            prop_assert_ne!(transactions[0].signer(), original.signer());
        }
    }
}

/// One ledger for every case of a property that leaves it as it is.
fn shared() -> &'static (TempDir, Ledger) {
    static SHARED: std::sync::OnceLock<(TempDir, Ledger)> = std::sync::OnceLock::new();
    SHARED.get_or_init(ledger)
}
