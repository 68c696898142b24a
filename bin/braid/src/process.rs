//! What this process uses, from Linux's `/proc/self`; elsewhere nothing is known.

use std::fs;

/// Clock ticks a second in `/proc/self/stat`; the kernel has reported 100 to user space on every architecture since 2.6.
const TICKS_PER_SECOND: f64 = 100.0;

/// Resources in use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Usage {
    /// Processor time since the start, user and system.
    pub(crate) cpu_seconds: f64,
    /// Resident memory.
    pub(crate) resident_bytes: u64,
    /// Open file descriptors.
    pub(crate) open_files: u64,
    /// Threads.
    pub(crate) threads: u64,
}

impl Usage {
    /// What this process uses now.
    pub(crate) fn read() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let ticks = cpu_ticks(&fs::read_to_string("/proc/self/stat").ok()?)?;
        Some(Self {
            cpu_seconds: seconds(ticks),
            resident_bytes: field(&status, "VmRSS:")?.saturating_mul(1024),
            open_files: u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?,
            threads: field(&status, "Threads:")?,
        })
    }
}

#[expect(clippy::cast_precision_loss, clippy::float_arithmetic, reason = "metrics are for people and dashboards")]
const fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS_PER_SECOND
}

/// Processor time in seconds that this process's threads used whose names begin so.
#[expect(clippy::cast_precision_loss, clippy::float_arithmetic, reason = "metrics are for people and dashboards")]
pub(crate) fn seconds_of_threads(prefix: &str) -> f64 {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return 0.0 };
    let nanoseconds = threads.flatten().filter_map(|thread| {
        let name = fs::read_to_string(thread.path().join("comm")).ok()?;
        // The first field is the time on a processor in nanoseconds (Documentation/scheduler/sched-stats).
        let times = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let used = times.split_whitespace().next()?.parse::<u64>().ok()?;
        name.starts_with(prefix).then_some(used)
    });
    nanoseconds.sum::<u64>() as f64 / 1e9
}

/// User and system time in ticks: the 14th and 15th field of `stat`, counted after the name, which may hold spaces.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(fields.next()?.ok()?.saturating_add(fields.next()?.ok()?))
}

/// The number after a name in `status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_a_name_with_spaces() {
        let stat = "42 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("broken"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn threads_are_found_by_the_beginning_of_their_names() {
        let spin = || while seconds_of_threads("spin-") == 0.0 {};
        std::thread::Builder::new().name("spin-1".to_owned()).spawn(spin).unwrap().join().unwrap();
        assert_eq!(seconds_of_threads("no such thread"), 0.0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_uses_something() {
        let usage = Usage::read().unwrap();
        assert!(usage.resident_bytes > 100_000 && usage.open_files > 0 && usage.threads > 0);
    }
}
