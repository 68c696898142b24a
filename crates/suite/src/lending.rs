//! Lending markets: dollars against ether, shillings against dollars, with their prices and what borrowing costs.

use alloy_primitives::{Address, U256, uint};
use alloy_sol_types::{SolValue, sol};

use crate::{
    artefact::{ArtefactError, KINKED_RATE, LENDING_MARKET, PRICE_FEED},
    plan::{Condition, Step, Suite},
    tokens::{CURRENCIES, Sum, Tokens, USD_PER_ETHER},
};

sol! {
    function scaledSupply() returns (uint256);
    function supply(uint256 amount, address onBehalf);
}

const SECONDS_A_YEAR: U256 = uint!(31_536_000_U256);

/// One, as rates in a second count it.
const RAY: U256 = uint!(1_000_000_000_000_000_000_000_000_000_U256);

/// One, as prices count it.
const PRICE: U256 = uint!(1_000_000_000_000_000_000_000_000_000_000_000_000_U256);

/// The utilisation from which borrowing becomes dear: 80 %, times 10^18.
const KINK: U256 = uint!(800_000_000_000_000_000_U256);

/// What a debt may be of its collateral's worth, in basis points.
const LIMIT: U256 = U256::from_limbs([8_000, 0, 0, 0]);

/// What the reserve gets of the interest, in basis points.
const RESERVE: U256 = U256::from_limbs([1_000, 0, 0, 0]);

/// For how long a market relies on a price, in seconds: a week, so that a chain for trying things out needs no reporter at once.
const MAX_PRICE_AGE: U256 = U256::from_limbs([604_800, 0, 0, 0]);

/// What a report may differ by from the last, in basis points.
const MAX_DEVIATION: U256 = U256::from_limbs([2_000, 0, 0, 0]);

/// What lenders may have and borrowers may owe, in millionths of a currency.
const CAP: U256 = uint!(1_000_000_000_000_000_U256);

/// Dollars' worth that the owner lends in each market.
const DEPTH_USD: u64 = 200_000;

pub(crate) fn add(suite: &mut Suite, tokens: &Tokens) -> Result<(), ArtefactError> {
    // Nothing at first, 4 % a year at the kink, 64 % where everything is lent.
    let a_year = |percent: u64| RAY * U256::from(percent) / U256::from(100) / SECONDS_A_YEAR;
    let rate = (U256::ZERO, a_year(4), a_year(60), KINK).abi_encode_params();
    let rate = suite.contract("InterestRate", "interest that rises with utilisation", KINKED_RATE, &rate)?;
    let [usd, kes] = [tokens.money[0], tokens.money[1]];
    // What a wei is worth in millionths of a dollar, and a millionth of a dollar in millionths of a shilling.
    let per_wei = PRICE * U256::from(USD_PER_ETHER) / uint!(1_000_000_000_000_U256);
    let per_usd = CURRENCIES[1].per_usd;
    market(suite, ["WETH", "bUSD"], tokens.weth, Sum::money(usd, DEPTH_USD), per_wei, rate)?;
    market(suite, ["bUSD", "bKES"], usd, Sum::money(kes, DEPTH_USD * per_usd), PRICE * U256::from(per_usd), rate)
}

/// A market in which collateral is put down to borrow `lent`'s token.
fn market(
    suite: &mut Suite,
    [collateral_symbol, loan_symbol]: [&str; 2],
    collateral: Address,
    lent: Sum,
    price: U256,
    rate: Address,
) -> Result<(), ArtefactError> {
    let owner = suite.owner;
    let feed = (owner, owner, MAX_DEVIATION, price).abi_encode_params();
    let about = format!("price of {collateral_symbol} in {loan_symbol}, as the owner reports it");
    let feed = suite.contract(format!("Price-{collateral_symbol}-{loan_symbol}"), about, PRICE_FEED, &feed)?;
    let caps = (CAP, CAP, owner, owner);
    let terms = (lent.token, collateral, feed, rate, LIMIT, RESERVE, MAX_PRICE_AGE, caps).abi_encode();
    let about = format!("borrow {loan_symbol} against {collateral_symbol}");
    let market = suite.contract(format!("Lend-{loan_symbol}-{collateral_symbol}"), about, LENDING_MARKET, &terms)?;
    let done = Condition::not_zero(market, &scaledSupplyCall {});
    let supply = supplyCall { amount: lent.amount, onBehalf: owner };
    let supply = Step::call("supply", market, &supply, done.clone());
    let about = format!("{loan_symbol} to borrow against {collateral_symbol}");
    suite.steps.push(Step::all(about, done, vec![lent.had_by(owner), lent.allowed(owner, market), supply]));
    Ok(())
}
