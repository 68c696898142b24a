//! The lending service beside a development chain: what the chain is told while it is there, while it is not, and after it was killed; and what lenders,
//! donors and auditors see of it on pages.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[path = "../../../apps/microloans/faces/tests/pages/support/mod.rs"]
mod support;

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use alloy_primitives::{Address, B256, U256, address, keccak256};
use alloy_sol_types::{SolCall, sol};
use braid_microloans_chain::{
    Recorder,
    contracts::{DonationFund, LenderPool, Loan, LoanBook, STATES, Token},
    rpc::Node,
};
use braid_microloans_ledger::{chain, journal::seal};
use braid_microloans_service::{Clock, worker::Watch};
use braid_suite::Suite;
use jiff::SignedDuration;
use serde_json::{Value, json};
use support::{
    Browser, Stage,
    service::{self, Client, Till},
};

/// The first account of every development node, whose suite it is.
const OWNER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
const OWNER_KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/// A cent in the token's units.
const CENT: u128 = 10_000;
/// Looks for something that is to happen, ten in a second: three minutes.
const LOOKS: u32 = 1_800;

/// A development chain that is killed with the test.
struct Chain(Child);

impl Drop for Chain {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Chain {
    /// Starts it on its data, or goes on with them, and waits until it answers.
    async fn start(port: u16, data: &Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_braid"))
            .args(["dev", "--port", &port.to_string(), "--datadir", &data.display().to_string()])
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (chain, node) = (Self(child), node(port));
        until("the chain answers", async || node.chain_id().await.is_ok().then_some(())).await;
        chain
    }
}

fn node(port: u16) -> Node {
    Node::new(format!("http://127.0.0.1:{port}")).unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what}: not within three minutes");
}

fn at(suite: &Suite, name: &str) -> Address {
    suite.find(name).unwrap().address
}

/// What is said of the chain in the service's configuration. It comes after a table of a product, so it is one of its own.
fn config(suite: &Suite, port: u16, folder: &Path) -> String {
    let key = folder.join("key");
    std::fs::write(&key, OWNER_KEY).unwrap();
    format!(
        "\n[chain]\nrpc = \"http://127.0.0.1:{port}\"\nkey_file = \"{}\"\nbook = \"{}\"\njournal = \"{}\"\ndonations = \"{}\"\n\
         purposes = [\"women tailors, Lagos\"]\n[chain.pools]\nKES = \"{}\"\n",
        key.display(),
        at(suite, "Loan-Book"),
        at(suite, "Loan-Journal"),
        at(suite, "Donations"),
        at(suite, "Loans-KES"),
    )
}

/// A service whose clock is two days late, so that its days are over on the chain.
async fn stage(more: &str) -> Stage {
    let two_days_ago = Clock::System.now().saturating_sub(SignedDuration::from_hours(48)).unwrap();
    Stage::with(more, Clock::manual(two_days_ago)).await
}

/// What the chain knows of a loan.
async fn on_chain(stage: &Stage, node: &Node, book: Address, id: &str) -> Option<Loan> {
    let linked = chain::linked(&mut stage.app.read().await.unwrap(), &id.parse().unwrap()).await.unwrap()?;
    let loan: B256 = linked.word.parse().unwrap();
    node.question(book, &LoanBook::loanOfCall { loan }).await.ok()
}

async fn until_state(stage: &Stage, node: &Node, book: Address, id: &str, state: &str) -> Loan {
    until(state, async || {
        let loan = on_chain(stage, node, book, id).await?;
        (STATES[usize::from(loan.state)] == state).then_some(loan)
    })
    .await
}

/// Waits until the chain has everything that the books have.
async fn until_told(client: &Client) {
    until("the chain knows everything", async || {
        let metrics = client.get("auditor", "/metrics").await;
        let metrics = metrics.as_str().unwrap();
        ["braid_loans_chain_outbox 0\n", "braid_loans_chain_untold 0\n"]
            .iter()
            .all(|line| metrics.contains(line))
            .then_some(())
    })
    .await;
}

/// What the books say was paid of a loan, in minor units.
async fn paid(stage: &Stage, id: &str) -> [u128; 2] {
    let events = stage.client.get("auditor", &format!("/v1/loans/{id}/events")).await;
    let allocated = || events.as_array().unwrap().iter().filter(|event| event["kind"] == "PaymentAllocated");
    ["principal", "interest"].map(|part| {
        allocated().map(|event| event["data"][part].as_str().unwrap().replace('.', "").parse::<u128>().unwrap()).sum()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_is_told_of_loans_whenever_it_is_there() {
    let (suite, data, port) = (Suite::new(OWNER).unwrap(), tempfile::tempdir().unwrap(), free_port());
    let (node, book) = (node(port), at(&suite, "Loan-Book"));
    // A chain does not begin in a folder with something else in it.
    let keys = tempfile::tempdir().unwrap();
    // The service begins without a chain: an offer is made and accepted, and no money leaves.
    let stage = stage(&config(&suite, port, keys.path())).await;
    stage.client.deposit("50000", "bank-1").await;
    let loan = stage.client.accepted("+254700000001").await;
    let id = loan["id"].as_str().unwrap();
    stage.client.until(id, "funded").await;
    let (status, problem) = stage.client.refused("treasurer", &format!("/v1/loans/{id}/disburse"), json!({})).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem.to_string().contains("the chain does not know yet"), "{problem}");

    let running = Chain::start(port, data.path()).await;
    stage.client.until(id, "active").await;
    let told = until_state(&stage, &node, book, id, "active").await;
    until_told(&stage.client).await;
    let facts = stage.client.get("gateway", &format!("/v1/loans/{id}/key-facts")).await;
    let key_facts: B256 = facts["key_facts_hash"].as_str().unwrap().parse().unwrap();
    assert_eq!((told.terms.keyFacts, told.terms.principal), (key_facts, 1_000_000 * CENT));
    assert_eq!(told.outstanding, 1_000_000 * CENT);

    // The chain is killed. What comes in is booked all the same.
    drop(running);
    stage.repay(id, "1900").await;
    let [principal, interest] = paid(&stage, id).await;
    assert!(principal + interest > 0, "it was booked without the chain");

    let running = Chain::start(port, data.path()).await;
    until_told(&stage.client).await;
    let told = on_chain(&stage, &node, book, id).await.unwrap();
    assert_eq!((told.paid.principal, told.paid.interest), (principal * CENT, interest * CENT));
    assert_eq!(told.paid.fees, 20_000 * CENT, "what was kept back from the payout");

    // All the rest, and more: the loan is closed on the chain as in the books.
    stage.repay(id, "12000").await;
    until_told(&stage.client).await;
    let [principal, interest] = paid(&stage, id).await;
    let told = on_chain(&stage, &node, book, id).await.unwrap();
    assert_eq!((told.outstanding, told.paid.principal), (0, principal * CENT));
    assert_eq!(told.paid.interest, interest * CENT);
    let state = stage.client.get("auditor", &format!("/v1/loans/{id}")).await["state"].clone();
    assert_eq!(Value::from(STATES[usize::from(told.state)]), state);
    let outstanding = node.question(at(&suite, "Loans-KES"), &LenderPool::outstandingCall {}).await.unwrap();
    assert_eq!(outstanding, U256::ZERO, "the lenders have everything back");

    anchored(&stage).await;
    let mut auditor = stage.staff("auditor").await;
    assert!(page(&mut auditor, "/audit/days?lang=en").await.contains("The same, since"));
    assert!(page(&mut auditor, "/audit/journal/1?lang=en").await.contains("The chain proves this entry too"));
    let token = node.question(at(&suite, "Loans-KES"), &LenderPool::tokenCall {}).await.unwrap();
    let pool = Token::balanceOfCall { account: at(&suite, "Loans-KES") };
    assert!(node.question(token, &pool).await.unwrap() > U256::ZERO);
    drop(running);
}

/// The day ends, its seal is anchored, and the auditor sees the chain's answer.
async fn anchored(stage: &Stage) {
    stage.clock.advance(SignedDuration::from_hours(24));
    let link = stage.app.chain.clone().unwrap();
    let (proof, seal) = until("the day is sealed and anchored", async || {
        let proof = seal::prove(&mut stage.app.read().await.unwrap(), 1).await.ok()?;
        let seal = link.seal_of(proof.day.parse().unwrap()).await.ok()??;
        Some((proof, seal))
    })
    .await;
    assert_eq!(proof.root, const_hex::encode(seal.root));
    let day = proof.day.parse().unwrap();
    let path: Vec<B256> = proof.proof.path.iter().map(|hash| hash.parse().unwrap()).collect();
    assert!(link.is_anchored(day, 1, proof.leaf.parse().unwrap(), path.clone()).await.unwrap());
    assert!(!link.is_anchored(day, 1, B256::ZERO, path).await.unwrap());
}

sol! {
    function setMerchant(address merchant, bool isListed);
    function issue(bytes32 donation, bytes32 lock, bytes32 beneficiary, address merchant, uint256 amount, uint64 until);
    function redeem(bytes32 secret);
}

/// Somebody with a wallet.
struct Wallet {
    recorder: Recorder,
    address: Address,
}

impl Wallet {
    async fn open(node: &Node, key: &str) -> Self {
        let recorder = Recorder::new(node.clone(), key.parse().unwrap(), Address::ZERO, Address::ZERO).await.unwrap();
        let address = recorder.address();
        Self { recorder, address }
    }

    async fn send(&self, to: Address, call: &impl SolCall) {
        self.recorder.transact(to, &call.abi_encode().into()).await.unwrap();
    }

    /// Signs what a page has prepared, in its order; returns how many transactions that were.
    async fn sign(&self, page: &str) -> usize {
        let values = |class: &str| -> Vec<String> {
            let parts = page.split(class).skip(1);
            parts.map(|part| part.split(['>', '<']).nth(1).unwrap().to_owned()).collect()
        };
        let (to, data) = (values("sign-to\""), values("sign-data\""));
        assert!(!to.is_empty() && to.len() == data.len(), "{page}");
        for (to, data) in to.iter().zip(&data) {
            self.recorder.transact(to.parse().unwrap(), &data.parse().unwrap()).await.unwrap();
        }
        to.len()
    }
}

const BOB_KEY: &str = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const CAROL_KEY: &str = "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";

/// The promise of every page.
const MAX_PAGE_BYTES: usize = 100_000;

async fn page(browser: &mut Browser, path: &str) -> String {
    let page = browser.get(path).await;
    assert_eq!(page.status, 200, "{path}: {}", page.text);
    assert!(page.text.len() < MAX_PAGE_BYTES && !page.text.contains("<script"), "{path}");
    assert!(!page.text.contains('{'), "{path}: a value is missing");
    page.text
}

#[tokio::test(flavor = "multi_thread")]
async fn lenders_and_donors_sign_by_their_own_wallets_what_pages_prepare() {
    let (suite, data, port) = (Suite::new(OWNER).unwrap(), tempfile::tempdir().unwrap(), free_port());
    let node = node(port);
    let _running = Chain::start(port, data.path()).await;
    let stage = stage(&config(&suite, port, data.path())).await;
    let mut browser = stage.browser();
    for language in ["sw", "ha", "yo", "tw", "hi", "en"] {
        for path in ["/lend", "/lend/KES", "/donate"] {
            page(&mut browser, &format!("{path}?lang={language}")).await;
        }
    }
    assert_eq!(browser.get("/lend/XXX").await.status, 404);
    lend(&suite, &node, &mut browser).await;
    donate(&suite, &node, &mut browser).await;
}

/// A deposit, and half of it back when the round is over.
async fn lend(suite: &Suite, node: &Node, browser: &mut Browser) {
    let bob = Wallet::open(node, BOB_KEY).await;
    let account = bob.address;
    let token = node.question(at(suite, "Loans-KES"), &LenderPool::tokenCall {}).await.unwrap();
    let balance = async || node.question(token, &Token::balanceOfCall { account }).await.unwrap();
    let ask =
        |what: &str, amount: &str| format!("/lend/KES?account={account}&tranche=junior&what={what}&amount={amount}");
    let before = balance().await;
    let wrong = page(browser, &ask("deposit", "999999999999")).await;
    assert!(wrong.contains("At most") && !wrong.contains("sign-data"), "{wrong}");
    let prepared = page(browser, &ask("deposit", "1000")).await;
    assert!(prepared.contains(&format!("ethereum:{token}@31337/approve?address=")), "{prepared}");
    assert_eq!(bob.sign(&prepared).await, 2, "an allowance and the deposit");
    let kes = |units: u64| U256::from(units) * U256::from(1_000_000);
    assert_eq!(before - balance().await, kes(1_000));
    let held = page(browser, &ask("", "")).await;
    assert!(held.contains("KES\u{a0}999.99") || held.contains("KES\u{a0}1,000"), "{held}");

    bob.sign(&page(browser, &ask("leave", "500")).await).await;
    let _: Option<Value> = node.call("evm_increaseTime", json!([7 * 86_400])).await.unwrap();
    let _: Option<Value> = node.call("evm_mine", json!([])).await.unwrap();
    bob.sign(&page(browser, &ask("close", "")).await).await;
    bob.sign(&page(browser, &ask("fetch", "")).await).await;
    let back = balance().await + kes(1_000) - before;
    assert!(back <= kes(500) && back + U256::from(CENT) >= kes(500), "{back}: half of it, but for what rounding takes");
}

/// A donation that reaches a merchant, who was shown a voucher.
async fn donate(suite: &Suite, node: &Node, browser: &mut Browser) {
    let [bob, carol] = [Wallet::open(node, BOB_KEY).await, Wallet::open(node, CAROL_KEY).await];
    let owner = Wallet::open(node, OWNER_KEY).await;
    let fund = at(suite, "Donations");
    let purpose = keccak256("women tailors, Lagos");
    let path = format!("/donate?account={}&currency=KES&purpose={purpose}&amount=500&days=30", bob.address);
    let prepared = page(browser, &path).await;
    assert_eq!(bob.sign(&prepared).await, 2, "an allowance and the donation");
    let donation: B256 = prepared.split("/donate/").nth(1).unwrap()[..66].parse().unwrap();
    let followed = format!("/donate/{donation}");
    assert!(page(browser, &followed).await.contains("No voucher has been given out"));

    let secret = keccak256("shown in the shop");
    let (lock, beneficiary) = (keccak256(secret), keccak256("a random word"));
    let amount = U256::from(200) * U256::from(1_000_000);
    owner.send(fund, &setMerchantCall { merchant: carol.address, isListed: true }).await;
    let found = node.question(fund, &DonationFund::donationOfCall { donation }).await.unwrap();
    let voucher = issueCall { donation, lock, beneficiary, merchant: carol.address, amount, until: found.until };
    owner.send(fund, &voucher).await;
    assert!(page(browser, &followed).await.contains("Not used yet"));
    carol.send(fund, &redeemCall { secret }).await;
    let text = page(browser, &followed).await;
    assert!(text.contains("Merchant paid") && text.contains(&carol.address.to_string()), "{text}");
    assert!(text.contains("KES\u{a0}200") && text.contains("KES\u{a0}300"), "{text}");
    assert!(page(browser, "/donate").await.contains("women tailors, Lagos"));
}

/// Tells the process that is killed where its books are.
const FOLDER: &str = "BRAID_TEST_CHAIN_FOLDER";

/// The service as a process of its own, which is killed with the test.
struct Service {
    child: Child,
    client: Client,
}

impl Drop for Service {
    fn drop(&mut self) {
        // SIGKILL, on every Unix.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "the_service_that_is_killed", "--nocapture"]).env(FOLDER, folder);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let base = lines.filter_map(|line| Some(format!("http://{}", line.split_once("http://")?.1))).next().unwrap();
        Self { child, client: Client::new(base) }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is started by the other test"]
async fn the_service_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let app = service::open(&folder.join("service.toml"), &Till::new(folder), Clock::System, Watch::default()).await;
    println!("{}", service::start(app).await.base);
    std::future::pending().await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_sending_and_noting_the_service_tells_nothing_twice() {
    let (suite, data, port) = (Suite::new(OWNER).unwrap(), tempfile::tempdir().unwrap(), free_port());
    let node = node(port);
    let _running = Chain::start(port, data.path()).await;
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}?mode=rwc", folder.path().join("books.sqlite").display());
    let path = service::write_config(folder.path(), &database);
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + &config(&suite, port, folder.path())).unwrap();
    let running = Service::start(folder.path());
    running.client.deposit("50000", "bank-1").await;
    let loan = running.client.accepted("+254700000001").await;
    let id = loan["id"].as_str().unwrap();
    running.client.until(id, "active").await;
    until_told(&running.client).await;

    let token = node.question(at(&suite, "Loans-KES"), &LenderPool::tokenCall {}).await.unwrap();
    let balance = async || node.question(token, &Token::balanceOfCall { account: OWNER }).await.unwrap();
    let (before, nonce) = (balance().await, node.nonce(OWNER).await.unwrap());
    let _: Option<Value> = node.call("evm_setAutomine", json!([false])).await.unwrap();
    running.client.post("gateway", &format!("/v1/loans/{id}/collect"), json!({"amount": "1900"})).await;
    // It waits for a block.
    until("the payment is on its way to the chain", async || (node.nonce(OWNER).await.ok()? > nonce).then_some(()))
        .await;
    drop(running);
    assert_eq!(balance().await, before, "it is in no block yet");
    let _: Option<Value> = node.call("evm_mine", json!([])).await.unwrap();
    let _: Option<Value> = node.call("evm_setAutomine", json!([true])).await.unwrap();

    let again = Service::start(folder.path());
    until_told(&again.client).await;
    let events = again.client.get("auditor", &format!("/v1/loans/{id}/events")).await;
    let allocated = events.as_array().unwrap().iter().filter(|event| event["kind"] == "PaymentAllocated");
    let paid: u128 = allocated
        .flat_map(|event| ["principal", "interest"].map(|part| event["data"][part].as_str().unwrap().replace('.', "")))
        .map(|amount| amount.parse::<u128>().unwrap())
        .sum();
    assert!(paid > 0);
    assert_eq!(before - balance().await, U256::from(paid * CENT), "the pool was paid once");
}
