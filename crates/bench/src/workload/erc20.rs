//! Payments in ERC-20 tokens, of OpenZeppelin's byte code and of Solady's.

use alloy_primitives::{Address, U256};
use alloy_sol_types::sol;
use braid_types::RecoveredTx;

use super::{Workload, users};
use crate::{
    artifacts::{Artifact, OZ_TOKEN, SOLADY_TOKEN},
    random::Random,
    world::{Action, SetUpError, World},
};

sol! {
    function mint(address to, uint256 amount);
    function transfer(address to, uint256 amount) returns (bool);
}

const TRANSACTIONS: usize = 10_000;

/// Accounts of `erc20-random`.
const ACCOUNTS: usize = 1_000;

/// Gas limit of a payment, about what wallets add to an estimate.
const GAS_LIMIT: u64 = 80_000;

/// Tokens that everybody has: more than they spend.
const BALANCE: u128 = 1 << 90;

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::new(
        "erc20-independent-oz",
        "an OpenZeppelin token, each sender to a recipient of its own",
        TRANSACTIONS,
        |world, transactions| independent(world, transactions, &OZ_TOKEN),
    ),
    Workload::new(
        "erc20-independent-solady",
        "a Solady token, each sender to a recipient of its own",
        TRANSACTIONS,
        |world, transactions| independent(world, transactions, &SOLADY_TOKEN),
    ),
    Workload::new(
        "erc20-random-oz",
        "an OpenZeppelin token among 1,000 accounts at random",
        TRANSACTIONS,
        |world, transactions| random(world, transactions, &OZ_TOKEN),
    ),
    Workload::new(
        "erc20-random-solady",
        "a Solady token among 1,000 accounts at random",
        TRANSACTIONS,
        |world, transactions| random(world, transactions, &SOLADY_TOKEN),
    ),
    Workload::new(
        "erc20-hot-oz",
        "an OpenZeppelin token, every sender to one recipient",
        TRANSACTIONS,
        |world, transactions| hot(world, transactions, &OZ_TOKEN),
    ),
    Workload::new(
        "erc20-hot-solady",
        "a Solady token, every sender to one recipient",
        TRANSACTIONS,
        |world, transactions| hot(world, transactions, &SOLADY_TOKEN),
    ),
    Workload::new(
        "erc20-mint-oz",
        "an OpenZeppelin token, mints to many that raise one totalSupply",
        TRANSACTIONS,
        |world, transactions| mint(world, transactions, &OZ_TOKEN),
    ),
    Workload::new(
        "erc20-mint-solady",
        "a Solady token, mints to many that raise one totalSupply",
        TRANSACTIONS,
        |world, transactions| mint(world, transactions, &SOLADY_TOKEN),
    ),
];

fn independent(world: &mut World, transactions: usize, token: &Artifact) -> Result<Vec<RecoveredTx>, SetUpError> {
    let senders = users(world, "sender", transactions);
    let recipients = users(world, "recipient", transactions);
    let token = deploy(world, token, senders.iter().chain(&recipients))?;
    Ok(senders.into_iter().zip(recipients).map(|(from, to)| payment(world, token, from, to)).collect())
}

fn random(world: &mut World, transactions: usize, token: &Artifact) -> Result<Vec<RecoveredTx>, SetUpError> {
    let accounts = users(world, "account", ACCOUNTS);
    let token = deploy(world, token, &accounts)?;
    let mut random = Random::new(2);
    let mut next = || {
        let (from, to) = random.two_below(ACCOUNTS);
        payment(world, token, accounts[from], accounts[to])
    };
    Ok((0..transactions).map(|_| next()).collect())
}

fn hot(world: &mut World, transactions: usize, token: &Artifact) -> Result<Vec<RecoveredTx>, SetUpError> {
    let senders = users(world, "sender", transactions);
    let recipient = world.user("recipient", 0);
    let token = deploy(world, token, senders.iter().chain([&recipient]))?;
    Ok(senders.into_iter().map(|from| payment(world, token, from, recipient)).collect())
}

fn mint(world: &mut World, transactions: usize, token: &Artifact) -> Result<Vec<RecoveredTx>, SetUpError> {
    let senders = users(world, "sender", transactions);
    let token = deploy(world, token, &senders)?;
    let mint = |from| Action::call(token, &mintCall { to: from, amount: U256::ONE }, GAS_LIMIT);
    Ok(senders.into_iter().map(|from| world.transaction(from, mint(from))).collect())
}

/// Deploys a token of which every holder has plenty.
pub(super) fn deploy<'a>(
    world: &mut World,
    token: &Artifact,
    holders: impl IntoIterator<Item = &'a Address>,
) -> Result<Address, SetUpError> {
    let token = world.deploy(token, &[])?;
    let minter = world.user("minter", 0);
    world.seal()?;
    for &to in holders {
        world.call(minter, token, &mintCall { to, amount: U256::from(BALANCE) })?;
    }
    world.seal()?;
    Ok(token)
}

/// One token from one to another.
pub(super) fn payment(world: &mut World, token: Address, from: Address, to: Address) -> RecoveredTx {
    world.transaction(from, Action::call(token, &transferCall { to, amount: U256::ONE }, GAS_LIMIT))
}
