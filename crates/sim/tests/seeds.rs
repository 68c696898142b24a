//! Whole networks, one for each of 200 seeds, some of them twice.

use std::{sync::Mutex, thread::available_parallelism};

use braid_sim::{
    campaign::{attempt, attempt_twice, run_all},
    plan::{Plan, SHORT_STEPS},
};

/// One in so many seeds is run twice, and must be the same in every event.
const TWICE: u64 = 20;

#[test]
fn no_seed_breaks_a_rule() {
    let failures = Mutex::new(Vec::new());
    let threads = available_parallelism().map_or(1, usize::from);
    let one = |seed: u64| {
        let plan = Plan::new(seed, SHORT_STEPS);
        if seed.is_multiple_of(TWICE) { attempt_twice(&plan) } else { attempt(&plan) }
    };
    run_all(0..200, threads, one, |seed, outcome| {
        if let Err(reason) = outcome {
            failures.lock().unwrap().push(format!("{reason}\n  braid-sim replay {seed}"));
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
