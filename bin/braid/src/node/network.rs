//! Consensus as the server and the metrics see it.

use std::{sync::Arc, time::Duration};

use alloy_consensus::Typed2718;
use alloy_primitives::{B256, U64};
use braid_chain::Chain;
use braid_consensus::{
    keys,
    process::{self, Process},
};
use braid_rpc::consensus::{Certificate, Consensus, Execution, Member, Peer, Status};
use braid_types::{
    ConsensusConfig, Height, RecoveredTx,
    ordered::{CertificateScheme, Dissemination},
};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::config::node::Role;

/// Prefix of what consensus keeps in its folder.
pub(super) use process::PARTITION;

/// How often consensus is asked whether it failed.
const FAILURE_POLL: Duration = Duration::from_millis(500);

/// What the genesis says of how validators agree, in clients' words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    scheme: &'static str,
    dissemination: &'static str,
    execution_lag: u64,
    epoch_length: u64,
}

impl Terms {
    pub(super) const fn new(consensus: &ConsensusConfig) -> Self {
        Self {
            scheme: match consensus.scheme {
                CertificateScheme::Ed25519 => "ed25519",
                CertificateScheme::Bls12381Threshold => "bls12381-threshold",
            },
            dissemination: match consensus.dissemination {
                Dissemination::Whole => "whole",
                Dissemination::Coded => "coded",
            },
            execution_lag: consensus.execution_lag,
            epoch_length: consensus.epoch_length,
        }
    }

    /// The status of a node that knows nothing but where it stands.
    pub(super) const fn status(&self, role: Role, public_key: B256, height: U64, finalized_height: U64) -> Status {
        Status {
            role: match role {
                Role::Validator => "validator",
                Role::Follower => "follower",
            },
            public_key,
            voting: false,
            votes_again: None,
            epoch: U64::ZERO,
            view: U64::ZERO,
            height,
            finalized_height,
            leader: None,
            round_time_ms: None,
            finality_time_ms: None,
            scheme: self.scheme,
            dissemination: self.dissemination,
            execution_lag: U64::from_limbs([self.execution_lag]),
            epoch_length: U64::from_limbs([self.epoch_length]),
            committee: Vec::new(),
        }
    }
}

/// The network that a node belongs to.
#[derive(Debug)]
pub(super) struct Network {
    process: Arc<Process>,
    chain: Arc<Chain>,
    role: Role,
    public_key: B256,
    terms: Terms,
}

impl Network {
    pub(super) fn new(process: Arc<Process>, chain: Arc<Chain>, terms: Terms, role: Role, public_key: B256) -> Self {
        describe();
        Self { process, chain, role, public_key, terms }
    }

    /// Why consensus cannot go on, if it cannot.
    pub(super) fn failed(&self) -> Option<String> {
        self.process.failure()
    }

    /// Resolves once consensus cannot go on.
    pub(super) async fn failure(&self) -> String {
        loop {
            if let Some(failure) = self.failed() {
                return failure;
            }
            tokio::time::sleep(FAILURE_POLL).await;
        }
    }

    /// Height of the newest final block it has heard of.
    pub(super) fn finalized_height(&self) -> Height {
        self.process.progress().finalized_height
    }

    /// Lets consensus end; returns when it has.
    pub(super) fn stop(&self) {
        self.process.stop();
    }

    /// Brings the gauges up to date. The runtime's own metrics come back as text.
    pub(super) fn metrics(&self) -> String {
        let progress = self.process.progress();
        set("braid_consensus_epoch", progress.epoch);
        set("braid_consensus_view", progress.view);
        set("braid_consensus_voting", progress.status.is_voting().into());
        set("braid_consensus_finalized_height", progress.finalized_height);
        let height = self.chain.head().block.height();
        set("braid_consensus_execution_lag_blocks", progress.finalized_height.saturating_sub(height));
        let connected = self.process.peers().iter().filter(|peer| peer.is_connected).count();
        set("braid_consensus_peers", u64::try_from(connected).unwrap_or(u64::MAX));
        self.count_traffic();
        set("braid_consensus_proposed_blocks", progress.status.proposed);
        set("braid_consensus_refused_blocks", progress.status.refused);
        set("braid_consensus_faults", progress.status.faults);
        self.process.metrics()
    }
}

impl Network {
    fn count_traffic(&self) {
        for (channel, traffic) in self.process.traffic() {
            counter!("braid_network_messages_sent_total", "channel" => channel).absolute(traffic.sent);
            counter!("braid_network_messages_received_total", "channel" => channel).absolute(traffic.received);
            counter!("braid_network_sent_bytes_total", "channel" => channel).absolute(traffic.sent_bytes);
            counter!("braid_network_received_bytes_total", "channel" => channel).absolute(traffic.received_bytes);
            if channel == "votes" {
                counter!("braid_consensus_votes_sent_total").absolute(traffic.sent);
                counter!("braid_consensus_votes_received_total").absolute(traffic.received);
            }
        }
    }
}

impl Consensus for Network {
    fn certificate(&self, height: Height) -> Result<Option<Certificate>, String> {
        let found = self.process.proof(height).map_err(|error| error.to_string())?;
        Ok(found.map(|proof| Certificate {
            height: U64::from(proof.height),
            scheme: self.terms.scheme,
            dissemination: self.terms.dissemination,
            epoch: U64::from(proof.epoch),
            view: U64::from(proof.view),
            digest: proof.digest,
            headers: proof.headers,
            certificate: proof.certificate,
            proof: proof.encoded,
            signers: proof.signers,
            execution: Execution { height: U64::from(proof.execution.height), hash: proof.execution.hash },
            timestamp_ms: U64::from(proof.timestamp_ms),
        }))
    }

    fn status(&self) -> Status {
        let progress = self.process.progress();
        let milliseconds = |duration: Duration| U64::from(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        let height = U64::from(self.chain.head().block.height());
        Status {
            epoch: U64::from(progress.epoch),
            view: U64::from(progress.view),
            voting: progress.status.is_voting(),
            votes_again: progress.status.votes_again.map(U64::from),
            leader: progress.leader,
            round_time_ms: progress.round_time.map(milliseconds),
            finality_time_ms: progress.finality_time.map(milliseconds),
            committee: progress.committee.iter().map(member).collect(),
            ..self.terms.status(self.role, self.public_key, height, U64::from(progress.finalized_height))
        }
    }

    fn peers(&self) -> Vec<Peer> {
        let peers = self.process.peers().into_iter();
        let peer = |peer: process::Peer| Peer {
            public_key: peer.public_key,
            address: peer.address,
            connected: peer.is_connected,
        };
        peers.map(peer).collect()
    }

    fn on_transactions(&self, transactions: &[RecoveredTx]) {
        self.process.forward(transactions.iter().filter(|tx| !tx.is_eip4844()));
    }
}

fn member(member: &braid_consensus::committee::Validator) -> Member {
    Member {
        public_key: keys::to_bytes(&member.public_key),
        fee_recipient: member.fee_recipient,
        address: member.address.clone(),
    }
}

/// Records a final block.
pub(super) fn record(block: process::Final) {
    histogram!("braid_consensus_round_seconds").record(block.round_time);
    histogram!("braid_consensus_finality_seconds").record(block.finality_time);
}

fn describe() {
    describe_gauge!("braid_consensus_epoch", "Epoch in which this node works");
    describe_gauge!("braid_consensus_view", "Newest view in which anything was certified");
    describe_gauge!("braid_consensus_voting", "Whether this node votes in this epoch");
    describe_gauge!("braid_consensus_finalized_height", "Height of the newest block known to be final");
    describe_gauge!("braid_consensus_execution_lag_blocks", "Blocks that are final and not executed here");
    describe_gauge!("braid_consensus_peers", "Connected nodes");
    describe_gauge!("braid_consensus_proposed_blocks", "Blocks that this node proposed since the start");
    describe_gauge!("braid_consensus_refused_blocks", "Blocks of others that this node refused since the start");
    describe_gauge!("braid_consensus_faults", "Faults of validators that this node found since the start");
    describe_counter!("braid_consensus_votes_sent_total", "Votes given to the network, once for each receiver");
    describe_counter!("braid_consensus_votes_received_total", "Votes that arrived");
    describe_counter!("braid_network_messages_sent_total", "Messages given to the network, once for each receiver");
    describe_counter!("braid_network_messages_received_total", "Messages that arrived");
    describe_counter!("braid_network_sent_bytes_total", "Bytes of the messages given to the network");
    describe_counter!("braid_network_received_bytes_total", "Bytes of the messages that arrived");
    describe_histogram!("braid_consensus_round_seconds", "From one final block to the next");
    describe_histogram!("braid_consensus_finality_seconds", "From a block's time stamp until it was durable here");
}

fn set(name: &'static str, value: u64) {
    #[expect(clippy::cast_precision_loss, reason = "gauges are for people and dashboards")]
    gauge!(name).set(value as f64);
}
