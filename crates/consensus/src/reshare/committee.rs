//! What the ceremony asks of the chain, and tells it: whom the votes elected, where they are, and the scheme of each epoch.

use std::convert::Infallible;

use commonware_consensus::types::Epoch;
use commonware_cryptography::{bls12381::primitives::variant::MinSig, ed25519::PublicKey};
use commonware_glue::dkg::{
    ParticipantsProvider, Registrar,
    network::{Directory as _, Manager},
    types::SchemeInfo,
};
use commonware_p2p::{PeerSetSubscription, Provider, TrackedPeers};
use commonware_utils::ordered::Set;

use super::{EpochInfo, roster::Roster};
use crate::{committee::Committee, committees::Committees, peers::Peers};

/// The committee that votes in an epoch: who holds the group's shares, with their entries.
pub(crate) fn committee_of(info: &EpochInfo) -> Option<Committee> {
    let members = Roster::gather(info.output.players(), &[info.directory.validators()]);
    members.matches(info.output.players()).then(|| Committee::new(members.validators().to_vec()).ok())?
}

/// The members of epochs as the ceremony needs them.
#[derive(Clone, Debug)]
pub(super) struct Members {
    committees: Committees,
}

impl Members {
    pub(super) const fn new(committees: Committees) -> Self {
        Self { committees }
    }
}

impl ParticipantsProvider for Members {
    type PublicKey = PublicKey;
    type Directory = Roster;

    /// Asked for while the epoch two before runs, whose first block's parent says whom the votes of the epoch before that elected:
    /// final, and the same for everyone.
    async fn participants(&mut self, epoch: Epoch) -> Set<PublicKey> {
        let running = Epoch::new(epoch.get().saturating_sub(2));
        self.committees.elected(running).await.keys()
    }

    /// Asked for while the epoch before runs. What the votes elected last counts before what was known.
    async fn directory(&mut self, epoch: Epoch, peers: Set<PublicKey>) -> Roster {
        let running = Epoch::new(epoch.get().saturating_sub(1));
        let elected = self.committees.elected(running).await;
        let info = self.committees.info(running);
        let known = info.as_deref().map(|info| info.directory.validators()).unwrap_or_default();
        Roster::gather(&peers, &[elected.validators(), known])
    }
}

impl Registrar for Members {
    type Variant = MinSig;
    type PublicKey = PublicKey;

    async fn register(&self, epoch: Epoch, info: SchemeInfo<MinSig, PublicKey>) {
        self.committees.install(epoch, info);
    }
}

/// Connects to whom a ceremony names.
#[derive(Clone)]
pub(crate) struct Tracked<P>(pub(crate) P);

impl<P> std::fmt::Debug for Tracked<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracked").finish_non_exhaustive()
    }
}

impl<P: Peers> Provider for Tracked<P> {
    type PublicKey = PublicKey;

    async fn peer_set(&mut self, id: u64) -> Option<TrackedPeers<PublicKey>> {
        self.0.peer_set(id).await
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<PublicKey> {
        self.0.subscribe().await
    }
}

impl<P: Peers> Manager for Tracked<P> {
    type Directory = Roster;
    type Error = Infallible;

    fn track(&mut self, epoch: Epoch, peers: TrackedPeers<PublicKey>, roster: &Roster) -> Result<(), Infallible> {
        let primary = Roster::gather(&peers.primary, &[roster.validators()]);
        if let Ok(committee) = Committee::new(primary.validators().to_vec()) {
            self.0.activate(epoch.get(), &committee, roster.validators());
        }
        Ok(())
    }
}
