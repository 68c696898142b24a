//! The name of a loan that people read out, write down and type: eight characters, of which the last one checks the others.
//!
//! The alphabet has 31 characters, digits and capitals without those that look alike (0 O, 1 I L). With the character at place `i`
//! weighing `i + 1`, the weighted sum of all eight is a multiple of 31. As 31 is prime and the weights differ, every wrong character and every exchange of two
//! is noticed. Daraja's account references hold twelve characters, so a code fits with room for a prefix.

use std::{fmt, str::FromStr};

use crate::LedgerError;

const ALPHABET: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";

/// Characters of a code, the check included.
const LENGTH: usize = 8;

/// A loan's code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoanCode(String);

impl LoanCode {
    /// The code with these values, of which each is reduced to the alphabet.
    fn of(values: [u8; LENGTH - 1]) -> Self {
        let digits = values.map(|value| u32::from(value) % 31);
        let sum: u32 = (1..).zip(digits).map(|(weight, digit)| weight * digit).sum();
        // 8 · check ≡ −sum (mod 31), and 8 · 4 = 32 ≡ 1.
        let check = (31 - sum % 31) * 4 % 31;
        Self(digits.into_iter().chain([check]).map(|digit| char::from(ALPHABET[digit as usize])).collect())
    }

    /// A random one.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn random() -> Result<Self, LedgerError> {
        let mut values = [0; LENGTH - 1];
        for value in &mut values {
            *value = random_below_31()?;
        }
        Ok(Self::of(values))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A random number below 31, each equally likely: bytes from 248 = 8 · 31 on are drawn again.
fn random_below_31() -> Result<u8, LedgerError> {
    loop {
        let mut byte = [0];
        getrandom::fill(&mut byte)?;
        if byte[0] < 248 {
            return Ok(byte[0] % 31);
        }
    }
}

impl FromStr for LoanCode {
    type Err = LedgerError;

    /// Reads what a person typed: small letters, spaces and hyphens are allowed.
    fn from_str(text: &str) -> Result<Self, LedgerError> {
        let wrong = || LedgerError::invalid("this is not a loan code; one has eight letters and digits");
        if text.len() > 4 * LENGTH {
            return Err(wrong());
        }
        let typed: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_uppercase()).collect();
        let digit = |byte: u8| ALPHABET.iter().position(|other| *other == byte);
        let digits: Option<Vec<usize>> = typed.bytes().map(digit).collect();
        let digits = digits.filter(|digits| digits.len() == LENGTH).ok_or_else(wrong)?;
        let sum: usize = (1..).zip(&digits).map(|(weight, digit)| weight * digit).sum();
        if sum.is_multiple_of(31) { Ok(Self(typed)) } else { Err(wrong()) }
    }
}

impl fmt::Display for LoanCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_code_is_read_again_as_people_write_it(values: [u8; LENGTH - 1]) {
            let code = LoanCode::of(values);
            prop_assert_eq!(&code.as_str().parse::<LoanCode>().unwrap(), &code);
            let spaced = format!(" {}-{} ", code.as_str()[..4].to_lowercase(), &code.as_str()[4..]);
            prop_assert_eq!(&spaced.parse::<LoanCode>().unwrap(), &code);
        }

        #[test]
        fn one_wrong_character_is_noticed(values: [u8; LENGTH - 1], at in 0..LENGTH, other in 0..31_usize) {
            let code = LoanCode::of(values);
            let mut bytes = code.as_str().as_bytes().to_vec();
            prop_assume!(bytes[at] != ALPHABET[other]);
            bytes[at] = ALPHABET[other];
            prop_assert!(String::from_utf8(bytes).unwrap().parse::<LoanCode>().is_err());
        }

        #[test]
        fn two_exchanged_characters_are_noticed(values: [u8; LENGTH - 1], a in 0..LENGTH, b in 0..LENGTH) {
            let code = LoanCode::of(values);
            let mut bytes = code.as_str().as_bytes().to_vec();
            prop_assume!(bytes[a] != bytes[b]);
            bytes.swap(a, b);
            prop_assert!(String::from_utf8(bytes).unwrap().parse::<LoanCode>().is_err());
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            let _ = text.parse::<LoanCode>();
        }
    }
}
