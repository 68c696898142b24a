//! The light client against the engine: it reads what the engine writes, believes what the engine believes, and nothing more.
//!
//! The client has its own codecs and its own verification; these tests are what keeps them the same.

#![expect(clippy::unwrap_used, reason = "tests")]

mod network;

use alloy_primitives::{B256, Bytes, FixedBytes};
use braid_consensus::{
    block::{Coded, Whole},
    certificates::Certified,
    committee::Committee,
    keys,
};
use braid_light::{Checkpoint, Trust, ed25519 as light_ed25519};
use braid_types::{
    ConsensusConfig,
    ordered::{CertificateScheme, Dissemination},
};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use commonware_cryptography::{
    Verifier as _,
    ed25519::{PublicKey, Signature},
};
use network::{Both, EPOCH, Network, config, proof, secret, validator};
use proptest::prelude::*;

fn agrees<K: Both>(validators: u8, scheme: CertificateScheme) {
    let network = Network::new::<K>(validators, scheme);
    let next = Committee::new((3..12).map(validator).collect()).unwrap();
    let (headers, encoded) = proof::<K>(&network, &next);
    assert!(network.is_certified::<K>(&encoded));
    let found = network.client.finalized(&encoded).unwrap();
    let lowest = &headers[0];
    assert_eq!(found.digest, B256::from(lowest.digest().0));
    assert_eq!((found.epoch, found.view), (EPOCH, lowest.context.round.view().get()));
    assert_eq!(found.leader, keys::to_bytes(&lowest.context.leader));
    assert_eq!(found.parent, B256::from(lowest.parent.0));
    assert_eq!(
        (found.height, found.timestamp_ms, found.beneficiary),
        (lowest.height, lowest.timestamp_ms, lowest.beneficiary)
    );
    assert_eq!((found.execution.height, found.execution.hash), (lowest.execution.height, lowest.execution.hash));
    assert_eq!((found.body, found.next), (B256::from(lowest.body.0), None));

    // The last header alone takes the client on to the next committee.
    let last = Certified { headers: vec![headers[1].clone()], finalization: network.finalize(&headers[1], 1) };
    let mut client = network.client.clone();
    client.advance(&last.encode()).unwrap();
    if let Trust::Checkpoint(Checkpoint { epoch, committee }) = &client.trust {
        let keys: Vec<B256> = committee.keys().iter().map(light_ed25519::PublicKey::bytes).collect();
        let expected: Vec<B256> = next.validators().iter().map(|member| keys::to_bytes(&member.public_key)).collect();
        assert_eq!((*epoch, keys), (EPOCH + 1, expected));
    }
}

/// Same chain, same Ethereum genesis, same keys: one word of `config.braid` makes signatures worthless elsewhere.
#[test]
fn networks_that_differ_in_their_configuration_take_nothing_from_each_other() {
    for scheme in [CertificateScheme::Ed25519, CertificateScheme::Bls12381Threshold] {
        let (ours, shares) = config::<Whole>(4, scheme);
        let network = Network::of::<Whole>(&ours, &shares);
        let (_, encoded) = proof::<Whole>(&network, &network.rules.committee);
        assert!(network.is_certified::<Whole>(&encoded) && network.client.finalized(&encoded).is_ok());
        let mut moved = ours.validators.clone();
        moved[0].address = "elsewhere.example:30400".to_owned();
        let others = [
            ConsensusConfig { execution_lag: ours.execution_lag + 1, ..ours.clone() },
            ConsensusConfig { epoch_length: ours.epoch_length + 1, ..ours.clone() },
            ConsensusConfig { dissemination: Dissemination::Coded, ..ours.clone() },
            ConsensusConfig { validators: moved, ..ours.clone() },
        ];
        for other in others {
            let other = Network::of::<Whole>(&other, &shares);
            assert!(!other.is_certified::<Whole>(&encoded));
            let mut client = network.client.clone();
            client.chain.namespace.clone_from(&other.client.chain.namespace);
            let outcome = client.finalized(&encoded);
            assert!(outcome.is_err(), "{outcome:?}");
        }
    }
}

#[test]
fn the_client_believes_what_the_engine_certifies() {
    for scheme in [CertificateScheme::Ed25519, CertificateScheme::Bls12381Threshold] {
        for validators in [4, 7, 10] {
            agrees::<Whole>(validators, scheme);
            agrees::<Coded>(validators, scheme);
        }
    }
}

#[test]
fn both_know_the_same_namespace_and_key() {
    let network = Network::new::<Whole>(4, CertificateScheme::Bls12381Threshold);
    assert_eq!(network.client.chain.namespace, Bytes::from(network.rules.namespace.clone()));
    let (config, _) = config::<Whole>(4, CertificateScheme::Bls12381Threshold);
    let polynomial = keys::polynomial(&config.group_polynomial.unwrap()).unwrap();
    let Trust::GroupKey(key) = network.client.trust else { panic!("a group was configured") };
    assert_eq!(key.bytes(), FixedBytes::<96>::from_slice(&polynomial.public().encode()));
}

/// Points of order 1, 2, 4 and 8, in every encoding that there is (ZIP 215 has to take them all).
fn small_order_points() -> Vec<B256> {
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ]
    .map(|hex| hex.parse().unwrap())
    .into()
}

/// What commonware and the client think of a signature over `message` (under the empty namespace, which is a zero byte before it).
fn opinions(key: B256, signature: [u8; 64], message: &[u8]) -> (bool, bool) {
    let theirs = PublicKey::decode(Copying(key.as_slice()))
        .is_ok_and(|key| key.verify(&[], message, &Signature::decode(Copying(&signature[..])).unwrap()));
    let message = [&[0], message].concat();
    let ours = light_ed25519::PublicKey::new(key).is_some_and(|key| {
        let alone = key.verify(&message, &signature);
        assert_eq!(light_ed25519::verify_all(&message, &[(&key, signature)]), alone);
        alone
    });
    (theirs, ours)
}

#[test]
fn odd_signatures_are_taken_alike() {
    let points = small_order_points();
    for key in &points {
        for nonce in &points {
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(nonce.as_slice());
            assert_eq!(opinions(*key, signature, b"Zcash"), (true, true), "{key} {nonce}");
            // The group's order itself for a scalar: zero, but not in its canonical form.
            let order: B256 = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010".parse().unwrap();
            signature[32..].copy_from_slice(order.as_slice());
            assert_eq!(opinions(*key, signature, b"Zcash"), (false, false), "{key} {nonce}");
        }
    }
}

/// Flips a bit of a proof at each of the places by turns; gives the first over which the engine and the client disagree. Where the
/// engine decodes more strictly (a commitment's parts, keys of validators in a header), the header's digest is not the
/// certified one any more, so neither believes it.
fn disagrees<K: Both>(scheme: CertificateScheme, places: &[(prop::sample::Index, u8)]) -> Option<(usize, u8)> {
    let network = Network::new::<K>(4, scheme);
    let next = Committee::new((3..12).map(validator).collect()).unwrap();
    let (_, mut proof) = proof::<K>(&network, &next);
    places.iter().map(|(at, bit)| (at.index(proof.len()), *bit)).collect::<Vec<_>>().into_iter().find(|(at, bit)| {
        proof[*at] ^= 1 << bit;
        let differs = network.is_certified::<K>(&proof) != network.client.finalized(&proof).is_ok();
        proof[*at] ^= 1 << bit;
        differs
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_client_doubts_what_the_engine_doubts(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..40), is_threshold: bool, is_coded: bool
    ) {
        let scheme = if is_threshold { CertificateScheme::Bls12381Threshold } else { CertificateScheme::Ed25519 };
        let differs = if is_coded { disagrees::<Coded>(scheme, &changes) } else { disagrees::<Whole>(scheme, &changes) };
        prop_assert_eq!(differs, None);
    }

    #[test]
    fn signatures_are_taken_alike(validator in 0..4_u8, message: Vec<u8>, flip: Option<(u16, bool)>) {
        use commonware_cryptography::Signer as _;
        let key = keys::identity(&secret(validator)).unwrap();
        let (mut public, mut signature) = (keys::to_bytes(&key.public_key()), [0; 64]);
        signature.copy_from_slice(key.sign(&[], &message).as_ref());
        if let Some((bit, is_key)) = flip {
            let bytes = if is_key { public.as_mut_slice() } else { &mut signature[..] };
            let bit = usize::from(bit) % (8 * bytes.len());
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let (theirs, ours) = opinions(public, signature, &message);
        prop_assert_eq!(theirs, ours);
        prop_assert_eq!(ours, flip.is_none());
    }
}
