//! When a lone node makes blocks: as soon as transactions wait, at an interval, or on demand.
//!
//! One thread owns the decision. Others wake it ([`Sequencer::notify`]) or make blocks themselves ([`Sequencer::mine`]);
//! both go through [`Inner::make_block`], which holds a lock from reading the clock to the commit, so that time stamps
//! increase strictly. Time comes from a clock it is given, moved by an offset that development nodes may change.
//!
//! A candidate that a block could not take is dropped from the pool, unless the block was merely full or an earlier
//! transaction of the same sender is missing: so a bad transaction cannot keep the thread busy.

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use alloy_primitives::{Address, B256, Bytes, keccak256};
use braid_state::Stopwatch;
use braid_types::{ExecutedBlock, limits};
use parking_lot::{Condvar, Mutex};

use crate::{
    build::{Attributes, Built},
    chain::{Chain, ChainError, is_final},
    stages::waited,
};

/// Gas limits of a block's candidates add up to at most this many times the block's. Most transactions use a fraction of their
/// limit, so a block filled by limits alone would stay half empty; those that find no room cost a comparison.
const CANDIDATE_GAS_FACTOR: u64 = 4;

/// How long nothing happens before memory is looked at.
const IDLE: Duration = Duration::from_secs(1);

/// When blocks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mining {
    /// As soon as an executable transaction waits.
    Auto,
    /// Every so often, empty or not.
    Interval(Duration),
    /// Only on [`Sequencer::mine`].
    Manual,
}

/// Settings of the sequencer to begin with.
#[derive(Clone, Debug)]
pub struct SequencerOptions {
    /// When to make blocks.
    pub mining: Mining,
    /// Gas limit of blocks.
    pub gas_limit: u64,
    /// Fee recipient.
    pub beneficiary: Address,
    /// Extra data of headers, at most 32 bytes.
    pub extra_data: Bytes,
}

/// A clock: milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Handle to the sequencer's thread. Dropping it stops the thread after the block it is making.
pub struct Sequencer {
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

struct Inner {
    chain: Arc<Chain>,
    clock: Clock,
    extra_data: Bytes,
    /// Held while a block is made.
    making: Mutex<()>,
    settings: Mutex<Settings>,
    wake: Mutex<Wake>,
    woken: Condvar,
}

/// What the next block will be made with, beyond the chain's own rules.
struct Settings {
    beneficiary: Address,
    offset_ms: i64,
    timestamp_interval_s: Option<u64>,
    next_timestamp: Option<u64>,
    next_prevrandao: Option<B256>,
}

/// What the thread waits for.
struct Wake {
    mining: Mining,
    /// The pool may have something new.
    notified: bool,
    /// `mining` was changed: compute the next deadline anew.
    changed: bool,
    stopped: bool,
    failure: Option<String>,
}

/// Why the thread stopped waiting.
enum Reason {
    Transactions,
    Interval,
    /// Nothing happened for [`IDLE`].
    Idle,
    Stop,
}

impl std::fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequencer").field("mining", &self.mining()).finish_non_exhaustive()
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        self.inner.wake.lock().stopped = true;
        self.inner.woken.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("sequencer thread panicked");
        }
    }
}

impl Sequencer {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(chain: Arc<Chain>, options: SequencerOptions, clock: Clock) -> std::io::Result<Self> {
        chain.set_gas_limit(options.gas_limit);
        let inner = Arc::new(Inner {
            chain,
            clock,
            extra_data: options.extra_data,
            making: Mutex::new(()),
            settings: Mutex::new(Settings::new(options.beneficiary)),
            wake: Mutex::new(Wake::new(options.mining)),
            woken: Condvar::new(),
        });
        let of_thread = Arc::clone(&inner);
        let thread = std::thread::Builder::new().name("sequencer".to_owned()).spawn(move || of_thread.run())?;
        Ok(Self { inner, thread: Some(thread) })
    }

    /// The chain it makes blocks for.
    pub fn chain(&self) -> &Arc<Chain> {
        &self.inner.chain
    }

    /// Says that the pool has new transactions.
    pub fn notify(&self) {
        self.inner.wake.lock().notified = true;
        self.inner.woken.notify_one();
    }

    /// Makes `count` blocks now, `interval_s` seconds apart in time stamps (`None`: as the clock goes); returns when they
    /// are committed.
    ///
    /// # Errors
    /// If a block cannot be built or stored.
    pub fn mine(&self, count: u64, interval_s: Option<u64>) -> Result<Vec<Arc<ExecutedBlock>>, ChainError> {
        let mut blocks = Vec::new();
        for made in 0..count {
            if let (Some(interval_s), true) = (interval_s, made > 0) {
                let parent = self.chain().head().block.block.header.timestamp;
                self.inner.settings.lock().next_timestamp = Some(parent.saturating_add(interval_s.max(1)));
            }
            let (built, _) = self.inner.make_block(|_| true)?;
            blocks.push(built.processed.executed);
        }
        Ok(blocks)
    }

    /// What the next block would be made with, now.
    pub fn next_attributes(&self) -> Attributes {
        self.inner.attributes()
    }

    /// When blocks are made.
    pub fn mining(&self) -> Mining {
        self.inner.wake.lock().mining
    }

    /// Why the thread gave up, if it did: a block could not be stored, so nothing may follow it.
    pub fn failure(&self) -> Option<String> {
        let stored = self.inner.wake.lock().failure.clone();
        let has_ended = self.thread.as_ref().is_some_and(JoinHandle::is_finished);
        stored.or_else(|| has_ended.then(|| "the sequencer's thread panicked".to_owned()))
    }

    /// Changes when blocks are made.
    pub fn set_mining(&self, mining: Mining) {
        let mut wake = self.inner.wake.lock();
        wake.mining = mining;
        wake.changed = true;
        wake.notified = true;
        self.inner.woken.notify_one();
    }

    /// Moves the clock forward by seconds; returns the total offset in seconds. Blocks made in quick succession run ahead
    /// of the clock; the seconds then count from the newest of them, so that the next block is later by as many.
    pub fn increase_time(&self, seconds: u64) -> i64 {
        let now_ms = (self.inner.clock)();
        let head = self.chain().head().block.block.header.timestamp;
        let mut settings = self.inner.settings.lock();
        let by_ms = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
        settings.offset_ms = settings.offset_ms.max(offset_ms(head, now_ms)).saturating_add(by_ms);
        settings.offset_ms / 1_000
    }

    /// Sets the clock to a time in seconds; it runs on from there. Returns the offset in seconds.
    pub fn set_time(&self, timestamp: u64) -> i64 {
        let now_ms = (self.inner.clock)();
        let mut settings = self.inner.settings.lock();
        settings.next_timestamp = None;
        settings.offset_ms = offset_ms(timestamp, now_ms);
        settings.offset_ms / 1_000
    }

    /// Time stamp of the next block, once; the clock runs on from there.
    ///
    /// # Errors
    /// If it is not later than the head's; the head's time stamp.
    pub fn set_next_timestamp(&self, timestamp: u64) -> Result<(), u64> {
        let parent = self.chain().head().block.block.header.timestamp;
        if timestamp <= parent {
            return Err(parent);
        }
        self.inner.settings.lock().next_timestamp = Some(timestamp);
        Ok(())
    }

    /// Seconds between time stamps from now on; `None`: the clock's time.
    pub fn set_timestamp_interval(&self, seconds: Option<u64>) {
        self.inner.settings.lock().timestamp_interval_s = seconds;
    }

    /// Base fee of the next block, once.
    pub fn set_next_base_fee(&self, base_fee: u64) {
        self.chain().set_next_base_fee(base_fee);
        self.notify();
    }

    /// Randomness of the next block, once.
    pub fn set_next_prevrandao(&self, prevrandao: B256) {
        self.inner.settings.lock().next_prevrandao = Some(prevrandao);
    }

    /// Gas limit of blocks from now on.
    pub fn set_gas_limit(&self, gas_limit: u64) {
        self.chain().set_gas_limit(gas_limit);
        self.notify();
    }

    /// Fee recipient from now on.
    pub fn set_beneficiary(&self, beneficiary: Address) {
        self.inner.settings.lock().beneficiary = beneficiary;
    }

    /// Forgets every change of time and randomness, as after a reset of the chain.
    pub fn reset(&self) {
        let mut settings = self.inner.settings.lock();
        *settings = Settings::new(settings.beneficiary);
    }
}

impl Inner {
    /// The thread's life.
    fn run(&self) {
        let mut deadline_ms = None;
        loop {
            let reason = waited(&self.chain.stages().order, || self.wait(&mut deadline_ms));
            let outcome = match reason {
                Reason::Stop => return,
                Reason::Interval => self.make_block(|_| true).map(|_| ()),
                Reason::Transactions => self.drain_pool(),
                Reason::Idle => self.chain.trim(),
            };
            match outcome {
                Ok(()) => {}
                // Nothing may follow a block that could not be stored.
                Err(error @ ChainError::Store(_)) => {
                    tracing::error!(%error, "block production stopped");
                    self.wake.lock().failure = Some(error.to_string());
                    return;
                }
                // A block that cannot be built leaves the chain as it was; what waits may be in order again later.
                Err(error) => tracing::error!(%error, "no block could be built"),
            }
        }
    }

    /// Sleeps until there is something to do. `deadline_ms` is when the next interval block is due.
    fn wait(&self, deadline_ms: &mut Option<u64>) -> Reason {
        let mut wake = self.wake.lock();
        loop {
            if wake.stopped {
                return Reason::Stop;
            }
            if std::mem::take(&mut wake.changed) {
                *deadline_ms = None;
            }
            let mining = wake.mining;
            match mining {
                Mining::Auto if std::mem::take(&mut wake.notified) => return Reason::Transactions,
                Mining::Manual | Mining::Auto => {
                    let is_idle = self.woken.wait_for(&mut wake, IDLE).timed_out();
                    if is_idle && self.chain.store().is_over_memory() {
                        return Reason::Idle;
                    }
                }
                Mining::Interval(interval) => {
                    let now_ms = (self.clock)();
                    let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1);
                    let due_ms = *deadline_ms.get_or_insert(now_ms.saturating_add(interval_ms));
                    if now_ms >= due_ms {
                        // After a stall, the next block is due one interval from now, not at once.
                        let next_ms = due_ms.saturating_add(interval_ms);
                        *deadline_ms =
                            Some(if next_ms > now_ms { next_ms } else { now_ms.saturating_add(interval_ms) });
                        return Reason::Interval;
                    }
                    self.woken.wait_for(&mut wake, Duration::from_millis(due_ms - now_ms));
                }
            }
        }
    }

    /// Makes blocks until no executable transaction is left.
    fn drain_pool(&self) -> Result<(), ChainError> {
        while self.wake.lock().mining == Mining::Auto && self.chain.pool().lock().has_executable() {
            let (built, committed) = self.make_block(|built| !built.processed.executed.receipts.is_empty())?;
            // Others may come up once invalid ones are gone.
            let has_dropped = built.skipped.iter().any(|(_, reason)| is_final(reason));
            if !committed && !has_dropped {
                break;
            }
        }
        Ok(())
    }

    /// Makes one block from the pool and commits it if `wanted`.
    fn make_block(&self, wanted: impl Fn(&Built) -> bool) -> Result<(Built, bool), ChainError> {
        let _making = self.making.lock();
        let attributes = self.attributes();
        let candidate_gas = attributes.gas_limit.saturating_mul(CANDIDATE_GAS_FACTOR);
        let order = &self.chain.stages().order;
        let pool = waited(order, || self.chain.pool().lock());
        let mut watch = Stopwatch::start();
        let candidates = pool.best(candidate_gas);
        drop(pool);
        order.work(watch.lap(), candidates.len());
        let (built, committed) = self.chain.produce_if(&attributes, &candidates, wanted)?;
        self.chain.drop_invalid(&candidates, &built.skipped);
        if committed {
            self.settings.lock().consume(attributes.timestamp, (self.clock)());
        }
        Ok((built, committed))
    }

    fn attributes(&self) -> Attributes {
        let head = self.chain.head();
        let parent = &head.block.block.header;
        let now_ms = (self.clock)();
        let settings = self.settings.lock();
        Attributes {
            timestamp: settings.timestamp(parent.timestamp, now_ms),
            beneficiary: settings.beneficiary,
            prevrandao: settings.next_prevrandao.unwrap_or_else(|| keccak256(head.block.hash)),
            gas_limit: self.chain.gas_limit(),
            extra_data: self.extra_data.clone(),
            base_fee: self.chain.next_base_fee(),
            ..Attributes::default()
        }
    }
}

impl Settings {
    const fn new(beneficiary: Address) -> Self {
        Self { beneficiary, offset_ms: 0, timestamp_interval_s: None, next_timestamp: None, next_prevrandao: None }
    }

    /// Time stamp of a block on a parent with time stamp `parent`; always later than it.
    fn timestamp(&self, parent: u64, now_ms: u64) -> u64 {
        let after_interval = self.timestamp_interval_s.map(|seconds| parent.saturating_add(seconds));
        let chosen = self.next_timestamp.or(after_interval);
        let wanted = chosen.unwrap_or_else(|| now_ms.saturating_add_signed(self.offset_ms) / 1_000);
        wanted.min(limits::MAX_TIMESTAMP_S).max(parent.saturating_add(1))
    }

    /// Forgets what held for one block, which was made with `timestamp`.
    fn consume(&mut self, timestamp: u64, now_ms: u64) {
        if self.next_timestamp.take().is_some() {
            self.offset_ms = offset_ms(timestamp, now_ms);
        }
        self.next_prevrandao = None;
    }
}

impl Wake {
    const fn new(mining: Mining) -> Self {
        Self { mining, notified: true, changed: false, stopped: false, failure: None }
    }
}

/// The offset that makes a clock showing `now_ms` show `timestamp` seconds.
fn offset_ms(timestamp: u64, now_ms: u64) -> i64 {
    let wanted_ms = i64::try_from(timestamp.saturating_mul(1_000)).unwrap_or(i64::MAX);
    wanted_ms.saturating_sub(i64::try_from(now_ms).unwrap_or(i64::MAX))
}
