//! A model of a chain with its states, in plain maps, and blocks made from it.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "shared by test files, each of which uses a part"
)]

use std::{collections::BTreeMap, path::Path, sync::Arc};

use alloy_consensus::{Header, Receipt, ReceiptEnvelope, SignableTransaction, TxLegacy, transaction::Recovered};
use alloy_primitives::{Address, B256, Bytes, Log, Signature, TxKind, U256, keccak256};
use alloy_trie::KECCAK_EMPTY;
use braid_state::{State, Store, StoreError, StoreOptions};
use braid_types::{AccountChange, Block, ExecutedBlock, StateChanges, Transaction, TxIndex, changes::AccountState};
use proptest::prelude::*;

/// Options under which nothing is checkpointed unless a test asks.
pub fn manual() -> StoreOptions {
    StoreOptions {
        history: None,
        checkpoint_interval_ms: 3_600_000,
        checkpoint_size_bytes: 1 << 40,
        memory_bytes: None,
    }
}

/// The same with as little of the state in memory as can be.
pub fn without_memory() -> StoreOptions {
    StoreOptions { memory_bytes: Some(0), ..manual() }
}

pub type World = BTreeMap<Address, (AccountState, BTreeMap<U256, U256>)>;

/// One height of the model.
#[derive(Clone, Debug)]
pub struct Step {
    pub block: Arc<ExecutedBlock>,
    pub world: World,
    pub root: B256,
}

/// The chain as it must be.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub steps: Vec<Step>,
    pub made: u64,
}

pub fn apply(world: &mut World, changes: &StateChanges) {
    for (address, change) in &changes.accounts {
        let mut storage = world.remove(address).map(|(_, storage)| storage).unwrap_or_default();
        if change.storage_cleared {
            storage.clear();
        }
        for (slot, value) in &change.storage {
            if value.is_zero() {
                storage.remove(slot)
            } else {
                storage.insert(*slot, *value)
            };
        }
        if let Some(account) = change.account {
            world.insert(*address, (account, storage));
        }
    }
}

impl Model {
    pub fn head(&self) -> &Step {
        self.steps.last().unwrap()
    }

    /// Makes the next block from `changes`, commits it to the store, and adds it to the model.
    pub fn commit(&mut self, store: &Store, changes: &StateChanges) {
        self.try_commit(store, changes, |_| ()).unwrap();
    }

    /// The same where the store may fail. `before` sees the block before it is committed.
    pub fn try_commit(
        &mut self,
        store: &Store,
        changes: &StateChanges,
        before: impl FnOnce(&ExecutedBlock),
    ) -> Result<(), StoreError> {
        let state = store.head().map_or_else(State::empty, |head| head.state.clone()).apply(changes).trimmed();
        let mut world = self.steps.last().map(|step| step.world.clone()).unwrap_or_default();
        apply(&mut world, changes);
        let block = self.next_block(state.root());
        before(&block);
        self.steps.push(Step { block: block.clone(), world, root: state.root() });
        let head = store.commit(block, changes, state)?;
        assert_eq!(head.block.hash, self.head().block.hash);
        Ok(())
    }

    /// Takes over the blocks of a store up to a height, so that the next one stands on them. What they changed is not known.
    pub fn follow(&mut self, store: &Store, height: u64) {
        for height in 0..=height {
            let block = store.block(height).unwrap().unwrap();
            self.steps.push(Step { root: block.block.header.state_root, block, world: World::new() });
        }
    }

    fn next_block(&mut self, state_root: B256) -> Arc<ExecutedBlock> {
        self.made += 1;
        let parent_hash = self.steps.last().map(|step| step.block.hash).unwrap_or_default();
        let number = self.steps.len() as u64;
        let header = Header { number, parent_hash, state_root, timestamp: self.made, ..Header::default() };
        let transactions = (0..self.made % 3).map(|index| transaction(self.made * 10 + index)).collect::<Vec<_>>();
        let receipts = transactions.iter().map(|_| receipt(self.made)).collect();
        let hash = header.hash_slow();
        let total_difficulty = U256::from(number);
        let block = Block { header, transactions, ommers: Vec::new(), withdrawals: Some(Vec::new()) };
        Arc::new(ExecutedBlock { hash, block, receipts, total_difficulty })
    }

    pub fn override_state(&mut self, store: &Store, changes: &StateChanges) {
        let head = store.override_state(changes).unwrap();
        let step = self.steps.last_mut().unwrap();
        apply(&mut step.world, changes);
        step.root = head.state.root();
    }

    /// Checks the head, and every block and state from `from` on.
    pub fn check(&self, store: &Store, from: usize) {
        let head = store.head().unwrap();
        assert_eq!(head.block, self.head().block);
        assert_eq!(head.state.root(), self.head().root);
        assert_eq!(head.state.account_count(), self.head().world.len() as u64);
        for (height, step) in self.steps.iter().enumerate() {
            check_block(store, height as u64, &step.block);
            if height >= from {
                self.check_state(store, height as u64, &step.world);
            }
        }
        let above = self.steps.len() as u64;
        assert!(store.block(above).unwrap().is_none());
        assert!(store.state_at(above).is_err());
    }

    fn check_state(&self, store: &Store, height: u64, world: &World) {
        let state = store.state_at(height).unwrap();
        for address in (0..ADDRESSES).map(address) {
            let expected = world.get(&address);
            assert_eq!(state.account(address).unwrap(), expected.map(|(account, _)| *account), "height {height}");
            for slot in (0..SLOTS).map(U256::from) {
                let value = expected.and_then(|(_, storage)| storage.get(&slot)).copied().unwrap_or_default();
                assert_eq!(state.storage(address, slot).unwrap(), value, "height {height}");
            }
            if let Some((account, _)) = expected {
                assert_eq!(keccak256(state.code(account.code_hash).unwrap()), account.code_hash);
            }
        }
    }
}

fn check_block(store: &Store, height: u64, block: &ExecutedBlock) {
    assert_eq!(*store.block(height).unwrap().unwrap(), *block);
    assert_eq!(store.hash(height).unwrap(), Some(block.hash));
    assert_eq!(store.height(block.hash).unwrap(), Some(height));
    for (index, transaction) in (0u32..).zip(&block.block.transactions) {
        let place = store.transaction(*transaction.inner().hash()).unwrap();
        assert_eq!(place, Some((height, TxIndex(index))));
    }
}

pub const ADDRESSES: u8 = 6;
pub const SLOTS: u8 = 6;

pub fn address(index: u8) -> Address {
    Address::repeat_byte(index + 1)
}

pub fn code(index: u8) -> Bytes {
    Bytes::from(vec![0x60, index])
}

fn transaction(seed: u64) -> braid_types::RecoveredTx {
    let transaction = TxLegacy { nonce: seed, to: TxKind::Call(address(1)), ..TxLegacy::default() };
    let signature = Signature::new(U256::from(seed + 1), U256::from(1), false);
    let signed = Transaction::Legacy(transaction.into_signed(signature));
    Arc::new(Recovered::new_unchecked(signed, address(0)))
}

fn receipt(seed: u64) -> braid_types::Receipt {
    let log = Log::new_unchecked(address(2), vec![B256::with_last_byte(7)], Bytes::from(seed.to_be_bytes().to_vec()));
    let receipt = Receipt { status: true.into(), cumulative_gas_used: seed, logs: vec![log] };
    ReceiptEnvelope::Legacy(receipt.with_bloom())
}

pub fn changes() -> impl Strategy<Value = StateChanges> {
    let account = prop_oneof![
        1 => Just(None),
        4 => (0..3u64, 0..5u64, prop::option::of(0..3u8)).prop_map(|(nonce, balance, code_index)| {
            let code_hash = code_index.map_or(KECCAK_EMPTY, |index| keccak256(code(index)));
            Some(AccountState { nonce, balance: U256::from(balance), code_hash })
        }),
    ];
    let storage = prop::collection::btree_map((0..SLOTS).prop_map(U256::from), (0..4u8).prop_map(U256::from), 0..5);
    let change = (account, prop::bool::weighted(0.15), storage).prop_map(|(account, cleared, storage)| {
        let storage = if account.is_some() { storage } else { BTreeMap::new() };
        AccountChange { account, storage_cleared: cleared || account.is_none(), storage }
    });
    prop::collection::btree_map((0..ADDRESSES).prop_map(address), change, 0..4).prop_map(|accounts| {
        let codes = (0..3).map(|index| (keccak256(code(index)), code(index))).collect();
        StateChanges { accounts, codes }
    })
}

/// Zeros kept behind a copied log segment: its last record may end in some of its own.
const KEPT_ZEROS: usize = 64;

/// Copies a data directory as a crash would leave it, without most of the zeros that end its log segments.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else if path.extension().is_some_and(|extension| extension == "log") {
            let mut bytes = trimmed(&path);
            bytes.resize(bytes.len() + KEPT_ZEROS, 0);
            std::fs::write(&target, bytes).unwrap();
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// The bytes of a log segment up to the last that is not zero.
pub fn trimmed(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(end);
    bytes
}

/// The newest log segment of a data directory.
pub fn newest_segment(dir: &Path) -> std::path::PathBuf {
    let entries = std::fs::read_dir(dir.join("log")).unwrap();
    entries.map(|entry| entry.unwrap().path()).max().unwrap()
}
