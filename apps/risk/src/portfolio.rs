//! What futures and options of one underlying may lose together: margin by scenarios. The twin of `PortfolioMath.sol`, where the grid is described.

use alloy_primitives::{I256, U256, uint};

use crate::{
    Error,
    black::{BlackOption, MAX_VOLATILITY, Side},
    fixed::{add, div_up, mul, signed, signed_add, signed_mul, signed_sub},
    perpetual::{BASIS, PRICE, share_up},
};

/// Most options of a portfolio.
pub const MAX_LEGS: usize = 16;
/// Most that the price may move by, in basis points of it.
pub const MAX_RANGE: U256 = uint!(4_900_U256);
/// Prices are below this: twice as high, options can still be valued.
const MAX_PRICE: U256 = uint!(0x8000000000000000000000000000000000_U256);
/// The most of a future, or of an option.
const MAX_AMOUNT: U256 = uint!(0x100000000000000000000000000_U256);

/// Options of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Call or put.
    pub side: Side,
    /// A price.
    pub strike: U256,
    /// In a year, times 10^18.
    pub volatility_wad: U256,
    /// Until expiry.
    pub duration_s: U256,
    /// Units of the underlying, positive if held.
    pub amount: I256,
}

/// Futures and options of one underlying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portfolio {
    /// The underlying's.
    pub price: U256,
    /// Futures of the underlying, positive if long.
    pub future: I256,
    /// Continuous, in a year, times 10^18.
    pub rate_wad: I256,
    /// At most [`MAX_LEGS`].
    pub legs: Vec<Leg>,
}

/// How far things may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The price, in basis points of it; at most [`MAX_RANGE`].
    pub price_range: U256,
    /// Volatilities, in basis points of each.
    pub volatility_range: U256,
    /// The least margin of what is short of options, in basis points of the underlying's worth.
    pub short_basis: U256,
}

impl Portfolio {
    /// The margin that it needs, rounded up: what is lost most in any scenario, and at least so much for what is short of options.
    ///
    /// # Errors
    /// [`Error::InvalidPortfolio`] for a grid, a price or amounts outside of what is calculated with, [`Error::InvalidOption`] for such an option.
    pub fn margin_up(&self, grid: &Grid) -> Result<U256, Error> {
        self.check(grid)?;
        let now = self.worth(grid, 0, 0)?;
        let mut worst = U256::ZERO;
        for price in -3..=3 {
            for volatility in -1..=1 {
                worst = worst.max(loss_up(now, self.worth(grid, price, volatility)?)?);
            }
        }
        for price in [-6, 6] {
            worst = worst.max(div_up(loss_up(now, self.worth(grid, price, 0)?)?, U256::from(3))?);
        }
        let mut least = U256::ZERO;
        for leg in self.legs.iter().filter(|leg| leg.amount.is_negative()) {
            least = add(least, share_up(leg.amount, self.price, grid.short_basis)?)?;
        }
        Ok(worst.max(least))
    }

    /// What it is worth where the price has moved by `price` thirds of its range, and volatilities by `volatility` of theirs; times 10^36.
    ///
    /// # Errors
    /// As [`Portfolio::margin_up`].
    pub fn worth(&self, grid: &Grid, price: i64, volatility: i64) -> Result<I256, Error> {
        let moved_price = moved(self.price, price, grid.price_range, 3)?;
        let mut worth = signed_mul(self.future, signed(moved_price)?)?;
        for leg in &self.legs {
            let deviation = moved(leg.volatility_wad, volatility, grid.volatility_range, 1)?;
            let option = BlackOption {
                side: leg.side,
                forward: moved_price,
                strike: leg.strike,
                volatility_wad: deviation.min(MAX_VOLATILITY),
                duration_s: leg.duration_s,
                rate_wad: self.rate_wad,
            };
            worth = signed_add(worth, signed_mul(leg.amount, signed(option.price()?)?)?)?;
        }
        Ok(worth)
    }

    fn check(&self, grid: &Grid) -> Result<(), Error> {
        let is_bounded = grid.price_range <= MAX_RANGE && grid.volatility_range <= BASIS && grid.short_basis <= BASIS;
        let is_priced = !self.price.is_zero() && self.price < MAX_PRICE;
        let amounts = self.legs.iter().map(|leg| leg.amount).chain([self.future]);
        let are_small = amounts.into_iter().all(|amount| amount.unsigned_abs() <= MAX_AMOUNT);
        let is_valid = is_bounded && is_priced && are_small && self.legs.len() <= MAX_LEGS;
        if is_valid { Ok(()) } else { Err(Error::InvalidPortfolio) }
    }
}

/// `value`, and `steps` times `range` basis points of a `parts`th of it, rounded down.
fn moved(value: U256, steps: i64, range: U256, parts: u64) -> Result<U256, Error> {
    let whole = mul(BASIS, U256::from(parts))?;
    let by = mul(U256::from(steps.unsigned_abs()), range)?;
    let part = if steps < 0 { whole.checked_sub(by).ok_or(Error::Overflow)? } else { add(whole, by)? };
    Ok(mul(value, part)? / whole)
}

fn loss_up(now: I256, later: I256) -> Result<U256, Error> {
    if later >= now { Ok(U256::ZERO) } else { div_up(signed_sub(now, later)?.into_raw(), PRICE) }
}
