//! `braid top`: where a running node's time goes, stage by stage, the slowest marked.
#![expect(clippy::float_arithmetic, reason = "rates and shares for people to read")]

use std::{fmt::Write as _, io::Write as _, time::Duration};

use eyre::Context;

use crate::stages::{Activity, Interval, Sample, sample};

/// Cells of a bar.
const BAR: usize = 20;

/// How long a node may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Cursor home, clear to the end (ECMA-48 CUP and ED).
const CLEAR: &str = "\x1b[H\x1b[J";

/// Arguments of `braid top`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TopArgs {
    /// The node, by its JSON-RPC address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8545")]
    rpc: String,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    interval: u64,
    /// Print one interval and end
    #[arg(long)]
    once: bool,
    /// Print one JSON object for each interval instead of a screen
    #[arg(long)]
    json: bool,
}

/// Runs `braid top` until it is interrupted, or its reader has gone.
///
/// # Errors
/// If the node cannot be reached or tells of no stages.
pub(crate) fn run(args: &TopArgs) -> eyre::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.wrap_err("failed to start the runtime")?.block_on(watch(args))
}

async fn watch(args: &TopArgs) -> eyre::Result<()> {
    let http = reqwest::Client::builder().timeout(TIMEOUT).build().wrap_err("failed to make an HTTP client")?;
    let mut before: Sample = sample(&http, &args.rpc).await?;
    loop {
        tokio::time::sleep(Duration::from_secs(args.interval)).await;
        let after = sample(&http, &args.rpc).await?;
        let interval = Interval::between(&before, &after);
        let text = match (args.json, args.once) {
            (true, _) => serde_json::to_string(&interval)? + "\n",
            (false, true) => screen(&args.rpc, &interval),
            (false, false) => format!("{CLEAR}{}", screen(&args.rpc, &interval)),
        };
        let mut out = std::io::stdout();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() || args.once {
            return Ok(());
        }
        before = after;
    }
}

fn screen(url: &str, interval: &Interval) -> String {
    let Interval { seconds, height, transactions_per_second, cpu_seconds, resident_bytes, .. } = interval;
    let (processors, megabytes) = (cpu_seconds / seconds, resident_bytes >> 20);
    let mut text = format!(
        "{url}   block {height}   {transactions_per_second:.0} transactions/s   {processors:.2} processors   {megabytes} MiB\n\n"
    );
    text += "stage       occupied                    items/s   busy ms  waits ms    cpu ms  µs/item    queue\n";
    for stage in &interval.stages {
        let mark = if interval.slowest == Some(stage.stage) { "  ◀ slowest" } else { "" };
        let Activity { busy_seconds, waiting_seconds, cpu_seconds, items, .. } = stage;
        let rate = *items as f64 / seconds;
        let [busy, waits, cpu] = [busy_seconds, waiting_seconds, cpu_seconds].map(|time| time * 1e3 / seconds);
        let each = if *items == 0 { "–".to_owned() } else { format!("{:.1}", cpu_seconds * 1e6 / *items as f64) };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<11} {} {:>3.0} %  {rate:>8.0}  {busy:>8.1}  {waits:>8.1}  {cpu:>8.1}  {each:>7}    {}{mark}",
            stage.stage,
            bar(stage.share),
            stage.share * 100.0,
            queue(stage)
        );
    }
    let other = interval.other_cpu_seconds() * 1e3 / seconds;
    let _ = writeln!(text, "{:<11} {:BAR$}        {:>8}  {:>8}  {:>8}  {other:>8.1}", "other", "", "", "", "");
    text + "\nms are per second; waits are for work, a thread or a lock, and of disk for the disk itself\n"
}

fn bar(share: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is from 0 to 1, and casts saturate"
    )]
    let full = ((share * BAR as f64).round() as usize).min(BAR);
    "█".repeat(full) + &"·".repeat(BAR - full)
}

fn queue(stage: &Activity) -> String {
    match (stage.depth, stage.limit) {
        (Some(depth), Some(limit)) => format!("{depth} of {limit}"),
        _ => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_stage_is_marked_and_an_idle_one_has_no_cost() {
        let stage = |stage, share, items| Activity {
            stage,
            share,
            busy_seconds: share,
            waiting_seconds: 0.0,
            cpu_seconds: share,
            items,
            depth: Some(3),
            limit: Some(9),
        };
        let interval = Interval {
            seconds: 1.0,
            height: 5,
            transactions_per_second: 10.0,
            cpu_seconds: 1.0,
            resident_bytes: 3 << 20,
            slowest: Some("execute"),
            stages: vec![stage("decode", 0.0, 0), stage("execute", 0.5, 10)],
        };
        let text = screen("http://node", &interval);
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        assert!(line("execute").contains("50 %") && line("execute").ends_with("3 of 9  ◀ slowest"), "{text}");
        assert!(line("execute").contains("50000.0"), "{text}");
        assert!(line("decode").contains(&"·".repeat(BAR)) && !line("decode").contains('◀'), "{text}");
        assert!(line("other").trim_end().ends_with("500.0"), "{text}");
    }
}
