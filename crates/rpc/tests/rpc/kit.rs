//! A node without transport, and bare clients for HTTP and WebSocket.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_eips::eip2718::Encodable2718;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_network::TxSignerSync;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, hex};
use alloy_signer_local::PrivateKeySigner;
use braid_chain::{
    Chain, ChainOptions, Mining, Sequencer, SequencerOptions, genesis::system_contracts, state::StoreOptions,
};
use braid_pool::PoolConfig;
use braid_rpc::{DevAccounts, RpcContext, RpcOptions, ServerHandle, ServerOptions, method::Module, serve, server};
use braid_types::{ChainSpec, Fork, Transaction};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const CHAIN_ID: u64 = 31337;
pub(crate) const RECIPIENT: Address = address!("0x00000000000000000000000000000000000000aa");
pub(crate) const BENEFICIARY: Address = address!("0x00000000000000000000000000000000000000fe");
const GENESIS_TIME: u64 = 1_700_000_000;
const ETHER: u128 = 1_000_000_000_000_000_000;

/// Code that logs topic 0x2a without data, behind the code that deploys it.
pub(crate) const LOGGER_INIT: [u8; 17] = hex!("67602a60006000a10060005260086018f3");

pub(crate) fn signer(number: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::with_last_byte(number)).unwrap()
}

pub(crate) struct Node {
    pub(crate) context: Arc<RpcContext>,
    pub(crate) module: Module,
    // Dropped last: the chain's files are in it.
    _directory: TempDir,
}

impl Node {
    pub(crate) fn start(mining: Mining) -> Self {
        Self::with_options(mining, RpcOptions { namespaces: RpcOptions::dev_namespaces(), ..RpcOptions::default() })
    }

    pub(crate) fn with_options(mining: Mining, options: RpcOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let chain = Arc::new(open(directory.path()));
        let clock: braid_chain::sequencer::Clock = Arc::new(|| (GENESIS_TIME + 100) * 1_000);
        let sequencing =
            SequencerOptions { mining, gas_limit: 30_000_000, beneficiary: BENEFICIARY, extra_data: Bytes::new() };
        let sequencer = Arc::new(Sequencer::start(Arc::clone(&chain), sequencing, Arc::clone(&clock)).unwrap());
        let accounts = DevAccounts::new((1..=3).map(signer).collect());
        let context = RpcContext::new(chain, Some(sequencer), options, accounts, clock);
        let module = server::methods(&context).unwrap();
        Self { context, module, _directory: directory }
    }

    pub(crate) async fn serve(&self) -> ServerHandle {
        let routes: server::Routes =
            Arc::new(|path: &str| (path == "/health").then(|| server::HttpRoute::text(200, "ok")));
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = ServerOptions { address, routes: Some(routes), observer: None };
        serve(Arc::clone(&self.context), options).await.unwrap()
    }

    /// The result of a call, or its error object.
    pub(crate) async fn try_call(&self, method: &str, params: Value) -> Result<Value, Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let (response, _) = self.module.raw_json_request(&request, 1).await.unwrap();
        let mut response: Value = serde_json::from_str(response.get()).unwrap();
        match response.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(response["result"].take()),
        }
    }

    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        let answer = self.try_call(method, params.clone()).await;
        answer.unwrap_or_else(|error| panic!("{method}{params}: {error}"))
    }

    /// Code and message of the error a call must give.
    pub(crate) async fn refused(&self, method: &str, params: Value) -> (i64, String) {
        let error = self.try_call(method, params).await.unwrap_err();
        (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())
    }

    pub(crate) fn mine(&self) {
        self.context.sequencer.as_ref().unwrap().mine(1, None).unwrap();
    }

    /// Deploys the contract that logs, and returns its address.
    pub(crate) async fn deploy_logger(&self, nonce: u64) -> Value {
        let raw = raw_transaction(1, nonce, TxKind::Create, LOGGER_INIT.to_vec());
        let hash = self.call("eth_sendRawTransaction", json!([raw])).await;
        self.mine();
        self.call("eth_getTransactionReceipt", json!([hash])).await["contractAddress"].take()
    }
}

fn open(directory: &std::path::Path) -> Chain {
    let rich = |number| {
        let account = GenesisAccount { balance: U256::from(1_000 * ETHER), ..GenesisAccount::default() };
        (signer(number).address(), account)
    };
    let genesis = Genesis {
        config: ChainSpec::at_fork(CHAIN_ID, Fork::LATEST).config,
        gas_limit: 30_000_000,
        timestamp: GENESIS_TIME,
        base_fee_per_gas: Some(1_000_000_000),
        alloc: (1..=100).map(rich).chain(system_contracts(Fork::LATEST)).collect(),
        ..Genesis::default()
    };
    Chain::open(ChainOptions {
        genesis,
        directory: directory.to_owned(),
        store: StoreOptions::default(),
        pool: PoolConfig::default(),
        threads: NonZeroUsize::MIN,
        is_dev: true,
    })
    .unwrap()
}

/// A signed transaction, as `eth_sendRawTransaction` takes it.
pub(crate) fn raw_transaction(from: u8, nonce: u64, to: TxKind, input: Vec<u8>) -> String {
    let mut transaction = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 100_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to,
        value: U256::ZERO,
        input: input.into(),
        ..TxEip1559::default()
    };
    let signature = signer(from).sign_transaction_sync(&mut transaction).unwrap();
    hex::encode_prefixed(Transaction::from(transaction.into_signed(signature)).encoded_2718())
}

/// Status and body of an answer to bytes sent over a fresh connection.
pub(crate) async fn http(address: SocketAddr, head: &str, body: &str) -> (u16, String) {
    let request =
        format!("{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let exchange = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A server that refuses a body may reset the connection after its answer.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or("0").parse().unwrap();
        let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        (status, if is_chunked { dechunk(body) } else { body.to_owned() }, head.to_owned())
    };
    let (status, body, _) = tokio::task::spawn_blocking(exchange).await.unwrap();
    (status, body)
}

fn dechunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole.push_str(&rest[..length]);
        body = rest[length..].trim_start_matches("\r\n");
    }
    whole
}

pub(crate) async fn post(address: SocketAddr, body: &str) -> (u16, String) {
    http(address, "POST / HTTP/1.1\r\nContent-Type: application/json", body).await
}

/// The answer to a body that must be answered with JSON.
pub(crate) async fn post_json(address: SocketAddr, body: &str) -> Value {
    let (status, body) = post(address, body).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// A WebSocket client that sends short text frames and reads text frames.
pub(crate) struct WebSocket(TcpStream);

impl WebSocket {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let upgrade = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(upgrade.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    pub(crate) fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let length = u16::try_from(text.len()).unwrap();
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend(length.to_be_bytes());
        // A mask of zeros leaves the text as it is.
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.0.write_all(&frame).unwrap();
    }

    pub(crate) fn receive(&mut self) -> Value {
        loop {
            let [kind, short] = self.take::<2>();
            let length = match short & 0x7f {
                126 => usize::from(u16::from_be_bytes(self.take())),
                127 => usize::try_from(u64::from_be_bytes(self.take())).unwrap(),
                length => usize::from(length),
            };
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).unwrap();
            if kind & 0x0f == 1 {
                return serde_json::from_slice(&payload).unwrap();
            }
        }
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }
}
