//! Proofs that blocks are final, taken apart for whoever wants to look inside.

use alloy_primitives::{B256, Bytes};
use braid_types::{BlockRef, Height, ordered};
use commonware_codec::{Copying, Decode as _, Encode as _};
use commonware_consensus::{Epochable as _, Viewable as _};

use crate::{
    block::{Coded, Dissemination, Whole},
    certificates::Certified,
    committees::Committees,
    keys,
    scheme::{Certificate, CertificateBounds},
};

/// A proof that a block is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Height of the block.
    pub height: Height,
    /// Its digest.
    pub digest: B256,
    /// Milliseconds since the Unix epoch, by the proposer's clock.
    pub timestamp_ms: u64,
    /// The Ethereum block whose execution the header vouches for.
    pub execution: BlockRef,
    /// The header, and those above it up to the one that the certificate names; encoded.
    pub headers: Vec<Bytes>,
    /// Epoch whose committee signed.
    pub epoch: u64,
    /// View in which the certified block was proposed.
    pub view: u64,
    /// Who signed; `None` where that cannot be told.
    pub signers: Option<Vec<B256>>,
    /// The certificate, encoded.
    pub certificate: Bytes,
    /// All of it as [`Certified`] encodes it, for light clients.
    pub encoded: Bytes,
}

/// There is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// What was stored is none.
    #[error("the stored certificate cannot be read: {0}")]
    Malformed(String),
    /// It was removed.
    #[error("the certificate of block {height} is no longer kept: this node has those from block {oldest} on")]
    Pruned {
        /// What was asked for.
        height: Height,
        /// What is there.
        oldest: Height,
    },
}

/// Takes an encoded [`Certified`] apart.
pub(super) fn read(
    encoded: &[u8],
    dissemination: ordered::Dissemination,
    committees: &Committees,
) -> Result<Proof, ProofError> {
    match dissemination {
        ordered::Dissemination::Whole => read_as::<Whole>(encoded, committees),
        ordered::Dissemination::Coded => read_as::<Coded>(encoded, committees),
    }
}

fn read_as<K: Dissemination>(encoded: &[u8], committees: &Committees) -> Result<Proof, ProofError> {
    let certified = Certified::<K>::decode_cfg(Copying(encoded), &CertificateBounds::ANY);
    let certified = certified.map_err(|error| ProofError::Malformed(error.to_string()))?;
    let first = certified.headers.first().ok_or_else(|| ProofError::Malformed("it has no header".to_owned()))?;
    let finalization = &certified.finalization;
    let epoch = finalization.epoch();
    let members = committees.committee(epoch);
    let signers = match &finalization.certificate {
        Certificate::Threshold(_) => None,
        Certificate::Ed25519(certificate) => members.map(|members| {
            let signers = certificate.signers.iter().filter_map(|index| members.validators().get(usize::from(index)));
            signers.map(|member| keys::to_bytes(&member.public_key)).collect()
        }),
    };
    Ok(Proof {
        height: first.height,
        digest: B256::from(first.digest().0),
        timestamp_ms: first.timestamp_ms,
        execution: first.execution,
        headers: certified.headers.iter().map(|header| header.encode().into()).collect(),
        epoch: epoch.get(),
        view: finalization.view().get(),
        signers,
        certificate: finalization.encode().into(),
        encoded: Bytes::copy_from_slice(encoded),
    })
}
