//! The votes' signatures and the certificates made of them: one type for the two schemes that a chain may choose from.
//!
//! *ed25519*: a certificate is the set of at least 2f + 1 signatures with the indices of their signers. No key ceremony, faults
//! can be shown to anyone, and cheap up to some seventy validators. *BLS12-381 threshold*: a certificate is one signature of the
//! whole group, 48 bytes whatever the committee, verified with one key that stays the same for good; the validators must have
//! made their shares together before.
//!
//! [`Scheme`] is an enumeration over the two, so that everything generic over the scheme is compiled once and the choice is a
//! line in the genesis. Signatures and certificates carry a tag in their encoding; one of the other kind is malformed.

use std::hash::Hash;

use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, EncodeSize, Error, FixedSize, Read, ReadExt, Write, types::lazy::Lazy};
use commonware_consensus::simplex::{
    scheme::{bls12381_threshold::standard as threshold, ed25519},
    types::Subject,
};
use commonware_cryptography::{
    Digest, Signer as _,
    bls12381::{
        certificate::threshold as threshold_certificate,
        primitives::{
            group::{G1, Share},
            sharing::Sharing,
            variant::MinSig,
        },
    },
    certificate::{AssemblyError, Attestation, Membership, Scheme as Signing, Verification, Verifier},
    ed25519::{PrivateKey, PublicKey, Signature as Ed25519Signature, certificate as ed25519_certificate},
};
use commonware_parallel::Strategy;
use commonware_utils::{N3f1, iter::NonEmpty, ordered::Set};
use rand_core::CryptoRng;

use crate::committee::MAX_VALIDATORS;

type Threshold = threshold::Scheme<PublicKey, MinSig>;
type ThresholdSignature = G1;

/// The public side of a threshold scheme: a commitment to the polynomial whose points are the validators' shares.
pub type GroupPolynomial = Sharing<MinSig>;

/// A validator's share of the group's key.
pub type GroupShare = Share;

const ED25519: u8 = 0;
const THRESHOLD: u8 = 1;

/// A committee's keys, and one's own if one belongs to it.
#[derive(Clone, Debug)]
pub enum Scheme {
    /// Signatures side by side.
    Ed25519(ed25519::Scheme),
    /// One signature of the group.
    Threshold(Threshold),
}

/// What a chain's votes are signed with, as its genesis says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// ed25519, with the validators' identity keys.
    Ed25519,
    /// BLS12-381 threshold (signatures in G1), under this polynomial.
    Threshold(Box<GroupPolynomial>),
}

impl Scheme {
    /// The scheme of a committee with these keys. Signs if `key` (and, with a threshold scheme, `share`) belongs to it, and
    /// verifies otherwise.
    pub fn new(
        signatures: &Signatures,
        namespace: &[u8],
        keys: Set<PublicKey>,
        key: &PrivateKey,
        share: Option<&GroupShare>,
    ) -> Self {
        match signatures {
            Signatures::Ed25519 => Self::Ed25519(
                ed25519::Scheme::signer(namespace, keys.clone(), key.clone())
                    .unwrap_or_else(|| ed25519::Scheme::verifier(namespace, keys)),
            ),
            Signatures::Threshold(polynomial) => {
                let signer = share.and_then(|share| {
                    Threshold::signer(namespace, keys.clone(), polynomial.as_ref().clone(), share.clone())
                });
                let own = key.public_key();
                let member =
                    signer.or_else(|| Threshold::member(namespace, keys.clone(), polynomial.as_ref().clone(), &own));
                Self::Threshold(
                    member.unwrap_or_else(|| Threshold::verifier(namespace, keys, polynomial.as_ref().clone())),
                )
            }
        }
    }

    /// The scheme of a committee whose member with this key must not sign.
    pub fn silent(signatures: &Signatures, namespace: &[u8], keys: Set<PublicKey>, key: &PublicKey) -> Self {
        match signatures {
            Signatures::Ed25519 => Self::Ed25519(
                ed25519::Scheme::member(namespace, keys.clone(), key)
                    .unwrap_or_else(|| ed25519::Scheme::verifier(namespace, keys)),
            ),
            Signatures::Threshold(polynomial) => {
                let polynomial = polynomial.as_ref();
                let member = Threshold::member(namespace, keys.clone(), polynomial.clone(), key);
                Self::Threshold(member.unwrap_or_else(|| Threshold::verifier(namespace, keys, polynomial.clone())))
            }
        }
    }

    /// A scheme that verifies and does not sign.
    pub fn verifier(signatures: &Signatures, namespace: &[u8], keys: Set<PublicKey>) -> Self {
        match signatures {
            Signatures::Ed25519 => Self::Ed25519(ed25519::Scheme::verifier(namespace, keys)),
            Signatures::Threshold(polynomial) => {
                Self::Threshold(Threshold::verifier(namespace, keys, polynomial.as_ref().clone()))
            }
        }
    }
}

/// One validator's signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Signature {
    /// By its own key.
    Ed25519(Ed25519Signature),
    /// By its share of the group's key.
    Threshold(ThresholdSignature),
}

/// Bytes after a threshold signature that make it as long as the other kind; zero.
const PADDING: usize = Ed25519Signature::SIZE - ThresholdSignature::SIZE;

impl Write for Signature {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Ed25519(signature) => {
                buf.put_u8(ED25519);
                signature.write(buf);
            }
            Self::Threshold(signature) => {
                buf.put_u8(THRESHOLD);
                signature.write(buf);
                buf.put_slice(&[0; PADDING]);
            }
        }
    }
}

impl FixedSize for Signature {
    const SIZE: usize = 1 + Ed25519Signature::SIZE;
}

impl Read for Signature {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        match u8::read(buf)? {
            ED25519 => Ok(Self::Ed25519(ReadExt::read(buf)?)),
            THRESHOLD => {
                let signature = ReadExt::read(buf)?;
                if <[u8; PADDING]>::read(buf)? != [0; PADDING] {
                    return Err(Error::Invalid("Signature", "padding is not zero"));
                }
                Ok(Self::Threshold(signature))
            }
            tag => Err(Error::InvalidEnum(tag)),
        }
    }
}

/// A quorum's agreement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Certificate {
    /// The signatures and who made them.
    Ed25519(ed25519_certificate::Certificate),
    /// The group's signature.
    Threshold(threshold_certificate::Certificate<MinSig>),
}

/// What a certificate may be when it is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateBounds {
    /// Members of the committee; [`Certificate::Ed25519`] must be for no more.
    pub ed25519: Option<usize>,
    /// Whether [`Certificate::Threshold`] is admitted.
    pub threshold: bool,
}

impl CertificateBounds {
    /// Either kind, for the largest committee there can be.
    pub const ANY: Self = Self { ed25519: Some(MAX_VALIDATORS), threshold: true };
}

impl Write for Certificate {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Ed25519(certificate) => {
                buf.put_u8(ED25519);
                certificate.write(buf);
            }
            Self::Threshold(certificate) => {
                buf.put_u8(THRESHOLD);
                certificate.write(buf);
            }
        }
    }
}

impl EncodeSize for Certificate {
    fn encode_size(&self) -> usize {
        1 + match self {
            Self::Ed25519(certificate) => certificate.encode_size(),
            Self::Threshold(certificate) => certificate.encode_size(),
        }
    }
}

impl Read for Certificate {
    type Cfg = CertificateBounds;

    fn read_cfg(buf: &mut impl Buf, bounds: &CertificateBounds) -> Result<Self, Error> {
        match (u8::read(buf)?, bounds.ed25519, bounds.threshold) {
            (ED25519, Some(members), _) => Ok(Self::Ed25519(Read::read_cfg(buf, &members)?)),
            (THRESHOLD, _, true) => Ok(Self::Threshold(ReadExt::read(buf)?)),
            (tag, ..) => Err(Error::InvalidEnum(tag)),
        }
    }
}

// Conversions of attestations. The inner schemes want their own; a signature of the other kind becomes one that cannot be
// decoded, which they take for a malformed one.

fn to_ed25519(attestation: &Attestation<Scheme>) -> Attestation<ed25519::Scheme> {
    let signature = match attestation.signature.get() {
        Some(Signature::Ed25519(signature)) => Lazy::new(signature.clone()),
        _ => Lazy::deferred(&mut Bytes::new(), ()),
    };
    Attestation { signer: attestation.signer, signature }
}

fn to_threshold(attestation: &Attestation<Scheme>) -> Attestation<Threshold> {
    let signature = match attestation.signature.get() {
        Some(Signature::Threshold(signature)) => Lazy::new(*signature),
        _ => Lazy::deferred(&mut Bytes::new(), ()),
    };
    Attestation { signer: attestation.signer, signature }
}

fn from_ed25519(attestation: &Attestation<ed25519::Scheme>) -> Option<Attestation<Scheme>> {
    let signature = Signature::Ed25519(attestation.signature.get()?.clone());
    Some(Attestation { signer: attestation.signer, signature: Lazy::new(signature) })
}

fn from_threshold(attestation: &Attestation<Threshold>) -> Option<Attestation<Scheme>> {
    let signature = Signature::Threshold(*attestation.signature.get()?);
    Some(Attestation { signer: attestation.signer, signature: Lazy::new(signature) })
}

fn verified_ed25519(result: Verification<ed25519::Scheme>) -> Verification<Scheme> {
    Verification::new(result.verified.iter().filter_map(from_ed25519).collect(), result.invalid)
}

fn verified_threshold(result: Verification<Threshold>) -> Verification<Scheme> {
    Verification::new(result.verified.iter().filter_map(from_threshold).collect(), result.invalid)
}

impl Verifier for Scheme {
    type Subject<'a, D: Digest> = Subject<'a, D>;
    type Faults = N3f1;
    type PublicKey = PublicKey;
    type Certificate = Certificate;

    fn verify_certificate<R, D>(
        &self,
        rng: &mut R,
        subject: Subject<'_, D>,
        certificate: &Certificate,
        strategy: &impl Strategy,
    ) -> bool
    where
        R: CryptoRng,
        D: Digest,
    {
        match (self, certificate) {
            (Self::Ed25519(scheme), Certificate::Ed25519(certificate)) => {
                scheme.verify_certificate::<R, D>(rng, subject, certificate, strategy)
            }
            (Self::Threshold(scheme), Certificate::Threshold(certificate)) => {
                scheme.verify_certificate::<R, D>(rng, subject, certificate, strategy)
            }
            _ => false,
        }
    }

    fn verify_certificates<'a, R, D, I>(&self, rng: &mut R, certificates: NonEmpty<I>, strategy: &impl Strategy) -> bool
    where
        R: CryptoRng,
        D: Digest,
        I: Iterator<Item = (Subject<'a, D>, &'a Certificate)>,
    {
        let mut other_kind = false;
        let is_valid = match self {
            Self::Ed25519(scheme) => {
                let own = certificates.into_iter().filter_map(|(subject, certificate)| match certificate {
                    Certificate::Ed25519(certificate) => Some((subject, certificate)),
                    Certificate::Threshold(_) => {
                        other_kind = true;
                        None
                    }
                });
                NonEmpty::try_new(own).is_none_or(|own| scheme.verify_certificates::<R, D, _>(rng, own, strategy))
            }
            Self::Threshold(scheme) => {
                let own = certificates.into_iter().filter_map(|(subject, certificate)| match certificate {
                    Certificate::Threshold(certificate) => Some((subject, certificate)),
                    Certificate::Ed25519(_) => {
                        other_kind = true;
                        None
                    }
                });
                NonEmpty::try_new(own).is_none_or(|own| scheme.verify_certificates::<R, D, _>(rng, own, strategy))
            }
        };
        is_valid && !other_kind
    }

    fn is_batchable() -> bool {
        true
    }

    fn max_certificate_size(participants: u32) -> usize {
        1 + ed25519::Scheme::max_certificate_size(participants).max(Threshold::max_certificate_size(participants))
    }

    fn certificate_codec_config(&self) -> CertificateBounds {
        match self {
            Self::Ed25519(scheme) => {
                CertificateBounds { ed25519: Some(scheme.certificate_codec_config()), threshold: false }
            }
            Self::Threshold(_) => CertificateBounds { ed25519: None, threshold: true },
        }
    }

    fn certificate_codec_config_unbounded() -> CertificateBounds {
        CertificateBounds::ANY
    }
}

impl Signing for Scheme {
    type Signature = Signature;

    fn me(&self) -> Option<Membership> {
        match self {
            Self::Ed25519(scheme) => scheme.me(),
            Self::Threshold(scheme) => scheme.me(),
        }
    }

    fn participants(&self) -> &Set<PublicKey> {
        match self {
            Self::Ed25519(scheme) => scheme.participants(),
            Self::Threshold(scheme) => scheme.participants(),
        }
    }

    fn sign<D: Digest>(&self, subject: Subject<'_, D>) -> Option<Attestation<Self>> {
        match self {
            Self::Ed25519(scheme) => from_ed25519(&scheme.sign::<D>(subject)?),
            Self::Threshold(scheme) => from_threshold(&scheme.sign::<D>(subject)?),
        }
    }

    fn verify_attestation<R, D>(
        &self,
        rng: &mut R,
        subject: Subject<'_, D>,
        attestation: &Attestation<Self>,
        strategy: &impl Strategy,
    ) -> bool
    where
        R: CryptoRng,
        D: Digest,
    {
        match self {
            Self::Ed25519(scheme) => {
                scheme.verify_attestation::<R, D>(rng, subject, &to_ed25519(attestation), strategy)
            }
            Self::Threshold(scheme) => {
                scheme.verify_attestation::<R, D>(rng, subject, &to_threshold(attestation), strategy)
            }
        }
    }

    fn verify_attestations<R, D, I>(
        &self,
        rng: &mut R,
        subject: Subject<'_, D>,
        attestations: I,
        strategy: &impl Strategy,
    ) -> Verification<Self>
    where
        R: CryptoRng,
        D: Digest,
        I: IntoIterator<Item = Attestation<Self>>,
        I::IntoIter: Send,
    {
        // Decoding a point costs more than a hash: one task an attestation.
        let attestations = attestations.into_iter();
        match self {
            Self::Ed25519(scheme) => {
                let own = strategy.map_collect_vec(attestations, |attestation| to_ed25519(&attestation));
                verified_ed25519(scheme.verify_attestations::<R, D, _>(rng, subject, own, strategy))
            }
            Self::Threshold(scheme) => {
                let own = strategy.map_collect_vec(attestations, |attestation| to_threshold(&attestation));
                verified_threshold(scheme.verify_attestations::<R, D, _>(rng, subject, own, strategy))
            }
        }
    }

    fn optimistic_assemble<'a, R, D, I, J>(
        &self,
        rng: &mut R,
        subject: Subject<'_, D>,
        pending: I,
        verified: J,
        strategy: &impl Strategy,
    ) -> Result<Certificate, Verification<Self>>
    where
        R: CryptoRng,
        D: Digest,
        I: IntoIterator<Item = Attestation<Self>>,
        I::IntoIter: ExactSizeIterator + Send,
        J: IntoIterator<Item = &'a Attestation<Self>>,
        J::IntoIter: Send,
    {
        let pending = pending.into_iter();
        match self {
            Self::Ed25519(scheme) => {
                let pending = strategy.map_collect_vec(pending, |attestation| to_ed25519(&attestation));
                let verified: Vec<_> = verified.into_iter().map(to_ed25519).collect();
                scheme
                    .optimistic_assemble::<R, D, _, _>(rng, subject, pending, &verified, strategy)
                    .map(Certificate::Ed25519)
                    .map_err(verified_ed25519)
            }
            Self::Threshold(scheme) => {
                let pending = strategy.map_collect_vec(pending, |attestation| to_threshold(&attestation));
                let verified: Vec<_> = verified.into_iter().map(to_threshold).collect();
                scheme
                    .optimistic_assemble::<R, D, _, _>(rng, subject, pending, &verified, strategy)
                    .map(Certificate::Threshold)
                    .map_err(verified_threshold)
            }
        }
    }

    fn assemble<I>(&self, attestations: NonEmpty<I>, strategy: &impl Strategy) -> Result<Certificate, AssemblyError>
    where
        I: Iterator<Item = Attestation<Self>> + Send,
    {
        const EMPTY: AssemblyError = AssemblyError::InsufficientAttestations(1, 0);
        let attestations = attestations.into_iter();
        match self {
            Self::Ed25519(scheme) => {
                let own = attestations.map(|attestation| to_ed25519(&attestation));
                scheme.assemble(NonEmpty::try_new(own).ok_or(EMPTY)?, strategy).map(Certificate::Ed25519)
            }
            Self::Threshold(scheme) => {
                let own = attestations.map(|attestation| to_threshold(&attestation));
                scheme.assemble(NonEmpty::try_new(own).ok_or(EMPTY)?, strategy).map(Certificate::Threshold)
            }
        }
    }

    /// The trait asks for one answer for both kinds, so: no. Faults of ed25519 signers are reported by
    /// [`crate::faults`], which looks at the signatures itself.
    fn is_attributable() -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
