//! A block of calls to one contract, whose byte code is what is fuzzed: threads must make of it what one transaction after
//! the other makes of it.

use std::{num::NonZeroUsize, sync::Arc};

use alloy_consensus::{SignableTransaction, TxLegacy, transaction::Recovered};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use braid_exec::{BlockContext, Config, execute};
use braid_types::{
    ChainSpec, Fork, Receipt, RecoveredTx, StateChanges, Transaction, block::impersonation_signature,
    fork::MAINNET_DEPOSIT_CONTRACT,
};
use revm::{
    bytecode::Bytecode,
    database::{CacheDB, EmptyDB},
    state::AccountInfo,
};

const CHAIN_ID: u64 = 1;
const CONTRACT: Address = Address::repeat_byte(0xc1);
/// Whose accounts exist; each calls every eighth time.
const SENDERS: u8 = 8;
const CALLS: u64 = 32;
/// Enough for a few dozen new slots, too little for a long loop.
const GAS_LIMIT: u64 = 300_000;
/// Bytes of code that a contract may have (EIP-170).
const MAX_CODE: usize = 24_576;
/// The last fork whose blocks need no contracts but those of their calls.
const FORK: Fork = Fork::Cancun;

type Base = CacheDB<EmptyDB>;

/// Executes the block with several numbers of threads and compares.
pub fn execution(code: &[u8]) {
    let Ok(code) = Bytecode::new_raw_checked(Bytes::copy_from_slice(code)) else { return };
    if code.len() > MAX_CODE {
        return;
    }
    let (state, transactions) = (state(code), transactions());
    let expected = done(&state, &transactions, &Config { per_transaction_changes: true, ..Config::default() });
    for threads in [1, 2, 4].into_iter().filter_map(NonZeroUsize::new) {
        let found = done(&state, &transactions, &Config { threads, ..Config::default() });
        assert_eq!(found, expected, "{threads} threads make something else of the block");
    }
}

/// Programs for mutation: a counter; a balance of the caller that grows with a total; a loop over slots that ends by an
/// argument; a contract that reads its balance, creates another and is destroyed.
pub fn programs() -> Vec<Vec<u8>> {
    let programs = [
        "5f54600101805f5560405260206040a0",
        "335f52602060205260405f2080546001019055600154346001010160015500",
        "5f35600760010354015b80156024576001900380545f5460010101815560095600565b00",
        "47600155335f52600a5f6005f060025560015433ff",
    ];
    programs.into_iter().filter_map(|program| alloy_primitives::hex::decode(program).ok()).collect()
}

fn done(state: &Base, transactions: &[RecoveredTx], config: &Config) -> Result<(Vec<Receipt>, StateChanges), String> {
    let outcome = execute(&block(), transactions, state, config).map_err(|error| error.to_string())?;
    assert_eq!(outcome.statistics.fallbacks, 0, "no invariant is broken");
    Ok((outcome.receipts, outcome.changes.into_state_changes()))
}

fn block() -> BlockContext {
    BlockContext {
        chain_id: CHAIN_ID,
        fork: FORK,
        height: 300,
        timestamp: 1_000,
        beneficiary: Address::repeat_byte(0xd4),
        gas_limit: 30_000_000,
        base_fee: 0,
        difficulty: U256::ZERO,
        prevrandao: B256::repeat_byte(7),
        blob_params: ChainSpec::at_fork(CHAIN_ID, FORK).blob_params(FORK, 1_000),
        excess_blob_gas: Some(0),
        parent_hash: B256::repeat_byte(9),
        parent_beacon_block_root: Some(B256::repeat_byte(8)),
        withdrawals: Vec::new(),
        ommers: Vec::new(),
        is_dao_fork: false,
        deposit_contract: MAINNET_DEPOSIT_CONTRACT,
    }
}

fn sender(number: u64) -> Address {
    Address::with_last_byte(0x20 + u8::try_from(number % u64::from(SENDERS)).unwrap_or_default())
}

fn state(code: Bytecode) -> Base {
    let mut state = Base::default();
    let contract = AccountInfo { nonce: 1, balance: U256::from(40), ..AccountInfo::from_bytecode(code) };
    state.insert_account_info(CONTRACT, contract);
    for slot in 0..4 {
        // An empty database has whatever is put there.
        let _ = state.insert_account_storage(CONTRACT, U256::from(slot), U256::from(slot * 5));
    }
    for number in 0..u64::from(SENDERS) {
        state.insert_account_info(sender(number), AccountInfo::from_balance(U256::from(u64::MAX)));
    }
    state
}

/// Calls with one word and now and then with value.
fn transactions() -> Vec<RecoveredTx> {
    let call = |number: u64| {
        let transaction = TxLegacy {
            chain_id: None,
            nonce: number / u64::from(SENDERS),
            gas_price: 10,
            gas_limit: GAS_LIMIT,
            to: TxKind::Call(CONTRACT),
            value: U256::from(number % 3),
            input: B256::from(U256::from(number % 4)).0.into(),
        };
        let sender = sender(number);
        let signed = Transaction::from(transaction.into_signed(impersonation_signature(sender)));
        Arc::new(Recovered::new_unchecked(signed, sender))
    };
    (0..CALLS).map(call).collect()
}
