//! Blocks of several kinds of transactions.

use alloy_primitives::U256;
use braid_types::RecoveredTx;

use super::{
    Workload, erc20,
    uniswap_v2::{Market, RANDOM_POOLS},
    users,
};
use crate::{
    artifacts::{OZ_TOKEN, SOLADY_TOKEN},
    random::Random,
    world::{Action, SetUpError, World},
};

const TRANSACTIONS: usize = 5_000;

/// Accounts that pay each other.
const ACCOUNTS: usize = 1_000;

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::new(
        "mix-defi",
        "60 % ERC-20 among 1,000 accounts, 20 % Uniswap v2 in 64 pools, 10 % in one pool, 10 % ether",
        TRANSACTIONS,
        defi,
    ),
    Workload::new(
        "mix-payments",
        "45 % each of two ERC-20 tokens, 10 % ether, among 1,000 accounts",
        TRANSACTIONS,
        payments,
    ),
];

fn defi(world: &mut World, transactions: usize) -> Result<Vec<RecoveredTx>, SetUpError> {
    let accounts = users(world, "account", ACCOUNTS);
    let token = erc20::deploy(world, &OZ_TOKEN, &accounts)?;
    // One pool beyond those at random is the hot one.
    let market = Market::open(world, RANDOM_POOLS + 1)?;
    let mut random = Random::new(5);
    let plan: Vec<_> = (0..transactions).map(|_| Kind::choose(&mut random)).collect();
    for (number, kind) in plan.iter().enumerate() {
        if let Kind::Swap { pool } = *kind {
            market.trader(world, number, pool)?;
        }
    }
    world.seal()?;
    let mut next = |number, kind| match kind {
        Kind::Token { from, to } => erc20::payment(world, token, accounts[from], accounts[to]),
        Kind::Ether { from, to } => world.transaction(accounts[from], Action::transfer(accounts[to], U256::ONE)),
        Kind::Swap { pool } => {
            let trader = world.user("trader", number);
            market.swap(world, trader, pool, number % 2 == 0)
        }
    };
    Ok(plan.into_iter().enumerate().map(|(number, kind)| next(number, kind)).collect())
}

/// A transaction of `mix-defi`.
enum Kind {
    Token { from: usize, to: usize },
    Ether { from: usize, to: usize },
    Swap { pool: usize },
}

impl Kind {
    fn choose(random: &mut Random) -> Self {
        let (from, to) = random.two_below(ACCOUNTS);
        match random.below(10) {
            0..6 => Self::Token { from, to },
            6 => Self::Ether { from, to },
            7 => Self::Swap { pool: RANDOM_POOLS },
            _ => Self::Swap { pool: random.below(RANDOM_POOLS) },
        }
    }
}

fn payments(world: &mut World, transactions: usize) -> Result<Vec<RecoveredTx>, SetUpError> {
    let accounts = users(world, "account", ACCOUNTS);
    let tokens = [erc20::deploy(world, &OZ_TOKEN, &accounts)?, erc20::deploy(world, &SOLADY_TOKEN, &accounts)?];
    let mut random = Random::new(6);
    let mut next = || {
        let (from, to) = random.two_below(ACCOUNTS);
        let (from, to) = (accounts[from], accounts[to]);
        match random.below(20) {
            0..9 => erc20::payment(world, tokens[0], from, to),
            9..18 => erc20::payment(world, tokens[1], from, to),
            _ => world.transaction(from, Action::transfer(to, U256::ONE)),
        }
    };
    Ok((0..transactions).map(|_| next()).collect())
}
