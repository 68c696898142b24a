//! Slots that many transactions want.

use alloy_primitives::{Address, U256};
use braid_types::{Fork, fork::FORKS};
use revm::bytecode::opcode::*;

use super::{CONTRACT, NOBODY, OTHER, Stage, code, word};
use crate::assembler::Code;

const ADDRESS_1: Address = Address::with_last_byte(1);

/// Adds the first argument to slot 0.
fn adder() -> Code {
    let mut code = code();
    code.push(0).ops(&[DUP1, SLOAD]).push(0).ops(&[CALLDATALOAD, ADD, SWAP1, SSTORE]);
    code
}

fn number(number: usize) -> Vec<U256> {
    vec![U256::from(number)]
}

#[test]
fn a_counter_is_added_up_in_every_fork() {
    let mut deltas = 0;
    for fork in FORKS {
        let mut stage = Stage::new(fork);
        stage.deploy(CONTRACT, &adder(), 5);
        stage.all_call(8, CONTRACT, 0, |_| number(1));
        let ended = stage.run();
        assert_eq!(ended.slot(CONTRACT, 0), U256::from(69));
        deltas += ended.statistics.deltas;
    }
    assert!(deltas > 0, "nothing was patched");
}

#[test]
fn a_counter_that_begins_at_zero_costs_its_first_user_more() {
    let mut stage = Stage::new(Fork::London);
    stage.deploy(CONTRACT, &adder(), 0);
    stage.all_call(6, CONTRACT, 0, |at| number(at % 2));
    assert_eq!(stage.run().slot(CONTRACT, 0), U256::from(24));
}

#[test]
fn a_counter_tells_its_value_in_data_and_topics() {
    let mut tell = adder();
    tell.push(0).ops(&[SLOAD]).push(0).ops(&[MSTORE]);
    tell.push(0).ops(&[SLOAD]).push(7).push(32).push(0).ops(&[LOG2]);
    let mut stage = Stage::new(Fork::London);
    stage.deploy(CONTRACT, &tell, 5);
    stage.all_call(8, CONTRACT, 0, |_| number(3));
    let ended = stage.run_until_patched();
    for (at, receipt) in ended.done.receipts.iter().enumerate() {
        let log = &receipt.logs()[0].data;
        let value = U256::from(5 + 3 * (at + 1));
        assert_eq!((log.topics()[1], log.data.to_vec()), (value.into(), value.to_be_bytes::<32>().to_vec()));
    }
}

#[test]
fn a_cap_is_reached_in_the_middle_of_the_block() {
    let mut capped = code();
    capped.push(0).ops(&[DUP1, SLOAD]).push(0).ops(&[CALLDATALOAD, ADD]).push(100).ops(&[DUP2, GT]);
    capped.when(|code| code.push(0).push(0).ops(&[REVERT]));
    capped.ops(&[SWAP1, SSTORE]);
    let mut stage = Stage::new(Fork::Cancun);
    stage.deploy(CONTRACT, &capped, 1);
    stage.all_call(6, CONTRACT, 0, |at| number(1 + at % 9));
    let ended = stage.run();
    assert!(ended.slot(CONTRACT, 0) > U256::from(90) && ended.slot(CONTRACT, 0) <= U256::from(100));
    assert!(ended.successes().contains(&false));
}

/// A token: takes the second argument from the caller and gives it to the first, with an event.
fn token() -> Code {
    let mut code = code();
    let balance_of = |code: &mut Code, holder: &[u8]| {
        code.ops(holder).push(0).ops(&[MSTORE]).push(0).push(32).ops(&[MSTORE]).push(64).push(0).ops(&[KECCAK256]);
    };
    let amount = |code: &mut Code| code.push(32).ops(&[CALLDATALOAD]).0.len();
    balance_of(&mut code, &[CALLER]);
    code.ops(&[DUP1, SLOAD]);
    amount(&mut code);
    code.ops(&[DUP1, DUP3, LT]).when(|code| code.push(0).push(0).ops(&[REVERT]));
    code.ops(&[SWAP1, SUB, SWAP1, SSTORE]);
    balance_of(&mut code, &[PUSH1, 0, CALLDATALOAD]);
    code.ops(&[DUP1, SLOAD]);
    amount(&mut code);
    code.ops(&[ADD, SWAP1, SSTORE]);
    amount(&mut code);
    code.push(0).ops(&[MSTORE]).push(0).ops(&[CALLDATALOAD, CALLER]).push(0xddf2).push(32).push(0).ops(&[LOG3]);
    code
}

fn balance_slot(holder: Address) -> U256 {
    alloy_primitives::keccak256([holder.into_word().0, [0; 32]].concat()).into()
}

#[test]
fn a_token_goes_round_among_few_and_some_have_too_little() {
    let mut stage = Stage::new(Fork::Prague);
    stage.deploy(CONTRACT, &token(), 0);
    let holders: Vec<_> = (0..4).map(|number| stage.sender(number)).collect();
    for holder in &holders[..3] {
        stage.world.accounts.get_mut(&CONTRACT).unwrap().storage.insert(balance_slot(*holder), U256::from(20));
    }
    for at in 0..80 {
        let to = holders[(at * 7 + at / 5) % 4];
        stage.call(at % 4, CONTRACT, 0, &[word(to), U256::from(at % 11)]);
    }
    let ended = stage.run();
    let storage = &ended.world.accounts[&CONTRACT].storage;
    let total: U256 =
        holders.iter().map(|holder| storage.get(&balance_slot(*holder)).copied().unwrap_or_default()).sum();
    assert_eq!(total, U256::from(60));
    let successes = ended.successes();
    assert!(successes.contains(&true) && successes.contains(&false));
}

#[test]
fn a_token_pays_one_recipient() {
    let mut stage = Stage::new(Fork::Prague);
    stage.deploy(CONTRACT, &token(), 0);
    for number in 0..8 {
        let slot = balance_slot(stage.sender(number));
        stage.world.accounts.get_mut(&CONTRACT).unwrap().storage.insert(slot, U256::from(1_000));
    }
    let slot = balance_slot(NOBODY);
    stage.world.accounts.get_mut(&CONTRACT).unwrap().storage.insert(slot, U256::from(1));
    stage.all_call(8, CONTRACT, 0, |at| vec![word(NOBODY), U256::from(at + 1)]);
    let ended = stage.run_until_patched();
    assert_eq!(ended.world.accounts[&CONTRACT].storage[&slot], U256::from(1 + 64 * 65 / 2));
}

#[test]
fn two_numbers_share_a_slot() {
    let low = (U256::from(1) << 128) - U256::from(1);
    let mut packed = code();
    // The low half grows by the first argument, with a check; the high half by the second.
    packed.push(0).ops(&[DUP1, SLOAD, DUP1]).word(low).ops(&[AND]).push(0).ops(&[CALLDATALOAD, ADD]);
    packed.word(low).ops(&[DUP2, GT]).when(|code| code.push(0).push(0).ops(&[REVERT]));
    packed.ops(&[SWAP1]).word(!low).ops(&[AND, OR]);
    packed.push(32).ops(&[CALLDATALOAD]).word(U256::from(1) << 128).ops(&[MUL, ADD, SWAP1, SSTORE]);
    let mut stage = Stage::new(Fork::London);
    stage.deploy(CONTRACT, &packed, 9);
    stage.all_call(6, CONTRACT, 0, |at| vec![U256::from(at), U256::from(at * 2)]);
    let sum: usize = (0..48).sum();
    let ended = stage.run();
    assert_eq!(ended.slot(CONTRACT, 0), (U256::from(2 * sum) << 128) | U256::from(9 + sum));
}

#[test]
fn multiplying_does_not_commute_and_is_not_taken_to() {
    let mut stage = Stage::new(Fork::London);
    let mut multiply = code();
    multiply.push(0).ops(&[DUP1, SLOAD]).push(3).ops(&[MUL]).push(0).ops(&[CALLDATALOAD, ADD, SWAP1, SSTORE]);
    stage.deploy(CONTRACT, &multiply, 1);
    stage.all_call(5, CONTRACT, 0, number);
    let expected = (0..40u64).fold(U256::from(1), |value, at| value * U256::from(3) + U256::from(at));
    assert_eq!(stage.run().slot(CONTRACT, 0), expected);
}

#[test]
fn slots_come_and_go_with_their_refunds_in_every_fork() {
    for fork in FORKS {
        let mut stage = Stage::new(fork);
        let mut set = code();
        // Toggles slot 0, and sets the slot that the first argument names to the second.
        set.push(0).ops(&[DUP1, SLOAD, ISZERO, SWAP1, SSTORE]);
        set.push(32).ops(&[CALLDATALOAD]).push(0).ops(&[CALLDATALOAD, SSTORE]);
        stage.deploy(CONTRACT, &set, 1);
        stage.world.set(CONTRACT, 1, U256::from(1));
        stage.all_call(5, CONTRACT, 0, |at| vec![U256::from(at % 3), U256::from(at % 4 / 2)]);
        assert_eq!(stage.run().done.receipts.len(), 40);
    }
}

#[test]
fn what_is_reverted_or_runs_out_of_gas_leaves_nothing() {
    let mut fails = adder();
    fails.push(1).push(0).ops(&[CALLDATALOAD, AND]).when(|code| code.push(0).push(0).ops(&[REVERT]));
    fails.push(2).push(0).ops(&[CALLDATALOAD, AND]);
    fails.when(|code| code.forever(|code| code.push(0).ops(&[DUP1, SLOAD]).push(1).ops(&[ADD, SWAP1, SSTORE])));
    let mut stage = Stage::new(Fork::Byzantium);
    stage.deploy(CONTRACT, &fails, 1);
    stage.all_call(6, CONTRACT, 2, |at| number(4 + at % 4));
    let ended = stage.run();
    assert_eq!(ended.slot(CONTRACT, 0), U256::from(1 + 12 * 4));
    assert_eq!(ended.balance(CONTRACT), U256::from(24));
}

#[test]
fn a_guard_against_reentry_holds_and_does_not_conflict() {
    let mut guarded = code();
    guarded.push(2).push(1).ops(&[SLOAD, EQ]).when(|code| code.push(0).push(0).ops(&[REVERT]));
    guarded.push(2).push(1).ops(&[SSTORE]);
    // Calls whom the first argument names, which may be itself.
    guarded.push(0).push(0).push(0).push(0).push(0).push(0).ops(&[CALLDATALOAD]).push(40_000).ops(&[CALL]);
    guarded.push(0).ops(&[SLOAD, ADD]).push(1).ops(&[ADD]).push(0).ops(&[SSTORE]);
    guarded.push(1).push(1).ops(&[SSTORE]);
    let mut stage = Stage::new(Fork::London);
    stage.deploy(CONTRACT, &guarded, 1);
    stage.world.set(CONTRACT, 1, U256::from(1));
    stage.all_call(5, CONTRACT, 0, |at| vec![word([NOBODY, CONTRACT, ADDRESS_1][at % 3])]);
    let ended = stage.run();
    assert_eq!(ended.slot(CONTRACT, 0), U256::from(1 + 40 + 40 - 13), "a call of itself fails");
    assert_eq!(ended.slot(CONTRACT, 1), U256::from(1));
}

#[test]
fn transient_storage_ends_with_its_transaction() {
    let mut transient = code();
    transient.push(0).ops(&[TLOAD]).push(0).ops(&[CALLDATALOAD, ADD, DUP1]).push(0).ops(&[TSTORE]);
    transient.push(0).ops(&[SLOAD, ADD]).push(0).ops(&[SSTORE]);
    let mut stage = Stage::new(Fork::Cancun);
    stage.deploy(CONTRACT, &transient, 1);
    stage.all_call(4, CONTRACT, 0, number);
    assert_eq!(stage.run().slot(CONTRACT, 0), U256::from(1 + 31 * 32 / 2));
}

#[test]
fn proxies_share_code_but_not_storage() {
    let mut proxy = code();
    proxy.push(0).ops(&[CALLDATALOAD]).push(0).ops(&[MSTORE]);
    proxy.push(0).push(0).push(32).push(0).word(word(NOBODY)).push(50_000).ops(&[DELEGATECALL, POP]);
    let mut stage = Stage::new(Fork::Istanbul);
    stage.deploy(NOBODY, &adder(), 1);
    stage.deploy(CONTRACT, &proxy, 10);
    stage.deploy(OTHER, &proxy, 20);
    for at in 0..60 {
        stage.call(at % 8, [CONTRACT, OTHER, NOBODY][at % 3], 0, &number(1));
    }
    let ended = stage.run();
    assert_eq!([CONTRACT, OTHER, NOBODY].map(|at| ended.slot(at, 0)), [30, 40, 21].map(U256::from));
}

#[test]
fn what_gas_is_left_shows_every_difference() {
    let mut stage = Stage::new(Fork::Osaka);
    let mut measure = adder();
    measure.ops(&[GAS]).push(0).ops(&[CALLDATALOAD]).push(1).ops(&[ADD, SSTORE]);
    stage.deploy(CONTRACT, &measure, 0);
    stage.all_call(5, CONTRACT, 0, |at| number(at % 4));
    assert_eq!(stage.run().slot(CONTRACT, 0), U256::from(60));
}

#[test]
fn a_slot_names_the_next() {
    let mut follow = code();
    follow.push(0).ops(&[SLOAD, SLOAD]).push(0).ops(&[SSTORE]);
    let mut stage = Stage::new(Fork::London);
    stage.deploy(CONTRACT, &follow, 1);
    for slot in 1..50 {
        stage.world.set(CONTRACT, slot, U256::from(slot + 1));
    }
    stage.all_call(5, CONTRACT, 0, |_| vec![]);
    assert_eq!(stage.run().slot(CONTRACT, 0), U256::from(41));
}
