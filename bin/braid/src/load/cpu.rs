//! CPU time of a process and its descendants, from `/proc`.

use std::{collections::HashMap, fs, time::Duration};

use eyre::{Context, OptionExt, ensure};

/// Ticks a second in `/proc/PID/stat` (USER_HZ); 100 on every architecture Linux still builds for but Alpha.
const TICKS_PER_SECOND: u64 = 100;

/// What `/proc/PID/stat` says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// User and system time of the process and of those of its children that ended and were waited for.
    ticks: u64,
}

/// CPU time used so far by the process `pid`, its living descendants, and the dead ones they waited for.
///
/// # Errors
/// If there is no such process.
pub(super) fn seconds_used(pid: u32) -> eyre::Result<Duration> {
    let processes = processes().wrap_err("failed to read /proc")?;
    ensure!(processes.contains_key(&pid), "there is no process {pid}");
    let is_below = |mut at: u32| loop {
        match processes.get(&at) {
            _ if at == pid => return true,
            Some(stat) if stat.parent != at => at = stat.parent,
            _ => return false,
        }
    };
    let ticks: u64 = processes.iter().filter(|(at, _)| is_below(**at)).map(|(_, stat)| stat.ticks).sum();
    Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

fn processes() -> eyre::Result<HashMap<u32, Stat>> {
    let mut processes = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that ended meanwhile is no loss.
        if let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat")) {
            processes.insert(pid, parse(&text)?);
        }
    }
    Ok(processes)
}

/// Parses a line of `/proc/PID/stat` (proc(5)). The second field is a name in parentheses that may hold anything.
fn parse(line: &str) -> eyre::Result<Stat> {
    let (_, rest) = line.rsplit_once(") ").ok_or_eyre("/proc/PID/stat has no process name")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Counted from the state, which is field 3: parent is field 4; utime, stime, cutime, cstime are 14 to 17.
    let field = |at: usize| fields.get(at - 3).ok_or_eyre("/proc/PID/stat is too short");
    let mut ticks = 0;
    for at in 14..=17 {
        ticks += field(at)?.parse::<u64>()?;
    }
    Ok(Stat { parent: field(4)?.parse()?, ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_past_any_name() {
        let line = "42 (a ) b (c) S 7 42 42 0 -1 4194304 1 2 3 4 100 20 3 1 20 0 1 0 99 0 0";
        assert_eq!(parse(line).unwrap(), Stat { parent: 7, ticks: 124 });
        assert!(parse("42 (short) S 7").is_err());
    }

    #[test]
    fn this_process_has_used_some_and_a_missing_one_is_reported() {
        let mut sum = 0_u64;
        while seconds_used(std::process::id()).unwrap().is_zero() {
            sum = std::hint::black_box((0..1_000_000).sum());
        }
        assert!(sum < u64::MAX);
        assert!(seconds_used(u32::MAX).is_err());
    }
}
