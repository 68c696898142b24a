//! Finality certificates: a quorum's word that a block is final, in two kinds.
//!
//! A certificate signs a proposal (epoch, view, the parent's view, the block's name) under the chain's namespace with the suffix
//! for the last of simplex's votes, so that no earlier vote and no other message can be taken for it:
//! `length(namespace) ‖ namespace ‖ "_FINALIZE" ‖ proposal`, where the length counts the suffix too.
//! With ed25519 it is a bit for every member of the committee and a signature for every bit that is set; with a group key it
//! is the group's signature.

use alloy_primitives::B256;

use crate::{
    bls::{self, GroupKey},
    codec::{DecodeError, Reader, write_length},
    committee::{Committee, MAX_VALIDATORS},
    ed25519::{self, PublicKey},
    header::Dissemination,
};

/// What the namespace is followed by in signatures that make a block final.
const FINALIZE: &[u8] = b"_FINALIZE";

/// A certificate with what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finalization {
    /// The epoch whose committee signed.
    pub epoch: u64,
    /// The view in which it was agreed. Later than the block's own if the block was proposed again.
    pub view: u64,
    /// The digest of the block's header.
    pub digest: B256,
    /// The encoded proposal, which is signed.
    proposal: Vec<u8>,
    certificate: Certificate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Certificate {
    Signatures(Signatures),
    Group([u8; bls::SIGNATURE_BYTES]),
}

/// Signatures of members of a committee.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signatures {
    /// Members of the committee that the certificate is for.
    members: usize,
    /// Their places in the committee, ascending, with their signatures.
    signed: Vec<(usize, [u8; ed25519::SIGNATURE_BYTES])>,
}

/// Why a certificate does not say that a block is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It has signatures of validators where one of the group is due, or the other way round.
    #[error("the certificate is of the other kind than the chain's")]
    Kind,
    /// It is for a committee of another size.
    #[error("the certificate is for {certificate} validators, the committee has {committee}")]
    CommitteeSize {
        /// Members that it counts.
        certificate: usize,
        /// Members that there are.
        committee: usize,
    },
    /// It has fewer signatures than make a quorum.
    #[error("{signers} validators signed, a quorum is {quorum}")]
    TooFewSigners {
        /// How many signed.
        signers: usize,
        /// How many must.
        quorum: usize,
    },
    /// A signature is not by the validator it is said to be by.
    #[error("the signature of validator {0} is not valid")]
    Signature(B256),
    /// The signature is not the group's.
    #[error("the group's signature is not valid")]
    GroupSignature,
}

impl Finalization {
    /// Reads a certificate with its proposal.
    ///
    /// # Errors
    /// If `bytes` are not one whole certificate of a chain with this dissemination.
    pub fn decode(bytes: &[u8], dissemination: Dissemination) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("finality certificate", bytes);
        let finalization = Self::read(&mut reader, dissemination)?;
        reader.end()?;
        Ok(finalization)
    }

    pub(crate) fn read(reader: &mut Reader<'_>, dissemination: Dissemination) -> Result<Self, DecodeError> {
        let start = reader.position();
        let (epoch, view, _parent_view) = (reader.varint()?, reader.varint()?, reader.varint()?);
        let digest = B256::from_slice(&reader.take(dissemination.name_bytes())?[..32]);
        let proposal = reader.since(start).to_vec();
        Ok(Self { epoch, view, digest, proposal, certificate: read_certificate(reader)? })
    }

    /// Checks that a quorum of `committee` signed.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn verify_committee(&self, namespace: &[u8], committee: &Committee) -> Result<(), CertificateError> {
        let Certificate::Signatures(Signatures { members, signed }) = &self.certificate else {
            return Err(CertificateError::Kind);
        };
        let (keys, quorum) = (committee.keys(), committee.quorum());
        if *members != keys.len() {
            return Err(CertificateError::CommitteeSize { certificate: *members, committee: keys.len() });
        }
        if signed.len() < quorum {
            return Err(CertificateError::TooFewSigners { signers: signed.len(), quorum });
        }
        let message = self.message(namespace);
        let pairs: Vec<(&PublicKey, _)> = signed.iter().map(|(place, signature)| (&keys[*place], *signature)).collect();
        if ed25519::verify_all(&message, &pairs) {
            return Ok(());
        }
        // Found out only now, since together they take half the time and are nearly always valid.
        let wrong = pairs.iter().find(|(key, signature)| !key.verify(&message, signature));
        wrong.map_or(Ok(()), |(key, _)| Err(CertificateError::Signature(key.bytes())))
    }

    /// Checks that the group signed.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn verify_group(&self, namespace: &[u8], key: &GroupKey) -> Result<(), CertificateError> {
        let Certificate::Group(signature) = &self.certificate else { return Err(CertificateError::Kind) };
        let is_valid = key.verify(&self.message(namespace), signature);
        if is_valid { Ok(()) } else { Err(CertificateError::GroupSignature) }
    }

    /// What is signed.
    fn message(&self, namespace: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(namespace.len() + FINALIZE.len() + self.proposal.len() + 2);
        write_length(&mut message, namespace.len() + FINALIZE.len());
        message.extend_from_slice(namespace);
        message.extend_from_slice(FINALIZE);
        message.extend_from_slice(&self.proposal);
        message
    }
}

fn read_certificate(reader: &mut Reader<'_>) -> Result<Certificate, DecodeError> {
    let start = reader.clone();
    match reader.byte()? {
        0 => read_signatures(reader).map(Certificate::Signatures),
        1 => reader.array().map(Certificate::Group),
        _ => Err(start.error("an unknown kind of certificate")),
    }
}

/// Reads a bit map (number of bits, then bytes with the first bit lowest) and a list of as many signatures as bits are set.
fn read_signatures(reader: &mut Reader<'_>) -> Result<Signatures, DecodeError> {
    let start = reader.clone();
    let members = usize::try_from(reader.fixed_u64()?).ok().filter(|members| *members <= MAX_VALIDATORS);
    let members = members.ok_or_else(|| start.error("a length is above its limit"))?;
    let bits = reader.take(members.div_ceil(8))?;
    let is_set = |place: &usize| bits.get(place / 8).is_some_and(|byte| byte >> (place % 8) & 1 == 1);
    if (members..bits.len() * 8).any(|place| is_set(&place)) {
        return Err(start.error("a bit beyond the committee is set"));
    }
    let places: Vec<usize> = (0..members).filter(is_set).collect();
    if reader.length(MAX_VALIDATORS)? != places.len() {
        return Err(start.error("signers and signatures differ in number"));
    }
    let signed = places.into_iter().map(|place| Ok((place, reader.array()?))).collect::<Result<_, DecodeError>>()?;
    Ok(Signatures { members, signed })
}

#[cfg(test)]
mod tests;
