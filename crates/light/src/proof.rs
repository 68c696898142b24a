//! Accounts, storage, transactions and receipts under a header that is known to be final.
//!
//! Claims are written as others write them: an account's is the answer to `eth_getProof` (EIP-1186). Everything that a claim says
//! is compared with what its nodes prove.

use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use alloy_rlp::Decodable;
use serde::{Deserialize, Serialize};

use crate::{
    ethereum::{Account, EthereumHeader, Receipt, ReceiptError},
    trie::{self, TrieError},
};

/// Storage slots in one claim.
pub const MAX_SLOTS: usize = 1_024;

/// An account with some of its storage: the answer to `eth_getProof`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountClaim {
    /// Whose account.
    pub address: Address,
    /// Wei.
    pub balance: U256,
    /// Hash of its code.
    pub code_hash: B256,
    /// Transactions sent, or contracts created.
    pub nonce: U64,
    /// Root of its storage.
    pub storage_hash: B256,
    /// Nodes from the state's root to the account.
    pub account_proof: Vec<Bytes>,
    /// Some of its storage.
    pub storage_proof: Vec<SlotClaim>,
}

/// A storage slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotClaim {
    /// Which.
    pub key: U256,
    /// What it holds; zero if it was never written.
    pub value: U256,
    /// Nodes from the storage's root to the slot.
    pub proof: Vec<Bytes>,
}

/// A transaction in a block with its receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReceiptClaim {
    /// The transaction's hash.
    pub transaction_hash: B256,
    /// Its place in the block, from 0.
    pub transaction_index: U64,
    /// Its EIP-2718 encoding.
    pub transaction: Bytes,
    /// Nodes from the root of transactions to it.
    pub transaction_proof: Vec<Bytes>,
    /// The receipt's EIP-2718 encoding.
    pub receipt: Bytes,
    /// Nodes from the root of receipts to it.
    pub receipt_proof: Vec<Bytes>,
}

/// An account that is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedAccount {
    /// Whose.
    pub address: Address,
    /// Whether there is one. If not, `account` is [`Account::EMPTY`].
    pub exists: bool,
    /// What it is.
    pub account: Account,
    /// Slots and what they hold.
    pub storage: Vec<(U256, U256)>,
}

/// A transaction that is proved to be in a block, with its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedReceipt {
    /// The transaction's hash.
    pub transaction_hash: B256,
    /// Its place in the block.
    pub transaction_index: u64,
    /// Its EIP-2718 encoding.
    pub transaction: Bytes,
    /// Its receipt.
    pub receipt: Receipt,
}

/// Why an account or its storage is not as claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The account's nodes prove nothing.
    #[error("account {0}: {1}")]
    Proof(Address, TrieError),
    /// What stands in the trie is no account.
    #[error("account {0}: what the trie holds is no account")]
    Malformed(Address),
    /// A field is another.
    #[error("account {address}: {field} is not what is claimed")]
    Differs {
        /// Whose.
        address: Address,
        /// Which.
        field: &'static str,
    },
    /// More than [`MAX_SLOTS`].
    #[error("{0} slots, allowed are {MAX_SLOTS}")]
    TooManySlots(usize),
    /// A slot's nodes prove nothing.
    #[error("slot {0:#x}: {1}")]
    SlotProof(U256, TrieError),
    /// What stands in the trie is no number.
    #[error("slot {0:#x}: what the trie holds is no value")]
    SlotMalformed(U256),
    /// A slot holds something else.
    #[error("slot {slot:#x} holds {value:#x}, claimed is {claimed:#x}")]
    SlotDiffers {
        /// Which.
        slot: U256,
        /// What it holds.
        value: U256,
        /// What is claimed.
        claimed: U256,
    },
}

/// Why a transaction or its receipt is not as claimed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InclusionError {
    /// The transaction has another hash.
    #[error("the transaction has hash {transaction}, claimed is {claimed}")]
    TransactionHash {
        /// Its hash.
        transaction: B256,
        /// What is claimed.
        claimed: B256,
    },
    /// The transaction's nodes prove nothing.
    #[error("the transaction: {0}")]
    TransactionProof(TrieError),
    /// Another transaction stands at its place, or none.
    #[error("the block has another transaction at place {0}, or none")]
    OtherTransaction(u64),
    /// The receipt's nodes prove nothing.
    #[error("the receipt: {0}")]
    ReceiptProof(TrieError),
    /// Another receipt stands at its place, or none.
    #[error("the block has another receipt at place {0}, or none")]
    OtherReceipt(u64),
    /// What stands at its place is no receipt.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
}

impl AccountClaim {
    /// Checks the account and its slots in the state of a final block.
    ///
    /// # Errors
    /// What is first found not to be as claimed.
    pub fn verify(&self, header: &EthereumHeader) -> Result<ProvedAccount, AccountError> {
        let address = self.address;
        let found = trie::lookup(header.state_root, keccak256(address).as_slice(), &self.account_proof)
            .map_err(|error| AccountError::Proof(address, error))?;
        let account = found.map_or(Some(Account::EMPTY), whole).ok_or(AccountError::Malformed(address))?;
        self.compare(&account)?;
        if self.storage_proof.len() > MAX_SLOTS {
            return Err(AccountError::TooManySlots(self.storage_proof.len()));
        }
        let slots = self.storage_proof.iter().map(|slot| slot.verify(account.storage_root));
        let storage = slots.collect::<Result<_, _>>()?;
        Ok(ProvedAccount { address, exists: found.is_some(), account, storage })
    }

    fn compare(&self, account: &Account) -> Result<(), AccountError> {
        let differs = |field| Err(AccountError::Differs { address: self.address, field });
        // Some write zero for the hashes of what does not exist.
        let is_hash = |claimed: B256, hash, of_nothing| claimed == hash || (hash == of_nothing && claimed.is_zero());
        if self.nonce.to::<u64>() != account.nonce {
            return differs("the nonce");
        }
        if self.balance != account.balance {
            return differs("the balance");
        }
        if !is_hash(self.storage_hash, account.storage_root, Account::EMPTY.storage_root) {
            return differs("the root of its storage");
        }
        if !is_hash(self.code_hash, account.code_hash, Account::EMPTY.code_hash) {
            return differs("the hash of its code");
        }
        Ok(())
    }
}

impl SlotClaim {
    fn verify(&self, storage_root: B256) -> Result<(U256, U256), AccountError> {
        let path = keccak256(self.key.to_be_bytes::<32>());
        let found = trie::lookup(storage_root, path.as_slice(), &self.proof)
            .map_err(|error| AccountError::SlotProof(self.key, error))?;
        let value = found.map_or(Some(U256::ZERO), whole).ok_or(AccountError::SlotMalformed(self.key))?;
        if value != self.value {
            return Err(AccountError::SlotDiffers { slot: self.key, value, claimed: self.value });
        }
        Ok((self.key, value))
    }
}

impl ReceiptClaim {
    /// Checks that a final block has the transaction, and this receipt for it.
    ///
    /// # Errors
    /// What is first found not to be as claimed.
    pub fn verify(&self, header: &EthereumHeader) -> Result<ProvedReceipt, InclusionError> {
        let (index, claimed) = (self.transaction_index.to::<u64>(), self.transaction_hash);
        let transaction = keccak256(&self.transaction);
        if transaction != claimed {
            return Err(InclusionError::TransactionHash { transaction, claimed });
        }
        let key = alloy_rlp::encode(index);
        let found = trie::lookup(header.transactions_root, &key, &self.transaction_proof)
            .map_err(InclusionError::TransactionProof)?;
        if found != Some(&self.transaction) {
            return Err(InclusionError::OtherTransaction(index));
        }
        let found =
            trie::lookup(header.receipts_root, &key, &self.receipt_proof).map_err(InclusionError::ReceiptProof)?;
        if found != Some(&self.receipt) {
            return Err(InclusionError::OtherReceipt(index));
        }
        let receipt = Receipt::decode(&self.receipt)?;
        let transaction = self.transaction.clone();
        Ok(ProvedReceipt { transaction_hash: claimed, transaction_index: index, transaction, receipt })
    }
}

/// Decodes a value that takes all of `bytes`.
fn whole<T: Decodable>(bytes: &[u8]) -> Option<T> {
    alloy_rlp::decode_exact(bytes).ok()
}

#[cfg(test)]
mod tests;
