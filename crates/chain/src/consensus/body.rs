//! A block's body against its header: roots, sizes, and what a transaction may be under a fork.
//!
//! What else makes a transaction valid (nonce, balance, fees, intrinsic gas, blobs) depends on state and is checked where
//! it is executed.

use alloy_consensus::{
    Header, Transaction as _, Typed2718,
    proofs::{calculate_ommers_root, calculate_withdrawals_root},
};
use alloy_eips::{eip2718::Encodable2718, eip4895::Withdrawal};
use alloy_primitives::{B256, U256, uint};
use alloy_rlp::Encodable;
use braid_keccak::ordered_root;
use braid_types::{Block, Fork, Receipt, RecoveredTx, Transaction, TxIndex};

use super::BlockError;

/// Bytes of a block's RLP since Osaka: 10 MiB less 2 MiB for what surrounds it on the wire (EIP-7934).
pub const MAX_BLOCK_SIZE_BYTES: usize = 8 * 1024 * 1024;

/// Half of the order of secp256k1; since Homestead a signature's `s` may not exceed it (EIP-2).
pub(super) const HALF_CURVE_ORDER: U256 =
    uint!(0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0_U256);

/// Checks a body against its header.
pub fn check(block: &Block, fork: Fork) -> Result<(), BlockError> {
    check_roots(block)?;
    check_size(block, fork)?;
    for (index, transaction) in (0..).map(TxIndex).zip(&block.transactions) {
        check_transaction(transaction, fork, index)?;
    }
    if fork >= Fork::Cancun {
        let expected = block.transactions.iter().filter_map(|transaction| transaction.blob_gas_used()).sum();
        let found = block.header.blob_gas_used.unwrap_or_default();
        if found != expected {
            return Err(BlockError::BlobGasUsed { found, expected });
        }
    }
    Ok(())
}

/// Checks what a header says about its body.
pub(crate) fn check_roots(block: &Block) -> Result<(), BlockError> {
    let (found, expected) = (block.header.transactions_root, transactions_root(&block.transactions));
    if found != expected {
        return Err(BlockError::TransactionsRoot { found, expected });
    }
    let (found, expected) = (block.header.ommers_hash, calculate_ommers_root(&block.ommers));
    if found != expected {
        return Err(BlockError::OmmersHash { found, expected });
    }
    let (found, expected) = (block.header.withdrawals_root, withdrawals_root(block.withdrawals.as_deref()));
    if found != expected {
        return Err(BlockError::WithdrawalsRoot { found, expected });
    }
    Ok(())
}

fn check_size(block: &Block, fork: Fork) -> Result<(), BlockError> {
    let size = block_size(block);
    if fork >= Fork::Osaka && size > MAX_BLOCK_SIZE_BYTES {
        return Err(BlockError::BlockSize { found: size, limit: MAX_BLOCK_SIZE_BYTES });
    }
    Ok(())
}

/// Checks what a transaction alone says against the rules of a fork.
pub fn check_transaction(transaction: &RecoveredTx, fork: Fork, index: TxIndex) -> Result<(), BlockError> {
    let transaction: &Transaction = transaction.inner();
    let kind = transaction.ty();
    let since = match kind {
        0 => Fork::Frontier,
        1 => Fork::Berlin,
        2 => Fork::London,
        3 => Fork::Cancun,
        _ => Fork::Prague,
    };
    if fork < since {
        return Err(BlockError::TransactionType { index, kind });
    }
    if fork < Fork::SpuriousDragon && transaction.chain_id().is_some() {
        return Err(BlockError::ReplayProtection { index });
    }
    if fork >= Fork::Homestead && transaction.signature().s() > HALF_CURVE_ORDER {
        return Err(BlockError::HighS { index });
    }
    Ok(())
}

/// Root of the transactions' trie.
pub fn transactions_root(transactions: &[RecoveredTx]) -> B256 {
    ordered_root(transactions, |transaction, out| transaction.inner().encode_2718(out))
}

/// Root of the receipts' trie.
pub fn receipts_root(receipts: &[Receipt]) -> B256 {
    ordered_root(receipts, |receipt, out| receipt.encode_2718(out))
}

/// Root of the withdrawals' trie, where there are withdrawals.
pub fn withdrawals_root(withdrawals: Option<&[Withdrawal]>) -> Option<B256> {
    withdrawals.map(calculate_withdrawals_root)
}

/// Bytes of the block's RLP.
pub fn block_size(block: &Block) -> usize {
    let transactions = block.transactions.iter().map(transaction_size).sum();
    let ommers = block.ommers.iter().map(Header::length).sum();
    let withdrawals = block.withdrawals.as_ref().map_or(0, Encodable::length);
    let payload = block.header.length() + list_size(transactions) + list_size(ommers) + withdrawals;
    list_size(payload)
}

/// Bytes a transaction takes in a block's RLP.
pub fn transaction_size(transaction: &RecoveredTx) -> usize {
    transaction.inner().length()
}

/// Bytes of an RLP list with `payload` bytes in it.
pub fn list_size(payload: usize) -> usize {
    alloy_rlp::Header { list: true, payload_length: payload }.length_with_payload()
}
