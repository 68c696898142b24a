//! Currencies and amounts. An amount is a whole number of minor units; decimal text is read and written here only.

use std::{fmt, str::FromStr};

use crate::{Error, limits::MAX_MINOR};

/// An amount in minor units of a currency that the context knows: cents, kobo, paise.
pub type Minor = i128;

/// Codes and decimals, by ISO 4217, of the currencies that loans are made in, and of the two stablecoins they are funded with.
const CURRENCIES: [(&str, u8); 40] = [
    ("BDT", 2),
    ("BIF", 0),
    ("BRL", 2),
    ("BWP", 2),
    ("CDF", 2),
    ("CHF", 2),
    ("COP", 2),
    ("EGP", 2),
    ("ETB", 2),
    ("EUR", 2),
    ("GBP", 2),
    ("GHS", 2),
    ("GMD", 2),
    ("GNF", 0),
    ("IDR", 2),
    ("INR", 2),
    ("JPY", 0),
    ("KES", 2),
    ("KHR", 2),
    ("LKR", 2),
    ("MAD", 2),
    ("MWK", 2),
    ("MXN", 2),
    ("MZN", 2),
    ("NGN", 2),
    ("NPR", 2),
    ("PEN", 2),
    ("PHP", 2),
    ("PKR", 2),
    ("RWF", 0),
    ("SLE", 2),
    ("TND", 3),
    ("TZS", 2),
    ("UGX", 0),
    ("USD", 2),
    ("VND", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("ZAR", 2),
    ("ZMW", 2),
];
const STABLECOINS: [(&str, u8); 2] = [("USDC", 6), ("USDT", 6)];

/// A currency: its code and how many decimals its amounts have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: &'static str,
    decimals: u8,
}

impl Currency {
    /// The code, such as `KES`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.code
    }

    /// Decimals of an amount; minor units in one unit are ten to this power.
    #[must_use]
    pub const fn decimals(self) -> u8 {
        self.decimals
    }

    /// Reads an amount.
    ///
    /// # Errors
    /// If the text is no decimal number, has more decimals than the currency, or is larger than [`MAX_MINOR`].
    pub fn parse(self, text: &str) -> Result<Minor, Error> {
        let minor = parse_decimal(text, self.decimals, self.code)?;
        if minor.abs() > MAX_MINOR { Err(Error::AmountTooLarge(text.to_owned())) } else { Ok(minor) }
    }

    /// Writes an amount with all its decimals.
    #[must_use]
    pub fn format(self, minor: Minor) -> String {
        format_decimal(minor, self.decimals)
    }

    /// Every currency there is.
    pub fn all() -> impl Iterator<Item = Self> {
        CURRENCIES.into_iter().chain(STABLECOINS).map(|(code, decimals)| Self { code, decimals })
    }
}

impl FromStr for Currency {
    type Err = Error;

    fn from_str(code: &str) -> Result<Self, Error> {
        Self::all().find(|currency| currency.code == code).ok_or_else(|| Error::UnknownCurrency(code.to_owned()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

/// An amount with its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units.
    pub minor: Minor,
    /// Of which currency.
    pub currency: Currency,
}

impl Money {
    /// The sum of two amounts.
    ///
    /// # Errors
    /// If the currencies differ or the sum is out of bounds.
    pub fn plus(self, other: Self) -> Result<Self, Error> {
        if self.currency != other.currency {
            return Err(Error::CurrenciesDiffer(self.currency.code, other.currency.code));
        }
        let minor = self.minor + other.minor;
        if minor.abs() > MAX_MINOR {
            return Err(Error::AmountTooLarge(self.currency.format(minor)));
        }
        Ok(Self { minor, ..self })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency.format(self.minor), self.currency)
    }
}

/// Reads a decimal number as an integer scaled by ten to the power of `decimals`. Zeros beyond that are read over.
pub(crate) fn parse_decimal(text: &str, decimals: u8, what: &'static str) -> Result<i128, Error> {
    let wrong = || Error::NotANumber(shortened(text));
    let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    // Twenty digits are enough for every limit here, and cannot overflow with six to ten decimals.
    if !is_number(whole) || !is_number(fraction) || whole.len() > 20 || fraction.len() > 40 {
        return Err(wrong());
    }
    let (kept, rest) = fraction.split_at(fraction.len().min(decimals.into()));
    if rest.bytes().any(|byte| byte != b'0') {
        return Err(Error::TooManyDecimals { text: shortened(text), what, decimals });
    }
    // The digits with as many zeros as are left out: at most twenty, and ten more.
    let scaled: i128 = format!("{whole}{kept:0<width$}", width = usize::from(decimals)).parse().map_err(|_| wrong())?;
    Ok(if is_negative { -scaled } else { scaled })
}

/// Writes an integer scaled by ten to the power of `decimals`.
pub(crate) fn format_decimal(scaled: i128, decimals: u8) -> String {
    let sign = if scaled < 0 { "-" } else { "" };
    let unit = 10_u128.pow(decimals.into());
    let (whole, fraction) = (scaled.unsigned_abs() / unit, scaled.unsigned_abs() % unit);
    if decimals == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{fraction:0width$}", width = usize::from(decimals))
}

/// What an error quotes of a text that somebody sent.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn amounts_have_the_decimals_of_their_currency() {
        let cases = [("USD", "17.13", 1713), ("KES", "5", 500), ("UGX", "5000", 5000), ("TND", "0.125", 125)];
        for (code, text, minor) in cases {
            assert_eq!(currency(code).parse(text), Ok(minor), "{code} {text}");
        }
        assert_eq!(currency("USD").parse("17.130"), Ok(1713), "zeros are read over");
        assert_eq!(currency("UGX").parse("12.00"), Ok(12));
        assert_eq!(currency("USDC").parse("-0.000001"), Ok(-1));
        for text in ["", ".", "1.", ".5", "1e3", "+1", "--1", "1,000", "1.2.3", "٣", " 1", "NaN"] {
            assert!(matches!(currency("USD").parse(text), Err(Error::NotANumber(_))), "{text}");
        }
        assert!(matches!(currency("USD").parse("0.001"), Err(Error::TooManyDecimals { .. })));
        assert!(matches!(currency("UGX").parse("0.5"), Err(Error::TooManyDecimals { .. })));
        assert!(matches!(currency("USD").parse("10000000000000.01"), Err(Error::AmountTooLarge(_))));
        assert!("usd".parse::<Currency>().is_err());
    }

    #[test]
    fn what_is_written_is_read_again() {
        for currency in Currency::all() {
            for minor in [0, 1, -1, 99, 100, 123_456_789, -MAX_MINOR, MAX_MINOR] {
                assert_eq!(currency.parse(&currency.format(minor)), Ok(minor), "{currency} {minor}");
            }
        }
        assert_eq!(currency("KES").format(-5), "-0.05");
    }

    #[test]
    fn amounts_of_two_currencies_do_not_add() {
        let [shillings, cedis] = ["KES", "GHS"].map(|code| Money { minor: 150, currency: currency(code) });
        assert_eq!(shillings.plus(shillings).unwrap().to_string(), "3.00 KES");
        assert_eq!(shillings.plus(cedis), Err(Error::CurrenciesDiffer("KES", "GHS")));
        assert!(Money { minor: MAX_MINOR, ..cedis }.plus(cedis).is_err());
    }
}
