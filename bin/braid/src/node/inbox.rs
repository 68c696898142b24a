//! Transactions that other nodes forward, with their senders' addresses, on their way to the pool.
//!
//! They come in through consensus and are admitted by the server's rules, so the way is open only from when the server is made until
//! the node stops. What comes before or after is dropped: its sender keeps it.

use std::sync::{Arc, OnceLock, Weak};

use braid_consensus::process::Forwarded;
use braid_rpc::RpcContext;

/// Where forwarded transactions go.
#[derive(Clone, Debug, Default)]
pub(super) struct Inbox(Arc<OnceLock<Weak<RpcContext>>>);

impl Inbox {
    /// Takes what arrives.
    pub(super) fn taker(&self) -> Arc<dyn Fn(Vec<Forwarded>) + Send + Sync> {
        let inbox = Arc::clone(&self.0);
        Arc::new(move |transactions| {
            if let Some(context) = inbox.get().and_then(Weak::upgrade) {
                context.submit_forwarded(&transactions);
            }
        })
    }

    /// Opens the way into the pool.
    pub(super) fn open(&self, context: &Arc<RpcContext>) {
        // It is opened once.
        let _ = self.0.set(Arc::downgrade(context));
    }
}
