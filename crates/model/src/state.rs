//! What a state of the model holds.

use crate::{
    settings::Settings,
    tree::{BlockId, BlockSet, Tree, View, ViewSet},
};

/// Most validators that follow the rules.
pub const MAX_CORRECT: usize = 4;

/// Votes of one validator; also certificates, where they are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Votes {
    /// Proposals to notarise.
    pub notarize: BlockSet,
    /// Views to nullify.
    pub nullify: ViewSet,
    /// Proposals to finalise.
    pub finalize: BlockSet,
}

/// A validator that follows the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Validator {
    /// Where it is. In the vote log.
    pub view: View,
    /// What it voted. In the vote log.
    pub votes: Votes,
    /// What it voted and does not know any more, because the vote log was lost. Others still have these votes.
    pub forgotten: Votes,
    /// Notarised proposals it has certified, and so builds on. In the vote log.
    pub certified: BlockSet,
    /// Notarised proposals whose commitment it found wrong. In the vote log.
    pub rejected: BlockSet,
    /// What it has executed. Volatile, but for what is final.
    pub executed: BlockSet,
    /// What of that came out wrong: a broken validator does not know.
    pub mistaken: BlockSet,
    /// The highest block it knows to be final. On disk.
    pub tip: Option<BlockId>,
    /// Whether it found that a final commitment is not its own result, and stopped.
    pub halted: bool,
    /// Whether its key is locked: it lost its vote log and follows until the epoch ends.
    pub locked: bool,
    /// Views in which it will not vote to finalise, because of a vote that is no longer kept.
    pub barred: ViewSet,
}

impl Validator {
    /// Whether it has voted to notarise `id`, known to it or not.
    pub const fn sent_notarize(&self, id: BlockId) -> bool {
        self.votes.notarize.union(self.forgotten.notarize).contains(id)
    }

    /// Whether it has voted to nullify `view`, known to it or not.
    pub const fn sent_nullify(&self, view: View) -> bool {
        self.votes.nullify.union(self.forgotten.nullify).contains(view)
    }

    /// Whether it has voted to finalise `id`, known to it or not.
    pub const fn sent_finalize(&self, id: BlockId) -> bool {
        self.votes.finalize.union(self.forgotten.finalize).contains(id)
    }

    /// Whether it may vote: it has not stopped, and knows all that it has voted.
    pub const fn may_vote(&self) -> bool {
        !self.halted && !self.locked
    }

    /// Moves on to `view` unless it is there or further already.
    pub fn enter(&mut self, view: View) {
        self.view = self.view.max(view);
    }
}

/// Everything there is at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct State {
    /// All proposals made.
    pub tree: Tree,
    /// Those who follow the rules; beyond their number the places are empty.
    pub validators: [Validator; MAX_CORRECT],
    /// Certificates that a Byzantine vote has completed and that are known from then on.
    pub helped: Votes,
    /// Restarts so far.
    pub restarts: u8,
    /// Whether messages arrive before time-outs fire, from now on.
    pub calm: bool,
}

impl State {
    /// Everyone in view 1, nothing proposed.
    pub fn genesis(settings: &Settings) -> Self {
        let mut state = Self::default();
        state.validators.iter_mut().take(settings.correct).for_each(|validator| validator.view = View(1));
        state
    }

    /// The same state for every permutation of validators that can be exchanged.
    pub fn sort(&mut self, settings: &Settings) {
        if settings.is_symmetric() {
            let count = settings.correct - usize::from(settings.broken);
            if let Some(validators) = self.validators.get_mut(..count) {
                validators.sort_unstable();
            }
        }
    }
}
