//! A client that knows a committee or a group key, and from it which headers are final.
//!
//! The committee of an epoch is fixed, and the last header of the epoch carries the next one: a client that knows the committee
//! of one epoch follows the last headers of epochs to the present, one certificate each. A group key is the same in all epochs.
//! Everything else that a client has to know is a constant of the chain ([`Chain`]).
//!
//! Headers come with their proof as bytes ([`Certified`]), as nodes hand them out.

use std::num::NonZeroU64;

use alloy_primitives::{Address, B256, Bytes, FixedBytes};
use serde::{Deserialize, Serialize};

use crate::{
    bls::{self, GroupKey},
    certificate::{CertificateError, Finalization},
    certified::{Certified, LinkError},
    codec::{DecodeError, write_length},
    committee::{Committee, CommitteeError},
    ethereum::{EthereumHeader, EthereumHeaderError},
    header::{Dissemination, OrderedHeader},
};

/// What never changes of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chain {
    /// What every signature of this chain is made under, so that none of another chain is taken for it.
    pub namespace: Bytes,
    /// Heights between an ordered block and the Ethereum block it commits to.
    pub execution_lag: u64,
    /// Blocks of an epoch.
    pub epoch_length: NonZeroU64,
    /// How blocks reach the validators.
    #[serde(default)]
    pub dissemination: Dissemination,
}

/// A member of the first committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its ed25519 key.
    pub public_key: B256,
    /// Who gets the fees of its blocks.
    pub fee_recipient: Address,
    /// Where it listens, `host:port`.
    pub address: String,
}

/// What the genesis of a network fixes. Networks that differ in any of it take no signature from each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// EIP-155 identifier.
    pub chain_id: u64,
    /// Hash of the Ethereum block of height 0.
    pub genesis_hash: B256,
    /// Heights between an ordered block and the Ethereum block it commits to.
    pub execution_lag: u64,
    /// Blocks of an epoch.
    pub epoch_length: NonZeroU64,
    /// How blocks reach the validators.
    pub dissemination: Dissemination,
    /// The encoded polynomial of the group key, with threshold signatures.
    pub group_polynomial: Option<Bytes>,
    /// The first committee, in any order.
    pub validators: Vec<Member>,
}

/// The committee of an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The epoch.
    pub epoch: u64,
    /// Who may sign in it.
    #[serde(with = "committee_keys")]
    pub committee: Committee,
}

/// Whose signatures count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trust {
    /// The committee's of one epoch.
    Checkpoint(Checkpoint),
    /// The group's.
    #[serde(with = "group_key")]
    GroupKey(GroupKey),
}

/// What a client trusts to begin with. Written as JSON it is what a wallet or a bridge ships with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LightClient {
    /// The chain.
    pub chain: Chain,
    /// Whose signatures count.
    pub trust: Trust,
}

/// Why a header is not proved final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinalityError {
    /// The bytes are no headers with a certificate.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The certificate is of an epoch whose committee is not known.
    #[error("the certificate is of epoch {certificate}, the committee known is that of epoch {known}")]
    Epoch {
        /// The certificate's.
        certificate: u64,
        /// The committee's.
        known: u64,
    },
    /// The certificate is not valid.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The headers are not those that the certificate makes final.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The certified header belongs into another epoch than its certificate.
    #[error("the certificate is of epoch {certificate}, its header of height {height} of epoch {header}")]
    HeaderEpoch {
        /// The certificate's.
        certificate: u64,
        /// The header's.
        header: u64,
        /// The header's height.
        height: u64,
    },
}

/// Why a client cannot go on to the next epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdvanceError {
    /// The header is not proved final.
    #[error(transparent)]
    Finality(#[from] FinalityError),
    /// It is not the last of the epoch.
    #[error("the header of height {height} is not the last of epoch {epoch}, which has height {last}")]
    NotLast {
        /// Its height.
        height: u64,
        /// The epoch to go on from.
        epoch: u64,
        /// The last height of it.
        last: u64,
    },
    /// It has no committee for the next.
    #[error("the last header of epoch {0} carries no committee")]
    NoCommittee(u64),
    /// What it has is none.
    #[error("the last header of epoch {0} carries no good committee: {1}")]
    Committee(u64, CommitteeError),
}

/// Why an Ethereum header is not the one that an ordered header commits to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionError {
    /// The ordered header commits to a height that it cannot have known the block of.
    #[error("the ordered header of height {height} commits to height {execution}, due is {due}")]
    Lag {
        /// Of the ordered header.
        height: u64,
        /// What it commits to.
        execution: u64,
        /// What it has to.
        due: u64,
    },
    /// Not the header with that hash.
    #[error("the header has hash {header}, due is {due}")]
    Hash {
        /// Of the header.
        header: B256,
        /// What is committed to.
        due: B256,
    },
    /// It has another height than it is committed to with.
    #[error("the header has number {header}, due is {due}")]
    Number {
        /// Of the header.
        header: u64,
        /// What is committed to.
        due: u64,
    },
    /// Not a header.
    #[error(transparent)]
    Malformed(#[from] EthereumHeaderError),
}

impl Network {
    /// What every signature of the network is made under.
    pub fn namespace(&self) -> Bytes {
        let mut fixed = Vec::new();
        fixed.extend_from_slice(&self.chain_id.to_be_bytes());
        fixed.extend_from_slice(self.genesis_hash.as_slice());
        fixed.extend_from_slice(&self.execution_lag.to_be_bytes());
        fixed.extend_from_slice(&self.epoch_length.get().to_be_bytes());
        fixed.push(match self.dissemination {
            Dissemination::Whole => 0,
            Dissemination::Coded => 1,
        });
        fixed.push(self.group_polynomial.is_some().into());
        if let Some(polynomial) = &self.group_polynomial {
            write_length(&mut fixed, polynomial.len());
            fixed.extend_from_slice(polynomial);
        }
        let mut validators: Vec<&Member> = self.validators.iter().collect();
        validators.sort_by_key(|member| member.public_key);
        write_length(&mut fixed, validators.len());
        for Member { public_key, fee_recipient, address } in validators {
            fixed.extend_from_slice(public_key.as_slice());
            fixed.extend_from_slice(fee_recipient.as_slice());
            write_length(&mut fixed, address.len());
            fixed.extend_from_slice(address.as_bytes());
        }
        let digest = blake3::Hasher::new().update(b"braid").update(&fixed).finalize();
        [b"braid-".as_slice(), digest.as_bytes()].concat().into()
    }

    /// What never changes of the chain.
    pub fn chain(&self) -> Chain {
        let Self { execution_lag, epoch_length, dissemination, .. } = *self;
        Chain { namespace: self.namespace(), execution_lag, epoch_length, dissemination }
    }
}

impl Chain {
    /// The epoch of the block at `height`.
    pub const fn epoch(&self, height: u64) -> u64 {
        height / self.epoch_length.get()
    }

    /// The last height of an epoch.
    pub const fn last_height(&self, epoch: u64) -> u64 {
        epoch.saturating_add(1).saturating_mul(self.epoch_length.get()).saturating_sub(1)
    }

    /// The Ethereum header that a final ordered header commits to.
    ///
    /// # Errors
    /// If `rlp` is not that header.
    pub fn execution(&self, ordered: &OrderedHeader, rlp: &[u8]) -> Result<EthereumHeader, ExecutionError> {
        let (execution, due) = (ordered.execution, ordered.height.saturating_sub(self.execution_lag));
        if execution.height != due {
            return Err(ExecutionError::Lag { height: ordered.height, execution: execution.height, due });
        }
        let hash = alloy_primitives::keccak256(rlp);
        if hash != execution.hash {
            return Err(ExecutionError::Hash { header: hash, due: execution.hash });
        }
        let header = EthereumHeader::decode(rlp)?;
        if header.number != due {
            return Err(ExecutionError::Number { header: header.number, due });
        }
        Ok(header)
    }
}

impl LightClient {
    /// The epoch whose committee is known; none if the key is the same in all.
    pub const fn epoch(&self) -> Option<u64> {
        match &self.trust {
            Trust::Checkpoint(checkpoint) => Some(checkpoint.epoch),
            Trust::GroupKey(_) => None,
        }
    }

    /// Checks a certificate's signatures.
    ///
    /// # Errors
    /// If it is of another epoch than the committee that is known, or not signed as it has to be.
    pub fn verify(&self, finalization: &Finalization) -> Result<(), FinalityError> {
        match &self.trust {
            Trust::Checkpoint(Checkpoint { epoch, committee }) => {
                if finalization.epoch != *epoch {
                    return Err(FinalityError::Epoch { certificate: finalization.epoch, known: *epoch });
                }
                finalization.verify_committee(&self.chain.namespace, committee)?;
            }
            Trust::GroupKey(key) => finalization.verify_group(&self.chain.namespace, key)?,
        }
        Ok(())
    }

    /// The header that `proof` is for, if it is final. `proof` is an encoded [`Certified`].
    ///
    /// # Errors
    /// [`FinalityError`].
    pub fn finalized(&self, proof: &[u8]) -> Result<OrderedHeader, FinalityError> {
        let certified = Certified::decode(proof, self.chain.dissemination)?;
        self.verify(certified.finalization())?;
        self.check_epoch(&certified)?;
        Ok(certified.linked()?)
    }

    /// The header that the certificate names has to belong into the certificate's epoch.
    fn check_epoch(&self, certified: &Certified) -> Result<(), FinalityError> {
        let certificate = certified.finalization().epoch;
        let Some(&OrderedHeader { epoch: header, height, .. }) = certified.headers().last() else { return Ok(()) };
        if header != certificate || self.chain.epoch(height) != certificate {
            return Err(FinalityError::HeaderEpoch { certificate, header, height });
        }
        Ok(())
    }

    /// Goes on to the next epoch with the committee that the last header of this one carries. With a group key there is nothing to
    /// go on to: the header is checked and left at that.
    ///
    /// # Errors
    /// [`AdvanceError`]; the client is unchanged then.
    pub fn advance(&mut self, proof: &[u8]) -> Result<(), AdvanceError> {
        let header = self.finalized(proof)?;
        let Trust::Checkpoint(checkpoint) = &mut self.trust else { return Ok(()) };
        let (epoch, height) = (checkpoint.epoch, header.height);
        let last = self.chain.last_height(epoch);
        if height != last {
            return Err(AdvanceError::NotLast { height, epoch, last });
        }
        let keys = header.next.ok_or(AdvanceError::NoCommittee(epoch))?;
        let committee = Committee::new(keys).map_err(|error| AdvanceError::Committee(epoch, error))?;
        *checkpoint = Checkpoint { epoch: epoch.saturating_add(1), committee };
        Ok(())
    }
}

/// A committee as the list of its keys.
mod committee_keys {
    use serde::{Deserializer, Serializer, de::Error};

    use super::{B256, Committee, CommitteeError, Deserialize, Serialize};

    pub(super) fn serialize<S: Serializer>(committee: &Committee, serializer: S) -> Result<S::Ok, S::Error> {
        let keys: Vec<B256> = committee.keys().iter().map(super::super::ed25519::PublicKey::bytes).collect();
        keys.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Committee, D::Error> {
        let committee = |keys: Vec<B256>| -> Result<Committee, CommitteeError> { Committee::new(keys) };
        committee(Vec::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A group's key as its bytes.
mod group_key {
    use serde::{Deserializer, Serializer, de::Error};

    use super::{Deserialize, FixedBytes, GroupKey, Serialize, bls};

    pub(super) fn serialize<S: Serializer>(key: &GroupKey, serializer: S) -> Result<S::Ok, S::Error> {
        key.bytes().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<GroupKey, D::Error> {
        let bytes = FixedBytes::<{ bls::KEY_BYTES }>::deserialize(deserializer)?;
        GroupKey::new(&bytes).ok_or_else(|| D::Error::custom("not a BLS12-381 public key"))
    }
}

#[cfg(test)]
mod tests;
