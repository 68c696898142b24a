//! States against `alloy_trie`'s roots of a model in plain maps, and proofs against its verifier.

use std::collections::BTreeMap;

use alloy_primitives::b256;
use alloy_trie::{
    KECCAK_EMPTY, Nibbles, TrieAccount,
    proof::verify_proof,
    root::{state_root_unhashed, storage_root_unhashed},
};
use braid_types::AccountChange;
use proptest::prelude::*;

use super::*;

type World = BTreeMap<Address, (AccountState, BTreeMap<U256, U256>)>;

fn trie_account((account, storage): &(AccountState, BTreeMap<U256, U256>)) -> TrieAccount {
    let slots = storage.iter().map(|(slot, value)| (B256::from(*slot), *value));
    TrieAccount::new(account.nonce, account.balance, storage_root_unhashed(slots), account.code_hash)
}

fn oracle_root(world: &World) -> B256 {
    state_root_unhashed(world.iter().map(|(address, account)| (*address, trie_account(account))))
}

fn change_world(world: &mut World, changes: &StateChanges) {
    for (address, change) in &changes.accounts {
        let mut storage = world.remove(address).map(|(_, storage)| storage).unwrap_or_default();
        if change.storage_cleared {
            storage.clear();
        }
        storage.extend(&change.storage);
        storage.retain(|_, value| !value.is_zero());
        if let Some(account) = change.account {
            world.insert(*address, (account, storage));
        }
    }
}

fn changes() -> impl Strategy<Value = StateChanges> {
    let account = prop::option::weighted(0.8, (0..3u64, 0..3u64)).prop_map(|account| {
        account.map(|(nonce, balance)| AccountState { nonce, balance: U256::from(balance), ..AccountState::default() })
    });
    let storage = prop::collection::btree_map((0..30u8).prop_map(U256::from), (0..3u8).prop_map(U256::from), 0..20);
    let change = (account, prop::bool::weighted(0.1), storage)
        .prop_map(|(account, storage_cleared, storage)| AccountChange { account, storage_cleared, storage });
    prop::collection::btree_map((0..40u8).prop_map(Address::repeat_byte), change, 0..30)
        .prop_map(|accounts| StateChanges { accounts, codes: BTreeMap::new() })
}

fn check(state: &State, world: &World) {
    assert_eq!(state.root(), oracle_root(world));
    assert_eq!(state.account_count(), world.len() as u64);
    let mut seen = 0;
    state.for_each(|key, account, slots| {
        let (address, (expected, storage)) = world.iter().find(|(address, _)| keccak256(address) == key).unwrap();
        assert_eq!(account, *expected, "{address}");
        assert_eq!(slots.count(), storage.len());
        seen += 1;
    });
    assert_eq!(seen, world.len());
    for address in (0..40).map(Address::repeat_byte) {
        check_account(state, address, world.get(&address));
    }
}

fn check_account(state: &State, address: Address, expected: Option<&(AccountState, BTreeMap<U256, U256>)>) {
    assert_eq!(state.account(address), expected.map(|(account, _)| *account));
    assert_eq!(state.has_storage(address), expected.is_some_and(|(_, storage)| !storage.is_empty()));
    let slots = [0u64, 7, 29, 99].map(U256::from);
    let proof = state.prove(address, &slots);
    assert_eq!(proof.account, state.account(address));
    let leaf = expected.map(|account| alloy_rlp::encode(trie_account(account)));
    verify_proof(state.root(), Nibbles::unpack(keccak256(address)), leaf, &proof.nodes).unwrap();
    for (slot, proof_of_slot) in slots.into_iter().zip(&proof.storage) {
        let value = expected.and_then(|(_, storage)| storage.get(&slot)).copied();
        assert_eq!(state.storage(address, slot), value.unwrap_or_default());
        assert_eq!((proof_of_slot.slot, proof_of_slot.value), (slot, value.unwrap_or_default()));
        let key = Nibbles::unpack(keccak256(B256::from(slot)));
        verify_proof(proof.storage_root, key, value.map(alloy_rlp::encode), &proof_of_slot.nodes).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_version_agrees_with_the_oracle(batches in prop::collection::vec(changes(), 1..8)) {
        let mut versions = vec![(State::empty(), World::new())];
        for changes in &batches {
            let (state, mut world) = versions.last().cloned().unwrap();
            change_world(&mut world, changes);
            versions.push((state.apply(changes), world));
        }
        for (state, world) in &versions {
            check(state, world);
        }
    }

    #[test]
    fn a_difference_leads_from_one_state_to_the_other(first in changes(), second in changes()) {
        let a = State::empty().apply(&first);
        let b = a.apply(&second);
        for (from, to) in [(&a, &b), (&b, &a), (&State::empty(), &b)] {
            let patched = from.apply_hashed(&to_changes(from, &from.diff(to)));
            prop_assert_eq!(patched.root(), to.root());
            prop_assert_eq!(patched.account_count(), to.account_count());
        }
        prop_assert!(a.diff(&a.clone()).is_empty());
    }
}

fn to_changes(from: &State, differences: &[Difference]) -> HashedChanges {
    let mut accounts: BTreeMap<B256, HashedAccount> = BTreeMap::new();
    for difference in differences {
        let (Difference::Account { key, .. } | Difference::Slot { account: key, .. }) = difference;
        let entry = accounts.entry(*key).or_insert_with(|| HashedAccount {
            key: *key,
            account: from.hashed_account(key),
            cleared: false,
            slots: Vec::new(),
        });
        match difference {
            Difference::Account { old, new, .. } => {
                assert_eq!(entry.account, *old);
                entry.account = *new;
            }
            Difference::Slot { slot, old, new, .. } => {
                assert_eq!(from.hashed_slot(key, slot), *old);
                entry.slots.push((*slot, *new));
            }
        }
    }
    accounts.values_mut().for_each(|account| account.slots.sort_unstable());
    accounts.into_values().collect()
}

/// The root of nothing, as the Yellow Paper has it, and of a single account.
#[test]
fn known_roots() {
    assert_eq!(State::empty().root(), b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"));
    let account = AccountState { nonce: 0, balance: U256::from(1), code_hash: KECCAK_EMPTY };
    let change = AccountChange { account: Some(account), ..AccountChange::default() };
    let changes = StateChanges { accounts: BTreeMap::from([(Address::ZERO, change)]), codes: BTreeMap::new() };
    let world = World::from([(Address::ZERO, (account, BTreeMap::new()))]);
    assert_eq!(State::empty().apply(&changes).root(), oracle_root(&world));
}

#[test]
fn code_is_shared_by_all_states_of_a_family() {
    let code = Bytes::from_static(&[0x60, 1]);
    let hash = keccak256(&code);
    let empty = State::empty();
    assert_eq!(empty.code(hash), Err(CodeError(hash)));
    assert_eq!(empty.code(KECCAK_EMPTY), Ok(Bytes::new()));
    let codes = BTreeMap::from([(hash, code.clone())]);
    let after = empty.apply(&StateChanges { accounts: BTreeMap::new(), codes });
    assert_eq!(after.code(hash), Ok(code));
}
