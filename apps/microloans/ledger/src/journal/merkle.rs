//! The Merkle tree over the entries of a day, by RFC 6962 (section 2.1): SHA-256, a leaf's bytes begin with 0, a node's with 1, and a tree splits at the largest
//! power of two below its size. So leaves are never nodes, and a proof says nothing but that the entry is in.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::LedgerError;

/// A hash.
pub type Hash = [u8; 32];

/// That a leaf is in a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Proof {
    /// The leaf's place, from 0.
    pub index: usize,
    /// How many leaves there are.
    pub size: usize,
    /// The hashes beside the way to the root, from the leaf on, in hexadecimal.
    pub path: Vec<String>,
}

fn leaf_hash(leaf: &Hash) -> Hash {
    Sha256::new().chain_update([0]).chain_update(leaf).finalize().into()
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Where a tree of more than one leaf splits.
const fn split(size: usize) -> usize {
    size.next_power_of_two() / 2
}

/// The root over leaves; of none, the hash of nothing.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => leaf_hash(leaf),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// The proof for the leaf at a place.
#[must_use]
pub fn prove(leaves: &[Hash], index: usize) -> Option<Proof> {
    let mut path = Vec::new();
    let (mut part, mut at) = (leaves, index);
    if index >= leaves.len() {
        return None;
    }
    while part.len() > 1 {
        let (left, right) = part.split_at(split(part.len()));
        let beside = if at < left.len() { right } else { left };
        path.push(const_hex::encode(root(beside)));
        (part, at) = if at < left.len() { (left, at) } else { (right, at - left.len()) };
    }
    path.reverse();
    Some(Proof { index, size: leaves.len(), path })
}

/// The root that a proof leads to from a leaf (RFC 9162, section 2.1.3.2).
///
/// # Errors
/// If the proof has the wrong length or is no hexadecimal.
pub fn root_by(leaf: &Hash, proof: &Proof) -> Result<Hash, LedgerError> {
    let wrong = || LedgerError::invalid("this is not a proof");
    if proof.index >= proof.size {
        return Err(wrong());
    }
    let (mut at, mut last) = (proof.index, proof.size - 1);
    let mut hash = leaf_hash(leaf);
    for beside in &proof.path {
        if last == 0 {
            return Err(wrong());
        }
        let beside = <Hash>::try_from(const_hex::decode(beside).map_err(|_| wrong())?).map_err(|_| wrong())?;
        if at % 2 == 1 || at == last {
            hash = node_hash(&beside, &hash);
            while at % 2 == 0 && at != 0 {
                (at, last) = (at / 2, last / 2);
            }
        } else {
            hash = node_hash(&hash, &beside);
        }
        (at, last) = (at / 2, last / 2);
    }
    if last == 0 { Ok(hash) } else { Err(wrong()) }
}

/// Reads a hash.
///
/// # Errors
/// If the text is not 64 hexadecimal digits.
pub fn parse(text: &str) -> Result<Hash, LedgerError> {
    let bytes = const_hex::decode(text).map_err(|_| LedgerError::Corrupt(format!("{text:?} as a hash")))?;
    bytes.try_into().map_err(|_| LedgerError::Corrupt(format!("{text:?} as a hash")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|at| [at; 32]).collect()
    }

    #[test]
    fn every_leaf_is_proved_and_no_other() {
        for count in 1..=40 {
            let leaves = leaves(count);
            let root = root(&leaves);
            for (at, leaf) in leaves.iter().enumerate() {
                let proof = prove(&leaves, at).unwrap();
                assert_eq!(root_by(leaf, &proof).unwrap(), root, "leaf {at} of {count}");
                assert_ne!(root_by(&[99; 32], &proof).unwrap(), root);
                let elsewhere = Proof { index: (at + 1) % leaves.len(), ..proof.clone() };
                assert!(count == 1 || root_by(leaf, &elsewhere).map_or(true, |other| other != root));
            }
            assert_eq!(prove(&leaves, leaves.len()), None);
        }
    }

    #[test]
    fn proofs_of_the_wrong_length_are_refused() {
        let leaves = leaves(5);
        let proof = prove(&leaves, 2).unwrap();
        let mut long = proof.clone();
        long.path.push("00".repeat(32));
        let short = Proof { path: proof.path[1..].to_vec(), ..proof.clone() };
        let other = Proof { path: vec!["zz".to_owned()], ..proof };
        for wrong in [long, short, other] {
            assert!(root_by(&leaves[2], &wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_leaf_is_not_a_node() {
        let two = leaves(2);
        let inner = root(&two);
        assert_ne!(root(&[inner]), inner);
    }
}
