//! Settings of `braid node`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
};

use braid_consensus::process::{Follower, Vote};
use braid_types::limits::{MAX_FOLLOWERS, SNAPSHOT_INTERVAL_BLOCKS};
use clap::{Args, ValueEnum, value_parser};
use serde::{Serialize, Serializer};

use super::{
    Limits, MAX_INTEGER, MAX_MEMORY_MIB, Origin, Output, Server,
    layers::{Resolved, Settings},
};

/// Milliseconds between blocks unless asked otherwise.
pub(crate) const DEFAULT_BLOCK_INTERVAL_MS: u64 = 100;

/// Every setting of `braid node`.
#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct NodeSettings {
    /// Where clients are served.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) server: Server,

    /// Directory to keep the chain in.
    #[arg(long, env = "BRAID_DATADIR", value_name = "DIR", help_heading = "Chain")]
    pub(crate) datadir: PathBuf,
    /// Genesis in geth's genesis.json format, with the validators in config.braid.
    #[arg(long, env = "BRAID_GENESIS", value_name = "FILE", help_heading = "Chain")]
    pub(crate) genesis: PathBuf,
    /// Threads that execute blocks; without it one for each processor core.
    #[arg(long, env = "BRAID_THREADS", value_name = "N", help_heading = "Chain")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Blocks behind the head whose state stays readable; without it all.
    #[arg(long, env = "BRAID_HISTORY", value_name = "BLOCKS", value_parser = value_parser!(u64).range(0..=MAX_INTEGER), help_heading = "Chain")]
    pub(crate) history: Option<u64>,
    /// Memory to aim at for the state and the store, in MiB; without it the whole state is in memory.
    #[arg(long, env = "BRAID_MEMORY", value_name = "MIB", value_parser = value_parser!(u64).range(1..=MAX_MEMORY_MIB), help_heading = "Chain")]
    pub(crate) memory: Option<u64>,
    /// How an empty data directory is filled: auto takes the state from peers if the chain is long and executes its blocks if not, full
    /// executes every block, state waits for peers that have the state.
    #[arg(long, env = "BRAID_SYNC", value_name = "MODE", value_enum, default_value_t = SyncMode::Auto, help_heading = "Chain")]
    pub(crate) sync: SyncMode,
    /// Blocks from a snapshot of the state, kept in memory for nodes that join, to the next; 0 keeps none.
    #[arg(long, env = "BRAID_SNAPSHOT_INTERVAL", value_name = "BLOCKS", default_value_t = SNAPSHOT_INTERVAL_BLOCKS, value_parser = value_parser!(u64).range(0..=MAX_INTEGER), help_heading = "Chain")]
    pub(crate) snapshot_interval: u64,

    /// Blocks behind the head whose ordered form and certificate are kept for peers and light clients, besides what a restart needs;
    /// without it all.
    #[arg(long, env = "BRAID_KEEP_BLOCKS", value_name = "BLOCKS", value_parser = value_parser!(u64).range(0..=MAX_INTEGER), help_heading = "Network")]
    pub(crate) keep_blocks: Option<u64>,
    /// Whether this node votes or only follows.
    #[arg(long, env = "BRAID_ROLE", value_name = "ROLE", value_enum, default_value_t = Role::Validator, help_heading = "Network")]
    pub(crate) role: Role,
    /// Identity of this node, a file made by braid keys validator new.
    #[arg(long, env = "BRAID_KEY", value_name = "FILE", help_heading = "Network")]
    pub(crate) key: PathBuf,
    /// Share of the group's key, a file made by braid keys deal; only where the genesis asks for BLS12-381 threshold signatures.
    #[arg(long, env = "BRAID_SHARE", value_name = "FILE", help_heading = "Network")]
    pub(crate) share: Option<PathBuf>,
    /// File whose first line is the password of key and share; without it BRAID_PASSWORD or a prompt.
    #[arg(long, env = "BRAID_PASSWORD_FILE", value_name = "FILE", help_heading = "Network")]
    pub(crate) password_file: Option<PathBuf>,
    /// Address for other nodes to connect to.
    #[arg(long, env = "BRAID_LISTEN", value_name = "IP:PORT", default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 30_303), help_heading = "Network")]
    pub(crate) listen: SocketAddr,
    /// Nodes beside the validators of the genesis, as publicKey@ip:port, separated by commas.
    #[arg(long, env = "BRAID_PEERS", value_name = "PEERS", value_delimiter = ',', help_heading = "Network")]
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "texts")]
    pub(crate) peers: Vec<Follower>,
    /// Change of the committee that this validator asks for in the blocks it proposes: add:publicKey:feeRecipient@host:port, or
    /// remove:publicKey. It is made at the end of an epoch in which more than two thirds of the blocks asked for it.
    #[arg(long, env = "BRAID_VOTE", value_name = "CHANGE", help_heading = "Network")]
    #[serde(serialize_with = "text")]
    pub(crate) vote: Option<Vote>,
    /// Stop when standard input is closed, as braid localnet needs it.
    #[arg(long, hide = true, help_heading = "Network")]
    #[serde(skip)]
    pub(crate) stop_with_stdin: bool,
    /// Least milliseconds between a block and the next, when this node leads.
    #[arg(long, env = "BRAID_BLOCK_INTERVAL", value_name = "MS", default_value_t = DEFAULT_BLOCK_INTERVAL_MS, value_parser = value_parser!(u64).range(1..=60_000), help_heading = "Network")]
    pub(crate) block_interval: u64,

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

/// What a node does in its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Proposes blocks and votes.
    Validator,
    /// Executes what the validators agree on.
    Follower,
}

/// How an empty data directory is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SyncMode {
    /// From a snapshot if peers have one of a long chain, else block by block.
    Auto,
    /// Block by block from the genesis.
    Full,
    /// From a snapshot, whenever peers have one.
    State,
}

/// As the texts that they are read from.
fn texts<S: Serializer>(peers: &[Follower], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(peers.iter().map(Follower::to_string))
}

/// As the text that it is read from.
fn text<S: Serializer>(vote: &Option<Vote>, serializer: S) -> Result<S::Ok, S::Error> {
    vote.as_ref().map(Vote::to_string).serialize(serializer)
}

impl Settings for NodeSettings {
    const COMMAND: &'static str = "node";
    const PATHS: &'static [&'static str] = &["datadir", "genesis", "key", "share", "password-file"];

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn remembered(&self) -> Option<PathBuf> {
        None
    }

    fn check(resolved: &Resolved<Self>) -> Result<(), String> {
        let peers = resolved.settings.peers.len();
        if peers > MAX_FOLLOWERS {
            return Err(format!("--peers has {peers} nodes, more than {MAX_FOLLOWERS}"));
        }
        Ok(())
    }
}
