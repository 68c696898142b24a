//! The command `braid-bench`.

mod chain;
mod exec;
mod plot;
mod report;
mod selection;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// How fast Braid executes, beside the best plain loop over revm.
#[derive(Debug, Parser)]
#[command(name = "braid-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure the executor
    Exec(exec::ExecArgs),
    /// Measure blocks from execution to disk, with known senders
    Chain(chain::ChainArgs),
    /// Draw the speed-up over threads
    Plot(plot::PlotArgs),
    /// List the workloads
    List,
}

fn main() -> eyre::Result<ExitCode> {
    match Cli::parse().command {
        Command::Exec(args) => exec::run(&args),
        Command::Chain(args) => chain::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::List => {
            report::list()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
