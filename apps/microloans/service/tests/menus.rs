//! A loan from a handset, as the network's gateway tells it, with the service, its books, and the provider simulated: dial, register, borrow, accept, be paid,
//! repay, read the statement, complain. And what stands in the way of somebody who guesses PINs.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/stage.rs"]
mod stage;
mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use braid_microloans_ledger::vault;
use braid_microloans_simulator::Faults;
use jiff::SignedDuration;
use serde_json::{Value, json};
use stage::Stage;

const WANJIRU: &str = "254700000002";
const PIN: &str = "4715";
const ID_NUMBER: &str = "ID-CANARY-4711";

static SESSIONS: AtomicU64 = AtomicU64::new(0);

/// A session of a handset.
struct Session<'a> {
    stage: &'a Stage,
    id: String,
    number: &'a str,
    text: String,
}

impl<'a> Session<'a> {
    /// Dials; the first screen.
    async fn dial(stage: &'a Stage, number: &'a str) -> (Self, String) {
        let id = format!("ATUid_{}", SESSIONS.fetch_add(1, Ordering::SeqCst));
        let session = Self { stage, id, number, text: String::new() };
        let screen = session.ask().await;
        (session, screen)
    }

    async fn ask(&self) -> String {
        let form = format!(
            "sessionId={}&serviceCode=%2A384%2A27%23&phoneNumber=%2B{}&networkCode=63902&text={}",
            self.id,
            self.number,
            self.text.replace('*', "%2A")
        );
        let request = self.stage.http.post(format!("{}/ussd", self.stage.client.base));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        response.text().await.unwrap()
    }

    /// Answers; the next screen.
    async fn say(&mut self, answer: &str) -> String {
        if !self.text.is_empty() {
            self.text.push('*');
        }
        self.text.push_str(answer);
        self.ask().await
    }

    async fn all(&mut self, answers: &[&str]) -> String {
        let mut screen = String::new();
        for answer in answers {
            screen = self.say(answer).await;
        }
        screen
    }
}

/// Language, consent, number of an ID, PIN: the screen is the menu.
async fn register(session: &mut Session<'_>) -> String {
    session.all(&["1", "1", ID_NUMBER, PIN, PIN]).await
}

async fn open(stage: &Stage) -> Value {
    for state in ["accepted", "funded", "disbursing", "disbursement_unknown", "active"] {
        let loans = stage.client.get("auditor", &format!("/v1/loans?state={state}")).await;
        if let Some(loan) = loans.as_array().unwrap().first() {
            return loan.clone();
        }
    }
    json!(null)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loan_by_handset() {
    let stage = Stage::new(6, Faults::calm()).await;
    stage.fund().await;
    let (mut session, screen) = Session::dial(&stage, WANJIRU).await;
    assert!(screen.starts_with("CON Braid\n1 English"), "{screen}");
    let screen = session.say("1").await;
    assert!(screen.contains("1 I agree"), "{screen}");
    let screen = session.all(&["1", ID_NUMBER, PIN, PIN]).await;
    assert!(screen.contains("1 Borrow"), "{screen}");
    let screen = session.all(&["1", "10000", "1"]).await;
    // Two instalments, 18 % flat: 300 of interest; 200 are kept back.
    assert!(
        screen.contains("Key facts 1/3\nYou get KES 9,800\nYou pay back KES 10,300\nThe loan costs KES 500"),
        "{screen}"
    );
    let screen = session.say("1").await;
    assert!(screen.contains("2 payments, the largest KES 5,150"), "{screen}");
    let screen = session.say("1").await;
    assert!(screen.contains("A late payment costs KES 257.50 more\nUntil 26/11/2026"), "{screen}");
    // The line breaks; the next session goes on there, after the PIN.
    let (mut session, screen) = Session::dial(&stage, WANJIRU).await;
    assert!(screen.contains("Enter your PIN"), "{screen}");
    let screen = session.all(&[PIN, "1"]).await;
    assert!(screen.contains("Key facts 3/3"), "{screen}");
    let before = stage.simulator.phone(WANJIRU).unwrap().balance_minor;
    let screen = session.all(&["1", PIN]).await;
    assert!(screen.starts_with("END Loan ") && screen.contains("KES 9,800 will come to this phone"), "{screen}");
    assert_eq!(session.ask().await, screen, "the same request again is answered as before");
    let loan = open(&stage).await;
    let id = loan["id"].as_str().unwrap().to_owned();
    let events = stage.client.get("auditor", &format!("/v1/loans/{id}/events")).await;
    let accepted = events.as_array().unwrap().iter().filter(|event| event["kind"] == "KfsAccepted").collect::<Vec<_>>();
    assert_eq!((accepted.len(), &accepted[0]["data"]["channel"]), (1, &json!("ussd")));
    let started = stage.clock.now();
    stage.until_state(&id, "active").await;
    assert!(stage.clock.now().duration_since(started) < SignedDuration::from_mins(2), "money within two minutes");
    assert_eq!(stage.simulator.phone(WANJIRU).unwrap().balance_minor - before, 980_000);

    let (mut session, _) = Session::dial(&stage, WANJIRU).await;
    let screen = session.all(&[PIN, "2"]).await;
    assert!(screen.contains("You owe KES 10,300\nNext: KES 5,150 on 23/12/2026"), "{screen}");
    let screen = session.all(&["0", "1"]).await;
    assert!(screen.starts_with("END We cannot lend to you now"), "one loan at a time: {screen}");
    // Part of an instalment, by a prompt.
    let (mut session, _) = Session::dial(&stage, WANJIRU).await;
    let screen = session.all(&[PIN, "3", "3", "1000"]).await;
    assert!(screen.contains("will ask you to pay KES 1,000"), "{screen}");
    let path = format!("/v1/loans/{id}/legs");
    stage
        .until("the prompt is paid", async || {
            let legs = stage.client.get("auditor", &path).await;
            let is_paid = |leg: &Value| leg["kind"] == "collection" && leg["state"] == "succeeded";
            legs.as_array().unwrap().iter().any(is_paid).then_some(())
        })
        .await;
    let (mut session, _) = Session::dial(&stage, WANJIRU).await;
    let screen = session.all(&[PIN, "4"]).await;
    assert!(screen.contains("23/11/2026 KES 1,000\nYou owe KES 9,300"), "{screen}");
    let screen = session.all(&["0", "5", "2"]).await;
    assert!(screen.starts_with("END We have your complaint: "), "{screen}");
    let ticket = screen.split(": ").nth(1).unwrap().get(..8).unwrap().to_owned();
    let complaints = stage.client.get("officer", "/v1/complaints").await;
    let complaint = &complaints[0];
    assert_eq!(
        (&complaint["code"], &complaint["matter"], &complaint["loan"]),
        (&json!(ticket), &json!("not_counted"), &json!(id))
    );
    let answer = json!({"answer": "It was counted on the same day."});
    stage.client.post("officer", &format!("/v1/complaints/{ticket}/answer"), answer).await;
    assert_eq!(stage.client.get("officer", "/v1/complaints").await, json!([]));
    stage.night().await;
    stage.holds().await;
    for entry in std::fs::read_dir(stage.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for canary in [ID_NUMBER, WANJIRU, "Wanjiru Kamau"] {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} in {}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_of_who_does_not_agree() {
    let stage = Stage::new(6, Faults::calm()).await;
    let (mut session, _) = Session::dial(&stage, WANJIRU).await;
    let screen = session.all(&["2", "2"]).await;
    assert!(screen.starts_with("END "), "{screen}");
    let mut read = stage.app.read().await.unwrap();
    let known = vault::standing(&mut read, stage.app.ledger.vault(), &format!("+{WANJIRU}")).await.unwrap();
    assert_eq!(known, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_is_locked_for_longer_each_time() {
    let stage = Stage::new(6, Faults::calm()).await;
    let (mut session, _) = Session::dial(&stage, WANJIRU).await;
    register(&mut session).await;
    let guess = async |pins: &[&str]| {
        let (mut session, _) = Session::dial(&stage, WANJIRU).await;
        session.all(pins).await
    };
    assert!(guess(&["1111"]).await.contains("Tries left: 2"));
    assert!(guess(&["2222"]).await.contains("Tries left: 1"), "another session is another try of the same");
    assert!(guess(&[PIN]).await.contains("1 Borrow"), "the right one forgets the wrong ones");
    let screen = guess(&["1111", "2222", "3333"]).await;
    assert!(screen.starts_with("END Your PIN is locked"), "{screen}");
    assert!(guess(&[PIN]).await.contains("locked"), "the right one does not help");
    stage.pass(16 * 60).await;
    let screen = guess(&["1111", "2222", "3333"]).await;
    assert!(screen.contains("locked"), "{screen}");
    stage.pass(16 * 60).await;
    assert!(guess(&[PIN]).await.contains("locked"), "for an hour, the second time");
    stage.pass(60 * 60).await;
    assert!(guess(&[PIN]).await.contains("1 Borrow"));
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_the_same_moment_are_counted_one_by_one() {
    let stage = Stage::new(6, Faults::calm()).await;
    let (mut session, _) = Session::dial(&stage, WANJIRU).await;
    register(&mut session).await;
    let mut sessions = Vec::new();
    for _ in 0..12 {
        sessions.push(Session::dial(&stage, WANJIRU).await.0);
    }
    let guesses =
        sessions.into_iter().enumerate().map(|(n, mut session)| async move { session.say(&format!("86{n:02}")).await });
    let screens = futures::future::join_all(guesses).await;
    let told = screens.iter().filter(|screen| screen.contains("Tries left")).count();
    assert_eq!(told, 2, "of twelve wrong ones two leave tries: {screens:?}");
    let (mut session, _) = Session::dial(&stage, WANJIRU).await;
    assert!(session.say(PIN).await.contains("locked"));
}

/// Everybody dials at once, and some hang on: everybody gets a screen, nothing is kept of strangers, and who has a loan is served.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_calls_is_answered_and_leaves_nothing() {
    let stage = Stage::new(6, Faults::calm()).await;
    let (mut session, _) = Session::dial(&stage, WANJIRU).await;
    register(&mut session).await;
    let numbers: Vec<String> = (0..300).map(|n| format!("2547991{n:05}")).collect();
    let at = &stage;
    let calls = numbers.iter().map(|number| async move {
        let (mut session, first) = Session::dial(at, number).await;
        (first, session.say("1").await)
    });
    for (first, second) in futures::future::join_all(calls).await {
        assert!(first.starts_with("CON Braid") && second.contains("1 I agree"), "{first} {second}");
    }
    let mut read = stage.app.read().await.unwrap();
    let known = vault::standing(&mut read, stage.app.ledger.vault(), &format!("+{}", numbers[7])).await.unwrap();
    assert_eq!(known, None);
    drop(read);
    let (mut session, _) = Session::dial(&stage, WANJIRU).await;
    assert!(session.say(PIN).await.contains("1 Borrow"));
}
