//! The vault, the router, orders that wait, trades by signature, and pools: ether and every other currency against dollars, in a pool that trades at once and
//! in one that trades in batches. Pools of other kinds are in [`curves`].

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::{SolValue, sol};

use crate::{
    artefact::{
        Artefact, ArtefactError, BATCH_POOL, CONSTANT_PRODUCT_POOL, ORDERS, POOL_FACTORY, SIGNATURE_TRANSFER,
        SIGNED_TRADES, VAULT, WIDE_ROUTER,
    },
    curves,
    plan::{Condition, Step, Suite},
    tokens::{CURRENCIES, Sum, Tokens, USD_PER_ETHER},
};

sol! {
    function addLiquidity(uint256 max0, uint256 max1, uint256 minShares, address to)
        returns (uint256 shares, uint256 amount0, uint256 amount1);
    function createBatchPool(address tokenA, address tokenB, uint256 fee) returns (address pool);
    function createPool(address tokenA, address tokenB, uint256 fee) returns (address pool);
    function getBatchPool(address tokenA, address tokenB, uint256 fee) returns (address pool);
    function getPool(address tokenA, address tokenB, uint256 fee) returns (address pool);
    function totalSupply() returns (uint256);
}

/// The vault's functions, whose ids are the tokens' addresses.
mod vault {
    alloy_sol_types::sol! {
        function allowance(address owner, address spender, uint256 id) returns (uint256);
        function approve(address spender, uint256 id, uint256 amount) returns (bool);
        function balanceOf(address owner, uint256 id) returns (uint256);
        function deposit(address token, uint256 amount, address to);
    }
}

/// Fee of the pools, in millionths.
const FEE: U256 = U256::from_limbs([3_000, 0, 0, 0]);

/// Blocks in a batch, as the factory makes them.
const BATCH_INTERVAL: U256 = U256::ONE;

/// Dollars in each seeded pool, and the same worth of the other token.
pub(crate) const DEPTH_USD: u64 = 150_000;

/// Where pools come from and what they hold.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    vault: Address,
    factory: Address,
}

/// Adds the contracts; returns the pool in which ether trades at once.
pub(crate) fn add(suite: &mut Suite, tokens: &Tokens) -> Result<Address, ArtefactError> {
    let vault = suite.contract("Vault", "tokens of all pools and traders, in internal balances", VAULT, &[])?;
    let factory = suite.contract("PoolFactory", "makes pools and finds them", POOL_FACTORY, &vault.abi_encode())?;
    let others = curves::factories(suite, vault)?;
    let arguments = (factory, others.curves, others.bins, tokens.weth).abi_encode_params();
    let about = "trades by the best pool of any kind, as Uniswap v2's router, and places orders";
    let router = suite.contract("Router", about, WIDE_ROUTER, &arguments)?;
    suite.contract("Orders", "orders that wait for a price, or go in slices", ORDERS, &router.abi_encode())?;
    let about = "transfers of any token by signature, with Permit2's interface";
    let transfers = suite.contract("SignatureTransfer", about, SIGNATURE_TRANSFER, &[])?;
    let arguments = (transfers, router).abi_encode_params();
    suite.contract("SignedTrades", "trades that one signs and another sends", SIGNED_TRADES, &arguments)?;
    let usd = Sum::money(tokens.money[0], DEPTH_USD);
    let mut markets = vec![("WETH".to_owned(), Sum::ether(tokens.weth, DEPTH_USD / USD_PER_ETHER))];
    for (currency, &token) in CURRENCIES.iter().zip(&tokens.money).skip(1) {
        markets.push((format!("b{}", currency.code), Sum::money(token, DEPTH_USD * currency.per_usd)));
    }
    let mut pools = Vec::new();
    for (symbol, side) in markets {
        pools.push(market(suite, Exchange { vault, factory }, &symbol, [side, usd])?);
    }
    curves::pools(suite, tokens, others)?;
    Ok(pools.first().copied().unwrap_or_default())
}

/// The two pools of a pair; returns the one that trades at once.
fn market(suite: &mut Suite, exchange: Exchange, symbol: &str, mut sides: [Sum; 2]) -> Result<Address, ArtefactError> {
    sides.sort_by_key(|side| side.token);
    let Exchange { vault, factory } = exchange;
    let [one, other] = sides.map(|side| side.token);
    let arguments = (vault, one, other, FEE).abi_encode_params();
    let pool = made_by(factory, CONSTANT_PRODUCT_POOL, &arguments)?;
    let about = format!("{symbol} against bUSD, trades at once");
    suite.made(format!("Pool-{symbol}-bUSD"), about, CONSTANT_PRODUCT_POOL, pool);
    let done = Condition::not_zero(factory, &getPoolCall { tokenA: one, tokenB: other, fee: FEE });
    let call = createPoolCall { tokenA: one, tokenB: other, fee: FEE };
    suite.steps.push(Step::call(format!("pool of {symbol} and bUSD"), factory, &call, done).wiring());

    let arguments = (vault, one, other, FEE, BATCH_INTERVAL).abi_encode_params();
    let batch_pool = made_by(factory, BATCH_POOL, &arguments)?;
    let about = format!("{symbol} against bUSD, one price a batch");
    suite.made(format!("Batch-{symbol}-bUSD"), about, BATCH_POOL, batch_pool);
    let done = Condition::not_zero(factory, &getBatchPoolCall { tokenA: one, tokenB: other, fee: FEE });
    let call = createBatchPoolCall { tokenA: one, tokenB: other, fee: FEE };
    suite.steps.push(Step::call(format!("batch pool of {symbol} and bUSD"), factory, &call, done).wiring());

    for (kind, pool) in [("pool", pool), ("batch pool", batch_pool)] {
        let liquidity = liquidity(suite.owner, vault, pool, sides);
        suite.steps.push(Step { about: format!("liquidity of the {kind} of {symbol} and bUSD"), ..liquidity });
    }
    Ok(pool)
}

/// Where the factory puts a pool.
pub(crate) fn made_by(factory: Address, artefact: Artefact, arguments: &[u8]) -> Result<Address, ArtefactError> {
    let init_code = [&artefact.code()?[..], arguments].concat();
    Ok(factory.create2(B256::ZERO, keccak256(init_code)))
}

/// The pool has both sides, and the owner the shares.
pub(crate) fn liquidity(owner: Address, vault: Address, pool: Address, sides: [Sum; 2]) -> Step {
    let mut steps = Vec::new();
    for side in sides {
        steps.push(deposited(owner, vault, side));
        steps.push(lent(owner, vault, pool, side));
    }
    let [max0, max1] = sides.map(|side| side.amount);
    let call = addLiquidityCall { max0, max1, minShares: U256::ONE, to: owner };
    let done = Condition::not_zero(pool, &totalSupplyCall {});
    steps.push(Step::call("liquidity", pool, &call, done.clone()));
    Step::all("liquidity", done, steps)
}

/// The owner has a sum in the vault.
pub(crate) fn deposited(owner: Address, vault: Address, sum: Sum) -> Step {
    let Sum { token, amount, .. } = sum;
    let done = Condition::at_least(vault, &vault::balanceOfCall { owner, id: id(token) }, amount);
    let deposit = Step::call("deposit", vault, &vault::depositCall { token, amount, to: owner }, done.clone());
    Step::all("tokens in the vault", done, vec![sum.had_by(owner), sum.allowed(owner, vault), deposit])
}

/// The pool may take it there.
pub(crate) fn lent(owner: Address, vault: Address, pool: Address, sum: Sum) -> Step {
    let (id, amount) = (id(sum.token), sum.amount);
    let done = Condition::at_least(vault, &vault::allowanceCall { owner, spender: pool, id }, amount);
    Step::call("approval of the pool", vault, &vault::approveCall { spender: pool, id, amount }, done)
}

/// A token's id in the vault.
fn id(token: Address) -> U256 {
    token.into_word().into()
}
