//! Conversion between currencies (rounding point R5): the payer is never charged for a fraction of a minor unit. What is cut off is returned, to be
//! booked to the account for rounding differences, in parts of the quote's denominator.

use crate::{Error, limits::MAX_MINOR, money::Minor, terms::positive};

/// A price: so many minor units of one currency for so many of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Minor units received.
    pub received: Minor,
    /// Minor units given.
    pub given: Minor,
}

/// What comes out of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Converted {
    /// Whole minor units.
    pub amount: Minor,
    /// What was cut off, in parts of the quote's `given`.
    pub remainder: Minor,
}

/// Converts an amount at a quote, down.
///
/// # Errors
/// If a number is not positive, or too large.
pub fn convert(amount: Minor, quote: Quote) -> Result<Converted, Error> {
    for (what, number) in [("the amount", amount), ("a price", quote.received), ("a price", quote.given)] {
        positive(what, number)?;
    }
    let exact = amount * quote.received;
    let converted = Converted { amount: exact / quote.given, remainder: exact % quote.given };
    if converted.amount > MAX_MINOR { Err(Error::AmountTooLarge(converted.amount.to_string())) } else { Ok(converted) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_and_the_rest_is_returned() {
        // 129.50 shillings for a dollar: 1000.00 shillings are 7.722007 of USDC, and 13 parts of 1295 are cut off.
        let quote = Quote { received: 1_000_000, given: 12_950 };
        let converted = convert(100_000, quote).unwrap();
        assert_eq!(converted, Converted { amount: 7_722_007, remainder: 9_350 });
        assert_eq!(converted.amount * quote.given + converted.remainder, 100_000 * quote.received);
        assert!(convert(0, quote).is_err() && convert(MAX_MINOR, quote).is_err());
    }
}
