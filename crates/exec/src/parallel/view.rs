//! A worker's window on state: the multi-version memory over the base state, and notes on what a transaction looked at
//! beyond what revm's journal tells.

use alloy_primitives::{Address, B256, U256, map::AddressMap};
use braid_types::changes::AccountState;
use revm::{
    Database, DatabaseRef,
    bytecode::Bytecode,
    primitives::{KECCAK_EMPTY, StorageKey, StorageValue},
    state::AccountInfo,
};

use super::{
    codes::{Codes, private_copy},
    crew::Buffers,
    hashes::Hashes,
    keccak::HasHashes,
    memory::{Memory, Version, account_hash, clear_hash, slot_hash},
};
use crate::eip7610;

/// What a transaction learned about an account, beyond passing its balance on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Observed {
    /// Its balance.
    pub(crate) is_exact: bool,
    /// That the balance before the transaction was at least this.
    pub(crate) least: U256,
    /// Whether the account created a contract whose address depends on its nonce (CREATE).
    pub(crate) names_by_nonce: bool,
    /// Whether the account created a contract whose address does not (CREATE2).
    pub(crate) names_by_salt: bool,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct View<'a, S> {
    base: &'a S,
    memory: &'a Memory,
    /// The highest version that may be read.
    version: Version,
    /// Which hashes the event log has named so far; a set bit says maybe, a clear one says no.
    filter: Box<[u64]>,
    followed: usize,
    beneficiary: Address,
    /// The fee recipient, whose fees are not in the memory: a guess, or the truth at the frontier.
    pub(crate) beneficiary_state: Option<AccountState>,
    /// Contracts of the base state. Other accounts are mostly written by who reads them, and found in the memory then.
    contracts: AddressMap<AccountInfo>,
    pub(crate) buffers: Buffers,
    codes: Codes,
    empty_code: Bytecode,
    pub(crate) observed: AddressMap<Observed>,
    /// Accounts of which transactions changed slots but nothing else, as they were seen.
    pub(crate) owners: AddressMap<Option<AccountState>>,
    expected: Option<(Address, u64)>,
    /// Whether the sender's nonce was not there but guessed.
    pub(crate) has_guessed_nonce: bool,
    /// Whether the transaction tried to create a contract: then nonces matter.
    pub(crate) creates: bool,
}

impl<'a, S: DatabaseRef> View<'a, S> {
    /// A view for a block of so many transactions.
    pub(crate) fn new(base: &'a S, memory: &'a Memory, transactions: usize, beneficiary: Address) -> Self {
        // 64 bits a transaction: with ten writes a transaction a sixth of the answers are wrong maybes.
        let words = transactions.next_power_of_two().clamp(64, 1 << 16);
        Self {
            base,
            memory,
            version: 0,
            filter: vec![0; words].into(),
            followed: 0,
            beneficiary,
            beneficiary_state: None,
            contracts: AddressMap::default(),
            buffers: Buffers::take(),
            codes: Codes::default(),
            empty_code: private_copy(&Bytecode::default()),
            observed: AddressMap::default(),
            owners: AddressMap::default(),
            expected: None,
            has_guessed_nonce: false,
            creates: false,
        }
    }

    /// Prepares for a transaction that reads versions up to `version`. With `expected`, the sender's nonce is taken to be
    /// what the transaction says, if it is lower now: the transactions between are on their way.
    pub(crate) fn begin(&mut self, version: Version, expected: Option<(Address, u64)>) {
        self.version = version;
        self.expected = expected;
        self.has_guessed_nonce = false;
        self.observed.clear();
        self.creates = false;
    }

    /// Notes that a balance was looked at.
    pub(crate) fn observe(&mut self, address: Address) {
        self.observed.entry(address).or_default().is_exact = true;
    }

    /// Notes that a balance before the transaction was compared with `least` and was not smaller.
    pub(crate) fn observe_at_least(&mut self, address: Address, least: U256) {
        let observed = self.observed.entry(address).or_default();
        observed.least = observed.least.max(least);
    }

    /// Notes that an account tries to create a contract, which adds one to its nonce.
    pub(crate) fn observe_creation(&mut self, address: Address, is_named_by_salt: bool) {
        self.creates = true;
        let observed = self.observed.entry(address).or_default();
        observed.names_by_salt |= is_named_by_salt;
        observed.names_by_nonce |= !is_named_by_salt;
    }

    /// Learns which locations others have written; returns how much of the event log is known now.
    pub(crate) fn follow(&mut self) -> usize {
        let filter = &mut self.filter;
        self.followed = self.memory.follow(self.followed, |_, hashes| {
            for &hash in hashes {
                set(filter, hash);
            }
        });
        self.followed
    }

    /// Notes a location that this worker writes itself, and adds it to what is to be announced.
    pub(crate) fn note_write(&mut self, hash: u64, hashes: &mut Vec<u32>) {
        set(&mut self.filter, short(hash));
        hashes.push(short(hash));
    }

    /// Whether an account may have lost its storage in this block, as far as this worker knows. `account` is its hash.
    pub(crate) fn may_be_cleared(&self, account: u64) -> bool {
        self.memory.has_clears() && self.may_be_written(clear_hash(account))
    }

    /// Whether a location may have been written in this block, as far as this worker knows.
    pub(crate) fn may_be_written(&self, hash: u64) -> bool {
        let bit = short(hash) as usize;
        (self.filter[(bit / 64) & (self.filter.len() - 1)] >> (bit % 64)) & 1 != 0
    }

    pub(crate) fn is_beneficiary(&self, address: &Address) -> bool {
        self.beneficiary == *address
    }

    pub(crate) const fn memory(&self) -> &'a Memory {
        self.memory
    }

    /// Puts the expected nonce into the sender's account.
    fn guess_nonce(&mut self, address: Address, info: &mut Option<AccountInfo>) {
        if let (Some((sender, nonce)), Some(info)) = (self.expected, info)
            && sender == address
            && info.nonce < nonce
        {
            info.nonce = nonce;
            self.has_guessed_nonce = true;
        }
    }

    fn info(&self, state: Option<AccountState>, address: Address) -> Option<AccountInfo> {
        let state = state?;
        let mut info = AccountInfo {
            balance: state.balance,
            nonce: state.nonce,
            code_hash: state.code_hash,
            account_id: None,
            code: (state.code_hash == KECCAK_EMPTY).then(|| self.empty_code.clone()),
        };
        if self.memory.is_marked(&address, self.version) {
            eip7610::mark_storage(&mut info);
        }
        Some(info)
    }

    /// An account as of the versions that may be read.
    fn account(&mut self, address: Address) -> Result<Option<AccountInfo>, S::Error> {
        if address == self.beneficiary {
            return Ok(self.info(self.beneficiary_state, address));
        }
        let hash = account_hash(&address);
        if self.may_be_written(hash)
            && let Some(state) = self.memory.account(&address, hash, self.version)
        {
            return Ok(self.info(state, address));
        }
        if let Some(known) = self.contracts.get(&address) {
            return Ok(Some(known.clone()));
        }
        let Some(mut info) = self.base.basic_ref(address)? else { return Ok(None) };
        if info.account_id.is_some() {
            self.memory.mark(address);
        }
        if info.is_empty_code_hash() {
            info.code = Some(self.empty_code.clone());
        } else {
            // The base state's own code is shared by all workers; each takes it from its cache instead.
            info.code = None;
            self.contracts.insert(address, info.clone());
        }
        Ok(Some(info))
    }
}

impl<S: DatabaseRef> Database for View<'_, S> {
    type Error = S::Error;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, S::Error> {
        let mut info = self.account(address)?;
        self.guess_nonce(address, &mut info);
        Ok(info)
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, S::Error> {
        let (memory, base) = (self.memory, self.base);
        self.codes.get(code_hash, || memory.code(&code_hash).map_or_else(|| base.code_by_hash_ref(code_hash), Ok))
    }

    fn storage(&mut self, address: Address, slot: StorageKey) -> Result<StorageValue, S::Error> {
        let account = account_hash(&address);
        let hash = slot_hash(account, &slot);
        if (self.may_be_written(hash) || self.may_be_cleared(account))
            && let Some(value) = self.memory.slot(&address, &slot, hash, self.version)
        {
            return Ok(value);
        }
        self.buffers.slot(address, slot, hash, || self.base.storage_ref(address, slot))
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, S::Error> {
        self.base.block_hash_ref(number)
    }
}

/// The part of a hash that filters and events keep.
pub(crate) const fn short(hash: u64) -> u32 {
    (hash >> 32) as u32
}

fn set(filter: &mut [u64], hash: u32) {
    let bit = hash as usize;
    let word = (bit / 64) & (filter.len() - 1);
    filter[word] |= 1 << (bit % 64);
}

impl<S> HasHashes for View<'_, S> {
    fn hashes(&mut self) -> &mut Hashes {
        &mut self.buffers.hashes
    }
}
