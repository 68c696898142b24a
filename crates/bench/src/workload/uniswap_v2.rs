//! Swaps through Uniswap v2's router.

use alloy_primitives::{Address, U256, keccak256};
use alloy_sol_types::{SolValue, sol};
use braid_types::RecoveredTx;

use super::Workload;
use crate::{
    artifacts::{OZ_TOKEN, V2_FACTORY, V2_PAIR, V2_ROUTER, WETH},
    random::Random,
    world::{Action, SetUpError, World},
};

sol! {
    function mint(address to, uint256 amount);
    function mint(address to) returns (uint256 liquidity);
    function approve(address spender, uint256 amount) returns (bool);
    function createPair(address one, address other) returns (address pair);
    function swapExactTokensForTokens(
        uint256 amountIn,
        uint256 amountOutMin,
        address[] path,
        address to,
        uint256 deadline
    ) returns (uint256[] amounts);
}

const TRANSACTIONS: usize = 2_000;

/// Every transaction of this workload has a pool of its own, which takes a while to set up.
const INDEPENDENT_TRANSACTIONS: usize = 1_000;

/// Pools of `uniswap-v2-64-pools`.
pub(super) const RANDOM_POOLS: usize = 64;

/// Pools of `uniswap-v2-8-pools`.
const GROUPED_POOLS: usize = 8;

/// Tokens on either side of a pool, and in everybody's hands: more than is ever swapped.
pub(super) const DEPTH: u128 = 1 << 100;

/// Tokens of one swap.
const AMOUNT: u128 = 1_000_000_000_000;

/// Gas limit of a swap, about what wallets add to an estimate.
const GAS_LIMIT: u64 = 200_000;

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::new(
        "uniswap-v2-independent",
        "Uniswap v2 swaps, each in a pool of its own",
        INDEPENDENT_TRANSACTIONS,
        |world, transactions| swaps(world, transactions, |number| number),
    ),
    Workload::new(
        "uniswap-v2-64-pools",
        "Uniswap v2 swaps in 64 pools at random",
        TRANSACTIONS,
        |world, transactions| {
            let mut random = Random::new(3);
            swaps(world, transactions, |_| random.below(RANDOM_POOLS))
        },
    ),
    Workload::new(
        "uniswap-v2-8-pools",
        "Uniswap v2 swaps in 8 pools, pool after pool",
        TRANSACTIONS,
        |world, transactions| swaps(world, transactions, |number| number * GROUPED_POOLS / transactions),
    ),
    Workload::new("uniswap-v2-one-pool", "Uniswap v2 swaps in one pool", TRANSACTIONS, |world, transactions| {
        swaps(world, transactions, |_| 0)
    }),
    Workload::with_access_list(
        "uniswap-v2-one-pool-with-access-list",
        "the same from a block that carries its access list",
        TRANSACTIONS,
        |world, transactions| swaps(world, transactions, |_| 0),
    ),
];

/// As many swaps, each by a trader of its own, in the pool that `pool` says.
fn swaps(
    world: &mut World,
    transactions: usize,
    mut pool: impl FnMut(usize) -> usize,
) -> Result<Vec<RecoveredTx>, SetUpError> {
    let choice: Vec<_> = (0..transactions).map(&mut pool).collect();
    let market = Market::open(world, choice.iter().max().map_or(0, |last| last + 1))?;
    let mut traders = Vec::with_capacity(transactions);
    for (number, &pool) in choice.iter().enumerate() {
        traders.push(market.trader(world, number, pool)?);
    }
    world.seal()?;
    let swap = |(number, (pool, trader))| market.swap(world, trader, pool, number % 2 == 0);
    Ok(choice.into_iter().zip(traders).enumerate().map(swap).collect())
}

/// Uniswap v2 with deep pools, each of two tokens of its own.
pub(super) struct Market {
    router: Address,
    pools: Vec<[Address; 2]>,
}

impl Market {
    /// Deploys Uniswap and as many pools, and swaps in each of them both ways.
    pub(super) fn open(world: &mut World, pools: usize) -> Result<Self, SetUpError> {
        let owner = world.user("owner", 0);
        let factory = world.deploy(&V2_FACTORY, &owner.abi_encode())?;
        let weth = world.deploy(&WETH, &[])?;
        let router = world.deploy(&V2_ROUTER, &(factory, weth).abi_encode())?;
        let init_code_hash = keccak256(V2_PAIR.code()?);
        let mut market = Self { router, pools: Vec::with_capacity(pools) };
        for _ in 0..pools {
            let tokens = [world.deploy(&OZ_TOKEN, &[])?, world.deploy(&OZ_TOKEN, &[])?];
            market.pools.push(tokens);
        }
        world.seal()?;
        for &[one, other] in &market.pools {
            world.call(owner, factory, &createPairCall { one, other })?;
            let salt = keccak256((one.min(other), one.max(other)).abi_encode_packed());
            let pair = factory.create2(salt, init_code_hash);
            for token in [one, other] {
                world.call(owner, token, &mint_0Call { to: pair, amount: U256::from(DEPTH) })?;
            }
            world.call(owner, pair, &mint_1Call { to: owner })?;
        }
        world.seal()?;
        market.warm(world)?;
        Ok(market)
    }

    /// Swaps both ways in every pool, so that everything the pools will write has a value.
    fn warm(&self, world: &mut World) -> Result<(), SetUpError> {
        let owner = world.user("owner", 0);
        for pool in 0..self.pools.len() {
            self.equip(world, owner, pool)?;
        }
        world.seal()?;
        for forward in [true, false] {
            for pool in 0..self.pools.len() {
                world.send(owner, self.action(owner, pool, forward))?;
            }
            world.seal()?;
        }
        Ok(())
    }

    /// A trader who can swap in a pool. To be sealed.
    pub(super) fn trader(&self, world: &mut World, number: usize, pool: usize) -> Result<Address, SetUpError> {
        let trader = world.user("trader", number);
        self.equip(world, trader, pool)?;
        Ok(trader)
    }

    fn equip(&self, world: &mut World, trader: Address, pool: usize) -> Result<(), SetUpError> {
        for token in self.pools[pool] {
            world.call(trader, token, &mint_0Call { to: trader, amount: U256::from(DEPTH) })?;
            world.call(trader, token, &approveCall { spender: self.router, amount: U256::MAX })?;
        }
        Ok(())
    }

    /// A swap of one token of a pool for the other.
    pub(super) fn swap(&self, world: &mut World, trader: Address, pool: usize, forward: bool) -> RecoveredTx {
        world.transaction(trader, Action { gas_limit: GAS_LIMIT, ..self.action(trader, pool, forward) })
    }

    fn action(&self, trader: Address, pool: usize, forward: bool) -> Action {
        let [one, other] = self.pools[pool];
        let path = if forward { vec![one, other] } else { vec![other, one] };
        let call = swapExactTokensForTokensCall {
            amountIn: U256::from(AMOUNT),
            amountOutMin: U256::ONE,
            path,
            to: trader,
            deadline: U256::MAX,
        };
        Action::call(self.router, &call, GAS_LIMIT)
    }
}
