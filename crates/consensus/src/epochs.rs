//! One simplex engine an epoch.
//!
//! The last block of an epoch carries the next committee. Once it is durable, the committee's peers are activated, an engine for the
//! next epoch is started on that block, the old one is stopped, and only then the block is acknowledged: after a crash in between
//! it comes again, and so does all this.
//!
//! Before an engine may sign, the file beside the key is asked ([`crate::vote_lock`]).
//!
//! The engines share three channels, in which every message carries its epoch. A message from an epoch that has not begun here
//! says that its sender is ahead; it is asked for the finality certificate of our epoch's last block, and marshal fetches the rest.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use commonware_consensus::{
    CertifiableAutomaton, Relay, Reporter, Reporters,
    marshal::core::{Mailbox as MarshalMailbox, Variant},
    simplex::{
        self, Floor, ForwardPolicy, Plan, SkipBudget, SkipPolicy,
        elector::RoundRobin,
        types::{Activity, Context},
    },
    types::{Epoch, Height, ViewDelta},
};
use commonware_cryptography::{
    Blake3,
    certificate::{Provider as _, Scheme as _},
    ed25519::PublicKey,
};
use commonware_macros::select_loop;
use commonware_p2p::{
    Blocker, Channel, Message, Receiver, Sender,
    utils::mux::{Builder, MuxHandle, Muxer},
};
use commonware_parallel::Strategy;
use commonware_runtime::{Handle, buffer::paged::CacheRef};
use commonware_utils::{Acknowledgement as _, NZDuration, NZUsize, channel::mpsc, vec::NonEmptyVec};

use crate::{
    block::{Block, Dissemination},
    certificates::find_certified,
    committees::Committees,
    ends::Ends,
    engine::Runtime,
    finality::Boundary,
    peers::Peers,
    rules::Rules,
    scheme::Scheme,
    status::Board,
    stop::{StopReason, Stopper},
    vote_lock::{Guard, Permission},
};

/// How long to wait for what, in a view.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the leader's block. Must leave time for the block interval, and for execution to catch up.
    pub leader: Duration,
    /// For the block to be certified, from the view's beginning. Longer than `leader`.
    pub certification: Duration,
    /// Between repetitions of a vote to give up a view.
    pub retry: Duration,
    /// How long a leader may have been silent before its views are given up at once. Longer than the others.
    pub skip: Duration,
    /// For a peer's answer to a request.
    pub fetch: Duration,
}

impl Timeouts {
    /// Whether they stand in the order that they must, and leave a leader time for `block_interval`.
    pub(crate) fn fit(&self, block_interval: Duration) -> bool {
        let Self { leader, certification, retry, skip, fetch } = *self;
        block_interval < leader
            && leader < certification
            && certification.max(retry) < skip
            && !retry.is_zero()
            && !fetch.is_zero()
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            leader: Duration::from_secs(2),
            certification: Duration::from_secs(4),
            retry: Duration::from_secs(5),
            skip: Duration::from_secs(10),
            fetch: Duration::from_secs(2),
        }
    }
}

/// Messages that a mailbox inside an engine holds.
pub(crate) const MAILBOX_SIZE: NonZeroUsize = NZUsize!(1_024);

/// Bytes buffered while a journal is replayed or written.
pub(crate) const JOURNAL_BUFFER: NonZeroUsize = NZUsize!(1 << 20);

/// Views behind the newest final one whose votes are kept.
pub(crate) const VIEW_RETENTION: ViewDelta = ViewDelta::new(32);

/// What starting and running engines needs.
pub(crate) struct Orchestrator<E: Runtime, K: Dissemination, V: Variant, P, B, A, W, T> {
    pub(crate) context: E,
    pub(crate) guard: Guard<E>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) committees: Committees,
    pub(crate) peers: P,
    pub(crate) blocker: B,
    pub(crate) marshal: MarshalMailbox<Scheme, V>,
    pub(crate) automaton: A,
    pub(crate) watcher: W,
    pub(crate) strategy: T,
    pub(crate) timeouts: Timeouts,
    pub(crate) partition: String,
    pub(crate) page_cache: CacheRef,
    pub(crate) board: Board,
    pub(crate) stopper: Stopper,
    pub(crate) ends: Ends<E, K>,
    /// What the genesis block is named by.
    pub(crate) root: K::Commitment,
}

/// The three channels that simplex talks over.
pub(crate) struct Channels<S, R> {
    pub(crate) votes: (S, R),
    pub(crate) certificates: (S, R),
    pub(crate) resolver: (S, R),
}

type Backup = mpsc::Receiver<(Channel, Message<PublicKey>)>;

struct Muxed<S: Sender> {
    votes: MuxHandle<S>,
    certificates: MuxHandle<S>,
    resolver: MuxHandle<S>,
}

type EngineConfig<B, C, A, W, T> = simplex::Config<Scheme, RoundRobin<Blake3>, B, C, A, A, Reporters<A, W>, T>;

/// An epoch's engine; stopped when dropped.
struct Running {
    epoch: Epoch,
    engine: Handle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.engine.abort();
    }
}

impl<E, K, V, P, B, A, W, T> Orchestrator<E, K, V, P, B, A, W, T>
where
    E: Runtime,
    K: Dissemination,
    V: Variant<ApplicationBlock = Block<K>, Commitment = K::Commitment>,
    P: Peers,
    B: Blocker<PublicKey = PublicKey>,
    A: CertifiableAutomaton<Context = Context<K::Commitment, PublicKey>, Digest = K::Commitment>
        + Relay<Digest = K::Commitment, PublicKey = PublicKey, Plan = Plan<PublicKey>>
        + Reporter<Activity = Activity<Scheme, K::Commitment>>,
    W: Reporter<Activity = Activity<Scheme, K::Commitment>>,
    T: Strategy,
{
    /// Runs engines from `epoch` on, until something ends that must not.
    pub(crate) async fn run<S, R>(
        mut self,
        epoch: Epoch,
        channels: Channels<S, R>,
        mut boundaries: mpsc::UnboundedReceiver<Boundary>,
    ) where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let (mut muxed, mut ahead_votes, mut ahead_certificates) = self.mux(channels);
        let Some(mut running) = self.enter(epoch, &mut muxed).await else {
            self.stopper.stop(StopReason::Part("the first epoch's engine"));
            return;
        };
        select_loop! {
            self.context,
            on_stopped => {},
            Some((theirs, (from, _))) = ahead_votes.recv() else break => self.catch_up(running.epoch, theirs, from),
            Some((theirs, (from, _))) = ahead_certificates.recv() else break => self.catch_up(running.epoch, theirs, from),
            _ = &mut running.engine => {
                self.stopper.stop(StopReason::Part("simplex"));
                break;
            },
            Some(boundary) = boundaries.recv() else break => {
                if !self.keep_end(boundary.epoch).await {
                    break;
                }
                if boundary.epoch > running.epoch {
                    let Some(next) = self.enter(boundary.epoch, &mut muxed).await else {
                        self.stopper.stop(StopReason::Part("the next epoch's engine"));
                        break;
                    };
                    running = next;
                }
                boundary.acknowledgement.acknowledge();
            },
        }
    }

    fn mux<S, R>(&self, channels: Channels<S, R>) -> (Muxed<S>, Backup, Backup)
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let Channels { votes: (sender, receiver), certificates, resolver } = channels;
        let builder = Muxer::builder(self.context.child("votes_mux"), sender, receiver);
        let (muxer, votes, ahead_votes) = builder.with_backup().build();
        muxer.start();
        let builder = Muxer::builder(self.context.child("certificates_mux"), certificates.0, certificates.1);
        let (muxer, certificates, ahead_certificates) = builder.with_backup().build();
        muxer.start();
        let (muxer, resolver) = Muxer::new(self.context.child("resolver_mux"), resolver.0, resolver.1);
        muxer.start();
        (Muxed { votes, certificates, resolver }, ahead_votes, ahead_certificates)
    }

    /// Asks a peer that is ahead for the end of our epoch.
    fn catch_up(&self, ours: Epoch, theirs: Channel, from: PublicKey) {
        if Epoch::new(theirs) > ours {
            self.marshal.hint_finalized(Height::new(self.rules.last_of(ours)), NonEmptyVec::new(from));
        }
    }

    /// Starts an epoch's engine. `None` if its first parent or its committee is not known, or a channel is closed.
    async fn enter<S: Sender<PublicKey = PublicKey>>(&mut self, epoch: Epoch, muxed: &mut Muxed<S>) -> Option<Running> {
        let parent = self.parent_of(epoch).await?;
        let committee = self.committees.committee(epoch)?;
        self.peers.activate(epoch.get(), &committee, &self.committees.others(epoch));
        self.committees.ready(epoch).await?;
        let (is_validator, votes_again) = self.permission(epoch).await?;
        let scheme = self.committees.scheme(epoch)?;
        let votes = muxed.votes.register(epoch.get()).await.ok()?;
        let certificates = muxed.certificates.register(epoch.get()).await.ok()?;
        let resolver = muxed.resolver.register(epoch.get()).await.ok()?;
        let floor = Floor::Genesis(parent);
        let context = self.context.child("simplex").with_attribute("epoch", epoch);
        let config = self.config(epoch, scheme.as_ref().clone(), floor);
        let engine = simplex::Engine::new(context, config).start(votes, certificates, resolver);
        self.board.update(|status| {
            status.epoch = epoch.get();
            status.view = 0;
            status.validators = committee.validators().len();
            status.is_validator = is_validator;
            status.votes_again = votes_again;
        });
        self.forget(epoch).await;
        tracing::info!(%epoch, validators = committee.validators().len(), is_validator, "epoch begins");
        Some(Running { epoch, engine })
    }

    /// What the last block before an epoch is named by.
    async fn parent_of(&mut self, epoch: Epoch) -> Option<K::Commitment> {
        let Some(before) = epoch.previous() else { return Some(self.root) };
        if let Some(block) = self.marshal.get_block(Height::new(self.rules.last_of(before))).await {
            return Some(V::commitment(&block));
        }
        // It lies before the snapshot that this chain begins with.
        let end = self.ends.get(before).await;
        let end = end.inspect_err(|error| tracing::error!(%error, %before, "cannot read the end of an epoch"));
        end.ok().flatten().map(|end| end.finalization.proposal.payload)
    }

    /// Writes down the end of the epoch before `epoch`, for those who come after. Stops the node if that fails.
    async fn keep_end(&mut self, epoch: Epoch) -> bool {
        let Some(before) = epoch.previous() else { return true };
        let Some(end) = find_certified::<K, V>(&self.marshal, self.rules.last_of(before)).await else {
            // It was kept long ago: the boundary comes again, and marshal has forgotten its block.
            return true;
        };
        let kept = self.ends.put(before, &end).await;
        if let Err(error) = &kept {
            tracing::error!(%error, %before, "cannot keep the end of an epoch");
            self.stopper.stop(StopReason::Part("the archive of ends of epochs"));
        }
        kept.is_ok()
    }

    /// Whether this node has a vote in an epoch, and if it must not use it, the epoch in which it votes again. From here on nothing is
    /// signed in its name that the file beside its key does not permit.
    async fn permission(&mut self, epoch: Epoch) -> Option<(bool, Option<u64>)> {
        let has_vote = self.committees.scheme(epoch)?.me().is_some_and(|membership| membership.signer().is_some());
        if !has_vote {
            return Some((false, None));
        }
        let partition = self.partition_of(epoch);
        match self.guard.enter(epoch.get(), &partition).await {
            Ok(Permission::Votes) => Some((true, None)),
            Ok(Permission::Follows { until }) => {
                self.committees.silence(epoch);
                tracing::warn!(
                    %epoch,
                    votes_again = until,
                    "this key may have voted in this epoch, and the vote log is not here: following without a vote"
                );
                Some((true, Some(until)))
            }
            Err(error) => {
                self.stopper.stop(StopReason::VoteLock(Arc::new(error)));
                None
            }
        }
    }

    fn partition_of(&self, epoch: Epoch) -> String {
        format!("{}-simplex-{epoch}", self.partition)
    }

    /// Removes the votes of the epoch before the one before `epoch`, whose blocks are all durable and whose engine has long stopped.
    async fn forget(&mut self, epoch: Epoch) {
        let Some(old) = epoch.previous().and_then(Epoch::previous) else { return };
        match self.context.remove(&self.partition_of(old), None).await {
            Ok(()) | Err(commonware_runtime::Error::PartitionMissing(_)) => {}
            Err(error) => tracing::warn!(%old, %error, "cannot remove an old epoch's votes"),
        }
    }

    fn config(
        &self,
        epoch: Epoch,
        scheme: Scheme,
        floor: Floor<Scheme, K::Commitment>,
    ) -> EngineConfig<B, K::Commitment, A, W, T> {
        simplex::Config {
            scheme,
            elector: RoundRobin::<Blake3>::default(),
            blocker: self.blocker.clone(),
            automaton: self.automaton.clone(),
            relay: self.automaton.clone(),
            reporter: (self.automaton.clone(), self.watcher.clone()).into(),
            track_historical_votes: false,
            strategy: self.strategy.clone(),
            partition: self.partition_of(epoch),
            mailbox_size: MAILBOX_SIZE,
            epoch,
            floor,
            replay_buffer: JOURNAL_BUFFER,
            write_buffer: JOURNAL_BUFFER,
            page_cache: self.page_cache.clone(),
            leader_timeout: self.timeouts.leader,
            certification_timeout: self.timeouts.certification,
            timeout_retry: self.timeouts.retry,
            view_retention: VIEW_RETENTION,
            skip: SkipPolicy::Enabled { timeout: self.timeouts.skip, budget: SkipBudget::Participants },
            fetch_timeout: NZDuration!(self.timeouts.fetch),
            fetch_retry_delay: Duration::from_millis(100),
            forward: ForwardPolicy::SilentLeader,
        }
    }
}
