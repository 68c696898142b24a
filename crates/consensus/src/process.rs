//! A node as a part of a process: runtime, sockets and engine on threads of their own, behind handles that know no runtime.
//!
//! This is the only place where the engine meets tokio and TCP, so that they are compiled together once. Whoever starts a node
//! gets a [`Process`]: it answers from any thread, and ends the node when it is told to or dropped.

mod forward;
pub(crate) mod network;
mod proof;
mod traffic;
mod wish;

use std::{
    collections::BTreeSet,
    fmt,
    net::SocketAddr,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    pin::pin,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use alloy_primitives::B256;
use braid_chain::{Ledger, ProposalLimits};
use braid_types::{BlockRef, ConsensusConfig, Height, RecoveredTx, limits::MAX_FOLLOWERS};
use commonware_consensus::{
    simplex::elector::{Config as ElectorConfig, Elector as _, RoundRobin},
    types::{Epoch, Round, View},
};
use commonware_cryptography::{Blake3, Signer as _, ed25519::PublicKey};
use commonware_runtime::{
    Metrics as _, Runner as _, Strategizer as _, Supervisor as _,
    tokio::{Config, Context, Runner},
};
use commonware_utils::channel::{mpsc, oneshot, watch};
use futures::{FutureExt as _, future::Either};
use parking_lot::Mutex;
use zeroize::Zeroizing;

pub use self::{
    proof::{Proof, ProofError},
    traffic::Traffic,
    wish::{Follower, Vote},
};
use crate::{
    application::Pace,
    certificates::Certificates,
    committee::{Committee, Validator},
    committees::Committees,
    engine::{self, Settings},
    epochs::Timeouts,
    keys::{self, KeyError},
    peers::Peers as _,
    retention::pruned_below,
    rules::{Rules, RulesError},
    scheme::Scheme,
    status::Status,
    sync::{self, Joining, Wanted},
};

/// Threads for messages, votes and storage, at most. Blocks are checked and executed on threads of the engine's own.
const MAX_RUNTIME_THREADS: usize = 2;

/// Threads that verify signatures.
const CRYPTOGRAPHY_THREADS: NonZeroUsize = NonZeroUsize::MIN;

/// Waiting transactions with which a leader makes a block before its time.
const ENOUGH_TRANSACTIONS: usize = 4_096;

/// Prefix of the engine's partitions in the storage directory.
pub const PARTITION: &str = "braid";

/// How long the engine may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// What a node is.
#[derive(Clone)]
pub struct Options {
    /// How the validators agree, from the genesis.
    pub consensus: ConsensusConfig,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The private identity; see [`keys::identity`].
    pub identity: Zeroizing<Vec<u8>>,
    /// The file that it is in. One process at a time may use it; what the key has voted in is written down beside it.
    pub key_file: PathBuf,
    /// The share of the group's key; see [`keys::share`].
    pub share: Option<Zeroizing<Vec<u8>>>,
    /// Where to listen for peers.
    pub listen: SocketAddr,
    /// Nodes that follow; at most [`MAX_FOLLOWERS`](braid_types::limits::MAX_FOLLOWERS).
    pub followers: Vec<Follower>,
    /// For votes, certificates and blocks that are not executed yet.
    pub directory: PathBuf,
    /// Time from a block to the next, if little waits.
    pub block_interval: Duration,
    /// Ordered blocks and certificates behind the newest durable one that are kept at least; all if there is none.
    pub keep_blocks: Option<u64>,
    /// The change of the committee that it asks for.
    pub vote: Option<Vote>,
    /// Blocks from a snapshot that is taken for who joins to the next; zero: none are taken.
    pub snapshot_interval: u64,
    /// Takes transactions that a peer's clients gave to it, as that peer's node wrote them; must not block for long.
    pub on_forwarded: Arc<dyn Fn(Vec<Forwarded>) + Send + Sync>,
    /// Hears of final blocks as they become durable; of the newest only, if they come quickly.
    pub on_final: Arc<dyn Fn(Final) + Send + Sync>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

/// A signed transaction as nodes forward it: the address of its sender, and then the transaction as EIP-2718 encodes it.
pub type Forwarded = bytes::Bytes;

/// Failed to start a node.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Identity or share.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The genesis gives no rules.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The address for peers cannot be listened on.
    #[error("failed to listen for peers on {address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The system gives no thread.
    #[error("failed to start a thread")]
    Thread(#[source] std::io::Error),
    /// The engine cannot start.
    #[error(transparent)]
    Engine(#[from] engine::StartError),
    /// A snapshot cannot be kept.
    #[error("failed to join by state sync")]
    Sync(#[source] Box<sync::SyncError>),
    /// There is no room in the network for so many.
    #[error("{0} followers are more than {MAX_FOLLOWERS}")]
    Followers(usize),
    /// A thread ended before the engine ran.
    #[error("consensus ended while it started: {0}")]
    Ended(String),
}

impl From<sync::SyncError> for ProcessError {
    fn from(error: sync::SyncError) -> Self {
        Self::Sync(Box::new(error))
    }
}

/// A block that is final and durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Final {
    /// Its height.
    pub height: Height,
    /// Since the one before.
    pub round_time: Duration,
    /// Since its time stamp.
    pub finality_time: Duration,
}

/// Where a node stands.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The epoch whose engine runs.
    pub epoch: u64,
    /// The newest view in which anything was certified.
    pub view: u64,
    /// Height of the newest block known to be final.
    pub finalized_height: Height,
    /// Who leads the view after.
    pub leader: Option<B256>,
    /// Between the last two final blocks.
    pub round_time: Option<Duration>,
    /// From the newest final block's time stamp until it was durable here.
    pub finality_time: Option<Duration>,
    /// The epoch's committee.
    pub committee: Vec<Validator>,
    /// The engine's own counts.
    pub status: Status,
}

/// Another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its public key.
    pub public_key: B256,
    /// Where it listens, `host:port`.
    pub address: String,
    /// Whether there is a connection.
    pub is_connected: bool,
}

/// A node that is connected with others, and has no chain yet.
pub struct Connected {
    process: Arc<Process>,
    orders: mpsc::UnboundedSender<Order>,
    progress: watch::Receiver<sync::Progress>,
}

/// What a node's thread is told while it has no chain.
enum Order {
    Sync(Box<Wanted>, Reply<Joining, sync::SyncError>),
    Start(Arc<Ledger>, Reply<(), engine::StartError>),
}

type Reply<T, E> = std::sync::mpsc::Sender<Result<T, E>>;

/// A running node.
pub struct Process {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
}

/// What the threads and the handle share.
struct Shared {
    rules: Arc<Rules>,
    own: B256,
    keep_blocks: Option<u64>,
    followers: Vec<Follower>,
    traffic: network::ChannelCounts,
    failure: Mutex<Option<String>>,
    last_final: Mutex<Option<Final>>,
    running: Mutex<Option<Running>>,
}

/// Handles into the running engine.
#[derive(Clone)]
struct Running {
    status: watch::Receiver<Status>,
    certificates: Certificates,
    committees: Committees,
    metrics: Arc<Mutex<Context>>,
    outgoing: forward::Queue,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("own", &self.shared.own).finish_non_exhaustive()
    }
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected").field("process", &self.process).finish_non_exhaustive()
    }
}

/// Begins to listen for peers and to connect with them. `genesis` is the block at height 0.
///
/// # Errors
/// [`ProcessError`]. Nothing runs then.
pub fn connect(options: Options, genesis: BlockRef) -> Result<Connected, ProcessError> {
    let rules = Arc::new(Rules::new(&options.consensus, options.chain_id, genesis)?);
    let settings = settings(&options)?;
    if options.followers.len() > MAX_FOLLOWERS {
        return Err(ProcessError::Followers(options.followers.len()));
    }
    let followers = options.followers.iter().map(|node| Ok((keys::from_bytes(node.public_key)?, node.address)));
    let followers = followers.collect::<Result<Vec<_>, KeyError>>()?;
    let address = options.listen;
    network::check_free(address).map_err(|reason| ProcessError::Listen { address, reason })?;
    let shared = Arc::new(Shared {
        rules: Arc::clone(&rules),
        own: keys::public_key(&options.identity)?,
        keep_blocks: options.keep_blocks,
        followers: options.followers.clone(),
        traffic: network::ChannelCounts::default(),
        failure: Mutex::new(None),
        last_final: Mutex::new(None),
        running: Mutex::new(None),
    });
    let (stop, stopped) = oneshot::channel();
    let (orders, told) = mpsc::unbounded_channel();
    let (written, progress) = watch::channel(sync::Progress::default());
    let life = Life { options, rules, settings, followers, told, progress: written, shared: Arc::clone(&shared) };
    let thread = thread::Builder::new()
        .name("consensus".to_owned())
        .spawn(move || live(life, stopped))
        .map_err(ProcessError::Thread)?;
    let process = Process { shared, thread: Mutex::new(Some(thread)), stop: Mutex::new(Some(stop)) };
    Ok(Connected { process: Arc::new(process), orders, progress })
}

impl Connected {
    /// Gets a snapshot into an empty directory, if peers have one that is wanted. Returns when it is there, when it is not to be had,
    /// or when [`Connected::stop`] was called.
    ///
    /// # Errors
    /// If it cannot be kept, or the node has stopped.
    pub fn sync(&self, wanted: Wanted) -> Result<Joining, ProcessError> {
        let (reply, outcome) = std::sync::mpsc::channel();
        // A thread that has ended drops the order, which closes the channel.
        let _ = self.orders.send(Order::Sync(Box::new(wanted), reply));
        match outcome.recv() {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(self.ended()),
        }
    }

    /// How [`Connected::sync`] goes.
    pub fn progress(&self) -> sync::Progress {
        *self.progress.borrow()
    }

    /// Starts the engine on the chain that is there now: as a validator if the node's key belongs to the committee, else as a follower.
    /// Returns once it runs.
    ///
    /// # Errors
    /// [`ProcessError`]. Nothing runs then.
    pub fn start(&self, ledger: Arc<Ledger>) -> Result<Arc<Process>, ProcessError> {
        let (reply, started) = std::sync::mpsc::channel();
        let _ = self.orders.send(Order::Start(ledger, reply));
        match started.recv_timeout(START_TIMEOUT) {
            Ok(Ok(())) => Ok(Arc::clone(&self.process)),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(self.ended()),
        }
    }

    /// Ends the node and waits for it.
    pub fn stop(&self) {
        self.process.stop();
    }

    fn ended(&self) -> ProcessError {
        ProcessError::Ended(self.process.failure().unwrap_or_else(|| "it takes too long, or was stopped".to_owned()))
    }
}

fn settings(options: &Options) -> Result<Settings, ProcessError> {
    Ok(Settings {
        key: keys::identity(&options.identity)?,
        key_file: options.key_file.clone(),
        share: options.share.as_ref().map(|share| keys::share(share)).transpose()?,
        pace: Pace {
            block_interval: options.block_interval,
            enough_transactions: ENOUGH_TRANSACTIONS,
            limits: ProposalLimits::default(),
        },
        timeouts: Timeouts::default(),
        keep_blocks: options.keep_blocks,
        vote: options.vote.as_ref().map(Vote::change).transpose()?,
        partition: PARTITION.to_owned(),
        snapshot_interval: options.snapshot_interval,
    })
}

/// What the node's thread works with.
struct Life {
    options: Options,
    rules: Arc<Rules>,
    settings: Settings,
    followers: network::Followers,
    told: mpsc::UnboundedReceiver<Order>,
    progress: watch::Sender<sync::Progress>,
    shared: Arc<Shared>,
}

/// Half as many threads as there are cores: where there are two, a second thread would do little but wake the first.
fn runtime_threads() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    (cores / 2).clamp(1, MAX_RUNTIME_THREADS)
}

/// The node's thread: the runtime, until somebody stops it or it cannot go on.
fn live(life: Life, stopped: oneshot::Receiver<()>) {
    let shared = Arc::clone(&life.shared);
    let config = Config::new()
        .with_worker_threads(runtime_threads())
        .with_storage_directory(&life.options.directory)
        .with_tcp_nodelay(Some(true))
        .with_connect_timeout(network::CONNECT_TIMEOUT)
        .with_read_write_timeout(network::SILENCE_TIMEOUT)
        .with_catch_panics(false);
    // A part that panics takes the runtime with it; the process around it still stops in order.
    let run = || Runner::new(config).start(|context| run(context, life, stopped));
    let outcome = catch_unwind(AssertUnwindSafe(run));
    *shared.running.lock() = None;
    let failure = match outcome {
        Ok(failure) => failure,
        Err(_) => Some("a part of consensus panicked".to_owned()),
    };
    if let Some(failure) = failure {
        *shared.failure.lock() = Some(failure);
    }
}

/// Connects, waits for a chain, starts the engine on it, and waits. Returns why it cannot go on, or nothing if it was told to stop.
async fn run(context: Context, life: Life, mut stopped: oneshot::Receiver<()>) -> Option<String> {
    let Life { options, rules, settings, followers, told, progress, shared } = life;
    let mut network = network::open(&context, &rules, settings.key.clone(), options.listen, followers, &shared.traffic);
    let waiting = wait_for_chain(&context, &rules, &settings, &mut network, told, &progress);
    let (ledger, report) = match futures::future::select(pin!(waiting), &mut stopped).await {
        Either::Left((Some(start), _)) => start,
        // Told to stop, or nobody is there any more.
        _ => return None,
    };
    let strategy = context.child("cryptography").strategy(CRYPTOGRAPHY_THREADS);
    let (sender, receiver) = network.transactions;
    let own = settings.key.public_key();
    let pool = Arc::clone(ledger.chain());
    let waiting = move |hash| Some(forward::form(&pool.pool().lock().get(hash)?));
    let engine = engine::start(context.child("engine"), rules, settings, network.engine, strategy, ledger);
    let mut node = match engine.await {
        Ok(node) => node,
        Err(error) => {
            let failure = error.to_string();
            // Nobody waits any more if it took too long.
            let _ = report.send(Err(error));
            return Some(failure);
        }
    };
    let (outgoing, queue) = forward::queue();
    let (status, committees) = (node.status.clone(), node.committees.clone());
    let leaders = move || next_leaders(&status.borrow(), &committees, &own);
    forward::send(&context, sender, queue, leaders, waiting);
    forward::receive(&context, receiver, Arc::clone(&options.on_forwarded));
    *shared.running.lock() = Some(Running {
        outgoing,
        status: node.status.clone(),
        certificates: node.certificates.clone(),
        committees: node.committees.clone(),
        metrics: Arc::new(Mutex::new(context.child("metrics"))),
    });
    let _ = report.send(Ok(()));
    let mut status = node.status.clone();
    let mut follow = Follow::default();
    loop {
        let is_alive = {
            let mut changed = pin!(status.changed().fuse());
            let mut fault = pin!(node.faults.recv().fuse());
            let mut end = pin!(node.stopped.changed().fuse());
            futures::select! {
                _ = (&mut stopped).fuse() => return None,
                end = end => end.is_ok(),
                fault = fault => fault.inspect(|fault| tracing::warn!(?fault, "a validator is at fault")).is_some(),
                changed = changed => changed.is_ok(),
            }
        };
        if let Some(reason) = node.stopped.borrow_and_update().clone() {
            return Some(reason.to_string());
        }
        if !is_alive {
            return Some("a part of consensus ended".to_owned());
        }
        let now = status.borrow_and_update().clone();
        if let Some(final_block) = follow.update(&now) {
            *shared.last_final.lock() = Some(final_block);
            (options.on_final)(final_block);
        }
    }
}

/// Does what is ordered until there is a chain to start on; nothing if nobody orders any more.
async fn wait_for_chain(
    context: &Context,
    rules: &Arc<Rules>,
    settings: &Settings,
    network: &mut network::Opened,
    mut told: mpsc::UnboundedReceiver<Order>,
    progress: &watch::Sender<sync::Progress>,
) -> Option<(Arc<Ledger>, Reply<(), engine::StartError>)> {
    loop {
        match told.recv().await? {
            Order::Start(ledger, report) => return Some((ledger, report)),
            Order::Sync(wanted, report) => {
                network.engine.peers.activate(0, &rules.committee, &[]);
                let own = settings.key.public_key();
                let others = rules.committee.keys().iter().filter(|key| **key != own).count();
                let (context, rules) = (context.child("joining"), Arc::clone(rules));
                let fetching =
                    async |channel: &mut _| sync::fetch(context, rules, *wanted, others, channel, progress).await;
                // Nobody waits any more if the node is stopping.
                let _ = report.send(network.drain(fetching).await);
            }
        }
    }
}

/// Watches the newest final block.
#[derive(Debug, Default)]
struct Follow {
    height: Height,
    at: Option<Instant>,
}

impl Follow {
    /// The newest final block, if it is another than before. Several at once share the time since.
    #[expect(clippy::disallowed_methods, reason = "for operators; nothing is decided by it")]
    fn update(&mut self, status: &Status) -> Option<Final> {
        let height = status.durable.height;
        let blocks = height.checked_sub(self.height).filter(|blocks| *blocks > 0)?;
        let now = Instant::now();
        let since = self.at.replace(now).map(|before| now.duration_since(before));
        self.height = height;
        let round_time = since? / u32::try_from(blocks).unwrap_or(u32::MAX);
        Some(Final { height, round_time, finality_time: Duration::from_millis(status.finality_ms) })
    }
}

impl Process {
    /// Why the node cannot go on, if it cannot. The process should end then.
    pub fn failure(&self) -> Option<String> {
        self.shared.failure.lock().clone()
    }

    /// Where it stands.
    pub fn progress(&self) -> Progress {
        let Some(running) = self.running() else { return Progress::default() };
        let status = running.status.borrow().clone();
        let (epoch, view) = (Epoch::new(status.epoch), View::new(status.view));
        let committee = running.committees.committee(epoch);
        let last = *self.shared.last_final.lock();
        Progress {
            epoch: status.epoch,
            view: status.view,
            finalized_height: status.tip.max(status.durable.height),
            leader: committee.as_deref().and_then(|committee| leader(committee, Round::new(epoch, view.next()))),
            round_time: last.map(|last| last.round_time),
            finality_time: last.map(|last| last.finality_time),
            committee: committee.map(|committee| committee.validators().to_vec()).unwrap_or_default(),
            status,
        }
    }

    /// The proof that the block at `height` is final; `None` if this node has none yet.
    ///
    /// # Errors
    /// If what is stored cannot be read, or is no longer kept.
    pub fn proof(&self, height: Height) -> Result<Option<Proof>, ProofError> {
        // Nobody ordered the genesis.
        let Some(running) = self.running().filter(|_| height > 0) else { return Ok(None) };
        let Some(encoded) = futures::executor::block_on(running.certificates.certificate(height)) else {
            let durable = running.status.borrow().durable.height;
            let oldest = self.shared.keep_blocks.map_or(0, |keep| pruned_below(&self.shared.rules, durable, keep));
            return if height < oldest { Err(ProofError::Pruned { height, oldest }) } else { Ok(None) };
        };
        proof::read(&encoded, self.shared.rules.dissemination, &running.committees).map(Some)
    }

    /// The committee's other members and the followers.
    pub fn peers(&self) -> Vec<Peer> {
        let metrics = self.metrics();
        let is_connected = |key: B256| network::is_connected(&metrics, key);
        let progress = self.progress();
        let members =
            progress.committee.iter().map(|member| (keys::to_bytes(&member.public_key), member.address.clone()));
        let followers = self.shared.followers.iter().map(|node| (node.public_key, node.address.to_string()));
        let others = members.chain(followers).filter(|(key, _)| *key != self.shared.own);
        others
            .map(|(public_key, address)| Peer { public_key, address, is_connected: is_connected(public_key) })
            .collect()
    }

    /// What has gone in and out since the start, by the channel's name.
    pub fn traffic(&self) -> [(&'static str, Traffic); network::CHANNELS.len()] {
        self.shared.traffic.read()
    }

    /// Sends transactions to those who may propose them next, and again as long as they wait in the pool. What finds no room is left
    /// out.
    pub fn forward<'a>(&self, transactions: impl IntoIterator<Item = &'a RecoveredTx>) {
        let Some(running) = self.running() else { return };
        for transaction in transactions {
            if running.outgoing.try_send(forward::Outgoing::new(transaction)).is_err() {
                return;
            }
        }
    }

    /// The runtime's metrics, in Prometheus's text format.
    pub fn metrics(&self) -> String {
        self.running().map(|running| running.metrics.lock().encode()).unwrap_or_default()
    }

    /// Ends the node and waits for it.
    pub fn stop(&self) {
        // Dropping the sender wakes the thread as sending would.
        drop(self.stop.lock().take());
        if let Some(thread) = self.thread.lock().take() {
            // A panic was caught in the thread already.
            let _ = thread.join();
        }
    }

    fn running(&self) -> Option<Running> {
        self.shared.running.lock().clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Who leads the next rounds, without oneself.
fn next_leaders(status: &Status, committees: &Committees, own: &PublicKey) -> Vec<PublicKey> {
    let epoch = Epoch::new(status.epoch);
    let Some(committee) = committees.committee(epoch) else { return Vec::new() };
    let rounds = (1..=forward::LEADERS).map(|ahead| Round::new(epoch, View::new(status.view.saturating_add(ahead))));
    let leaders: BTreeSet<_> = rounds.filter_map(|round| leader(&committee, round)).collect();
    let keys = leaders.into_iter().filter_map(|key| keys::from_bytes(key).ok());
    keys.filter(|key| key != own).collect()
}

/// Who leads a round: the engine's own choice.
fn leader(committee: &Committee, round: Round) -> Option<B256> {
    let elector = ElectorConfig::<Scheme>::build(RoundRobin::<Blake3>::default(), &committee.keys());
    let index = usize::from(elector.elect(round, ()));
    committee.validators().get(index).map(|member| keys::to_bytes(&member.public_key))
}
