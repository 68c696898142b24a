//! What contracts see of accounts while others change them.

use alloy_consensus::TxEip7702;
use alloy_eips::eip7702::SignedAuthorization;
use alloy_primitives::{Address, TxKind, U256};
use braid_exec::OnInvalid;
use braid_types::Fork;
use revm::bytecode::opcode::*;

use super::{CONTRACT, ETHER, GAS_PRICE, MINER, NOBODY, OTHER, Stage, code, word};
use crate::{
    assembler::{Code, creation},
    case::from,
    setup::CHAIN_ID,
};

/// Notes what `look`, which pushes one word, sees: under the number of calls so far, from 1 on.
fn diary(look: &[u8]) -> Code {
    let mut code = code();
    code.ops(look).push(0).ops(&[SLOAD]).push(1).ops(&[ADD, DUP1]).push(0).ops(&[SSTORE, SSTORE]);
    code
}

fn of(address: Address, opcode: u8) -> Vec<u8> {
    let mut code = code();
    code.word(word(address)).ops(&[opcode]);
    code.done()
}

#[test]
fn a_balance_is_read_while_it_grows() {
    let mut stage = Stage::new(Fork::London);
    stage.deploy(CONTRACT, &diary(&of(NOBODY, BALANCE)), 0);
    for number in 0..40 {
        stage.send(number % 8, NOBODY, 1);
        stage.call((number + 3) % 8, CONTRACT, 0, &[]);
    }
    let ended = stage.run();
    (1..=40).for_each(|at| assert_eq!(ended.slot(CONTRACT, at), U256::from(at)));
}

#[test]
fn a_contract_reads_its_own_balance() {
    let mut stage = Stage::new(Fork::Istanbul);
    stage.deploy(CONTRACT, &diary(&[SELFBALANCE]), 0);
    stage.all_call(4, CONTRACT, 2, |_| vec![]);
    let ended = stage.run();
    (1..=32).for_each(|at| assert_eq!(ended.slot(CONTRACT, at), U256::from(2 * at)));
}

#[test]
fn the_fee_recipients_balance_is_read_while_it_earns() {
    for fork in [Fork::Homestead, Fork::Byzantium, Fork::London, Fork::Shanghai, Fork::Osaka] {
        let mut stage = Stage::new(fork);
        stage.deploy(CONTRACT, &diary(&[COINBASE, BALANCE]), 0);
        stage.world.put(MINER, U256::from(5), 0);
        stage.all_call(4, CONTRACT, 0, |_| vec![]);
        let ended = stage.run();
        assert_eq!(ended.slot(CONTRACT, 1), U256::from(5));
        (1..32).for_each(|at| assert!(ended.slot(CONTRACT, at) < ended.slot(CONTRACT, at + 1)));
    }
}

#[test]
fn an_empty_fee_recipient_that_is_touched_goes_unless_it_earns() {
    // Whether it is there at first, what the first transaction pays for gas, and the others.
    for (exists, first, others) in
        [(true, 1, 1), (true, 0, 0), (true, 0, 1), (false, 1, 1), (false, 0, 0), (false, 0, 1)]
    {
        let mut stage = Stage::new(Fork::Shanghai);
        if exists {
            stage.world.put(MINER, U256::ZERO, 0);
        }
        for number in 0..24 {
            let (sender, price) = (stage.sender(number % 8), if number == 0 { first } else { others });
            stage.legacy(sender, TxKind::Call(MINER), U256::ZERO, &[], price);
        }
        let ended = stage.run();
        let change = ended.done.changes.accounts.get(&MINER);
        assert_eq!(ended.state(MINER).is_some(), others > 0);
        assert_eq!(change.is_some_and(|change| change.storage_cleared), exists && first == 0);
    }
}

#[test]
fn gas_prices_and_senders_are_seen() {
    let mut stage = Stage::new(Fork::London);
    stage.deploy(CONTRACT, &diary(&[GASPRICE, ORIGIN, ADD, CALLER, XOR]), 0);
    for number in 0..24 {
        let sender = stage.sender(number % 8);
        stage.legacy(sender, TxKind::Call(CONTRACT), U256::ZERO, &[], number as u128);
    }
    let last = word(stage.sender(7));
    assert_eq!(stage.run().slot(CONTRACT, 24), (last + U256::from(23)) ^ last);
}

#[test]
fn code_is_looked_at_before_and_after_it_is_there() {
    for opcode in [EXTCODEHASH, EXTCODESIZE] {
        let mut stage = Stage::new(Fork::Shanghai);
        let created = stage.sender(7).create(2);
        stage.deploy(CONTRACT, &diary(&of(created, opcode)), 0);
        for number in 0..14 {
            stage.call(number % 7, CONTRACT, 0, &[]);
        }
        // Money makes it an account, the creation a contract.
        stage.send(7, created, 1);
        (0..7).for_each(|number| stage.call(number, CONTRACT, 0, &[]));
        stage.send(7, NOBODY, 1);
        assert_eq!(stage.create(7, &creation(&code(), &[STOP, STOP])), created);
        (0..7).for_each(|number| stage.call(number, CONTRACT, 0, &[]));
        let ended = stage.run();
        assert_eq!(ended.slot(CONTRACT, 14), U256::ZERO);
        assert_eq!(ended.slot(CONTRACT, 21).is_zero(), opcode == EXTCODESIZE);
        assert!(!ended.slot(CONTRACT, 28).is_zero());
        assert_ne!(ended.slot(CONTRACT, 21), ended.slot(CONTRACT, 28));
    }
}

#[test]
fn touched_accounts_come_into_being_or_go() {
    for fork in [Fork::Frontier, Fork::Tangerine, Fork::SpuriousDragon, Fork::London] {
        let mut stage = Stage::new(fork);
        // Calls whom the argument names, without value.
        let mut touch = code();
        touch.push(0).push(0).push(0).push(0).push(0).push(0).ops(&[CALLDATALOAD]).push(3_000).ops(&[CALL, POP]);
        stage.deploy(CONTRACT, &touch, 0);
        stage.world.put(OTHER, U256::ZERO, 0);
        stage.all_call(4, CONTRACT, 0, |at| vec![word([OTHER, NOBODY, Address::with_last_byte(4)][at % 3])]);
        let ended = stage.run();
        for address in [OTHER, NOBODY, Address::with_last_byte(4)] {
            assert_eq!(ended.state(address).is_some(), fork < Fork::SpuriousDragon, "{fork:?} {address}");
        }
    }
}

#[test]
fn precompiles_are_paid_and_asked() {
    for fork in [Fork::Frontier, Fork::Byzantium, Fork::Istanbul, Fork::Osaka] {
        let mut stage = Stage::new(fork);
        let mut ask = code();
        // Hashes slot 0 and sends 1 wei along.
        ask.push(0).ops(&[SLOAD]).push(0).ops(&[MSTORE]);
        ask.push(32).push(0).push(32).push(0).push(1).push(2).push(30_000).ops(&[CALL, POP]);
        ask.push(0).ops(&[MLOAD]).push(0).ops(&[SSTORE]);
        stage.deploy(CONTRACT, &ask, 1);
        stage.all_call(4, CONTRACT, 1, |_| vec![]);
        for number in 1..9 {
            stage.send(0, Address::with_last_byte(number), 1);
        }
        assert_eq!(stage.run().balance(Address::with_last_byte(2)), U256::from(33));
    }
}

fn delegate(stage: &mut Stage, sender: usize, to: Address, authorizations: Vec<SignedAuthorization>) {
    let address = stage.sender(sender);
    let nonce = stage.next_nonce(address);
    let transaction = TxEip7702 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 300_000,
        max_fee_per_gas: GAS_PRICE,
        max_priority_fee_per_gas: GAS_PRICE,
        to,
        value: U256::from(1),
        authorization_list: authorizations,
        ..TxEip7702::default()
    };
    stage.transactions.push(from(transaction, address));
}

#[test]
fn accounts_take_on_code_and_put_it_off_again() {
    let mut stage = Stage::new(Fork::Prague);
    let mut count = code();
    count.push(1).push(0).ops(&[SLOAD, ADD]).push(0).ops(&[SSTORE]);
    stage.deploy(CONTRACT, &count, 0);
    let authority = stage.sender(0);
    for round in 0..4 {
        let nonce = stage.next_nonce(authority);
        let target = if round % 2 == 0 { CONTRACT } else { Address::ZERO };
        let authorization = stage.key(0).authorize(CHAIN_ID, target, nonce);
        delegate(&mut stage, 1, authority, vec![authorization]);
        (2..8).for_each(|sender| stage.send(sender, authority, 1));
        // The authority sends too: its nonce went up by what another signed.
        stage.send(0, NOBODY, 1);
    }
    let ended = stage.run();
    assert!(ended.skipped().is_empty());
    assert_eq!(ended.slot(authority, 0), U256::from(14), "seven calls in each of two rounds");
    assert_eq!(ended.state(authority).unwrap().nonce, 8);
}

#[test]
fn a_sender_with_borrowed_code_spends_its_balance_from_within() {
    let mut stage = Stage::new(Fork::Osaka);
    let mut spend = code();
    // Sends the first argument's wei on, as whoever runs it.
    spend.push(0).push(0).push(0).push(0).push(0).ops(&[CALLDATALOAD]).word(word(NOBODY)).push(50_000).ops(&[CALL]);
    spend.push(0).ops(&[SLOAD, ADD]).push(0).ops(&[SSTORE]);
    stage.deploy(CONTRACT, &spend, 0);
    let authority = stage.sender(0);
    stage.world.set_balance(authority, U256::from(12_000_000));
    let nonce = stage.next_nonce(authority);
    let authorization = stage.key(0).authorize(0, CONTRACT, nonce);
    delegate(&mut stage, 1, NOBODY, vec![authorization]);
    for number in 0..16 {
        stage.call(2 + number % 6, authority, 0, &[U256::from(1_000_000)]);
        stage.call(0, authority, 0, &[U256::from(10)]);
    }
    let ended = stage.run();
    assert!(!ended.skipped().is_empty() && ended.slot(authority, 0) > U256::from(5), "{:?}", ended.skipped());
}

#[test]
fn authorizations_that_do_not_fit_are_passed_over() {
    let mut stage = Stage::new(Fork::Prague);
    for number in 0..16 {
        let key = stage.key(number % 4).clone();
        let authorizations = [(CHAIN_ID, 0), (7, 0), (0, 1), (CHAIN_ID, 3), (CHAIN_ID, u64::MAX)];
        let signed = authorizations.map(|(chain, nonce)| key.authorize(chain, CONTRACT, nonce)).to_vec();
        delegate(&mut stage, 4 + number % 4, NOBODY, signed);
    }
    let authority = stage.sender(0);
    assert_eq!(stage.run().state(authority).unwrap().nonce, 2);
}

#[test]
fn senders_with_code_are_refused_unless_they_are_let() {
    for is_let in [false, true] {
        let mut stage = Stage::new(Fork::London);
        stage.config.allow_contract_senders = is_let;
        stage.config.on_invalid = OnInvalid::Skip;
        stage.deploy(CONTRACT, &code().ops(&[STOP]).clone(), 0);
        stage.world.set_balance(CONTRACT, U256::from(ETHER));
        for _ in 0..8 {
            stage.legacy(CONTRACT, TxKind::Call(NOBODY), U256::from(1), &[], GAS_PRICE);
            stage.send(0, CONTRACT, 1);
        }
        assert_eq!(stage.run().skipped().len(), if is_let { 0 } else { 8 });
    }
}
