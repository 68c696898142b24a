//! Whatever a crash leaves of the newest records, a restart has the newest complete block, and damage is refused.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use braid_state::{Store, StoreError};
use braid_types::StateChanges;
use proptest::{prelude::*, strategy::ValueTree};
use support::{Model, changes, copy, manual, newest_segment, trimmed};
use tempfile::TempDir;

fn sample_changes(count: usize) -> Vec<StateChanges> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    (0..count).map(|_| changes().new_tree(&mut runner).unwrap().current()).collect()
}

/// A store with `count` blocks of which the first `checkpointed` are in the flat store, as a crash leaves it; with the
/// length of the log's newest segment after each block.
fn crashed(count: usize, checkpointed: usize) -> (TempDir, Model, Vec<usize>) {
    let running = TempDir::new().unwrap();
    let store = Store::open(running.path(), &manual()).unwrap();
    let mut model = Model::default();
    let mut ends = Vec::new();
    for (index, changes) in sample_changes(count).iter().enumerate() {
        model.commit(&store, changes);
        ends.push(trimmed(&newest_segment(running.path())).len());
        if index + 1 == checkpointed {
            store.checkpoint().unwrap();
        }
    }
    let left = TempDir::new().unwrap();
    copy(running.path(), left.path());
    (left, model, ends)
}

/// Opens a copy of the directory whose newest segment holds `bytes`.
fn open_with(left: &TempDir, bytes: &[u8]) -> (TempDir, Result<Store, StoreError>) {
    let dir = TempDir::new().unwrap();
    copy(left.path(), dir.path());
    std::fs::write(newest_segment(dir.path()), bytes).unwrap();
    let store = Store::open(dir.path(), &manual());
    (dir, store)
}

#[test]
fn a_log_cut_anywhere_recovers_to_the_last_whole_block() {
    let (left, model, ends) = crashed(12, 8);
    let log = trimmed(&newest_segment(left.path()));
    let more = sample_changes(14);
    for cut in (ends[9] - 1..=ends[11]).step_by(37).chain([ends[9], ends[10], ends[11]]) {
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let (dir, store) = open_with(&left, &log[..cut]);
        let store = store.unwrap();
        let mut model = Model { steps: model.steps[..whole].to_vec(), made: model.made };
        model.check(&store, 0);
        model.commit(&store, &more[12]);
        drop(store);
        model.check(&Store::open(dir.path(), &manual()).unwrap(), 0);
    }
}

#[test]
fn a_flipped_byte_in_the_last_record_loses_only_that_block() {
    let (left, model, ends) = crashed(12, 8);
    let log = trimmed(&newest_segment(left.path()));
    for at in (ends[10]..ends[11]).step_by(41) {
        let mut torn = log.clone();
        torn[at] ^= 0x10;
        let (_dir, store) = open_with(&left, &torn);
        Model { steps: model.steps[..11].to_vec(), made: 0 }.check(&store.unwrap(), 0);
    }
}

#[test]
fn a_flipped_byte_before_the_last_record_is_refused() {
    let (left, _, ends) = crashed(12, 8);
    let log = trimmed(&newest_segment(left.path()));
    for at in (ends[7]..ends[10]).step_by(211) {
        let mut damaged = log.clone();
        damaged[at] ^= 0x10;
        let (_dir, store) = open_with(&left, &damaged);
        assert!(matches!(store, Err(StoreError::Log(_))), "at {at}");
    }
}

#[test]
fn a_log_older_than_the_checkpoint_is_refused() {
    let (left, _, ends) = crashed(12, 8);
    let log = trimmed(&newest_segment(left.path()));
    let (_dir, store) = open_with(&left, &log[..ends[3]]);
    assert!(matches!(store, Err(StoreError::Log(_))));
}

#[test]
fn copies_taken_while_blocks_and_checkpoints_go_on_recover() {
    let running = TempDir::new().unwrap();
    let store = Store::open(running.path(), &manual()).unwrap();
    let mut model = Model::default();
    for (index, changes) in sample_changes(40).iter().enumerate() {
        model.commit(&store, changes);
        if index % 9 == 4 {
            store.checkpoint().unwrap();
        }
        if index % 3 == 0 {
            let left = TempDir::new().unwrap();
            copy(running.path(), left.path());
            model.check(&Store::open(left.path(), &manual()).unwrap(), 0);
        }
    }
}

#[test]
fn a_rollback_survives_a_crash_right_after_it() {
    let running = TempDir::new().unwrap();
    let store = Store::open(running.path(), &manual()).unwrap();
    let mut model = Model::default();
    let samples = sample_changes(12);
    for changes in &samples[..10] {
        model.commit(&store, changes);
    }
    store.rollback(4, None).unwrap();
    model.steps.truncate(5);
    for changes in &samples[10..] {
        let left = TempDir::new().unwrap();
        copy(running.path(), left.path());
        model.check(&Store::open(left.path(), &manual()).unwrap(), 0);
        model.commit(&store, changes);
    }
    let left = TempDir::new().unwrap();
    copy(running.path(), left.path());
    model.check(&Store::open(left.path(), &manual()).unwrap(), 0);
}
