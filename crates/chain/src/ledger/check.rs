//! What an ordered block's transactions must satisfy before anybody votes for it.
//!
//! A function of the bytes and the genesis alone, so that validators at different heights agree: limits are the genesis's, and the fork is
//! the newest in the schedule. What an earlier fork does not allow is left out when the block is executed.

use std::{collections::HashSet, sync::Arc};

use alloy_consensus::{
    Signed, Transaction as _, TxEip1559,
    transaction::{Recovered, RlpEcdsaDecodableTx as _, RlpEcdsaEncodableTx as _},
};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, B256, Bytes};
use braid_keccak::hash_all;
use braid_pool::{Pool, PoolConfig, PoolRules};
use braid_signatures::{AllowedS, KnownKeys, claimed_batch_size, recover_claimed};
use braid_types::{RecoveredTx, Transaction, block::impersonation_signature, limits::MAX_ORDERED_BLOCK_SIZE_BYTES};
use rayon::prelude::*;

use super::LedgerError;
use crate::chain::Chain;

/// EIP-2718 type of blob transactions.
const BLOB_TYPE: u8 = 3;

/// Transactions that a thread hashes at once: some tens of microseconds.
const HASHED_AT_ONCE: usize = 128;

/// See [`super::Ledger::check`].
pub(super) fn check(chain: &Chain, raw: &[Bytes], claimed: &[Address]) -> Result<Vec<RecoveredTx>, LedgerError> {
    check_size(raw)?;
    let hashes: Vec<B256> = raw.par_chunks(HASHED_AT_ONCE).flat_map_iter(hash_all).collect();
    let known = pooled(chain, &hashes);
    let new: Vec<New<'_>> = (0..)
        .zip(raw)
        .zip(hashes)
        .zip(&known)
        .filter(|(_, known)| known.is_none())
        .map(|(((index, bytes), hash), _)| New { index, bytes, hash, claimed: claimed.get(index).copied() })
        .collect();
    let rules = rules(chain);
    let share = claimed_batch_size(new.len(), rayon::current_num_threads());
    let decoded: Vec<_> = new.par_chunks(share).flat_map_iter(|share| decode_all(share, chain.keys())).collect();
    let mut decoded = decoded.into_iter();
    let missing = |index| LedgerError::Signature { index };
    let either = |(index, known): (usize, Option<RecoveredTx>)| match known {
        Some(known) => Ok(known),
        None => decoded.next().ok_or_else(|| missing(index))?,
    };
    let transactions: Vec<RecoveredTx> = known.into_iter().enumerate().map(either).collect::<Result<_, _>>()?;
    for (index, transaction) in transactions.iter().enumerate() {
        check_one(&rules, index, transaction)?;
    }
    check_together(&rules, &transactions)?;
    Ok(transactions)
}

fn check_size(raw: &[Bytes]) -> Result<(), LedgerError> {
    let found = raw.iter().map(|bytes| bytes.len()).sum();
    let limit = MAX_ORDERED_BLOCK_SIZE_BYTES;
    if found > limit {
        return Err(LedgerError::Size { found, limit });
    }
    if let Some(index) = raw.iter().position(|bytes| bytes.is_empty()) {
        return Err(LedgerError::Malformed { index, reason: "no bytes".to_owned() });
    }
    match raw.iter().position(|bytes| bytes.first() == Some(&BLOB_TYPE)) {
        None => Ok(()),
        Some(index) => Err(LedgerError::Blob { index }),
    }
}

/// For each of `hashes`, the pool's transaction, whose sender is known already.
fn pooled(chain: &Chain, hashes: &[B256]) -> Vec<Option<RecoveredTx>> {
    let pool = chain.pool().lock();
    // An impersonated sender, which development nodes allow, has signed nothing.
    let is_signed = |tx: &RecoveredTx| *tx.signature() != impersonation_signature(tx.signer());
    hashes.iter().map(|hash| pool.get(*hash).filter(is_signed)).collect()
}

/// A transaction whose sender is not known.
#[derive(Clone, Copy)]
struct New<'a> {
    index: usize,
    bytes: &'a [u8],
    hash: B256,
    claimed: Option<Address>,
}

/// Decodes transactions and recovers their senders together.
fn decode_all(new: &[New<'_>], keys: &KnownKeys) -> Vec<Result<RecoveredTx, LedgerError>> {
    let decoded: Vec<Result<Transaction, LedgerError>> = new.iter().map(decode).collect();
    let claimed: Vec<_> =
        decoded.iter().zip(new).filter_map(|(decoded, new)| Some((decoded.as_ref().ok()?, new.claimed))).collect();
    let mut senders = recover_claimed(&claimed, AllowedS::Low, keys).into_iter();
    let mut finish = |(decoded, new): (Result<Transaction, LedgerError>, &New<'_>)| {
        let transaction = decoded?;
        let Some(Ok(sender)) = senders.next() else { return Err(LedgerError::Signature { index: new.index }) };
        Ok(Arc::new(Recovered::new_unchecked(transaction, sender)))
    };
    decoded.into_iter().zip(new).map(&mut finish).collect()
}

fn decode(new: &New<'_>) -> Result<Transaction, LedgerError> {
    let New { index, bytes, hash, .. } = *new;
    if let Some(transaction) = decode_hashed(bytes, hash) {
        return Ok(transaction);
    }
    let malformed =
        |error: alloy_eips::eip2718::Eip2718Error| LedgerError::Malformed { index, reason: error.to_string() };
    Transaction::decode_2718_exact(bytes).map_err(malformed)
}

/// The same for what most transactions are, whose bytes are not hashed again. `None` says nothing of what the bytes are.
pub(super) fn decode_hashed(bytes: &[u8], hash: B256) -> Option<Transaction> {
    let (&TxEip1559::DEFAULT_TX_TYPE, mut rest) = bytes.split_first()? else { return None };
    let (transaction, signature) = TxEip1559::rlp_decode_with_signature(&mut rest).ok()?;
    let is_whole = rest.is_empty() && transaction.eip2718_encoded_length(&signature) == bytes.len();
    is_whole.then(|| Signed::new_unchecked(transaction, signature, hash).into())
}

fn check_one(rules: &PoolRules, index: usize, transaction: &RecoveredTx) -> Result<(), LedgerError> {
    // The tip that a node's own pool asks for is no rule of the chain.
    let config = PoolConfig { min_tip: 0, ..PoolConfig::default() };
    Pool::check(rules, &config, transaction, None).map_err(|reason| LedgerError::Invalid { index, reason })
}

fn check_together(rules: &PoolRules, transactions: &[RecoveredTx]) -> Result<(), LedgerError> {
    let (mut gas_left, mut seen) = (rules.gas_limit, HashSet::with_capacity(transactions.len()));
    for transaction in transactions {
        let left = gas_left.checked_sub(transaction.gas_limit());
        gas_left = left.ok_or(LedgerError::Gas { limit: rules.gas_limit })?;
        let hash = *transaction.tx_hash();
        if !seen.insert(hash) {
            return Err(LedgerError::Duplicate { hash });
        }
    }
    Ok(())
}

/// The rules that hold for every ordered block of the chain.
fn rules(chain: &Chain) -> PoolRules {
    let spec = chain.spec();
    PoolRules {
        chain_id: spec.chain_id,
        fork: spec.newest_fork(),
        gas_limit: chain.head().block.block.header.gas_limit,
        base_fee: 0,
        blob_base_fee: 0,
        blob_params: None,
    }
}

/// Keeps of `transactions`, in which a sender's nonces ascend, those that [`check`] would let pass.
pub(super) fn retain_valid(chain: &Chain, transactions: &mut Vec<RecoveredTx>) {
    let (rules, mut ended) = (rules(chain), HashSet::new());
    transactions.retain(|transaction| {
        let is_valid = !ended.contains(&transaction.signer()) && check_one(&rules, 0, transaction).is_ok();
        if !is_valid {
            ended.insert(transaction.signer());
        }
        is_valid
    });
}
