//! The public designs that markets of the suite replace, each with many users at once: their totals are computed with in every
//! transaction. `uniswap_v2` and `governor` have two more.

use alloy_primitives::{Address, I256, U256};
use alloy_sol_types::{SolCall, SolValue, sol};
use braid_types::RecoveredTx;

use super::{
    Workload,
    suite::{AMOUNT, GAS_LIMIT, PLENTY, POSITION, TRANSACTIONS},
    users,
};
use crate::{
    artifacts::{Artifact, LENDING_BY_SHARES, OZ_TOKEN, OZ_VAULT, PERPETUAL_PER_TRANSACTION, STAKING_PER_TRANSACTION},
    world::{Action, SetUpError, World},
};

sol! {
    function approve(address spender, uint256 amount) returns (bool);
    function borrow(uint256 amount);
    function deposit(uint256 assets, address receiver);
    function depositMargin(uint256 amount);
    function mint(address to, uint256 amount);
    function stake(uint256 amount);
    function supply(uint256 amount);
    function supplyCollateral() payable;
    function trade(int256 delta, uint256 limit);
}

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::new(
        "public-stake",
        "stakes in one pool that accrues in every transaction",
        TRANSACTIONS,
        |world, transactions| {
            at(world, transactions, &STAKING_PER_TRANSACTION, ready, |_| {
                stakeCall { amount: U256::from(AMOUNT) }.abi_encode()
            })
        },
    ),
    Workload::new(
        "public-deposit",
        "deposits in one tokenised vault of OpenZeppelin (ERC-4626)",
        TRANSACTIONS,
        |world, transactions| {
            at(world, transactions, &OZ_VAULT, ready, |receiver| {
                depositCall { assets: U256::from(AMOUNT), receiver }.abi_encode()
            })
        },
    ),
    Workload::new(
        "public-supply",
        "supply to one lending market that counts in shares of totals",
        TRANSACTIONS,
        |world, transactions| {
            at(world, transactions, &LENDING_BY_SHARES, ready, |_| {
                supplyCall { amount: U256::from(AMOUNT) }.abi_encode()
            })
        },
    ),
    Workload::new(
        "public-borrow",
        "loans of one lending market that counts in shares of totals",
        TRANSACTIONS,
        |world, transactions| {
            at(world, transactions, &LENDING_BY_SHARES, has_collateral, |_| {
                borrowCall { amount: U256::from(AMOUNT) }.abi_encode()
            })
        },
    ),
    Workload::new(
        "public-perpetual",
        "positions opened in one perpetual future that fills each by the skew that it finds",
        TRANSACTIONS,
        |world, transactions| {
            at(world, transactions, &PERPETUAL_PER_TRANSACTION, has_margin, |_| {
                tradeCall { delta: I256::unchecked_from(POSITION), limit: U256::MAX }.abi_encode()
            })
        },
    ),
];

/// What a user needs besides tokens that the contract may take.
type Prepare = fn(&mut World, Address, Address) -> Result<(), SetUpError>;

/// Users who all do the same at a contract made for a token, which they have plenty of.
fn at(
    world: &mut World,
    transactions: usize,
    artifact: &Artifact,
    prepare: Prepare,
    input: fn(Address) -> Vec<u8>,
) -> Result<Vec<RecoveredTx>, SetUpError> {
    let token = world.deploy(&OZ_TOKEN, &[])?;
    let contract = world.deploy(artifact, &token.abi_encode())?;
    world.seal()?;
    let users = users(world, "user", transactions);
    let first = world.user("first user", 0);
    for &user in users.iter().chain([&first]) {
        world.call(user, token, &mintCall { to: user, amount: U256::from(PLENTY) })?;
        world.call(user, token, &approveCall { spender: contract, amount: U256::MAX })?;
        prepare(world, contract, user)?;
    }
    world.seal()?;
    let act = |user| Action { to: contract.into(), value: U256::ZERO, input: input(user).into(), gas_limit: GAS_LIMIT };
    world.send(first, act(first))?;
    world.seal()?;
    Ok(users.into_iter().map(|user| world.transaction(user, act(user))).collect())
}

fn ready(_: &mut World, _: Address, _: Address) -> Result<(), SetUpError> {
    Ok(())
}

/// A user lends some and puts ether down.
fn has_collateral(world: &mut World, market: Address, user: Address) -> Result<(), SetUpError> {
    world.call(user, market, &supplyCall { amount: U256::from(10 * AMOUNT) })?;
    let input = supplyCollateralCall {}.abi_encode().into();
    world.send(user, Action { to: market.into(), value: U256::from(PLENTY), input, gas_limit: GAS_LIMIT })
}

fn has_margin(world: &mut World, market: Address, user: Address) -> Result<(), SetUpError> {
    world.call(user, market, &depositMarginCall { amount: U256::from(100 * AMOUNT) })
}
