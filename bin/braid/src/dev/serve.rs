//! The running node: serves until a signal or a failure, then stops part by part.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use alloy_signer_local::PrivateKeySigner;
use braid_chain::{Mining, Sequencer, sequencer};
use braid_rpc::{DevAccounts, HttpRoute, Routes, RpcContext, RpcOptions, ServerHandle, ServerOptions, serve};
use eyre::{Context, eyre};

use crate::{
    config::DevSettings,
    ingest,
    metrics::Metrics,
    microloans::demo::{self, Demo},
    server,
    signals::Signals,
};

/// How often the sequencer is asked whether it failed.
const FAILURE_POLL: Duration = Duration::from_millis(500);

/// Seconds beyond three block times after which the head of a node with a block time is stale.
const STALE_MARGIN_S: u64 = 10;

/// The parts that a server needs.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) sequencer: Arc<Sequencer>,
    pub(crate) signers: Vec<PrivateKeySigner>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    /// What the demonstration of micro-loans tells the chain, if it does.
    pub(crate) loans: Option<demo::Loans>,
}

/// A clock, which has nothing to show for debugging.
pub(crate) struct Clock(pub(crate) sequencer::Clock);

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// Serves `node` until SIGINT, SIGTERM or a failure. Calls `on_started` with the address once requests are answered.
/// When it returns, nothing makes blocks any more and all are in a checkpoint.
///
/// # Errors
/// If the server cannot start, or the sequencer had to give up.
pub(crate) fn until_stopped(
    settings: &DevSettings,
    node: Node,
    on_started: impl FnOnce(SocketAddr, Option<&Demo>),
) -> eyre::Result<()> {
    server::run_until_stopped(run(settings, node, on_started))
}

async fn run(
    settings: &DevSettings,
    node: Node,
    on_started: impl FnOnce(SocketAddr, Option<&Demo>),
) -> eyre::Result<()> {
    let mut signals = Signals::listen()?;
    let Node { sequencer, signers, clock, metrics, loans } = node;
    let options = ServerOptions {
        address: SocketAddr::new(settings.server.host, settings.server.port),
        routes: Some(routes(Arc::clone(&sequencer), Arc::clone(&clock.0), metrics.clone())),
        observer: Some(Arc::new(metrics.clone())),
    };
    let chain = Arc::clone(sequencer.chain());
    let accounts = DevAccounts::new(signers);
    let rpc = server::rpc_options(&settings.server, &settings.limits, RpcOptions::dev_namespaces());
    let context = RpcContext::new(chain, Some(Arc::clone(&sequencer)), rpc, accounts, clock.0);
    metrics.watch(&context.admission);
    let binary = ingest::serve(settings.server.ingest, &context).await?;
    let handle = serve(context, options).await.map_err(server::explain)?;
    let mut demo = if settings.microloans {
        let loans = loans.map(|loans| loans.at(handle.local_address()));
        Some(Demo::start(demo::SERVICE.parse()?, demo::PHONES.parse()?, loans).await?)
    } else {
        None
    };
    on_started(handle.local_address(), demo.as_ref());
    let outcome = tokio::select! {
        name = signals.next() => { tracing::info!(signal = name, "stopping"); Ok(()) }
        failure = failure(&sequencer) => Err(eyre!("the chain cannot go on: {failure}")),
        ended = ended(&mut demo) => ended.wrap_err("micro-loans have ended"),
    };
    signals.exit_on_next();
    ingest::stop(binary).await;
    if let (Some(demo), true) = (demo, outcome.is_ok()) {
        demo.stop().await?;
    }
    stop(handle, sequencer).await?;
    outcome
}

/// Resolves if the demonstration of micro-loans fails.
async fn ended(demo: &mut Option<Demo>) -> eyre::Result<()> {
    match demo {
        Some(demo) => demo.ended().await,
        None => std::future::pending().await,
    }
}

/// The server first, so that nothing new comes in; then the sequencer; then the last checkpoint.
async fn stop(handle: ServerHandle, sequencer: Arc<Sequencer>) -> eyre::Result<()> {
    server::stop(handle).await;
    let checkpoint = tokio::task::spawn_blocking(move || {
        sequencer.set_mining(Mining::Manual);
        let chain = Arc::clone(sequencer.chain());
        drop(sequencer);
        chain.store().checkpoint()
    });
    let checkpoint = checkpoint.await?.wrap_err("failed to write the last checkpoint")?;
    tracing::info!(height = checkpoint.height, "stopped");
    Ok(())
}

/// Resolves once the sequencer has given up.
async fn failure(sequencer: &Sequencer) -> String {
    loop {
        if let Some(failure) = sequencer.failure() {
            return failure;
        }
        tokio::time::sleep(FAILURE_POLL).await;
    }
}

/// `/health`: the process answers. `/ready`: the chain is open and its head not stale. `/metrics`: Prometheus.
fn routes(sequencer: Arc<Sequencer>, clock: sequencer::Clock, metrics: Metrics) -> Routes {
    Arc::new(move |path| match path {
        "/health" => Some(HttpRoute::text(200, "ok\n")),
        "/ready" => Some(match unreadiness(&sequencer, clock()) {
            None => HttpRoute::text(200, "ready\n"),
            Some(reason) => HttpRoute::text(503, format!("{reason}\n")),
        }),
        "/metrics" => Some(server::metrics_page(metrics.render())),
        _ => None,
    })
}

/// Why the node should not get requests now.
fn unreadiness(sequencer: &Sequencer, now_ms: u64) -> Option<String> {
    if let Some(failure) = sequencer.failure() {
        return Some(format!("the chain cannot go on: {failure}"));
    }
    let Mining::Interval(interval) = sequencer.mining() else { return None };
    let limit_s = interval.as_secs().saturating_mul(3).saturating_add(STALE_MARGIN_S);
    let age_s = (now_ms / 1_000).saturating_sub(sequencer.chain().head().block.block.header.timestamp);
    (age_s > limit_s).then(|| format!("the newest block is {age_s} s old"))
}
