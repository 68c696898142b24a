//! Blocks as the field exchanges them: `[header, transactions, ommers, withdrawals?]` in RLP.

use std::sync::Arc;

use alloy_consensus::{BlockBody, transaction::Recovered};
use alloy_eips::eip4895::Withdrawals;
use alloy_rlp::Decodable;
use braid_signatures::{AllowedS, recover_senders};
use braid_types::{Block, RecoveredTx, Transaction};

type RlpBlock = alloy_consensus::Block<Transaction>;

/// Failed to read a block.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// The bytes are no block.
    #[error("block is malformed: {0}")]
    Rlp(#[from] alloy_rlp::Error),
    /// Bytes follow the block.
    #[error("{0} bytes follow the block")]
    TrailingBytes(usize),
    /// The bytes say the same as a block's encoding in another way, which RLP forbids.
    #[error("block is not in its canonical encoding")]
    NotCanonical,
    /// A signature names nobody.
    #[error("signature of transaction {index} names no sender")]
    Signature {
        /// Position of the transaction.
        index: usize,
    },
}

/// Decodes exactly one block and recovers the senders of its transactions.
///
/// # Errors
/// If the bytes are not one block in its canonical encoding, or a signature names nobody.
pub(crate) fn decode(bytes: &[u8]) -> Result<Block, DecodeError> {
    let mut rest = bytes;
    let RlpBlock { header, body } = RlpBlock::decode(&mut rest)?;
    if !rest.is_empty() {
        return Err(DecodeError::TrailingBytes(rest.len()));
    }
    // The decoder takes any length around a typed transaction; two encodings of one block must not both count.
    if RlpBlock::rlp_encoded_from_parts(&header, &body) != bytes {
        return Err(DecodeError::NotCanonical);
    }
    let transactions = recover(body.transactions)?;
    let withdrawals = body.withdrawals.map(Withdrawals::into_inner);
    Ok(Block { header, transactions, ommers: body.ommers, withdrawals })
}

/// The senders, by rules that hold at every fork: high `s` values, which Homestead forbids, are left to the chain's
/// own validation, as it knows the fork.
fn recover(transactions: Vec<Transaction>) -> Result<Vec<RecoveredTx>, DecodeError> {
    let senders = recover_senders(&transactions.iter().collect::<Vec<_>>(), AllowedS::Any);
    let pairs = transactions.into_iter().zip(senders).enumerate();
    pairs
        .map(|(index, (transaction, sender))| {
            let sender = sender.map_err(|_| DecodeError::Signature { index })?;
            Ok(Arc::new(Recovered::new_unchecked(transaction, sender)))
        })
        .collect()
}

/// Encodes a block, exactly as it was decoded.
pub(crate) fn encode(block: &Block) -> Vec<u8> {
    let transactions = block.transactions.iter().map(|transaction| transaction.inner().clone()).collect();
    let withdrawals = block.withdrawals.clone().map(Withdrawals::new);
    let body = BlockBody { transactions, ommers: block.ommers.clone(), withdrawals };
    RlpBlock::rlp_encoded_from_parts(&block.header, &body)
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{Header, SignableTransaction, TxEip1559};
    use alloy_eips::eip2718::Encodable2718;
    use alloy_signer::SignerSync;
    use alloy_signer_local::PrivateKeySigner;

    use super::*;

    /// A block with one typed transaction.
    fn block() -> Block {
        let signer = PrivateKeySigner::from_bytes(&alloy_primitives::B256::with_last_byte(1)).unwrap();
        let transaction = TxEip1559 { chain_id: 1, gas_limit: 21_000, ..TxEip1559::default() };
        let signature = signer.sign_hash_sync(&transaction.signature_hash()).unwrap();
        let signed = Transaction::from(transaction.into_signed(signature));
        let transactions = vec![Arc::new(Recovered::new_unchecked(signed, signer.address()))];
        Block { header: Header::default(), transactions, ..Block::default() }
    }

    #[test]
    fn a_block_survives_the_round_trip() {
        let block = block();
        assert_eq!(decode(&encode(&block)).unwrap(), block);
    }

    #[test]
    fn a_second_encoding_is_refused() {
        let block = block();
        let mut bytes = encode(&block);
        let typed = block.transactions[0].inner().encoded_2718();
        let at = bytes.windows(typed.len()).position(|window| window == typed).unwrap();
        // The byte before the transaction is the length of the string that holds it.
        bytes[at - 1] -= 1;
        assert!(decode(&bytes).is_err());
    }

    #[test]
    fn bytes_after_the_block_are_refused() {
        let mut bytes = encode(&block());
        bytes.push(0);
        assert!(matches!(decode(&bytes), Err(DecodeError::TrailingBytes(1))));
    }
}
