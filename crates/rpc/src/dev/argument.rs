//! Numbers as development tools send them: JSON numbers, `0x` strings, decimal strings.

use std::str::FromStr;

use alloy_primitives::U256;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

/// A number of up to 256 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Big(pub(super) U256);

/// A number of up to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(pub(super) u64);

impl<'de> Deserialize<'de> for Big {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Number(number) => {
                let number = number.as_u64().ok_or_else(|| D::Error::custom(format!("{number} is not a whole number")));
                number.map(|number| Self(U256::from(number)))
            }
            Value::String(text) => {
                let trimmed = text.trim();
                let digits = if trimmed == "0x" { "0x0" } else { trimmed };
                let parsed = if digits.is_empty() { None } else { U256::from_str(digits).ok() };
                parsed.map(Self).ok_or_else(|| D::Error::custom(format!("{text:?} is not a number")))
            }
            other => Err(D::Error::custom(format!("{other} is not a number"))),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Big(number) = Big::deserialize(deserializer)?;
        u64::try_from(number).map(Self).map_err(|_| D::Error::custom(format!("{number} is too large")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_in_three_forms() {
        for text in ["26", "\"0x1a\"", "\"26\"", "\" 0x001a \""] {
            assert_eq!(serde_json::from_str::<Number>(text).unwrap(), Number(26), "{text}");
        }
        for text in ["-1", "1.5", "\"\"", "\"abc\"", "true", "null", "\"0x10000000000000000\""] {
            assert!(serde_json::from_str::<Number>(text).is_err(), "{text}");
        }
    }
}
