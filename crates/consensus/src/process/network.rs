//! Authenticated TCP connections: to the committee, whose addresses the chain holds, and to the followers that the operator lists.

use std::{
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use alloy_primitives::B256;
use braid_types::limits::MAX_FOLLOWERS;
use commonware_cryptography::{
    ChaCha20Poly1305,
    ed25519::{PrivateKey, PublicKey},
};
use commonware_p2p::{
    Address, Ingress, Receiver as _,
    authenticated::lookup::{self, Network as Lookup, Oracle, Receiver, Sender},
};
use commonware_runtime::{Quota, Supervisor as _, tokio::Context};
use commonware_stream::{
    cups::{self, Cups},
    sake::{self, Sake},
};
use commonware_utils::{NZU32, NZUsize};
use futures::future::Either;

use crate::{
    committee::{MAX_CHANGES_PER_EPOCH, MAX_VALIDATORS},
    engine::{Network, max_message_size},
    peers::{Addressed, Resolve},
    rules::Rules,
};

use super::traffic::{Counted, Counts, Traffic, counted};

/// For a connection to come about.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// After which a silent connection is given up and made anew. A network that was cut loses what TCP sent meanwhile, and TCP
/// waits ever longer before it tries again.
pub(crate) const SILENCE_TIMEOUT: Duration = Duration::from_secs(6);

/// How often a peer hears from us at least; well below [`SILENCE_TIMEOUT`].
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// How often one of the peers that are not connected is dialled.
const DIAL_INTERVAL: Duration = Duration::from_millis(250);

/// How far the clocks of two nodes may be apart when they connect.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(5);

/// How long a peer that broke the protocol is kept away.
const BLOCK_DURATION: Duration = Duration::from_secs(60 * 60);

/// Small messages that a peer may send a second, in each of three channels: three a view, in some eighty views. Every mailbox has
/// room for as many of every peer that there may be ([`MAX_PEERS`]), so this is memory.
const VOTES: Quota = Quota::per_second(NZU32!(256));

/// Requests for old blocks that a peer may send a second, and answers. Who catches up asks for one block after the other, so this is how
/// fast it does; some twenty-five times as fast as blocks come.
const BACKFILL: Quota = Quota::per_second(NZU32!(256));

/// Blocks and shards that a peer may send a second, and parts of a group's key.
const BULK: Quota = Quota::per_second(NZU32!(64));

/// Messages with transactions that a peer may send a second.
const TRANSACTIONS: Quota = Quota::per_second(NZU32!(64));

/// Questions about state that a peer may ask a second, and answers; four times what who joins sends to one server.
const SYNC: Quota = Quota::per_second(NZU32!(256));

/// Peers of an epoch: the largest committee, those that have just left it, and followers.
const MAX_PEERS: NonZeroUsize = NZUsize!(MAX_VALIDATORS + MAX_CHANGES_PER_EPOCH + MAX_FOLLOWERS);

/// Epochs whose peers stay connected.
const TRACKED_EPOCHS: NonZeroUsize = NZUsize!(2);

/// Nodes that follow, and where they are.
pub(super) type Followers = Vec<(PublicKey, SocketAddr)>;

type Peers = Addressed<Oracle<PublicKey>>;

type Sending = Counted<Sender<PublicKey, Context>>;

type Receiving = Counted<Receiver<PublicKey>>;

/// The channels by their numbers.
pub(super) const CHANNELS: [&str; 8] =
    ["votes", "certificates", "resolver", "backfill", "blocks", "transactions", "sync", "shares"];

/// What goes through each of [`CHANNELS`].
#[derive(Debug, Default)]
pub(super) struct ChannelCounts([Arc<Counts>; CHANNELS.len()]);

impl ChannelCounts {
    pub(super) fn read(&self) -> [(&'static str, Traffic); CHANNELS.len()] {
        std::array::from_fn(|number| (CHANNELS[number], self.0[number].read()))
    }

    fn count<S, R>(&self, channels: [(S, R); CHANNELS.len()]) -> [(Counted<S>, Counted<R>); CHANNELS.len()] {
        let mut counts = self.0.iter();
        channels.map(|channel| counted(channel, counts.next().unwrap_or(&self.0[0])))
    }
}

/// An open network.
pub(super) struct Opened {
    /// What the engine needs.
    pub(super) engine: Network<Peers, Oracle<PublicKey>, Sending, Receiving>,
    /// Transactions on their way to leaders.
    pub(super) transactions: (Sending, Receiving),
}

impl Opened {
    /// Throws away what arrives on every channel but that of state sync, until this is dropped: there is nothing yet that could use it.
    pub(super) async fn drain<T>(&mut self, meanwhile: impl AsyncFnOnce(&mut (Sending, Receiving)) -> T) -> T {
        let Network { votes, certificates, resolver, backfill, blocks, sync, shares, .. } = &mut self.engine;
        let others = [votes, certificates, resolver, backfill, blocks, shares, &mut self.transactions];
        let drained = others.map(|(_, receiver)| Box::pin(async move { while receiver.recv().await.is_ok() {} }));
        let drained = futures::future::join_all(drained);
        match futures::future::select(pin!(meanwhile(sync)), drained).await {
            Either::Left((outcome, _)) => outcome,
            // The network has ended, of which the other hears too.
            Either::Right((_, outcome)) => outcome.await,
        }
    }
}

/// Begins to listen and to dial.
pub(super) fn open(
    context: &Context,
    rules: &Rules,
    key: PrivateKey,
    listen: SocketAddr,
    followers: Followers,
    counts: &ChannelCounts,
) -> Opened {
    let largest = max_message_size(rules);
    let (mut network, oracle) = prepare(context, key, &rules.namespace, listen, MAX_PEERS, largest);
    // All nodes number the channels alike.
    let quotas = [VOTES, VOTES, VOTES, BACKFILL, BULK, TRANSACTIONS, SYNC, BULK];
    let mut number = 0;
    let channels = quotas.map(|quota| {
        let channel = network.register(number, quota);
        number += 1;
        channel
    });
    let [votes, certificates, resolver, backfill, blocks, transactions, sync, shares] = counts.count(channels);
    network.start();
    let followers = followers.into_iter().map(|(key, address)| (key, Address::Symmetric(address))).collect();
    let peers = Addressed { manager: oracle.clone(), followers, resolve: resolver_of_names() };
    let engine = Network { peers, blocker: oracle, votes, certificates, resolver, backfill, blocks, sync, shares };
    Opened { engine, transactions }
}

type Handshake = Cups<Sake<PrivateKey>, ChaCha20Poly1305>;

/// A network that does not run yet, for at most `most` peers and messages of at most `largest` bytes.
pub(crate) fn prepare(
    context: &Context,
    key: PrivateKey,
    namespace: &[u8],
    listen: SocketAddr,
    most: NonZeroUsize,
    largest: u32,
) -> (Lookup<Context, Handshake>, Oracle<PublicKey>) {
    let handshake = Cups::<_, ChaCha20Poly1305>::new(
        Sake {
            signer: key,
            synchrony_bound: MAX_CLOCK_DIFFERENCE,
            max_handshake_age: MAX_CLOCK_DIFFERENCE * 2,
            version: sake::Version::V1,
        },
        cups::Version::V1,
    );
    let config = lookup::Config {
        // Who a peer is says its key; validators of one machine, or behind one router, share an address.
        allow_private_ips: true,
        bypass_ip_check: true,
        peer_connection_cooldown: Duration::from_secs(1),
        allowed_handshake_rate_per_ip: Quota::per_second(NZU32!(32)),
        handshake_timeout: CONNECT_TIMEOUT,
        dial_timeout: CONNECT_TIMEOUT * 2,
        ping_frequency: PING_INTERVAL,
        dial_frequency: DIAL_INTERVAL,
        block_duration: BLOCK_DURATION,
        tracked_peer_sets: TRACKED_EPOCHS,
        ..lookup::Config::recommended(handshake, namespace, listen, most, largest, NZUsize!(1_024))
    };
    Lookup::new(context.child("network"), config)
}

/// Whether the address can be listened on. The runtime's own listener ends the process if it cannot.
pub(crate) fn check_free(address: SocketAddr) -> std::io::Result<()> {
    TcpListener::bind(address).map(drop)
}

/// Reads `host:port`. Names are looked up whenever they are dialled.
pub(crate) fn resolver_of_names() -> Resolve {
    Arc::new(|text| {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(Address::Symmetric(address));
        }
        let (host, port) = text.rsplit_once(':')?;
        let ingress = Ingress::Dns { host: host.try_into().ok()?, port: port.parse().ok()? };
        // Where it connects from is not checked.
        let egress = SocketAddr::from(([0, 0, 0, 0], 0));
        Some(Address::Asymmetric { ingress, egress })
    })
}

/// Whether the metrics of the network speak of a connection with a peer. (There is no other place that tells.)
pub(super) fn is_connected(metrics: &str, key: B256) -> bool {
    let label = format!("{key:x}");
    let label = label.trim_start_matches("0x");
    let mut lines = metrics.lines().filter(|line| line.contains("_connected{") && line.contains(label));
    lines.any(|line| line.rsplit_once(' ').is_some_and(|(_, value)| value != "0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_read() {
        let resolve = resolver_of_names();
        assert_eq!(resolve("127.0.0.1:7"), Some(Address::Symmetric(SocketAddr::from(([127, 0, 0, 1], 7)))));
        assert!(matches!(resolve("[::1]:7"), Some(Address::Symmetric(_))));
        let Some(Address::Asymmetric { ingress: Ingress::Dns { port, .. }, .. }) = resolve("node.example.org:30303")
        else {
            panic!("a name is dialled by name");
        };
        assert_eq!(port, 30_303);
        for bad in ["", "host", "host:", ":7x", "host:70000"] {
            assert_eq!(resolve(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_connection_is_known_by_its_metric() {
        let key = B256::repeat_byte(0xab);
        let text = |value| format!("network_tracker_connected{{peer=\"{}\"}} {value}\n", "ab".repeat(32));
        assert!(is_connected(&text("1700000000000"), key));
        assert!(!is_connected(&text("0"), key));
        assert!(!is_connected(&text("1"), B256::repeat_byte(0xac)));
    }
}
