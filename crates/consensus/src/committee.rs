//! Who may vote: the committee of an epoch, and how its members change it.
//!
//! Time is cut into epochs of a fixed number of blocks. The committee of an epoch is fixed; a validator asks for a change by
//! putting it into the headers of the blocks that it proposes. Every header carries the count of the votes so far in its epoch
//! (so that a header is checked against its parent's alone), and the last block of an epoch carries the next committee: the same
//! one with the changes that stood in more than two thirds of the epoch's blocks.

use std::fmt;

use alloy_primitives::Address;
use bytes::BufMut;
use commonware_codec::{Buf, EncodeSize, Error, FixedSize, Read, ReadExt, Write, varint::UInt};
use commonware_cryptography::ed25519::PublicKey;
use commonware_utils::ordered::Set;

pub use braid_types::limits::MAX_VALIDATORS;

/// Bytes of a validator's network address: a DNS name (at most 253), a colon and a port.
pub const MAX_ADDRESS_BYTES: usize = 259;

/// Distinct changes that are counted in one epoch; further ones have to wait for the next.
pub const MAX_CHANGES_PER_EPOCH: usize = 8;

/// Members below which a committee is not reduced: fewer tolerate no fault.
pub const MIN_VALIDATORS: usize = 4;

/// A member of the committee.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Validator {
    /// The key it signs with (threshold schemes: only its identity in the network).
    pub public_key: PublicKey,
    /// Where the fees of its blocks go.
    pub fee_recipient: Address,
    /// Where its peers reach it, as `host:port`.
    pub address: String,
}

/// The validators of an epoch, ordered by key, at least one, each key once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Committee(Vec<Validator>);

/// Why a list of validators is no committee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitteeError {
    /// No member, or more than [`MAX_VALIDATORS`].
    #[error("{0} validators, allowed are 1 to {MAX_VALIDATORS}")]
    Size(usize),
    /// One key stands twice.
    #[error("a validator key stands twice")]
    Duplicate,
    /// An address is not `host:port` in printable ASCII of at most [`MAX_ADDRESS_BYTES`] bytes.
    #[error("a validator's network address is empty, too long or not printable")]
    Address,
}

impl Committee {
    /// Orders `validators` by key and checks them.
    ///
    /// # Errors
    /// [`CommitteeError`].
    pub fn new(mut validators: Vec<Validator>) -> Result<Self, CommitteeError> {
        if validators.is_empty() || validators.len() > MAX_VALIDATORS {
            return Err(CommitteeError::Size(validators.len()));
        }
        if !validators.iter().all(|validator| is_address(validator.address.as_bytes())) {
            return Err(CommitteeError::Address);
        }
        validators.sort_by(|a, b| a.public_key.cmp(&b.public_key));
        if validators.windows(2).any(|pair| pair[0].public_key == pair[1].public_key) {
            return Err(CommitteeError::Duplicate);
        }
        Ok(Self(validators))
    }

    /// The members in the order of their keys, which is the order of their indices in certificates.
    pub fn validators(&self) -> &[Validator] {
        &self.0
    }

    /// The members' keys.
    pub fn keys(&self) -> Set<PublicKey> {
        Set::from_iter_dedup(self.0.iter().map(|validator| validator.public_key.clone()))
    }

    /// The member with this key.
    pub fn get(&self, key: &PublicKey) -> Option<&Validator> {
        let index = self.0.binary_search_by(|validator| validator.public_key.cmp(key)).ok()?;
        self.0.get(index)
    }

    /// The committee after `change`; the same one if the change would leave fewer than [`MIN_VALIDATORS`] (or fewer than now,
    /// for a committee that is smaller already), or more than [`MAX_VALIDATORS`].
    #[must_use]
    pub fn after(&self, change: &Change) -> Self {
        let mut validators = self.0.clone();
        validators.retain(|validator| validator.public_key != *change.key());
        match change {
            Change::Add(validator) => validators.push(validator.clone()),
            Change::Remove(_) if validators.len() < MIN_VALIDATORS => return self.clone(),
            Change::Remove(_) => {}
        }
        Self::new(validators).unwrap_or_else(|_| self.clone())
    }
}

/// A change of the committee that validators vote for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Takes a validator in, or replaces the entry with its key.
    Add(Validator),
    /// Leaves a validator out.
    Remove(PublicKey),
}

impl Change {
    /// The key whose entry changes.
    pub const fn key(&self) -> &PublicKey {
        match self {
            Self::Add(validator) => &validator.public_key,
            Self::Remove(key) => key,
        }
    }

    /// Whether `committee` is already as the change asks.
    pub fn is_made(&self, committee: &Committee) -> bool {
        match self {
            Self::Add(validator) => committee.get(&validator.public_key) == Some(validator),
            Self::Remove(key) => committee.get(key).is_none(),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(validator) => write!(f, "add {}", validator.public_key),
            Self::Remove(key) => write!(f, "remove {key}"),
        }
    }
}

/// Votes so far in an epoch, in the order in which the changes were first asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tally(Vec<(Change, u64)>);

impl Tally {
    /// The count with one more block, which asks for `vote`.
    #[must_use]
    pub fn with(&self, vote: Option<&Change>) -> Self {
        let mut counts = self.0.clone();
        if let Some(vote) = vote {
            match counts.iter().position(|(change, _)| change == vote) {
                Some(index) => counts[index].1 = counts[index].1.saturating_add(1),
                None if counts.len() < MAX_CHANGES_PER_EPOCH => counts.push((vote.clone(), 1)),
                None => {}
            }
        }
        Self(counts)
    }

    /// Changes and the blocks that asked for them.
    pub fn counts(&self) -> &[(Change, u64)] {
        &self.0
    }

    /// The committee after an epoch of `blocks` blocks with these votes.
    pub fn elect(&self, committee: &Committee, blocks: u64) -> Committee {
        self.0
            .iter()
            .filter(|(_, count)| u128::from(*count) * 3 > u128::from(blocks) * 2)
            .fold(committee.clone(), |committee, (change, _)| committee.after(change))
    }
}

fn is_address(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.len() <= MAX_ADDRESS_BYTES && bytes.iter().all(u8::is_ascii_graphic)
}

impl Validator {
    /// Largest encoding in bytes: key, fee recipient, length, address.
    pub const MAX_SIZE: usize = PublicKey::SIZE + 20 + 2 + MAX_ADDRESS_BYTES;
}

impl Write for Validator {
    fn write(&self, buf: &mut impl BufMut) {
        self.public_key.write(buf);
        buf.put_slice(self.fee_recipient.as_slice());
        self.address.len().write(buf);
        buf.put_slice(self.address.as_bytes());
    }
}

impl EncodeSize for Validator {
    fn encode_size(&self) -> usize {
        PublicKey::SIZE + 20 + self.address.len().encode_size() + self.address.len()
    }
}

impl Read for Validator {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let public_key = PublicKey::read(buf)?;
        let fee_recipient = Address::from(<[u8; 20]>::read(buf)?);
        let length = usize::read_cfg(buf, &(1..=MAX_ADDRESS_BYTES).into())?;
        if buf.remaining() < length {
            return Err(Error::EndOfBuffer);
        }
        let mut address = vec![0; length];
        buf.copy_to_slice(&mut address);
        if !is_address(&address) {
            return Err(Error::Invalid("Validator", "address is not printable"));
        }
        let address = String::from_utf8(address).map_err(|_| Error::Invalid("Validator", "address is not ASCII"))?;
        Ok(Self { public_key, fee_recipient, address })
    }
}

impl Committee {
    /// Largest encoding in bytes.
    pub const MAX_SIZE: usize = 2 + MAX_VALIDATORS * Validator::MAX_SIZE;
}

impl Write for Committee {
    fn write(&self, buf: &mut impl BufMut) {
        self.0.write(buf);
    }
}

impl EncodeSize for Committee {
    fn encode_size(&self) -> usize {
        self.0.encode_size()
    }
}

impl Read for Committee {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let validators = Vec::<Validator>::read_cfg(buf, &((1..=MAX_VALIDATORS).into(), ()))?;
        if validators.windows(2).any(|pair| pair[0].public_key >= pair[1].public_key) {
            return Err(Error::Invalid("Committee", "validators are not in the order of their keys"));
        }
        Ok(Self(validators))
    }
}

impl Write for Change {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Add(validator) => {
                buf.put_u8(0);
                validator.write(buf);
            }
            Self::Remove(key) => {
                buf.put_u8(1);
                key.write(buf);
            }
        }
    }
}

impl EncodeSize for Change {
    fn encode_size(&self) -> usize {
        1 + match self {
            Self::Add(validator) => validator.encode_size(),
            Self::Remove(_) => PublicKey::SIZE,
        }
    }
}

impl Read for Change {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        match u8::read(buf)? {
            0 => Ok(Self::Add(Validator::read(buf)?)),
            1 => Ok(Self::Remove(PublicKey::read(buf)?)),
            tag => Err(Error::InvalidEnum(tag)),
        }
    }
}

impl Tally {
    /// Largest encoding in bytes.
    pub const MAX_SIZE: usize = 1 + MAX_CHANGES_PER_EPOCH * (1 + Validator::MAX_SIZE + 10);
}

impl Write for Tally {
    fn write(&self, buf: &mut impl BufMut) {
        self.0.len().write(buf);
        for (change, count) in &self.0 {
            change.write(buf);
            UInt(*count).write(buf);
        }
    }
}

impl EncodeSize for Tally {
    fn encode_size(&self) -> usize {
        let entry = |(change, count): &(Change, u64)| change.encode_size() + UInt(*count).encode_size();
        self.0.len().encode_size() + self.0.iter().map(entry).sum::<usize>()
    }
}

impl Read for Tally {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let length = usize::read_cfg(buf, &(..=MAX_CHANGES_PER_EPOCH).into())?;
        let entry = |_| Ok((Change::read(buf)?, UInt::read(buf)?.into()));
        (0..length).map(entry).collect::<Result<_, Error>>().map(Self)
    }
}

#[cfg(test)]
mod tests;
