//! The state that blocks begin with, as ordered maps, and reads of it that take their time or fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU64, Ordering},
};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use braid_exec::eip7610::mark_storage;
use braid_types::{StateChanges, changes::AccountState};
use revm::{
    DatabaseRef,
    bytecode::Bytecode,
    database::states::{PlainStorageChangeset, StateChangeset},
    database_interface::DBErrorMarker,
    state::AccountInfo,
};

use crate::random::mix;

/// Accounts with their storage, and byte code.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub accounts: BTreeMap<Address, Stored>,
    codes: BTreeMap<B256, Bytecode>,
}

/// An account that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    pub state: AccountState,
    /// Slots that are not zero.
    pub storage: BTreeMap<U256, U256>,
}

impl World {
    /// An account without code.
    pub fn put(&mut self, address: Address, balance: U256, nonce: u64) {
        self.accounts.entry(address).or_default().state = AccountState { nonce, balance, ..AccountState::default() };
    }

    /// A contract without balance.
    pub fn deploy(&mut self, address: Address, code: &[u8]) {
        let hash = keccak256(code);
        self.codes.insert(hash, Bytecode::new_raw(Bytes::copy_from_slice(code)));
        self.accounts.entry(address).or_default().state =
            AccountState { nonce: 1, balance: U256::ZERO, code_hash: hash };
    }

    pub fn set(&mut self, address: Address, slot: u64, value: U256) {
        self.accounts.entry(address).or_default().storage.insert(U256::from(slot), value);
    }

    pub fn set_balance(&mut self, address: Address, balance: U256) {
        self.accounts.entry(address).or_default().state.balance = balance;
    }

    /// Takes over what a block changed.
    pub fn apply(&mut self, changes: &StateChanges) {
        self.codes.extend(changes.codes.iter().map(|(hash, code)| (*hash, Bytecode::new_raw(code.clone()))));
        for (address, change) in &changes.accounts {
            let Some(state) = change.account else {
                self.accounts.remove(address);
                continue;
            };
            let stored = self.accounts.entry(*address).or_default();
            stored.state = state;
            if change.storage_cleared {
                stored.storage.clear();
            }
            write(&mut stored.storage, change.storage.iter().map(|(slot, value)| (*slot, *value)));
        }
    }

    /// Takes over what revm's own bookkeeping says.
    pub fn apply_plain(&mut self, changes: StateChangeset) {
        self.codes.extend(changes.contracts);
        for (address, info) in changes.accounts {
            match info {
                Some(info) => self.accounts.entry(address).or_default().state = state(&info),
                None => drop(self.accounts.remove(&address)),
            }
        }
        for PlainStorageChangeset { address, wipe_storage, storage } in changes.storage {
            let Some(stored) = self.accounts.get_mut(&address) else { continue };
            if wipe_storage {
                stored.storage.clear();
            }
            write(&mut stored.storage, storage);
        }
    }

    /// Whether a creation could meet storage (EIP-7610), which revm alone does not look at.
    pub fn has_marked(&self) -> bool {
        self.accounts.values().any(Stored::is_marked)
    }
}

impl Stored {
    fn is_marked(&self) -> bool {
        !self.storage.is_empty() && self.state.nonce == 0 && self.state.code_hash == AccountState::default().code_hash
    }
}

fn write(storage: &mut BTreeMap<U256, U256>, slots: impl IntoIterator<Item = (U256, U256)>) {
    for (slot, value) in slots {
        if value.is_zero() {
            storage.remove(&slot)
        } else {
            storage.insert(slot, value)
        };
    }
}

fn state(info: &AccountInfo) -> AccountState {
    AccountState { nonce: info.nonce, balance: info.balance, code_hash: info.code_hash }
}

/// Something that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    Account(Address),
    Slot(Address, U256),
    Code(B256),
}

/// A read that fails.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} cannot be read")]
pub struct Unreadable(pub Read);

impl DBErrorMarker for Unreadable {}

/// A [`World`] as executors read it.
#[derive(Debug, Default)]
pub struct Base {
    pub world: World,
    /// Reads that fail, always.
    pub faults: BTreeSet<Read>,
    /// Whether reads take a random time.
    pub is_slow: bool,
    /// Whether accounts come with their code.
    pub has_inline_code: bool,
    reads: AtomicU64,
}

impl Base {
    pub fn new(world: World) -> Self {
        Self { world, ..Self::default() }
    }

    fn read(&self, read: Read) -> Result<(), Unreadable> {
        if self.is_slow {
            pause(mix(self.reads.fetch_add(1, Ordering::Relaxed)));
        }
        if self.faults.contains(&read) { Err(Unreadable(read)) } else { Ok(()) }
    }
}

/// Lets others go first, at random: not at all, or for up to some ten microseconds.
fn pause(random: u64) {
    match random % 32 {
        0..=5 => std::thread::yield_now(),
        6..=9 => (0..random / 32 % 4_000).for_each(|_| std::hint::spin_loop()),
        10 => std::thread::sleep(std::time::Duration::from_micros(random / 32 % 40)),
        _ => {}
    }
}

impl DatabaseRef for Base {
    type Error = Unreadable;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Unreadable> {
        self.read(Read::Account(address))?;
        let Some(stored) = self.world.accounts.get(&address) else { return Ok(None) };
        let AccountState { nonce, balance, code_hash } = stored.state;
        let code = self.world.codes.get(&code_hash).filter(|_| self.has_inline_code).cloned();
        let mut info = AccountInfo { nonce, balance, code_hash, code, ..AccountInfo::default() };
        if stored.is_marked() {
            mark_storage(&mut info);
        }
        Ok(Some(info))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Unreadable> {
        self.read(Read::Code(code_hash))?;
        self.world.codes.get(&code_hash).cloned().ok_or(Unreadable(Read::Code(code_hash)))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Unreadable> {
        self.read(Read::Slot(address, slot))?;
        let stored = self.world.accounts.get(&address);
        Ok(stored.and_then(|stored| stored.storage.get(&slot)).copied().unwrap_or_default())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Unreadable> {
        Ok(keccak256(number.to_be_bytes()))
    }
}
