//! Signatures as validators make them.

use blst::min_sig::SecretKey;
use curve25519_dalek::{EdwardsPoint, Scalar};
use sha2::{Digest, Sha512};

use crate::{
    bls::{self, GroupKey},
    ed25519::{PublicKey, SIGNATURE_BYTES},
};

fn scalar(parts: &[&[u8]]) -> Scalar {
    let hash = parts.iter().fold(Sha512::new(), |hash, part| hash.chain_update(part));
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

/// The key made of `seed`, and its signature over `message` (RFC 8032, but for how the secrets are drawn).
pub(crate) fn ed25519(seed: u8, message: &[u8]) -> (PublicKey, [u8; SIGNATURE_BYTES]) {
    let secret = scalar(&[b"secret", &[seed]]);
    let key = EdwardsPoint::mul_base(&secret).compress();
    let nonce = scalar(&[b"nonce", &[seed], message]);
    let commitment = EdwardsPoint::mul_base(&nonce).compress();
    let hash = scalar(&[commitment.as_bytes(), key.as_bytes(), message]);
    let mut signature = [0; SIGNATURE_BYTES];
    signature[..32].copy_from_slice(commitment.as_bytes());
    signature[32..].copy_from_slice((nonce + hash * secret).as_bytes());
    (PublicKey::new(key.0.into()).unwrap(), signature)
}

/// A group whose secret is known whole. What it signs is what its members' shares add up to.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    secret: SecretKey,
    pub(crate) key: GroupKey,
}

impl Group {
    pub(crate) fn new(seed: u8) -> Self {
        let secret = SecretKey::key_gen(&[seed; 32], &[]).unwrap();
        let key = GroupKey::new(&secret.sk_to_pk().to_bytes().into()).unwrap();
        Self { secret, key }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; bls::SIGNATURE_BYTES] {
        self.secret.sign(message, b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_", &[]).to_bytes()
    }
}
