//! `braid load --soak`: payments for a given time, and then whether the books balance and the node's memory is where it was.
//!
//! The load comes in rounds of a few seconds, each signed, sent and followed like one alone, so that this process stays small. What
//! must hold at the end:
//! - every transaction was included exactly once, which the senders' nonces say too;
//! - the senders hold as many tokens as before, and as much Ether less what their receipts say they paid;
//! - after the first half, in which caches fill, memory grew by no more than `--max-growth` for each payment, and [`GROWTH_SLACK_BYTES`].
#![expect(clippy::float_arithmetic, reason = "a slope over time, for people to read")]

use std::{fmt, num::NonZeroUsize, time::Duration};

use alloy_primitives::{Address, U256};
use eyre::{Context, OptionExt, ensure};
use serde::Serialize;

use super::{
    Driven, LoadArgs, MAX_TRANSACTIONS, drive, now,
    rpc::Client,
    setup::{self, Stage},
    workload::{self, Workload},
};

/// Payments a second without `--rate`: a fraction of what two cores take, so that rounds end on time on a busy machine.
const RATE: usize = 500;

/// Seconds of payments in a round.
const ROUND_SECONDS: usize = 2;

/// A payment leaves some 350 bytes in the log and 600 in the store, on disk, and about 2 KB in the cache of newest blocks, until
/// that is full. One that leaks its receipt or its state would exceed this soon after. Less may be asked for of a node whose memory has a limit.
pub(super) const MAX_GROWTH_BYTES_PER_TRANSACTION: u32 = 6_144;

/// What the node's memory may grow by whatever the load: allocators keep what was freed, the store's tables come and go.
const GROWTH_SLACK_BYTES: f64 = 64.0 * 1_048_576.0;

/// What a soak came to.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    seconds: f64,
    rounds: usize,
    sent: usize,
    included: usize,
    failed: usize,
    rejected: usize,
    /// Stood in more than one block.
    included_twice: usize,
    repeated: usize,
    /// What the senders' nonces rose by.
    nonces: u64,
    /// What senders held before and after, in wei, and what their receipts say they paid.
    ether_before: U256,
    ether_after: U256,
    fees: U256,
    /// What senders held of the token, if there is one.
    tokens_before: U256,
    tokens_after: U256,
    memory: Memory,
}

/// The node's memory over a soak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct Memory {
    first_mib: f64,
    last_mib: f64,
    /// How it grew for each payment in the second half, by least squares.
    growth_bytes_per_transaction: f64,
    /// What it may grow by for each payment, the slack spread over the second half.
    allowed_bytes_per_transaction: f64,
}

/// What senders have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Holdings {
    ether: U256,
    tokens: U256,
    nonces: u64,
}

/// Runs the soak.
///
/// # Errors
/// If the node cannot be reached, is no Braid for development, or stops answering.
pub(super) async fn run(args: &LoadArgs) -> eyre::Result<Report> {
    ensure!(
        args.workload != Workload::Erc20Hot,
        "a soak counts the senders' money: --workload erc20-hot pays somebody else"
    );
    let rate = args.rate.map_or(RATE, NonZeroUsize::get);
    let seconds = usize::try_from(args.seconds).unwrap_or(usize::MAX);
    let most = rate.saturating_mul(seconds.saturating_add(ROUND_SECONDS));
    ensure!(
        most <= MAX_TRANSACTIONS,
        "--rate {rate} for {seconds} s exceeds the limit of {MAX_TRANSACTIONS} transactions"
    );
    let all = LoadArgs { txs: count(most)?, rate: Some(count(rate)?), ..args.clone() };
    let first = args.rpc.first().ok_or_eyre("--rpc names no node")?;
    let client = Client::new(first, Duration::from_secs(args.timeout))?;
    let mut stage = setup::prepare(&client, &all).await?;
    let addresses: Vec<Address> = stage.senders.iter().map(|key| key.address).collect();
    let before = holdings(&client, &stage, &addresses).await?;
    let mut tally = Tally::default();
    let started = now();
    tally.look(&client).await?;
    while started.elapsed() < Duration::from_secs(args.seconds) {
        stage.nonces = client.nonces(&addresses).await?;
        let round = LoadArgs { txs: count(rate * ROUND_SECONDS)?, ..all.clone() };
        let load = workload::sign(&stage, &round);
        tally.add(round.txs.get(), &drive(&client, &round, load).await?);
        tally.look(&client).await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let after = holdings(&client, &stage, &addresses).await?;
    Ok(tally.report(seconds, before, after, args.max_growth))
}

fn count(number: usize) -> eyre::Result<NonZeroUsize> {
    NonZeroUsize::new(number).ok_or_eyre("nothing to send")
}

async fn holdings(client: &Client, stage: &Stage, senders: &[Address]) -> eyre::Result<Holdings> {
    let tokens = match stage.token {
        Some(token) => client.token_balances(token, senders).await?,
        None => Vec::new(),
    };
    Ok(Holdings {
        ether: client.balances(senders).await?.into_iter().sum(),
        tokens: tokens.into_iter().sum(),
        nonces: client.nonces(senders).await?.into_iter().sum(),
    })
}

/// What rounds came to so far.
#[derive(Clone, Debug, Default)]
struct Tally {
    rounds: usize,
    sent: usize,
    included: usize,
    failed: usize,
    rejected: usize,
    included_twice: usize,
    repeated: usize,
    fees: U256,
    /// The node's memory in bytes after so many payments.
    memory: Vec<(f64, f64)>,
}

impl Tally {
    fn add(&mut self, sent: usize, driven: &Driven) {
        self.rounds += 1;
        self.sent += sent;
        self.included += driven.seen.included;
        self.failed += driven.seen.failed;
        self.rejected += driven.sent.rejected;
        self.included_twice += driven.seen.repeated;
        self.repeated += driven.sent.repeated;
        self.fees += driven.seen.fees;
    }

    async fn look(&mut self, client: &Client) -> eyre::Result<()> {
        let sample = client.sample().await.wrap_err("a soak watches the node's memory")?;
        self.memory.push((self.sent as f64, sample.resident_bytes as f64));
        Ok(())
    }

    fn report(self, seconds: f64, before: Holdings, after: Holdings, max_growth: u32) -> Report {
        Report {
            seconds,
            rounds: self.rounds,
            sent: self.sent,
            included: self.included,
            failed: self.failed,
            rejected: self.rejected,
            included_twice: self.included_twice,
            repeated: self.repeated,
            nonces: after.nonces.saturating_sub(before.nonces),
            ether_before: before.ether,
            ether_after: after.ether,
            fees: self.fees,
            tokens_before: before.tokens,
            tokens_after: after.tokens,
            memory: Memory::of(&self.memory, max_growth),
        }
    }
}

impl Memory {
    fn of(looks: &[(f64, f64)], max_growth: u32) -> Self {
        let mib = |look: Option<&(f64, f64)>| look.map_or(0.0, |(_, bytes)| bytes / 1_048_576.0);
        let second_half = &looks[looks.len() / 2..];
        let payments = match (second_half.first(), second_half.last()) {
            (Some((from, _)), Some((to, _))) if to > from => to - from,
            _ => 1.0,
        };
        Self {
            first_mib: mib(looks.first()),
            last_mib: mib(looks.last()),
            growth_bytes_per_transaction: slope(second_half),
            allowed_bytes_per_transaction: f64::from(max_growth) + GROWTH_SLACK_BYTES / payments,
        }
    }

    fn is_bounded(&self) -> bool {
        self.growth_bytes_per_transaction <= self.allowed_bytes_per_transaction
    }
}

/// The slope of the line through points by least squares; 0 where there is none.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let together: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    if spread > 0.0 { together / spread } else { 0.0 }
}

impl Report {
    /// What does not hold.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, fault: String| {
            if !holds {
                faults.push(fault);
            }
        };
        let Self { sent, included, failed, rejected, included_twice, .. } = self;
        check(
            included == sent,
            format!("{included} of {sent} were included, {failed} failed, {rejected} were refused"),
        );
        check(*included_twice == 0, format!("{included_twice} stood in more than one block"));
        check(self.nonces == *included as u64, format!("nonces rose by {}", self.nonces));
        let (before, after) = (self.ether_before, self.ether_after.saturating_add(self.fees));
        check(before == after, format!("senders held {before} wei, now {after} with the fees they paid"));
        let (before, after) = (self.tokens_before, self.tokens_after);
        check(before == after, format!("senders held {before} tokens, now {after}"));
        let Memory { growth_bytes_per_transaction: grew, allowed_bytes_per_transaction: allowed, .. } = self.memory;
        check(self.memory.is_bounded(), format!("memory grew by {grew:.0} bytes a payment, more than {allowed:.0}"));
        faults
    }

    /// Whether all holds that must.
    pub(super) fn holds(&self) -> bool {
        self.faults().is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Memory { first_mib, last_mib, growth_bytes_per_transaction, allowed_bytes_per_transaction } = self.memory;
        writeln!(f, "soak        {} payments in {:.0} s, {} rounds", self.sent, self.seconds, self.rounds)?;
        writeln!(f, "included    {}, {} failed, {} refused", self.included, self.failed, self.rejected)?;
        writeln!(f, "            {} sent again for lack of room", self.repeated)?;
        writeln!(
            f,
            "ether       {} wei before, {} after, {} paid in fees",
            self.ether_before, self.ether_after, self.fees
        )?;
        writeln!(f, "tokens      {} before, {} after", self.tokens_before, self.tokens_after)?;
        write!(f, "memory      {first_mib:.0} MiB at first, {last_mib:.0} at last; in the second half ")?;
        write!(f, "{growth_bytes_per_transaction:.0} bytes a payment of {allowed_bytes_per_transaction:.0}")?;
        for fault in self.faults() {
            write!(f, "\nFAULT       {fault}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balanced() -> Report {
        let mut tally = Tally { rounds: 2, sent: 100, included: 100, fees: U256::from(7), ..Tally::default() };
        tally.memory = vec![(0.0, 1e6), (50.0, 9e6), (100.0, 9e6)];
        let tokens = U256::from(5);
        let before = Holdings { ether: U256::from(30), tokens, nonces: 10 };
        tally.report(2.0, before, Holdings { ether: U256::from(23), tokens, nonces: 110 }, 6_144)
    }

    #[test]
    fn a_balanced_soak_holds() {
        assert!(balanced().faults().is_empty(), "{}", balanced());
    }

    #[test]
    fn every_fault_is_noticed() {
        let broken: [fn(&mut Report); 6] = [
            |report| report.included -= 1,
            |report| report.included_twice = 1,
            |report| report.nonces += 1,
            |report| report.ether_after += U256::ONE,
            |report| report.tokens_after -= U256::ONE,
            |report| report.memory.growth_bytes_per_transaction = report.memory.allowed_bytes_per_transaction + 1.0,
        ];
        for breaks in broken {
            let mut report = balanced();
            breaks(&mut report);
            assert!(!report.holds() && report.to_string().contains("FAULT"), "{report}");
        }
    }

    #[test]
    fn growth_is_that_of_the_second_half() {
        let memory = Memory::of(&[(0.0, 0.0), (10.0, 1e9), (20.0, 1e9), (30.0, 1e9 + 100.0)], 6_144);
        assert_eq!(memory.growth_bytes_per_transaction, 10.0);
        assert_eq!(slope(&[]), 0.0);
    }
}
