//! The state before any transaction of a block, as the block's access list tells it.
//!
//! The list says what changed; what it does not mention is as in the parent's state. A list that lies gives values that
//! were never there: whoever executes from it compares what each transaction left with the list, and finds the first lie,
//! for everything before that was true.
//!
//! Accounts and slots of a list are numbered, in its order, so that who has looked one up can note things about it without
//! hashing again.
//!
//! Not for blocks before Cancun, where an account may lose slots that the list does not name.

use alloy_eips::eip7928::{AccountChanges, BlockAccessIndex, StorageChange};
use alloy_primitives::{
    Address, B256, Bytes, U256,
    map::{AddressMap, B256Map, HashMap},
};
use revm::{DatabaseRef, bytecode::Bytecode, primitives::KECCAK_EMPTY, state::AccountInfo};

/// See the [module](self). Made once, read by many threads: a read is two look-ups in hash maps at most and a binary search.
#[derive(Debug)]
pub struct GivenState<'a> {
    list: &'a [AccountChanges],
    /// Numbers of the accounts: their positions in the list.
    accounts: AddressMap<usize>,
    /// Numbers of the slots, by the number of their account.
    slots: HashMap<(usize, U256), usize>,
    /// The number of each account's first slot. An account's changed slots come first, then those that were read.
    first_slots: Vec<usize>,
    /// Analysed code, by its hash.
    codes: B256Map<Bytecode>,
    /// Hashes of the code changes of those accounts that have some.
    code_hashes: HashMap<usize, Vec<B256>>,
}

/// What a list says about an account before some index; `None`: as in the parent's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GivenInfo {
    /// Its balance.
    pub balance: Option<U256>,
    /// Its nonce.
    pub nonce: Option<u64>,
    /// The hash of its code, which [`GivenState::code`] has.
    pub code_hash: Option<B256>,
}

impl<'a> GivenState<'a> {
    /// The view of a list in canonical order.
    pub fn new(list: &'a [AccountChanges]) -> Self {
        let slots = list.iter().map(|account| account.storage_changes.len() + account.storage_reads.len()).sum();
        let mut given = Self {
            list,
            accounts: AddressMap::with_capacity_and_hasher(list.len(), Default::default()),
            slots: HashMap::with_capacity_and_hasher(slots, Default::default()),
            first_slots: Vec::with_capacity(list.len()),
            codes: B256Map::default(),
            code_hashes: HashMap::default(),
        };
        for (number, account) in list.iter().enumerate() {
            given.add(number, account);
        }
        given
    }

    fn add(&mut self, number: usize, account: &AccountChanges) {
        self.accounts.insert(account.address, number);
        self.first_slots.push(self.slots.len());
        let changed = account.storage_changes.iter().map(|change| change.slot);
        for slot in changed.chain(account.storage_reads.iter().copied()) {
            let next = self.slots.len();
            self.slots.insert((number, slot), next);
        }
        for change in &account.code_changes {
            let code = bytecode(&change.new_code);
            let hash = code.hash_slow();
            self.codes.insert(hash, code);
            self.code_hashes.entry(number).or_default().push(hash);
        }
    }

    /// How many accounts there are. Their numbers are below that.
    pub fn accounts(&self) -> usize {
        self.list.len()
    }

    /// How many slots there are. Their numbers are below that.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The number of an account, if it is listed.
    pub fn account_number(&self, address: &Address) -> Option<usize> {
        self.accounts.get(address).copied()
    }

    /// The number of a slot of the account with a number, if it is listed.
    pub fn slot_number(&self, account: usize, slot: U256) -> Option<usize> {
        self.slots.get(&(account, slot)).copied()
    }

    /// The changes of a slot by its number and that of its account; empty if it was only read.
    pub fn slot_changes(&self, account: usize, slot: usize) -> &'a [StorageChange] {
        let changes = &self.list[account].storage_changes;
        changes.get(slot - self.first_slots[account]).map_or(&[], |slot| &slot.changes)
    }

    /// What is known about the account with a number just before `index`.
    pub fn account_at(&self, number: usize, index: BlockAccessIndex) -> GivenInfo {
        let changes = &self.list[number];
        let balance = last_below(&changes.balance_changes, index, |change| change.block_access_index);
        let nonce = last_below(&changes.nonce_changes, index, |change| change.block_access_index);
        let code = last_below(&changes.code_changes, index, |change| change.block_access_index);
        GivenInfo {
            balance: balance.map(|position| changes.balance_changes[position].post_balance),
            nonce: nonce.map(|position| changes.nonce_changes[position].new_nonce),
            code_hash: code.map(|position| self.code_hashes[&number][position]),
        }
    }

    /// What is known about an account just before `index`.
    pub fn account(&self, address: Address, index: BlockAccessIndex) -> GivenInfo {
        self.account_number(&address).map(|number| self.account_at(number, index)).unwrap_or_default()
    }

    /// The value of a slot just before `index`; `None`: as in the parent's state.
    pub fn slot(&self, address: Address, slot: U256, index: BlockAccessIndex) -> Option<U256> {
        let account = self.account_number(&address)?;
        value_before(self.slot_changes(account, self.slot_number(account, slot)?), index)
    }

    /// Code that the list names, by its hash; the code keeps its hash.
    pub fn code(&self, hash: &B256) -> Option<&Bytecode> {
        self.codes.get(hash)
    }
}

impl GivenInfo {
    /// The account, if the parent's state has it as `base`. As EIP-161 has it since Spurious Dragon, an account that is left
    /// empty is none. Code is named by its hash alone.
    pub fn over(self, base: Option<AccountInfo>) -> Option<AccountInfo> {
        if self == Self::default() {
            return base;
        }
        let mut info = base.unwrap_or_default();
        info.balance = self.balance.unwrap_or(info.balance);
        info.nonce = self.nonce.unwrap_or(info.nonce);
        if let Some(hash) = self.code_hash {
            info.code_hash = hash;
            info.code = (hash == KECCAK_EMPTY).then(Bytecode::default);
        }
        (!info.is_empty()).then_some(info)
    }
}

/// The state just before an index: what the list says below it, else the parent's state.
#[derive(Debug)]
pub struct StateBefore<'a, S> {
    /// The parent's state.
    pub base: &'a S,
    /// What the block's list says.
    pub given: &'a GivenState<'a>,
    /// The index.
    pub index: BlockAccessIndex,
}

impl<S: DatabaseRef> DatabaseRef for StateBefore<'_, S> {
    type Error = S::Error;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, S::Error> {
        Ok(self.given.account(address, self.index).over(self.base.basic_ref(address)?))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, S::Error> {
        match self.given.code(&code_hash) {
            Some(code) => Ok(code.clone()),
            None => self.base.code_by_hash_ref(code_hash),
        }
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, S::Error> {
        let given = self.given.slot(address, slot, self.index);
        given.map_or_else(|| self.base.storage_ref(address, slot), Ok)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, S::Error> {
        self.base.block_hash_ref(number)
    }
}

/// The value that changes of a slot left just before an index.
pub(crate) fn value_before(changes: &[StorageChange], index: BlockAccessIndex) -> Option<U256> {
    last_below(changes, index, |change| change.block_access_index).map(|position| changes[position].new_value)
}

/// Code that only looks like a delegation is no code that a transaction can leave, so what becomes of it does not matter: the
/// list will be found wrong.
fn bytecode(code: &Bytes) -> Bytecode {
    Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code.clone()))
}

/// The position of the last change with an index below `index`.
fn last_below<T>(changes: &[T], index: BlockAccessIndex, index_of: impl Fn(&T) -> BlockAccessIndex) -> Option<usize> {
    changes.partition_point(|change| index_of(change) < index).checked_sub(1)
}
