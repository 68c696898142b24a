//! Pools of other kinds: two dollars where a price of one is likely, ether in several pools by trader, ether in narrow bins of prices, and
//! ether that stays four fifths of what a pool is worth. Pools with hooks are for others to make.

use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolValue, sol};

use crate::{
    artefact::{
        ArtefactError, BIN_FACTORY, CONCENTRATED_POOL, CURVE_FACTORY, HOOK_FACTORY, SHARD_POOL, SHARDED_POOL,
        STABLE_POOL, WEIGHTED_FACTORY, WEIGHTED_POOL,
    },
    exchange::{DEPTH_USD, deposited, lent, liquidity, made_by},
    plan::{Condition, Step, Suite},
    tokens::{Sum, Tokens, USD_PER_ETHER},
};

sol! {
    function addLiquidity(uint256 id, uint256 max0, uint256 max1, uint256 minShares, address to)
        returns (uint256 shares, uint256 amount0, uint256 amount1);
    function createPool(address tokenA, address tokenB, uint256 startBin) returns (address pool);
    function createShardedPool(address tokenA, address tokenB) returns (address pool);
    function createStablePool(address tokenA, address tokenB) returns (address pool);
    function getPool(address tokenA, address tokenB) returns (address pool);
    function getShardedPool(address tokenA, address tokenB) returns (address pool);
    function getStablePool(address tokenA, address tokenB) returns (address pool);
    function totalSupply(uint256 id) returns (uint256);
}

/// The functions of the factory of weighted pools.
mod weights {
    alloy_sol_types::sol! {
        function createPool(address tokenA, address tokenB, uint256 fee, uint256 weightA) returns (address pool);
        function getPool(address tokenA, address tokenB, uint256 fee, uint256 weightA) returns (address pool);
    }
}

/// What the factory makes stable pools with: the fee in millionths, and the amplification.
const STABLE: (U256, U256) = (U256::from_limbs([100, 0, 0, 0]), U256::from_limbs([200, 0, 0, 0]));

/// What it makes sharded pools with: the highest and the lowest fee in millionths, and the number of pools.
const SHARDED: (U256, U256, U256) =
    (U256::from_limbs([10_000, 0, 0, 0]), U256::from_limbs([500, 0, 0, 0]), U256::from_limbs([SHARDS, 0, 0, 0]));

const SHARDS: u64 = 4;

/// What the factory of bins makes pools with: the fee in millionths, and how far bins are apart in basis points.
const BINS: (U256, U256) = (U256::from_limbs([500, 0, 0, 0]), U256::from_limbs([10, 0, 0, 0]));

/// The bin with a price of one.
const CENTRE: u64 = 1 << 15;

/// How many bins a wei in millionths of a dollar is below it: ln(3,000 · 10⁶ / 10¹⁸) / ln(1.001) = −19,634.5.
const ETHER_BELOW_CENTRE: u64 = 19_634;

/// Bins with liquidity on either side of the one that trades.
const BINS_EACH_SIDE: u64 = 5;

/// Ether in a bin, or as many dollars.
const BIN_ETHER: u64 = 3;

/// Ether in a shard, and as many dollars.
const SHARD_ETHER: u64 = 10;

/// Ether in the weighted pool, and a quarter as many dollars.
const WEIGHTED_ETHER: u64 = 20;

/// Fee of the weighted pool, in millionths.
const WEIGHTED_FEE: U256 = U256::from_limbs([3_000, 0, 0, 0]);

/// What ether and dollars are of the weighted pool's worth, times 10^18.
const WEIGHTS: [U256; 2] =
    [U256::from_limbs([800_000_000_000_000_000, 0, 0, 0]), U256::from_limbs([200_000_000_000_000_000, 0, 0, 0])];

/// Where the pools come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factories {
    vault: Address,
    pub(crate) curves: Address,
    pub(crate) bins: Address,
    weighted: Address,
}

/// Adds the factories.
pub(crate) fn factories(suite: &mut Suite, vault: Address) -> Result<Factories, ArtefactError> {
    let arguments = vault.abi_encode();
    let curves = suite.contract("CurveFactory", "makes stable and sharded pools", CURVE_FACTORY, &arguments)?;
    let bins = suite.contract("BinFactory", "makes concentrated pools", BIN_FACTORY, &arguments)?;
    let weighted = suite.contract("WeightedFactory", "makes weighted pools", WEIGHTED_FACTORY, &arguments)?;
    suite.contract("HookFactory", "makes pools that ask a contract of their maker's", HOOK_FACTORY, &arguments)?;
    Ok(Factories { vault, curves, bins, weighted })
}

/// Adds the pools.
pub(crate) fn pools(suite: &mut Suite, tokens: &Tokens, factories: Factories) -> Result<(), ArtefactError> {
    let usd = tokens.money[0];
    let dollars = [usd, tokens.other_usd].map(|token| Sum::money(token, DEPTH_USD));
    stable(suite, factories, sorted(dollars))?;
    let ether = |number| sorted([Sum::ether(tokens.weth, number), Sum::money(usd, number * USD_PER_ETHER)]);
    sharded(suite, factories, ether(SHARD_ETHER))?;
    concentrated(suite, factories, ether(BIN_ETHER), tokens.weth)?;
    let sides = [Sum::ether(tokens.weth, WEIGHTED_ETHER), Sum::money(usd, WEIGHTED_ETHER * USD_PER_ETHER / 4)];
    weighted(suite, factories, sides)
}

fn sorted(mut sides: [Sum; 2]) -> [Sum; 2] {
    sides.sort_by_key(|side| side.token);
    sides
}

fn stable(suite: &mut Suite, factories: Factories, sides: [Sum; 2]) -> Result<(), ArtefactError> {
    let Factories { vault, curves, .. } = factories;
    let [one, other] = sides.map(|side| side.token);
    let (fee, amplification) = STABLE;
    let arguments = (vault, one, other, fee, amplification).abi_encode_params();
    let pool = made_by(curves, STABLE_POOL, &arguments)?;
    suite.made("Stable-bUSD-xUSD", "two dollars against each other, near one", STABLE_POOL, pool);
    let done = Condition::not_zero(curves, &getStablePoolCall { tokenA: one, tokenB: other });
    let call = createStablePoolCall { tokenA: one, tokenB: other };
    suite.steps.push(Step::call("stable pool", curves, &call, done).wiring());
    let filled = liquidity(suite.owner, vault, pool, sides);
    suite.steps.push(Step { about: "liquidity of the stable pool".to_owned(), ..filled });
    Ok(())
}

fn sharded(suite: &mut Suite, factories: Factories, sides: [Sum; 2]) -> Result<(), ArtefactError> {
    let Factories { vault, curves, .. } = factories;
    let [one, other] = sides.map(|side| side.token);
    let (fee, least, count) = SHARDED;
    let arguments = (vault, one, other, fee, least, count).abi_encode_params();
    let sharded = made_by(curves, SHARDED_POOL, &arguments)?;
    let about = "WETH against bUSD, in four pools by trader";
    suite.made("Sharded-WETH-bUSD", about, SHARDED_POOL, sharded);
    let done = Condition::not_zero(curves, &getShardedPoolCall { tokenA: one, tokenB: other });
    let call = createShardedPoolCall { tokenA: one, tokenB: other };
    suite.steps.push(Step::call("sharded pool", curves, &call, done).wiring());
    for number in 0..SHARDS {
        // A contract's first creation has nonce 1 (EIP-161).
        let shard = sharded.create(number + 1);
        suite.made(format!("Shard-{number}-WETH-bUSD"), "one of the four", SHARD_POOL, shard);
        let filled = liquidity(suite.owner, vault, shard, sides);
        suite.steps.push(Step { about: format!("liquidity of shard {number}"), ..filled });
    }
    Ok(())
}

/// `sides` are what a bin that trades has; the others have one of the two.
fn concentrated(suite: &mut Suite, factories: Factories, sides: [Sum; 2], weth: Address) -> Result<(), ArtefactError> {
    let Factories { vault, bins, .. } = factories;
    let [one, other] = sides.map(|side| side.token);
    let start = if one == weth { CENTRE - ETHER_BELOW_CENTRE } else { CENTRE + ETHER_BELOW_CENTRE };
    let (fee, step) = BINS;
    let arguments = (vault, one, other, fee, step, U256::from(start)).abi_encode_params();
    let pool = made_by(bins, CONCENTRATED_POOL, &arguments)?;
    let about = "WETH against bUSD, liquidity in bins of prices";
    suite.made("Concentrated-WETH-bUSD", about, CONCENTRATED_POOL, pool);
    let done = Condition::not_zero(bins, &getPoolCall { tokenA: one, tokenB: other });
    let call = createPoolCall { tokenA: one, tokenB: other, startBin: U256::from(start) };
    suite.steps.push(Step::call("concentrated pool", bins, &call, done).wiring());
    suite.steps.push(filled(suite.owner, vault, pool, sides, start));
    Ok(())
}

/// The bins around `start` have liquidity: above it of the first token alone, below of the second.
fn filled(owner: Address, vault: Address, pool: Address, sides: [Sum; 2], start: u64) -> Step {
    let mut steps = Vec::new();
    for side in sides {
        let all = side.times(BINS_EACH_SIDE + 1);
        steps.push(deposited(owner, vault, all));
        steps.push(lent(owner, vault, pool, all));
    }
    let [max0, max1] = sides.map(|side| side.amount);
    for id in (start - BINS_EACH_SIDE..=start + BINS_EACH_SIDE).map(U256::from) {
        let call = addLiquidityCall { id, max0, max1, minShares: U256::ONE, to: owner };
        let done = Condition::not_zero(pool, &totalSupplyCall { id });
        steps.push(Step::call("liquidity of a bin", pool, &call, done));
    }
    let last = U256::from(start + BINS_EACH_SIDE);
    let done = Condition::not_zero(pool, &totalSupplyCall { id: last });
    Step::all("liquidity of the concentrated pool", done, steps)
}

/// The sides are ether and dollars, in this order.
fn weighted(suite: &mut Suite, factories: Factories, sides: [Sum; 2]) -> Result<(), ArtefactError> {
    let Factories { vault, weighted, .. } = factories;
    let ([ether, usd], [weight, other_weight]) = (sides.map(|side| side.token), WEIGHTS);
    let arguments = if ether < usd {
        (vault, ether, usd, WEIGHTED_FEE, weight).abi_encode_params()
    } else {
        (vault, usd, ether, WEIGHTED_FEE, other_weight).abi_encode_params()
    };
    let pool = made_by(weighted, WEIGHTED_POOL, &arguments)?;
    suite.made("Weighted-WETH-bUSD", "WETH against bUSD, four fifths of it WETH", WEIGHTED_POOL, pool);
    let (token_a, token_b, fee) = (ether, usd, WEIGHTED_FEE);
    let call = weights::getPoolCall { tokenA: token_a, tokenB: token_b, fee, weightA: weight };
    let done = Condition::not_zero(weighted, &call);
    let call = weights::createPoolCall { tokenA: token_a, tokenB: token_b, fee, weightA: weight };
    suite.steps.push(Step::call("weighted pool", weighted, &call, done).wiring());
    let filled = liquidity(suite.owner, vault, pool, sorted(sides));
    suite.steps.push(Step { about: "liquidity of the weighted pool".to_owned(), ..filled });
    Ok(())
}
