//! What the tests of the service share: a provider whose books are a file, a service in this process, and a client for it.

#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(unreachable_pub, reason = "it is a module of several test programs")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{
    collections::{BTreeMap, VecDeque},
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use braid_microloans_arithmetic::Money;
use braid_microloans_rails::{
    CorrelationId, Failure, MobileMoney, Reason,
    port::{
        CallbackAnswer, CallbackError, Collection, Completion, Decision, Delivery, Deposit, Direction, Doubt, Event,
        Payout, Provider, Purpose, RailError, Recognises, Reversal, Route, Rules, Span, State, StateQuery,
        StatementLine, Submission,
    },
};
use braid_microloans_service::{App, Clock, Config, Rails, serve, worker::Watch};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What the provider does with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Takes it and says so.
    Take,
    /// Takes it, and the answer is lost.
    TakeSilently,
    /// Refuses it.
    Refuse,
    /// Never hears of it, which nobody knows.
    LoseOrder,
    /// Cannot be reached.
    Unreachable,
}

/// A provider. Its books are a file with one line for each movement of money, so that they outlive the process.
#[derive(Debug)]
pub struct Till {
    file: PathBuf,
    rules: Rules,
    /// What it does with the next orders; afterwards it takes them.
    pub answers: Mutex<VecDeque<Answer>>,
}

impl Till {
    pub fn new(folder: &Path) -> Arc<Self> {
        let rules = Rules {
            currency: "KES".parse().unwrap(),
            multiple: 100,
            largest: 25_000_000,
            reverses_collections: true,
            recognises: Recognises { payouts: true, collections: true },
            settles_within: Duration::ZERO,
        };
        Arc::new(Self { file: folder.join("till"), rules, answers: Mutex::default() })
    }

    /// Every movement: direction, correlation or receipt, amount, reference.
    pub fn lines(&self) -> Vec<(String, String, i128, String)> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let line = |line: &str| {
            let mut parts = line.split(' ').map(str::to_owned);
            let (direction, id) = (parts.next().unwrap(), parts.next().unwrap());
            (direction, id, parts.next().unwrap().parse().unwrap(), parts.next().unwrap_or_default())
        };
        text.lines().map(line).collect()
    }

    fn add(&self, direction: &str, id: &str, amount: i128, reference: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.file).unwrap();
        file.write_all(format!("{direction} {id} {amount} {reference}\n").as_bytes()).unwrap();
    }

    fn knows(&self, correlation: CorrelationId) -> Option<i128> {
        let id = correlation.to_string();
        self.lines().into_iter().find(|(_, known, ..)| *known == id).map(|(_, _, amount, _)| amount)
    }

    /// A customer pays of their own accord.
    pub fn pay_in(&self, receipt: &str, amount: i128, reference: &str) {
        self.add("in", receipt, amount, reference);
    }

    fn order(&self, direction: &str, correlation: CorrelationId, amount: Money) -> Submission {
        if self.knows(correlation).is_some() {
            return Submission::Duplicate;
        }
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Answer::Take);
        if matches!(answer, Answer::Take | Answer::TakeSilently) {
            self.add(direction, &correlation.to_string(), amount.minor, "");
        }
        match answer {
            Answer::Take => Submission::Acknowledged { server_correlation: Some(format!("AG_{correlation}")) },
            Answer::TakeSilently | Answer::LoseOrder => Submission::Unknown(Doubt::NoAnswer),
            Answer::Refuse => {
                let text = "not enough money".to_owned();
                Submission::Refused(Failure { reason: Reason::InsufficientFunds, code: "1".to_owned(), text })
            }
            Answer::Unreachable => Submission::NotSent(Doubt::Unreachable),
        }
    }

    fn completion(&self, correlation: CorrelationId, amount: i128) -> Completion {
        Completion {
            receipt: Some(format!("RC{}", &correlation.to_string()[..8])),
            amount: Some(Money { minor: amount, currency: self.rules.currency }),
            party: None,
            party_name: None,
            completed_at: None,
        }
    }
}

#[async_trait]
impl MobileMoney for Till {
    fn provider(&self) -> Provider {
        Provider::Daraja
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    async fn disburse(&self, order: &Payout) -> Submission {
        self.order("out", order.correlation, order.amount)
    }

    async fn collect(&self, order: &Collection) -> Submission {
        self.order("in", order.correlation, order.amount)
    }

    async fn reverse(&self, _order: &Reversal) -> Submission {
        Submission::Unknown(Doubt::NoAnswer)
    }

    async fn request_state(&self, query: &StateQuery) -> State {
        self.knows(query.correlation)
            .map_or(State::NotFound, |amount| State::Completed(self.completion(query.correlation, amount)))
    }

    async fn statement(&self, span: Span) -> Result<Vec<StatementLine>, RailError> {
        let line = |(direction, receipt, amount, reference): (String, String, i128, String)| StatementLine {
            receipt,
            correlation: None,
            direction: if direction == "in" { Direction::In } else { Direction::Out },
            amount: Money { minor: amount, currency: self.rules.currency },
            completed_at: span.from,
            reference: Some(reference),
            purpose: Purpose::Payment,
        };
        Ok(self.lines().into_iter().map(line).collect())
    }

    /// JSON: `{"result": …}` or `{"deposit": …}` with receipt, amount and reference.
    fn read_callback(&self, delivery: Delivery<'_>) -> Result<Event, CallbackError> {
        let body: Value =
            serde_json::from_slice(delivery.body).map_err(|_| CallbackError::Unreadable("it is no JSON"))?;
        let amount =
            |value: &Value| Money { minor: value["amount"].as_i64().unwrap().into(), currency: self.rules.currency };
        if let Some(result) = body.get("result") {
            let correlation = result["correlation"].as_str().map(|text| text.parse().unwrap());
            let completion = Completion {
                receipt: result["receipt"].as_str().map(str::to_owned),
                amount: Some(amount(result)),
                party: result["party"].as_str().map(str::to_owned),
                party_name: None,
                completed_at: None,
            };
            return Ok(Event::Result { correlation, server_correlation: None, state: State::Completed(completion) });
        }
        let deposit = body.get("deposit").ok_or(CallbackError::Unreadable("it is neither"))?;
        let text = |name: &str| deposit[name].as_str().unwrap_or_default().to_owned();
        let deposit = Deposit {
            receipt: text("receipt"),
            amount: amount(deposit),
            reference: text("reference"),
            party: text("party"),
            completed_at: None,
        };
        Ok(if delivery.route == Route::Validation { Event::Validation(deposit) } else { Event::Deposit(deposit) })
    }

    fn answer_callback(&self, _route: Route, decision: Decision) -> CallbackAnswer {
        CallbackAnswer { body: json!({"decision": format!("{decision:?}")}).to_string() }
    }
}

/// The callers of the tests: each role has one, whose token is its name, thirty-two times as long.
pub const ROLES: [&str; 6] = ["gateway", "officer", "approver", "treasurer", "auditor", "operator"];

pub fn token(role: &str) -> String {
    format!("{role}-{}", "t".repeat(32))
}

/// Writes a configuration into a folder.
pub fn write_config(folder: &Path, database: &str) -> PathBuf {
    let key = folder.join("master-key");
    std::fs::write(&key, "07".repeat(32)).unwrap();
    let mut text = format!(
        "listen = \"127.0.0.1:0\"\ndatabase = \"{database}\"\nmaster_key_file = \"{}\"\ncallback_base = \"http://127.0.0.1:1\"\n",
        key.display()
    );
    text.push_str("[worker]\npause_ms = 5\nlease_seconds = 1\ninquire_after_seconds = 0\nhousekeeping_seconds = 1\n");
    for role in ROLES {
        let hash = const_hex::encode(Sha256::digest(token(role)));
        text.push_str(&format!("[[callers]]\nname = \"{role}-1\"\nrole = \"{role}\"\ntoken_sha256 = \"{hash}\"\n"));
    }
    text.push_str(
        "[[products]]\nid = \"stock\"\ncountry = \"KE\"\nprincipal_min = \"1000\"\nprincipal_max = \"100000\"\n\
         instalments_min = 1\ninstalments_max = 12\nrail = \"daraja\"\napr_percent_max = \"60\"\n\
         [products.terms]\nmethod = \"declining\"\nannual_rate_percent = \"24\"\nday_count = \"30/360\"\n\
         every = \"1 month\"\nadvance = \"next_instalment\"\n\
         fees = [{ name = \"service\", percent = \"2\", when = \"disbursement\" }]\n",
    );
    let path = folder.join("service.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Opens the service of a folder.
pub async fn open(config: &Path, till: &Arc<Till>, clock: Clock, watch: Watch) -> App {
    let config = Config::read(config).unwrap();
    let rails: Rails = BTreeMap::from([("daraja".to_owned(), Arc::clone(till) as Arc<dyn MobileMoney>)]);
    let app = serve::open(&config, rails, clock).await.unwrap();
    App { watch, ..app }
}

/// A client of a service.
pub struct Client {
    http: reqwest::Client,
    pub base: String,
    keys: Mutex<u64>,
}

impl Client {
    pub fn new(base: String) -> Self {
        Self { http: reqwest::Client::new(), base, keys: Mutex::new(0) }
    }

    fn next_key(&self) -> String {
        let mut keys = self.keys.lock().unwrap();
        *keys += 1;
        format!("{}-{keys}", self.base)
    }

    pub async fn send(&self, role: &str, key: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.base)).bearer_auth(token(role));
        let response = request.header("idempotency-key", key).json(body).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub async fn post(&self, role: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.send(role, &self.next_key(), path, &body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    pub async fn refused(&self, role: &str, path: &str, body: Value) -> (u16, Value) {
        let (status, answer) = self.send(role, &self.next_key(), path, &body).await;
        assert!((400..500).contains(&status), "{path}: {status} {answer}");
        (status, answer)
    }

    pub async fn get(&self, role: &str, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.base)).bearer_auth(token(role));
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        let text = response.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    /// A callback, as a provider would send it.
    pub async fn callback(&self, path: &str, body: &Value) -> (u16, Value) {
        let response = self.http.post(format!("{}{path}", self.base)).json(body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    pub async fn approved(&self, role: &str, action: Value) {
        let proposal = self.post(role, "/v1/approvals", action).await;
        let path = format!("/v1/approvals/{}/decide", proposal["id"].as_str().unwrap());
        self.post("approver", &path, json!({"decision": "approved"})).await;
    }

    pub async fn deposit(&self, amount: &str, evidence: &str) {
        let deposit =
            json!({"action": "deposit", "rail": "daraja", "currency": "KES", "amount": amount, "evidence": evidence});
        self.approved("treasurer", deposit).await;
    }

    /// A loan that was applied for, offered and accepted; its view.
    pub async fn accepted(&self, phone: &str) -> Value {
        let person = json!({"country": "KE", "language": "sw", "name": "Amina Mwangi", "phone": phone, "national_id": "12345678"});
        let person = self.post("gateway", "/v1/people", person).await;
        let application = json!({"person": person["id"], "product": "stock", "principal": "10000", "instalments": 6, "purpose": "cloth"});
        let loan = self.post("gateway", "/v1/loans", application).await;
        let id = loan["id"].as_str().unwrap().to_owned();
        self.post("officer", &format!("/v1/loans/{id}/review"), json!({})).await;
        self.approved("officer", json!({"action": "offer", "loan": id})).await;
        let facts = self.get("gateway", &format!("/v1/loans/{id}/key-facts")).await;
        let consent = json!({"key_facts_hash": facts["key_facts_hash"], "language": "sw", "channel": "ussd"});
        self.post("gateway", &format!("/v1/loans/{id}/accept"), consent).await
    }

    /// Waits until a loan is in a state.
    pub async fn until(&self, id: &str, state: &str) -> Value {
        for _ in 0..6_000 {
            let loan = self.get("auditor", &format!("/v1/loans/{id}")).await;
            if loan["state"] == state {
                return loan;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("loan {id} did not become {state} within two minutes");
    }
}

/// A service in this process, listening.
pub async fn start(app: App) -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(app, listener, std::future::pending()));
    Client::new(base)
}

/// A moment at which nothing special happens: a Monday morning.
pub fn monday() -> Timestamp {
    "2026-11-23T08:00:00Z".parse().unwrap()
}
