//! The scenarios: which faults there are, which properties hold, and which breaks when a rule is taken away.
//!
//! `cargo test --release -p braid-model -- --ignored` explores the larger ones too.

use std::collections::{BTreeSet, HashSet, VecDeque};

use stateright::{Checker, HasDiscoveries, Model};

use super::{
    Leader::{Any, Byzantine, Validator},
    properties::*,
    rules::Certificate,
    *,
};

/// Explores everything: no property is violated, each of `seen` occurs, and there were at least so many states.
fn holds(settings: Settings, seen: &[&'static str], at_least: usize) {
    let checker = Protocol { settings }.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    for property in [AGREEMENT, EXCLUSION, EXECUTION, BACK_PRESSURE, DETECTION, DURABILITY, PROGRESS] {
        if let Some(path) = checker.discovery(property) {
            panic!("not so: {property}, after {:#?}", path.into_actions());
        }
    }
    assert!(checker.is_done(), "everything was explored");
    for property in seen {
        assert!(checker.discovery(property).is_some(), "never seen: {property}");
    }
    let states = checker.unique_state_count();
    println!("{states} states");
    assert!(states >= at_least, "{states} states are fewer than {at_least}");
}

/// Finds a way to violate `property`, and returns its steps.
fn breaks(settings: Settings, property: &'static str) -> Vec<Action> {
    let wanted = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let checker = Protocol { settings }.checker().finish_when(wanted).spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    let path = checker.discovery(property).unwrap_or_else(|| panic!("holds after all: {property}"));
    path.into_actions()
}

/// Silent Byzantine validator, and everything calm after the first view.
fn calm(leaders: &[Leader]) -> Settings {
    let settings = Settings::one_of_four(leaders);
    Settings { adversary: Adversary::Silent, calm_after: Some(View(1)), learns_all: true, ..settings }
}

#[test]
fn one_byzantine_validator_of_four_cannot_split_the_chain() {
    let seen = [FINAL_COMMITMENT, SKIPPED_VIEW, EQUIVOCATION, SPLIT_VIEW];
    holds(Settings::one_of_four(&[Byzantine, Any, Any]), &seen, 300_000);
}

#[test]
#[ignore = "takes a minute"]
fn wherever_the_byzantine_leader_stands_the_chain_is_one() {
    let seen = [FINAL_COMMITMENT, SKIPPED_VIEW, EQUIVOCATION, SPLIT_VIEW];
    holds(Settings::one_of_four(&[Any, Byzantine, Any]), &seen, 300_000);
    holds(Settings::one_of_four(&[Any, Any, Byzantine]), &seen, 300_000);
}

#[test]
fn two_byzantine_validators_of_four_can() {
    let settings = Settings { correct: 2, byzantine: 2, ..Settings::one_of_four(&[Byzantine]) };
    breaks(settings, AGREEMENT);
}

#[test]
fn a_false_commitment_is_never_final() {
    for leaders in [[Byzantine, Any], [Any, Byzantine]] {
        let settings = Settings::one_of_four(&leaders);
        holds(Settings { lies: true, watches_execution: true, ..settings }, &[FINAL_COMMITMENT, REFUSAL], 30_000);
    }
}

#[test]
#[ignore = "takes minutes"]
fn nor_is_it_with_a_commitment_two_blocks_later() {
    let settings = Settings::one_of_four(&[Any, Any, Byzantine]);
    holds(Settings { lies: true, lag: 2, ..settings }, &[FINAL_COMMITMENT, REFUSAL], 1_000_000);
}

#[test]
fn it_would_be_if_commitments_were_not_compared() {
    let settings = Settings::one_of_four(&[Any, Byzantine]);
    breaks(Settings { lies: true, mutation: Mutation::TrustClaims, ..settings }, EXECUTION);
}

#[test]
fn a_validator_that_computes_something_else_is_outvoted_and_stops() {
    let settings = Settings { lies: true, broken: true, ..Settings::one_of_four(&[Any, Byzantine]) };
    let seen = [FINAL_COMMITMENT, REFUSAL, HALT];
    holds(Settings { watches_execution: true, learns_all: true, ..settings }, &seen, 100_000);
}

#[test]
fn a_restart_loses_results_and_no_votes() {
    let settings = Settings { broken: true, restarts: 2, ..Settings::one_of_four(&[Any, Any]) };
    holds(Settings { watches_execution: true, ..settings }, &[FINAL_COMMITMENT, HALT], 10_000);
}

#[test]
fn a_restart_that_forgets_votes_can_split_the_chain() {
    let settings = Settings { restarts: 1, settles: false, ..Settings::one_of_four(&[Byzantine]) };
    let steps = breaks(Settings { mutation: Mutation::ForgetVotes, ..settings }, AGREEMENT);
    assert!(steps.iter().any(|step| matches!(step, Action::Restart(_))));
}

#[test]
fn a_lost_disk_does_not_split_the_chain_because_the_key_is_locked() {
    let settings = Settings { restarts: 1, loss: Loss::Disk, ..Settings::one_of_four(&[Byzantine, Any]) };
    holds(Settings { learns_all: true, ..settings }, &[FINAL_COMMITMENT, EQUIVOCATION, SPLIT_VIEW], 10_000);
}

#[test]
fn one_lost_disk_stops_nobody_else_where_nobody_is_at_fault() {
    let leaders = [Validator(0), Validator(1), Validator(2)];
    let settings = Settings { restarts: 1, loss: Loss::Disk, correct: 4, byzantine: 0, ..calm(&leaders) };
    holds(settings, &[FINAL_COMMITMENT], 1_000);
}

/// Nobody Byzantine, and one restart without a vote log.
fn forgetful(leaders: &[Leader]) -> Settings {
    let settings = Settings { correct: 4, byzantine: 0, restarts: 1, ..Settings::one_of_four(leaders) };
    Settings { adversary: Adversary::Silent, settles: false, mutation: Mutation::ForgetVotes, ..settings }
}

#[test]
fn one_that_forgets_is_borne_where_nobody_else_is_at_fault() {
    holds(forgetful(&[Any]), &[EQUIVOCATION, SPLIT_VIEW], 1_000);
}

#[test]
fn a_vote_to_finalise_after_one_to_nullify_can_split_the_chain() {
    let settings = Settings { settles: false, ..Settings::one_of_four(&[Any, Byzantine]) };
    breaks(Settings { mutation: Mutation::FinalizeAfterNullify, ..settings }, AGREEMENT);
}

#[test]
fn so_can_votes_for_proposals_that_skip_views_nobody_gave_up() {
    let settings = Settings { settles: false, ..Settings::one_of_four(&[Any, Byzantine]) };
    breaks(Settings { mutation: Mutation::SkipViews, ..settings }, AGREEMENT);
}

#[test]
fn finality_goes_on_once_messages_arrive_in_time() {
    let settings = Settings { adversary: Adversary::AtWill, ..calm(&[Byzantine, Validator(1), Validator(2)]) };
    holds(settings, &[FINAL_COMMITMENT, SKIPPED_VIEW, SPLIT_VIEW], 100_000);
}

#[test]
#[ignore = "takes minutes"]
fn finality_goes_on_after_a_view_of_a_byzantine_leader() {
    let settings = calm(&[Validator(0), Byzantine, Validator(1), Validator(2)]);
    holds(Settings { adversary: Adversary::AtWill, ..settings }, &[FINAL_COMMITMENT, SKIPPED_VIEW], 1_000_000);
}

#[test]
fn executing_what_is_notarised_keeps_finality_going() {
    for lag in [1, 2] {
        let settings = calm(&[Validator(0), Validator(1), Validator(2), Validator(0)]);
        holds(Settings { lag, ..settings }, &[FINAL_COMMITMENT, SPLIT_VIEW], 4_000);
    }
}

/// A block is certified by everyone but final for nobody, since they had given its view up before. The next must commit to its
/// result; nobody has it, because it is not final; and it would become final with the next.
#[test]
fn executing_only_what_is_final_stops_it_for_good() {
    let leaders = [Validator(0), Validator(1), Validator(2), Validator(0), Validator(1), Validator(2)];
    let settings = Settings { execution: Execution::FinalOnly, ..calm(&leaders) };
    let steps = breaks(settings, PROGRESS);
    let proposals = steps.iter().filter(|step| matches!(step, Action::Propose(..))).count();
    assert_eq!(proposals, 1, "nobody can propose on the first block, in five calm views");
}

#[test]
fn a_divergence_beyond_the_quorum_stops_the_chain_and_does_not_fork_it() {
    let leaders = [Validator(0), Validator(1), Validator(2)];
    let settings = Settings { broken: true, watches_execution: true, ..calm(&leaders) };
    breaks(settings.clone(), PROGRESS);
    let safe = Settings { calm_after: None, ..settings };
    holds(safe, &[REFUSAL], 1_000);
}

#[test]
fn a_broken_validator_alone_stops_nobody_else() {
    let leaders = [Validator(0), Validator(1), Validator(2)];
    let settings = Settings { broken: true, watches_execution: true, correct: 4, byzantine: 0, ..calm(&leaders) };
    holds(settings, &[HALT, FINAL_COMMITMENT], 1_000);
}

/// Every combination of certificates that comes about, and the number of states in which it does.
fn outcomes(settings: Settings) -> (usize, HashSet<Vec<Option<BlockId>>>) {
    let model = Protocol { settings };
    let mut queue = VecDeque::from(model.init_states());
    let mut seen: HashSet<State> = queue.iter().copied().collect();
    let mut outcomes = HashSet::new();
    while let Some(state) = queue.pop_front() {
        outcomes.insert(certificates(&model.settings, &state));
        let new: Vec<_> = model.next_states(&state).into_iter().filter(|next| seen.insert(*next)).collect();
        queue.extend(new);
    }
    (seen.len(), outcomes)
}

/// Which there are: proposals with their parents, then views.
fn certificates(settings: &Settings, state: &State) -> Vec<Option<BlockId>> {
    let mut found = Vec::new();
    for (id, block) in state.tree.iter() {
        let exists = |certificate: Certificate| certificate.exists(settings, state).then_some(id);
        let parent = exists(Certificate::Notarization(id)).and(block.parent);
        found.extend([exists(Certificate::Notarization(id)), parent, exists(Certificate::Finalization(id))]);
    }
    found.retain(Option::is_some);
    let views = (1..=settings.last_view().0).map(View);
    let nullified = views.filter(|view| Certificate::Nullification(*view).exists(settings, state));
    found.extend(nullified.map(|view| view.proposals().first().copied()));
    found
}

#[test]
fn forgetting_what_makes_no_difference_loses_no_outcome() {
    for leaders in [[Any, Any], [Byzantine, Any], [Any, Byzantine]] {
        let settings = Settings::one_of_four(&leaders);
        let (all_states, expected) = outcomes(Settings { settles: false, ..settings.clone() });
        let (states, found) = outcomes(settings);
        println!("{states} states for {all_states}, {} outcomes", found.len());
        assert!(states * 5 < all_states);
        assert!(found.len() > 10);
        assert_eq!(found, expected);
    }
}
