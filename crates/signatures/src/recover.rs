//! What goes in and out: signatures of hashes, public keys.

use std::sync::LazyLock;

use alloy_primitives::{Address, B256, U256, keccak256};
use rand::{CryptoRng, Rng as _};
use secp256k1::{
    Message, Secp256k1, VerifyOnly,
    ecdsa::{RecoverableSignature, RecoveryId},
};

use crate::{
    backend::Backend,
    claim::Claim,
    field::PRIME,
    lockstep::{Input, Outcome},
    scalar::{self, ORDER, Scalar, invert_all},
};

/// A hash and its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What is signed.
    pub hash: B256,
    /// x of the nonce's point, modulo the group's order.
    pub r: U256,
    /// The proof. Both of its values are taken, though a transaction with the higher one is not valid.
    pub s: U256,
    /// Bit 0: whether y of the nonce's point is odd. Bit 1: whether its x is r plus the order, which Ethereum does not allow.
    pub recovery_id: u8,
}

/// A point of the curve: x and y, most significant bytes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 64]);

impl PublicKey {
    /// The account of this key.
    pub fn address(&self) -> Address {
        Address::from_slice(&keccak256(self.0)[12..])
    }
}

/// A signature names no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// A scalar of the signature is zero or not below the group's order.
    #[error("r or s is out of range")]
    OutOfRange,
    /// s is the higher of the two that are valid for the key, which EIP-2 forbids in transactions.
    #[error("s is in the upper half of its range")]
    HighS,
    /// The recovery id is above 3.
    #[error("recovery id {0} is out of range")]
    RecoveryId(u8),
    /// No point of the curve has the x that the signature gives.
    #[error("r is not on the curve")]
    NotOnCurve,
    /// The key would be the point at infinity.
    #[error("public key is at infinity")]
    Infinity,
}

/// Fewest hints that are checked together: below, recovering is cheaper.
const FEWEST_HINTS: usize = 64;

/// Most hints that are checked together: what they need should stay in the caches.
const MOST_HINTS: usize = 4096;

/// Recovers the public key of each signature, in their order, some of which somebody claims to know.
///
/// The answers are those of [`recover_all`], whatever the hints: true ones make it several times cheaper, false ones
/// slightly dearer. Hints are checked together with random weights, so `random` must not be predictable; that a
/// false hint is taken for true has a probability of 2^-128.
pub fn recover_hinted(
    signatures: &[(Signed, Option<PublicKey>)],
    random: &mut impl CryptoRng,
) -> Vec<Result<PublicKey, RecoveryError>> {
    recover_hinted_with(Backend::detected(), signatures, random)
}

pub(crate) fn recover_hinted_with(
    backend: Backend,
    signatures: &[(Signed, Option<PublicKey>)],
    random: &mut impl CryptoRng,
) -> Vec<Result<PublicKey, RecoveryError>> {
    let hinted: Vec<usize> = (0..signatures.len()).filter(|index| signatures[*index].1.is_some()).collect();
    let mut known = vec![false; signatures.len()];
    for indices in hinted.chunks(MOST_HINTS).filter(|indices| indices.len() >= FEWEST_HINTS) {
        let hints: Vec<(Signed, PublicKey)> =
            indices.iter().filter_map(|index| Some((signatures[*index].0, signatures[*index].1?))).collect();
        for (index, is_true) in indices.iter().zip(true_hints(backend, &hints, random)) {
            known[*index] = is_true;
        }
    }
    let rest = (0..signatures.len()).filter(|index| !known[*index]);
    let rest: Vec<Signed> = rest.map(|index| signatures[index].0).collect();
    let mut recovered = recover_with(backend, &rest).into_iter();
    let answer = |((signed, hint), known): (&(Signed, Option<PublicKey>), bool)| match hint {
        Some(key) if known => Ok(*key),
        _ => recovered.next().unwrap_or_else(|| recover_one(signed)),
    };
    signatures.iter().zip(known).map(answer).collect()
}

/// Says of each signature whether its key is known to be the given one.
pub(crate) fn true_hints(backend: Backend, hints: &[(Signed, PublicKey)], random: &mut impl CryptoRng) -> Vec<bool> {
    let parsed: Vec<Option<Parsed>> = hints.iter().map(|(signed, _)| Parsed::new(signed).ok()).collect();
    let mut inverses: Vec<Scalar> = parsed.iter().flatten().map(|parsed| parsed.s).collect();
    invert_all(&mut inverses);
    let mut inverses = inverses.into_iter();
    let mut known = vec![false; hints.len()];
    let (mut indices, mut claims) = (Vec::with_capacity(hints.len()), Vec::with_capacity(hints.len()));
    for (index, (parsed, (_, key))) in parsed.iter().zip(hints).enumerate() {
        let Some(parsed) = parsed else { continue };
        let Some(inverse) = inverses.next() else { break };
        indices.push(index);
        claims.push(parsed.claim(&inverse, key, random.random()));
    }
    if !claims.is_empty() {
        for (index, is_true) in indices.into_iter().zip((backend.check)(&claims)) {
            known[index] = is_true;
        }
    }
    known
}

/// Recovers the public key of each signature, in their order.
///
/// The answers are those of one recovery after the other. More signatures at a time are cheaper, up to some hundred; the work is done by the
/// calling thread.
pub fn recover_all(signatures: &[Signed]) -> Vec<Result<PublicKey, RecoveryError>> {
    recover_with(Backend::detected(), signatures)
}

pub(crate) fn recover_with(backend: Backend, signatures: &[Signed]) -> Vec<Result<PublicKey, RecoveryError>> {
    signatures.chunks(backend.batch).flat_map(|batch| recover_batch(backend, batch)).collect()
}

/// Fewest signatures that are recovered in lockstep: below, each by itself is cheaper.
const FEWEST_IN_LOCKSTEP: usize = 6;

fn recover_batch(backend: Backend, signatures: &[Signed]) -> Vec<Result<PublicKey, RecoveryError>> {
    if signatures.len() < FEWEST_IN_LOCKSTEP {
        return signatures.iter().map(recover_one).collect();
    }
    let parsed: Vec<Result<Parsed, RecoveryError>> = signatures.iter().map(Parsed::new).collect();
    let mut inverses: Vec<Scalar> = parsed.iter().flatten().map(|parsed| parsed.r).collect();
    invert_all(&mut inverses);
    let inputs: Vec<Input> =
        parsed.iter().flatten().zip(inverses).map(|(parsed, inverse)| parsed.input(&inverse)).collect();
    let mut outcomes = if inputs.is_empty() { Vec::new() } else { (backend.recover)(&inputs) }.into_iter();
    let answer = |(signature, parsed): (&Signed, Result<Parsed, RecoveryError>)| {
        parsed?;
        match outcomes.next() {
            Some(Outcome::Key(x, y)) => Ok(key(&x, &y)),
            Some(Outcome::NotOnCurve) => Err(RecoveryError::NotOnCurve),
            Some(Outcome::Unknown) | None => recover_one(signature),
        }
    };
    signatures.iter().zip(parsed).map(answer).collect()
}

/// A signature whose numbers are in range.
struct Parsed {
    input_x: [u64; 4],
    is_odd: bool,
    z: Scalar,
    r: Scalar,
    s: Scalar,
}

impl Parsed {
    fn new(signed: &Signed) -> Result<Self, RecoveryError> {
        let Signed { hash, r, s, recovery_id } = signed;
        if *recovery_id > 3 {
            return Err(RecoveryError::RecoveryId(*recovery_id));
        }
        let in_range = |number: &U256| Scalar::new(*number.as_limbs()).filter(|scalar| !scalar.is_zero());
        let (Some(r), Some(s)) = (in_range(r), in_range(s)) else { return Err(RecoveryError::OutOfRange) };
        let input_x = if recovery_id & 2 == 0 { *r.words() } else { beyond_order(&r)? };
        Ok(Self { input_x, is_odd: recovery_id & 1 == 1, z: Scalar::reduced(scalar::from_bytes(&hash.0)), r, s })
    }

    fn claim(&self, inverse: &Scalar, PublicKey(key): &PublicKey, weight: [u64; 2]) -> Claim {
        let (halves, _) = key.as_chunks::<32>();
        Claim {
            x: self.input_x,
            is_odd: self.is_odd,
            u1: self.z.mul(inverse),
            u2: self.r.mul(inverse),
            key: (scalar::from_bytes(&halves[0]), scalar::from_bytes(&halves[1])),
            weight,
        }
    }

    fn input(&self, inverse: &Scalar) -> Input {
        Input { x: self.input_x, is_odd: self.is_odd, u1: self.z.neg().mul(inverse), u2: self.s.mul(inverse) }
    }
}

/// r plus the order, if that is below the prime.
fn beyond_order(r: &Scalar) -> Result<[u64; 4], RecoveryError> {
    let (x, carry) = scalar::add(r.words(), &ORDER);
    let (_, is_below) = scalar::subtract(&x, &PRIME);
    if carry || !is_below { Err(RecoveryError::NotOnCurve) } else { Ok(x) }
}

fn key(x: &[u64; 4], y: &[u64; 4]) -> PublicKey {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&scalar::to_bytes(x));
    bytes[32..].copy_from_slice(&scalar::to_bytes(y));
    PublicKey(bytes)
}

/// Recovers a key by itself.
fn recover_one(signed: &Signed) -> Result<PublicKey, RecoveryError> {
    static CONTEXT: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);
    let Parsed { input_x, .. } = Parsed::new(signed)?;
    let id = RecoveryId::try_from(i32::from(signed.recovery_id))
        .map_err(|_| RecoveryError::RecoveryId(signed.recovery_id))?;
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&signed.r.to_be_bytes::<32>());
    bytes[32..].copy_from_slice(&signed.s.to_be_bytes::<32>());
    let signature = RecoverableSignature::from_compact(&bytes, id).map_err(|_| RecoveryError::OutOfRange)?;
    let key = CONTEXT.recover_ecdsa(Message::from_digest(signed.hash.0), &signature).map_err(|_| {
        let mut compressed = [2; 33];
        compressed[1..].copy_from_slice(&scalar::to_bytes(&input_x));
        let is_on_curve = secp256k1::PublicKey::from_slice(&compressed).is_ok();
        if is_on_curve { RecoveryError::Infinity } else { RecoveryError::NotOnCurve }
    })?;
    let uncompressed = key.serialize_uncompressed();
    let mut bytes = [0; 64];
    bytes.copy_from_slice(&uncompressed[1..]);
    Ok(PublicKey(bytes))
}
