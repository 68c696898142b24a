//! How fast states change, blocks become durable and stores open, and the memory it takes:
//! `cargo run --release -p braid-state --example speed [ACCOUNTS] [--memory MIB] [--dir DIR] [--snapshot]`.
//! A directory that is given is kept; one that is there is opened, so that nothing else is in the memory that is shown.

#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a measurement")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, U256, keccak256};
use braid_state::{Cursor, Import, State, Store, StoreOptions};
use braid_types::{AccountChange, Block, ExecutedBlock, StateChanges, changes::AccountState};
use rustix::time::{ClockId, clock_gettime};

const CHANGED: u64 = 20_000;
const ROUNDS: u64 = 8;

/// Accounts made in one block.
const GENESIS: u64 = 50_000;

fn address(index: u64) -> Address {
    Address::from_word(keccak256(index.to_be_bytes()))
}

fn changes(indices: impl Iterator<Item = u64>, balance: u64) -> StateChanges {
    let account = AccountState { nonce: balance, balance: U256::from(balance), ..AccountState::default() };
    let change = AccountChange { account: Some(account), ..AccountChange::default() };
    StateChanges { accounts: indices.map(|index| (address(index), change.clone())).collect(), codes: BTreeMap::new() }
}

fn spread(round: u64, accounts: u64) -> impl Iterator<Item = u64> {
    (0..CHANGED).map(move |index| (index * 7_919 + round * 104_729) % accounts)
}

fn block(number: u64, parent_hash: B256, state_root: B256) -> Arc<ExecutedBlock> {
    let header = Header { number, parent_hash, state_root, ..Header::default() };
    let hash = header.hash_slow();
    let block = Block { header, ..Block::default() };
    Arc::new(ExecutedBlock { hash, block, receipts: Vec::new(), total_difficulty: U256::ZERO })
}

fn commit(store: &Store, changes: &StateChanges) -> (Duration, Duration) {
    let before = store.head();
    let start = Instant::now();
    let state = before.as_ref().map_or_else(State::empty, |head| head.state.clone()).apply(changes).trimmed();
    let applied = start.elapsed();
    let (number, parent) = before.map_or((0, B256::ZERO), |head| (head.block.height() + 1, head.block.hash));
    let block = block(number, parent, state.root());
    let start = Instant::now();
    store.commit(block, changes, state).unwrap();
    (applied, start.elapsed())
}

/// Cuts the head's state into chunks, and makes another store of them.
fn snapshot(store: &Store, dir: &Path) {
    let head = store.head().unwrap();
    let start = Instant::now();
    let (mut chunks, mut next) = (Vec::new(), Some(Cursor::default()));
    while let Some(from) = next {
        let (chunk, after) = head.state.snapshot_chunk(from).unwrap();
        chunks.push(chunk);
        next = after;
    }
    let size_bytes: usize = chunks.iter().map(Vec::len).sum();
    println!("snapshot: {:?}, {} chunks, {size_bytes} bytes", start.elapsed(), chunks.len());
    let start = Instant::now();
    let mut import = Import::begin(dir, head.block.block_ref(), head.state.root()).unwrap();
    chunks.iter().for_each(|chunk| import.add(chunk).unwrap());
    let written = start.elapsed();
    import.finish(&store.block(0).unwrap().unwrap(), &[], &head.block).unwrap();
    println!("import: {written:?} to write, {:?} with the check", start.elapsed());
}

/// Processor time of this process, all threads.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

/// Memory that this process holds, in MiB.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}

/// Fills the store with accounts, a block of [`GENESIS`] at a time.
fn fill(store: &Store, accounts: u64) {
    let (start, before) = (Instant::now(), cpu());
    for from in (0..accounts).step_by(usize::try_from(GENESIS).unwrap()) {
        commit(store, &changes(from..(from + GENESIS).min(accounts), 1));
        store.checkpoint().unwrap();
    }
    println!("{accounts} accounts made: {:?}, processor time {:?}", start.elapsed(), cpu() - before);
}

fn main() {
    let accounts = std::env::args().nth(1).map_or(1_000_000, |count| count.parse().unwrap());
    let option = |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1);
    let kept = option("--dir").map(PathBuf::from);
    let is_kept = kept.is_some();
    let dir = kept.unwrap_or_else(|| std::env::temp_dir().join(format!("braid-speed-{}", std::process::id())));
    let memory_bytes = option("--memory").map(|mib| mib.parse::<u64>().unwrap() << 20);
    let options =
        StoreOptions { history: Some(0), checkpoint_interval_ms: 3_600_000, memory_bytes, ..StoreOptions::default() };
    if !dir.exists() {
        let store = Store::open(&dir, &options).unwrap();
        fill(&store, accounts);
        println!("memory with them: {} MiB", resident_mib());
        drop(store);
        println!("memory without: {} MiB", resident_mib());
    }
    let (start, before) = (Instant::now(), cpu());
    let store = Store::open(&dir, &options).unwrap();
    println!("open: {:?}, processor time {:?}, {} accounts", start.elapsed(), cpu() - before, store.stats().accounts);
    println!("memory after it: {} MiB, keys in memory and in all: {:?}", resident_mib(), store.stats().keys);
    for round in 0..ROUNDS {
        let before = cpu();
        let (applied, committed) = commit(&store, &changes(spread(round, accounts), round + 2));
        if memory_bytes.is_some() {
            store.checkpoint().unwrap();
        }
        let each = (cpu() - before) / u32::try_from(CHANGED).unwrap();
        println!("{CHANGED} changed accounts: apply {applied:?}, commit {committed:?}; processor time {each:?} each");
    }
    println!("memory after {ROUNDS} such blocks: {} MiB, keys: {:?}", resident_mib(), store.stats().keys);
    let (start, before) = (Instant::now(), cpu());
    store.checkpoint().unwrap();
    println!("checkpoint of {ROUNDS} such blocks: {:?}, processor time {:?}", start.elapsed(), cpu() - before);
    let mut small: Vec<_> = (0..200).map(|round| commit(&store, &changes(round..round + 20, round)).1).collect();
    small.sort_unstable();
    println!("commit of 20 changed accounts: median {:?}, worst {:?}", small[100], small[199]);
    let state = store.head().unwrap().state.clone();
    let start = Instant::now();
    let found = spread(3, accounts).filter(|index| state.account(address(*index)).is_some()).count();
    println!("read of one account: {:?}", start.elapsed() / u32::try_from(found).unwrap());
    drop(state);
    let copy = dir.with_extension("copy");
    if std::env::args().any(|argument| argument == "--snapshot") {
        snapshot(&store, &copy);
        std::fs::remove_dir_all(copy).unwrap();
    }
    drop(store);
    if !is_kept {
        std::fs::remove_dir_all(dir).unwrap();
    }
}
