//! The committees that a node knows, by epoch, with the schemes that check and make their certificates.
//!
//! An epoch's members are learned from the last block of the epoch before. With ed25519 that is all. With a threshold scheme the node
//! checks certificates from then on, and signs once its part in the [ceremony](crate::reshare) has put its share on disk.

use std::{collections::BTreeMap, sync::Arc};

use commonware_consensus::types::Epoch;
use commonware_cryptography::{
    Signer as _,
    bls12381::primitives::variant::MinSig,
    certificate::{Provider, Scoped},
    ed25519::{PrivateKey, PublicKey},
};
use commonware_glue::dkg::types::SchemeInfo;
use commonware_utils::channel::watch;
use parking_lot::RwLock;

use crate::{
    block::{Dissemination, Header},
    committee::{Committee, Validator},
    reshare::{self, EpochInfo, EpochOutcome, Payload, committee_of},
    rules::Rules,
    scheme::{GroupShare, Scheme, Signatures},
    validity::Members,
};

/// Epochs whose committees are kept behind the newest one.
const MAX_KEPT_EPOCHS: usize = 64;

#[derive(Clone, Debug)]
struct Entry {
    members: Members,
    /// With a threshold scheme: the group.
    info: Option<Arc<EpochInfo>>,
    scheme: Arc<Scheme>,
    /// Whether the scheme signs if it ever will.
    is_ready: bool,
}

/// Committees by epoch. Clones share them.
#[derive(Clone, Debug)]
pub struct Committees {
    rules: Arc<Rules>,
    key: PrivateKey,
    entries: Arc<RwLock<BTreeMap<Epoch, Entry>>>,
    /// Told of every change.
    changes: Arc<watch::Sender<()>>,
}

impl Committees {
    /// Knows the first epoch's committee, from the rules.
    pub(crate) fn new(rules: Arc<Rules>, key: PrivateKey, share: Option<&GroupShare>) -> Self {
        let first = Arc::new(rules.committee.clone());
        let info = match &rules.signatures {
            Signatures::Ed25519 => None,
            // Rules hold no polynomial of another committee.
            Signatures::Threshold(polynomial) => reshare::first(&first, polynomial).ok().map(Arc::new),
        };
        let scheme = Arc::new(Scheme::new(&rules.signatures, &rules.namespace, first.keys(), &key, share));
        let is_ready = info.is_none();
        let members = Members { committee: Arc::clone(&first), elected: first };
        let entry = Entry { members, info, scheme, is_ready };
        let entries = Arc::new(RwLock::new(BTreeMap::from([(Epoch::zero(), entry)])));
        Self { rules, key, entries, changes: Arc::new(watch::Sender::new(())) }
    }

    /// Learns the next epoch's members from the header and the payload of a final block, if it is the last of its epoch. `false`: they
    /// do not say who they are.
    pub(crate) fn learn<K: Dissemination>(&self, header: &Header<K>, payload: Option<&Payload>) -> bool {
        let height = header.height;
        if height == 0 || !self.rules.is_last(height) {
            return true;
        }
        let epoch = self.rules.epoch_of(height).next();
        let Some(elected) = header.next.clone().map(Arc::new) else { return false };
        match (&self.rules.signatures, payload) {
            (Signatures::Ed25519, None) => self.insert(epoch, elected),
            (Signatures::Threshold(_), Some(Payload::EpochInfo(info))) if info.epoch == epoch => {
                return self.insert_group(info.clone(), elected);
            }
            _ => return false,
        }
        true
    }

    fn insert(&self, epoch: Epoch, committee: Arc<Committee>) {
        let Self { rules, key, .. } = self;
        let scheme = Arc::new(Scheme::new(&rules.signatures, &rules.namespace, committee.keys(), key, None));
        let members = Members { committee: Arc::clone(&committee), elected: committee };
        self.add(epoch, Entry { members, info: None, scheme, is_ready: true });
    }

    fn insert_group(&self, info: EpochInfo, elected: Arc<Committee>) -> bool {
        let Some(committee) = committee_of(&info) else { return false };
        let epoch = info.epoch;
        if info.outcome == EpochOutcome::Failure {
            tracing::warn!(%epoch, "too few dealers handed the group's key on: members and shares stay as they were");
        }
        let group = Signatures::Threshold(Box::new(info.output.public().clone()));
        let scheme = Arc::new(Scheme::new(&group, &self.rules.namespace, committee.keys(), &self.key, None));
        let members = Members { committee: Arc::new(committee), elected };
        // A block that comes a second time takes nothing away.
        if self.entries.read().get(&epoch).is_none_or(|entry| !entry.is_ready) {
            self.add(epoch, Entry { members, info: Some(Arc::new(info)), scheme, is_ready: false });
        }
        true
    }

    fn add(&self, epoch: Epoch, entry: Entry) {
        let mut entries = self.entries.write();
        entries.insert(epoch, entry);
        while entries.len() > MAX_KEPT_EPOCHS {
            entries.pop_first();
        }
        drop(entries);
        self.changes.send_replace(());
    }

    /// Signs with a share, or does without, from now on in an epoch whose members are known.
    pub(crate) fn install(&self, epoch: Epoch, info: SchemeInfo<MinSig, PublicKey>) {
        let (participants, sharing, share) = match info {
            SchemeInfo::Verifier { participants, sharing } | SchemeInfo::Member { participants, sharing, .. } => {
                (participants, sharing, None)
            }
            SchemeInfo::Signer { participants, sharing, share } => (participants, sharing, Some(share)),
        };
        if share.is_none() && participants.position(&self.key.public_key()).is_some() {
            tracing::warn!(%epoch, "this member has no share of the group's key: it follows without a vote");
        }
        let group = Signatures::Threshold(Box::new(sharing));
        let scheme = Scheme::new(&group, &self.rules.namespace, participants, &self.key, share.as_ref());
        if let Some(entry) = self.entries.write().get_mut(&epoch) {
            entry.scheme = Arc::new(scheme);
            entry.is_ready = true;
        }
        self.changes.send_replace(());
    }

    fn entry<T>(&self, epoch: Epoch, read: impl FnOnce(&Entry) -> T) -> Option<T> {
        self.entries.read().get(&epoch).map(read)
    }

    async fn wait<T>(&self, read: impl Fn(&Self) -> Option<T>) -> Option<T> {
        let mut changes = self.changes.subscribe();
        loop {
            if let Some(found) = read(self) {
                return Some(found);
            }
            changes.changed().await.ok()?;
        }
    }

    /// Lets this node sign nothing in an epoch whose committee it knows.
    pub(crate) fn silence(&self, epoch: Epoch) {
        let Self { rules, key, entries, .. } = self;
        if let Some(entry) = entries.write().get_mut(&epoch) {
            let group = entry.info.as_ref().map(|info| Signatures::Threshold(Box::new(info.output.public().clone())));
            let signatures = group.as_ref().unwrap_or(&rules.signatures);
            let keys = entry.members.committee.keys();
            entry.scheme = Arc::new(Scheme::silent(signatures, &rules.namespace, keys, &key.public_key()));
        }
    }

    /// Who votes in an epoch, if it is known.
    pub fn committee(&self, epoch: Epoch) -> Option<Arc<Committee>> {
        self.entry(epoch, |entry| Arc::clone(&entry.members.committee))
    }

    /// Who counts in an epoch, if it is known.
    pub(crate) fn members(&self, epoch: Epoch) -> Option<Members> {
        self.entry(epoch, |entry| entry.members.clone())
    }

    /// An epoch's group, if it is known and there is one.
    pub fn info(&self, epoch: Epoch) -> Option<Arc<EpochInfo>> {
        self.entry(epoch, |entry| entry.info.clone())?
    }

    /// Whom the votes of the epoch before `epoch` elected, once that is known.
    pub(crate) async fn elected(&self, epoch: Epoch) -> Arc<Committee> {
        let found = self.wait(|known| known.entry(epoch, |entry| Arc::clone(&entry.members.elected))).await;
        // This holds the sender that the wait ends with.
        found.unwrap_or_else(|| Arc::new(self.rules.committee.clone()))
    }

    /// The scheme of an epoch, once it signs if it ever will. `None` if the epoch is not known.
    pub(crate) async fn ready(&self, epoch: Epoch) -> Option<Arc<Scheme>> {
        self.entry(epoch, |_| ())?;
        self.wait(|known| known.entry(epoch, |entry| entry.is_ready.then(|| Arc::clone(&entry.scheme)))?).await
    }

    /// With whom a node is connected in an epoch beside its committee: that of the epoch before, and who gets shares now or next.
    pub(crate) fn others(&self, epoch: Epoch) -> Vec<Validator> {
        let before = epoch.previous().and_then(|epoch| self.committee(epoch));
        let before = before.iter().flat_map(|committee| committee.validators().to_vec());
        let info = self.info(epoch);
        let named = info.iter().flat_map(|info| info.directory.validators().to_vec());
        named.chain(before).collect()
    }
}

impl Provider for Committees {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        self.entry(epoch, |entry| Scoped::scheme(Arc::clone(&entry.scheme)))
    }
}
