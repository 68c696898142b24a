//! A node without transport that answers requests, on a chain of a few blocks.

use std::{fs, num::NonZeroUsize, path::Path, sync::Arc};

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_eips::eip2718::Encodable2718;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, bytes};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use braid_chain::{
    Chain, ChainOptions, Clock, Mining, Sequencer, SequencerOptions, Snapshot,
    genesis::system_contracts,
    state::{Cursor, StoreOptions},
};
use braid_pool::PoolConfig;
use braid_rpc::{DevAccounts, RpcContext, RpcOptions, method::Module, server};
use braid_types::{ChainSpec, Fork, Transaction};
use serde_json::{Value, json};

const CHAIN_ID: u64 = 31_337;
const GENESIS_TIME: u64 = 1_700_000_000;
const BLOCKS: u64 = 4;
const COUNTER: Address = Address::repeat_byte(0xcc);
/// Counts slot 0 up, logs and returns it: PUSH0 SLOAD PUSH1 1 ADD DUP1 PUSH0 SSTORE PUSH0 MSTORE PUSH1 1 PUSH1 32 PUSH0
/// LOG1 PUSH1 32 PUSH0 RETURN.
const COUNTER_CODE: Bytes = bytes!("5f5460010180 5f55 5f52 60016020 5fa1 60205ff3");

/// Sizes of the headers of a log segment and of a record in it, in bytes.
const SEGMENT_HEADER: usize = 32;
const RECORD_HEADER: usize = 24;

/// See the module.
pub struct Node {
    module: Module,
    runtime: tokio::runtime::Runtime,
    raw_transactions: Vec<Vec<u8>>,
    chain: Arc<Chain>,
    // Dropped last: the chain's files are in it.
    directory: tempfile::TempDir,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Node {
    /// Opens a chain in a temporary directory and makes some blocks.
    ///
    /// # Panics
    /// If the machine lets it down.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let chain = Arc::new(Chain::open(options(directory.path())).expect("a chain"));
        let clock: Clock = Arc::new(|| (GENESIS_TIME + 100) * 1_000);
        let sequencing = SequencerOptions {
            mining: Mining::Manual,
            gas_limit: 30_000_000,
            beneficiary: Address::ZERO,
            extra_data: Bytes::new(),
        };
        let sequencer = Sequencer::start(Arc::clone(&chain), sequencing, Arc::clone(&clock)).expect("a sequencer");
        let sequencer = Arc::new(sequencer);
        let accounts = DevAccounts::new(vec![signer()]);
        let context =
            RpcContext::new(Arc::clone(&chain), Some(Arc::clone(&sequencer)), RpcOptions::default(), accounts, clock);
        let module = server::methods(&context).expect("methods with different names");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        let mut node = Self { module, runtime, raw_transactions: Vec::new(), chain, directory };
        for nonce in 0..BLOCKS {
            let raw = raw_transaction(nonce);
            node.call("eth_sendRawTransaction", &json!([Bytes::from(raw.clone())]));
            node.raw_transactions.push(raw);
            sequencer.mine(1, None).expect("a block");
        }
        node
    }

    /// The manifest of a snapshot of the chain, and its first chunk.
    ///
    /// # Panics
    /// If there is none.
    pub fn snapshot(&self) -> Vec<Vec<u8>> {
        let snapshot = Snapshot::take(&self.chain, BLOCKS).expect("a snapshot");
        let (chunk, _) = snapshot.chunk(Cursor::default()).expect("a chunk");
        vec![snapshot.manifest().to_vec(), chunk]
    }

    /// Answers a request, which may be any text. An internal error is a broken promise: no request may cause one.
    ///
    /// # Panics
    /// If the answer is no JSON-RPC answer, or an internal error.
    pub fn request(&self, text: &str) {
        let Ok((answer, _)) = self.runtime.block_on(self.module.raw_json_request(text, 1)) else { return };
        let answer: Value = serde_json::from_str(answer.get()).expect("an answer is JSON");
        let error = &answer["error"];
        assert!(answer.get("result").is_some() != error.is_object(), "a result or an error: {answer}");
        assert_ne!(error["code"], -32603, "{text} caused {answer}");
    }

    /// The result of a call that must succeed.
    ///
    /// # Panics
    /// If it does not.
    pub fn call(&self, method: &str, params: &Value) -> Value {
        let text = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let (answer, _) = self.runtime.block_on(self.module.raw_json_request(&text, 1)).expect("a request");
        let mut answer: Value = serde_json::from_str(answer.get()).expect("an answer is JSON");
        assert!(answer.get("error").is_none(), "{text} caused {answer}");
        answer["result"].take()
    }

    /// Names of all methods.
    pub fn methods(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.module.method_names().collect();
        names.sort_unstable();
        names
    }

    /// Signed transactions that are in the chain.
    pub fn transactions(&self) -> Vec<Vec<u8>> {
        self.raw_transactions.clone()
    }

    /// The chain's blocks in RLP.
    ///
    /// # Panics
    /// If the node does not give them.
    pub fn blocks(&self) -> Vec<Vec<u8>> {
        let block = |number: u64| {
            let raw: Bytes = serde_json::from_value(self.call("debug_getRawBlock", &json!([format!("{number:#x}")])))
                .expect("a raw block is hex");
            raw.to_vec()
        };
        (0..=BLOCKS).map(block).collect()
    }

    /// The access lists of the chain's blocks in RLP.
    ///
    /// # Panics
    /// If the node does not give them.
    pub fn access_lists(&self) -> Vec<Vec<u8>> {
        let list = |number: u64| {
            let raw = self.call("debug_getRawBlockAccessList", &json!([format!("{number:#x}")]));
            serde_json::from_value::<Bytes>(raw).expect("a raw list is hex").to_vec()
        };
        (0..=BLOCKS).map(list).collect()
    }

    /// Payloads of the records in the chain's log.
    ///
    /// # Panics
    /// If the log cannot be read.
    pub fn records(&self) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        for file in files(self.directory.path()) {
            let bytes = fs::read(&file).expect("a readable file");
            if !bytes.starts_with(b"BRAIDLOG") {
                continue;
            }
            let mut rest = &bytes[SEGMENT_HEADER..];
            while rest.starts_with(b"BREC") {
                let length = u32::from_be_bytes(rest[4..8].try_into().expect("four bytes")) as usize;
                records.push(rest[RECORD_HEADER..RECORD_HEADER + length].to_vec());
                rest = &rest[RECORD_HEADER + length..];
            }
        }
        records
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a readable folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn signer() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::with_last_byte(1)).expect("a valid key")
}

/// The genesis of the node.
pub fn genesis() -> Genesis {
    let rich = GenesisAccount { balance: U256::from(10).pow(U256::from(24)), ..GenesisAccount::default() };
    let counter = GenesisAccount { code: Some(COUNTER_CODE), ..GenesisAccount::default() };
    let mut alloc = system_contracts(Fork::LATEST);
    alloc.extend([(signer().address(), rich), (COUNTER, counter)]);
    Genesis {
        config: ChainSpec::at_fork(CHAIN_ID, Fork::LATEST).config,
        gas_limit: 30_000_000,
        timestamp: GENESIS_TIME,
        base_fee_per_gas: Some(1_000_000_000),
        alloc,
        ..Genesis::default()
    }
}

fn options(directory: &Path) -> ChainOptions {
    ChainOptions {
        genesis: genesis(),
        directory: directory.to_owned(),
        // Without checkpoints in between, every block stays in the log.
        store: StoreOptions { checkpoint_interval_ms: 3_600_000, ..StoreOptions::default() },
        pool: PoolConfig::default(),
        threads: NonZeroUsize::MIN,
        is_dev: true,
    }
}

fn raw_transaction(nonce: u64) -> Vec<u8> {
    let transaction = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 100_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(COUNTER),
        value: U256::from(nonce),
        ..TxEip1559::default()
    };
    let signature = signer().sign_hash_sync(&transaction.signature_hash()).expect("a signature");
    Transaction::from(transaction.into_signed(signature)).encoded_2718()
}
