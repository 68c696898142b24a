//! `braid replay`: real blocks of Ethereum's mainnet, each with the state its execution touches.
//!
//! The pre-state is not complete, so a state root cannot be checked. Gas used, receipts root and logs bloom can, and
//! together they pin every transaction's outcome. What the file says about itself is checked first: the header must
//! hash to the block's hash, the transactions to their root, and every signature must name its sender.

use std::{num::NonZeroUsize, process::ExitCode};

use alloy_consensus::{Header, proofs::calculate_receipt_root};
use braid_bench::blocks::{self, RecordedBlock};
use braid_exec::{AccessListUse, Config, execute};
use braid_types::Fork;
use clap::Args;

use super::{
    access_lists,
    report::Case,
    suite::{self, SuiteArgs, guarded},
};

/// Arguments of `braid replay`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    suite: SuiteArgs,
    /// Worker threads for each block [default: 1]
    #[arg(long, default_value = "1", hide_default_value = true)]
    threads: NonZeroUsize,
    /// Also makes each block's access list (EIP-7928), and executes the block from it
    #[arg(long)]
    access_lists: bool,
}

/// Runs the command, one block after the other.
///
/// # Errors
/// If threads cannot be started or the report cannot be printed.
pub(crate) fn run(args: &ReplayArgs) -> eyre::Result<ExitCode> {
    let spec = blocks::mainnet().map_err(|error| eyre::eyre!("mainnet's schedule: {error}"))?;
    let access_list = if args.access_lists { AccessListUse::Produce } else { AccessListUse::Ignore };
    let config = Config { threads: args.threads, access_list, ..Config::default() };
    suite::run(&args.suite, ".json.gz", NonZeroUsize::MIN, |path, content| {
        let verdict = guarded(|| {
            let block = blocks::read(path, content, &spec).map_err(|error| error.to_string())?;
            replay(&block, &config)
        });
        vec![Case::new("", verdict)]
    })
}

fn replay(block: &RecordedBlock, config: &Config) -> Result<(), String> {
    let (header, fork) = (&block.header, block.context.fork);
    let outcome = execute(&block.context, &block.transactions, &block.state, config);
    let outcome = outcome.map_err(|error| error.to_string())?;
    if outcome.gas_used != header.gas_used {
        return Err(gas_difference(header, outcome.gas_used));
    }
    if outcome.logs_bloom != header.logs_bloom {
        return Err("logs bloom differs".to_owned());
    }
    let receipts_root = calculate_receipt_root(&outcome.receipts);
    // Receipts before Byzantium hold state roots, which a partial state cannot give.
    if fork >= Fork::Byzantium && receipts_root != header.receipts_root {
        return Err(format!("receipts root is {receipts_root}, expected {}", header.receipts_root));
    }
    let Some(list) = &outcome.access_list else { return Ok(()) };
    let RecordedBlock { context, transactions, state, .. } = block;
    let block = access_lists::Block { context, transactions, state, config };
    access_lists::check(&block, &outcome, list).map_err(|reason| format!("access list: {reason}"))
}

fn gas_difference(header: &Header, gas_used: u64) -> String {
    format!("gas used is {gas_used}, expected {}", header.gas_used)
}
