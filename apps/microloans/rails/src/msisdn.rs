//! Telephone numbers in international form. A number identifies a person, so it is never printed by accident.

use std::{fmt, str::FromStr};

/// The fewest and most digits of an international number (ITU-T E.164; the shortest in use have seven).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// A subscriber's number: country code and number, digits only, without a plus sign.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Msisdn(String);

/// A text that is no international number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("telephone number is not in international form: seven to fifteen digits that begin with the country code")]
pub struct NotAnMsisdn;

impl Msisdn {
    /// The digits, where they have to be seen: on the wire to the provider, and for comparison.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether this may be the number of which a provider shows some digits only, as in `2547*****149` or `254 7** *** 149`.
    ///
    /// Digits must stand where they are; a text without any digit matches nothing.
    #[must_use]
    pub fn matches_masked(&self, masked: &str) -> bool {
        let masked: Vec<char> = masked.chars().filter(|c| !matches!(c, ' ' | '+' | '-')).collect();
        masked.len() == self.0.len()
            && masked.iter().any(char::is_ascii_digit)
            && masked.iter().zip(self.0.chars()).all(|(seen, digit)| matches!(seen, '*' | 'x' | 'X') || *seen == digit)
    }
}

impl fmt::Debug for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Msisdn(hidden)")
    }
}

impl FromStr for Msisdn {
    type Err = NotAnMsisdn;

    fn from_str(text: &str) -> Result<Self, NotAnMsisdn> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let is_number = DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_number && !digits.starts_with('0') { Ok(Self(digits.to_owned())) } else { Err(NotAnMsisdn) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_international_and_hidden() {
        let number: Msisdn = "+254708374149".parse().expect("a number");
        assert_eq!(number.expose(), "254708374149");
        assert_eq!(format!("{number:?}"), "Msisdn(hidden)");
        for text in ["", "0708374149", "254-708", "123456", "1234567890123456", "+", "25470837414x"] {
            assert_eq!(text.parse::<Msisdn>(), Err(NotAnMsisdn), "{text}");
        }
    }

    #[test]
    fn a_masked_number_matches_where_its_digits_do() {
        let number: Msisdn = "254708374149".parse().expect("a number");
        for masked in ["2547*****149", "254 7** *** 149", "+254708374149", "2547xxxxx149"] {
            assert!(number.matches_masked(masked), "{masked}");
        }
        for masked in ["2547*****148", "2547****149", "************", "", "254 7é* *** 149"] {
            assert!(!number.matches_masked(masked), "{masked}");
        }
    }
}
