//! Project Wycheproof's signatures: small and large numbers, special hashes and keys, r and s out of range, and many that are not valid.

use sha2::{Digest as _, Sha256};
use wycheproof::{
    TestResult,
    ecdsa::{TestName, TestSet},
};

use super::*;

/// A signature of the set, with the key it is said to be of.
struct Vector {
    name: String,
    hash: B256,
    r: U256,
    s: U256,
    key: PublicKey,
    is_valid: bool,
}

/// All whose bytes are two numbers of 32.
fn vectors() -> Vec<Vector> {
    let set = TestSet::load(TestName::EcdsaSecp256k1Sha256P1363).unwrap();
    let mut vectors = Vec::new();
    for group in &set.test_groups {
        let key = PublicKey(group.key.key[1..].try_into().unwrap());
        for test in &group.tests {
            let (Some((r, s)), true) = (test.sig.split_at_checked(32), test.sig.len() == 64) else { continue };
            vectors.push(Vector {
                name: format!("{} ({})", test.tc_id, test.comment),
                hash: B256::new(Sha256::digest(&test.msg[..]).into()),
                r: U256::from_be_slice(r),
                s: U256::from_be_slice(s),
                key,
                is_valid: test.result == TestResult::Valid,
            });
        }
    }
    vectors
}

#[test]
fn valid_ones_and_no_others_name_their_key() {
    let vectors = vectors();
    let valid = vectors.iter().filter(|vector| vector.is_valid).count();
    assert!(valid > 100 && vectors.len() - valid > 20, "{valid} of {} are valid", vectors.len());
    // Which of the keys that a signature may be of is meant is not said, so all are recovered.
    let signed = |vector: &Vector| {
        let Vector { hash, r, s, .. } = *vector;
        (0..4).map(move |recovery_id| Signed { hash, r, s, recovery_id })
    };
    let all: Vec<Signed> = vectors.iter().flat_map(signed).collect();
    let hinted: Vec<_> =
        all.iter().enumerate().map(|(index, signed)| (*signed, Some(vectors[index / 4].key))).collect();
    for (name, backend) in backends() {
        let recovered = recover_with(backend, &all);
        let with_hints = recover_hinted_with(backend, &hinted, &mut StdRng::seed_from_u64(5));
        assert_eq!(recovered, with_hints, "{name}");
        for (index, vector) in vectors.iter().enumerate() {
            let keys = &recovered[4 * index..][..4];
            assert_eq!(keys.contains(&Ok(vector.key)), vector.is_valid, "{name}: {}", vector.name);
        }
    }
    for signed in all {
        assert_eq!(recover_with(backend::PORTABLE, &[signed])[0].ok(), expected(&signed), "{signed:?}");
    }
}
