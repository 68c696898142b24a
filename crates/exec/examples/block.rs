//! Executes one block on a small state in memory, with one thread and with four, and prints what came of it.
//!
//! Sixty-four accounts take turns: one pays another, the next calls a contract that counts its calls. Payments meet at
//! accounts, calls at the one slot that holds the count.
//!
//! `cargo run --release -p braid-exec --example block`

use std::{error::Error, num::NonZeroUsize, sync::Arc};

use alloy_consensus::{SignableTransaction, TxLegacy, transaction::Recovered};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use braid_exec::{BlockContext, BlockOutcome, Config, execute};
use braid_types::{
    ChainSpec, Fork, RecoveredTx, Transaction, block::impersonation_signature, fork::MAINNET_DEPOSIT_CONTRACT,
};
use revm::{
    bytecode::Bytecode,
    database::{CacheDB, EmptyDB},
    state::AccountInfo,
};

const CHAIN_ID: u64 = 1;
const ACCOUNTS: u64 = 64;
const TRANSACTIONS: u64 = 2_048;
const WEI_EACH: u64 = 1_000_000_000_000_000_000;
const GAS_PRICE_WEI: u64 = 10;
const COUNTER: Address = Address::repeat_byte(0xc0);
/// Slot 0 becomes slot 0 plus 1: PUSH0 SLOAD PUSH1 1 ADD PUSH0 SSTORE.
const COUNTER_CODE: &[u8] = &hex!("5f546001015f55");

fn main() -> Result<(), Box<dyn Error>> {
    let state = genesis();
    let transactions: Vec<_> = (0..TRANSACTIONS).map(transaction).collect();
    let alone = run(&transactions, &state, 1)?;
    let together = run(&transactions, &state, 4)?;
    if alone.receipts != together.receipts {
        return Err("one thread and four must come to the same receipts".into());
    }
    print(&alone);
    print(&together);
    let changes = together.changes.into_state_changes();
    if alone.changes.into_state_changes() != changes {
        return Err("one thread and four must come to the same changes".into());
    }
    let counter = changes.accounts.get(&COUNTER).and_then(|change| change.storage.get(&U256::ZERO));
    println!("the counter stands at {}", counter.copied().unwrap_or_default());
    for (address, change) in changes.accounts.iter().take(3) {
        let account = change.account.unwrap_or_default();
        println!("{address}: nonce {}, {} wei", account.nonce, account.balance);
    }
    Ok(())
}

fn account(number: u64) -> Address {
    Address::left_padding_from(&(0xa_0000 + number % ACCOUNTS).to_be_bytes())
}

/// Any `DatabaseRef` serves as the state that a block begins with; this is revm's own in memory.
fn genesis() -> CacheDB<EmptyDB> {
    let mut state = CacheDB::new(EmptyDB::new());
    for number in 0..ACCOUNTS {
        state.insert_account_info(account(number), AccountInfo::from_balance(U256::from(WEI_EACH)));
    }
    let code = Bytecode::new_raw(Bytes::from_static(COUNTER_CODE));
    state.insert_account_info(COUNTER, AccountInfo::default().with_code(code).with_nonce(1));
    state
}

/// The `number`-th transaction: of each account in turn, a payment to the account 17 further on or a call.
fn transaction(number: u64) -> RecoveredTx {
    let sender = account(number);
    let is_payment = number.is_multiple_of(2);
    let transaction = TxLegacy {
        chain_id: Some(CHAIN_ID),
        nonce: number / ACCOUNTS,
        gas_price: GAS_PRICE_WEI.into(),
        gas_limit: 60_000,
        to: TxKind::Call(if is_payment { account(number + 17) } else { COUNTER }),
        value: U256::from(if is_payment { 1_000 } else { 0 }),
        input: Bytes::new(),
    };
    // The executor takes senders as recovered, so this example does without keys.
    let signed = Transaction::from(transaction.into_signed(impersonation_signature(sender)));
    Arc::new(Recovered::new_unchecked(signed, sender))
}

fn block() -> BlockContext {
    let fork = Fork::Cancun;
    BlockContext {
        chain_id: CHAIN_ID,
        fork,
        height: 1,
        timestamp: 1,
        beneficiary: Address::repeat_byte(0xfe),
        gas_limit: 1_000_000_000,
        base_fee: 1,
        difficulty: U256::ZERO,
        prevrandao: B256::ZERO,
        blob_params: ChainSpec::at_fork(CHAIN_ID, fork).blob_params(fork, 1),
        excess_blob_gas: Some(0),
        parent_hash: B256::ZERO,
        parent_beacon_block_root: Some(B256::ZERO),
        withdrawals: Vec::new(),
        ommers: Vec::new(),
        is_dao_fork: false,
        deposit_contract: MAINNET_DEPOSIT_CONTRACT,
    }
}

fn run(transactions: &[RecoveredTx], state: &CacheDB<EmptyDB>, threads: usize) -> Result<BlockOutcome, Box<dyn Error>> {
    let threads = NonZeroUsize::new(threads).ok_or("at least one thread")?;
    Ok(execute(&block(), transactions, state, &Config { threads, ..Config::default() })?)
}

fn print(outcome: &BlockOutcome) {
    let statistics = &outcome.statistics;
    println!(
        "threads {}: {} receipts, {} gas, {} accounts and slots changed",
        statistics.threads,
        outcome.receipts.len(),
        outcome.gas_used,
        outcome.changes.len()
    );
    println!(
        "  executions {}, speculations {}, conflicts {}, deltas {}",
        statistics.executions, statistics.speculations, statistics.conflicts, statistics.deltas
    );
    for place in &statistics.contended {
        let slot = place.slot.map_or("account".to_owned(), |slot| format!("slot {slot}"));
        println!("  contended: {} {slot}, conflicts {}, deltas {}", place.address, place.conflicts, place.deltas);
    }
}
