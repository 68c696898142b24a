//! The pipeline's stages of a running node, as its `/metrics` tells of them.
#![expect(clippy::float_arithmetic, reason = "rates and shares for people to read")]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use eyre::{Context, ensure};
use serde::Serialize;

/// Names of the stages in the order of a transaction's journey.
const ORDER: [&str; 9] = ["decode", "recover", "pool", "order", "execute", "root", "disk", "publish", "checkpoint"];

/// The stage that holds up the next block while it waits; the others wait for work.
const WAITS_AT_WORK: &str = "disk";

/// Share of its threads' time below which no stage is called the slowest.
const IDLE_SHARE: f64 = 0.01;

/// Longest page that is read.
const MAX_PAGE_BYTES: usize = 8 << 20;

/// What a node told at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    at: Instant,
    /// Height of the head.
    pub(crate) height: u64,
    /// Memory the node holds.
    pub(crate) resident_bytes: u64,
    cpu_seconds: f64,
    transactions: f64,
    stages: BTreeMap<String, BTreeMap<String, f64>>,
}

/// What a stage did between two moments.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Activity {
    pub(crate) stage: &'static str,
    /// How much of the time that its threads have it was occupied, from 0 to 1.
    pub(crate) share: f64,
    /// Seconds worked and waited, and seconds on a processor.
    pub(crate) busy_seconds: f64,
    pub(crate) waiting_seconds: f64,
    pub(crate) cpu_seconds: f64,
    /// Transactions that went through.
    pub(crate) items: u64,
    /// What waits before it, and how much may; `None` where nothing can.
    pub(crate) depth: Option<u64>,
    pub(crate) limit: Option<u64>,
}

/// What a node did between two moments.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Interval {
    pub(crate) seconds: f64,
    pub(crate) height: u64,
    pub(crate) transactions_per_second: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) resident_bytes: u64,
    /// The stage that was occupied most of its time, unless none was.
    pub(crate) slowest: Option<&'static str>,
    pub(crate) stages: Vec<Activity>,
}

/// Asks the node at `url` (its JSON-RPC address) what it has done so far.
///
/// # Errors
/// If it cannot be reached, or does not tell of stages.
pub(crate) async fn sample(http: &reqwest::Client, url: &str) -> eyre::Result<Sample> {
    let page = format!("{}/metrics", url.trim_end_matches('/'));
    let failed = || format!("failed to read {page}");
    let answer = http.get(&page).send().await.and_then(reqwest::Response::error_for_status).wrap_err_with(failed)?;
    let text = answer.bytes().await.wrap_err_with(failed)?;
    ensure!(text.len() <= MAX_PAGE_BYTES, "{page} has more than {MAX_PAGE_BYTES} bytes");
    parse(&String::from_utf8_lossy(&text), now()).wrap_err_with(|| format!("{page} is not of a Braid node"))
}

/// Reads Prometheus' text format, as far as it tells of stages.
fn parse(text: &str, at: Instant) -> eyre::Result<Sample> {
    let mut plain = BTreeMap::new();
    let mut stages: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let Ok(value) = value.parse::<f64>() else { continue };
        match name.strip_prefix("braid_stage_").and_then(|rest| rest.split_once("{stage=\"")) {
            Some((measure, stage)) => {
                let stage = stage.trim_end_matches("\"}").to_owned();
                stages.entry(stage).or_default().insert(measure.to_owned(), value);
            }
            None => drop(plain.insert(name, value)),
        }
    }
    ensure!(stages.contains_key(ORDER[0]), "it has no braid_stage_busy_seconds_total");
    let plain = |name: &str| plain.get(name).copied().unwrap_or_default();
    Ok(Sample {
        at,
        height: whole(plain("braid_block_height")),
        resident_bytes: whole(plain("process_resident_memory_bytes")),
        cpu_seconds: plain("process_cpu_seconds_total"),
        transactions: plain("braid_transactions_total"),
        stages,
    })
}

impl Interval {
    /// From one sample to a later one of the same node.
    pub(crate) fn between(before: &Sample, after: &Sample) -> Self {
        let seconds = after.at.saturating_duration_since(before.at).max(Duration::from_millis(1)).as_secs_f64();
        let stages: Vec<_> = ORDER.iter().map(|stage| activity(stage, before, after, seconds)).collect();
        let busiest = stages.iter().max_by(|a, b| a.share.total_cmp(&b.share));
        let slowest = busiest.filter(|busiest| busiest.share >= IDLE_SHARE).map(|busiest| busiest.stage);
        Self {
            seconds,
            height: after.height,
            transactions_per_second: grown(before.transactions, after.transactions) / seconds,
            cpu_seconds: grown(before.cpu_seconds, after.cpu_seconds),
            resident_bytes: after.resident_bytes,
            slowest,
            stages,
        }
    }

    /// Processor time that belongs to no stage: sockets, HTTP, JSON, answers, the store's own threads.
    pub(crate) fn other_cpu_seconds(&self) -> f64 {
        let staged: f64 = self.stages.iter().map(|stage| stage.cpu_seconds).sum();
        (self.cpu_seconds - staged).max(0.0)
    }
}

fn activity(stage: &'static str, before: &Sample, after: &Sample, seconds: f64) -> Activity {
    let value = |sample: &Sample, measure: &str| sample.stages.get(stage).and_then(|all| all.get(measure)).copied();
    let gain = |measure| {
        let [before, after] = [before, after].map(|sample| value(sample, measure).unwrap_or_default());
        grown(before, after)
    };
    let (busy_seconds, waiting_seconds) = (gain("busy_seconds_total"), gain("waiting_seconds_total"));
    let occupied = if stage == WAITS_AT_WORK { busy_seconds + waiting_seconds } else { busy_seconds };
    let threads = value(after, "threads").unwrap_or(1.0).max(1.0);
    Activity {
        stage,
        share: (occupied / (seconds * threads)).min(1.0),
        busy_seconds,
        waiting_seconds,
        cpu_seconds: gain("cpu_seconds_total"),
        items: whole(gain("items_total")),
        depth: value(after, "depth").map(whole),
        limit: value(after, "limit").map(whole),
    }
}

/// How much a total grew; it begins anew when the node does.
fn grown(before: f64, after: f64) -> f64 {
    if after >= before { after - before } else { after }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "metrics are whole, and casts saturate")]
const fn whole(value: f64) -> u64 {
    value as u64
}

#[expect(clippy::disallowed_methods, reason = "the binary may read the clock")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(busy: f64, waiting: f64, items: u64) -> String {
        let mut text = String::from("# TYPE braid_stage_busy_seconds_total gauge\nbraid_block_height 7\n");
        for stage in ORDER {
            text += &format!("braid_stage_busy_seconds_total{{stage=\"{stage}\"}} 1\n");
        }
        text += &format!("braid_stage_busy_seconds_total{{stage=\"execute\"}} {busy}\n");
        text += &format!("braid_stage_waiting_seconds_total{{stage=\"disk\"}} {waiting}\n");
        text += &format!("braid_stage_items_total{{stage=\"disk\"}} {items}\n");
        text += "braid_stage_depth{stage=\"order\"} 12\nbraid_stage_limit{stage=\"order\"} 200000\n";
        text + "braid_stage_threads{stage=\"recover\"} 2\nprocess_cpu_seconds_total 3.5\nbroken\n"
    }

    fn interval(before: &str, after: &str) -> Interval {
        let start = now();
        let later = start + Duration::from_secs(2);
        Interval::between(&parse(before, start).unwrap(), &parse(after, later).unwrap())
    }

    #[test]
    fn the_busiest_stage_is_the_slowest_and_the_disk_counts_while_it_is_waited_for() {
        let busy = interval(&page(1.0, 0.0, 0), &page(2.0, 0.5, 40));
        assert_eq!((busy.slowest, busy.height), (Some("execute"), 7));
        assert_eq!(busy.stages[4].share, 0.5);
        assert_eq!((busy.stages[6].share, busy.stages[6].items), (0.25, 40));
        assert_eq!((busy.stages[3].depth, busy.stages[3].limit), (Some(12), Some(200_000)));
        assert_eq!(busy.stages[0].depth, None);
        assert_eq!(interval(&page(1.0, 0.0, 0), &page(1.0, 1.5, 0)).slowest, Some("disk"));
    }

    #[test]
    fn an_idle_node_has_no_slowest_stage_and_a_restarted_one_begins_anew() {
        assert_eq!(interval(&page(1.0, 0.0, 0), &page(1.0, 0.0, 0)).slowest, None);
        assert_eq!(interval(&page(9.0, 0.0, 50), &page(1.0, 0.0, 20)).stages[6].items, 20);
    }

    #[test]
    fn other_pages_are_refused() {
        assert!(parse("up 1\n", now()).is_err());
    }
}
