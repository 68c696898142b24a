//! The store against a model: commits, overrides, rollbacks, checkpoints, restarts and crashes in any order.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

mod support;

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256, keccak256};
use braid_state::{State, StateAt, Store, StoreError, StoreOptions};
use braid_types::{AccountChange, StateChanges, changes::AccountState};
use proptest::{prelude::*, strategy::ValueTree};
use support::{Model, Step, changes, copy, manual, without_memory};
use tempfile::TempDir;

#[derive(Clone, Debug)]
enum Action {
    Commit(StateChanges),
    Override(StateChanges),
    /// Keeps the head's state for a later rollback.
    Snapshot,
    /// Back to the snapshot, if its block still stands.
    Revert,
    /// This many blocks back.
    Rollback(usize),
    Checkpoint,
    Restart,
    /// Continue with a copy of the directory as it is.
    Crash,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        10 => changes().prop_map(Action::Commit),
        3 => changes().prop_map(Action::Override),
        1 => Just(Action::Snapshot),
        1 => Just(Action::Revert),
        2 => (0..4usize).prop_map(Action::Rollback),
        3 => Just(Action::Checkpoint),
        1 => Just(Action::Restart),
        2 => Just(Action::Crash),
    ]
}

struct Run {
    options: StoreOptions,
    dir: TempDir,
    store: Option<Store>,
    model: Model,
    snapshot: Option<(State, Step)>,
}

impl Run {
    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn act(&mut self, action: &Action) {
        let store = self.store.as_ref().unwrap();
        match action {
            Action::Commit(changes) => self.model.commit(store, changes),
            Action::Override(changes) => self.model.override_state(store, changes),
            Action::Snapshot => {
                self.snapshot = Some((store.head().unwrap().state.clone(), self.model.head().clone()));
            }
            Action::Revert => self.revert(),
            Action::Rollback(back) => {
                let height = self.model.steps.len().saturating_sub(back + 1);
                store.rollback(height as u64, None).unwrap();
                self.model.steps.truncate(height + 1);
            }
            Action::Checkpoint => drop(store.checkpoint().unwrap()),
            Action::Restart => {
                drop(self.store.take());
                self.store = Some(Store::open(self.dir.path(), &self.options).unwrap());
            }
            Action::Crash => {
                let copied = TempDir::new().unwrap();
                copy(self.dir.path(), copied.path());
                self.store = Some(Store::open(copied.path(), &self.options).unwrap());
                self.dir = copied;
            }
        }
    }

    fn revert(&mut self) {
        let Some((state, step)) = self.snapshot.take() else { return };
        let height = step.block.height();
        if self.model.steps.get(height as usize).is_none_or(|there| there.block.hash != step.block.hash) {
            return;
        }
        self.store().rollback(height, Some(state)).unwrap();
        self.model.steps.truncate(height as usize);
        self.model.steps.push(step);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_actions_agrees_with_the_model(genesis in changes(), actions in prop::collection::vec(action(), 1..40)) {
        for options in [manual(), without_memory()] {
            check_actions(options, genesis.clone(), &actions);
        }
    }

    #[test]
    fn a_state_without_memory_is_that_with_all_of_it(blocks in prop::collection::vec(many_changes(), 1..12)) {
        check_without_memory(&blocks);
    }
}

fn check_actions(options: StoreOptions, genesis: StateChanges, actions: &[Action]) {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), &options).unwrap();
    let mut run = Run { options, dir, store: Some(store), model: Model::default(), snapshot: None };
    run.act(&Action::Commit(genesis));
    for action in actions {
        run.act(action);
        run.model.check(run.store(), 0);
    }
    run.act(&Action::Restart);
    run.model.check(run.store(), 0);
    check_dump(&run);
}

/// Accounts in [`many_changes`], so many that most of the state is in pages, and slots of some of them.
const MANY: u64 = 600;

fn many_changes() -> impl Strategy<Value = (StateChanges, bool)> {
    let account = prop::option::weighted(0.9, 0..1_000u64).prop_map(|balance| {
        balance.map(|balance| AccountState { balance: U256::from(balance), ..AccountState::default() })
    });
    let few = prop::collection::btree_map((0..24u64).prop_map(U256::from), (0..3u64).prop_map(U256::from), 0..3);
    let many = prop::collection::btree_map((0..400u64).prop_map(U256::from), (0..3u64).prop_map(U256::from), 0..300);
    let storage = prop_oneof![6 => Just(BTreeMap::new()), 3 => few, 1 => many];
    let change = (account, prop::bool::weighted(0.05), storage).prop_map(|(account, cleared, storage)| {
        let storage = if account.is_some() { storage } else { BTreeMap::new() };
        AccountChange { account, storage_cleared: cleared || account.is_none(), storage }
    });
    let address = (0..MANY).prop_map(many_address);
    let accounts = prop::collection::btree_map(address, change, 0..300);
    (accounts.prop_map(|accounts| StateChanges { accounts, codes: BTreeMap::new() }), prop::bool::weighted(0.4))
}

fn many_address(index: u64) -> Address {
    Address::from_word(keccak256(index.to_be_bytes()))
}

/// Blocks, some of them followed by a checkpoint, with a reader of an older state beside; then again from the disk.
fn check_without_memory(blocks: &[(StateChanges, bool)]) {
    let dir = TempDir::new().unwrap();
    let mut store = Store::open(dir.path(), &without_memory()).unwrap();
    let (mut model, mut whole) = (Model::default(), State::empty());
    let mut older = Vec::new();
    for (changes, is_checkpointed) in blocks {
        model.commit(&store, changes);
        whole = whole.apply(changes);
        older.push((whole.clone(), store.head().unwrap().state.clone()));
        if *is_checkpointed {
            store.checkpoint().unwrap();
        }
    }
    for (whole, state) in &older {
        check_same(whole, state);
    }
    drop(store);
    store = Store::open(dir.path(), &without_memory()).unwrap();
    let (resident, keys) = store.stats().keys.unwrap();
    assert_eq!(keys, count_keys(&whole));
    assert!(keys < 400 || resident < keys / 2, "{resident} of {keys} keys are in memory");
    let state = store.head().unwrap().state.clone();
    check_same(&whole, &state);
    // Looking at everything one after the other keeps what was looked at.
    assert_eq!(store.stats().keys.unwrap().1, keys);
    drop(older);
    for (changes, _) in blocks {
        model.commit(&store, changes);
        whole = whole.apply(changes);
        store.checkpoint().unwrap();
    }
    check_same(&whole, &store.head().unwrap().state);
}

fn count_keys(state: &State) -> u64 {
    let mut keys = 0;
    state.for_each(|_, _, slots| keys += 1 + slots.count() as u64);
    keys
}

fn check_same(whole: &State, state: &State) {
    assert_eq!((state.root(), state.account_count()), (whole.root(), whole.account_count()));
    let all = |state: &State| {
        let mut all = Vec::new();
        state.for_each(|key, account, slots| all.push((key, account, slots.collect::<Vec<_>>())));
        all
    };
    assert_eq!(all(state), all(whole));
    for index in (0..MANY).step_by(7) {
        let slots = [3u64, 300].map(U256::from);
        assert_eq!(state.prove(many_address(index), &slots), whole.prove(many_address(index), &slots));
    }
}

fn check_dump(run: &Run) {
    let dump = run.store().dump().unwrap();
    let mut world = support::World::new();
    support::apply(&mut world, &dump);
    assert_eq!(world, run.model.head().world);
    assert_eq!(State::empty().apply(&dump).root(), run.store().head().unwrap().state.root());
}

#[test]
fn what_readers_brought_into_memory_leaves_it_without_blocks() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), &without_memory()).unwrap();
    let account = AccountState { balance: U256::from(7), ..AccountState::default() };
    let change = AccountChange { account: Some(account), ..AccountChange::default() };
    let accounts: BTreeMap<_, _> = (0..5_000).map(|index| (many_address(index), change.clone())).collect();
    let mut model = Model::default();
    model.commit(&store, &StateChanges { accounts, codes: BTreeMap::new() });
    let in_memory = || store.stats().keys.unwrap().0;
    store.checkpoint().unwrap();
    store.trim().unwrap();
    assert!(in_memory() < 500, "{} of 5,000 accounts are in memory", in_memory());
    let root = store.head().unwrap().state.root();
    for index in 0..5_000 {
        assert_eq!(store.head().unwrap().state.account(many_address(index)), Some(account));
    }
    assert_eq!(in_memory(), 5_000);
    assert!(store.is_over_memory());
    store.trim().unwrap();
    assert!(in_memory() < 500, "{} of 5,000 accounts are in memory", in_memory());
    assert_eq!(store.head().unwrap().state.root(), root);
    model.commit(&store, &StateChanges { accounts: [(many_address(1), change)].into(), codes: BTreeMap::new() });
    model.check(&store, 1);
}

/// `count` sets of changes, the same on every run.
fn sample_changes(count: usize) -> Vec<StateChanges> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    (0..count).map(|_| changes().new_tree(&mut runner).unwrap().current()).collect()
}

#[test]
fn history_is_pruned_to_the_configured_depth() {
    let dir = TempDir::new().unwrap();
    let options = StoreOptions { history: Some(10), ..manual() };
    let mut model = Model::default();
    let store = Store::open(dir.path(), &options).unwrap();
    for (index, changes) in sample_changes(60).iter().enumerate() {
        model.commit(&store, changes);
        if index % 7 == 0 {
            store.checkpoint().unwrap();
        }
    }
    drop(store);
    let store = Store::open(dir.path(), &options).unwrap();
    model.check(&store, 49);
    assert!(matches!(store.state_at(48), Err(StoreError::Pruned(48))));
    assert!(matches!(store.state_at(50).unwrap(), StateAt::Historical(_)));
    assert!(matches!(store.rollback(20, None), Err(StoreError::Pruned(20))));
    store.rollback(52, None).unwrap();
    model.steps.truncate(53);
    model.check(&store, 49);
}

#[test]
fn the_background_thread_checkpoints_by_itself() {
    let dir = TempDir::new().unwrap();
    let options = StoreOptions { checkpoint_interval_ms: 5, ..manual() };
    let mut model = Model::default();
    let store = Store::open(dir.path(), &options).unwrap();
    for changes in sample_changes(300) {
        model.commit(&store, &changes);
    }
    while store.stats().checkpoint < 299 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(store.stats().log_bytes, 0);
    model.check(&store, 0);
}

#[test]
fn the_background_thread_is_woken_by_size() {
    let dir = TempDir::new().unwrap();
    let options = StoreOptions { checkpoint_size_bytes: 2_000, ..manual() };
    let mut model = Model::default();
    let store = Store::open(dir.path(), &options).unwrap();
    for changes in sample_changes(100) {
        model.commit(&store, &changes);
        assert!(store.stats().log_bytes < 20_000);
    }
    model.check(&store, 0);
}

#[test]
fn a_second_process_is_told_that_the_directory_is_in_use() {
    let dir = TempDir::new().unwrap();
    let _store = Store::open(dir.path(), &manual()).unwrap();
    let error = Store::open(dir.path(), &manual()).unwrap_err();
    assert!(matches!(&error, StoreError::Locked(path) if path == dir.path()));
}

/// A process was killed while it made the store: the journal is there, what marks it as whole is not.
#[test]
fn a_store_that_is_half_made_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("flat.new/keyspaces")).unwrap();
    for file in ["flat.new/lock", "flat.new/0.jnl"] {
        std::fs::write(dir.path().join(file), []).unwrap();
    }
    let store = Store::open(dir.path(), &manual()).unwrap();
    assert!(store.head().is_none());
    assert!(!dir.path().join("flat.new").exists());
}

#[test]
fn another_schema_version_is_refused() {
    let dir = TempDir::new().unwrap();
    drop(Store::open(dir.path(), &manual()).unwrap());
    std::fs::write(dir.path().join("schema"), "2\n").unwrap();
    assert!(matches!(Store::open(dir.path(), &manual()), Err(StoreError::Schema { expected: 1, .. })));
}

#[test]
fn a_block_that_does_not_follow_the_head_is_refused() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), &manual()).unwrap();
    let mut model = Model::default();
    let samples = sample_changes(3);
    assert!(matches!(store.override_state(&samples[0]), Err(StoreError::Empty)));
    assert!(store.head().is_none());
    model.commit(&store, &samples[0]);
    model.commit(&store, &samples[1]);
    let again = model.head().block.clone();
    let state = store.head().unwrap().state.clone();
    assert!(matches!(store.commit(again.clone(), &samples[1], state), Err(StoreError::NotNext { .. })));
    assert!(matches!(store.commit(again, &samples[1], State::empty()), Err(StoreError::Root { .. })));
    assert!(matches!(store.rollback(2, None), Err(StoreError::AboveHead(2))));
    model.commit(&store, &samples[2]);
    model.check(&store, 0);
}
