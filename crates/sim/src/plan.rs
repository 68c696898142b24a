//! What happens in one simulation: a seed gives a committee, its links, disks and clocks, who of it is Byzantine, and a list of
//! events over virtual time.
//!
//! Time is counted in steps of [`STEP_MS`]. Faults happen in the first [`Plan::steps`] steps. Then everything heals: links are good,
//! nobody is cut off, who was down is started again; only the Byzantine go on. From then on the network must make progress within a
//! bounded time, whatever happened before.
//!
//! At most f = (n - 1) / 3 of n validators are Byzantine or have lost their disks, which is what the protocol promises to bear: who has
//! lost its votes does not vote until the next epoch. Crashes are not bounded so: any number may be down at once, up to all of them,
//! which costs progress while it lasts and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use braid_types::ordered::{CertificateScheme, Dissemination};

use crate::random::Random;

/// Virtual milliseconds of a step.
pub const STEP_MS: u64 = 250;

/// Steps of a short simulation, those of `make test`.
pub const SHORT_STEPS: u64 = 48;

/// A whole scenario. The same seed and steps give the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it was made from.
    pub seed: u64,
    /// Steps in which faults happen.
    pub steps: u64,
    /// Members of the committee.
    pub validators: usize,
    /// How blocks travel.
    pub dissemination: Dissemination,
    /// How certificates are signed.
    pub scheme: CertificateScheme,
    /// Blocks of an epoch.
    pub epoch_length: u64,
    /// Every link while faults happen.
    pub links: Links,
    /// Members that do not follow the protocol, and what they do instead.
    pub byzantine: BTreeMap<usize, Role>,
    /// Clock and disk of each member.
    pub machines: Vec<Machine>,
    /// What happens, in order of steps.
    pub events: Vec<(u64, Event)>,
    /// Transactions that clients send in a step, at most.
    pub transactions_per_step: u64,
}

/// Latency and loss of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links {
    /// Mean latency.
    pub latency_ms: u64,
    /// Standard deviation of the latency.
    pub jitter_ms: u64,
    /// Messages lost, in percent.
    pub loss_percent: u64,
}

impl Links {
    /// What links become when everything heals.
    pub const GOOD: Self = Self { latency_ms: 40, jitter_ms: 5, loss_percent: 0 };
}

/// What a member's hardware is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// How far its clock is from the true time.
    pub skew_ms: i64,
    /// How long its disk takes to make writes durable.
    pub sync_ms: u64,
}

/// What a Byzantine member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// As a leader, sends one block to some and another to the others, with votes to match; votes for everything it sees.
    Equivocator,
    /// As a leader, votes for its block and does not send it, or only to some.
    Withholder,
    /// As a leader, proposes a wrong execution commitment.
    WrongCommitment,
    /// As a leader, proposes bodies that no honest node would: malformed, forged or repeated transactions.
    WrongBody,
    /// As a leader, proposes headers with a wrong height, time, beneficiary or body hash.
    WrongHeader,
    /// Votes to skip every round, whatever it sees.
    Nullifier,
    /// Votes for two blocks in every round, one of which does not exist.
    Conflicter,
    /// Repeats old messages instead of new ones.
    Stale,
    /// Changes bytes of what it sends.
    Garbler,
    /// Runs twice with the same key, each half seen by others only.
    Twins,
    /// Says nothing at all.
    Silent,
}

/// All roles.
pub const ROLES: [Role; 11] = [
    Role::Equivocator,
    Role::Withholder,
    Role::WrongCommitment,
    Role::WrongBody,
    Role::WrongHeader,
    Role::Nullifier,
    Role::Conflicter,
    Role::Stale,
    Role::Garbler,
    Role::Twins,
    Role::Silent,
];

impl Role {
    /// Whether it alters blocks, which are in one piece only where they travel whole.
    const fn alters_blocks(self) -> bool {
        matches!(self, Self::Equivocator | Self::WrongCommitment | Self::WrongBody | Self::WrongHeader)
    }
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Only members of the same group reach each other; one group number a member.
    Partition(Vec<u8>),
    /// Members reach each other again.
    Heal,
    /// Links become so.
    Links(Links),
    /// A member loses its power at this moment.
    Crash(usize),
    /// A member loses its power while it makes its next block durable.
    CrashInCommit(usize, Torn),
    /// A member loses its power and its disk at this moment, and keeps its key.
    Wipe(usize),
    /// Everybody loses power at this moment.
    PowerCut,
    /// A member is shut down in order.
    Stop(usize),
    /// A member that is down starts on what its disk holds.
    Start(usize),
    /// A member's clock jumps.
    Skew(usize, i64),
    /// A member's disk becomes faster or slower.
    Disk(usize, u64),
}

/// What of a record that was being written when the power went is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// All of it: only the answer is missing.
    Nothing,
    /// None of it.
    All,
    /// Its first bytes, in percent of its length.
    Behind(u8),
    /// All but one byte of it, at this percentage of its length.
    Within(u8),
}

impl Plan {
    /// The scenario of a seed. `steps` bounds the time in which faults happen.
    pub fn new(seed: u64, steps: u64) -> Self {
        let random = Random::new(seed);
        let mut shape = random.fork("shape");
        let validators = if shape.chance(85) { 4 } else { *shape.pick(&[5, 6, 7]) };
        let dissemination = if shape.chance(25) { Dissemination::Coded } else { Dissemination::Whole };
        let scheme = if shape.chance(6) { CertificateScheme::Bls12381Threshold } else { CertificateScheme::Ed25519 };
        let epoch_length = if shape.chance(50) { shape.within(8..=40) } else { 100_000 };
        let transactions_per_step = shape.within(0..=12);
        let byzantine = byzantine(&mut random.fork("byzantine"), validators, dissemination);
        let machines = machines(&mut random.fork("machines"), validators);
        let links = links(&mut random.fork("links"));
        let events = Script::new(random.fork("events"), validators, &byzantine, links).write(steps);
        Self {
            seed,
            steps,
            validators,
            dissemination,
            scheme,
            epoch_length,
            links,
            byzantine,
            machines,
            events,
            transactions_per_step,
        }
    }

    /// Members that follow the protocol.
    pub fn honest(&self) -> Vec<usize> {
        (0..self.validators).filter(|member| !self.byzantine.contains_key(member)).collect()
    }
}

/// Byzantine members that a committee bears.
pub const fn tolerated(validators: usize) -> usize {
    validators.saturating_sub(1) / 3
}

fn byzantine(random: &mut Random, validators: usize, dissemination: Dissemination) -> BTreeMap<usize, Role> {
    if random.chance(35) {
        return BTreeMap::new();
    }
    let most = tolerated(validators);
    let count = usize::try_from(random.within(1..=most as u64)).unwrap_or(most);
    let members: Vec<usize> = (0..validators).collect();
    let fits = |role: &Role| dissemination == Dissemination::Whole || !role.alters_blocks();
    let roles: Vec<Role> = ROLES.into_iter().filter(fits).collect();
    random.some(&members, count).into_iter().map(|member| (member, *random.pick(&roles))).collect()
}

fn machines(random: &mut Random, validators: usize) -> Vec<Machine> {
    let (skewed, slow) = (random.chance(50), random.chance(40));
    let machine = |_| Machine {
        skew_ms: if skewed { skew(random) } else { 0 },
        sync_ms: if slow && random.chance(50) { random.within(1..=120) } else { random.within(0..=2) },
    };
    (0..validators).map(machine).collect()
}

/// Within 400 ms of the true time: two clocks of a committee are less than a second apart.
fn skew(random: &mut Random) -> i64 {
    i64::try_from(random.within(0..=800)).unwrap_or(0) - 400
}

fn links(random: &mut Random) -> Links {
    let latency_ms = *random.pick(&[10, 25, 40, 60, 100, 150]);
    let jitter_ms = random.within(0..=latency_ms / 3);
    let loss_percent = if random.chance(50) { 0 } else { *random.pick(&[1, 3, 5, 10, 20]) };
    Links { latency_ms, jitter_ms, loss_percent }
}

/// Writes the events of a scenario, keeping in mind who is down.
struct Script {
    random: Random,
    honest: Vec<usize>,
    validators: usize,
    links: Links,
    /// Members that have lost their disks.
    wiped: BTreeSet<usize>,
    /// Members that are down, with the step at which they start again.
    down: BTreeMap<usize, u64>,
    /// Step at which the partition ends, if there is one.
    parted_until: Option<u64>,
    events: Vec<(u64, Event)>,
}

impl Script {
    fn new(random: Random, validators: usize, byzantine: &BTreeMap<usize, Role>, links: Links) -> Self {
        let honest = (0..validators).filter(|member| !byzantine.contains_key(member)).collect();
        Self {
            random,
            honest,
            validators,
            links,
            wiped: BTreeSet::new(),
            down: BTreeMap::new(),
            parted_until: None,
            events: Vec::new(),
        }
    }

    /// In the first steps nothing happens: the chain begins. How much happens later differs from seed to seed.
    fn write(mut self, steps: u64) -> Vec<(u64, Event)> {
        let percent = *self.random.pick(&[5, 10, 20, 35]);
        for step in 4..steps {
            self.end_what_is_over(step);
            if self.random.chance(percent) {
                self.add(step);
            }
        }
        self.events
    }

    fn end_what_is_over(&mut self, step: u64) {
        if self.parted_until.is_some_and(|until| until <= step) {
            self.parted_until = None;
            self.events.push((step, Event::Heal));
        }
        let back: Vec<usize> =
            self.down.iter().filter(|(_, until)| **until <= step).map(|(member, _)| *member).collect();
        for member in back {
            self.down.remove(&member);
            self.events.push((step, Event::Start(member)));
        }
    }

    fn add(&mut self, step: u64) {
        let kind = self.random.within(0..=99);
        let event = match kind {
            0..=19 => self.partition(step),
            20..=29 => Some(Event::Links(self.changed_links())),
            30..=42 => self.take_down(step).map(Event::Crash),
            43..=49 => self.take_down(step).map(|member| self.wipe(member)),
            50..=67 => self.take_down(step).map(|member| Event::CrashInCommit(member, self.torn())),
            68..=73 => Some(self.power_cut(step)),
            74..=81 => self.take_down(step).map(Event::Stop),
            82..=90 => Some(Event::Skew(self.random.index(self.validators), skew(&mut self.random))),
            _ => Some(Event::Disk(self.random.index(self.validators), self.random.within(0..=250))),
        };
        self.events.extend(event.map(|event| (step, event)));
    }

    fn partition(&mut self, step: u64) -> Option<Event> {
        if self.parted_until.is_some() {
            return None;
        }
        self.parted_until = Some(step + self.random.within(4..=16));
        let alone = self.random.chance(40).then(|| self.random.index(self.validators));
        let groups = (0..self.validators).map(|member| match alone {
            Some(alone) => u8::from(member == alone),
            None => u8::from(self.random.chance(50)),
        });
        Some(Event::Partition(groups.collect()))
    }

    fn changed_links(&mut self) -> Links {
        if self.random.chance(40) { self.links } else { links(&mut self.random) }
    }

    fn take_down(&mut self, step: u64) -> Option<usize> {
        let up: Vec<usize> = self.honest.iter().copied().filter(|member| !self.down.contains_key(member)).collect();
        if up.is_empty() {
            return None;
        }
        let member = *self.random.pick(&up);
        self.down.insert(member, step + self.random.within(1..=12));
        Some(member)
    }

    /// A member that goes down loses its disk, unless too many have lost theirs for the rest to go on.
    fn wipe(&mut self, member: usize) -> Event {
        let faulty = self.validators - self.honest.len() + self.wiped.len();
        let is_one_too_many = faulty >= tolerated(self.validators) && !self.wiped.contains(&member);
        if is_one_too_many {
            return Event::Crash(member);
        }
        self.wiped.insert(member);
        Event::Wipe(member)
    }

    fn power_cut(&mut self, step: u64) -> Event {
        for member in self.honest.clone() {
            self.down.insert(member, step + self.random.within(1..=6));
        }
        Event::PowerCut
    }

    fn torn(&mut self) -> Torn {
        let percent = u8::try_from(self.random.within(0..=99)).unwrap_or(0);
        match self.random.within(0..=3) {
            0 => Torn::Nothing,
            1 => Torn::All,
            2 => Torn::Behind(percent),
            _ => Torn::Within(percent),
        }
    }
}
