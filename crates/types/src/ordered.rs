//! What validators agree on, as the chain sees it: ordered blocks, and the genesis object that says how they agree.
//!
//! An *ordered block* is a list of transactions with a place in the chain. Executing it gives *the block*: the Ethereum block at
//! the same height, whose hash clients see. Ordering comes first; an ordered block commits to the result of an earlier
//! one ([`ExecutionCommitment`]).
//!
//! The keys here are bytes: only the consensus crate knows what curves they lie on.

use std::{collections::BTreeSet, net::IpAddr, str::FromStr};

use alloy_primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

use crate::{
    block::{BlockRef, Height, RecoveredTx},
    limits::{MAX_EXECUTION_LAG, MAX_VALIDATORS},
};

/// The key of the genesis configuration that holds a [`ConsensusConfig`].
pub const CONSENSUS_KEY: &str = "braid";

/// The digest that stands for the genesis, which nobody ordered.
pub const GENESIS_DIGEST: B256 = B256::ZERO;

/// Validators that coded dissemination needs: with fewer, no part of a block may be missing.
const MIN_CODED_VALIDATORS: usize = 4;

/// Reference to the Ethereum block that an ordered block commits to: the one that executing its ancestor at that height
/// gave.
pub type ExecutionCommitment = BlockRef;

/// A block as consensus orders it, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderedBlock {
    /// Height, the same as that of the Ethereum block it leads to.
    pub height: Height,
    /// Digest of the ordered block, by which consensus knows it.
    pub digest: B256,
    /// Digest of the ordered block before; [`GENESIS_DIGEST`] for the first.
    pub parent: B256,
    /// Milliseconds since the Unix epoch, by the proposer's clock.
    pub timestamp_ms: u64,
    /// Who gets the fees.
    pub beneficiary: Address,
    /// The transactions in order. Those that are invalid when their turn comes are left out of the Ethereum block.
    pub transactions: Vec<RecoveredTx>,
}

/// How the validators of a chain agree: `config.braid` of its genesis.
///
/// ```json
/// { "executionLag": 3, "epochLength": 10000, "scheme": "ed25519", "dissemination": "whole",
///   "validators": [{ "publicKey": "0x…", "feeRecipient": "0x…", "address": "127.0.0.1:30400" }] }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsensusConfig {
    /// Heights between an ordered block and the one whose execution it commits to.
    #[serde(default = "default_execution_lag")]
    pub execution_lag: u64,
    /// Blocks after which the committee may change.
    #[serde(default = "default_epoch_length")]
    pub epoch_length: u64,
    /// How certificates are signed.
    #[serde(default)]
    pub scheme: CertificateScheme,
    /// How blocks reach the validators.
    #[serde(default)]
    pub dissemination: Dissemination,
    /// The first committee.
    pub validators: Vec<GenesisValidator>,
    /// The public polynomial of the group key, encoded; threshold signatures only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_polynomial: Option<Bytes>,
}

/// How certificates are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CertificateScheme {
    /// A list of ed25519 signatures, which says who signed.
    #[default]
    #[serde(rename = "ed25519")]
    Ed25519,
    /// One BLS12-381 signature of the group.
    #[serde(rename = "bls12381-threshold")]
    Bls12381Threshold,
}

/// How blocks reach the validators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dissemination {
    /// The proposer sends the whole block to everyone.
    #[default]
    Whole,
    /// The proposer sends a coded part to each, and they exchange parts.
    Coded,
}

/// A member of the first committee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenesisValidator {
    /// Its ed25519 key.
    pub public_key: B256,
    /// Who gets the fees of the blocks it proposes.
    pub fee_recipient: Address,
    /// Where it listens, `host:port`.
    pub address: String,
}

/// A [`ConsensusConfig`] that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ConsensusConfigError {
    #[error("{0}")]
    Malformed(String),
    #[error("executionLag is {0}, not between 1 and {MAX_EXECUTION_LAG}")]
    ExecutionLag(u64),
    #[error("epochLength {epoch_length} is not above executionLag {execution_lag}")]
    EpochLength { epoch_length: u64, execution_lag: u64 },
    #[error("there are {0} validators, not between 1 and {MAX_VALIDATORS}")]
    ValidatorCount(usize),
    #[error("validator key {0} is listed twice")]
    DuplicateValidator(B256),
    #[error("address {0:?} of a validator is not host:port")]
    Address(String),
    #[error("coded dissemination needs {MIN_CODED_VALIDATORS} validators, there are {0}")]
    TooFewForCoding(usize),
    #[error("groupPolynomial is {}", if *.must_exist { "missing, which bls12381-threshold needs" } else { "given, but the scheme is ed25519" })]
    GroupPolynomial { must_exist: bool },
}

const fn default_execution_lag() -> u64 {
    3
}

/// About a day at five blocks a second.
const fn default_epoch_length() -> u64 {
    432_000
}

impl ConsensusConfig {
    /// Checks that its parts fit together.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ConsensusConfigError> {
        let Self { execution_lag, epoch_length, .. } = *self;
        let count = self.validators.len();
        if !(1..=MAX_EXECUTION_LAG).contains(&execution_lag) {
            return Err(ConsensusConfigError::ExecutionLag(execution_lag));
        }
        if epoch_length <= execution_lag {
            return Err(ConsensusConfigError::EpochLength { epoch_length, execution_lag });
        }
        if !(1..=MAX_VALIDATORS).contains(&count) {
            return Err(ConsensusConfigError::ValidatorCount(count));
        }
        let mut keys = BTreeSet::new();
        if let Some(twice) = self.validators.iter().find(|validator| !keys.insert(validator.public_key)) {
            return Err(ConsensusConfigError::DuplicateValidator(twice.public_key));
        }
        if let Some(wrong) = self.validators.iter().find(|validator| !is_host_port(&validator.address)) {
            return Err(ConsensusConfigError::Address(wrong.address.clone()));
        }
        if self.dissemination == Dissemination::Coded && count < MIN_CODED_VALIDATORS {
            return Err(ConsensusConfigError::TooFewForCoding(count));
        }
        let must_exist = self.scheme == CertificateScheme::Bls12381Threshold;
        if self.group_polynomial.is_some() != must_exist {
            return Err(ConsensusConfigError::GroupPolynomial { must_exist });
        }
        Ok(())
    }
}

/// Whether `address` is a name or an IP address, the latter in brackets if it has colons, with a port.
fn is_host_port(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    if !u16::from_str(port).is_ok_and(|port| port > 0) {
        return false;
    }
    if let Some(bracketed) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return IpAddr::from_str(bracketed).is_ok_and(|address| address.is_ipv6());
    }
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests;
