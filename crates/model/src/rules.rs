//! What each participant may do in a state, and what becomes of it.
//!
//! A view's course: its leader proposes; validators that are in the view and find the proposal in order vote to notarise it; a
//! quorum of those is a notarisation. Whoever sees one certifies: waits until it has executed the block the commitment is about,
//! compares, and, if they agree, votes to finalise and enters the next view. Whoever waits too long, or finds a false commitment, votes
//! to nullify the view; a quorum of those lets everyone enter the next. A validator casts at most one vote to notarise a
//! view, and never both to nullify and to finalise it.

use crate::{
    settings::{Adversary, Execution, Leader, Loss, Mutation, Settings},
    settle,
    state::{State, Validator, Votes},
    tree::{BlockId, BlockSet, Claim, Tree, View, ViewSet, view_of},
};

/// What a quorum of votes proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Certificate {
    /// No other proposal of the view can have one.
    Notarization(BlockId),
    /// No proposal of the view can be finalised.
    Nullification(View),
    /// The proposal and its ancestors are final.
    Finalization(BlockId),
}

impl Certificate {
    /// Whether `validator` has sent its vote for it.
    pub fn has_vote(self, validator: &Validator) -> bool {
        match self {
            Self::Notarization(id) => validator.sent_notarize(id),
            Self::Nullification(view) => validator.sent_nullify(view),
            Self::Finalization(id) => validator.sent_finalize(id),
        }
    }

    /// Votes of validators that follow the rules.
    fn votes(self, state: &State) -> usize {
        state.validators.iter().filter(|validator| self.has_vote(validator)).count()
    }

    /// Whether everyone who looks can have it.
    pub fn exists(self, settings: &Settings, state: &State) -> bool {
        let is_helped = match self {
            Self::Notarization(id) => state.helped.notarize.contains(id),
            Self::Nullification(view) => state.helped.nullify.contains(view),
            Self::Finalization(id) => state.helped.finalize.contains(id),
        };
        let byzantine = if settings.adversary == Adversary::Eager { settings.byzantine } else { 0 };
        is_helped || self.votes(state) + byzantine >= settings.quorum()
    }

    /// Whether Byzantine votes could complete it, shown or not. Safety is asked of these.
    pub fn is_possible(self, settings: &Settings, state: &State) -> bool {
        self.exists(settings, state) || self.votes(state) + settings.byzantine >= settings.quorum()
    }

    /// A Byzantine validator adds its vote and lets it be known.
    pub const fn complete(self, state: &mut State) {
        match self {
            Self::Notarization(id) => state.helped.notarize.insert(id),
            Self::Nullification(view) => state.helped.nullify.insert(view),
            Self::Finalization(id) => state.helped.finalize.insert(id),
        }
    }
}

/// Whether every view between `parent` and `view` was nullified.
fn is_gap_nullified(settings: &Settings, state: &State, parent: Option<BlockId>, view: View) -> bool {
    (view_of(parent).0 + 1..view.0).all(|between| Certificate::Nullification(View(between)).exists(settings, state))
}

/// Whether `validator` would build on `parent`: genesis, its newest final block, or something newer it has certified.
fn is_fit_parent(validator: &Validator, parent: Option<BlockId>) -> bool {
    let is_known = parent.is_none_or(|id| validator.certified.contains(id) || validator.tip == parent);
    is_known && view_of(parent) >= view_of(validator.tip)
}

/// Whether `validator` has executed `subject`, or can as soon as it needs the result. What it could commit to or certify is
/// notarised, as are all ancestors of it.
fn is_executable(settings: &Settings, tree: &Tree, validator: &Validator, subject: BlockId) -> bool {
    settings.execution == Execution::Speculative
        || validator.executed.contains(subject)
        || tree.ancestry(validator.tip).contains(subject)
}

/// Whether `validator` can have a result for what a block on `parent` commits to.
fn has_subject(settings: &Settings, tree: &Tree, validator: &Validator, parent: Option<BlockId>) -> bool {
    tree.subject(parent, settings.lag).is_none_or(|subject| is_executable(settings, tree, validator, subject))
}

/// What `validator` got when it executed `subject`.
fn result(validator: &Validator, subject: Option<BlockId>) -> Claim {
    if subject.is_some_and(|id| validator.mistaken.contains(id)) { Claim::Wrong } else { Claim::Right }
}

/// Validator `by` executes `subject`, and its ancestors first, as far as it has not. `outcome` is what comes out, but on a
/// wrong state nothing comes out right.
pub fn execute(settings: &Settings, state: &mut State, by: usize, subject: Option<BlockId>, outcome: Claim) {
    let tree = state.tree;
    let validator = &mut state.validators[by];
    let done = validator.executed;
    let is_wrong = outcome == Claim::Wrong || !tree.ancestry(subject).intersection(validator.mistaken).is_empty();
    for (id, _) in tree.chain(subject).filter(|(id, _)| !done.contains(*id)) {
        validator.executed.insert(id);
        if is_wrong {
            validator.mistaken.insert(id);
        }
    }
    validator.halted |= contradicts(settings, &tree, validator);
}

/// What can come out when validator `by` executes.
pub fn outcomes(settings: &Settings, by: usize) -> &'static [Claim] {
    if settings.broken && by + 1 == settings.correct { &[Claim::Right, Claim::Wrong] } else { &[Claim::Right] }
}

/// The proposal that validator `by` makes now, if it leads its view and has what it takes: a parent with no gap to it, and
/// the result it has to commit to.
pub fn proposal(settings: &Settings, state: &State, by: usize) -> Option<(BlockId, Option<BlockId>)> {
    let validator = &state.validators[by];
    let view = validator.view;
    let leads = match settings.leader(view)? {
        Leader::Byzantine => false,
        Leader::Any => true,
        Leader::Validator(leader) => leader == by,
    };
    let [first, second] = view.proposals();
    // Who has forgotten its proposal makes another.
    let place = if validator.forgotten.notarize.contains(first) { second } else { first };
    if !leads || !validator.may_vote() || state.tree.get(place).is_some() || validator.votes.nullify.contains(view) {
        return None;
    }
    let newest = BlockId::all().rev().find(|id| id.view() < view && validator.certified.contains(*id));
    let parent = newest.max(validator.tip);
    let is_ready =
        is_gap_nullified(settings, state, parent, view) && has_subject(settings, &state.tree, validator, parent);
    is_ready.then_some((place, parent))
}

/// Validator `by` proposes `place` on `parent`, and votes for it.
pub fn propose(
    settings: &Settings,
    state: &mut State,
    by: usize,
    (place, parent): (BlockId, Option<BlockId>),
    outcome: Claim,
) {
    let subject = state.tree.subject(parent, settings.lag);
    execute(settings, state, by, subject, outcome);
    let claim = result(&state.validators[by], subject);
    state.tree.insert(place, parent, claim);
    state.validators[by].votes.notarize.insert(place);
}

/// Whether validator `by` votes to notarise `id`. It does not look at the commitment: that is for certifying.
pub fn may_notarize(settings: &Settings, state: &State, by: usize, id: BlockId) -> bool {
    let validator = &state.validators[by];
    let Some(block) = state.tree.get(id) else { return false };
    let view = id.view();
    if !validator.may_vote() || validator.view != view || validator.votes.nullify.contains(view) {
        return false;
    }
    validator.votes.notarize.of_view(view).is_empty()
        && is_fit_parent(validator, block.parent)
        && (settings.mutation == Mutation::SkipViews || is_gap_nullified(settings, state, block.parent, view))
}

/// Whether validator `by` can compare the commitment of `id` now.
pub fn may_certify(settings: &Settings, state: &State, by: usize, id: BlockId) -> bool {
    let validator = &state.validators[by];
    let Some(block) = state.tree.get(id) else { return false };
    let is_decided = validator.certified.contains(id) || validator.rejected.contains(id);
    if validator.halted || is_decided || id.view() <= view_of(validator.tip) {
        return false;
    }
    Certificate::Notarization(id).exists(settings, state) && has_subject(settings, &state.tree, validator, block.parent)
}

/// Validator `by` compares the commitment of `id`, and goes on accordingly.
pub fn certify(settings: &Settings, state: &mut State, by: usize, id: BlockId, outcome: Claim) {
    let Some(block) = state.tree.get(id).copied() else { return };
    let subject = state.tree.subject(block.parent, settings.lag);
    execute(settings, state, by, subject, outcome);
    let validator = &mut state.validators[by];
    if result(validator, subject) == block.claim || settings.mutation == Mutation::TrustClaims {
        accept(settings, validator, id);
    } else {
        reject(validator, id);
    }
}

fn accept(settings: &Settings, validator: &mut Validator, id: BlockId) {
    let view = id.view();
    validator.certified.insert(id);
    let has_seen_twin = !validator.votes.notarize.of_view(view).is_subset(BlockSet::of(id));
    let has_nullified = validator.votes.nullify.contains(view) && settings.mutation != Mutation::FinalizeAfterNullify;
    if validator.may_vote() && !has_nullified && !has_seen_twin && !validator.barred.contains(view) {
        validator.votes.finalize.insert(id);
    }
    validator.enter(view.next());
}

fn reject(validator: &mut Validator, id: BlockId) {
    validator.rejected.insert(id);
    if validator.may_vote() && validator.view == id.view() {
        validator.votes.nullify.insert(id.view());
    }
}

/// Whether validator `by`'s patience with its view can end: it has not voted to nullify it yet.
pub fn may_time_out(settings: &Settings, state: &State, by: usize) -> bool {
    let validator = &state.validators[by];
    let is_early = !state.calm && settings.calm_after.is_some_and(|last| validator.view > last);
    let view = validator.view;
    validator.may_vote() && !is_early && view <= settings.last_view() && !validator.votes.nullify.contains(view)
}

/// Whether validator `by` has something to gain from a nullification of `view`.
pub fn may_leave(settings: &Settings, state: &State, by: usize, view: View) -> bool {
    let validator = &state.validators[by];
    !validator.halted && validator.view <= view && Certificate::Nullification(view).exists(settings, state)
}

/// Whether validator `by` learns that `id` is final.
pub fn may_learn(settings: &Settings, state: &State, by: usize, id: BlockId) -> bool {
    let validator = &state.validators[by];
    let is_news = state.tree.height(Some(id)) > state.tree.height(validator.tip);
    let is_useful = settings.learns_all || validator.view <= id.view();
    !validator.halted && is_news && is_useful && Certificate::Finalization(id).exists(settings, state)
}

/// Validator `by` learns that `id` is final, executes and keeps it and its ancestors, and goes on behind it.
pub fn learn(settings: &Settings, state: &mut State, by: usize, id: BlockId, outcome: Claim) {
    state.validators[by].tip = Some(id);
    state.validators[by].enter(id.view().next());
    execute(settings, state, by, Some(id), outcome);
}

/// Whether a final commitment is not what `validator` computed: a broken invariant, at which it stops.
pub fn contradicts(settings: &Settings, tree: &Tree, validator: &Validator) -> bool {
    tree.chain(validator.tip).any(|(_, block)| {
        let subject = tree.subject(block.parent, settings.lag);
        subject.is_none_or(|id| validator.executed.contains(id)) && result(validator, subject) != block.claim
    })
}

/// What validator `by` is after a crash and a restart: the log and the disk are there, speculation is not.
pub fn restarted(settings: &Settings, state: &State, by: usize) -> Validator {
    let mut validator = state.validators[by];
    let durable = state.tree.ancestry(validator.tip);
    validator.executed = validator.executed.intersection(durable);
    validator.mistaken = validator.mistaken.intersection(durable);
    let loses_disk = settings.loss == Loss::Disk;
    if loses_disk {
        // What is final it fetches again; others have it.
        validator.locked = true;
        validator.executed = BlockSet::default();
        validator.mistaken = BlockSet::default();
        validator.tip = None;
    }
    if loses_disk || settings.mutation == Mutation::ForgetVotes {
        validator.forgotten.notarize = validator.forgotten.notarize.union(validator.votes.notarize);
        validator.forgotten.nullify = validator.forgotten.nullify.union(validator.votes.nullify);
        validator.forgotten.finalize = validator.forgotten.finalize.union(validator.votes.finalize);
        validator.votes = Votes::default();
        validator.certified = BlockSet::default();
        validator.rejected = BlockSet::default();
        validator.barred = ViewSet::default();
        validator.view = view_of(validator.tip).next();
    }
    validator
}

/// Whether a proposal of a Byzantine leader would get an honest vote at once. Others are as good as not made.
pub fn finds_a_voter(settings: &Settings, state: &State, id: BlockId) -> bool {
    let is_hopeless = settle::is_hopeless(settings, state, Certificate::Notarization(id));
    !is_hopeless && (0..settings.correct).any(|by| may_notarize(settings, state, by, id))
}
