//! Perpetual futures on ether, orders of them that wait for a price, and options, both in dollars, at the price that the lending market has too.

use alloy_primitives::{
    Address, U256,
    aliases::{U96, U112},
    keccak256,
};
use alloy_sol_types::{SolValue, sol};

use crate::{
    artefact::{ArtefactError, EUROPEAN_OPTIONS, PERPETUAL_EXCHANGE, PERPETUAL_ORDERS, PORTFOLIO_MARGIN},
    governance::ruled,
    plan::{Condition, Step, Suite},
    tokens::{Sum, Tokens},
};

sol! {
    struct Terms {
        address oracle;
        uint32 maxPriceAge;
        uint16 spreadBasis;
        uint16 feeBasis;
        uint16 initialBasis;
        uint16 maintenanceBasis;
        uint112 skewScale;
        uint112 openCap;
        uint16 penaltyBasis;
        uint96 maxFundingRate;
        uint32 backingBasis;
    }

    struct Market {
        address underlying;
        address quote;
        address oracle;
    }

    function addLiquidity(uint256 amount, address provider) returns (uint256 shares);
    function addMarket(Terms terms) returns (uint256 market);
    function createMarket(address underlying, address quote, address oracle) returns (uint256 market);
    function marketCount() returns (uint256);
    function marketOf(uint256 market) returns (Market);
    function totalShares() returns (uint256);
}

/// For how long the market relies on a price, in seconds; as lending does.
const MAX_PRICE_AGE: u32 = 604_800;

/// One ether, in wei.
const ETHER: u128 = 1_000_000_000_000_000_000;

/// The whole price in a year, a second, times 10^27.
const MAX_FUNDING_RATE: u128 = 31_709_791_983_764_586_504;

/// Dollars of the pool that takes the other side of trades.
const DEPTH_USD: u64 = 1_000_000;

pub(crate) fn add(suite: &mut Suite, tokens: &Tokens, oracle: Address, timelock: Address) -> Result<(), ArtefactError> {
    let (owner, usd) = (suite.owner, tokens.money[0]);
    let arguments = (usd, owner, owner).abi_encode_params();
    let about = "perpetual futures in bUSD, market 0 is ether";
    let exchange = suite.contract("Perpetuals", about, PERPETUAL_EXCHANGE, &arguments)?;
    let done = Condition::not_zero(exchange, &marketCountCall {});
    let call = addMarketCall { terms: terms(oracle) };
    suite.steps.push(Step::call("perpetual future of ether", exchange, &call, done).wiring());
    suite.steps.push(ruled("Perpetuals", exchange, owner, timelock));
    let pool = Sum::money(usd, DEPTH_USD);
    let done = Condition::not_zero(exchange, &totalSharesCall {});
    let call = addLiquidityCall { amount: pool.amount, provider: owner };
    let add = Step::call("liquidity", exchange, &call, done.clone());
    let steps = vec![pool.had_by(owner), pool.allowed(owner, exchange), add];
    suite.steps.push(Step::all("pool of the perpetual futures", done, steps));

    let about = "stops and take-profits of the perpetual futures";
    suite.contract("PerpetualOrders", about, PERPETUAL_ORDERS, &exchange.abi_encode())?;

    let options = suite.contract("Options", "European options, settled in cash", EUROPEAN_OPTIONS, &[])?;
    let about = "what futures and options may lose together, by scenarios";
    suite.contract("PortfolioMargin", about, PORTFOLIO_MARGIN, &[])?;
    let market = U256::from_be_bytes(keccak256((tokens.weth, usd, oracle).abi_encode()).0);
    let done = Condition::not_zero(options, &marketOfCall { market });
    let call = createMarketCall { underlying: tokens.weth, quote: usd, oracle };
    suite.steps.push(Step::call("market of options on ether", options, &call, done).wiring());
    Ok(())
}

fn terms(oracle: Address) -> Terms {
    Terms {
        oracle,
        maxPriceAge: MAX_PRICE_AGE,
        spreadBasis: 10,
        feeBasis: 5,
        initialBasis: 1_000,
        maintenanceBasis: 500,
        skewScale: U112::from(4_000 * ETHER),
        openCap: U112::from(1_000 * ETHER),
        penaltyBasis: 200,
        maxFundingRate: U96::from(MAX_FUNDING_RATE),
        backingBasis: 10_000,
    }
}
