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

use crate::config::{DevSettings, REMEMBERED, Unusable, layers::Resolved};

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
    pub(crate) fn genesis(
        &self,
        resolved: &Resolved<DevSettings>,
        make: impl FnOnce() -> eyre::Result<Genesis>,
    ) -> eyre::Result<Genesis> {
        let asked = resolved.settings.genesis.as_deref().map(read_genesis).transpose()?;
        let path = self.path().join(GENESIS);
        if path.exists() {
            let stored = read_genesis(&path)?;
            check_same(&stored, asked.as_ref(), resolved, &path)?;
            return Ok(stored);
        }
        ensure!(is_unused(self.path())?, "{} is not empty and has no {GENESIS}", self.path().display());
        let genesis = asked.map_or_else(make, Ok)?;
        write(&self.path().join(REMEMBERED), &remembered(resolved, &genesis)?)?;
        write(&path, &serde_json::to_string_pretty(&genesis)?)?;
        // What a restart will see, to the last field that the format leaves out.
        read_genesis(&path)
    }
}

/// Puts the genesis of a chain that was opened in `dir` there, unless one is there, so that a node can go on with it.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn keep_genesis(dir: &Path, genesis: &Genesis) -> eyre::Result<()> {
    let path = dir.join(GENESIS);
    if path.exists() { Ok(()) } else { write(&path, &serde_json::to_string_pretty(genesis)?) }
}

/// Reads a genesis in geth's format.
///
/// # Errors
/// If it cannot be read or is malformed.
pub(crate) fn read_genesis(path: &Path) -> eyre::Result<Genesis> {
    let text = fs::read(path).wrap_err_with(|| format!("failed to read genesis {}", path.display()))?;
    Ok(parse_genesis(&text).map_err(|reason| Unusable(format!("{} is not a genesis: {reason}", path.display())))?)
}

/// Checks beyond the format what no chain can do without.
fn parse_genesis(text: &[u8]) -> Result<Genesis, String> {
    // As a list, the format would take the fields in the order of their declaration.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err("it is no JSON object".to_owned());
    }
    let genesis: Genesis = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if genesis.gas_limit == 0 {
        return Err("gasLimit is missing or 0".to_owned());
    }
    if genesis.config.chain_id == 0 {
        return Err("chainId is 0".to_owned());
    }
    Ok(genesis)
}

fn check_same(
    stored: &Genesis,
    asked: Option<&Genesis>,
    resolved: &Resolved<DevSettings>,
    path: &Path,
) -> eyre::Result<()> {
    if let Some(asked) = asked
        && serde_json::to_value(asked)? != serde_json::to_value(stored)?
    {
        bail!("the data directory was made with another genesis, {}", path.display());
    }
    let (now, then) = (resolved.settings.chain_id, stored.config.chain_id);
    if resolved.is_explicit("chain-id") && now != then {
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
fn remembered(resolved: &Resolved<DevSettings>, genesis: &Genesis) -> eyre::Result<String> {
    let mut table = toml::Table::try_from(&resolved.settings)?;
    let is_own = resolved.settings.genesis.is_none();
    table.retain(|name, _| match name {
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

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn resolve(args: &[&str]) -> Result<Resolved<DevSettings>, clap::Error> {
        let command = Cli::command().mut_subcommand("dev", |dev| dev.mut_args(|arg| arg.env(None::<&'static str>)));
        let args: Vec<OsString> = ["braid", "dev"].iter().chain(args).map(OsString::from).collect();
        crate::config::layers::resolve(&command, &args)
    }

    fn open(args: &[&str], make: impl FnOnce() -> eyre::Result<Genesis>) -> eyre::Result<Genesis> {
        let resolved = resolve(args)?;
        DataDirectory::open(resolved.settings.datadir.as_deref())?.genesis(&resolved, make)
    }

    fn genesis(chain_id: u64) -> Genesis {
        let config = braid_types::ChainSpec::at_fork(chain_id, braid_types::Fork::LATEST).config;
        let genesis = Genesis { config, timestamp: 1_700_000_000, gas_limit: 30_000_000, ..Genesis::default() };
        // As a file holds it.
        serde_json::from_str(&serde_json::to_string(&genesis).unwrap()).unwrap()
    }

    #[test]
    fn a_restart_has_the_genesis_and_settings_of_the_first_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/chain");
        let datadir = ["--datadir", path.to_str().unwrap()];
        let first = open(&[&datadir[..], &["--chain-id", "5", "--accounts", "3"]].concat(), || Ok(genesis(5))).unwrap();
        let second = open(&datadir, || panic!("the genesis was kept")).unwrap();
        assert_eq!(first, second);
        let settings = resolve(&datadir).unwrap().settings;
        assert_eq!((settings.chain_id, settings.accounts, settings.timestamp), (5, 3, Some(1_700_000_000)));
        let error = resolve(&[&datadir[..], &["--accounts", "4"]].concat()).unwrap_err();
        assert!(error.to_string().contains("accounts is 4"), "{error}");
    }

    #[test]
    fn another_genesis_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one.json"), dir.path().join("two.json"));
        fs::write(&one, serde_json::to_string(&genesis(1)).unwrap()).unwrap();
        fs::write(&two, serde_json::to_string(&genesis(2)).unwrap()).unwrap();
        let datadir = dir.path().join("data");
        let with = |file: &Path| {
            let args = ["--datadir", datadir.to_str().unwrap(), "--genesis", file.to_str().unwrap()];
            open(&args, || panic!("a file was given"))
        };
        assert_eq!(with(&one).unwrap(), genesis(1));
        assert_eq!(with(&one).unwrap(), genesis(1));
        assert!(with(&two).unwrap_err().to_string().contains("another genesis"));
        assert!(with(&dir.path().join("missing.json")).unwrap_err().to_string().contains("missing.json"));
    }

    #[test]
    fn a_genesis_without_what_a_chain_needs_is_refused() {
        let bad = [
            ("[]", "no JSON object"),
            ("7", "no JSON object"),
            ("{}", "gasLimit"),
            (r#"{"gasLimit":"0x0"}"#, "gasLimit"),
            (r#"{"gasLimit":"0x1c9c380","config":{"chainId":0}}"#, "chainId"),
            (r#"{"gasLimit":"#, "EOF"),
        ];
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("genesis.json");
        for (text, mention) in bad {
            fs::write(&file, text).unwrap();
            let error = read_genesis(&file).unwrap_err();
            assert!(error.downcast_ref::<Unusable>().is_some(), "{text}");
            assert!(error.to_string().contains(mention) && error.to_string().contains("genesis.json"), "{error}");
        }
        fs::write(&file, r#" {"gasLimit":"0x1c9c380","config":{"chainId":7}}"#).unwrap();
        assert_eq!(read_genesis(&file).unwrap().config.chain_id, 7);
    }

    #[test]
    fn a_directory_of_something_else_is_refused_and_an_interrupted_start_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let datadir = ["--datadir", dir.path().to_str().unwrap()];
        fs::write(dir.path().join("genesis.partial"), "{").unwrap();
        fs::write(dir.path().join("photo.jpg"), "").unwrap();
        assert!(open(&datadir, || Ok(genesis(1))).unwrap_err().to_string().contains("is not empty"));
        fs::remove_file(dir.path().join("photo.jpg")).unwrap();
        assert_eq!(open(&datadir, || Ok(genesis(1))).unwrap(), genesis(1));
    }

    #[test]
    fn a_temporary_directory_goes() {
        let directory = DataDirectory::open(None).unwrap();
        let path = directory.path().to_owned();
        assert!(directory.is_temporary() && path.exists());
        drop(directory);
        assert!(!path.exists());
    }
}
