//! What validators did wrong, by name.
//!
//! Three kinds: votes that contradict each other, blocks that break the rules, and commitments to another execution than ours. The
//! first come from simplex, which keeps the two votes but, under a scheme that it takes for unattributable, vouches for neither;
//! so ed25519 signatures are verified here, and the votes are evidence that anybody can check. Under the threshold scheme a vote
//! names its author only to those whom it was sent to: no evidence is kept. The other two are this node's own findings.

use std::sync::Arc;

use braid_types::{BlockRef, Height};
use bytes::Bytes;
use commonware_actor::Feedback;
use commonware_codec::Encode as _;
use commonware_consensus::{
    Epochable as _, Reporter, Viewable as _,
    simplex::types::{Activity, Attributable as _},
};
use commonware_cryptography::{Digest, certificate::Provider as _, ed25519::PublicKey};
use commonware_parallel::Sequential;
use commonware_utils::channel::mpsc;
use rand_core::CryptoRng;

use crate::{committees::Committees, scheme::Scheme, status::Board};

/// Faults that wait for whoever reads them; beyond it they are only logged.
const MAX_WAITING_FAULTS: usize = 256;

/// What a validator did wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It voted for two things that exclude each other.
    Equivocation {
        /// Who.
        validator: PublicKey,
        /// In which epoch.
        epoch: u64,
        /// In which view.
        view: u64,
        /// Both votes, encoded; empty under a threshold scheme.
        evidence: Bytes,
    },
    /// It proposed a block that breaks the rules.
    InvalidBlock {
        /// Who.
        validator: PublicKey,
        /// The block's height.
        height: Height,
        /// Which rule.
        reason: String,
    },
    /// It proposed a block that commits to an execution whose outcome here is another.
    WrongExecution {
        /// Who.
        validator: PublicKey,
        /// The block's height.
        height: Height,
        /// What it commits to.
        claimed: BlockRef,
        /// What this node executed.
        executed: BlockRef,
    },
}

impl Fault {
    /// Who is at fault.
    pub const fn validator(&self) -> &PublicKey {
        match self {
            Self::Equivocation { validator, .. }
            | Self::InvalidBlock { validator, .. }
            | Self::WrongExecution { validator, .. } => validator,
        }
    }
}

/// Where faults are told.
#[derive(Clone, Debug)]
pub(crate) struct Faults(mpsc::Sender<Fault>);

impl Faults {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Fault>) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING_FAULTS);
        (Self(sender), receiver)
    }

    /// Logs a fault and passes it on.
    pub(crate) fn report(&self, fault: Fault) {
        tracing::warn!(?fault, "validator is at fault");
        // Nobody reads them, or nobody reads them fast enough: they are in the log.
        let _ = self.0.try_send(fault);
    }
}

/// Watches the votes for contradictions.
pub(crate) struct Watcher<E, D> {
    /// For the random weights of batched verification.
    rng: Arc<parking_lot::Mutex<E>>,
    committees: Committees,
    faults: Faults,
    board: Board,
    marker: std::marker::PhantomData<fn() -> D>,
}

impl<E, D> Clone for Watcher<E, D> {
    fn clone(&self) -> Self {
        let Self { rng, committees, faults, board, marker } = self;
        let (rng, committees, faults, board) = (Arc::clone(rng), committees.clone(), faults.clone(), board.clone());
        Self { rng, committees, faults, board, marker: *marker }
    }
}

impl<E: CryptoRng + Send + 'static, D: Digest> Watcher<E, D> {
    pub(crate) fn new(rng: E, committees: Committees, faults: Faults, board: Board) -> Self {
        let rng = Arc::new(parking_lot::Mutex::new(rng));
        Self { rng, committees, faults, board, marker: std::marker::PhantomData }
    }

    fn find(&self, activity: &Activity<Scheme, D>) -> Option<Fault> {
        let (round, signer, encoded) = match activity {
            Activity::ConflictingNotarize(votes) => ((votes.epoch(), votes.view()), votes.signer(), votes.encode()),
            Activity::ConflictingFinalize(votes) => ((votes.epoch(), votes.view()), votes.signer(), votes.encode()),
            Activity::NullifyFinalize(votes) => ((votes.epoch(), votes.view()), votes.signer(), votes.encode()),
            _ => return None,
        };
        let (epoch, view) = round;
        let scheme = self.committees.scheme(epoch)?;
        let mut rng = self.rng.lock();
        let is_proven = match activity {
            Activity::ConflictingNotarize(votes) => votes.verify(&mut *rng, scheme.as_ref(), &Sequential),
            Activity::ConflictingFinalize(votes) => votes.verify(&mut *rng, scheme.as_ref(), &Sequential),
            Activity::NullifyFinalize(votes) => votes.verify(&mut *rng, scheme.as_ref(), &Sequential),
            _ => false,
        };
        let committee = self.committees.committee(epoch)?;
        let validator = committee.validators().get(usize::try_from(signer.get()).ok()?)?.public_key.clone();
        let evidence = match scheme.as_ref() {
            Scheme::Ed25519(_) => encoded,
            Scheme::Threshold(_) => Bytes::new(),
        };
        is_proven.then(|| Fault::Equivocation { validator, epoch: epoch.get(), view: view.get(), evidence })
    }
}

impl<E: CryptoRng + Send + 'static, D: Digest> Reporter for Watcher<E, D> {
    type Activity = Activity<Scheme, D>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        let certified = match &activity {
            Activity::Certification(notarization) => Some((notarization.epoch(), notarization.view())),
            Activity::Nullification(nullification) => Some((nullification.epoch(), nullification.view())),
            Activity::Finalization(finalization) => Some((finalization.epoch(), finalization.view())),
            _ => None,
        };
        if let Some((epoch, view)) = certified {
            self.board.update(|status| {
                // The engine of the epoch before may still speak.
                if status.epoch == epoch.get() {
                    status.view = status.view.max(view.get());
                }
            });
        }
        if let Some(fault) = self.find(&activity) {
            self.faults.report(fault);
            self.board.update(|status| status.faults += 1);
        }
        Feedback::Ok
    }
}

#[cfg(test)]
mod tests;
