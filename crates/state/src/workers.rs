//! The threads that compute roots.
//!
//! They are not those that check signatures: the next block waits for a root, and a share of signatures takes milliseconds. Their
//! names tell operators what roots cost.

use std::sync::LazyLock;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// How the threads' names begin.
pub const ROOT_THREADS: &str = "root-";

/// Changed keys from which a root is worth waking other threads for: some 4 µs each, and waking costs 50.
const PARALLEL_KEYS: usize = 64;

static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    ThreadPoolBuilder::new().num_threads(threads).thread_name(|number| format!("{ROOT_THREADS}{number}")).build().ok()
});

/// Runs `work` on those threads where it concerns many `keys`, else on the caller's. Where no threads can be had, the caller works.
pub(crate) fn with_workers<T: Send>(keys: usize, work: impl FnOnce() -> T + Send) -> T {
    match POOL.as_ref().filter(|_| keys >= PARALLEL_KEYS) {
        Some(pool) => pool.install(work),
        None => work(),
    }
}
