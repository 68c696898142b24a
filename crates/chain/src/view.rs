//! State as the EVM reads it: a state after some block, and the hashes of the blocks before.

use std::{collections::BTreeMap, sync::Arc};

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_trie::KECCAK_EMPTY;
use braid_exec::eip7610::mark_storage;
use braid_state::{StateAt, StoreError};
use braid_types::{Height, changes::AccountState};
use revm::{
    DatabaseRef,
    bytecode::Bytecode,
    database_interface::DBErrorMarker,
    primitives::{StorageKey, StorageValue},
    state::AccountInfo,
};

/// Answers BLOCKHASH: the hash of an ancestor, or `None` where there is no such block.
pub trait Ancestors: Send + Sync {
    /// The hash of the ancestor at `height`.
    ///
    /// # Errors
    /// If it cannot be read. A block must then not be executed: it would see a hash of zero.
    fn hash(&self, height: Height) -> Result<Option<B256>, StoreError>;

    /// Header and ommers of the ancestor at `height`, which the rules about ommers ask for. Without them a block with
    /// ommers is refused.
    fn block(&self, height: Height) -> Option<(Header, Vec<Header>)> {
        let _ = height;
        None
    }

    /// Code that an ancestor brought and that may be on no disk yet, nor in memory any more.
    fn code(&self, hash: B256) -> Option<Bytes> {
        let _ = hash;
        None
    }
}

impl Ancestors for BTreeMap<Height, B256> {
    fn hash(&self, height: Height) -> Result<Option<B256>, StoreError> {
        Ok(self.get(&height).copied())
    }
}

impl<F: Fn(Height) -> Option<B256> + Send + Sync> Ancestors for F {
    fn hash(&self, height: Height) -> Result<Option<B256>, StoreError> {
        Ok(self(height))
    }
}

/// A state with its ancestors' hashes, as revm reads it.
#[derive(Clone)]
pub struct BlockView {
    /// The state.
    pub state: StateAt,
    /// The hashes.
    pub ancestors: Arc<dyn Ancestors>,
}

impl std::fmt::Debug for BlockView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockView").finish_non_exhaustive()
    }
}

impl BlockView {
    /// Whether an account has storage. An older state does not tell; it serves calls and tracing, never a new block.
    fn has_storage(&self, address: Address) -> bool {
        match &self.state {
            StateAt::Recent(state) => state.has_storage(address),
            StateAt::Historical(_) => false,
        }
    }
}

/// State could not be read during execution.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ViewError(#[from] pub StoreError);

impl DBErrorMarker for ViewError {}

impl DatabaseRef for BlockView {
    type Error = ViewError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, ViewError> {
        let Some(account) = self.state.account(address)? else { return Ok(None) };
        let AccountState { nonce, balance, code_hash } = account;
        let mut info = AccountInfo { balance, nonce, code_hash, ..AccountInfo::default() }.without_code();
        if nonce == 0 && code_hash == KECCAK_EMPTY && self.has_storage(address) {
            mark_storage(&mut info);
        }
        Ok(Some(info))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, ViewError> {
        let code = self.state.code(code_hash).or_else(|error| self.ancestors.code(code_hash).ok_or(error))?;
        // Before London, code might begin with 0xef01 without being a delegation (EIP-3541 came later).
        Ok(Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code)))
    }

    fn storage_ref(&self, address: Address, index: StorageKey) -> Result<StorageValue, ViewError> {
        Ok(self.state.storage(address, U256::from(index))?)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, ViewError> {
        Ok(self.ancestors.hash(number)?.unwrap_or_default())
    }
}
