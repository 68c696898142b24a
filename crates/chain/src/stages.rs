//! The pipeline's stages, each with what it has done: so that the slowest is seen at a glance.
//!
//! ```text
//!  many threads            under a lock    one thread, one block after the other                      in the background
//!  decode ──► recover ──►     pool    ──►  order ──► execute ──► root ──► disk ──► publish            checkpoint
//!  └ admission's queue ┘   └ waiting transactions ┘                                                   └ log ┘
//! ```
//!
//! Work on blocks counts when the block becomes the head, so that what is executed and thrown away does not look like progress.

use braid_state::{Lap, Meter, Reading, Stopwatch};

use crate::chain::Chain;

/// Stages in the order of a transaction's journey, but for those of the store.
#[derive(Debug, Default)]
pub struct Stages {
    /// Hexadecimal and RLP into transactions. It waits for a thread.
    pub decode: Meter,
    /// Signatures into senders.
    pub recover: Meter,
    /// Into the pool. It waits for the pool's lock.
    pub pool: Meter,
    /// Choosing the next block's transactions. It waits for transactions, or for the next block's time.
    pub order: Meter,
    /// Validation and execution.
    pub execute: Meter,
    /// The new state, its root, and the roots of transactions and receipts.
    pub root: Meter,
    /// The pool forgets what is mined, and listeners are told.
    pub publish: Meter,
}

/// How long the making of a block took, by stage.
#[derive(Clone, Copy, Debug, Default)]
pub struct BlockLaps {
    /// Validation and execution.
    pub execute: Lap,
    /// The new state, and the roots.
    pub root: Lap,
}

/// A stage as operators see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// What it has done.
    pub reading: Reading,
    /// Whether any number of threads works on it, or one.
    pub is_parallel: bool,
    /// What waits before it, and how much may.
    pub queue: Option<Queue>,
}

/// What waits before a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How much waits now.
    pub depth: u64,
    /// How much may wait: beyond it senders are refused or slowed down.
    pub limit: u64,
}

impl Chain {
    /// All stages, in the order of a transaction's journey. `admission` is what waits to be decoded.
    pub fn read_stages(&self, admission: Queue) -> Vec<Stage> {
        let (stages, store) = (self.stages(), self.store());
        let waiting = {
            let pool = self.pool().lock();
            let status = pool.status();
            Queue { depth: count(status.pending + status.queued), limit: count(pool.config().max_transactions) }
        };
        let (log, log_limit) = store.log_room();
        let stage = |name, meter: &Meter| Stage { name, reading: meter.read(), is_parallel: false, queue: None };
        let parallel = |stage| Stage { is_parallel: true, ..stage };
        let behind = |stage, queue| Stage { queue: Some(queue), ..stage };
        vec![
            behind(parallel(stage("decode", &stages.decode)), admission),
            parallel(stage("recover", &stages.recover)),
            stage("pool", &stages.pool),
            behind(stage("order", &stages.order), waiting),
            stage("execute", &stages.execute),
            stage("root", &stages.root),
            stage("disk", &store.meters().disk),
            stage("publish", &stages.publish),
            behind(stage("checkpoint", &store.meters().checkpoint), Queue { depth: log, limit: log_limit }),
        ]
    }
}

/// Runs `work` and notes it as work on `items` transactions.
pub fn measured<T>(meter: &Meter, items: usize, work: impl FnOnce() -> T) -> T {
    let mut watch = Stopwatch::start();
    let result = work();
    meter.work(watch.lap(), items);
    result
}

/// Notes how long `wait` took as waiting, and returns what it returns.
pub fn waited<T>(meter: &Meter, wait: impl FnOnce() -> T) -> T {
    let mut watch = Stopwatch::start();
    let result = wait();
    meter.wait(watch.lap().wall);
    result
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
