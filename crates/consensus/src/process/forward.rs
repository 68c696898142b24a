//! Transactions on their way to who may propose them.
//!
//! A node sends what its clients give it to the leaders of the next views. That shortens the wait at a validator, whose own turn comes
//! once in as many views as there are validators; a follower never has a turn. Nothing is promised: a message may be lost with its
//! receiver, and the transaction stays in the sender's own pool. What was received is not sent on.

use std::sync::Arc;

use commonware_codec::{Decode as _, Encode as _, RangeCfg};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::Spawner;
use commonware_utils::channel::mpsc;

use crate::worker::Worker;

use super::Forwarded;

/// Leaders that are sent a transaction: the next might fail, or have proposed by the time it arrives.
pub(super) const LEADERS: u64 = 2;

/// Transactions that wait to be sent; further ones stay in the pool only.
const MAX_WAITING: usize = 16_384;

/// Bytes of the transactions in one message.
const MAX_MESSAGE_BYTES: usize = 256 * 1_024;

/// Transactions in one message.
const MAX_MESSAGE_TRANSACTIONS: usize = 4_096;

/// Messages that are being taken into the pool; further ones are dropped, so that a peer cannot fill the memory.
const MAX_IN_HAND: usize = 64;

/// Where transactions are put to be sent.
pub(super) type Queue = mpsc::Sender<Forwarded>;

/// Makes a queue.
pub(super) fn queue() -> (Queue, mpsc::Receiver<Forwarded>) {
    mpsc::channel(MAX_WAITING)
}

/// Starts sending what is queued to the `leaders` of the moment.
pub(super) fn send<S: Sender<PublicKey = PublicKey>>(
    context: &impl Spawner,
    mut sender: S,
    mut queue: mpsc::Receiver<Forwarded>,
    leaders: impl Fn() -> Vec<PublicKey> + Send + Sync + 'static,
) {
    context.child("forward").spawn(move |_| async move {
        while let Some(first) = queue.recv().await {
            let mut size = first.len();
            let mut batch = vec![first];
            while size < MAX_MESSAGE_BYTES && batch.len() < MAX_MESSAGE_TRANSACTIONS {
                let Ok(next) = queue.try_recv() else { break };
                size += next.len();
                batch.push(next);
            }
            let leaders = leaders();
            if !leaders.is_empty() {
                // Whoever is not connected, or has had enough, is left out.
                let _ = sender.send(Recipients::Some(leaders), batch.encode(), false);
            }
        }
    });
}

/// Starts handing what arrives to `take`, on a thread of its own.
pub(super) fn receive<R: Receiver<PublicKey = PublicKey>>(
    context: &impl Spawner,
    mut receiver: R,
    take: Arc<dyn Fn(Vec<Forwarded>) + Send + Sync>,
) {
    let worker = Worker::start(context.child("taker"));
    context.child("forwarded").spawn(move |_| async move {
        let in_hand = Arc::new(());
        while let Ok((peer, message)) = receiver.recv().await {
            if Arc::strong_count(&in_hand) > MAX_IN_HAND {
                continue;
            }
            let bounds = (RangeCfg::from(0..=MAX_MESSAGE_TRANSACTIONS), RangeCfg::from(0..=2 * MAX_MESSAGE_BYTES));
            match Vec::<Forwarded>::decode_cfg(message, &bounds) {
                Ok(transactions) => {
                    let (take, permit) = (Arc::clone(&take), Arc::clone(&in_hand));
                    drop(worker.run(move || {
                        take(transactions);
                        drop(permit);
                    }));
                }
                Err(error) => tracing::warn!(%peer, %error, "a peer forwards what is no list of transactions"),
            }
        }
    });
}
