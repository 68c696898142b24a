//! Senders of transactions.

use alloy_consensus::{EthereumTxEnvelope, SignableTransaction as _, crypto::SECP256K1N_HALF};
use alloy_primitives::{Address, B256};
use braid_keccak::hash_all;
use braid_types::Transaction;

use crate::recover::{RecoveryError, Signed, recover_all};

/// Fewest and most transactions that are worth a batch: fewer share too few inversions, or leave too few claims for a common check; more
/// leave the caches.
const BATCH_RANGE: std::ops::RangeInclusive<usize> = 16..=1_024;

/// The same where senders are claimed: the common check of few claims costs as much as recoveries, and more of them at once are cheaper up to
/// some thousand.
const CLAIMED_BATCH_RANGE: std::ops::RangeInclusive<usize> = 256..=2_048;

/// Which of the two values of s that are valid for a key may stand in a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowedS {
    /// The lower, as Homestead demands (EIP-2).
    Low,
    /// Both, where the rules are checked elsewhere.
    Any,
}

/// Recovers the senders of transactions, in their order, on the calling thread.
///
/// Each answer is that of recovering this sender alone. Who has threads gives each of them a share of [`batch_size`].
pub fn recover_senders(transactions: &[&Transaction], allowed: AllowedS) -> Vec<Result<Address, RecoveryError>> {
    let signed = signed(transactions);
    let keys = recover_all(&signed);
    let sender = |(signed, key): (&Signed, Result<_, RecoveryError>)| match key {
        Ok(_) if allowed == AllowedS::Low && signed.s > SECP256K1N_HALF => Err(RecoveryError::HighS),
        key => key.map(|key: crate::PublicKey| key.address()),
    };
    signed.iter().zip(keys).map(sender).collect()
}

/// How many of `count` transactions a thread should recover at once.
pub fn batch_size(count: usize, threads: usize) -> usize {
    count.div_ceil(threads.max(1)).clamp(*BATCH_RANGE.start(), *BATCH_RANGE.end())
}

/// How many of `count` transactions with claimed senders a thread should check at once.
pub fn claimed_batch_size(count: usize, threads: usize) -> usize {
    count.div_ceil(threads.max(1)).clamp(*CLAIMED_BATCH_RANGE.start(), *CLAIMED_BATCH_RANGE.end())
}

/// What is signed, of each transaction.
pub(crate) fn signed(transactions: &[&Transaction]) -> Vec<Signed> {
    let messages: Vec<Vec<u8>> = transactions.iter().map(|transaction| message(transaction)).collect();
    let with_hash = |(transaction, hash): (&&Transaction, B256)| {
        let signature = transaction.signature();
        Signed { hash, r: signature.r(), s: signature.s(), recovery_id: u8::from(signature.v()) }
    };
    transactions.iter().zip(hash_all(&messages)).map(with_hash).collect()
}

/// The bytes whose hash is signed.
fn message(transaction: &Transaction) -> Vec<u8> {
    match transaction {
        EthereumTxEnvelope::Legacy(signed) => signed.tx().encoded_for_signing(),
        EthereumTxEnvelope::Eip2930(signed) => signed.tx().encoded_for_signing(),
        EthereumTxEnvelope::Eip1559(signed) => signed.tx().encoded_for_signing(),
        EthereumTxEnvelope::Eip4844(signed) => signed.tx().encoded_for_signing(),
        EthereumTxEnvelope::Eip7702(signed) => signed.tx().encoded_for_signing(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use alloy_consensus::{SignableTransaction as _, TxEip1559, TxLegacy, transaction::SignerRecoverable as _};
    use alloy_primitives::{B256, Signature, U256, keccak256};
    use secp256k1::{Message, Secp256k1, SecretKey};

    use super::*;

    fn sign(hash: B256, seed: u64) -> Signature {
        let key = SecretKey::from_byte_array(keccak256(seed.to_be_bytes()).0).unwrap();
        let message = Message::from_digest(hash.0);
        let (id, bytes) = Secp256k1::new().sign_ecdsa_recoverable(message, &key).serialize_compact();
        Signature::from_bytes_and_parity(&bytes, i32::from(id) == 1)
    }

    fn legacy(nonce: u64) -> Transaction {
        let transaction = TxLegacy { nonce, chain_id: nonce.is_multiple_of(2).then_some(9), ..TxLegacy::default() };
        let signature = sign(transaction.signature_hash(), nonce % 7);
        transaction.into_signed(signature).into()
    }

    /// One of seven accounts' payments.
    pub(crate) fn payment(nonce: u64, change: impl Fn(Signature) -> Signature) -> Transaction {
        let transaction = TxEip1559 { nonce, ..TxEip1559::default() };
        let signature = change(sign(transaction.signature_hash(), nonce % 7));
        transaction.into_signed(signature).into()
    }

    #[test]
    fn senders_are_those_recovered_one_by_one() {
        let mut transactions: Vec<Transaction> = (0..50).map(legacy).collect();
        transactions.extend((0..50).map(|nonce| payment(nonce, |signature| signature)));
        let high = |signature: Signature| Signature::new(signature.r(), order() - signature.s(), !signature.v());
        transactions.extend((0..20).map(|nonce| payment(nonce, high)));
        let wrong = |signature: Signature| Signature::new(signature.r() + U256::from(1), signature.s(), true);
        transactions.extend((0..20).map(|nonce| payment(nonce, wrong)));
        transactions.push(payment(0, |_| Signature::new(U256::ZERO, U256::ZERO, false)));
        let references: Vec<&Transaction> = transactions.iter().collect();

        let strict = recover_senders(&references, AllowedS::Low);
        let any = recover_senders(&references, AllowedS::Any);
        for (index, transaction) in transactions.iter().enumerate() {
            assert_eq!(strict[index].ok(), transaction.recover_signer().ok(), "transaction {index}");
            assert_eq!(any[index].ok(), transaction.recover_signer_unchecked().ok(), "transaction {index}");
        }
        assert_eq!(strict[100], Err(RecoveryError::HighS));
        assert!(any[100].is_ok());
    }

    fn order() -> U256 {
        (SECP256K1N_HALF << 1) + U256::from(1)
    }

    #[test]
    fn shares_are_neither_tiny_nor_everything() {
        assert_eq!(batch_size(1, 2), 16);
        assert_eq!(batch_size(100, 2), 50);
        assert_eq!(batch_size(10_000, 2), 1_024);
        assert_eq!(batch_size(10, 0), 16);
        assert_eq!(claimed_batch_size(300, 2), 256);
        assert_eq!(claimed_batch_size(3_000, 2), 1_500);
        assert_eq!(claimed_batch_size(10_000, 2), 2_048);
    }
}
