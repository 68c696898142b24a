//! The binary ingest of a node: signed transactions over plain TCP, straight into the pool.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
};

use alloy_primitives::B256;
use braid_ingest::{ServerHandle, Settings, Submit, wire::Refusal};
use braid_rpc::RpcContext;
use eyre::{Context as _, eyre};

/// Transactions that came this way, by what became of them.
const TRANSACTIONS: &str = "braid_ingest_transactions_total";

/// The pool behind a node's JSON-RPC server, for as long as that runs.
#[derive(Debug)]
struct IntoPool(Weak<RpcContext>);

impl Submit for IntoPool {
    fn submit(&self, envelopes: &[bytes::Bytes]) -> Vec<Result<B256, Refusal>> {
        let Some(context) = self.0.upgrade() else {
            let refusal = Refusal { code: braid_rpc::error::INTERNAL, reason: "the node stops".to_owned() };
            return vec![Err(refusal); envelopes.len()];
        };
        // A connection whose batch waits here is read no further.
        let place = context.admission.enter(envelopes.len());
        let answers = context.submit_envelopes(envelopes);
        drop(place);
        let refused = answers.iter().filter(|answer| answer.is_err()).count();
        metrics::counter!(TRANSACTIONS, "outcome" => "refused").increment(refused as u64);
        metrics::counter!(TRANSACTIONS, "outcome" => "accepted").increment((answers.len() - refused) as u64);
        let refusal = |error: braid_rpc::RpcError| Refusal { code: error.code, reason: error.message };
        answers.into_iter().map(|answer| answer.map_err(refusal)).collect()
    }
}

/// Begins to take transactions at an address, if there is one.
///
/// # Errors
/// If the address cannot be listened on.
pub(crate) async fn serve(
    address: Option<SocketAddr>,
    context: &Arc<RpcContext>,
) -> eyre::Result<Option<ServerHandle>> {
    let Some(address) = address else { return Ok(None) };
    metrics::describe_counter!(
        TRANSACTIONS,
        "Transactions that came through the binary ingest, by what became of them"
    );
    let settings = Settings::new(context.chain_id());
    let target = Arc::new(IntoPool(Arc::downgrade(context)));
    match braid_ingest::serve(address, settings, target).await {
        Ok(handle) => {
            tracing::info!(address = %handle.local_address(), "taking transactions in binary");
            Ok(Some(handle))
        }
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(eyre!("{address} is in use by another program; choose another address with --ingest"))
        }
        Err(error) => Err(error).wrap_err_with(|| format!("failed to listen on {address} (--ingest)")),
    }
}

/// Takes nothing more, and answers what was taken.
pub(crate) async fn stop(handle: Option<ServerHandle>) {
    let Some(handle) = handle else { return };
    if tokio::time::timeout(crate::server::GRACE, handle.stop()).await.is_err() {
        tracing::warn!("ingest connections were still open and are cut off");
    }
}
