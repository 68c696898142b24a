//! Where a development chain lives, and what its directory remembers of how it was made.
//!
//! Two files stand beside the store: `genesis.json`, and `dev.toml` with the settings that shaped it. They are written
//! before the store is opened for the first time, `genesis.json` last, and never changed: so a restart has the same
//! genesis, time stamp included, whatever the defaults are by then.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use alloy_genesis::Genesis;
use eyre::{Context, bail, ensure};
use tempfile::TempDir;

use crate::config::layers::{REMEMBERED, Resolved};

/// Name of the genesis file in a data directory.
pub(crate) const GENESIS: &str = "genesis.json";

/// The directory of a chain.
#[derive(Debug)]
pub(crate) enum DataDirectory {
    /// Goes when the process ends.
    Temporary(TempDir),
    /// Stays.
    Kept(PathBuf),
}

impl DataDirectory {
    /// The directory that `datadir` names, created if needed, or a temporary one.
    ///
    /// # Errors
    /// If it cannot be created.
    pub(crate) fn open(datadir: Option<&Path>) -> eyre::Result<Self> {
        let Some(path) = datadir else {
            let directory = tempfile::Builder::new().prefix("braid-").tempdir();
            return Ok(Self::Temporary(directory.wrap_err("failed to create a temporary directory")?));
        };
        fs::create_dir_all(path).wrap_err_with(|| format!("failed to create {}", path.display()))?;
        Ok(Self::Kept(path.to_owned()))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Temporary(directory) => directory.path(),
            Self::Kept(path) => path,
        }
    }

    /// Whether it goes when the process ends.
    pub(crate) const fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary(_))
    }

    /// The genesis this directory was made with; else that of `resolved.settings.genesis`, else the one `make` makes, which
    /// the directory then remembers.
    ///
    /// # Errors
    /// If the directory belongs to another genesis or to something else, or files cannot be read or written.
    pub(crate) fn genesis(&self, resolved: &Resolved, make: impl FnOnce() -> Genesis) -> eyre::Result<Genesis> {
        let asked = resolved.settings.genesis.as_deref().map(read_genesis).transpose()?;
        let path = self.path().join(GENESIS);
        if path.exists() {
            let stored = read_genesis(&path)?;
            check_same(&stored, asked.as_ref(), resolved, &path)?;
            return Ok(stored);
        }
        ensure!(is_unused(self.path())?, "{} is not empty and has no {GENESIS}", self.path().display());
        let genesis = asked.unwrap_or_else(make);
        write(&self.path().join(REMEMBERED), &remembered(resolved, &genesis)?)?;
        write(&path, &serde_json::to_string_pretty(&genesis)?)?;
        Ok(genesis)
    }
}

/// Reads a genesis in geth's format.
///
/// # Errors
/// If it cannot be read or is malformed.
pub(crate) fn read_genesis(path: &Path) -> eyre::Result<Genesis> {
    let text = fs::read_to_string(path).wrap_err_with(|| format!("failed to read genesis {}", path.display()))?;
    serde_json::from_str(&text).wrap_err_with(|| format!("{} is not a genesis", path.display()))
}

fn check_same(stored: &Genesis, asked: Option<&Genesis>, resolved: &Resolved, path: &Path) -> eyre::Result<()> {
    if asked.is_some_and(|asked| asked != stored) {
        bail!("the data directory was made with another genesis, {}", path.display());
    }
    let (now, then) = (resolved.settings.chain_id, stored.config.chain_id);
    let is_explicit = resolved.sources.get("chain-id").is_some_and(crate::config::layers::Source::is_explicit);
    if is_explicit && now != then {
        bail!("chain-id is {now}, but the data directory was made with {then}, see {}", path.display());
    }
    Ok(())
}

/// Whether a directory holds nothing but what an interrupted first start leaves.
fn is_unused(dir: &Path) -> eyre::Result<bool> {
    let entries = fs::read_dir(dir).wrap_err_with(|| format!("failed to read {}", dir.display()))?;
    let names: Vec<_> = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
    Ok(names.iter().all(|name| name == REMEMBERED || Path::new(name).extension().is_some_and(|end| end == PARTIAL)))
}

/// The settings that shaped a genesis and its accounts, as TOML.
fn remembered(resolved: &Resolved, genesis: &Genesis) -> eyre::Result<String> {
    let mut table = toml::Table::try_from(&resolved.settings)?;
    let is_own = resolved.settings.genesis.is_none();
    table.retain(|name, _| match name.as_str() {
        "accounts" | "mnemonic" => true,
        "balance" | "fork" => is_own,
        _ => false,
    });
    table.insert("chain-id".to_owned(), integer(genesis.config.chain_id)?);
    if is_own {
        table.insert("timestamp".to_owned(), integer(genesis.timestamp)?);
    }
    Ok(format!("# What this data directory was made with. Do not change.\n{table}"))
}

fn integer(value: u64) -> eyre::Result<toml::Value> {
    Ok(toml::Value::Integer(i64::try_from(value).wrap_err("a number of the genesis is too large")?))
}

/// Ending of files that are being written.
const PARTIAL: &str = "partial";

/// Writes a file in one step: after a crash it is there as a whole or not at all.
fn write(path: &Path, text: &str) -> eyre::Result<()> {
    let partial = path.with_extension(PARTIAL);
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(&partial)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, path)?;
        fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().wrap_err_with(|| format!("failed to write {}", path.display()))
}
