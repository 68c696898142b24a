//! Outcomes above the newest durable block, on all branches.
//!
//! Each knows the digests and hashes of those between the durable block it stood on and itself (its *path*), so that it needs no
//! other to be kept: when there are too many, the oldest goes, one that is not below the newcomer if there is one. The chain
//! of blocks that are not final yet may thus be as long as it likes; a block that went is executed again should it become
//! final.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use alloy_primitives::{B256, Bytes};
use braid_state::StoreError;
use braid_types::{ExecutedBlock, Height, limits::MAX_SPECULATIVE_BLOCKS};

use crate::{build::Built, process::Parent, view::Ancestors};

/// An executed block that is not durable.
#[derive(Debug)]
pub(super) struct Speculation {
    /// Digest of its ordered block.
    pub(super) digest: B256,
    /// What executing it gave.
    pub(super) built: Built,
    /// The speculative blocks below it when it was executed, oldest first; the last is its parent.
    pub(super) path: Vec<Step>,
    /// How long it took.
    pub(super) execution: Duration,
}

/// A block on the way to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    height: Height,
    digest: B256,
    hash: B256,
}

impl Speculation {
    pub(super) const fn executed(&self) -> &Arc<ExecutedBlock> {
        &self.built.processed.executed
    }

    fn height(&self) -> Height {
        self.executed().height()
    }

    /// It as the parent of another.
    pub(super) fn as_parent(&self) -> Parent {
        let executed = self.executed();
        Parent {
            header: executed.block.header.clone(),
            hash: executed.hash,
            total_difficulty: executed.total_difficulty,
            state: self.built.processed.state.clone(),
        }
    }

    /// The path of its children, above the `durable` height.
    pub(super) fn path_through(&self, durable: Height) -> Vec<Step> {
        let own = Step { height: self.height(), digest: self.digest, hash: self.executed().hash };
        self.path.iter().copied().chain([own]).filter(|step| step.height > durable).collect()
    }

    /// Whether it stands on the block with `digest` at `height`, once everything up to there is durable.
    fn stands_on(&self, height: Height, digest: B256) -> bool {
        self.path.iter().any(|step| step.height == height && step.digest == digest)
    }
}

/// The outcomes by height and digest.
#[derive(Debug, Default)]
pub(super) struct Tree {
    outcomes: BTreeMap<(Height, B256), Arc<Speculation>>,
    /// Keys of `outcomes` in order of arrival.
    arrivals: Vec<(Height, B256)>,
}

impl Tree {
    pub(super) fn len(&self) -> usize {
        self.outcomes.len()
    }

    pub(super) fn get(&self, height: Height, digest: B256) -> Option<Arc<Speculation>> {
        self.outcomes.get(&(height, digest)).cloned()
    }

    /// Adds an outcome, and lets others go where there are too many.
    pub(super) fn insert(&mut self, speculation: Arc<Speculation>) {
        let key = (speculation.height(), speculation.digest);
        let below: BTreeSet<_> = speculation.path.iter().map(|step| (step.height, step.digest)).collect();
        while self.arrivals.len() >= MAX_SPECULATIVE_BLOCKS {
            let aside = self.arrivals.iter().position(|key| !below.contains(key));
            let oldest = self.arrivals.remove(aside.unwrap_or(0));
            self.outcomes.remove(&oldest);
        }
        if self.outcomes.insert(key, speculation).is_none() {
            self.arrivals.push(key);
        }
    }

    /// Keeps only what stands on the block that became durable.
    pub(super) fn prune(&mut self, height: Height, digest: B256) {
        self.outcomes.retain(|_, speculation| speculation.stands_on(height, digest));
        let outcomes = &self.outcomes;
        self.arrivals.retain(|key| outcomes.contains_key(key));
    }

    /// What a block on `path` sees of its ancestors, those below the path by `below`.
    pub(super) fn ancestors(&self, path: &[Step], below: Arc<dyn Ancestors>) -> SpeculativeAncestors {
        let kept = path.iter().filter_map(|step| self.get(step.height, step.digest)).collect();
        SpeculativeAncestors { hashes: path.iter().map(|step| (step.height, step.hash)).collect(), kept, below }
    }
}

/// Ancestors of a block some of which are not durable.
pub(super) struct SpeculativeAncestors {
    hashes: BTreeMap<Height, B256>,
    kept: Vec<Arc<Speculation>>,
    below: Arc<dyn Ancestors>,
}

impl Ancestors for SpeculativeAncestors {
    fn hash(&self, height: Height) -> Result<Option<B256>, StoreError> {
        self.hashes.get(&height).map_or_else(|| self.below.hash(height), |hash| Ok(Some(*hash)))
    }

    fn code(&self, hash: B256) -> Option<Bytes> {
        self.kept.iter().find_map(|block| block.built.processed.changes.codes.get(&hash).cloned())
    }
}
