//! Blocks as the field exchanges them: `[header, transactions, ommers, withdrawals?]` in RLP.

use std::sync::Arc;

use alloy_consensus::{
    BlockBody,
    transaction::{Recovered, SignerRecoverable},
};
use alloy_eips::eip4895::Withdrawals;
use alloy_rlp::Decodable;
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
/// If the bytes are not one block, or a signature names nobody.
pub(crate) fn decode(mut bytes: &[u8]) -> Result<Block, DecodeError> {
    let RlpBlock { header, body } = RlpBlock::decode(&mut bytes)?;
    if !bytes.is_empty() {
        return Err(DecodeError::TrailingBytes(bytes.len()));
    }
    let transactions = body.transactions.into_iter().enumerate();
    let transactions =
        transactions.map(|(index, transaction)| recover(index, transaction)).collect::<Result<_, _>>()?;
    let withdrawals = body.withdrawals.map(Withdrawals::into_inner);
    Ok(Block { header, transactions, ommers: body.ommers, withdrawals })
}

/// The sender, by rules that hold at every fork: high `s` values, which Homestead forbids, are left to the chain's
/// own validation, as it knows the fork.
fn recover(index: usize, transaction: Transaction) -> Result<RecoveredTx, DecodeError> {
    let sender = transaction.recover_signer_unchecked().map_err(|_| DecodeError::Signature { index })?;
    Ok(Arc::new(Recovered::new_unchecked(transaction, sender)))
}

/// Encodes a block, exactly as it was decoded.
pub(crate) fn encode(block: &Block) -> Vec<u8> {
    let transactions = block.transactions.iter().map(|transaction| transaction.inner().clone()).collect();
    let withdrawals = block.withdrawals.clone().map(Withdrawals::new);
    let body = BlockBody { transactions, ommers: block.ommers.clone(), withdrawals };
    RlpBlock::rlp_encoded_from_parts(&block.header, &body)
}
