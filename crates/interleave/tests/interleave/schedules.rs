//! The properties, and that they can fail.

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    str::FromStr,
    sync::Arc,
};

use alloy_consensus::TxLegacy;
use alloy_primitives::{Address, TxKind, U256};
use braid_exec::{
    AccessListUse, Config, OnInvalid, Statistics,
    threads::{Fault, set_fault},
};
use braid_types::{Fork, RecoveredTx};
use revm::bytecode::opcode::{ADD, CALLDATALOAD, DUP1, GT, LOG0, LT, MSTORE, MUL, SLOAD, SSTORE, SUB};
use shuttle::{
    FailurePersistence, MaxSteps, Runner,
    scheduler::{PctScheduler, RandomScheduler, Scheduler, UrwRandomScheduler},
};

use crate::{
    assembler::Code,
    case::{Case, Key, case, from},
    compare::{Result, difference_of, parallel, sequential},
    random::Random,
    setup::{block_at, with_system_contracts},
    world::Base,
};

const DEFAULT_BLOCKS: usize = 300;
const DEFAULT_SCHEDULES: usize = 40;
const DEFAULT_SEED: u64 = 1;
/// Most transactions of a block: three or four runs, each handed out, published and checked as one.
const MAX_TRANSACTIONS: usize = 14;
/// Steps after which a schedule is taken not to end. Blocks of these sizes take a few thousand.
const MAX_STEPS: usize = 200_000;
/// Bytes of a thread's stack.
const STACK: usize = 1 << 20;
/// Places at which PCT lets a thread go behind all others.
const DEPTH: usize = 3;

fn setting<T: FromStr>(name: &str, default: T) -> T {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// How schedules are chosen.
#[derive(Clone, Copy, Debug)]
enum Choice {
    Random,
    Uniform,
    Pct,
}

/// Executes a block under so many schedules of each kind. Fails with the first of which a property does not hold.
fn check(case: Case, threads: usize, schedules: usize, seed: u64) -> Statistics {
    let transactions = case.transactions.clone();
    let expected = sequential(&case, &transactions);
    let shared = Arc::new((case, expected));
    let sum = Arc::new(std::sync::Mutex::new(Statistics::default()));
    for choice in [Choice::Random, Choice::Uniform, Choice::Pct] {
        let (shared, sum) = (Arc::clone(&shared), Arc::clone(&sum));
        explore(choice, seed, schedules, move || {
            let (case, expected) = &*shared;
            add(&mut sum.lock().unwrap(), &execute_once(case, expected, threads));
        });
    }
    let sum = sum.lock().unwrap();
    sum.clone()
}

fn explore(choice: Choice, seed: u64, schedules: usize, work: impl Fn() + Send + Sync + 'static) {
    match choice {
        Choice::Random => run(RandomScheduler::new_from_seed(seed, schedules), work),
        Choice::Uniform => run(UrwRandomScheduler::new_from_seed(seed, schedules), work),
        Choice::Pct => run(PctScheduler::new_from_seed(seed, DEPTH, schedules), work),
    }
}

fn run(scheduler: impl Scheduler + 'static, work: impl Fn() + Send + Sync + 'static) {
    let mut config = shuttle::Config::new();
    config.stack_size = STACK;
    config.max_steps = MaxSteps::FailAfter(MAX_STEPS);
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(work);
}

/// Executes a block under the schedule that is being tried.
fn execute_once(case: &Case, expected: &Result, threads: usize) -> Statistics {
    let (found, statistics) = parallel(case, &case.transactions, threads);
    if let Some(difference) = difference_of(case, expected, &found) {
        panic!("{threads} threads: {difference}");
    }
    let most = case.transactions.len() as u64;
    let Statistics { executions, speculations, re_executions, fallbacks, .. } = statistics;
    assert_eq!(fallbacks, 0, "no worker panics");
    assert!(speculations <= most && executions - speculations <= most && re_executions <= most, "{statistics:?}");
    statistics
}

fn add(sum: &mut Statistics, more: &Statistics) {
    sum.executions += more.executions;
    sum.speculations += more.speculations;
    sum.conflicts += more.conflicts;
    sum.re_executions += more.re_executions;
    sum.deltas += more.deltas;
}

/// A block of the oracle, short enough for many schedules, and read without pauses.
fn short_case(seed: u64) -> Case {
    let mut case = case(seed);
    case.transactions.truncate(MAX_TRANSACTIONS);
    case.base.is_slow = false;
    if Random(!seed).chance(20) {
        case.config.access_list = AccessListUse::Produce;
    }
    case
}

#[test]
fn random_blocks_come_out_as_in_sequence_under_every_schedule() {
    let first = setting("BRAID_INTERLEAVE_SEED", DEFAULT_SEED);
    let blocks = setting("BRAID_INTERLEAVE_BLOCKS", DEFAULT_BLOCKS);
    let schedules = setting("BRAID_INTERLEAVE_SCHEDULES", DEFAULT_SCHEDULES);
    let mut sum = Statistics::default();
    for seed in (0..blocks as u64).map(|number| first.wrapping_add(number)) {
        let (case, threads) = (short_case(seed), 2 + Random(seed).index(3));
        if case.transactions.len() < 2 {
            continue;
        }
        let done = catch_unwind(AssertUnwindSafe(|| check(case, threads, schedules, seed)));
        match done {
            Ok(statistics) => add(&mut sum, &statistics),
            Err(_) => panic!(
                "to repeat: BRAID_INTERLEAVE_SEED={seed} BRAID_INTERLEAVE_BLOCKS=1 BRAID_INTERLEAVE_SCHEDULES={schedules}"
            ),
        }
    }
    println!("{sum:?}");
    if blocks >= DEFAULT_BLOCKS {
        assert!(sum.speculations > 0 && sum.conflicts > 0 && sum.deltas > 0, "{sum:?}: too little happens");
    }
}

const CONTRACT: Address = Address::repeat_byte(0xc0);

/// A block of calls to one contract, each by another sender, with a word of input that is one more than the last.
fn calls(code: &Code, calls: u8) -> Case {
    let mut world = with_system_contracts(Fork::Cancun);
    world.deploy(CONTRACT, &code.done());
    // To make something of nothing costs more: such calls would not commute.
    world.set(CONTRACT, 0, U256::from(7));
    let mut transactions = Vec::new();
    for number in 0..calls {
        let sender = Key::new(number).address;
        world.put(sender, U256::from(10u64.pow(18)), 0);
        transactions.push(call(sender, U256::from(number)));
    }
    Case { block: block_at(Fork::Cancun), base: Base::new(world), transactions, config: Config::default() }
}

fn call(sender: Address, input: U256) -> RecoveredTx {
    let input = input.to_be_bytes::<32>().into();
    let (to, value) = (TxKind::Call(CONTRACT), U256::ZERO);
    from(TxLegacy { chain_id: None, nonce: 0, gas_price: 10, gas_limit: 200_000, to, value, input }, sender)
}

/// Slot 0 becomes three times what it was, and the input more: no two calls commute.
fn serial() -> Case {
    let mut code = Code::default();
    code.push(0).ops(&[SLOAD]).push(3).ops(&[MUL]).push(0).ops(&[CALLDATALOAD, ADD]).push(0).ops(&[SSTORE]);
    calls(&code, 12)
}

/// Slot 0 grows by the input, and the sum is logged: all calls commute.
fn counter() -> Case {
    let mut code = Code::default();
    code.push(0).ops(&[SLOAD]).push(0).ops(&[CALLDATALOAD, ADD, DUP1]).push(0).ops(&[SSTORE]);
    code.push(0).ops(&[MSTORE]).push(32).push(0).ops(&[LOG0]);
    calls(&code, 40)
}

/// Every call writes to a slot of its own.
fn independent() -> Case {
    let mut code = Code::default();
    code.push(1).push(0).ops(&[CALLDATALOAD, SSTORE]);
    calls(&code, 12)
}

/// The first calls add to slot 0, the next write slots of their own, many so that it takes long, and the last copy what
/// these wrote. Once the second run was wrong, the third is taken over wherever it stands, and what it published must
/// reach the fourth.
fn handover() -> Case {
    let mut code = Code::default();
    code.push(6).push(0).ops(&[CALLDATALOAD, LT]);
    code.when(|code| code.push(1).push(0).ops(&[SLOAD, ADD]).push(0).ops(&[SSTORE]));
    code.push(4).push(6).push(0).ops(&[CALLDATALOAD, SUB, LT]);
    code.when(|code| {
        (0..6).fold(code, |code, more| code.push(1).push(0).ops(&[CALLDATALOAD]).push(100 * more).ops(&[ADD, SSTORE]))
    });
    code.push(9).push(0).ops(&[CALLDATALOAD, GT]);
    code.when(|code| {
        code.push(4).push(0).ops(&[CALLDATALOAD, SUB, SLOAD]);
        code.push(1_000).push(0).ops(&[CALLDATALOAD, ADD, SSTORE])
    });
    calls(&code, 14)
}

fn schedules() -> usize {
    setting("BRAID_INTERLEAVE_SCHEDULES", DEFAULT_SCHEDULES) * 10
}

#[test]
fn calls_that_do_not_commute_are_executed_in_order() {
    let sum = check(serial(), 3, schedules(), 1);
    assert!(sum.re_executions > 0 && sum.deltas == 0, "{sum:?}");
}

#[test]
fn calls_that_commute_are_patched() {
    let sum = check(counter(), 3, schedules(), 2);
    assert!(sum.re_executions > 0 && sum.deltas > 0, "{sum:?}");
}

#[test]
fn calls_that_are_independent_never_conflict() {
    let sum = check(independent(), 3, schedules(), 3);
    assert!(sum.speculations > 0 && sum.conflicts == 0, "{sum:?}");
}

#[test]
fn what_a_run_published_before_it_was_taken_over_is_known() {
    let sum = check(handover(), 4, schedules(), 5);
    assert!(sum.conflicts > 0, "{sum:?}");
}

#[test]
fn a_block_that_fails_ends_for_all() {
    // A call is sent twice, early, in the middle or late, which makes the block invalid; whoever waits for more to do has to hear of it.
    for (number, make) in [(1, serial as fn() -> Case), (20, counter), (6, serial), (1, independent), (12, handover)] {
        let mut case = make();
        case.transactions[number] = case.transactions[number - 1].clone();
        case.config.on_invalid = OnInvalid::Fail;
        assert!(sequential(&case, &case.transactions).is_err());
        check(case, 4, schedules() / 2, 6);
    }
}

#[test]
fn a_block_is_executed_from_its_access_list() {
    let mut case = serial();
    case.config.access_list = AccessListUse::Produce;
    let list = sequential(&case, &case.transactions).unwrap().access_list.unwrap();
    case.config.access_list = AccessListUse::Given(Arc::new(list));
    let sum = check(case, 3, schedules(), 4);
    assert_eq!(sum.conflicts, 0, "{sum:?}");
}

/// What the checker says of an executor one step of which is weakened.
fn verdict(fault: Fault, case: Case) -> String {
    let done = catch_unwind(AssertUnwindSafe(|| {
        set_fault(fault);
        check(case, 3, 1_000, 5)
    }));
    set_fault(Fault::None);
    let Err(panic) = done else { panic!("{fault:?} goes unnoticed") };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

#[test]
fn a_wake_up_that_is_lost_is_noticed() {
    let verdict = verdict(Fault::DeafSleepers, serial());
    assert!(verdict.contains("deadlock"), "{verdict}");
}

#[test]
fn an_announcement_that_is_missed_is_noticed() {
    let verdict = verdict(Fault::LateAnnouncements, serial());
    assert!(verdict.contains("expected"), "{verdict}");
}
