//! The memory by itself, and what becomes of a block whose parallel execution breaks down.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::atomic::{AtomicBool, Ordering},
};

use braid_types::Fork;
use revm::database_interface::DBErrorMarker;

use super::{memory::*, *};
use crate::{
    execute as execute_block,
    tests::{RECIPIENT, TestState, block, call, state},
};

/// A state that panics at its first read of the recipient.
struct Shaky {
    state: TestState,
    has_panicked: AtomicBool,
}

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl DBErrorMarker for Never {}

impl DatabaseRef for Shaky {
    type Error = Never;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Never> {
        let is_first = address == RECIPIENT && !self.has_panicked.swap(true, Ordering::SeqCst);
        assert!(!is_first, "a broken invariant, on purpose");
        Ok(self.state.basic_ref(address).unwrap())
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, Never> {
        Ok(self.state.code_by_hash_ref(hash).unwrap())
    }

    fn storage_ref(&self, address: Address, slot: StorageKey) -> Result<StorageValue, Never> {
        Ok(self.state.storage_ref(address, slot).unwrap())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Never> {
        Ok(self.state.block_hash_ref(number).unwrap())
    }
}

#[test]
fn a_panic_ends_in_sequential_execution_of_the_block() {
    let transactions: Vec<_> = (0..4).map(|nonce| call(nonce, RECIPIENT, 5)).collect();
    let (block, config) = (block(Fork::Cancun), Config { threads: NonZeroUsize::new(3).unwrap(), ..Config::default() });
    let expected = execute_block(&block, &transactions, &state(), &config).unwrap();
    let shaky = Shaky { state: state(), has_panicked: AtomicBool::new(false) };
    let outcome = execute_block(&block, &transactions, &shaky, &config).unwrap();
    assert_eq!((expected.statistics.fallbacks, outcome.statistics.fallbacks), (0, 1));
    assert_eq!(outcome.receipts, expected.receipts);
    assert_eq!(outcome.changes.into_state_changes(), expected.changes.into_state_changes());
}

fn slot_write(value: u64) -> SlotWrite {
    let (address, slot) = (RECIPIENT, U256::from(7));
    let hash = slot_hash(account_hash(&address), &slot);
    SlotWrite { address, slot, hash, value: U256::from(value), certainty: Certainty::Unknown }
}

fn read(memory: &Memory, version: Version) -> Option<u64> {
    let SlotWrite { address, slot, hash, .. } = slot_write(0);
    memory.slot(&address, &slot, hash, version).map(|value| value.to())
}

#[test]
fn a_reader_finds_the_newest_version_at_or_below_its_own() {
    let memory = Memory::new(10, 4);
    for version in [5, 2, 8] {
        memory.put_slot(version, &slot_write(version.into()), Standing::Guess);
    }
    let found: Vec<_> = [1, 2, 4, 5, 7, 8, 9].map(|version| read(&memory, version)).into();
    assert_eq!(found, [None, Some(2), Some(2), Some(5), Some(5), Some(8), Some(8)]);
}

#[test]
fn what_is_withdrawn_is_not_found_and_what_was_below_it_is() {
    let memory = Memory::new(10, 4);
    memory.put_slot(2, &slot_write(2), Standing::Guess);
    memory.put_slot(5, &slot_write(5), Standing::Guess);
    let SlotWrite { address, slot, hash, .. } = slot_write(0);
    memory.withdraw_slot(5, &address, &slot, hash);
    assert_eq!(read(&memory, 9), Some(2));
    memory.withdraw_slot(2, &address, &slot, hash);
    assert_eq!(read(&memory, 9), None);
}

#[test]
fn old_versions_go_when_newer_ones_are_final() {
    let memory = Memory::new(10, 4);
    for version in [1, 2, 3] {
        memory.put_slot(version, &slot_write(version.into()), Standing::Guess);
    }
    memory.set_committed(4);
    memory.put_slot(6, &slot_write(6), Standing::Guess);
    assert_eq!(read(&memory, 2), None, "no reader that still counts asks for this");
    assert_eq!((read(&memory, 4), read(&memory, 6)), (Some(3), Some(6)));
}

#[test]
fn a_final_value_takes_the_place_of_what_was_before() {
    let memory = Memory::new(10, 4);
    for version in [1, 3, 8] {
        memory.put_slot(version, &slot_write(version.into()), Standing::Guess);
    }
    memory.put_slot(5, &slot_write(5), Standing::Final);
    assert_eq!([5, 7, 8].map(|version| read(&memory, version)), [Some(5), Some(5), Some(8)]);
    let SlotWrite { address, slot, hash, .. } = slot_write(0);
    memory.withdraw_slot(8, &address, &slot, hash);
    memory.put_slot(9, &slot_write(9), Standing::Final);
    assert_eq!(read(&memory, 9), Some(9));
    memory.put_slot(0, &slot_write(7), Standing::Final);
    assert_eq!((read(&memory, 0), read(&memory, 9)), (Some(7), Some(9)));
}

#[test]
fn a_location_of_thousands_of_versions_reads_like_a_sorted_map() {
    const TRANSACTIONS: u32 = 4_000;
    let memory = Memory::new(TRANSACTIONS as usize, 4);
    let mut model = BTreeMap::new();
    let SlotWrite { address, slot, hash, .. } = slot_write(0);
    let put = |model: &mut BTreeMap<u32, u64>, version: u32, value: u64, standing| {
        memory.put_slot(version, &slot_write(value), standing);
        model.insert(version, value);
    };
    // Executed ahead, out of order; some of it taken back.
    for index in 0..TRANSACTIONS {
        let version = index / 8 * 8 + index * 5 % 8 + 1;
        put(&mut model, version, u64::from(index), Standing::Guess);
        if index % 7 == 3 {
            memory.withdraw_slot(version, &address, &slot, hash);
            model.remove(&version);
        }
    }
    // Committed one after the other, most of it patched, some of it executed again.
    for committed in 0..TRANSACTIONS {
        for version in [committed, committed + 3, committed + 100, TRANSACTIONS] {
            let expected = model.range(..=version).next_back().map(|(_, &value)| value);
            assert_eq!(read(&memory, version), expected, "{version} when {committed} are committed");
        }
        let standing = if committed % 11 == 0 { Standing::Final } else { Standing::Guess };
        put(&mut model, committed + 1, u64::from(committed) + 1_000_000, standing);
        if committed % 16 == 0 {
            memory.set_committed(committed);
        }
    }
}

#[test]
fn many_locations_are_kept_apart() {
    let memory = Memory::new(1, 4);
    let write = |number: u64| {
        let slot = U256::from(number);
        let hash = slot_hash(account_hash(&RECIPIENT), &slot);
        SlotWrite { address: RECIPIENT, slot, hash, value: slot, certainty: Certainty::Unknown }
    };
    for number in 0..20_000 {
        memory.put_slot(1, &write(number), Standing::Guess);
    }
    for number in 0..20_000 {
        let SlotWrite { address, slot, hash, value, .. } = write(number);
        assert_eq!(memory.slot(&address, &slot, hash, 1), Some(value));
    }
    assert_eq!((memory.len(), memory.drain(0, 1).slots.len()), (20_000, 20_000));
}

#[test]
fn lost_storage_hides_lower_versions_but_not_higher_ones() {
    let memory = Memory::new(10, 4);
    memory.put_slot(1, &slot_write(1), Standing::Guess);
    let hash = account_hash(&RECIPIENT);
    let certainty = Certainty::Unknown;
    let gone = AccountWrite { address: RECIPIENT, hash, state: None, clears_storage: true, certainty };
    memory.put_account(3, &gone, Standing::Guess);
    memory.put_slot(5, &slot_write(5), Standing::Guess);
    assert_eq!([2, 3, 4, 5].map(|version| read(&memory, version)), [Some(1), Some(0), Some(0), Some(5)]);
    memory.withdraw_account(3, &RECIPIENT, hash);
    assert_eq!(read(&memory, 4), Some(1));
}

#[test]
fn the_event_log_is_followed_from_where_one_was() {
    let memory = Memory::new(10, 4);
    memory.announce(1, &[10, 11]);
    let mut seen = Vec::new();
    let length = memory.follow(0, |first, hashes| seen.push((first, hashes.to_vec())));
    memory.announce(4, &[]);
    memory.announce(2, &[12]);
    assert_eq!(memory.follow(length, |first, hashes| seen.push((first, hashes.to_vec()))), 3);
    assert_eq!(seen, [(1, vec![10, 11]), (4, vec![]), (2, vec![12])]);
}
