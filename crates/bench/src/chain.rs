//! `braid-bench chain`: measures blocks from execution to disk.
#![expect(clippy::float_arithmetic, reason = "a benchmark computes rates")]

use std::{env, fs, io::Write as _, num::NonZeroUsize, path::PathBuf, process::ExitCode};

use braid_bench::pipeline::{self, Pipeline};
use clap::Args;
use eyre::WrapErr as _;
use serde::Serialize;

use crate::selection::Selection;

/// Arguments of `braid-bench chain`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChainArgs {
    #[command(flatten)]
    selection: Selection,
    /// Threads of the executor
    #[arg(long, default_value = "2")]
    threads: NonZeroUsize,
    /// Blocks, one after the other
    #[arg(long, default_value = "10")]
    chain_length: NonZeroUsize,
    /// Blocks behind the head whose state stays readable; without it all, and each block's old values are kept
    #[arg(long)]
    history: Option<u64>,
    /// Where the chain is made, in a directory of its own [default: the system's for temporary files]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// One workload. The order of the members is that of the JSON.
#[derive(Debug, Serialize)]
struct Line {
    workload: String,
    transactions: usize,
    blocks: NonZeroUsize,
    threads: NonZeroUsize,
    /// From the beginning of a block until it is durable, median.
    block_ms: f64,
    /// Transactions a second at that.
    per_second: f64,
    /// Transactions a second over all blocks and the checkpoint after them.
    sustained_per_second: f64,
    /// Processor time of all threads for a transaction.
    cpu_us: f64,
}

/// Runs the command.
///
/// # Errors
/// If there is no such workload, it cannot go through a chain, or the report cannot be printed.
pub(crate) fn run(args: &ChainArgs) -> eyre::Result<ExitCode> {
    let parent = args.dir.clone().unwrap_or_else(env::temp_dir);
    for group in args.selection.groups()? {
        group.for_each(|sample| {
            let directory = parent.join(format!("braid-bench-{}", std::process::id()));
            let run = pipeline::run(&sample, args.threads, args.chain_length, args.history, &directory);
            let removed = fs::remove_dir_all(&directory);
            let run = run.wrap_err_with(|| format!("failed to make blocks of {}", sample.name))?;
            removed.wrap_err_with(|| format!("failed to remove {}", directory.display()))?;
            print(&Line::new(sample.name.clone(), args, &run), args.json)
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Line {
    fn new(workload: String, args: &ChainArgs, run: &Pipeline) -> Self {
        let of_block = run.transactions as f64 / args.chain_length.get() as f64;
        Self {
            workload,
            transactions: run.transactions,
            blocks: args.chain_length,
            threads: args.threads,
            block_ms: run.block.as_secs_f64() * 1e3,
            per_second: of_block / run.block.as_secs_f64(),
            sustained_per_second: run.transactions as f64 / run.all.as_secs_f64(),
            cpu_us: run.cpu.as_secs_f64() * 1e6 / run.transactions as f64,
        }
    }
}

fn print(line: &Line, is_json: bool) -> eyre::Result<()> {
    let mut out = std::io::stdout().lock();
    if is_json {
        writeln!(out, "{}", serde_json::to_string(line)?)?;
    } else {
        let Line { workload, transactions, block_ms, per_second, sustained_per_second, cpu_us, .. } = line;
        writeln!(
            out,
            "{workload:<36}{transactions:>9} transactions, {block_ms:>7.1} ms a block, {per_second:>8.0} a second, {sustained_per_second:>8.0} sustained, {cpu_us:>5.1} µs CPU each"
        )?;
    }
    Ok(())
}
