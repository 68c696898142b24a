//! Named scenarios, and random sequences against a naive model.

use alloy_primitives::U256;
use braid_types::Fork;

use super::*;
use crate::testing::{account, blob_transaction, legacy, rules, sender, sent, transfer};

mod model;

const RICH: u64 = u64::MAX;

fn pool(base_fee: u64) -> Pool {
    Pool::new(PoolConfig::default(), rules(Fork::Osaka, base_fee))
}

fn small_pool(max_transactions: usize) -> Pool {
    Pool::new(PoolConfig { max_transactions, ..PoolConfig::default() }, rules(Fork::Osaka, 0))
}

/// Sender and nonce of what the pool offers, in order.
fn offered(pool: &Pool) -> Vec<(u8, u64)> {
    let best = pool.best(pool.rules().gas_limit);
    assert_eq!(pool.has_executable(), !best.is_empty());
    best.iter().map(|transaction| (transaction.signer()[19], transaction.nonce())).collect()
}

fn add(pool: &mut Pool, from: u8, nonce: u64, max_fee: u128, tip: u128) -> Result<Inserted, Rejection> {
    pool.insert(sent(sender(from), transfer(nonce, max_fee, tip)), None, account(0, RICH))
}

#[test]
fn the_best_tip_at_the_base_fee_goes_first() {
    let mut pool = pool(100);
    // Effective tips: 5 (of 20, cut by the fee cap), 10, 10 (later), 15 behind 10.
    add(&mut pool, 1, 0, 105, 20).unwrap();
    add(&mut pool, 2, 0, 200, 10).unwrap();
    add(&mut pool, 3, 0, 300, 10).unwrap();
    add(&mut pool, 2, 1, 200, 15).unwrap();
    assert_eq!(offered(&pool), [(2, 0), (2, 1), (3, 0), (1, 0)]);
}

#[test]
fn what_cannot_pay_the_base_fee_waits() {
    let mut pool = pool(100);
    let inserted = add(&mut pool, 1, 0, 99, 1).unwrap();
    assert!(!inserted.is_executable);
    add(&mut pool, 1, 1, 200, 1).unwrap();
    assert_eq!(offered(&pool), []);
    assert_eq!(pool.status().pending, 2);
    pool.on_head(rules(Fork::Osaka, 99), []);
    assert_eq!(offered(&pool), [(1, 0), (1, 1)]);
}

#[test]
fn blobs_wait_for_their_fee_and_their_number_is_limited() {
    let mut pool = pool(1);
    for from in 1..=2 {
        let transaction = blob_transaction(0, vec![B256::ZERO; 6]);
        pool.insert(sent(sender(from), transaction), None, account(0, RICH)).unwrap();
    }
    assert_eq!(pool.rules().blob_params.unwrap().max_blob_count, 9);
    assert_eq!(offered(&pool), [(1, 0)]);
    let dear = PoolRules { blob_base_fee: 11, ..rules(Fork::Osaka, 1) };
    pool.on_head(dear, []);
    assert_eq!(offered(&pool), []);
}

#[test]
fn a_gap_holds_back_what_is_behind_it() {
    let mut pool = pool(1);
    add(&mut pool, 1, 0, 9, 1).unwrap();
    assert!(!add(&mut pool, 1, 2, 9, 9).unwrap().is_executable);
    assert_eq!(offered(&pool), [(1, 0)]);
    assert_eq!(pool.next_nonce(sender(1)), Some(1));
    assert_eq!(pool.status(), PoolStatus { pending: 1, queued: 1, size_bytes: pool.size_bytes });
    assert!(add(&mut pool, 1, 1, 9, 1).unwrap().is_executable);
    assert_eq!(offered(&pool), [(1, 0), (1, 1), (1, 2)]);
    let content = pool.content(Some(sender(1)));
    assert_eq!((content.pending[&sender(1)].len(), content.queued.len()), (3, 0));
    let middle = content.pending[&sender(1)][&1].clone();
    assert!(pool.remove(*middle.tx_hash()));
    assert!(!pool.remove(*middle.tx_hash()));
    assert_eq!(offered(&pool), [(1, 0)]);
    assert_eq!(pool.content(None).queued[&sender(1)].keys().copied().collect::<Vec<_>>(), [2]);
}

#[test]
fn what_the_account_cannot_pay_together_waits() {
    let mut pool = pool(1);
    let poor = account(0, 21_000 * 9 * 2);
    for nonce in 0..3 {
        pool.insert(sent(sender(1), transfer(nonce, 9, 1)), None, poor).unwrap();
    }
    assert_eq!(offered(&pool), [(1, 0), (1, 1)]);
    pool.on_head(rules(Fork::Osaka, 1), [(sender(1), account(1, 21_000 * 9))]);
    assert_eq!(offered(&pool), [(1, 1)]);
    pool.on_head(rules(Fork::Osaka, 1), [(sender(1), account(1, RICH))]);
    assert_eq!(offered(&pool), [(1, 1), (1, 2)]);
}

#[test]
fn one_that_the_account_cannot_pay_alone_is_refused() {
    let mut pool = pool(1);
    let mut transaction = legacy(0, 1);
    transaction.gas_limit = 21_000;
    let rejection = pool.insert(sent(sender(1), transaction), None, account(0, 0)).unwrap_err();
    let sentence = "insufficient funds for gas * price + value: balance 0, tx cost 21000, overshot 21000";
    assert_eq!(rejection.to_string(), sentence);
}

#[test]
fn stale_far_and_known_nonces_are_refused() {
    let mut pool = pool(1);
    let old = pool.insert(sent(sender(1), transfer(3, 9, 1)), None, account(5, RICH)).unwrap_err();
    assert_eq!(old.to_string(), "nonce too low: next nonce 5, tx nonce 3");
    let far = add(&mut pool, 1, 10_001, 9, 1).unwrap_err();
    assert_eq!(far.to_string(), "nonce too high: next nonce 0, tx nonce 10001, limit 10000 ahead");
    add(&mut pool, 1, 0, 9, 1).unwrap();
    assert_eq!(add(&mut pool, 1, 0, 9, 1).unwrap_err().to_string(), "already known");
}

#[test]
fn a_replacement_must_pay_a_tenth_more_of_both_fees() {
    let mut pool = pool(1);
    let old = add(&mut pool, 1, 0, 1_000, 100).unwrap().hash;
    for (max_fee, tip) in [(1_099, 110), (1_100, 109), (2_000, 100)] {
        let rejection = add(&mut pool, 1, 0, max_fee, tip).unwrap_err();
        assert_eq!(rejection.to_string(), "replacement transaction underpriced");
    }
    let inserted = add(&mut pool, 1, 0, 1_100, 110).unwrap();
    assert_eq!(inserted.replaced, Some(old));
    assert!(pool.get(old).is_none());
    assert_eq!(pool.status().pending, 1);
    let rejection = pool.insert(sent(sender(1), legacy(0, 1_209)), None, account(0, RICH)).unwrap_err();
    assert_eq!(rejection, Rejection::ReplacementUnderpriced);
    pool.insert(sent(sender(1), legacy(0, 1_210)), None, account(0, RICH)).unwrap();
}

#[test]
fn a_blob_replacement_must_double_all_three_fees() {
    let mut pool = pool(1);
    let old = blob_transaction(0, vec![B256::ZERO]);
    pool.insert(sent(sender(1), old.clone()), None, account(0, RICH)).unwrap();
    let mut new = old;
    (new.max_fee_per_gas, new.max_priority_fee_per_gas, new.max_fee_per_blob_gas) = (200, 20, 19);
    let rejection = pool.insert(sent(sender(1), new.clone()), None, account(0, RICH)).unwrap_err();
    assert_eq!(rejection, Rejection::ReplacementUnderpriced);
    new.max_fee_per_blob_gas = 20;
    pool.insert(sent(sender(1), new), None, account(0, RICH)).unwrap();
}

#[test]
fn a_dearer_replacement_moves_the_border_of_what_can_be_paid() {
    let mut pool = pool(1);
    let funds = account(0, 21_000 * 30);
    for nonce in 0..3 {
        pool.insert(sent(sender(1), transfer(nonce, 10, 1)), None, funds).unwrap();
    }
    assert_eq!(offered(&pool).len(), 3);
    pool.insert(sent(sender(1), transfer(0, 20, 2)), None, funds).unwrap();
    assert_eq!(offered(&pool), [(1, 0), (1, 1)]);
}

#[test]
fn a_full_pool_gives_up_its_worst_end() {
    let mut pool = small_pool(3);
    add(&mut pool, 1, 0, 9, 5).unwrap();
    add(&mut pool, 2, 0, 9, 3).unwrap();
    let queued = add(&mut pool, 3, 7, 9, 9).unwrap().hash;
    // A queued one goes first, whatever it pays.
    add(&mut pool, 4, 0, 9, 4).unwrap();
    assert!(pool.get(queued).is_none());
    // Then the lowest tip; who bids no more than that is refused and changes nothing.
    assert_eq!(add(&mut pool, 5, 0, 9, 3).unwrap_err().to_string(), "txpool is full");
    assert_eq!(offered(&pool), [(1, 0), (4, 0), (2, 0)]);
    add(&mut pool, 5, 0, 9, 6).unwrap();
    assert_eq!(offered(&pool), [(5, 0), (1, 0), (4, 0)]);
    // A high tip behind a low one does not shield it.
    add(&mut pool, 4, 1, 99, 99).unwrap_err();
    add(&mut pool, 6, 0, 9, 7).unwrap();
    assert_eq!(offered(&pool), [(6, 0), (5, 0), (1, 0)]);
}

#[test]
fn bytes_are_limited_and_a_refusal_leaves_everything_in_place() {
    let mut pool = pool(0);
    for from in 1..=3 {
        add(&mut pool, from, 0, 9, 5).unwrap();
    }
    let before = pool.status();
    pool.config.max_size_bytes = before.size_bytes;
    let mut large = transfer(0, 99, 5);
    large.input = vec![0; 10_000].into();
    large.gas_limit = 1_000_000;
    assert_eq!(pool.insert(sent(sender(4), large.clone()), None, account(0, RICH)), Err(Rejection::Full));
    assert_eq!(pool.status(), before);
    assert_eq!(offered(&pool), [(1, 0), (2, 0), (3, 0)]);
    large.max_priority_fee_per_gas = 6;
    assert_eq!(pool.insert(sent(sender(1), large), None, account(0, RICH)), Err(Rejection::Full));
    assert_eq!(pool.status(), before);
}

#[test]
fn a_sender_has_only_so_many() {
    let mut pool = pool(0);
    pool.config.max_per_sender = 2;
    add(&mut pool, 1, 0, 9, 5).unwrap();
    add(&mut pool, 1, 2, 9, 5).unwrap();
    assert_eq!(add(&mut pool, 1, 1, 9, 5).unwrap_err().to_string(), "account limit exceeded: pooled 2 txs");
    add(&mut pool, 1, 0, 99, 50).unwrap();
}

#[test]
fn the_block_gas_limit_is_kept() {
    let mut pool = pool(0);
    for from in 1..=3 {
        add(&mut pool, from, 0, 9, 1).unwrap();
    }
    assert_eq!(pool.best(2 * 21_000 + 20_999).len(), 2);
    let mut hungry = transfer(0, 9, 9);
    hungry.gas_limit = 100_000;
    pool.insert(sent(sender(4), hungry), None, account(0, RICH)).unwrap();
    assert_eq!(pool.best(63_000).len(), 3);
    pool.on_head(PoolRules { gas_limit: 20_000, ..rules(Fork::Osaka, 0) }, []);
    assert_eq!(offered(&pool), []);
}

#[test]
fn mined_transactions_leave_and_a_reverted_head_brings_back_a_gap() {
    let mut pool = pool(0);
    for nonce in 0..3 {
        add(&mut pool, 1, nonce, 9, 1).unwrap();
    }
    pool.on_head(rules(Fork::Osaka, 0), [(sender(1), account(2, RICH)), (sender(9), account(0, 0))]);
    assert_eq!(offered(&pool), [(1, 2)]);
    assert_eq!(pool.senders(), [sender(1)]);
    pool.on_head(rules(Fork::Osaka, 0), [(sender(1), account(1, RICH))]);
    assert_eq!(offered(&pool), []);
    assert_eq!(pool.next_nonce(sender(1)), None);
    pool.on_head(rules(Fork::Osaka, 0), [(sender(1), account(3, RICH))]);
    assert_eq!(pool.status(), PoolStatus::default());
    assert!(!pool.has_sender(sender(1)));
}

#[test]
fn a_new_fork_drops_what_it_forbids() {
    let mut pool = Pool::new(PoolConfig::default(), rules(Fork::Prague, 0));
    let mut hungry = transfer(0, 9, 9);
    hungry.gas_limit = 20_000_000;
    pool.insert(sent(sender(1), hungry), None, account(0, RICH)).unwrap();
    add(&mut pool, 2, 0, 9, 1).unwrap();
    pool.on_head(rules(Fork::Osaka, 0), []);
    assert_eq!(pool.senders(), [sender(2)]);
}

#[test]
fn clearing_leaves_nothing() {
    let mut pool = pool(0);
    add(&mut pool, 1, 0, 9, 1).unwrap();
    pool.clear();
    assert_eq!(pool.status(), PoolStatus::default());
    assert_eq!(offered(&pool), []);
    add(&mut pool, 1, 0, 9, 1).unwrap();
}

#[test]
fn unbounded_balances_do_not_overflow() {
    let mut pool = pool(0);
    let mut transaction = transfer(0, 9, 1);
    transaction.value = U256::MAX / U256::from(2);
    let richest = AccountState { balance: U256::MAX, ..AccountState::default() };
    for nonce in 0..3 {
        transaction.nonce = nonce;
        pool.insert(sent(sender(1), transaction.clone()), None, richest).unwrap();
    }
    assert_eq!(offered(&pool), [(1, 0)]);
    assert_eq!(pool.status().queued, 2);
}
