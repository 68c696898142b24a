//! Many simulations: each seed on one thread, several threads at once.

use std::{
    any::Any,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::{
    plan::Plan,
    run::{Outcome, run},
};

/// What a seed came to: an outcome, or what went wrong.
pub type Attempt = Result<Outcome, String>;

/// Runs a scenario; a panic is a failure too.
pub fn attempt(plan: &Plan) -> Attempt {
    match catch_unwind(AssertUnwindSafe(|| run(plan))) {
        Ok(outcome) => outcome.map_err(|failure| failure.to_string()),
        Err(panic) => Err(format!("panic: {}", message(&*panic))),
    }
}

/// Runs a scenario twice; a failure too if the two differ in anything.
pub fn attempt_twice(plan: &Plan) -> Attempt {
    let (first, second) = (attempt(plan)?, attempt(plan)?);
    if first == second {
        return Ok(first);
    }
    Err(format!("two runs of one seed differ: {first:?} and {second:?}"))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

/// Runs `seeds` on `threads` threads, each by `attempt`; `tell` hears of each, in the order in which they end.
pub fn run_all(
    seeds: Range<u64>,
    threads: usize,
    attempt: impl Fn(u64) -> Attempt + Sync,
    tell: impl FnMut(u64, &Attempt) + Send,
) {
    let (next, tell) = (AtomicU64::new(seeds.start), Mutex::new(tell));
    let work = || {
        loop {
            // Ordering: only distinct numbers matter.
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let outcome = attempt(seed);
            let mut tell = tell.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            tell(seed, &outcome);
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
}
