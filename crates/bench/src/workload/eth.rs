//! Transfers of ether.

use alloy_primitives::U256;
use braid_types::RecoveredTx;

use super::Workload;
use crate::{
    random::Random,
    world::{Action, SetUpError, World},
};

const TRANSACTIONS: usize = 10_000;

/// Accounts of `eth-hot`.
const HOT_ACCOUNTS: usize = 100;

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::new("eth-independent", "ether, each sender to a recipient of its own", TRANSACTIONS, independent),
    Workload::new("eth-chain", "ether, each sender is the recipient of the transaction before", TRANSACTIONS, chain),
    Workload::new("eth-hot", "ether among 100 accounts at random", TRANSACTIONS, hot),
];

fn independent(world: &mut World, transactions: usize) -> Result<Vec<RecoveredTx>, SetUpError> {
    Ok((0..transactions).map(|number| transfer(world, ("sender", number), ("recipient", number))).collect())
}

fn chain(world: &mut World, transactions: usize) -> Result<Vec<RecoveredTx>, SetUpError> {
    Ok((0..transactions).map(|number| transfer(world, ("link", number), ("link", number + 1))).collect())
}

fn hot(world: &mut World, transactions: usize) -> Result<Vec<RecoveredTx>, SetUpError> {
    let mut random = Random::new(1);
    let mut next = || {
        let (from, to) = random.two_below(HOT_ACCOUNTS);
        transfer(world, ("hot", from), ("hot", to))
    };
    Ok((0..transactions).map(|_| next()).collect())
}

fn transfer(world: &mut World, from: (&str, usize), to: (&str, usize)) -> RecoveredTx {
    let (from, to) = (world.user(from.0, from.1), world.user(to.0, to.1));
    world.transaction(from, Action::transfer(to, U256::ONE))
}
