//! Settings of `braid dev`, and how settings of every node are read: one table, from which flags, environment, TOML and `--print-config` all follow.
//!
//! A setting has one name everywhere: `--block-time`, `BRAID_BLOCK_TIME`, `block-time` in TOML. The first of these that
//! gives a value wins, in this order: flag, environment, TOML file (`--config`), what the data directory was made with,
//! default. [`layers`] finds the values and remembers where each came from; [`print`] shows them.

pub(crate) mod layers;
pub(crate) mod node;
pub(crate) mod print;
pub(crate) mod shared;
#[cfg(test)]
mod tests;
pub(crate) mod values;

use std::{num::NonZeroUsize, path::PathBuf};

use braid_types::Fork;
use clap::{ArgAction, Args, builder::BoolishValueParser, value_parser};
use serde::Serialize;

use crate::dev::accounts::MAX_ACCOUNTS;

pub(crate) use self::shared::{Limits, LogFormat, Origin, Output, Server};
use self::{
    layers::{Resolved, Settings},
    values::{Ether, ForkName, Seconds},
};

/// The mnemonic that Ethereum's development nodes share. Its keys are public: never fund them on a real network.
pub(crate) const TEST_MNEMONIC: &str = "test test test test test test test test test test test junk";

/// Name of the file in a data directory that remembers the settings a development chain was made with.
pub(crate) const REMEMBERED: &str = "dev.toml";

/// Largest whole number a setting may have, because TOML's are signed.
pub(crate) const MAX_INTEGER: u64 = i64::MAX.unsigned_abs();

/// Most memory that may be asked for, in MiB.
pub(crate) const MAX_MEMORY_MIB: u64 = 1 << 30;

/// Memory in bytes.
pub(crate) fn memory_bytes(mib: Option<u64>) -> Option<u64> {
    mib.map(|mib| mib << 20)
}

/// A file that was named on the command line or in the configuration cannot be followed: the process exits with 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unusable(pub(crate) String);

/// Every setting of `braid dev`.
#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DevSettings {
    /// Where clients are served.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) server: Server,

    /// Seconds between blocks, such as 2 or 0.25; without it a block is made as soon as transactions wait.
    #[arg(long, env = "BRAID_BLOCK_TIME", value_name = "SECONDS", help_heading = "Blocks")]
    pub(crate) block_time: Option<Seconds>,
    /// Make blocks only when asked to (evm_mine).
    #[arg(
        long,
        env = "BRAID_NO_MINING",
        value_name = "BOOL",
        action = ArgAction::Set,
        value_parser = BoolishValueParser::new(),
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value = "false",
        help_heading = "Blocks"
    )]
    pub(crate) no_mining: bool,
    /// Gas limit of blocks.
    #[arg(long, env = "BRAID_GAS_LIMIT", value_name = "GAS", default_value_t = 30_000_000, value_parser = value_parser!(u64).range(5_000..=MAX_INTEGER), help_heading = "Blocks")]
    pub(crate) gas_limit: u64,
    /// Threads that execute blocks; without it one for each processor core.
    #[arg(long, env = "BRAID_THREADS", value_name = "N", help_heading = "Blocks")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Directory to keep the chain in; without it the chain lives in a temporary directory and ends with the process.
    #[arg(long, env = "BRAID_DATADIR", value_name = "DIR", help_heading = "Chain")]
    pub(crate) datadir: Option<PathBuf>,
    /// Genesis in geth's genesis.json format; without it one is made from the settings here.
    #[arg(long, env = "BRAID_GENESIS", value_name = "FILE", help_heading = "Chain")]
    pub(crate) genesis: Option<PathBuf>,
    /// EIP-155 chain id.
    #[arg(long, env = "BRAID_CHAIN_ID", value_name = "ID", default_value_t = 31_337, value_parser = value_parser!(u64).range(1..=MAX_INTEGER), help_heading = "Chain")]
    pub(crate) chain_id: u64,
    /// Fork that rules from genesis on.
    #[arg(long, env = "BRAID_FORK", value_name = "NAME", default_value_t = ForkName(Fork::LATEST), value_parser = ForkName::parser(), help_heading = "Chain")]
    pub(crate) fork: ForkName,
    /// Time stamp of genesis in seconds since the Unix epoch; without it the time of the first start.
    #[arg(long, env = "BRAID_TIMESTAMP", value_name = "SECONDS", value_parser = value_parser!(u64).range(0..=MAX_INTEGER), help_heading = "Chain")]
    pub(crate) timestamp: Option<u64>,
    /// Leave the DeFi contracts out of a new chain; they need Cancun, and come with no --genesis.
    #[arg(
        long,
        env = "BRAID_NO_CONTRACTS",
        value_name = "BOOL",
        action = ArgAction::Set,
        value_parser = BoolishValueParser::new(),
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value = "false",
        help_heading = "Chain"
    )]
    pub(crate) no_contracts: bool,
    /// Start micro-loans beside the chain, with simulated mobile money and people; what `braid` without arguments does.
    #[arg(
        long,
        env = "BRAID_MICROLOANS",
        value_name = "BOOL",
        action = ArgAction::Set,
        value_parser = BoolishValueParser::new(),
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value = "false",
        help_heading = "Micro-loans"
    )]
    pub(crate) microloans: bool,
    /// Blocks behind the head whose state stays readable; without it all.
    #[arg(long, env = "BRAID_HISTORY", value_name = "BLOCKS", value_parser = value_parser!(u64).range(0..=MAX_INTEGER), help_heading = "Chain")]
    pub(crate) history: Option<u64>,
    /// Memory to aim at for the state and the store, in MiB; without it the whole state is in memory.
    #[arg(long, env = "BRAID_MEMORY", value_name = "MIB", value_parser = value_parser!(u64).range(1..=MAX_MEMORY_MIB), help_heading = "Chain")]
    pub(crate) memory: Option<u64>,

    /// Accounts to fund and to sign for.
    #[arg(long, env = "BRAID_ACCOUNTS", value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(0..=i64::from(MAX_ACCOUNTS)), help_heading = "Accounts")]
    pub(crate) accounts: u32,
    /// Balance of each, in ether.
    #[arg(long, env = "BRAID_BALANCE", value_name = "ETH", default_value = "10000", help_heading = "Accounts")]
    pub(crate) balance: Ether,
    /// BIP-39 phrase the accounts come from, at m/44'/60'/0'/0/i.
    #[arg(long, env = "BRAID_MNEMONIC", value_name = "PHRASE", default_value = TEST_MNEMONIC, value_parser = values::mnemonic, help_heading = "Accounts")]
    pub(crate) mnemonic: String,

    /// What clients and the pool may use.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) limits: Limits,
    /// What the process says.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) output: Output,
    /// Where settings come from.
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) origin: Origin,
}

impl Settings for DevSettings {
    const COMMAND: &'static str = "dev";
    const PATHS: &'static [&'static str] = &["datadir", "genesis"];

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn remembered(&self) -> Option<PathBuf> {
        self.datadir.as_ref().map(|dir| dir.join(REMEMBERED))
    }

    fn check(resolved: &Resolved<Self>) -> Result<(), String> {
        let settings = &resolved.settings;
        if settings.no_mining && settings.block_time.is_some() {
            return Err("no-mining and block-time exclude each other".to_owned());
        }
        let said_by_genesis = ["chain-id", "fork", "timestamp", "balance"];
        match said_by_genesis.into_iter().find(|name| resolved.is_explicit(name)) {
            Some(name) if settings.genesis.is_some() => {
                Err(format!("{name} and genesis exclude each other: the genesis file says it already"))
            }
            _ => Ok(()),
        }
    }
}
