//! Time of the pool's two hot paths: `cargo bench -p braid-pool`. Prints the best of several rounds, for each transaction.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_consensus::{SignableTransaction, TxEip1559, transaction::Recovered};
use alloy_eips::eip7840::BlobParams;
use alloy_primitives::{Address, TxKind, U256};
use braid_pool::{Pool, PoolConfig, PoolRules};
use braid_types::{Fork, RecoveredTx, Transaction, block::impersonation_signature, changes::AccountState};

const ROUNDS: usize = 7;

fn rules() -> PoolRules {
    PoolRules {
        chain_id: 1,
        fork: Fork::Osaka,
        gas_limit: 30_000_000_000,
        base_fee: 7,
        blob_base_fee: 1,
        blob_params: Some(BlobParams::osaka()),
    }
}

/// Transactions of `senders` in turn, each sender's in order of nonces, with tips that differ.
fn transactions(count: u64, senders: u64) -> Vec<RecoveredTx> {
    let transaction = |k: u64| {
        let sender = Address::left_padding_from(&(1 + k % senders).to_be_bytes());
        let transaction = TxEip1559 {
            chain_id: 1,
            nonce: k / senders,
            gas_limit: 65_000,
            max_fee_per_gas: 1_000_000,
            max_priority_fee_per_gas: 1_000 + u128::from(k.wrapping_mul(0x9e37_79b9) % 1_000),
            to: TxKind::Call(Address::ZERO),
            input: vec![1; 68].into(),
            ..TxEip1559::default()
        };
        let signed = transaction.into_signed(impersonation_signature(sender));
        // The pool gets transactions whose hash was needed before, for their answer.
        signed.hash();
        Arc::new(Recovered::new_unchecked(Transaction::from(signed), sender))
    };
    (0..count).map(transaction).collect()
}

fn filled(transactions: &[RecoveredTx]) -> Pool {
    let mut pool = Pool::new(PoolConfig::default(), rules());
    let account = AccountState { balance: U256::from(u128::MAX), ..AccountState::default() };
    for transaction in transactions {
        if let Err(rejection) = pool.insert(transaction.clone(), None, account) {
            println!("refused: {rejection}");
        }
    }
    pool
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn best_of<T>(mut work: impl FnMut() -> T) -> Duration {
    let round = |_| {
        let started = Instant::now();
        black_box(work());
        started.elapsed()
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}

fn main() {
    for (count, senders) in [(20_000, 500), (20_000, 20_000), (200_000, 100_000)] {
        let transactions = transactions(count, senders);
        let pool = filled(&transactions);
        assert_eq!(pool.best(u64::MAX).len(), transactions.len());
        let each = |total: Duration| total.as_nanos() / u128::from(count);
        let (config, rules) = (PoolConfig::default(), rules());
        let check = || transactions.iter().filter(|one| Pool::check(&rules, &config, one, None).is_ok()).count();
        println!("pool::check/transactions={count} senders={senders}: {} ns", each(best_of(check)));
        println!("pool::insert/transactions={count} senders={senders}: {} ns", each(best_of(|| filled(&transactions))));
        println!("pool::best/transactions={count} senders={senders}: {} ns", each(best_of(|| pool.best(u64::MAX))));
    }
}
