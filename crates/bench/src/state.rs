//! A state in memory, complete or recorded, as revm reads it.
//!
//! Reads cost one or two look-ups in a hash map, and byte code is shared: what a benchmark measures is execution.

use std::collections::BTreeMap;

use alloy_primitives::{
    Address, B256, Bytes, U256,
    map::{AddressMap, B256Map, U256Map},
};
use braid_types::{Height, StateChanges};
use revm::{
    DatabaseRef,
    bytecode::{Bytecode, BytecodeDecodeError},
    database_interface::DBErrorMarker,
    primitives::{StorageKey, StorageValue},
    state::AccountInfo,
};

/// Accounts with their storage, byte code and block hashes.
#[derive(Clone, Debug, Default)]
pub struct MemoryState {
    accounts: AddressMap<Stored>,
    codes: B256Map<Bytecode>,
    hashes: BTreeMap<Height, B256>,
}

/// An account that exists.
#[derive(Clone, Debug, Default)]
struct Stored {
    info: AccountInfo,
    storage: U256Map<U256>,
}

/// Something was asked for that the state does not hold. An account or a slot that it does not hold is empty.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// No account has this code.
    #[error("the state lacks code {0}")]
    Code(B256),
    /// The hash of this block was not recorded.
    #[error("the state lacks the hash of block {0}")]
    BlockHash(Height),
}

impl DBErrorMarker for Missing {}

impl MemoryState {
    /// Sets an account and adds to its storage. `info` carries its code.
    pub fn insert(&mut self, address: Address, info: AccountInfo, storage: impl IntoIterator<Item = (U256, U256)>) {
        if let Some(code) = &info.code {
            self.codes.insert(info.code_hash, code.clone());
        }
        let stored = self.accounts.entry(address).or_default();
        stored.info = info;
        stored.storage.extend(storage);
    }

    /// Sets what BLOCKHASH returns for `height`.
    pub fn insert_hash(&mut self, height: Height, hash: B256) {
        self.hashes.insert(height, hash);
    }

    /// A copy that shares no byte code. Clones of one code are counted in one place, which threads that run the same contracts
    /// would send back and forth.
    #[must_use]
    pub fn unshared(&self) -> Self {
        let mut copy = self.clone();
        #[expect(clippy::iter_over_hash_type, reason = "codes are independent of each other")]
        for code in copy.codes.values_mut() {
            *code = unshared(code);
        }
        #[expect(clippy::iter_over_hash_type, reason = "accounts are independent of each other")]
        for stored in copy.accounts.values_mut() {
            stored.info.code = stored.info.code.as_ref().map(unshared);
        }
        copy
    }

    /// All accounts with their storage.
    pub fn accounts(&self) -> impl Iterator<Item = (Address, &AccountInfo, &U256Map<U256>)> {
        self.accounts.iter().map(|(address, stored)| (*address, &stored.info, &stored.storage))
    }

    /// The value of a slot; zero if nothing was stored.
    pub fn slot(&self, address: Address, slot: U256) -> U256 {
        self.accounts.get(&address).and_then(|stored| stored.storage.get(&slot)).copied().unwrap_or_default()
    }

    /// Takes over what a block changed.
    ///
    /// # Errors
    /// If code that the block created is no valid byte code.
    pub fn apply(&mut self, changes: StateChanges) -> Result<(), BytecodeDecodeError> {
        for (hash, code) in changes.codes {
            self.codes.insert(hash, Bytecode::new_raw_checked(code)?);
        }
        for (address, change) in changes.accounts {
            let Some(account) = change.account else {
                self.accounts.remove(&address);
                continue;
            };
            let code = self.codes.get(&account.code_hash).cloned();
            let stored = self.accounts.entry(address).or_default();
            stored.info = AccountInfo {
                balance: account.balance,
                nonce: account.nonce,
                code_hash: account.code_hash,
                ..AccountInfo::default()
            };
            stored.info.code = code.or(stored.info.code.take());
            if change.storage_cleared {
                stored.storage.clear();
            }
            stored.storage.extend(change.storage);
        }
        Ok(())
    }
}

fn unshared(code: &Bytecode) -> Bytecode {
    let bytes = Bytes::copy_from_slice(&code.original_bytes());
    // What was code before is code again.
    Bytecode::new_raw_checked(bytes).unwrap_or_else(|_| code.clone())
}

impl DatabaseRef for MemoryState {
    type Error = Missing;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Missing> {
        Ok(self.accounts.get(&address).map(|stored| stored.info.clone()))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, Missing> {
        self.codes.get(&hash).cloned().ok_or(Missing::Code(hash))
    }

    fn storage_ref(&self, address: Address, slot: StorageKey) -> Result<StorageValue, Missing> {
        Ok(self.slot(address, slot))
    }

    fn block_hash_ref(&self, height: Height) -> Result<B256, Missing> {
        self.hashes.get(&height).copied().ok_or(Missing::BlockHash(height))
    }
}
