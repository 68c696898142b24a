//! How transactions get from a client into the pool.
//!
//! The cost of a payment is its signature: decoding and recovering happen outside every lock and, for a batch, on all
//! cores; then the whole batch goes in under one lock.

use std::sync::Arc;

use alloy_consensus::{EthereumTxEnvelope, Transaction as _, TxEip4844, TxEip4844WithSidecar, transaction::Recovered};
use alloy_eips::{eip2718::Decodable2718, eip7594::BlobTransactionSidecarVariant};
use alloy_primitives::{Address, B256, U256, hex};
use braid_chain::{
    Chain,
    stages::{measured, waited},
    state::Stopwatch,
};
use braid_pool::{Inserted, Pool, PoolConfig, PoolRules, Rejection, sidecar_for_fork};
use braid_signatures::{AllowedS, KnownKeys, batch_size, claimed_batch_size, recover_claimed, recover_senders};
use braid_types::{Fork, RecoveredTx, Transaction, limits};
use rayon::prelude::*;

use crate::{context::RpcContext, error::RpcError};

/// EIP-2718 type of blob transactions.
const BLOB_TYPE: u8 = 3;

/// The last fork that takes sidecars of version 0 as they are.
const LAST_WITH_OLD_SIDECARS: Fork = Fork::Prague;

/// A blob transaction as clients send it.
type WithSidecar = EthereumTxEnvelope<TxEip4844WithSidecar<BlobTransactionSidecarVariant>>;

/// A transaction on its way into the pool.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The transaction.
    pub transaction: RecoveredTx,
    /// Blobs, commitments and proofs of a blob transaction.
    pub sidecar: Option<Arc<BlobTransactionSidecarVariant>>,
}

impl RpcContext {
    /// Adds a transaction to the pool and wakes who waits for it.
    ///
    /// # Errors
    /// If the pool refuses it.
    pub fn submit(
        &self,
        transaction: RecoveredTx,
        sidecar: Option<Arc<BlobTransactionSidecarVariant>>,
    ) -> Result<B256, RpcError> {
        let submission = Ok(Submission { transaction, sidecar });
        self.submit_all(vec![submission]).pop().unwrap_or_else(|| Err(RpcError::internal("no answer from the pool")))
    }

    /// Adds transactions to the pool in order, under one lock. Failures pass through in their place.
    pub fn submit_all(&self, submissions: Vec<Result<Submission, RpcError>>) -> Vec<Result<B256, RpcError>> {
        let (answers, inserted) = self.insert_all(submissions);
        if let Some(consensus) = self.consensus.as_ref().filter(|_| !inserted.is_empty()) {
            consensus.on_transactions(&inserted);
        }
        self.announce(inserted);
        answers
    }

    /// Adds transactions that another node's clients have submitted there, each as the address of its sender and then its EIP-2718 encoding. What is refused is left out:
    /// the other node has told its clients what it thinks of them.
    pub fn submit_forwarded<T: AsRef<[u8]> + Sync>(&self, transactions: &[T]) {
        let (rules, config) = self.admission();
        let check = |submission: Result<Submission, RpcError>| {
            let submission = submission?;
            Pool::check(&rules, &config, &submission.transaction, submission.sidecar.as_deref())?;
            Ok(submission)
        };
        let head = self.head();
        // What waits here already, or stands in a block of the sender's, needs no recovery.
        let parse = |message: &T| {
            let (claimed, bytes) = message.as_ref().split_first_chunk().ok_or_else(|| RpcError::server("too short"))?;
            let (parsed, claimed) = (parse_bytes(bytes)?, Address::from(*claimed));
            let (transaction, state) = (parsed.0.nonce(), head.state.account(claimed).unwrap_or_default().nonce);
            if transaction < state {
                return Err(Rejection::NonceTooLow { state, transaction }.into());
            }
            if self.chain.pool().lock().contains(*parsed.0.tx_hash()) {
                return Err(Rejection::AlreadyKnown.into());
            }
            Ok((parsed, Some(claimed)))
        };
        let share = claimed_batch_size(transactions.len(), rayon::current_num_threads());
        let recovered = recover_shares(transactions, share, parse, &self.chain);
        let (_, inserted) = self.insert_all(recovered.map(check).collect());
        self.announce(inserted);
    }

    fn insert_all(
        &self,
        submissions: Vec<Result<Submission, RpcError>>,
    ) -> (Vec<Result<B256, RpcError>>, Vec<RecoveredTx>) {
        let meter = &self.chain.stages().pool;
        let count = submissions.len();
        let mut inserted: Vec<RecoveredTx> = Vec::with_capacity(count);
        let mut pool = waited(meter, || self.chain.pool().lock());
        let mut watch = Stopwatch::start();
        // Read under the pool's lock: from a head before the one the pool follows, an old nonce would strand the lane.
        let state = self.head().state.clone();
        let mut insert = |submission: Submission| -> Result<B256, RpcError> {
            let account = state.account(submission.transaction.signer()).unwrap_or_default();
            let transaction = Arc::clone(&submission.transaction);
            let Inserted { hash, .. } = pool.insert(submission.transaction, submission.sidecar, account)?;
            inserted.push(transaction);
            Ok(hash)
        };
        let answers = submissions.into_iter().map(|submission| insert(submission?)).collect();
        drop(pool);
        meter.work(watch.lap(), count);
        (answers, inserted)
    }

    /// Decodes, recovers and checks raw transactions, as hexadecimal texts, on all cores, then adds them in order.
    pub fn submit_raw(&self, texts: &[&str]) -> Vec<Result<B256, RpcError>> {
        self.submit_parsed(texts, |text| parse(text))
    }

    /// Decodes, recovers and checks EIP-2718 envelopes on all cores, then adds them in order.
    pub fn submit_envelopes<T: AsRef<[u8]> + Sync>(&self, envelopes: &[T]) -> Vec<Result<B256, RpcError>> {
        self.submit_parsed(envelopes, |envelope| parse_bytes(envelope.as_ref()))
    }

    fn submit_parsed<T: Sync>(
        &self,
        items: &[T],
        parse: impl Fn(&T) -> Result<Parsed, RpcError> + Sync + Send,
    ) -> Vec<Result<B256, RpcError>> {
        let (rules, config) = self.admission();
        let prepare = |submission: Result<Submission, RpcError>| self.prepare(submission?, &rules, &config);
        let submissions = match items {
            [item] => {
                let stages = self.chain.stages();
                let parsed = measured(&stages.decode, 1, || parse(item));
                vec![prepare(measured(&stages.recover, 1, || parsed.and_then(recover)))]
            }
            items => {
                let parse = |item: &T| Ok((parse(item)?, None));
                let share = batch_size(items.len(), rayon::current_num_threads());
                recover_shares(items, share, parse, &self.chain).map(prepare).collect()
            }
        };
        self.submit_all(submissions)
    }

    /// Checks a transaction that did not come as bytes; see [`Pool::check`].
    ///
    /// # Errors
    /// If the pool would refuse it.
    pub fn check(
        &self,
        transaction: &RecoveredTx,
        sidecar: Option<&BlobTransactionSidecarVariant>,
    ) -> Result<(), RpcError> {
        let (rules, config) = self.admission();
        Ok(Pool::check(&rules, &config, transaction, sidecar)?)
    }

    fn admission(&self) -> (PoolRules, PoolConfig) {
        let pool = self.chain.pool().lock();
        (pool.rules().clone(), pool.config().clone())
    }

    fn prepare(
        &self,
        mut submission: Submission,
        rules: &PoolRules,
        config: &PoolConfig,
    ) -> Result<Submission, RpcError> {
        if let Some(sidecar) = submission.sidecar.take() {
            let transaction = &submission.transaction;
            check_terms(rules, config, transaction)?;
            self.check_sender(transaction)?;
            if !sidecar.is_eip7594() && rules.fork > LAST_WITH_OLD_SIDECARS {
                check_old_sidecar(rules, config, transaction, &sidecar)?;
            }
            let sidecar = sidecar_for_fork(rules.fork, Arc::unwrap_or_clone(sidecar))?;
            submission.sidecar = Some(Arc::new(sidecar));
        }
        Pool::check(rules, config, &submission.transaction, submission.sidecar.as_deref())?;
        Ok(submission)
    }

    /// What the pool refuses for the sender's sake when it inserts a transaction, said before blobs cost any work.
    fn check_sender(&self, transaction: &RecoveredTx) -> Result<(), Rejection> {
        if self.chain.pool().lock().get(*transaction.tx_hash()).is_some() {
            return Err(Rejection::AlreadyKnown);
        }
        let account = self.head().state.account(transaction.signer()).unwrap_or_default();
        if transaction.nonce() < account.nonce {
            return Err(Rejection::NonceTooLow { state: account.nonce, transaction: transaction.nonce() });
        }
        let cost = most_charged(transaction).ok_or(Rejection::CostOverflow)?;
        if cost > account.balance {
            return Err(Rejection::InsufficientFunds { balance: account.balance, cost });
        }
        Ok(())
    }

    fn announce(&self, inserted: Vec<RecoveredTx>) {
        if inserted.is_empty() {
            return;
        }
        if let Some(sequencer) = &self.sequencer {
            sequencer.notify();
        }
        self.filters.on_pending(inserted.iter().map(|tx| *tx.tx_hash()));
        if self.events.pending.receiver_count() > 0 {
            for transaction in inserted {
                // An error says that the last listener has just gone.
                let _ = self.events.pending.send(transaction);
            }
        }
    }
}

/// The pool's checks that need no blobs, their number among them.
fn check_terms(rules: &PoolRules, config: &PoolConfig, transaction: &RecoveredTx) -> Result<(), Rejection> {
    match Pool::check(rules, config, transaction, None) {
        // The last of them.
        Err(Rejection::MissingSidecar) => Ok(()),
        outcome => outcome,
    }
}

/// Commitments and proofs of a sidecar of version 0. Proofs for cells are computed from the blobs alone, so that a wrong
/// proof would not be noticed afterwards.
fn check_old_sidecar(
    rules: &PoolRules,
    config: &PoolConfig,
    transaction: &RecoveredTx,
    sidecar: &BlobTransactionSidecarVariant,
) -> Result<(), Rejection> {
    let rules = PoolRules { fork: LAST_WITH_OLD_SIDECARS, ..rules.clone() };
    Pool::check(&rules, config, transaction, Some(sidecar))
}

/// The most wei a sender can be charged; `None` if that exceeds 256 bits.
fn most_charged(transaction: &RecoveredTx) -> Option<U256> {
    let product = |amount: u64, price: u128| U256::from(amount) * U256::from(price);
    let gas = product(transaction.gas_limit(), transaction.max_fee_per_gas());
    let blob_gas = transaction.blob_gas_used().unwrap_or_default();
    let blobs = product(blob_gas, transaction.max_fee_per_blob_gas().unwrap_or_default());
    gas.checked_add(blobs)?.checked_add(transaction.value())
}

/// A signed transaction from the hex text a client sends, with its sender.
///
/// # Errors
/// If it is too long, no hexadecimal, no transaction, or its signature is not valid.
pub fn decode(text: &str) -> Result<Submission, RpcError> {
    recover(parse(text)?)
}

/// A signed transaction from its EIP-2718 encoding, blob transactions with their sidecar.
///
/// # Errors
/// If it is no transaction or its signature is not valid.
pub fn decode_bytes(bytes: &[u8]) -> Result<Submission, RpcError> {
    recover(parse_bytes(bytes)?)
}

/// A transaction whose sender is not known yet, and its sidecar.
type Parsed = (Transaction, Option<Arc<BlobTransactionSidecarVariant>>);

fn parse(text: &str) -> Result<Parsed, RpcError> {
    if text.len() / 2 > limits::MAX_BLOB_TRANSACTION_SIZE_BYTES + limits::MAX_TRANSACTION_SIZE_BYTES {
        return Err(RpcError::server("oversized data"));
    }
    let Some(digits) = text.strip_prefix("0x") else {
        return Err(RpcError::invalid_params(
            "invalid argument 0: json: cannot unmarshal hex string without 0x prefix",
        ));
    };
    let bytes = hex::decode(digits)
        .map_err(|error| RpcError::invalid_params(format!("invalid argument 0: invalid hex string: {error}")))?;
    parse_bytes(&bytes)
}

fn parse_bytes(bytes: &[u8]) -> Result<Parsed, RpcError> {
    let malformed = |error: &dyn std::fmt::Display| RpcError::server(format!("rlp: {error}"));
    match bytes.first() {
        None => Err(RpcError::server("typed transaction too short")),
        Some(&BLOB_TYPE) => Ok(split(WithSidecar::decode_2718_exact(bytes).map_err(|error| malformed(&error))?)),
        Some(_) => Ok((Transaction::decode_2718_exact(bytes).map_err(|error| malformed(&error))?, None)),
    }
}

fn recover((transaction, sidecar): Parsed) -> Result<Submission, RpcError> {
    match recover_senders(&[&transaction], AllowedS::Low)[..] {
        [Ok(sender)] => {
            Ok(Submission { transaction: Arc::new(Recovered::new_unchecked(transaction, sender)), sidecar })
        }
        _ => Err(no_sender()),
    }
}

/// With the sender that somebody claims.
type Claimed = (Parsed, Option<Address>);

/// Parses on all cores and recovers senders together, in shares that stay in order.
fn recover_shares<T: Sync>(
    items: &[T],
    share: usize,
    parse: impl Fn(&T) -> Result<Claimed, RpcError> + Sync + Send,
    chain: &Chain,
) -> impl ParallelIterator<Item = Result<Submission, RpcError>> {
    let (stages, keys, arrived) = (chain.stages(), chain.keys(), Stopwatch::start());
    items.par_chunks(share).flat_map_iter(move |items| {
        // A copy, for many threads look at it.
        let mut arrived = arrived;
        stages.decode.wait(arrived.lap().wall);
        let parsed = measured(&stages.decode, items.len(), || items.iter().map(&parse).collect());
        measured(&stages.recover, items.len(), || recover_share(parsed, keys))
    })
}

/// Gives each transaction its sender. Failures pass through in their place.
fn recover_share(parsed: Vec<Result<Claimed, RpcError>>, keys: &KnownKeys) -> Vec<Result<Submission, RpcError>> {
    let claims = parsed.iter().flatten().map(|((transaction, _), claimed)| (transaction, *claimed));
    let mut senders = recover_claimed(&claims.collect::<Vec<_>>(), AllowedS::Low, keys).into_iter();
    let mut finish = |parsed: Result<Claimed, RpcError>| {
        let ((transaction, sidecar), _) = parsed?;
        let Some(Ok(sender)) = senders.next() else { return Err(no_sender()) };
        Ok(Submission { transaction: Arc::new(Recovered::new_unchecked(transaction, sender)), sidecar })
    };
    parsed.into_iter().map(&mut finish).collect()
}

fn no_sender() -> RpcError {
    RpcError::server("invalid sender")
}

fn split(with_sidecar: WithSidecar) -> (Transaction, Option<Arc<BlobTransactionSidecarVariant>>) {
    match with_sidecar {
        EthereumTxEnvelope::Eip4844(signed) => {
            let (inner, signature, hash) = signed.into_parts();
            let (inner, sidecar): (TxEip4844, _) = inner.into_parts();
            let signed = alloy_consensus::Signed::new_unchecked(inner, signature, hash);
            (EthereumTxEnvelope::Eip4844(signed), Some(Arc::new(sidecar)))
        }
        EthereumTxEnvelope::Legacy(signed) => (EthereumTxEnvelope::Legacy(signed), None),
        EthereumTxEnvelope::Eip2930(signed) => (EthereumTxEnvelope::Eip2930(signed), None),
        EthereumTxEnvelope::Eip1559(signed) => (EthereumTxEnvelope::Eip1559(signed), None),
        EthereumTxEnvelope::Eip7702(signed) => (EthereumTxEnvelope::Eip7702(signed), None),
    }
}
