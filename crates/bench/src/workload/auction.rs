//! Orders of one batch auction.

use alloy_primitives::{TxKind, U256};
use alloy_sol_types::{SolCall, sol};
use braid_types::RecoveredTx;

use super::{Workload, users};
use crate::{
    artifacts::BATCH_AUCTION,
    random::Random,
    world::{Action, SetUpError, World},
};

sol! {
    function deposit() payable;
    function place(uint256 batch, uint64 tick, uint128 amount, bool isBuy);
}

const TRANSACTIONS: usize = 5_000;

/// Prices at which orders are placed.
const TICKS: usize = 16;

/// Batch that is open.
const BATCH: u64 = 1;

/// Gas limit of an order, and of a deposit.
const GAS_LIMIT: u64 = 200_000;

pub(super) const WORKLOADS: &[Workload] =
    &[Workload::new("batch-auction", "orders of one batch, at 16 prices, that add to its sums", TRANSACTIONS, orders)];

fn orders(world: &mut World, transactions: usize) -> Result<Vec<RecoveredTx>, SetUpError> {
    let auction = world.deploy(&BATCH_AUCTION, &[])?;
    world.seal()?;
    let traders = users(world, "trader", transactions);
    let first = world.user("first trader", 0);
    for &trader in traders.iter().chain([&first]) {
        let input = depositCall {}.abi_encode().into();
        let value = U256::from(1_000_000);
        world.send(trader, Action { to: TxKind::Call(auction), value, input, gas_limit: GAS_LIMIT })?;
    }
    world.seal()?;
    let batch = U256::from(BATCH);
    for tick in 0..TICKS as u64 {
        for is_buy in [true, false] {
            world.call(first, auction, &placeCall { batch, tick, amount: 1_000, isBuy: is_buy })?;
        }
    }
    world.seal()?;
    let mut random = Random::new(4);
    let mut order = |trader| {
        let tick = random.below(TICKS) as u64;
        let amount = 1 + u128::from(random.next() % 1_000);
        let is_buy = random.below(2) == 0;
        world.transaction(trader, Action::call(auction, &placeCall { batch, tick, amount, isBuy: is_buy }, GAS_LIMIT))
    };
    Ok(traders.into_iter().map(&mut order).collect())
}
