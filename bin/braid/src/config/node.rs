//! Settings of `braid node`.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    str::FromStr,
};

use alloy_primitives::{Address, B256};
use braid_types::limits::SNAPSHOT_INTERVAL_BLOCKS;
use clap::{Args, ValueEnum, value_parser};
use serde::{Serialize, Serializer};

use super::{
    Limits, MAX_INTEGER, Origin, Output, Server,
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
    /// How an empty data directory is filled: auto takes the state from peers if the chain is long and executes its blocks if not, full
    /// executes every block, state waits for peers that have the state.
    #[arg(long, env = "BRAID_SYNC", value_name = "MODE", value_enum, default_value_t = SyncMode::Auto, help_heading = "Chain")]
    pub(crate) sync: SyncMode,
    /// Blocks from a snapshot of the state, kept in memory for nodes that join, to the next; 0 keeps none.
    #[arg(long, env = "BRAID_SNAPSHOT_INTERVAL", value_name = "BLOCKS", default_value_t = SNAPSHOT_INTERVAL_BLOCKS, value_parser = value_parser!(u64).range(0..=MAX_INTEGER), help_heading = "Chain")]
    pub(crate) snapshot_interval: u64,

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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) peers: Vec<Peer>,
    /// Change of the committee that this validator asks for in the blocks it proposes: add:publicKey:feeRecipient@host:port, or
    /// remove:publicKey. It is made at the end of an epoch in which more than two thirds of the blocks asked for it.
    #[arg(long, env = "BRAID_VOTE", value_name = "CHANGE", help_heading = "Network")]
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

/// A node and where it is, written `publicKey@ip:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its ed25519 public key.
    pub(crate) public_key: B256,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, address) = text.split_once('@').ok_or("expected publicKey@ip:port")?;
        let public_key = key.parse().map_err(|_| "the public key is not 32 bytes in hexadecimal")?;
        let address = address.parse().map_err(|_| "the address is not ip:port")?;
        Ok(Self { public_key, address })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.public_key, self.address)
    }
}

impl Serialize for Peer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A change of the committee that a validator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Vote {
    /// Takes a validator in, or changes its entry.
    Add {
        /// Its ed25519 public key.
        public_key: B256,
        /// Who gets the fees of its blocks.
        fee_recipient: Address,
        /// Where it listens, `host:port`.
        address: String,
    },
    /// Leaves a validator out.
    Remove {
        /// Its ed25519 public key.
        public_key: B256,
    },
}

impl FromStr for Vote {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected add:publicKey:feeRecipient@host:port or remove:publicKey";
        let key = |text: &str| text.parse().map_err(|_| "the public key is not 32 bytes in hexadecimal".to_owned());
        let (what, rest) = text.split_once(':').ok_or(EXPECTED)?;
        match what {
            "remove" => Ok(Self::Remove { public_key: key(rest)? }),
            "add" => {
                let (keys, address) = rest.split_once('@').ok_or(EXPECTED)?;
                let (public_key, fee_recipient) = keys.split_once(':').ok_or(EXPECTED)?;
                let fee_recipient = fee_recipient.parse().map_err(|_| "the fee recipient is not an address")?;
                Ok(Self::Add { public_key: key(public_key)?, fee_recipient, address: address.to_owned() })
            }
            _ => Err(EXPECTED.to_owned()),
        }
    }
}

impl fmt::Display for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { public_key, fee_recipient, address } => write!(f, "add:{public_key}:{fee_recipient}@{address}"),
            Self::Remove { public_key } => write!(f, "remove:{public_key}"),
        }
    }
}

impl Serialize for Vote {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
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

    fn check(_: &Resolved<Self>) -> Result<(), String> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_and_votes_read_what_they_print() {
        let key = "11".repeat(32);
        let peer = format!("0x{key}@127.0.0.1:30303");
        assert_eq!(peer.parse::<Peer>().unwrap().to_string(), peer);
        for text in [format!("remove:0x{key}"), format!("add:0x{key}:0x{}@node.example.org:30303", "22".repeat(20))] {
            assert_eq!(text.parse::<Vote>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in ["", "@127.0.0.1:1", "0x11@127.0.0.1:1", &format!("{}@localhost", "11".repeat(32))] {
            assert!(text.parse::<Peer>().is_err(), "{text}");
        }
        let key = "11".repeat(32);
        for text in
            ["", "remove", "remove:0x11", &format!("add:{key}"), &format!("add:{key}:0x22@a:1"), &format!("drop:{key}")]
        {
            assert!(text.parse::<Vote>().is_err(), "{text}");
        }
    }
}
