//! States cut into chunks and put together again.

use std::collections::BTreeMap;

use alloy_primitives::{Address, address, keccak256};
use braid_types::{AccountChange, Block, StateChanges};
use proptest::prelude::*;

use super::*;
use crate::{
    state::AccountLeaf,
    store::{Store, StoreOptions},
    trie,
};

const CONTRACT: Address = address!("0x00000000000000000000000000000000000000cc");

/// A state with `accounts` plain accounts, some of them sharing code, and a contract with `slots` slots.
fn changes(accounts: u64, slots: u64) -> StateChanges {
    let mut changes = StateChanges::default();
    let codes = [0u8, 1].map(|byte| Bytes::from(vec![byte; 100]));
    for code in &codes {
        changes.codes.insert(keccak256(code), code.clone());
    }
    for number in 0..accounts {
        let address = Address::left_padding_from(&(number + 1_000).to_be_bytes());
        let code_hash = match number % 5 {
            0 => keccak256(&codes[0]),
            1 => keccak256(&codes[1]),
            _ => KECCAK_EMPTY,
        };
        let account = AccountState { nonce: number, balance: U256::from(number) << 64, code_hash };
        let storage = (0..number % 3).map(|slot| (U256::from(slot), U256::from(number + 1))).collect();
        changes.accounts.insert(address, AccountChange { account: Some(account), storage, ..AccountChange::default() });
    }
    let account = AccountState { nonce: 1, code_hash: keccak256(&codes[0]), ..AccountState::default() };
    let storage: BTreeMap<_, _> = (0..slots).map(|slot| (U256::from(slot), U256::MAX >> (slot % 250))).collect();
    changes.accounts.insert(CONTRACT, AccountChange { account: Some(account), storage, ..AccountChange::default() });
    changes
}

fn state(accounts: u64, slots: u64) -> State {
    State::empty().apply(&changes(accounts, slots))
}

fn chunks(state: &State, size_bytes: usize) -> Vec<Vec<u8>> {
    let (mut chunks, mut next) = (Vec::new(), Some(Cursor::default()));
    while let Some(from) = next {
        let (bytes, after) = state.snapshot_chunk_sized(from, size_bytes).unwrap();
        assert!(after.is_none_or(|after| after > from));
        chunks.push(bytes);
        next = after;
    }
    chunks
}

fn block(height: u64, root: B256) -> ExecutedBlock {
    let header = Header { number: height, state_root: root, ..Header::default() };
    ExecutedBlock {
        hash: header.hash_slow(),
        block: Block { header, ..Block::default() },
        receipts: Vec::new(),
        total_difficulty: U256::ZERO,
    }
}

/// Block 7 with a state.
fn head(state: &State) -> ExecutedBlock {
    block(7, state.root())
}

fn begin(dir: &Path, state: &State) -> Result<Import, SnapshotError> {
    Import::begin(dir, head(state).block_ref(), state.root())
}

fn finish(import: Import, state: &State) -> Result<(), SnapshotError> {
    let headers = [block(6, B256::ZERO).block.header];
    import.finish(&block(0, B256::ZERO), &headers, &head(state))
}

fn import_all(dir: &Path, state: &State, chunks: &[Vec<u8>]) -> Result<(), SnapshotError> {
    let mut import = begin(dir, state)?;
    for chunk in chunks {
        import.add(chunk)?;
    }
    finish(import, state)
}

fn open(dir: &Path) -> Result<Store, StoreError> {
    Store::open(dir, &StoreOptions::default())
}

#[test]
fn a_state_goes_through_chunks_of_any_size() {
    let state = state(60, 90);
    let mut counts = Vec::new();
    for size_bytes in [1, 150, 700, 5_000, SNAPSHOT_CHUNK_SIZE_BYTES] {
        let chunks = chunks(&state, size_bytes);
        counts.push(chunks.len());
        let dir = tempfile::tempdir().unwrap();
        import_all(dir.path(), &state, &chunks).unwrap();
        let store = open(dir.path()).unwrap();
        let found = store.head().unwrap();
        assert_eq!(*found.block, head(&state));
        assert_eq!(found.state.root(), state.root());
        assert_eq!(found.state.account_count(), state.account_count());
        let account = found.state.account(CONTRACT).unwrap();
        assert_eq!(found.state.code(account.code_hash).unwrap(), state.code(account.code_hash).unwrap());
        assert_eq!(found.state.storage(CONTRACT, U256::from(3)), U256::MAX >> 3);
    }
    assert!(counts.is_sorted_by(|a, b| a > b), "{counts:?}");
    assert_eq!(counts.last(), Some(&1));
}

#[test]
fn the_state_without_accounts_is_one_chunk() {
    let dir = tempfile::tempdir().unwrap();
    let chunks = chunks(&State::empty(), 1);
    assert_eq!(chunks.len(), 1);
    import_all(dir.path(), &State::empty(), &chunks).unwrap();
    assert_eq!(open(dir.path()).unwrap().head().unwrap().state.account_count(), 0);
}

#[test]
fn an_imported_store_goes_on_and_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let state = state(20, 20);
    import_all(dir.path(), &state, &chunks(&state, 500)).unwrap();
    let change = AccountChange { account: Some(AccountState::default()), ..AccountChange::default() };
    let change = StateChanges { accounts: [(Address::ZERO, change)].into(), ..StateChanges::default() };
    let expected = state.apply(&change).root();
    {
        let store = open(dir.path()).unwrap();
        let mut next = block(8, expected);
        next.block.header.parent_hash = head(&state).hash;
        next.hash = next.block.header.hash_slow();
        let after = store.head().unwrap().state.apply(&change);
        store.commit(Arc::new(next), &change, after).unwrap();
        assert!(matches!(store.state_at(6), Err(StoreError::Pruned(6))));
    }
    let store = open(dir.path()).unwrap();
    assert_eq!(store.head().unwrap().state.root(), expected);
    assert_eq!(store.hash(6).unwrap(), Some(block(6, B256::ZERO).hash));
    assert_eq!(store.header(6).unwrap().unwrap().1, block(6, B256::ZERO).block.header);
    assert_eq!(store.hash(5).unwrap(), None);
    assert_eq!(store.block(6).unwrap(), None);
    assert_eq!(store.block(0).unwrap().map(|block| block.hash), Some(block(0, B256::ZERO).hash));
    assert!(matches!(begin(dir.path(), &state), Err(SnapshotError::Store(StoreError::Locked(_)))));
    drop(store);
    assert!(matches!(begin(dir.path(), &state), Err(SnapshotError::NotEmpty(_))));
}

#[test]
fn a_directory_tells_whether_an_import_can_begin() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data");
    assert_eq!(vacancy(&dir).unwrap(), Vacancy::Empty);
    assert!(!dir.exists(), "looking creates nothing");
    let state = state(30, 30);
    drop(begin(&dir, &state).unwrap());
    assert_eq!(vacancy(&dir).unwrap(), Vacancy::Begun(head(&state).block_ref()));
    give_up(&dir).unwrap();
    assert_eq!(vacancy(&dir).unwrap(), Vacancy::Empty);
    assert_eq!(open(&dir).unwrap().head().map(|head| head.block.height()), None, "it may begin with the genesis now");
    let chunks = chunks(&state, 400);
    import_all(&dir, &state, &chunks).unwrap();
    assert_eq!(vacancy(&dir).unwrap(), Vacancy::Taken);
    give_up(&dir).unwrap();
    let store = open(&dir).unwrap();
    assert_eq!(store.oldest_block().unwrap(), 7, "nothing was given up");
    assert!(matches!(vacancy(&dir), Err(SnapshotError::Store(StoreError::Locked(_)))));
    // A chain whose only block is in the log is a chain.
    let dir = root.path().join("other");
    let store = open(&dir).unwrap();
    let genesis = block(0, State::empty().root());
    store.commit(Arc::new(genesis), &StateChanges::default(), State::empty()).unwrap();
    assert_eq!(store.oldest_block().unwrap(), 1);
    drop(store);
    assert_eq!(vacancy(&dir).unwrap(), Vacancy::Taken);
}

#[test]
fn an_import_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let state = state(30, 30);
    let chunks = chunks(&state, 400);
    assert!(chunks.len() > 5);
    for (at, chunk) in chunks.iter().enumerate() {
        let mut import = begin(dir.path(), &state).unwrap();
        assert_eq!(import.next().unwrap(), decode_chunk(chunk).unwrap().from);
        assert!(matches!(finish(begin_again(import, dir.path(), &state), &state), Err(SnapshotError::Incomplete)));
        import = begin(dir.path(), &state).unwrap();
        import.add(chunk).unwrap();
        if at + 1 < chunks.len() {
            drop(import);
            assert!(matches!(open(dir.path()), Err(StoreError::Unfinished)));
        }
    }
    let mut import = begin(dir.path(), &state).unwrap();
    assert_eq!(import.next(), None);
    assert!(matches!(import.add(&chunks[0]), Err(SnapshotError::Complete)));
    finish(import, &state).unwrap();
    assert_eq!(open(dir.path()).unwrap().head().unwrap().state.root(), state.root());
}

/// The same import after the process has ended.
fn begin_again(import: Import, dir: &Path, state: &State) -> Import {
    drop(import);
    begin(dir, state).unwrap()
}

#[test]
fn an_import_of_another_state_starts_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (state(30, 30), state(10, 5));
    let mut import = begin(dir.path(), &old).unwrap();
    import.add(&chunks(&old, 400)[0]).unwrap();
    drop(import);
    import_all(dir.path(), &new, &chunks(&new, 400)).unwrap();
    assert_eq!(open(dir.path()).unwrap().head().unwrap().state.root(), new.root());
}

#[test]
fn chunks_out_of_turn_are_refused_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let state = state(30, 30);
    let chunks = chunks(&state, 400);
    let mut import = begin(dir.path(), &state).unwrap();
    assert!(matches!(import.add(&chunks[1]), Err(SnapshotError::Place)));
    import.add(&chunks[0]).unwrap();
    assert!(matches!(import.add(&chunks[0]), Err(SnapshotError::Place)));
    let oversized = vec![0; MAX_SNAPSHOT_CHUNK_SIZE_BYTES + 1];
    assert!(matches!(import.add(&oversized), Err(SnapshotError::ChunkSize { .. })));
    assert!(matches!(import.add(&[]), Err(SnapshotError::Chunk(_))));
    chunks[1..].iter().for_each(|chunk| import.add(chunk).unwrap());
    finish(import, &state).unwrap();
}

#[test]
fn a_store_with_blocks_takes_no_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let empty = State::empty();
    let store = open(dir.path()).unwrap();
    store.commit(Arc::new(block(0, empty.root())), &StateChanges::default(), empty.clone()).unwrap();
    drop(store);
    assert!(matches!(begin(dir.path(), &empty), Err(SnapshotError::NotEmpty(_))));
}

#[test]
fn a_chunk_has_the_code_of_its_accounts_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let state = state(5, 0);
    let good = decode_chunk(&chunks(&state, usize::MAX)[0]).unwrap();
    let refused = |change: &dyn Fn(&mut Chunk)| {
        let mut chunk = good.clone();
        change(&mut chunk);
        begin(dir.path(), &state).unwrap().add(&encode_chunk(&chunk)).unwrap_err()
    };
    assert!(matches!(refused(&|chunk| drop(chunk.codes.pop())), SnapshotError::MissingCode(_)));
    assert!(matches!(refused(&|chunk| chunk.codes.push(Bytes::from_static(&[9]))), SnapshotError::UnnamedCode));
    assert!(matches!(refused(&|chunk| chunk.codes.push(chunk.codes[0].clone())), SnapshotError::UnnamedCode));
    import_all(dir.path(), &state, &[encode_chunk(&good)]).unwrap();
}

#[test]
fn code_of_an_account_that_never_began_is_missed_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let code = Bytes::from_static(&[9]);
    let account = AccountState { code_hash: keccak256(&code), ..AccountState::default() };
    let storage = [(U256::ZERO, U256::from(1))].into();
    let change = AccountChange { account: Some(account), storage, ..AccountChange::default() };
    let hash = account.code_hash;
    let changes = StateChanges { accounts: [(CONTRACT, change)].into(), codes: [(hash, code)].into() };
    let state = State::empty().apply(&changes);
    let whole = decode_chunk(&chunks(&state, usize::MAX)[0]).unwrap();
    // The first chunk holds nothing that counts, and sends the second right into the account's slots.
    let decoy = Entry { key: B256::ZERO, account: AccountState::default(), slots: Vec::new() };
    let inside = Cursor { account: whole.entries[0].key, slot: whole.entries[0].slots[0].0 };
    let first = Chunk { entries: vec![decoy], next: Some(inside), ..Chunk::default() };
    let second = Chunk { from: inside, codes: Vec::new(), ..whole };
    let with_decoy = {
        let leaves = [(B256::ZERO, AccountState::default()), (second.entries[0].key, account)].map(|(key, account)| {
            let slots = if key.is_zero() { Vec::new() } else { second.entries[0].slots.clone() };
            let slots: Vec<_> = slots.into_iter().map(|(slot, value)| (slot, Some(value))).collect();
            (key, AccountLeaf { account, storage: trie::update(None, &slots) })
        });
        State::with_accounts(trie::build(leaves.into(), 0), 2, Arc::default(), None)
    };
    let error = import_all(dir.path(), &with_decoy, &[encode_chunk(&first), encode_chunk(&second)]).unwrap_err();
    assert!(matches!(error, SnapshotError::MissingCode(found) if found == hash), "{error}");
    import_all(dir.path(), &state, &chunks(&state, 1)).unwrap();
}

#[test]
fn the_last_record_of_an_account_that_is_cut_counts() {
    let state = state(0, 12);
    let mut bad = chunks(&state, 500);
    assert!(bad.len() > 2, "{}", bad.len());
    let mut first = decode_chunk(&bad[0]).unwrap();
    first.entries[0].account.nonce += 1;
    bad[0] = encode_chunk(&first);
    let dir = tempfile::tempdir().unwrap();
    import_all(dir.path(), &state, &bad).unwrap();
    assert_eq!(open(dir.path()).unwrap().head().unwrap().state.root(), state.root());
    // Altered where it comes last, it makes another root.
    let last = bad.len() - 1;
    let mut chunk = decode_chunk(&bad[last]).unwrap();
    chunk.entries[0].account.nonce += 1;
    bad[last] = encode_chunk(&chunk);
    let dir = tempfile::tempdir().unwrap();
    let error = import_all(dir.path(), &state, &bad).unwrap_err();
    assert!(matches!(error, SnapshotError::Root { .. }), "{error}");
}

#[test]
fn code_that_fits_into_no_chunk_is_an_error() {
    let code = Bytes::from(vec![0; MAX_SNAPSHOT_CHUNK_SIZE_BYTES]);
    let hash = keccak256(&code);
    let account = AccountState { code_hash: hash, ..AccountState::default() };
    let change = AccountChange { account: Some(account), ..AccountChange::default() };
    let changes = StateChanges { accounts: [(CONTRACT, change)].into(), codes: [(hash, code)].into() };
    let error = State::empty().apply(&changes).snapshot_chunk(Cursor::default()).unwrap_err();
    assert!(matches!(error, SnapshotError::CodeSize(found) if found == hash), "{error}");
}

#[test]
fn formats_are_pinned() {
    let chunks: Vec<u8> = chunks(&state(12, 9), 300).concat();
    let headers = vec![block(6, B256::ZERO).block.header, block(5, B256::ZERO).block.header];
    let manifest = Manifest { head: head(&State::empty()), headers };
    let bytes = manifest.encode();
    assert_eq!(Manifest::decode(&bytes).unwrap(), manifest);
    let expected = [
        "0x4219ddb4008d5a5eb51a3319e0be487ef7c761ef9e68909eaaa3d73041cd4946",
        "0xfc8205f5ab6a4a0b7c7d95d3a73b64a0f66c7885a2005023722dfd86bb1ced29",
    ];
    assert_eq!([keccak256(chunks), keccak256(bytes)].map(|hash| hash.to_string()), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn an_altered_snapshot_is_refused_or_mended(
        chunk in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let state = state(12, 12);
        let mut bad = chunks(&state, 500);
        let at = chunk.index(bad.len());
        let byte = byte.index(bad[at].len());
        bad[at][byte] ^= flip;
        let imported = import_all(dir.path(), &state, &bad);
        let opened = open(dir.path());
        // An account whose storage is cut is in the next chunk again, and the newer record counts: that alone may mend itself.
        let is_repeated = bad.get(at + 1).is_some_and(|next| decode_chunk(next).unwrap().from.slot != B256::ZERO);
        if imported.is_ok() && is_repeated {
            let store = opened.unwrap();
            prop_assert_eq!(store.head().unwrap().state.root(), state.root());
        } else {
            prop_assert!(imported.is_err());
            prop_assert!(opened.is_err() || opened.unwrap().head().is_none());
        }
    }

    #[test]
    fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let with_version = [&[1], bytes.as_slice()].concat();
        for bytes in [&bytes, &with_version] {
            // What decodes is encoded again as it was.
            if let Ok(chunk) = decode_chunk(bytes) {
                prop_assert_eq!(&encode_chunk(&chunk), bytes);
            }
            let _ = Manifest::decode(bytes);
        }
    }

    #[test]
    fn walking_begins_where_it_is_told(accounts in 0..80_u64, from in any::<[u8; 32]>(), share in 0..32_usize) {
        let state = state(accounts, 3);
        let mut all = Vec::new();
        state.for_each(|key, _, _| all.push(key));
        // Some begin at, or close to, a key.
        let mut from = B256::new(from);
        if let Some(key) = all.get(usize::from(from[0]) % all.len().max(1)) {
            from[..share].copy_from_slice(&key[..share]);
        }
        let mut found = Vec::new();
        let _ = state.walk_from(&from, &mut |key, _, _| -> ControlFlow<()> {
            found.push(*key);
            ControlFlow::Continue(())
        });
        all.retain(|key| *key >= from);
        prop_assert_eq!(found, all);
    }
}
