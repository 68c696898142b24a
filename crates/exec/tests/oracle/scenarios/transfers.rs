//! Wei from here to there.

use alloy_primitives::{TxKind, U256};
use braid_exec::OnInvalid;
use braid_types::{Fork, fork::FORKS};

use super::{CONTRACT, ETHER, GAS_PRICE, MINER, NOBODY, OTHER, Stage, code, word};
use revm::bytecode::opcode::*;

const TRANSFER_GAS: u64 = 21_000;

#[test]
fn one_sender_sends_everything() {
    let mut stage = Stage::new(Fork::London);
    (0..60).for_each(|number| stage.send(0, [NOBODY, OTHER][number % 2], 1));
    let sender = stage.sender(0);
    let ended = stage.run();
    assert_eq!(ended.state(sender).unwrap().nonce, 60);
    assert_eq!(ended.balance(NOBODY), U256::from(30));
}

#[test]
fn everybody_sends_to_everybody_in_every_fork() {
    for fork in FORKS {
        let mut stage = Stage::new(fork);
        for number in 0..64usize {
            let to = stage.sender(number * 7 % 8);
            stage.send(number % 8, to, number as u64);
        }
        assert_eq!(stage.run().done.receipts.len(), 64, "{fork:?}");
    }
}

#[test]
fn money_is_handed_on_from_one_new_account_to_the_next() {
    let mut stage = Stage::new(Fork::London);
    stage.gas_limit = TRANSFER_GAS;
    let fee = U256::from(u128::from(TRANSFER_GAS) * GAS_PRICE);
    let mut value = U256::from(ETHER) - fee;
    for number in 0..7 {
        let (sender, next) = (stage.sender(number), stage.sender(number + 1));
        if number > 0 {
            stage.world.accounts.remove(&sender);
        }
        stage.legacy(sender, TxKind::Call(next), value, &[], GAS_PRICE);
        value -= fee;
    }
    let last = stage.sender(7);
    stage.world.accounts.remove(&last);
    let ended = stage.run();
    assert_eq!(ended.balance(last), value + fee);
    assert!(ended.skipped().is_empty());
}

#[test]
fn a_sender_without_funds_is_left_out_or_ends_the_block_at_its_place() {
    let build = |on_invalid| {
        let mut stage = Stage::new(Fork::London);
        stage.config.on_invalid = on_invalid;
        stage.gas_limit = TRANSFER_GAS;
        let sender = stage.sender(0);
        stage.world.set_balance(sender, U256::from(3 * 10 * TRANSFER_GAS + 7));
        for number in 0..20 {
            stage.send(1 + number % 3, NOBODY, 1);
            stage.send(0, NOBODY, u64::from(number == 0) * 7);
        }
        stage
    };
    let ended = build(OnInvalid::Skip).run();
    assert_eq!(ended.skipped(), (7..40).step_by(2).collect::<Vec<_>>());
    let error = build(OnInvalid::Fail).fail();
    assert!(error.contains("TxIndex(7)") && error.contains("LackOfFund"), "{error}");
}

#[test]
fn funds_come_just_in_time() {
    let mut stage = Stage::new(Fork::London);
    stage.gas_limit = TRANSFER_GAS;
    let poor = stage.sender(0);
    stage.world.set_balance(poor, U256::ZERO);
    for _ in 0..10 {
        stage.send(1, poor, 10 * TRANSFER_GAS + 1);
        stage.send(0, NOBODY, 1);
    }
    let ended = stage.run();
    assert!(ended.skipped().is_empty());
    assert_eq!(ended.balance(poor), U256::ZERO);
}

#[test]
fn transfers_to_oneself_and_of_nothing() {
    for fork in [Fork::Frontier, Fork::London, Fork::Osaka] {
        let mut stage = Stage::new(fork);
        for number in 0..40 {
            let own = stage.sender(number % 8);
            stage.send(number % 8, own, (number % 2) as u64 * 5);
            stage.send(number % 8, NOBODY, 0);
        }
        let ended = stage.run();
        assert_eq!(ended.state(NOBODY).is_some(), fork < Fork::SpuriousDragon);
    }
}

#[test]
fn wrong_nonces_are_left_out() {
    let mut stage = Stage::new(Fork::London);
    let sender = stage.sender(0);
    for nonce in [0, 2, 1, 1, 2, 9, 3, 0, 4] {
        stage.numbered(sender, nonce, TxKind::Call(NOBODY), U256::from(1), &[], GAS_PRICE);
        stage.send(1, NOBODY, 1);
    }
    assert_eq!(stage.run().skipped(), [2, 6, 10, 14]);
}

#[test]
fn a_block_that_is_full_leaves_out_the_large_and_takes_the_small() {
    let mut stage = Stage::new(Fork::London);
    stage.block.gas_limit = 500_000;
    for number in 0..24 {
        stage.gas_limit = if number % 3 == 0 { 300_000 } else { TRANSFER_GAS };
        stage.send(number % 8, NOBODY, 1);
    }
    let ended = stage.run();
    assert!(ended.skipped().len() > 2 && ended.done.receipts.len() > 10, "{:?}", ended.skipped());
}

#[test]
fn the_first_invalid_transaction_is_the_error_not_a_later_one() {
    for place in [0, 1, 30, 58] {
        let mut stage = Stage::new(Fork::London);
        stage.config.on_invalid = OnInvalid::Fail;
        for number in 0..60 {
            let sender = stage.sender(number % 8);
            if number >= place && (number - place) % 3 == 0 {
                stage.numbered(sender, 1_000, TxKind::Call(NOBODY), U256::ZERO, &[], GAS_PRICE);
            } else {
                stage.send(number % 8, NOBODY, 1);
            }
        }
        let error = stage.fail();
        assert!(error.contains(&format!("TxIndex({place})")) && error.contains("NonceTooHigh"), "{error}");
    }
}

#[test]
fn the_fee_recipient_sends_and_receives() {
    for fork in [Fork::Frontier, Fork::London, Fork::Shanghai] {
        let mut stage = Stage::new(fork);
        stage.block.beneficiary = stage.sender(0);
        let miner = stage.block.beneficiary;
        for number in 0..40 {
            stage.send(number % 3, if number % 2 == 0 { miner } else { NOBODY }, 3);
        }
        assert!(stage.run().skipped().is_empty());
    }
}

#[test]
fn the_fee_recipient_spends_what_it_earned_in_the_block() {
    let mut stage = Stage::new(Fork::Paris);
    stage.gas_limit = TRANSFER_GAS;
    let miner = stage.sender(0);
    stage.block.beneficiary = miner;
    stage.world.set_balance(miner, U256::ZERO);
    stage.numbered(miner, 0, TxKind::Call(NOBODY), U256::from(1), &[], GAS_PRICE);
    stage.send(1, NOBODY, 1);
    stage.send(2, NOBODY, 1);
    stage.numbered(miner, 0, TxKind::Call(NOBODY), U256::from(1), &[], GAS_PRICE);
    let ended = stage.run();
    assert_eq!(ended.skipped(), [0]);
    assert_eq!(ended.balance(NOBODY), U256::from(3));
}

#[test]
fn a_fee_recipient_that_is_empty_and_earns_nothing_is_removed() {
    for fork in [Fork::Frontier, Fork::SpuriousDragon, Fork::London, Fork::Paris, Fork::Osaka] {
        for exists in [true, false] {
            let mut stage = Stage::new(fork);
            if exists {
                stage.world.put(MINER, U256::ZERO, 0);
            }
            for number in 0..8 {
                let sender = stage.sender(number);
                stage.legacy(sender, TxKind::Call(NOBODY), U256::from(1), &[], 0);
            }
            assert_eq!(stage.run().state(MINER).is_some(), fork < Fork::Paris, "rewards, {fork:?}");
        }
    }
}

#[test]
fn a_fee_recipient_with_storage_alone_loses_it() {
    let mut stage = Stage::new(Fork::Paris);
    stage.world.set(MINER, 0, U256::from(7));
    for number in 0..8 {
        let sender = stage.sender(number);
        stage.legacy(sender, TxKind::Call(NOBODY), U256::from(1), &[], 0);
    }
    assert_eq!(stage.run().state(MINER), None);
}

#[test]
fn a_fee_recipient_that_cannot_hold_more_keeps_what_it_has() {
    let mut stage = Stage::new(Fork::Paris);
    stage.world.put(MINER, U256::MAX - U256::from(300_000), 0);
    (0..8).for_each(|number| stage.send(number, NOBODY, 1));
    assert_eq!(stage.run().balance(MINER), U256::MAX - U256::from(300_000 - 210_000));
}

#[test]
fn a_recipient_that_cannot_hold_more_makes_the_transfer_fail() {
    let mut stage = Stage::new(Fork::Paris);
    stage.world.put(NOBODY, U256::MAX - U256::from(10), 0);
    (0..24).for_each(|number| stage.send(number % 8, NOBODY, 3));
    let ended = stage.run();
    assert_eq!(ended.successes().iter().filter(|success| **success).count(), 3);
}

#[test]
fn a_contract_that_forwards_value_runs_dry() {
    let mut stage = Stage::new(Fork::London);
    // Sends 10 wei on, and notes whether that went well.
    let mut forward = code();
    forward.push(0).push(0).push(0).push(0).push(10).word(word(NOBODY)).push(50_000).ops(&[CALL]);
    forward.push(0).ops(&[SLOAD, ADD]).push(0).ops(&[SSTORE]);
    stage.deploy(CONTRACT, &forward, 0);
    stage.world.set_balance(CONTRACT, U256::from(35));
    stage.all_call(3, CONTRACT, 4, |_| vec![]);
    let ended = stage.run();
    // 35 + 24 * 4 = 131 wei, of which the last calls cannot take 10 each time.
    assert_eq!(ended.slot(CONTRACT, 0), ended.balance(NOBODY) / U256::from(10));
    assert!(ended.slot(CONTRACT, 0) < U256::from(24));
}

#[test]
fn thousands_of_transfers_among_five() {
    let mut stage = Stage::new(Fork::London);
    stage.block.gas_limit = 1_000_000_000;
    stage.gas_limit = TRANSFER_GAS;
    for number in 0..3_000usize {
        let to = stage.sender(number / 3 % 5);
        stage.send(number % 5, to, 1);
    }
    assert_eq!(stage.run().done.receipts.len(), 3_000);
}

#[test]
fn blocks_of_nothing_and_of_one() {
    for fork in FORKS {
        assert!(Stage::new(fork).run().done.receipts.is_empty());
        let mut stage = Stage::new(fork);
        stage.send(0, NOBODY, 1);
        assert_eq!(stage.run().done.receipts.len(), 1);
    }
}

#[test]
fn a_payment_overflows_only_for_who_guesses() {
    let mut stage = Stage::new(Fork::London);
    let ether = U256::from(ETHER);
    for pair in 0..4 {
        let (spender, whale) = (stage.sender(pair), stage.sender(4 + pair));
        stage.world.set_balance(whale, U256::MAX);
        stage.legacy(spender, TxKind::Call(NOBODY), ether / U256::from(2), &[], GAS_PRICE);
        // More than fits beside an ether, less than fits beside half of one.
        stage.legacy(whale, TxKind::Call(spender), U256::MAX - ether + U256::from(1), &[], GAS_PRICE);
    }
    assert_eq!(stage.run().successes(), [true; 8]);
}

/// A contract that, if told to, pays who cannot hold more, and reverts; else it adds its balance to slot 0. revm does not give back
/// what the payment took, and forgets that with the contract, unless it is touched again.
fn overpaying(stage: &mut Stage) {
    let mut pay = code();
    pay.push(0).ops(&[CALLDATALOAD]).when(|pay| {
        pay.push(0).push(0).push(0).push(0).push(6).word(word(NOBODY)).push(50_000).ops(&[CALL]);
        pay.push(0).push(0).ops(&[REVERT])
    });
    pay.ops(&[SELFBALANCE]).push(0).ops(&[SLOAD, ADD]).push(0).ops(&[SSTORE]);
    stage.deploy(CONTRACT, &pay, 0);
    stage.world.set_balance(CONTRACT, U256::from(1_000));
    stage.world.put(NOBODY, U256::MAX, 0);
    stage.all_call(4, CONTRACT, 0, |number| vec![U256::from(number % 2)]);
}

#[test]
fn what_overflows_and_is_reverted_is_still_there_for_the_next() {
    let mut stage = Stage::new(Fork::Istanbul);
    overpaying(&mut stage);
    let ended = stage.run();
    assert_eq!((ended.slot(CONTRACT, 0), ended.balance(CONTRACT)), (U256::from(16_000), U256::from(1_000)));
}

#[test]
fn what_overflows_and_is_reverted_is_lost_to_the_fee_recipient() {
    let mut stage = Stage::new(Fork::Shanghai);
    stage.block.beneficiary = CONTRACT;
    overpaying(&mut stage);
    let ended = stage.run();
    let fees = U256::from(ended.done.gas_used) * U256::from(GAS_PRICE);
    assert_eq!(ended.balance(CONTRACT), U256::from(1_000 - 16 * 6) + fees);
}
