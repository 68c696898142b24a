//! `braid localnet`: a network of validators on this machine, in one command.
//!
//! Writes a genesis, keys and one configuration for each node into a folder, then runs all of them as processes of their own
//! (`braid node`), which is what they would be on machines of their own. A second start on the same folder goes on with
//! what is there.

mod files;
mod processes;
mod screen;
mod shape;

use std::path::PathBuf;

use clap::{Args, ValueEnum, value_parser};
use eyre::Context;

use self::{files::Files, shape::Shape};
use crate::config::MAX_INTEGER;

/// What the network is made of. What is left out is as it was at the first start, or a default.
#[derive(Args, Clone, Debug)]
pub(crate) struct LocalnetArgs {
    /// Folder for genesis, keys, configurations and data.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Validators, 4 by default. Fewer than a third of them may fail.
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=64))]
    validators: Option<u16>,
    /// Nodes that follow and do not vote; none by default.
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(0..=16))]
    followers: Option<u16>,
    /// Port of the first validator's RPC server, 8545 by default. The others follow, then the followers; nodes talk to each other 100 above.
    #[arg(long, value_name = "BASE", value_parser = value_parser!(u16).range(1..=65_300))]
    port: Option<u16>,
    /// How certificates are signed; ed25519 by default.
    #[arg(long, value_name = "SCHEME", value_enum)]
    scheme: Option<SchemeName>,
    /// How blocks reach the validators; whole by default.
    #[arg(long, value_name = "HOW", value_enum)]
    dissemination: Option<DisseminationName>,
    /// Least milliseconds between blocks, 100 by default.
    #[arg(long, value_name = "MS", value_parser = value_parser!(u64).range(1..=60_000))]
    block_interval: Option<u64>,
    /// EIP-155 chain id, 31337 by default.
    #[arg(long, value_name = "ID", value_parser = value_parser!(u64).range(1..=MAX_INTEGER))]
    chain_id: Option<u64>,
    /// Gas limit of blocks, 500 million by default.
    #[arg(long, value_name = "GAS", value_parser = value_parser!(u64).range(30_000_000..=MAX_INTEGER))]
    gas_limit: Option<u64>,
    /// Write the files, print the commands, and run nothing.
    #[arg(long)]
    write_only: bool,
}

/// A [`braid_types::ordered::CertificateScheme`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SchemeName {
    /// A list of ed25519 signatures.
    Ed25519,
    /// One BLS12-381 signature of the group.
    #[value(name = "bls12381-threshold")]
    Bls12381Threshold,
}

/// A [`braid_types::ordered::Dissemination`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DisseminationName {
    /// The proposer sends the whole block to everyone.
    Whole,
    /// The proposer sends a coded part to each.
    Coded,
}

/// Writes what is missing and runs the network until a signal, or until no node is left.
///
/// # Errors
/// If files cannot be written or belong to another network, or no node is left.
pub(crate) fn run(args: &LocalnetArgs) -> eyre::Result<()> {
    let dir = std::path::absolute(&args.dir).wrap_err_with(|| args.dir.display().to_string())?;
    let shape = Shape::settle(&dir, args)?;
    let files = Files::prepare(&dir, &shape)?;
    if args.write_only {
        print!("{}", screen::commands(&files)?);
        return Ok(());
    }
    processes::run(&files, || screen::first(&shape, &files))
}
