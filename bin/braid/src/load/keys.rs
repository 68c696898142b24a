//! The load's own keys: derived from a number, and quick to sign with.

use alloy_consensus::{SignableTransaction, Signed, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Signature, keccak256};
use eyre::Context;
use secp256k1::{Message, PublicKey, Secp256k1, SecretKey, SignOnly};

/// An account that can sign.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    secret: SecretKey,
    pub(crate) address: Address,
}

/// A signed transaction as it goes over the wire.
#[derive(Clone, Debug)]
pub(crate) struct SignedTransaction {
    pub(crate) hash: B256,
    pub(crate) raw: Bytes,
}

/// libsecp256k1 with its tables: several times as fast as a portable implementation.
#[derive(Debug)]
pub(crate) struct Signer(Secp256k1<SignOnly>);

impl Signer {
    pub(crate) fn new() -> Self {
        Self(Secp256k1::signing_only())
    }

    pub(crate) fn key(&self, secret: B256) -> eyre::Result<Key> {
        let secret = SecretKey::from_byte_array(secret.0).wrap_err("failed to make a key")?;
        let public = PublicKey::from_secret_key(&self.0, &secret).serialize_uncompressed();
        // The first byte says that the key is not compressed; the address is the end of the hash of the rest.
        Ok(Key { secret, address: Address::from_raw_public_key(&public[1..]) })
    }

    /// The senders of a seed: key `i` is keccak("braid load" ‖ seed ‖ i).
    pub(super) fn senders(&self, seed: u64, count: usize) -> eyre::Result<Vec<Key>> {
        let secret = |index: u64| keccak256([b"braid load", &seed.to_be_bytes()[..], &index.to_be_bytes()].concat());
        (0..count as u64).map(|index| self.key(secret(index))).collect()
    }

    pub(crate) fn sign(&self, key: &Key, transaction: TxEip1559) -> SignedTransaction {
        let digest = Message::from_digest(transaction.signature_hash().0);
        let (parity, bytes) = self.0.sign_ecdsa_recoverable(digest, &key.secret).serialize_compact();
        let signature = Signature::from_bytes_and_parity(&bytes, i32::from(parity) == 1);
        let signed: Signed<TxEip1559> = transaction.into_signed(signature);
        let hash = *signed.hash();
        SignedTransaction { hash, raw: TxEnvelope::from(signed).encoded_2718().into() }
    }
}
