//! `braid import`: validates, executes and stores the blocks of a file.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use braid_chain::{Chain, ChainError};
use braid_types::{Block, BlockRef, Height};
use clap::Args;
use eyre::{WrapErr as _, bail};
use flate2::bufread::MultiGzDecoder;
use rayon::prelude::*;

use super::{codec, open_chain, reader::BlockReader};

/// Blocks that are decoded, and whose senders are recovered, at once.
const BATCH_BLOCKS: usize = 64;

/// Bytes of blocks that are decoded at once, so that a batch of large ones does not fill the memory.
const BATCH_SIZE_BYTES: usize = 64 << 20;

/// How often progress is printed.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// The first two bytes of a gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Arguments of `braid import`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ImportArgs {
    /// File of RLP blocks, plain or gzip
    file: PathBuf,
    /// Genesis of the chain, as geth writes it
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// Data directory to import into; without it, the chain is checked in a temporary one
    #[arg(long, value_name = "DIR", env = "BRAID_DATADIR")]
    datadir: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// If the file or genesis cannot be read, a block is not valid, or the data directory cannot be used.
pub(crate) fn run(args: &ImportArgs) -> eyre::Result<()> {
    let temporary;
    let directory = match &args.datadir {
        Some(directory) => directory,
        None => {
            temporary = tempfile::tempdir().wrap_err("failed to make a temporary data directory")?;
            temporary.path()
        }
    };
    let chain = open_chain(&args.genesis, directory)?;
    crate::dev::data::keep_genesis(directory, chain.genesis())?;
    let started = now();
    let imported = import_file(&chain, &args.file)?;
    let BlockRef { height, hash } = chain.head().block.block_ref();
    println!("imported {} blocks, skipped {} known ones, in {:.1?}", imported.new, imported.known, started.elapsed());
    println!("head {height} {hash}");
    Ok(())
}

/// How many blocks a file held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Imported {
    /// Blocks that the chain did not have.
    pub(crate) new: u64,
    /// Blocks that it had.
    pub(crate) known: u64,
}

/// Imports every block of a file that the chain does not have yet.
///
/// # Errors
/// If the file cannot be read, or a block is not valid or contradicts one that the chain has.
pub(crate) fn import_file(chain: &Chain, file: &Path) -> eyre::Result<Imported> {
    let shown = file.display();
    let source = File::open(file).wrap_err_with(|| format!("failed to open {shown}"))?;
    let mut blocks =
        BlockReader::new(unpacked(BufReader::new(source)).wrap_err_with(|| format!("failed to read {shown}"))?);
    let (mut imported, mut reported) = (Imported::default(), now());
    let mut position = 0_u64;
    loop {
        let batch = next_batch(&mut blocks).wrap_err_with(|| format!("{shown}: after block {position} of the file"))?;
        if batch.is_empty() {
            return Ok(imported);
        }
        let decoded: Vec<_> = batch.par_iter().map(|rlp| codec::decode(rlp)).collect();
        for block in decoded {
            position += 1;
            let result = block.map_err(eyre::Report::from).and_then(|block| import_block(chain, block, &mut imported));
            result.wrap_err_with(|| format!("{shown}: block {position} of the file"))?;
        }
        if reported.elapsed() >= PROGRESS_INTERVAL {
            reported = now();
            eprintln!("{position} blocks read, head {}", chain.head().block.height());
        }
    }
}

/// Gzip files are recognised by their first bytes, so that the name does not matter.
///
/// # Errors
/// If the source cannot be read.
pub(crate) fn unpacked(mut source: BufReader<File>) -> std::io::Result<Box<dyn Read>> {
    let is_gzip = source.fill_buf()?.starts_with(&GZIP_MAGIC);
    Ok(if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(source))) } else { Box::new(source) })
}

fn next_batch(blocks: &mut BlockReader<Box<dyn Read>>) -> eyre::Result<Vec<Vec<u8>>> {
    let (mut batch, mut size_bytes) = (Vec::new(), 0);
    while batch.len() < BATCH_BLOCKS && size_bytes < BATCH_SIZE_BYTES {
        let Some(block) = blocks.next().transpose()? else { break };
        size_bytes += block.len();
        batch.push(block);
    }
    Ok(batch)
}

/// Imports a block that extends the chain, or checks that one which does not is the chain's own.
fn import_block(chain: &Chain, block: Block, imported: &mut Imported) -> eyre::Result<()> {
    let (height, hash): (Height, _) = (block.header.number, block.header.hash_slow());
    if height > chain.head().block.height() {
        chain
            .import(block)
            .map_err(|error: ChainError| eyre::Report::from(error).wrap_err(format!("{height} {hash}")))?;
        imported.new += 1;
        return Ok(());
    }
    match chain.store().hash(height)? {
        Some(known) if known == hash => imported.known += 1,
        Some(known) => bail!("{height} {hash} contradicts the chain, which has {known} there"),
        None => bail!("{height} {hash} is below the first block of the chain"),
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the binary may read the clock")]
fn now() -> Instant {
    Instant::now()
}
