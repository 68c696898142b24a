//! The trie against `alloy_trie::HashBuilder` over all leaves, on keys that share long prefixes and on random ones.

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes, U256};
use alloy_trie::{HashBuilder, Nibbles, proof::verify_proof};
use proptest::prelude::*;

use super::{Child, Op, diff, for_each, get, prove, root_hash, update};

type Model = BTreeMap<B256, U256>;

fn oracle_root(model: &Model) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, value) in model {
        builder.add_leaf(Nibbles::unpack(key), &alloy_rlp::encode(value));
    }
    builder.root()
}

/// Keys from a small alphabet in a few bytes only: many extensions, embedded leaves, collapses.
fn crowded_key() -> impl Strategy<Value = B256> {
    (0..3usize, prop::collection::vec(prop::sample::select(vec![0u8, 1, 0x10, 0x11, 0x0f]), 3)).prop_map(
        |(place, bytes)| {
            let mut key = B256::repeat_byte(0x22);
            let at = [0, 14, 29][place];
            key[at..at + 3].copy_from_slice(&bytes);
            key
        },
    )
}

fn value() -> impl Strategy<Value = Option<U256>> {
    prop_oneof![
        3 => Just(None),
        3 => (1u64..200).prop_map(|value| Some(U256::from(value))),
        1 => any::<[u8; 32]>().prop_map(|bytes| Some(U256::from_be_bytes(bytes) | U256::from(1))),
    ]
}

fn batches(key: impl Strategy<Value = B256>) -> impl Strategy<Value = Vec<Vec<Op<U256>>>> {
    let batch = prop::collection::btree_map(key, value(), 0..90).prop_map(|batch| batch.into_iter().collect());
    prop::collection::vec(batch, 1..8)
}

fn apply_to_model(model: &mut Model, ops: &[Op<U256>]) {
    for (key, value) in ops {
        match value {
            Some(value) => model.insert(*key, *value),
            None => model.remove(key),
        };
    }
}

fn check_proof(root: Option<&Child<U256>>, key: B256, value: Option<&U256>) {
    let proof: Vec<Bytes> = prove(root, &key);
    let expected = value.map(alloy_rlp::encode);
    verify_proof(root_hash(root), Nibbles::unpack(key), expected, &proof).unwrap();
}

fn check_versions(batches: &[Vec<Op<U256>>]) {
    let mut root: Option<Child<U256>> = None;
    let mut model = Model::new();
    let mut versions = vec![(root.clone(), model.clone())];
    for ops in batches {
        root = update(root.as_ref(), ops);
        apply_to_model(&mut model, ops);
        assert_eq!(root_hash(root.as_ref()), oracle_root(&model));
        for (key, _) in ops {
            assert_eq!(get(root.as_ref(), key), model.get(key));
            check_proof(root.as_ref(), *key, model.get(key));
        }
        versions.push((root.clone(), model.clone()));
    }
    for (root, model) in &versions {
        let mut seen = Model::new();
        for_each(root.as_ref(), &mut |key, value| assert!(seen.insert(*key, *value).is_none()));
        assert_eq!(&seen, model, "an old version changed");
    }
    check_diffs(&versions);
}

fn check_diffs(versions: &[(Option<Child<U256>>, Model)]) {
    for (old, old_model) in versions {
        for (new, new_model) in versions {
            let mut patched = old_model.clone();
            diff(old.as_ref(), new.as_ref(), &mut |key, before, after| {
                assert_ne!(before, after);
                assert_eq!(before, old_model.get(key));
                match after {
                    Some(value) => patched.insert(*key, *value),
                    None => patched.remove(key),
                };
            });
            assert_eq!(&patched, new_model);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn crowded_keys_agree_with_the_oracle(batches in batches(crowded_key())) {
        check_versions(&batches);
    }

    #[test]
    fn random_keys_agree_with_the_oracle(batches in batches(any::<[u8; 32]>().prop_map(B256::from))) {
        check_versions(&batches);
    }
}

#[test]
fn an_unchanged_value_keeps_the_very_node() {
    let ops: Vec<Op<U256>> = (0u8..40).map(|byte| (B256::repeat_byte(byte), Some(U256::from(7)))).collect();
    let root = update(None, &ops).unwrap();
    let again = update(Some(&root), &ops).unwrap();
    assert!(root.is_same(&again));
    let absent: Vec<Op<U256>> = vec![(B256::with_last_byte(3), None), (B256::repeat_byte(0xee), None)];
    assert!(root.is_same(&update(Some(&root), &absent).unwrap()));
}

#[test]
fn removing_everything_leaves_the_empty_root() {
    let ops: Vec<Op<U256>> = (0u8..40).map(|byte| (B256::repeat_byte(byte), Some(U256::from(7)))).collect();
    let root = update(None, &ops);
    let removals: Vec<Op<U256>> = ops.iter().map(|(key, _)| (*key, None)).collect();
    assert!(update(root.as_ref(), &removals).is_none());
    assert_eq!(root_hash::<U256>(None), alloy_trie::EMPTY_ROOT_HASH);
    assert!(prove::<U256>(None, &B256::ZERO).is_empty());
}

#[test]
fn large_batches_in_parallel_agree_with_the_oracle() {
    let key = |index: u64| alloy_primitives::keccak256(index.to_be_bytes());
    let mut ops: Vec<Op<U256>> = (0..5_000).map(|index| (key(index), Some(U256::from(index + 1)))).collect();
    ops.sort_by_key(|(key, _)| *key);
    let mut model = Model::new();
    apply_to_model(&mut model, &ops);
    let root = update(None, &ops);
    assert_eq!(root_hash(root.as_ref()), oracle_root(&model));
    let mut removals: Vec<Op<U256>> = (0..4_990).map(|index| (key(index), None)).collect();
    removals.sort_by_key(|(key, _)| *key);
    apply_to_model(&mut model, &removals);
    assert_eq!(root_hash(update(root.as_ref(), &removals).as_ref()), oracle_root(&model));
}
