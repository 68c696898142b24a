//! From final to durable: marshal hands over every final block in order, and gets it back acknowledged once the ledger has it on
//! disk.
//!
//! A block that was not acknowledged is handed over again after a restart, and committing it again does nothing. If the ledger
//! fails, or a final block breaks the rules, the acknowledgement is kept back for good and the node stops: nothing is ever skipped.

use std::sync::Arc;

use braid_types::BlockRef;
use commonware_actor::Feedback;
use commonware_consensus::{Reporter, marshal::Update, types::Epoch};
use commonware_cryptography::Digested;
use commonware_runtime::Clock;
use commonware_utils::{Acknowledgement as _, SystemTimeExt as _, acknowledgement::Exact, channel::mpsc};

use crate::{
    block::{Block, Dissemination, Header},
    committees::Committees,
    pipeline::{Pipeline, Refusal},
    reshare::Mailbox,
    retention,
    rules::Rules,
    status::Board,
    stop::{StopReason, Stopper},
};

/// Takes marshal's updates. Marshal itself bounds how many wait.
pub(crate) struct Finalized<K: Dissemination>(mpsc::UnboundedSender<Update<Block<K>>>);

impl<K: Dissemination> Clone for Finalized<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Dissemination> Finalized<K> {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Update<Block<K>>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }
}

impl<K: Dissemination> Reporter for Finalized<K> {
    type Activity = Update<Block<K>>;

    fn report(&mut self, update: Self::Activity) -> Feedback {
        match self.0.send(update) {
            Ok(()) => Feedback::Ok,
            Err(_) => Feedback::Closed,
        }
    }
}

/// The last block of an epoch is durable; whoever runs the epochs acknowledges it.
pub(crate) struct Boundary {
    /// The epoch that begins.
    pub(crate) epoch: Epoch,
    pub(crate) acknowledgement: Exact,
}

/// What making blocks durable needs.
pub(crate) struct Finality {
    pub(crate) rules: Arc<Rules>,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) committees: Committees,
    pub(crate) board: Board,
    pub(crate) stopper: Stopper,
    pub(crate) boundaries: mpsc::UnboundedSender<Boundary>,
    pub(crate) prune: Option<Prune>,
}

/// Removes old ordered blocks and certificates.
pub(crate) struct Prune {
    /// How many are kept behind the newest durable one.
    pub(crate) keep: u64,
    /// Removes those below a height.
    pub(crate) remove: Box<dyn Fn(u64) + Send + Sync>,
}

impl Finality {
    /// Makes blocks durable until marshal ends or something fails.
    pub(crate) async fn run<K: Dissemination>(
        self,
        clock: impl Clock,
        mut updates: mpsc::UnboundedReceiver<Update<Block<K>>>,
        mut reshare: Option<Mailbox<K>>,
    ) {
        while let Some(update) = updates.recv().await {
            match update {
                Update::Tip(_, height, _) => {
                    self.pipeline.learn_tip(height.get());
                    self.board.update(|status| status.tip = status.tip.max(height.get()));
                }
                Update::Block(block, acknowledgement) => {
                    if let Err(error) = self.commit(&clock, &block).await {
                        self.stop(block.inner().header.height, &error);
                        // Dropping it would end marshal before the reason is told.
                        std::mem::forget(acknowledgement);
                        return;
                    }
                    let height = block.inner().header.height;
                    if let Some(reshare) = &mut reshare
                        && !tell(reshare, block).await
                    {
                        self.stopper.stop(StopReason::Part("resharing"));
                        std::mem::forget(acknowledgement);
                        return;
                    }
                    self.pass_on(height, acknowledgement);
                }
            }
        }
    }

    async fn commit<K: Dissemination>(&self, clock: &impl Clock, block: &Digested<Block<K>>) -> Result<(), Refusal> {
        let header = &block.inner().header;
        if header.height == 0 {
            return Ok(());
        }
        self.compare(header)?;
        let ordered = self.pipeline.check(block.inner()).await?;
        let executed = self.pipeline.commit(&ordered).await?;
        if !self.committees.learn(header, block.inner().reshare.as_ref()) {
            let reason = "it does not say who votes in the next epoch".to_owned();
            self.stopper.stop(StopReason::InvalidFinalBlock { height: header.height, reason });
            return Err(Refusal::Unavailable);
        }
        let now_ms = clock.current().epoch_millis();
        self.board.update(|status| {
            status.durable = self.pipeline.ledger().durable();
            status.tip = status.tip.max(header.height);
            status.timestamp_ms = header.timestamp_ms;
            status.finality_ms = now_ms.saturating_sub(header.timestamp_ms);
            status.finalized += 1;
            status.transactions += executed.block.transactions.len() as u64;
        });
        if let Some(Prune { keep, remove }) = &self.prune
            && let Some(floor) = retention::floor(&self.rules, header.height, *keep)
        {
            remove(floor);
        }
        Ok(())
    }

    /// Holds our execution against what the validators agreed that it gives. Every height below is durable.
    fn compare<K: Dissemination>(&self, header: &Header<K>) -> Result<(), Refusal> {
        let BlockRef { height, hash: finalized } = header.execution;
        // The hash is there for blocks before a snapshot too.
        let executed = match self.pipeline.ledger().chain().store().hash(height) {
            Ok(Some(hash)) => hash,
            // Pruned long ago: this block is durable already, and comes again.
            Ok(None) => return Ok(()),
            Err(error) => return Err(self.pipeline.refuse(error.into())),
        };
        if executed != finalized {
            self.stopper.stop(StopReason::Diverged { height, finalized, executed });
            return Err(Refusal::Unavailable);
        }
        Ok(())
    }

    fn pass_on(&self, height: u64, acknowledgement: Exact) {
        if !self.rules.is_last(height) {
            acknowledgement.acknowledge();
            return;
        }
        let epoch = self.rules.epoch_of(height).next();
        if self.boundaries.send(Boundary { epoch, acknowledgement }).is_err() {
            self.stopper.stop(StopReason::Part("the orchestrator of epochs"));
        }
    }

    fn stop(&self, height: u64, error: &Refusal) {
        // The pipeline has told the reason if the ledger failed; the first one counts.
        self.stopper.stop(match error {
            Refusal::Unavailable => StopReason::Gap(height),
            Refusal::Invalid(_) | Refusal::Superseded(_) => {
                StopReason::InvalidFinalBlock { height, reason: error.to_string() }
            }
        });
    }
}

/// Hands a block to the ceremony, and waits until what follows from it is on disk: the share of the next epoch, if this is the last
/// of one. `false` if the ceremony has ended.
async fn tell<K: Dissemination>(reshare: &mut Mailbox<K>, block: Digested<Block<K>>) -> bool {
    let (acknowledgement, acknowledged) = Exact::handle();
    reshare.report(Update::Block(block, acknowledgement));
    acknowledged.await.is_ok()
}
