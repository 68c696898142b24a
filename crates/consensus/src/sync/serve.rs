//! Taking snapshots, and answering who asks for them.
//!
//! Every so many blocks a snapshot is taken, on a thread of its own, of a state that is still in memory: a reference to it, the block, and the
//! headers before. Neither that nor an answer touches what makes and executes blocks. A snapshot is kept while it is one of the
//! [`KEPT`] newest, or somebody has asked for a part of it lately; it costs the memory of what has changed since.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use braid_chain::{Ledger, Snapshot};
use bytes::Bytes;
use commonware_codec::{Decode as _, Encode as _};
use commonware_consensus::{
    marshal::core::{Mailbox as MarshalMailbox, Variant},
    types::Epoch,
};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::Handle;
use commonware_utils::channel::watch;
use parking_lot::Mutex;

use super::{
    evidence::Evidence,
    message::{Answer, MAX_ENDS, MAX_OFFERED, Message, Offered, PIECE_SIZE_BYTES, Request},
};
use crate::{
    block::{Block, Dissemination},
    certificates::find_certified,
    ends::Ends,
    engine::Runtime,
    scheme::{CertificateBounds, Scheme},
    status::Status,
    worker::Worker,
};

/// Newest snapshots that are kept whether somebody asks or not: one may be taken right after somebody was told of the one before.
const KEPT: usize = 2;

/// How long a snapshot is kept after somebody asked for a part of it.
const IDLE: Duration = Duration::from_secs(60);

/// Snapshots at most. Beyond it the oldest goes, whoever is at it.
const MAX_KEPT: usize = MAX_OFFERED;

/// Intervals after which a snapshot goes, whoever is at it: each costs the memory of what has changed since.
const MAX_AGE_INTERVALS: u64 = 64;

/// Heights above the due one that are tried for a block with a certificate of its own.
const MAX_SHIFT: u64 = 16;

/// Blocks behind the newest final one from which on a node takes no snapshots: it has other things to do.
const MAX_BEHIND: u64 = 64;

/// Answers that are being made; one for each peer. Further questions are dropped, and will be asked again.
const MAX_IN_HAND: usize = 16;

/// Where everything that is served comes from.
pub(crate) struct Sources<E: Runtime, K: Dissemination, V: Variant> {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) marshal: MarshalMailbox<Scheme, V>,
    pub(crate) ends: Ends<E, K>,
    /// Heights between an ordered block and the one whose execution it vouches for.
    pub(crate) lag: u64,
    /// Blocks from a snapshot to the next; zero: none are taken.
    pub(crate) interval: u64,
}

/// A snapshot with its evidence.
struct Kept<K: Dissemination> {
    snapshot: Arc<Snapshot>,
    evidence: Evidence<K>,
    asked: SystemTime,
}

type Shelf<K> = Arc<Mutex<Vec<Kept<K>>>>;

/// The task that serves.
pub(crate) struct Server<E: Runtime, K: Dissemination, V: Variant> {
    context: E,
    sources: Arc<Sources<E, K, V>>,
    shelf: Shelf<K>,
    in_hand: Arc<Mutex<BTreeSet<PublicKey>>>,
    worker: Worker,
}

impl<E, K, V> Server<E, K, V>
where
    E: Runtime,
    K: Dissemination,
    V: Variant<ApplicationBlock = Block<K>, Commitment = K::Commitment>,
{
    /// Starts taking snapshots and answering.
    pub(crate) fn start<S, R>(
        context: E,
        sources: Sources<E, K, V>,
        status: watch::Receiver<Status>,
        (sender, receiver): (S, R),
    ) -> Vec<Handle<()>>
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let (sources, shelf) = (Arc::new(sources), Shelf::default());
        let worker = Worker::start(context.child("snapshots"));
        let keeper = Keeper {
            sources: Arc::clone(&sources),
            shelf: Arc::clone(&shelf),
            worker: worker.clone(),
            last: sources.ledger.durable().height,
        };
        let keeping = context.child("keeper").spawn(move |clock| keeper.run(clock, status));
        let answering = context.child("server").spawn(move |context| {
            Self { context, sources, shelf, in_hand: Arc::default(), worker }.run(sender, receiver)
        });
        vec![keeping, answering]
    }

    async fn run<S, R>(self, sender: S, mut receiver: R)
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        while let Ok((peer, bytes)) = receiver.recv().await {
            match Message::<K>::decode_cfg(bytes, &CertificateBounds::ANY) {
                Ok(Message::Request(id, request)) => self.answer(sender.clone(), peer, id, request),
                // To a question from before this node had a chain.
                Ok(Message::Answer(..)) => {}
                Err(error) => tracing::warn!(%peer, %error, "a peer asks for state in a way that cannot be read"),
            }
        }
    }

    fn answer<S: Sender<PublicKey = PublicKey>>(&self, mut sender: S, peer: PublicKey, id: u64, request: Request) {
        {
            let mut in_hand = self.in_hand.lock();
            if in_hand.len() >= MAX_IN_HAND || !in_hand.insert(peer.clone()) {
                return;
            }
        }
        let (sources, shelf) = (Arc::clone(&self.sources), Arc::clone(&self.shelf));
        let (in_hand, worker) = (Arc::clone(&self.in_hand), self.worker.clone());
        self.context.child("answer").spawn(move |clock| async move {
            let answer = answer_to(request, clock.current(), &sources, &shelf, &worker).await;
            // Whoever is gone or has had enough is left out, and asks again.
            let _ = sender.send(Recipients::One(peer.clone()), Message::Answer(id, answer).encode(), false);
            in_hand.lock().remove(&peer);
        });
    }
}

/// The answer to a question.
async fn answer_to<E, K, V>(
    request: Request,
    now: SystemTime,
    sources: &Sources<E, K, V>,
    shelf: &Shelf<K>,
    worker: &Worker,
) -> Answer<K>
where
    E: Runtime,
    K: Dissemination,
    V: Variant<ApplicationBlock = Block<K>, Commitment = K::Commitment>,
{
    match request {
        Request::Offer => Answer::Offer(shelf.lock().iter().map(offered).collect()),
        Request::Ends(from) => ends_from(&sources.ends, from).await,
        Request::Evidence(height) => with(shelf, height, now, |kept| kept.evidence.clone())
            .map_or(Answer::Nothing, |evidence| Answer::Evidence(Box::new(evidence))),
        Request::Manifest(height, piece) => with(shelf, height, now, |kept| Arc::clone(&kept.snapshot))
            .and_then(|snapshot| piece_of(&snapshot, piece))
            .map_or(Answer::Nothing, Answer::Manifest),
        Request::Chunk(height, from) => {
            let Some(snapshot) = with(shelf, height, now, |kept| Arc::clone(&kept.snapshot)) else {
                return Answer::Nothing;
            };
            match worker.run(move || snapshot.chunk(from)).await {
                Ok(Ok((chunk, _))) => Answer::Chunk(chunk.into()),
                Ok(Err(error)) => {
                    tracing::error!(%error, height, "cannot read a chunk of a snapshot");
                    Answer::Nothing
                }
                Err(_) => Answer::Nothing,
            }
        }
    }
}

fn offered<K: Dissemination>(kept: &Kept<K>) -> Offered {
    let manifest_bytes = u32::try_from(kept.snapshot.manifest().len()).unwrap_or(u32::MAX);
    Offered { height: kept.snapshot.block().height, manifest_bytes }
}

/// Reads from a snapshot that is kept, and remembers that it was asked for.
fn with<K: Dissemination, T>(
    shelf: &Shelf<K>,
    height: u64,
    now: SystemTime,
    read: impl FnOnce(&Kept<K>) -> T,
) -> Option<T> {
    let mut shelf = shelf.lock();
    let kept = shelf.iter_mut().find(|kept| kept.snapshot.block().height == height)?;
    kept.asked = now;
    Some(read(kept))
}

fn piece_of(snapshot: &Snapshot, piece: u32) -> Option<Bytes> {
    let manifest = &snapshot.manifest().0;
    let from = (piece as usize).checked_mul(PIECE_SIZE_BYTES).filter(|from| *from < manifest.len())?;
    Some(manifest.slice(from..manifest.len().min(from + PIECE_SIZE_BYTES)))
}

async fn ends_from<E: Runtime, K: Dissemination>(ends: &Ends<E, K>, from: u64) -> Answer<K> {
    let mut found = Vec::new();
    for epoch in from..from.saturating_add(MAX_ENDS as u64) {
        match ends.get(Epoch::new(epoch)).await {
            Ok(Some(end)) => found.push(end),
            Ok(None) => break,
            Err(error) => {
                tracing::error!(%error, epoch, "cannot read the end of an epoch");
                break;
            }
        }
    }
    if found.is_empty() { Answer::Nothing } else { Answer::Ends(found) }
}

/// The task that takes snapshots.
struct Keeper<E: Runtime, K: Dissemination, V: Variant> {
    sources: Arc<Sources<E, K, V>>,
    shelf: Shelf<K>,
    worker: Worker,
    /// Height from which on the next is due.
    last: u64,
}

impl<E, K, V> Keeper<E, K, V>
where
    E: Runtime,
    K: Dissemination,
    V: Variant<ApplicationBlock = Block<K>, Commitment = K::Commitment>,
{
    async fn run(mut self, clock: E, mut status: watch::Receiver<Status>) {
        if self.sources.interval == 0 {
            return;
        }
        // The first is taken soon, so that who has just started can serve.
        let mut due = self.last.max(self.sources.interval);
        while status.changed().await.is_ok() {
            let (durable, tip) = {
                let status = status.borrow_and_update();
                (status.durable.height, status.tip)
            };
            let newest = durable.saturating_sub(self.sources.lag);
            if newest < due || durable.saturating_add(MAX_BEHIND) < tip {
                continue;
            }
            // What is further below is not in memory any more if blocks came quickly.
            let from = due.max(newest.saturating_sub(MAX_SHIFT));
            if let Some(height) = self.take(&clock, from, newest).await {
                self.last = height;
                due = (height / self.sources.interval + 1) * self.sources.interval;
            }
        }
    }

    /// Takes a snapshot at the first height in a range whose evidence is complete.
    async fn take(&self, clock: &E, from: u64, to: u64) -> Option<u64> {
        for height in from..=to.min(from.saturating_add(MAX_SHIFT)) {
            let Some(evidence) = self.evidence(height).await else { continue };
            let ledger = Arc::clone(&self.sources.ledger);
            let taken = self.worker.run(move || Snapshot::take(ledger.chain(), height)).await.ok()?;
            match taken {
                Ok(snapshot) => {
                    tracing::info!(height, manifest_bytes = snapshot.manifest().len(), "snapshot taken");
                    self.shelve(snapshot, evidence, clock.current());
                    return Some(height);
                }
                Err(error) => tracing::warn!(%error, height, "cannot take a snapshot"),
            }
        }
        None
    }

    async fn evidence(&self, height: u64) -> Option<Evidence<K>> {
        let Sources { marshal, lag, .. } = &*self.sources;
        let floor = find_certified(marshal, height).await.filter(|floor| floor.headers.len() == 1)?;
        let execution = find_certified(marshal, height.checked_add(*lag)?).await?;
        Some(Evidence { floor, execution })
    }

    /// Puts a snapshot on the shelf, and takes off what nobody needs.
    fn shelve(&self, snapshot: Snapshot, evidence: Evidence<K>, now: SystemTime) {
        let height = snapshot.block().height;
        let oldest = height.saturating_sub(self.sources.interval.saturating_mul(MAX_AGE_INTERVALS));
        let mut shelf = self.shelf.lock();
        let older = shelf.len().saturating_sub(KEPT - 1);
        let mut index = 0;
        shelf.retain(|kept| {
            let is_idle = now.duration_since(kept.asked).unwrap_or_default() > IDLE;
            let is_old = index < older;
            index += 1;
            kept.snapshot.block().height >= oldest && !(is_old && is_idle)
        });
        // Nobody has asked for it yet; its age counts from now.
        shelf.push(Kept { snapshot: Arc::new(snapshot), evidence, asked: now });
        let excess = shelf.len().saturating_sub(MAX_KEPT);
        shelf.drain(..excess);
    }
}
