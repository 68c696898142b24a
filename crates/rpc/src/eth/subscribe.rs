//! `eth_subscribe`: new heads, logs and pending transactions as they come, over WebSocket.

use std::sync::Arc;

use alloy_consensus::Header;
use braid_chain::Committed;
use braid_types::{ExecutedBlock, RecoveredTx};
use jsonrpsee::{
    PendingSubscriptionSink, SubscriptionMessage, SubscriptionSink,
    core::{RegisterMethodError, SubscriptionResult},
    types::ErrorObjectOwned,
};
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::logs;
use crate::{
    context::RpcContext,
    convert::{self, RpcLog},
    error::RpcError,
    log_filter::LogFilter,
    method::{Arguments, Module, invalid_argument},
};

/// What a client subscribes to.
enum Topic {
    NewHeads,
    Logs(LogFilter),
    PendingHashes,
    PendingTransactions,
    Syncing,
}

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    module.register_subscription(
        "eth_subscribe",
        "eth_subscription",
        "eth_unsubscribe",
        |params, pending, context, _| async move {
            let topic = Arguments::parse(params.as_str(), 2).and_then(|arguments| topic(&arguments));
            drop(params);
            subscribe(topic, pending, &context).await
        },
    )?;
    Ok(())
}

fn topic(arguments: &Arguments<'_>) -> Result<Topic, RpcError> {
    match arguments.required::<String>(0)?.as_str() {
        "newHeads" => Ok(Topic::NewHeads),
        "logs" => Ok(Topic::Logs(arguments.optional(1)?.unwrap_or_default())),
        "newPendingTransactions" if arguments.optional(1)?.unwrap_or(false) => Ok(Topic::PendingTransactions),
        "newPendingTransactions" => Ok(Topic::PendingHashes),
        "syncing" => Ok(Topic::Syncing),
        other => Err(invalid_argument(0, &format!("no {other:?} subscription in eth namespace"))),
    }
}

async fn subscribe(
    topic: Result<Topic, RpcError>,
    pending: PendingSubscriptionSink,
    context: &RpcContext,
) -> SubscriptionResult {
    let topic = match topic {
        Ok(topic) => topic,
        Err(error) => {
            pending.reject(ErrorObjectOwned::from(error)).await;
            return Ok(());
        }
    };
    // Listen before the client learns its id, so that it misses nothing after that; and only to what is forwarded, since
    // a channel keeps what a listener has not read.
    let (committed, transactions) = (&context.events.committed, &context.events.pending);
    match topic {
        Topic::NewHeads => forward(pending, committed.subscribe(), |commit: &Committed| heads(commit)).await,
        Topic::Logs(filter) => forward(pending, committed.subscribe(), |commit| commit_logs(commit, &filter)).await,
        Topic::PendingHashes => forward(pending, transactions.subscribe(), |tx| vec![*tx.tx_hash()]).await,
        Topic::PendingTransactions => {
            forward(pending, transactions.subscribe(), |tx| vec![convert::transaction(tx, None)]).await
        }
        // A lone node is always in sync; the subscription stays silent, as geth's does when nothing changes.
        Topic::Syncing => {
            pending.accept().await?.closed().await;
            Ok(())
        }
    }
}

/// Accepts a subscription, and sends what `show` makes of each event until the client goes.
async fn forward<E: Clone + Shown, R: Serialize>(
    pending: PendingSubscriptionSink,
    events: Receiver<E>,
    show: impl Fn(&E::Target) -> Vec<R>,
) -> SubscriptionResult {
    let sink = pending.accept().await?;
    send_events(&sink, events, show).await;
    Ok(())
}

/// A client that is too slow loses events, not the node.
async fn send_events<E: Clone + Shown, R: Serialize>(
    sink: &SubscriptionSink,
    mut events: Receiver<E>,
    show: impl Fn(&E::Target) -> Vec<R>,
) {
    loop {
        let event = tokio::select! {
            () = sink.closed() => return,
            event = events.recv() => event,
        };
        let event = match event {
            Ok(event) => event,
            Err(RecvError::Lagged(missed)) => {
                tracing::debug!(missed, "subscriber is too slow");
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        for item in show(event.target()) {
            let message = SubscriptionMessage::new(sink.method_name(), sink.subscription_id(), &item);
            let Ok(message) = message else { return };
            if sink.send(message).await.is_err() {
                return;
            }
        }
    }
}

/// What an event shows to [`forward`].
trait Shown {
    type Target;
    fn target(&self) -> &Self::Target;
}

impl Shown for Arc<Committed> {
    type Target = Committed;

    fn target(&self) -> &Committed {
        self
    }
}

impl Shown for RecoveredTx {
    type Target = Self;

    fn target(&self) -> &Self {
        self
    }
}

/// A header with its size, as `newHeads` carries it.
fn heads(commit: &Committed) -> Vec<convert::RpcHeader> {
    let header = |block: &Arc<ExecutedBlock>| {
        let header: &Header = &block.block.header;
        convert::header(header, block.hash)
    };
    commit.added.iter().map(header).collect()
}

/// Logs that came, after those that went with reverted blocks.
fn commit_logs(commit: &Committed, filter: &LogFilter) -> Vec<RpcLog> {
    let mut shown = Vec::new();
    for block in &commit.reverted {
        logs::collect(block, filter, &mut shown);
    }
    shown.iter_mut().for_each(|log| log.removed = true);
    for block in &commit.added {
        logs::collect(block, filter, &mut shown);
    }
    shown
}
