//! The same blocks through a real chain: executed, with their state root, and durable on disk.
//!
//! The senders are known, as they are to a node that has admitted the transactions; what came before admission is not measured. Each block takes
//! the transactions of the workload with the next nonces, so the chain goes on as one does, and what it keeps in the background is paid for too.

use std::{collections::BTreeMap, num::NonZeroUsize, path::Path, sync::Arc, time::Duration};

use alloy_consensus::{SignableTransaction as _, Transaction as _, transaction::Recovered};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, Bytes};
use braid_chain::{Attributes, Chain, ChainError, ChainOptions, state::StoreOptions};
use braid_types::{ChainSpec, RecoveredTx, Transaction};

use crate::{
    machine::Stopwatch,
    measure::{Sample, median},
};

/// What blocks of a workload cost a chain.
#[derive(Clone, Copy, Debug)]
pub struct Pipeline {
    /// Transactions of all blocks.
    pub transactions: usize,
    /// From the beginning of a block until it is durable: the median.
    pub block: Duration,
    /// From the beginning of the first to the end of the last, with the checkpoint after it.
    pub all: Duration,
    /// Processor time of all threads meanwhile.
    pub cpu: Duration,
}

/// Why a workload cannot go through a chain.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The chain failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Transactions were left out of a block.
    #[error("block {block} left out {count} of its transactions, the first because: {reason}")]
    LeftOut {
        /// Which block, from zero.
        block: usize,
        /// How many.
        count: usize,
        /// Why.
        reason: String,
    },
    /// Transactions failed.
    #[error("{count} transactions of block {block} failed")]
    Failed {
        /// Which block, from zero.
        block: usize,
        /// How many.
        count: usize,
    },
}

/// Runs `blocks` blocks of the workload's transactions through a chain in an empty directory, which keeps the states of `history` blocks, or all.
///
/// # Errors
/// If the chain fails, or a block does not hold all of them, successful.
pub fn run(
    sample: &Sample,
    threads: NonZeroUsize,
    blocks: NonZeroUsize,
    history: Option<u64>,
    directory: &Path,
) -> Result<Pipeline, PipelineError> {
    let chain = open(sample, threads, history, directory)?;
    let all: Vec<Vec<RecoveredTx>> = (0..blocks.get()).map(|block| with_nonces_of(sample, block)).collect();
    let whole = Stopwatch::start();
    let mut times = Vec::new();
    for (block, transactions) in all.iter().enumerate() {
        let watch = Stopwatch::start();
        let built = chain.produce(&attributes(sample, block), transactions)?;
        times.push(watch.elapsed().0);
        if let Some((_, reason)) = built.skipped.first() {
            return Err(PipelineError::LeftOut { block, count: built.skipped.len(), reason: reason.to_string() });
        }
        let count = built.processed.executed.receipts.iter().filter(|receipt| !receipt.status()).count();
        if count > 0 {
            return Err(PipelineError::Failed { block, count });
        }
    }
    chain.store().checkpoint().map_err(ChainError::from)?;
    let (wall, cpu) = whole.elapsed();
    let transactions = all.iter().map(Vec::len).sum();
    Ok(Pipeline { transactions, block: median(times), all: wall, cpu })
}

fn open(sample: &Sample, threads: NonZeroUsize, history: Option<u64>, directory: &Path) -> Result<Chain, ChainError> {
    let context = &sample.context;
    let accounts = sample.state.accounts().map(|(address, info, slots)| {
        let code = info.code.as_ref().map(|code| code.original_bytes()).filter(|code| !code.is_empty());
        let storage = slots.iter().map(|(slot, value)| ((*slot).into(), (*value).into())).collect();
        let account = GenesisAccount {
            nonce: Some(info.nonce),
            balance: info.balance,
            code,
            storage: Some(storage),
            private_key: None,
        };
        (address, account)
    });
    let genesis = Genesis {
        config: ChainSpec::at_fork(context.chain_id, context.fork).config,
        timestamp: context.timestamp.saturating_sub(1),
        gas_limit: context.gas_limit,
        base_fee_per_gas: Some(context.base_fee.into()),
        alloc: accounts.collect::<BTreeMap<Address, GenesisAccount>>(),
        ..Genesis::default()
    };
    Chain::open(ChainOptions {
        genesis,
        directory: directory.to_owned(),
        store: StoreOptions { history, ..StoreOptions::default() },
        pool: Default::default(),
        threads,
        is_dev: true,
    })
}

fn attributes(sample: &Sample, block: usize) -> Attributes {
    let context = &sample.context;
    Attributes {
        timestamp: context.timestamp.saturating_add(block as u64),
        beneficiary: context.beneficiary,
        prevrandao: context.prevrandao,
        gas_limit: context.gas_limit,
        extra_data: Bytes::new(),
        parent_beacon_block_root: context.parent_beacon_block_root.unwrap_or_default(),
        withdrawals: Vec::new(),
        base_fee: Some(context.base_fee),
        excess_blob_gas: context.excess_blob_gas,
    }
}

/// The workload's transactions as their senders would send them in a later block.
fn with_nonces_of(sample: &Sample, block: usize) -> Vec<RecoveredTx> {
    let mut sent: BTreeMap<Address, u64> = BTreeMap::new();
    for transaction in &sample.transactions {
        *sent.entry(transaction.signer()).or_default() += 1;
    }
    let later = |transaction: &RecoveredTx| {
        let sender = transaction.signer();
        let nonce = transaction.nonce() + sent.get(&sender).copied().unwrap_or_default() * block as u64;
        match transaction.inner() {
            Transaction::Eip1559(signed) => {
                let (mut inner, signature) = (signed.tx().clone(), *signed.signature());
                inner.nonce = nonce;
                Arc::new(Recovered::new_unchecked(Transaction::from(inner.into_signed(signature)), sender))
            }
            // Workloads send no other kind.
            _ => Arc::clone(transaction),
        }
    };
    sample.transactions.iter().map(later).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload;

    #[test]
    fn blocks_of_a_workload_follow_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let sample = workload::find("erc20-random-oz")[0].sample(Some(50)).unwrap();
        let blocks = NonZeroUsize::new(3).unwrap();
        let run = run(&sample, NonZeroUsize::MIN, blocks, None, directory.path()).unwrap();
        assert_eq!(run.transactions, 150);
        assert!(run.block > Duration::ZERO && run.all >= run.block && run.cpu > Duration::ZERO);
    }

    #[test]
    fn a_block_that_lacks_transactions_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let mut sample = workload::find("eth-independent")[0].sample(Some(5)).unwrap();
        sample.transactions.remove(0);
        let mut twice = sample.transactions.clone();
        sample.transactions.append(&mut twice);
        let error = run(&sample, NonZeroUsize::MIN, NonZeroUsize::MIN, Some(0), directory.path()).unwrap_err();
        assert!(matches!(error, PipelineError::LeftOut { block: 0, .. }), "{error}");
    }
}
