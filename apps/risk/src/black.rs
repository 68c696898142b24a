//! What a European option is worth (Fischer Black, The pricing of commodity contracts, 1976), and how that moves. The twin of
//! `BlackModel.sol`, where the formulae are.

use alloy_primitives::{I256, U256, uint};

use crate::{
    Error,
    fixed::{WAD, div, exp_wad, ln_wad, mul, signed, signed_add, signed_div, signed_mul, signed_sub, sqrt},
    normal::{cumulative, density},
};

/// Prices are below this.
const MAX_PRICE: U256 = uint!(0x10000000000000000000000000000000000_U256);
/// A year, in seconds.
const YEAR_S: U256 = uint!(31_536_000_U256);
/// Ten years.
const MAX_DURATION_S: U256 = uint!(315_360_000_U256);
/// A hundred, times 10^18.
pub(crate) const MAX_VOLATILITY: U256 = uint!(100_000_000_000_000_000_000_U256);

/// Which way an option pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What the underlying is above the strike.
    Call,
    /// What it is below.
    Put,
}

/// An option and what it is valued with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlackOption {
    /// Call or put.
    pub side: Side,
    /// What the underlying is sold for at expiry, in any unit.
    pub forward: U256,
    /// In the same unit.
    pub strike: U256,
    /// In a year, times 10^18.
    pub volatility_wad: U256,
    /// Until expiry.
    pub duration_s: U256,
    /// The continuous rate in a year, times 10^18.
    pub rate_wad: I256,
}

/// The worth of an option and what it moves by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Greeks {
    /// In the unit of forward and strike.
    pub price: U256,
    /// With the forward, times 10^18.
    pub delta: I256,
    /// What delta moves by while the forward moves by all of itself, times 10^18.
    pub gamma: U256,
    /// For a volatility that is higher by one.
    pub vega: U256,
    /// In a year that passes.
    pub theta: I256,
    /// For a rate that is higher by one, at the same forward.
    pub rho: I256,
}

struct Setting {
    time: U256,
    root: U256,
    deviation: U256,
    discount: U256,
    d1: I256,
}

impl BlackOption {
    /// What it is worth, rounded down.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a price of zero or from 2^136 on, a volatility above 100, more than ten years, or a rate beyond one.
    pub fn price(&self) -> Result<U256, Error> {
        self.value(&self.setting()?)
    }

    /// What it is worth and what that moves by.
    ///
    /// # Errors
    /// As [`BlackOption::price`].
    pub fn greeks(&self) -> Result<Greeks, Error> {
        let setting = self.setting()?;
        let price = self.value(&setting)?;
        let one = signed(WAD)?;
        let mut moves = Greeks {
            price,
            rho: -signed(mul(setting.time, price)? / WAD)?,
            theta: signed_div(signed_mul(self.rate_wad, signed(price)?)?, one)?,
            ..Greeks::default()
        };
        if setting.deviation.is_zero() {
            if !self.intrinsic().is_zero() {
                moves.delta = signed(setting.discount)?;
            }
        } else {
            let weight = density(setting.d1)?;
            let scaled = mul(self.forward, weight)? / WAD;
            let reach = if self.is_call() { setting.d1 } else { -setting.d1 };
            moves.delta = signed(mul(setting.discount, cumulative(reach)?)? / WAD)?;
            moves.gamma = div(mul(setting.discount, weight)?, setting.deviation)?;
            moves.vega = mul(mul(scaled, setting.root)? / WAD, setting.discount)? / WAD;
            let decay = div(mul(scaled, self.volatility_wad)?, setting.root << 1)?;
            moves.theta = signed_sub(moves.theta, signed(mul(decay, setting.discount)? / WAD)?)?;
        }
        if !self.is_call() {
            moves.delta = -moves.delta;
        }
        Ok(moves)
    }

    fn setting(&self) -> Result<Setting, Error> {
        let is_priced = |price: U256| !price.is_zero() && price < MAX_PRICE;
        let is_bounded = self.volatility_wad <= MAX_VOLATILITY && self.duration_s <= MAX_DURATION_S;
        let has_rate = self.rate_wad.unsigned_abs() <= WAD;
        if !is_priced(self.forward) || !is_priced(self.strike) || !is_bounded || !has_rate {
            return Err(Error::InvalidOption);
        }
        let one = signed(WAD)?;
        let time = mul(self.duration_s, WAD)? / YEAR_S;
        let root = sqrt(mul(time, WAD)?);
        let deviation = mul(self.volatility_wad, root)? / WAD;
        let discount = exp_wad(signed_div(signed_mul(-self.rate_wad, signed(time)?)?, one)?)?.into_raw();
        let mut d1 = I256::ZERO;
        if !deviation.is_zero() {
            let ratio = (mul(self.forward, WAD)? / self.strike).max(U256::ONE);
            let spread = signed(deviation)?;
            let distance = signed_div(signed_mul(ln_wad(signed(ratio)?)?, one)?, spread)?;
            d1 = signed_add(distance, signed(deviation >> 1)?)?;
        }
        Ok(Setting { time, root, deviation, discount, d1 })
    }

    fn value(&self, setting: &Setting) -> Result<U256, Error> {
        let mut undiscounted = self.intrinsic();
        if !setting.deviation.is_zero() {
            let d1 = setting.d1;
            let d2 = signed_sub(d1, signed(setting.deviation)?)?;
            let (gets, gives) = match self.side {
                Side::Call => (mul(self.forward, cumulative(d1)?)?, mul(self.strike, cumulative(d2)?)?),
                Side::Put => (mul(self.strike, cumulative(-d2)?)?, mul(self.forward, cumulative(-d1)?)?),
            };
            undiscounted = undiscounted.max(gets.saturating_sub(gives) / WAD);
        }
        Ok(mul(undiscounted, setting.discount)? / WAD)
    }

    fn intrinsic(&self) -> U256 {
        match self.side {
            Side::Call => self.forward.saturating_sub(self.strike),
            Side::Put => self.strike.saturating_sub(self.forward),
        }
    }

    fn is_call(&self) -> bool {
        self.side == Side::Call
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A forward of a hundred, a volatility of a half, half a year, a rate of five in a hundred.
    fn option(side: Side, strike: u64) -> BlackOption {
        BlackOption {
            side,
            forward: U256::from(100) * WAD,
            strike: U256::from(strike) * WAD,
            volatility_wad: WAD / U256::from(2),
            duration_s: YEAR_S / U256::from(2),
            rate_wad: I256::unchecked_from(50_000_000_000_000_000_i64),
        }
    }

    fn close(found: U256, expected: u128) {
        assert!(found.abs_diff(U256::from(expected)) < U256::from(200_000), "{found} for {expected}");
    }

    /// Computed with double precision and the error function.
    #[test]
    fn prices_and_moves_are_those_of_the_formulae() {
        let call = option(Side::Call, 100).greeks().expect("valid");
        close(call.price, 13_685_178_536_093_840_000);
        close(call.delta.into_raw(), 556_080_848_694_635_500);
        close(call.gamma, 1_083_457_414_563_891_600);
        close(call.vega, 27_086_435_364_097_294_000);
        close((-call.theta).into_raw(), 12_858_958_755_243_954_000);
        close((-call.rho).into_raw(), 6_842_589_268_046_920_000);
    }

    #[test]
    fn calls_and_puts_differ_by_the_forward() {
        for strike in [1, 50, 99, 100, 101, 200, 10_000] {
            let call = option(Side::Call, strike).greeks().expect("valid");
            let put = option(Side::Put, strike).greeks().expect("valid");
            let discount = exp_wad(I256::unchecked_from(-25_000_000_000_000_000_i64)).expect("defined").into_raw();
            let parity = U256::from(strike).abs_diff(U256::from(100)) * discount;
            let difference = call.price.abs_diff(put.price);
            assert!(difference.abs_diff(parity) < U256::from(4), "{strike}: {difference} for {parity}");
            assert_eq!((call.gamma, call.vega), (put.gamma, put.vega), "{strike}");
        }
    }

    #[test]
    fn without_time_or_volatility_an_option_is_worth_what_exercising_gives() {
        let mut call = option(Side::Call, 90);
        call.duration_s = U256::ZERO;
        assert_eq!(call.price(), Ok(U256::from(10) * WAD));
        assert_eq!(call.greeks().map(|moves| moves.delta), Ok(signed(WAD).expect("small")));
        let mut put = option(Side::Put, 90);
        put.volatility_wad = U256::ZERO;
        assert_eq!(put.greeks().map(|moves| (moves.price, moves.delta)), Ok((U256::ZERO, I256::ZERO)));
    }

    #[test]
    fn terms_outside_of_the_bounds_are_refused() {
        let valid = option(Side::Call, 100);
        let wrong = [
            BlackOption { forward: U256::ZERO, ..valid },
            BlackOption { strike: U256::ZERO, ..valid },
            BlackOption { forward: MAX_PRICE, ..valid },
            BlackOption { strike: MAX_PRICE, ..valid },
            BlackOption { volatility_wad: MAX_VOLATILITY + U256::ONE, ..valid },
            BlackOption { duration_s: MAX_DURATION_S + U256::ONE, ..valid },
            BlackOption { rate_wad: signed(WAD + U256::ONE).expect("small"), ..valid },
            BlackOption { rate_wad: -signed(WAD + U256::ONE).expect("small"), ..valid },
        ];
        for option in wrong {
            assert_eq!(option.price(), Err(Error::InvalidOption), "{option:?}");
            assert_eq!(option.greeks(), Err(Error::InvalidOption), "{option:?}");
        }
    }
}
