//! Watches blocks and their receipts until every accepted transaction has one.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use alloy_primitives::{B256, U64, U256};
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
    /// Times that a transaction stood in a block after it had stood in one.
    pub(super) repeated: usize,
    /// What senders paid beside the values, in wei.
    pub(super) fees: U256,
    /// From sending a transaction to seeing its receipt.
    pub(super) latencies: Vec<Duration>,
    /// From the start to the last receipt.
    pub(super) duration: Duration,
    /// Blocks with transactions of the load.
    pub(super) blocks: usize,
}

/// When receipts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receipts {
    /// A transaction counts when its receipt is there.
    AsTheyCome,
    /// A transaction counts when a block has it; that it succeeded is looked up afterwards.
    Late,
}

/// Looks for the receipts of a load.
#[derive(Debug)]
pub(super) struct Follower {
    client: Client,
    /// Transactions without receipt as yet.
    waiting: HashMap<B256, usize>,
    /// All of the load's.
    own: HashSet<B256>,
    sending: Arc<Sending>,
    /// Whether the node has `eth_getBlockReceipts`; else receipts are asked for one by one.
    has_block_receipts: bool,
    receipts: Receipts,
    /// Heights whose receipts are read later.
    unread: Vec<u64>,
    seen: Seen,
}

impl Follower {
    pub(super) fn new(client: Client, hashes: &[B256], sending: &Arc<Sending>, receipts: Receipts) -> Self {
        let waiting = hashes.iter().enumerate().map(|(at, hash)| (*hash, at)).collect();
        let sending = Arc::clone(sending);
        let own = hashes.iter().copied().collect();
        Self {
            client,
            waiting,
            own,
            sending,
            has_block_receipts: true,
            receipts,
            unread: Vec::new(),
            seen: Seen::default(),
        }
    }

    /// Follows the chain from block `next` until all accepted transactions are in, or until `timeout` after the start.
    ///
    /// # Errors
    /// If the node stops answering.
    pub(super) async fn run(&mut self, mut next: u64, timeout: Duration) -> eyre::Result<()> {
        while !self.is_done() && self.sending.elapsed() < timeout {
            if next > self.client.block_number().await? {
                tokio::time::sleep(POLL).await;
                continue;
            }
            match self.receipts {
                Receipts::AsTheyCome => {
                    let receipts = self.read_receipts(next).await?;
                    self.note(receipts.iter().map(|receipt| (receipt.transaction_hash, receipt.succeeded())));
                    self.add_fees(&receipts);
                }
                Receipts::Late => {
                    let block = self.client.block(&format!("{next:#x}")).await?;
                    if self.note(block.transactions.iter().map(|hash| (*hash, true))) {
                        self.unread.push(next);
                    }
                }
            }
            next += 1;
        }
        Ok(())
    }

    /// Reads the receipts that were left for later, and says what was seen.
    ///
    /// # Errors
    /// If the node stops answering.
    pub(super) async fn finish(mut self) -> eyre::Result<Seen> {
        for height in std::mem::take(&mut self.unread) {
            let receipts = self.read_receipts(height).await?;
            let failed = receipts.iter().filter(|receipt| !receipt.succeeded() && self.is_own(receipt)).count();
            self.seen.included -= failed;
            self.seen.failed += failed;
            self.add_fees(&receipts);
        }
        Ok(self.seen)
    }

    fn add_fees(&mut self, receipts: &[Receipt]) {
        let fees: U256 = receipts.iter().filter(|receipt| self.is_own(receipt)).map(Receipt::fee).sum();
        self.seen.fees += fees;
    }

    fn is_own(&self, receipt: &Receipt) -> bool {
        self.own.contains(&receipt.transaction_hash)
    }

    fn is_done(&self) -> bool {
        self.sending.accepted().is_some_and(|accepted| self.seen.included + self.seen.failed >= accepted)
    }

    async fn read_receipts(&mut self, height: u64) -> eyre::Result<Vec<Receipt>> {
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

    /// Counts transactions of a block, by whether they succeeded. Whether any of them are the load's.
    fn note(&mut self, transactions: impl Iterator<Item = (B256, bool)>) -> bool {
        let now = self.sending.elapsed();
        let before = self.waiting.len();
        for (hash, succeeded) in transactions {
            let Some(transaction) = self.waiting.remove(&hash) else {
                self.seen.repeated += usize::from(self.own.contains(&hash));
                continue;
            };
            if succeeded {
                self.seen.included += 1;
            } else {
                self.seen.failed += 1;
            }
            self.seen.latencies.push(now.saturating_sub(self.sending.sent_at(transaction)));
        }
        let is_any = self.waiting.len() < before;
        if is_any {
            self.seen.blocks += 1;
            self.seen.duration = now;
        }
        is_any
    }
}
