//! `braid load`: sends transactions to any Ethereum node with development accounts, and measures what comes back.
//!
//! The phases, in order, so that the clock runs over the node's work alone:
//! 1. [`setup`]: account 0 of the mnemonic funds the senders and, for the token workloads, deploys a token and hands it out;
//! 2. [`workload`]: every transaction is signed and every request body is written;
//! 3. [`send`]: the clock starts; the bodies go out over parallel connections, one sender's always over the same one;
//! 4. [`follow`]: blocks are read as they come; a transaction counts when its receipt is there;
//! 5. [`report`]: the clock stopped at the last receipt.
//!
//! [`soak`] goes through 2 to 4 again and again, and then counts the money.

mod cpu;
mod follow;
pub(crate) mod keys;
mod report;
pub(crate) mod rpc;
mod send;
mod setup;
mod soak;
#[cfg(test)]
mod tests;
mod workload;

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use eyre::{Context, OptionExt, ensure};

use self::{
    follow::{Follower, Receipts, Seen},
    report::{Cpu, Report},
    rpc::Client,
    send::{Repetition, Sending, Sent},
    workload::{Load, Workload},
};
use crate::{config::TEST_MNEMONIC, stages::Interval};

/// Most transactions of one run: all are signed and kept in memory beforehand, some 700 bytes each.
const MAX_TRANSACTIONS: usize = 5_000_000;

/// Arguments of `braid load`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LoadArgs {
    /// The node to load (http only), or several of a network, separated by commas: connections go to each in turn, and receipts
    /// are read from the first
    #[arg(long, value_name = "URLS", value_delimiter = ',', default_value = "http://127.0.0.1:8545")]
    rpc: Vec<String>,
    /// Send in binary to these addresses, one for each node of --rpc, which serve what braid's --ingest opens
    #[arg(long, value_name = "IP:PORTS", value_delimiter = ',')]
    ingest: Vec<SocketAddr>,
    /// What to send: Ether transfers, token transfers among all senders, or token transfers to one recipient
    #[arg(long, value_enum, default_value_t = Workload::Erc20)]
    workload: Workload,
    /// Transactions to send
    #[arg(long, value_name = "N", default_value = "20000")]
    txs: NonZeroUsize,
    /// Senders
    #[arg(long, value_name = "N", default_value = "500")]
    accounts: NonZeroUsize,
    /// Transactions in one JSON-RPC batch
    #[arg(long, value_name = "N", default_value = "100")]
    batch: NonZeroUsize,
    /// Parallel connections
    #[arg(long, value_name = "N", default_value = "4")]
    conns: NonZeroUsize,
    /// Phrase whose account 0 pays for everything
    #[arg(long, value_name = "PHRASE", default_value = TEST_MNEMONIC)]
    mnemonic: String,
    /// Number that the senders' keys and the order of recipients are derived from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Give up this many seconds after the first transaction is sent
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
    /// Send so many transactions a second, and count latency from when each was due; without it as fast as the node answers
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroUsize>,
    /// Count a transaction once a block has it, and look at the receipts when the clock has stopped, so that reading them costs the
    /// node nothing meanwhile
    #[arg(long)]
    late_receipts: bool,
    /// Process of the node, to count the CPU time it uses (with its descendants)
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Send so many transactions at once instead of --txs, and send again what the node has no room for; how quickly it answers
    /// is reported. Takes --late-receipts for granted
    #[arg(long, value_name = "N", conflicts_with_all = ["txs", "rate", "soak"])]
    burst: Option<NonZeroUsize>,
    /// Go on for --seconds at --rate (500 without), then check that memory did not grow beyond what caches explain, that every
    /// transaction was included once, and that no money appeared or was lost
    #[arg(long, conflicts_with = "txs")]
    soak: bool,
    /// How long to soak
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(5..=86_400))]
    seconds: u64,
    /// Fail if the node holds more memory than so many MiB at any look meanwhile
    #[arg(long, value_name = "MIB")]
    max_memory: Option<u64>,
    /// Bytes by which a payment may let the node's memory grow in the second half of a soak
    #[arg(long, value_name = "BYTES", default_value_t = soak::MAX_GROWTH_BYTES_PER_TRANSACTION)]
    max_growth: u32,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Pause between two looks at a node's memory.
const MEMORY_POLL: Duration = Duration::from_millis(250);

/// Runs the load. Succeeds if every transaction was included and none failed, and what else was asked for holds.
///
/// # Errors
/// If the node cannot be reached, is none for development, or stops answering.
pub(crate) fn run(args: &LoadArgs) -> eyre::Result<ExitCode> {
    let (nodes, ports) = (args.rpc.len(), args.ingest.len());
    ensure!(ports == 0 || ports == nodes, "--ingest names {ports} addresses, but --rpc {nodes} nodes");
    let args = &LoadArgs { txs: args.burst.unwrap_or(args.txs), ..args.clone() };
    ensure!(args.txs.get() <= MAX_TRANSACTIONS, "{} transactions exceed the limit of {MAX_TRANSACTIONS}", args.txs);
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let threads = threads.wrap_err("failed to start threads")?;
    if args.soak {
        let report = threads.block_on(soak::run(args))?;
        say(args, &report)?;
        return Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let report = threads.block_on(measure(args))?;
    say(args, &report)?;
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn say(args: &LoadArgs, report: &(impl serde::Serialize + std::fmt::Display)) -> eyre::Result<()> {
    if args.json {
        println!("{}", serde_json::to_string(report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}

async fn measure(args: &LoadArgs) -> eyre::Result<Report> {
    let first = args.rpc.first().ok_or_eyre("--rpc names no node")?;
    let client = Client::new(first, Duration::from_secs(args.timeout))?;
    let stage = setup::prepare(&client, args).await?;
    let load = workload::sign(&stage, args);
    let driven = drive(&client, args, load).await?;
    Ok(Report::new(args, &stage, &driven))
}

/// What a load came to.
#[derive(Debug)]
struct Driven {
    sent: Sent,
    seen: Seen,
    cpu: Cpu,
    /// What the node's stages did from the first send to the last receipt, if it tells.
    interval: Option<Interval>,
    /// The most memory that the node held at any look, if it tells.
    peak_bytes: Option<u64>,
}

/// Sends a load and follows it to its last receipt.
async fn drive(client: &Client, args: &LoadArgs, load: Load) -> eyre::Result<Driven> {
    let timeout = Duration::from_secs(args.timeout);
    let Load { hashes, batches } = load;
    let connections = send::connect(args, timeout).await?;
    let first_block = client.block_number().await? + 1;
    let cpu_before = args.pid.map(cpu::seconds_used).transpose()?;
    // Other nodes tell nothing of stages.
    let before = client.sample().await.ok();
    let memory = before.is_some().then(|| Memory::watch(client.clone()));

    let sending = Arc::new(Sending::new(hashes.len(), connections.len(), now()));
    let is_burst = args.burst.is_some();
    let receipts = if args.late_receipts || is_burst { Receipts::Late } else { Receipts::AsTheyCome };
    let repetition = if is_burst || args.soak { Repetition::WhenBusy } else { Repetition::Never };
    let mut follower = Follower::new(client.clone(), &hashes, &sending, receipts);
    let own_before = cpu::seconds_used(std::process::id())?;
    let senders = send::start(connections, batches, &sending, args.rate, repetition);
    follower.run(first_block, timeout).await?;
    let sent = senders.finish(&sending).await?;

    let cpu_after = args.pid.map(cpu::seconds_used).transpose()?;
    let own = cpu::seconds_used(std::process::id())?.saturating_sub(own_before);
    let after = if before.is_some() { Some(client.sample().await?) } else { None };
    let peak_bytes = memory.map(Memory::stop);
    let seen = follower.finish().await?;
    let node = cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    let interval = before.zip(after).map(|(before, after)| Interval::between(&before, &after));
    Ok(Driven { sent, seen, cpu: Cpu { node, own }, interval, peak_bytes })
}

/// Looks at a node's memory while a load runs.
#[derive(Debug)]
struct Memory {
    peak_bytes: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Memory {
    fn watch(client: Client) -> Self {
        let peak_bytes = Arc::new(AtomicU64::new(0));
        let peak = Arc::clone(&peak_bytes);
        let task = tokio::spawn(async move {
            loop {
                if let Ok(sample) = client.sample().await {
                    // Ordering: one number, read after the task ended.
                    peak.fetch_max(sample.resident_bytes, Ordering::Relaxed);
                }
                tokio::time::sleep(MEMORY_POLL).await;
            }
        });
        Self { peak_bytes, task }
    }

    fn stop(self) -> u64 {
        self.task.abort();
        self.peak_bytes.load(Ordering::Relaxed)
    }
}

#[expect(clippy::disallowed_methods, reason = "the binary may read the clock, and this command is one")]
fn now() -> Instant {
    Instant::now()
}
