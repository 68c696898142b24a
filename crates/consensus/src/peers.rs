//! Who this node is connected to: the epoch's committee as primary peers, followers as secondary ones.

use std::{collections::BTreeMap, fmt, sync::Arc};

use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{
    Address, AddressableManager, AddressableTrackedPeers, Manager, PeerSetSubscription, Provider, TrackedPeers,
};
use commonware_utils::ordered::{Map, Set};

use crate::committee::{Committee, Validator};

/// A network whose peers can be chosen.
pub trait Peers: Provider<PublicKey = PublicKey> + Sync {
    /// Connects to the committee of `epoch`, to `others` (who left a short while ago must still learn of it, and who comes in next
    /// has to be given a share), and to the followers that it knows of.
    fn activate(&mut self, epoch: u64, committee: &Committee, others: &[Validator]);
}

/// Finds a validator's address. `None`: it cannot be reached (an unknown name), and is left out.
pub type Resolve = Arc<dyn Fn(&str) -> Option<Address> + Send + Sync>;

/// Peers of a network that must be told addresses (`authenticated::lookup`).
#[derive(Clone)]
pub struct Addressed<M> {
    /// The network.
    pub manager: M,
    /// Nodes that follow the chain without a vote.
    pub followers: BTreeMap<PublicKey, Address>,
    /// Turns a committee's `host:port` into an address.
    pub resolve: Resolve,
}

/// Peers of a network that finds addresses by itself (the simulated one).
#[derive(Clone, Debug)]
pub struct Unaddressed<M> {
    /// The network.
    pub manager: M,
    /// Nodes that follow the chain without a vote.
    pub followers: Set<PublicKey>,
}

impl<M: fmt::Debug> fmt::Debug for Addressed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { manager, followers, resolve: _ } = self;
        f.debug_struct("Addressed").field("manager", manager).field("followers", followers).finish_non_exhaustive()
    }
}

impl<M: AddressableManager<PublicKey = PublicKey>> Provider for Addressed<M> {
    type PublicKey = PublicKey;

    async fn peer_set(&mut self, id: u64) -> Option<TrackedPeers<PublicKey>> {
        self.manager.peer_set(id).await
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<PublicKey> {
        self.manager.subscribe().await
    }
}

impl<M> Addressed<M> {
    fn reachable(&self, validators: &[Validator]) -> Vec<(PublicKey, Address)> {
        let reach = |validator: &Validator| {
            let address = (self.resolve)(&validator.address);
            if address.is_none() {
                tracing::warn!(validator = %validator.public_key, address = %validator.address, "cannot resolve");
            }
            Some((validator.public_key.clone(), address?))
        };
        validators.iter().filter_map(reach).collect()
    }
}

impl<M: AddressableManager<PublicKey = PublicKey> + Sync> Peers for Addressed<M> {
    fn activate(&mut self, epoch: u64, committee: &Committee, others: &[Validator]) {
        let primary = Map::from_iter_dedup(self.reachable(committee.validators()));
        let others = self.reachable(others);
        // The first entry of a key counts: what is configured here.
        let secondary = Map::from_iter_dedup(self.followers.clone().into_iter().chain(others));
        self.manager.track(epoch, AddressableTrackedPeers::new(primary, secondary));
    }
}

impl<M: Manager<PublicKey = PublicKey>> Provider for Unaddressed<M> {
    type PublicKey = PublicKey;

    async fn peer_set(&mut self, id: u64) -> Option<TrackedPeers<PublicKey>> {
        self.manager.peer_set(id).await
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<PublicKey> {
        self.manager.subscribe().await
    }
}

impl<M: Manager<PublicKey = PublicKey> + Sync> Peers for Unaddressed<M> {
    fn activate(&mut self, epoch: u64, committee: &Committee, others: &[Validator]) {
        let others = others.iter().map(|validator| validator.public_key.clone());
        let secondary = Set::from_iter_dedup(self.followers.clone().into_iter().chain(others));
        self.manager.track(epoch, TrackedPeers::new(committee.keys(), secondary));
    }
}
