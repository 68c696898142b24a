//! BLS12-381 signatures of a group: keys in G2, signatures in G1, as the IETF draft on BLS signatures says (proof of
//! possession scheme). The group's key stays the same when its members change.

use std::fmt;

use alloy_primitives::FixedBytes;
use blst::{
    BLST_ERROR,
    min_sig::{PublicKey, Signature},
};

use crate::codec::{DecodeError, Reader};

/// Bytes of a compressed signature, a point of G1.
pub const SIGNATURE_BYTES: usize = 48;

/// Bytes of a compressed key, a point of G2.
pub const KEY_BYTES: usize = 96;

/// Separates these signatures from those for other purposes when messages are hashed to the curve.
const DOMAIN: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

/// Most coefficients that a polynomial may have.
const MAX_COEFFICIENTS: usize = crate::committee::MAX_VALIDATORS;

/// A group's key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GroupKey(PublicKey);

impl GroupKey {
    /// The key with this encoding, if it is a point of G2 other than infinity.
    pub fn new(bytes: &FixedBytes<KEY_BYTES>) -> Option<Self> {
        PublicKey::key_validate(bytes.as_slice()).ok().map(Self)
    }

    /// The key that the polynomial of a genesis (`groupPolynomial`) commits to: its value at zero.
    ///
    /// # Errors
    /// If the bytes do not start as a polynomial does.
    pub fn of_polynomial(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("group polynomial", bytes);
        if reader.byte()? != 0 {
            return Err(reader.error("its points are numbered in an unknown way"));
        }
        let _members = reader.take(4)?;
        let coefficients = reader.length(MAX_COEFFICIENTS)?;
        if coefficients == 0 {
            return Err(reader.error("it has no coefficients"));
        }
        let key = FixedBytes::from(reader.array()?);
        reader.take((coefficients - 1) * KEY_BYTES)?;
        reader.end()?;
        Self::new(&key).ok_or_else(|| reader.error("its first coefficient is no point of G2"))
    }

    /// Its encoding.
    pub fn bytes(&self) -> FixedBytes<KEY_BYTES> {
        self.0.to_bytes().into()
    }

    /// Whether `signature` is the group's over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        // The key was checked when it was made; the signature's subgroup is checked here.
        Signature::from_bytes(signature).is_ok_and(|signature| {
            signature.verify(true, message, DOMAIN, &[], &self.0, false) == BLST_ERROR::BLST_SUCCESS
        })
    }
}

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupKey({})", self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::sign;

    #[test]
    fn the_groups_signature_is_valid_and_no_other() {
        let group = sign::Group::new(1);
        let signature = group.sign(b"message");
        assert!(group.key.verify(b"message", &signature));
        assert!(!group.key.verify(b"other", &signature));
        assert!(!sign::Group::new(2).key.verify(b"message", &signature));
        for bit in (0..8 * SIGNATURE_BYTES).step_by(5) {
            let mut altered = signature;
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!group.key.verify(b"message", &altered), "bit {bit}");
        }
    }

    #[test]
    fn infinity_is_neither_key_nor_signature() {
        let mut key = FixedBytes::ZERO;
        key[0] = 0xc0;
        assert_eq!(GroupKey::new(&key), None);
        let mut signature = [0; SIGNATURE_BYTES];
        signature[0] = 0xc0;
        assert!(!sign::Group::new(1).key.verify(b"message", &signature));
        assert_eq!(GroupKey::new(&FixedBytes::ZERO), None);
    }

    #[test]
    fn the_key_is_read_from_the_polynomial() {
        let key = sign::Group::new(1).key;
        let polynomial = |mode: u8, coefficients: u8| {
            let mut bytes = vec![mode, 0, 0, 0, 4, coefficients];
            (0..coefficients).for_each(|_| bytes.extend(key.bytes()));
            bytes
        };
        assert_eq!(GroupKey::of_polynomial(&polynomial(0, 3)), Ok(key));
        assert_eq!(
            GroupKey::of_polynomial(&polynomial(1, 3)).unwrap_err().reason,
            "its points are numbered in an unknown way"
        );
        assert_eq!(GroupKey::of_polynomial(&polynomial(0, 0)).unwrap_err().reason, "it has no coefficients");
        for cut in 0..polynomial(0, 3).len() {
            assert_eq!(GroupKey::of_polynomial(&polynomial(0, 3)[..cut]).unwrap_err().reason, "it ends early", "{cut}");
        }
    }
}
