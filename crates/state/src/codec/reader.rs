//! Primitive values, out of and into bytes.

use alloy_primitives::{Address, B256, U256};

/// Failed to decode what the store wrote: damage, or bytes from elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The bytes end inside a value.
    #[error("value is cut short")]
    Truncated,
    /// Bytes remain after the value.
    #[error("{0} bytes remain after the value")]
    Trailing(usize),
    /// Written by another version.
    #[error("format version {0} is not known")]
    Version(u8),
    /// A tag, flag or length has a value that is never written.
    #[error("{0} is not valid")]
    Invalid(&'static str),
    /// A header or withdrawal is not valid RLP.
    #[error("failed to decode RLP")]
    Rlp(#[from] alloy_rlp::Error),
    /// A transaction is not valid.
    #[error("failed to decode a transaction")]
    Transaction(#[from] alloy_eips::eip2718::Eip2718Error),
}

/// Bytes yet to be decoded.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Starts after the version byte, which must be the present one.
    pub(super) fn versioned(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Self(bytes);
        match reader.byte()? {
            super::VERSION => Ok(reader),
            version => Err(CodecError::Version(version)),
        }
    }

    /// Checks that nothing remains.
    pub(super) fn finish(self) -> Result<(), CodecError> {
        if self.0.is_empty() { Ok(()) } else { Err(CodecError::Trailing(self.0.len())) }
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(CodecError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(CodecError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u64(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn address(&mut self) -> Result<Address, CodecError> {
        self.array().map(Address::new)
    }

    pub(super) fn hash(&mut self) -> Result<B256, CodecError> {
        self.array().map(B256::new)
    }

    pub(super) fn number(&mut self) -> Result<U256, CodecError> {
        let len = usize::from(self.byte()?);
        let bytes = self.take(len)?;
        if bytes.first() == Some(&0) {
            return Err(CodecError::Invalid("number with leading zeros"));
        }
        U256::try_from_be_slice(bytes).ok_or(CodecError::Invalid("number longer than 32 bytes"))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let len = self.count()?;
        self.take(len)
    }

    /// A count of items, each of which takes at least one byte: it cannot exceed what remains.
    pub(super) fn count(&mut self) -> Result<usize, CodecError> {
        let count = usize::try_from(u32::from_be_bytes(self.array()?)).map_err(|_| CodecError::Invalid("count"))?;
        if count > self.0.len() { Err(CodecError::Truncated) } else { Ok(count) }
    }

    /// A sequence of items.
    pub(super) fn sequence<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let count = self.count()?;
        (0..count).map(|_| item(self)).collect()
    }

    /// One RLP item that carries its own length.
    pub(super) fn rlp<T: alloy_rlp::Decodable>(&mut self) -> Result<T, CodecError> {
        Ok(T::decode(&mut self.0)?)
    }
}

/// Appends a number without leading zeros after its length.
pub(super) fn put_number(out: &mut Vec<u8>, number: &U256) {
    let bytes = number.to_be_bytes::<32>();
    let trimmed = &bytes[number.leading_zeros() / 8..];
    #[expect(clippy::cast_possible_truncation, reason = "at most 32")]
    out.push(trimmed.len() as u8);
    out.extend_from_slice(trimmed);
}

/// Appends a count. Nothing the store writes has 2^32 parts: a log record is at most 1 GiB.
pub(super) fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

/// Appends a byte string after its length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}
