//! `braid replay`: real blocks of Ethereum's mainnet, each with the state its execution touches.
//!
//! The pre-state is not complete, so a state root cannot be checked. Gas used, receipts root and logs bloom can, and
//! together they pin every transaction's outcome. What the file says about itself is checked first: the header must
//! hash to the block's hash, the transactions to their root, and every signature must name its sender.

use std::{collections::BTreeMap, io::Read, num::NonZeroUsize, path::Path, process::ExitCode, sync::Arc};

use alloy_consensus::{
    Header,
    proofs::{calculate_receipt_root, calculate_transaction_root},
    transaction::SignerRecoverable,
};
use alloy_genesis::ChainConfig;
use alloy_primitives::{Address, B256, U256};
use braid_chain::process::block_context;
use braid_exec::{AccessListUse, Config, execute};
use braid_types::{ChainSpec, Fork, Height, RecoveredTx, Transaction};
use clap::Args;
use flate2::read::GzDecoder;
use revm::{
    DatabaseRef,
    bytecode::Bytecode,
    database_interface::DBErrorMarker,
    primitives::{StorageKey, StorageValue},
    state::AccountInfo,
};
use serde::Deserialize;

use super::{
    access_lists,
    fixture::{Account, Accounts},
    report::Case,
    suite::{self, SuiteArgs, guarded},
};

/// Bytes of JSON that one file may unpack to.
const MAX_FILE_SIZE_BYTES: u64 = 1 << 30;

/// Arguments of `braid replay`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    suite: SuiteArgs,
    /// Worker threads for each block [default: 1]
    #[arg(long, default_value = "1", hide_default_value = true)]
    threads: NonZeroUsize,
    /// Also makes each block's access list (EIP-7928), and executes the block from it
    #[arg(long)]
    access_lists: bool,
}

/// Runs the command, one block after the other.
///
/// # Errors
/// If threads cannot be started or the report cannot be printed.
pub(crate) fn run(args: &ReplayArgs) -> eyre::Result<ExitCode> {
    let spec = mainnet().map_err(|error| eyre::eyre!("mainnet's schedule: {error}"))?;
    let access_list = if args.access_lists { AccessListUse::Produce } else { AccessListUse::Ignore };
    let config = Config { threads: args.threads, access_list, ..Config::default() };
    suite::run(&args.suite, ".json.gz", NonZeroUsize::MIN, |path, content| {
        let verdict = guarded(|| replay(&read(path, content)?, &spec, &config));
        vec![Case::new("", verdict)]
    })
}

/// A block with the state it touches.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recording {
    block: RpcBlock,
    pre_state: Accounts,
    #[serde(default)]
    block_hashes: BTreeMap<Height, B256>,
}

type RpcBlock = alloy_rpc_types_eth::Block<alloy_rpc_types_eth::Transaction<Transaction>>;

/// Reads a recording; packed or plain, by the file's name.
fn read(path: &Path, content: &[u8]) -> Result<Recording, String> {
    if path.extension().is_none_or(|extension| extension != "gz") {
        return serde_json::from_slice(content).map_err(|error| format!("is malformed: {error}"));
    }
    let mut json = Vec::new();
    let unpacked = GzDecoder::new(content).take(MAX_FILE_SIZE_BYTES).read_to_end(&mut json);
    unpacked.map_err(|error| format!("cannot be unpacked: {error}"))?;
    serde_json::from_slice(&json).map_err(|error| format!("is malformed: {error}"))
}

fn replay(recording: &Recording, spec: &ChainSpec, config: &Config) -> Result<(), String> {
    let header = &recording.block.header.inner;
    let transactions = transactions(&recording.block)?;
    let fork = spec.fork_at(header.number, header.timestamp, U256::ZERO);
    let mut context = block_context(header, fork, spec);
    context.withdrawals = recording.block.withdrawals.clone().unwrap_or_default().into_inner();
    let state = PreState::new(&recording.pre_state, recording.block_hashes.clone(), fork)?;
    let outcome = execute(&context, &transactions, &state, config).map_err(|error| error.to_string())?;
    if outcome.gas_used != header.gas_used {
        return Err(gas_difference(header, outcome.gas_used));
    }
    if outcome.logs_bloom != header.logs_bloom {
        return Err("logs bloom differs".to_owned());
    }
    let receipts_root = calculate_receipt_root(&outcome.receipts);
    // Receipts before Byzantium hold state roots, which a partial state cannot give.
    if fork >= Fork::Byzantium && receipts_root != header.receipts_root {
        return Err(format!("receipts root is {receipts_root}, expected {}", header.receipts_root));
    }
    let Some(list) = &outcome.access_list else { return Ok(()) };
    let block = access_lists::Block { context: &context, transactions: &transactions, state: &state, config };
    access_lists::check(&block, &outcome, list).map_err(|reason| format!("access list: {reason}"))
}

fn gas_difference(header: &Header, gas_used: u64) -> String {
    format!("gas used is {gas_used}, expected {}", header.gas_used)
}

/// The transactions, after checking them and the header against the hashes that name them.
fn transactions(block: &RpcBlock) -> Result<Vec<RecoveredTx>, String> {
    let header = &block.header.inner;
    if header.hash_slow() != block.header.hash {
        return Err(format!("header hashes to {}, not to {}", header.hash_slow(), block.header.hash));
    }
    let full = block.transactions.as_transactions().ok_or("the block does not hold full transactions")?;
    let envelopes: Vec<_> = full.iter().map(|transaction| transaction.inner.inner().clone()).collect();
    if calculate_transaction_root(&envelopes) != header.transactions_root {
        return Err("transactions do not hash to the header's root".to_owned());
    }
    for (index, transaction) in full.iter().enumerate() {
        let signer = transaction.inner.inner().recover_signer_unchecked();
        if signer.ok() != Some(transaction.inner.signer()) {
            return Err(format!("transaction {index} is not signed by {}", transaction.inner.signer()));
        }
    }
    Ok(full.iter().map(|transaction| Arc::new(transaction.inner.clone())).collect())
}

/// The recorded accounts as revm reads them.
struct PreState {
    accounts: BTreeMap<Address, (AccountInfo, BTreeMap<U256, U256>)>,
    codes: BTreeMap<B256, Bytecode>,
    hashes: BTreeMap<Height, B256>,
}

impl PreState {
    fn new(accounts: &Accounts, hashes: BTreeMap<Height, B256>, fork: Fork) -> Result<Self, String> {
        let mut state = Self { accounts: BTreeMap::new(), codes: BTreeMap::new(), hashes };
        for (&address, account) in accounts {
            state.insert(address, account, fork)?;
        }
        Ok(state)
    }

    /// Adds an account. Since Spurious Dragon one that is empty was recorded because it was touched: none exists
    /// (EIP-161). Before, it existed.
    fn insert(&mut self, address: Address, account: &Account, fork: Fork) -> Result<(), String> {
        let braid_types::changes::AccountState { nonce, balance, code_hash } = account.state()?;
        let code = Bytecode::new_raw_checked(account.code()).map_err(|error| format!("code of {address}: {error}"))?;
        let info = AccountInfo { balance, nonce, code_hash, code: Some(code.clone()), ..AccountInfo::default() };
        let storage: BTreeMap<_, _> = account.storage.iter().map(|(slot, value)| (slot.0, value.0)).collect();
        if fork < Fork::SpuriousDragon || !info.is_empty() || !storage.is_empty() {
            self.codes.insert(code_hash, code);
            self.accounts.insert(address, (info, storage));
        }
        Ok(())
    }
}

/// The block asked for something that was not recorded.
#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error("the recording lacks code {0}")]
    Code(B256),
    #[error("the recording lacks the hash of block {0}")]
    BlockHash(Height),
}

impl DBErrorMarker for Missing {}

impl DatabaseRef for PreState {
    type Error = Missing;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Missing> {
        Ok(self.accounts.get(&address).map(|(info, _)| info.clone()))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, Missing> {
        self.codes.get(&hash).cloned().ok_or(Missing::Code(hash))
    }

    fn storage_ref(&self, address: Address, slot: StorageKey) -> Result<StorageValue, Missing> {
        let storage = self.accounts.get(&address).map(|(_, storage)| storage);
        Ok(storage.and_then(|storage| storage.get(&slot)).copied().unwrap_or_default())
    }

    fn block_hash_ref(&self, height: Height) -> Result<B256, Missing> {
        self.hashes.get(&height).copied().ok_or(Missing::BlockHash(height))
    }
}

/// When each fork began on Ethereum's mainnet, up to the newest that is recorded. Paris is given by its height, as the
/// recordings do not tell the total difficulty of the parent.
fn mainnet() -> Result<ChainSpec, braid_types::SpecError> {
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
