//! Whole networks, one for each of 200 seeds, some of them twice.

use std::{collections::BTreeSet, thread::available_parallelism};

use braid_sim::{
    campaign::{attempt, attempt_twice, run_all},
    plan::{Plan, Role, SHORT_STEPS},
};

/// One in so many seeds is run twice, and must be the same in every event.
const TWICE: u64 = 20;

#[test]
fn no_seed_breaks_a_rule() {
    let (mut failures, mut reported) = (Vec::new(), BTreeSet::new());
    let threads = available_parallelism().map_or(1, usize::from);
    let one = |seed: u64| {
        let plan = Plan::new(seed, SHORT_STEPS);
        if seed.is_multiple_of(TWICE) { attempt_twice(&plan) } else { attempt(&plan) }
    };
    run_all(0..200, threads, one, |seed, outcome| match outcome {
        Err(reason) => failures.push(format!("{reason}\n  braid-sim replay {seed}")),
        Ok(outcome) => {
            let roles = Plan::new(seed, SHORT_STEPS).byzantine;
            let kinds = outcome.faults.iter().filter_map(|(member, kinds)| Some((roles.get(member)?, kinds)));
            reported.extend(kinds.flat_map(|(role, kinds)| kinds.iter().map(|kind| (*role, *kind))));
        }
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for fault in [
        (Role::WrongCommitment, "wrong execution"),
        (Role::WrongBody, "invalid block"),
        (Role::WrongHeader, "invalid block"),
        (Role::Equivocator, "equivocation"),
        (Role::Conflicter, "equivocation"),
    ] {
        assert!(reported.contains(&fault), "nobody reported {fault:?}");
    }
}
