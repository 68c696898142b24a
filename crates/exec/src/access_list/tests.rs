//! Lists of small blocks, rule by rule.

use std::sync::Arc;

use alloy_consensus::{SignableTransaction, TxEip2930, TxEip7702, transaction::Recovered};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip2935::HISTORY_STORAGE_ADDRESS,
    eip4788::{BEACON_ROOTS_ADDRESS, SYSTEM_ADDRESS},
    eip4895::Withdrawal,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
    eip7702::{Authorization, SignedAuthorization},
    eip7928::{AccountChanges, BlockAccessListValidationError},
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex, keccak256};
use braid_types::{Fork, RecoveredTx, Transaction, block::impersonation_signature};
use revm::{
    DatabaseCommit, ExecuteEvm,
    context::ContextTr,
    state::{AccountInfo, bal::Bal},
};

use super::*;
use crate::{
    AccessListUse, BlockContext, BlockOutcome, Config, ExecError, OnInvalid, execute, new_evm,
    tests::{
        CHAIN_ID, CONTRACT, ETHER, GWEI, MINER, RECIPIENT, SENDER, TestState, block, call, deploy, state, transaction,
        with_system_contracts,
    },
    transaction_env,
};

const OTHER: Address = Address::repeat_byte(0x55);
const UNKNOWN: Address = Address::repeat_byte(0x66);
const BOTH_FORKS: [Fork; 2] = [Fork::Cancun, Fork::Prague];

fn config(access_list: AccessListUse) -> Config {
    Config { access_list, ..Config::default() }
}

fn produce(block: &BlockContext, transactions: &[RecoveredTx], state: &TestState) -> BlockOutcome {
    execute(block, transactions, state, &config(AccessListUse::Produce)).unwrap()
}

fn list(block: &BlockContext, transactions: &[RecoveredTx], state: &TestState) -> BlockAccessList {
    let list = produce(block, transactions, state).access_list.unwrap();
    // Whatever is produced has the right form, survives its encoding, and is accepted when it is given.
    assert_eq!(decode(&encode(&list), transactions.len(), 100_000_000).unwrap(), list);
    let again = execute(block, transactions, state, &config(AccessListUse::Given(Arc::new(list.clone())))).unwrap();
    assert_eq!(again.access_list.as_ref(), Some(&list));
    list
}

/// The list of transactions alone: system contracts do not exist before Cancun's calls to them matter.
fn list_of(transactions: &[RecoveredTx], state: &TestState) -> BlockAccessList {
    list(&block(Fork::Shanghai), transactions, state)
}

fn find(list: &BlockAccessList, address: Address) -> Option<&AccountChanges> {
    list.iter().find(|account| account.address == address)
}

fn entry(list: &BlockAccessList, address: Address) -> AccountChanges {
    find(list, address).unwrap_or_else(|| panic!("{address} is not listed: {list:#?}")).clone()
}

fn addresses(list: &BlockAccessList) -> Vec<Address> {
    list.iter().map(|account| account.address).collect()
}

fn slot_changes(list: &BlockAccessList, address: Address, slot: u64) -> Vec<(u64, U256)> {
    let account = entry(list, address);
    let changes = account.storage_changes.into_iter().find(|changes| changes.slot == U256::from(slot));
    let changes = changes.map(|changes| changes.changes).unwrap_or_default();
    changes.into_iter().map(|change| (change.block_access_index.get(), change.new_value)).collect()
}

fn balance_changes(list: &BlockAccessList, address: Address) -> Vec<(u64, U256)> {
    let changes = entry(list, address).balance_changes.into_iter();
    changes.map(|change| (change.block_access_index.get(), change.post_balance)).collect()
}

fn nonce_changes(list: &BlockAccessList, address: Address) -> Vec<(u64, u64)> {
    let changes = entry(list, address).nonce_changes.into_iter();
    changes.map(|change| (change.block_access_index.get(), change.new_nonce)).collect()
}

fn code_changes(list: &BlockAccessList, address: Address) -> Vec<(u64, Bytes)> {
    let changes = entry(list, address).code_changes.into_iter();
    changes.map(|change| (change.block_access_index.get(), change.new_code)).collect()
}

/// Code that calls an address with so much value and gas, and drops the result.
fn call_code(to: Address, wei: u8, gas: u16) -> Vec<u8> {
    let [high, low] = gas.to_be_bytes();
    [&hex!("5f5f5f5f60")[..], &[wei, 0x73], to.as_slice(), &[0x61, high, low, 0xf1, 0x50]].concat()
}

/// Code that runs `init` as the initialisation code, of at most 32 bytes, of a contract that it gives so much value.
fn create_code(init: &[u8], wei: u8) -> Vec<u8> {
    let mut word = [0; 32];
    word[..init.len()].copy_from_slice(init);
    let length = u8::try_from(init.len()).unwrap();
    [&[0x7f][..], &word, &hex!("5f52"), &[0x60, length, 0x5f, 0x60, wei, 0xf0, 0x50]].concat()
}

#[test]
fn a_transfer_lists_three_accounts_with_what_they_have_afterwards() {
    let list = list_of(&[call(0, RECIPIENT, 5), call(1, RECIPIENT, 6)], &state());
    assert_eq!(addresses(&list), [SENDER, RECIPIENT, MINER], "in order of address");
    let left = |transfers: u64, wei: u64| U256::from(10 * ETHER - transfers * 210_000 - wei);
    assert_eq!(balance_changes(&list, SENDER), [(1, left(1, 5)), (2, left(2, 11))]);
    assert_eq!(nonce_changes(&list, SENDER), [(1, 1), (2, 2)]);
    assert_eq!(balance_changes(&list, RECIPIENT), [(1, U256::from(5)), (2, U256::from(11))]);
    assert_eq!(balance_changes(&list, MINER), [(1, U256::from(189_000)), (2, U256::from(378_000))]);
    assert_eq!(entry(&list, RECIPIENT).nonce_changes, []);
}

#[test]
fn accounts_that_are_only_looked_at_are_listed_without_changes() {
    // BALANCE, EXTCODESIZE, EXTCODEHASH and EXTCODECOPY of an address each; then of the contract itself.
    let probe = |opcode: u8, byte: u8| [&[0x73], &[byte; 20][..], &[opcode, 0x50]].concat();
    let mut code = [probe(0x31, 1), probe(0x3b, 2), probe(0x3f, 3)].concat();
    code.extend([&hex!("5f5f5f73")[..], &[4; 20], &[0x3c]].concat());
    let mut state = state();
    deploy(&mut state, CONTRACT, &code);
    let list = list_of(&[call(0, CONTRACT, 0)], &state);
    for byte in 1..=4 {
        assert_eq!(entry(&list, Address::repeat_byte(byte)), AccountChanges::new(Address::repeat_byte(byte)));
    }
    assert_eq!(entry(&list, CONTRACT), AccountChanges::new(CONTRACT), "no value came with the call");
}

#[test]
fn a_transfer_of_nothing_and_a_transfer_to_oneself_change_no_balance() {
    let list = list_of(&[call(0, UNKNOWN, 0)], &state());
    assert_eq!(entry(&list, UNKNOWN), AccountChanges::new(UNKNOWN));
    // A contract that sends what it got back to the sender: no change but the fee.
    let mut state = state();
    deploy(&mut state, CONTRACT, &call_code(RECIPIENT, 7, 10_000));
    let list = self::list_of(&[call(0, CONTRACT, 7)], &state);
    assert_eq!(entry(&list, CONTRACT), AccountChanges::new(CONTRACT), "the value passed through");
    assert_eq!(balance_changes(&list, RECIPIENT), [(1, U256::from(7))]);
}

#[test]
fn writes_that_change_nothing_are_reads() {
    // SSTORE(0, CALLVALUE); SLOAD(1); SSTORE(2, 9); SSTORE(2, 0).
    let mut state = state();
    deploy(&mut state, CONTRACT, &hex!("345f556001545060096002555f600255"));
    state.insert_account_storage(CONTRACT, U256::ZERO, U256::from(7)).unwrap();
    let list = list_of(&[call(0, CONTRACT, 7)], &state);
    let account = entry(&list, CONTRACT);
    assert_eq!(account.storage_changes, []);
    assert_eq!(account.storage_reads, [U256::ZERO, U256::from(1), U256::from(2)]);
}

#[test]
fn each_index_is_compared_with_the_one_before() {
    let mut state = state();
    deploy(&mut state, CONTRACT, &hex!("345f55"));
    state.insert_account_storage(CONTRACT, U256::ZERO, U256::from(7)).unwrap();
    let values = [8, 8, 7, 0, 0, 7];
    let transactions: Vec<_> = (0..).zip(values).map(|(nonce, wei)| call(nonce, CONTRACT, wei)).collect();
    let list = list_of(&transactions, &state);
    let expected = [(1, 8), (3, 7), (4, 0), (6, 7)].map(|(index, value): (u64, u64)| (index, U256::from(value)));
    assert_eq!(slot_changes(&list, CONTRACT, 0), expected, "a write of the same value leaves earlier changes alone");
    assert!(entry(&list, CONTRACT).storage_reads.is_empty(), "a slot is never read and changed");
}

#[test]
fn what_a_reverted_frame_accessed_is_listed_without_what_it_changed() {
    // The callee stores 1 at slot 3, looks at an address, and reverts.
    let probe = [&[0x73], UNKNOWN.as_slice(), &[0x31, 0x50]].concat();
    let callee = [&hex!("6001600355")[..], &probe, &hex!("5f5ffd")].concat();
    let mut state = state();
    deploy(&mut state, OTHER, &callee);
    deploy(&mut state, CONTRACT, &call_code(OTHER, 0, 60_000));
    let inner = list_of(&[call(0, CONTRACT, 0)], &state);
    let whole = list_of(&[call(0, OTHER, 3)], &state);
    for list in [inner, whole] {
        let expected = AccountChanges { storage_reads: vec![U256::from(3)], ..AccountChanges::new(OTHER) };
        assert_eq!(entry(&list, OTHER), expected);
        assert_eq!(entry(&list, UNKNOWN), AccountChanges::new(UNKNOWN));
        assert_eq!(nonce_changes(&list, SENDER), [(1, 1)]);
    }
}

#[test]
fn an_access_that_its_gas_does_not_pay_for_is_none() {
    // SLOAD(5) for 2,103 gas; less is too little. SSTORE needs more than 2,300 beyond its pushes.
    for (code, gas, is_listed) in
        [("600554", 2_102, false), ("600554", 2_103, true), ("5f600555", 2_305, false), ("5f600555", 2_306, true)]
    {
        let mut state = state();
        deploy(&mut state, OTHER, &hex::decode(code).unwrap());
        deploy(&mut state, CONTRACT, &call_code(OTHER, 0, gas));
        let list = list_of(&[call(0, CONTRACT, 0)], &state);
        assert_eq!(entry(&list, OTHER).storage_reads.contains(&U256::from(5)), is_listed, "{code} {gas}");
    }
    // BALANCE for 2,603; a call for 2,600 and its seven pushes; SELFDESTRUCT for 7,600 and a push.
    let probe = [&[0x73], UNKNOWN.as_slice(), &[0x31]].concat();
    let destroy = [&[0x73], UNKNOWN.as_slice(), &[0xff]].concat();
    for (code, enough) in [(probe, 2_603), (call_code(UNKNOWN, 0, 0), 2_617), (destroy, 7_603)] {
        for (gas, is_listed) in [(enough - 1, false), (enough, true)] {
            let mut state = state();
            deploy(&mut state, OTHER, &code);
            deploy(&mut state, CONTRACT, &call_code(OTHER, 0, gas));
            let list = list_of(&[call(0, CONTRACT, 0)], &state);
            assert_eq!(find(&list, UNKNOWN).is_some(), is_listed, "{} {gas}", hex::encode(&code));
        }
    }
}

#[test]
fn a_transactions_own_list_is_not_the_blocks() {
    let item = AccessListItem { address: UNKNOWN, storage_keys: vec![B256::with_last_byte(1)] };
    let own =
        AccessListItem { address: CONTRACT, storage_keys: vec![B256::with_last_byte(1), B256::with_last_byte(2)] };
    let transaction = TxEip2930 {
        chain_id: CHAIN_ID,
        gas_price: 10,
        gas_limit: 100_000,
        to: TxKind::Call(CONTRACT),
        access_list: AccessList(vec![item, own]),
        ..TxEip2930::default()
    };
    let signed = Transaction::from(transaction.into_signed(impersonation_signature(SENDER)));
    let mut state = state();
    deploy(&mut state, CONTRACT, &hex!("60025450"));
    let list = list_of(&[Arc::new(Recovered::new_unchecked(signed, SENDER))], &state);
    assert_eq!(find(&list, UNKNOWN), None);
    assert_eq!(entry(&list, CONTRACT).storage_reads, [U256::from(2)]);
}

#[test]
fn the_fee_recipient_is_listed_with_each_transaction_and_without_none() {
    let no_tip = BlockContext { base_fee: 10, ..block(Fork::Shanghai) };
    let list = list(&no_tip, &[call(0, RECIPIENT, 1)], &state());
    assert_eq!(entry(&list, MINER), AccountChanges::new(MINER), "accessed, and paid nothing");
    assert_eq!(list_of(&[], &state()), BlockAccessList::new());
    assert_eq!(hash(&BlockAccessList::new()), keccak256([0xc0]));
}

#[test]
fn deployed_contracts_have_nonce_and_code() {
    let init = hex!("600060005360016000f3");
    let list = list_of(&[transaction(0, TxKind::Create, 9, &init)], &state());
    let created = SENDER.create(0);
    assert_eq!(nonce_changes(&list, created), [(1, 1)]);
    assert_eq!(code_changes(&list, created), [(1, Bytes::from_static(&[0]))]);
    assert_eq!(balance_changes(&list, created), [(1, U256::from(9))]);
    // Deploying no code changes no code.
    let list = list_of(&[transaction(0, TxKind::Create, 0, &[])], &state());
    assert_eq!((nonce_changes(&list, created), code_changes(&list, created)), (vec![(1, 1)], vec![]));
}

#[test]
fn created_addresses_are_listed_once_they_are_looked_at() {
    let created = CONTRACT.create(1);
    let run = |code: &[u8], occupied: bool| {
        let mut state = state();
        deploy(&mut state, CONTRACT, code);
        if occupied {
            state.insert_account_info(created, AccountInfo::default().with_nonce(1));
        }
        list_of(&[call(0, CONTRACT, 0)], &state)
    };
    let list = run(&create_code(&hex!("5f5ffd"), 0), false);
    assert_eq!(entry(&list, created), AccountChanges::new(created), "a reverted creation");
    assert_eq!(nonce_changes(&list, CONTRACT), [(1, 2)], "which the creator counts");
    let list = run(&create_code(&[], 0), true);
    assert_eq!(entry(&list, created), AccountChanges::new(created), "a collision");
    let list = run(&create_code(&[], 1), false);
    assert_eq!(find(&list, created), None, "the creator cannot pay the endowment");
}

#[test]
fn what_one_transaction_creates_and_destroys_has_reads_only() {
    // Stores 1 at slot 0, loads slot 1, destroys itself in favour of 0x77…77.
    let heir = Address::repeat_byte(0x77);
    let init = [&hex!("60015f5560015450")[..], &[0x73], heir.as_slice(), &[0xff]].concat();
    let created = CONTRACT.create(1);
    for (before, wei) in [(0, 0), (5, 0), (5, 3)] {
        let mut state = state();
        deploy(&mut state, CONTRACT, &create_code(&init, wei));
        if before > 0 {
            state.insert_account_info(created, AccountInfo::from_balance(U256::from(before)));
        }
        for fork in BOTH_FORKS {
            let state = with_system_contracts(state.clone());
            let list = list(&block(fork), &[call(0, CONTRACT, wei.into())], &state);
            let reads = vec![U256::ZERO, U256::from(1)];
            let balance = if before > 0 { vec![(1, U256::ZERO)] } else { vec![] };
            let account = entry(&list, created);
            assert_eq!((account.storage_reads, account.storage_changes), (reads, vec![]));
            assert_eq!((account.nonce_changes, account.code_changes), (vec![], vec![]));
            assert_eq!(balance_changes(&list, created), balance);
            let inherited = U256::from(before) + U256::from(wei);
            let expected = if inherited.is_zero() { vec![] } else { vec![(1, inherited)] };
            assert_eq!(balance_changes(&list, heir), expected);
        }
    }
}

#[test]
fn a_contract_from_before_the_transaction_only_loses_its_balance_since_cancun() {
    let code = [&[0x73], UNKNOWN.as_slice(), &[0xff]].concat();
    let mut state = with_system_contracts(state());
    deploy(&mut state, CONTRACT, &code);
    let list = list(&block(Fork::Cancun), &[call(0, CONTRACT, 3)], &state);
    assert_eq!(entry(&list, CONTRACT), AccountChanges::new(CONTRACT));
    assert_eq!(balance_changes(&list, UNKNOWN), [(1, U256::from(3))]);
    // Before Cancun it is gone.
    let list = self::list(&block(Fork::Shanghai), &[call(0, CONTRACT, 3)], &state);
    assert_eq!(
        (nonce_changes(&list, CONTRACT), code_changes(&list, CONTRACT)),
        (vec![(1, 0)], vec![(1, Bytes::new())])
    );
}

#[test]
fn precompiles_are_listed_when_called() {
    let identity = Address::with_last_byte(4);
    let mut state = state();
    deploy(&mut state, CONTRACT, &call_code(identity, 0, 1_000));
    let list = list_of(&[call(0, CONTRACT, 0), call(1, Address::with_last_byte(2), 5)], &state);
    assert_eq!(entry(&list, identity), AccountChanges::new(identity));
    assert_eq!(balance_changes(&list, Address::with_last_byte(2)), [(2, U256::from(5))]);
    assert_eq!(find(&list, Address::with_last_byte(1)), None);
}

#[test]
fn withdrawals_are_listed_after_the_transactions() {
    let withdrawal = |address, amount| Withdrawal { index: 0, validator_index: 0, address, amount };
    let withdrawals = vec![withdrawal(RECIPIENT, 3), withdrawal(UNKNOWN, 0), withdrawal(RECIPIENT, 1)];
    let block = BlockContext { withdrawals, ..block(Fork::Shanghai) };
    let list = list(&block, &[call(0, RECIPIENT, 1)], &state());
    let paid = U256::from(4 * GWEI + 1);
    assert_eq!(balance_changes(&list, RECIPIENT), [(1, U256::from(1)), (2, paid)]);
    assert_eq!(entry(&list, UNKNOWN), AccountChanges::new(UNKNOWN));
}

#[test]
fn system_contracts_are_listed_around_the_transactions_and_their_caller_never() {
    let state = with_system_contracts(state());
    let input = [[7; 48].as_slice(), &5u64.to_be_bytes()].concat();
    let request = transaction(0, TxKind::Call(WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS), 1, &input);
    let list = list(&block(Fork::Prague), &[request], &state);
    assert_eq!(find(&list, SYSTEM_ADDRESS), None);
    assert_eq!(slot_changes(&list, HISTORY_STORAGE_ADDRESS, 9), [(0, U256::from_be_bytes([9; 32]))]);
    assert_eq!(slot_changes(&list, BEACON_ROOTS_ADDRESS, 1_000), [(0, U256::from(1_000))]);
    assert_eq!(slot_changes(&list, BEACON_ROOTS_ADDRESS, 9_191), [(0, U256::from_be_bytes([8; 32]))]);
    // The request counts up slot 1 and moves the queue's tail; the dequeuing sets both back.
    let counts = slot_changes(&list, WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, 1);
    assert_eq!(counts, [(1, U256::from(1)), (2, U256::ZERO)]);
    assert_eq!(entry(&list, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS).storage_changes, []);
    let reads = [0, 1, 2, 3].map(U256::from);
    assert_eq!(entry(&list, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS).storage_reads, reads);
    // A contract that does not exist is accessed too.
    let list = self::list(&block(Fork::Cancun), &[], &self::state());
    assert_eq!(list, [AccountChanges::new(BEACON_ROOTS_ADDRESS)]);
}

/// An authorization with a signature that some key has made, whoever that is.
fn authorization(seed: u8, chain_id: u64, nonce: u64, delegate: Address) -> (Address, SignedAuthorization) {
    let authorization = Authorization { chain_id: U256::from(chain_id), address: delegate, nonce };
    let candidates = (1u8..=255).map(|byte| {
        let (r, s) = (U256::from_be_bytes([byte; 32]) >> 1, U256::from_be_bytes([seed; 32]) >> 2);
        SignedAuthorization::new_unchecked(authorization.clone(), 0, r, s)
    });
    let mut signed = candidates.filter_map(|signed| Some((signed.recover_authority().ok()?, signed)));
    signed.next().expect("half of all r are on the curve")
}

fn set_code(nonce: u64, authorization_list: Vec<SignedAuthorization>) -> RecoveredTx {
    let transaction = TxEip7702 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 300_000,
        max_fee_per_gas: 10,
        max_priority_fee_per_gas: 9,
        to: RECIPIENT,
        authorization_list,
        ..TxEip7702::default()
    };
    let signed = Transaction::from(transaction.into_signed(impersonation_signature(SENDER)));
    Arc::new(Recovered::new_unchecked(signed, SENDER))
}

#[test]
fn authorities_are_listed_once_they_are_loaded_and_delegates_once_they_are_called() {
    let (good, set) = authorization(1, CHAIN_ID, 0, OTHER);
    let (wrong_nonce, late) = authorization(2, 0, 5, UNKNOWN);
    let (wrong_chain, foreign) = authorization(3, 99, 0, UNKNOWN);
    let mut state = with_system_contracts(state());
    deploy(&mut state, OTHER, &hex!("60015f55"));
    let list = list(&block(Fork::Prague), &[set_code(0, vec![set, late, foreign])], &state);
    let delegation = Bytes::from([&hex!("ef0100"), OTHER.as_slice()].concat());
    assert_eq!((nonce_changes(&list, good), code_changes(&list, good)), (vec![(1, 1)], vec![(1, delegation.clone())]));
    assert_eq!(entry(&list, wrong_nonce), AccountChanges::new(wrong_nonce));
    assert_eq!(find(&list, wrong_chain), None);
    assert_eq!((find(&list, OTHER), find(&list, UNKNOWN)), (None, None), "delegates are not loaded");

    state.insert_account_info(
        good,
        AccountInfo::default().with_nonce(1).with_code(revm::bytecode::Bytecode::new_raw(delegation)),
    );
    let list = self::list(&block(Fork::Prague), &[call(0, good, 0)], &state);
    assert_eq!(entry(&list, OTHER), AccountChanges::new(OTHER));
    assert_eq!(slot_changes(&list, good, 0), [(1, U256::from(1))], "the delegate's code acts on the authority");
}

#[test]
fn transactions_that_are_left_out_leave_no_trace() {
    let transactions = [call(0, RECIPIENT, 1), call(7, UNKNOWN, 1), call(1, RECIPIENT, 1)];
    let config = Config { on_invalid: OnInvalid::Skip, ..config(AccessListUse::Produce) };
    let outcome = execute(&block(Fork::Shanghai), &transactions, &state(), &config).unwrap();
    let valid = [call(0, RECIPIENT, 1), call(1, RECIPIENT, 1)];
    assert_eq!(outcome.access_list, produce(&block(Fork::Shanghai), &valid, &state()).access_list);
    assert_eq!(execute(&block(Fork::Shanghai), &valid, &state(), &Config::default()).unwrap().access_list, None);
}

#[test]
fn a_list_that_is_not_the_blocks_is_refused_with_the_first_difference() {
    let mut state = state();
    deploy(&mut state, CONTRACT, &hex!("345f5560015450"));
    let (block, transactions) = (block(Fork::Shanghai), [call(0, CONTRACT, 1), call(1, CONTRACT, 2)]);
    let true_list = list(&block, &transactions, &state);
    let refusal = |change: &dyn Fn(&mut BlockAccessList)| {
        let mut given = true_list.clone();
        change(&mut given);
        execute(&block, &transactions, &state, &config(AccessListUse::Given(Arc::new(given)))).unwrap_err()
    };
    let position = |address| true_list.iter().position(|account| account.address == address).unwrap();
    let (sender, contract, miner) = (position(SENDER), position(CONTRACT), position(MINER));
    let (one, two) = (BlockAccessIndex::new(1), BlockAccessIndex::new(2));
    type Change<'a> = &'a dyn Fn(&mut BlockAccessList);
    let cases: [(Change<'_>, Address, Item); 9] = [
        (&|list| drop(list.remove(miner)), MINER, Item::Missing),
        (&|list| list.push(AccountChanges::new(UNKNOWN)), UNKNOWN, Item::NotAccessed),
        (
            &|list| list[contract].storage_changes[0].changes[1].new_value = U256::from(9),
            CONTRACT,
            Item::SlotChanges(U256::ZERO),
        ),
        (&|list| list[contract].storage_reads.clear(), CONTRACT, Item::SlotRead(U256::from(1))),
        (&|list| list[contract].storage_reads.push(U256::from(3)), CONTRACT, Item::SlotRead(U256::from(3))),
        (&|list| list[sender].balance_changes[1].post_balance += U256::from(1), SENDER, Item::Balance(two)),
        (
            &|list| list[sender].balance_changes.retain(|change| change.block_access_index > one),
            SENDER,
            Item::Balance(one),
        ),
        (&|list| list[sender].nonce_changes[1].new_nonce = 3, SENDER, Item::Nonce(two)),
        (
            &|list| list[contract].code_changes.push(alloy_eips::eip7928::CodeChange::new(two, Bytes::new())),
            CONTRACT,
            Item::Code(two),
        ),
    ];
    for (change, address, item) in cases {
        let error = refusal(change);
        let ExecError::AccessList(difference) = error else { panic!("{error}") };
        assert_eq!(difference, Difference { address, item });
    }
    let error = refusal(&|list| list.swap(sender, miner));
    let ExecError::AccessListForm(reason) = error else { panic!("{error}") };
    assert!(matches!(reason, BlockAccessListValidationError::AccountsOutOfOrder { .. }), "{reason}");
}

#[test]
fn indices_beyond_the_block_and_duplicates_do_not_decode() {
    let index = BlockAccessIndex::new;
    let account = |nonces: &[u64]| AccountChanges {
        nonce_changes: nonces.iter().map(|&at| alloy_eips::eip7928::NonceChange::new(index(at), 1)).collect(),
        ..AccountChanges::new(SENDER)
    };
    let decoded = |list: &BlockAccessList| decode(&encode(list), 1, 100_000);
    assert!(decoded(&vec![account(&[0, 1, 2])]).is_ok());
    for nonces in [&[3][..], &[1, 1], &[2, 1]] {
        assert!(matches!(decoded(&vec![account(nonces)]), Err(DecodeError::Form(_))), "{nonces:?}");
    }
    assert!(matches!(decoded(&vec![account(&[1]), account(&[1])]), Err(DecodeError::Form(_))));
    let reads = AccountChanges { storage_reads: vec![U256::from(1), U256::from(1)], ..account(&[]) };
    assert!(matches!(decoded(&vec![reads]), Err(DecodeError::Form(_))));
}

#[test]
fn lists_that_no_gas_pays_for_do_not_decode() {
    let reads = |count: u64| AccountChanges {
        storage_reads: (0..count).map(U256::from).collect(),
        ..AccountChanges::new(SENDER)
    };
    let decoded = |count| decode(&encode(&vec![reads(count)]), 1, 20_000);
    assert!(decoded(9).is_ok());
    assert!(matches!(decoded(10), Err(DecodeError::TooManyItems { items: 11, max: 10 })));
    assert!(matches!(decoded(10_000), Err(DecodeError::TooManyEntries)));
    let large = vec![0; braid_types::limits::MAX_ACCESS_LIST_SIZE_BYTES + 1];
    assert!(matches!(decode(&large, 1, u64::MAX), Err(DecodeError::TooLarge(_))));
}

#[test]
fn what_is_no_list_does_not_decode() {
    let account = encode(&vec![AccountChanges::new(SENDER)]);
    for cut in 0..account.len() {
        assert!(decode(&account[..cut], 1, 100_000).is_err(), "{cut} bytes");
    }
    assert!(decode(&[&account[..], &[0]].concat(), 1, 100_000).is_err(), "trailing bytes");
    let mut extra = account.to_vec();
    (extra[0], extra[1]) = (extra[0] + 1, extra[1] + 1);
    extra.push(0xc0);
    assert!(decode(&extra, 1, 100_000).is_err(), "a seventh field");
}

#[test]
fn the_state_before_each_index_is_what_a_list_says_below_it() {
    let mut state = state();
    deploy(&mut state, CONTRACT, &hex!("345f55"));
    let init = hex!("600060005360016000f3");
    let transactions =
        [call(0, CONTRACT, 1), call(1, CONTRACT, 1), call(2, CONTRACT, 4), transaction(3, TxKind::Create, 0, &init)];
    let list = list_of(&transactions, &state);
    let given = GivenState::new(&list);
    let slots: Vec<_> = (0..=5).map(|at| given.slot(CONTRACT, U256::ZERO, BlockAccessIndex::new(at))).collect();
    let (one, four) = (Some(U256::from(1)), Some(U256::from(4)));
    assert_eq!(slots, [None, None, one, one, four, four]);
    let nonces: Vec<_> = (0..=5).map(|at| given.account(SENDER, BlockAccessIndex::new(at)).nonce).collect();
    assert_eq!(nonces, [None, None, Some(1), Some(2), Some(3), Some(4)]);
    let created = SENDER.create(3);
    assert_eq!(given.account(created, BlockAccessIndex::new(4)), GivenInfo::default());
    let hash = given.account(created, BlockAccessIndex::new(5)).code_hash.unwrap();
    let code = given.code(&hash).unwrap();
    assert_eq!((code.original_bytes(), code.hash_slow()), (Bytes::from_static(&[0]), keccak256([0])));
    assert_eq!(given.account(UNKNOWN, BlockAccessIndex::new(5)), GivenInfo::default());
    assert_eq!(given.slot(CONTRACT, U256::from(1), BlockAccessIndex::new(5)), None);
}

/// Random numbers that are the same on every run (Knuth's MMIX generator).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A transaction of one of the kinds that meet: transfers among few, writes of few slots that may cancel out or revert,
/// contracts that come, and contracts that come and go.
fn random_transaction(dice: &mut Dice, nonce: u64) -> RecoveredTx {
    let wei = dice.roll(3);
    match dice.roll(8) {
        0 => transaction(nonce, TxKind::Create, wei, &hex!("600060005360016000f3")),
        // Stores its value, destroys itself in favour of its caller.
        1 => transaction(nonce, TxKind::Create, wei, &hex!("345f5533ff")),
        2 => call(nonce, SENDER.create(dice.roll(8)), wei),
        3 | 4 => call(nonce, Address::with_last_byte(0x80 + u8::try_from(dice.roll(3)).unwrap()), wei),
        _ => {
            let slot = u8::try_from(dice.roll(4)).unwrap();
            transaction(nonce, TxKind::Call(CONTRACT), wei, &[[0; 31].as_slice(), &[slot]].concat())
        }
    }
}

/// SSTORE(CALLDATALOAD(0), CALLVALUE); reverts if the slot is 3.
const WRITER: [u8; 17] = hex!("345f35555f35600314600d57005b5f5ffd");

/// A block in which random transactions meet, without system calls, and the state before it.
pub(crate) fn random_block(seed: u64) -> (BlockContext, Vec<RecoveredTx>, TestState) {
    let mut state = state();
    deploy(&mut state, CONTRACT, &WRITER);
    state.insert_account_storage(CONTRACT, U256::from(1), U256::from(2)).unwrap();
    let mut dice = Dice(seed);
    let transactions = (0..24).map(|nonce| random_transaction(&mut dice, nonce)).collect();
    let block = BlockContext { gas_limit: 100_000_000, parent_beacon_block_root: None, ..block(Fork::Cancun) };
    (block, transactions, state)
}

#[test]
fn lists_are_those_that_revm_builds() {
    for seed in 0..64 {
        let (block, transactions, state) = random_block(seed);
        let mut evm = new_evm(&block, state.clone());
        let (mut expected, mut accessed) = (Bal::new(), Recorder::default());
        for (position, transaction) in transactions.iter().enumerate() {
            let run = evm.transact(transaction_env(transaction)).unwrap();
            #[expect(clippy::iter_over_hash_type, reason = "the list is sorted in the end")]
            for (address, account) in &run.state {
                expected.update_account(index_after(position), *address, account);
            }
            accessed.add(&Accesses::of(&run.state));
            evm.ctx.db_mut().commit(run.state);
        }
        let list = produce(&block, &transactions, &state).access_list.unwrap();
        assert_eq!(list, expected.into_alloy_bal(), "{seed}");
        let slots = |account: &AccountChanges| account.storage_slots().collect::<std::collections::BTreeSet<_>>();
        for (account, accessed) in list.iter().zip(accessed.finish()) {
            assert_eq!((account.address, slots(account)), (accessed.address, slots(&accessed)), "{seed}");
        }
    }
}

#[test]
fn every_transaction_alone_on_the_state_a_list_tells_does_what_it_does_in_the_block() {
    for seed in 0..64 {
        let (block, transactions, state) = random_block(seed);
        let config = Config { per_transaction_changes: true, ..config(AccessListUse::Produce) };
        let outcome = execute(&block, &transactions, &state, &config).unwrap();
        let list = outcome.access_list.unwrap();
        let given = GivenState::new(&list);
        let mut gas = 0;
        for (position, transaction) in transactions.iter().enumerate() {
            let before = StateBefore { base: &state, given: &given, index: index_after(position) };
            let (receipt, changes) = crate::execute_alone(&block, transaction, &before).unwrap();
            let expected = &outcome.receipts[position];
            gas += receipt.cumulative_gas_used();
            assert_eq!(
                (gas, receipt.status()),
                (expected.cumulative_gas_used(), expected.status()),
                "{seed} {position}"
            );
            let recorded = &outcome.transaction_changes[position].accounts;
            for (address, change) in changes.accounts {
                assert_eq!(
                    (recorded[&address].account, &recorded[&address].storage),
                    (change.account, &change.storage)
                );
            }
        }
    }
}
