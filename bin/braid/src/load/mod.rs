//! `braid load`: sends transactions to any Ethereum node with development accounts, and measures what comes back.
//!
//! The phases, in order, so that the clock runs over the node's work alone:
//! 1. [`setup`]: account 0 of the mnemonic funds the senders and, for the token workloads, deploys a token and hands it out;
//! 2. [`workload`]: every transaction is signed and every request body is written;
//! 3. [`send`]: the clock starts; the bodies go out over parallel connections, one sender's always over the same one;
//! 4. [`follow`]: blocks are read as they come; a transaction counts when its receipt is there;
//! 5. [`report`]: the clock stopped at the last receipt.

mod cpu;
mod follow;
pub(crate) mod keys;
mod report;
pub(crate) mod rpc;
mod send;
mod setup;
#[cfg(test)]
mod tests;
mod workload;

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use eyre::{Context, OptionExt, ensure};

use self::{
    follow::{Follower, Receipts},
    report::{Cpu, Report},
    rpc::Client,
    send::Sending,
    workload::Workload,
};
use crate::config::TEST_MNEMONIC;

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
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Runs the load. Succeeds if every transaction was included and none failed.
///
/// # Errors
/// If the node cannot be reached, is none for development, or stops answering.
pub(crate) fn run(args: &LoadArgs) -> eyre::Result<ExitCode> {
    let (nodes, ports) = (args.rpc.len(), args.ingest.len());
    ensure!(ports == 0 || ports == nodes, "--ingest names {ports} addresses, but --rpc {nodes} nodes");
    ensure!(args.txs.get() <= MAX_TRANSACTIONS, "--txs {} exceeds the limit of {MAX_TRANSACTIONS}", args.txs);
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let report = threads.wrap_err("failed to start threads")?.block_on(measure(args))?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{report}");
    }
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(args: &LoadArgs) -> eyre::Result<Report> {
    let timeout = Duration::from_secs(args.timeout);
    let first = args.rpc.first().ok_or_eyre("--rpc names no node")?;
    let client = Client::new(first, timeout)?;
    let stage = setup::prepare(&client, args).await?;
    let workload::Load { hashes, batches } = workload::sign(&stage, args);
    let connections = send::connect(args, timeout).await?;
    let first_block = client.block_number().await? + 1;
    let cpu_before = args.pid.map(cpu::seconds_used).transpose()?;

    let sending = Arc::new(Sending::new(hashes.len(), connections.len(), now()));
    let receipts = if args.late_receipts { Receipts::Late } else { Receipts::AsTheyCome };
    let mut follower = Follower::new(client, &hashes, &sending, receipts);
    let own_before = cpu::seconds_used(std::process::id())?;
    let senders = send::start(connections, batches, &sending, args.rate);
    follower.run(first_block, timeout).await?;
    let sent = senders.finish(&sending).await?;

    let cpu_after = args.pid.map(cpu::seconds_used).transpose()?;
    let own_cpu = cpu::seconds_used(std::process::id())?.saturating_sub(own_before);
    let seen = follower.finish().await?;
    let node_cpu = cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    Ok(Report::new(args, &stage, &sent, &seen, Cpu { node: node_cpu, own: own_cpu }))
}

#[expect(clippy::disallowed_methods, reason = "the binary may read the clock, and this command is one")]
fn now() -> Instant {
    Instant::now()
}
