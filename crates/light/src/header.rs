//! The header of an ordered block: what the validators agree on before they execute it.
//!
//! Its digest is the BLAKE3 hash of its encoding, and it names its parent by that parent's digest, so whoever trusts one header
//! trusts all before it. Only what is needed to follow the chain is kept of what is read.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::{
    codec::{DecodeError, Reader},
    committee,
};

/// Changes of the committee that a header may count.
const MAX_CHANGES: usize = 8;

/// How blocks reach the validators of a chain. Decides what certificates name a block by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dissemination {
    /// Whole: by the digest of its header.
    #[default]
    Whole,
    /// In erasure-coded parts: by the digest of its header, the root over the parts and the setting of the code.
    Coded,
}

impl Dissemination {
    /// Bytes of a block's name, which starts with the digest of its header.
    pub(crate) const fn name_bytes(self) -> usize {
        match self {
            Self::Whole => 32,
            // Three hashes and two numbers of two bytes.
            Self::Coded => 3 * 32 + 4,
        }
    }
}

/// The Ethereum block that an ordered block commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Its height, some below that of the ordered block.
    pub height: u64,
    /// Its hash.
    pub hash: B256,
}

/// The header of an ordered block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderedHeader {
    /// BLAKE3 of the encoding.
    pub digest: B256,
    /// The epoch, whose committee agreed on it.
    pub epoch: u64,
    /// The view in which it was proposed.
    pub view: u64,
    /// The key of who proposed it.
    pub leader: B256,
    /// The parent's digest.
    pub parent: B256,
    /// Height, from genesis (0).
    pub height: u64,
    /// Milliseconds since 1970, by the leader's clock.
    pub timestamp_ms: u64,
    /// Where the fees go.
    pub beneficiary: Address,
    /// The Ethereum block that executing an ancestor gave.
    pub execution: Execution,
    /// BLAKE3 of the list of transactions.
    pub body: B256,
    /// In genesis and in the last block of an epoch: the keys of the next committee.
    pub next: Option<Vec<B256>>,
}

impl OrderedHeader {
    /// Reads a header.
    ///
    /// # Errors
    /// If `bytes` are not one whole header of a chain with this dissemination.
    pub fn decode(bytes: &[u8], dissemination: Dissemination) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("ordered header", bytes);
        let header = Self::read(&mut reader, dissemination)?;
        reader.end()?;
        Ok(header)
    }

    pub(crate) fn read(reader: &mut Reader<'_>, dissemination: Dissemination) -> Result<Self, DecodeError> {
        let start = reader.position();
        let header = Self {
            digest: B256::ZERO,
            epoch: reader.varint()?,
            view: reader.varint()?,
            leader: reader.hash()?,
            parent: read_parent(reader, dissemination)?,
            height: reader.varint()?,
            timestamp_ms: reader.fixed_u64()?,
            beneficiary: Address::from(reader.array()?),
            execution: Execution { height: reader.varint()?, hash: reader.hash()? },
            body: reader.hash()?,
            next: read_next(reader)?,
        };
        let digest = B256::from(*blake3::hash(reader.since(start)).as_bytes());
        Ok(Self { digest, ..header })
    }
}

/// Reads the parent's view, its name in votes, and its digest.
fn read_parent(reader: &mut Reader<'_>, dissemination: Dissemination) -> Result<B256, DecodeError> {
    let _view = reader.varint()?;
    let _name = reader.take(dissemination.name_bytes())?;
    reader.hash()
}

/// Reads past the votes for changes of the committee to the next committee.
fn read_next(reader: &mut Reader<'_>) -> Result<Option<Vec<B256>>, DecodeError> {
    if reader.is_present()? {
        read_change(reader)?;
    }
    for _ in 0..reader.length(MAX_CHANGES)? {
        read_change(reader)?;
        let _votes = reader.varint()?;
    }
    reader.is_present()?.then(|| committee::read_committee(reader)).transpose()
}

fn read_change(reader: &mut Reader<'_>) -> Result<B256, DecodeError> {
    let start = reader.clone();
    match reader.byte()? {
        0 => committee::read_validator(reader),
        1 => reader.hash(),
        _ => Err(start.error("an unknown change of the committee")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::encode::Header;

    #[test]
    fn what_was_written_is_read() {
        for dissemination in [Dissemination::Whole, Dissemination::Coded] {
            for header in [Header::default(), Header::with_everything()] {
                let bytes = header.encode(dissemination);
                assert_eq!(OrderedHeader::decode(&bytes, dissemination), Ok(header.expected(&bytes)));
            }
        }
    }

    #[test]
    fn a_part_of_a_header_is_none() {
        let bytes = Header::with_everything().encode(Dissemination::Whole);
        for cut in 0..bytes.len() {
            OrderedHeader::decode(&bytes[..cut], Dissemination::Whole).unwrap_err();
        }
        let mut longer = bytes;
        longer.push(0);
        let error = OrderedHeader::decode(&longer, Dissemination::Whole).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("ordered header is malformed at byte {}: bytes follow its end", error.at)
        );
    }

    proptest! {
        #[test]
        fn a_flipped_bit_changes_the_digest(at: prop::sample::Index, bit in 0..8_u8) {
            let mut bytes = Header::with_everything().encode(Dissemination::Whole);
            let before = OrderedHeader::decode(&bytes, Dissemination::Whole).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(after) = OrderedHeader::decode(&bytes, Dissemination::Whole) {
                prop_assert_ne!(after.digest, before.digest);
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            for dissemination in [Dissemination::Whole, Dissemination::Coded] {
                let _ = OrderedHeader::decode(&bytes, dissemination);
            }
        }
    }
}
