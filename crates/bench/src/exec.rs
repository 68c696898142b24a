//! `braid-bench exec`: measures the executor on workloads.

use std::{
    env, fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
};

use braid_bench::{
    blocks,
    measure::{Plan, Sample, measure},
    workload,
};
use clap::Args;
use eyre::{WrapErr as _, ensure, eyre};

use crate::report::{Line, Reporter};

/// Arguments of `braid-bench exec`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExecArgs {
    /// What to execute; see `braid-bench list`. A name stands for all that begin with it; `all` for every one
    #[arg(long = "workload", value_name = "NAME", required_unless_present = "blocks")]
    workloads: Vec<String>,
    /// A folder of recorded blocks to execute, each a workload of its own
    #[arg(long, value_name = "DIR")]
    blocks: Vec<PathBuf>,
    /// Threads of the executor
    #[arg(long, default_value = "2")]
    threads: NonZeroUsize,
    /// Timed runs of each kind [default: 11, or 5 where a run takes long]
    #[arg(long)]
    runs: Option<NonZeroUsize>,
    /// Transactions of a block, instead of the workload's own number
    #[arg(long)]
    transactions: Option<NonZeroUsize>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs the command. It fails where the executor's results differ from the plain loop's.
///
/// # Errors
/// If there is no such workload, it cannot be set up or executed, or the report cannot be printed.
pub(crate) fn run(args: &ExecArgs) -> eyre::Result<ExitCode> {
    let mut reporter = Reporter::new(args.json);
    reporter.begin()?;
    for name in &args.workloads {
        if name == MAINNET || name == "all" {
            run_blocks(MAINNET, &mainnet_folder()?, args, &mut reporter)?;
        }
        if name == MAINNET {
            continue;
        }
        let found = workload::find(name);
        ensure!(!found.is_empty(), "there is no workload {name:?}; see `braid-bench list`");
        for workload in found {
            let sample = workload.sample(args.transactions.map(NonZeroUsize::get));
            let sample = sample.wrap_err_with(|| format!("failed to set up {}", workload.name))?;
            reporter.add(&line(&sample, args)?)?;
        }
    }
    for folder in &args.blocks {
        let name = folder.file_name().map_or_else(|| "blocks".into(), |name| name.to_string_lossy());
        run_blocks(&name, folder, args, &mut reporter)?;
    }
    Ok(if reporter.all_identical { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The workload of recorded mainnet blocks.
pub(crate) const MAINNET: &str = "mainnet";

/// Where recorded mainnet blocks lie: `BRAID_DATA`, else beside the repository.
fn mainnet_folder() -> eyre::Result<PathBuf> {
    let folder = env::var_os("BRAID_DATA").map_or_else(|| "../shared/data/mainnet-blocks".into(), PathBuf::from);
    ensure!(folder.is_dir(), "{} is no folder; set BRAID_DATA to one of recorded blocks", folder.display());
    Ok(folder)
}

fn run_blocks(name: &str, folder: &Path, args: &ExecArgs, reporter: &mut Reporter) -> eyre::Result<()> {
    let spec = blocks::mainnet()?;
    let mut lines = Vec::new();
    for path in recordings(folder)? {
        let content = fs::read(&path).wrap_err_with(|| format!("failed to read {}", path.display()))?;
        let block = blocks::read(&path, &content, &spec).map_err(|error| eyre!("{} {error}", path.display()))?;
        let sample = Sample {
            name: format!("{name}/{}", block.header.number),
            context: block.context,
            transactions: block.transactions,
            state: block.state,
        };
        let line = line(&sample, args)?;
        reporter.add(&line)?;
        lines.push(line);
    }
    reporter.add(&Line::sum(name, &lines))
}

/// The recordings in a folder, by their number.
fn recordings(folder: &Path) -> eyre::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).wrap_err_with(|| format!("failed to read {}", folder.display()))?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        name.ends_with(".json.gz") || name.ends_with(".json")
    });
    ensure!(!paths.is_empty(), "{} holds no recorded block", folder.display());
    let number =
        |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.split('.').next()?.parse::<u64>().ok());
    paths.sort_by_cached_key(|path| (number(path), path.clone()));
    Ok(paths)
}

fn line(sample: &Sample, args: &ExecArgs) -> eyre::Result<Line> {
    let plan = Plan { threads: args.threads, runs: args.runs };
    let measured = measure(sample, plan).wrap_err_with(|| format!("failed to execute {}", sample.name))?;
    Ok(Line::new(sample, args.threads, &measured))
}
