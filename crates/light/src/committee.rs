//! The keys that may sign in an epoch.

use alloy_primitives::B256;

use crate::{
    codec::{DecodeError, Reader},
    ed25519::PublicKey,
};

/// Members that a committee may have, as the engine has it.
pub const MAX_VALIDATORS: usize = 128;

/// Bytes of a validator's network address, which is part of the header's committee and of no use here.
const MAX_ADDRESS_BYTES: usize = 259;

/// The validators' keys of an epoch in their order, at least one, each once. A certificate names its signers by their places in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committee(Vec<PublicKey>);

/// Why keys are no committee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitteeError {
    /// No member, or more than [`MAX_VALIDATORS`].
    #[error("{0} validators, allowed are 1 to {MAX_VALIDATORS}")]
    Size(usize),
    /// One key stands twice.
    #[error("validator key {0} stands twice")]
    Duplicate(B256),
    /// Not a point of the curve.
    #[error("{0} is not an ed25519 public key")]
    Key(B256),
}

impl Committee {
    /// The committee of validators with these keys, in any order.
    ///
    /// # Errors
    /// [`CommitteeError`].
    pub fn new(keys: impl IntoIterator<Item = B256>) -> Result<Self, CommitteeError> {
        let mut keys: Vec<B256> = keys.into_iter().collect();
        if keys.is_empty() || keys.len() > MAX_VALIDATORS {
            return Err(CommitteeError::Size(keys.len()));
        }
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(CommitteeError::Duplicate(pair[0]));
        }
        let point = |key| PublicKey::new(key).ok_or(CommitteeError::Key(key));
        keys.into_iter().map(point).collect::<Result<_, _>>().map(Self)
    }

    /// The keys in order.
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }

    /// Signatures that make a certificate: all but f, of at least 3f + 1.
    pub const fn quorum(&self) -> usize {
        self.0.len() - (self.0.len() - 1) / 3
    }
}

/// Reads the committee in a header: key, fee recipient and network address of each. Gives the keys.
pub(crate) fn read_committee(reader: &mut Reader<'_>) -> Result<Vec<B256>, DecodeError> {
    let count = reader.length(MAX_VALIDATORS)?;
    (0..count).map(|_| read_validator(reader)).collect()
}

/// Reads a validator; gives its key.
pub(crate) fn read_validator(reader: &mut Reader<'_>) -> Result<B256, DecodeError> {
    let key = reader.hash()?;
    let _fee_recipient = reader.take(20)?;
    let length = reader.length(MAX_ADDRESS_BYTES)?;
    let _address = reader.take(length)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{encode, sign};

    fn keys(count: u8) -> Vec<B256> {
        (0..count).map(|seed| sign::ed25519(seed, &[]).0.bytes()).collect()
    }

    #[test]
    fn a_quorum_is_more_than_two_thirds() {
        let quorum = |count| Committee::new(keys(count)).unwrap().quorum();
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 10].map(quorum), [1, 2, 3, 3, 4, 5, 5, 7]);
    }

    #[test]
    fn keys_are_ordered_and_checked() {
        let mut reversed = keys(4);
        reversed.sort_unstable();
        let ordered = Committee::new(reversed.clone()).unwrap();
        reversed.reverse();
        assert_eq!(Committee::new(reversed).unwrap(), ordered);
        assert_eq!(Committee::new([]), Err(CommitteeError::Size(0)));
        let one = keys(1)[0];
        assert_eq!(Committee::new([one, one]), Err(CommitteeError::Duplicate(one)));
        let mut no_key = B256::ZERO;
        no_key[0] = 2;
        assert_eq!(Committee::new([one, no_key]), Err(CommitteeError::Key(no_key)));
        assert_eq!(Committee::new(vec![one; MAX_VALIDATORS + 1]), Err(CommitteeError::Size(MAX_VALIDATORS + 1)));
    }

    #[test]
    fn the_committee_of_a_header_is_read() {
        for count in [0, 1, 4, 128] {
            let keys = keys(count);
            let bytes = encode::committee(&keys);
            let mut reader = Reader::new("header", &bytes);
            assert_eq!(read_committee(&mut reader), Ok(keys));
            assert_eq!(reader.end(), Ok(()));
        }
    }
}
