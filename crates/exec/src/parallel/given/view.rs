//! A worker's window on the state that a block's access list tells: what the list says below the transaction's index, else
//! the base state.

use alloy_eips::eip7928::BlockAccessIndex;
use alloy_primitives::{Address, B256};
use revm::{
    Database, DatabaseRef,
    bytecode::Bytecode,
    primitives::{KECCAK_EMPTY, StorageKey, StorageValue},
    state::AccountInfo,
};

use crate::{
    access_list::{GivenState, given::value_before},
    parallel::{
        codes::{Codes, private_copy},
        crew::Buffers,
        hashes::Hashes,
        keccak::HasHashes,
        memory::{account_hash, slot_hash},
    },
};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct GivenView<'a, S> {
    base: &'a S,
    given: &'a GivenState<'a>,
    index: BlockAccessIndex,
    /// Contracts of the base state, by their numbers.
    contracts: Box<[Option<Box<AccountInfo>>]>,
    codes: Codes,
    empty_code: Bytecode,
    pub(crate) buffers: Buffers,
}

impl<'a, S: DatabaseRef> GivenView<'a, S> {
    pub(crate) fn new(base: &'a S, given: &'a GivenState<'a>) -> Self {
        Self {
            base,
            given,
            index: BlockAccessIndex::PRE_EXECUTION,
            contracts: vec![None; given.accounts()].into(),
            codes: Codes::default(),
            empty_code: private_copy(&Bytecode::default()),
            buffers: Buffers::take(),
        }
    }

    /// Prepares for what happens at an index.
    pub(crate) fn begin(&mut self, index: BlockAccessIndex) {
        self.index = index;
    }

    /// An account of the base state. Code is left out: the base state's own is shared by all workers, and each takes it
    /// from its cache instead.
    fn base_account(&mut self, number: usize, address: Address) -> Result<Option<AccountInfo>, S::Error> {
        if let Some(known) = &self.contracts[number] {
            return Ok(Some((**known).clone()));
        }
        let Some(mut info) = self.base.basic_ref(address)? else { return Ok(None) };
        info.code = None;
        if !info.is_empty_code_hash() {
            self.contracts[number] = Some(Box::new(info.clone()));
        }
        Ok(Some(info))
    }
}

impl<S: DatabaseRef> Database for GivenView<'_, S> {
    type Error = S::Error;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, S::Error> {
        // An account that is not listed makes the list wrong, which the comparison finds.
        let Some(number) = self.given.account_number(&address) else { return self.base.basic_ref(address) };
        let base = self.base_account(number, address)?;
        let Some(mut info) = self.given.account_at(number, self.index).over(base) else { return Ok(None) };
        info.code = (info.code_hash == KECCAK_EMPTY).then(|| self.empty_code.clone());
        Ok(Some(info))
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, S::Error> {
        let (given, base) = (self.given, self.base);
        self.codes
            .get(code_hash, || given.code(&code_hash).cloned().map_or_else(|| base.code_by_hash_ref(code_hash), Ok))
    }

    fn storage(&mut self, address: Address, slot: StorageKey) -> Result<StorageValue, S::Error> {
        let account = self.given.account_number(&address);
        let number = account.and_then(|account| Some((account, self.given.slot_number(account, slot)?)));
        let Some((account, number)) = number else { return self.base.storage_ref(address, slot) };
        if let Some(value) = value_before(self.given.slot_changes(account, number), self.index) {
            return Ok(value);
        }
        let hash = slot_hash(account_hash(&address), &slot);
        self.buffers.slot(address, slot, hash, || self.base.storage_ref(address, slot))
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, S::Error> {
        self.base.block_hash_ref(number)
    }
}

impl<S> HasHashes for GivenView<'_, S> {
    fn hashes(&mut self) -> &mut Hashes {
        &mut self.buffers.hashes
    }
}
