//! Chains as files: geth's format, which is every block's RLP, one after the other, oldest first.

pub(crate) mod codec;
mod export;
mod import;
mod reader;

use std::{num::NonZeroUsize, path::Path, process::ExitCode};

use braid_chain::{Chain, ChainOptions};
use braid_pool::PoolConfig;
use braid_state::StoreOptions;
use clap::Subcommand;
use eyre::WrapErr as _;

pub(crate) use export::write_file;
pub(crate) use import::{import_file, unpacked};

/// The commands that move chains in and out of a data directory.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TransferCommand {
    /// Import a chain from a file of RLP blocks
    Import(import::ImportArgs),
    /// Export the chain of a data directory to a file of RLP blocks
    Export(export::ExportArgs),
}

/// Runs a transfer command.
///
/// # Errors
/// If a file cannot be read or written, a block is not valid, or the data directory cannot be used.
pub(crate) fn run(command: &TransferCommand) -> eyre::Result<ExitCode> {
    match command {
        TransferCommand::Import(args) => import::run(args)?,
        TransferCommand::Export(args) => export::run(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the chain of a genesis file in a data directory, which is made if it is new.
///
/// # Errors
/// If the genesis cannot be read or followed, or the data directory cannot be used.
pub(crate) fn open_chain(genesis: &Path, directory: &Path) -> eyre::Result<Chain> {
    let genesis = crate::dev::data::read_genesis(genesis)?;
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let options = ChainOptions {
        genesis,
        directory: directory.to_owned(),
        store: StoreOptions::default(),
        pool: PoolConfig::default(),
        threads,
        is_dev: false,
    };
    Chain::open(options).wrap_err_with(|| format!("failed to open {}", directory.display()))
}
