//! Blocks that carry their access lists, true and false, at one to eight threads.

use std::{num::NonZeroUsize, sync::Arc};

use alloy_consensus::SignableTransaction;
use alloy_eips::{
    eip4895::Withdrawal,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7928::{AccountChanges, BalanceChange, BlockAccessIndex, CodeChange, NonceChange, SlotChanges, StorageChange},
};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use braid_types::{Fork, RecoveredTx, Transaction, block::impersonation_signature};
use revm::state::AccountInfo;

use crate::{
    AccessListUse, BlockContext, BlockOutcome, Config, ExecError, OnInvalid,
    access_list::{
        BlockAccessList,
        tests::{Dice, random_block},
    },
    execute,
    parallel::given,
    tests::{MINER, SENDER, TestState, block, call, state, transaction, with_system_contracts},
};

/// Stands for execution in order, without use of the list; threads are as many as there are transactions at most.
const IN_ORDER: usize = 1_000;

const UNKNOWN: Address = Address::repeat_byte(0x66);

struct Sample {
    block: BlockContext,
    transactions: Vec<RecoveredTx>,
    state: TestState,
    list: BlockAccessList,
}

fn config(threads: usize, access_list: AccessListUse) -> Config {
    Config { threads: NonZeroUsize::new(threads).unwrap(), access_list, ..Config::default() }
}

impl Sample {
    fn new(block: BlockContext, transactions: Vec<RecoveredTx>, state: TestState) -> Self {
        let config = Config { per_transaction_changes: true, ..config(1, AccessListUse::Produce) };
        let list = execute(&block, &transactions, &state, &config).unwrap().access_list.unwrap();
        Self { block, transactions, state, list }
    }

    /// A block in which random transactions meet; contracts come to be where there is a balance already, or an empty account.
    fn random(seed: u64) -> Self {
        let (block, transactions, mut state) = random_block(seed);
        let mut dice = Dice(seed ^ 0xb1a1d);
        for nonce in 0..8 {
            let balance = U256::from(dice.roll(3));
            if dice.roll(2) == 0 {
                state.insert_account_info(SENDER.create(nonce), AccountInfo::from_balance(balance));
            }
        }
        state.insert_account_info(UNKNOWN, AccountInfo::default());
        let withdrawal = |address, amount| Withdrawal { address, amount, ..Withdrawal::default() };
        let withdrawals = vec![withdrawal(MINER, 3), withdrawal(UNKNOWN, dice.roll(2)), withdrawal(SENDER, 0)];
        Self::new(BlockContext { withdrawals, ..block }, transactions, state)
    }

    /// A block in which system contracts have something to do.
    fn with_requests() -> Self {
        let input = [[7; 48].as_slice(), &5u64.to_be_bytes()].concat();
        let request = |nonce| transaction(nonce, TxKind::Call(WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS), 1, &input);
        let transactions = vec![request(0), call(1, UNKNOWN, 3), request(2), call(3, MINER, 1)];
        Self::new(block(Fork::Prague), transactions, with_system_contracts(state()))
    }

    fn given(
        &self,
        threads: usize,
        list: &BlockAccessList,
    ) -> Result<BlockOutcome, ExecError<std::convert::Infallible>> {
        let config = config(threads, AccessListUse::Given(Arc::new(list.clone())));
        let config = Config { per_transaction_changes: threads == IN_ORDER, ..config };
        execute(&self.block, &self.transactions, &self.state, &config)
    }

    /// Checks that a list is refused by threads, and that the error is what sequential execution says.
    fn assert_refused(&self, list: &BlockAccessList, threads: usize, what: &str) {
        let expected = self.given(IN_ORDER, list).expect_err(what);
        let config = config(threads, AccessListUse::Given(Arc::new(list.clone())));
        if !matches!(expected, ExecError::AccessListForm(_)) {
            let alone = given::execute(&self.block, &self.transactions, &self.state, &config, list);
            assert!(alone.is_none(), "{what}");
        }
        let error = execute(&self.block, &self.transactions, &self.state, &config).expect_err(what);
        assert_eq!(format!("{error:?}"), format!("{expected:?}"), "{what}");
    }
}

fn assert_same(outcome: BlockOutcome, expected: BlockOutcome, threads: usize) {
    assert_eq!(outcome.statistics.fallbacks, 0);
    assert_eq!(outcome.statistics.threads, u64::try_from(threads).unwrap());
    assert_eq!(outcome.receipts, expected.receipts);
    assert_eq!((outcome.gas_used, outcome.blob_gas_used), (expected.gas_used, expected.blob_gas_used));
    assert_eq!((outcome.logs_bloom, outcome.requests), (expected.logs_bloom, expected.requests));
    assert_eq!(outcome.access_list, expected.access_list);
    assert_eq!(outcome.changes.into_state_changes(), expected.changes.into_state_changes());
}

#[test]
fn a_block_executed_from_its_list_does_what_it_does_in_order() {
    for seed in 0..128 {
        let sample = Sample::random(seed);
        for threads in 1..=8 {
            let expected = sample.given(IN_ORDER, &sample.list).unwrap();
            assert_same(sample.given(threads, &sample.list).unwrap(), expected, threads);
        }
    }
}

#[test]
fn threads_produce_the_list_that_is_produced_in_order() {
    let samples = (0..128).map(Sample::random).chain([Sample::with_requests()]);
    for (number, sample) in samples.enumerate() {
        for threads in 1..=8 {
            let config = config(threads, AccessListUse::Produce);
            let outcome = execute(&sample.block, &sample.transactions, &sample.state, &config).unwrap();
            assert_eq!(outcome.access_list.as_ref(), Some(&sample.list), "{number}, {threads} threads");
        }
    }
}

#[test]
fn requests_come_out_of_the_state_that_the_list_ends_with() {
    let sample = Sample::with_requests();
    for threads in 2..=4 {
        let expected = sample.given(IN_ORDER, &sample.list).unwrap();
        assert!(!expected.requests.is_empty());
        assert_same(sample.given(threads, &sample.list).unwrap(), expected, threads);
    }
}

/// What falsifies a list.
type Change<'a> = &'a dyn Fn(&mut BlockAccessList);

/// Every list that differs from a true one in one thing.
fn falsified(list: &BlockAccessList) -> Vec<(String, BlockAccessList)> {
    let mut all = Vec::new();
    let mut add = |what: String, change: Change<'_>| {
        let mut copy = list.clone();
        change(&mut copy);
        all.push((what, copy));
    };
    add("another account".to_owned(), &|list| {
        list.push(AccountChanges::new(Address::repeat_byte(0xfe)));
        list.sort_by_key(|account| account.address);
    });
    for (at, account) in list.iter().enumerate() {
        let name = account.address;
        add(format!("without {name}"), &|list| drop(list.remove(at)));
        add(format!("another read of {name}"), &|list| list[at].storage_reads.push(U256::MAX));
        add(format!("a change of another slot of {name}"), &|list| {
            let change = StorageChange::new(BlockAccessIndex::new(1), U256::from(1));
            list[at].storage_changes.push(SlotChanges::new(U256::MAX, vec![change]));
        });
        for read in 0..account.storage_reads.len() {
            add(format!("without read {read} of {name}"), &|list| {
                list[at].storage_reads.remove(read);
            });
            add(format!("read {read} of {name} as a change"), &|list| {
                let slot = list[at].storage_reads.remove(read);
                let change = StorageChange::new(BlockAccessIndex::new(1), U256::from(1));
                list[at].storage_changes.push(SlotChanges::new(slot, vec![change]));
                list[at].storage_changes.sort_by_key(|change| change.slot);
            });
        }
        for slot in 0..account.storage_changes.len() {
            let name = format!("slot {slot} of {name}");
            add(format!("without {name}"), &|list| {
                list[at].storage_changes.remove(slot);
            });
            add(format!("{name} as read"), &|list| {
                let change = list[at].storage_changes.remove(slot);
                list[at].storage_reads.push(change.slot);
                list[at].storage_reads.sort_unstable();
            });
            for change in 0..account.storage_changes[slot].changes.len() {
                let name = format!("change {change} of {name}");
                add(format!("without {name}"), &|list| {
                    list[at].storage_changes[slot].changes.remove(change);
                });
                add(format!("another value in {name}"), &|list| {
                    list[at].storage_changes[slot].changes[change].new_value += U256::from(1);
                });
                add(format!("later {name}"), &|list| {
                    shift(&mut list[at].storage_changes[slot].changes[change].block_access_index, 1);
                });
                add(format!("earlier {name}"), &|list| {
                    shift(&mut list[at].storage_changes[slot].changes[change].block_access_index, -1);
                });
            }
        }
        falsify_fields(at, account, &mut add);
    }
    all
}

fn falsify_fields(at: usize, account: &AccountChanges, add: &mut dyn FnMut(String, Change<'_>)) {
    let name = account.address;
    let last = BlockAccessIndex::new(25);
    for change in 0..account.balance_changes.len() {
        add(format!("without balance {change} of {name}"), &|list| {
            list[at].balance_changes.remove(change);
        });
        add(format!("another balance {change} of {name}"), &|list| {
            list[at].balance_changes[change].post_balance += U256::from(1);
        });
        add(format!("the largest balance {change} of {name}"), &|list| {
            list[at].balance_changes[change].post_balance = U256::MAX;
        });
        for by in [-1, 1] {
            add(format!("balance {change} of {name} shifted by {by}"), &|list| {
                shift(&mut list[at].balance_changes[change].block_access_index, by);
            });
        }
    }
    for change in 0..account.nonce_changes.len() {
        add(format!("without nonce {change} of {name}"), &|list| {
            list[at].nonce_changes.remove(change);
        });
        add(format!("another nonce {change} of {name}"), &|list| list[at].nonce_changes[change].new_nonce += 1);
        add(format!("the largest nonce {change} of {name}"), &|list| {
            list[at].nonce_changes[change].new_nonce = u64::MAX;
        });
        for by in [-1, 1] {
            add(format!("nonce {change} of {name} shifted by {by}"), &|list| {
                shift(&mut list[at].nonce_changes[change].block_access_index, by);
            });
        }
    }
    for change in 0..account.code_changes.len() {
        add(format!("without code {change} of {name}"), &|list| {
            list[at].code_changes.remove(change);
        });
        for code in [&[][..], &[0], &[0xef, 1, 0]] {
            add(format!("another code {change} of {name}"), &|list| {
                list[at].code_changes[change].new_code = Bytes::copy_from_slice(&[code, &[0xfe]].concat());
            });
        }
        add(format!("code {change} of {name} shifted"), &|list| {
            shift(&mut list[at].code_changes[change].block_access_index, 1);
        });
    }
    add(format!("a balance more of {name}"), &|list| {
        list[at].balance_changes.retain(|change| change.block_access_index < last);
        list[at].balance_changes.push(BalanceChange::new(last, U256::from(123_456)));
    });
    add(format!("a nonce more of {name}"), &|list| list[at].nonce_changes.push(NonceChange::new(last, 77)));
    add(format!("code more of {name}"), &|list| list[at].code_changes.push(CodeChange::new(last, Bytes::new())));
}

fn shift(index: &mut BlockAccessIndex, by: i64) {
    *index = BlockAccessIndex::new(index.get().checked_add_signed(by).unwrap_or(7));
}

#[test]
fn a_list_with_one_thing_false_is_refused_as_it_is_in_order() {
    for seed in 0..3 {
        let sample = Sample::random(seed);
        for (number, (what, list)) in falsified(&sample.list).into_iter().enumerate() {
            sample.assert_refused(&list, 1 + number % 8, &format!("{seed}: {what}"));
        }
    }
    let sample = Sample::with_requests();
    for (number, (what, list)) in falsified(&sample.list).into_iter().enumerate() {
        sample.assert_refused(&list, 1 + number % 8, &what);
    }
}

#[test]
fn a_block_that_cannot_be_executed_is_refused_as_it_is_in_order() {
    let sample = Sample::random(5);
    let mut transactions = sample.transactions.clone();
    transactions.swap(3, 4);
    let swapped = Sample { transactions, ..Sample::random(5) };
    swapped.assert_refused(&sample.list, 4, "wrong nonces");
    let block = BlockContext { gas_limit: 400_000, ..sample.block.clone() };
    let narrow = Sample { block, ..Sample::random(5) };
    narrow.assert_refused(&sample.list, 4, "no room for all transactions");
    let mut transactions = sample.transactions.clone();
    transactions.pop();
    let short = Sample { transactions, ..Sample::random(5) };
    short.assert_refused(&sample.list, 4, "one transaction less than the list tells of");
}

#[test]
fn what_threads_cannot_do_is_done_in_order() {
    let sample = Sample::random(9);
    let list = AccessListUse::Given(Arc::new(sample.list.clone()));
    let expected = sample.given(IN_ORDER, &sample.list).unwrap();
    let skipping = Config { on_invalid: OnInvalid::Skip, ..config(4, list.clone()) };
    let by_transaction = Config { per_transaction_changes: true, ..config(4, list) };
    for config in [skipping, by_transaction] {
        let outcome = execute(&sample.block, &sample.transactions, &sample.state, &config).unwrap();
        assert_same(outcome, expected.clone(), 1);
    }
}

#[test]
fn senders_need_not_be_without_code_where_that_is_allowed() {
    let mut sample = Sample::random(1);
    let legacy = alloy_consensus::TxLegacy { gas_limit: 21_000, gas_price: 10, ..Default::default() };
    let to = |nonce| alloy_consensus::TxLegacy { nonce, to: TxKind::Call(UNKNOWN), ..legacy.clone() };
    let sign = |nonce| Transaction::from(to(nonce).into_signed(impersonation_signature(SENDER)));
    sample.transactions = (0..3)
        .map(|nonce| Arc::new(alloy_consensus::transaction::Recovered::new_unchecked(sign(nonce), SENDER)))
        .collect();
    let code = revm::bytecode::Bytecode::new_raw(Bytes::from_static(&[0]));
    let rich = AccountInfo::from_balance(U256::from(crate::tests::ETHER)).with_code(code);
    sample.state.insert_account_info(SENDER, rich);
    let allowed = |threads, usage| Config { allow_contract_senders: true, ..config(threads, usage) };
    let run = |config: &Config| execute(&sample.block, &sample.transactions, &sample.state, config);
    let list = Arc::new(run(&allowed(1, AccessListUse::Produce)).unwrap().access_list.unwrap());
    let expected = run(&allowed(1, AccessListUse::Given(Arc::clone(&list)))).unwrap();
    assert_same(run(&allowed(3, AccessListUse::Given(Arc::clone(&list)))).unwrap(), expected, 3);
    assert!(run(&config(3, AccessListUse::Given(list))).is_err());
}
