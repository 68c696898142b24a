//! Watches blocks and their receipts until every accepted transaction has one.

use std::{collections::HashMap, sync::Arc, time::Duration};

use alloy_primitives::{B256, U64};
use eyre::Context;
use serde_json::json;

use super::{
    rpc::{Client, Receipt},
    send::Sending,
};

/// Pause between two questions for the head.
const POLL: Duration = Duration::from_millis(20);

/// What was seen on the chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Transactions that succeeded.
    pub(super) included: usize,
    /// Transactions whose receipt says that they failed.
    pub(super) failed: usize,
    /// From sending a transaction to seeing its receipt.
    pub(super) latencies: Vec<Duration>,
    /// From the start to the last receipt.
    pub(super) duration: Duration,
    /// Blocks with transactions of the load.
    pub(super) blocks: usize,
}

/// Looks for the receipts of a load.
#[derive(Debug)]
pub(super) struct Follower {
    client: Client,
    /// Transactions without receipt as yet.
    waiting: HashMap<B256, usize>,
    sending: Arc<Sending>,
    /// Whether the node has `eth_getBlockReceipts`; else receipts are asked for one by one.
    has_block_receipts: bool,
    seen: Seen,
}

impl Follower {
    pub(super) fn new(client: Client, hashes: &[B256], sending: &Arc<Sending>) -> Self {
        let waiting = hashes.iter().enumerate().map(|(at, hash)| (*hash, at)).collect();
        Self { client, waiting, sending: Arc::clone(sending), has_block_receipts: true, seen: Seen::default() }
    }

    /// Follows the chain from block `next` until all accepted transactions are in, or until `timeout` after the start.
    ///
    /// # Errors
    /// If the node stops answering.
    pub(super) async fn run(mut self, mut next: u64, timeout: Duration) -> eyre::Result<Seen> {
        while !self.is_done() && self.sending.elapsed() < timeout {
            if next > self.client.block_number().await? {
                tokio::time::sleep(POLL).await;
                continue;
            }
            let receipts = self.receipts(next).await?;
            self.note(&receipts);
            next += 1;
        }
        Ok(self.seen)
    }

    fn is_done(&self) -> bool {
        self.sending.accepted().is_some_and(|accepted| self.seen.included + self.seen.failed >= accepted)
    }

    async fn receipts(&mut self, height: u64) -> eyre::Result<Vec<Receipt>> {
        let height = U64::from(height);
        if self.has_block_receipts {
            match self.client.try_call::<Vec<Receipt>>("eth_getBlockReceipts", json!([height])).await? {
                Ok(receipts) => return Ok(receipts.unwrap_or_default()),
                Err(error) if error.is_method_not_found() => self.has_block_receipts = false,
                Err(error) => return Err(error).wrap_err("eth_getBlockReceipts failed"),
            }
        }
        let block = self.client.block(&format!("{height:#x}")).await?;
        let ours = block.transactions.iter().filter(|hash| self.waiting.contains_key(*hash));
        let params: Vec<_> = ours.map(|hash| json!([hash])).collect();
        let receipts = self.client.call_all::<Receipt>("eth_getTransactionReceipt", &params).await?;
        let receipts: Result<Vec<_>, _> = receipts.into_iter().collect();
        Ok(receipts.wrap_err("eth_getTransactionReceipt failed")?.into_iter().flatten().collect())
    }

    fn note(&mut self, receipts: &[Receipt]) {
        let now = self.sending.elapsed();
        let before = self.waiting.len();
        for receipt in receipts {
            let Some(transaction) = self.waiting.remove(&receipt.transaction_hash) else { continue };
            if receipt.succeeded() {
                self.seen.included += 1;
            } else {
                self.seen.failed += 1;
            }
            self.seen.latencies.push(now.saturating_sub(self.sending.sent_at(transaction)));
        }
        if self.waiting.len() < before {
            self.seen.blocks += 1;
            self.seen.duration = now;
        }
    }
}
