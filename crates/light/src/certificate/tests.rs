//! A certificate counts if a quorum of the committee made it, for finality, on this chain; and otherwise not.

use alloy_primitives::B256;
use proptest::prelude::*;

use super::*;
use crate::tests::{
    network::{NAMESPACE, Validators, message, proposal},
    sign,
};

const DIGEST: B256 = B256::repeat_byte(0xdd);

fn proposed() -> Vec<u8> {
    proposal(2, 300, DIGEST, Dissemination::Whole)
}

fn signed_by(validators: &Validators, places: &[usize], message: &[u8]) -> Finalization {
    let bytes = [proposed(), validators.certificate(places, message)].concat();
    Finalization::decode(&bytes, Dissemination::Whole).unwrap()
}

fn finalize() -> Vec<u8> {
    message(NAMESPACE, b"_FINALIZE", &proposed())
}

#[test]
fn every_quorum_counts() {
    for count in [1, 2, 3, 4, 5, 7, 10, 16] {
        let validators = Validators::new(0..count);
        let (committee, quorum) = (validators.committee(), validators.committee().quorum());
        let places: Vec<usize> = (0..count.into()).collect();
        for signers in [&places[..quorum], &places[places.len() - quorum..], &places] {
            let certificate = signed_by(&validators, signers, &finalize());
            assert_eq!((certificate.epoch, certificate.view, certificate.digest), (2, 300, DIGEST));
            assert_eq!(certificate.verify_committee(NAMESPACE, &committee), Ok(()), "{signers:?} of {count}");
        }
        let certificate = signed_by(&validators, &places[..quorum - 1], &finalize());
        let too_few = CertificateError::TooFewSigners { signers: quorum - 1, quorum };
        assert_eq!(certificate.verify_committee(NAMESPACE, &committee), Err(too_few));
    }
}

#[test]
fn another_committee_is_refused() {
    let validators = Validators::new(0..4);
    let certificate = signed_by(&validators, &[0, 1, 2], &finalize());
    let larger = Validators::new(0..5).committee();
    let size = CertificateError::CommitteeSize { certificate: 4, committee: 5 };
    assert_eq!(certificate.verify_committee(NAMESPACE, &larger), Err(size));
    // One member replaced: whoever stands at a signer's place now did not sign.
    let other = Validators::new([0, 1, 2, 9]);
    let error = certificate.verify_committee(NAMESPACE, &other.committee()).unwrap_err();
    let CertificateError::Signature(key) = error else { panic!("{error}") };
    assert!(other.keys().contains(&key));
    let strangers = Validators::new(10..14).committee();
    assert_eq!(
        certificate.verify_committee(NAMESPACE, &strangers),
        Err(CertificateError::Signature(strangers.keys()[0].bytes()))
    );
}

#[test]
fn signatures_for_anything_else_are_refused() {
    let validators = Validators::new(0..4);
    let refused = CertificateError::Signature(validators.keys()[0]);
    for signed in [
        message(NAMESPACE, b"_NOTARIZE", &proposed()),
        message(b"chain 1338", b"_FINALIZE", &proposed()),
        message(NAMESPACE, b"_FINALIZE", &proposal(2, 301, DIGEST, Dissemination::Whole)),
        message(NAMESPACE, b"_FINALIZE", &proposal(3, 300, DIGEST, Dissemination::Whole)),
        message(NAMESPACE, b"_FINALIZE", &proposal(2, 300, B256::ZERO, Dissemination::Whole)),
        proposed(),
    ] {
        let certificate = signed_by(&validators, &[0, 1, 2], &signed);
        assert_eq!(certificate.verify_committee(NAMESPACE, &validators.committee()), Err(refused));
    }
}

#[test]
fn one_signature_cannot_stand_for_several() {
    let validators = Validators::new(0..4);
    let [one] = [sign::ed25519(0, &finalize()).1];
    // At one place thrice: the number of bits and that of signatures differ.
    let mut bytes = [proposed(), vec![0], 4_u64.to_be_bytes().to_vec(), vec![0b0001, 3]].concat();
    (0..3).for_each(|_| bytes.extend(one));
    let error = Finalization::decode(&bytes, Dissemination::Whole).unwrap_err();
    assert_eq!(error.reason, "signers and signatures differ in number");
    // At three places: it is valid at one of them at most.
    let at = bytes.len() - 3 * 64 - 2;
    bytes[at] = 0b0111;
    let certificate = Finalization::decode(&bytes, Dissemination::Whole).unwrap();
    let error = certificate.verify_committee(NAMESPACE, &validators.committee()).unwrap_err();
    assert!(matches!(error, CertificateError::Signature(_)), "{error}");
}

#[test]
fn kinds_are_not_taken_for_each_other() {
    let validators = Validators::new(0..4);
    let group = sign::Group::new(1);
    let signatures = signed_by(&validators, &[0, 1, 2], &finalize());
    assert_eq!(signatures.verify_group(NAMESPACE, &group.key), Err(CertificateError::Kind));
    let bytes = [proposed(), vec![1], group.sign(&finalize()).to_vec()].concat();
    let of_group = Finalization::decode(&bytes, Dissemination::Whole).unwrap();
    assert_eq!(of_group.verify_committee(NAMESPACE, &validators.committee()), Err(CertificateError::Kind));
    assert_eq!(of_group.verify_group(NAMESPACE, &group.key), Ok(()));
    assert_eq!(of_group.verify_group(b"other", &group.key), Err(CertificateError::GroupSignature));
    let other = sign::Group::new(2).key;
    assert_eq!(of_group.verify_group(NAMESPACE, &other), Err(CertificateError::GroupSignature));
}

#[test]
fn long_namespaces_have_long_lengths() {
    let validators = Validators::new(0..4);
    let namespace = [7; 300];
    let certificate = signed_by(&validators, &[1, 2, 3], &message(&namespace, b"_FINALIZE", &proposed()));
    assert_eq!(certificate.verify_committee(&namespace, &validators.committee()), Ok(()));
}

#[test]
fn bits_beyond_the_committee_and_sizes_beyond_the_limit_are_refused() {
    let decode = |bytes: &[u8]| Finalization::decode(&[proposed(), bytes.to_vec()].concat(), Dissemination::Whole);
    let reason = |bytes: &[u8]| decode(bytes).unwrap_err().reason;
    assert_eq!(reason(&[0, 0, 0, 0, 0, 0, 0, 0, 4, 0b1_0001, 0]), "a bit beyond the committee is set");
    assert_eq!(reason(&[0, 0, 0, 0, 0, 0, 0, 4, 1, 0]), "a length is above its limit");
    assert_eq!(reason(&[0, 255, 0, 0, 0, 0, 0, 0, 1, 0]), "a length is above its limit");
    assert_eq!(reason(&[2]), "an unknown kind of certificate");
    assert_eq!(reason(&[]), "it ends early");
    // Nobody's certificate is one in form and has no quorum.
    let nobody = decode(&[0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0]).unwrap();
    let committee = Validators::new(0..4).committee();
    let too_few = CertificateError::TooFewSigners { signers: 0, quorum: 3 };
    assert_eq!(nobody.verify_committee(NAMESPACE, &committee), Err(too_few));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every bit counts: whatever is altered, the certificate is malformed or not valid.
    #[test]
    fn an_altered_certificate_is_refused(at: prop::sample::Index, bit in 0..8_u8, is_coded: bool) {
        let dissemination = if is_coded { Dissemination::Coded } else { Dissemination::Whole };
        let validators = Validators::new(0..7);
        let proposal = proposal(2, 300, DIGEST, dissemination);
        let certificate = validators.certificate(&[0, 1, 3, 4, 6], &message(NAMESPACE, b"_FINALIZE", &proposal));
        let mut bytes = [proposal, certificate].concat();
        let whole = Finalization::decode(&bytes, dissemination).unwrap();
        prop_assert_eq!(whole.verify_committee(NAMESPACE, &validators.committee()), Ok(()));
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(altered) = Finalization::decode(&bytes, dissemination) {
            prop_assert!(altered.verify_committee(NAMESPACE, &validators.committee()).is_err());
            prop_assert!(altered.verify_group(NAMESPACE, &sign::Group::new(1).key).is_err());
        }
    }

    #[test]
    fn an_altered_certificate_of_a_group_is_refused(at: prop::sample::Index, bit in 0..8_u8) {
        let group = sign::Group::new(1);
        let mut bytes = [proposed(), vec![1], group.sign(&finalize()).to_vec()].concat();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(altered) = Finalization::decode(&bytes, Dissemination::Whole) {
            prop_assert!(altered.verify_group(NAMESPACE, &group.key).is_err());
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), tag in 0..3_u8) {
        let _ = Finalization::decode(&bytes, Dissemination::Coded);
        let _ = Finalization::decode(&[proposed(), vec![tag], bytes].concat(), Dissemination::Whole);
    }
}
