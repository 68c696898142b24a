//! Sends the load: one task a connection, one batch after the other.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use alloy_primitives::B256;
use eyre::Context;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::task::JoinSet;

use super::{
    LoadArgs,
    rpc::{Answer, CallError, Client},
    workload::Batch,
};

/// Different reasons for refusals that are counted apart.
const MAX_REASONS: usize = 20;

/// Characters of a reason that are kept.
const MAX_REASON_LENGTH: usize = 160;

/// How a node begins to say that it has no room at the moment.
const BUSY: [&str; 2] = ["txpool is full", "node is busy"];

/// How long a connection waits before it sends again what a node had no room for.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection to a node.
#[derive(Debug)]
pub(super) enum Connection {
    Json(Client),
    Binary(braid_ingest::Client),
}

/// The connections, to each node in turn.
///
/// # Errors
/// If a node cannot be reached in binary.
pub(super) async fn connect(args: &LoadArgs, timeout: Duration) -> eyre::Result<Vec<Connection>> {
    let count = args.conns.get();
    if args.ingest.is_empty() {
        let urls = args.rpc.iter().cycle().take(count);
        return urls.map(|url| Ok(Connection::Json(Client::new(url, timeout)?))).collect();
    }
    let mut connections = Vec::with_capacity(count);
    for &address in args.ingest.iter().cycle().take(count) {
        let connected = braid_ingest::Client::connect(address).await;
        connections
            .push(Connection::Binary(connected.wrap_err_with(|| format!("failed to reach --ingest {address}"))?));
    }
    Ok(connections)
}

impl Connection {
    /// Sends a batch, and returns what became of each of its transactions: accepted, or why not.
    async fn send(&mut self, batch: &Batch) -> eyre::Result<Vec<Result<(), String>>> {
        let count = batch.transactions.len();
        match self {
            Self::Json(client) => {
                let answer = client.post(batch.body.clone()).await?.bytes().await;
                let answer = answer.wrap_err("failed to read the answer to a batch")?;
                let answer: BatchAnswer =
                    serde_json::from_slice(&answer).wrap_err("failed to understand the answer to a batch")?;
                Ok(answer.in_order_of(&batch.transactions))
            }
            Self::Binary(client) => {
                let answers = client.exchange(&batch.body, count).await?;
                Ok(answers.into_iter().map(|answer| answer.map(drop).map_err(|refusal| refusal.reason)).collect())
            }
        }
    }
}

/// The sending as it goes on; the follower reads along.
#[derive(Debug)]
pub(super) struct Sending {
    started: Instant,
    /// Microseconds after the start at which each transaction was sent.
    sent_at_us: Vec<AtomicU64>,
    connections_left: AtomicUsize,
    sent: Mutex<Sent>,
}

/// What became of the transactions so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    pub(super) accepted: usize,
    pub(super) rejected: usize,
    /// Refusals for lack of room after which a transaction was sent again.
    pub(super) repeated: usize,
    /// From sending a batch to its answer.
    pub(super) answers: Vec<Duration>,
    /// Reasons for refusals, with how many there were.
    pub(super) reasons: BTreeMap<String, usize>,
    /// Bytes of requests.
    pub(super) bytes: usize,
    /// From the start to the last answer.
    pub(super) duration: Duration,
}

impl Sending {
    pub(super) fn new(transactions: usize, connections: usize, started: Instant) -> Self {
        let sent_at_us = (0..transactions).map(|_| AtomicU64::new(0)).collect();
        Self { started, sent_at_us, connections_left: AtomicUsize::new(connections), sent: Mutex::default() }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// From the start to when a transaction was sent.
    pub(super) fn sent_at(&self, transaction: usize) -> Duration {
        // Ordering: none is needed; the value only has to be there once the node answers with a receipt.
        Duration::from_micros(self.sent_at_us[transaction].load(Ordering::Relaxed))
    }

    /// How many transactions the node took, once all were sent.
    pub(super) fn accepted(&self) -> Option<usize> {
        // Ordering: acquire pairs with the release at each connection's end, so its counts are complete.
        let is_over = self.connections_left.load(Ordering::Acquire) == 0;
        is_over.then(|| self.sent.lock().accepted)
    }

    /// Notes that a batch goes out, which was due at a time after the start.
    fn mark_sent(&self, batch: &Batch, due: Duration) {
        let now = u64::try_from(due.as_micros()).unwrap_or(u64::MAX);
        for &transaction in &batch.transactions {
            self.sent_at_us[transaction].store(now, Ordering::Relaxed);
        }
        self.sent.lock().bytes += batch.body.len();
    }

    /// Notes the answers to a batch, which came after `answered_in`. Returns the positions of those that are to be sent again.
    fn mark_answered(
        &self,
        answers: &[Result<(), String>],
        answered_in: Duration,
        repetition: Repetition,
    ) -> Vec<usize> {
        let duration = self.elapsed();
        let mut sent = self.sent.lock();
        sent.duration = sent.duration.max(duration);
        sent.answers.push(answered_in);
        let mut again = Vec::new();
        for (position, answer) in answers.iter().enumerate() {
            match answer {
                Ok(()) => sent.accepted += 1,
                Err(reason) if repetition == Repetition::WhenBusy && is_busy(reason) => {
                    sent.repeated += 1;
                    again.push(position);
                }
                Err(reason) => sent.refuse(reason, 1),
            }
        }
        again
    }
}

/// What is done about a transaction that a node has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repetition {
    /// It is counted as refused.
    Never,
    /// It is sent again after [`PAUSE`], before anything else goes over the connection.
    WhenBusy,
}

/// Whether a node asks to come again later.
fn is_busy(reason: &str) -> bool {
    BUSY.iter().any(|busy| reason.starts_with(busy))
}

impl Sent {
    fn refuse(&mut self, reason: &str, count: usize) {
        let kind = kind(reason);
        let is_counted_apart = self.reasons.len() < MAX_REASONS || self.reasons.contains_key(&kind);
        let kind = if is_counted_apart { kind } else { "other reasons".to_owned() };
        *self.reasons.entry(kind).or_default() += count;
        self.rejected += count;
    }
}

/// A reason without its numbers, so that those that differ in nothing else count as one.
fn kind(reason: &str) -> String {
    let mut kind = String::new();
    for c in reason.chars().take(MAX_REASON_LENGTH) {
        let c = if c.is_ascii_digit() { '#' } else { c };
        if c != '#' || !kind.ends_with('#') {
            kind.push(c);
        }
    }
    kind
}

/// The tasks that send.
#[derive(Debug)]
pub(super) struct Senders(JoinSet<eyre::Result<()>>);

/// Starts sending, at a `rate` of transactions a second if there is one.
pub(super) fn start(
    connections: Vec<Connection>,
    batches: Vec<Vec<Batch>>,
    sending: &Arc<Sending>,
    rate: Option<NonZeroUsize>,
    repetition: Repetition,
) -> Senders {
    let mut tasks = JoinSet::new();
    let count = connections.len();
    for (at, (connection, batches)) in connections.into_iter().zip(batches).enumerate() {
        let sending = Arc::clone(sending);
        let pace = rate.map(|rate| Pace { rate, connection: at, connections: count });
        tasks.spawn(async move {
            let outcome = send_all(connection, batches, &sending, pace, repetition).await;
            sending.connections_left.fetch_sub(1, Ordering::Release);
            outcome
        });
    }
    Senders(tasks)
}

impl Senders {
    /// Ends the sending, finished or not, and says what became of it.
    ///
    /// # Errors
    /// If a connection broke.
    pub(super) async fn finish(mut self, sending: &Sending) -> eyre::Result<Sent> {
        if sending.accepted().is_none() {
            self.0.abort_all();
        }
        while let Some(ended) = self.0.join_next().await {
            match ended {
                Ok(outcome) => outcome?,
                Err(aborted) if aborted.is_cancelled() => {}
                Err(error) => return Err(error).wrap_err("a connection's task broke off"),
            }
        }
        Ok(sending.sent.lock().clone())
    }
}

/// An answer to a batch: one for each call, or one error for all.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum BatchAnswer {
    Each(Vec<Answer<B256>>),
    All { error: CallError },
}

impl BatchAnswer {
    /// What became of each of the transactions, whose numbers are the calls' ids.
    fn in_order_of(self, transactions: &[usize]) -> Vec<Result<(), String>> {
        let answers = match self {
            Self::All { error } => return vec![Err(error.message); transactions.len()],
            Self::Each(answers) => answers,
        };
        let mut by_id: HashMap<_, _> = answers.into_iter().map(|answer| (answer.id, answer)).collect();
        let mut take = |transaction: &usize| match by_id.remove(&Some(*transaction as u64)) {
            None => Err("no answer in the batch".to_owned()),
            Some(answer) => answer.into_result().map(drop).map_err(|error| error.message),
        };
        transactions.iter().map(&mut take).collect()
    }
}

/// When a connection's batches are due: the connections take turns.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Transactions a second, over all connections.
    rate: NonZeroUsize,
    connection: usize,
    connections: usize,
}

impl Pace {
    /// When a batch is due after the start, of which as many transactions as `before` went out over this connection.
    fn due(&self, before: usize, batch: usize) -> Duration {
        let transactions = before * self.connections + self.connection * batch;
        Duration::from_micros(transactions as u64 * 1_000_000 / self.rate.get() as u64)
    }
}

async fn send_all(
    mut connection: Connection,
    batches: Vec<Batch>,
    sending: &Sending,
    pace: Option<Pace>,
    repetition: Repetition,
) -> eyre::Result<()> {
    let mut before = 0;
    for mut batch in batches {
        let due = pace.map_or_else(|| sending.elapsed(), |pace| pace.due(before, batch.transactions.len()));
        tokio::time::sleep(due.saturating_sub(sending.elapsed())).await;
        before += batch.transactions.len();
        sending.mark_sent(&batch, due);
        loop {
            let started = sending.elapsed();
            let answers = connection.send(&batch).await?;
            let again = sending.mark_answered(&answers, sending.elapsed().saturating_sub(started), repetition);
            if again.is_empty() {
                break;
            }
            batch = batch.only(&again);
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sending() -> Sending {
        Sending::new(4, 1, super::super::now())
    }

    #[test]
    fn connections_take_turns() {
        let pace = |connection| Pace { rate: NonZeroUsize::new(1_000).unwrap(), connection, connections: 4 };
        let due = |connection, before| pace(connection).due(before, 100).as_millis();
        assert_eq!([due(0, 0), due(1, 0), due(3, 0), due(0, 100), due(1, 100)], [0, 100, 300, 400, 500]);
    }

    fn answers(text: &str, count: usize) -> Vec<Result<(), String>> {
        let numbers: Vec<_> = (0..count).collect();
        serde_json::from_str::<BatchAnswer>(text).unwrap().in_order_of(&numbers)
    }

    #[test]
    fn answers_are_counted_by_kind() {
        let sending = sending();
        let answer = r#"[
            {"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"nonce too low: next nonce 1, tx nonce 0"}},
            {"jsonrpc":"2.0","id":0,"result":"0x0101010101010101010101010101010101010101010101010101010101010101"},
            {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"nonce too low: next nonce 12, tx nonce 3"}}
        ]"#;
        let again = sending.mark_answered(&answers(answer, 4), Duration::ZERO, Repetition::WhenBusy);
        let sent = sending.sent.lock();
        assert_eq!((sent.accepted, sent.rejected, again), (1, 3, vec![]));
        assert_eq!(sent.reasons["nonce too low: next nonce #, tx nonce #"], 2);
        assert_eq!(sent.reasons["no answer in the batch"], 1);
    }

    #[test]
    fn what_a_busy_node_refuses_is_sent_again() {
        let answer = r#"[
            {"jsonrpc":"2.0","id":0,"result":"0x0101010101010101010101010101010101010101010101010101010101010101"},
            {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"txpool is full"}},
            {"jsonrpc":"2.0","id":2,"error":{"code":-32005,"message":"node is busy: 65000 transactions …"}}
        ]"#;
        let answers = answers(answer, 3);
        let repeating = sending();
        assert_eq!(repeating.mark_answered(&answers, Duration::ZERO, Repetition::WhenBusy), [1, 2]);
        let sent = repeating.sent.into_inner();
        assert_eq!((sent.repeated, sent.rejected), (2, 0));
        let counting = sending();
        assert_eq!(counting.mark_answered(&answers, Duration::ZERO, Repetition::Never), [0_usize; 0]);
        assert_eq!(counting.sent.lock().rejected, 2);
    }

    #[test]
    fn one_error_for_the_whole_batch_counts_for_every_call() {
        let sending = sending();
        let answer = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32010,"message":"batch too large"}}"#;
        sending.mark_answered(&answers(answer, 4), Duration::ZERO, Repetition::Never);
        assert_eq!(sending.sent.lock().reasons["batch too large"], 4);
    }

    #[test]
    fn reasons_are_bounded() {
        let mut sent = Sent::default();
        for c in ('a'..='z').chain('A'..='Z') {
            sent.refuse(&c.to_string(), 1);
        }
        assert_eq!(sent.reasons.len(), MAX_REASONS + 1);
        assert_eq!(sent.rejected, 52);
    }
}
