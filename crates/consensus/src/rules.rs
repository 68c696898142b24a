//! What every node of a chain must hold alike: taken from the genesis, and never changed.

use std::num::{NonZeroU32, NonZeroU64};

use braid_types::{
    BlockRef,
    limits::{MAX_ORDERED_BLOCK_SIZE_BYTES, MAX_TRANSACTION_SIZE_BYTES},
    ordered::{CertificateScheme, ConsensusConfig, Dissemination, GenesisValidator},
};
use bytes::BufMut as _;
use commonware_codec::{Copying, Decode as _, DecodeExt as _, Write as _};
use commonware_consensus::types::{Epoch, Epocher as _, FixedEpocher, Height};
use commonware_cryptography::{Blake3, Hasher as _, bls12381::primitives::sharing::ModeVersion, ed25519::PublicKey};
use commonware_utils::{Faults as _, N3f1};

use crate::{
    block::BodyLimits,
    committee::{Committee, CommitteeError, MAX_VALIDATORS, Validator},
    reshare::MIN_EPOCH_LENGTH,
    scheme::{GroupPolynomial, Signatures},
};

/// Bytes of an encoded body: the transactions, and at most four bytes of length for each, which has 64 at least.
const MAX_BODY_BYTES: usize = MAX_ORDERED_BLOCK_SIZE_BYTES + MAX_ORDERED_BLOCK_SIZE_BYTES / 16 + 4;

/// The rules of a chain.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Goes into every signature, so that one made for a chain is worth nothing on another.
    pub namespace: Vec<u8>,
    /// Heights between an ordered block and the one whose execution it commits to.
    pub execution_lag: u64,
    /// Blocks of an epoch.
    pub epoch_length: NonZeroU64,
    /// How blocks travel.
    pub dissemination: Dissemination,
    /// What votes are signed with.
    pub signatures: Signatures,
    /// The first epoch's committee.
    pub committee: Committee,
    /// The Ethereum genesis.
    pub genesis: BlockRef,
}

/// Why a genesis gives no rules.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A validator's key is no point of the curve.
    #[error("validator {index} has a malformed public key: {reason}")]
    Key {
        /// Its place in the list.
        index: usize,
        /// What is wrong.
        reason: commonware_codec::Error,
    },
    /// The validators make no committee.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// The group's polynomial is missing or malformed, or for another number of validators.
    #[error("groupPolynomial is not the one of {0} validators")]
    Polynomial(usize),
    /// Epochs without blocks.
    #[error("epochLength is zero")]
    EpochLength,
    /// Epochs too short to hand a group's key on.
    #[error("epochLength is below {MIN_EPOCH_LENGTH}, which resharing needs")]
    ShortEpochs,
}

impl Rules {
    /// The rules of the chain with this identifier, genesis object and Ethereum genesis block.
    ///
    /// # Errors
    /// [`RulesError`].
    pub fn new(config: &ConsensusConfig, chain_id: u64, genesis: BlockRef) -> Result<Self, RulesError> {
        let committee = committee(&config.validators)?;
        Ok(Self {
            namespace: namespace(config, chain_id, &genesis, &committee),
            execution_lag: config.execution_lag,
            epoch_length: NonZeroU64::new(config.epoch_length).ok_or(RulesError::EpochLength)?,
            dissemination: config.dissemination,
            signatures: signatures(config, committee.validators().len())?,
            committee,
            genesis,
        })
    }

    /// Bounds on blocks' bodies.
    pub const fn body_limits() -> BodyLimits {
        BodyLimits { bytes: MAX_BODY_BYTES, transaction_bytes: MAX_TRANSACTION_SIZE_BYTES }
    }

    /// Maps heights to epochs. Genesis counts as the first block of the first.
    pub fn epocher(&self) -> FixedEpocher {
        FixedEpocher::new(self.epoch_length)
    }

    /// Whether `height` is the last of its epoch.
    pub fn is_last(&self, height: u64) -> bool {
        (height + 1).is_multiple_of(self.epoch_length.get())
    }

    /// The last height of an epoch.
    pub fn last_of(&self, epoch: Epoch) -> u64 {
        self.epocher().last(epoch).map_or(u64::MAX, Height::get)
    }

    /// The epoch of a height.
    pub fn epoch_of(&self, height: u64) -> Epoch {
        Epoch::new(height / self.epoch_length.get())
    }
}

/// The committee of a genesis.
pub(crate) fn committee(validators: &[GenesisValidator]) -> Result<Committee, RulesError> {
    let validators = validators.iter().enumerate().map(|(index, validator)| {
        let public_key = PublicKey::decode(Copying(validator.public_key.as_slice()))
            .map_err(|reason| RulesError::Key { index, reason })?;
        let (fee_recipient, address) = (validator.fee_recipient, validator.address.clone());
        Ok(Validator { public_key, fee_recipient, address })
    });
    Ok(Committee::new(validators.collect::<Result<_, RulesError>>()?)?)
}

/// Names the network with everything that its genesis fixes, so that networks which differ in any of it take nothing from each
/// other. Light clients compute the same (`braid_light::Network`).
fn namespace(config: &ConsensusConfig, chain_id: u64, genesis: &BlockRef, committee: &Committee) -> Vec<u8> {
    let mut fixed = Vec::new();
    fixed.put_u64(chain_id);
    fixed.put_slice(genesis.hash.as_slice());
    fixed.put_u64(config.execution_lag);
    fixed.put_u64(config.epoch_length);
    fixed.put_u8(match config.dissemination {
        Dissemination::Whole => 0,
        Dissemination::Coded => 1,
    });
    config.group_polynomial.clone().map(|polynomial| polynomial.0).write(&mut fixed);
    committee.write(&mut fixed);
    let digest = Blake3::hash(&[b"braid", &fixed]);
    [b"braid-", digest.as_ref()].concat()
}

fn signatures(config: &ConsensusConfig, members: usize) -> Result<Signatures, RulesError> {
    match config.scheme {
        CertificateScheme::Ed25519 => Ok(Signatures::Ed25519),
        CertificateScheme::Bls12381Threshold => {
            let wrong = || RulesError::Polynomial(members);
            let encoded = config.group_polynomial.as_ref().ok_or_else(wrong)?;
            let polynomial = decode_polynomial(encoded).ok_or_else(wrong)?;
            let quorum = u32::try_from(members).map(N3f1::quorum).ok();
            if polynomial.total().get() as usize != members || Some(polynomial.required()) != quorum {
                return Err(wrong());
            }
            if config.epoch_length < MIN_EPOCH_LENGTH {
                return Err(RulesError::ShortEpochs);
            }
            Ok(Signatures::Threshold(Box::new(polynomial)))
        }
    }
}

fn decode_polynomial(encoded: &[u8]) -> Option<GroupPolynomial> {
    let most = NonZeroU32::new(u32::try_from(MAX_VALIDATORS).ok()?)?;
    GroupPolynomial::decode_cfg(Copying(encoded), &(most, ModeVersion::v0())).ok()
}
