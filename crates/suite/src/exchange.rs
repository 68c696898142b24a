//! The vault and its pools: ether and every other currency against dollars.

use alloy_primitives::{Address, U256, uint};
use alloy_sol_types::{SolValue, sol};

use crate::{
    artefact::{ArtefactError, CONSTANT_PRODUCT_POOL, VAULT},
    plan::{Act, Condition, Purpose, Step, Suite},
    tokens::{CURRENCIES, Tokens, money, units, wrapped},
};

sol! {
    function addLiquidity(uint256 max0, uint256 max1, uint256 minShares, address to)
        returns (uint256 shares, uint256 amount0, uint256 amount1);
    function allowance(address owner, address spender) returns (uint256);
    function approve(address spender, uint256 amount) returns (bool);
    function totalSupply() returns (uint256);

    /// Of the vault, whose ids are the tokens' addresses.
    function allowance(address owner, address spender, uint256 id) returns (uint256);
    function approve(address spender, uint256 id, uint256 amount) returns (bool);
    function balanceOf(address owner, uint256 id) returns (uint256);
    function deposit(address token, uint256 amount, address to);
}

/// Fee of the seeded pools, in millionths.
const FEE: u64 = 3_000;

/// Dollars in each seeded pool, and the same worth of the other token.
const DEPTH_USD: u64 = 300_000;

/// Dollars for an ether; for trying out, and nobody's promise.
const USD_PER_ETHER: u64 = 3_000;

/// One side of a market.
#[derive(Clone, Copy, Debug)]
struct Side {
    token: Address,
    amount: U256,
    is_ether: bool,
}

pub(crate) fn add(suite: &mut Suite, tokens: &Tokens) -> Result<(), ArtefactError> {
    let vault = suite.contract("Vault", "tokens of all pools and traders, in internal balances", VAULT, &[])?;
    let usd = Side { token: tokens.money[0], amount: units(DEPTH_USD), is_ether: false };
    let ether = uint!(1_000_000_000_000_000_000_U256) * U256::from(DEPTH_USD / USD_PER_ETHER);
    let mut markets = vec![("WETH".to_owned(), Side { token: tokens.weth, amount: ether, is_ether: true })];
    for (currency, &token) in CURRENCIES.iter().zip(&tokens.money).skip(1) {
        let amount = units(DEPTH_USD * currency.per_usd);
        markets.push((format!("b{}", currency.code), Side { token, amount, is_ether: false }));
    }
    for (symbol, side) in markets {
        market(suite, vault, &symbol, [side, usd])?;
    }
    Ok(())
}

/// A pool with liquidity of the owner's.
fn market(suite: &mut Suite, vault: Address, symbol: &str, mut sides: [Side; 2]) -> Result<(), ArtefactError> {
    sides.sort_by_key(|side| side.token);
    let [first, second] = sides;
    let arguments = (vault, first.token, second.token, U256::from(FEE)).abi_encode_params();
    let (name, about) = (format!("Pool-{symbol}-bUSD"), format!("{symbol} against bUSD, trades at once"));
    let pool = suite.contract(name, about, CONSTANT_PRODUCT_POOL, &arguments)?;
    let owner = suite.owner;
    let mut steps = Vec::new();
    for side in sides {
        steps.push(deposited(vault, owner, side));
        steps.push(lent(vault, owner, pool, side));
    }
    let call = addLiquidityCall { max0: first.amount, max1: second.amount, minShares: U256::ONE, to: owner };
    let done = Condition::not_zero(pool, &totalSupplyCall {});
    steps.push(Step::call("liquidity", pool, &call, done.clone()));
    let about = format!("market of {symbol} and bUSD");
    suite.steps.push(Step { about, purpose: Purpose::Seed, done, act: Act::All(steps) });
    Ok(())
}

/// The owner has a side's tokens in the vault.
fn deposited(vault: Address, owner: Address, side: Side) -> Step {
    let Side { token, amount, .. } = side;
    let done = Condition::at_least(vault, &balanceOfCall { owner, id: id(token) }, amount);
    let tokens = if side.is_ether { wrapped(token, owner, amount) } else { money(token, owner, amount) };
    let allowed = Condition::at_least(token, &allowance_0Call { owner, spender: vault }, amount);
    let approval = Step::call("approval of the vault", token, &approve_0Call { spender: vault, amount }, allowed);
    let deposit = Step::call("deposit", vault, &depositCall { token, amount, to: owner }, done.clone());
    let about = "tokens in the vault".to_owned();
    Step { about, purpose: Purpose::Seed, done, act: Act::All(vec![tokens, approval, deposit]) }
}

/// The pool may take them.
fn lent(vault: Address, owner: Address, pool: Address, side: Side) -> Step {
    let (id, amount) = (id(side.token), side.amount);
    let done = Condition::at_least(vault, &allowance_1Call { owner, spender: pool, id }, amount);
    Step::call("approval of the pool", vault, &approve_1Call { spender: pool, id, amount }, done)
}

/// A token's id in the vault.
fn id(token: Address) -> U256 {
    token.into_word().into()
}
