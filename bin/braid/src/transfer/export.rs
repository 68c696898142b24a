//! `braid export`: writes the blocks of a data directory to a file.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use braid_state::{Store, StoreOptions};
use braid_types::Height;
use clap::Args;
use eyre::{WrapErr as _, bail, ensure, eyre};
use flate2::{Compression, write::GzEncoder};

use super::codec;

/// Arguments of `braid export`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExportArgs {
    /// File to write; packed with gzip if its name ends in .gz
    file: PathBuf,
    /// Data directory of the chain
    #[arg(long, value_name = "DIR", env = "BRAID_DATADIR")]
    datadir: PathBuf,
    /// First block
    #[arg(long, value_name = "HEIGHT", default_value_t = 1)]
    from: Height,
    /// Last block [default: the head]
    #[arg(long, value_name = "HEIGHT")]
    to: Option<Height>,
}

/// Runs the command. The file appears under its name when it is complete.
///
/// # Errors
/// If the data directory cannot be used, lacks a block of the range, or the file cannot be written.
pub(crate) fn run(args: &ExportArgs) -> eyre::Result<()> {
    let shown = args.datadir.display();
    ensure!(args.datadir.is_dir(), "{shown} is not a data directory");
    let store =
        Store::open(&args.datadir, &StoreOptions::default()).wrap_err_with(|| format!("failed to open {shown}"))?;
    let head = store.head().ok_or_else(|| eyre!("{shown} holds no chain"))?.block.height();
    let to = args.to.unwrap_or(head);
    ensure!(to <= head, "block {to} does not exist: the head is {head}");
    if args.from > to {
        bail!("there is no block from {} to {to}", args.from);
    }
    write_file(&store, &args.file, args.from, to)
        .wrap_err_with(|| format!("failed to write {}", args.file.display()))?;
    println!("exported {} blocks, from {} to {to}", to - args.from + 1, args.from);
    Ok(())
}

fn write_file(store: &Store, file: &Path, from: Height, to: Height) -> eyre::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = tempfile::NamedTempFile::new_in(folder)?;
    let is_gzip = file.extension().is_some_and(|extension| extension == "gz");
    let target = BufWriter::new(temporary.as_file());
    let target = if is_gzip {
        let mut target = GzEncoder::new(target, Compression::default());
        write_blocks(store, &mut target, from, to)?;
        target.finish()?
    } else {
        let mut target = target;
        write_blocks(store, &mut target, from, to)?;
        target
    };
    let written: &File = target.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    written.sync_all()?;
    temporary.persist(file)?;
    Ok(())
}

fn write_blocks(store: &Store, target: &mut impl Write, from: Height, to: Height) -> eyre::Result<()> {
    for height in from..=to {
        let executed = store.block(height)?.ok_or_else(|| eyre!("block {height} is not kept"))?;
        target.write_all(&codec::encode(&executed.block))?;
    }
    Ok(())
}
