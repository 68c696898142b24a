//! A service and simulated providers, which speak HTTP with each other; time passes when it is told to.

#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(unreachable_pub, reason = "it is a module of several test programs")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{path::Path, sync::Arc, time::Duration};

use braid_microloans_service::{App, Clock, Config, rails, serve, worker::Watch};
use braid_microloans_simulator::{Faults, Habit, Settings, Simulator, Time, credentials, people};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use crate::support::{self, Client, ROLES, token};

/// How long a request to a simulated provider may take: long enough for a machine that does something else.
pub const TIMEOUT_SECONDS: u32 = 30;

/// A service and simulated providers.
pub struct Stage {
    pub folder: tempfile::TempDir,
    pub simulator: Arc<Simulator>,
    pub clock: Clock,
    pub client: Client,
    pub app: App,
    pub http: reqwest::Client,
}

/// A simulator of so many telephones, in which time stands at a Monday morning.
pub async fn simulator(seed: u64, phones: usize, faults: Faults) -> Arc<Simulator> {
    let listen = "127.0.0.1:0".parse().unwrap();
    let time = Time::Manual { start_ms: support::monday().as_millisecond() };
    let phones = people(phones, Habit::Approve);
    Arc::new(Simulator::start(Settings { listen, seed, faults, time, phones }).await.unwrap())
}

/// Writes a configuration whose rails are a simulator's, secrets in files of their own.
pub fn write_config(
    folder: &Path,
    simulator: &str,
    base: &str,
    worker: &str,
    timeout_seconds: u32,
) -> std::path::PathBuf {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let database = format!("sqlite://{}?mode=rwc", folder.join("books.sqlite").display());
    let mut text = format!(
        "listen = \"127.0.0.1:0\"\ndatabase = \"{database}\"\nmaster_key_file = \"{}\"\ncallback_base = \"{base}\"\n\
         [worker]\n{worker}\n[ussd]\nphone = \"0800 123\"\nhandset = true\n",
        file("master-key", &"07".repeat(32)),
    );
    let statement = |rail: &str| {
        let token = file("statement-token", credentials::STATEMENT_TOKEN);
        format!("{{ base_url = \"{simulator}\", path = \"/statements/{rail}\", token_file = \"{token}\" }}")
    };
    text.push_str(&format!(
        "[rails.daraja]\nkind = \"daraja\"\nbase_url = \"{simulator}\"\nconsumer_key_file = \"{}\"\nconsumer_secret_file = \"{}\"\n\
         collection_code = \"{code}\"\npasskey_file = \"{}\"\npayout_code = \"{code}\"\ninitiator = \"{}\"\n\
         initiator_password_file = \"{}\"\ncertificate_file = \"{}\"\nstatement = {}\ntimeout_seconds = {timeout_seconds}\n",
        file("consumer-key", credentials::CONSUMER_KEY),
        file("consumer-secret", credentials::CONSUMER_SECRET),
        file("passkey", credentials::PASSKEY),
        credentials::INITIATOR,
        file("initiator-password", credentials::INITIATOR_PASSWORD),
        file("certificate", credentials::CERTIFICATE_PEM),
        statement("daraja"),
        code = credentials::SHORT_CODE,
    ));
    let product = format!(
        "{{ subscription_key_file = \"{}\", user = \"{}\", key_file = \"{}\" }}",
        file("subscription-key", credentials::SUBSCRIPTION_KEY),
        credentials::API_USER,
        file("api-key", credentials::API_KEY),
    );
    text.push_str(&format!(
        "[rails.mtn]\nkind = \"mtn-momo\"\nbase_url = \"{simulator}\"\ntarget_environment = \"mtnghana\"\ncurrency = \"GHS\"\n\
         largest = \"10000\"\ncollection = {product}\ndisbursement = {product}\nstatement = {}\ntimeout_seconds = {timeout_seconds}\n",
        statement("mtn-momo"),
    ));
    for rail in ["daraja", "mtn"] {
        let token = file("sim-token", credentials::SIM_TOKEN);
        text.push_str(&format!(
            "[sims.{rail}]\nbase_url = \"{simulator}\"\ntoken_file = \"{token}\"\ntimeout_seconds = {timeout_seconds}\n"
        ));
    }
    text.push_str(&format!(
        "[messages]\nbase_url = \"{simulator}\"\nusername = \"braid\"\napi_key_file = \"{}\"\nsender = \"BRAID\"\nphone = \"0800 123\"\n\
         timeout_seconds = {timeout_seconds}\n",
        file("sms-key", "any"),
    ));
    for role in ROLES {
        let hash = const_hex::encode(Sha256::digest(token(role)));
        text.push_str(&format!("[[callers]]\nname = \"{role}-1\"\nrole = \"{role}\"\ntoken_sha256 = \"{hash}\"\n"));
    }
    for (id, country, rail, bounds) in
        [("stock", "KE", "daraja", ("1000", "100000", "20000")), ("market", "GH", "mtn", ("100", "5000", "1000"))]
    {
        let (low, high, instant) = bounds;
        // Flat interest: what a borrower owes does not depend on the day on which they pay before an instalment falls due.
        text.push_str(&format!(
            "[[products]]\nid = \"{id}\"\ncountry = \"{country}\"\nprincipal_min = \"{low}\"\nprincipal_max = \"{high}\"\n\
             instalments_min = 2\ninstalments_max = 6\nrail = \"{rail}\"\napr_percent_max = \"90\"\ninstant_max = \"{instant}\"\n\
             [products.terms]\nmethod = \"flat\"\nannual_rate_percent = \"18\"\nday_count = \"30/360\"\n\
             every = \"1 month\"\nadvance = \"next_instalment\"\ncooling_off_days = 3\n\
             fees = [{{ name = \"service\", percent = \"2\", when = \"disbursement\" }}]\n\
             late = {{ percent = \"5\", grace_days = 3, cap_percent = \"20\" }}\n"
        ));
    }
    let path = folder.join("service.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// How the worker of a test works: at once.
pub const WORKER: &str = "pause_ms = 5\nlease_seconds = 60\ninquire_after_seconds = 3\nhousekeeping_seconds = 1";

impl Stage {
    /// With so many telephones, whose holders approve of what they are asked.
    pub async fn new(phones: usize, faults: Faults) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let simulator = simulator(1, phones, faults).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let config = write_config(folder.path(), &simulator.url(), &base, WORKER, TIMEOUT_SECONDS);
        let clock = Clock::manual(support::monday());
        let app = open(&config, clock.clone(), Watch::default()).await;
        tokio::spawn(serve::serve(app.clone(), listener, std::future::pending()));
        Self { folder, simulator, clock, client: Client::new(base), app, http: reqwest::Client::new() }
    }

    /// Lets so many seconds pass everywhere.
    pub async fn pass(&self, seconds: u64) {
        self.simulator.advance(Duration::from_secs(seconds)).await;
        self.clock.set(Timestamp::from_millisecond(self.simulator.now_ms()).unwrap());
    }

    /// Lets days pass, hour by hour.
    pub async fn days(&self, days: u64) {
        for _ in 0..days * 24 {
            self.pass(3_600).await;
            self.settle().await;
        }
    }

    /// Waits until nothing is due that the worker could do at this time.
    pub async fn settle(&self) {
        for _ in 0..6_000 {
            let mut read = self.app.read().await.unwrap();
            let due = braid_microloans_ledger::payments::outbox::due(&mut read, self.clock.now(), 1).await.unwrap();
            drop(read);
            if due.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the worker does not come to an end within a minute");
    }

    /// Lets time pass, second by second, until something holds.
    pub async fn until<T>(&self, what: &str, mut holds: impl AsyncFnMut() -> Option<T>) -> T {
        for _ in 0..6_000 {
            if let Some(found) = holds().await {
                return found;
            }
            self.pass(1).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what}: not within a hundred minutes");
    }

    pub async fn until_state(&self, id: &str, state: &str) -> Value {
        let path = format!("/v1/loans/{id}");
        self.until(state, async || {
            let loan = self.client.get("auditor", &path).await;
            (loan["state"] == state).then_some(loan)
        })
        .await
    }

    /// Lenders' money comes in: as much as the simulated providers hold.
    pub async fn fund(&self) {
        for (rail, currency) in [("daraja", "KES"), ("mtn", "GHS")] {
            let deposit = json!({"action": "deposit", "rail": rail, "currency": currency, "amount": "10000000", "evidence": format!("bank {rail}")});
            self.client.approved("treasurer", deposit).await;
        }
    }

    /// What somebody does on a telephone.
    pub async fn phone(&self, number: &str, what: &str, body: Value) -> u16 {
        let url = format!("{}/simulator/phones/{number}/{what}", self.simulator.url());
        self.http.post(url).json(&body).send().await.unwrap().status().as_u16()
    }

    /// A payment of one's own accord.
    pub async fn pay_in(&self, number: &str, account: &str, amount_minor: i64) {
        let pin = self.simulator.phone(number).unwrap().pin;
        let body = json!({"pin": pin, "account": account, "amount_minor": amount_minor});
        let status = self.phone(number, "pay", body).await;
        assert!((200..300).contains(&status), "{status}");
    }

    /// What an account holds, in minor units, by the books.
    pub async fn account(&self, name: &str) -> i64 {
        let accounts = self.client.get("auditor", "/v1/accounts").await;
        let line = accounts.as_array().unwrap().iter().find(|line| line["account"] == name).cloned();
        line.map_or(0, |line| line["debits"].as_i64().unwrap() - line["credits"].as_i64().unwrap())
    }

    /// What a provider holds for the organisation, in minor units.
    pub async fn float(&self, rail: &str) -> i64 {
        let state = self.http.get(format!("{}/simulator/state", self.simulator.url())).send().await.unwrap();
        let state: Value = serde_json::from_str(&state.text().await.unwrap()).unwrap();
        state[rail]["float_minor"].as_i64().unwrap()
    }

    /// Every question that must be answered with yes, and that the books have what the providers have.
    pub async fn holds(&self) {
        let found = self.client.get("auditor", "/v1/inspection").await;
        assert_eq!((&found["failures"], &found["journal"]["failures"]), (&json!([]), &json!([])), "{found}");
        assert_eq!(self.account("rail/daraja/float").await, self.float("daraja").await, "the money with Daraja");
        assert_eq!(self.account("rail/mtn/float").await, self.float("mtn-momo").await, "the money with MTN");
    }

    /// Comes to the time when yesterday's statements are there, and waits until they were compared.
    pub async fn night(&self) {
        let day = self.clock.now().to_string().get(..10).unwrap().to_owned();
        let midnight: Timestamp = format!("{day}T00:00:00Z").parse().unwrap();
        let morning = midnight.saturating_add(SignedDuration::from_hours(25)).unwrap();
        let left = morning.duration_since(self.clock.now()).as_secs().unsigned_abs();
        self.pass(left + 60).await;
        self.settle().await;
        for _ in 0..10 {
            braid_microloans_service::reconcile::due(&self.app).await.unwrap();
            self.settle().await;
        }
    }
}

/// Opens the service of a configuration, with the rails that it names.
pub async fn open(config: &Path, clock: Clock, watch: Watch) -> App {
    let config = Config::read(config).unwrap();
    let rails = rails::build(&config.rails, &clock).unwrap();
    let app = serve::open(&config, rails, clock).await.unwrap();
    App { watch, ..app }
}
