//! One simulation, from its plan to its outcome.
//!
//! Everything happens in one deterministic runtime, on one thread, in virtual time. The loop here plays the plan's events, lets
//! clients send, hands what validators report to the auditor every [`TICK`], and ends with the first violation, or when the network
//! has shown after the faults that it goes on.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy_primitives::{Address, B256};
use braid_chain::genesis_block;
use braid_consensus::{faults::Fault, keys, rules::Rules, scheme::Scheme};
use braid_types::{BlockRef, ChainSpec, Height};
use commonware_cryptography::{Signer as _, ed25519::PublicKey};
use commonware_p2p::simulated;
use commonware_runtime::{Clock as _, Runner as _, Supervisor as _, deterministic};
use commonware_utils::NZUsize;
use parking_lot::Mutex;
use tempfile::TempDir;

use crate::{
    auditor::{Auditor, Violation},
    byzantine::{self, Half},
    machine::{Hardware, lose_power},
    network::{Exit, Honest, Network, Port, link},
    node::{Identity, Reports, Setup, Validator},
    plan::{Event, Links, Plan, Role, STEP_MS},
    proofs,
    random::Random,
    workload::{Expected, Submission, Workload},
    world::{EXECUTION_LAG, Keys, START_TIME_S, fee_recipient, genesis},
};

/// How often reports are looked at.
const TICK: Duration = Duration::from_millis(50);

/// Steps between two times that clients look at the chain and send again what is missing.
const STEPS_BETWEEN_LOOKS: u64 = 6;

/// Virtual time after everything healed in which the network must go on.
const HEALING_MS: u64 = 90_000;

/// Blocks that everybody must commit after everything healed.
const BLOCKS_AFTER_HEALING: Height = 6;

/// Newest heights that everybody has to prove final in the end.
const PROVED_HEIGHTS: Height = 8;

/// Time that tasks of a validator that was ended take to be gone.
const ENDING: Duration = Duration::from_millis(5);

/// Peer sets that the network remembers, one an epoch.
const PEER_SETS: usize = 4;

/// Members of the largest committee, rounded up.
const PEERS: usize = 8;

/// Where chains are kept, if it is there: a file system in memory.
const MEMORY: &str = "/dev/shm";

/// What a simulation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Hash over the chain that was agreed on.
    pub chain: B256,
    /// Hash over everything that happened in the runtime: every task, message and random number in order.
    pub events: String,
    /// Its length.
    pub height: Height,
    /// Transactions in it.
    pub transactions: u64,
    /// Times that a validator was started.
    pub starts: u64,
    /// Virtual time from when everything healed until the network had shown that it goes on.
    pub healing_ms: u64,
    /// Members that others reported, and for what.
    pub faults: BTreeMap<usize, BTreeSet<&'static str>>,
}

/// A simulation that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("step {step}: {violation}")]
pub struct Failure {
    /// The step in which.
    pub step: u64,
    /// What is wrong.
    pub violation: Violation,
}

/// Runs a scenario.
///
/// # Errors
/// The first rule that does not hold.
///
/// # Panics
/// If the runtime finds that a task has panicked or that nothing can happen any more.
pub fn run(plan: &Plan) -> Result<Outcome, Failure> {
    let broken = |error: std::io::Error| Failure { step: 0, violation: Violation::Broken(error.to_string()) };
    let memory = Path::new(MEMORY);
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let directory = tempfile::Builder::new().prefix("braid-sim-").tempdir_in(parent).map_err(broken)?;
    let steps_ms = (plan.steps + 1) * STEP_MS;
    let config = deterministic::Config::new()
        .with_seed(plan.seed)
        .with_start_time(UNIX_EPOCH + Duration::from_secs(START_TIME_S))
        // A validator that starts or ends takes time too, so this is no exact bound.
        .with_timeout(Some(Duration::from_millis(10 * (steps_ms + HEALING_MS))));
    deterministic::Runner::new(config).start(|context| async move {
        let mut simulation = match Simulation::new(context, plan, directory).await {
            Ok(simulation) => simulation,
            Err(violation) => return Err(Failure { step: 0, violation }),
        };
        let outcome = simulation.run().await;
        let step = simulation.step;
        simulation.end().await;
        outcome.map_err(|violation| Failure { step, violation })
    })
}

/// A place in the committee.
struct Member {
    identity: Identity,
    public_key: PublicKey,
    hardware: Arc<Hardware>,
    exit: Arc<dyn Exit>,
    /// Whether it follows the protocol.
    is_honest: bool,
    /// Where its chain is.
    directory: PathBuf,
    /// How often it has lost its disk.
    losses: u64,
    running: Option<Validator>,
}

struct Simulation<'a> {
    context: deterministic::Context,
    plan: &'a Plan,
    step: u64,
    directory: TempDir,
    /// Directories made so far.
    directories: u64,
    setup: Setup,
    members: Vec<Member>,
    /// Second halves of twins.
    twins: Vec<Validator>,
    /// For each member, which halves of a pair of twins hear it and are heard: bit 0 the first, bit 1 the second.
    halves: Arc<Mutex<BTreeMap<PublicKey, u8>>>,
    auditor: Auditor,
    workload: Workload,
    random: Random,
    groups: Vec<u8>,
    links: Links,
    starts: u64,
    faults: BTreeMap<usize, BTreeSet<&'static str>>,
    /// Heights up to here have been looked at as ordered blocks.
    ordered: Height,
}

fn broken(error: impl ToString) -> Violation {
    Violation::Broken(error.to_string())
}

impl<'a> Simulation<'a> {
    async fn new(context: deterministic::Context, plan: &'a Plan, directory: TempDir) -> Result<Self, Violation> {
        let keys = Keys::of(plan);
        let consensus = keys.consensus_config();
        let genesis = genesis(&consensus);
        let spec = ChainSpec::from_config(&genesis.config).map_err(broken)?;
        let (block, ..) = genesis_block(&genesis, &spec).map_err(broken)?;
        let hash = block.header.hash_slow();
        let rules = Rules::new(&consensus, spec.chain_id, BlockRef { height: 0, hash }).map_err(broken)?;
        let config = simulated::Config {
            max_size: braid_consensus::engine::max_message_size(&rules),
            max_peers_per_set: NZUsize!(PEERS),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(PEER_SETS),
        };
        let (network, oracle) = simulated::Network::new(context.child("network"), config);
        network.start();
        let reports = Reports::default();
        let is_honest = |member| !plan.byzantine.contains_key(&member);
        let beneficiaries = (0..plan.validators).map(|member| (fee_recipient(member), is_honest(member))).collect();
        let auditor = Auditor::new(&genesis, hash, EXECUTION_LAG, beneficiaries);
        let setup = Setup { genesis, rules: Arc::new(rules), network: oracle, reports };
        let random = Random::new(plan.seed);
        let mut simulation = Self {
            plan,
            step: 0,
            directories: 0,
            members: Vec::new(),
            twins: Vec::new(),
            halves: Arc::default(),
            auditor,
            workload: Workload::new(random.fork("workload")),
            random: random.fork("run"),
            groups: vec![0; plan.validators],
            links: plan.links,
            starts: 0,
            faults: BTreeMap::new(),
            ordered: 0,
            setup,
            directory,
            context,
        };
        simulation.populate(&keys)?;
        simulation.relink().await?;
        for member in 0..plan.validators {
            simulation.start(member).await?;
        }
        Ok(simulation)
    }

    fn populate(&mut self, keys: &Keys) -> Result<(), Violation> {
        let public: Vec<PublicKey> = keys.identities.iter().map(|key| key.public_key()).collect();
        let rules = Arc::clone(&self.setup.rules);
        for (member, key) in keys.identities.iter().enumerate() {
            let share = keys.shares.get(member).cloned();
            let exit: Arc<dyn Exit> = match self.plan.byzantine.get(&member) {
                None => Arc::new(Honest),
                Some(role) => {
                    let share = share.as_deref().map(keys::share).transpose().map_err(broken)?;
                    let committee = rules.committee.keys();
                    let scheme = Scheme::new(&rules.signatures, &rules.namespace, committee, key, share.as_ref());
                    let random = self.random.fork(&format!("liar {member}"));
                    byzantine::exit(*role, scheme, member, &public, &rules, random)
                }
            };
            let directory = self.new_directory();
            self.members.push(Member {
                identity: Identity {
                    member,
                    key: key.clone(),
                    share,
                    partition: format!("member-{member}"),
                    key_file: self.key_file(member, 0)?,
                },
                losses: 0,
                public_key: public[member].clone(),
                hardware: Arc::new(Hardware::new(self.plan.machines[member])),
                exit,
                is_honest: !self.plan.byzantine.contains_key(&member),
                directory,
                running: None,
            });
        }
        Ok(())
    }

    /// A file for a member's key, or for the copy of it that a twin has.
    fn key_file(&self, member: usize, copy: u8) -> Result<PathBuf, Violation> {
        let path = self.directory.path().join(format!("key-{member}-{copy}"));
        std::fs::write(&path, "a key").map_err(broken)?;
        Ok(path)
    }

    fn new_directory(&mut self) -> PathBuf {
        self.directories += 1;
        self.directory.path().join(self.directories.to_string())
    }

    fn network(&self) -> &Network {
        &self.setup.network
    }

    async fn relink(&self) -> Result<(), Violation> {
        let keys: Vec<PublicKey> = self.members.iter().map(|member| member.public_key.clone()).collect();
        link(self.network(), &keys, &self.groups, self.links).await.map_err(broken)
    }

    /// Milliseconds since 1970, truly.
    fn now_ms(&self) -> u64 {
        let since = self.context.current().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    async fn run(&mut self) -> Result<Outcome, Violation> {
        while self.step < self.plan.steps {
            let (plan, step) = (self.plan, self.step);
            let now = plan.events.iter().filter(|(at, _)| *at == step);
            for (_, event) in now {
                self.play(event).await?;
            }
            self.one_step().await?;
        }
        self.heal().await?;
        let healing_ms = self.go_on().await?;
        self.check_ordered().await?;
        if self.ordered < self.auditor.height() - BLOCKS_AFTER_HEALING {
            return Err(Violation::NotShown { height: self.ordered + 1 });
        }
        self.check_certificates().await?;
        Ok(Outcome {
            chain: self.auditor.digest(),
            events: self.context.auditor().state(),
            height: self.auditor.height(),
            transactions: self.auditor.transactions(),
            starts: self.starts,
            healing_ms,
            faults: std::mem::take(&mut self.faults),
        })
    }

    /// Clients send, and time passes.
    async fn one_step(&mut self) -> Result<(), Violation> {
        self.clients()?;
        self.shuffle_twins();
        for _ in 0..u128::from(STEP_MS) / TICK.as_millis() {
            self.context.sleep(TICK).await;
            self.audit()?;
        }
        self.check_trust().await?;
        if self.step.is_multiple_of(STEPS_BETWEEN_LOOKS) {
            self.check_ordered().await?;
        }
        self.step += 1;
        Ok(())
    }

    async fn play(&mut self, event: &Event) -> Result<(), Violation> {
        tracing::info!(step = self.step, ?event, height = self.auditor.height(), "event");
        match event {
            Event::Partition(groups) => {
                self.groups.clone_from(groups);
                self.relink().await
            }
            Event::Heal => {
                self.groups.fill(0);
                self.relink().await
            }
            Event::Links(links) => {
                self.links = *links;
                self.relink().await
            }
            Event::Crash(member) => self.cut(*member).await,
            Event::CrashInCommit(member, torn) => {
                let next = self.new_directory();
                if let Some(validator) = &self.members[*member].running {
                    validator.arm(*torn, next);
                }
                Ok(())
            }
            Event::Wipe(member) => self.wipe(*member).await,
            Event::PowerCut => {
                for member in self.plan.honest() {
                    self.cut(member).await?;
                }
                Ok(())
            }
            Event::Stop(member) => self.stop(*member).await,
            Event::Start(member) => {
                // A cut that waits for a commit which never came happens now.
                self.cut(*member).await?;
                self.start(*member).await
            }
            Event::Skew(member, skew_ms) => {
                self.members[*member].hardware.set_skew_ms(*skew_ms);
                Ok(())
            }
            Event::Disk(member, sync_ms) => {
                self.members[*member].hardware.set_sync_ms(*sync_ms);
                Ok(())
            }
        }
    }

    /// Starts a member that is down.
    async fn start(&mut self, member: usize) -> Result<(), Violation> {
        let public_key = self.members[member].public_key.clone();
        let port = Port::open(self.network(), &public_key).await.map_err(broken)?;
        self.starts += 1;
        if self.plan.byzantine.get(&member) == Some(&Role::Twins) {
            return self.start_twins(member, port);
        }
        let Member { identity, directory, exit, is_honest, .. } = &self.members[member];
        let validator = self.validator(member, identity, directory, port, exit)?;
        let is_honest = *is_honest;
        if is_honest {
            self.auditor.on_start(member, validator.durable())?;
        }
        self.members[member].running = Some(validator);
        Ok(())
    }

    /// Starts both halves of a pair of twins: one key, one connection, two of everything else.
    fn start_twins(&mut self, member: usize, port: Port) -> Result<(), Violation> {
        let (first, second) = port.split(&self.context, self.hears());
        let Member { identity, directory, .. } = &self.members[member];
        // Liars do not ask a file what they may sign.
        let key_file = self.key_file(member, 1)?;
        let twin = Identity { partition: format!("twin-{member}"), key_file, ..identity.clone() };
        let other = self.directory.path().join(&twin.partition);
        let first = self.validator(member, identity, directory, first, &self.half(1))?;
        let second = self.validator(member, &twin, &other, second, &self.half(2))?;
        self.members[member].running = Some(first);
        self.twins.push(second);
        Ok(())
    }

    fn validator(
        &self,
        member: usize,
        identity: &Identity,
        directory: &Path,
        port: Port,
        exit: &Arc<dyn Exit>,
    ) -> Result<Validator, Violation> {
        let hardware = &self.members[member].hardware;
        let validator = Validator::start(&self.context, &self.setup, identity, directory, hardware, port, exit);
        validator.map_err(|reason| Violation::Start { member, reason })
    }

    /// Which half of a pair of twins hears a peer.
    fn hears(&self) -> impl Fn(&PublicKey) -> simulated::SplitTarget + Send + Sync + Clone + 'static {
        let halves = Arc::clone(&self.halves);
        move |peer| match halves.lock().get(peer) {
            Some(1) => simulated::SplitTarget::Primary,
            Some(2) => simulated::SplitTarget::Secondary,
            Some(0) => simulated::SplitTarget::None,
            _ => simulated::SplitTarget::Both,
        }
    }

    /// What leaves a half of a pair of twins.
    fn half(&self, half: u8) -> Arc<dyn Exit> {
        let halves = Arc::clone(&self.halves);
        Arc::new(Half { heard_by: move |peer: &PublicKey| halves.lock().get(peer).is_none_or(|seen| seen & half != 0) })
    }

    /// Draws anew who hears which half of twins, now and then.
    fn shuffle_twins(&mut self) {
        if self.twins.is_empty() || !self.random.chance(25) {
            return;
        }
        let mut halves = self.halves.lock();
        for member in &self.members {
            let seen = *self.random.pick(&[1, 1, 1, 2, 2, 2, 3, 0]);
            halves.insert(member.public_key.clone(), seen);
        }
    }

    /// Cuts a member's power, if it runs; its disk is what that leaves.
    async fn cut(&mut self, member: usize) -> Result<(), Violation> {
        let next = self.new_directory();
        let Some(validator) = self.members[member].running.take() else { return Ok(()) };
        // Nothing happens between the copy and this, so what it said before the power went is all it ever said.
        let left = validator.cut(&self.members[member].directory, next).map_err(broken)?;
        self.audit_reports()?;
        let (power, ledger) = validator.end();
        self.context.sleep(ENDING).await;
        drop(ledger);
        lose_power(&self.context, &power, &mut self.random).await.map_err(broken)?;
        self.members[member].directory = left;
        Ok(())
    }

    /// Cuts a member's power and takes its disk; its key stays, with what is beside it.
    async fn wipe(&mut self, member: usize) -> Result<(), Violation> {
        self.cut(member).await?;
        let directory = self.new_directory();
        let place = &mut self.members[member];
        place.losses += 1;
        place.identity.partition = format!("member-{member}-{}", place.losses);
        place.directory = directory;
        self.auditor.on_loss(member);
        Ok(())
    }

    /// Shuts a member down in order, if it runs.
    async fn stop(&mut self, member: usize) -> Result<(), Violation> {
        let Some(validator) = self.members[member].running.take() else { return Ok(()) };
        self.audit_reports()?;
        let (_, ledger) = validator.end();
        self.context.sleep(ENDING).await;
        self.audit_reports()?;
        // The store closes with its last owner.
        if Arc::into_inner(ledger).is_none() {
            return Err(Violation::Broken(format!("member {member} keeps its ledger after its tasks were ended")));
        }
        Ok(())
    }

    /// Everything becomes good, except those who are not.
    async fn heal(&mut self) -> Result<(), Violation> {
        tracing::info!(step = self.step, height = self.auditor.height(), "everything heals");
        self.groups.fill(0);
        self.links = Links::GOOD;
        self.relink().await?;
        for member in 0..self.members.len() {
            self.members[member].hardware.set_sync_ms(1);
            let is_off = self.members[member].running.as_ref().is_none_or(|validator| !validator.is_on());
            if is_off {
                self.cut(member).await?;
                self.start(member).await?;
            } else if let Some(validator) = &self.members[member].running {
                validator.disarm();
            }
        }
        Ok(())
    }

    /// Waits until all honest members have gone on together and all that clients can pay for is in the chain; how long that took.
    async fn go_on(&mut self) -> Result<u64, Violation> {
        let (healed_ms, target) = (self.now_ms(), self.auditor.height() + BLOCKS_AFTER_HEALING);
        loop {
            let waited_ms = self.now_ms() - healed_ms;
            let missing = self.missing(target, waited_ms);
            match missing {
                None => return Ok(waited_ms),
                Some(violation) if waited_ms > HEALING_MS => return Err(violation),
                Some(_) => self.one_step().await?,
            }
        }
    }

    /// What the network still owes.
    fn missing(&self, target: Height, waited_ms: u64) -> Option<Violation> {
        let honest = self.plan.honest();
        let behind = honest.iter().find(|member| self.auditor.height_of(**member) < target);
        if let Some(&member) = behind {
            let found = self.auditor.height_of(member);
            return Some(Violation::Progress { member, waited_ms, found, expected: target });
        }
        let state = self.newest_state()?;
        let sent = |sender: Address| state.account(sender).map_or(0, |account| account.nonce);
        let expected = self.workload.expected_nonces().into_iter();
        let mut starved = expected.map(|(sender, expected)| (sender, sent(sender), expected));
        let (sender, found, expected) = starved.find(|(_, found, expected)| found < expected)?;
        Some(Violation::Starved { sender, waited_ms, found, expected })
    }

    /// The state of the honest member that is furthest.
    fn newest_state(&self) -> Option<braid_chain::state::State> {
        let running =
            self.members.iter().filter(|member| member.is_honest).filter_map(|member| member.running.as_ref());
        let newest = running.max_by_key(|validator| validator.durable().height)?;
        Some(newest.ledger().chain().head().state.clone())
    }

    /// Clients look at the chain from time to time, and send.
    fn clients(&mut self) -> Result<(), Violation> {
        let is_over = self.step >= self.plan.steps;
        let mut submissions = Vec::new();
        if self.step.is_multiple_of(STEPS_BETWEEN_LOOKS)
            && let Some(state) = self.newest_state()
        {
            self.workload.look(|address| state.account(address).map_or(0, |account| account.nonce));
            submissions = self.workload.again();
        }
        if !is_over {
            submissions.extend(self.workload.step(self.plan.transactions_per_step));
        }
        for submission in submissions {
            self.submit(&submission)?;
        }
        Ok(())
    }

    /// A client sends a transaction to one or two of those that it reaches.
    fn submit(&mut self, submission: &Submission) -> Result<(), Violation> {
        let up: Vec<usize> = (0..self.members.len()).filter(|&member| self.is_up(member)).collect();
        let count = if self.random.chance(30) { 2 } else { 1 };
        self.auditor.on_sent(*submission.transaction.tx_hash());
        for member in self.random.some(&up, count) {
            let Some(validator) = &self.members[member].running else { continue };
            let answer = validator.submit(&submission.transaction);
            if submission.expected == Expected::Refusal && answer.is_ok() {
                return Err(Violation::Admission { member });
            }
        }
        Ok(())
    }

    fn is_up(&self, member: usize) -> bool {
        self.members[member].running.as_ref().is_some_and(Validator::is_on)
    }

    /// Hands everything that happened to the auditor.
    fn audit(&mut self) -> Result<(), Violation> {
        self.audit_reports()?;
        for (index, member) in self.members.iter().enumerate().filter(|(_, member)| member.is_honest) {
            let Some(validator) = &member.running else { continue };
            if let Some(reason) = validator.failure() {
                return Err(Violation::Start { member: index, reason });
            }
            for fault in validator.faults() {
                note(&mut self.faults, &self.members, index, &fault)?;
            }
        }
        Ok(())
    }

    fn audit_reports(&mut self) -> Result<(), Violation> {
        let reports = std::mem::take(&mut *self.setup.reports.lock());
        let now_ms = self.now_ms();
        for report in reports.into_iter().filter(|report| self.members[report.member].is_honest) {
            let (member, block, state) = (report.member, &report.block, &report.state);
            if report.is_interrupted {
                self.auditor.on_interrupted(member, block, state, now_ms)?;
            } else {
                self.auditor.on_commit(member, block, state, now_ms)?;
            }
        }
        Ok(())
    }

    /// No honest member has reason to cut off another.
    async fn check_trust(&mut self) -> Result<(), Violation> {
        let blocked = self.network().blocked().await.map_err(broken)?;
        let place =
            |key: &PublicKey| self.members.iter().position(|member| member.is_honest && member.public_key == *key);
        let honest = blocked.iter().find_map(|(from, to)| Some((place(from)?, place(to)?)));
        honest.map_or(Ok(()), |(from, to)| Err(Violation::Blocked { from, to }))
    }

    /// Looks at the ordered blocks of heights that are new since the last time, as one of the honest members shows them.
    async fn check_ordered(&mut self) -> Result<(), Violation> {
        let showing = |member: &Member| member.running.as_ref().filter(|validator| validator.is_on())?.certificates();
        let honest: Vec<usize> = self.plan.honest();
        let able: Vec<usize> = honest.into_iter().filter(|member| showing(&self.members[*member]).is_some()).collect();
        if able.is_empty() {
            return Ok(());
        }
        let member = *self.random.pick(&able);
        let Some(certificates) = showing(&self.members[member]) else { return Ok(()) };
        let newest = self.auditor.height_of(member);
        while self.ordered < newest {
            let height = self.ordered + 1;
            let dissemination = self.plan.dissemination;
            let shown = proofs::ordered_block(&self.context, certificates.clone(), height, dissemination).await;
            // A member that has lost power fetches again what its consensus has not kept.
            let Some(shown) = shown else { return Ok(()) };
            self.auditor.on_ordered(&shown)?;
            self.ordered = height;
        }
        Ok(())
    }

    /// Every honest member can prove the newest blocks final to somebody who knows the committee alone.
    async fn check_certificates(&mut self) -> Result<(), Violation> {
        let rules = Arc::clone(&self.setup.rules);
        for member in self.plan.honest() {
            let newest = self.auditor.height_of(member);
            for height in newest.saturating_sub(PROVED_HEIGHTS) + 1..=newest {
                let certificates = self.members[member].running.as_ref().and_then(Validator::certificates);
                let digest = self.auditor.ordered_digest(height).unwrap_or_default();
                let proves = match certificates {
                    Some(certificates) => {
                        proofs::proves(&mut self.context, certificates, (height, digest), &rules).await
                    }
                    None => false,
                };
                if !proves {
                    return Err(Violation::Unproved { member, height });
                }
            }
        }
        Ok(())
    }

    /// Ends everything before the directory goes.
    async fn end(mut self) {
        let running = self.members.iter_mut().filter_map(|member| member.running.take());
        let ended: Vec<_> = running.chain(self.twins.drain(..)).map(Validator::end).collect();
        self.context.sleep(ENDING).await;
        drop(ended);
    }
}

/// Notes what a member reported of another. Nobody may be at fault who follows the protocol.
fn note(
    faults: &mut BTreeMap<usize, BTreeSet<&'static str>>,
    members: &[Member],
    reporter: usize,
    fault: &Fault,
) -> Result<(), Violation> {
    let accused = members.iter().position(|member| member.public_key == *fault.validator());
    let Some(accused) = accused.filter(|accused| !members[*accused].is_honest) else {
        return Err(Violation::Accused { reporter, accused, fault: format!("{fault:?}") });
    };
    let kind = match fault {
        Fault::Equivocation { .. } => "equivocation",
        Fault::InvalidBlock { .. } => "invalid block",
        Fault::WrongExecution { .. } => "wrong execution",
    };
    faults.entry(accused).or_default().insert(kind);
    Ok(())
}
