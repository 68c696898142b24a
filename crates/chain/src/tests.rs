//! The chain as a whole, on a real store in a temporary directory.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alloy_consensus::{SignableTransaction, TxEip1559, transaction::Recovered};
use alloy_eips::{eip7002, eip7251};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_network::TxSignerSync;
use alloy_primitives::{Address, B256, TxKind, U256, address};
use alloy_signer_local::PrivateKeySigner;
use braid_pool::{Pool, PoolConfig};
use braid_state::StoreOptions;
use braid_types::{
    ChainSpec, Fork, RecoveredTx, StateChanges, Transaction,
    changes::{AccountChange, AccountState},
};

use crate::{
    Attributes, Chain, ChainError, ChainOptions, Clock, Mining, Sequencer, SequencerOptions, genesis::system_contracts,
};

pub(crate) const CHAIN_ID: u64 = 31337;
pub(crate) const GAS_LIMIT: u64 = 30_000_000;
pub(crate) const ETHER: u128 = 1_000_000_000_000_000_000;
pub(crate) const RECIPIENT: Address = address!("0x00000000000000000000000000000000000000aa");

pub(crate) fn signer(number: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::with_last_byte(number)).unwrap()
}

pub(crate) fn genesis(fork: Fork) -> Genesis {
    let accounts = (1..=5).map(|number| {
        let account = GenesisAccount { balance: U256::from(100 * ETHER), ..GenesisAccount::default() };
        (signer(number).address(), account)
    });
    let alloc = accounts.chain(system_contracts(fork)).collect();
    let config = ChainSpec::at_fork(CHAIN_ID, fork).config;
    Genesis { config, gas_limit: GAS_LIMIT, timestamp: 1_000, alloc, ..Genesis::default() }
}

pub(crate) fn open(directory: &std::path::Path, genesis: Genesis) -> Result<Chain, ChainError> {
    Chain::open(ChainOptions {
        genesis,
        directory: directory.to_owned(),
        store: StoreOptions::default(),
        pool: PoolConfig::default(),
        threads: NonZeroUsize::MIN,
        is_dev: true,
    })
}

pub(crate) fn transfer(from: u8, nonce: u64, wei: u128) -> RecoveredTx {
    transfer_with_gas(from, nonce, wei, 21_000)
}

pub(crate) fn transfer_with_gas(from: u8, nonce: u64, wei: u128, gas_limit: u64) -> RecoveredTx {
    let signer = signer(from);
    let mut transaction = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(RECIPIENT),
        value: U256::from(wei),
        ..TxEip1559::default()
    };
    let signature = signer.sign_transaction_sync(&mut transaction).unwrap();
    let signed = Transaction::from(transaction.into_signed(signature));
    Arc::new(Recovered::new_unchecked(signed, signer.address()))
}

fn attributes(timestamp: u64) -> Attributes {
    Attributes { timestamp, gas_limit: GAS_LIMIT, ..Attributes::default() }
}

pub(crate) fn balance(chain: &Chain, address: Address) -> u128 {
    chain.head().state.account(address).map_or(0, |account| account.balance.to())
}

pub(crate) fn insert(chain: &Chain, transaction: RecoveredTx) {
    let account = chain.head().state.account(transaction.signer()).unwrap_or_default();
    let mut pool = chain.pool().lock();
    Pool::check(&pool.rules().clone(), &pool.config().clone(), &transaction, None).unwrap();
    pool.insert(transaction, None, account).unwrap();
}

/// A clock that a test moves.
fn manual_clock(now_ms: u64) -> (Arc<AtomicU64>, Clock) {
    let time = Arc::new(AtomicU64::new(now_ms));
    let of_clock = Arc::clone(&time);
    (time, Arc::new(move || of_clock.load(Ordering::SeqCst)))
}

fn sequencer(chain: &Arc<Chain>, mining: Mining, clock: Clock) -> Sequencer {
    let options = SequencerOptions {
        mining,
        gas_limit: GAS_LIMIT,
        beneficiary: Address::ZERO,
        extra_data: alloy_primitives::Bytes::new(),
    };
    Sequencer::start(Arc::clone(chain), options, clock).unwrap()
}

/// Waits until the chain has reached `height`, for ten seconds at most.
fn wait_for(chain: &Chain, height: u64) {
    for _ in 0..2_000 {
        if chain.head().block.height() >= height {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("no block {height}; the head is {}", chain.head().block.height());
}

#[test]
fn a_produced_block_moves_value_and_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path(), genesis(Fork::LATEST)).unwrap();
    let built = chain.produce(&attributes(1_001), &[transfer(1, 0, 7), transfer(2, 0, 5)]).unwrap();
    assert!(built.skipped.is_empty());
    let head = chain.head();
    assert_eq!(head.block.height(), 1);
    assert!(head.block.receipts.iter().all(|receipt| receipt.status()));
    assert_eq!(head.block.block.header.gas_used, 42_000);
    assert_eq!(balance(&chain, RECIPIENT), 12);
    assert_eq!(head.state.root(), head.block.block.header.state_root);
    drop(chain);
    let again = open(directory.path(), genesis(Fork::LATEST)).unwrap();
    assert_eq!(again.head().block, head.block);
    assert_eq!(balance(&again, RECIPIENT), 12);
}

#[test]
fn another_genesis_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path(), genesis(Fork::LATEST)).unwrap());
    let other = Genesis { timestamp: 2_000, ..genesis(Fork::LATEST) };
    assert!(matches!(open(directory.path(), other), Err(ChainError::OtherGenesis { .. })));
}

#[test]
fn a_block_made_here_is_valid_elsewhere_at_every_proof_of_stake_fork() {
    for fork in [Fork::Paris, Fork::Shanghai, Fork::Cancun, Fork::Prague, Fork::Osaka] {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (maker, follower) = (open(here.path(), genesis(fork)).unwrap(), open(there.path(), genesis(fork)).unwrap());
        for height in 1..4 {
            let made = maker.produce(&attributes(1_000 + height), &[transfer(1, height - 1, 1)]).unwrap();
            let imported = follower.import(made.processed.executed.block.clone()).unwrap();
            assert_eq!(imported, made.processed.executed, "{fork:?}");
        }
        assert_eq!(follower.head().state.root(), maker.head().state.root());
    }
}

#[test]
fn an_import_must_stand_on_the_head() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path(), genesis(Fork::LATEST)).unwrap();
    let made = chain.preview(&attributes(1_001), &[]).unwrap();
    let mut block = made.processed.executed.block.clone();
    block.header.parent_hash = B256::repeat_byte(1);
    assert!(chain.import(block).is_err());
    assert_eq!(chain.head().block.height(), 0);
}

#[test]
fn a_candidate_that_cannot_be_paid_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path(), genesis(Fork::LATEST)).unwrap();
    let candidates = [transfer(1, 0, 200 * ETHER), transfer(2, 0, 1), transfer(3, 4, 1)];
    let built = chain.produce(&attributes(1_001), &candidates).unwrap();
    assert_eq!(built.skipped.iter().map(|(index, _)| index.0).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(balance(&chain, RECIPIENT), 1);
}

#[test]
fn rollback_and_override_change_what_readers_see() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path(), genesis(Fork::LATEST)).unwrap();
    chain.produce(&attributes(1_001), &[transfer(1, 0, 7)]).unwrap();
    let before = chain.head();
    chain.produce(&attributes(1_002), &[transfer(1, 1, 7)]).unwrap();
    let account = AccountState { balance: U256::from(99), ..AccountState::default() };
    let change = AccountChange { account: Some(account), ..AccountChange::default() };
    chain.override_state(&StateChanges { accounts: [(RECIPIENT, change)].into(), ..StateChanges::default() }).unwrap();
    assert_eq!(balance(&chain, RECIPIENT), 99);
    chain.rollback(1, Some(before.state.clone())).unwrap();
    assert_eq!(chain.head().block, before.block);
    assert_eq!(balance(&chain, RECIPIENT), 7);
    assert!(chain.store().block(2).unwrap().is_none());
    drop(chain);
    let again = open(directory.path(), genesis(Fork::LATEST)).unwrap();
    assert_eq!(again.head().block, before.block);
    assert_eq!(again.head().state.root(), before.state.root());
}

#[test]
fn listeners_hear_of_added_and_reverted_blocks() {
    let directory = tempfile::tempdir().unwrap();
    let chain = open(directory.path(), genesis(Fork::LATEST)).unwrap();
    let heard = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    chain.on_commit(move |committed| {
        let heights =
            |blocks: &[Arc<braid_types::ExecutedBlock>]| blocks.iter().map(|b| b.height()).collect::<Vec<_>>();
        listener.lock().push((heights(&committed.reverted), heights(&committed.added)));
    });
    chain.produce(&attributes(1_001), &[]).unwrap();
    chain.produce(&attributes(1_002), &[]).unwrap();
    chain.rollback(0, None).unwrap();
    assert_eq!(*heard.lock(), [(vec![], vec![1]), (vec![], vec![2]), (vec![2, 1], vec![])]);
}

#[test]
fn automatic_mining_takes_what_waits_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let chain = Arc::new(open(directory.path(), genesis(Fork::LATEST)).unwrap());
    let (_, clock) = manual_clock(5_000_000);
    let sequencer = sequencer(&chain, Mining::Auto, clock);
    insert(&chain, transfer(1, 0, 3));
    sequencer.notify();
    wait_for(&chain, 1);
    assert_eq!(chain.head().block.block.header.timestamp, 5_000);
    assert_eq!(balance(&chain, RECIPIENT), 3);
    insert(&chain, transfer(1, 2, 3));
    sequencer.notify();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(chain.head().block.height(), 1, "a nonce gap is no reason for a block");
    insert(&chain, transfer(1, 1, 3));
    sequencer.notify();
    wait_for(&chain, 2);
    assert_eq!(balance(&chain, RECIPIENT), 9);
    assert_eq!(chain.pool().lock().status().pending, 0);
    assert_eq!(sequencer.failure(), None);
}

#[test]
fn interval_mining_makes_empty_blocks_and_stops_when_told() {
    let directory = tempfile::tempdir().unwrap();
    let chain = Arc::new(open(directory.path(), genesis(Fork::LATEST)).unwrap());
    let (time, clock) = manual_clock(2_000_000);
    let sequencer = sequencer(&chain, Mining::Interval(Duration::from_millis(10)), clock);
    for step in 1..=5_000u64 {
        time.store(2_000_000 + step * 10, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(2));
        if chain.head().block.height() >= 2 {
            break;
        }
    }
    assert!(chain.head().block.height() >= 2);
    sequencer.set_mining(Mining::Manual);
    std::thread::sleep(Duration::from_millis(50));
    let height = chain.head().block.height();
    time.store(9_000_000, Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(chain.head().block.height(), height);
}

#[test]
fn time_can_be_moved_and_always_increases() {
    let directory = tempfile::tempdir().unwrap();
    let chain = Arc::new(open(directory.path(), genesis(Fork::LATEST)).unwrap());
    let (_, clock) = manual_clock(2_000_000);
    let sequencer = sequencer(&chain, Mining::Manual, clock);
    let timestamps = |blocks: Vec<Arc<braid_types::ExecutedBlock>>| {
        blocks.iter().map(|block| block.block.header.timestamp).collect::<Vec<_>>()
    };
    assert_eq!(timestamps(sequencer.mine(2, None).unwrap()), [2_000, 2_001]);
    assert_eq!(sequencer.increase_time(1_000), 1_001, "counted from the newest block, which is ahead of the clock");
    assert_eq!(timestamps(sequencer.mine(1, None).unwrap()), [3_001]);
    sequencer.set_next_timestamp(7_000).unwrap();
    assert_eq!(timestamps(sequencer.mine(2, None).unwrap()), [7_000, 7_001]);
    assert_eq!(sequencer.set_next_timestamp(7_001), Err(7_001));
    assert_eq!(timestamps(sequencer.mine(3, Some(60)).unwrap()), [7_002, 7_062, 7_122]);
    sequencer.set_timestamp_interval(Some(5));
    assert_eq!(timestamps(sequencer.mine(2, None).unwrap()), [7_127, 7_132]);
}

#[test]
fn the_next_base_fee_can_be_set_once() {
    let directory = tempfile::tempdir().unwrap();
    let chain = Arc::new(open(directory.path(), genesis(Fork::LATEST)).unwrap());
    let (_, clock) = manual_clock(2_000_000);
    let sequencer = sequencer(&chain, Mining::Manual, clock);
    sequencer.set_next_base_fee(1);
    assert_eq!(chain.pool().lock().rules().base_fee, 1);
    let blocks = sequencer.mine(2, None).unwrap();
    let fees: Vec<_> = blocks.iter().filter_map(|block| block.block.header.base_fee_per_gas).collect();
    assert_eq!(fees, [1, 1], "a base fee of one wei cannot fall");
    assert_eq!(chain.next_base_fee(), None);
}

#[test]
fn a_block_is_filled_by_what_transactions_use_not_by_their_limits() {
    let directory = tempfile::tempdir().unwrap();
    let chain = Arc::new(open(directory.path(), genesis(Fork::LATEST)).unwrap());
    let (_, clock) = manual_clock(2_000_000);
    let sequencer = sequencer(&chain, Mining::Manual, clock);
    sequencer.set_gas_limit(100_000);
    for sender in 1..=3 {
        insert(&chain, transfer_with_gas(sender, 0, 1, 60_000));
    }
    let blocks = sequencer.mine(2, None).unwrap();
    let counts: Vec<_> = blocks.iter().map(|block| block.receipts.len()).collect();
    assert_eq!(counts, [2, 1], "the third finds 58,000 gas left, and waits for the next block");
}

#[test]
fn a_genesis_without_its_system_contracts_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut genesis = genesis(Fork::Prague);
    genesis.alloc.remove(&eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS);
    let error = open(directory.path(), genesis).unwrap_err();
    let missing = eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS;
    assert!(matches!(error, ChainError::MissingSystemContract(address) if address == missing), "{error}");
}

#[test]
fn a_block_that_cannot_be_built_does_not_end_the_sequencer() {
    let directory = tempfile::tempdir().unwrap();
    let chain = Arc::new(open(directory.path(), genesis(Fork::LATEST)).unwrap());
    let (_, clock) = manual_clock(2_000_000);
    let sequencer = sequencer(&chain, Mining::Auto, clock);
    let contract = eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS;
    let intact = chain.head().state.account(contract);
    let set = |account| {
        let change = AccountChange { account, ..AccountChange::default() };
        StateChanges { accounts: [(contract, change)].into(), ..StateChanges::default() }
    };
    chain.override_state(&set(None)).unwrap();
    insert(&chain, transfer(1, 0, 3));
    sequencer.notify();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!((chain.head().block.height(), sequencer.failure()), (0, None));
    chain.override_state(&set(intact)).unwrap();
    sequencer.notify();
    wait_for(&chain, 1);
    assert_eq!(balance(&chain, RECIPIENT), 3);
}

#[test]
fn time_stamps_end_where_every_client_can_read_them() {
    let directory = tempfile::tempdir().unwrap();
    let chain = Arc::new(open(directory.path(), genesis(Fork::LATEST)).unwrap());
    let (_, clock) = manual_clock(2_000_000);
    let sequencer = sequencer(&chain, Mining::Manual, clock);
    sequencer.set_next_timestamp(u64::MAX).unwrap();
    let blocks = sequencer.mine(2, None).unwrap();
    let last = braid_types::limits::MAX_TIMESTAMP_S;
    assert_eq!(blocks.iter().map(|block| block.block.header.timestamp).collect::<Vec<_>>(), [last, last + 1]);
}
