//! What else the machine was doing: figures taken beside other programs mean little, so reports say how much these used.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::{
    param::clock_ticks_per_second,
    time::{ClockId, clock_gettime},
};

/// What all threads of this process have used so far.
pub(crate) fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

/// Counts time and processor time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    wall: Instant,
    own: Duration,
}

impl Stopwatch {
    /// Begins to count.
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), own: cpu_time() }
    }

    /// Time, and processor time of all threads of this process.
    pub(crate) fn elapsed(self) -> (Duration, Duration) {
        (self.wall.elapsed(), cpu_time().saturating_sub(self.own))
    }
}

/// A moment from which the use of the machine is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    wall: Instant,
    own: Duration,
    all: Option<Duration>,
}

impl Since {
    /// This moment.
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    pub(crate) fn now() -> Self {
        Self { wall: Instant::now(), own: cpu_time(), all: used_by_all() }
    }

    /// Processors that others kept busy since then, on average; `None` where the system does not tell.
    pub(crate) fn used_by_others(self) -> Option<f64> {
        let all = used_by_all()?.saturating_sub(self.all?);
        Some(others(all, cpu_time().saturating_sub(self.own), self.wall.elapsed()))
    }
}

/// Processors in use apart from our own time, on average over `wall`.
#[expect(clippy::float_arithmetic, reason = "a figure for people")]
fn others(all: Duration, own: Duration, wall: Duration) -> f64 {
    all.saturating_sub(own).as_secs_f64() / wall.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// Time that all processors have been busy, the host's theft of it included.
fn used_by_all() -> Option<Duration> {
    let ticks = busy_ticks(&fs::read_to_string("/proc/stat").ok()?)?;
    Some(Duration::from_millis(ticks.saturating_mul(1_000) / clock_ticks_per_second().max(1)))
}

/// The line of all processors: user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5)).
fn busy_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let numbers: Vec<u64> = line.split_whitespace().map_while(|number| number.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal] = *numbers.first_chunk()?;
    Some(user + nice + system + irq + softirq + steal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_not_counted() {
        assert_eq!(busy_ticks("cpu  1 2 4 1000 2000 8 16 32 64 0\ncpu0 9 9 9 9 9 9 9 9 9 9\n"), Some(63));
        assert_eq!(busy_ticks("intr 1 2 3\n"), None);
    }

    #[test]
    fn own_work_is_not_the_others() {
        let seconds = Duration::from_secs_f64;
        assert_eq!(others(seconds(5.0), seconds(2.0), seconds(2.0)), 1.5);
        assert_eq!(others(seconds(1.99), seconds(2.0), seconds(2.0)), 0.0, "ticks are coarser than our clock");
    }

    #[test]
    fn the_system_tells() {
        assert!(Since::now().used_by_others().is_some_and(|others| others >= 0.0));
    }
}
