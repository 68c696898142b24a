//! How a node with an empty data directory comes to its chain: from the genesis on, block by block, or from a snapshot that peers have.
//!
//! While it looks and fetches, it answers clients as one that has the genesis only, and says how far it is (`eth_syncing`, `/ready`).

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use alloy_genesis::Genesis;
use alloy_primitives::{B256, U64};
use braid_chain::{
    Chain, ChainOptions,
    state::{
        StoreOptions, Vacancy,
        snapshot::{give_up, vacancy},
    },
};
use braid_consensus::{
    process::Connected,
    sync::{Joining, Wanted},
};
use braid_pool::PoolConfig;
use braid_rpc::{
    HttpRoute, Routes, RpcContext, RpcOptions, ServerOptions,
    consensus::{Certificate, Consensus, Peer, Status},
    serve,
};
use braid_types::{
    ConsensusConfig, Height, RecoveredTx,
    limits::AUTO_SYNC_BLOCKS,
    ordered::{CONSENSUS_KEY, CertificateScheme},
};
use eyre::{Context, bail};

use super::network::{self, Terms};
use crate::{
    config::node::{NodeSettings, Role, SyncMode},
    dev::data::GENESIS,
    server,
    signals::Signals,
};

/// How long a node that may as well execute every block looks for a snapshot.
const PATIENCE: Duration = Duration::from_secs(5);

/// Folder in the data directory for the chain that is shown meanwhile.
const MEANWHILE: &str = "joining";

/// What is to be done about a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing: there is a chain, or it is to be made block by block.
    Open,
    /// Look for a snapshot of this height at least, for so long.
    Sync { least: Height, patience: Option<Duration> },
}

/// Does what is planned. Returns whether the node is to go on; otherwise it was told to stop.
///
/// # Errors
/// If the directory cannot be used, or requests cannot be served.
pub(super) fn join(
    settings: &NodeSettings,
    genesis: &Genesis,
    plan: Plan,
    connected: &Arc<Connected>,
    public_key: B256,
    terms: Terms,
) -> eyre::Result<bool> {
    let Plan::Sync { least, patience } = plan else { return Ok(true) };
    let wanted = Wanted {
        directory: settings.datadir.clone(),
        genesis: genesis.clone(),
        least,
        patience,
        partition: network::PARTITION.to_owned(),
    };
    let meanwhile = settings.datadir.join(MEANWHILE);
    remove(&meanwhile)?;
    let chain = shown(genesis, &meanwhile)?;
    let joiner =
        Joiner { connected: Arc::clone(connected), chain: Arc::clone(&chain), role: settings.role, public_key, terms };
    let mut outcome = None;
    server::run_until_stopped(run(settings, chain, Arc::new(joiner), wanted, &mut outcome))?;
    remove(&meanwhile)?;
    match outcome {
        None => return Ok(false),
        Some(Joining::State(block)) => {
            tracing::info!(height = block.height, hash = %block.hash, "begins with a snapshot")
        }
        Some(Joining::Replay) => {
            give_up(&settings.datadir).wrap_err("failed to give up a snapshot that was begun")?;
            tracing::info!("begins with the genesis: nobody offers a snapshot that is worth it");
        }
    }
    Ok(true)
}

/// What the data directory and the settings ask for.
///
/// # Errors
/// If the directory cannot be read, or is in use.
pub(super) fn plan(settings: &NodeSettings, genesis: &Genesis) -> eyre::Result<Plan> {
    let directory = &settings.datadir;
    // Written once there is a chain.
    if directory.join(GENESIS).exists() {
        return Ok(Plan::Open);
    }
    let found = vacancy(directory).wrap_err_with(|| format!("failed to look into {}", directory.display()))?;
    Ok(match (found, settings.sync) {
        (Vacancy::Taken, _) => Plan::Open,
        (_, SyncMode::Full) => {
            give_up(directory).wrap_err("failed to give up a snapshot that was begun")?;
            Plan::Open
        }
        (_, SyncMode::State) if has_group(genesis) => {
            bail!("a chain with threshold signatures is joined by executing its blocks: set sync to full or auto")
        }
        (_, SyncMode::Auto) if has_group(genesis) => Plan::Open,
        (_, SyncMode::State) | (Vacancy::Begun(_), SyncMode::Auto) => Plan::Sync { least: 1, patience: None },
        (Vacancy::Empty, SyncMode::Auto) if is_young(genesis, settings.block_interval) => Plan::Open,
        (Vacancy::Empty, SyncMode::Auto) => Plan::Sync { least: AUTO_SYNC_BLOCKS, patience: Some(PATIENCE) },
    })
}

/// Whether certificates are a group's. Its members and their polynomial stand in blocks, which a snapshot has none of.
fn has_group(genesis: &Genesis) -> bool {
    let consensus = genesis.config.extra_fields.get_deserialized::<ConsensusConfig>(CONSENSUS_KEY);
    consensus.and_then(Result::ok).is_some_and(|consensus| consensus.scheme == CertificateScheme::Bls12381Threshold)
}

/// Whether so little time has passed since the genesis that its chain cannot be long.
fn is_young(genesis: &Genesis, block_interval_ms: u64) -> bool {
    let age_ms = super::now_ms().saturating_sub(genesis.timestamp.saturating_mul(1_000));
    age_ms < AUTO_SYNC_BLOCKS.saturating_mul(block_interval_ms)
}

fn remove(directory: &Path) -> eyre::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).wrap_err_with(|| format!("failed to remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

/// A chain of the genesis alone, which takes no transactions.
fn shown(genesis: &Genesis, directory: &Path) -> eyre::Result<Arc<Chain>> {
    let options = ChainOptions {
        genesis: genesis.clone(),
        directory: directory.to_owned(),
        store: StoreOptions::default(),
        pool: PoolConfig { max_transactions: 0, ..PoolConfig::default() },
        threads: std::num::NonZeroUsize::MIN,
        is_dev: false,
    };
    let chain = Chain::open(options).wrap_err_with(|| format!("failed to open {}", directory.display()))?;
    Ok(Arc::new(chain))
}

async fn run(
    settings: &NodeSettings,
    chain: Arc<Chain>,
    joiner: Arc<Joiner>,
    wanted: Wanted,
    outcome: &mut Option<Joining>,
) -> eyre::Result<()> {
    let mut signals = Signals::listen()?;
    let options = ServerOptions {
        address: SocketAddr::new(settings.server.host, settings.server.port),
        routes: Some(routes(Arc::clone(&joiner))),
        observer: None,
    };
    let rpc = server::rpc_options(&settings.server, &settings.limits, RpcOptions::default().namespaces);
    let consensus: Arc<dyn Consensus> = Arc::clone(&joiner) as _;
    let context = RpcContext::in_network(chain, consensus, rpc, Arc::new(super::now_ms));
    let handle = serve(context, options).await.map_err(server::explain)?;
    let connected = Arc::clone(&joiner.connected);
    let mut joining = tokio::task::spawn_blocking(move || connected.sync(wanted));
    let joined = tokio::select! {
        joined = &mut joining => Some(joined),
        name = signals.next() => { tracing::info!(signal = name, "stopping"); None }
        () = super::serve::end_of_stdin(settings.stop_with_stdin) => None,
    };
    server::stop(handle).await;
    match joined {
        Some(joined) => *outcome = Some(joined?.wrap_err("failed to join the network")?),
        None => {
            let connected = Arc::clone(&joiner.connected);
            tokio::task::spawn_blocking(move || connected.stop()).await?;
            // It ends with the node's thread.
            let _ = joining.await;
        }
    }
    Ok(())
}

fn routes(joiner: Arc<Joiner>) -> Routes {
    Arc::new(move |path| match path {
        "/health" => Some(HttpRoute::text(200, "ok\n")),
        "/ready" => Some(HttpRoute::text(503, joiner.words())),
        _ => None,
    })
}

/// The network as clients see it meanwhile.
struct Joiner {
    connected: Arc<Connected>,
    chain: Arc<Chain>,
    role: Role,
    public_key: B256,
    terms: Terms,
}

impl Joiner {
    fn words(&self) -> String {
        let progress = self.connected.progress();
        if progress.height == 0 {
            return "looking for a snapshot\n".to_owned();
        }
        format!("fetching the state at height {}: {} bytes\n", progress.height, progress.bytes)
    }
}

impl Consensus for Joiner {
    fn certificate(&self, _: Height) -> Result<Option<Certificate>, String> {
        Ok(None)
    }

    fn status(&self) -> Status {
        let height = U64::from(self.chain.head().block.height());
        let known = U64::from(self.connected.progress().height);
        self.terms.status(self.role, self.public_key, height, known)
    }

    fn peers(&self) -> Vec<Peer> {
        Vec::new()
    }

    fn on_transactions(&self, _: &[RecoveredTx]) {}
}
