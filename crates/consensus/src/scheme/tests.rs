//! Both kinds sign, assemble and verify; neither takes what is the other's.

use commonware_codec::{Decode as _, DecodeExt as _, Encode as _};
use commonware_consensus::{
    simplex::types::{Finalization, Finalize, Proposal},
    types::{Epoch, Round, View},
};
use commonware_cryptography::{Signer as _, blake3};
use commonware_parallel::Sequential;
use commonware_utils::test_rng;

use super::*;
use crate::{block::Digest as BlockDigest, deal::deal, keys};

const NAMESPACE: &[u8] = b"a chain";

fn private_keys() -> Vec<PrivateKey> {
    let mut keys: Vec<_> = (0..4).map(PrivateKey::from_seed).collect();
    keys.sort_by_key(PrivateKey::public_key);
    keys
}

fn members() -> Set<PublicKey> {
    Set::from_iter_dedup(private_keys().iter().map(PrivateKey::public_key))
}

fn ed25519() -> Vec<Scheme> {
    let scheme = |key: &PrivateKey| Scheme::new(&Signatures::Ed25519, NAMESPACE, members(), key, None);
    private_keys().iter().map(scheme).collect()
}

fn threshold() -> Vec<Scheme> {
    let identities: Vec<_> = private_keys().iter().map(|key| keys::to_bytes(&key.public_key())).collect();
    let dealt = deal(&identities, &[1; 32]).unwrap();
    let signatures = Signatures::Threshold(Box::new(keys::polynomial(&dealt.polynomial).unwrap()));
    let scheme = |key: &PrivateKey| {
        let own = keys::to_bytes(&key.public_key());
        let share = dealt.shares.iter().find(|(of, _)| *of == own).map(|(_, share)| keys::share(share).unwrap());
        Scheme::new(&signatures, NAMESPACE, members(), key, share.as_ref())
    };
    private_keys().iter().map(scheme).collect()
}

fn proposal(byte: u8) -> Proposal<BlockDigest> {
    let round = Round::new(Epoch::new(1), View::new(7));
    Proposal::new(round, View::new(6), blake3::Digest([byte; 32]))
}

fn votes(schemes: &[Scheme], count: usize, byte: u8) -> Vec<Finalize<Scheme, BlockDigest>> {
    schemes.iter().take(count).map(|scheme| Finalize::sign(scheme, proposal(byte)).unwrap()).collect()
}

fn assemble(
    scheme: &Scheme,
    votes: &[Finalize<Scheme, BlockDigest>],
) -> Result<Finalization<Scheme, BlockDigest>, AssemblyError> {
    Finalization::from_finalizes(scheme, NonEmpty::try_new(votes.iter()).unwrap(), &Sequential)
}

fn certificate(schemes: &[Scheme]) -> Finalization<Scheme, BlockDigest> {
    assemble(&schemes[0], &votes(schemes, 3, 1)).unwrap()
}

#[test]
fn a_quorum_makes_a_certificate_that_everybody_checks() {
    for schemes in [ed25519(), threshold()] {
        let found = certificate(&schemes);
        assert!(schemes.iter().all(|scheme| found.verify(&mut test_rng(), scheme, &Sequential)));
        let bounds = schemes[0].certificate_codec_config();
        let decoded = Finalization::<Scheme, BlockDigest>::decode_cfg(found.encode(), &bounds).unwrap();
        assert_eq!(decoded, found);
        assert!(found.certificate.encode_size() <= Scheme::max_certificate_size(4));
        let mut other = found.clone();
        other.proposal = proposal(2);
        assert!(!other.verify(&mut test_rng(), &schemes[0], &Sequential), "another block");
    }
}

#[test]
fn less_than_a_quorum_makes_none() {
    for schemes in [ed25519(), threshold()] {
        assert!(assemble(&schemes[0], &votes(&schemes, 2, 1)).is_err());
    }
}

#[test]
fn a_certificate_of_one_kind_is_refused_by_the_other() {
    let (ours, theirs) = (ed25519(), threshold());
    for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
        let found = certificate(theirs);
        assert!(!found.verify(&mut test_rng(), &ours[0], &Sequential));
        let bounds = ours[0].certificate_codec_config();
        assert!(Finalization::<Scheme, BlockDigest>::decode_cfg(found.encode(), &bounds).is_err());
    }
}

#[test]
fn a_vote_of_one_kind_is_refused_by_the_other() {
    let (ours, theirs) = (ed25519(), threshold());
    for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
        let vote = votes(theirs, 1, 1).pop().unwrap();
        assert!(vote.verify(&mut test_rng(), &theirs[1], &Sequential));
        assert!(!vote.verify(&mut test_rng(), &ours[1], &Sequential));
        let mixed = [votes(ours, 2, 1), votes(theirs, 3, 1).split_off(2)].concat();
        assert!(assemble(&ours[0], &mixed).is_err());
    }
}

#[test]
fn another_chains_signatures_are_worth_nothing() {
    let elsewhere = Scheme::verifier(&Signatures::Ed25519, b"another chain", members());
    assert!(!certificate(&ed25519()).verify(&mut test_rng(), &elsewhere, &Sequential));
}

#[test]
fn who_has_no_key_of_the_committee_verifies_and_does_not_sign() {
    let outsider = PrivateKey::from_seed(99);
    let scheme = Scheme::new(&Signatures::Ed25519, NAMESPACE, members(), &outsider, None);
    assert!(scheme.me().is_none());
    assert!(Finalize::sign(&scheme, proposal(1)).is_none());
    assert!(certificate(&ed25519()).verify(&mut test_rng(), &scheme, &Sequential));
}

#[test]
fn signatures_have_one_spelling() {
    let [ed25519, threshold] = [ed25519(), threshold()].map(|schemes| {
        let vote = votes(&schemes, 1, 1).pop().unwrap();
        vote.attestation.signature.get().unwrap().clone()
    });
    for signature in [ed25519, threshold] {
        let mut encoded = signature.encode().to_vec();
        assert_eq!(encoded.len(), Signature::SIZE);
        assert_eq!(Signature::decode(bytes::Bytes::from(encoded.clone())).unwrap(), signature);
        encoded[0] = 2;
        assert!(Signature::decode(bytes::Bytes::from(encoded.clone())).is_err(), "no such kind");
        if let Signature::Threshold(_) = signature {
            encoded[0] = THRESHOLD;
            encoded[Signature::SIZE - 1] = 1;
            assert!(Signature::decode(bytes::Bytes::from(encoded)).is_err(), "padding");
        }
    }
}
