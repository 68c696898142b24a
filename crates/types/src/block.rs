//! Transactions, blocks and receipts, as the chain orders and keeps them.

use std::sync::Arc;

use alloy_consensus::{EthereumTxEnvelope, Header, ReceiptEnvelope, TxEip4844, transaction::Recovered};
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B256};

/// A block's height, also called its number. Genesis is usually 0.
pub type Height = u64;

/// A transaction as it stands in a block: signed, without blob sidecar.
pub type Transaction = EthereumTxEnvelope<TxEip4844>;

/// A signed transaction with the sender its signature names, shared by pool, chain and RPC.
///
/// The one exception to "the signature names": a development node may hold transactions of impersonated
/// senders. Their signature is `r = sender, s = 1`, which no key can have made by chance, and which keeps
/// their hashes distinct. See [`crate::block::impersonation_signature`].
pub type RecoveredTx = Arc<Recovered<Transaction>>;

/// A consensus receipt: type, status or post-state root, cumulative gas, logs and bloom.
pub type Receipt = ReceiptEnvelope;

/// A transaction's position in its block, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxIndex(pub u32);

/// A block with the senders of its transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The Ethereum header.
    pub header: Header,
    /// The transactions in order.
    pub transactions: Vec<RecoveredTx>,
    /// Ommer (uncle) headers; empty since Paris.
    pub ommers: Vec<Header>,
    /// Withdrawals; present since Shanghai.
    pub withdrawals: Option<Vec<Withdrawal>>,
}

/// Height and hash of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BlockRef {
    /// Height of the block.
    pub height: Height,
    /// Keccak-256 of its RLP header.
    pub hash: B256,
}

/// A block with everything its execution produced that clients may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutedBlock {
    /// Keccak-256 of the RLP header.
    pub hash: B256,
    /// The block.
    pub block: Block,
    /// One receipt a transaction, in order.
    pub receipts: Vec<Receipt>,
    /// Sum of the difficulties from genesis to this block, both included.
    pub total_difficulty: alloy_primitives::U256,
}

impl ExecutedBlock {
    /// The block's height.
    pub const fn height(&self) -> Height {
        self.block.header.number
    }

    /// Height and hash together.
    pub const fn block_ref(&self) -> BlockRef {
        BlockRef { height: self.block.header.number, hash: self.hash }
    }
}

/// The signature that marks a transaction of an impersonated `sender`: `r` is the address, `s` is 1.
pub fn impersonation_signature(sender: Address) -> alloy_primitives::Signature {
    let r = alloy_primitives::U256::from_be_slice(sender.as_slice());
    alloy_primitives::Signature::new(r, alloy_primitives::U256::ONE, false)
}
