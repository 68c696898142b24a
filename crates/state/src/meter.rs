//! What a stage of the pipeline has done: counters for operators, and the stopwatch that feeds them.
//!
//! Nothing here decides anything. A lap costs two reads of clocks, well under a microsecond, and is taken once for a block or
//! a batch, never for a transaction among others.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// Counts of one stage since the process began.
#[derive(Debug, Default)]
pub struct Meter {
    busy_ns: AtomicU64,
    waiting_ns: AtomicU64,
    cpu_ns: AtomicU64,
    items: AtomicU64,
}

/// What a meter shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Time worked, added up over the threads that did.
    pub busy: Duration,
    /// Time spent waiting: for a lock, for the disk, for work.
    pub waiting: Duration,
    /// Processor time of the threads that led the work; helpers are not in it.
    pub cpu: Duration,
    /// Transactions that went through.
    pub items: u64,
}

/// Time between two looks at a stopwatch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lap {
    /// By the clock on the wall.
    pub wall: Duration,
    /// Processor time of this thread.
    pub cpu: Duration,
}

/// Measures laps of one thread.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Meter {
    /// Notes work on `items` transactions.
    pub fn work(&self, lap: Lap, items: usize) {
        add(&self.busy_ns, nanoseconds(lap.wall));
        add(&self.cpu_ns, nanoseconds(lap.cpu));
        add(&self.items, items as u64);
    }

    /// Notes time waited.
    pub fn wait(&self, time: Duration) {
        add(&self.waiting_ns, nanoseconds(time));
    }

    /// What it shows now.
    pub fn read(&self) -> Reading {
        // Ordering: each count stands for itself.
        let time = |counter: &AtomicU64| Duration::from_nanos(counter.load(Ordering::Relaxed));
        Reading {
            busy: time(&self.busy_ns),
            waiting: time(&self.waiting_ns),
            cpu: time(&self.cpu_ns),
            items: self.items.load(Ordering::Relaxed),
        }
    }
}

impl Lap {
    /// The lap without a time in which nothing was worked on.
    #[must_use]
    pub const fn without(self, waited: Duration) -> Self {
        Self { wall: self.wall.saturating_sub(waited), cpu: self.cpu }
    }
}

impl Stopwatch {
    /// Starts.
    pub fn start() -> Self {
        Self { wall: now(), cpu: thread_cpu() }
    }

    /// The time since the start or the last lap; the next lap begins.
    pub fn lap(&mut self) -> Lap {
        let next = Self::start();
        let lap = Lap { wall: next.wall - self.wall, cpu: next.cpu.saturating_sub(self.cpu) };
        *self = next;
        lap
    }
}

fn add(counter: &AtomicU64, amount: u64) {
    // Ordering: each count stands for itself.
    counter.fetch_add(amount, Ordering::Relaxed);
}

/// 2^64 nanoseconds are 584 years.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "measured for operators; nothing depends on it")]
fn now() -> Instant {
    Instant::now()
}

/// Processor time of the calling thread.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laps_add_up_and_waiting_is_kept_apart() {
        let (meter, lap) = (Meter::default(), Lap { wall: Duration::from_millis(5), cpu: Duration::from_millis(3) });
        meter.work(lap, 10);
        meter.work(lap.without(Duration::from_millis(2)), 1);
        meter.wait(Duration::from_millis(2));
        let [busy, waiting, cpu] = [8, 2, 6].map(Duration::from_millis);
        assert_eq!(meter.read(), Reading { busy, waiting, cpu, items: 11 });
    }

    #[test]
    fn a_stopwatch_counts_this_threads_processor_time() {
        let mut watch = Stopwatch::start();
        // The clock may be coarse: it is asked until it has moved.
        let lap = loop {
            std::hint::black_box((0..100_000_u64).sum::<u64>());
            let lap = watch.lap();
            if !lap.cpu.is_zero() {
                break lap;
            }
        };
        assert!(lap.wall > Duration::ZERO);
    }
}
