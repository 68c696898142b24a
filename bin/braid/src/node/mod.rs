//! `braid node`: a validator of a network, or a follower of it.
//!
//! Wires the parts: keys, chain and ledger, consensus, server. Stops in the opposite order: first the server, so that
//! nothing new comes in, then consensus after the block it is executing, then a last checkpoint.

mod inbox;
mod join;
mod keys;
mod network;
mod open;
mod serve;

use std::{
    io::{self, Write},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use braid_chain::Ledger;
use braid_consensus::process::{self, ProcessError};
use braid_types::ConsensusConfig;
use eyre::{Context, eyre};

use self::{
    inbox::Inbox,
    join::Plan,
    keys::NodeKeys,
    network::{Network, Terms},
};
use crate::{
    config::{layers::Resolved, node::NodeSettings},
    metrics::Metrics,
    telemetry,
};

/// Folder in the data directory for what consensus remembers.
const CONSENSUS: &str = "consensus";

/// Runs the node until it is told to stop.
///
/// # Errors
/// If it cannot start, or cannot go on.
pub(crate) fn run(resolved: &Resolved<NodeSettings>) -> eyre::Result<()> {
    let settings = &resolved.settings;
    telemetry::start(settings.output.log_format, &settings.output.log_level)?;
    let (genesis, consensus) = open::genesis(&settings.genesis)?;
    let keys = NodeKeys::open(settings, &consensus)?;
    let (chain_id, first) = open::directory(settings, &genesis)?;
    let public_key = keys.public_key;
    let terms = Terms::new(&consensus);
    let inbox = Inbox::default();
    let mut options = options(settings, keys, &consensus, chain_id);
    options.on_forwarded = inbox.taker();
    let plan = join::plan(settings, &genesis)?;
    // What is wrong with a chain that is there is said before anybody is connected.
    let opened = if plan == Plan::Open { Some(open::chain(settings, &genesis)?) } else { None };
    let connected = Arc::new(process::connect(options, first).map_err(|error| explain(error, settings))?);
    let chain = match opened {
        Some(chain) => chain,
        None if join::join(settings, &genesis, plan, &connected, public_key, terms)? => {
            open::chain(settings, &genesis)?
        }
        None => return Ok(()),
    };
    let metrics = Metrics::start(Arc::clone(&chain))?;
    chain.on_commit(crate::dev::log);
    let ledger = Ledger::new(Arc::clone(&chain)).wrap_err("failed to open the ledger")?;
    let process = connected.start(Arc::new(ledger)).map_err(|error| explain(error, settings))?;
    let network = Arc::new(Network::new(process, Arc::clone(&chain), terms, settings.role, public_key));

    let node = serve::Node { chain: Arc::clone(&chain), network, inbox, metrics };
    serve::until_stopped(settings, node, |address| {
        if settings.output.quiet {
            tracing::info!(%address, height = chain.head().block.height(), %public_key, "serving");
            return;
        }
        let screen = open::first_screen(settings, &chain, address, public_key);
        // A reader that closed the pipe is no reason to stop.
        if let Err(error) = std::io::stdout().write_all(screen.as_bytes()) {
            tracing::warn!(%error, "failed to print the first screen");
        }
    })
}

fn options(settings: &NodeSettings, keys: NodeKeys, consensus: &ConsensusConfig, chain_id: u64) -> process::Options {
    process::Options {
        consensus: consensus.clone(),
        chain_id,
        identity: keys.identity,
        key_file: settings.key.clone(),
        share: keys.share,
        listen: settings.listen,
        followers: settings.peers.clone(),
        keep_blocks: settings.keep_blocks,
        directory: settings.datadir.join(CONSENSUS),
        block_interval: Duration::from_millis(settings.block_interval),
        vote: settings.vote.clone(),
        snapshot_interval: settings.snapshot_interval,
        on_forwarded: Arc::new(drop),
        on_final: Arc::new(network::record),
    }
}

/// What to do about consensus that does not start.
fn explain(error: ProcessError, settings: &NodeSettings) -> eyre::Report {
    match error {
        ProcessError::Listen { reason, .. } if reason.kind() == io::ErrorKind::AddrInUse => {
            eyre!("{} is in use by another program; choose another address for peers with --listen", settings.listen)
        }
        error => eyre::Report::new(error).wrap_err("failed to start consensus"),
    }
}

/// Milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the binary is where time comes from")]
fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
