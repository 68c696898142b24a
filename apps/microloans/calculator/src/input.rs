//! Values as they stand in requests.

use std::{fmt, str::FromStr};

use braid_microloans_arithmetic::Error;
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use crate::{CalculatorError, at};

/// A decimal string, or a number. A number with a point is taken by its shortest decimal form, which is what was written if
/// that has at most fifteen digits.
#[derive(Clone, Debug)]
pub(crate) struct Decimal(pub(crate) String);

/// Text that is a value of the arithmetic: a date, a rate, an interval.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Text(String);

impl Text {
    pub(crate) fn read<T: FromStr<Err = Error>>(&self, key: &'static str) -> Result<T, CalculatorError> {
        at(key, self.0.parse())
    }
}

impl Decimal {
    pub(crate) fn read<T: FromStr<Err = Error>>(&self, key: &'static str) -> Result<T, CalculatorError> {
        at(key, self.0.parse())
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecimalVisitor)
    }
}

struct DecimalVisitor;

impl Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal string such as \"12.50\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        Ok(Decimal(text.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Decimal, E> {
        Ok(Decimal(number.to_string()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Decimal, E> {
        Ok(Decimal(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Decimal, E> {
        Ok(Decimal(number.to_string()))
    }
}

/// A fraction: `"19/30"`, or a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fraction {
    pub(crate) numerator: u32,
    pub(crate) denominator: u32,
}

impl FromStr for Fraction {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::NoSuchFraction(text.chars().take(40).collect());
        let (above, below) = text.split_once('/').unwrap_or((text, "1"));
        let number = |part: &str| {
            let is_number = (1..=6).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { part.parse().map_err(|_| wrong()) } else { Err(wrong()) }
        };
        let fraction = Self { numerator: number(above)?, denominator: number(below)? };
        if fraction.denominator == 0 { Err(wrong()) } else { Ok(fraction) }
    }
}
