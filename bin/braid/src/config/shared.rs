//! Settings that every kind of node has: server, limits, output, and where settings come from.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use braid_types::limits;
use clap::{
    ArgAction, Args, ValueEnum,
    builder::{BoolishValueParser, RangedU64ValueParser},
    value_parser,
};
use serde::Serialize;

use super::{MAX_INTEGER, values};

/// Where clients are served.
#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Server {
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
    /// Address to take signed transactions at in binary, beside JSON; without it there is none. Port 0 takes a free one.
    #[arg(long, env = "BRAID_INGEST", value_name = "IP:PORT", help_heading = "Server")]
    pub(crate) ingest: Option<SocketAddr>,
}

/// What clients and the pool may use.
#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
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
}

/// What the process says.
#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Output {
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
}

/// Where settings come from, beside flags and environment.
#[derive(Args, Clone, Debug)]
pub(crate) struct Origin {
    /// TOML file with settings, named as the flags are.
    #[arg(long, env = "BRAID_CONFIG", value_name = "FILE", help_heading = "Configuration")]
    pub(crate) config: Option<PathBuf>,
    /// Print every setting with where it came from, as TOML, and exit.
    #[arg(long, help_heading = "Configuration")]
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
