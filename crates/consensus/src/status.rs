//! Where a node's consensus stands, for RPC and metrics: cheap to read, updated in place.

use std::sync::Arc;

use braid_chain::Durable;
use commonware_utils::channel::watch;

/// A snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The epoch whose engine runs.
    pub epoch: u64,
    /// The newest view in which anything was certified.
    pub view: u64,
    /// Members of the epoch's committee.
    pub validators: usize,
    /// Whether this node is one of them.
    pub is_validator: bool,
    /// The epoch in which it votes again, if it is one of them and does not vote in this one: its key may have done so before its vote
    /// log was lost.
    pub votes_again: Option<u64>,
    /// The newest block that is final and durable here.
    pub durable: Durable,
    /// Its time stamp in milliseconds, by its leader's clock.
    pub timestamp_ms: u64,
    /// From that time stamp until it was durable here, in milliseconds.
    pub finality_ms: u64,
    /// Height of the newest block known to be final; above `durable` while catching up.
    pub tip: u64,
    /// Blocks made durable since the start.
    pub finalized: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Blocks this node proposed.
    pub proposed: u64,
    /// Blocks of others that it found valid.
    pub verified: u64,
    /// Blocks of others that it refused.
    pub refused: u64,
    /// Proven equivocations and refused blocks; see [`crate::faults`].
    pub faults: u64,
}

impl Status {
    /// Whether this node votes in the epoch.
    pub const fn is_voting(&self) -> bool {
        self.is_validator && self.votes_again.is_none()
    }
}

/// Writes the status.
#[derive(Clone, Debug)]
pub(crate) struct Board(Arc<watch::Sender<Status>>);

impl Board {
    pub(crate) fn new(status: Status) -> (Self, watch::Receiver<Status>) {
        let (sender, receiver) = watch::channel(status);
        (Self(Arc::new(sender)), receiver)
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Status)) {
        self.0.send_modify(change);
    }
}
