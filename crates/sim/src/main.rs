//! `braid-sim`: simulates whole networks, one for each seed, and runs one again by its seed.

use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Write as _},
    ops::Range,
    process::ExitCode,
    thread::available_parallelism,
};

use braid_sim::{
    campaign::{Attempt, attempt, attempt_twice, run_all},
    plan::{Plan, Role, SHORT_STEPS},
};
use clap::{Parser, Subcommand};
use serde_json::json;

/// Simulates whole networks of validators, deterministically.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs many scenarios and prints a summary as JSON; the exit code tells whether all passed.
    Run {
        /// The seeds, `A..B` or one number.
        #[arg(long, value_parser = parse_seeds, default_value = "0..200")]
        seeds: Range<u64>,
        /// Steps of a quarter of a virtual second in which faults happen.
        #[arg(long, default_value_t = SHORT_STEPS)]
        steps: u64,
        /// Scenarios at once; as many as there are processors if not given.
        #[arg(long)]
        threads: Option<usize>,
        /// Runs one in so many scenarios twice and compares.
        #[arg(long, default_value_t = 20)]
        twice: u64,
    },
    /// Runs one scenario and tells what happens in it.
    Replay {
        /// The seed.
        seed: u64,
        /// Steps, if the failure was found with another number than the default.
        #[arg(long, default_value_t = SHORT_STEPS)]
        steps: u64,
        /// Tells what the validators log, too.
        #[arg(long)]
        verbose: bool,
    },
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?} is no number: {error}"));
    match text.split_once("..") {
        Some((first, end)) => Ok(number(first)?..number(end)?),
        None => number(text).map(|seed| seed..seed.saturating_add(1)),
    }
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { seeds, steps, threads, twice } => {
            let threads = threads.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
            run_many(seeds, steps, threads, twice.max(1))
        }
        Command::Replay { seed, steps, verbose } => replay(seed, steps, verbose),
    }
}

/// How to run a scenario again.
fn replay_command(seed: u64, steps: u64) -> String {
    let steps = if steps == SHORT_STEPS { String::new() } else { format!(" --steps {steps}") };
    format!("braid-sim replay {seed}{steps}")
}

/// What a campaign has come to so far.
#[derive(Default)]
struct Summary {
    passed: u64,
    blocks: u64,
    transactions: u64,
    starts: u64,
    longest_healing_ms: u64,
    roles: BTreeMap<String, u64>,
    reported: BTreeMap<String, u64>,
    failed: Vec<serde_json::Value>,
}

impl Summary {
    fn add(&mut self, seed: u64, steps: u64, attempt: &Attempt) {
        let plan = Plan::new(seed, steps);
        for role in plan.byzantine.values() {
            *self.roles.entry(format!("{role:?}")).or_default() += 1;
        }
        match attempt {
            Ok(outcome) => {
                self.passed += 1;
                self.blocks += outcome.height;
                self.transactions += outcome.transactions;
                self.starts += outcome.starts;
                self.longest_healing_ms = self.longest_healing_ms.max(outcome.healing_ms);
                for (member, kinds) in &outcome.faults {
                    let role: Option<&Role> = plan.byzantine.get(member);
                    for kind in kinds {
                        *self.reported.entry(format!("{role:?}: {kind}")).or_default() += 1;
                    }
                }
            }
            Err(reason) => {
                let replay = replay_command(seed, steps);
                eprintln!("\nseed {seed} failed: {reason}\n  {replay}");
                self.failed.push(json!({ "seed": seed, "reason": reason, "replay": replay }));
            }
        }
    }
}

fn run_many(seeds: Range<u64>, steps: u64, threads: usize, twice: u64) -> ExitCode {
    let mut summary = Summary::default();
    let shows_progress = std::io::stderr().is_terminal();
    let one = |seed: u64| {
        let plan = Plan::new(seed, steps);
        if seed.is_multiple_of(twice) { attempt_twice(&plan) } else { attempt(&plan) }
    };
    run_all(seeds.clone(), threads, one, |seed, attempt| {
        summary.add(seed, steps, attempt);
        if shows_progress {
            eprint!("\r{} passed, {} failed ", summary.passed, summary.failed.len());
        }
    });
    let text = json!({
        "seeds": format!("{}..{}", seeds.start, seeds.end),
        "steps": steps,
        "passed": summary.passed,
        "failed": summary.failed,
        "blocks": summary.blocks,
        "transactions": summary.transactions,
        "starts": summary.starts,
        "longestHealingMs": summary.longest_healing_ms,
        "byzantine": summary.roles,
        "reported": summary.reported,
    });
    println!("{text:#}");
    if summary.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: u64, steps: u64, verbose: bool) -> ExitCode {
    let filter = if verbose { "info" } else { "braid_sim=info" };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    let plan = Plan::new(seed, steps);
    println!("{plan:#?}");
    let outcome = attempt(&plan);
    // Whoever reads only a part of this closes it.
    let _ = match &outcome {
        Ok(outcome) => writeln!(std::io::stdout(), "{outcome:#?}"),
        Err(reason) => writeln!(std::io::stdout(), "failed: {reason}"),
    };
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
