//! Which transactions are likely to wait for each other.
//!
//! Transactions that call the same function of the same contract with the same addresses among their arguments mostly touch the
//! same slots: two swaps along one path meet in its pools, two swaps along others do not. Such transactions form a group. Groups that
//! were seen at one slot that does not commute form a chain, and a chain is executed in order. A wrong prediction costs time, never
//! correctness.

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, U256, map::HashMap};
use braid_types::RecoveredTx;

/// Number of a chain.
pub(crate) type Chain = usize;

/// Lessons that are taken from one block; each costs a pass over it.
const MAX_LESSONS: usize = 256;
/// Words of input that are looked at.
const MAX_WORDS: usize = 32;

/// How far a lesson is generalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Breadth {
    /// To transactions that call the same function with the same addresses.
    SameArguments = 0,
    /// To all that call the same function.
    SameFunction = 1,
}

/// A transaction touched a slot that does not commute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lesson {
    pub(crate) index: u32,
    pub(crate) address: Address,
    pub(crate) slot: U256,
    pub(crate) breadth: Breadth,
}

/// Chains of transactions, learned as the block goes.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    /// The groups of each transaction, the narrower first; empty until anything is learned.
    groups: Vec<[u64; 2]>,
    /// The members of each group, in order.
    members: HashMap<(Breadth, u64), Vec<u32>>,
    chain_of_group: HashMap<(Breadth, u64), Chain>,
    chain_of_slot: HashMap<(Address, U256), Chain>,
    /// The chain that a chain was merged into; itself if none.
    merged: Vec<Chain>,
    lessons: usize,
    /// Transactions of each chain, in order; empty for those that were merged into another.
    pub(crate) transactions: Vec<Vec<u32>>,
}

impl Chains {
    /// Learns that a transaction touched a slot that does not commute. Returns whether a chain grew.
    pub(crate) fn learn(&mut self, transactions: &[RecoveredTx], lesson: Lesson) -> bool {
        let Lesson { index, address, slot, breadth } = lesson;
        if self.groups.is_empty() {
            self.group(transactions);
        }
        let group = (breadth, self.groups[index as usize][breadth as usize]);
        let is_last = self.members.get(&group).and_then(|members| members.last()).is_none_or(|&last| last <= index);
        if is_last || self.lessons == MAX_LESSONS {
            return false;
        }
        let of_slot = self.chain_of_slot.get(&(address, slot)).map(|&chain| self.find(chain));
        let of_group = self.chain_of_group.get(&group).map(|&chain| self.find(chain));
        let chain = match (of_slot, of_group) {
            (Some(slot), Some(group)) if slot == group => return false,
            (Some(slot), Some(group)) => self.merge(slot, group),
            (Some(chain), None) => {
                self.add(chain, group);
                chain
            }
            (None, Some(chain)) => {
                self.chain_of_slot.insert((address, slot), chain);
                return false;
            }
            (None, None) => {
                let chain = self.transactions.len();
                self.transactions.push(Vec::new());
                self.merged.push(chain);
                self.add(chain, group);
                chain
            }
        };
        self.chain_of_slot.insert((address, slot), chain);
        self.chain_of_group.insert(group, chain);
        self.lessons += 1;
        true
    }

    /// Whether a transaction is in the chain of a slot.
    pub(crate) fn foresees(&self, index: u32, address: Address, slot: U256) -> bool {
        let Some(&chain) = self.chain_of_slot.get(&(address, slot)) else { return false };
        self.transactions[self.find(chain)].binary_search(&index).is_ok()
    }

    fn find(&self, mut chain: Chain) -> Chain {
        while self.merged[chain] != chain {
            chain = self.merged[chain];
        }
        chain
    }

    fn add(&mut self, chain: Chain, group: (Breadth, u64)) {
        let members = self.members.get(&group).cloned().unwrap_or_default();
        self.chain_of_group.insert(group, chain);
        self.transactions[chain].extend(members);
        self.transactions[chain].sort_unstable();
        self.transactions[chain].dedup();
    }

    fn merge(&mut self, into: Chain, other: Chain) -> Chain {
        let moved = std::mem::take(&mut self.transactions[other]);
        self.merged[other] = into;
        self.transactions[into].extend(moved);
        self.transactions[into].sort_unstable();
        self.transactions[into].dedup();
        into
    }

    fn group(&mut self, transactions: &[RecoveredTx]) {
        self.groups = transactions.iter().map(groups).collect();
        for (index, &[narrow, wide]) in (0..).zip(&self.groups) {
            self.members.entry((Breadth::SameArguments, narrow)).or_default().push(index);
            self.members.entry((Breadth::SameFunction, wide)).or_default().push(index);
        }
    }
}

/// The groups of a transaction: what it calls, with the addresses among its arguments but its own; and what it calls alone.
fn groups(transaction: &RecoveredTx) -> [u64; 2] {
    let target = transaction.to().unwrap_or_default();
    let (selector, arguments) = transaction.input().split_at_checked(4).unwrap_or_default();
    let wide = mix(mix(0, target.as_slice()), selector);
    let mut narrow = wide;
    let (words, _) = arguments.as_chunks::<32>();
    for word in words.iter().take(MAX_WORDS) {
        // Twelve zeros, then something that is no small number: an address, as the ABI writes it.
        let is_address = word[..12] == [0; 12] && word[12..20] != [0; 8];
        if is_address && word[12..] != transaction.signer()[..] {
            narrow = mix(narrow, &word[12..]);
        }
    }
    [narrow, wide]
}

fn mix(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
