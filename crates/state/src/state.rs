//! The state at one point in time: all accounts and slots in a persistent Merkle-Patricia trie.
//!
//! The account trie's leaves hold each account with its storage trie. [`State::apply`] copies the paths that change
//! (see [`crate::trie`]), so that every state ever handed out stays valid and two neighbours share almost all of
//! their memory.

use std::{ops::ControlFlow, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::{Encodable, Header};
use alloy_trie::EMPTY_ROOT_HASH;
use braid_types::{StateChanges, changes::AccountState};
use rayon::prelude::*;

use crate::{
    codes::Codes,
    error::CodeError,
    hashed::{HashedAccount, HashedChanges, hash_changes},
    pager::Pager,
    trie::{self, Child, Op, Value},
    workers::with_workers,
};

/// Changed accounts of one block from which their storage tries are updated in parallel.
const PARALLEL_ACCOUNTS: usize = 16;

/// An immutable state. Cloning is a reference count; [`State::apply`] shares what did not change.
#[derive(Clone, Debug)]
pub struct State(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    accounts: Option<Child<AccountLeaf>>,
    root: B256,
    count: u64,
    codes: Arc<Codes>,
    /// What leaves accounts and slots out of memory; `None`: nothing does.
    pager: Option<Arc<Pager>>,
}

/// An account with its storage.
#[derive(Clone, Debug)]
pub(crate) struct AccountLeaf {
    pub(crate) account: AccountState,
    pub(crate) storage: Option<Child<U256>>,
}

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

/// Calls its second argument with the slots of an account from a hashed slot on, in order, until it breaks.
pub(crate) type Slots<'a> = &'a dyn Fn(&B256, &mut dyn FnMut(&B256, &U256) -> ControlFlow<()>);

/// One differing key of two states, with hashed keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// An account other than its storage; `None`: it does not exist.
    Account { key: B256, old: Option<AccountState>, new: Option<AccountState> },
    /// A slot; zero: absent.
    Slot { account: B256, slot: B256, old: U256, new: U256 },
}

impl Value for U256 {
    fn write(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}

impl AccountLeaf {
    fn storage_root(&self) -> B256 {
        trie::root_hash(self.storage.as_ref())
    }
}

impl PartialEq for AccountLeaf {
    fn eq(&self, other: &Self) -> bool {
        self.account == other.account && self.storage_root() == other.storage_root()
    }
}

impl Value for AccountLeaf {
    fn write(&self, out: &mut Vec<u8>) {
        let AccountState { nonce, balance, code_hash } = &self.account;
        let payload_length = nonce.length() + balance.length() + 33 + 33;
        Header { list: true, payload_length }.encode(out);
        nonce.encode(out);
        balance.encode(out);
        self.storage_root().encode(out);
        code_hash.encode(out);
    }
}

impl State {
    /// The state without accounts, that knows no code and no disk.
    pub fn empty() -> Self {
        Self::with_accounts(None, 0, Arc::default(), None)
    }

    /// The state of some accounts, over a table of codes.
    pub(crate) fn with_accounts(
        accounts: Option<Child<AccountLeaf>>,
        count: u64,
        codes: Arc<Codes>,
        pager: Option<Arc<Pager>>,
    ) -> Self {
        let root = trie::root_hash(accounts.as_ref());
        Self(Arc::new(Inner { accounts, root, count, codes, pager }))
    }

    /// The same accounts, with code from another table, and left out of memory by another pager.
    pub(crate) fn over(self, codes: &Arc<Codes>, pager: Option<&Arc<Pager>>) -> Self {
        if Arc::ptr_eq(&self.0.codes, codes) {
            return self;
        }
        let Inner { accounts, count, .. } = &*self.0;
        Self::with_accounts(accounts.clone(), *count, Arc::clone(codes), pager.cloned())
    }

    /// The same state with less of it in memory, where its store was given a limit and it takes more. For the states of a chain: what is derived
    /// from this one has as little in memory.
    pub fn trimmed(self) -> Self {
        let Inner { accounts, count, codes, pager, .. } = &*self.0;
        let (Some(accounts), Some(pager)) = (accounts, pager) else { return self };
        match pager.trim(accounts) {
            Some(trimmed) => Self::with_accounts(Some(trimmed), *count, Arc::clone(codes), Some(Arc::clone(pager))),
            None => self,
        }
    }

    pub(crate) fn accounts(&self) -> Option<&Child<AccountLeaf>> {
        self.0.accounts.as_ref()
    }

    /// Ethereum's state root.
    pub fn root(&self) -> B256 {
        self.0.root
    }

    /// Number of accounts.
    pub fn account_count(&self) -> u64 {
        self.0.count
    }

    /// The state after `changes`, its root computed with all cores.
    pub fn apply(&self, changes: &StateChanges) -> Self {
        self.0.codes.add(&changes.codes);
        if changes.accounts.is_empty() {
            return self.clone();
        }
        let keys = changes.accounts.values().map(|change| 1 + change.storage.len()).sum();
        with_workers(keys, || self.apply_hashed(&hash_changes(changes)))
    }

    /// The state after changes of hashed keys.
    pub(crate) fn apply_hashed(&self, changes: &HashedChanges) -> Self {
        let old = self.0.accounts.as_ref();
        let steps: Vec<(Op<AccountLeaf>, i64)> = changes
            .par_chunks(PARALLEL_ACCOUNTS)
            .flat_map_iter(|changes| {
                trie::prefetch(old, changes.iter().map(|change| &change.key));
                changes.iter().map(|change| {
                    let before = trie::get(old, &change.key);
                    let after = leaf_after(before, change);
                    let added = i64::from(after.is_some()) - i64::from(before.is_some());
                    ((change.key, after), added)
                })
            })
            .collect();
        let added: i64 = steps.iter().map(|(_, added)| added).sum();
        let ops: Vec<_> = steps.into_iter().map(|(op, _)| op).collect();
        let count = self.0.count.saturating_add_signed(added);
        Self::with_accounts(trie::update(old, &ops), count, Arc::clone(&self.0.codes), self.0.pager.clone())
    }

    /// An account, if it exists.
    pub fn account(&self, address: Address) -> Option<AccountState> {
        self.leaf(&keccak256(address)).map(|leaf| leaf.account)
    }

    /// A storage slot; zero if absent.
    pub fn storage(&self, address: Address, slot: U256) -> U256 {
        self.hashed_slot(&keccak256(address), &keccak256(slot.to_be_bytes::<32>()))
    }

    /// Whether the account has any storage, as EIP-7610 asks before a contract is created.
    pub fn has_storage(&self, address: Address) -> bool {
        self.leaf(&keccak256(address)).is_some_and(|leaf| leaf.storage.is_some())
    }

    /// Byte code by hash; empty for the hash of nothing.
    ///
    /// # Errors
    /// If the code is not known.
    pub fn code(&self, hash: B256) -> Result<Bytes, CodeError> {
        self.0.codes.get(hash)
    }

    /// Merkle proofs of an account and some of its slots, present or absent.
    pub fn prove(&self, address: Address, slots: &[U256]) -> AccountProof {
        let key = keccak256(address);
        let leaf = self.leaf(&key);
        let storage = leaf.and_then(|leaf| leaf.storage.as_ref());
        let prove_slot = |&slot: &U256| {
            let key = keccak256(slot.to_be_bytes::<32>());
            let value = trie::get(storage, &key).copied().unwrap_or_default();
            StorageProof { slot, value, nodes: trie::prove(storage, &key) }
        };
        AccountProof {
            account: leaf.map(|leaf| leaf.account),
            storage_root: leaf.map_or(EMPTY_ROOT_HASH, AccountLeaf::storage_root),
            nodes: trie::prove(self.0.accounts.as_ref(), &key),
            storage: slots.iter().map(prove_slot).collect(),
        }
    }

    /// Calls `visit` with the hash of every address, the account, and its slots by hash, in the order of hashes.
    pub fn for_each(&self, mut visit: impl FnMut(B256, AccountState, &mut dyn Iterator<Item = (B256, U256)>)) {
        trie::for_each(self.0.accounts.as_ref(), &mut |key, leaf: &AccountLeaf| {
            let mut slots = Vec::new();
            trie::for_each(leaf.storage.as_ref(), &mut |slot, value: &U256| slots.push((*slot, *value)));
            visit(*key, leaf.account, &mut slots.into_iter());
        });
    }

    /// Calls `visit` with every account whose hashed address is not below `from`, in order, until it breaks. The third argument
    /// visits the account's slots, from a hashed slot on, likewise.
    pub(crate) fn walk_from<B>(
        &self,
        from: &B256,
        visit: &mut impl FnMut(&B256, AccountState, Slots<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        trie::walk_from(self.0.accounts.as_ref(), from, &mut |key, leaf: &AccountLeaf| {
            let slots = |from: &B256, visit: &mut dyn FnMut(&B256, &U256) -> ControlFlow<()>| {
                // Whether the caller has seen enough is the caller's to know.
                let _ = trie::walk_from(leaf.storage.as_ref(), from, &mut |slot, value: &U256| visit(slot, value));
            };
            visit(key, leaf.account, &slots)
        })
    }

    /// Every key whose value differs between `self` and `new`; sub-tries that both share cost nothing.
    pub(crate) fn diff(&self, new: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        trie::diff(self.0.accounts.as_ref(), new.0.accounts.as_ref(), &mut |key, old, new| {
            let account = |leaf: Option<&AccountLeaf>| leaf.map(|leaf| leaf.account);
            if account(old) != account(new) {
                found.push(Difference::Account { key: *key, old: account(old), new: account(new) });
            }
            let storage = |leaf: Option<&'_ AccountLeaf>| leaf.and_then(|leaf| leaf.storage.clone());
            let (old, new) = (storage(old), storage(new));
            trie::diff(old.as_ref(), new.as_ref(), &mut |slot, old, new| {
                let [old, new] = [old, new].map(|value| value.copied().unwrap_or_default());
                found.push(Difference::Slot { account: *key, slot: *slot, old, new });
            });
        });
        found
    }

    /// A slot by hashed keys.
    pub(crate) fn hashed_slot(&self, account: &B256, slot: &B256) -> U256 {
        let storage = self.leaf(account).and_then(|leaf| leaf.storage.as_ref());
        trie::get(storage, slot).copied().unwrap_or_default()
    }

    /// An account by hashed address.
    pub(crate) fn hashed_account(&self, key: &B256) -> Option<AccountState> {
        self.leaf(key).map(|leaf| leaf.account)
    }

    fn leaf(&self, key: &B256) -> Option<&AccountLeaf> {
        trie::get(self.0.accounts.as_ref(), key)
    }
}

/// The leaf of an account after a change, its storage trie with it.
fn leaf_after(before: Option<&AccountLeaf>, change: &HashedAccount) -> Option<AccountLeaf> {
    if change.cleared || change.account.is_none() {
        // What older states have of it is about to go from the disk.
        trie::load(before.and_then(|leaf| leaf.storage.as_ref()));
    }
    let account = change.account?;
    let old = before.filter(|_| !change.cleared).and_then(|leaf| leaf.storage.as_ref());
    let ops: Vec<Op<U256>> =
        change.slots.iter().map(|(slot, value)| (*slot, (!value.is_zero()).then_some(*value))).collect();
    let storage = if ops.is_empty() { old.cloned() } else { trie::update(old, &ops) };
    Some(AccountLeaf { account, storage })
}

#[cfg(test)]
mod tests;
