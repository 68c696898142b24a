//! What the command prints: a table, or JSON lines.

use std::{
    io::{self, Write},
    num::NonZeroUsize,
    ops::Add,
    time::Duration,
};

use braid_bench::{
    critical_path::{Conflicts, Traces},
    measure::{Measured, Sample},
    workload,
};
use serde::Serialize;

use crate::selection::MAINNET;

/// Processors in use by others from which on figures are marked.
const DISTURBED: f64 = 0.2;

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
    /// Processor time of the executor, as a multiple of the plain loop's.
    cpu: f64,
    /// Speed-up that unlimited threads could reach if transactions waited for storage and code alone.
    critical_path: f64,
    /// The same if they waited for accounts too, but for the fee recipient's.
    critical_path_without_fees: f64,
    /// The same if they waited for everything.
    critical_path_all: f64,
    /// Speed-up that these threads could reach if transactions waited for storage and code alone.
    limit: f64,
    /// Times the plain loop's throughput that as many copies of it as threads have at once; absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    ceiling: Option<f64>,
    /// Processors that other programs kept busy meanwhile, at most over several blocks; absent where the system does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<f64>,
    #[serde(skip)]
    times: Times,
}

/// What the figures of a line are ratios of.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    sequential: Duration,
    parallel: Duration,
    sequential_cpu: Duration,
    parallel_cpu: Duration,
    /// Of the sequential pass that the chains were found in.
    traced: Duration,
    storage: Duration,
    without_fees: Duration,
    all: Duration,
    scheduled: Duration,
    /// Of the copies of the plain loop at once; zero where they were not run.
    copies: Duration,
}

impl Times {
    fn new(sample: &Sample, measured: &Measured, traces: &Traces, threads: NonZeroUsize) -> Self {
        let waits_for = if sample.access_list.is_some() { Conflicts::None } else { Conflicts::Storage };
        let storage = traces.graph(waits_for);
        Self {
            sequential: measured.sequential.wall,
            parallel: measured.parallel.wall,
            sequential_cpu: measured.sequential.cpu,
            parallel_cpu: measured.parallel.cpu,
            traced: storage.total(),
            storage: storage.longest_chain(),
            without_fees: traces.graph(Conflicts::WithoutFees).longest_chain(),
            all: traces.graph(Conflicts::All).longest_chain(),
            scheduled: storage.schedule(threads),
            copies: measured.copies.unwrap_or_default(),
        }
    }
}

impl Times {
    /// What so many copies of the plain loop do at once, as a multiple of what one does alone.
    fn ceiling(&self, threads: NonZeroUsize) -> Option<f64> {
        let all = self.sequential.saturating_mul(u32::try_from(threads.get()).unwrap_or(u32::MAX));
        (!self.copies.is_zero()).then(|| ratio(all, self.copies))
    }
}

impl Add for Times {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            sequential: self.sequential + other.sequential,
            parallel: self.parallel + other.parallel,
            sequential_cpu: self.sequential_cpu + other.sequential_cpu,
            parallel_cpu: self.parallel_cpu + other.parallel_cpu,
            traced: self.traced + other.traced,
            storage: self.storage + other.storage,
            without_fees: self.without_fees + other.without_fees,
            all: self.all + other.all,
            scheduled: self.scheduled + other.scheduled,
            copies: self.copies + other.copies,
        }
    }
}

/// What a line is about, apart from times.
struct Subject {
    workload: String,
    transactions: usize,
    gas: u64,
    threads: NonZeroUsize,
    identical: bool,
    others: Option<f64>,
}

impl Line {
    pub(crate) fn new(sample: &Sample, threads: NonZeroUsize, measured: &Measured, traces: &Traces) -> Self {
        let subject = Subject {
            workload: sample.name.clone(),
            transactions: sample.transactions.len(),
            gas: measured.gas,
            threads,
            identical: measured.identical,
            others: measured.others.map(round),
        };
        Self::from_times(subject, Times::new(sample, measured, traces, threads))
    }

    /// The sum of the medians of several blocks.
    pub(crate) fn sum(name: &str, lines: &[Self]) -> Self {
        let subject = Subject {
            workload: format!("{name} sum of medians"),
            transactions: lines.iter().map(|line| line.transactions).sum(),
            gas: lines.iter().map(|line| line.gas).sum(),
            threads: lines.first().map_or(NonZeroUsize::MIN, |line| line.threads),
            identical: lines.iter().all(|line| line.identical),
            others: lines.iter().filter_map(|line| line.others).reduce(f64::max),
        };
        Self::from_times(subject, lines.iter().fold(Times::default(), |sum, line| sum + line.times))
    }

    fn from_times(subject: Subject, times: Times) -> Self {
        let Subject { workload, transactions, gas, threads, identical, others } = subject;
        Self {
            workload,
            transactions,
            gas,
            threads,
            sequential_ms: millis(times.sequential),
            parallel_ms: millis(times.parallel),
            speedup: ratio(times.sequential, times.parallel),
            identical,
            cpu: ratio(times.parallel_cpu, times.sequential_cpu),
            critical_path: ratio(times.traced, times.storage),
            critical_path_without_fees: ratio(times.traced, times.without_fees),
            critical_path_all: ratio(times.traced, times.all),
            limit: ratio(times.traced, times.scheduled),
            ceiling: times.ceiling(threads),
            others,
            times,
        }
    }

    /// What to say where other programs used much of the machine.
    fn disturbance(&self) -> String {
        match self.others {
            Some(others) if others > DISTURBED => format!(", others used {others:.1} processors"),
            _ => String::new(),
        }
    }

    /// Microseconds of the plain loop for each transaction.
    #[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a figure for people")]
    fn each_us(&self) -> f64 {
        self.times.sequential.as_secs_f64() * 1e6 / (self.transactions.max(1) as f64)
    }
}

/// Milliseconds, to a microsecond.
#[expect(clippy::float_arithmetic, reason = "a figure for people")]
fn millis(time: Duration) -> f64 {
    round(time.as_secs_f64() * 1_000.0)
}

/// One time as a multiple of another; of nothing, one.
#[expect(clippy::float_arithmetic, reason = "a figure for people")]
pub(crate) fn ratio(time: Duration, of: Duration) -> f64 {
    if of.is_zero() { 1.0 } else { round(time.as_secs_f64() / of.as_secs_f64()) }
}

/// To a thousandth.
#[expect(clippy::float_arithmetic, reason = "a figure for people")]
fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// Prints lines as they come.
#[derive(Debug)]
pub(crate) struct Reporter {
    json: bool,
    threads: NonZeroUsize,
    /// Whether every result so far was the plain loop's.
    pub(crate) all_identical: bool,
}

impl Reporter {
    pub(crate) const fn new(json: bool, threads: NonZeroUsize) -> Self {
        Self { json, threads, all_identical: true }
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
        let threads = self.threads;
        writeln!(
            out,
            "Speed-up is the plain loop's time over the executor's on {threads} threads, cpu the executor's processor time"
        )?;
        writeln!(
            out,
            "over the plain loop's. At best: if transactions waited for storage and code alone, on {threads} threads and on"
        )?;
        writeln!(
            out,
            "any number; the same if they waited for accounts too but for the fee recipient's, and for everything. Ceiling: what as"
        )?;
        writeln!(
            out,
            "many copies of the plain loop do at once, as a multiple of what one does alone (with --ceiling).\n"
        )?;
        writeln!(
            out,
            "{:<38} {:>6} {:>6} {:>7} {:>10} {:>10} {:>7} {:>5}  {:>6} {:>6} {:>6} {:>6} {:>7}  results",
            "workload",
            "txs",
            "Mgas",
            "us/tx",
            "sequential",
            "parallel",
            "speedup",
            "cpu",
            "best",
            "any",
            "acct",
            "all",
            "ceiling"
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
                "{:<38} {:>6} {:>6} {:>7.2} {:>7.2} ms {:>7.2} ms {:>6.3}x {:>5.2}  {:>6.2} {:>6.1} {:>6.1} {:>6.1} {:>7}  {}{}",
                line.workload,
                line.transactions,
                line.gas / 1_000_000,
                line.each_us(),
                line.sequential_ms,
                line.parallel_ms,
                line.speedup,
                line.cpu,
                line.limit,
                line.critical_path,
                line.critical_path_without_fees,
                line.critical_path_all,
                line.ceiling.map_or_else(|| "-".to_owned(), |ceiling| format!("{ceiling:.3}x")),
                if line.identical { "identical" } else { "DIFFERENT" },
                line.disturbance(),
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
    writeln!(out, "{MAINNET:<38} recorded blocks of Ethereum's mainnet, in the folder BRAID_DATA")?;
    for workload in workload::all() {
        writeln!(out, "{:<38} {} ({} transactions)", workload.name, workload.about, workload.transactions)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(workload: &str, sequential: u64, parallel: u64, identical: bool) -> Line {
        let subject = Subject {
            workload: workload.to_owned(),
            transactions: 10,
            gas: 7,
            threads: NonZeroUsize::MIN,
            identical,
            others: None,
        };
        let (sequential, parallel) = (Duration::from_millis(sequential), Duration::from_millis(parallel));
        Line::from_times(subject, Times { sequential, parallel, ..Times::default() })
    }

    #[test]
    fn json_has_the_promised_members_first() {
        let json = serde_json::to_string(&line("x", 3, 2, true)).unwrap();
        let expected = r#"{"workload":"x","transactions":10,"gas":7,"threads":1,"sequential_ms":3.0,"parallel_ms":2.0,"speedup":1.5,"identical":true,"#;
        assert!(json.starts_with(expected), "{json}");
    }

    #[test]
    fn the_ceiling_is_that_of_all_copies_together() {
        let (sequential, copies) = (Duration::from_millis(3), Duration::from_millis(4));
        let threads = NonZeroUsize::new(2).unwrap();
        assert_eq!(Times { sequential, copies, ..Times::default() }.ceiling(threads), Some(1.5));
        assert_eq!(Times { sequential, ..Times::default() }.ceiling(threads), None);
    }

    #[test]
    fn a_sum_adds_times_and_is_identical_if_all_are() {
        let sum = Line::sum("x", &[line("a", 3, 2, true), line("b", 5, 2, false)]);
        assert_eq!((sum.sequential_ms, sum.parallel_ms, sum.speedup), (8.0, 4.0, 2.0));
        assert_eq!((sum.transactions, sum.gas, sum.identical), (20, 14, false));
        assert_eq!(sum.workload, "x sum of medians");
    }
}
