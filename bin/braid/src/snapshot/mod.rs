//! `braid snapshot`: the state of a chain in a file, and a data directory from such a file.
//!
//! [`file`] has its bytes. What a restored directory rests on is checked as for a node that joins a network
//! ([`braid_chain::SnapshotImport`]): the block against its hash, headers against each other, the state against its root, code against
//! its hashes. Only whether the block is one of the chain that is meant, the file cannot prove: `--hash` says which it must be.

mod file;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use alloy_primitives::B256;
use braid_chain::{
    Chain, Snapshot, SnapshotImport,
    state::{
        Vacancy,
        snapshot::{give_up, vacancy},
    },
};
use braid_state::Cursor;
use braid_types::BlockRef;
use clap::{Args, Subcommand};
use eyre::{WrapErr as _, bail, ensure};

use self::file::{SnapshotReader, SnapshotWriter};
use crate::{
    dev::data::{GENESIS, keep_genesis, read_genesis},
    transfer,
};

/// What to do with a snapshot.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Write the state at the head of a data directory that no node has open to a file
    Create(CreateArgs),
    /// Make a data directory from such a file
    Restore(RestoreArgs),
}

/// Arguments of `braid snapshot create`.
#[derive(Args, Clone, Debug)]
pub(crate) struct CreateArgs {
    /// File to write; packed with gzip if its name ends in .gz
    file: PathBuf,
    /// Data directory of the chain
    #[arg(long, value_name = "DIR", env = "BRAID_DATADIR")]
    datadir: PathBuf,
}

/// Arguments of `braid snapshot restore`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RestoreArgs {
    /// File to read, plain or gzip
    file: PathBuf,
    /// Genesis of the chain, as geth writes it
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// Data directory to make; nothing may be in it
    #[arg(long, value_name = "DIR", env = "BRAID_DATADIR")]
    datadir: PathBuf,
    /// Hash that the snapshot's block must have, from somebody you trust
    #[arg(long, value_name = "HASH")]
    hash: Option<B256>,
}

/// Runs the command.
///
/// # Errors
/// If a file cannot be read or written, the directory cannot be used, or the snapshot is not what it says.
pub(crate) fn run(command: &SnapshotCommand) -> eyre::Result<ExitCode> {
    match command {
        SnapshotCommand::Create(args) => create(args)?,
        SnapshotCommand::Restore(args) => restore(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn create(args: &CreateArgs) -> eyre::Result<()> {
    let genesis = args.datadir.join(GENESIS);
    ensure!(genesis.is_file(), "{} is not the data directory of a chain: it has no {GENESIS}", args.datadir.display());
    let chain = transfer::open_chain(&genesis, &args.datadir)?;
    let snapshot = take(&chain)?;
    let BlockRef { height, hash } = snapshot.block();
    let mut chunks = 0;
    let write = |target: &mut dyn std::io::Write| {
        let mut writer = SnapshotWriter::begin(target, snapshot.block(), snapshot.manifest())?;
        let mut next = Some(Cursor::default());
        while let Some(from) = next {
            let (chunk, after) = snapshot.chunk(from)?;
            writer.chunk(&chunk)?;
            next = after;
            chunks += 1;
        }
        Ok(writer.end()?)
    };
    transfer::write_file(&args.file, write).wrap_err_with(|| format!("failed to write {}", args.file.display()))?;
    println!("wrote the state of block {height} {hash} in {chunks} chunks");
    Ok(())
}

fn take(chain: &Chain) -> eyre::Result<Snapshot> {
    let height = chain.head().block.height();
    Snapshot::take(chain, height).wrap_err_with(|| format!("failed to take a snapshot at height {height}"))
}

fn restore(args: &RestoreArgs) -> eyre::Result<()> {
    let directory = &args.datadir;
    let genesis = read_genesis(&args.genesis)?;
    prepare(directory)?;
    let shown = args.file.display();
    let mut reader = SnapshotReader::open(&args.file).wrap_err_with(|| format!("failed to read {shown}"))?;
    let (block, manifest) = reader.begin().wrap_err_with(|| format!("failed to read {shown}"))?;
    if let Some(expected) = args.hash {
        ensure!(block.hash == expected, "{shown} has the state of block {}, not of {expected}", block.hash);
    }
    let mut import = SnapshotImport::begin(directory, &genesis, block, &manifest)
        .wrap_err_with(|| format!("{shown} cannot be restored into {}", directory.display()))?;
    while let Some(chunk) = reader.chunk().wrap_err_with(|| format!("failed to read {shown}"))? {
        import.add(&chunk).wrap_err_with(|| format!("{shown} is not a snapshot of that block"))?;
    }
    let BlockRef { height, hash } =
        import.finish().wrap_err_with(|| format!("{shown} is not a snapshot of that block"))?;
    keep_genesis(directory, &genesis)?;
    println!("restored the state of block {height} {hash}");
    if args.hash.is_none() {
        println!("compare that hash with one from somebody you trust: the file alone cannot prove it");
    }
    Ok(())
}

/// Makes sure that a directory has no chain. What an interrupted restoration has left goes.
fn prepare(directory: &Path) -> eyre::Result<()> {
    let shown = directory.display();
    ensure!(!directory.join(GENESIS).exists(), "{shown} holds a chain already");
    match vacancy(directory).wrap_err_with(|| format!("failed to look into {shown}"))? {
        Vacancy::Empty => Ok(()),
        Vacancy::Begun(_) => give_up(directory).wrap_err_with(|| format!("failed to clean {shown}")),
        Vacancy::Taken => bail!("{shown} holds a chain already"),
    }
}
