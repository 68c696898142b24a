//! Perpetual futures: fills, funding, gains, margins, liquidation. The twin of `PerpetualMath.sol`.
//!
//! Funding is a running sum in units of a price: who is long pays what it has grown by. A position gains
//! `size * (price - funding)` less its cost, and the cost is the sum over its trades of `size * (fill - funding then)`. Costs are exact
//! until they are settled, so the sums over all positions are those of the market.

use alloy_primitives::{I256, U256, uint};

use crate::{
    Error,
    fixed::{
        WAD, add, div, div_up, mul, mul_div, mul_div_up, signed, signed_add, signed_div, signed_mul, signed_sub,
        with_sign,
    },
};

/// A whole, in basis points.
pub const BASIS: U256 = uint!(10_000_U256);
/// One, for prices.
pub const PRICE: U256 = uint!(1_000_000_000_000_000_000_000_000_000_000_000_000_U256);
/// One, for rates in a second.
pub const RAY: U256 = uint!(1_000_000_000_000_000_000_000_000_000_U256);

/// The rank from which on positions are closed at once when gains are not covered: a gain of ten times what was paid, at a leverage of ten.
pub const FIRST_RANK: U256 = uint!(100_000_000_000_000_000_000_U256);
/// In this many seconds the rank falls by half.
pub const RANK_HALF_LIFE_S: u64 = 10;
/// After this many seconds whatever has gained may be closed.
pub const ALL_RANKS_AFTER_S: u64 = 300;

/// What a trade of `delta` is filled at: the price and, against the trader, the spread, and an impact of the mean of the skew before and
/// after relative to `skew_scale` where it makes the skew larger. `skew` is what the block found.
///
/// # Errors
/// [`Error::Overflow`] and [`Error::DivisionByZero`] for terms that no market has.
pub fn fill_price(price: U256, skew: I256, delta: I256, skew_scale: U256, spread_basis: U256) -> Result<U256, Error> {
    let before = skew.unsigned_abs();
    let later = signed_add(skew, delta)?.unsigned_abs();
    let mut surcharge = div_up(mul(price, spread_basis)?, BASIS)?;
    if later > before {
        let impact = div_up(mul(price, add(before, later)?)?, mul(skew_scale, U256::from(2))?)?;
        surcharge = add(surcharge, impact)?;
    }
    if delta.is_positive() { add(price, surcharge) } else { Ok(price.saturating_sub(surcharge)) }
}

/// What the funding sum grows by in `elapsed_s` seconds. `max_rate` is the rate in a second for a skew of `skew_scale`, times 10^27.
///
/// # Errors
/// As [`fill_price`].
pub fn funding_growth(
    price: U256,
    skew: I256,
    skew_scale: U256,
    max_rate: U256,
    elapsed_s: U256,
) -> Result<I256, Error> {
    let share = skew.unsigned_abs().min(skew_scale);
    let growth = mul_div(div(mul(price, share)?, skew_scale)?, mul(max_rate, elapsed_s)?, RAY)?;
    with_sign(growth, skew)
}

/// What `size` is worth at `price` with the funding sum at `funding`, times 10^36.
///
/// # Errors
/// [`Error::Overflow`].
pub fn worth(size: I256, price: U256, funding: I256) -> Result<I256, Error> {
    signed_mul(size, signed_sub(signed(price)?, funding)?)
}

/// The part of a position's `cost` that goes with `closed` of its `size`, rounded towards zero.
///
/// # Errors
/// [`Error::DivisionByZero`] for a part of nothing.
pub fn closed_cost(cost: I256, closed: I256, size: I256) -> Result<I256, Error> {
    if closed == size {
        return Ok(cost);
    }
    with_sign(mul_div(cost.unsigned_abs(), closed.unsigned_abs(), size.unsigned_abs())?, cost)
}

/// An exact amount in whole units, rounded down: for who gets it.
///
/// # Errors
/// None for any number; the type is that of the steps.
pub fn settle_down(exact: I256) -> Result<I256, Error> {
    let one = signed(PRICE)?;
    let quotient = signed_div(exact, one)?;
    let is_above = signed_mul(quotient, one)? > exact;
    if is_above { signed_sub(quotient, I256::ONE) } else { Ok(quotient) }
}

/// `basis` of what `size` is worth, rounded up.
///
/// # Errors
/// [`Error::Overflow`].
pub fn share_up(size: I256, price: U256, basis: U256) -> Result<U256, Error> {
    div_up(mul(mul(size.unsigned_abs(), price)?, basis)?, mul(PRICE, BASIS)?)
}

/// How much of a position is closed at `price` until the account has the margin `initial` again, with the penalty paid; at most all.
///
/// # Errors
/// [`Error::Overflow`] if `equity` is more than `initial`, or the penalty as much as the margin.
pub fn liquidation_size(
    size: I256,
    price: U256,
    equity: I256,
    initial: U256,
    initial_basis: U256,
    penalty_basis: U256,
) -> Result<U256, Error> {
    let all = size.unsigned_abs();
    if !equity.is_positive() {
        return Ok(all);
    }
    let missing = initial.checked_sub(equity.into_raw()).ok_or(Error::Overflow)?;
    let per_unit = mul(price, initial_basis.checked_sub(penalty_basis).ok_or(Error::Overflow)?)?;
    if div(mul(all, per_unit)?, mul(BASIS, PRICE)?)? <= missing {
        return Ok(all);
    }
    mul_div_up(mul(missing, BASIS)?, PRICE, per_unit)
}

/// The price at which an account has no more than its maintenance margin if nothing else moves, rounded to where that comes earlier.
/// `excess` is what it has beyond that margin at `price`. Zero if no price does that to a long position.
///
/// # Errors
/// [`Error::DivisionByZero`] for a position of nothing.
pub fn liquidation_price(size: I256, price: U256, excess: I256, maintenance_basis: U256) -> Result<U256, Error> {
    let is_long = size.is_positive();
    let basis = if is_long {
        BASIS.checked_sub(maintenance_basis).ok_or(Error::Overflow)?
    } else {
        add(BASIS, maintenance_basis)?
    };
    let per_unit = mul(size.unsigned_abs(), basis)?;
    let distance = mul(excess.unsigned_abs(), BASIS)?;
    let is_missing = excess.is_negative();
    let distance =
        if is_missing { mul_div_up(distance, PRICE, per_unit)? } else { mul_div(distance, PRICE, per_unit)? };
    if is_missing == is_long { add(price, distance) } else { Ok(price.saturating_sub(distance)) }
}

/// Where a position that has gained stands when positions are closed because gains are not covered: its gain in proportion to what it was entered
/// at, times the account's leverage on it, times 10^18. Highest first; where the account has no `equity`, before all.
///
/// # Errors
/// [`Error::Overflow`] for a size or price that no market has, [`Error::DivisionByZero`] for a short of nothing that has gained nothing.
pub fn deleverage_rank(size: I256, price: U256, gain: U256, equity: I256) -> Result<U256, Error> {
    let now = div(mul(size.unsigned_abs(), price)?, PRICE)?;
    if !equity.is_positive() {
        return Ok(U256::MAX);
    }
    let entered = if size.is_negative() { add(now, gain)? } else { now.saturating_sub(gain).max(U256::ONE) };
    let profit = mul_div(gain, WAD, entered)?.min(U256::ONE << 128);
    div(mul(profit, now)?, equity.into_raw())
}

/// The rank that a position has to have to be closed `elapsed_s` seconds after gains were found not to be covered.
pub fn rank_needed(elapsed_s: u64) -> U256 {
    if elapsed_s >= ALL_RANKS_AFTER_S {
        return U256::ZERO;
    }
    let rank = FIRST_RANK >> (elapsed_s / RANK_HALF_LIFE_S);
    rank - rank * U256::from(elapsed_s % RANK_HALF_LIFE_S) / U256::from(2 * RANK_HALF_LIFE_S)
}
