//! The state before any transaction of a block, as the block's access list tells it.
//!
//! The list says what changed; what it does not mention is as in the parent's state. A list that lies gives values that
//! were never there: whoever executes from it compares what each transaction left with the list, and finds the first lie,
//! for everything before that was true.
//!
//! Not for blocks before Cancun, where an account may lose slots that the list does not name.

use alloy_eips::eip7928::{AccountChanges, BlockAccessIndex, StorageChange};
use alloy_primitives::{
    Address, B256, Bytes, U256,
    map::{AddressMap, U256Map},
};
use revm::{DatabaseRef, bytecode::Bytecode, state::AccountInfo};

/// See the [module](self). Made once, read by many threads: a read is two look-ups in hash maps at most and a binary search.
#[derive(Debug)]
pub struct GivenState<'a> {
    accounts: AddressMap<GivenAccount<'a>>,
}

#[derive(Debug)]
struct GivenAccount<'a> {
    changes: &'a AccountChanges,
    slots: U256Map<&'a [StorageChange]>,
    /// Analysed code, in the order of the code changes.
    codes: Vec<Bytecode>,
}

/// What a list says about an account before some index; `None`: as in the parent's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GivenInfo<'a> {
    /// Its balance.
    pub balance: Option<U256>,
    /// Its nonce.
    pub nonce: Option<u64>,
    /// Its code; [`Bytecode::hash_slow`] is the hash, which was computed when the view was made.
    pub code: Option<&'a Bytecode>,
}

impl<'a> GivenState<'a> {
    /// The view of a list in canonical order.
    pub fn new(list: &'a [AccountChanges]) -> Self {
        let accounts = list.iter().map(|account| (account.address, GivenAccount::new(account))).collect();
        Self { accounts }
    }

    /// What is known about an account just before `index`.
    pub fn account(&self, address: Address, index: BlockAccessIndex) -> GivenInfo<'_> {
        let Some(GivenAccount { changes, codes, .. }) = self.accounts.get(&address) else {
            return GivenInfo::default();
        };
        let balance = last_below(&changes.balance_changes, index, |change| change.block_access_index);
        let nonce = last_below(&changes.nonce_changes, index, |change| change.block_access_index);
        let code = last_below(&changes.code_changes, index, |change| change.block_access_index);
        GivenInfo {
            balance: balance.map(|position| changes.balance_changes[position].post_balance),
            nonce: nonce.map(|position| changes.nonce_changes[position].new_nonce),
            code: code.map(|position| &codes[position]),
        }
    }

    /// The value of a slot just before `index`; `None`: as in the parent's state.
    pub fn slot(&self, address: Address, slot: U256, index: BlockAccessIndex) -> Option<U256> {
        let changes = self.accounts.get(&address)?.slots.get(&slot)?;
        let position = last_below(changes, index, |change| change.block_access_index)?;
        Some(changes[position].new_value)
    }
}

impl<'a> GivenAccount<'a> {
    fn new(changes: &'a AccountChanges) -> Self {
        let slots = changes.storage_changes.iter().map(|slot| (slot.slot, slot.changes.as_slice())).collect();
        let codes = changes.code_changes.iter().map(|change| bytecode(&change.new_code)).collect();
        Self { changes, slots, codes }
    }
}

/// The state just before an index: what the list says below it, else the parent's state. As EIP-161 has it since Spurious
/// Dragon, an empty account is none.
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
        let base = self.base.basic_ref(address)?;
        let given = self.given.account(address, self.index);
        if given == GivenInfo::default() {
            return Ok(base);
        }
        let mut info = base.unwrap_or_default();
        info.balance = given.balance.unwrap_or(info.balance);
        info.nonce = given.nonce.unwrap_or(info.nonce);
        if let Some(code) = given.code {
            info.code_hash = code.hash_slow();
            info.code = Some(code.clone());
        }
        Ok((!info.is_empty()).then_some(info))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, S::Error> {
        self.base.code_by_hash_ref(code_hash)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, S::Error> {
        let given = self.given.slot(address, slot, self.index);
        given.map_or_else(|| self.base.storage_ref(address, slot), Ok)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, S::Error> {
        self.base.block_hash_ref(number)
    }
}

/// Code that only looks like a delegation is no code that a transaction can leave, so what becomes of it does not matter: the
/// list will be found wrong.
fn bytecode(code: &Bytes) -> Bytecode {
    let bytecode = Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code.clone()));
    // Computes the hash, which the code then keeps.
    let _ = bytecode.hash_slow();
    bytecode
}

/// The position of the last change with an index below `index`.
fn last_below<T>(changes: &[T], index: BlockAccessIndex, index_of: impl Fn(&T) -> BlockAccessIndex) -> Option<usize> {
    changes.partition_point(|change| index_of(change) < index).checked_sub(1)
}
