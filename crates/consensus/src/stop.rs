//! How a node comes to a stop by itself: the first reason is kept, and whoever waits is told.

use std::sync::Arc;

use alloy_primitives::B256;
use braid_chain::LedgerError;
use commonware_utils::channel::watch;

use crate::vote_lock::VoteLockError;

/// Why consensus stopped. The node must end: what has been voted for is on disk, and a restart goes on from there.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StopReason {
    /// The chain failed: the disk, or a state that is not what it must be.
    #[error("failed to keep the chain: {0}")]
    Ledger(#[source] Arc<LedgerError>),
    /// A quorum finalized what the rules forbid: this node or more than a third of the validators are wrong.
    #[error("final block at height {height} breaks the rules: {reason}")]
    InvalidFinalBlock {
        /// Its height.
        height: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Final blocks are missing in the ledger that were acknowledged to be in it.
    #[error("blocks before height {0} are missing: the chain's directory is older than the consensus directory")]
    Gap(u64),
    /// A quorum finalized another outcome than this node's own execution gave.
    #[error("validators finalized {finalized} as block {height}, and this node executed {executed}")]
    Diverged {
        /// Height of the Ethereum block.
        height: u64,
        /// Its hash as the validators agreed.
        finalized: B256,
        /// Its hash here.
        executed: B256,
    },
    /// What the key has voted in cannot be told or kept.
    #[error("this node must not vote: {0}")]
    VoteLock(#[source] Arc<VoteLockError>),
    /// A part of consensus ended.
    #[error("{0} stopped")]
    Part(&'static str),
}

impl From<LedgerError> for StopReason {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(Arc::new(error))
    }
}

/// Tells of the first reason to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stopper(Arc<watch::Sender<Option<StopReason>>>);

impl Stopper {
    pub(crate) fn new() -> (Self, watch::Receiver<Option<StopReason>>) {
        let (sender, receiver) = watch::channel(None);
        (Self(Arc::new(sender)), receiver)
    }

    /// Keeps `reason` unless there is one.
    pub(crate) fn stop(&self, reason: StopReason) {
        self.0.send_if_modified(|kept| {
            let is_first = kept.is_none();
            if is_first {
                tracing::error!(%reason, "consensus stops");
                *kept = Some(reason);
            }
            is_first
        });
    }
}
