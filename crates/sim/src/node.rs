//! One validator of a simulation: the real engine and the real ledger on a simulated machine.
//!
//! A validator lives from a start to a stop or a power cut. What it keeps is on its disk: consensus's files in the simulated storage, the
//! chain's in a directory ([`crate::disk`]). Whoever owns the simulation hears of every block that the validator makes durable
//! ([`Report`]), at the moment when it is.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use braid_chain::{Chain, ChainOptions, Ledger, ProposalLimits, state::State};
use braid_consensus::{
    Pace,
    certificates::Certificates,
    engine::{self, Settings},
    epochs::Timeouts,
    faults::Fault,
    keys,
    peers::Unaddressed,
    rules::Rules,
};
use braid_pool::{Pool, PoolConfig, Rejection};
use braid_types::{BlockRef, ExecutedBlock, RecoveredTx};
use commonware_cryptography::ed25519::PrivateKey;
use commonware_parallel::Sequential;
use commonware_runtime::{Handle, Spawner as _, Supervisor as _, deterministic};
use commonware_utils::{channel::mpsc, ordered::Set};
use parking_lot::Mutex;

use crate::{
    disk,
    machine::{Hardware, MachineContext, Power},
    network::{Channel, Exit, Network, Port},
    plan::Torn,
};

/// Time between blocks when little waits.
const BLOCK_INTERVAL: Duration = Duration::from_millis(250);

/// Waits that suit the simulated links: shorter than a node's defaults, so that a simulation takes fewer steps.
const TIMEOUTS: Timeouts = Timeouts {
    leader: Duration::from_millis(1_500),
    certification: Duration::from_millis(3_000),
    retry: Duration::from_millis(1_500),
    skip: Duration::from_millis(6_000),
    fetch: Duration::from_millis(1_000),
};

/// What a validator has made durable.
#[derive(Clone, Debug)]
pub struct Report {
    /// Who.
    pub member: usize,
    /// The block.
    pub block: Arc<ExecutedBlock>,
    /// The state after it.
    pub state: State,
    /// Whether the power went before anybody was told.
    pub is_interrupted: bool,
}

/// Reports in the order of events.
pub type Reports = Arc<Mutex<Vec<Report>>>;

/// What all validators of a simulation share.
pub struct Setup {
    /// The genesis of the chain.
    pub genesis: alloy_genesis::Genesis,
    /// What follows from it for consensus.
    pub rules: Arc<Rules>,
    /// The network.
    pub network: Network,
    /// Where validators report to.
    pub reports: Reports,
}

/// What one validator starts with.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its place in the scenario.
    pub member: usize,
    /// Its key.
    pub key: PrivateKey,
    /// Its share of the group's key, under a threshold scheme.
    pub share: Option<Vec<u8>>,
    /// Its partitions in the simulated storage begin with this.
    pub partition: String,
    /// The file that its key would be in. What the key has voted in is written down beside it, on a disk of its own that is never
    /// lost; it is synced before it counts, so a power cut takes nothing from it.
    pub key_file: PathBuf,
}

/// Where a validator stands.
#[derive(Debug, Default)]
struct Progress {
    certificates: Option<Certificates>,
    faults: Option<mpsc::Receiver<Fault>>,
    failure: Option<String>,
}

/// A power cut that waits for the validator's next commit.
#[derive(Debug, Default)]
struct Trap {
    /// How the record is torn, and where the directory of the next life is made.
    armed: Option<(Torn, PathBuf)>,
    /// It has happened, and went well or not.
    sprung: Option<Result<(), String>>,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// A running validator.
pub struct Validator {
    ledger: Arc<Ledger>,
    power: Arc<Power>,
    task: Handle<()>,
    progress: Arc<Mutex<Progress>>,
    trap: Arc<Mutex<Trap>>,
}

impl std::fmt::Debug for Validator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Validator").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

impl Validator {
    /// Starts a validator on what is in `directory` and in its partitions.
    ///
    /// # Errors
    /// If its chain cannot be opened.
    pub fn start(
        context: &deterministic::Context,
        setup: &Setup,
        identity: &Identity,
        directory: &Path,
        hardware: &Arc<Hardware>,
        mut port: Port,
        exit: &Arc<dyn Exit>,
    ) -> Result<Self, String> {
        let power = Arc::new(Power::default());
        let ledger = Arc::new(open(setup, directory)?);
        let trap = Arc::new(Mutex::new(Trap::default()));
        listen(&ledger, setup, identity.member, directory, &power, &trap);
        let mut ends = |channel| port.take(channel, &power, exit).ok_or("a channel is missing");
        let control = setup.network.control(commonware_cryptography::Signer::public_key(&identity.key));
        let network = engine::Network {
            peers: Unaddressed { manager: setup.network.manager(), followers: Set::default() },
            blocker: control,
            votes: ends(Channel::Votes)?,
            certificates: ends(Channel::Certificates)?,
            resolver: ends(Channel::Resolver)?,
            backfill: ends(Channel::Backfill)?,
            blocks: ends(Channel::Blocks)?,
            sync: ends(Channel::Sync)?,
            shares: ends(Channel::Shares)?,
        };
        let share = identity.share.as_deref().map(keys::share).transpose().map_err(|error| error.to_string())?;
        let settings = Settings {
            key: identity.key.clone(),
            key_file: identity.key_file.clone(),
            share,
            pace: Pace { block_interval: BLOCK_INTERVAL, enough_transactions: 30, limits: ProposalLimits::default() },
            timeouts: TIMEOUTS,
            keep_blocks: None,
            vote: None,
            partition: identity.partition.clone(),
            snapshot_interval: 0,
        };
        let progress = Arc::new(Mutex::new(Progress::default()));
        let machine = MachineContext::new(context.child("validator"), Arc::clone(hardware), Arc::clone(&power));
        let machine = machine.with_attribute("member", identity.member);
        let (rules, own, told) = (Arc::clone(&setup.rules), Arc::clone(&ledger), Arc::clone(&progress));
        let task = machine.spawn(move |machine| async move {
            let started = engine::start(machine.child("node"), rules, settings, network, Sequential, own).await;
            match started {
                Err(error) => told.lock().failure = Some(format!("does not start: {error}")),
                Ok(mut node) => {
                    {
                        let mut told = told.lock();
                        told.certificates = Some(node.certificates.clone());
                        let (_, none) = mpsc::channel(1);
                        told.faults = Some(std::mem::replace(&mut node.faults, none));
                    }
                    let reason = node.wait().await;
                    told.lock().failure = Some(reason.to_string());
                }
            }
            // Its other tasks end with this one; whoever owns the simulation decides when.
            std::future::pending::<()>().await;
        });
        Ok(Self { ledger, power, task, progress, trap })
    }

    /// Its newest durable block.
    pub fn durable(&self) -> BlockRef {
        let durable = self.ledger.durable();
        BlockRef { height: durable.height, hash: durable.hash }
    }

    /// Its ledger.
    pub const fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Whether it has power.
    pub fn is_on(&self) -> bool {
        self.power.is_on()
    }

    /// Why it does not run, if it has power and yet does not.
    pub fn failure(&self) -> Option<String> {
        if !self.is_on() {
            return None;
        }
        self.progress.lock().failure.clone()
    }

    /// Certificates of final blocks, once it has started.
    pub fn certificates(&self) -> Option<Certificates> {
        self.progress.lock().certificates.clone()
    }

    /// What it found others to have done wrong since it was asked last.
    pub fn faults(&self) -> Vec<Fault> {
        let mut progress = self.progress.lock();
        let faults = progress.faults.as_mut();
        faults.map_or_else(Vec::new, |faults| std::iter::from_fn(|| faults.try_recv().ok()).collect())
    }

    /// Gives it a transaction, as a client would.
    ///
    /// # Errors
    /// Why it refuses it.
    pub fn submit(&self, transaction: &RecoveredTx) -> Result<(), Rejection> {
        let chain = self.ledger.chain();
        let (rules, config) = {
            let pool = chain.pool().lock();
            (pool.rules().clone(), pool.config().clone())
        };
        Pool::check(&rules, &config, transaction, None)?;
        let mut pool = chain.pool().lock();
        let account = chain.head().state.account(transaction.signer()).unwrap_or_default();
        pool.insert(Arc::clone(transaction), None, account)?;
        Ok(())
    }

    /// Lets the power go while it makes its next block durable; its next life begins in `next`.
    pub fn arm(&self, torn: Torn, next: PathBuf) {
        self.trap.lock().armed = Some((torn, next));
    }

    /// The power stays after all.
    pub fn disarm(&self) {
        self.trap.lock().armed = None;
    }

    /// Cuts its power, unless that has happened in a commit. Its chain's next life begins in the directory that is returned: the one
    /// that the trap made, or `next`, as `directory` is now.
    ///
    /// # Errors
    /// If the directory cannot be copied.
    pub fn cut(&self, directory: &Path, next: PathBuf) -> Result<PathBuf, String> {
        let mut trap = self.trap.lock();
        match (trap.sprung.take(), trap.armed.take()) {
            (Some(made), Some((_, prepared))) => made.map(|()| prepared),
            _ => {
                self.power.cut();
                disk::copy(directory, &next).map_err(|error| format!("cannot copy a chain: {error}"))?;
                Ok(next)
            }
        }
    }

    /// Ends its tasks. The ledger must be dropped by then, or soon after; the power's memory of the disk is returned.
    pub fn end(self) -> (Arc<Power>, Arc<Ledger>) {
        self.task.abort();
        (self.power, self.ledger)
    }
}

fn open(setup: &Setup, directory: &Path) -> Result<Ledger, String> {
    let options = ChainOptions {
        genesis: setup.genesis.clone(),
        directory: directory.to_owned(),
        store: disk::store_options(),
        pool: PoolConfig::default(),
        // More threads than one change nothing but the time it takes.
        threads: NonZeroUsize::MIN,
        is_dev: false,
    };
    let chain = Chain::open(options).map_err(|error| format!("cannot open its chain: {error}"))?;
    Ledger::new(Arc::new(chain)).map_err(|error| format!("cannot open its ledger: {error}"))
}

/// Reports what the validator makes durable, and lets the power go at that moment if that is planned.
fn listen(
    ledger: &Ledger,
    setup: &Setup,
    member: usize,
    directory: &Path,
    power: &Arc<Power>,
    trap: &Arc<Mutex<Trap>>,
) {
    let chain = Arc::downgrade(ledger.chain());
    let (reports, directory) = (Arc::clone(&setup.reports), directory.to_owned());
    let (power, trap) = (Arc::clone(power), Arc::clone(trap));
    ledger.chain().on_commit(move |committed| {
        let Some(chain) = chain.upgrade().filter(|_| power.is_on()) else { return };
        let mut trap = trap.lock();
        let sprung = trap.armed.as_ref().map(|(torn, next)| {
            power.cut();
            let torn = disk::copy(&directory, next).and_then(|()| disk::tear(next, *torn));
            torn.map_err(|error| format!("cannot tear a chain: {error}"))
        });
        let is_interrupted = sprung.is_some();
        trap.sprung = sprung;
        for block in &committed.added {
            let (block, state) = (Arc::clone(block), chain.head().state.clone());
            reports.lock().push(Report { member, block, state, is_interrupted });
        }
    });
}
