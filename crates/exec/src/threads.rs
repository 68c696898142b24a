//! Threads, and what they share: locks, atomics, and a pool of threads that wait for the next block.
//!
//! All that the executor's threads do to each other goes through here. `crates/interleave` builds the same sources with
//! a module of its own in place of this one, whose schedules a checker chooses.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

pub(crate) use parking_lot::{Condvar, Mutex, RwLock};
use rayon::{ThreadPool, ThreadPoolBuilder};

static POOLS: LazyLock<Mutex<BTreeMap<usize, Arc<ThreadPool>>>> = LazyLock::new(Mutex::default);

/// Runs `work` on `threads` threads, the caller's included; returns what each returned. Where no threads can be had, the
/// caller works alone.
pub(crate) fn run<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let Some(pool) = pool(threads - 1) else { return vec![work(0)] };
    let results = Mutex::new(Vec::with_capacity(threads));
    pool.in_place_scope(|scope| {
        for number in 1..threads {
            let (work, results) = (&work, &results);
            scope.spawn(move |_| {
                let result = work(number);
                results.lock().push(result);
            });
        }
        let result = work(0);
        results.lock().push(result);
    });
    results.into_inner()
}

fn pool(threads: usize) -> Option<Arc<ThreadPool>> {
    if threads == 0 {
        return None;
    }
    let mut pools = POOLS.lock();
    if let Some(pool) = pools.get(&threads) {
        return Some(Arc::clone(pool));
    }
    let name = |number| format!("exec-{number}");
    let pool = Arc::new(ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build().ok()?);
    pools.insert(threads, Arc::clone(&pool));
    Some(pool)
}
