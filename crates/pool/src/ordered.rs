//! Choosing transactions for a block some blocks ahead of the head: beyond those that are ordered already but not executed.
//!
//! The pool follows the head, whose state knows nothing of ordered transactions. What a sender has in them is taken as if it
//! will succeed: its nonces are used, and the most it can cost is spent. Where that turns out wrong, a transaction is
//! left out when its block is executed, and waits in the pool as before.

use std::collections::HashMap;

use alloy_primitives::{Address, U256};
use braid_types::{RecoveredTx, changes::AccountState};

use alloy_consensus::Transaction as _;

use crate::check;

/// Transactions that are ordered before the block to be filled.
#[derive(Clone, Debug, Default)]
pub struct Ordered(HashMap<Address, Vec<Claim>>);

/// What an ordered transaction takes from its sender.
#[derive(Clone, Copy, Debug)]
struct Claim {
    nonce: u64,
    cost: U256,
}

/// Where a sender stands after its ordered transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The nonce to go on with.
    pub(crate) nonce: u64,
    /// What is left to pay with.
    pub(crate) balance: U256,
}

impl Ordered {
    /// Transactions in the order in which they will be executed.
    pub fn new<'a>(transactions: impl IntoIterator<Item = &'a RecoveredTx>) -> Self {
        let mut senders: HashMap<Address, Vec<Claim>> = HashMap::new();
        for transaction in transactions {
            let cost = check::cost(transaction).unwrap_or(U256::MAX);
            senders.entry(transaction.signer()).or_default().push(Claim { nonce: transaction.nonce(), cost });
        }
        Self(senders)
    }

    /// Where `sender` will stand, who has `account` now; `None` if nothing of it is ordered.
    pub(crate) fn standing(&self, sender: &Address, account: &AccountState) -> Option<Standing> {
        let claims = self.0.get(sender)?;
        let mut standing = Standing { nonce: account.nonce, balance: account.balance };
        for claim in claims {
            // One out of order will be left out, and so will one that is executed already.
            if claim.nonce == standing.nonce {
                standing.nonce += 1;
                standing.balance = standing.balance.saturating_sub(claim.cost);
            }
        }
        Some(standing)
    }
}

#[cfg(test)]
mod tests {
    use braid_types::Fork;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        config::{PoolConfig, PoolRules},
        pool::{Pool, Room},
        testing::{account, blob_transaction, rules, sender, sent, transfer},
    };

    const RICH: u64 = u64::MAX;
    const COST: u64 = 21_000 * 9;

    fn room(gas: u64) -> Room {
        Room { gas, size_bytes: usize::MAX, blobs: 0, transactions: usize::MAX }
    }

    fn pool_of(transactions: &[(u8, u64)], balance: u64) -> Pool {
        let mut pool = Pool::new(PoolConfig::default(), rules(Fork::Osaka, 1));
        for &(from, nonce) in transactions {
            pool.insert(transaction(from, nonce), None, account(0, balance)).unwrap();
        }
        pool
    }

    fn transaction(from: u8, nonce: u64) -> RecoveredTx {
        sent(sender(from), transfer(nonce, 9, 1))
    }

    fn best_after(pool: &Pool, ordered: &[RecoveredTx]) -> Vec<RecoveredTx> {
        let rules = rules(Fork::Osaka, 1);
        pool.best_after(&Ordered::new(ordered), &rules, room(rules.gas_limit))
    }

    fn names(transactions: &[RecoveredTx]) -> Vec<(u8, u64)> {
        transactions.iter().map(|transaction| (transaction.signer()[19], transaction.nonce())).collect()
    }

    #[test]
    fn what_is_ordered_is_not_offered_again_and_its_successors_are() {
        let pool = pool_of(&[(1, 0), (1, 1), (1, 2), (2, 0)], RICH);
        let ordered = [transaction(1, 0), transaction(1, 1)];
        assert_eq!(names(&best_after(&pool, &ordered)), [(1, 2), (2, 0)]);
        assert_eq!(names(&best_after(&pool, &[])), names(&pool.best(30_000_000)));
    }

    #[test]
    fn an_ordered_transaction_that_never_was_in_the_pool_lets_its_successor_follow() {
        let pool = pool_of(&[(1, 1)], RICH);
        assert_eq!(names(&best_after(&pool, &[])), []);
        assert_eq!(names(&best_after(&pool, &[transaction(1, 0)])), [(1, 1)]);
        assert_eq!(names(&best_after(&pool, &[transaction(1, 3)])), [], "a nonce beyond a gap will be left out");
        let other = sent(sender(1), transfer(1, 8, 1));
        assert_eq!(names(&best_after(&pool, &[transaction(1, 0), other])), [], "another one with its nonce is ordered");
    }

    #[test]
    fn what_is_ordered_is_paid_first() {
        let pool = pool_of(&[(1, 1), (1, 2)], 2 * COST);
        assert_eq!(names(&best_after(&pool, &[transaction(1, 0)])), [(1, 1)]);
    }

    #[test]
    fn bytes_gas_and_blobs_are_limited() {
        let mut pool = pool_of(&[(1, 0), (2, 0), (3, 0)], RICH);
        let limited = |pool: &Pool, gas, size_bytes| {
            names(&pool.best_after(&Ordered::default(), &rules(Fork::Osaka, 1), Room { size_bytes, ..room(gas) })).len()
        };
        let size_bytes = pool.status().size_bytes / 3;
        assert_eq!(limited(&pool, 3 * 21_000, usize::MAX), 3);
        assert_eq!(limited(&pool, 3 * 21_000 - 1, usize::MAX), 2);
        assert_eq!(limited(&pool, u64::MAX, 3 * size_bytes), 3);
        assert_eq!(limited(&pool, u64::MAX, 3 * size_bytes - 1), 2);
        let blob = sent(sender(4), blob_transaction(0, vec![alloy_primitives::B256::ZERO]));
        pool.insert(blob, None, account(0, RICH)).unwrap();
        assert_eq!(limited(&pool, u64::MAX, usize::MAX), 3);
        for transactions in 0..3 {
            let few = Room { transactions, ..room(u64::MAX) };
            assert_eq!(pool.best_after(&Ordered::default(), &rules(Fork::Osaka, 1), few).len(), transactions);
        }
    }

    #[test]
    fn the_rules_given_decide_what_fits() {
        let pool = pool_of(&[(1, 0)], RICH);
        let offered = |base_fee| {
            let rules = rules(Fork::Osaka, base_fee);
            pool.best_after(&Ordered::default(), &rules, room(rules.gas_limit)).len()
        };
        assert_eq!([9, 10].map(offered), [1, 0]);
    }

    proptest! {
        /// Ordering a block and choosing beyond it is choosing after it was executed, had everything cost the most it can.
        #[test]
        fn choosing_ahead_is_choosing_later(
            transactions in prop::collection::vec((1..5_u8, 0..6_u64, 1..30_u128, 0..30_u128), 1..40),
            balances in prop::array::uniform5(1..12_u64),
            taken in 0..20_usize,
        ) {
            let rules: PoolRules = rules(Fork::Osaka, 5);
            let mut pool = Pool::new(PoolConfig::default(), rules.clone());
            let balance = |from: Address| balances[usize::from(from[19])] * 21_000 * 15;
            for (from, nonce, max_fee, tip) in transactions {
                let from = sender(from);
                let transfer = transfer(nonce, max_fee, tip.min(max_fee));
                // Whatever the pool refuses is not part of the case.
                let _ = pool.insert(sent(from, transfer), None, account(0, balance(from)));
            }
            let mut ordered = pool.best(rules.gas_limit);
            ordered.truncate(taken);
            let ahead = pool.best_after(&Ordered::new(&ordered), &rules, room(rules.gas_limit));
            let accounts: Vec<_> = (1..5).map(sender).map(|from| {
                let own = ordered.iter().filter(|transaction| transaction.signer() == from);
                let (count, spent) = own.fold((0, 0), |(count, spent), transaction| {
                    (count + 1, spent + u64::try_from(check::cost(transaction).unwrap()).unwrap())
                });
                (from, account(count, balance(from) - spent))
            }).collect();
            pool.on_head(rules.clone(), accounts);
            prop_assert_eq!(names(&ahead), names(&pool.best(rules.gas_limit)));
        }
    }
}
