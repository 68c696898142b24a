//! Every backend against libsecp256k1, one signature after the other.

mod vectors;

use std::sync::LazyLock;

use alloy_primitives::{B256, U256, keccak256, uint};
use proptest::prelude::*;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use secp256k1::{
    Message, PublicKey as Point, Secp256k1, SecretKey,
    ecdsa::{RecoverableSignature, RecoveryId},
};

use crate::{
    PublicKey, RecoveryError, Signed,
    backend::{self, Backend},
    claim,
    field::{
        limbs29::Halves,
        limbs43,
        tests::{Checked, Checked52},
    },
    generator::Generator,
    lockstep::{self, Tables},
    recover::{recover_hinted_with, recover_with},
};

const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

const PRIME: U256 = uint!(0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f_U256);

const LAMBDA: U256 = uint!(0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72_U256);

/// What is checked with many signatures.
fn fast() -> Vec<(&'static str, Backend)> {
    backends().into_iter().filter(|(name, _)| !name.starts_with("checked")).collect()
}

/// All that this processor can run, and limbs that check their bounds, slowly.
fn backends() -> Vec<(&'static str, Backend)> {
    static GENERATOR: LazyLock<Generator<Halves<Checked>>> = LazyLock::new(Generator::compute);
    static GENERATOR_52: LazyLock<Generator<limbs43::Limbs<Checked52>>> = LazyLock::new(Generator::compute);
    let recover: fn(&[_]) -> _ = |inputs| lockstep::recover(&GENERATOR, inputs, &mut Tables::new());
    let checked = Backend { batch: 128, recover, check: claim::check::<Halves<Checked>> };
    let recover: fn(&[_]) -> _ = |inputs| lockstep::recover(&GENERATOR_52, inputs, &mut Tables::new());
    let checked_52 = Backend { batch: 128, recover, check: claim::check::<limbs43::Limbs<Checked52>> };
    let mut backends = vec![("portable", backend::PORTABLE), ("checked", checked), ("checked, 52 bits", checked_52)];
    #[cfg(target_arch = "x86_64")]
    backends.extend(backend::avx2::backend().map(|backend| ("avx2", backend)));
    #[cfg(target_arch = "x86_64")]
    backends.extend(backend::avx512::backend().map(|backend| ("avx512", backend)));
    backends
}

/// What libsecp256k1 recovers.
fn expected(signed: &Signed) -> Option<PublicKey> {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&signed.r.to_be_bytes::<32>());
    bytes[32..].copy_from_slice(&signed.s.to_be_bytes::<32>());
    let id = RecoveryId::try_from(i32::from(signed.recovery_id)).ok()?;
    let signature = RecoverableSignature::from_compact(&bytes, id).ok()?;
    let secp = Secp256k1::verification_only();
    let key = secp.recover_ecdsa(Message::from_digest(signed.hash.0), &signature).ok()?;
    let mut key_bytes = [0; 64];
    key_bytes.copy_from_slice(&key.serialize_uncompressed()[1..]);
    Some(PublicKey(key_bytes))
}

/// Whether backends recover what libsecp256k1 does, with hints and without.
fn assert_same(backends: &[(&str, Backend)], signatures: &[Signed], seed: u64) {
    let answers: Vec<Option<PublicKey>> = signatures.iter().map(expected).collect();
    let mut random = StdRng::seed_from_u64(seed);
    // Mostly true, as false ones end the common check.
    let honest = random.random_bool(0.5);
    let hint = |answer: &Option<PublicKey>, random: &mut StdRng| match random.random_range(0..16) {
        0 if !honest => Some(PublicKey(random.random())),
        1 if !honest => answers[random.random_range(0..answers.len())],
        2 => None,
        _ => *answer,
    };
    let hinted: Vec<_> =
        signatures.iter().zip(&answers).map(|(signed, answer)| (*signed, hint(answer, &mut random))).collect();
    for (name, backend) in backends {
        let recovered = recover_with(*backend, signatures);
        let hinted = recover_hinted_with(*backend, &hinted, &mut random);
        assert_eq!((recovered.len(), hinted.len()), (answers.len(), answers.len()));
        for (index, answer) in answers.iter().enumerate() {
            let signed = signatures[index];
            assert_eq!(recovered[index].ok(), *answer, "{name}, {signed:?}: {:?}", recovered[index]);
            assert_eq!(hinted[index], recovered[index], "{name} with hints, {signed:?}");
        }
    }
}

fn inverse(number: U256) -> U256 {
    number.pow_mod(ORDER - U256::from(2), ORDER)
}

/// A signature by a chosen nonce and key.
fn signed(key: U256, nonce: U256, hash: U256) -> Signed {
    let secp = Secp256k1::new();
    let secret = SecretKey::from_byte_array(nonce.to_be_bytes()).unwrap();
    let point = Point::from_secret_key(&secp, &secret).serialize_uncompressed();
    let (x, is_odd) = (U256::from_be_slice(&point[1..33]), point[64] & 1);
    let r = x.reduce_mod(ORDER);
    let s = inverse(nonce).mul_mod(hash.reduce_mod(ORDER).add_mod(r.mul_mod(key, ORDER), ORDER), ORDER);
    Signed { hash: hash.into(), r, s, recovery_id: is_odd | u8::from(x >= ORDER) << 1 }
}

/// Numbers that arithmetic may stumble over.
fn scalar() -> impl Strategy<Value = U256> {
    let half = ORDER >> 1;
    let special = prop_oneof![
        (0_u64..20).prop_map(U256::from),
        (0_u64..20).prop_map(|number| ORDER - U256::from(number)),
        (0_u64..20).prop_map(|number| ORDER.wrapping_add(U256::from(number))),
        (0_u64..4).prop_map(move |number| half + U256::from(number)),
        (0_u64..3).prop_map(|number| PRIME - ORDER + U256::from(number) - U256::from(1)),
        (0_u64..3).prop_map(|number| U256::MAX - U256::from(number)),
        (0_u64..40).prop_map(|number| LAMBDA.mul_mod(U256::from(number), ORDER)),
        (0_u64..40).prop_map(|number| ORDER - LAMBDA.mul_mod(U256::from(number + 1), ORDER)),
        (0_usize..256).prop_map(|bit| U256::from(1) << bit),
        (0_usize..256).prop_map(|bit| (U256::from(1) << bit) - U256::from(1)),
    ];
    prop_oneof![1 => special, 1 => any::<[u64; 4]>().prop_map(U256::from_limbs)]
}

/// What nobody signed: any numbers.
fn arbitrary() -> impl Strategy<Value = Signed> {
    (scalar(), scalar(), scalar(), 0_u8..6).prop_map(|(hash, r, s, recovery_id)| Signed {
        hash: hash.into(),
        r,
        s,
        recovery_id,
    })
}

/// Signed with special keys and nonces, then perhaps changed.
fn made() -> impl Strategy<Value = Signed> {
    let nonzero = || {
        scalar().prop_map(|number| {
            let reduced = number.reduce_mod(ORDER);
            if reduced.is_zero() { U256::from(1) } else { reduced }
        })
    };
    (nonzero(), nonzero(), scalar(), 0_u8..12).prop_map(|(key, nonce, hash, change)| {
        let mut signed = signed(key, nonce, hash);
        let quotient = hash.reduce_mod(ORDER).mul_mod(inverse(nonce), ORDER);
        match change {
            0 => signed.recovery_id ^= 1,
            1 => signed.recovery_id ^= 2,
            2 => signed.s = ORDER - signed.s,
            3 => (signed.s, signed.recovery_id) = (ORDER - signed.s, signed.recovery_id ^ 1),
            // The key would be infinity: both of its summands are opposite.
            4 => signed.s = quotient,
            // Both are the same point.
            5 => signed.s = ORDER - quotient,
            6 => signed.hash = B256::ZERO,
            7 => signed.hash = ORDER.into(),
            _ => {}
        }
        signed
    })
}

/// Plain ones, as nearly all are.
fn honest(seed: u64) -> Signed {
    let secp = Secp256k1::new();
    // Few senders, so that they repeat.
    let key = SecretKey::from_byte_array(keccak256((seed % 41).to_be_bytes()).0).unwrap();
    let hash = keccak256(keccak256(seed.to_be_bytes()));
    let (id, bytes) = secp.sign_ecdsa_recoverable(Message::from_digest(hash.0), &key).serialize_compact();
    let number = |bytes: &[u8]| U256::from_be_slice(bytes);
    Signed { hash, r: number(&bytes[..32]), s: number(&bytes[32..]), recovery_id: u8::try_from(i32::from(id)).unwrap() }
}

/// Honest signatures with a few others among them.
fn mixed() -> impl Strategy<Value = Vec<Signed>> {
    let others = proptest::collection::vec((made(), any::<proptest::sample::Index>()), 0..3);
    (proptest::collection::vec(any::<u64>(), 1..300), others).prop_map(|(seeds, others)| {
        let mut signatures: Vec<Signed> = seeds.into_iter().map(honest).collect();
        for (other, index) in others {
            let index = index.index(signatures.len());
            signatures[index] = other;
        }
        signatures
    })
}

// Some ten thousand signatures each.
proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_numbers(signatures in proptest::collection::vec(arbitrary(), 1..400), seed in any::<u64>()) {
        assert_same(&fast(), &signatures, seed);
    }

    #[test]
    fn special_keys_and_nonces(signatures in proptest::collection::vec(made(), 1..400), seed in any::<u64>()) {
        assert_same(&fast(), &signatures, seed);
    }

    #[test]
    fn honest_ones_with_a_few_others(signatures in mixed(), seed in any::<u64>()) {
        assert_same(&fast(), &signatures, seed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn bounds_hold(signatures in prop_oneof![proptest::collection::vec(made(), 70..90), mixed()], seed in any::<u64>()) {
        assert_same(&backends(), &signatures, seed);
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let good = honest(1);
    let cases = [
        (good, None),
        (Signed { r: U256::ZERO, ..good }, Some(RecoveryError::OutOfRange)),
        (Signed { s: U256::ZERO, ..good }, Some(RecoveryError::OutOfRange)),
        (Signed { r: ORDER, ..good }, Some(RecoveryError::OutOfRange)),
        (Signed { s: ORDER, ..good }, Some(RecoveryError::OutOfRange)),
        (Signed { s: U256::MAX, ..good }, Some(RecoveryError::OutOfRange)),
        (Signed { recovery_id: 4, ..good }, Some(RecoveryError::RecoveryId(4))),
        (Signed { recovery_id: 2, ..good }, Some(RecoveryError::NotOnCurve)),
        // 5³ + 7 is no square.
        (Signed { r: U256::from(5), ..good }, Some(RecoveryError::NotOnCurve)),
        (
            Signed { s: U256::from_be_bytes(good.hash.0).reduce_mod(ORDER), r: generator_x(), recovery_id: 0, ..good },
            Some(RecoveryError::Infinity),
        ),
    ];
    for (name, backend) in backends() {
        let answers = recover_with(backend, &cases.map(|(signed, _)| signed));
        let errors: Vec<_> = answers.into_iter().map(Result::err).collect();
        assert_eq!(errors, cases.map(|(_, error)| error), "{name}");
        for (signed, error) in cases {
            assert_eq!(recover_with(backend, &[signed])[0].err(), error, "{name}, alone");
        }
    }
}

fn generator_x() -> U256 {
    // y of the generator is even.
    uint!(0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798_U256)
}

#[test]
fn x_beyond_the_order_is_reached_by_its_recovery_ids_only() {
    // Some r for which r plus the order is the x of a point.
    let found = (1_u64..100).find_map(|r| {
        let signed = Signed { r: U256::from(r), recovery_id: 2, ..honest(2) };
        expected(&signed).map(|key| (signed, key))
    });
    let (beyond, key) = found.expect("half of all x are on the curve");
    for (name, backend) in backends() {
        let answers = recover_with(backend, &[beyond, Signed { recovery_id: 0, ..beyond }]);
        assert_eq!(answers[0], Ok(key), "{name}");
        assert_ne!(answers[1], Ok(key), "{name}");
    }
}

#[test]
fn hints_are_checked_together() {
    // Guards the point of the exercise: true hints must not fall back to recovery, which this check does not do.
    let signatures: Vec<Signed> = (0..200).map(honest).collect();
    for (name, backend) in backends() {
        let keys: Vec<PublicKey> = recover_with(backend, &signatures).into_iter().map(Result::unwrap).collect();
        let mut hints: Vec<_> = signatures.iter().zip(&keys).map(|(signed, key)| (*signed, *key)).collect();
        let count = |hints: &[(Signed, PublicKey)]| {
            crate::recover::true_hints(backend, hints, &mut StdRng::seed_from_u64(7))
                .iter()
                .filter(|known| **known)
                .count()
        };
        assert_eq!(count(&hints), 200, "{name}");
        hints[33].1 = keys[34];
        assert_eq!(count(&hints), 175, "{name}: an eighth is not known");
        hints[190].0.hash = B256::ZERO;
        assert_eq!(count(&hints), 150, "{name}: two eighths are not known");
    }
}

#[test]
fn nothing_is_recovered_from_nothing() {
    for (_, backend) in backends() {
        assert_eq!(recover_with(backend, &[]), []);
        assert_eq!(recover_hinted_with(backend, &[], &mut StdRng::seed_from_u64(1)), []);
    }
}
