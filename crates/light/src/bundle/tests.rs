//! Whole proofs: through epochs to an account or receipt, and the step that fails if anything is altered.

use alloy_primitives::{B256, U256, hex};
use proptest::prelude::*;

use super::*;
use crate::{
    certificate::CertificateError,
    header::Dissemination,
    tests::{
        encode::Header,
        ledger::{CONTRACT, Ledger},
        network::{EPOCH_LENGTH, LAG, Validators, finalize_as_group, group_client, header},
        sign,
    },
};

const WHOLE: Dissemination = Dissemination::Whole;

/// A block of the third epoch.
const HEIGHT: u64 = 2 * EPOCH_LENGTH + 4;

fn committees() -> [Validators; 3] {
    [Validators::new(0..4), Validators::new(1..8), Validators::new([2, 5, 20, 21])]
}

/// The ordered header that commits to the ledger's block.
fn committing(ledger: &Ledger) -> Header {
    let execution = (ledger.header.number, ledger.header.hash_slow());
    Header { execution, ..header(ledger.header.number + LAG, B256::repeat_byte(0x11)) }
}

fn bundle(ledger: &Ledger, claim: Claim) -> Bundle {
    let committees = committees();
    let last = |epoch: usize| {
        let height = (epoch as u64 + 1) * EPOCH_LENGTH - 1;
        let header = Header { next: Some(committees[epoch + 1].keys()), ..header(height, B256::repeat_byte(0x22)) };
        committees[epoch].finalize(&header, WHOLE)
    };
    Bundle {
        version: VERSION,
        epochs: vec![last(0), last(1)],
        finality: committees[2].finalize(&committing(ledger), WHOLE),
        header: alloy_rlp::encode(&ledger.header).into(),
        claim: Some(claim),
    }
}

fn account(ledger: &Ledger) -> Claim {
    Claim::Account(ledger.account(CONTRACT, &[U256::from(3), U256::from(300)]))
}

#[test]
fn an_account_is_proved_from_the_first_committee() {
    let ledger = Ledger::new(HEIGHT, 1);
    let start = committees()[0].client(0, WHOLE);
    let proved = bundle(&ledger, account(&ledger)).verify(&start).unwrap();
    assert_eq!(proved.ordered.height, HEIGHT + LAG);
    assert_eq!(proved.header.hash, ledger.header.hash_slow());
    let Some(Fact::Account(account)) = proved.fact else { panic!("an account was claimed") };
    assert_eq!(account.storage, [(U256::from(3), U256::MAX / U256::from(3)), (U256::from(300), U256::ZERO)]);
    // The client has gone on, and the same proof is read from there.
    assert_eq!(proved.client, committees()[2].client(2, WHOLE));
    let again = bundle(&ledger, Claim::Receipt(ledger.receipt(2))).verify(&proved.client).unwrap();
    assert!(matches!(again.fact, Some(Fact::Receipt(_))));
}

#[test]
fn a_receipt_is_proved_from_a_group_key() {
    let (ledger, group) = (Ledger::new(HEIGHT, 2), sign::Group::new(1));
    let bundle = Bundle {
        version: VERSION,
        epochs: Vec::new(),
        finality: finalize_as_group(&group, &committing(&ledger), WHOLE),
        header: alloy_rlp::encode(&ledger.header).into(),
        claim: Some(Claim::Receipt(ledger.receipt(6))),
    };
    let client = group_client(group.key, WHOLE);
    let proved = bundle.verify(&client).unwrap();
    let Some(Fact::Receipt(receipt)) = &proved.fact else { panic!("a receipt was claimed") };
    assert_eq!((receipt.transaction_index, proved.client), (6, client));
    let block = Bundle { claim: None, ..bundle.clone() };
    assert_eq!(block.verify(&group_client(group.key, WHOLE)).unwrap().fact, None);
    let error = bundle.verify(&group_client(sign::Group::new(2).key, WHOLE)).unwrap_err();
    assert_eq!(error, BundleError::Finality(CertificateError::GroupSignature.into()));
}

#[test]
fn the_step_that_fails_is_named() {
    let ledger = Ledger::new(HEIGHT, 1);
    let start = committees()[0].client(0, WHOLE);
    let refused = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = bundle(&ledger, account(&ledger));
        change(&mut bundle);
        bundle.verify(&start).unwrap_err()
    };
    assert_eq!(refused(&|bundle| bundle.version = 2), BundleError::Version(2));
    let many = |bundle: &mut Bundle| bundle.epochs = vec![bundle.epochs[0].clone(); MAX_EPOCHS + 1];
    assert_eq!(refused(&many), BundleError::TooManyEpochs(MAX_EPOCHS + 1));
    let error = refused(&|bundle| drop(bundle.epochs.remove(0)));
    let finality = FinalityError::Epoch { certificate: 1, known: 0 };
    assert_eq!(error, BundleError::Epoch { epoch: 0, error: finality.into() });
    let error = refused(&|bundle| drop(bundle.epochs.pop()));
    assert_eq!(error, BundleError::Finality(FinalityError::Epoch { certificate: 2, known: 1 }));
    let error = refused(&|bundle| bundle.finality = bundle.epochs[1].clone());
    assert_eq!(error, BundleError::Finality(FinalityError::Epoch { certificate: 1, known: 2 }));
    // The last of the second epoch is final and commits to another block.
    let error = refused(&|bundle| bundle.finality = committees()[2].finalize(&header(25, B256::ZERO), WHOLE));
    assert!(matches!(error, BundleError::Execution(ExecutionError::Hash { .. })), "{error}");
    let error = refused(&|bundle| bundle.header = alloy_rlp::encode(&Ledger::new(HEIGHT, 2).header).into());
    assert!(matches!(error, BundleError::Execution(ExecutionError::Hash { .. })), "{error}");
    let error = refused(&|bundle| {
        let Some(Claim::Account(claim)) = &mut bundle.claim else { unreachable!() };
        claim.balance = U256::MAX;
    });
    assert!(matches!(error, BundleError::Account(AccountError::Differs { .. })), "{error}");
    let error = refused(&|bundle| bundle.claim = Some(Claim::Receipt(Ledger::new(HEIGHT, 3).receipt(2))));
    assert!(matches!(error, BundleError::Receipt(InclusionError::TransactionProof(_))), "{error}");
}

#[test]
fn a_committee_that_was_voted_out_proves_nothing_new() {
    let ledger = Ledger::new(HEIGHT, 1);
    let mut bundle = bundle(&ledger, account(&ledger));
    bundle.finality = committees()[0].finalize(&committing(&ledger), WHOLE);
    // Both have four members: what tells them apart is their keys.
    let error = bundle.verify(&committees()[0].client(0, WHOLE)).unwrap_err();
    assert!(
        matches!(error, BundleError::Finality(FinalityError::Certificate(CertificateError::Signature(_)))),
        "{error}"
    );
}

#[test]
fn a_proof_is_written_and_read() {
    let ledger = Ledger::new(HEIGHT, 1);
    for claim in [account(&ledger), Claim::Receipt(ledger.receipt(1))] {
        let bundle = bundle(&ledger, claim);
        let json = serde_json::to_string(&bundle).unwrap();
        assert_eq!(serde_json::from_str::<Bundle>(&json).unwrap(), bundle);
    }
}

/// Flips a bit of one hexadecimal string in JSON. Says whether there was one to flip.
fn flip(value: &mut serde_json::Value, which: &mut usize, at: prop::sample::Index, bit: u8) -> bool {
    match value {
        serde_json::Value::String(text) if text.len() > 2 => {
            if *which > 0 {
                *which -= 1;
                return false;
            }
            let digits = &text[2..];
            let at = at.index(digits.len());
            let digit = u8::from_str_radix(&digits[at..=at], 16).unwrap() ^ 1 << bit;
            text.replace_range(at + 2..at + 3, &hex::encode([digit])[1..]);
            true
        }
        serde_json::Value::Array(items) => items.iter_mut().any(|item| flip(item, which, at, bit)),
        serde_json::Value::Object(fields) => fields.values_mut().any(|field| flip(field, which, at, bit)),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// No digit of a proof can be another: it is not read any more, or refused.
    #[test]
    fn every_digit_counts(which in 0..40_usize, at: prop::sample::Index, bit in 0..4_u8, is_account: bool) {
        let ledger = Ledger::new(HEIGHT, 1);
        let claim = if is_account { account(&ledger) } else { Claim::Receipt(ledger.receipt(1)) };
        let mut json = serde_json::to_value(bundle(&ledger, claim)).unwrap();
        let mut which = which;
        if flip(&mut json, &mut which, at, bit)
            && let Ok(altered) = serde_json::from_value::<Bundle>(json)
        {
            prop_assert!(altered.verify(&committees()[0].client(0, WHOLE)).is_err());
        }
    }
}
