//! Many users at one market of the suite. `public` has the designs that it replaces.
//!
//! The suite is put into the world by its own plan. Every user has a transaction; the market has been used before, and the first
//! transaction of the block does what the first of a block does.

use alloy_primitives::{Address, I256, U256};
use alloy_sol_types::{SolCall, sol};
use braid_suite::{Suite, Transaction, proxy};
use braid_types::RecoveredTx;

use super::{Workload, governor, users};
use crate::world::{Action, SetUpError, World};

sol! {
    function approve(address spender, uint256 amount) returns (bool);
    function borrow(uint256 amount, address onBehalf, address to);
    function mint(address to, uint256 amount);
    function placeOrder(address tokenIn, address tokenOut, uint256 fee, uint256 amountIn, uint256 minAmountOut, uint256 deadline);
    function stake(uint256 amount);
    function supply(uint256 amount, address onBehalf);
    function supplyCollateral(uint256 amount, address onBehalf);
    function swapExactTokensForTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline);
    function trade(uint256 account, uint256 market, int256 delta, uint256 limit) returns (uint256 fill);
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
        /// Of the perpetual futures.
        function deposit(uint256 account, uint256 amount);
    }
}

/// Of orders of the perpetual futures.
mod waiting {
    alloy_sol_types::sol! {
        struct Request {
            uint256 account;
            uint256 market;
            int256 delta;
            uint256 trigger;
            bool isAbove;
            uint256 limit;
            bool reduces;
            uint64 expiry;
            uint256 tip;
        }

        function place(Request request) returns (bytes32 id);
        function setDelegate(address delegate, bool allowed);
    }
}

/// Of locked stakes.
mod stake_locked {
    alloy_sol_types::sol! {
        function stake(uint256 amount, uint256 lock);
    }
}

pub(super) const TRANSACTIONS: usize = 2_000;

/// Gas limit, about what wallets add to an estimate.
pub(super) const GAS_LIMIT: u64 = 700_000;

/// Fee of the seeded pools, in millionths.
const FEE: u64 = 3_000;

/// What a user does with in one transaction: a dollar, or a millionth of an ether.
pub(super) const AMOUNT: u64 = 1_000_000;

/// What a user has of everything: ten ether, and more dollars than are spent.
pub(super) const PLENTY: u64 = 10_000_000_000_000_000_000;

/// What a position is opened with: a hundredth of an ether.
pub(super) const POSITION: i64 = 10_000_000_000_000_000;

/// A day, which is an epoch of votes and the delay of a proposal, and a little more, in seconds.
const NEXT_DAY_S: u64 = 86_460;

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
    Workload::new("suite-deposit", "deposits in one curated vault (ERC-4626)", TRANSACTIONS, |world, transactions| {
        at_market(
            world,
            transactions,
            |market, world, user| market.allow(world, user, "bUSD", "Curated-bUSD"),
            |market, user| deposit(market.at("Curated-bUSD"), user),
        )
    }),
    Workload::new(
        "suite-savings",
        "deposits in one vault that stakes them (ERC-4626)",
        TRANSACTIONS,
        |world, transactions| {
            at_market(
                world,
                transactions,
                |market, world, user| market.allow(world, user, "bUSD", "Savings-bUSD"),
                |market, user| deposit(market.at("Savings-bUSD"), user),
            )
        },
    ),
    Workload::new("suite-lock", "locked stakes in one pool whose reward vests", TRANSACTIONS, |world, transactions| {
        at_market(world, transactions, |market, world, user| market.allow(world, user, "WETH", "Boost-WETH"), lock_weth)
    }),
    Workload::new("suite-vote", "votes of stakes on one proposal", TRANSACTIONS, votes),
    Workload::new(
        "suite-perpetual",
        "positions opened in one perpetual future",
        TRANSACTIONS,
        |world, transactions| at_market(world, transactions, has_margin, open_position),
    ),
    Workload::new(
        "suite-stop-orders",
        "stop-losses placed in one perpetual future, each with a tip",
        TRANSACTIONS,
        |world, transactions| at_market(world, transactions, has_delegated, place_stop),
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

/// Stakers who all vote on the same proposal.
fn votes(world: &mut World, transactions: usize) -> Result<Vec<RecoveredTx>, SetUpError> {
    let market = Market::open(world)?;
    let voters = users(world, "user", transactions);
    let first = world.user("first user", 0);
    for &voter in voters.iter().chain([&first]) {
        market.allow(world, voter, "WETH", "VotingStake")?;
        world.call(voter, market.at("VotingStake"), &stakeCall { amount: U256::from(PLENTY) })?;
    }
    world.seal()?;
    world.wait(NEXT_DAY_S);
    let proposal = governor::propose(world, first, market.at("Governor"))?;
    world.wait(NEXT_DAY_S);
    let vote = Action::call(market.at("Governor"), &governor::in_favour(proposal), GAS_LIMIT);
    world.send(first, vote.clone())?;
    world.seal()?;
    Ok(voters.into_iter().map(|voter| world.transaction(voter, vote.clone())).collect())
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

fn deposit(vault: Address, receiver: Address) -> Action {
    let call = named_alike::deposit_1Call { assets: U256::from(AMOUNT), receiver };
    Action::call(vault, &call, GAS_LIMIT)
}

fn lock_weth(market: &Market, _: Address) -> Action {
    let call = stake_locked::stakeCall { amount: U256::from(AMOUNT), lock: U256::from(365 * NEXT_DAY_S) };
    Action::call(market.at("Boost-WETH"), &call, GAS_LIMIT)
}

/// The first of a user's accounts.
fn account_of(user: Address) -> U256 {
    U256::from_be_slice(user.as_slice()) << 96
}

fn has_margin(market: &Market, world: &mut World, user: Address) -> Result<(), SetUpError> {
    market.allow(world, user, "bUSD", "Perpetuals")?;
    let call = named_alike::deposit_3Call { account: account_of(user), amount: U256::from(100 * AMOUNT) };
    world.call(user, market.at("Perpetuals"), &call)
}

fn open_position(market: &Market, user: Address) -> Action {
    let delta = I256::unchecked_from(POSITION);
    let call = tradeCall { account: account_of(user), market: U256::ZERO, delta, limit: U256::MAX };
    Action::call(market.at("Perpetuals"), &call, GAS_LIMIT)
}

fn has_delegated(market: &Market, world: &mut World, user: Address) -> Result<(), SetUpError> {
    let orders = market.at("PerpetualOrders");
    market.allow(world, user, "bUSD", "PerpetualOrders")?;
    world.call(user, market.at("Perpetuals"), &waiting::setDelegateCall { delegate: orders, allowed: true })
}

fn place_stop(market: &Market, user: Address) -> Action {
    let request = waiting::Request {
        account: account_of(user),
        market: U256::ZERO,
        delta: I256::unchecked_from(-POSITION),
        trigger: U256::ONE,
        isAbove: false,
        limit: U256::ZERO,
        reduces: true,
        expiry: u64::MAX,
        tip: U256::from(AMOUNT),
    };
    Action::call(market.at("PerpetualOrders"), &waiting::placeCall { request }, GAS_LIMIT)
}
