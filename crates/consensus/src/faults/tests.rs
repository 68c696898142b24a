//! Evidence counts if it is signed by whom it accuses.

use std::num::NonZeroU64;

use alloy_primitives::{Address, B256};
use braid_types::ordered::Dissemination;
use commonware_codec::Decode as _;
use commonware_consensus::{
    simplex::types::{ConflictingNotarize, Notarize, Proposal},
    types::{Epoch, Round, View},
};
use commonware_cryptography::{
    Signer as _, blake3,
    ed25519::{PrivateKey, PublicKey},
};
use commonware_utils::test_rng;

use super::*;
use crate::{
    block::Digest as BlockDigest,
    committee::{Committee, Validator},
    deal::deal,
    keys,
    rules::Rules,
    scheme::Signatures,
    status::Status,
};

fn private_keys() -> Vec<PrivateKey> {
    let mut keys: Vec<_> = (0..4).map(PrivateKey::from_seed).collect();
    keys.sort_by_key(PrivateKey::public_key);
    keys
}

fn committees(signatures: Signatures, member: usize, share: Option<&[u8]>) -> Committees {
    let validator = |public_key: PublicKey| Validator {
        public_key,
        fee_recipient: Address::ZERO,
        address: "127.0.0.1:1".to_owned(),
    };
    let members = private_keys().iter().map(|key| validator(key.public_key())).collect();
    let rules = Rules {
        namespace: b"a chain".to_vec(),
        execution_lag: 3,
        epoch_length: NonZeroU64::new(5).unwrap(),
        dissemination: Dissemination::Whole,
        signatures,
        committee: Committee::new(members).unwrap(),
        genesis: BlockRef { height: 0, hash: B256::repeat_byte(1) },
    };
    let share = share.map(|share| keys::share(share).unwrap());
    Committees::new(Arc::new(rules), private_keys()[member].clone(), share.as_ref())
}

fn vote(committees: &Committees, byte: u8) -> Notarize<Scheme, BlockDigest> {
    let round = Round::new(Epoch::zero(), View::new(3));
    let proposal = Proposal::new(round, View::new(2), blake3::Digest([byte; 32]));
    Notarize::sign(committees.scheme(Epoch::zero()).unwrap().as_ref(), proposal).unwrap()
}

fn conflict(culprit: &Committees) -> ConflictingNotarize<Scheme, BlockDigest> {
    ConflictingNotarize::new(vote(culprit, 1), vote(culprit, 2))
}

/// What a watcher of `committees` says about the votes.
fn watch(committees: &Committees, votes: ConflictingNotarize<Scheme, BlockDigest>) -> Option<Fault> {
    let (faults, mut reported) = Faults::new();
    let (board, status) = Board::new(Status::default());
    let mut watcher = Watcher::<_, BlockDigest>::new(test_rng(), committees.clone(), faults, board);
    watcher.report(Activity::ConflictingNotarize(votes));
    let fault = reported.try_recv().ok();
    assert_eq!(status.borrow().faults, u64::from(fault.is_some()));
    fault
}

#[test]
fn contradicting_votes_are_evidence_for_everybody() {
    let culprit = committees(Signatures::Ed25519, 2, None);
    let votes = conflict(&culprit);
    let fault = watch(&committees(Signatures::Ed25519, 0, None), votes.clone()).unwrap();
    assert_eq!(fault.validator(), &private_keys()[2].public_key());
    let Fault::Equivocation { epoch: 0, view: 3, evidence, .. } = fault else { panic!("{fault:?}") };
    assert_eq!(ConflictingNotarize::decode_cfg(evidence, &()).unwrap(), votes);
}

#[test]
fn forged_votes_accuse_nobody() {
    let (culprit, victim) = (committees(Signatures::Ed25519, 2, None), committees(Signatures::Ed25519, 1, None));
    let mut forged = [vote(&culprit, 1), vote(&culprit, 2)];
    for vote in &mut forged {
        vote.attestation.signer = crate::faults::tests::vote(&victim, 1).attestation.signer;
    }
    let [first, second] = forged;
    assert_eq!(watch(&victim, ConflictingNotarize::new(first, second)), None);
}

#[test]
fn votes_by_shares_name_their_author_without_evidence() {
    let identities: Vec<_> = private_keys().iter().map(|key| keys::to_bytes(&key.public_key())).collect();
    let dealt = deal(&identities, &[1; 32]).unwrap();
    let signatures = Signatures::Threshold(Box::new(keys::polynomial(&dealt.polynomial).unwrap()));
    let member = |index: usize| {
        let share = dealt.shares.iter().find(|(of, _)| *of == identities[index]).map(|(_, share)| share.as_slice());
        committees(signatures.clone(), index, share)
    };
    let fault = watch(&member(0), conflict(&member(3))).unwrap();
    assert_eq!(fault.validator(), &private_keys()[3].public_key());
    assert!(matches!(fault, Fault::Equivocation { evidence, .. } if evidence.is_empty()));
}
