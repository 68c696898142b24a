//! Blocks on small states: what each phase leaves behind, fork by fork.

use std::sync::Arc;

use alloy_consensus::{Eip658Value, SignableTransaction, TxLegacy, TxReceipt, transaction::Recovered};
use alloy_eips::{
    eip2935::{HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CODE},
    eip4788::{BEACON_ROOTS_ADDRESS, BEACON_ROOTS_CODE},
    eip4895::Withdrawal,
    eip7002::{WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_PREDEPLOY_CODE},
    eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_CODE},
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use braid_types::{
    ChainSpec, Fork, RecoveredTx, StateChanges, Transaction, TxIndex, block::impersonation_signature,
    changes::AccountState, fork::MAINNET_DEPOSIT_CONTRACT,
};
use revm::{
    bytecode::Bytecode,
    context::result::InvalidTransaction,
    database::{CacheDB, EmptyDB},
    state::AccountInfo,
};

use crate::{BlockContext, BlockOutcome, Config, ExecError, Ommer, OnInvalid, execute};

pub(crate) const CHAIN_ID: u64 = 1;
pub(crate) const GWEI: u64 = 1_000_000_000;
pub(crate) const ETHER: u64 = GWEI * GWEI;
pub(crate) const SENDER: Address = Address::repeat_byte(0x11);
pub(crate) const RECIPIENT: Address = Address::repeat_byte(0x22);
pub(crate) const MINER: Address = Address::repeat_byte(0x33);
pub(crate) const CONTRACT: Address = Address::repeat_byte(0x44);

pub(crate) type TestState = CacheDB<EmptyDB>;

pub(crate) fn state() -> TestState {
    let mut state = CacheDB::new(EmptyDB::new());
    state.insert_account_info(SENDER, AccountInfo::from_balance(U256::from(10 * ETHER)));
    state
}

pub(crate) fn deploy(state: &mut TestState, address: Address, code: &[u8]) {
    let code = Bytecode::new_raw(Bytes::copy_from_slice(code));
    state.insert_account_info(address, AccountInfo::default().with_code(code).with_nonce(1));
}

pub(crate) fn with_system_contracts(mut state: TestState) -> TestState {
    deploy(&mut state, BEACON_ROOTS_ADDRESS, &BEACON_ROOTS_CODE);
    deploy(&mut state, HISTORY_STORAGE_ADDRESS, &HISTORY_STORAGE_CODE);
    deploy(&mut state, WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, &WITHDRAWAL_REQUEST_PREDEPLOY_CODE);
    deploy(&mut state, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, &CONSOLIDATION_REQUEST_PREDEPLOY_CODE);
    state
}

pub(crate) fn block(fork: Fork) -> BlockContext {
    let spec = ChainSpec::at_fork(CHAIN_ID, fork);
    BlockContext {
        chain_id: CHAIN_ID,
        fork,
        height: 10,
        timestamp: 1_000,
        beneficiary: MINER,
        gas_limit: 1_000_000,
        base_fee: if fork >= Fork::London { 1 } else { 0 },
        difficulty: U256::ZERO,
        prevrandao: B256::ZERO,
        blob_params: spec.blob_params(fork, 1_000),
        excess_blob_gas: (fork >= Fork::Cancun).then_some(0),
        parent_hash: B256::repeat_byte(9),
        parent_beacon_block_root: (fork >= Fork::Cancun).then_some(B256::repeat_byte(8)),
        withdrawals: Vec::new(),
        ommers: Vec::new(),
        is_dao_fork: false,
        deposit_contract: MAINNET_DEPOSIT_CONTRACT,
    }
}

pub(crate) fn transaction(nonce: u64, to: TxKind, wei: u64, input: &[u8]) -> RecoveredTx {
    let transaction = TxLegacy {
        chain_id: None,
        nonce,
        gas_price: 10,
        gas_limit: 200_000,
        to,
        value: U256::from(wei),
        input: Bytes::copy_from_slice(input),
    };
    let signed = Transaction::from(transaction.into_signed(impersonation_signature(SENDER)));
    Arc::new(Recovered::new_unchecked(signed, SENDER))
}

pub(crate) fn call(nonce: u64, to: Address, wei: u64) -> RecoveredTx {
    transaction(nonce, TxKind::Call(to), wei, &[])
}

fn run(block: &BlockContext, transactions: &[RecoveredTx], state: &TestState) -> BlockOutcome {
    execute(block, transactions, state, &Config::default()).unwrap()
}

fn after(changes: &StateChanges, address: Address) -> Option<AccountState> {
    changes.accounts.get(&address).and_then(|change| change.account)
}

fn changes(outcome: &BlockOutcome) -> StateChanges {
    outcome.changes.clone().into_state_changes()
}

fn balance(changes: &StateChanges, address: Address) -> U256 {
    after(changes, address).unwrap_or_default().balance
}

#[test]
fn a_transfer_changes_three_accounts() {
    let outcome = run(&block(Fork::London), &[call(0, RECIPIENT, 5)], &state());
    assert_eq!(outcome.gas_used, 21_000);
    assert_eq!(changes(&outcome).accounts.len(), 3);
    assert_eq!(balance(&changes(&outcome), RECIPIENT), U256::from(5));
    assert_eq!(
        balance(&changes(&outcome), MINER),
        U256::from(2 * ETHER + 21_000 * 9),
        "reward and tips, base fee burnt"
    );
    let sender = after(&changes(&outcome), SENDER).unwrap();
    assert_eq!((sender.nonce, sender.balance), (1, U256::from(10 * ETHER - 5 - 21_000 * 10)));
    assert_eq!(outcome.receipts[0].status_or_post_state(), Eip658Value::Eip658(true));
    assert_eq!(outcome.statistics.executions, 1);
}

#[test]
fn an_invalid_transaction_fails_the_block_or_is_left_out() {
    let transactions = [call(0, RECIPIENT, 1), call(7, RECIPIENT, 1), call(1, RECIPIENT, 1)];
    let state = state();
    let error = execute(&block(Fork::London), &transactions, &state, &Config::default()).unwrap_err();
    assert!(matches!(error, ExecError::InvalidTransaction { index: TxIndex(1), .. }), "{error}");
    let config = Config { on_invalid: OnInvalid::Skip, ..Config::default() };
    let outcome = execute(&block(Fork::London), &transactions, &state, &config).unwrap();
    assert_eq!(outcome.skipped, [(TxIndex(1), InvalidTransaction::NonceTooHigh { tx: 7, state: 1 })]);
    assert_eq!(outcome.receipts.len(), 2);
    assert_eq!(balance(&changes(&outcome), RECIPIENT), U256::from(2));
}

#[test]
fn gas_of_a_block_is_limited_by_what_earlier_transactions_used() {
    let block = BlockContext { gas_limit: 220_999, ..block(Fork::London) };
    let transactions = [call(0, RECIPIENT, 1), call(1, RECIPIENT, 1)];
    let error = execute(&block, &transactions, &state(), &Config::default()).unwrap_err();
    let ExecError::InvalidTransaction { index, reason } = error else { panic!("{error}") };
    assert_eq!((index, reason), (TxIndex(1), InvalidTransaction::CallerGasLimitMoreThanBlock));
    let block = BlockContext { gas_limit: 221_000, ..block };
    assert_eq!(run(&block, &transactions, &state()).receipts.len(), 2);
}

#[test]
fn touching_an_empty_account_creates_it_before_spurious_dragon_and_removes_it_since() {
    let call = [call(0, RECIPIENT, 0)];
    let before = run(&block(Fork::Tangerine), &call, &state());
    assert_eq!(after(&changes(&before), RECIPIENT), Some(AccountState::default()));
    let since = run(&block(Fork::SpuriousDragon), &call, &state());
    assert!(!changes(&since).accounts.contains_key(&RECIPIENT));
    let mut with_empty = state();
    with_empty.insert_account_info(RECIPIENT, AccountInfo::default());
    let removed = run(&block(Fork::SpuriousDragon), &call, &with_empty);
    assert_eq!(changes(&removed).accounts[&RECIPIENT].account, None);
}

#[test]
fn a_destroyed_contract_goes_with_its_storage_before_cancun_and_stays_since() {
    // SELFDESTRUCT to address 0x99.
    let code = hex!("6099ff");
    let build = || {
        let mut state = with_system_contracts(state());
        deploy(&mut state, CONTRACT, &code);
        state.insert_account_storage(CONTRACT, U256::from(1), U256::from(2)).unwrap();
        state
    };
    let outcome = run(&block(Fork::London), &[call(0, CONTRACT, 3)], &build());
    let change = &changes(&outcome).accounts[&CONTRACT];
    assert_eq!((change.account, change.storage_cleared), (None, true));
    assert_eq!(balance(&changes(&outcome), Address::with_last_byte(0x99)), U256::from(3));
    let outcome = run(&block(Fork::Cancun), &[call(0, CONTRACT, 3)], &build());
    assert!(!changes(&outcome).accounts.contains_key(&CONTRACT), "unchanged: the value passed through");
}

#[test]
fn storage_changes_are_absolute_and_a_round_trip_leaves_none() {
    // SSTORE(0, CALLVALUE)
    let mut state = state();
    deploy(&mut state, CONTRACT, &hex!("34600055"));
    state.insert_account_storage(CONTRACT, U256::ZERO, U256::from(7)).unwrap();
    let block = block(Fork::London);
    let outcome = run(&block, &[call(0, CONTRACT, 1), call(1, CONTRACT, 9)], &state);
    assert_eq!(changes(&outcome).accounts[&CONTRACT].storage, [(U256::ZERO, U256::from(9))].into());
    let outcome = run(&block, &[call(0, CONTRACT, 1), call(1, CONTRACT, 7)], &state);
    assert!(changes(&outcome).accounts[&CONTRACT].storage.is_empty());
    let outcome = run(&block, &[call(0, CONTRACT, 0)], &state);
    assert_eq!(changes(&outcome).accounts[&CONTRACT].storage, [(U256::ZERO, U256::ZERO)].into());
}

#[test]
fn created_code_is_reported_once_by_hash() {
    // Deploys the one-byte code 0x00 (STOP): MSTORE8(0, 0), RETURN(0, 1).
    let init = hex!("600060005360016000f3");
    let outcome = run(&block(Fork::London), &[transaction(0, TxKind::Create, 0, &init)], &state());
    let code = Bytes::from_static(&[0]);
    let hash = alloy_primitives::keccak256(&code);
    assert_eq!(changes(&outcome).codes, [(hash, code)].into());
    let created = after(&changes(&outcome), SENDER.create(0)).unwrap();
    assert_eq!((created.code_hash, created.nonce), (hash, 1));
}

#[test]
fn each_transactions_changes_add_up_to_the_blocks() {
    let mut state = state();
    deploy(&mut state, CONTRACT, &hex!("34600055"));
    let create = transaction(2, TxKind::Create, 0, &hex!("600060005360016000f3"));
    let transactions = [call(0, CONTRACT, 1), call(1, CONTRACT, 2), create, call(3, RECIPIENT, 0)];
    // Paris pays no reward, so the transactions are all there is.
    let config = Config { per_transaction_changes: true, ..Config::default() };
    let outcome = execute(&block(Fork::Paris), &transactions, &state, &config).unwrap();
    assert_eq!(outcome.transaction_changes.len(), 4);
    let mut sum = StateChanges::default();
    for changes in &outcome.transaction_changes {
        sum.extend(changes.clone());
    }
    // A touched account that does not exist afterwards may be named apart; created accounts count as cleared.
    sum.accounts.retain(|address, _| changes(&outcome).accounts.contains_key(address));
    for change in sum.accounts.values_mut() {
        change.storage_cleared = false;
    }
    assert_eq!(sum, changes(&outcome));
}

#[test]
fn receipts_before_byzantium_hold_a_state_root_for_the_caller_to_fill_in() {
    let outcome = run(&block(Fork::Homestead), &[call(0, RECIPIENT, 1)], &state());
    assert_eq!(outcome.receipts[0].status_or_post_state(), Eip658Value::PostState(B256::ZERO));
}

#[test]
fn withdrawals_are_in_gwei_and_create_nothing_when_zero() {
    let withdrawal = |address, amount| Withdrawal { index: 0, validator_index: 0, address, amount };
    let withdrawals = vec![withdrawal(RECIPIENT, 3), withdrawal(CONTRACT, 0), withdrawal(RECIPIENT, 1)];
    let outcome = run(&BlockContext { withdrawals, ..block(Fork::Shanghai) }, &[], &state());
    assert_eq!(balance(&changes(&outcome), RECIPIENT), U256::from(4 * GWEI));
    assert_eq!(changes(&outcome).accounts.len(), 1);
}

#[test]
fn miners_and_ommers_are_rewarded_until_paris() {
    let ommers = vec![Ommer { height: 9, beneficiary: RECIPIENT }, Ommer { height: 4, beneficiary: CONTRACT }];
    for (fork, ether) in [(Fork::Frontier, 5), (Fork::Byzantium, 3), (Fork::Constantinople, 2), (Fork::GrayGlacier, 2)]
    {
        let outcome = run(&BlockContext { ommers: ommers.clone(), ..block(fork) }, &[], &state());
        let reward = ether * ETHER;
        assert_eq!(balance(&changes(&outcome), MINER), U256::from(reward + 2 * (reward / 32)), "{fork:?}");
        assert_eq!(balance(&changes(&outcome), RECIPIENT), U256::from(reward / 8 * 7), "{fork:?}");
        assert_eq!(balance(&changes(&outcome), CONTRACT), U256::from(reward / 8 * 2), "{fork:?}");
    }
    assert!(run(&block(Fork::Paris), &[], &state()).changes.is_empty());
}

#[test]
fn the_dao_fork_moves_balances() {
    let drained = Address::from(hex!("bb9bc244d798123fde783fcc1c72d3bb8c189413"));
    let refund = Address::from(hex!("bf4ed7b27f1d666546e30d74d50d173d20bca754"));
    let mut state = state();
    state.insert_account_info(drained, AccountInfo::from_balance(U256::from(5)));
    let outcome = run(&BlockContext { is_dao_fork: true, ..block(Fork::Homestead) }, &[], &state);
    assert_eq!(balance(&changes(&outcome), refund), U256::from(5));
    assert_eq!(after(&changes(&outcome), drained), Some(AccountState::default()));
}

#[test]
fn system_calls_store_the_parents_hash_and_beacon_root() {
    let state = with_system_contracts(state());
    let outcome = run(&block(Fork::Prague), &[], &state);
    let history = &changes(&outcome).accounts[&HISTORY_STORAGE_ADDRESS].storage;
    assert_eq!(history, &[(U256::from(9), U256::from_be_bytes([9; 32]))].into());
    let beacon = &changes(&outcome).accounts[&BEACON_ROOTS_ADDRESS].storage;
    let slot = U256::from(1_000);
    assert_eq!(beacon, &[(slot, U256::from(1_000)), (slot + U256::from(8_191), U256::from_be_bytes([8; 32]))].into());
    assert!(run(&block(Fork::Cancun), &[], &self::state()).changes.is_empty(), "the contract may be missing");
}

#[test]
fn prague_needs_the_request_contracts() {
    let error = execute(&block(Fork::Prague), &[], &state(), &Config::default()).unwrap_err();
    assert!(matches!(error, ExecError::SystemCall { contract: WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, .. }), "{error}");
    let mut reverting = with_system_contracts(state());
    deploy(&mut reverting, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, &hex!("5f5ffd"));
    let error = execute(&block(Fork::Prague), &[], &reverting, &Config::default()).unwrap_err();
    assert!(
        matches!(error, ExecError::SystemCall { contract: CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, .. }),
        "{error}"
    );
}

#[test]
fn a_withdrawal_request_leaves_the_block_with_its_type() {
    let input = [[7; 48].as_slice(), &5u64.to_be_bytes()].concat();
    let request = transaction(0, TxKind::Call(WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS), 1, &input);
    let outcome = run(&block(Fork::Prague), &[request], &with_system_contracts(state()));
    assert_eq!(outcome.receipts[0].status_or_post_state(), Eip658Value::Eip658(true));
    let requests = outcome.requests.take();
    let expected = [[1].as_slice(), SENDER.as_slice(), &[7; 48], &5u64.to_le_bytes()].concat();
    assert_eq!(requests, [Bytes::from(expected)], "no deposits, no consolidations");
}

#[test]
fn contracts_may_send_where_the_configuration_allows() {
    let mut state = state();
    let funded = AccountInfo::from_balance(U256::from(ETHER)).with_code(Bytecode::new_raw(Bytes::from_static(&[0])));
    state.insert_account_info(SENDER, funded);
    let transactions = [call(0, RECIPIENT, 1)];
    let error = execute(&block(Fork::London), &transactions, &state, &Config::default()).unwrap_err();
    let ExecError::InvalidTransaction { reason, .. } = error else { panic!("{error}") };
    assert_eq!(reason, InvalidTransaction::RejectCallerWithCode);
    let config = Config { allow_contract_senders: true, ..Config::default() };
    assert_eq!(execute(&block(Fork::London), &transactions, &state, &config).unwrap().receipts.len(), 1);
}

/// The cases of EIP-1283: code, original value of slot 0, gas, refund.
const NET_METERING: [(&str, u64, u64, u64); 17] = [
    ("60006000556000600055", 0, 412, 0),
    ("60006000556001600055", 0, 20_212, 0),
    ("60016000556000600055", 0, 20_212, 19_800),
    ("60016000556002600055", 0, 20_212, 0),
    ("60016000556001600055", 0, 20_212, 0),
    ("60006000556000600055", 1, 5_212, 15_000),
    ("60006000556001600055", 1, 5_212, 4_800),
    ("60006000556002600055", 1, 5_212, 0),
    ("60026000556000600055", 1, 5_212, 15_000),
    ("60026000556003600055", 1, 5_212, 0),
    ("60026000556001600055", 1, 5_212, 4_800),
    ("60026000556002600055", 1, 5_212, 0),
    ("60016000556000600055", 1, 5_212, 15_000),
    ("60016000556002600055", 1, 5_212, 0),
    ("60016000556001600055", 1, 412, 0),
    ("600160005560006000556001600055", 0, 40_218, 19_800),
    ("600060005560016000556000600055", 1, 10_218, 19_800),
];

#[test]
fn constantinople_meters_storage_net() {
    for (code, original, gas, refund) in NET_METERING {
        let mut state = state();
        deploy(&mut state, CONTRACT, &hex::decode(code).unwrap());
        state.insert_account_storage(CONTRACT, U256::ZERO, U256::from(original)).unwrap();
        let outcome = run(&block(Fork::Constantinople), &[call(0, CONTRACT, 0)], &state);
        let spent = 21_000 + gas;
        assert_eq!(outcome.gas_used, spent - refund.min(spent / 2), "{code} from {original}");
    }
    let mut state = state();
    deploy(&mut state, CONTRACT, &hex!("60016000556001600055"));
    let petersburg = run(&block(Fork::Petersburg), &[call(0, CONTRACT, 0)], &state);
    assert_eq!(petersburg.gas_used, 21_000 + 12 + 20_000 + 5_000, "Petersburg took it back");
}

#[test]
fn no_contract_is_created_where_there_is_storage() {
    let target = SENDER.create(0);
    // Stores 1 at slot 1 and deploys nothing.
    let init_code = hex!("6001600155");
    let mut state = state();
    let create = transaction(0, TxKind::Create, 0, &init_code);
    let free = run(&block(Fork::London), std::slice::from_ref(&create), &state);
    assert_eq!(free.receipts[0].status_or_post_state(), Eip658Value::Eip658(true));

    let mut occupied = AccountInfo::default();
    crate::eip7610::mark_storage(&mut occupied);
    state.insert_account_info(target, occupied);
    state.insert_account_storage(target, U256::from(1), U256::from(7)).unwrap();
    let outcome = run(&block(Fork::London), &[create, call(1, RECIPIENT, 5)], &state);
    assert_eq!(outcome.receipts[0].status_or_post_state(), Eip658Value::Eip658(false));
    assert_eq!(outcome.receipts[0].cumulative_gas_used(), 200_000, "all gas is consumed");
    assert_eq!(changes(&outcome).accounts.get(&target), None, "the account is as it was");
    assert_eq!(after(&changes(&outcome), SENDER).unwrap().nonce, 2);
    assert_eq!(outcome.receipts[1].status_or_post_state(), Eip658Value::Eip658(true));
}
