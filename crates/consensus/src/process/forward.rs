//! Transactions on their way to who may propose them.
//!
//! A node sends what its clients give it to the leaders of the next views. That shortens the wait at a validator, whose own turn comes
//! once in as many views as there are validators; a follower never has a turn. A message may be lost and a leader may be down or
//! have no room, so a transaction that still waits in the node's own pool some time later is sent again, to whoever leads by then:
//! after [`RESEND_AFTER`], and then after twice as long each time, up to [`RESEND_AFTER_AT_MOST`]. That ends when it stands in a block or
//! is dropped from the pool. What was received is not sent on, so there are no loops.
//!
//! What is watched and what is sent again at a time are bounded; beyond that the oldest is left to the first attempt.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256};
use braid_types::RecoveredTx;
use commonware_codec::{Decode as _, Encode as _, RangeCfg};
use commonware_cryptography::ed25519::PublicKey;
use commonware_macros::select_loop;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::{Clock, Spawner};
use commonware_utils::channel::mpsc;
use parking_lot::Mutex;

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

/// Messages that wait to be taken into the pool; further ones are dropped, so that a peer cannot fill the memory.
const MAX_IN_HAND: usize = 64;

/// How long a transaction may wait in the pool before it is sent a second time. Where more comes than blocks can hold for some seconds, most
/// of what waits has arrived and would only be read again.
const RESEND_AFTER: Duration = Duration::from_secs(5);

/// The longest time between two attempts.
const RESEND_AFTER_AT_MOST: Duration = Duration::from_secs(60);

/// How often it is looked which transactions have waited too long.
const RESEND_INTERVAL: Duration = Duration::from_millis(250);

/// Transactions that are sent again at a time: with [`RESEND_INTERVAL`], some eight thousand a second.
const MAX_RESENT: usize = 2_048;

/// Transactions that are watched: a hash and some numbers each.
const MAX_WATCHED: usize = 65_536;

/// Where transactions are put to be sent.
pub(super) type Queue = mpsc::Sender<Outgoing>;

/// A transaction that waits to be sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    hash: B256,
    form: Forwarded,
}

impl Outgoing {
    pub(super) fn new(transaction: &RecoveredTx) -> Self {
        Self { hash: *transaction.tx_hash(), form: form(transaction) }
    }
}

/// A transaction as it is forwarded.
pub(super) fn form(transaction: &RecoveredTx) -> Forwarded {
    let mut bytes = Vec::with_capacity(Address::len_bytes() + transaction.encode_2718_len());
    bytes.extend_from_slice(transaction.signer().as_slice());
    transaction.inner().encode_2718(&mut bytes);
    bytes.into()
}

/// Makes a queue.
pub(super) fn queue() -> (Queue, mpsc::Receiver<Outgoing>) {
    mpsc::channel(MAX_WAITING)
}

/// What was sent and may have to be sent again, by when.
#[derive(Debug, Default)]
struct Watched {
    due: BTreeMap<(SystemTime, u64), Sent>,
    next: u64,
}

/// A transaction that was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    hash: B256,
    /// How long it is left alone.
    pause: Duration,
}

impl Watched {
    fn add(&mut self, now: SystemTime, sent: Sent) {
        if self.due.len() >= MAX_WATCHED {
            self.due.pop_first();
        }
        self.due.insert((now + sent.pause, self.next), sent);
        self.next += 1;
    }

    /// Takes out those whose time has come and that `waiting` still finds in the pool, at most [`MAX_RESENT`].
    fn take_due(&mut self, now: SystemTime, waiting: impl Fn(B256) -> Option<Forwarded>) -> Vec<(Sent, Forwarded)> {
        let mut taken = Vec::new();
        while taken.len() < MAX_RESENT
            && let Some(entry) = self.due.first_entry()
            && entry.key().0 <= now
        {
            let sent = entry.remove();
            taken.extend(waiting(sent.hash).map(|transaction| (sent, transaction)));
        }
        taken
    }
}

/// Splits transactions into messages.
fn messages(transactions: impl IntoIterator<Item = Forwarded>) -> Vec<Vec<Forwarded>> {
    let (mut messages, mut size) = (Vec::<Vec<Forwarded>>::new(), 0);
    for transaction in transactions {
        let last = messages
            .last_mut()
            .filter(|last| size + transaction.len() <= MAX_MESSAGE_BYTES && last.len() < MAX_MESSAGE_TRANSACTIONS);
        match last {
            Some(last) => {
                size += transaction.len();
                last.push(transaction);
            }
            None => {
                size = transaction.len();
                messages.push(vec![transaction]);
            }
        }
    }
    messages
}

/// Starts sending what is queued to the `leaders` of the moment, and again as long as it is `waiting` in the pool.
pub(super) fn send<E: Spawner + Clock, S: Sender<PublicKey = PublicKey>>(
    context: &E,
    mut sender: S,
    mut queue: mpsc::Receiver<Outgoing>,
    leaders: impl Fn() -> Vec<PublicKey> + Send + Sync + 'static,
    waiting: impl Fn(B256) -> Option<Forwarded> + Send + Sync + 'static,
) {
    context.child("forward").spawn(move |context| async move {
        let mut watched = Watched::default();
        let mut next_look = context.current() + RESEND_INTERVAL;
        let mut send = move |transactions: Vec<Forwarded>| {
            let leaders = leaders();
            if leaders.is_empty() {
                return;
            }
            for message in messages(transactions) {
                // Whoever is not connected, or has had enough, is left out.
                let _ = sender.send(Recipients::Some(leaders.clone()), message.encode(), false);
            }
        };
        select_loop! {
            context,
            on_stopped => {},
            Some(first) = queue.recv() else break => {
                let now = context.current();
                let mut size = first.form.len();
                watched.add(now, Sent { hash: first.hash, pause: RESEND_AFTER });
                let mut batch = vec![first.form];
                while size < MAX_MESSAGE_BYTES && batch.len() < MAX_MESSAGE_TRANSACTIONS {
                    let Ok(next) = queue.try_recv() else { break };
                    size += next.form.len();
                    watched.add(now, Sent { hash: next.hash, pause: RESEND_AFTER });
                    batch.push(next.form);
                }
                send(batch);
            },
            _ = context.sleep_until(next_look) => {
                let now = context.current();
                let (again, transactions): (Vec<_>, Vec<_>) = watched.take_due(now, &waiting).into_iter().unzip();
                for Sent { hash, pause } in again {
                    watched.add(now, Sent { hash, pause: (pause * 2).min(RESEND_AFTER_AT_MOST) });
                }
                send(transactions);
                next_look = now + RESEND_INTERVAL;
            },
        }
    });
}

/// Starts handing what arrives to `take`, on a thread of its own. What has arrived while that was at work is handed over together: the more
/// senders are checked at once, the cheaper.
pub(super) fn receive<R: Receiver<PublicKey = PublicKey>>(
    context: &impl Spawner,
    mut receiver: R,
    take: Arc<dyn Fn(Vec<Forwarded>) + Send + Sync>,
) {
    let worker = Worker::start(context.child("taker"));
    context.child("forwarded").spawn(move |_| async move {
        let arrived = Arc::new(Mutex::new(Vec::new()));
        while let Ok((peer, message)) = receiver.recv().await {
            if arrived.lock().len() >= MAX_IN_HAND {
                continue;
            }
            let bounds = (RangeCfg::from(0..=MAX_MESSAGE_TRANSACTIONS), RangeCfg::from(0..=2 * MAX_MESSAGE_BYTES));
            match Vec::<Forwarded>::decode_cfg(message, &bounds) {
                Ok(transactions) => {
                    let is_first = {
                        let mut arrived = arrived.lock();
                        arrived.push(transactions);
                        arrived.len() == 1
                    };
                    // Else a job that has not begun takes them too.
                    if is_first {
                        let (take, arrived) = (Arc::clone(&take), Arc::clone(&arrived));
                        drop(worker.run(move || {
                            let messages: Vec<Vec<Forwarded>> = std::mem::take(&mut *arrived.lock());
                            take(messages.into_iter().flatten().collect());
                        }));
                    }
                }
                Err(error) => tracing::warn!(%peer, %error, "a peer forwards what is no list of transactions"),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn sent(byte: u8, pause: u64) -> Sent {
        Sent { hash: B256::repeat_byte(byte), pause: Duration::from_secs(pause) }
    }

    fn hashes(taken: &[(Sent, Forwarded)]) -> Vec<u8> {
        taken.iter().map(|(sent, _)| sent.hash[0]).collect()
    }

    #[test]
    fn what_waits_is_sent_again_when_its_time_has_come() {
        let mut watched = Watched::default();
        watched.add(at(0), sent(1, 2));
        watched.add(at(0), sent(2, 4));
        watched.add(at(1), sent(3, 2));
        let waits = |hash: B256| (hash[0] != 3).then(Forwarded::new);
        assert!(watched.take_due(at(1), waits).is_empty());
        assert_eq!(hashes(&watched.take_due(at(3), waits)), [1], "the third stands in a block by now");
        assert_eq!(hashes(&watched.take_due(at(9), waits)), [2]);
        assert!(watched.due.is_empty());
    }

    #[test]
    fn what_is_watched_and_sent_at_a_time_is_bounded() {
        let mut watched = Watched::default();
        for _ in 0..MAX_WATCHED + 10 {
            watched.add(at(0), sent(1, 2));
        }
        assert_eq!(watched.due.len(), MAX_WATCHED);
        assert_eq!(watched.take_due(at(5), |_| Some(Forwarded::new())).len(), MAX_RESENT);
        assert_eq!(watched.due.len(), MAX_WATCHED - MAX_RESENT);
        // What is gone from the pool costs nothing.
        assert!(watched.take_due(at(5), |_| None).is_empty());
        assert!(watched.due.is_empty());
    }

    #[test]
    fn messages_keep_their_bounds_and_lose_nothing() {
        let transaction = |length: usize| Forwarded::from(vec![0; length]);
        let many = messages((0..MAX_MESSAGE_TRANSACTIONS + 1).map(|_| transaction(1)));
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [MAX_MESSAGE_TRANSACTIONS, 1]);
        let large = messages([100, MAX_MESSAGE_BYTES - 100, 1, MAX_MESSAGE_BYTES, 2].map(transaction));
        assert_eq!(large.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1, 1]);
        assert!(messages([]).is_empty());
    }
}
