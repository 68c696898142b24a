//! What clients may know of the validators: certificates, peers, progress.
//!
//! The binary hands over a [`Consensus`]; nothing here knows how validators agree. On a lone node there is none: it has no
//! peers, is never behind, and its blocks have no certificates.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U64};
use braid_types::{Height, RecoveredTx};
use jsonrpsee::core::RegisterMethodError;
use serde::Serialize;

use crate::{
    context::RpcContext,
    error::RpcError,
    method::{Arguments, Module, blocking, quick},
};

/// Blocks that a node may be behind the newest final one it has heard of without saying that it synchronises: they are being
/// executed.
const SYNC_TOLERANCE_BLOCKS: Height = 16;

/// What this node knows of the network it belongs to.
pub trait Consensus: Send + Sync {
    /// The certificate that makes the block at `height` final; `None` if this node has none.
    ///
    /// # Errors
    /// If it cannot be read.
    fn certificate(&self, height: Height) -> Result<Option<Certificate>, String>;

    /// Where it stands now.
    fn status(&self) -> Status;

    /// The other nodes it knows.
    fn peers(&self) -> Vec<Peer>;

    /// Clients of this node have put transactions into its pool. Must not block.
    fn on_transactions(&self, transactions: &[RecoveredTx]);
}

/// Proof that a block is final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Height of the block.
    pub height: U64,
    /// How it is signed: `ed25519` or `bls12381-threshold`.
    pub scheme: &'static str,
    /// How blocks travel, which decides how headers are encoded: `whole` or `coded`.
    pub dissemination: &'static str,
    /// Epoch whose committee signed.
    pub epoch: U64,
    /// View in which the certified block was proposed.
    pub view: U64,
    /// Digest of the block's ordered header.
    pub digest: B256,
    /// The ordered header, and those above it up to the one that the certificate is about; encoded.
    pub headers: Vec<Bytes>,
    /// The certificate of the last of them, encoded.
    pub certificate: Bytes,
    /// Headers and certificate in one encoding, for light clients.
    pub proof: Bytes,
    /// Public keys of those who signed; `null` where signatures cannot be told apart.
    pub signers: Option<Vec<B256>>,
    /// The block of the Ethereum chain whose execution the header vouches for.
    pub execution: Execution,
    /// Milliseconds since the Unix epoch, by the proposer's clock.
    pub timestamp_ms: U64,
}

/// A block of the Ethereum chain by height and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Height.
    pub height: U64,
    /// Hash.
    pub hash: B256,
}

/// Where a node stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `validator` or `follower`.
    pub role: &'static str,
    /// Its own public key.
    pub public_key: B256,
    /// Whether it votes in this epoch.
    pub voting: bool,
    /// The epoch in which it votes again, if it is of the committee and lost what it has voted for in this one.
    pub votes_again: Option<U64>,
    /// Epoch it works in.
    pub epoch: U64,
    /// View it works in.
    pub view: U64,
    /// Height of the newest block it has executed and made durable: what `latest` means.
    pub height: U64,
    /// Height of the newest final block it has heard of.
    pub finalized_height: U64,
    /// Who leads the view.
    pub leader: Option<B256>,
    /// Milliseconds between the last two final blocks.
    pub round_time_ms: Option<U64>,
    /// Milliseconds from the newest final block's time stamp until this node knew it to be final.
    pub finality_time_ms: Option<U64>,
    /// How certificates are signed.
    pub scheme: &'static str,
    /// How blocks reach the validators: `whole` or `coded`.
    pub dissemination: &'static str,
    /// Heights between a block and the one whose execution it vouches for.
    pub execution_lag: U64,
    /// Blocks after which the committee may change.
    pub epoch_length: U64,
    /// Who votes in this epoch.
    pub committee: Vec<Member>,
}

/// A member of the committee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Its public key.
    pub public_key: B256,
    /// Who gets the fees of the blocks it proposes.
    pub fee_recipient: Address,
    /// Where it listens.
    pub address: String,
}

/// Another node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// Its public key.
    pub public_key: B256,
    /// Where it listens, `host:port`.
    pub address: String,
    /// Whether there is a connection.
    pub connected: bool,
}

/// What `eth_syncing` says.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
enum Syncing {
    No(bool),
    #[serde(rename_all = "camelCase")]
    Yes {
        starting_block: U64,
        current_block: U64,
        highest_block: U64,
    },
}

/// Registers the methods about validators.
///
/// # Errors
/// If a name is taken.
pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    quick(module, "eth_syncing", 0, |context, _| Ok(syncing(context)))?;
    quick(module, "net_peerCount", 0, |context, _| {
        let peers = context.consensus.as_ref().map(|consensus| consensus.peers()).unwrap_or_default();
        Ok(U64::from(peers.iter().filter(|peer| peer.connected).count()))
    })?;
    quick(module, "braid_peers", 0, |context, _| {
        Ok(context.consensus.as_ref().map(|consensus| consensus.peers()).unwrap_or_default())
    })?;
    quick(module, "braid_consensusStatus", 0, |context, _| {
        Ok(context.consensus.as_ref().map(|consensus| consensus.status()))
    })?;
    blocking(module, "braid_getCertificate", 1, certificate)
}

fn syncing(context: &RpcContext) -> Syncing {
    let Some(consensus) = &context.consensus else { return Syncing::No(false) };
    let highest_block = consensus.status().finalized_height;
    let current_block = U64::from(context.head().block.height());
    if highest_block <= current_block.saturating_add(U64::from(SYNC_TOLERANCE_BLOCKS)) {
        return Syncing::No(false);
    }
    Syncing::Yes { starting_block: U64::from(context.first_height), current_block, highest_block }
}

fn certificate(context: &Arc<RpcContext>, arguments: &Arguments<'_>) -> Result<Option<Certificate>, RpcError> {
    let height = match arguments.required::<alloy_eips::BlockNumberOrTag>(0)? {
        alloy_eips::BlockNumberOrTag::Pending => return Ok(None),
        number => crate::resolve::height(context, number),
    };
    match (&context.consensus, height) {
        (Some(consensus), Some(height)) => consensus.certificate(height).map_err(RpcError::internal),
        _ => Ok(None),
    }
}
