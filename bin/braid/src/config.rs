//! Settings of `braid dev`: one table, from which flags, environment, TOML and `--print-config` all follow.
//!
//! A setting has one name everywhere: `--block-time`, `BRAID_BLOCK_TIME`, `block-time` in TOML. The first of these that
//! gives a value wins, in this order: flag, environment, TOML file (`--config`), what the data directory was made with,
//! default. [`layers`] finds the values and remembers where each came from; [`print`] shows them.

pub(crate) mod layers;
pub(crate) mod print;
#[cfg(test)]
mod tests;
pub(crate) mod values;

use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroUsize,
    path::PathBuf,
};

use braid_types::{Fork, limits};
use clap::{
    ArgAction, Args, ValueEnum,
    builder::{BoolishValueParser, RangedU64ValueParser},
    value_parser,
};
use serde::Serialize;

use self::values::{Ether, ForkName, Seconds};

/// The mnemonic that Ethereum's development nodes share. Its keys are public: never fund them on a real network.
pub(crate) const TEST_MNEMONIC: &str = "test test test test test test test test test test test junk";

/// Largest whole number a setting may have, because TOML's are signed.
const MAX_INTEGER: u64 = i64::MAX.unsigned_abs();

/// A file that was named on the command line or in the configuration cannot be followed: the process exits with 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unusable(pub(crate) String);

/// Every setting of `braid dev`.
#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DevSettings {
    /// Port of the server, HTTP and WebSocket alike; 0 takes a free one.
    #[arg(long, env = "BRAID_PORT", value_name = "PORT", default_value_t = 8545, help_heading = "Server")]
    pub(crate) port: u16,
    /// Address to listen on.
    #[arg(long, env = "BRAID_HOST", value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), help_heading = "Server")]
    pub(crate) host: IpAddr,
    /// Origins that browsers may call from, separated by commas; * means all.
    #[arg(
        long,
        env = "BRAID_CORS",
        value_name = "ORIGINS",
        default_value = "*",
        value_delimiter = ',',
        help_heading = "Server"
    )]
    pub(crate) cors: Vec<String>,

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
    /// Blocks behind the head whose state stays readable; without it all.
    #[arg(long, env = "BRAID_HISTORY", value_name = "BLOCKS", value_parser = value_parser!(u64).range(0..=MAX_INTEGER), help_heading = "Chain")]
    pub(crate) history: Option<u64>,

    /// Accounts to fund and to sign for.
    #[arg(long, env = "BRAID_ACCOUNTS", value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(0..=1_000), help_heading = "Accounts")]
    pub(crate) accounts: u32,
    /// Balance of each, in ether.
    #[arg(long, env = "BRAID_BALANCE", value_name = "ETH", default_value = "10000", help_heading = "Accounts")]
    pub(crate) balance: Ether,
    /// BIP-39 phrase the accounts come from, at m/44'/60'/0'/0/i.
    #[arg(long, env = "BRAID_MNEMONIC", value_name = "PHRASE", default_value = TEST_MNEMONIC, value_parser = values::mnemonic, help_heading = "Accounts")]
    pub(crate) mnemonic: String,

    /// Requests in one JSON-RPC batch.
    #[arg(long, env = "BRAID_RPC_MAX_BATCH", value_name = "N", default_value_t = limits::MAX_RPC_BATCH, value_parser = value_parser!(u32).range(1..), help_heading = "Limits")]
    pub(crate) rpc_max_batch: u32,
    /// Bytes of a request body.
    #[arg(long, env = "BRAID_RPC_MAX_BODY_BYTES", value_name = "BYTES", default_value_t = limits::MAX_RPC_BODY_BYTES, help_heading = "Limits")]
    pub(crate) rpc_max_body_bytes: u32,
    /// Bytes of a response.
    #[arg(long, env = "BRAID_RPC_MAX_RESPONSE_BYTES", value_name = "BYTES", default_value_t = limits::MAX_RPC_RESPONSE_BYTES, help_heading = "Limits")]
    pub(crate) rpc_max_response_bytes: u32,
    /// Connections at a time.
    #[arg(long, env = "BRAID_RPC_MAX_CONNECTIONS", value_name = "N", default_value_t = limits::MAX_RPC_CONNECTIONS, value_parser = value_parser!(u32).range(1..), help_heading = "Limits")]
    pub(crate) rpc_max_connections: u32,
    /// Subscriptions of one WebSocket connection.
    #[arg(long, env = "BRAID_RPC_MAX_SUBSCRIPTIONS", value_name = "N", default_value_t = limits::MAX_RPC_SUBSCRIPTIONS_PER_CONNECTION, help_heading = "Limits")]
    pub(crate) rpc_max_subscriptions: u32,
    /// Gas that eth_call, eth_estimateGas and tracing may use.
    #[arg(long, env = "BRAID_RPC_GAS_CAP", value_name = "GAS", default_value_t = limits::RPC_GAS_CAP, value_parser = value_parser!(u64).range(21_000..=MAX_INTEGER), help_heading = "Limits")]
    pub(crate) rpc_gas_cap: u64,
    /// Blocks that one eth_getLogs may span.
    #[arg(long, env = "BRAID_RPC_MAX_LOG_BLOCKS", value_name = "BLOCKS", default_value_t = limits::MAX_LOG_RANGE_BLOCKS, value_parser = value_parser!(u64).range(1..=MAX_INTEGER), help_heading = "Limits")]
    pub(crate) rpc_max_log_blocks: u64,
    /// Logs that one eth_getLogs may return.
    #[arg(long, env = "BRAID_RPC_MAX_LOGS", value_name = "N", default_value_t = limits::MAX_LOGS_PER_RESPONSE, help_heading = "Limits")]
    pub(crate) rpc_max_logs: usize,
    /// Filters over all clients.
    #[arg(long, env = "BRAID_RPC_MAX_FILTERS", value_name = "N", default_value_t = limits::MAX_FILTERS, help_heading = "Limits")]
    pub(crate) rpc_max_filters: usize,
    /// Transactions that may wait, over all senders.
    #[arg(long, env = "BRAID_POOL_MAX_TRANSACTIONS", value_name = "N", default_value_t = limits::MAX_POOL_TRANSACTIONS, value_parser = RangedU64ValueParser::<usize>::new().range(1..=MAX_INTEGER), help_heading = "Limits")]
    pub(crate) pool_max_transactions: usize,
    /// Bytes of the transactions that wait.
    #[arg(long, env = "BRAID_POOL_MAX_BYTES", value_name = "BYTES", default_value_t = limits::MAX_POOL_SIZE_BYTES, help_heading = "Limits")]
    pub(crate) pool_max_bytes: usize,
    /// Transactions of one sender that may wait.
    #[arg(long, env = "BRAID_POOL_MAX_PER_SENDER", value_name = "N", default_value_t = limits::MAX_POOL_TRANSACTIONS_PER_SENDER, help_heading = "Limits")]
    pub(crate) pool_max_per_sender: usize,

    /// Form of log lines, which go to standard error.
    #[arg(long, env = "BRAID_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text, help_heading = "Output")]
    pub(crate) log_format: LogFormat,
    /// What to log: a level (error, warn, info, debug, trace) or directives such as info,braid_chain=debug.
    #[arg(long, env = "BRAID_LOG_LEVEL", value_name = "FILTER", default_value = "info", value_parser = values::log_filter, help_heading = "Output")]
    pub(crate) log_level: String,
    /// Leave out the first screen.
    #[arg(
        long,
        env = "BRAID_QUIET",
        value_name = "BOOL",
        action = ArgAction::Set,
        value_parser = BoolishValueParser::new(),
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value = "false",
        help_heading = "Output"
    )]
    pub(crate) quiet: bool,

    /// TOML file with settings, named as the flags are.
    #[arg(long, env = "BRAID_CONFIG", value_name = "FILE", help_heading = "Configuration")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,
    /// Print every setting with where it came from, as TOML, and exit.
    #[arg(long, help_heading = "Configuration")]
    #[serde(skip)]
    pub(crate) print_config: bool,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
