//! The identity of a request for ever: a random UUID (RFC 9562, version 4), chosen by us before anything is sent.
//!
//! Providers recognise a request that comes again by it, which is what makes sending again safe.

use std::{fmt, str::FromStr};

/// The client's correlation ID of a request (GSMA `X-CorrelationID`, MTN `X-Reference-Id`, Daraja `OriginatorConversationID`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CorrelationId([u8; 16]);

/// A text that is no version 4 UUID in its canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("correlation id is not a version 4 uuid")]
pub struct NotACorrelationId;

/// Where the hyphens stand in the text.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

impl CorrelationId {
    /// Makes an ID of random bytes; six of the bits are given by the version.
    #[must_use]
    pub const fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// The sixteen bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CorrelationId {
    type Err = NotACorrelationId;

    fn from_str(text: &str) -> Result<Self, NotACorrelationId> {
        let text = text.as_bytes();
        if text.len() != 36 || HYPHENS.iter().any(|&at| text[at] != b'-') {
            return Err(NotACorrelationId);
        }
        let mut bytes = [0; 16];
        let mut digits = text.iter().enumerate().filter(|(at, _)| !HYPHENS.contains(at)).map(|(_, digit)| *digit);
        for byte in &mut bytes {
            let (Some(high), Some(low)) = (digits.next().and_then(nibble), digits.next().and_then(nibble)) else {
                return Err(NotACorrelationId);
            };
            *byte = high << 4 | low;
        }
        if Self::from_random(bytes).0 == bytes { Ok(Self(bytes)) } else { Err(NotACorrelationId) }
    }
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_it_is_written() {
        let id = CorrelationId::from_random([0xff; 16]);
        assert_eq!(id.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
    }

    #[test]
    fn what_is_no_version_4_uuid_is_refused() {
        for text in [
            "",
            "ffffffff-ffff-1fff-bfff-ffffffffffff",
            "ffffffff-ffff-4fff-ffff-ffffffffffff",
            "ffffffffffff-4fff-bfff-ffffffffffff-",
            "fffffffg-ffff-4fff-bfff-ffffffffffff",
            "ffffffff-ffff-4fff-bfff-fffffffffffé",
        ] {
            assert_eq!(text.parse::<CorrelationId>(), Err(NotACorrelationId), "{text}");
        }
    }
}
