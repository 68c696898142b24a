//! Sends transactions of one key in waves, and waits for their receipts.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, B256, TxKind, U64, U256};
use braid_suite::Transaction;
use eyre::{Context, OptionExt, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use crate::{
    config::values::Ether,
    load::{
        keys::{Key, Signer},
        rpc::Client,
    },
};

/// Transactions under way at once: as many as geth's pool keeps of one sender for certain.
const WAVE: usize = 16;

/// Pause between two questions for receipts.
const POLL: Duration = Duration::from_millis(100);

/// How far the base fee may rise before a transaction has to wait.
const BASE_FEE_FACTOR: u128 = 2;

/// Tip in wei per gas, where the node proposes none.
const TIP: u128 = 1_000_000_000;

/// Gas beyond what a transaction used when it was tried.
const SPARE_GAS: u64 = 50_000;

/// Most gas of a transaction (EIP-7825).
const MAX_GAS: u64 = 1 << 24;

/// Sends the owner's transactions.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) client: Client,
    signer: Signer,
    key: Key,
    chain_id: u64,
    nonce: u64,
    tip: u128,
    /// Gas that transactions used when they were tried.
    gas: BTreeMap<Transaction, u64>,
    deadline: Instant,
    timeout: Duration,
    /// Transactions that were included.
    pub(super) sent: usize,
    /// Gas that they used.
    pub(super) gas_used: u64,
}

/// A receipt, as far as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    status: U64,
    gas_used: U64,
}

impl Sender {
    /// A sender for `secret`, once nothing of it is waiting for a block any more.
    ///
    /// # Errors
    /// If the node does not answer, or what waits is not included in time.
    pub(super) async fn new(
        client: Client,
        secret: B256,
        chain_id: u64,
        gas: BTreeMap<Transaction, u64>,
        timeout: Duration,
    ) -> eyre::Result<Self> {
        let signer = Signer::new();
        let key = signer.key(secret)?;
        let tip = client.try_call::<U256>("eth_maxPriorityFeePerGas", json!([])).await?;
        let tip = tip.ok().flatten().and_then(|tip| u128::try_from(tip).ok()).unwrap_or(TIP);
        let (deadline, sent, gas_used) = (now() + timeout, 0, 0);
        let mut sender = Self { client, signer, key, chain_id, nonce: 0, tip, gas, deadline, timeout, sent, gas_used };
        sender.nonce = sender.settled_nonce().await?;
        Ok(sender)
    }

    /// Who sends.
    pub(super) fn address(&self) -> Address {
        self.key.address
    }

    /// The next nonce, when all before it are in blocks: a run that was interrupted may have left some behind.
    async fn settled_nonce(&self) -> eyre::Result<u64> {
        let address = self.key.address;
        loop {
            let of = |tag| self.client.call::<U64>("eth_getTransactionCount", json!([address, tag]));
            let (mined, waiting) = (of("latest").await?, of("pending").await?);
            if mined >= waiting {
                return Ok(mined.to());
            }
            let count = waiting - mined;
            self.pause()
                .await
                .wrap_err_with(|| format!("{count} earlier transactions of {address} wait for a block"))?;
        }
    }

    /// Checks that the key can pay for all of these and for `extra` wei. Without transactions there is nothing to pay.
    ///
    /// # Errors
    /// If it cannot, or the node does not answer.
    pub(super) async fn check_funds(&self, all: &[(String, &Transaction)], extra: U256) -> eyre::Result<()> {
        if all.is_empty() {
            return Ok(());
        }
        let fee = U256::from(self.max_fee().await?);
        let cost = |(_, sent): &(String, &Transaction)| U256::from(self.gas_limit(sent)) * fee + sent.value;
        let needed = all.iter().map(cost).fold(extra, |sum, cost| sum + cost);
        let (address, balance) = (self.key.address, self.client.balance(self.key.address).await?);
        ensure!(
            balance >= needed,
            "{address} holds {} ether on chain {}, and the {} transactions may take {}",
            Ether(balance),
            self.chain_id,
            all.len(),
            Ether(needed)
        );
        Ok(())
    }

    fn gas_limit(&self, transaction: &Transaction) -> u64 {
        // Half as much again: refunds come after, and may be a fifth; a call within may get 63 of 64 parts.
        self.gas.get(transaction).map_or(MAX_GAS, |used| (used + used / 2 + SPARE_GAS).min(MAX_GAS))
    }

    async fn max_fee(&self) -> eyre::Result<u128> {
        let head = self.client.block("latest").await?;
        let base_fee = head.base_fee_per_gas.ok_or_eyre("the chain has no base fee: it is older than London")?;
        Ok(base_fee.to::<u128>() * BASE_FEE_FACTOR + self.tip)
    }

    /// Sends `all` in order, each with a name for messages, and waits for them.
    ///
    /// # Errors
    /// If one is refused or fails, or is not included in time.
    pub(super) async fn send(&mut self, all: &[(String, &Transaction)]) -> eyre::Result<()> {
        for wave in all.chunks(WAVE) {
            let max_fee = self.max_fee().await?;
            let mut waiting = Vec::with_capacity(wave.len());
            for (name, transaction) in wave {
                let signed = self.signer.sign(&self.key, self.unsigned(transaction, max_fee));
                let hash = self.client.call::<B256>("eth_sendRawTransaction", json!([signed.raw])).await;
                hash.wrap_err_with(|| format!("the node refused {name}"))?;
                self.nonce += 1;
                waiting.push((name.as_str(), signed.hash));
            }
            for (name, hash) in waiting {
                self.wait(name, hash).await?;
            }
        }
        Ok(())
    }

    fn unsigned(&self, transaction: &Transaction, max_fee: u128) -> TxEip1559 {
        TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit: self.gas_limit(transaction),
            max_fee_per_gas: max_fee,
            max_priority_fee_per_gas: self.tip,
            to: TxKind::Call(transaction.to),
            value: transaction.value,
            input: transaction.input.clone(),
            ..TxEip1559::default()
        }
    }

    /// Waits for a transaction's receipt, which has to say that it succeeded.
    ///
    /// # Errors
    /// If it failed, or does not come in time.
    pub(super) async fn wait(&mut self, name: &str, hash: B256) -> eyre::Result<()> {
        loop {
            let receipt = self.client.try_call::<Receipt>("eth_getTransactionReceipt", json!([hash])).await?;
            // Some nodes answer with an error while they are indexing.
            if let Ok(Some(receipt)) = receipt {
                ensure!(receipt.status == U64::from(1), "{name} failed, in transaction {hash}");
                self.sent += 1;
                self.gas_used += receipt.gas_used.to::<u64>();
                return Ok(());
            }
            self.pause().await.wrap_err_with(|| format!("{name}, transaction {hash}, was not included"))?;
        }
    }

    async fn pause(&self) -> eyre::Result<()> {
        if now() > self.deadline {
            bail!("gave up after {} s; the same command goes on from there", self.timeout.as_secs());
        }
        tokio::time::sleep(POLL).await;
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "a command of the binary may read the clock")]
fn now() -> Instant {
    Instant::now()
}
