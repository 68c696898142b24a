//! Commands that hold Braid against what Ethereum publishes: state tests, blockchain tests, real mainnet blocks, and
//! the JSON-RPC conformance suite. Nothing here is mocked: they drive the same parts as the node.
//!
//! Reading order: [`suite`] (files, threads), [`report`] (what is printed), [`fixture`] and [`network`] (the suites'
//! JSON and names), then one module for each command; [`company`] is [`statetest`]'s
//! way to several threads.

mod access_lists;
mod blocktest;
mod company;
mod fixture;
mod network;
mod replay;
mod report;
mod rpctest;
mod statetest;
mod suite;

use std::process::ExitCode;

use clap::Subcommand;

/// The conformance commands.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ConformanceCommand {
    /// Run Ethereum's GeneralStateTests
    Statetest(statetest::StatetestArgs),
    /// Run Ethereum's BlockchainTests
    Blocktest(blocktest::BlocktestArgs),
    /// Execute recorded blocks of Ethereum's mainnet
    Replay(replay::ReplayArgs),
    /// Run the JSON-RPC conformance suite of ethereum/execution-apis
    Rpctest(rpctest::RpctestArgs),
}

/// Runs a conformance command.
///
/// # Errors
/// If threads cannot be started or the report cannot be printed; what fails in a fixture is part of the report.
pub(crate) fn run(command: &ConformanceCommand) -> eyre::Result<ExitCode> {
    match command {
        ConformanceCommand::Statetest(args) => statetest::run(args),
        ConformanceCommand::Blocktest(args) => blocktest::run(args),
        ConformanceCommand::Replay(args) => replay::run(args),
        ConformanceCommand::Rpctest(args) => rpctest::run(args),
    }
}
