//! `braid export`: writes the blocks of a data directory to a file.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{BufWriter, Write},
    os::unix::fs::PermissionsExt as _,
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

/// Runs the command. A regular file appears under its name when it is complete.
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
    write_file(&args.file, |target| write_blocks(&store, target, args.from, to))
        .wrap_err_with(|| format!("failed to write {}", args.file.display()))?;
    println!("exported {} blocks, from {} to {to}", to - args.from + 1, args.from);
    Ok(())
}

/// Writes what `write` gives to a file, packed if its name says so. A regular file is replaced when its successor is
/// complete; a device, a pipe or what a symbolic link leads to is written into, for it must stay what it is.
///
/// # Errors
/// If the file cannot be written, or what `write` says.
pub(crate) fn write_file(file: &Path, write: impl FnOnce(&mut dyn Write) -> eyre::Result<()>) -> eyre::Result<()> {
    let is_gzip = file.extension().is_some_and(|extension| extension == "gz");
    if file.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
        let target = OpenOptions::new().write(true).create(true).truncate(true).open(file)?;
        return write_into(&target, is_gzip, write);
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The umask takes from these what it takes from those of any new file.
    let permissions = Permissions::from_mode(0o666);
    let temporary = tempfile::Builder::new().permissions(permissions).tempfile_in(folder)?;
    write_into(temporary.as_file(), is_gzip, write)?;
    temporary.persist(file)?;
    Ok(())
}

fn write_into(file: &File, is_gzip: bool, write: impl FnOnce(&mut dyn Write) -> eyre::Result<()>) -> eyre::Result<()> {
    let mut target = BufWriter::new(file);
    if is_gzip {
        let mut packed = GzEncoder::new(&mut target, Compression::default());
        write(&mut packed)?;
        packed.finish()?;
    } else {
        write(&mut target)?;
    }
    target.flush()?;
    // Pipes and most devices cannot be synced.
    if file.metadata()?.is_file() {
        file.sync_all()?;
    }
    Ok(())
}

fn write_blocks(store: &Store, target: &mut dyn Write, from: Height, to: Height) -> eyre::Result<()> {
    for height in from..=to {
        let executed = store.block(height)?.ok_or_else(|| eyre!("block {height} is not kept"))?;
        target.write_all(&codec::encode(&executed.block))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::FileTypeExt as _, process::Command};

    use super::*;

    fn write(file: &Path, text: &'static str) -> eyre::Result<()> {
        write_file(file, |target| Ok(target.write_all(text.as_bytes())?))
    }

    #[test]
    fn a_regular_file_is_replaced_only_by_a_whole_one_and_has_the_usual_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let (file, usual) = (folder.path().join("chain.rlp"), folder.path().join("usual"));
        write(&file, "longer than the second").unwrap();
        write(&file, "second").unwrap();
        let stopped = write_file(&file, |_| bail!("stopped half-way"));
        assert_eq!(stopped.unwrap_err().to_string(), "stopped half-way");
        assert_eq!(fs::read_to_string(&file).unwrap(), "second");
        fs::write(&usual, "").unwrap();
        let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode(&file), mode(&usual));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing temporary is left");
    }

    #[test]
    fn a_symbolic_link_stays_and_its_target_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        for text in ["first, which is longer", "second"] {
            write(&link, text).unwrap();
            assert!(link.is_symlink());
            assert_eq!(fs::read_to_string(&target).unwrap(), text);
        }
    }

    #[test]
    fn a_pipe_stays_and_passes_on_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let source = pipe.clone();
        let reader = std::thread::spawn(move || fs::read_to_string(source).unwrap());
        write(&pipe, "through").unwrap();
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        assert_eq!(reader.join().unwrap(), "through");
    }
}
