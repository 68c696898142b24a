//! What the command prints: a table, or JSON lines.

use std::{
    io::{self, Write},
    num::NonZeroUsize,
    time::Duration,
};

use braid_bench::{
    measure::{Measured, Sample},
    workload,
};
use serde::Serialize;

/// One measured workload. The order of the members is that of the JSON.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    workload: String,
    transactions: usize,
    gas: u64,
    threads: NonZeroUsize,
    sequential_ms: f64,
    parallel_ms: f64,
    speedup: f64,
    identical: bool,
}

#[expect(clippy::float_arithmetic, reason = "figures for people")]
impl Line {
    pub(crate) fn new(sample: &Sample, threads: NonZeroUsize, measured: &Measured) -> Self {
        let (sequential_ms, parallel_ms) = (millis(measured.sequential), millis(measured.parallel));
        Self {
            workload: sample.name.clone(),
            transactions: sample.transactions.len(),
            gas: measured.gas,
            threads,
            sequential_ms,
            parallel_ms,
            speedup: ratio(sequential_ms, parallel_ms),
            identical: measured.identical,
        }
    }

    /// The sum of the medians of several blocks.
    pub(crate) fn sum(name: &str, lines: &[Self]) -> Self {
        let sequential_ms = lines.iter().map(|line| line.sequential_ms).sum();
        let parallel_ms = lines.iter().map(|line| line.parallel_ms).sum();
        Self {
            workload: format!("{name} sum of medians"),
            transactions: lines.iter().map(|line| line.transactions).sum(),
            gas: lines.iter().map(|line| line.gas).sum(),
            threads: lines.first().map_or(NonZeroUsize::MIN, |line| line.threads),
            sequential_ms: round(sequential_ms),
            parallel_ms: round(parallel_ms),
            speedup: ratio(sequential_ms, parallel_ms),
            identical: lines.iter().all(|line| line.identical),
        }
    }

    /// Microseconds of the plain loop for each transaction.
    #[expect(clippy::cast_precision_loss, reason = "a block has fewer transactions than a float has digits")]
    fn each_us(&self) -> f64 {
        self.sequential_ms * 1_000.0 / (self.transactions.max(1) as f64)
    }
}

#[expect(clippy::float_arithmetic, reason = "figures for people")]
fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[expect(clippy::float_arithmetic, reason = "figures for people")]
fn ratio(sequential: f64, parallel: f64) -> f64 {
    round(sequential / parallel)
}

/// To a thousandth.
#[expect(clippy::float_arithmetic, reason = "figures for people")]
fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// Prints lines as they come.
#[derive(Debug)]
pub(crate) struct Reporter {
    json: bool,
    /// Whether every result so far was the plain loop's.
    pub(crate) all_identical: bool,
}

impl Reporter {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json, all_identical: true }
    }

    /// Prints what comes before the first line.
    ///
    /// # Errors
    /// If the output is closed.
    pub(crate) fn begin(&self) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{:<34} {:>7} {:>8} {:>8} {:>12} {:>10} {:>8}  {}",
            "workload", "txs", "Mgas", "us/tx", "sequential", "parallel", "speedup", "results"
        )
    }

    /// Prints a line.
    ///
    /// # Errors
    /// If the output is closed.
    pub(crate) fn add(&mut self, line: &Line) -> eyre::Result<()> {
        self.all_identical &= line.identical;
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(line)?)?;
        } else {
            writeln!(
                out,
                "{:<34} {:>7} {:>8} {:>8.2} {:>9.2} ms {:>7.2} ms {:>7.3}x  {}",
                line.workload,
                line.transactions,
                line.gas / 1_000_000,
                line.each_us(),
                line.sequential_ms,
                line.parallel_ms,
                line.speedup,
                if line.identical { "identical" } else { "DIFFERENT" },
            )?;
        }
        out.flush()?;
        Ok(())
    }
}

/// Prints the names of all workloads and what they do.
///
/// # Errors
/// If the output is closed.
pub(crate) fn list() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{:<28} recorded blocks of Ethereum's mainnet, in BRAID_DATA", crate::exec::MAINNET)?;
    for workload in workload::all() {
        writeln!(out, "{:<28} {} ({} transactions)", workload.name, workload.about, workload.transactions)?;
    }
    Ok(())
}
