//! A loan over HTTP, from the application to the last instalment, with a provider that does what providers do.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use braid_microloans_ledger::vault::{Vault, master_key};
use braid_microloans_service::{Clock, callbacks, callbacks::Purpose, worker::Watch};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use support::{Answer, Client, Till};

struct Stage {
    folder: tempfile::TempDir,
    till: std::sync::Arc<Till>,
    clock: Clock,
    client: Client,
}

async fn stage() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}?mode=rwc", folder.path().join("books.sqlite").display());
    let config = support::write_config(folder.path(), &database);
    let till = Till::new(folder.path());
    let clock = Clock::manual(support::monday());
    let client = support::start(support::open(&config, &till, clock.clone(), Watch::default()).await).await;
    Stage { folder, till, clock, client }
}

impl Stage {
    fn vault(&self) -> Vault {
        Vault::new(&master_key(&std::fs::read_to_string(self.folder.path().join("master-key")).unwrap()).unwrap())
    }

    async fn holds(&self) {
        let found = self.client.get("auditor", "/v1/inspection").await;
        assert_eq!((&found["failures"], &found["journal"]["failures"]), (&json!([]), &json!([])), "{found}");
    }

    async fn active(&self, phone: &str) -> String {
        let loan = self.client.accepted(phone).await;
        let id = loan["id"].as_str().unwrap().to_owned();
        self.client.until(&id, "active").await;
        id
    }

    fn payouts(&self) -> usize {
        self.till.lines().iter().filter(|(direction, ..)| direction == "out").count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_application_to_the_last_instalment() {
    let stage = stage().await;
    let client = &stage.client;
    client.deposit("50000", "bank-1").await;
    let id = stage.active("+254700000001").await;
    assert_eq!(stage.payouts(), 1);
    let loan = client.get("gateway", &format!("/v1/loans/{id}")).await;
    assert_eq!(loan["balance"]["outstanding"], "10000.00");
    assert_eq!(loan["balance"]["next_due"], "2026-12-23");
    stage.holds().await;
    let schedule = client.get("gateway", &format!("/v1/loans/{id}/schedule")).await;
    for line in schedule.as_array().unwrap() {
        // On the day itself: a payment that comes early leaves what accrues until then.
        let due: Timestamp = format!("{}T09:00:00Z", line["due"].as_str().unwrap()).parse().unwrap();
        stage.clock.advance(due.duration_since(stage.clock.now()));
        // Mobile money pays whole shillings; the cents of the last instalment are waived that day.
        let shillings = line["total"].as_str().unwrap().split('.').next().unwrap();
        let leg = client.post("gateway", &format!("/v1/loans/{id}/collect"), json!({"amount": shillings})).await;
        for attempt in 0.. {
            let legs = client.get("auditor", &format!("/v1/loans/{id}/legs")).await;
            let leg = legs.as_array().unwrap().iter().find(|other| other["id"] == leg["id"]).unwrap().clone();
            if leg["state"] == "succeeded" {
                break;
            }
            assert!(attempt < 6_000, "{leg}");
            // What is due after some seconds is due on this clock only when it is moved.
            stage.clock.advance(SignedDuration::from_secs(1));
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    client.until(&id, "closed").await;
    stage.holds().await;
    let events = client.get("auditor", &format!("/v1/loans/{id}/events")).await;
    let kinds: Vec<&str> = events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    for kind in
        ["ApplicationSubmitted", "OfferMade", "KfsAccepted", "FundsCommitted", "DisbursementConfirmed", "Closed"]
    {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_provider_does_the_borrower_is_paid_once() {
    let stage = stage().await;
    stage.client.deposit("100000", "bank-1").await;
    let answers = [Answer::Take, Answer::TakeSilently, Answer::LoseOrder, Answer::Unreachable];
    for (at, answer) in answers.into_iter().enumerate() {
        stage.till.answers.lock().unwrap().push_back(answer);
        stage.active(&format!("+25470000001{at}")).await;
        assert_eq!(stage.payouts(), at + 1, "{answer:?}");
    }
    stage.till.answers.lock().unwrap().push_back(Answer::Refuse);
    let loan = stage.client.accepted("+254700000019").await;
    let id = loan["id"].as_str().unwrap();
    for attempt in 0.. {
        let events = stage.client.get("auditor", &format!("/v1/loans/{id}/events")).await;
        if events.to_string().contains("DisbursementFailed") {
            break;
        }
        assert!(attempt < 6_000, "{events}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // An equal payment within two minutes would be taken for a repetition.
    stage.clock.advance(SignedDuration::from_secs(200));
    stage.client.until(id, "active").await;
    assert_eq!(stage.payouts(), 5);
    stage.holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_pay_once() {
    const LOANS: usize = 12;
    let stage = stage().await;
    stage.client.deposit("500000", "bank-1").await;
    // A second service on the same books; both work.
    let config = stage.folder.path().join("service.toml");
    let app = support::open(&config, &stage.till, stage.clock.clone(), Watch::default()).await;
    let second = support::start(app).await;
    stage.till.answers.lock().unwrap().extend([Answer::TakeSilently, Answer::Take].repeat(LOANS));
    let mut ids = Vec::new();
    for number in 0..LOANS {
        let client = if number % 2 == 0 { &stage.client } else { &second };
        let loan = client.accepted(&format!("+2547000001{number:02}")).await;
        ids.push(loan["id"].as_str().unwrap().to_owned());
    }
    for id in &ids {
        second.until(id, "active").await;
    }
    assert_eq!(stage.payouts(), LOANS);
    stage.holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_gives_one_answer() {
    let stage = stage().await;
    let person = json!({"country": "KE", "language": "sw", "name": "A", "phone": "+254700000001", "national_id": "1"});
    let (status, first) = stage.client.send("gateway", "k", "/v1/people", &person).await;
    assert_eq!(status, 201);
    for _ in 0..3 {
        assert_eq!(stage.client.send("gateway", "k", "/v1/people", &person).await, (201, first.clone()));
    }
    let other = json!({"country": "KE", "language": "sw", "name": "B", "phone": "+254700000002", "national_id": "2"});
    let (status, problem) = stage.client.send("gateway", "k", "/v1/people", &other).await;
    assert_eq!(
        (status, problem["detail"].as_str().unwrap()),
        (422, "this idempotency key was used for another request")
    );
    let (status, _) = stage.client.send("gateway", "k2", "/v1/people", &person).await;
    assert_eq!(status, 409, "the number is taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_kept_apart() {
    let stage = stage().await;
    let client = &stage.client;
    let deposit = json!({"action": "deposit", "rail": "daraja", "currency": "KES", "amount": "1", "evidence": "b"});
    for role in ["gateway", "officer", "auditor"] {
        assert_eq!(client.refused(role, "/v1/approvals", deposit.clone()).await.0, 403, "{role}");
    }
    let proposal = client.post("approver", "/v1/approvals", deposit.clone()).await;
    let path = format!("/v1/approvals/{}/decide", proposal["id"].as_str().unwrap());
    let (status, _) = client.refused("approver", &path, json!({"decision": "approved"})).await;
    assert_eq!(status, 403, "nobody approves what they proposed");
    assert_eq!(client.refused("treasurer", &path, json!({"decision": "approved"})).await.0, 403);
    assert_eq!(client.refused("nobody", "/v1/approvals", deposit).await.0, 401);
    assert_eq!(client.refused("gateway", "/v1/loans", json!({"person": 1})).await.0, 422);
    assert_eq!(client.refused("gateway", "/v1/nothing", json!({})).await.0, 404);
    let health = client.get("nobody", "/health").await;
    assert_eq!(health["status"], "ok");
    let metrics = client.get("nobody", "/metrics").await;
    assert!(metrics.as_str().unwrap().contains("braid_loans_outbox 0"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_a_hint_and_a_forged_one_nothing() {
    let stage = stage().await;
    let client = &stage.client;
    client.deposit("50000", "bank-1").await;
    let id = stage.active("+254700000001").await;
    let code = client.get("gateway", &format!("/v1/loans/{id}")).await["code"].as_str().unwrap().to_owned();
    let token = callbacks::token(&stage.vault(), Purpose::Rail, "daraja");
    let path = format!("/v1/callbacks/daraja/rail/{token}/confirmation");
    let told =
        |receipt: &str, amount: i64| json!({"deposit": {"receipt": receipt, "amount": amount, "reference": code}});
    let forged = format!("/v1/callbacks/daraja/rail/{}/confirmation", "0".repeat(32));
    assert_eq!(client.callback(&forged, &told("F1", 100)).await.0, 404);
    assert_eq!(client.callback(&path, &json!({"what": 1})).await.0, 400);
    // Somebody who knows the address tells of money that never came, and of more than came.
    assert_eq!(client.callback(&path, &told("F2", 100_000)).await.0, 200);
    stage.till.pay_in("P1", 178_500, &code);
    for _ in 0..20 {
        assert_eq!(client.callback(&path, &told("P1", 999_900)).await.0, 200);
    }
    for attempt in 0.. {
        let loan = client.get("gateway", &format!("/v1/loans/{id}")).await;
        if loan["balance"]["outstanding"] != "10000.00" {
            // 1785 of principal: no interest has accrued on the first day.
            assert_eq!(loan["balance"]["outstanding"], "8215.00");
            break;
        }
        assert!(attempt < 6_000, "{loan}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let validate = format!("/v1/callbacks/daraja/rail/{token}/validation");
    assert_eq!(client.callback(&validate, &told("V", 100)).await.1["decision"], "Accept");
    let unknown = json!({"deposit": {"receipt": "V", "amount": 100, "reference": "nobody"}});
    assert_eq!(client.callback(&validate, &unknown).await.1["decision"], "UnknownReference");
    stage.holds().await;
}

/// Names and numbers that are found nowhere but where they are sealed.
const CANARIES: [&str; 3] = ["Kanarienvogel Zwitscher", "254799555111", "CANARY-ID-4711"];

#[tokio::test(flavor = "multi_thread")]
async fn persons_data_is_found_nowhere() {
    let stage = stage().await;
    let client = &stage.client;
    client.deposit("50000", "bank-1").await;
    let person = json!({"country": "KE", "language": "sw", "name": CANARIES[0], "phone": format!("+{}", CANARIES[1]), "national_id": CANARIES[2]});
    let made = client.post("gateway", "/v1/people", person.clone()).await;
    let person_id = made["id"].as_str().unwrap().to_owned();
    let application =
        json!({"person": person_id, "product": "stock", "principal": "10000", "instalments": 6, "purpose": "cloth"});
    let loan = client.post("gateway", "/v1/loans", application).await;
    let id = loan["id"].as_str().unwrap().to_owned();
    client.post("officer", &format!("/v1/loans/{id}/review"), json!({})).await;
    client.approved("officer", json!({"action": "offer", "loan": id})).await;
    let facts = client.get("gateway", &format!("/v1/loans/{id}/key-facts")).await;
    let consent = json!({"key_facts_hash": facts["key_facts_hash"], "language": "sw", "channel": "ussd"});
    client.post("gateway", &format!("/v1/loans/{id}/accept"), consent).await;
    client.until(&id, "active").await;
    // Refusals may not quote what was sent.
    let (_, again) = client.refused("gateway", "/v1/people", person).await;
    let wrong = json!({"country": "KE", "phone": CANARIES[1], "surname": CANARIES[0]});
    let (_, misshapen) = client.refused("gateway", "/v1/people", wrong).await;
    let mut seen = format!("{again}{misshapen}");
    for path in ["/v1/audit?limit=500", "/v1/journal/entries", "/v1/accounts", "/metrics", "/v1/loans?state=active"] {
        seen += &client.get("auditor", path).await.to_string();
    }
    for path in ["", "/events", "/legs", "/schedule", "/key-facts"] {
        seen += &client.get("auditor", &format!("/v1/loans/{id}{path}")).await.to_string();
    }
    let opened = client.post("officer", &format!("/v1/people/{person_id}/open"), json!({"reason": "visit"})).await;
    assert_eq!(opened["name"], CANARIES[0], "the one place where it is shown");
    assert!(client.get("auditor", "/v1/audit?limit=500").await.to_string().contains("name: visit"));
    for canary in CANARIES {
        assert!(!seen.contains(canary), "{canary} in an answer");
        for entry in std::fs::read_dir(stage.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} in {}", path.display());
        }
    }
}
