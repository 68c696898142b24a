//! An account with its positions: what it has, what it needs, and what a trade would leave, before anybody signs it. The twin of
//! `PerpetualExchange.healthOf` and of the steps of a trade.

use alloy_primitives::{I256, U256};

use crate::{
    Error,
    fixed::{add, signed, signed_add, signed_sub},
    perpetual::{closed_cost, fill_price, liquidation_price, liquidation_size, settle_down, share_up, worth},
};

/// What holds for a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Half the distance between what one buys and sells at, in basis points.
    pub spread_basis: U256,
    /// What a trade pays, in basis points of its worth.
    pub fee_basis: U256,
    /// Margin after a position was opened or enlarged, in basis points of its worth.
    pub initial_basis: U256,
    /// Margin below which it may be liquidated.
    pub maintenance_basis: U256,
    /// What a liquidated part pays.
    pub penalty_basis: U256,
    /// The skew with which impact is measured, in units of size.
    pub skew_scale: U256,
}

/// A market as a block sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Market {
    /// Its terms.
    pub terms: Terms,
    /// The present price.
    pub price: U256,
    /// The funding sum.
    pub funding: I256,
    /// The skew that the block found.
    pub skew: I256,
}

/// A position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Positive if long.
    pub size: I256,
    /// See [`crate::perpetual`].
    pub cost: I256,
}

/// What an account has and needs, in units of the margin token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// What it would have if its positions were closed at the present prices.
    pub equity: I256,
    /// What it needs to open more.
    pub initial: U256,
    /// What it needs not to be liquidated.
    pub maintenance: U256,
}

impl Health {
    /// Whether it may be liquidated.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub fn is_liquidatable(&self) -> Result<bool, Error> {
        Ok(self.equity < signed(self.maintenance)?)
    }

    /// Whether it may open more.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub fn may_open(&self) -> Result<bool, Error> {
        Ok(self.equity >= signed(self.initial)?)
    }
}

/// What a trade does to a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The price that it is filled at.
    pub fill: U256,
    /// The position afterwards.
    pub position: Position,
    /// What is settled into the account's collateral, negative if it is lost.
    pub gain: I256,
    /// The fee.
    pub fee: U256,
}

/// The health of an account with `cash` (collateral and what it is owed, less its debt) and positions in markets.
///
/// # Errors
/// [`Error::Overflow`].
pub fn health(cash: I256, positions: &[(Market, Position)]) -> Result<Health, Error> {
    let mut health = Health { equity: cash, ..Health::default() };
    for (market, position) in positions {
        let exact = signed_sub(worth(position.size, market.price, market.funding)?, position.cost)?;
        health.equity = signed_add(health.equity, settle_down(exact)?)?;
        let margin = |basis| share_up(position.size, market.price, basis);
        health.initial = add(health.initial, margin(market.terms.initial_basis)?)?;
        health.maintenance = add(health.maintenance, margin(market.terms.maintenance_basis)?)?;
    }
    Ok(health)
}

/// A trade of `delta`.
///
/// # Errors
/// [`Error::Overflow`].
pub fn trade(market: &Market, position: Position, delta: I256) -> Result<Outcome, Error> {
    let Terms { spread_basis, fee_basis, skew_scale, .. } = market.terms;
    let fill = fill_price(market.price, market.skew, delta, skew_scale, spread_basis)?;
    let (position, gain) = change(market, position, delta, fill)?;
    Ok(Outcome { fill, position, gain, fee: share_up(delta, market.price, fee_basis)? })
}

/// A liquidation of as much of a position as an account of this health allows. The fee is the penalty.
///
/// # Errors
/// [`Error::Overflow`] if the account has its initial margin.
pub fn liquidate(market: &Market, position: Position, health: &Health) -> Result<Outcome, Error> {
    let Terms { initial_basis, penalty_basis, .. } = market.terms;
    let size =
        liquidation_size(position.size, market.price, health.equity, health.initial, initial_basis, penalty_basis)?;
    let delta = if position.size.is_negative() { signed(size)? } else { -signed(size)? };
    let fee = share_up(delta, market.price, penalty_basis)?;
    let (position, gain) = change(market, position, delta, market.price)?;
    Ok(Outcome { fill: market.price, position, gain, fee })
}

/// Where an account of this health loses its position in a market, if nothing else moves.
///
/// # Errors
/// As [`liquidation_price`].
pub fn liquidated_at(market: &Market, position: Position, health: &Health) -> Result<U256, Error> {
    let excess = signed_sub(health.equity, signed(health.maintenance)?)?;
    liquidation_price(position.size, market.price, excess, market.terms.maintenance_basis)
}

fn change(market: &Market, before: Position, delta: I256, fill: U256) -> Result<(Position, I256), Error> {
    let mut later = Position { size: signed_add(before.size, delta)?, cost: before.cost };
    let closed = closed_of(before.size, delta);
    let mut gain = I256::ZERO;
    if !closed.is_zero() {
        let cost = closed_cost(before.cost, closed, before.size)?;
        later.cost = signed_sub(later.cost, cost)?;
        gain = settle_down(signed_sub(worth(closed, fill, market.funding)?, cost)?)?;
    }
    later.cost = signed_add(later.cost, worth(signed_add(delta, closed)?, fill, market.funding)?)?;
    Ok((later, gain))
}

/// The part of a position that a trade closes, with the position's sign.
fn closed_of(size: I256, delta: I256) -> I256 {
    if size.is_positive() && delta.is_negative() {
        size.min(delta.saturating_neg())
    } else if size.is_negative() && delta.is_positive() {
        size.max(delta.saturating_neg())
    } else {
        I256::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perpetual::PRICE;

    fn units(count: i64) -> I256 {
        I256::unchecked_from(count) * signed(U256::from(10).pow(U256::from(18))).expect("small")
    }

    /// Ether at 2000 dollars of six digits.
    fn ether() -> Market {
        let basis = |basis: u64| U256::from(basis);
        let terms = Terms {
            spread_basis: basis(10),
            fee_basis: basis(5),
            initial_basis: basis(1000),
            maintenance_basis: basis(500),
            penalty_basis: basis(200),
            skew_scale: units(4000).into_raw(),
        };
        Market { terms, price: dollars(2000), funding: I256::ZERO, skew: I256::ZERO }
    }

    fn dollars(count: u64) -> U256 {
        U256::from(count) * PRICE / U256::from(10).pow(U256::from(12))
    }

    fn usd(count: i64) -> I256 {
        I256::unchecked_from(count * 1_000_000)
    }

    #[test]
    fn a_trade_costs_spread_impact_and_fee() {
        let market = ether();
        let outcome = trade(&market, Position::default(), units(10)).expect("in range");
        assert_eq!(outcome.fill, dollars(4009) / U256::from(2));
        assert_eq!(outcome.fee, U256::from(10_000_000));
        let health = health(usd(10_000), &[(market, outcome.position)]).expect("in range");
        assert_eq!(
            health,
            Health {
                equity: usd(9955),
                initial: U256::from(2_000_000_000_u64),
                maintenance: U256::from(1_000_000_000),
            }
        );
    }

    #[test]
    fn a_turned_position_settles_what_it_was() {
        let mut market = ether();
        let opened = trade(&market, Position::default(), units(5)).expect("in range");
        market.price = dollars(2100);
        let turned = trade(&market, opened.position, units(-8)).expect("in range");
        assert_eq!(turned.position.size, units(-3));
        let entry = worth(units(5), opened.fill, I256::ZERO).expect("in range");
        let exit = worth(units(5), turned.fill, I256::ZERO).expect("in range");
        assert_eq!(turned.gain, settle_down(exit - entry).expect("in range"));
    }

    #[test]
    fn a_liquidation_gives_the_margin_back() {
        let mut market = ether();
        let opened = trade(&market, Position::default(), units(40)).expect("in range");
        market.price = dollars(1840);
        let cash = usd(10_000);
        let before = health(cash, &[(market, opened.position)]).expect("in range");
        assert_eq!(before.is_liquidatable(), Ok(true));
        let closed = liquidate(&market, opened.position, &before).expect("in range");
        let left = cash + closed.gain - signed(closed.fee).expect("small");
        let later = health(left, &[(market, closed.position)]).expect("in range");
        let missing = signed(later.initial).expect("small") - later.equity;
        assert!(missing.unsigned_abs() <= U256::from(3), "{missing}");
    }

    #[test]
    fn the_liquidation_price_is_where_it_begins() {
        for size in [units(40), units(-40)] {
            let mut market = ether();
            let opened = trade(&market, Position::default(), size).expect("in range");
            let at_first = health(usd(10_000), &[(market, opened.position)]).expect("in range");
            let price = liquidated_at(&market, opened.position, &at_first).expect("in range");
            let step = dollars(1) / U256::from(1000);
            for (shifted, expected) in [(price + step, size.is_negative()), (price - step, size.is_positive())] {
                market.price = shifted;
                let then = health(usd(10_000), &[(market, opened.position)]).expect("in range");
                assert_eq!(then.is_liquidatable(), Ok(expected), "{size} at {shifted}");
            }
        }
    }
}
