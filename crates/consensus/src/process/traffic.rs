//! What goes in and out, counted by channel. (The network beneath counts neither messages nor bytes.)

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use bytes::Buf as _;
use commonware_actor::{Feedback, Unreliable};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{CheckedSender, LimitedSender, Message, Receiver, Recipients};
use commonware_runtime::IoBufs;

/// What has gone through a channel since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages given to the network, once for each receiver.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Messages that arrived.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
}

/// Counts what goes through one channel.
#[derive(Debug, Default)]
pub(super) struct Counts {
    sent: AtomicU64,
    sent_bytes: AtomicU64,
    received: AtomicU64,
    received_bytes: AtomicU64,
}

impl Counts {
    pub(super) fn read(&self) -> Traffic {
        // Ordering: each is a count of its own; so for all of these.
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Traffic {
            sent: read(&self.sent),
            sent_bytes: read(&self.sent_bytes),
            received: read(&self.received),
            received_bytes: read(&self.received_bytes),
        }
    }
}

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Counts both directions of a channel.
pub(super) fn counted<S, R>((sender, receiver): (S, R), counts: &Arc<Counts>) -> (Counted<S>, Counted<R>) {
    let count = || Arc::clone(counts);
    (Counted { inner: sender, counts: count() }, Counted { inner: receiver, counts: count() })
}

/// One end of a channel.
#[derive(Clone, Debug)]
pub(super) struct Counted<T> {
    inner: T,
    counts: Arc<Counts>,
}

/// A sender whose receivers are chosen.
pub(super) struct Checked<'a, C> {
    inner: C,
    counts: &'a Counts,
}

impl<S: LimitedSender<PublicKey = PublicKey>> LimitedSender for Counted<S> {
    type PublicKey = PublicKey;
    type Checked<'a> = Checked<'a, S::Checked<'a>>;

    fn check(&mut self, recipients: Recipients<PublicKey>) -> Result<Self::Checked<'_>, SystemTime> {
        Ok(Checked { inner: self.inner.check(recipients)?, counts: &self.counts })
    }
}

impl<C: CheckedSender<PublicKey = PublicKey>> CheckedSender for Checked<'_, C> {
    type PublicKey = PublicKey;

    fn recipients(&self) -> Vec<PublicKey> {
        self.inner.recipients()
    }

    fn send(self, message: impl Into<IoBufs> + Send, priority: bool) -> Unreliable<Feedback> {
        let message = message.into();
        let (receivers, bytes) = (size(self.inner.recipients().len()), size(message.remaining()));
        let feedback = self.inner.send(message, priority);
        if feedback.accepted() {
            self.counts.sent.fetch_add(receivers, Ordering::Relaxed);
            self.counts.sent_bytes.fetch_add(receivers.saturating_mul(bytes), Ordering::Relaxed);
        }
        feedback
    }
}

impl<R: Receiver<PublicKey = PublicKey>> Receiver for Counted<R> {
    type Error = R::Error;
    type PublicKey = PublicKey;

    async fn recv(&mut self) -> Result<Message<PublicKey>, R::Error> {
        let message = self.inner.recv().await?;
        self.counts.received.fetch_add(1, Ordering::Relaxed);
        self.counts.received_bytes.fetch_add(size(message.1.remaining()), Ordering::Relaxed);
        Ok(message)
    }

    fn capacity(&self) -> NonZeroUsize {
        self.inner.capacity()
    }
}
