//! The parallel profile of the contracts: what many users do at one market stays free of chains.
//!
//! A change of a contract that makes an operation depend on the exact value that another user's has left fails here, on every run and
//! machine alike. That the question can be answered with yes is shown by designs that are chains.

#![expect(clippy::unwrap_used, reason = "tests")]

use braid_bench::{commuting::dependents, workload};

/// Users of each market.
const USERS: usize = 60;

fn chained(name: &str) -> usize {
    let workload = workload::find(name)[0];
    let found = dependents(&workload.sample(Some(USERS)).unwrap()).unwrap();
    for dependent in found.iter().take(3) {
        println!("{name}: transaction {} needs slot {} of {}", dependent.index, dependent.slot, dependent.address);
    }
    found.len()
}

#[test]
fn nobody_waits_for_anybody_at_a_market_of_the_suite() {
    let exchange = ["suite-vault-transfers", "suite-orders"];
    let lending = ["suite-supply", "suite-borrow", "suite-deposit"];
    let staking = ["suite-stake", "suite-savings", "suite-lock"];
    let others = ["suite-vote", "suite-perpetual", "suite-stop-orders"];
    for name in exchange.into_iter().chain(lending).chain(staking).chain(others) {
        assert_eq!(chained(name), 0, "{name}");
    }
}

#[test]
fn everybody_waits_where_a_price_or_a_share_is_computed_each_time() {
    // All but the first two.
    let suite = ["suite-swaps", "worst-chain"];
    let public = ["public-stake", "public-deposit", "public-supply", "public-borrow", "public-perpetual"];
    for name in suite.into_iter().chain(public) {
        assert_eq!(chained(name), USERS - 2, "{name}");
    }
}

#[test]
fn public_designs_that_only_add_are_free_of_chains_too() {
    for name in ["erc20-hot-oz", "erc20-mint-solady", "governor-votes", "batch-auction"] {
        assert_eq!(chained(name), 0, "{name}");
    }
}

#[test]
fn repayments_of_different_loans_into_one_pool_commute() {
    for name in ["microloans-repayments", "microloans-deposits"] {
        assert_eq!(chained(name), 0, "{name}");
    }
}
