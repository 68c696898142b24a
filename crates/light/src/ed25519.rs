//! ed25519 signatures as validators make and accept them.
//!
//! The rules are those of ZIP 215: keys and nonces may be any encoding of a point on the curve, the scalar must be below the
//! group's order, and the equation is checked after multiplication with the cofactor. So a signature that is verified
//! alone and one that is verified among others are accepted alike, which consensus needs (RFC 8032 leaves that open).
//!
//! Many signatures are verified as one random linear combination (Bernstein et al., "High-speed high-security signatures",
//! section 5). The coefficients are 128 bits of a hash over everything that is verified instead of random numbers: whoever chooses
//! signatures that cancel each other out would have to find them among their own hashes.

use alloy_primitives::B256;
use curve25519_dalek::{
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::Scalar,
    traits::{IsIdentity, VartimeMultiscalarMul},
};
use sha2::{Digest, Sha512};

/// Bytes of a signature: a point and a scalar.
pub const SIGNATURE_BYTES: usize = 64;

/// A validator's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey {
    bytes: B256,
    negated: EdwardsPoint,
}

impl PublicKey {
    /// The key with this encoding, if it is one.
    pub fn new(bytes: B256) -> Option<Self> {
        let negated = -CompressedEdwardsY(bytes.0).decompress()?;
        Some(Self { bytes, negated })
    }

    /// Its encoding.
    pub const fn bytes(&self) -> B256 {
        self.bytes
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        let Some(Term { nonce, scalar, hash }) = Term::new(self, message, signature) else { return false };
        let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&hash, &self.negated, &scalar);
        (nonce - expected).mul_by_cofactor().is_identity()
    }
}

/// A signature, decoded: it is valid if 8 (`scalar` B - `hash` A - `nonce`) is zero, with the base point B and the key A.
struct Term {
    nonce: EdwardsPoint,
    scalar: Scalar,
    hash: Scalar,
}

impl Term {
    fn new(key: &PublicKey, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Option<Self> {
        let (nonce, scalar) = halves(signature);
        let hash = Sha512::new().chain_update(nonce).chain_update(key.bytes).chain_update(message);
        Some(Self {
            nonce: CompressedEdwardsY(nonce).decompress()?,
            scalar: Scalar::from_canonical_bytes(scalar).into_option()?,
            hash: Scalar::from_bytes_mod_order_wide(&hash.finalize().into()),
        })
    }
}

fn halves(signature: &[u8; SIGNATURE_BYTES]) -> ([u8; 32], [u8; 32]) {
    let (mut nonce, mut scalar) = ([0; 32], [0; 32]);
    nonce.copy_from_slice(&signature[..32]);
    scalar.copy_from_slice(&signature[32..]);
    (nonce, scalar)
}

/// Whether every signature is its key's over `message`.
pub fn verify_all(message: &[u8], signatures: &[(&PublicKey, [u8; SIGNATURE_BYTES])]) -> bool {
    let terms = signatures.iter().map(|(key, signature)| Term::new(key, message, signature));
    let Some(terms) = terms.collect::<Option<Vec<_>>>() else { return false };
    let factors = coefficients(message, signatures);
    let base = terms.iter().zip(&factors).map(|(term, factor)| factor * term.scalar).sum::<Scalar>();
    let sum = EdwardsPoint::vartime_multiscalar_mul(
        terms.iter().zip(&factors).flat_map(|(term, factor)| [*factor, factor * term.hash]),
        terms.iter().zip(signatures).flat_map(|(term, (key, _))| [-term.nonce, key.negated]),
    );
    (EdwardsPoint::mul_base(&base) + sum).mul_by_cofactor().is_identity()
}

/// One factor a signature, 128 bits of a hash over all keys, signatures and the message.
fn coefficients(message: &[u8], signatures: &[(&PublicKey, [u8; SIGNATURE_BYTES])]) -> Vec<Scalar> {
    let mut all = Sha512::new().chain_update(b"braid light batch");
    for (key, signature) in signatures {
        all.update(key.bytes);
        all.update(signature);
    }
    let seed = all.chain_update(message).finalize();
    let factor = |index: u64| {
        let hash: [u8; 64] = Sha512::new().chain_update(seed).chain_update(index.to_be_bytes()).finalize().into();
        let mut low = [0; 16];
        low.copy_from_slice(&hash[..16]);
        Scalar::from(u128::from_le_bytes(low))
    };
    (0..).take(signatures.len()).map(factor).collect()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{b256, hex};
    use proptest::prelude::*;

    use super::*;
    use crate::tests::sign;

    #[test]
    fn the_example_of_rfc_8032_is_valid() {
        let key = PublicKey::new(b256!("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")).unwrap();
        let signature = hex!(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        assert!(key.verify(&[0x72], &signature));
        assert!(verify_all(&[0x72], &[(&key, signature)]));
        assert!(!key.verify(&[0x73], &signature));
        assert!(!verify_all(&[0x73], &[(&key, signature)]));
    }

    #[test]
    fn bytes_that_are_no_point_are_no_key() {
        // y = 2 lies on no point: (y^2 - 1) / (d y^2 + 1) is no square.
        let mut bytes = B256::ZERO;
        bytes[0] = 2;
        assert_eq!(PublicKey::new(bytes), None);
    }

    #[test]
    fn a_scalar_above_the_order_is_refused() {
        let (key, mut signature) = sign::ed25519(1, b"message");
        assert!(key.verify(b"message", &signature));
        // The order is just above 2^252: with a bit more the scalar is another encoding of no canonical one.
        signature[63] |= 0x20;
        assert!(!key.verify(b"message", &signature));
        assert!(!verify_all(b"message", &[(&key, signature)]));
    }

    #[test]
    fn signatures_whose_errors_cancel_out_are_refused() {
        let (first, one) = sign::ed25519(1, b"message");
        let (second, two) = sign::ed25519(2, b"message");
        let shift = |signature: [u8; 64], by: Scalar| {
            let (_, scalar) = halves(&signature);
            let moved = Scalar::from_canonical_bytes(scalar).unwrap() + by;
            let mut shifted = signature;
            shifted[32..].copy_from_slice(moved.as_bytes());
            shifted
        };
        let (one, two) = (shift(one, Scalar::ONE), shift(two, -Scalar::ONE));
        assert!(!verify_all(b"message", &[(&first, one), (&second, two)]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn together_as_alone(message: Vec<u8>, count in 1..9_u8, flip: Option<(prop::sample::Index, prop::sample::Index)>) {
            let mut signed: Vec<_> = (0..count).map(|seed| sign::ed25519(seed, &message)).collect();
            if let Some((which, bit)) = flip {
                let (_, signature) = &mut signed[which.index(usize::from(count))];
                let bit = bit.index(512);
                signature[bit / 8] ^= 1 << (bit % 8);
            }
            let alone = signed.iter().all(|(key, signature)| key.verify(&message, signature));
            let pairs: Vec<_> = signed.iter().map(|(key, signature)| (key, *signature)).collect();
            prop_assert_eq!(verify_all(&message, &pairs), alone);
            prop_assert_eq!(alone, flip.is_none());
        }
    }
}
