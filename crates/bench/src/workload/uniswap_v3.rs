//! Swaps through Uniswap v3's router.

use alloy_primitives::{
    Address, U160, U256,
    aliases::{I24, U24},
};
use alloy_sol_types::{SolValue, sol};
use braid_types::RecoveredTx;

use super::Workload;
use crate::{
    artifacts::{OZ_TOKEN, V3_FACTORY, V3_POSITIONS, V3_ROUTER, WETH},
    world::{Action, SetUpError, World},
};

sol! {
    function mint(address to, uint256 amount);
    function approve(address spender, uint256 amount) returns (bool);
    function createAndInitializePoolIfNecessary(
        address token0,
        address token1,
        uint24 fee,
        uint160 sqrtPriceX96
    ) payable returns (address pool);

    struct MintParams {
        address token0;
        address token1;
        uint24 fee;
        int24 tickLower;
        int24 tickUpper;
        uint256 amount0Desired;
        uint256 amount1Desired;
        uint256 amount0Min;
        uint256 amount1Min;
        address recipient;
        uint256 deadline;
    }

    function mint(MintParams params) payable returns (uint256 tokenId, uint128 liquidity, uint256 amount0, uint256 amount1);

    struct ExactInputSingleParams {
        address tokenIn;
        address tokenOut;
        uint24 fee;
        address recipient;
        uint256 deadline;
        uint256 amountIn;
        uint256 amountOutMinimum;
        uint160 sqrtPriceLimitX96;
    }

    function exactInputSingle(ExactInputSingleParams params) payable returns (uint256 amountOut);
}

const TRANSACTIONS: usize = 1_000;

/// Every transaction of this workload has a pool of its own, which takes a while to set up.
const INDEPENDENT_TRANSACTIONS: usize = 500;

/// The middle fee tier, 0.3 %, whose ticks are 60 apart.
const FEE: U24 = U24::from_limbs([3_000]);

/// The widest range that the tier allows.
const LAST_TICK: i32 = 887_220;

/// Square root of the price 1, in Q64.96.
const PRICE_ONE: U160 = U160::from_limbs([0, 1 << 32, 0]);

/// Tokens on either side of a pool, and in everybody's hands: more than is ever swapped.
const DEPTH: u128 = 1 << 100;

/// Tokens of one swap.
const AMOUNT: u128 = 1_000_000_000_000;

/// Gas limit of a swap, about what wallets add to an estimate.
const GAS_LIMIT: u64 = 250_000;

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::new(
        "uniswap-v3-independent",
        "Uniswap v3 swaps, each in a pool of its own",
        INDEPENDENT_TRANSACTIONS,
        |world, transactions| swaps(world, transactions, transactions),
    ),
    Workload::new("uniswap-v3-one-pool", "Uniswap v3 swaps in one pool", TRANSACTIONS, |world, transactions| {
        swaps(world, transactions, 1)
    }),
    Workload::with_access_list(
        "uniswap-v3-one-pool-with-access-list",
        "the same from a block that carries its access list",
        TRANSACTIONS,
        |world, transactions| swaps(world, transactions, 1),
    ),
];

/// As many swaps, each by a trader of its own, over as many pools in turn.
fn swaps(world: &mut World, transactions: usize, pools: usize) -> Result<Vec<RecoveredTx>, SetUpError> {
    let market = Market::open(world, pools)?;
    let traders: Vec<_> = (0..transactions).map(|number| world.user("trader", number)).collect();
    for (number, &trader) in traders.iter().enumerate() {
        market.equip(world, trader, number % pools)?;
    }
    world.seal()?;
    let swap = |(number, trader): (usize, Address)| {
        world.transaction(trader, market.swap(trader, number % pools, number % 2 == 0))
    };
    Ok(traders.into_iter().enumerate().map(swap).collect())
}

/// Uniswap v3 with deep pools, each of two tokens of its own.
struct Market {
    router: Address,
    pools: Vec<[Address; 2]>,
}

impl Market {
    /// Deploys Uniswap and as many pools with liquidity at every price, and swaps in each of them both ways.
    fn open(world: &mut World, pools: usize) -> Result<Self, SetUpError> {
        let owner = world.user("owner", 0);
        let factory = world.deploy(&V3_FACTORY, &[])?;
        let weth = world.deploy(&WETH, &[])?;
        let router = world.deploy(&V3_ROUTER, &(factory, weth).abi_encode())?;
        // The descriptor draws pictures of positions; nobody looks at them here.
        let positions = world.deploy(&V3_POSITIONS, &(factory, weth, Address::ZERO).abi_encode())?;
        let mut market = Self { router, pools: Vec::with_capacity(pools) };
        for _ in 0..pools {
            let (one, other) = (world.deploy(&OZ_TOKEN, &[])?, world.deploy(&OZ_TOKEN, &[])?);
            market.pools.push([one.min(other), one.max(other)]);
        }
        world.seal()?;
        for &tokens in &market.pools {
            provide(world, owner, positions, tokens)?;
        }
        for pool in 0..pools {
            market.equip(world, owner, pool)?;
        }
        world.seal()?;
        for forward in [true, false] {
            for pool in 0..pools {
                world.send(owner, market.swap(owner, pool, forward))?;
            }
            world.seal()?;
        }
        Ok(market)
    }

    fn equip(&self, world: &mut World, trader: Address, pool: usize) -> Result<(), SetUpError> {
        for token in self.pools[pool] {
            world.call(trader, token, &mint_0Call { to: trader, amount: U256::from(DEPTH) })?;
            world.call(trader, token, &approveCall { spender: self.router, amount: U256::MAX })?;
        }
        Ok(())
    }

    /// A swap of one token of a pool for the other.
    fn swap(&self, trader: Address, pool: usize, forward: bool) -> Action {
        let [zero, one] = self.pools[pool];
        let (token_in, token_out) = if forward { (zero, one) } else { (one, zero) };
        let params = ExactInputSingleParams {
            tokenIn: token_in,
            tokenOut: token_out,
            fee: FEE,
            recipient: trader,
            deadline: U256::MAX,
            amountIn: U256::from(AMOUNT),
            amountOutMinimum: U256::ONE,
            sqrtPriceLimitX96: U160::ZERO,
        };
        Action::call(self.router, &exactInputSingleCall { params }, GAS_LIMIT)
    }
}

/// Creates the pool of two tokens, at a price of one, and brings liquidity.
fn provide(world: &mut World, owner: Address, positions: Address, tokens: [Address; 2]) -> Result<(), SetUpError> {
    let [token0, token1] = tokens;
    let create = createAndInitializePoolIfNecessaryCall { token0, token1, fee: FEE, sqrtPriceX96: PRICE_ONE };
    world.call(owner, positions, &create)?;
    for token in tokens {
        world.call(owner, token, &mint_0Call { to: owner, amount: U256::from(DEPTH) })?;
        world.call(owner, token, &approveCall { spender: positions, amount: U256::MAX })?;
    }
    let last = I24::try_from(LAST_TICK).unwrap_or(I24::MAX);
    let params = MintParams {
        token0,
        token1,
        fee: FEE,
        tickLower: -last,
        tickUpper: last,
        amount0Desired: U256::from(DEPTH),
        amount1Desired: U256::from(DEPTH),
        amount0Min: U256::ZERO,
        amount1Min: U256::ZERO,
        recipient: owner,
        deadline: U256::MAX,
    };
    world.call(owner, positions, &mint_1Call { params })
}
