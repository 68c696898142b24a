//! Forgets what can make no difference any more, so that histories that only differ in it are one state.
//!
//! - Votes for a certificate that exists are replaced by the certificate; votes for one that can never exist are dropped.
//!   Where a vote forbids its validator to finalise something later, the validator is noted as barred from that view.
//! - A proposal that can never be notarised is removed: nobody can build on it.
//! - What a validator knows about views up to its newest final block is dropped: it will not certify there, nor build on
//!   anything older.
//!
//! That nothing is lost by this is tested: with and without it the same certificates come about together.

use crate::{
    rules::Certificate,
    settings::{Execution, Mutation, Settings},
    state::{State, Validator},
    tree::{BlockId, BlockSet, View, view_of},
};

/// Whether `validator` may come to vote for it after this state.
fn may_still_vote(state: &State, validator: &Validator, certificate: Certificate) -> bool {
    if !validator.may_vote() {
        return false;
    }
    match certificate {
        Certificate::Notarization(id) => {
            let has_voted = !validator.votes.notarize.of_view(id.view()).is_empty();
            validator.view <= id.view() && !has_voted && !validator.votes.nullify.contains(id.view())
        }
        Certificate::Nullification(view) => validator.view <= view && !validator.votes.nullify.contains(view),
        Certificate::Finalization(id) => {
            let view = id.view();
            let is_over = validator.barred.contains(view) || validator.votes.nullify.contains(view);
            let is_open = validator.certified.union(validator.rejected).of_view(view).is_empty();
            !is_over && is_open && view > view_of(validator.tip) && state.tree.get(id).is_some()
        }
    }
}

/// Whether it can never come about, not even with all Byzantine votes.
pub fn is_hopeless(settings: &Settings, state: &State, certificate: Certificate) -> bool {
    let can = |validator: &&Validator| certificate.has_vote(validator) || may_still_vote(state, validator, certificate);
    let most = state.validators.iter().take(settings.correct).filter(can).count() + settings.byzantine;
    !certificate.exists(settings, state) && most < settings.quorum()
}

/// Brings `state` into the form in which it is kept.
pub fn settle(settings: &Settings, state: &mut State) {
    for view in (1..=settings.last_view().0).map(View) {
        settle_nullification(settings, state, view);
        for id in view.proposals() {
            if state.tree.get(id).is_some() {
                settle_finalization(settings, state, id);
                settle_notarization(settings, state, id);
            }
        }
    }
    state.validators.iter_mut().for_each(|validator| settle_validator(settings, validator));
}

fn settle_nullification(settings: &Settings, state: &mut State, view: View) {
    let certificate = Certificate::Nullification(view);
    if certificate.exists(settings, state) {
        certificate.complete(state);
    } else if !is_hopeless(settings, state, certificate) {
        return;
    }
    for validator in state.validators.iter_mut().filter(|validator| validator.view > view) {
        if validator.votes.nullify.contains(view) && settings.mutation != Mutation::FinalizeAfterNullify {
            validator.barred.insert(view);
        }
        validator.votes.nullify.remove(view);
        validator.forgotten.nullify.remove(view);
    }
}

fn settle_finalization(settings: &Settings, state: &mut State, id: BlockId) {
    let certificate = Certificate::Finalization(id);
    if certificate.exists(settings, state) {
        certificate.complete(state);
    } else if !is_hopeless(settings, state, certificate) {
        return;
    }
    for validator in &mut state.validators {
        validator.votes.finalize.remove(BlockSet::of(id));
        validator.forgotten.finalize.remove(BlockSet::of(id));
    }
}

fn settle_notarization(settings: &Settings, state: &mut State, id: BlockId) {
    let certificate = Certificate::Notarization(id);
    let has_rival = id.view().proposals().into_iter().any(|other| {
        other != id
            && state.tree.get(other).is_some()
            && !is_hopeless(settings, state, Certificate::Notarization(other))
    });
    if certificate.exists(settings, state) {
        certificate.complete(state);
        if has_rival {
            return;
        }
    } else if !is_hopeless(settings, state, certificate) {
        return;
    } else if state.validators.iter().take(settings.correct).all(|validator| validator.view > id.view()) {
        state.tree.remove(id);
    }
    for validator in state.validators.iter_mut().filter(|validator| validator.view > id.view()) {
        if has_rival && validator.votes.notarize.contains(id) {
            validator.barred.insert(id.view());
        }
        validator.votes.notarize.remove(BlockSet::of(id));
        validator.forgotten.notarize.remove(BlockSet::of(id));
    }
}

fn settle_validator(settings: &Settings, validator: &mut Validator) {
    for view in (1..=view_of(validator.tip).0).map(View) {
        validator.certified.remove(validator.certified.of_view(view));
        validator.rejected.remove(validator.rejected.of_view(view));
        validator.barred.remove(view);
    }
    for view in (1..validator.view.0).map(View) {
        // Whoever has certified there has voted to finalise or never will.
        if !validator.certified.of_view(view).is_empty() {
            validator.barred.remove(view);
        }
    }
    if settings.execution == Execution::Speculative && !settings.watches_execution && !settings.broken {
        validator.executed = BlockSet::default();
    }
}
