//! A chain of its own for a test: anvil, with the contracts and somebody who has lent.

#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(unreachable_pub, reason = "it is a module of several test programs")]

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use alloy_primitives::{Address, B256, Bytes, FixedBytes, U256, b256, keccak256};
use alloy_sol_types::{SolCall, SolValue, sol};
use braid_microloans_chain::{
    Offer, Recorder, Schedule,
    contracts::{Instalment, LoanBook},
    rpc::Node,
};
use braid_suite::Artefact;
use serde_json::json;

sol! {
    struct Conditions {
        address token;
        bytes8 currency;
        uint8 minorDecimals;
        uint256 seniorRate;
        uint256 feeBasis;
        uint256 minJuniorBasis;
        uint256 cap;
        uint256 epoch;
        uint256 firstLossBasis;
        address sponsor;
    }

    function approve(address spender, uint256 amount) returns (bool);
    function balanceOf(address account) returns (uint256);
    function configureMinter(address minter, uint256 allowance);
    function deposit(uint256 assets, address receiver) returns (uint256);
    function junior() returns (address);
    function escrow() returns (address);
    function mint(address to, uint256 amount) returns (bool);
    function open(uint256 amount);
    function outstanding() returns (uint256);
    function earned() returns (uint256);
    function setAgent(address agent, bool isListed);
}

/// The first key of anvil's well-known mnemonic; its account has ether.
pub const KEY: B256 = b256!("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

/// In the token's smallest units.
pub const DOLLAR: u128 = 1_000_000;

/// The gas of each of the owner's transactions. Not an estimate: the pool works out its interest once a second, so that a
/// call needs more than was estimated if a second begins between the estimate and the block.
const GAS: &str = "0xb71b00";

/// Looks for a node that starts, or for a receipt: a minute and a half.
const LOOKS: u32 = 900;

/// A chain that ends with the test.
pub struct Chain {
    process: Child,
    pub url: String,
    pub node: Node,
    pub owner: Address,
    pub book: Address,
    pub journal: Address,
    pub pool: Address,
    pub token: Address,
}

impl Drop for Chain {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Chain {
    /// A chain without contracts.
    pub async fn bare() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(anvil())
            .args(["--port", &port.to_string(), "--silent"])
            .stdout(Stdio::null())
            .spawn()
            .expect("anvil starts: `make deps` installs it");
        let url = format!("http://127.0.0.1:{port}");
        let node = Node::new(&url).unwrap();
        let none = Address::ZERO;
        let mut chain = Self { process, url, node, owner: none, book: none, journal: none, pool: none, token: none };
        for _ in 0..LOOKS {
            if chain.node.chain_id().await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let accounts: Vec<Address> = chain.node.call("eth_accounts", json!([])).await.unwrap().unwrap();
        chain.owner = accounts[0];
        chain
    }

    /// A chain with a loan book and a pool that has a thousand dollars to lend. The owner does everything.
    pub async fn with_lender() -> Self {
        use braid_suite::artefact::{
            FX_HUB, JOURNAL_ANCHOR, LENDER_POOL, LOAN_BOOK, POLICY_REGISTRY, ROLE_GATE, SPONSORED_FORWARDER, STABLECOIN,
        };
        let mut chain = Self::bare().await;
        let owner = chain.owner;
        let registry = chain.deploy(POLICY_REGISTRY, &[]).await;
        let money =
            ("Dollar".to_owned(), "USD".to_owned(), "USD".to_owned(), registry, 1_u64, owner, U256::from(u64::MAX));
        chain.token = chain.deploy(STABLECOIN, &money.abi_encode_params()).await;
        let gate = chain.deploy(ROLE_GATE, &owner.abi_encode()).await;
        let rates = chain.deploy(FX_HUB, &gate.abi_encode()).await;
        let forwarder = chain.deploy(SPONSORED_FORWARDER, &gate.abi_encode()).await;
        chain.book = chain.deploy(LOAN_BOOK, &(gate, forwarder, rates).abi_encode_params()).await;
        chain.journal = chain.deploy(JOURNAL_ANCHOR, &gate.abi_encode()).await;
        let conditions = chain.conditions();
        let arguments = (gate, chain.book, conditions, "Loans".to_owned()).abi_encode_params();
        chain.pool = chain.deploy(LENDER_POOL, &arguments).await;
        chain.provide().await;
        chain
    }

    fn conditions(&self) -> Conditions {
        Conditions {
            token: self.token,
            currency: FixedBytes(*b"USD\0\0\0\0\0"),
            minorDecimals: 2,
            seniorRate: U256::from(8_000_000),
            feeBasis: U256::from(1_000),
            minJuniorBasis: U256::from(2_000),
            cap: U256::from(1_000_000 * DOLLAR),
            epoch: U256::from(604_800),
            firstLossBasis: U256::from(1_000),
            sponsor: self.owner,
        }
    }

    async fn provide(&self) {
        let (pool, token, owner) = (self.pool, self.token, self.owner);
        let junior = self.node.question(pool, &juniorCall {}).await.unwrap();
        let escrow = self.node.question(self.book, &escrowCall {}).await.unwrap();
        self.send(self.book, &LoanBook::setPoolCall { pool, isKnown: true }).await;
        self.send(escrow, &setAgentCall { agent: owner, isListed: true }).await;
        let plenty = U256::from(10_000 * DOLLAR);
        self.send(token, &configureMinterCall { minter: owner, allowance: plenty }).await;
        self.send(token, &mintCall { to: owner, amount: plenty }).await;
        for spender in [pool, junior] {
            self.send(token, &approveCall { spender, amount: U256::MAX }).await;
        }
        self.send(pool, &openCall { amount: U256::from(DOLLAR) }).await;
        self.send(junior, &depositCall { assets: U256::from(1_000 * DOLLAR), receiver: owner }).await;
    }

    pub async fn recorder(&self) -> Recorder {
        let node = Node::new(&self.url).unwrap();
        Recorder::new(node, KEY, self.book, self.journal).await.unwrap()
    }

    pub async fn deploy(&self, artefact: Artefact, arguments: &[u8]) -> Address {
        let code = Bytes::from([&artefact.code().unwrap()[..], arguments].concat());
        let request = json!({"from": self.owner, "data": code, "gas": GAS});
        let hash: B256 = self.node.call("eth_sendTransaction", json!([request])).await.unwrap().unwrap();
        self.included(hash).await["contractAddress"].as_str().unwrap().parse().unwrap()
    }

    /// The receipt, when there is one.
    async fn included(&self, hash: B256) -> serde_json::Value {
        for _ in 0..LOOKS {
            if let Some(receipt) = self.node.call("eth_getTransactionReceipt", json!([hash])).await.unwrap() {
                return receipt;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{hash} is in no block");
    }

    async fn send(&self, to: Address, call: &impl SolCall) {
        let data = Bytes::from(call.abi_encode());
        let request = json!({"from": self.owner, "to": to, "data": data, "gas": GAS});
        let hash: B256 = self.node.call("eth_sendTransaction", json!([request])).await.unwrap().unwrap();
        assert_eq!(self.included(hash).await["status"], "0x1");
    }

    pub async fn cheat(&self, method: &'static str, params: serde_json::Value) {
        let _: Option<serde_json::Value> = self.node.call(method, params).await.unwrap();
    }

    pub async fn balance(&self, account: Address) -> U256 {
        self.node.question(self.token, &balanceOfCall { account }).await.unwrap()
    }

    pub async fn outstanding(&self) -> U256 {
        self.node.question(self.pool, &outstandingCall {}).await.unwrap()
    }

    pub async fn earned(&self) -> U256 {
        self.node.question(self.pool, &earnedCall {}).await.unwrap()
    }

    /// An offer of a hundred dollars to somebody with a telephone, whom the owner pays.
    pub fn offer(&self) -> Offer {
        Offer {
            borrower: keccak256("a random word"),
            product: keccak256("product"),
            schedule: Schedule::new(&instalments()).unwrap().root(),
            key_facts: keccak256("key facts"),
            pair: B256::ZERO,
            pool: self.pool,
            currency: *b"USD\0\0\0\0\0",
            account: Address::ZERO,
            until: u64::MAX,
            payee: self.owner,
            principal: 100 * DOLLAR,
        }
    }
}

pub fn instalments() -> Vec<Instalment> {
    let one = |number| Instalment { number, due: 20_000, principal: 25 * DOLLAR, interest: DOLLAR, fees: 0 };
    (0..4).map(one).collect()
}

fn anvil() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    root.join("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
}
