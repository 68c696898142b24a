//! Names of things: random, so that they say nothing about the person behind them.
//!
//! An id is a version 4 UUID in its usual form, because providers ask for that form in idempotency keys.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::LedgerError;

/// A random version 4 UUID (RFC 9562, section 5.4).
pub(crate) fn random_uuid() -> Result<String, LedgerError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = const_hex::encode(bytes);
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

/// Whether a text has the form of a UUID in lower case.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[schema(value_type = String)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new one.
            ///
            /// # Errors
            /// If the system has no random numbers.
            pub fn random() -> Result<Self, LedgerError> {
                random_uuid().map(Self)
            }

            /// As text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = LedgerError;

            fn from_str(text: &str) -> Result<Self, LedgerError> {
                if is_uuid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(LedgerError::NotFound($what, text.chars().take(40).collect()))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = LedgerError;

            fn try_from(text: String) -> Result<Self, LedgerError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id!(
    /// A loan. Random for each loan, so that two loans of one person cannot be joined from outside.
    LoanId,
    "loan"
);
id!(
    /// A person.
    PersonId,
    "person"
);
id!(
    /// One movement of money that a provider is asked for; also its idempotency key there.
    LegId,
    "payment leg"
);
id!(
    /// Money that came in.
    PaymentId,
    "payment"
);
id!(
    /// Something that one person proposed and another is to approve.
    ApprovalId,
    "approval"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_four_uuids() {
        let id = LoanId::random().unwrap();
        assert_eq!(id.as_str().parse::<LoanId>().unwrap(), id);
        assert_eq!(id.as_str().as_bytes()[14], b'4');
        assert!(b"89ab".contains(&id.as_str().as_bytes()[19]));
        assert_ne!(LoanId::random().unwrap(), id);
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in
            ["", "1", "../../etc", "00000000-0000-4000-8000-00000000000G", "00000000+0000-4000-8000-000000000000"]
        {
            assert!(text.parse::<LoanId>().is_err(), "{text}");
        }
    }
}
