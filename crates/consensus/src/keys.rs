//! Keys as bytes: what key files, configurations and the genesis hold, for those who know no curves.
//!
//! An identity is an ed25519 key, 32 secret bytes; peers know each other by its public half. A share is a point of the
//! polynomial whose value at zero is the group's BLS12-381 key.

use std::num::NonZeroU32;

use alloy_primitives::B256;
use commonware_codec::{Copying, Decode, DecodeExt, Encode};
use commonware_cryptography::{
    Signer,
    bls12381::primitives::sharing::ModeVersion,
    ed25519::{PrivateKey, PublicKey},
};

use crate::{
    committee::MAX_VALIDATORS,
    scheme::{GroupPolynomial, GroupShare},
};

/// Bytes that are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not an ed25519 private key.
    #[error("not an ed25519 private key of 32 bytes")]
    Identity,
    /// Not a point of the curve.
    #[error("{0} is not an ed25519 public key")]
    Public(B256),
    /// Not a share of a group's key.
    #[error("not a share of a BLS12-381 key")]
    Share,
    /// Not a commitment to a polynomial.
    #[error("not a commitment to a polynomial over BLS12-381")]
    Polynomial,
}

/// A private identity.
///
/// # Errors
/// If `secret` is not 32 bytes.
pub fn identity(secret: &[u8]) -> Result<PrivateKey, KeyError> {
    PrivateKey::decode(Copying(secret)).map_err(|_| KeyError::Identity)
}

/// The public half of a private identity.
///
/// # Errors
/// If `secret` is not 32 bytes.
pub fn public_key(secret: &[u8]) -> Result<B256, KeyError> {
    Ok(to_bytes(&identity(secret)?.public_key()))
}

/// A public identity.
///
/// # Errors
/// If the bytes are not a point of the curve.
pub fn from_bytes(key: B256) -> Result<PublicKey, KeyError> {
    PublicKey::decode(Copying(key.as_slice())).map_err(|_| KeyError::Public(key))
}

/// The bytes of a public identity.
pub fn to_bytes(key: &PublicKey) -> B256 {
    B256::from_slice(key.as_ref())
}

/// A share of the group's key.
///
/// # Errors
/// If the bytes encode none.
pub fn share(secret: &[u8]) -> Result<GroupShare, KeyError> {
    GroupShare::decode(Copying(secret)).map_err(|_| KeyError::Share)
}

/// The commitment to a group's polynomial.
///
/// # Errors
/// If the bytes encode none.
pub fn polynomial(bytes: &[u8]) -> Result<GroupPolynomial, KeyError> {
    let most = NonZeroU32::try_from(u32::try_from(MAX_VALIDATORS).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MAX);
    GroupPolynomial::decode_cfg(Copying(bytes), &(most, ModeVersion::v0())).map_err(|_| KeyError::Polynomial)
}

/// The bytes of a share.
pub fn share_to_bytes(share: &GroupShare) -> Vec<u8> {
    share.encode().to_vec()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::b256;

    use super::*;

    #[test]
    fn the_public_half_is_that_of_rfc_8032() {
        let secret = b256!("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = b256!("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(public_key(secret.as_slice()), Ok(public));
        assert_eq!(to_bytes(&from_bytes(public).unwrap()), public);
    }

    #[test]
    fn bytes_that_are_no_key_are_refused() {
        for secret in [&[][..], &[1; 31], &[1; 34]] {
            assert_eq!(public_key(secret), Err(KeyError::Identity));
            assert_eq!(share(secret).unwrap_err(), KeyError::Share);
            assert_eq!(polynomial(secret).unwrap_err(), KeyError::Polynomial);
        }
        // y = 2 lies on no point: (y^2 - 1) / (d y^2 + 1) is no square.
        let mut bytes = [0; 32];
        bytes[0] = 2;
        assert_eq!(from_bytes(B256::from(bytes)), Err(KeyError::Public(B256::from(bytes))));
    }
}
