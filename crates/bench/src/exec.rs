//! `braid-bench exec`: measures the executor on workloads.

use std::{num::NonZeroUsize, process::ExitCode};

use braid_bench::{
    critical_path::trace,
    measure::{Plan, Sample, measure},
};
use clap::Args;
use eyre::WrapErr as _;

use crate::{
    report::{Line, Reporter},
    selection::Selection,
};

/// Arguments of `braid-bench exec`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    selection: Selection,
    /// Threads of the executor
    #[arg(long, default_value = "2")]
    threads: NonZeroUsize,
    /// Timed runs of each kind [default: 11, or 5 where a run takes long]
    #[arg(long)]
    runs: Option<NonZeroUsize>,
    /// Run as many copies of the plain loop at once too, which need nothing of each other: what the machine gives at best
    #[arg(long)]
    ceiling: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs the command. It fails where the executor's results differ from the plain loop's.
///
/// # Errors
/// If there is no such workload, it cannot be set up or executed, or the report cannot be printed.
pub(crate) fn run(args: &ExecArgs) -> eyre::Result<ExitCode> {
    let groups = args.selection.groups()?;
    let mut reporter = Reporter::new(args.json, args.threads);
    reporter.begin()?;
    for group in groups {
        let mut lines = Vec::new();
        group.for_each(|sample| {
            let line = line(&sample, args)?;
            reporter.add(&line)?;
            lines.push(line);
            Ok(())
        })?;
        if group.is_folder() {
            reporter.add(&Line::sum(&group.name, &lines))?;
        }
    }
    Ok(if reporter.all_identical { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(sample: &Sample, args: &ExecArgs) -> eyre::Result<Line> {
    let plan = Plan { threads: args.threads, runs: args.runs, has_copies: args.ceiling };
    let measured = measure(sample, plan).wrap_err_with(|| format!("failed to execute {}", sample.name))?;
    let traces = trace(sample).wrap_err_with(|| format!("failed to trace {}", sample.name))?;
    Ok(Line::new(sample, args.threads, &measured, &traces))
}
