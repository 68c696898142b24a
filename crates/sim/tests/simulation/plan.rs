//! Scenarios.

use std::collections::BTreeSet;

use braid_sim::plan::{Event, Plan, ROLES, Role, SHORT_STEPS, tolerated};
use braid_types::ordered::{CertificateScheme, Dissemination};

fn plans() -> impl Iterator<Item = Plan> {
    (0..500).map(|seed| Plan::new(seed, SHORT_STEPS))
}

#[test]
fn a_seed_gives_one_scenario() {
    assert!(plans().zip(plans()).all(|(a, b)| a == b));
    let distinct: BTreeSet<String> = plans().map(|plan| format!("{:?}", plan.events)).collect();
    assert!(distinct.len() > 400);
}

#[test]
fn no_more_than_the_protocol_bears_are_byzantine() {
    for plan in plans() {
        assert!(plan.byzantine.len() <= tolerated(plan.validators), "seed {}", plan.seed);
        assert!(plan.byzantine.keys().all(|member| *member < plan.validators));
        assert!(plan.honest().len() > 2 * plan.validators / 3, "seed {}", plan.seed);
    }
}

#[test]
fn no_more_than_it_bears_are_byzantine_or_lose_their_disks() {
    let wiped = |plan: &Plan| {
        let members = plan.events.iter().filter_map(|(_, event)| match event {
            Event::Wipe(member) => Some(*member),
            _ => None,
        });
        members.collect::<BTreeSet<usize>>()
    };
    let counts = plans().map(|plan| {
        assert!(plan.byzantine.len() + wiped(&plan).len() <= tolerated(plan.validators), "seed {}", plan.seed);
        wiped(&plan).len()
    });
    assert!(counts.sum::<usize>() > 50);
}

#[test]
fn only_who_is_up_goes_down_and_only_who_is_down_starts() {
    for plan in plans() {
        let mut down = BTreeSet::new();
        for (step, event) in &plan.events {
            assert!(*step < plan.steps);
            match event {
                Event::Crash(member) | Event::CrashInCommit(member, _) | Event::Wipe(member) | Event::Stop(member) => {
                    assert!(!plan.byzantine.contains_key(member));
                    assert!(down.insert(*member), "seed {}", plan.seed);
                }
                Event::PowerCut => down.extend(plan.honest()),
                Event::Start(member) => assert!(down.remove(member), "seed {}", plan.seed),
                _ => {}
            }
        }
    }
}

#[test]
fn every_role_and_kind_of_event_occurs() {
    let roles: BTreeSet<Role> = plans().flat_map(|plan| plan.byzantine.into_values()).collect();
    assert_eq!(roles.len(), ROLES.len());
    let kind = |event: &Event| format!("{event:?}").split('(').next().map(str::to_owned);
    let kinds: BTreeSet<_> = plans().flat_map(|plan| plan.events).map(|(_, event)| kind(&event)).collect();
    assert_eq!(kinds.len(), 11, "{kinds:?}");
    for size in 4..=7 {
        assert!(plans().any(|plan| plan.validators == size));
    }
    assert!(plans().any(|plan| plan.scheme == CertificateScheme::Bls12381Threshold));
    assert!(plans().any(|plan| plan.dissemination == Dissemination::Coded));
}
