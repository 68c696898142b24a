//! What every node's server has in common: its options, its end, and what to say when it does not start.

use std::{collections::BTreeSet, io, time::Duration};

use braid_rpc::{HttpRoute, RpcOptions, ServeError, ServerHandle};
use eyre::{Context, eyre};

use crate::config::{Limits, Server};

/// How long requests that are being worked on may keep a node from stopping.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// The options that settings ask for.
pub(crate) fn rpc_options(server: &Server, limits: &Limits, namespaces: BTreeSet<String>) -> RpcOptions {
    RpcOptions {
        namespaces,
        cors_origins: server.cors.clone(),
        gas_cap: limits.rpc_gas_cap,
        max_batch: limits.rpc_max_batch,
        max_body_bytes: limits.rpc_max_body_bytes,
        max_response_bytes: limits.rpc_max_response_bytes,
        max_connections: limits.rpc_max_connections,
        max_subscriptions_per_connection: limits.rpc_max_subscriptions,
        max_log_range: limits.rpc_max_log_blocks,
        max_logs: limits.rpc_max_logs,
        max_filters: limits.rpc_max_filters,
        ..RpcOptions::default()
    }
}

/// Runs a node's life on a runtime of its own.
///
/// # Errors
/// If there is no runtime, or what `life` says.
pub(crate) fn run_until_stopped(life: impl Future<Output = eyre::Result<()>>) -> eyre::Result<()> {
    let runtime = tokio::runtime::Runtime::new().wrap_err("failed to start the runtime")?;
    let result = runtime.block_on(life);
    runtime.shutdown_timeout(GRACE);
    result
}

/// Lets a server finish what it works on.
pub(crate) async fn stop(handle: ServerHandle) {
    handle.stop();
    if tokio::time::timeout(GRACE, handle.stopped()).await.is_err() {
        tracing::warn!("requests were still running and are cut off");
    }
}

/// Prometheus' text format as a page.
pub(crate) const fn metrics_page(body: String) -> HttpRoute {
    HttpRoute { status: 200, content_type: "text/plain; version=0.0.4; charset=utf-8", body }
}

/// What to do about a server that does not start.
pub(crate) fn explain(error: ServeError) -> eyre::Report {
    let address = match &error {
        ServeError::Listen { address, source } if source.kind() == io::ErrorKind::AddrInUse => Some(*address),
        _ => None,
    };
    match address {
        Some(address) => eyre!(
            "port {} of {} is in use by another program; choose another with --port, or any free one with --port 0",
            address.port(),
            address.ip()
        ),
        None => eyre::Report::new(error),
    }
}
