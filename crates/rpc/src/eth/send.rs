//! Raw transactions from clients, and waiting for their receipts.

use std::{borrow::Cow, sync::Arc, time::Duration};

use alloy_primitives::{B256, U64};
use braid_chain::Committed;
use jsonrpsee::{core::RegisterMethodError, types::ErrorObjectOwned};
use serde_json::json;
use tokio::{sync::broadcast, time::timeout};

use super::transactions;
use crate::{
    context::RpcContext,
    convert::RpcReceipt,
    error::{INTERNAL, RpcError},
    method::{Arguments, Module, handler_crashed, invalid_argument},
};

/// The method whose batches are handled together.
pub(crate) const SEND_RAW: &str = "eth_sendRawTransaction";

/// Milliseconds `eth_sendRawTransactionSync` waits if the client does not say (EIP-7966 recommends 2 s).
const SYNC_TIMEOUT_MS: u64 = 2_000;

/// Milliseconds `eth_sendRawTransactionSync` waits at most.
const MAX_SYNC_TIMEOUT_MS: u64 = 60_000;

/// EIP-7966: the transaction is in the pool, but was not included in time.
const SYNC_TIMED_OUT: i32 = 4;

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    module.register_async_method(SEND_RAW, |params, context, _| async move {
        let text = raw_transaction_text(params.as_str())?.into_owned();
        submit(&context, text).await.map_err(ErrorObjectOwned::from)
    })?;
    module.register_async_method("eth_sendRawTransactionSync", |params, context, _| async move {
        let (text, timeout_ms) = {
            let arguments = Arguments::parse(params.as_str(), 2)?;
            (arguments.required::<String>(0)?, timeout_ms(&arguments)?)
        };
        submit_and_wait(&context, text, timeout_ms).await.map_err(ErrorObjectOwned::from)
    })?;
    Ok(())
}

/// The only argument of `eth_sendRawTransaction`, without copying it if it is plain.
pub(crate) fn raw_transaction_text(params: Option<&str>) -> Result<Cow<'_, str>, RpcError> {
    let arguments = Arguments::parse(params, 1)?;
    let missing = || RpcError::invalid_params("missing value for required argument 0");
    let text = arguments.raw(0).ok_or_else(missing)?;
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match quoted {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
        Some(_) => arguments.required::<String>(0).map(Cow::Owned),
        None => Err(invalid_argument(0, "expected a string of hexadecimal digits")),
    }
}

fn timeout_ms(arguments: &Arguments<'_>) -> Result<u64, RpcError> {
    let asked = match arguments.raw(1) {
        Some(text) if text.starts_with('"') => arguments.required::<U64>(1)?.to(),
        Some(_) => arguments.required(1)?,
        None => SYNC_TIMEOUT_MS,
    };
    if asked == 0 {
        return Err(RpcError::invalid_params("invalid argument 1: timeout must be positive"));
    }
    Ok(asked.min(MAX_SYNC_TIMEOUT_MS))
}

/// Submits a raw transaction. Blob proofs take milliseconds to check, so those get a thread of their own.
async fn submit(context: &Arc<RpcContext>, text: String) -> Result<B256, RpcError> {
    let context = Arc::clone(context);
    let place = context.admission.try_enter(1)?;
    let submit = move || {
        let _place = place;
        let mut answers = context.submit_raw(&[&text]);
        answers.pop().unwrap_or_else(|| Err(RpcError::internal("no answer from the pool")))
    };
    tokio::task::spawn_blocking(submit).await.unwrap_or_else(|_| Err(handler_crashed(SEND_RAW)))
}

async fn submit_and_wait(context: &Arc<RpcContext>, text: String, timeout_ms: u64) -> Result<RpcReceipt, RpcError> {
    let commits = context.events.committed.subscribe();
    let hash = submit(context, text).await?;
    let waited = wait_for_receipt(context, hash, commits, Duration::from_millis(timeout_ms)).await?;
    waited.ok_or_else(|| {
        let message = "the transaction was added to the mempool but wasn't processed within the timeout";
        RpcError::with_data(SYNC_TIMED_OUT, message, json!(hash))
    })
}

/// The receipt of a transaction that was submitted after `commits` began to listen; `None` if it takes longer than `limit`.
pub(crate) async fn wait_for_receipt(
    context: &RpcContext,
    hash: B256,
    commits: broadcast::Receiver<Arc<Committed>>,
    limit: Duration,
) -> Result<Option<RpcReceipt>, RpcError> {
    timeout(limit, included(context, hash, commits)).await.unwrap_or(Ok(None))
}

async fn included(
    context: &RpcContext,
    hash: B256,
    mut commits: broadcast::Receiver<Arc<Committed>>,
) -> Result<Option<RpcReceipt>, RpcError> {
    loop {
        if let Some(receipt) = transactions::receipt(context, hash)? {
            return Ok(Some(receipt));
        }
        match commits.recv().await {
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => {
                return Err(RpcError::new(INTERNAL, "the node is shutting down"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_raw_argument_is_taken_as_it_stands() {
        let text = raw_transaction_text(Some(r#" ["0x01"] "#)).unwrap();
        assert!(matches!(text, Cow::Borrowed("0x01")));
        assert_eq!(raw_transaction_text(Some(r#"["\u0030x01"]"#)).unwrap(), "0x01");
        assert!(raw_transaction_text(Some("[1]")).is_err());
        assert!(raw_transaction_text(Some("[]")).is_err());
        assert!(raw_transaction_text(None).is_err());
    }
}
