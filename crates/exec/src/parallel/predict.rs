//! Which transactions are likely to wait for each other.
//!
//! Transactions that call the same function of the same contract with the same addresses among their arguments mostly touch the
//! same slots: two swaps along one path meet in its pools, two swaps along others do not. Such transactions form a group. Groups that
//! were seen at one slot that does not commute form a chain, and a chain is executed in order. What is learned of one group holds
//! for the others that call the same function, by analogy: where the swaps of one pool depend on each other, those of any other pool
//! will, and to find that out pool by pool would be late each time. A wrong prediction costs time, never correctness.

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, U256, map::HashMap};
use braid_types::RecoveredTx;

/// Number of a chain.
pub(crate) type Chain = usize;

/// Lessons that are taken from one block, and such as come too late for anybody; each costs a pass over it.
const MAX_LESSONS: usize = 256;
/// Transactions that make a group worth a chain by analogy.
const LEAST_OF_ANALOGY: usize = 4;
/// Chains that one lesson makes by analogy; the largest groups come first.
const MAX_ANALOGIES: usize = 64;
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
    /// The group of each transaction, by breadth; empty until anything is learned. Transactions that were committed by
    /// then are in none.
    groups: [Vec<Group>; 2],
    /// The chain that each transaction was put into; empty until anything is learned.
    chain_of: Vec<Option<Chain>>,
    chain_of_group: HashMap<(Breadth, Group), Chain>,
    chain_of_slot: HashMap<(Address, U256), Chain>,
    /// The chains that were made by analogy, by the function that they call. Empty if there was no other group.
    analogies: HashMap<Group, Vec<Chain>>,
    /// The chain that a chain was merged into; itself if none.
    merged: Vec<Chain>,
    lessons: usize,
    /// Lessons that came too late for anybody.
    late: usize,
    /// Transactions of each chain, in order; empty for those that were merged into another.
    pub(crate) transactions: Vec<Vec<u32>>,
}

/// A hash of what the transactions of a group have in common.
type Group = u64;
/// No group.
const NONE: Group = 0;

impl Chains {
    /// Learns that a transaction touched a slot that does not commute. Returns whether a chain grew.
    pub(crate) fn learn(&mut self, transactions: &[RecoveredTx], lesson: Lesson) -> bool {
        let Lesson { index, address, slot, breadth } = lesson;
        if self.chain_of.is_empty() {
            self.group(transactions, index);
        }
        let groups = &self.groups[breadth as usize];
        let group = (breadth, groups[index as usize]);
        if group.1 == NONE || self.lessons == MAX_LESSONS || self.late == MAX_LESSONS {
            return false;
        }
        if !groups[index as usize + 1..].contains(&group.1) {
            self.late += 1;
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
                let chain = self.begin();
                self.add(chain, group);
                chain
            }
        };
        self.chain_of_slot.insert((address, slot), chain);
        self.chain_of_group.insert(group, chain);
        match breadth {
            Breadth::SameArguments => self.infer(index),
            // Those by analogy are part of what is known now.
            Breadth::SameFunction => {
                for other in self.analogies.remove(&group.1).unwrap_or_default() {
                    let other = self.find(other);
                    if other != self.find(chain) {
                        self.merge(chain, other);
                    }
                }
            }
        }
        self.lessons += 1;
        true
    }

    /// Puts each other group of transactions that call the same function as one of a chain into a chain of its own.
    fn infer(&mut self, index: u32) {
        let [narrow, wide] = &self.groups;
        let (at, function) = (index as usize, wide[index as usize]);
        let is_known = self.chain_of_group.contains_key(&(Breadth::SameFunction, function));
        if narrow[at] == function || is_known || self.analogies.contains_key(&function) {
            return;
        }
        let numbered = (0..).zip(narrow.iter().zip(wide)).skip(at + 1);
        let alike = numbered.filter(|(_, (_, wide))| **wide == function);
        let mut others: Vec<(Group, u32)> = alike.map(|(index, (narrow, _))| (*narrow, index)).collect();
        others.sort_unstable();
        let groups = others.chunk_by(|one, other| one.0 == other.0);
        let is_worth_it = |group: &&[(Group, u32)]| {
            group.len() >= LEAST_OF_ANALOGY && !self.chain_of_group.contains_key(&(Breadth::SameArguments, group[0].0))
        };
        let mut groups: Vec<_> = groups.filter(is_worth_it).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        groups.truncate(MAX_ANALOGIES);
        let groups: Vec<Group> = groups.into_iter().map(|group| group[0].0).collect();
        let mut chains = Vec::with_capacity(groups.len());
        for group in groups {
            let chain = self.begin();
            self.add(chain, (Breadth::SameArguments, group));
            chains.push(chain);
        }
        self.analogies.insert(function, chains);
    }

    /// A new chain, of nobody.
    fn begin(&mut self) -> Chain {
        let chain = self.transactions.len();
        self.transactions.push(Vec::new());
        self.merged.push(chain);
        chain
    }

    /// Whether a transaction is in any chain.
    pub(crate) fn has(&self, index: u32) -> bool {
        self.chain_of.get(index as usize).is_some_and(Option::is_some)
    }

    /// Whether a transaction is in the chain of a slot.
    pub(crate) fn foresees(&self, index: u32, address: Address, slot: U256) -> bool {
        let Some(chain) = self.chain_of.get(index as usize).copied().flatten() else { return false };
        self.chain_of_slot.get(&(address, slot)).is_some_and(|&of_slot| self.find(of_slot) == self.find(chain))
    }

    fn find(&self, mut chain: Chain) -> Chain {
        while self.merged[chain] != chain {
            chain = self.merged[chain];
        }
        chain
    }

    /// Puts the transactions of a group into a chain. Of one that is in several, the newest counts.
    fn add(&mut self, chain: Chain, group: (Breadth, Group)) {
        self.chain_of_group.insert(group, chain);
        let (breadth, group) = group;
        let numbered = (0..).zip(&self.groups[breadth as usize]);
        let members: Vec<u32> = numbered.filter(|&(_, other)| *other == group).map(|(index, _)| index).collect();
        for &index in &members {
            let before = self.chain_of[index as usize].map(|before| self.find(before));
            self.chain_of[index as usize] = before.max(Some(chain));
        }
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

    /// Groups the transactions from `first` on.
    fn group(&mut self, transactions: &[RecoveredTx], first: u32) {
        for list in &mut self.groups {
            list.reserve_exact(transactions.len());
            list.resize(first as usize, NONE);
        }
        for transaction in &transactions[first as usize..] {
            for (list, group) in self.groups.iter_mut().zip(groups(transaction)) {
                list.push(group);
            }
        }
        self.chain_of = vec![None; transactions.len()];
    }
}

/// The groups of a transaction: what it calls, with the addresses among its arguments but its own, in any order, for a swap there
/// meets a swap back; and what it calls alone.
fn groups(transaction: &RecoveredTx) -> [Group; 2] {
    let target = transaction.to().unwrap_or_default();
    let (selector, arguments) = transaction.input().split_at_checked(4).unwrap_or_default();
    let wide = mix(mix(0, target.as_slice()), selector);
    let mut narrow = wide;
    let (words, _) = arguments.as_chunks::<32>();
    for word in words.iter().take(MAX_WORDS) {
        // Twelve zeros, then something that is no small number: an address, as the ABI writes it.
        let is_address = word[..12] == [0; 12] && word[12..20] != [0; 8];
        if is_address && word[12..] != transaction.signer()[..] {
            narrow = narrow.wrapping_add(mix(wide, &word[12..]));
        }
    }
    [narrow, wide]
}

fn mix(hash: Group, bytes: &[u8]) -> Group {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain([&last]);
    words
        .fold(hash, |hash, word| (hash.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[cfg(test)]
mod tests {
    use alloy_primitives::TxKind;

    use super::*;
    use crate::tests::{RECIPIENT, call, transaction};

    const SLOT: U256 = U256::ZERO;

    fn lesson(index: u32, slot: U256) -> Lesson {
        Lesson { index, address: RECIPIENT, slot, breadth: Breadth::SameArguments }
    }

    #[test]
    fn calls_of_one_function_form_a_chain_from_the_lesson_on() {
        let transactions: Vec<_> = (0..6).map(|nonce| call(nonce, RECIPIENT, 5)).collect();
        let mut chains = Chains::default();
        assert!(chains.learn(&transactions, lesson(2, SLOT)));
        assert_eq!(chains.transactions, [vec![2, 3, 4, 5]]);
        assert!(chains.foresees(4, RECIPIENT, SLOT) && !chains.foresees(1, RECIPIENT, SLOT));
        assert!(!chains.foresees(4, RECIPIENT, U256::ONE), "nothing was learned about that slot");
        assert!(!chains.learn(&transactions, lesson(3, SLOT)), "that is known");
    }

    #[test]
    fn groups_that_meet_at_one_slot_form_one_chain() {
        let other = Address::with_last_byte(9);
        let transactions: Vec<_> =
            (0..6).map(|nonce| call(nonce, if nonce % 2 == 0 { RECIPIENT } else { other }, 5)).collect();
        let mut chains = Chains::default();
        assert!(chains.learn(&transactions, lesson(0, SLOT)));
        assert!(chains.learn(&transactions, lesson(1, U256::ONE)));
        assert_eq!(chains.transactions, [vec![0, 2, 4], vec![1, 3, 5]]);
        assert!(chains.learn(&transactions, lesson(1, SLOT)));
        assert_eq!(chains.transactions, [vec![0, 1, 2, 3, 4, 5], vec![]]);
        assert!(chains.foresees(2, RECIPIENT, U256::ONE));
    }

    /// Calls of one function of one contract, each with these addresses as its arguments.
    fn calls_with(arguments: &[[u8; 2]]) -> Vec<RecoveredTx> {
        let input = |pair: &[u8; 2]| {
            let words = pair.map(|last| Address::repeat_byte(last).into_word());
            [[7; 4].as_slice(), words[0].as_slice(), words[1].as_slice()].concat()
        };
        let numbered = (0..).zip(arguments);
        numbered.map(|(nonce, pair)| transaction(nonce, TxKind::Call(RECIPIENT), 0, &input(pair))).collect()
    }

    #[test]
    fn what_one_group_taught_holds_for_others_that_call_the_same_function() {
        let pairs = [[1, 2], [2, 1], [3, 4], [3, 4], [4, 3], [3, 4], [5, 6], [1, 2]];
        let mut chains = Chains::default();
        assert!(chains.learn(&calls_with(&pairs), lesson(0, SLOT)));
        let there_and_back = vec![0, 1, 7];
        assert_eq!(chains.transactions, [there_and_back, vec![2, 3, 4, 5]], "one call alone waits for nobody");
        assert!(chains.has(5) && !chains.foresees(5, RECIPIENT, U256::ONE), "what it touches is not known");
        assert!(!chains.learn(&calls_with(&pairs), lesson(3, U256::ONE)), "it needs no chain any more");
        assert!(chains.foresees(5, RECIPIENT, U256::ONE));
    }

    #[test]
    fn groups_told_apart_by_analogy_join_where_they_meet() {
        let pairs = [[1, 2], [3, 4], [3, 4], [3, 4], [3, 4], [1, 2]];
        let mut chains = Chains::default();
        assert!(chains.learn(&calls_with(&pairs), lesson(0, SLOT)));
        assert_eq!(chains.transactions, [vec![0, 5], vec![1, 2, 3, 4]]);
        assert!(chains.learn(&calls_with(&pairs), lesson(2, SLOT)));
        assert_eq!(chains.transactions.concat(), [0, 1, 2, 3, 4, 5]);
        assert!(chains.foresees(4, RECIPIENT, SLOT));
    }

    #[test]
    fn a_lesson_about_a_whole_function_ends_its_analogies() {
        let pairs = [[1, 2], [3, 4], [3, 4], [3, 4], [3, 4], [5, 6], [1, 2]];
        let mut chains = Chains::default();
        assert!(chains.learn(&calls_with(&pairs), lesson(0, SLOT)));
        let broad = Lesson { breadth: Breadth::SameFunction, ..lesson(5, SLOT) };
        assert!(chains.learn(&calls_with(&pairs), broad));
        assert_eq!(chains.transactions, [vec![0, 1, 2, 3, 4, 5, 6], vec![]]);
        assert!((0..7).all(|index| chains.foresees(index, RECIPIENT, SLOT)));
        assert!(!chains.learn(&calls_with(&pairs), lesson(1, SLOT)), "all is known");
    }

    #[test]
    fn the_last_of_its_kind_teaches_nothing() {
        let transactions: Vec<_> = (0..3).map(|nonce| call(nonce, RECIPIENT, 5)).collect();
        let mut chains = Chains::default();
        assert!(!chains.learn(&transactions, lesson(2, SLOT)));
        assert!(chains.transactions.is_empty() && !chains.has(2));
    }
}
