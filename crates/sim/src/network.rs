//! The links between validators, and what leaves a validator over them.
//!
//! Messages travel over commonware's simulated network: each link has a latency, a jitter and a rate of loss, or is not there at
//! all. What a validator sends goes through its [`Exit`] first. An honest validator's exit passes everything on as long as its
//! machine has power; a Byzantine one's may change, drop, add and redirect (see [`crate::byzantine`]).

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration, time::SystemTime};

use commonware_actor::{Feedback, Unreliable};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{
    CheckedSender, LimitedSender, Recipients, Sender as _,
    simulated::{self, Link, Oracle},
};
use commonware_runtime::{IoBuf, IoBufs, Quota, deterministic};
use commonware_utils::{Probability, probability};
use parking_lot::Mutex;

use crate::{machine::Power, plan::Links};

/// The simulated network as its owner holds it.
pub type Network = Oracle<PublicKey, deterministic::Context>;

/// Where a validator's messages come in.
pub type Inbox = simulated::Receiver<PublicKey>;

/// Messages to a peer in a second and channel. More than are ever sent, since quotas are not what is simulated; no more than that, since
/// mailboxes are made for a second's worth from everybody.
const QUOTA: Quota = Quota::per_second(NonZeroU32::new(512).unwrap());

/// What a channel is for; its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Votes.
    Votes,
    /// Certificates.
    Certificates,
    /// Requests for certificates.
    Resolver,
    /// Requests for blocks.
    Backfill,
    /// Blocks, or their parts.
    Blocks,
    /// Transactions on their way to leaders.
    Transactions,
    /// State for who joins.
    Sync,
    /// Parts of shares of the group's key.
    Shares,
}

/// All channels, in the order of their numbers.
pub const CHANNELS: [Channel; 8] = [
    Channel::Votes,
    Channel::Certificates,
    Channel::Resolver,
    Channel::Backfill,
    Channel::Blocks,
    Channel::Transactions,
    Channel::Sync,
    Channel::Shares,
];

/// A message on its way out.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Over which channel.
    pub channel: Channel,
    /// To whom.
    pub to: Vec<PublicKey>,
    /// The bytes.
    pub message: IoBuf,
}

/// Decides what becomes of a message that a validator sends.
pub trait Exit: Send + Sync + 'static {
    /// What is sent instead of `outgoing`.
    fn pass(&self, outgoing: Outgoing) -> Vec<Outgoing>;
}

/// Passes everything on.
#[derive(Clone, Copy, Debug)]
pub struct Honest;

impl Exit for Honest {
    fn pass(&self, outgoing: Outgoing) -> Vec<Outgoing> {
        vec![outgoing]
    }
}

/// A validator's wires: the senders of its channels.
type Wires = BTreeMap<Channel, simulated::Sender<PublicKey, deterministic::Context>>;

/// Where a validator's messages go out.
#[derive(Clone)]
pub struct Outbox {
    channel: Channel,
    wires: Arc<Mutex<Wires>>,
    power: Arc<Power>,
    exit: Arc<dyn Exit>,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// A message whose recipients are known.
#[derive(Debug)]
pub struct Addressed<'a> {
    outbox: &'a Outbox,
    to: Vec<PublicKey>,
}

impl LimitedSender for Outbox {
    type PublicKey = PublicKey;
    type Checked<'a> = Addressed<'a>;

    fn check(&mut self, recipients: Recipients<PublicKey>) -> Result<Addressed<'_>, SystemTime> {
        let to = match self.wires.lock().get_mut(&self.channel) {
            Some(wire) => wire.check(recipients)?.recipients(),
            None => Vec::new(),
        };
        Ok(Addressed { outbox: self, to })
    }
}

impl CheckedSender for Addressed<'_> {
    type PublicKey = PublicKey;

    fn recipients(&self) -> Vec<PublicKey> {
        self.to.clone()
    }

    fn send(self, message: impl Into<IoBufs> + Send, priority: bool) -> Unreliable<Feedback> {
        let Outbox { channel, wires, power, exit } = self.outbox;
        if power.is_on() {
            let outgoing = Outgoing { channel: *channel, to: self.to, message: message.into().coalesce() };
            let mut wires = wires.lock();
            for Outgoing { channel, to, message } in exit.pass(outgoing) {
                if let Some(wire) = wires.get_mut(&channel).filter(|_| !to.is_empty()) {
                    wire.send(Recipients::Some(to), message, priority);
                }
            }
        }
        Unreliable::new(Feedback::Ok)
    }
}

/// A validator's connection to the network: a way out and a way in for each channel.
pub struct Port {
    wires: Arc<Mutex<Wires>>,
    inboxes: BTreeMap<Channel, Inbox>,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port").finish_non_exhaustive()
    }
}

impl Port {
    /// Connects a validator. What was sent to an earlier connection with the same key is lost.
    ///
    /// # Errors
    /// If the network is gone.
    pub async fn open(network: &Network, key: &PublicKey) -> Result<Self, simulated::Error> {
        let control = network.control(key.clone());
        let (mut wires, mut inboxes) = (Wires::new(), BTreeMap::new());
        for (number, channel) in (0..).zip(CHANNELS) {
            let (wire, inbox) = control.register(number, QUOTA).await?;
            wires.insert(channel, wire);
            inboxes.insert(channel, inbox);
        }
        Ok(Self { wires: Arc::new(Mutex::new(wires)), inboxes })
    }

    /// The two ends of a channel, once: what goes out passes `exit`.
    pub fn take(&mut self, channel: Channel, power: &Arc<Power>, exit: &Arc<dyn Exit>) -> Option<(Outbox, Inbox)> {
        let inbox = self.inboxes.remove(&channel)?;
        let (wires, power, exit) = (Arc::clone(&self.wires), Arc::clone(power), Arc::clone(exit));
        Some((Outbox { channel, wires, power, exit }, inbox))
    }

    /// Two connections of the same validator; `hears` tells for a sender which of the two hear it.
    pub fn split(
        self,
        context: &deterministic::Context,
        hears: impl Fn(&PublicKey) -> simulated::SplitTarget + Send + Sync + Clone + 'static,
    ) -> (Self, Self) {
        use commonware_runtime::Supervisor as _;
        let (mut first, mut second) = (BTreeMap::new(), BTreeMap::new());
        for (channel, inbox) in self.inboxes {
            let hears = hears.clone();
            let (a, b) = inbox.split_with(context.child("router"), move |(sender, _)| hears(sender));
            first.insert(channel, a);
            second.insert(channel, b);
        }
        let wires = self.wires;
        (Self { wires: Arc::clone(&wires), inboxes: first }, Self { wires, inboxes: second })
    }
}

/// Sets the links between all members: those of the same group reach each other.
///
/// # Errors
/// If the network is gone.
pub async fn link(network: &Network, keys: &[PublicKey], groups: &[u8], links: Links) -> Result<(), simulated::Error> {
    let link = Link {
        latency: Duration::from_millis(links.latency_ms),
        jitter: Duration::from_millis(links.jitter_ms),
        success_rate: Probability::new(100 - links.loss_percent.min(100), 100).unwrap_or(probability!(1.0)),
    };
    for (from, sender) in keys.iter().enumerate() {
        for (to, receiver) in keys.iter().enumerate().filter(|(to, _)| *to != from) {
            match network.remove_link(sender.clone(), receiver.clone()).await {
                Ok(()) | Err(simulated::Error::LinkMissing) => {}
                Err(error) => return Err(error),
            }
            if groups.get(from) == groups.get(to) {
                network.add_link(sender.clone(), receiver.clone(), link.clone()).await?;
            }
        }
    }
    Ok(())
}
