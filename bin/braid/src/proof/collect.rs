//! Collects a proof from a node: certificate, ordered header, Ethereum header and trie nodes.
//!
//! Nothing of what the node answers is trusted, and nothing is checked against a committee here: whoever verifies the proof does.

use std::{future::Future, time::Duration};

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_rpc_types_eth::{Block, TransactionReceipt};
use braid_light::{Bundle, Certified, Claim, Dissemination, OrderedHeader, bundle, proof::AccountClaim};
use eyre::{OptionExt as _, WrapErr as _, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use super::{Source, block};
use crate::load::rpc::Client;

/// For one answer of the node.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Between questions for something that is not there yet.
const POLL: Duration = Duration::from_millis(100);

/// What `braid_consensusStatus` answers, as far as needed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    dissemination: Dissemination,
    scheme: String,
    execution_lag: U64,
    epoch_length: U64,
}

/// What `braid_getCertificate` answers, as far as needed.
#[derive(Clone, Debug, Deserialize)]
struct Certificate {
    proof: Bytes,
}

/// A node that is asked.
pub(super) struct Node {
    client: Client,
    status: Status,
    wait: Duration,
}

/// A final ordered header with its proof.
struct Final {
    proof: Bytes,
    header: OrderedHeader,
}

/// Connects to the node and collects.
///
/// # Errors
/// If the node cannot be reached or is no node of a network of validators, or the collection fails.
pub(super) fn run<F>(source: &Source, collect: impl FnOnce(Node) -> F) -> eyre::Result<Bundle>
where
    F: Future<Output = eyre::Result<Bundle>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().wrap_err("failed to start")?;
    runtime.block_on(async {
        let client = Client::new(&source.rpc, TIMEOUT)?;
        let status = client.try_call::<Status>("braid_consensusStatus", json!([])).await?;
        let status = status.ok().flatten().ok_or_eyre("the node belongs to no network of validators")?;
        ensure!(!status.epoch_length.is_zero(), "the node says that its epochs have no blocks");
        collect(Node { client, status, wait: source.wait() }).await
    })
}

/// The proof of an account and its storage.
///
/// # Errors
/// If the node has no certificate yet, or no such block or state any more.
pub(super) async fn account(node: Node, address: Address, slots: &[U256], height: Option<u64>) -> eyre::Result<Bundle> {
    let certified = match height {
        Some(height) => node.certified_at(node.commits_to(height)).await?,
        None => node.newest().await?,
    };
    let height = U64::from(certified.header.execution.height);
    let slots: Vec<B256> = slots.iter().map(|slot| B256::from(*slot)).collect();
    let claim: AccountClaim = node.client.call("eth_getProof", json!([address, slots, height])).await?;
    let block: Block = node.client.call("eth_getBlockByNumber", json!([height, false])).await?;
    node.bundle(certified, &block, Claim::Account(claim)).await
}

/// The proof of a transaction and its receipt.
///
/// # Errors
/// If the transaction is in no block, or the node has no certificate that reaches it yet.
pub(super) async fn receipt(node: Node, transaction: B256) -> eyre::Result<Bundle> {
    let found = node.client.try_call::<TransactionReceipt>("eth_getTransactionReceipt", json!([transaction])).await?;
    let receipt = found.wrap_err("eth_getTransactionReceipt failed")?.ok_or_eyre("the transaction is in no block")?;
    let height = receipt.block_number.ok_or_eyre("the transaction is in no block yet")?;
    let certified = node.certified_at(node.commits_to(height)).await?;
    let height = U64::from(height);
    let receipts: Vec<TransactionReceipt> = node.client.call("eth_getBlockReceipts", json!([height])).await?;
    let block: Block = node.client.call("eth_getBlockByNumber", json!([height, true])).await?;
    let claim = block::receipt(&block, receipts, transaction)?;
    node.bundle(certified, &block, Claim::Receipt(claim)).await
}

impl Node {
    /// Height of the ordered block that commits to the Ethereum block at `height`.
    fn commits_to(&self, height: u64) -> u64 {
        height.saturating_add(self.status.execution_lag.to())
    }

    /// The ordered header at `height` if it has a certificate by now.
    async fn certificate(&self, height: u64) -> eyre::Result<Option<Final>> {
        let answer = self.client.try_call::<Certificate>("braid_getCertificate", json!([U64::from(height)])).await?;
        let Some(Certificate { proof }) = answer.wrap_err("braid_getCertificate failed")? else {
            return Ok(None);
        };
        let certified = Certified::decode(&proof, self.status.dissemination)?;
        let header = certified.linked()?;
        ensure!(header.height == height, "the node's certificate for height {height} is for {}", header.height);
        Ok(Some(Final { proof, header }))
    }

    /// The ordered header at `height`, once it has a certificate.
    async fn certified_at(&self, height: u64) -> eyre::Result<Final> {
        let found = tokio::time::timeout(self.wait, async {
            loop {
                match self.certificate(height).await.transpose() {
                    Some(found) => return found,
                    None => tokio::time::sleep(POLL).await,
                }
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => bail!("there is no certificate for height {height} within {} s", self.wait.as_secs()),
        }
    }

    /// The newest ordered header that has a certificate. The very newest may be final through one that is still to come.
    async fn newest(&self) -> eyre::Result<Final> {
        let head = self.client.block_number().await?;
        if let Some(newest) = self.certificate(head).await? {
            return Ok(newest);
        }
        ensure!(head > 1, "the chain has no block that is proved final yet");
        self.certified_at(head - 1).await
    }

    /// The last headers of the epochs before `epoch`. With a group key nobody needs them.
    async fn epochs(&self, epoch: u64) -> eyre::Result<Vec<Bytes>> {
        if self.status.scheme != "ed25519" {
            return Ok(Vec::new());
        }
        let mut proofs = Vec::new();
        for epoch in 0..epoch {
            let last = epoch.saturating_add(1).saturating_mul(self.status.epoch_length.to()).saturating_sub(1);
            let found = self.certificate(last).await?;
            proofs.push(
                found.ok_or_else(|| eyre::eyre!("the node has no certificate for the end of epoch {epoch}"))?.proof,
            );
        }
        Ok(proofs)
    }

    async fn bundle(&self, certified: Final, block: &Block, claim: Claim) -> eyre::Result<Bundle> {
        let Final { proof, header } = certified;
        let block = block::header(block, header.execution.hash)?;
        Ok(Bundle {
            version: bundle::VERSION,
            epochs: self.epochs(header.epoch).await?,
            finality: proof,
            header: alloy_rlp::encode(&block).into(),
            claim: Some(claim),
        })
    }
}
