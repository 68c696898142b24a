//! The running node: serves until a signal or a failure, then stops part by part.

use std::{io::Read, net::SocketAddr, sync::Arc};

use braid_chain::Chain;
use braid_rpc::{HttpRoute, Routes, RpcContext, RpcOptions, ServerHandle, ServerOptions, consensus::Consensus, serve};
use eyre::{Context, eyre};
use tokio::sync::oneshot;

use super::{inbox::Inbox, network::Network};
use crate::{config::node::NodeSettings, ingest, metrics::Metrics, server, signals::Signals};

/// Blocks behind the newest final one that a node may be and still be ready for requests.
const READY_LAG_BLOCKS: u64 = 64;

/// The parts that a server needs.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) chain: Arc<Chain>,
    pub(super) network: Arc<Network>,
    pub(super) inbox: Inbox,
    pub(super) metrics: Metrics,
}

/// Serves `node` until SIGINT, SIGTERM, the end of standard input where that is asked for, or a failure. Calls `on_started` with
/// the address once requests are answered. When it returns, consensus has stopped and all blocks are in a checkpoint.
///
/// # Errors
/// If the server cannot start, or consensus cannot go on.
pub(super) fn until_stopped(
    settings: &NodeSettings,
    node: Node,
    on_started: impl FnOnce(SocketAddr),
) -> eyre::Result<()> {
    server::run_until_stopped(run(settings, node, on_started))
}

async fn run(settings: &NodeSettings, node: Node, on_started: impl FnOnce(SocketAddr)) -> eyre::Result<()> {
    let mut signals = Signals::listen()?;
    let Node { chain, network, inbox, metrics } = node;
    let options = ServerOptions {
        address: SocketAddr::new(settings.server.host, settings.server.port),
        routes: Some(routes(Arc::clone(&chain), Arc::clone(&network), metrics.clone())),
        observer: Some(Arc::new(metrics.clone())),
    };
    let rpc = server::rpc_options(&settings.server, &settings.limits, RpcOptions::default().namespaces);
    let consensus: Arc<dyn Consensus> = Arc::clone(&network) as _;
    let context = RpcContext::in_network(Arc::clone(&chain), consensus, rpc, Arc::new(super::now_ms));
    inbox.open(&context);
    metrics.watch(&context.admission);
    let started = async {
        let binary = ingest::serve(settings.server.ingest, &context).await?;
        Ok((binary, serve(context, options).await.map_err(server::explain)?))
    };
    let (binary, handle) = match started.await {
        Ok(handles) => handles,
        Err(error) => {
            stop_consensus(network, chain).await?;
            return Err(error);
        }
    };
    on_started(handle.local_address());
    let outcome = tokio::select! {
        name = signals.next() => { tracing::info!(signal = name, "stopping"); Ok(()) }
        () = end_of_stdin(settings.stop_with_stdin) => { tracing::info!("standard input was closed: stopping"); Ok(()) }
        failure = network.failure() => Err(eyre!("consensus cannot go on: {failure}")),
    };
    signals.exit_on_next();
    ingest::stop(binary).await;
    stop(handle, network, chain).await?;
    outcome
}

/// The server first, so that nothing new comes in; then consensus; then the last checkpoint.
async fn stop(handle: ServerHandle, network: Arc<Network>, chain: Arc<Chain>) -> eyre::Result<()> {
    server::stop(handle).await;
    stop_consensus(network, chain).await
}

async fn stop_consensus(network: Arc<Network>, chain: Arc<Chain>) -> eyre::Result<()> {
    let stopped = tokio::task::spawn_blocking(move || {
        network.stop();
        chain.store().checkpoint()
    });
    let checkpoint = stopped.await?.wrap_err("failed to write the last checkpoint")?;
    tracing::info!(height = checkpoint.height, "stopped");
    Ok(())
}

/// Resolves when standard input ends, if that is to stop the node.
pub(super) async fn end_of_stdin(is_wanted: bool) {
    if !is_wanted {
        return std::future::pending().await;
    }
    let (sender, receiver) = oneshot::channel();
    // Not a task of the runtime: nobody waits for it when something else stops the node.
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while std::io::stdin().read(&mut buffer).is_ok_and(|length| length > 0) {}
        let _ = sender.send(());
    });
    let _ = receiver.await;
}

/// `/health`: the process answers. `/ready`: the node keeps up with its network. `/metrics`: Prometheus.
fn routes(chain: Arc<Chain>, network: Arc<Network>, metrics: Metrics) -> Routes {
    Arc::new(move |path| match path {
        "/health" => Some(HttpRoute::text(200, "ok\n")),
        "/ready" => Some(match unreadiness(&chain, &network) {
            None => HttpRoute::text(200, "ready\n"),
            Some(reason) => HttpRoute::text(503, format!("{reason}\n")),
        }),
        "/metrics" => {
            // First, for it brings the gauges up to date.
            let runtime = network.metrics();
            Some(server::metrics_page(format!("{}{runtime}", metrics.render())))
        }
        _ => None,
    })
}

/// Why the node should not get requests now.
fn unreadiness(chain: &Chain, network: &Network) -> Option<String> {
    if let Some(failure) = network.failed() {
        return Some(format!("consensus cannot go on: {failure}"));
    }
    let behind = network.finalized_height().saturating_sub(chain.head().block.height());
    (behind > READY_LAG_BLOCKS).then(|| format!("{behind} blocks behind the network"))
}
