//! Proposing and verifying blocks: what simplex asks of us, through marshal.
//!
//! *Order first, execute after.* A vote to notarize says no more than that the block is there and stands in the right place; marshal
//! casts it without asking us. What is asked here decides the vote to finalize, and takes place while the notarization is
//! gathered: the header's fields, the transactions as far as that needs no state, and then the execution commitment. For that a node
//! waits until it has executed the block `execution_lag` heights below, and compares. So finality is never further ahead of a
//! quorum's execution than the lag, and a node that executes wrongly is outvoted.
//!
//! Verdicts are final. `false` is only ever said for what is wrong for everyone for ever; whatever may change (a time stamp ahead of our
//! clock, an ancestor that is not here) is waited for.

use std::{sync::Arc, time::Duration};

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes};
use braid_chain::ProposalLimits;
use braid_types::{OrderedBlock, RecoveredTx};
use commonware_consensus::{Epochable as _, marshal::ancestry::Ancestry, simplex::types::Context};
use commonware_cryptography::{Digested, ed25519::PublicKey};
use commonware_runtime::{Clock, Spawner};
use commonware_utils::SystemTimeExt as _;
use futures::StreamExt as _;

use crate::{
    allowance::{Allowance, Sight},
    block::{Block, Dissemination, Header, body_digest},
    committee::Change,
    committees::Committees,
    faults::{Fault, Faults},
    pipeline::{Pipeline, Refusal},
    reshare::{self, Contract},
    rules::Rules,
    status::Board,
    validity::{HeaderError, build_header, check_header},
};

/// How far a time stamp may be ahead of our clock before we wait with the verdict.
const MAX_CLOCK_DRIFT: Duration = Duration::from_millis(500);

/// How often a leader that waits for its time looks whether enough transactions wait.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// When a leader makes a block.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Time from a block's time stamp to the next one's, if little waits. Empty blocks are made too.
    pub block_interval: Duration,
    /// Waiting transactions with which a block is made at once.
    pub enough_transactions: usize,
    /// How much a block may hold.
    pub limits: ProposalLimits,
}

/// What a node finds about a block.
#[derive(Debug)]
enum Verdict {
    /// It may become final.
    Right,
    /// Another block is final in its place, which is nobody's fault.
    Late(String),
    /// Its leader breaks the rules.
    Wrong(Box<Fault>),
}

impl Verdict {
    fn wrong(fault: Fault) -> Self {
        Self::Wrong(Box::new(fault))
    }
}

/// What proposing and verifying need; shared by the epochs' engines.
pub(crate) struct Shared {
    pub(crate) rules: Arc<Rules>,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) committees: Committees,
    pub(crate) faults: Faults,
    pub(crate) board: Board,
    pub(crate) pace: Pace,
    pub(crate) allowance: Allowance,
    /// The change of the committee that this validator asks for.
    pub(crate) vote: Option<Change>,
}

/// The application that simplex runs.
pub(crate) struct Application<K: Dissemination> {
    shared: Arc<Shared>,
    contract: Contract<K>,
}

impl<K: Dissemination> Clone for Application<K> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), contract: self.contract.clone() }
    }
}

impl<K: Dissemination> Application<K> {
    pub(crate) const fn new(shared: Arc<Shared>, contract: Contract<K>) -> Self {
        Self { shared, contract }
    }
}

fn now_ms(clock: &impl Clock) -> u64 {
    clock.current().epoch_millis()
}

impl Shared {
    /// Waits until it is time for a child of `parent`, or until enough transactions wait.
    async fn wait_for_turn<K: Dissemination>(&self, clock: &impl Clock, parent: &Header<K>, in_flight: usize) {
        let interval_ms = u64::try_from(self.pace.block_interval.as_millis()).unwrap_or(u64::MAX);
        let due = parent.timestamp_ms.saturating_add(interval_ms);
        loop {
            let left = due.saturating_sub(now_ms(clock));
            let waiting = self.pipeline.ledger().chain().pool().lock().status().pending.saturating_sub(in_flight);
            if left == 0 || waiting >= self.pace.enough_transactions {
                return;
            }
            clock.sleep(Duration::from_millis(left).min(POLL_INTERVAL)).await;
        }
    }

    async fn propose<K: Dissemination>(
        &self,
        clock: &impl Clock,
        contract: &Contract<K>,
        context: Context<K::Commitment, PublicKey>,
        mut ancestry: impl Ancestry<Block<K>>,
    ) -> Option<Digested<Block<K>>> {
        let whole = ancestry.clone();
        let parent = ancestry.next().await?;
        let header = &parent.inner().header;
        let place = (header.height, commonware_cryptography::Digestible::digest(&parent));
        let members = self.committees.members(context.epoch())?;
        let above = with_parent(&parent, &ancestry);
        let pending = log_refusal(self.pipeline.in_flight(place, above).await)?;
        let in_flight = pending.iter().map(|block| block.transactions.len()).sum();
        self.wait_for_turn(clock, header, in_flight).await;
        let above = with_parent(&parent, &ancestry);
        let execution = log_refusal(self.pipeline.commitment(place, above).await)?;
        let offer = contract.offer(&self.rules, header.height + 1, whole).await;
        let Some(mut offer) = offer else {
            tracing::warn!(
                height = header.height + 1,
                "makes no proposal: the outcome of the resharing is not known here"
            );
            return None;
        };
        let reshare = offer.payload.take();
        let limits = &self.pace.limits;
        let limits = ProposalLimits { transactions: limits.transactions.min(self.allowance.transactions()), ..*limits };
        let transactions = log_refusal(self.pipeline.propose(pending, limits).await)?;
        let encoded: Vec<Bytes> = transactions.iter().map(encode).collect();
        let senders: Vec<Address> = transactions.iter().map(|transaction| transaction.signer()).collect();
        let body = body_digest(&encoded, &senders, reshare.as_ref());
        let parent = (header, place.1);
        let vote = self.vote.clone();
        let header = build_header(context, parent, now_ms(clock), execution, body, vote, &self.rules, &members)?;
        let digest = header.digest();
        self.observe(clock, &header, transactions.len());
        let ordered = self.pipeline.built(&header, transactions);
        self.start(&ordered);
        offer.take();
        Some(Digested::precomputed(Block { header, transactions: encoded, senders, reshare }, digest))
    }

    fn observe<K: Dissemination>(&self, clock: &impl Clock, header: &Header<K>, transactions: usize) {
        let (height, view) = (header.height, header.context.round.view().get());
        self.allowance.observe(Sight { height, view, at_ms: now_ms(clock), transactions });
    }

    /// Begins executing a block before anything is decided about it.
    fn start(&self, block: &Arc<OrderedBlock>) {
        drop(self.pipeline.execute(block));
    }

    /// Checks a block. Errors are no verdicts.
    async fn verify<K: Dissemination>(
        &self,
        clock: &impl Clock,
        contract: &Contract<K>,
        mut ancestry: impl Ancestry<Block<K>>,
    ) -> Result<Verdict, Refusal> {
        let whole = ancestry.clone();
        let block = ancestry.next().await.ok_or(Refusal::Unavailable)?;
        let parent = ancestry.next().await.ok_or(Refusal::Unavailable)?;
        let (header, above) = (&block.inner().header, &parent.inner().header);
        self.observe(clock, header, block.inner().transactions.len());
        let (validator, height) = (header.context.leader.clone(), header.height);
        let invalid =
            |reason: String| Verdict::wrong(Fault::InvalidBlock { validator: validator.clone(), height, reason });
        let members = self.committees.members(header.context.epoch()).ok_or(Refusal::Unavailable)?;
        if let Err(error) = check_header(header, above, &self.rules, &members) {
            return Ok(invalid(error.to_string()));
        }
        match contract.check(&self.rules, whole).await {
            reshare::Verdict::Right => {}
            reshare::Verdict::Wrong => return Ok(invalid(HeaderError::Reshare.to_string())),
            reshare::Verdict::Unknown => return Err(Refusal::Unavailable),
        }
        let drift = u64::try_from(MAX_CLOCK_DRIFT.as_millis()).unwrap_or(u64::MAX);
        let early = header.timestamp_ms.saturating_sub(now_ms(clock).saturating_add(drift));
        if early > 0 {
            clock.sleep(Duration::from_millis(early)).await;
        }
        let ordered = match self.pipeline.check(block.inner()).await {
            Ok(ordered) => ordered,
            Err(Refusal::Invalid(error)) => return Ok(invalid(error.to_string())),
            Err(error) => return Err(error),
        };
        let place = (above.height, header.parent);
        let expected = match self.pipeline.commitment(place, with_parent(&parent, &ancestry)).await {
            Ok(expected) => expected,
            Err(error @ Refusal::Invalid(_)) => return Ok(invalid(error.to_string())),
            // Its leader need not have known: the view was given up, and the next leader built on the same parent.
            Err(error @ Refusal::Superseded(_)) => return Ok(Verdict::Late(error.to_string())),
            Err(error) => return Err(error),
        };
        if header.execution != expected {
            let (claimed, executed) = (header.execution, expected);
            return Ok(Verdict::wrong(Fault::WrongExecution { validator, height, claimed, executed }));
        }
        self.start(&ordered);
        Ok(Verdict::Right)
    }
}

fn encode(transaction: &RecoveredTx) -> Bytes {
    transaction.inner().encoded_2718().into()
}

/// The ancestry from `parent` on, again; streams are read once.
fn with_parent<K: Dissemination>(
    parent: &Digested<Block<K>>,
    rest: &impl Ancestry<Block<K>>,
) -> impl Ancestry<Block<K>> {
    commonware_consensus::marshal::ancestry::with_prefix([parent.clone()], rest.clone())
}

fn log_refusal<T>(outcome: Result<T, Refusal>) -> Option<T> {
    outcome.inspect_err(|error| tracing::warn!(%error, "makes no proposal")).ok()
}

impl<E, K> commonware_consensus::Application<E> for Application<K>
where
    E: Clock + Spawner,
    K: Dissemination,
{
    type SigningScheme = crate::scheme::Scheme;
    type Context = Context<K::Commitment, PublicKey>;
    type Block = Block<K>;
    type Input = ();

    async fn propose(
        &mut self,
        (clock, context): (E, Self::Context),
        ancestry: impl Ancestry<Block<K>>,
        (): (),
    ) -> Option<Digested<Block<K>>> {
        let block = self.shared.propose(&clock, &self.contract, context, ancestry).await?;
        self.shared.board.update(|status| status.proposed += 1);
        Some(block)
    }

    async fn verify(&mut self, (clock, _): (E, Self::Context), ancestry: impl Ancestry<Block<K>>) -> bool {
        match self.shared.verify(&clock, &self.contract, ancestry).await {
            Ok(Verdict::Right) => {
                self.shared.board.update(|status| status.verified += 1);
                true
            }
            Ok(Verdict::Late(reason)) => {
                tracing::debug!(%reason, "a block came too late");
                false
            }
            Ok(Verdict::Wrong(fault)) => {
                self.shared.faults.report(*fault);
                self.shared.board.update(|status| {
                    status.refused += 1;
                    status.faults += 1;
                });
                false
            }
            Err(error) => {
                // No verdict: the request ends when simplex gives up the view, or the node stops.
                tracing::warn!(%error, "cannot verify a block");
                std::future::pending().await
            }
        }
    }
}

#[cfg(test)]
mod tests;
