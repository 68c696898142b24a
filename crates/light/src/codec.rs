//! Reads the encodings of consensus: fixed fields big endian, lengths and counters as variable-length integers.
//!
//! A variable-length integer has seven bits a byte, the lowest first, and the highest bit set on all bytes but the last. Only the
//! shortest encoding is one, so that a value has one encoding and what was signed can be compared as bytes.

use alloy_primitives::B256;

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is malformed at byte {at}: {reason}")]
pub struct DecodeError {
    /// What was read.
    pub what: &'static str,
    /// Bytes before the field that is wrong.
    pub at: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// A place in bytes that are being read.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, at: 0 }
    }

    /// Bytes read so far.
    pub(crate) const fn position(&self) -> usize {
        self.at
    }

    /// What was read from `start` on.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    pub(crate) const fn error(&self, reason: &'static str) -> DecodeError {
        DecodeError { what: self.what, at: self.at, reason }
    }

    /// The next `length` bytes.
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.error("it ends early"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn hash(&mut self) -> Result<B256, DecodeError> {
        self.array().map(B256::from)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// Eight bytes, big endian.
    pub(crate) fn fixed_u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A variable-length integer.
    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        let start = self.clone();
        let mut value = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            if byte == 0 && shift > 0 {
                return Err(start.error("an integer is longer than it needs to be"));
            }
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(start.error("an integer is too large"));
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(start.error("an integer is too large"))
    }

    /// A length or count, at most `most`.
    pub(crate) fn length(&mut self, most: usize) -> Result<usize, DecodeError> {
        let start = self.clone();
        let length = usize::try_from(self.varint()?).ok().filter(|length| *length <= most);
        length.ok_or_else(|| start.error("a length is above its limit"))
    }

    /// The flag before a field that may be absent.
    pub(crate) fn is_present(&mut self) -> Result<bool, DecodeError> {
        let start = self.clone();
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(start.error("a flag is neither 0 nor 1")),
        }
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.error("bytes follow its end")) }
    }
}

/// Writes a length as a variable-length integer.
pub(crate) fn write_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push(low_bits(length) | 0x80);
        length >>= 7;
    }
    bytes.push(low_bits(length));
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits are left")]
const fn low_bits(length: usize) -> u8 {
    (length & 0x7f) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::encode::varint;

    proptest! {
        #[test]
        fn integers_come_back(value: u64, more: Vec<u8>) {
            let mut bytes = varint(value);
            let length = bytes.len();
            bytes.extend(more);
            let mut reader = Reader::new("test", &bytes);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert_eq!(reader.position(), length);
        }

        #[test]
        fn an_integer_has_one_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = Reader::new("test", &bytes);
            if let Ok(value) = reader.varint() {
                prop_assert_eq!(varint(value), &bytes[..reader.position()]);
            }
        }
    }

    #[test]
    fn integers_beyond_64_bits_are_refused() {
        let mut most = vec![0xff; 9];
        most.push(0x01);
        assert_eq!(Reader::new("test", &most).varint(), Ok(u64::MAX));
        most[9] = 0x02;
        assert_eq!(Reader::new("test", &most).varint().unwrap_err().reason, "an integer is too large");
        assert_eq!(Reader::new("test", &[0xff; 11]).varint().unwrap_err().reason, "an integer is too large");
    }

    #[test]
    fn limits_and_ends_are_kept() {
        let mut reader = Reader::new("test", &[5, 1, 2]);
        assert_eq!(reader.clone().length(4).unwrap_err().reason, "a length is above its limit");
        assert_eq!(reader.length(5), Ok(5));
        assert_eq!(reader.take(3).unwrap_err(), DecodeError { what: "test", at: 1, reason: "it ends early" });
        assert_eq!(reader.take(usize::MAX).unwrap_err().reason, "it ends early");
        assert_eq!(reader.end().unwrap_err().reason, "bytes follow its end");
        assert_eq!(reader.is_present(), Ok(true));
        assert_eq!(reader.is_present().unwrap_err().reason, "a flag is neither 0 nor 1");
        assert_eq!(reader.end(), Ok(()));
    }
}
