//! Blocks with a name: each shows one thing that threads could get wrong.

mod accounts;
mod around;
mod contracts;
mod storage;
mod transfers;

use std::collections::BTreeMap;

use alloy_consensus::TxLegacy;
use alloy_primitives::{Address, TxKind, U256};
use braid_exec::{BlockContext, Config, OnInvalid, Statistics};
use braid_types::{Fork, RecoveredTx, TxIndex, changes::AccountState};

use crate::{
    assembler::Code,
    case::{Case, Key, from},
    compare::{Done, check_plain, difference_of, parallel, sequential},
    setup::{block_at, with_system_contracts},
    world::{Base, World},
};

/// Who is rich enough for anything, by number.
pub const SENDERS: u8 = 8;
pub const ETHER: u64 = 1_000_000_000_000_000_000;
pub const MINER: Address = Address::repeat_byte(0xd4);
pub const CONTRACT: Address = Address::repeat_byte(0xc1);
pub const OTHER: Address = Address::repeat_byte(0xc2);
pub const NOBODY: Address = Address::repeat_byte(0xee);
pub const GAS_PRICE: u128 = 10;

/// A block in the making.
#[derive(Debug)]
pub struct Stage {
    pub block: BlockContext,
    pub world: World,
    pub config: Config,
    pub transactions: Vec<RecoveredTx>,
    pub gas_limit: u64,
    nonces: BTreeMap<Address, u64>,
    keys: Vec<Key>,
}

/// A block that came out the same whoever executed it.
#[derive(Debug)]
pub struct Ended {
    pub done: Done,
    pub world: World,
    /// The sum over all runs with more than one thread.
    pub statistics: Statistics,
}

impl Stage {
    pub fn new(fork: Fork) -> Self {
        let keys: Vec<_> = (0..SENDERS).map(Key::new).collect();
        let mut world = with_system_contracts(fork);
        for key in &keys {
            world.put(key.address, U256::from(ETHER), 0);
        }
        let config = Config { on_invalid: OnInvalid::Skip, ..Config::default() };
        let (transactions, nonces) = (Vec::new(), BTreeMap::new());
        Self { block: block_at(fork), world, config, transactions, gas_limit: 200_000, nonces, keys }
    }

    pub fn key(&self, number: usize) -> &Key {
        &self.keys[number]
    }

    pub fn sender(&self, number: usize) -> Address {
        self.keys[number].address
    }

    /// A contract with its slot 0.
    pub fn deploy(&mut self, address: Address, code: &Code, slot: u64) {
        self.world.deploy(address, &code.done());
        if slot > 0 {
            self.world.set(address, 0, U256::from(slot));
        }
    }

    /// The nonce that an account has after the transactions so far; it is used up.
    pub fn next_nonce(&mut self, sender: Address) -> u64 {
        let start = self.world.accounts.get(&sender).map_or(0, |stored| stored.state.nonce);
        let nonce = self.nonces.entry(sender).or_insert(start);
        *nonce += 1;
        *nonce - 1
    }

    pub fn send(&mut self, sender: usize, to: Address, wei: u64) {
        self.call(sender, to, wei, &[]);
    }

    pub fn call(&mut self, sender: usize, to: Address, wei: u64, arguments: &[U256]) {
        let sender = self.sender(sender);
        self.legacy(sender, TxKind::Call(to), U256::from(wei), &words(arguments), GAS_PRICE);
    }

    pub fn create(&mut self, sender: usize, creation: &[u8]) -> Address {
        let sender = self.sender(sender);
        let nonce = self.legacy(sender, TxKind::Create, U256::ZERO, creation, GAS_PRICE);
        sender.create(nonce)
    }

    pub fn legacy(&mut self, sender: Address, to: TxKind, value: U256, input: &[u8], gas_price: u128) -> u64 {
        let nonce = self.next_nonce(sender);
        self.numbered(sender, nonce, to, value, input, gas_price);
        nonce
    }

    pub fn numbered(&mut self, sender: Address, nonce: u64, to: TxKind, value: U256, input: &[u8], gas_price: u128) {
        let (gas_limit, input) = (self.gas_limit, input.to_vec().into());
        let transaction = TxLegacy { chain_id: None, nonce, gas_price, gas_limit, to, value, input };
        self.transactions.push(from(transaction, sender));
    }

    /// Every sender does the same, `rounds` times.
    pub fn all_call(&mut self, rounds: usize, to: Address, wei: u64, arguments: impl Fn(usize) -> Vec<U256>) {
        for number in 0..rounds * usize::from(SENDERS) {
            self.call(number % usize::from(SENDERS), to, wei, &arguments(number));
        }
    }

    fn case(self) -> Case {
        let mut base = Base::new(self.world);
        base.is_slow = true;
        Case { block: self.block, base, transactions: self.transactions, config: self.config }
    }

    /// Executes the block with one to eight threads and compares.
    pub fn run(self) -> Ended {
        agreed(self.case(), 3).unwrap_or_else(|error| panic!("no block: {error}"))
    }

    /// Likewise, again and again until some transaction was patched: on a busy machine the other threads may come too late for
    /// so small a block.
    pub fn run_until_patched(self) -> Ended {
        let case = self.case();
        let expected = sequential(&case, &case.transactions);
        for _ in 0..MOST_ROUNDS {
            let (found, seen) = parallel(&case, &case.transactions, 4);
            if let Some(difference) = difference_of(&case, &expected, &found) {
                panic!("{difference}");
            }
            if seen.deltas > 0 {
                return agreed(case, 1).unwrap_or_else(|error| panic!("no block: {error}"));
            }
        }
        panic!("nothing was patched in {MOST_ROUNDS} rounds");
    }

    /// Likewise, where the block has an error; returns it.
    pub fn fail(self) -> String {
        agreed(self.case(), 3).map(|ended| ended.done).unwrap_err()
    }
}

/// Rounds in which some thread has to be in time; each takes about a millisecond.
const MOST_ROUNDS: usize = 20_000;

/// What everybody makes of a block.
pub fn agreed(case: Case, repeats: usize) -> Result<Ended, String> {
    let expected = sequential(&case, &case.transactions);
    check_plain(&case, &case.transactions, &expected).unwrap_or_else(|failure| panic!("{failure}"));
    let mut statistics = Statistics::default();
    for threads in (1..=8).flat_map(|threads| std::iter::repeat_n(threads, repeats)) {
        let (found, seen) = parallel(&case, &case.transactions, threads);
        if let Some(difference) = difference_of(&case, &expected, &found) {
            panic!("{threads} threads: {difference}");
        }
        if threads > 1 {
            statistics.executions += seen.executions;
            statistics.deltas += seen.deltas;
        }
    }
    let done = expected?;
    let mut world = case.base.world;
    world.apply(&done.changes);
    Ok(Ended { done, world, statistics })
}

impl Ended {
    pub fn slot(&self, address: Address, slot: u64) -> U256 {
        let stored = self.world.accounts.get(&address);
        stored.and_then(|stored| stored.storage.get(&U256::from(slot))).copied().unwrap_or_default()
    }

    pub fn state(&self, address: Address) -> Option<AccountState> {
        self.world.accounts.get(&address).map(|stored| stored.state)
    }

    pub fn balance(&self, address: Address) -> U256 {
        self.state(address).unwrap_or_default().balance
    }

    /// Which included transactions succeeded.
    pub fn successes(&self) -> Vec<bool> {
        self.done.receipts.iter().map(|receipt| receipt.status()).collect()
    }

    pub fn skipped(&self) -> Vec<u32> {
        self.done.skipped.iter().map(|&(TxIndex(index), _)| index).collect()
    }
}

pub fn words(words: &[U256]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes::<32>()).collect()
}

pub fn word(address: Address) -> U256 {
    address.into_word().into()
}

pub fn code() -> Code {
    Code::default()
}
