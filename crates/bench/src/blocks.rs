//! Recorded blocks: real blocks of Ethereum's mainnet, each with the state its execution touches.
//!
//! A file is JSON, plain or packed with gzip by its name, with the members `block` (as `eth_getBlockByHash` returns it with
//! full transactions), `preState` (account by address: balance, nonce, code, storage) and `blockHashes` (by height). What a
//! file says about itself is checked: the header must hash to the block's hash, the transactions to their root, and every
//! signature must name its sender.

use std::{collections::BTreeMap, io::Read, path::Path, sync::Arc};

use alloy_consensus::{Header, proofs::calculate_transaction_root, transaction::SignerRecoverable};
use alloy_genesis::ChainConfig;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use braid_chain::process::block_context;
use braid_exec::BlockContext;
use braid_types::{ChainSpec, Fork, Height, RecoveredTx, SpecError, Transaction};
use flate2::read::GzDecoder;
use revm::{bytecode::Bytecode, state::AccountInfo};
use serde::Deserialize;

use crate::state::MemoryState;

/// Bytes of JSON that one file may unpack to.
const MAX_FILE_SIZE_BYTES: u64 = 1 << 30;

/// A recorded block, ready to be executed.
#[derive(Clone, Debug)]
pub struct RecordedBlock {
    /// What the block says it did.
    pub header: Header,
    /// What its execution depends on.
    pub context: BlockContext,
    /// Its transactions.
    pub transactions: Vec<RecoveredTx>,
    /// The accounts it touches, before it.
    pub state: MemoryState,
}

/// Why a recording cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be unpacked.
    #[error("cannot be unpacked: {0}")]
    Packed(#[source] std::io::Error),
    /// The file is not JSON of the right form.
    #[error("is malformed: {0}")]
    Malformed(#[source] serde_json::Error),
    /// The header is not that of the block it claims to be.
    #[error("header hashes to {found}, not to {claimed}")]
    HeaderHash {
        /// What it hashes to.
        found: B256,
        /// What the file says.
        claimed: B256,
    },
    /// The transactions are given by their hashes alone.
    #[error("the block does not hold full transactions")]
    NoTransactions,
    /// The transactions are not those of the header.
    #[error("transactions do not hash to the header's root")]
    TransactionsRoot,
    /// A transaction is not signed by the sender it names.
    #[error("transaction {index} is not signed by {sender}")]
    Signature {
        /// Its position in the block.
        index: usize,
        /// Whom it names.
        sender: Address,
    },
    /// The code of an account cannot be code.
    #[error("code of {0} is malformed")]
    Code(Address),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recording {
    block: RpcBlock,
    pre_state: BTreeMap<Address, Account>,
    #[serde(default)]
    block_hashes: BTreeMap<Height, B256>,
}

type RpcBlock = alloy_rpc_types_eth::Block<alloy_rpc_types_eth::Transaction<Transaction>>;

/// An account as it is recorded. Whatever is absent is zero or empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Account {
    balance: U256,
    nonce: U64,
    code: Bytes,
    storage: BTreeMap<U256, U256>,
}

type U64 = alloy_primitives::U64;

/// Reads the content of the file at `path`; packed if the name says so.
///
/// # Errors
/// If it is malformed or contradicts itself.
pub fn read(path: &Path, content: &[u8], spec: &ChainSpec) -> Result<RecordedBlock, RecordingError> {
    let recording: Recording = if path.extension().is_some_and(|extension| extension == "gz") {
        let mut json = Vec::new();
        let unpacked = GzDecoder::new(content).take(MAX_FILE_SIZE_BYTES).read_to_end(&mut json);
        unpacked.map_err(RecordingError::Packed)?;
        serde_json::from_slice(&json)
    } else {
        serde_json::from_slice(content)
    }
    .map_err(RecordingError::Malformed)?;
    let header = recording.block.header.inner.clone();
    let transactions = transactions(&recording.block)?;
    let fork = spec.fork_at(header.number, header.timestamp, U256::ZERO);
    let mut context = block_context(&header, fork, spec);
    context.withdrawals = recording.block.withdrawals.clone().unwrap_or_default().into_inner();
    let state = state(&recording, fork)?;
    Ok(RecordedBlock { header, context, transactions, state })
}

/// The transactions, after checking them and the header against the hashes that name them.
fn transactions(block: &RpcBlock) -> Result<Vec<RecoveredTx>, RecordingError> {
    let header = &block.header.inner;
    let (found, claimed) = (header.hash_slow(), block.header.hash);
    if found != claimed {
        return Err(RecordingError::HeaderHash { found, claimed });
    }
    let full = block.transactions.as_transactions().ok_or(RecordingError::NoTransactions)?;
    let envelopes: Vec<_> = full.iter().map(|transaction| transaction.inner.inner().clone()).collect();
    if calculate_transaction_root(&envelopes) != header.transactions_root {
        return Err(RecordingError::TransactionsRoot);
    }
    for (index, transaction) in full.iter().enumerate() {
        let signer = transaction.inner.inner().recover_signer_unchecked();
        let sender = transaction.inner.signer();
        if signer.ok() != Some(sender) {
            return Err(RecordingError::Signature { index, sender });
        }
    }
    Ok(full.iter().map(|transaction| Arc::new(transaction.inner.clone())).collect())
}

/// The recorded accounts. Since Spurious Dragon one that is empty was recorded because it was touched: none exists
/// (EIP-161). Before, it existed.
fn state(recording: &Recording, fork: Fork) -> Result<MemoryState, RecordingError> {
    let mut state = MemoryState::default();
    for (&height, &hash) in &recording.block_hashes {
        state.insert_hash(height, hash);
    }
    for (&address, account) in &recording.pre_state {
        let code = Bytecode::new_raw_checked(account.code.clone()).map_err(|_| RecordingError::Code(address))?;
        let info = AccountInfo {
            balance: account.balance,
            nonce: account.nonce.to(),
            code_hash: keccak256(&account.code),
            code: Some(code),
            ..AccountInfo::default()
        };
        if fork < Fork::SpuriousDragon || !info.is_empty() || !account.storage.is_empty() {
            state.insert(address, info, account.storage.iter().map(|(&slot, &value)| (slot, value)));
        }
    }
    Ok(state)
}

/// When each fork began on Ethereum's mainnet, up to the newest that is recorded. Paris is given by its height, as the
/// recordings do not tell the total difficulty of the parent.
///
/// # Errors
/// None, as long as the list is in order.
pub fn mainnet() -> Result<ChainSpec, SpecError> {
    ChainSpec::from_config(&ChainConfig {
        chain_id: 1,
        homestead_block: Some(1_150_000),
        dao_fork_block: Some(1_920_000),
        dao_fork_support: true,
        eip150_block: Some(2_463_000),
        eip155_block: Some(2_675_000),
        eip158_block: Some(2_675_000),
        byzantium_block: Some(4_370_000),
        constantinople_block: Some(7_280_000),
        petersburg_block: Some(7_280_000),
        istanbul_block: Some(9_069_000),
        muir_glacier_block: Some(9_200_000),
        berlin_block: Some(12_244_000),
        london_block: Some(12_965_000),
        arrow_glacier_block: Some(13_773_000),
        gray_glacier_block: Some(15_050_000),
        merge_netsplit_block: Some(15_537_394),
        shanghai_time: Some(1_681_338_455),
        cancun_time: Some(1_710_338_135),
        prague_time: Some(1_746_612_311),
        osaka_time: Some(1_764_798_551),
        ..ChainConfig::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mainnet_forks_begin_where_they_did() {
        let spec = mainnet().unwrap();
        let fork = |height, time| spec.fork_at(height, time, U256::ZERO);
        for (height, time, expected) in [
            (46_147, 0, Fork::Frontier),
            (1_150_000, 0, Fork::Homestead),
            (2_462_999, 0, Fork::Homestead),
            (2_674_999, 0, Fork::Tangerine),
            (4_369_999, 0, Fork::SpuriousDragon),
            (4_370_000, 0, Fork::Byzantium),
            (7_280_000, 0, Fork::Petersburg),
            (12_243_999, 0, Fork::MuirGlacier),
            (15_537_393, 0, Fork::GrayGlacier),
            (15_537_394, 1_663_224_179, Fork::Paris),
            (17_034_870, 1_681_338_455, Fork::Shanghai),
            (19_426_587, 1_710_338_135, Fork::Cancun),
        ] {
            assert_eq!(fork(height, time), expected, "{height}");
        }
    }
}
