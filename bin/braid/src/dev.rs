//! `braid dev`: a chain of one's own with funded accounts, on this machine.
//!
//! Wires the parts: data directory and genesis, chain, sequencer, server. Stops in the opposite order: first the server, so
//! that nothing new comes in, then the sequencer after the block it is making, then a last checkpoint.

pub(crate) mod accounts;
pub(crate) mod data;
pub(crate) mod genesis;
mod screen;
mod serve;

use std::{
    io::Write,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy_primitives::{Address, Bytes};
use alloy_signer_local::PrivateKeySigner;
use alloy_trie::KECCAK_EMPTY;
use braid_chain::{Chain, ChainOptions, Committed, Mining, Sequencer, SequencerOptions, state::StoreOptions};
use braid_pool::PoolConfig;
use braid_suite::Suite;
use braid_types::Fork;
use eyre::Context;

use self::{data::DataDirectory, genesis::DevGenesis, screen::Screen, serve::Clock};
use crate::{
    config::{DevSettings, layers::Resolved, memory_bytes},
    metrics::Metrics,
    microloans::demo::{Demo, Loans},
    suite, telemetry,
};

/// Runs the node until it is told to stop.
///
/// # Errors
/// If it cannot start, or cannot go on.
pub(crate) fn run(resolved: &Resolved<DevSettings>) -> eyre::Result<()> {
    let settings = &resolved.settings;
    telemetry::start(settings.output.log_format, &settings.output.log_level)?;
    let signers = accounts::derive(&settings.mnemonic, settings.accounts)?;
    let directory = DataDirectory::open(settings.datadir.as_deref())?;
    let chain = open_chain(resolved, &directory, &signers)?;
    let metrics = Metrics::start(Arc::clone(&chain))?;
    chain.on_commit(log);
    let clock = Clock(Arc::new(now_ms));
    let options = sequencer_options(resolved, chain.genesis().gas_limit);
    let sequencer = Sequencer::start(Arc::clone(&chain), options, Arc::clone(&clock.0));
    let sequencer = Arc::new(sequencer.wrap_err("failed to start the sequencer")?);

    let loans =
        teller(settings)?.map(|key| eyre::Ok(Loans { key, suite: Suite::new(owner(settings)?)? })).transpose()?;
    let node = serve::Node { sequencer, signers: signers.clone(), clock, metrics, loans };
    serve::until_stopped(settings, node, |address, demo| {
        if settings.output.quiet {
            return;
        }
        let contracts = contracts(settings, &chain);
        let contracts = contracts.inspect_err(|error| tracing::warn!(%error, "failed to list the contracts"));
        let mut screen = first_screen(settings, &chain, &directory, address, &signers, contracts.unwrap_or_default());
        screen.push_str(&demo.map(Demo::screen).unwrap_or_default());
        // A reader that closed the pipe is no reason to stop.
        if let Err(error) = std::io::stdout().write_all(screen.as_bytes()) {
            tracing::warn!(%error, "failed to print the first screen");
        }
    })
}

fn open_chain(
    resolved: &Resolved<DevSettings>,
    directory: &DataDirectory,
    signers: &[PrivateKeySigner],
) -> eyre::Result<Arc<Chain>> {
    let settings = &resolved.settings;
    let genesis = directory.genesis(resolved, || {
        let owner = owner(settings)?;
        let teller = teller(settings)?.map(|key| key.address());
        let addresses: Vec<Address> = signers.iter().map(PrivateKeySigner::address).chain(teller).collect();
        let mut genesis = dev_genesis(settings).build(&addresses);
        if has_contracts(settings) {
            suite::genesis::add(&mut genesis, owner, teller.unwrap_or(owner), &addresses)?;
        }
        Ok(genesis)
    })?;
    let options = ChainOptions {
        genesis,
        directory: directory.path().to_owned(),
        store: StoreOptions {
            history: settings.history,
            memory_bytes: memory_bytes(settings.memory),
            ..StoreOptions::default()
        },
        pool: PoolConfig {
            max_transactions: settings.limits.pool_max_transactions,
            max_size_bytes: settings.limits.pool_max_bytes,
            max_per_sender: settings.limits.pool_max_per_sender,
            ..PoolConfig::default()
        },
        threads: settings.threads.unwrap_or_else(available_threads),
        is_dev: true,
    };
    let chain = Chain::open(options).wrap_err_with(|| format!("failed to open {}", directory.path().display()))?;
    Ok(Arc::new(chain))
}

fn has_contracts(settings: &DevSettings) -> bool {
    !settings.no_contracts && settings.fork.0 >= suite::genesis::NEEDS
}

/// Who tells the chain of the demonstration's loans. Its people end with the process, so it tells only a chain that does as well.
fn teller(settings: &DevSettings) -> eyre::Result<Option<PrivateKeySigner>> {
    let is_told =
        settings.microloans && settings.datadir.is_none() && settings.genesis.is_none() && has_contracts(settings);
    is_told.then(|| accounts::teller(&settings.mnemonic)).transpose()
}

/// Whose the contracts are: account 0, which exists even where no account is funded.
fn owner(settings: &DevSettings) -> eyre::Result<Address> {
    let first = accounts::derive(&settings.mnemonic, 1)?;
    Ok(first.first().map(PrivateKeySigner::address).unwrap_or_default())
}

fn dev_genesis(settings: &DevSettings) -> DevGenesis {
    DevGenesis {
        chain_id: settings.chain_id,
        fork: settings.fork.0,
        timestamp: settings.timestamp.unwrap_or_else(|| now_ms() / 1_000),
        gas_limit: settings.gas_limit,
        balance: settings.balance.0,
    }
}

/// Blocks have the gas limit asked for, else that of the genesis, which a first start makes with the default.
fn sequencer_options(resolved: &Resolved<DevSettings>, genesis_gas_limit: u64) -> SequencerOptions {
    let settings = &resolved.settings;
    let is_asked_for = resolved.is_explicit("gas-limit");
    SequencerOptions {
        mining: mining(settings),
        gas_limit: if is_asked_for { settings.gas_limit } else { genesis_gas_limit },
        beneficiary: Address::ZERO,
        extra_data: Bytes::from_static(concat!("braid/", env!("CARGO_PKG_VERSION")).as_bytes()),
    }
}

fn mining(settings: &DevSettings) -> Mining {
    match settings.block_time {
        _ if settings.no_mining => Mining::Manual,
        Some(interval) => Mining::Interval(interval.0),
        None => Mining::Auto,
    }
}

/// One line for each block.
pub(crate) fn log(committed: &Committed) {
    if let Some(oldest) = committed.reverted.last() {
        tracing::info!(count = committed.reverted.len(), from = oldest.height(), "reverted blocks");
    }
    let timings = committed.timings;
    for block in &committed.added {
        let (header, hash) = (&block.block.header, block.hash.to_string());
        tracing::info!(
            height = header.number,
            hash = hash.get(..10).unwrap_or_default(),
            txs = block.block.transactions.len(),
            gas = header.gas_used,
            ms = milliseconds(timings.execution + timings.commit),
            "block"
        );
    }
}

fn first_screen(
    settings: &DevSettings,
    chain: &Chain,
    directory: &DataDirectory,
    address: std::net::SocketAddr,
    signers: &[PrivateKeySigner],
    contracts: Vec<(String, Address)>,
) -> String {
    let head = chain.head();
    let balance = |signer: &PrivateKeySigner| head.state.account(signer.address()).unwrap_or_default().balance;
    let accounts: Vec<_> = signers.iter().map(|signer| (signer.clone(), balance(signer))).collect();
    let fork: Fork = chain.fork_of(&head.block);
    let ending = if directory.is_temporary() { " (removed when the node stops)" } else { "" };
    let screen = Screen {
        address,
        chain_id: chain.spec().chain_id,
        fork,
        height: head.block.height(),
        mining: match mining(settings) {
            Mining::Auto => "as soon as transactions wait".to_owned(),
            Mining::Interval(interval) => format!("every {} s", interval.as_secs_f64()),
            Mining::Manual => "when asked to".to_owned(),
        },
        directory: format!("{}{ending}", directory.path().display()),
        accounts: &accounts,
        contracts,
        mnemonic: &settings.mnemonic,
    };
    screen.render()
}

/// The contracts of the suite that are there.
fn contracts(settings: &DevSettings, chain: &Chain) -> eyre::Result<Vec<(String, Address)>> {
    let state = &chain.head().state;
    let has_code = |address| state.account(address).is_some_and(|account| account.code_hash != KECCAK_EMPTY);
    let all = Suite::new(owner(settings)?)?.contracts.into_iter();
    Ok(all.filter(|contract| has_code(contract.address)).map(|contract| (contract.name, contract.address)).collect())
}

#[expect(clippy::float_arithmetic, reason = "for people who read the log")]
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn available_threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the binary is where time comes from")]
fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
