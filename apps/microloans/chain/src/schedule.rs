//! The tree over a loan's instalments, as the loan book reads it: leaves are hashed twice, pairs are sorted (OpenZeppelin's MerkleProof). A node
//! without a partner goes up as it is.

use alloy_primitives::{B256, keccak256};
use alloy_sol_types::SolValue as _;

use crate::contracts::Instalment;

/// Instalments and their tree.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Leaves first, the root last.
    levels: Vec<Vec<B256>>,
}

impl Schedule {
    /// The tree; `None` without instalments.
    #[must_use]
    pub fn new(instalments: &[Instalment]) -> Option<Self> {
        let mut level: Vec<B256> = instalments.iter().map(leaf).collect();
        if level.is_empty() {
            return None;
        }
        let mut levels = Vec::new();
        while level.len() > 1 {
            let above = level.chunks(2).map(parent).collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        levels.push(level);
        Some(Self { levels })
    }

    /// What the offer names.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_default()
    }

    /// The way from an instalment, by its place from 0, to the root.
    #[must_use]
    pub fn proof(&self, mut at: usize) -> Vec<B256> {
        let mut proof = Vec::new();
        for level in &self.levels {
            proof.extend(level.get(at ^ 1));
            at /= 2;
        }
        proof
    }
}

/// The leaf of an instalment.
#[must_use]
pub fn leaf(instalment: &Instalment) -> B256 {
    keccak256(keccak256(instalment.abi_encode()))
}

fn parent(pair: &[B256]) -> B256 {
    match *pair {
        [left, right] if left < right => keccak256([left.0, right.0].concat()),
        [left, right] => keccak256([right.0, left.0].concat()),
        [single] => single,
        _ => B256::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instalments(count: u16) -> Vec<Instalment> {
        let one = |number| Instalment { number, due: 20_000, principal: 10, interest: 1, fees: 0 };
        (0..count).map(one).collect()
    }

    #[test]
    fn every_instalment_is_proved_by_sorted_pairs() {
        for count in 1..40 {
            let all = instalments(count);
            let tree = Schedule::new(&all).unwrap();
            for (at, instalment) in all.iter().enumerate() {
                let reached = tree.proof(at).into_iter().fold(leaf(instalment), |node, beside| parent(&[node, beside]));
                assert_eq!(reached, tree.root(), "{at} of {count}");
            }
        }
        assert!(Schedule::new(&[]).is_none());
    }
}
