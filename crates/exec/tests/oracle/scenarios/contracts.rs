//! Contracts that come and go within a block.

use alloy_primitives::{Address, B256, U256, keccak256};
use braid_types::Fork;
use revm::bytecode::opcode::*;

use super::{CONTRACT, MINER, NOBODY, OTHER, Stage, code, word};
use crate::{
    assembler::{Code, creation},
    program::killable,
};

const LIVE: U256 = U256::ZERO;
const DIE: U256 = U256::from_limbs([1, 0, 0, 0]);

/// Creates `creation` with CREATE2 under the salt in the first argument, and counts the successes in slot 0.
fn factory(creation: &[u8]) -> Code {
    let mut code = code();
    code.store(creation).push(0).ops(&[CALLDATALOAD]).push(creation.len() as u64).push(0).push(0).ops(&[CREATE2]);
    code.ops(&[ISZERO, ISZERO]).push(0).ops(&[SLOAD, ADD]).push(0).ops(&[SSTORE]);
    code
}

fn child(creation: &[u8], salt: u8) -> Address {
    CONTRACT.create2(B256::with_last_byte(salt), keccak256(creation))
}

#[test]
fn created_contracts_are_called_in_the_same_block() {
    for fork in [Fork::Frontier, Fork::Homestead, Fork::SpuriousDragon, Fork::London, Fork::Osaka] {
        let mut stage = Stage::new(fork);
        let mut created = Vec::new();
        for round in 0..4 {
            created.push(stage.create(round, &creation(&code(), &killable())));
            for number in 0..10 {
                stage.call(number % 8, created[number % created.len()], 1, &[LIVE]);
            }
        }
        let ended = stage.run();
        let counts: U256 = created.iter().map(|address| ended.slot(*address, 0)).sum();
        assert_eq!(counts, U256::from(40));
    }
}

#[test]
fn creation_may_fail_half_way() {
    let mut stage = Stage::new(Fork::London);
    let constructor = |ending: &[u8]| {
        let mut code = code();
        code.push(5).push(0).ops(&[SSTORE]).push(0).push(0).ops(ending);
        creation(&code, &[STOP])
    };
    for number in 0..24 {
        let ending: &[u8] = [&[POP, POP][..], &[REVERT], &[INVALID], &[RETURN]][number % 4];
        stage.create(number % 8, &constructor(ending));
    }
    let created = stage.sender(1).create(0);
    let ended = stage.run();
    assert_eq!(ended.state(created), None);
    assert_eq!(ended.successes().iter().filter(|success| **success).count(), 12);
}

#[test]
fn one_factory_creates_at_an_address_once() {
    let mut stage = Stage::new(Fork::London);
    let child_code = creation(&code(), &killable());
    stage.deploy(CONTRACT, &factory(&child_code), 0);
    for number in 0..40 {
        stage.call(number % 8, CONTRACT, 0, &[U256::from(number % 5)]);
        stage.call((number + 1) % 8, child(&child_code, 3), 0, &[LIVE]);
    }
    let ended = stage.run();
    assert_eq!(ended.slot(CONTRACT, 0), U256::from(5));
    assert_eq!(ended.slot(child(&child_code, 3), 0), U256::from(37));
}

/// Creates `creation` with CREATE2 under the salt in the first argument; before that, if the second is not zero, with
/// CREATE, whose address goes to slot 1.
fn factory_of_both_kinds(creation: &[u8]) -> Code {
    let size = creation.len() as u64;
    let mut code = code();
    code.store(creation).push(32).ops(&[CALLDATALOAD]);
    code.when(|code| code.push(size).push(0).push(0).ops(&[CREATE]).push(1).ops(&[SSTORE]));
    code.push(0).ops(&[CALLDATALOAD]).push(size).push(0).push(0).ops(&[CREATE2, POP]);
    code
}

#[test]
fn what_salts_name_is_created_for_everybody_at_once() {
    let mut stage = Stage::new(Fork::Cancun);
    let child_code = creation(&code(), &[STOP]);
    stage.deploy(CONTRACT, &factory_of_both_kinds(&child_code), 0);
    for salt in 0..64 {
        stage.call(salt % 8, CONTRACT, 0, &[U256::from(salt), U256::ZERO]);
    }
    let before = stage.world.accounts[&CONTRACT].state.nonce;
    let ended = stage.run();
    assert_eq!(ended.state(CONTRACT).unwrap().nonce, before + 64);
}

#[test]
fn what_nonces_name_is_created_in_order_among_what_salts_name() {
    for fork in [Fork::Petersburg, Fork::Cancun] {
        let mut stage = Stage::new(fork);
        let child_code = creation(&code(), &[STOP]);
        stage.deploy(CONTRACT, &factory_of_both_kinds(&child_code), 0);
        // Every eighth asks for a nonce, and every salt comes twice.
        for number in 0..64 {
            let kind = U256::from(u8::from(number % 8 == 7));
            stage.call(number % 8, CONTRACT, 0, &[U256::from(number / 2), kind]);
        }
        let before = stage.world.accounts[&CONTRACT].state.nonce;
        let ended = stage.run();
        assert_eq!(ended.state(CONTRACT).unwrap().nonce, before + 64 + 8);
        assert_eq!(ended.slot(CONTRACT, 1), word(CONTRACT.create(before + 63 + 7)));
    }
}

#[test]
fn a_destroyed_contract_comes_back_empty_before_cancun() {
    for fork in [Fork::Constantinople, Fork::Petersburg, Fork::London, Fork::Shanghai, Fork::Cancun, Fork::Osaka] {
        let mut stage = Stage::new(fork);
        let child_code = creation(&code(), &killable());
        let child = child(&child_code, 1);
        stage.deploy(CONTRACT, &factory(&child_code), 0);
        // It lives already, and has a past.
        stage.world.deploy(child, &killable());
        stage.world.set(child, 0, U256::from(100));
        stage.world.set(child, 9, U256::from(9));
        for round in 0..4 {
            stage.call(round, child, 3, &[LIVE]);
            stage.call(round + 1, child, 0, &[DIE, word(NOBODY)]);
            stage.call(round + 2, child, 1, &[LIVE]);
            stage.call(round + 3, CONTRACT, 0, &[U256::from(1)]);
            (0..8).for_each(|sender| stage.call(sender, child, 1, &[LIVE]));
        }
        let ended = stage.run();
        let (count, past) = if fork < Fork::Cancun { (8, 0) } else { (144, 9) };
        assert_eq!(ended.slot(child, 0), U256::from(count), "{fork:?}");
        assert_eq!(ended.slot(child, 9), U256::from(past), "{fork:?}");
        assert_eq!(ended.done.changes.accounts[&child].storage_cleared, fork < Fork::Cancun);
    }
}

#[test]
fn a_contract_that_is_created_and_destroyed_at_once_leaves_nothing() {
    for fork in [Fork::London, Fork::Cancun] {
        let mut stage = Stage::new(fork);
        let mut dying = code();
        dying.push(7).push(0).ops(&[SSTORE]).word(word(NOBODY)).ops(&[SELFDESTRUCT]);
        let created: Vec<_> = (0..16).map(|number| stage.create(number % 8, &dying.done())).collect();
        (0..16).for_each(|number| stage.send(number % 8, created[number / 2], 1));
        let ended = stage.run();
        assert_eq!(ended.balance(created[0]), U256::from(2));
        assert_eq!(ended.slot(created[0], 0), U256::ZERO);
    }
}

#[test]
fn destruction_in_favour_of_oneself_burns_before_cancun() {
    for fork in [Fork::Homestead, Fork::London, Fork::Cancun] {
        let mut stage = Stage::new(fork);
        stage.deploy(CONTRACT, &code().ops(&[ADDRESS, SELFDESTRUCT]).clone(), 3);
        for number in 0..24 {
            stage.send(number % 8, CONTRACT, 5);
        }
        let ended = stage.run();
        let expected = if fork < Fork::Cancun { 5 * 23 } else { 5 * 24 };
        assert_eq!(ended.balance(CONTRACT), U256::from(expected), "{fork:?}: after the first it has no code");
    }
}

#[test]
fn destruction_in_favour_of_the_fee_recipient() {
    for fork in [Fork::Frontier, Fork::London, Fork::Cancun] {
        let mut stage = Stage::new(fork);
        stage.deploy(CONTRACT, &code().ops(&[COINBASE, SELFDESTRUCT]).clone(), 3);
        stage.deploy(OTHER, &code().ops(&[COINBASE, SELFDESTRUCT]).clone(), 3);
        for number in 0..24 {
            stage.send(number % 8, [CONTRACT, OTHER][number % 2], 5);
        }
        assert!(stage.run().balance(MINER) > U256::from(24 * 21_000 * 10));
    }
}

#[test]
fn the_fee_recipient_is_a_contract_that_is_destroyed() {
    for fork in [Fork::Frontier, Fork::SpuriousDragon, Fork::London, Fork::Shanghai, Fork::Cancun] {
        let mut stage = Stage::new(fork);
        stage.world.deploy(CONTRACT, &killable());
        stage.world.set(CONTRACT, 0, U256::from(50));
        stage.block.beneficiary = CONTRACT;
        for number in 0..32 {
            let dies = number % 8 == 5;
            stage.call(number % 8, CONTRACT, 2, &[if dies { DIE } else { LIVE }, word(NOBODY)]);
            stage.send((number + 1) % 8, NOBODY, 1);
        }
        let ended = stage.run();
        let count = if fork < Fork::Cancun { 0 } else { 82 };
        assert_eq!(ended.slot(CONTRACT, 0), U256::from(count), "{fork:?}");
        assert!(ended.balance(NOBODY) > U256::from(21_000 * 10), "it takes the fees that were earned so far");
    }
}

#[test]
fn the_fee_recipient_is_a_contract_that_counts_and_reads_its_balance() {
    let mut stage = Stage::new(Fork::Osaka);
    let mut count = code();
    count.push(0).ops(&[SLOAD, SELFBALANCE, ADD]).push(0).ops(&[SSTORE]);
    stage.deploy(CONTRACT, &count, 1);
    stage.block.beneficiary = CONTRACT;
    stage.all_call(4, CONTRACT, 1, |_| vec![]);
    assert!(stage.run().slot(CONTRACT, 0) > U256::from(32 * 21_000 * 10));
}

#[test]
fn the_fee_recipient_is_created_in_the_block() {
    let mut stage = Stage::new(Fork::London);
    stage.block.beneficiary = stage.sender(3).create(1);
    let miner = stage.block.beneficiary;
    (0..12).for_each(|number| stage.send(number % 4, NOBODY, 1));
    let mut stage_two = Stage::new(Fork::London);
    stage_two.block.beneficiary = miner;
    stage_two.send(3, NOBODY, 1);
    (0..8).for_each(|number| stage_two.send(number % 3, miner, 1));
    stage_two.create(3, &creation(&code(), &killable()));
    (0..8).for_each(|number| stage_two.call(number, miner, 1, &[LIVE]));
    assert_eq!(stage_two.run().slot(miner, 0), U256::from(8));
    assert!(stage.run().slot(miner, 0).is_zero());
}

#[test]
fn nonces_of_contracts_that_create_are_kept() {
    let mut stage = Stage::new(Fork::London);
    let mut creator = code();
    creator.push(0).push(0).ops(&[CALLVALUE]).ops(&[CREATE]).push(0).ops(&[SSTORE]);
    stage.deploy(CONTRACT, &creator, 0);
    for number in 0..24 {
        stage.send(number % 8, CONTRACT, 1);
        stage.send(number % 8, CONTRACT.create(1 + number as u64 / 2), 2);
    }
    let ended = stage.run();
    assert_eq!(ended.state(CONTRACT).unwrap().nonce, 25);
    assert_eq!(ended.slot(CONTRACT, 0), word(CONTRACT.create(24)));
}

/// A block whose first sender creates, with its fourth transaction, where there is storage already.
fn occupied_stage(is_fee_recipient: bool) -> (Stage, Address) {
    let mut stage = Stage::new(Fork::London);
    let occupied = stage.sender(0).create(3);
    stage.world.set(occupied, 0, U256::from(7));
    if is_fee_recipient {
        stage.block.beneficiary = occupied;
    }
    (stage, occupied)
}

#[test]
fn no_contract_is_created_over_storage() {
    for is_fee_recipient in [false, true] {
        let (mut stage, occupied) = occupied_stage(is_fee_recipient);
        for number in 0..4 {
            stage.create(0, &creation(&code(), &killable()));
            (1..8).for_each(|sender| stage.call(sender, occupied, 1 + number, &[LIVE]));
        }
        let ended = stage.run();
        assert!(!ended.successes()[24], "{:?}", ended.successes());
    }
}

#[test]
fn storage_that_goes_makes_room_for_a_contract() {
    for is_fee_recipient in [false, true] {
        let (mut stage, occupied) = occupied_stage(is_fee_recipient);
        for number in 0..4 {
            stage.create(0, &creation(&code(), &killable()));
            // The first call, of no value, removes the account, since it is empty; if no fee comes before.
            (1..8).for_each(|sender| stage.call(sender, occupied, number, &[LIVE]));
        }
        assert_eq!(stage.run().successes()[24], !is_fee_recipient);
    }
}

#[test]
fn code_that_is_the_same_twice_is_told_apart_by_its_storage() {
    let mut stage = Stage::new(Fork::Shanghai);
    let created: Vec<_> = (0..6).map(|number| stage.create(number, &creation(&code(), &killable()))).collect();
    for number in 0..48 {
        stage.call(number % 8, created[number % 6], 0, &[if number == 20 { DIE } else { LIVE }, word(NOBODY)]);
    }
    let ended = stage.run();
    assert_eq!(ended.done.changes.codes.len(), 1);
    assert_eq!(ended.slot(created[2], 0), U256::ZERO);
    assert_eq!(ended.slot(created[3], 0), U256::from(8));
}
