//! The property over random blocks.

use std::{env, fmt::Display, process, str::FromStr, sync::mpsc, thread, time::Duration};

use braid_exec::{AccessListUse, Statistics};
use braid_types::RecoveredTx;

use crate::{
    case::{Case, case},
    compare::{check_plain, difference_of, parallel, sequential},
    random::Random,
};

const DEFAULT_CASES: u64 = 2_500;
const DEFAULT_SEED: u64 = 1;
/// Seconds after which a block is taken to hang.
const PATIENCE_S: u64 = 120;
/// Times that a smaller block is executed before it is believed to be harmless.
const SHRINKING_RUNS: usize = 12;

fn setting<T: FromStr>(name: &str, default: T) -> T {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn command(seed: impl Display) -> String {
    format!(
        "BRAID_ORACLE_SEED={seed} BRAID_ORACLE_CASES=1 BRAID_ORACLE_REPEATS=50 cargo test --release -p braid-exec --test oracle random_blocks"
    )
}

/// What was seen over all blocks.
#[derive(Debug, Default)]
struct Tally {
    included: u64,
    skipped: u64,
    errors: u64,
    executions: u64,
    /// Executions of blocks that came to an end, in transactions.
    transactions: u64,
    deltas: u64,
}

impl Tally {
    fn note(&mut self, statistics: &Statistics, transactions: usize) {
        self.executions += statistics.executions;
        self.deltas += statistics.deltas;
        self.transactions += transactions as u64;
    }
}

/// Runs one block with several numbers of threads.
fn check(seed: u64, repeats: usize, tally: &mut Tally) -> Result<(), String> {
    let mut case = case(seed);
    let mut random = Random(!seed);
    if random.chance(10) {
        case.config.access_list = AccessListUse::Produce;
    }
    let expected = sequential(&case, &case.transactions);
    check_plain(&case, &case.transactions, &expected)?;
    match &expected {
        Ok(done) => {
            tally.included += done.receipts.len() as u64;
            tally.skipped += done.skipped.len() as u64;
        }
        Err(_) => tally.errors += 1,
    }
    let others = [1 + random.index(8), 1 + random.index(8), 3 + random.index(6)];
    for threads in [2].into_iter().chain(others).flat_map(|threads| std::iter::repeat_n(threads, repeats)) {
        let (found, statistics) = parallel(&case, &case.transactions, threads);
        if let Some(difference) = difference_of(&case, &expected, &found) {
            return Err(explain(&case, threads, &difference));
        }
        if expected.is_ok() {
            tally.note(&statistics, case.transactions.len());
        }
    }
    Ok(())
}

/// A failure with the transactions that suffice for it.
fn explain(case: &Case, threads: usize, difference: &str) -> String {
    let (few, smaller) = shrink(case, threads);
    let difference = smaller.as_deref().unwrap_or(difference);
    let mut text = format!("{threads} threads: {difference}\n{:#?}\n{:#?}\n", case.block, case.config);
    for transaction in &few {
        text += &format!("{}: {:?}\n", transaction.signer(), transaction.inner());
    }
    text
}

/// Leaves out transactions as long as the rest fails too.
fn shrink(case: &Case, threads: usize) -> (Vec<RecoveredTx>, Option<String>) {
    let mut rest = case.transactions.clone();
    let mut failure = None;
    let mut step = rest.len() / 2;
    while step > 0 {
        let mut at = 0;
        while at < rest.len() {
            let mut fewer = rest.clone();
            fewer.drain(at..rest.len().min(at + step));
            match failing(case, &fewer, threads) {
                Some(difference) => (rest, failure) = (fewer, Some(difference)),
                None => at += step,
            }
        }
        step /= 2;
    }
    (rest, failure)
}

fn failing(case: &Case, transactions: &[RecoveredTx], threads: usize) -> Option<String> {
    let expected = sequential(case, transactions);
    (0..SHRINKING_RUNS).find_map(|_| difference_of(case, &expected, &parallel(case, transactions, threads).0))
}

#[test]
fn random_blocks_come_out_as_in_sequence() {
    let first = setting("BRAID_ORACLE_SEED", DEFAULT_SEED);
    let cases = setting("BRAID_ORACLE_CASES", DEFAULT_CASES);
    let repeats = setting("BRAID_ORACLE_REPEATS", 1);
    let tally = watched(first, move |begin| {
        let mut tally = Tally::default();
        for seed in (0..cases).map(|number| first.wrapping_add(number)) {
            begin.send(seed).unwrap();
            if let Err(failure) = check(seed, repeats, &mut tally) {
                panic!("{failure}\nto repeat: {}", command(seed));
            }
        }
        tally
    });
    println!("{tally:?}");
    if cases >= DEFAULT_CASES {
        assert!(tally.included > 10 * cases, "{tally:?}: few transactions are valid");
        assert!(tally.skipped > cases / 2 && tally.errors > cases / 50, "{tally:?}: few are invalid");
        assert!(tally.executions > tally.transactions + cases, "{tally:?}: few are executed again");
        assert!(tally.deltas > cases / 4, "{tally:?}: few are patched");
    }
}

/// Runs `work`, which tells the seed of each block that it begins; ends the process if a block takes forever.
fn watched<T: Send>(first: u64, work: impl FnOnce(mpsc::Sender<u64>) -> T + Send) -> T {
    let (begin, begun) = mpsc::channel();
    thread::scope(|scope| {
        let worker = scope.spawn(move || work(begin));
        let mut seed = first;
        loop {
            match begun.recv_timeout(Duration::from_secs(PATIENCE_S)) {
                Ok(next) => seed = next,
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    eprintln!("a block is not over after {PATIENCE_S} seconds; to repeat: {}", command(seed));
                    process::exit(1);
                }
            }
        }
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
