//! The committees that a node knows, by epoch, with the schemes that check and make their certificates.

use std::{collections::BTreeMap, sync::Arc};

use commonware_consensus::types::Epoch;
use commonware_cryptography::{
    Signer as _,
    certificate::{Provider, Scoped},
    ed25519::PrivateKey,
};
use parking_lot::RwLock;

use crate::{
    committee::Committee,
    rules::Rules,
    scheme::{GroupShare, Scheme},
};

/// Epochs whose committees are kept behind the newest one.
const MAX_KEPT_EPOCHS: usize = 64;

#[derive(Debug)]
struct Entry {
    committee: Arc<Committee>,
    scheme: Arc<Scheme>,
}

/// Committees by epoch. Clones share them.
#[derive(Clone, Debug)]
pub struct Committees {
    rules: Arc<Rules>,
    key: PrivateKey,
    share: Option<GroupShare>,
    entries: Arc<RwLock<BTreeMap<Epoch, Entry>>>,
}

impl Committees {
    /// Knows the first epoch's committee, from the rules.
    pub(crate) fn new(rules: Arc<Rules>, key: PrivateKey, share: Option<GroupShare>) -> Self {
        let first = rules.committee.clone();
        let committees = Self { rules, key, share, entries: Arc::default() };
        committees.insert(Epoch::zero(), first);
        committees
    }

    /// Learns an epoch's committee.
    pub(crate) fn insert(&self, epoch: Epoch, committee: Committee) {
        let Self { rules, key, share, entries } = self;
        let scheme = Scheme::new(&rules.signatures, &rules.namespace, committee.keys(), key, share.as_ref());
        let mut entries = entries.write();
        entries.insert(epoch, Entry { committee: Arc::new(committee), scheme: Arc::new(scheme) });
        while entries.len() > MAX_KEPT_EPOCHS {
            entries.pop_first();
        }
    }

    /// Lets this node sign nothing in an epoch whose committee it knows.
    pub(crate) fn silence(&self, epoch: Epoch) {
        let Self { rules, key, entries, .. } = self;
        if let Some(entry) = entries.write().get_mut(&epoch) {
            let keys = entry.committee.keys();
            entry.scheme = Arc::new(Scheme::silent(&rules.signatures, &rules.namespace, keys, &key.public_key()));
        }
    }

    /// An epoch's committee, if it is known.
    pub fn committee(&self, epoch: Epoch) -> Option<Arc<Committee>> {
        self.entries.read().get(&epoch).map(|entry| Arc::clone(&entry.committee))
    }
}

impl Provider for Committees {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        self.entries.read().get(&epoch).map(|entry| Scoped::scheme(Arc::clone(&entry.scheme)))
    }
}
