//! `braid db`: looks into a data directory that no node has open.

use std::path::{Path, PathBuf};

use braid_chain::state::{Store, StoreOptions, StoreStats};
use clap::{Args, Subcommand};
use eyre::{Context, ensure};

/// What to look at.
#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Print sizes and counts of a data directory that no node has open
    Stats(StatsArgs),
}

/// Arguments of `braid db stats`.
#[derive(Args, Debug)]
pub(crate) struct StatsArgs {
    /// The data directory.
    #[arg(long, env = "BRAID_DATADIR", value_name = "DIR")]
    datadir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If the directory is not there, is in use, or cannot be read.
pub(crate) fn run(command: &DbCommand) -> eyre::Result<()> {
    let DbCommand::Stats(args) = command;
    let stats = read(&args.datadir)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&to_json(&stats))?);
    } else {
        print!("{}", to_text(&stats));
    }
    Ok(())
}

fn read(dir: &Path) -> eyre::Result<StoreStats> {
    // Opening a store creates it; a mistyped path must not.
    let is_used = std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    ensure!(is_used, "{} is not a data directory", dir.display());
    let store =
        Store::open(dir, &StoreOptions::default()).wrap_err_with(|| format!("failed to open {}", dir.display()))?;
    Ok(store.stats())
}

fn to_json(stats: &StoreStats) -> serde_json::Value {
    let keyspaces = stats.keyspaces.iter();
    let keyspaces: Vec<_> = keyspaces
        .map(|(name, keys, bytes)| serde_json::json!({ "name": name, "keys": keys, "bytes": bytes }))
        .collect();
    serde_json::json!({
        "head": stats.head,
        "checkpoint": stats.checkpoint,
        "logBytes": stats.log_bytes,
        "accounts": stats.accounts,
        "keyspaces": keyspaces,
    })
}

fn to_text(stats: &StoreStats) -> String {
    let mut text = format!(
        "head            {}\ncheckpoint      {}\nlog bytes       {}\naccounts        {}\n\n{:<16}{:>14}{:>16}\n",
        stats.head, stats.checkpoint, stats.log_bytes, stats.accounts, "keyspace", "keys (approx.)", "bytes"
    );
    for (name, keys, bytes) in &stats.keyspaces {
        text.push_str(&format!("{name:<16}{keys:>14}{bytes:>16}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_is_not_created() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let error = read(&missing).unwrap_err();
        assert!(error.to_string().contains("is not a data directory"));
        assert!(!missing.exists());
    }

    #[test]
    fn text_and_json_show_every_number() {
        let stats = StoreStats {
            head: 7,
            checkpoint: 5,
            log_bytes: 1_234,
            keyspaces: vec![("acct".to_owned(), 3, 99)],
            accounts: 11,
            keys: None,
        };
        let json = to_json(&stats);
        assert_eq!(json["head"], 7);
        assert_eq!(json["keyspaces"][0]["bytes"], 99);
        let text = to_text(&stats);
        for number in ["7", "5", "1234", "11", "acct", "99"] {
            assert!(text.contains(number), "{number} is missing in {text}");
        }
    }
}
