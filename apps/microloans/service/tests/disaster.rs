//! A day of disaster: a third of the callbacks lost, late, doubled, out of order or false, answers that never come, a provider that is down, and the service killed with
//! SIGKILL at every step of a payout in turn, again and again. The books end as those of a calm run, nobody is paid twice, and no payment is lost.
//!
//! Two programs talk over HTTP: this one has the providers, the telephones and the borrowers; the service is started by it as a process of its own, and killed. Whoever
//! asked for something when that happened asks again with the same key. Time passes when this program says so, in both.
//!
//! Nothing here depends on how fast the machine is: a request is given half a minute, and those that are never answered end by themselves; where one arrives late, it is late
//! by the clock of the day.
//!
//! `BRAID_DISASTER_LOANS=1000` (`make disaster-day`) is the whole day; without it there are some dozens.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[path = "support/stage.rs"]
mod stage;
mod support;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use braid_microloans_ledger::{inspect, payments::LegKind};
use braid_microloans_service::{
    Clock, serve,
    worker::{Step, Watch},
};
use braid_microloans_simulator::{Faults, Simulator};
use jiff::Timestamp;
use serde_json::{Value, json};
use support::token;
use tokio::net::TcpListener;

/// Loans without `BRAID_DISASTER_LOANS`.
const FEW: usize = 36;
/// How many borrowers apply at the same time.
const COUNTERS: usize = 4;

/// Tells the service's process what to do.
const CONFIG: &str = "BRAID_TEST_DISASTER_CONFIG";
const NOW: &str = "BRAID_TEST_DISASTER_NOW";
const KILL_AT: &str = "BRAID_TEST_DISASTER_KILL_AT";

/// Said by the service's process where it is to be killed, and when it listens.
const REACHED: &str = "the step is reached";
const LISTENING: &str = "listening";

fn loans() -> usize {
    std::env::var("BRAID_DISASTER_LOANS").ok().and_then(|text| text.parse().ok()).unwrap_or(FEW)
}

/// The service's process: the clock comes line by line.
#[test]
#[ignore = "it is started by the other test"]
fn the_service() {
    let Some(config) = std::env::var_os(CONFIG) else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(live(Path::new(&config)));
}

async fn live(config: &Path) {
    let clock = Clock::manual(moment(&std::env::var(NOW).unwrap()));
    let told = clock.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            told.set(moment(&line.unwrap()));
        }
        // Whoever started this is gone.
        std::process::exit(1);
    });
    let app = stage::open(config, clock, watch(&std::env::var(KILL_AT).unwrap_or_default())).await;
    let address = app.callback_base.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind(address).await.unwrap();
    println!("{LISTENING}");
    std::io::stdout().flush().unwrap();
    serve::serve(app, listener, std::future::pending()).await.unwrap();
}

fn moment(text: &str) -> Timestamp {
    Timestamp::from_millisecond(text.trim().parse().unwrap()).unwrap()
}

/// Stops at the step's so-manieth time, says so and waits for the end.
fn watch(at: &str) -> Watch {
    let Some((name, times)) = at.split_once(' ') else { return Watch::default() };
    let (name, left) = (name.to_owned(), AtomicUsize::new(times.parse().unwrap()));
    Watch::new(move |step| {
        if format!("{step:?}") == name && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            println!("{REACHED}");
            std::io::stdout().flush().unwrap();
            loop {
                std::thread::park();
            }
        }
    })
}

/// Keeps the service running, and kills it where it says that it is to be killed.
struct Keeper {
    config: PathBuf,
    now_ms: Mutex<i64>,
    input: Mutex<Option<ChildStdin>>,
    is_ending: AtomicBool,
    kills: AtomicUsize,
    most_kills: usize,
}

impl Keeper {
    fn start(config: PathBuf, now_ms: i64, most_kills: usize) -> (Arc<Self>, std::thread::JoinHandle<()>) {
        let keeper = Arc::new(Self {
            config,
            now_ms: Mutex::new(now_ms),
            input: Mutex::default(),
            is_ending: AtomicBool::default(),
            kills: AtomicUsize::default(),
            most_kills,
        });
        let kept = Arc::clone(&keeper);
        let thread = std::thread::spawn(move || {
            while !kept.is_ending.load(Ordering::SeqCst) {
                kept.run();
            }
        });
        (keeper, thread)
    }

    /// One life of the service.
    fn run(&self) {
        let killed = self.kills.load(Ordering::SeqCst);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "the_service", "--nocapture"]);
        command.env(CONFIG, &self.config).stdin(Stdio::piped()).stdout(Stdio::piped());
        if killed < self.most_kills {
            // Every step in turn, not always at its first time.
            let step = Step::ALL[killed % Step::ALL.len()];
            command.env(KILL_AT, format!("{step:?} {}", 1 + killed % 3));
        }
        let mut child = {
            let now_ms = self.now_ms.lock().unwrap();
            let mut child = command.env(NOW, now_ms.to_string()).spawn().unwrap();
            *self.input.lock().unwrap() = child.stdin.take();
            child
        };
        if self.is_ending.load(Ordering::SeqCst) {
            *self.input.lock().unwrap() = None;
        }
        self.attend(&mut child);
        // It may have ended by itself only when it was told to.
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn attend(&self, child: &mut Child) {
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if line.contains(REACHED) {
                self.kills.fetch_add(1, Ordering::SeqCst);
                // SIGKILL, on every Unix.
                child.kill().unwrap();
            } else if line.contains("panicked") {
                panic!("the service has panicked: {line}");
            }
        }
    }

    fn tell(&self, now_ms: i64) {
        *self.now_ms.lock().unwrap() = now_ms;
        if let Some(input) = self.input.lock().unwrap().as_mut() {
            // If it is dead, the next one is told at its start.
            let _ = writeln!(input, "{now_ms}");
        }
    }

    fn end(&self) {
        self.is_ending.store(true, Ordering::SeqCst);
        // The end of its input ends it.
        *self.input.lock().unwrap() = None;
    }
}

/// The world around the service.
struct Day {
    simulator: Arc<Simulator>,
    keeper: Arc<Keeper>,
    base: String,
    http: reqwest::Client,
}

/// A loan, as its borrower knows it.
#[derive(Clone, Debug)]
struct Borrower {
    number: String,
    is_kenyan: bool,
    id: String,
    code: String,
}

impl Day {
    /// Asks until there is an answer, always with the same key: the service may be killed in between.
    async fn insist(&self, role: &str, key: &str, path: &str, body: &Value) -> (u16, Value) {
        for _ in 0..3_000 {
            let request = self.http.post(format!("{}{path}", self.base)).bearer_auth(token(role));
            let response = request.header("idempotency-key", key).json(body).send().await;
            if let Ok(response) = response {
                let status = response.status().as_u16();
                if let (true, Ok(text)) = (status < 500, response.text().await) {
                    return (status, serde_json::from_str(&text).unwrap_or_default());
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{path} is not answered within a minute");
    }

    async fn do_it(&self, role: &str, key: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.insist(role, key, path, &body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    async fn get(&self, path: &str) -> Value {
        for _ in 0..3_000 {
            let request = self.http.get(format!("{}{path}", self.base)).bearer_auth(token("auditor"));
            if let Ok(response) = request.send().await
                && response.status().is_success()
                && let Ok(text) = response.text().await
            {
                return serde_json::from_str(&text).unwrap_or(Value::String(text));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{path} is not answered within a minute");
    }

    async fn approve(&self, role: &str, key: &str, action: Value) {
        let proposal = self.do_it(role, &format!("{key}-p"), "/v1/approvals", action).await;
        let path = format!("/v1/approvals/{}/decide", proposal["id"].as_str().unwrap());
        self.do_it("approver", &format!("{key}-d"), &path, json!({"decision": "approved"})).await;
    }

    async fn apply(&self, n: usize) -> Borrower {
        let is_kenyan = n.is_multiple_of(2);
        let number = if is_kenyan { format!("2547{:08}", n / 2 + 1) } else { format!("23324{:07}", n / 2 + 1) };
        let (country, product, principal) = if is_kenyan { ("KE", "stock", "10000") } else { ("GH", "market", "1000") };
        let person = json!({"country": country, "language": "en", "name": format!("Borrower {n}"), "phone": format!("+{number}"), "national_id": "1"});
        let person = self.do_it("gateway", &format!("person-{n}"), "/v1/people", person).await;
        let application = json!({"person": person["id"], "product": product, "principal": principal, "instalments": 5, "purpose": "stock"});
        let loan = self.do_it("gateway", &format!("loan-{n}"), "/v1/loans", application).await;
        let (id, code) = (loan["id"].as_str().unwrap().to_owned(), loan["code"].as_str().unwrap().to_owned());
        self.do_it("officer", &format!("review-{n}"), &format!("/v1/loans/{id}/review"), json!({})).await;
        self.approve("officer", &format!("offer-{n}"), json!({"action": "offer", "loan": id})).await;
        let facts = self.get(&format!("/v1/loans/{id}/key-facts")).await;
        let consent = json!({"key_facts_hash": facts["key_facts_hash"], "language": "en", "channel": "agent"});
        self.do_it("gateway", &format!("accept-{n}"), &format!("/v1/loans/{id}/accept"), consent).await;
        Borrower { number, is_kenyan, id, code }
    }

    /// Lets time pass, and waits until the service has done what is due by then.
    async fn pass(&self, seconds: u64) {
        self.simulator.advance(Duration::from_secs(seconds)).await;
        self.keeper.tell(self.simulator.now_ms());
        self.settle().await;
    }

    async fn settle(&self) {
        for _ in 0..20_000 {
            let metrics = self.get("/metrics").await;
            if metrics.as_str().unwrap().contains("braid_loans_outbox_late_milliseconds 0\n") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the worker does not come to an end");
    }

    async fn active(&self) -> usize {
        let metrics = self.get("/metrics").await;
        let line =
            metrics.as_str().unwrap().lines().find_map(|line| line.strip_prefix("braid_loans{state=\"active\"} "));
        line.map_or(0, |count| count.parse().unwrap())
    }

    async fn is_paid(&self, borrower: &Borrower) -> bool {
        let legs = self.get(&format!("/v1/loans/{}/legs", borrower.id)).await;
        legs.as_array()
            .unwrap()
            .iter()
            .any(|leg| leg["kind"] == LegKind::Collection.name() && leg["state"] == "succeeded")
    }

    /// Asks a borrower to pay an instalment, unless they have or are being asked.
    async fn ask(&self, borrower: &Borrower, attempt: usize) {
        let amount = if borrower.is_kenyan { "2150" } else { "215" };
        let key = format!("collect-{}-{attempt}", borrower.number);
        let (status, answer) = self
            .insist("gateway", &key, &format!("/v1/loans/{}/collect", borrower.id), &json!({"amount": amount}))
            .await;
        assert!(status == 202 || status == 409, "{status} {answer}");
    }

    async fn pay_in(&self, borrower: &Borrower) {
        let pin = self.simulator.phone(&borrower.number).unwrap().pin;
        let amount = if borrower.is_kenyan { 215_000 } else { 21_500 };
        let url = format!("{}/simulator/phones/{}/pay", self.simulator.url(), borrower.number);
        let body = json!({"pin": pin, "account": borrower.code, "amount_minor": amount});
        let response = self.http.post(url).json(&body).send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
    }
}

/// What is left when everything has happened.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// The books, without what depends on how often something was tried.
    books: BTreeMap<String, String>,
    /// What everybody has on their telephone.
    wallets: BTreeMap<String, i64>,
}

/// A port that is free now; nothing else here asks for one.
async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

async fn live_through(count: usize, faults: Faults, kills: usize) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let simulator = stage::simulator(7, count, Faults::calm()).await;
    let base = format!("http://127.0.0.1:{}", free_port().await);
    let worker = "pause_ms = 5\nlease_seconds = 60\ninquire_after_seconds = 3\nhousekeeping_seconds = 1";
    let config = stage::write_config(folder.path(), &simulator.url(), &base, worker, stage::TIMEOUT_SECONDS);
    let (keeper, thread) = Keeper::start(config.clone(), simulator.now_ms(), kills);
    let day = Day { simulator, keeper, base, http: reqwest::Client::new() };
    let outcome = story(&day, count, faults).await;
    day.keeper.end();
    thread.join().unwrap();
    let killed = day.keeper.kills.load(Ordering::SeqCst);
    assert!(killed >= kills.min(Step::ALL.len()), "only {killed} kills");
    println!("{count} loans, {killed} kills");
    let app = stage::open(&config, Clock::manual(support::monday()), Watch::default()).await;
    let mut read = app.read().await.unwrap();
    let inspection = inspect::inspect(&mut read).await.unwrap();
    assert!(inspection.holds(), "{inspection:#?}");
    let mut books = inspect::digest(&mut read).await.unwrap();
    books.retain(|key, _| !key.starts_with("legs ") || key.ends_with(" succeeded"));
    Outcome { books, ..outcome }
}

async fn story(day: &Day, count: usize, faults: Faults) -> Outcome {
    for (rail, currency) in [("daraja", "KES"), ("mtn", "GHS")] {
        let deposit =
            json!({"action": "deposit", "rail": rail, "currency": currency, "amount": "10000000", "evidence": rail});
        day.approve("treasurer", &format!("deposit-{rail}"), deposit).await;
    }
    day.simulator.set_faults(faults).unwrap();
    let borrowers = everybody(day, count).await;
    payouts(day, count, faults).await;
    repayments(day, &borrowers).await;
    // Everything late has come, and the first instalments have fallen due; of those who have not paid, with a penalty.
    for _ in 0..40 {
        day.pass(24 * 3_600).await;
    }
    until_compared(day).await;
    let wallet =
        |borrower: &Borrower| (borrower.number.clone(), day.simulator.phone(&borrower.number).unwrap().balance_minor);
    Outcome { books: BTreeMap::new(), wallets: borrowers.iter().map(wallet).collect() }
}

/// Everybody applies, is offered a loan and accepts.
async fn everybody(day: &Day, count: usize) -> Vec<Borrower> {
    let counter = async |at: usize| {
        let mut borrowers = Vec::new();
        for n in (at..count).step_by(COUNTERS) {
            borrowers.push(day.apply(n).await);
        }
        borrowers
    };
    let all = futures::future::join_all((0..COUNTERS).map(counter)).await;
    let mut borrowers: Vec<_> = all.into_iter().flatten().collect();
    borrowers.sort_by(|a, b| a.number.cmp(&b.number));
    borrowers
}

/// Until everybody has their money. In between one provider is down, and both forget who we are.
async fn payouts(day: &Day, count: usize, faults: Faults) {
    for round in 0..20_000_usize {
        if day.active().await == count {
            return;
        }
        let is_down = faults != Faults::calm() && (10..20).contains(&round);
        let now = if is_down {
            Faults { error_before: 1_000, error_after: 0, no_answer: 0, broken_answer: 0, held: 0, ..faults }
        } else {
            faults
        };
        day.simulator.set_faults(now).unwrap();
        if is_down {
            let url = format!("{}/simulator/forget-tokens", day.simulator.url());
            assert!(day.http.post(url).send().await.unwrap().status().is_success());
        }
        // Accepted loans are taken up every second of the real time.
        day.pass(20).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not everybody has their money: {} of {count}", day.active().await);
}

/// A third of the borrowers pays by prompt, a third by code, a third not yet. Who was asked and has not paid is asked again.
async fn repayments(day: &Day, borrowers: &[Borrower]) {
    day.pass(24 * 3_600).await;
    let third = |at: usize| borrowers.iter().skip(at).step_by(3);
    for borrower in third(1) {
        day.pay_in(borrower).await;
    }
    let mut waiting: Vec<&Borrower> = third(0).collect();
    for attempt in 0..200_usize {
        // Otherwise a statement could be booked after somebody was found not to have paid, and before they are asked again: they would pay twice.
        until_compared(day).await;
        let mut left = Vec::new();
        for borrower in waiting {
            if !day.is_paid(borrower).await {
                day.ask(borrower, attempt).await;
                left.push(borrower);
            }
        }
        waiting = left;
        if waiting.is_empty() {
            return;
        }
        for _ in 0..4 {
            day.pass(60).await;
        }
        // Not within two minutes of a prompt of the same amount; and with a night in between now and then, for what only the statement tells. In small steps: while
        // time passes here, the service's clock stands still, and a prompt would seem to have been sent hours before it was.
        for _ in 0..36 {
            day.pass(600).await;
        }
    }
    panic!("{} borrowers were never asked successfully", waiting.len());
}

/// Until both statements of every day have been compared that is due by now, which is an hour after its end.
async fn until_compared(day: &Day) {
    for look in 1..2_000 {
        let due = Timestamp::from_millisecond(day.simulator.now_ms() - 25 * 3_600 * 1_000).unwrap().to_string();
        let nights = day.get("/v1/reconciliations").await;
        let last = |rail: &str| {
            let nights = nights.as_array().unwrap().iter().filter(|night| night["rail"] == rail);
            nights.filter_map(|night| night["day"].as_str().map(str::to_owned)).max().unwrap_or_default()
        };
        if ["daraja", "mtn"].iter().all(|rail| last(rail).as_str() >= due.get(..10).unwrap()) {
            return;
        }
        // The service looks once a second of the real time, and again after ten minutes of the day where a statement could not be had.
        if look % 20 == 0 {
            day.pass(700).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the statements were not compared");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_end_as_on_a_calm_day() {
    let count = loans();
    let calm = live_through(count, Faults::calm(), 0).await;
    assert_eq!(calm.books["loans active"], count.to_string(), "{calm:#?}");
    let rough = Faults::rough();
    let kills = if count > FEW { 10 * Step::ALL.len() } else { 2 * Step::ALL.len() };
    let disaster = live_through(count, rough, kills).await;
    assert_eq!(disaster, calm);
}
