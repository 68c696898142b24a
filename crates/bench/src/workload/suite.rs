//! Many users at one market of the suite, and the public designs that it replaces.
//!
//! The suite is put into the world by its own plan. Every user has a transaction; the market has been used before, and the first
//! transaction of the block does what the first of a block does.

use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolCall, SolValue, sol};
use braid_suite::{Suite, Transaction, proxy};
use braid_types::RecoveredTx;

use super::{Workload, users};
use crate::{
    artifacts::{OZ_TOKEN, OZ_VAULT, STAKING_PER_TRANSACTION},
    world::{Action, SetUpError, World},
};

sol! {
    function approve(address spender, uint256 amount) returns (bool);
    function borrow(uint256 amount, address onBehalf, address to);
    function mint(address to, uint256 amount);
    function placeOrder(address tokenIn, address tokenOut, uint256 fee, uint256 amountIn, uint256 minAmountOut, uint256 deadline);
    function stake(uint256 amount);
    function supply(uint256 amount, address onBehalf);
    function supplyCollateral(uint256 amount, address onBehalf);
    function swapExactTokensForTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline);
    function transfer(address to, uint256 id, uint256 amount) returns (bool);
}

/// Functions that have the name of another one here.
mod named_alike {
    alloy_sol_types::sol! {
        /// Of wrapped ether.
        function deposit();
        /// Of a tokenised vault.
        function deposit(uint256 assets, address receiver);
        /// Of the vault.
        function deposit(address token, uint256 amount, address to);
    }
}

const TRANSACTIONS: usize = 2_000;

/// Gas limit, about what wallets add to an estimate.
const GAS_LIMIT: u64 = 700_000;

/// Fee of the seeded pools, in millionths.
const FEE: u64 = 3_000;

/// What a user does with in one transaction: a dollar, or a millionth of an ether.
const AMOUNT: u64 = 1_000_000;

/// What a user has of everything: ten ether, and more dollars than are spent.
const PLENTY: u64 = 10_000_000_000_000_000_000;

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::new(
        "suite-vault-transfers",
        "internal balances of the vault, every sender to one recipient",
        TRANSACTIONS,
        |world, transactions| at_market(world, transactions, has_in_vault, transfer),
    ),
    Workload::new(
        "suite-swaps",
        "swaps through the suite's router, in one pool that trades at once",
        TRANSACTIONS,
        |world, transactions| {
            at_market(world, transactions, |market, world, user| market.allow(world, user, "bUSD", "Router"), swap)
        },
    ),
    Workload::new(
        "suite-orders",
        "orders through the suite's router, in one pool that trades in batches",
        TRANSACTIONS,
        |world, transactions| {
            at_market(world, transactions, |market, world, user| market.allow(world, user, "bUSD", "Router"), order)
        },
    ),
    Workload::new("suite-supply", "supply to one lending market", TRANSACTIONS, |world, transactions| {
        at_market(
            world,
            transactions,
            |market, world, user| market.allow(world, user, "bUSD", "Lend-bUSD-WETH"),
            supply,
        )
    }),
    Workload::new("suite-borrow", "loans of one lending market", TRANSACTIONS, |world, transactions| {
        at_market(world, transactions, has_collateral, borrow)
    }),
    Workload::new(
        "suite-stake",
        "stakes in one pool that accrues once a block",
        TRANSACTIONS,
        |world, transactions| {
            at_market(
                world,
                transactions,
                |market, world, user| market.allow(world, user, "WETH", "Stake-WETH"),
                stake_weth,
            )
        },
    ),
    Workload::new(
        "public-stake",
        "stakes in one pool that accrues in every transaction",
        TRANSACTIONS,
        |world, transactions| {
            at_public(world, transactions, &STAKING_PER_TRANSACTION, |pool, _| {
                Action::call(pool, &stakeCall { amount: U256::from(AMOUNT) }, GAS_LIMIT)
            })
        },
    ),
    Workload::new(
        "public-deposit",
        "deposits in one tokenised vault of OpenZeppelin (ERC-4626)",
        TRANSACTIONS,
        |world, transactions| {
            at_public(world, transactions, &OZ_VAULT, |vault, receiver| {
                let call = named_alike::deposit_1Call { assets: U256::from(AMOUNT), receiver };
                Action::call(vault, &call, GAS_LIMIT)
            })
        },
    ),
];

/// The suite on a chain.
struct Market {
    suite: Suite,
}

/// What a user needs before.
type Prepare = fn(&Market, &mut World, Address) -> Result<(), SetUpError>;

/// What a user does.
type Act = fn(&Market, Address) -> Action;

/// Users who all do the same at once.
fn at_market(
    world: &mut World,
    transactions: usize,
    prepare: Prepare,
    act: Act,
) -> Result<Vec<RecoveredTx>, SetUpError> {
    let market = Market::open(world)?;
    let users = users(world, "user", transactions);
    let first = world.user("first user", 0);
    for &user in users.iter().chain([&first]) {
        prepare(&market, world, user)?;
    }
    world.seal()?;
    world.send(first, act(&market, first))?;
    world.seal()?;
    Ok(users.into_iter().map(|user| world.transaction(user, act(&market, user))).collect())
}

/// The same at a contract made for a token, which users have plenty of.
fn at_public(
    world: &mut World,
    transactions: usize,
    artifact: &crate::artifacts::Artifact,
    act: impl Fn(Address, Address) -> Action,
) -> Result<Vec<RecoveredTx>, SetUpError> {
    let token = world.deploy(&OZ_TOKEN, &[])?;
    let contract = world.deploy(artifact, &token.abi_encode())?;
    world.seal()?;
    let users = users(world, "user", transactions);
    let first = world.user("first user", 0);
    for &user in users.iter().chain([&first]) {
        world.call(user, token, &mintCall { to: user, amount: U256::from(PLENTY) })?;
        world.call(user, token, &approveCall { spender: contract, amount: U256::MAX })?;
    }
    world.seal()?;
    world.send(first, act(contract, first))?;
    world.seal()?;
    Ok(users.into_iter().map(|user| world.transaction(user, act(contract, user))).collect())
}

impl Market {
    /// Puts the suite where nothing of it is.
    fn open(world: &mut World) -> Result<Self, SetUpError> {
        let owner = world.user("owner", 0);
        world.put_code(proxy::ADDRESS, &proxy::CODE);
        let suite = Suite::new(owner)?;
        for Transaction { to, value, input } in suite.transactions() {
            world.send(owner, Action { to: to.into(), value, input, gas_limit: World::MAX_TRANSACTION_GAS })?;
        }
        world.seal()?;
        Ok(Self { suite })
    }

    fn at(&self, name: &str) -> Address {
        self.suite.find(name).map(|contract| contract.address).unwrap_or_default()
    }

    /// A user has plenty of a token, and a contract may take it.
    fn allow(&self, world: &mut World, user: Address, token: &str, spender: &str) -> Result<(), SetUpError> {
        let (address, amount) = (self.at(token), U256::from(PLENTY));
        if token == "WETH" {
            let input = named_alike::deposit_0Call {}.abi_encode().into();
            world.send(user, Action { to: address.into(), value: amount, input, gas_limit: GAS_LIMIT })?;
        } else {
            let amount = U256::from(1_000 * AMOUNT);
            world.call(self.suite.owner, address, &mintCall { to: user, amount })?;
        }
        world.call(user, address, &approveCall { spender: self.at(spender), amount: U256::MAX })
    }
}

fn has_in_vault(market: &Market, world: &mut World, user: Address) -> Result<(), SetUpError> {
    market.allow(world, user, "bUSD", "Vault")?;
    let amount = U256::from(100 * AMOUNT);
    let call = named_alike::deposit_2Call { token: market.at("bUSD"), amount, to: user };
    world.call(user, market.at("Vault"), &call)
}

fn transfer(market: &Market, _: Address) -> Action {
    let id = market.at("bUSD").into_word().into();
    let call = transferCall { to: market.suite.owner, id, amount: U256::from(AMOUNT) };
    Action::call(market.at("Vault"), &call, GAS_LIMIT)
}

fn swap(market: &Market, user: Address) -> Action {
    let call = swapExactTokensForTokensCall {
        amountIn: U256::from(AMOUNT),
        amountOutMin: U256::ONE,
        path: vec![market.at("bUSD"), market.at("bKES")],
        to: user,
        deadline: U256::MAX,
    };
    Action::call(market.at("Router"), &call, GAS_LIMIT)
}

fn order(market: &Market, _: Address) -> Action {
    let call = placeOrderCall {
        tokenIn: market.at("bUSD"),
        tokenOut: market.at("bKES"),
        fee: U256::from(FEE),
        amountIn: U256::from(AMOUNT),
        minAmountOut: U256::ZERO,
        deadline: U256::MAX,
    };
    Action::call(market.at("Router"), &call, GAS_LIMIT)
}

fn supply(market: &Market, user: Address) -> Action {
    let call = supplyCall { amount: U256::from(AMOUNT), onBehalf: user };
    Action::call(market.at("Lend-bUSD-WETH"), &call, GAS_LIMIT)
}

fn has_collateral(market: &Market, world: &mut World, user: Address) -> Result<(), SetUpError> {
    market.allow(world, user, "WETH", "Lend-bUSD-WETH")?;
    let call = supplyCollateralCall { amount: U256::from(PLENTY), onBehalf: user };
    world.call(user, market.at("Lend-bUSD-WETH"), &call)
}

fn borrow(market: &Market, user: Address) -> Action {
    let call = borrowCall { amount: U256::from(AMOUNT), onBehalf: user, to: user };
    Action::call(market.at("Lend-bUSD-WETH"), &call, GAS_LIMIT)
}

fn stake_weth(market: &Market, _: Address) -> Action {
    Action::call(market.at("Stake-WETH"), &stakeCall { amount: U256::from(AMOUNT) }, GAS_LIMIT)
}
