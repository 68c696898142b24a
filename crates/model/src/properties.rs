//! What is true in every state, and what has to happen in some so that the rest means anything.

use stateright::Property;

use crate::{
    model::Protocol,
    rules::{self, Certificate},
    state::State,
    tree::{BlockId, BlockSet, Claim, View, view_of},
};

/// No two blocks that are, or could be shown to be, final stand on different chains.
pub const AGREEMENT: &str = "agreement";
/// Of a view, at most one proposal is notarised, and none is finalised that was nullified.
pub const EXCLUSION: &str = "certificates exclude each other";
/// What final blocks say about execution is what correct validators compute.
pub const EXECUTION: &str = "a final commitment is what correct validators compute";
/// Finality is at most `lag` blocks ahead of execution on more than f correct validators. Asked where executions are watched and no
/// restart takes them away.
pub const BACK_PRESSURE: &str = "finality waits for execution";
/// A validator whose own results differ from the final ones does not go on.
pub const DETECTION: &str = "who computes something else stops";
/// What a validator knew to be final stays so.
pub const DURABILITY: &str = "what validators know to be final is on one chain";
/// Where nothing can happen any more, everyone has seen something become final since it is calm.
pub const PROGRESS: &str = "finality goes on once it is calm";

/// Seen in some state, or the rest means little: a block above the first `lag` heights is final.
pub const FINAL_COMMITMENT: &str = "a block with a commitment about another is final";
/// A final block stands on one that is not from the view before.
pub const SKIPPED_VIEW: &str = "a final block skips a view";
/// Two proposals of one view have honest votes.
pub const EQUIVOCATION: &str = "both proposals of a view have honest votes";
/// A proposal is certified by one validator in a view that another has voted to nullify.
pub const SPLIT_VIEW: &str = "a view is certified by some and given up by others";
/// A notarised proposal was refused for its commitment.
pub const REFUSAL: &str = "a notarised proposal is refused for its commitment";
/// A validator has stopped.
pub const HALT: &str = "a validator stops";

/// All of them: what must hold in every state, and what must be seen in some.
pub fn all() -> Vec<Property<Protocol>> {
    vec![
        Property::always(AGREEMENT, agreement),
        Property::always(EXCLUSION, exclusion),
        Property::always(EXECUTION, execution),
        Property::always(BACK_PRESSURE, back_pressure),
        Property::always(DETECTION, detection),
        Property::always(DURABILITY, durability),
        Property::always(PROGRESS, progress),
        Property::sometimes(FINAL_COMMITMENT, has_final_commitment),
        Property::sometimes(SKIPPED_VIEW, has_skipped_view),
        Property::sometimes(EQUIVOCATION, has_equivocation),
        Property::sometimes(SPLIT_VIEW, has_split_view),
        Property::sometimes(REFUSAL, |_, state: &State| state.validators.iter().any(|one| !one.rejected.is_empty())),
        Property::sometimes(HALT, |_, state: &State| state.validators.iter().any(|one| one.halted)),
    ]
}

/// Every block with a finalisation, shown or not.
pub fn finalized(model: &Protocol, state: &State) -> BlockSet {
    let mut set = BlockSet::default();
    let ids = state.tree.iter().map(|(id, _)| id);
    ids.filter(|id| Certificate::Finalization(*id).is_possible(&model.settings, state)).for_each(|id| set.insert(id));
    set
}

/// Whether these stand on one chain: all are ancestors of the highest, or it itself.
fn are_on_one_chain(state: &State, set: BlockSet) -> bool {
    let highest = set.iter().max_by_key(|id| state.tree.height(Some(*id)));
    set.is_subset(state.tree.ancestry(highest))
}

fn agreement(model: &Protocol, state: &State) -> bool {
    are_on_one_chain(state, finalized(model, state))
}

fn exclusion(model: &Protocol, state: &State) -> bool {
    let is_possible = |certificate: Certificate| certificate.is_possible(&model.settings, state);
    (1..=model.settings.last_view().0).map(View).all(|view| {
        let proposals = view.proposals();
        let notarized = proposals.iter().filter(|id| is_possible(Certificate::Notarization(**id))).count();
        let finalized = proposals.iter().any(|id| is_possible(Certificate::Finalization(*id)));
        notarized <= 1 && !(finalized && is_possible(Certificate::Nullification(view)))
    })
}

fn execution(model: &Protocol, state: &State) -> bool {
    let has_right_claims = |id: BlockId| state.tree.chain(Some(id)).all(|(_, block)| block.claim == Claim::Right);
    finalized(model, state).iter().all(has_right_claims)
}

fn back_pressure(model: &Protocol, state: &State) -> bool {
    let settings = &model.settings;
    if !settings.watches_execution || settings.restarts > 0 {
        return true;
    }
    let needed = settings.quorum() - settings.byzantine;
    let subject = |id: BlockId| state.tree.get(id).and_then(|block| state.tree.subject(block.parent, settings.lag));
    let have_executed = |id: BlockId| state.validators.iter().filter(|one| one.executed.contains(id)).count();
    finalized(model, state).iter().filter_map(subject).all(|id| have_executed(id) >= needed)
}

fn detection(model: &Protocol, state: &State) -> bool {
    let is_wrong = |one| rules::contradicts(&model.settings, &state.tree, one);
    state.validators.iter().all(|one| one.halted || !is_wrong(one))
}

fn durability(_: &Protocol, state: &State) -> bool {
    let mut tips = BlockSet::default();
    state.validators.iter().filter_map(|one| one.tip).for_each(|tip| tips.insert(tip));
    are_on_one_chain(state, tips)
}

fn progress(model: &Protocol, state: &State) -> bool {
    let Some(calm_after) = model.settings.calm_after else { return true };
    let running = state.validators.iter().take(model.settings.correct).filter(|one| !one.halted);
    let has_progressed = running.clone().all(|one| view_of(one.tip) > calm_after);
    has_progressed || !model.is_stuck(state)
}

fn has_final_commitment(model: &Protocol, state: &State) -> bool {
    finalized(model, state).iter().any(|id| state.tree.height(Some(id)) > model.settings.lag)
}

fn has_skipped_view(model: &Protocol, state: &State) -> bool {
    let skips = |id: BlockId| state.tree.get(id).is_some_and(|block| view_of(block.parent).next() < id.view());
    finalized(model, state).iter().any(skips)
}

fn has_equivocation(_: &Protocol, state: &State) -> bool {
    let has_votes = |id: &BlockId| state.validators.iter().any(|one| one.sent_notarize(*id));
    state.tree.iter().any(|(id, _)| id.view().proposals().iter().all(has_votes))
}

fn has_split_view(_: &Protocol, state: &State) -> bool {
    let is_certified = |id: BlockId| state.validators.iter().any(|one| one.certified.contains(id));
    let is_given_up = |view: View| state.validators.iter().any(|one| one.sent_nullify(view));
    state.tree.iter().any(|(id, _)| is_certified(id) && is_given_up(id.view()))
}
