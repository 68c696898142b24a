//! Which of revm's databases, and which way of committing, makes the fastest plain loop: the question that
//! `braid_bench::baseline` answers. Prints medians in microseconds for each transaction.
//!
//! `cargo run --release -p braid-bench --example databases -- erc20-random eth-independent`

#![expect(clippy::disallowed_methods, clippy::float_arithmetic, reason = "a benchmark reads the clock")]

use std::{env, hint::black_box, time::Instant};

use braid_bench::{baseline, measure::Sample, workload};
use braid_exec::{new_evm, transaction_env};
use revm::{
    Database, DatabaseCommit, ExecuteCommitEvm, ExecuteEvm,
    database::{CacheDB, State},
};

const RUNS: usize = 15;

fn commit_each<D: Database + DatabaseCommit>(sample: &Sample, database: D) -> eyre::Result<()> {
    let mut evm = new_evm(&sample.context, database);
    let mut results = Vec::with_capacity(sample.transactions.len());
    for transaction in &sample.transactions {
        let result = evm.transact_commit(transaction_env(transaction));
        results.push(result.map_err(|_| eyre::eyre!("a transaction is invalid"))?);
    }
    black_box((results, evm));
    Ok(())
}

/// Commits after every `batch` transactions; until then they share the journal.
fn commit_batches<D: Database + DatabaseCommit>(sample: &Sample, database: D, batch: usize) -> eyre::Result<()> {
    let mut evm = new_evm(&sample.context, database);
    let mut results = Vec::with_capacity(sample.transactions.len());
    for transactions in sample.transactions.chunks(batch) {
        for transaction in transactions {
            let result = evm.transact_one(transaction_env(transaction));
            results.push(result.map_err(|_| eyre::eyre!("a transaction is invalid"))?);
        }
        evm.commit_inner();
    }
    black_box((results, evm));
    Ok(())
}

fn median_us(sample: &Sample, mut run: impl FnMut() -> eyre::Result<()>) -> eyre::Result<f64> {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let begin = Instant::now();
        run()?;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    let count = u32::try_from(sample.transactions.len())?;
    Ok(times[RUNS / 2].as_secs_f64() * 1e6 / f64::from(count))
}

fn main() -> eyre::Result<()> {
    println!(
        "{:<28} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "workload", "baseline", "CacheDB", "State", "batch 8", "batch 32", "batch all"
    );
    for workload in env::args().skip(1).flat_map(|name| workload::find(&name)) {
        let sample = workload.sample(None)?;
        let state = &sample.state;
        let builder = || State::builder().with_database_ref(state).build();
        println!(
            "{:<28} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
            workload.name,
            median_us(&sample, || {
                let done = baseline::run(&sample.context, &sample.transactions, state);
                black_box(done?);
                Ok(())
            })?,
            median_us(&sample, || commit_each(&sample, CacheDB::new(state)))?,
            median_us(&sample, || commit_each(&sample, builder()))?,
            median_us(&sample, || commit_batches(&sample, CacheDB::new(state), 8))?,
            median_us(&sample, || commit_batches(&sample, CacheDB::new(state), 32))?,
            median_us(&sample, || commit_batches(&sample, CacheDB::new(state), usize::MAX))?,
        );
    }
    Ok(())
}
