//! One node of the network, validator or follower, put together.
//!
//! ```text
//!            votes, certificates, resolver                 blocks        backfill       sync
//!                       │                                    │              │             │
//!   orchestrator ── simplex (one an epoch) ── application ── marshal ───────┘       snapshots
//!                       │                          │            │ final blocks, in order
//!                    watcher ── faults         pipeline ◄── finality
//!                                                  │
//!                                               ledger
//! ```
//!
//! A follower is the same thing without a key in the committee: its simplex engine checks certificates and never votes. Followers are
//! secondary peers of the validators, which send them blocks and certificates as they send them to each other.

use std::{num::NonZeroU64, path::PathBuf, sync::Arc};

use braid_chain::{Ledger, LedgerError};
use commonware_broadcast::buffered;
use commonware_consensus::{
    CertifiableAutomaton, Relay, Reporter,
    marshal::{
        self, Start,
        coding::{
            Coding as CodedVariant, Marshaled, MarshaledConfig, shards,
            types::{CodedBlock, hash_context},
        },
        core::{Actor as Marshal, Buffer, Mailbox as MarshalMailbox, Variant},
        resolver::p2p as backfill,
        standard::{Deferred, Standard},
    },
    simplex::{
        self, Plan,
        types::{Activity, Context},
    },
    types::{Epoch, Height, coding::Commitment},
};
use commonware_cryptography::{
    Blake3, Digested, Digestible as _, Signer as _,
    certificate::Verifier as _,
    ed25519::{PrivateKey, PublicKey},
};
use commonware_p2p::{Blocker, Receiver, Sender, utils::mux::prefixed};
use commonware_parallel::Strategy;
use commonware_runtime::{
    Clock, Handle, Metrics, Spawner, Storage,
    buffer::paged::{CacheRef, page_size},
};
use commonware_storage::{
    archive::{self, Archive as _, Identifier, prunable},
    metadata,
    translator::EightCap,
};
use commonware_utils::{
    NZDuration, NZU64, NZUsize,
    channel::{mpsc, watch},
};
use rand_core::CryptoRng;

use braid_types::ordered::{Dissemination as Chosen, GENESIS_DIGEST};

use crate::{
    allowance::Allowance,
    anchor,
    application::{Application, Pace, Shared},
    block::{Block, Coded, Coding, Digest, Dissemination, GENESIS_CODING, Whole},
    certificates::{Certificates, Certified},
    committee::{Change, MAX_VALIDATORS, MIN_VALIDATORS},
    committees::Committees,
    ends::{Ends, EndsError},
    epochs::{Channels, JOURNAL_BUFFER, MAILBOX_SIZE, Orchestrator, Timeouts, VIEW_RETENTION},
    faults::{Fault, Faults, Watcher},
    finality::{Finality, Finalized, Prune},
    peers::Peers,
    pipeline::Pipeline,
    reshare::{self, Contract},
    rules::Rules,
    scheme::{GroupShare, Scheme, Signatures},
    status::{Board, Status},
    stop::{StopReason, Stopper},
    sync::{self, Server, Sources},
    vote_lock::{Guard, VoteLock, VoteLockError},
    worker::Worker,
};

/// Blocks that marshal hands over before the first of them is acknowledged.
pub(crate) const MAX_PENDING_BLOCKS: std::num::NonZeroUsize = NZUsize!(16);

/// Missing heights that marshal asks for at a time.
const MAX_REPAIRS: std::num::NonZeroUsize = NZUsize!(16);

/// Blocks kept for each sender until they are certified.
const BLOCKS_PER_SENDER: usize = 16;

/// Pages that storage caches, of 4 KiB.
const PAGE_CACHE_PAGES: std::num::NonZeroUsize = NZUsize!(1_024);

/// Items of one file of an archive.
const ITEMS_PER_SECTION: NonZeroU64 = NZU64!(256);

/// What a runtime must offer: commonware's tokio runtime, and its deterministic one.
pub trait Runtime: Spawner + Metrics + Clock + Storage + CryptoRng {}

impl<E: Spawner + Metrics + Clock + Storage + CryptoRng> Runtime for E {}

/// What is this node's own.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its identity, and its signing key under ed25519.
    pub key: PrivateKey,
    /// The file that the key is in. It is locked while the node runs; what the key has voted in is written down beside it.
    pub key_file: PathBuf,
    /// Its share of the group's key in the first epoch, under a threshold scheme. Later ones it gets from the others.
    pub share: Option<GroupShare>,
    /// When it makes blocks.
    pub pace: Pace,
    /// How long it waits for others.
    pub timeouts: Timeouts,
    /// Ordered blocks and certificates behind the newest durable one that are kept at least; all if there is none.
    pub keep_blocks: Option<u64>,
    /// The change of the committee that it asks for.
    pub vote: Option<Change>,
    /// Prefix of its storage partitions, unique in the runtime's storage.
    pub partition: String,
    /// Blocks from a snapshot that is taken for others to the next; zero: none are taken.
    pub snapshot_interval: u64,
}

/// The network as a node sees it. All nodes must number the channels alike.
#[derive(Debug)]
pub struct Network<P, B, S, R> {
    /// Chooses whom to connect to.
    pub peers: P,
    /// Keeps misbehaving peers away.
    pub blocker: B,
    /// Votes.
    pub votes: (S, R),
    /// Certificates.
    pub certificates: (S, R),
    /// Requests for certificates, and answers.
    pub resolver: (S, R),
    /// Requests for blocks, and answers.
    pub backfill: (S, R),
    /// Proposed blocks, or their shards.
    pub blocks: (S, R),
    /// Questions about state by those who join, and answers.
    pub sync: (S, R),
    /// Parts of shares of the group's key, and acknowledgements.
    pub shares: (S, R),
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    /// Where consensus stands.
    pub status: watch::Receiver<Status>,
    /// What validators do wrong.
    pub faults: mpsc::Receiver<Fault>,
    /// Finality certificates, for light clients.
    pub certificates: Certificates,
    /// The committees by epoch.
    pub committees: Committees,
    /// Set once consensus has stopped; the process must end then.
    pub stopped: watch::Receiver<Option<StopReason>>,
    /// The tasks. They end when this is dropped.
    _tasks: Tasks,
}

struct Tasks(Vec<Handle<()>>);

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tasks").field(&self.0.len()).finish()
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(Handle::abort);
    }
}

impl Node {
    /// Waits until consensus stops.
    pub async fn wait(&mut self) -> StopReason {
        loop {
            if let Some(reason) = self.stopped.borrow_and_update().clone() {
                return reason;
            }
            if self.stopped.changed().await.is_err() {
                return StopReason::Part("consensus");
            }
        }
    }
}

/// Failed to start a node.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The ledger's chain is not the one that the rules are for.
    #[error("the chain begins with another genesis block than the rules say")]
    Genesis,
    /// Coded dissemination needs four validators.
    #[error("coded dissemination needs at least 4 validators")]
    TooFewForCoding,
    /// The timeouts are not in order, or shorter than the block interval.
    #[error("timeouts must grow from the block interval over leader and certification to skip, and none may be zero")]
    Timeouts,
    /// The storage of shares cannot be opened.
    #[error("failed to open the storage of shares: {0}")]
    Secrets(#[source] metadata::Error),
    /// The genesis cannot be put into a block.
    #[error("failed to make the first block: {0}")]
    First(#[source] commonware_codec::Error),
    /// The storage of certificates and blocks cannot be opened.
    #[error("failed to open the archive of {what}: {reason}")]
    Archive {
        /// Blocks or finalizations.
        what: &'static str,
        /// Why.
        reason: archive::Error,
    },
    /// Where the chain begins cannot be read.
    #[error("failed to read where the chain begins")]
    Anchor(#[source] metadata::Error),
    /// The ends of epochs cannot be read.
    #[error("failed to read the ends of epochs")]
    Ends(#[source] EndsError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What the key has voted in cannot be told or kept, or another process has it.
    #[error(transparent)]
    VoteLock(#[from] VoteLockError),
}

/// Largest message on any channel, for the network's configuration.
pub fn max_message_size(rules: &Rules) -> u32 {
    let members = u32::try_from(MAX_VALIDATORS).unwrap_or(u32::MAX);
    let limits = Rules::body_limits();
    let (votes, blocks) = match rules.dissemination {
        Chosen::Whole => (
            simplex::max_payload_size::<Scheme, Digest>(members),
            marshal::max_payload_size::<WholeVariant, Scheme>(members, &limits),
        ),
        Chosen::Coded => (
            simplex::max_payload_size::<Scheme, <Coded as Dissemination>::Commitment>(members),
            marshal::max_payload_size::<ShardVariant, Scheme>(members, &limits),
        ),
    };
    let (sync, shares) = (sync::message::MAX_MESSAGE_BYTES, reshare::max_message_size());
    commonware_p2p::max_message_size(&[prefixed(votes), blocks, sync, shares])
}

type WholeVariant = Standard<Block<Whole>>;
type ShardVariant = CodedVariant<Block<Coded>, Coding, Blake3, PublicKey>;

/// Starts a node. `strategy` runs cryptography in parallel; it must be sequential in the deterministic runtime.
///
/// # Errors
/// [`StartError`]. Nothing runs then.
pub async fn start<E, P, B, S, R, T>(
    context: E,
    rules: Arc<Rules>,
    settings: Settings,
    network: Network<P, B, S, R>,
    strategy: T,
    ledger: Arc<Ledger>,
) -> Result<Node, StartError>
where
    E: Runtime,
    P: Peers,
    B: Blocker<PublicKey = PublicKey>,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    T: Strategy,
{
    if !settings.timeouts.fit(settings.pace.block_interval) {
        return Err(StartError::Timeouts);
    }
    let genesis = ledger.executed(0, GENESIS_DIGEST)?;
    if genesis != Some(rules.genesis) {
        return Err(StartError::Genesis);
    }
    let lock = VoteLock::open(&settings.key_file, &rules.namespace)?;
    let parts = Parts::new(&context, Arc::clone(&rules), &settings, ledger, lock);
    match rules.dissemination {
        Chosen::Whole => start_whole(context, settings, network, strategy, parts).await,
        Chosen::Coded if rules.committee.validators().len() < MIN_VALIDATORS => Err(StartError::TooFewForCoding),
        Chosen::Coded => start_coded(context, settings, network, strategy, parts).await,
    }
}

/// What does not depend on the dissemination.
struct Parts {
    rules: Arc<Rules>,
    pipeline: Arc<Pipeline>,
    committees: Committees,
    board: Board,
    status: watch::Receiver<Status>,
    faults: Faults,
    reported: mpsc::Receiver<Fault>,
    stopper: Stopper,
    stopped: watch::Receiver<Option<StopReason>>,
    lock: VoteLock,
}

impl Parts {
    fn new(
        context: &impl Spawner,
        rules: Arc<Rules>,
        settings: &Settings,
        ledger: Arc<Ledger>,
        lock: VoteLock,
    ) -> Self {
        let (stopper, stopped) = Stopper::new();
        let (faults, reported) = Faults::new();
        let durable = ledger.durable();
        let (board, status) = Board::new(Status { durable, tip: durable.height, ..Status::default() });
        let checker = Worker::start(context.child("checker"));
        let executor = Worker::start(context.child("executor"));
        let pipeline = Pipeline::new(ledger, rules.execution_lag, checker, executor, stopper.clone());
        let committees = Committees::new(Arc::clone(&rules), settings.key.clone(), settings.share.as_ref());
        let pipeline = Arc::new(pipeline);
        Self { rules, pipeline, committees, board, status, faults, reported, stopper, stopped, lock }
    }

    fn shared(&self, settings: &Settings) -> Arc<Shared> {
        Arc::new(Shared {
            rules: Arc::clone(&self.rules),
            pipeline: Arc::clone(&self.pipeline),
            committees: self.committees.clone(),
            faults: self.faults.clone(),
            board: self.board.clone(),
            pace: settings.pace.clone(),
            allowance: Allowance::new(settings.pace.block_interval),
            vote: settings.vote.clone(),
        })
    }
}

fn genesis<K: Dissemination>(rules: &Rules) -> Result<Block<K>, StartError> {
    Block::genesis(rules.committee.clone(), rules.genesis, &rules.signatures).map_err(StartError::First)
}

async fn start_whole<E, P, B, S, R, T>(
    context: E,
    settings: Settings,
    network: Network<P, B, S, R>,
    strategy: T,
    parts: Parts,
) -> Result<Node, StartError>
where
    E: Runtime,
    P: Peers,
    B: Blocker<PublicKey = PublicKey>,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    T: Strategy,
{
    let block = genesis::<Whole>(&parts.rules)?;
    let digest = block.header.digest();
    let genesis = Digested::precomputed(block, digest);
    let Network { peers, blocker, votes, certificates, resolver, backfill, blocks, sync, shares } = network;
    let (engine, buffer) = buffered::Engine::<_, PublicKey, Block<Whole>, _, _>::new(
        context.child("broadcast"),
        buffered::Config {
            public_key: settings.key.public_key(),
            mailbox_size: MAILBOX_SIZE,
            deque_size: BLOCKS_PER_SENDER,
            priority: false,
            codec_config: Rules::body_limits(),
            peer_provider: peers.clone(),
            strategy: strategy.clone(),
        },
    );
    let broadcast = engine.start(blocks);
    let shared = parts.shared(&settings);
    let epocher = parts.rules.epocher();
    let wrapping = context.child("deferred");
    let network =
        Joined { peers, blocker, channels: Channels { votes, certificates, resolver }, backfill, sync, shares };
    run::<E, Whole, WholeVariant, _, _, _, _, _, _, _>(
        context,
        settings,
        network,
        strategy,
        parts,
        genesis,
        buffer,
        broadcast,
        move |marshal, contract| Deferred::new(wrapping, Application::new(shared, contract), marshal, epocher),
    )
    .await
}

async fn start_coded<E, P, B, S, R, T>(
    context: E,
    settings: Settings,
    network: Network<P, B, S, R>,
    strategy: T,
    parts: Parts,
) -> Result<Node, StartError>
where
    E: Runtime,
    P: Peers,
    B: Blocker<PublicKey = PublicKey>,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    T: Strategy,
{
    let block = genesis::<Coded>(&parts.rules)?;
    let digest = block.header.digest();
    let hashed = hash_context::<Blake3, _>(&block.header.context);
    let commitment = Commitment::from((digest, digest, hashed, GENESIS_CODING));
    let genesis =
        Arc::new(CodedBlock::<_, Coding, Blake3>::precomputed(Digested::precomputed(block, digest), commitment));
    let Network { peers, blocker, votes, certificates, resolver, backfill, blocks, sync, shares } = network;
    let (engine, buffer) = shards::Engine::new(
        context.child("shards"),
        shards::Config {
            scheme_provider: parts.committees.clone(),
            blocker: blocker.clone(),
            block_codec_config: Rules::body_limits(),
            strategy: strategy.clone(),
            mailbox_size: MAILBOX_SIZE,
            peer_buffer_size: NZUsize!(64),
            records: NZUsize!(64),
            peer_provider: peers.clone(),
        },
    );
    let broadcast = engine.start(blocks);
    let config = (parts.shared(&settings), buffer.clone(), parts.committees.clone(), strategy.clone());
    let epocher = parts.rules.epocher();
    let wrapping = context.child("marshaled");
    let network =
        Joined { peers, blocker, channels: Channels { votes, certificates, resolver }, backfill, sync, shares };
    run::<E, Coded, ShardVariant, _, _, _, _, _, _, _>(
        context,
        settings,
        network,
        strategy,
        parts,
        genesis,
        buffer,
        broadcast,
        move |marshal, contract| {
            let (shared, shards, scheme_provider, strategy) = config;
            let application = Application::new(shared, contract);
            let config = MarshaledConfig { application, marshal, shards, scheme_provider, strategy, epocher };
            Marshaled::new(wrapping, config)
        },
    )
    .await
}

/// The network without the blocks' channel.
struct Joined<P, B, S, R> {
    peers: P,
    blocker: B,
    channels: Channels<S, R>,
    backfill: (S, R),
    sync: (S, R),
    shares: (S, R),
}

#[expect(clippy::too_many_arguments, reason = "the parts of a node, each of its own type")]
async fn run<E, K, V, P, B, S, R, T, F, A>(
    context: E,
    settings: Settings,
    network: Joined<P, B, S, R>,
    strategy: T,
    parts: Parts,
    genesis: V::Block,
    buffer: F,
    broadcast: Handle<()>,
    automaton: impl FnOnce(MarshalMailbox<Scheme, V>, Contract<K>) -> A,
) -> Result<Node, StartError>
where
    E: Runtime,
    K: Dissemination,
    V: Variant<ApplicationBlock = Block<K>, Commitment = K::Commitment>,
    P: Peers,
    B: Blocker<PublicKey = PublicKey>,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    T: Strategy,
    F: Buffer<V, PublicKey = PublicKey>,
    A: CertifiableAutomaton<Context = Context<K::Commitment, PublicKey>, Digest = K::Commitment>
        + Relay<Digest = K::Commitment, PublicKey = PublicKey, Plan = Plan<PublicKey>>
        + Reporter<Activity = Activity<Scheme, K::Commitment>>,
{
    let Parts { rules, pipeline, committees, board, status, faults, reported, stopper, stopped, lock } = parts;
    let page_cache = CacheRef::new(page_size(4096), PAGE_CACHE_PAGES);
    let prefix = &settings.partition;
    let guard = Guard::open(context.child("guard"), prefix, lock).await?;
    let finalizations =
        archive(&context, prefix, "finalizations", &page_cache, Scheme::certificate_codec_config_unbounded()).await?;
    let blocks: prunable::Archive<_, _, _, V::StoredBlock> =
        archive(&context, prefix, "blocks", &page_cache, Rules::body_limits()).await?;
    let resolver = backfill::init(
        context.child("backfill"),
        backfill::Config {
            public_key: settings.key.public_key(),
            peer_provider: network.peers.clone(),
            blocker: network.blocker.clone(),
            mailbox_size: MAILBOX_SIZE,
            fetch_timeout: NZDuration!(settings.timeouts.fetch),
            fetch_retry_delay: std::time::Duration::from_millis(100),
            priority_requests: false,
            priority_responses: false,
        },
        network.backfill,
    );
    let ends = Ends::open(&context, prefix, &page_cache).await?;
    let ledger = Arc::clone(pipeline.ledger());
    let durable = ledger.durable().height;
    learn_committees::<_, K, V>(&rules, &committees, durable, &blocks, &ends).await?;
    let anchor = anchor::read::<E, K>(&context, prefix).await.map_err(StartError::Anchor)?;
    let anchor = anchor.filter(|anchor| height_of(anchor) <= durable);
    let begins = anchor.as_ref().map_or(0, height_of);
    let root = V::commitment(&genesis);
    let (marshal, mailbox, floor) = Marshal::<_, V, _, _, _, _, _>::init(
        context.child("marshal"),
        finalizations,
        blocks,
        marshal::Config {
            provider: committees.clone(),
            epocher: rules.epocher(),
            start: anchor.map_or(Start::Genesis(genesis), |anchor| Start::Floor(anchor.finalization)),
            partition_prefix: format!("{prefix}-marshal"),
            mailbox_size: MAILBOX_SIZE,
            view_retention: VIEW_RETENTION,
            prunable_items_per_section: ITEMS_PER_SECTION,
            page_cache: page_cache.clone(),
            replay_buffer: JOURNAL_BUFFER,
            key_write_buffer: NZUsize!(1 << 16),
            value_write_buffer: JOURNAL_BUFFER,
            block_codec_config: Rules::body_limits(),
            max_repair: MAX_REPAIRS,
            max_pending_acks: MAX_PENDING_BLOCKS,
            strategy: strategy.clone(),
        },
    )
    .await;
    let (ceremony, resharing) = match &rules.signatures {
        Signatures::Ed25519 => (None, None),
        Signatures::Threshold(_) => {
            let parts = reshare::Parts {
                rules: &rules,
                committees: committees.clone(),
                key: settings.key.clone(),
                share: settings.share.clone(),
                peers: network.peers.clone(),
                blocker: network.blocker.clone(),
                strategy: strategy.clone(),
                stopper: stopper.clone(),
                partition: prefix,
                page_cache: page_cache.clone(),
            };
            let started = reshare::start(&context, parts, mailbox.clone(), network.shares).await;
            let (ceremony, resharing) = started.map_err(StartError::Secrets)?;
            (Some(ceremony), Some(resharing))
        }
    };
    let (finalized, updates) = Finalized::new();
    let (boundaries, passed) = mpsc::unbounded_channel();
    let next = floor.processed().map_or(0, |processed| processed.height().get() + 1);
    let epoch = rules.epoch_of(next.max(begins));
    let finality = Finality {
        rules: Arc::clone(&rules),
        pipeline,
        committees: committees.clone(),
        board: board.clone(),
        stopper: stopper.clone(),
        boundaries,
        prune: prune(&mailbox, settings.keep_blocks),
    };
    let contract = Contract::new(ceremony.clone());
    let finality = context.child("finality").spawn(move |clock| finality.run(clock, updates, ceremony));
    let marshal = marshal.start(finalized, buffer, resolver);
    let certificates = Certificates::new::<E, K, V>(mailbox.clone(), ends.clone(), Arc::clone(&rules));
    let sources = Sources {
        ledger,
        marshal: mailbox.clone(),
        ends: ends.clone(),
        lag: rules.execution_lag,
        interval: settings.snapshot_interval,
    };
    let serving = Server::start(context.child("sync"), sources, status.clone(), network.sync);
    let orchestrator = Orchestrator {
        context: context.child("epochs"),
        guard,
        rules,
        committees: committees.clone(),
        peers: network.peers,
        blocker: network.blocker,
        marshal: mailbox.clone(),
        automaton: automaton(mailbox, contract),
        watcher: Watcher::new(context.child("watcher"), committees.clone(), faults, board.clone()),
        strategy,
        timeouts: settings.timeouts,
        partition: settings.partition,
        page_cache,
        board,
        stopper,
        ends,
        root,
    };
    let epochs = context.child("orchestrator").spawn(move |_| orchestrator.run(epoch, network.channels, passed));
    let tasks = Tasks([epochs, finality, marshal, broadcast].into_iter().chain(serving).chain(resharing).collect());
    Ok(Node { status, faults: reported, certificates, committees, stopped, _tasks: tasks })
}

/// Height of the block that a chain begins with.
fn height_of<K: Dissemination>(anchor: &Certified<K>) -> u64 {
    anchor.headers.first().map_or(0, |header| header.height)
}

/// What removes ordered blocks and certificates when there are more than are kept. `None`: nothing does.
fn prune<V: Variant>(mailbox: &MarshalMailbox<Scheme, V>, keep: Option<u64>) -> Option<Prune> {
    let (mailbox, keep) = (mailbox.clone(), keep?);
    let remove = move |floor| mailbox.prune(Height::new(floor));
    Some(Prune { keep, remove: Box::new(remove) })
}

pub(crate) async fn archive<E, V>(
    context: &E,
    prefix: &str,
    what: &'static str,
    page_cache: &CacheRef,
    codec_config: V::Cfg,
) -> Result<prunable::Archive<EightCap, E, Digest, V>, StartError>
where
    E: Runtime,
    V: commonware_codec::CodecShared,
{
    let config = prunable::Config {
        translator: EightCap,
        metadata_partition: format!("{prefix}-{what}-metadata"),
        key_partition: format!("{prefix}-{what}-key"),
        key_page_cache: page_cache.clone(),
        value_partition: format!("{prefix}-{what}-value"),
        compression: None,
        codec_config,
        items_per_section: ITEMS_PER_SECTION,
        key_write_buffer: NZUsize!(1 << 16),
        value_write_buffer: JOURNAL_BUFFER,
        replay_buffer: JOURNAL_BUFFER,
    };
    let opened = prunable::Archive::init(context.child(what), config).await;
    opened.map_err(|reason| StartError::Archive { what, reason })
}

/// Learns the committees of the epochs that marshal may still work on, from the ends of epochs and the blocks that carry them: from a
/// little below the newest durable block (an acknowledgement may have got lost) on.
async fn learn_committees<E, K, V>(
    rules: &Rules,
    committees: &Committees,
    durable: u64,
    blocks: &prunable::Archive<EightCap, E, Digest, V::StoredBlock>,
    ends: &Ends<E, K>,
) -> Result<(), StartError>
where
    E: Runtime,
    K: Dissemination,
    V: Variant<ApplicationBlock = Block<K>, Commitment = K::Commitment>,
{
    let oldest = rules.epoch_of(durable.saturating_sub(2 * MAX_PENDING_BLOCKS.get() as u64));
    let newest = rules.epoch_of(durable + 1);
    for epoch in oldest.get().max(1)..=newest.get() {
        let before = Epoch::new(epoch - 1);
        let end = ends.get(before).await.map_err(StartError::Ends)?;
        if end.is_some_and(|end| end.headers.last().is_some_and(|header| committees.learn(header, None))) {
            continue;
        }
        let height = rules.last_of(before);
        let stored = blocks.get(Identifier::Index(height)).await;
        let stored = stored.map_err(|reason| StartError::Archive { what: "blocks", reason })?;
        let Some(stored) = stored else { continue };
        let digest = stored.digest();
        let block = V::into_shared(V::restore(stored, digest));
        let Block { header, reshare, .. } = block.inner();
        committees.learn(header, reshare.as_ref());
    }
    Ok(())
}
