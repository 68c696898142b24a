//! What a block does besides its transactions, and reads that fail.

use alloy_consensus::{TxEip2930, TxEip4844};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip4895::Withdrawal,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
};
use alloy_primitives::{B256, TxKind, U256, address, keccak256};
use braid_exec::Ommer;
use braid_types::Fork;
use revm::bytecode::opcode::*;

use super::{CONTRACT, MINER, NOBODY, Stage, agreed, code};
use crate::{case::from, setup::CHAIN_ID, world::Read};

#[test]
fn withdrawals_pay_who_was_paid_already() {
    let mut stage = Stage::new(Fork::Shanghai);
    let sender = stage.sender(0);
    let withdrawal = |address, amount| Withdrawal { index: 0, validator_index: 0, address, amount };
    stage.block.withdrawals =
        vec![withdrawal(NOBODY, 1), withdrawal(MINER, 2), withdrawal(sender, 3), withdrawal(CONTRACT, 0)];
    (0..24).for_each(|number| stage.send(number % 8, NOBODY, 1));
    let ended = stage.run();
    assert_eq!(ended.balance(NOBODY), U256::from(1_000_000_024));
    assert_eq!(ended.state(CONTRACT), None);
}

#[test]
fn rewards_come_after_fees() {
    for fork in [Fork::Frontier, Fork::Byzantium, Fork::GrayGlacier] {
        let mut stage = Stage::new(fork);
        stage.block.ommers =
            vec![Ommer { height: 299, beneficiary: NOBODY }, Ommer { height: 298, beneficiary: MINER }];
        (0..24).for_each(|number| stage.send(number % 8, NOBODY, 1));
        assert!(stage.run().balance(NOBODY) > U256::from(fork.block_reward() / 8));
    }
}

#[test]
fn the_dao_is_drained_before_transactions_see_it() {
    let (drained, refund) = (
        address!("0xbb9bc244d798123fde783fcc1c72d3bb8c189413"),
        address!("0xbf4ed7b27f1d666546e30d74d50d173d20bca754"),
    );
    let mut stage = Stage::new(Fork::Homestead);
    stage.block.is_dao_fork = true;
    stage.world.put(drained, U256::from(5), 0);
    for number in 0..16 {
        stage.send(number % 8, [drained, refund][number % 2], 1);
    }
    let ended = stage.run();
    assert_eq!((ended.balance(drained), ended.balance(refund)), (U256::from(8), U256::from(13)));
}

#[test]
fn requests_leave_the_block_in_order() {
    let mut stage = Stage::new(Fork::Prague);
    for number in 0..8u8 {
        let withdrawal = [[number; 48].as_slice(), &5u64.to_be_bytes()].concat();
        let consolidation = [number; 96];
        let sender = stage.sender(usize::from(number));
        let (to, one) = (TxKind::Call, U256::from(1));
        stage.legacy(sender, to(WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS), one, &withdrawal, 10);
        stage.legacy(sender, to(CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS), one, &consolidation, 10);
    }
    assert_eq!(stage.run().done.requests.len(), 2);
}

/// Emits the log that the deposit contract does, if that is well formed, with so many bytes of data.
fn deposit(stage: &mut Stage, length: u64) {
    let mut log = code();
    let fields = [(0, 160), (32, 256), (64, 320), (96, 384), (128, 512), (160, 48), (256, 32), (320, 8), (384, 96)];
    for (offset, value) in fields.into_iter().chain([(512, 8)]) {
        log.push(value).push(offset).ops(&[MSTORE]);
    }
    // The number of the deposit, in the eight bytes that begin the last word.
    log.push(0).ops(&[SLOAD, DUP1]).word(U256::from(1) << 192).ops(&[MUL]).push(544).ops(&[MSTORE]);
    log.push(1).ops(&[ADD]).push(0).ops(&[SSTORE]);
    let event = keccak256("DepositEvent(bytes,bytes,bytes,bytes,bytes)");
    log.word(event.into()).push(length).push(0).ops(&[LOG1]);
    stage.deploy(CONTRACT, &log, 1);
    stage.block.deposit_contract = CONTRACT;
}

#[test]
fn deposits_are_collected_from_logs_in_order() {
    let mut stage = Stage::new(Fork::Prague);
    deposit(&mut stage, 576);
    stage.all_call(3, CONTRACT, 0, |_| vec![]);
    let requests = stage.run().done.requests;
    let numbers: Vec<_> = requests[0][1..].chunks(192).map(|deposit| deposit[191]).collect();
    assert_eq!(numbers, (1..=24).collect::<Vec<_>>());
    let mut stage = Stage::new(Fork::Prague);
    deposit(&mut stage, 500);
    stage.all_call(3, CONTRACT, 0, |_| vec![]);
    let error = stage.fail();
    assert!(error.contains("DepositLog"), "{error}");
}

#[test]
fn a_missing_system_contract_is_the_blocks_error() {
    for missing in [WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS] {
        let mut stage = Stage::new(Fork::Prague);
        stage.world.accounts.remove(&missing);
        stage.all_call(3, NOBODY, 1, |_| vec![]);
        assert!(stage.fail().contains("SystemCall"));
    }
}

#[test]
fn blobs_fill_the_block() {
    let mut stage = Stage::new(Fork::Cancun);
    for number in 0..16usize {
        let sender = stage.sender(number % 8);
        let nonce = (number / 8) as u64;
        let mut hash = B256::repeat_byte(5);
        hash[0] = 1;
        let transaction = TxEip4844 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: 10,
            max_priority_fee_per_gas: 1,
            to: NOBODY,
            value: U256::from(1),
            blob_versioned_hashes: vec![hash; 1 + number % 2],
            max_fee_per_blob_gas: 1,
            ..TxEip4844::default()
        };
        stage.transactions.push(from(transaction, sender));
    }
    let ended = stage.run();
    assert_eq!(ended.done.blob_gas_used, 6 * 131_072);
    assert_eq!(ended.skipped()[0], 4);
}

#[test]
fn access_lists_change_what_gas_is_left() {
    let mut stage = Stage::new(Fork::Berlin);
    let mut measure = code();
    measure.push(0).ops(&[SLOAD, GAS, ADD]).push(0).ops(&[SSTORE]);
    stage.deploy(CONTRACT, &measure, 0);
    for number in 0..32usize {
        let sender = stage.sender(number % 8);
        let item = AccessListItem { address: CONTRACT, storage_keys: vec![B256::ZERO; number % 3] };
        let transaction = TxEip2930 {
            chain_id: CHAIN_ID,
            nonce: (number / 8) as u64,
            gas_price: 10,
            gas_limit: 100_000,
            to: TxKind::Call(CONTRACT),
            access_list: AccessList(vec![item]),
            ..TxEip2930::default()
        };
        stage.transactions.push(from(transaction, sender));
    }
    assert_eq!(stage.run().successes(), [true; 32]);
}

/// A contract whose slot 0 names the slot that is read and then grows.
fn pointing(stage: &mut Stage) {
    let mut follow = code();
    follow.push(0).ops(&[SLOAD, DUP1, SLOAD, POP]).push(1).ops(&[ADD]).push(0).ops(&[SSTORE]);
    stage.deploy(CONTRACT, &follow, 50);
    stage.all_call(4, CONTRACT, 0, |_| vec![]);
}

fn with_faults(stage: Stage, faults: &[Read]) -> crate::case::Case {
    let mut case = stage.case();
    case.base.faults = faults.iter().copied().collect();
    case
}

#[test]
fn a_read_that_fails_is_the_blocks_error_if_the_sequence_comes_to_it() {
    for slot in [50, 60, 81] {
        let mut stage = Stage::new(Fork::London);
        pointing(&mut stage);
        let case = with_faults(stage, &[Read::Slot(CONTRACT, U256::from(slot))]);
        let error = agreed(case, 3).map(|ended| ended.done).unwrap_err();
        assert!(error.contains("Unreadable"), "{error}");
    }
}

#[test]
fn a_read_that_fails_does_not_matter_if_only_a_wrong_guess_comes_to_it() {
    let mut stage = Stage::new(Fork::London);
    let mut follow = code();
    // With an argument, sets the pointer in slot 0; without one, follows it.
    follow.push(0).ops(&[CALLDATALOAD]).when(|code| code.push(0).ops(&[CALLDATALOAD]).push(0).ops(&[SSTORE, STOP]));
    follow.push(0).ops(&[SLOAD, SLOAD]).push(1).ops(&[SLOAD, ADD]).push(1).ops(&[ADD]).push(1).ops(&[SSTORE]);
    stage.deploy(CONTRACT, &follow, 50);
    for number in 0..48 {
        let argument = [U256::from(51 + number / 8)];
        stage.call(number % 8, CONTRACT, 0, if number % 8 == 0 { &argument } else { &[] });
    }
    let case = with_faults(stage, &[Read::Slot(CONTRACT, U256::from(50)), Read::Account(NOBODY)]);
    assert_eq!(agreed(case, 6).unwrap().slot(CONTRACT, 1), U256::from(42));
}
