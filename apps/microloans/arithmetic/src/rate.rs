//! Annual rates of interest, as exact decimals of a percent.

use std::{fmt, str::FromStr};

use crate::{
    Error,
    limits::MAX_RATE_PERCENT,
    money::{Minor, format_decimal, parse_decimal},
    round::half_even,
};

/// Decimals of a percent that a rate may have.
const DECIMALS: u8 = 6;

/// What a rate of 100 % is in the unit of [`Rate`].
pub(crate) const WHOLE: i128 = 100_000_000;

/// A rate in millionths of a percent, not negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(i128);

impl Rate {
    /// No interest.
    pub const ZERO: Self = Self(0);

    /// Whole percents; `None` above the limit.
    #[must_use]
    pub const fn percent(percent: u32) -> Option<Self> {
        // A widening that `From` cannot do in a constant function.
        let percent = percent as i128;
        if percent > MAX_RATE_PERCENT { None } else { Some(Self(percent * 1_000_000)) }
    }

    /// Millionths of a percent.
    #[must_use]
    pub const fn millionths(self) -> i128 {
        self.0
    }

    /// This share of an amount, half to even.
    #[must_use]
    pub const fn of(self, amount: Minor) -> Minor {
        half_even(amount * self.0, WHOLE)
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let scaled = parse_decimal(text, DECIMALS, "a rate")?;
        if (0..=MAX_RATE_PERCENT * 1_000_000).contains(&scaled) {
            Ok(Self(scaled))
        } else {
            Err(Error::RateOutOfBounds)
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_decimal(self.0, DECIMALS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_exact_and_bounded() {
        let rate = |text: &str| text.parse::<Rate>();
        assert_eq!(rate("9.4822").unwrap().millionths(), 9_482_200);
        assert_eq!(rate("12").unwrap(), Rate::percent(12).unwrap());
        assert_eq!(rate("9.4822").unwrap().to_string(), "9.482200");
        assert_eq!(rate("2.5").unwrap().of(1_000), 25);
        for text in ["-1", "10000.000001"] {
            assert_eq!(rate(text), Err(Error::RateOutOfBounds), "{text}");
        }
        assert!(matches!(rate("1.0000001"), Err(Error::TooManyDecimals { .. })));
        assert!(Rate::percent(10_001).is_none());
    }
}
