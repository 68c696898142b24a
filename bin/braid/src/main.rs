//! The `braid` command: reads the command line, runs one command, and turns its result into an exit code.
//!
//! Exit codes: 0 for success, 1 for a failure, 2 for a command line or configuration that cannot be followed.

mod cli;
mod config;
mod conformance;
mod db;
mod dev;
mod ingest;
mod keys;
mod load;
mod localnet;
mod metrics;
mod microloans;
mod mobile_money_sim;
mod node;
mod process;
mod proof;
mod server;
mod signals;
mod snapshot;
mod stages;
mod suite;
mod telemetry;
mod top;
mod transfer;

use std::process::ExitCode;

use cli::Action;

fn main() -> ExitCode {
    let action = cli::parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    match run(action) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<config::Unusable>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn run(action: Action) -> eyre::Result<ExitCode> {
    match action {
        Action::Dev(resolved) => dev::run(&resolved)?,
        Action::PrintConfig(text) => print!("{text}"),
        Action::Node(resolved) => node::run(&resolved)?,
        Action::Localnet(args) => localnet::run(&args)?,
        Action::Keys(command) => keys::run(&command)?,
        Action::Db(command) => db::run(&command)?,
        Action::Load(args) => return load::run(&args),
        Action::Top(args) => top::run(&args)?,
        Action::Proof(command) => proof::run(&command)?,
        Action::VerifyProof(args) => proof::verify(&args)?,
        Action::Deploy(args) => suite::deploy::run(&args)?,
        Action::Contracts(args) => suite::list::run(&args)?,
        Action::Microloans(args) => microloans::run(&args)?,
        Action::MobileMoneySim(args) => mobile_money_sim::run(&args)?,
        Action::Transfer(command) => return transfer::run(&command),
        Action::Snapshot(command) => return snapshot::run(&command),
        Action::Conformance(command) => return conformance::run(&command),
    }
    Ok(ExitCode::SUCCESS)
}
