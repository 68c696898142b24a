//! The state at one point in time: all accounts and slots in a persistent Merkle-Patricia trie.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U256};
use braid_types::{StateChanges, changes::AccountState};

use crate::error::CodeError;

/// An immutable state. Cloning is a reference count; [`State::apply`] shares what did not change.
#[derive(Clone, Debug)]
pub struct State(Arc<()>);

/// `eth_getProof` for one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountProof {
    /// The account, if it exists.
    pub account: Option<AccountState>,
    /// Root of its storage trie.
    pub storage_root: B256,
    /// RLP nodes from the state root down.
    pub nodes: Vec<Bytes>,
    /// One proof for each slot asked for, in order.
    pub storage: Vec<StorageProof>,
}

/// A proof of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageProof {
    /// The slot.
    pub slot: U256,
    /// Its value; zero if absent.
    pub value: U256,
    /// RLP nodes from the storage root down.
    pub nodes: Vec<Bytes>,
}

impl State {
    /// The state without accounts, that knows no code and no disk.
    pub fn empty() -> Self {
        todo!()
    }

    /// Ethereum's state root.
    pub fn root(&self) -> B256 {
        todo!()
    }

    /// The state after `changes`, its root computed with all cores.
    pub fn apply(&self, changes: &StateChanges) -> Self {
        let _ = changes;
        todo!()
    }

    /// An account, if it exists.
    pub fn account(&self, address: Address) -> Option<AccountState> {
        let _ = address;
        todo!()
    }

    /// A storage slot; zero if absent.
    pub fn storage(&self, address: Address, slot: U256) -> U256 {
        let _ = (address, slot);
        todo!()
    }

    /// Byte code by hash; empty for the hash of nothing.
    ///
    /// # Errors
    /// If the code is not known.
    pub fn code(&self, hash: B256) -> Result<Bytes, CodeError> {
        let _ = hash;
        todo!()
    }

    /// Merkle proofs of an account and some of its slots, present or absent.
    pub fn prove(&self, address: Address, slots: &[U256]) -> AccountProof {
        let _ = (address, slots);
        todo!()
    }
}
