//! The ledger on real stores: branches, commits, restarts, and what it refuses.

use std::{num::NonZeroUsize, path::Path};

use alloy_consensus::{Header, SignableTransaction, TxEip1559, transaction::Recovered};
use alloy_network::TxSignerSync;
use alloy_primitives::{Address, TxKind, U256, hex, keccak256};
use braid_pool::PoolConfig;
use braid_types::Transaction;
use tempfile::TempDir;

use super::*;
use crate::{
    ChainOptions,
    testing::{GENESIS, HASH_KEEPER, HASH_KEEPER_CODE, block_on, call, open_ledger, options, place},
    tests::{CHAIN_ID, GAS_LIMIT, RECIPIENT, balance, genesis, insert, signer, transfer, transfer_with_gas},
};

mod branches;
mod checks;
mod proposals;
mod restarts;

/// A new ledger, with the directory that it lives in.
fn ledger() -> (TempDir, Ledger) {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open_ledger(directory.path());
    (directory, ledger)
}

fn header(ledger: &Ledger, height: Height) -> Header {
    ledger.chain().store().block(height).unwrap().unwrap().block.header.clone()
}

#[test]
fn an_ordered_block_decides_its_ethereum_block() {
    let (_directory, ledger) = ledger();
    assert_eq!(ledger.durable(), Durable { height: 0, hash: ledger.chain().head().block.hash, digest: B256::ZERO });
    let first = block_on(GENESIS, 1_005_999, vec![transfer(1, 0, 7)]);
    let second = block_on(place(&first), 1_005_001, vec![transfer(1, 1, 7)]);
    ledger.commit(&first).unwrap();
    let committed = ledger.commit(&second).unwrap();
    assert_eq!(balance(ledger.chain(), RECIPIENT), 14);
    let durable = Durable { height: 2, hash: committed.hash, digest: second.digest };
    assert_eq!(ledger.durable(), durable);
    let (parent, child) = (header(&ledger, 1), header(&ledger, 2));
    assert_eq!((parent.timestamp, child.timestamp), (1_005, 1_005), "seconds are shared");
    assert_eq!((parent.beneficiary, parent.gas_limit), (Address::repeat_byte(0xfe), GAS_LIMIT));
    assert_eq!(child.extra_data.as_ref(), second.digest.as_slice());
    assert_eq!(child.mix_hash, keccak256(second.digest));
    assert_eq!(parent.parent_beacon_block_root, Some(B256::ZERO));
    assert_eq!(child.parent_beacon_block_root, Some(first.digest));
}

#[test]
fn time_never_goes_back() {
    let (_directory, ledger) = ledger();
    let first = block_on(GENESIS, 9_000, vec![]);
    let second = block_on(place(&first), 2_000, vec![]);
    let third = block_on(place(&second), 10_999, vec![]);
    let stamps = [&first, &second, &third].map(|block| ledger.commit(block).unwrap().block.header.timestamp);
    // The genesis has 1,000 seconds.
    assert_eq!(stamps, [1_000, 1_000, 1_000]);
    let fourth = block_on(place(&third), 1_001_000, vec![]);
    assert_eq!(ledger.commit(&fourth).unwrap().block.header.timestamp, 1_001);
}

#[test]
fn an_execution_is_adopted_and_not_repeated() {
    let (_directory, ledger) = ledger();
    let block = block_on(GENESIS, 1_000_000, vec![transfer(1, 0, 7)]);
    assert_eq!(ledger.executed(1, block.digest).unwrap(), None);
    let executed = ledger.execute(&block).unwrap();
    assert_eq!(ledger.execute(&block).unwrap(), executed);
    assert_eq!(ledger.executed(1, block.digest).unwrap(), Some(executed));
    assert_eq!(ledger.chain().head().block.height(), 0, "an execution is not visible");
    let committed = ledger.commit(&block).unwrap();
    assert_eq!(committed.block_ref(), executed);
    assert_eq!(ledger.commit(&block).unwrap(), committed);
    assert_eq!(ledger.execute(&block).unwrap(), executed);
    assert_eq!(ledger.executed(1, block.digest).unwrap(), Some(executed));
    assert_eq!(ledger.statistics(), LedgerStatistics { executed: 1, adopted: 1, speculative: 0 });
    let genesis = ledger.executed(0, B256::ZERO).unwrap().unwrap();
    assert_eq!(genesis, BlockRef { height: 0, hash: ledger.chain().store().hash(0).unwrap().unwrap() });
}

#[test]
fn listeners_hear_of_commits_alone() {
    let (_directory, ledger) = ledger();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    ledger.chain().on_commit(move |committed| {
        listener.lock().extend(committed.added.iter().map(|block| block.height()));
    });
    let first = block_on(GENESIS, 0, vec![]);
    ledger.execute(&first).unwrap();
    ledger.execute(&block_on(place(&first), 0, vec![])).unwrap();
    assert!(heard.lock().is_empty());
    ledger.commit(&first).unwrap();
    assert_eq!(*heard.lock(), [1]);
}

#[test]
fn what_is_out_of_turn_is_refused() {
    let (_directory, ledger) = ledger();
    let first = block_on(GENESIS, 0, vec![]);
    let rival = block_on(GENESIS, 1, vec![]);
    let second = block_on(place(&first), 0, vec![]);
    for result in [ledger.execute(&second).map(drop), ledger.commit(&second).map(drop)] {
        let error = result.unwrap_err();
        assert!(matches!(error, LedgerError::UnknownParent { height: 2, parent } if parent == first.digest), "{error}");
        assert_eq!(error.kind(), FaultKind::Rejection);
    }
    ledger.commit(&first).unwrap();
    let error = ledger.execute(&rival).unwrap_err();
    assert!(matches!(error, LedgerError::Superseded { height: 1, durable } if durable == first.digest), "{error}");
    assert_eq!(error.kind(), FaultKind::Rejection);
    let on_rival = block_on(place(&rival), 0, vec![]);
    for contradiction in [&rival, &on_rival] {
        let error = ledger.commit(contradiction).unwrap_err();
        assert!(matches!(error, LedgerError::Contradiction { height: 1, .. }), "{error}");
        assert_eq!(error.kind(), FaultKind::BrokenInvariant);
    }
    assert_eq!(ledger.durable().digest, first.digest);
}

#[test]
fn a_parent_of_another_height_is_no_parent() {
    let (_directory, ledger) = ledger();
    let first = block_on(GENESIS, 0, vec![]);
    ledger.execute(&first).unwrap();
    let wrong = OrderedBlock { height: 3, ..(*block_on(place(&first), 0, vec![])).clone() };
    assert!(matches!(ledger.execute(&wrong), Err(LedgerError::UnknownParent { height: 3, .. })));
    let zeroth = OrderedBlock { height: 0, ..wrong };
    assert!(matches!(ledger.execute(&zeroth), Err(LedgerError::Superseded { height: 0, .. })));
}

#[test]
fn chains_that_validators_cannot_order_are_refused() {
    let refused = |change: fn(&mut ChainOptions)| {
        let directory = tempfile::tempdir().unwrap();
        let mut options = options(directory.path());
        change(&mut options);
        Ledger::new(Arc::new(Chain::open(options).unwrap())).unwrap_err()
    };
    let ordinary = |options: &mut ChainOptions| options.genesis = genesis(Fork::LATEST);
    assert!(matches!(refused(ordinary), LedgerError::NoValidators));
    let late = |options: &mut ChainOptions| options.genesis.number = Some(5);
    assert!(matches!(refused(late), LedgerError::GenesisHeight(5)));
    let old = |options: &mut ChainOptions| {
        let config = &mut options.genesis.config;
        (config.cancun_time, config.prague_time, config.osaka_time) = (Some(2_000), Some(2_000), Some(2_000));
        (config.bpo1_time, config.bpo2_time) = (None, None);
    };
    assert!(matches!(refused(old), LedgerError::GenesisFork(Fork::Shanghai)));
}

#[test]
fn a_chain_that_a_sequencer_went_on_with_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let chain = Arc::new(Chain::open(options(directory.path())).unwrap());
    let attributes = crate::Attributes { timestamp: 1_001, gas_limit: GAS_LIMIT, ..crate::Attributes::default() };
    chain.produce(&attributes, &[]).unwrap();
    let error = Ledger::new(chain).unwrap_err();
    assert!(matches!(error, LedgerError::NotOrdered(1)), "{error}");
}

#[test]
fn no_setting_of_a_node_reaches_a_block() {
    let (_plain_directory, plain) = ledger();
    let directory = tempfile::tempdir().unwrap();
    let pool = PoolConfig { min_tip: 5_000_000_000, max_transactions: 1, ..PoolConfig::default() };
    let mut options = ChainOptions { is_dev: true, pool, ..options(directory.path()) };
    options.threads = NonZeroUsize::new(3).unwrap();
    let odd = Ledger::new(Arc::new(Chain::open(options).unwrap())).unwrap();
    odd.chain().set_gas_limit(100_000);
    odd.chain().set_next_base_fee(1);
    // A contract as sender: only development nodes let it send.
    let impersonated = {
        let inner = transfer(1, 0, 1).inner().clone();
        Arc::new(Recovered::new_unchecked(inner, HASH_KEEPER))
    };
    let transactions = vec![impersonated, transfer(2, 0, 1), transfer_with_gas(3, 0, 1, 1_000_000)];
    let block = block_on(GENESIS, 1_000_000, transactions);
    assert_eq!(plain.commit(&block).unwrap(), odd.commit(&block).unwrap());
    assert_eq!(plain.chain().head().block.receipts.len(), 2);
}

#[test]
fn what_a_committed_chain_exports_can_be_imported_and_nothing_else() {
    let (_directory, ledger) = ledger();
    let mut parent = GENESIS;
    for step in 0..6 {
        let block = block_on(parent, 1_000_000 + step * 300, vec![transfer(1, step, 1)]);
        ledger.commit(&block).unwrap();
        parent = place(&block);
    }
    let other = tempfile::tempdir().unwrap();
    let follower = Chain::open(options(other.path())).unwrap();
    for height in 1..=6 {
        let original = ledger.chain().store().block(height).unwrap().unwrap();
        let changes: [fn(&mut Header); 5] = [
            |header| header.extra_data = vec![1; 31].into(),
            |header| header.mix_hash = B256::ZERO,
            |header| header.parent_beacon_block_root = Some(B256::repeat_byte(9)),
            |header| header.gas_limit += 1,
            |header| header.timestamp = header.timestamp.saturating_sub(5),
        ];
        for change in changes {
            let mut block = original.block.clone();
            change(&mut block.header);
            assert!(follower.import(block).is_err());
        }
        assert_eq!(follower.import(original.block.clone()).unwrap(), original);
    }
    drop(follower);
    assert_eq!(open_ledger(other.path()).durable(), ledger.durable());
}
