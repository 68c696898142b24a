//! Joining: finds who has a snapshot, checks it, and makes an empty directory a chain that begins with it.
//!
//! One server is asked at a time. What was imported is kept when a server falls silent or a process ends, and gone on with if the same
//! snapshot is still offered somewhere. If such a patchwork is false, nobody can say whose fault it is; from then on everything comes
//! from one server, and whoever lies is known.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use alloy_genesis::Genesis;
use braid_chain::{
    SnapshotImport, SyncError as ImportError,
    consensus::order::digest_of,
    state::{
        Vacancy,
        snapshot::{give_up, vacancy},
    },
};
use braid_types::{
    BlockRef,
    ordered::{Dissemination as Chosen, GENESIS_DIGEST},
};
use bytes::Bytes;
use commonware_codec::{Decode as _, Encode as _};
use commonware_consensus::types::Epoch;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::buffer::paged::{CacheRef, page_size};
use commonware_storage::metadata;
use commonware_utils::{NZUsize, channel::watch};
use futures::FutureExt as _;

use super::{
    evidence::{Doubt, Evidence, Trust},
    message::{Answer, Message, Offered, PIECE_SIZE_BYTES, Request},
};
use crate::{
    anchor,
    block::{Coded, Dissemination, Whole},
    certificates::Certified,
    ends::{Ends, EndsError},
    engine::{Runtime, StartError},
    rules::Rules,
    scheme::CertificateBounds,
    worker::Worker,
};

/// How long a peer may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Questions to a server that may stay without an answer, one after another.
const MAX_SILENCES: u32 = 3;

/// Least time between two questions: below what a server takes from one peer.
const PACE: Duration = Duration::from_millis(10);

/// How often everybody is asked for snapshots while there is none to be had.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Rounds without a snapshot after which the log says so.
const SAID_EVERY: u64 = 60;

/// How long others are waited for once one peer has offered a snapshot.
const GRACE: Duration = Duration::from_millis(500);

/// After which those that were given up get another chance, when nobody else is left.
const FORGIVE: Duration = Duration::from_secs(10);

/// Chunks of one snapshot: 64 GiB or more, where a server may send what it likes until all is checked.
const MAX_CHUNKS: u64 = 65_536;

/// What to look for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where the chain is to be.
    pub directory: PathBuf,
    /// Its genesis.
    pub genesis: Genesis,
    /// Height that a snapshot must have at least; below it, blocks are executed instead.
    pub least: u64,
    /// How long to look for one; `None`: until there is one.
    pub patience: Option<Duration>,
    /// Prefix of the storage partitions, that of the engine.
    pub partition: String,
}

/// How it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Height of the snapshot that is being fetched; zero: none yet.
    pub height: u64,
    /// Chunks that are there.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How a node comes to its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// By executing every block: nobody has offered a snapshot that is worth it.
    Replay,
    /// From the snapshot of this block, which is there now.
    State(BlockRef),
}

/// Failed to join: this node's own fault, and no peer's.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The directory cannot take the snapshot.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Ends of epochs cannot be kept.
    #[error("failed to keep the ends of epochs")]
    Ends(#[from] EndsError),
    /// Where the chain begins cannot be written down.
    #[error("failed to write down where the chain begins")]
    Anchor(#[from] metadata::Error),
    /// Storage cannot be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The network or a worker ended.
    #[error("the node is stopping")]
    Stopping,
}

/// Why a server did not serve.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("it does not answer")]
    Silent,
    #[error("it has no {0} any more")]
    Gone(&'static str),
    #[error("it answers something else than was asked")]
    Answer,
    #[error("it sends something that cannot be read: {0}")]
    Malformed(#[from] commonware_codec::Error),
    #[error(transparent)]
    Doubt(#[from] Doubt),
    #[error("the snapshot is not what the certificate says: {0}")]
    Snapshot(ImportError),
    #[error("the snapshot's block was made from another ordered block")]
    Digest,
    #[error("its snapshot has no end")]
    Endless,
    #[error("what several servers gave is not what the certificate says: {0}")]
    Mixed(ImportError),
    #[error(transparent)]
    Own(#[from] SyncError),
}

impl From<EndsError> for Failure {
    fn from(error: EndsError) -> Self {
        Self::Own(error.into())
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        if error.is_sources_fault() { Self::Snapshot(error) } else { Self::Own(error.into()) }
    }
}

/// Gets a snapshot into an empty directory, from whoever has one. `peers` says how many others there are; `network` is the channel
/// of state sync.
///
/// # Errors
/// If this node cannot keep it. A peer's faults are no errors.
pub async fn fetch<E, S, R>(
    context: E,
    rules: Arc<Rules>,
    wanted: Wanted,
    peers: usize,
    network: &mut (S, R),
    progress: &watch::Sender<Progress>,
) -> Result<Joining, SyncError>
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    match rules.dissemination {
        Chosen::Whole => {
            Client::<E, Whole, S, R>::open(context, rules, wanted, network, progress).await?.run(peers).await
        }
        Chosen::Coded => {
            Client::<E, Coded, S, R>::open(context, rules, wanted, network, progress).await?.run(peers).await
        }
    }
}

struct Client<'a, E: Runtime, K: Dissemination, S, R> {
    context: E,
    rules: Arc<Rules>,
    wanted: Wanted,
    network: &'a mut (S, R),
    progress: &'a watch::Sender<Progress>,
    ends: Ends<E, K>,
    worker: Worker,
    /// Number of the newest question.
    question: u64,
    /// Block of an import that was begun.
    begun: Option<BlockRef>,
    /// Who gave parts of it; nobody knows who did before this process.
    given_by: BTreeSet<Option<PublicKey>>,
    /// Whether everything must come from one server: an import whose parts came from several was false, and nobody knows whose fault
    /// that is.
    is_from_one: bool,
}

/// What peers offer.
type Offers = BTreeMap<PublicKey, Vec<Offered>>;

impl<'a, E, K, S, R> Client<'a, E, K, S, R>
where
    E: Runtime,
    K: Dissemination,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    async fn open(
        context: E,
        rules: Arc<Rules>,
        wanted: Wanted,
        network: &'a mut (S, R),
        progress: &'a watch::Sender<Progress>,
    ) -> Result<Self, SyncError> {
        let page_cache = CacheRef::new(page_size(4096), NZUsize!(64));
        let ends = Ends::open(&context, &wanted.partition, &page_cache).await?;
        let worker = Worker::start(context.child("importer"));
        let begun = match vacancy(&wanted.directory).map_err(ImportError::from)? {
            Vacancy::Begun(block) => Some(block),
            _ => None,
        };
        let given_by = begun.iter().map(|_| None).collect();
        let (question, is_from_one) = (0, false);
        Ok(Self { context, rules, wanted, network, progress, ends, worker, question, begun, given_by, is_from_one })
    }

    async fn run(mut self, peers: usize) -> Result<Joining, SyncError> {
        let deadline = self.wanted.patience.map(|patience| self.context.current() + patience);
        let mut given_up = BTreeSet::new();
        for round in 0_u64.. {
            let offers = self.offers(peers, &given_up).await?;
            let is_late = deadline.is_some_and(|deadline| self.context.current() >= deadline);
            let Some((server, offered)) = self.choose(&offers, &given_up) else {
                // Half of the peers know nothing worth having: so it is, or they would be more than a third that lie.
                if is_late || (deadline.is_some() && given_up.is_empty() && 2 * offers.len() > peers) {
                    return Ok(Joining::Replay);
                }
                if round % SAID_EVERY == SAID_EVERY - 1 {
                    tracing::warn!(answers = offers.len(), "no peer has a snapshot for this node yet");
                }
                if !given_up.is_empty() {
                    self.context.sleep(FORGIVE).await;
                    given_up.clear();
                }
                continue;
            };
            match self.join(&server, offered).await {
                Ok(block) => return Ok(Joining::State(block)),
                Err(Failure::Own(error)) => return Err(error),
                Err(error @ Failure::Mixed(_)) => tracing::warn!(height = offered.height, %error, "begins anew"),
                Err(error) => {
                    tracing::warn!(%server, height = offered.height, %error, "gives up a server of state");
                    given_up.insert(server);
                }
            }
        }
        Err(SyncError::Stopping)
    }

    /// The best offer: that of an import that was begun, or else the newest.
    fn choose(&self, offers: &Offers, given_up: &BTreeSet<PublicKey>) -> Option<(PublicKey, Offered)> {
        let all = offers.iter().flat_map(|(peer, list)| list.iter().map(move |offered| (peer, *offered)));
        let begun = self.begun.map(|block| block.height);
        all.filter(|(peer, offered)| offered.height >= self.wanted.least.max(1) && !given_up.contains(*peer))
            .max_by_key(|(_, offered)| (Some(offered.height) == begun, offered.height))
            .map(|(peer, offered)| (peer.clone(), offered))
    }

    /// Asks everybody, and waits until all have answered, or a little longer than one that has something.
    async fn offers(&mut self, peers: usize, given_up: &BTreeSet<PublicKey>) -> Result<Offers, SyncError> {
        self.question += 1;
        let id = self.question;
        let request = Message::<K>::Request(id, Request::Offer).encode();
        let _ = self.network.0.send(Recipients::All, request, false);
        let mut offers = Offers::new();
        let mut until = self.context.current() + ASK_AGAIN;
        let mut has_something = false;
        while offers.len() < peers {
            let Some((peer, message)) = self.receive(until).await? else { break };
            let Ok(Message::Answer(of, Answer::Offer(list))) = message else { continue };
            if of == id {
                offers.insert(peer, list);
            }
            if !has_something && self.choose(&offers, given_up).is_some() {
                has_something = true;
                until = self.context.current() + GRACE;
            }
        }
        if offers.len() >= peers && !has_something {
            self.context.sleep_until(until).await;
        }
        Ok(offers)
    }

    /// The next message until a time. Those who look for snapshots as well are told that there is none here.
    async fn receive(
        &mut self,
        until: std::time::SystemTime,
    ) -> Result<Option<(PublicKey, Result<Message<K>, commonware_codec::Error>)>, SyncError> {
        loop {
            let received = {
                let mut timeout = pin!(self.context.sleep_until(until).fuse());
                let mut message = pin!(self.network.1.recv().fuse());
                futures::select_biased! {
                    message = message => message.map_err(|_| SyncError::Stopping)?,
                    () = timeout => return Ok(None),
                }
            };
            let (peer, bytes) = received;
            match Message::<K>::decode_cfg(bytes, &CertificateBounds::ANY) {
                Ok(Message::Request(id, request)) => {
                    let answer = if request == Request::Offer { Answer::Offer(Vec::new()) } else { Answer::Nothing };
                    let _ =
                        self.network.0.send(Recipients::One(peer), Message::<K>::Answer(id, answer).encode(), false);
                }
                message => return Ok(Some((peer, message))),
            }
        }
    }

    /// Asks a server, again if need be, and returns what it answers.
    async fn ask(&mut self, server: &PublicKey, request: Request) -> Result<Answer<K>, Failure> {
        for _ in 0..MAX_SILENCES {
            self.question += 1;
            let id = self.question;
            let encoded = Message::<K>::Request(id, request).encode();
            self.context.sleep(PACE).await;
            let _ = self.network.0.send(Recipients::One(server.clone()), encoded, false);
            let until = self.context.current() + ANSWER_TIMEOUT;
            while let Some((peer, message)) = self.receive(until).await? {
                match message {
                    _ if peer != *server => {}
                    Ok(Message::Answer(of, answer)) if of == id => return Ok(answer),
                    Ok(_) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Err(Failure::Silent)
    }

    /// Everything from one server.
    async fn join(&mut self, server: &PublicKey, offered: Offered) -> Result<BlockRef, Failure> {
        let height = offered.height;
        tracing::info!(%server, height, "state sync begins");
        let evidence = match self.ask(server, Request::Evidence(height)).await? {
            Answer::Evidence(evidence) => *evidence,
            Answer::Nothing => return Err(Failure::Gone("evidence")),
            _ => return Err(Failure::Answer),
        };
        let trust = self.trust(server, evidence.epoch()).await?;
        let trusted = trust.check(height, &evidence, &mut self.context)?;
        let manifest = self.manifest(server, offered).await?;
        self.begin_anew_for(server, trusted).await?;
        let import = self.begin(trusted, manifest, &evidence).await?;
        // Written before the import can be complete: see the module of anchors.
        anchor::write(&self.context, &self.wanted.partition, evidence.floor).await.map_err(SyncError::from)?;
        self.begun = Some(trusted);
        self.given_by.insert(Some(server.clone()));
        let import = self.chunks(server, height, import).await?;
        let finished = self.worker.run(move || import.finish()).await.map_err(|_| SyncError::Stopping)?;
        match finished {
            Ok(block) => {
                tracing::info!(height = block.height, hash = %block.hash, "state sync is complete");
                Ok(block)
            }
            Err(error) if error.is_sources_fault() => {
                self.begun = None;
                let givers = std::mem::take(&mut self.given_by);
                if givers.len() == 1 {
                    return Err(Failure::Snapshot(error));
                }
                self.is_from_one = true;
                Err(Failure::Mixed(error))
            }
            Err(error) => Err(SyncError::from(error).into()),
        }
    }

    /// Throws away what was begun if it cannot be gone on with: it is of another block, or others' work where that must not be.
    async fn begin_anew_for(&mut self, server: &PublicKey, trusted: BlockRef) -> Result<(), Failure> {
        let is_own = self.given_by.iter().all(|giver| giver.as_ref() == Some(server));
        if self.begun == Some(trusted) && (is_own || !self.is_from_one) {
            return Ok(());
        }
        let directory = self.wanted.directory.clone();
        let given_up = self.worker.run(move || give_up(&directory)).await.map_err(|_| SyncError::Stopping)?;
        given_up.map_err(|error| SyncError::from(ImportError::from(error)))?;
        self.begun = None;
        self.given_by.clear();
        Ok(())
    }

    /// The committees around `epoch`, from the ends that are known, and those that the server gives.
    async fn trust(&mut self, server: &PublicKey, epoch: Epoch) -> Result<Trust, Failure> {
        let mut next = self.ends.next().await?;
        let mut trust = self.known(next.min(epoch)).await?;
        while next < epoch {
            let ends = match self.ask(server, Request::Ends(next.get())).await? {
                Answer::Ends(ends) => ends,
                Answer::Nothing => return Err(Failure::Gone("ends of epochs")),
                _ => return Err(Failure::Answer),
            };
            for end in ends {
                if next == epoch {
                    break;
                }
                trust.learn(&end, &mut self.context)?;
                self.ends.add(next, &end).await?;
                next = next.next();
            }
            self.ends.sync().await?;
        }
        Ok(trust)
    }

    /// Trust up to `epoch`, whose predecessors' ends are known.
    async fn known(&self, epoch: Epoch) -> Result<Trust, Failure> {
        let mut trust = Trust::new(Arc::clone(&self.rules));
        for before in epoch.get().saturating_sub(2)..epoch.get() {
            let end: Option<Certified<K>> = self.ends.get(Epoch::new(before)).await?;
            let header = end.as_ref().and_then(|end| end.headers.last()).ok_or(EndsError::NoHeader)?;
            trust.remember(header)?;
        }
        Ok(trust)
    }

    async fn manifest(&mut self, server: &PublicKey, offered: Offered) -> Result<Bytes, Failure> {
        let size = offered.manifest_bytes as usize;
        let mut manifest = Vec::new();
        for piece in 0..u32::try_from(size.div_ceil(PIECE_SIZE_BYTES)).unwrap_or(u32::MAX) {
            let bytes = match self.ask(server, Request::Manifest(offered.height, piece)).await? {
                Answer::Manifest(bytes) => bytes,
                Answer::Nothing => return Err(Failure::Gone("manifest")),
                _ => return Err(Failure::Answer),
            };
            if bytes.len() != PIECE_SIZE_BYTES.min(size - manifest.len()) {
                return Err(Failure::Answer);
            }
            manifest.extend_from_slice(&bytes);
        }
        Ok(manifest.into())
    }

    /// Checks the manifest and opens the directory.
    async fn begin(
        &self,
        trusted: BlockRef,
        manifest: Bytes,
        evidence: &Evidence<K>,
    ) -> Result<SnapshotImport, Failure> {
        let Wanted { directory, genesis, .. } = self.wanted.clone();
        let begun = self.worker.run(move || SnapshotImport::begin(&directory, &genesis, trusted, &manifest));
        let import = begun.await.map_err(|_| SyncError::Stopping)??;
        let digest = evidence.floor.headers.first().map(|header| header.digest().0);
        let made_from = digest_of(import.header()).unwrap_or(GENESIS_DIGEST);
        if digest != Some(made_from.0) {
            return Err(Failure::Digest);
        }
        Ok(import)
    }

    async fn chunks(
        &mut self,
        server: &PublicKey,
        height: u64,
        mut import: SnapshotImport,
    ) -> Result<SnapshotImport, Failure> {
        let mut progress = Progress { height, ..Progress::default() };
        self.progress.send_replace(progress);
        while let Some(from) = import.next() {
            if progress.chunks == MAX_CHUNKS {
                return Err(Failure::Endless);
            }
            let chunk = match self.ask(server, Request::Chunk(height, from)).await? {
                Answer::Chunk(bytes) => bytes,
                Answer::Nothing => return Err(Failure::Gone("chunks")),
                _ => return Err(Failure::Answer),
            };
            progress.chunks += 1;
            progress.bytes += chunk.len() as u64;
            let added = self.worker.run(move || import.add(&chunk).map(|()| import));
            import = added.await.map_err(|_| SyncError::Stopping)??;
            self.progress.send_replace(progress);
        }
        Ok(import)
    }
}
