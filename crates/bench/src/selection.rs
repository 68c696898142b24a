//! Which workloads a command line asks for.

use std::{
    env, fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use braid_bench::{
    blocks,
    measure::Sample,
    workload::{self, Workload},
};
use clap::Args;
use eyre::{WrapErr as _, ensure, eyre};

/// The workload of recorded mainnet blocks.
pub(crate) const MAINNET: &str = "mainnet";

/// Arguments that choose workloads.
#[derive(Args, Clone, Debug)]
pub(crate) struct Selection {
    /// What to execute; see `braid-bench list`. A name stands for all that begin with it; `all` for every one
    #[arg(long = "workload", value_name = "NAME", required_unless_present = "blocks")]
    workloads: Vec<String>,
    /// A folder of recorded blocks to execute, each a workload of its own
    #[arg(long, value_name = "DIR")]
    blocks: Vec<PathBuf>,
    /// Transactions of a block, instead of the workload's own number
    #[arg(long)]
    transactions: Option<NonZeroUsize>,
}

/// One workload, or a folder of blocks whose times are added up.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// What it is called in reports.
    pub(crate) name: String,
    source: Source,
    transactions: Option<NonZeroUsize>,
}

#[derive(Clone, Debug)]
enum Source {
    Workload(&'static Workload),
    Folder(PathBuf),
}

impl Selection {
    /// What was asked for, in that order.
    ///
    /// # Errors
    /// If there is no such workload or folder.
    pub(crate) fn groups(&self) -> eyre::Result<Vec<Group>> {
        let mut groups = Vec::new();
        for name in &self.workloads {
            let found = workload::find(name);
            let is_everything = name == "all";
            // Whoever asks for everything gets what there is.
            let folder = mainnet_folder();
            if name == MAINNET || (is_everything && folder.is_dir()) {
                groups.push(self.folder(MAINNET.to_owned(), folder));
            }
            ensure!(!found.is_empty() || name == MAINNET, "there is no workload {name:?}; see `braid-bench list`");
            groups.extend(
                found.into_iter().map(|workload| self.group(workload.name.to_owned(), Source::Workload(workload))),
            );
        }
        for folder in &self.blocks {
            let name = folder.file_name().map_or_else(|| "blocks".into(), |name| name.to_string_lossy());
            groups.push(self.folder(name.into_owned(), folder.clone()));
        }
        Ok(groups)
    }

    fn folder(&self, name: String, folder: PathBuf) -> Group {
        self.group(name, Source::Folder(folder))
    }

    const fn group(&self, name: String, source: Source) -> Group {
        Group { name, source, transactions: self.transactions }
    }
}

impl Group {
    /// Whether there are several samples, whose sum is of interest.
    pub(crate) const fn is_folder(&self) -> bool {
        matches!(self.source, Source::Folder(_))
    }

    /// Hands each sample to `visit`, one after the other, so that one is in memory at a time.
    ///
    /// # Errors
    /// If a sample cannot be set up or read, or `visit` fails.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(Sample) -> eyre::Result<()>) -> eyre::Result<()> {
        match &self.source {
            Source::Workload(workload) => {
                let sample = workload.sample(self.transactions.map(NonZeroUsize::get));
                visit(sample.wrap_err_with(|| format!("failed to set up {}", workload.name))?)
            }
            Source::Folder(folder) => {
                for path in recordings(folder)? {
                    visit(recorded(&self.name, &path)?)?;
                }
                Ok(())
            }
        }
    }
}

/// Where recorded mainnet blocks lie: `BRAID_DATA`, else beside the repository.
fn mainnet_folder() -> PathBuf {
    env::var_os("BRAID_DATA").map_or_else(|| "../shared/data/mainnet-blocks".into(), PathBuf::from)
}

fn recorded(group: &str, path: &Path) -> eyre::Result<Sample> {
    let content = fs::read(path).wrap_err_with(|| format!("failed to read {}", path.display()))?;
    let block = blocks::read(path, &content, &blocks::mainnet()?);
    let block = block.map_err(|error| eyre!("{} {error}", path.display()))?;
    Ok(Sample {
        name: format!("{group}/{}", block.header.number),
        context: block.context,
        transactions: block.transactions,
        state: block.state,
        access_list: None,
    })
}

/// The recordings in a folder, by their number.
fn recordings(folder: &Path) -> eyre::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).wrap_err_with(|| {
        format!("failed to read the folder {} (BRAID_DATA names that of the mainnet blocks)", folder.display())
    })?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| name(path).is_some_and(|name| name.ends_with(".json.gz") || name.ends_with(".json")));
    ensure!(!paths.is_empty(), "{} holds no recorded block", folder.display());
    let number = |path: &PathBuf| name(path).and_then(|name| name.split('.').next()?.parse::<u64>().ok());
    paths.sort_by_cached_key(|path| (number(path), path.clone()));
    Ok(paths)
}

fn name(path: &Path) -> Option<&str> {
    path.file_name().and_then(|name| name.to_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_come_in_order_of_height() {
        let dir = tempfile::tempdir().unwrap();
        assert!(recordings(dir.path()).unwrap_err().to_string().contains("holds no recorded block"));
        for name in ["1150000.json.gz", "46147.json.gz", "9.json", "notes.txt"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let found = recordings(dir.path()).unwrap();
        let names: Vec<_> = found.iter().filter_map(|path| name(path)).collect();
        assert_eq!(names, ["9.json", "46147.json.gz", "1150000.json.gz"]);
    }

    #[test]
    fn a_name_stands_for_a_workload_or_a_family() {
        let names = |name: &str| {
            let selection = Selection { workloads: vec![name.to_owned()], blocks: vec![], transactions: None };
            let groups = selection.groups()?;
            eyre::Ok(groups.into_iter().map(|group| group.name).collect::<Vec<_>>())
        };
        assert_eq!(names("eth-chain").unwrap(), ["eth-chain"]);
        assert_eq!(names("erc20-hot").unwrap(), ["erc20-hot-oz", "erc20-hot-solady"]);
        assert!(names("all").unwrap().len() > 20);
        assert!(names("erc").unwrap_err().to_string().contains("there is no workload \"erc\""));
    }
}
