//! What is looked up is what is there, and nothing else can be proved.

use std::collections::BTreeMap;

use alloy_primitives::keccak256;
use alloy_trie::{Nibbles, proof::verify_proof};
use proptest::prelude::*;

use super::*;
use crate::tests::ledger::Trie;

/// Keys of 32 bytes that share prefixes and suffixes, so that there are extensions and deep branches.
fn hashed() -> impl Strategy<Value = Vec<u8>> {
    (0..4_u8, 0..4_u8, 0..64_usize, any::<u8>()).prop_map(|(first, last, at, other)| {
        let mut key = vec![first << 4 | first; 32];
        key[31] = last;
        key[at / 2] ^= if at % 2 == 0 { other << 4 } else { other & 0x0f };
        key
    })
}

/// Tries of any content: keys as in states, or the places of lists.
fn tries() -> impl Strategy<Value = Trie> {
    let value = proptest::collection::vec(any::<u8>(), 1..60);
    let states = proptest::collection::btree_map(hashed(), value.clone(), 0..40);
    let lists = proptest::collection::vec(value, 0..300).prop_map(|values| {
        values
            .into_iter()
            .enumerate()
            .map(|(index, value)| (alloy_rlp::encode(index), value))
            .collect::<BTreeMap<_, _>>()
    });
    prop_oneof![states, lists].prop_map(Trie)
}

fn some_key(trie: &Trie, which: prop::sample::Index) -> Option<Vec<u8>> {
    (!trie.0.is_empty()).then(|| trie.0.keys().nth(which.index(trie.0.len())).unwrap().clone())
}

proptest! {
    #[test]
    fn what_is_there_is_found(trie in tries(), which: prop::sample::Index) {
        if let Some(key) = some_key(&trie, which) {
            let proof = trie.prove(&key);
            prop_assert_eq!(lookup(trie.root(), &key, &proof), Ok(trie.0.get(&key).map(Vec::as_slice)));
        }
    }

    #[test]
    fn what_is_absent_is_proved_absent(trie in tries(), key in hashed()) {
        let proof = trie.prove(&key);
        prop_assert_eq!(lookup(trie.root(), &key, &proof), Ok(trie.0.get(&key).map(Vec::as_slice)));
    }

    #[test]
    fn an_altered_proof_proves_nothing(
        trie in tries(), which: prop::sample::Index, node: prop::sample::Index, at: prop::sample::Index, bit in 0..8_u8
    ) {
        if let Some(key) = some_key(&trie, which) {
            let mut proof = trie.prove(&key);
            let node = node.index(proof.len());
            let mut bytes = proof[node].to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            proof[node] = bytes.into();
            let is_refused = matches!(lookup(trie.root(), &key, &proof), Err(TrieError::Hash { .. }));
            prop_assert!(is_refused);
        }
    }

    #[test]
    fn a_part_of_a_proof_proves_nothing(trie in tries(), which: prop::sample::Index, cut: prop::sample::Index) {
        if let Some(key) = some_key(&trie, which) {
            let mut proof = trie.prove(&key);
            let cut = cut.index(proof.len());
            let rest = proof.split_off(cut);
            prop_assert_eq!(lookup(trie.root(), &key, &proof), Err(TrieError::Incomplete(keccak256(&rest[0]))));
        }
    }

    #[test]
    fn a_proof_for_one_key_does_not_lie_about_another(trie in tries(), which: prop::sample::Index, key in hashed()) {
        if let Some(proved) = some_key(&trie, which) {
            let proof = trie.prove(&proved);
            if let Ok(found) = lookup(trie.root(), &key, &proof) {
                prop_assert_eq!(found, trie.0.get(&key).map(Vec::as_slice));
            }
        }
    }

    /// The same answers as the verifier that others use, also on proofs for other keys. A root whose node takes fewer than
    /// 32 bytes it does not verify at all.
    #[test]
    fn as_alloy_says(trie in tries(), which: prop::sample::Index, key in hashed()) {
        let proved = some_key(&trie, which).unwrap_or_else(|| key.clone());
        let proof = trie.prove(&proved);
        prop_assume!(proof.first().is_none_or(|root| root.len() >= B256::len_bytes()));
        for key in [&proved, &key] {
            // Nodes beyond the key are refused here and passed over there.
            let needed = match lookup(trie.root(), key, &proof) {
                Err(TrieError::Excess(needed)) => &proof[..needed],
                _ => &proof[..],
            };
            let is_right = |value: Option<Vec<u8>>| verify_proof(trie.root(), Nibbles::unpack(key), value, needed).is_ok();
            match lookup(trie.root(), key, needed) {
                Ok(value) => prop_assert!(is_right(value.map(<[u8]>::to_vec))),
                Err(_) => prop_assert!(!is_right(None) && !is_right(trie.0.get(key).cloned())),
            }
        }
    }

    /// Nodes that hash to what they should and are anything: whoever chooses the root as well may do what he likes.
    #[test]
    fn chosen_nodes_are_read_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..80), key in proptest::collection::vec(any::<u8>(), 0..33)
    ) {
        let node = Bytes::from(bytes);
        let _ = lookup(keccak256(&node), &key, &[node]);
    }
}

#[test]
fn paths_longer_than_the_key_are_no_trap() {
    // Extensions of 64 digits each, one under the other: 128 digits for a key of 64.
    let packed = [vec![0x00], vec![0xaa; 32]].concat();
    let extension = |child: B256| {
        let mut node = Vec::new();
        alloy_rlp::encode_list::<_, [u8]>(&[packed.as_slice(), child.as_slice()], &mut node);
        Bytes::from(node)
    };
    let last = extension(B256::repeat_byte(1));
    let first = extension(keccak256(&last));
    let root = keccak256(&first);
    assert_eq!(lookup(root, &[0xaa; 32], &[first.clone(), last]), Ok(None));
    assert_eq!(lookup(root, &[0xab; 32], &[first]), Ok(None));
}

#[test]
fn the_empty_trie_has_no_nodes() {
    assert_eq!(lookup(EMPTY_ROOT, &[1; 32], &[]), Ok(None));
    assert_eq!(lookup(EMPTY_ROOT, &[1; 32], &[Bytes::from_static(&[0x80])]), Ok(None));
    let root = B256::repeat_byte(1);
    assert_eq!(lookup(root, &[1; 32], &[]), Err(TrieError::Incomplete(root)));
    assert!(matches!(lookup(root, &[1; 32], &[Bytes::from_static(&[0x80])]), Err(TrieError::Hash { node: 0, .. })));
}

#[test]
fn nodes_beyond_the_key_and_too_many_nodes_are_refused() {
    let trie = Trie((0..50_u8).map(|byte| (keccak256([byte]).to_vec(), vec![byte; 40])).collect());
    let key = keccak256([7]);
    let mut proof = trie.prove(key.as_slice());
    let length = proof.len();
    proof.push(proof[0].clone());
    assert_eq!(lookup(trie.root(), key.as_slice(), &proof), Err(TrieError::Excess(length)));
    proof.resize(MAX_PROOF_NODES + 1, Bytes::new());
    assert_eq!(lookup(trie.root(), key.as_slice(), &proof), Err(TrieError::TooManyNodes(MAX_PROOF_NODES + 1)));
}

#[test]
fn nodes_that_are_none_are_refused() {
    // Neither two items nor seventeen; a path with unknown flags, with a digit too many, empty; a child of 31 bytes; a string; two.
    for node in [
        &[0xc3, 0x80, 0x80, 0x80][..],
        &[0xc2, 0x40, 0x80],
        &[0xc2, 0x01, 0x80],
        &[0xc2, 0x80, 0x80],
        &[&[0xe1, 0x00, 0x9f][..], &[1; 31]].concat(),
        &[0x83, 1, 2, 3],
        &[0xc0, 0xc0],
        &[],
    ] {
        let node = Bytes::copy_from_slice(node);
        assert_eq!(lookup(keccak256(&node), &[0; 32], &[node]), Err(TrieError::Malformed(0)));
    }
}
