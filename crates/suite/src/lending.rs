//! Lending markets: dollars against ether, shillings against dollars, dollars against dollars of another issuer, with their prices and what
//! borrowing costs. And a vault whose curator, the owner, will put dollars into the first of them.

use alloy_primitives::{Address, U256, uint};
use alloy_sol_types::{SolValue, sol};

use crate::{
    artefact::{ArtefactError, CURATED_VAULT, KINKED_RATE, LENDING_MARKET, PRICE_FEED},
    plan::{Condition, Step, Suite},
    tokens::{CURRENCIES, Sum, Tokens, USD_PER_ETHER},
};

sol! {
    function capOf(address market) returns (uint256);
    function deposit(uint256 assets, address receiver) returns (uint256 shares);
    function pendingCap(address market) returns (uint256 cap, uint256 validAt);
    function scaledSupply() returns (uint256);
    function submitCap(address market, uint256 cap);
    function supply(uint256 amount, address onBehalf);
    function totalSupply() returns (uint256);
}

const SECONDS_A_YEAR: U256 = uint!(31_536_000_U256);

/// One, as rates in a second count it.
const RAY: U256 = uint!(1_000_000_000_000_000_000_000_000_000_U256);

/// One, as prices count it.
const PRICE: U256 = uint!(1_000_000_000_000_000_000_000_000_000_000_000_000_U256);

/// The utilisation from which borrowing becomes dear: 80 %, times 10^18.
const KINK: U256 = uint!(800_000_000_000_000_000_U256);

/// Limits where prices move against each other.
const APART: Risk = Risk { limit: U256::from_limbs([8_000, 0, 0, 0]), bonus: U256::from_limbs([1_500, 0, 0, 0]) };

/// Limits where they hardly do.
const TOGETHER: Risk = Risk { limit: U256::from_limbs([9_500, 0, 0, 0]), bonus: U256::from_limbs([200, 0, 0, 0]) };

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

/// How long a higher cap of the vault waits, in seconds: a day.
const CAP_DELAY: U256 = U256::from_limbs([86_400, 0, 0, 0]);

/// What the vault may have in its market, in millionths of a dollar.
const VAULT_CAP: U256 = uint!(100_000_000_000_U256);

/// Dollars that the owner puts into the vault.
const VAULT_USD: u64 = 20_000;

/// Adds the contracts; returns the price of ether in dollars.
pub(crate) fn add(suite: &mut Suite, tokens: &Tokens, timelock: Address) -> Result<Address, ArtefactError> {
    // Nothing at first, 4 % a year at the kink, 64 % where everything is lent.
    let a_year = |percent: u64| RAY * U256::from(percent) / U256::from(100) / SECONDS_A_YEAR;
    let rate = (U256::ZERO, a_year(4), a_year(60), KINK).abi_encode_params();
    let rate = suite.contract("InterestRate", "interest that rises with utilisation", KINKED_RATE, &rate)?;
    let [usd, kes] = [tokens.money[0], tokens.money[1]];
    // What a wei is worth in millionths of a dollar, and a millionth of a dollar in millionths of a shilling.
    let per_wei = PRICE * U256::from(USD_PER_ETHER) / uint!(1_000_000_000_000_U256);
    let per_usd = CURRENCIES[1].per_usd;
    let ether_price = feed(suite, ["WETH", "bUSD"], per_wei)?;
    let (lent, terms) = (Sum::money(usd, DEPTH_USD), Terms { feed: ether_price, rate, timelock, risk: APART });
    let against_ether = market(suite, ["WETH", "bUSD"], tokens.weth, lent, terms)?;
    let dollar_price = feed(suite, ["bUSD", "bKES"], PRICE * U256::from(per_usd))?;
    let (lent, terms) = (Sum::money(kes, DEPTH_USD * per_usd), Terms { feed: dollar_price, ..terms });
    market(suite, ["bUSD", "bKES"], usd, lent, terms)?;
    let other_price = feed(suite, ["xUSD", "bUSD"], PRICE)?;
    let (lent, terms) = (Sum::money(usd, DEPTH_USD), Terms { feed: other_price, risk: TOGETHER, ..terms });
    market(suite, ["xUSD", "bUSD"], tokens.other_usd, lent, terms)?;
    vault(suite, Sum::money(usd, VAULT_USD), against_ether)?;
    Ok(ether_price)
}

/// What one token is worth in another, as the owner reports it.
fn feed(suite: &mut Suite, [symbol, other]: [&str; 2], price: U256) -> Result<Address, ArtefactError> {
    let arguments = (suite.owner, suite.owner, MAX_DEVIATION, price).abi_encode_params();
    let about = format!("price of {symbol} in {other}, as the owner reports it");
    suite.contract(format!("Price-{symbol}-{other}"), about, PRICE_FEED, &arguments)
}

/// Whom a market relies on, and to whom the reserve belongs.
#[derive(Clone, Copy, Debug)]
struct Terms {
    feed: Address,
    rate: Address,
    timelock: Address,
    risk: Risk,
}

/// How far a market lets a loan go, in basis points.
#[derive(Clone, Copy, Debug)]
struct Risk {
    /// What a debt may be of its collateral's worth.
    limit: U256,
    /// What a liquidator gets beyond what was repaid at most.
    bonus: U256,
}

/// A market in which collateral is put down to borrow `lent`'s token.
fn market(
    suite: &mut Suite,
    [collateral_symbol, loan_symbol]: [&str; 2],
    collateral: Address,
    lent: Sum,
    Terms { feed, rate, timelock, risk: Risk { limit, bonus } }: Terms,
) -> Result<Address, ArtefactError> {
    let owner = suite.owner;
    let caps = (CAP, CAP, owner, timelock);
    let terms = (lent.token, collateral, feed, rate, limit, bonus, RESERVE, MAX_PRICE_AGE, caps).abi_encode();
    let about = format!("borrow {loan_symbol} against {collateral_symbol}");
    let market = suite.contract(format!("Lend-{loan_symbol}-{collateral_symbol}"), about, LENDING_MARKET, &terms)?;
    let done = Condition::not_zero(market, &scaledSupplyCall {});
    let supply = supplyCall { amount: lent.amount, onBehalf: owner };
    let supply = Step::call("supply", market, &supply, done.clone());
    let about = format!("{loan_symbol} to borrow against {collateral_symbol}");
    suite.steps.push(Step::all(about, done, vec![lent.had_by(owner), lent.allowed(owner, market), supply]));
    Ok(market)
}

/// A vault with an interface that others know (ERC-4626). Its cap of the market waits for a day; then anybody may put it in force.
fn vault(suite: &mut Suite, sum: Sum, market: Address) -> Result<(), ArtefactError> {
    let owner = suite.owner;
    let (name, symbol) = ("Curated dollars".to_owned(), "cbUSD".to_owned());
    let arguments = (sum.token, name, symbol, owner, CAP_DELAY).abi_encode_params();
    let about = "bUSD that a curator lends (ERC-4626)";
    let vault = suite.contract("Curated-bUSD", about, CURATED_VAULT, &arguments)?;
    let is_pending = Condition::not_zero(vault, &pendingCapCall { market });
    let submit = submitCapCall { market, cap: VAULT_CAP };
    let submit = Step::call("cap", vault, &submit, is_pending).wiring();
    let is_in_force = Condition::not_zero(vault, &capOfCall { market });
    suite.steps.push(Step::all("cap of Curated-bUSD", is_in_force, vec![submit]).wiring());
    suite.steps.push(deposited("deposit in Curated-bUSD", owner, vault, sum));
    Ok(())
}

/// The owner has shares of a vault (ERC-4626).
pub(crate) fn deposited(about: &str, owner: Address, vault: Address, sum: Sum) -> Step {
    let done = Condition::not_zero(vault, &totalSupplyCall {});
    let deposit = depositCall { assets: sum.amount, receiver: owner };
    let deposit = Step::call("deposit", vault, &deposit, done.clone());
    Step::all(about, done, vec![sum.had_by(owner), sum.allowed(owner, vault), deposit])
}
