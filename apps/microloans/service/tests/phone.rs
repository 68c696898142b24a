//! Loans by telephone, end to end: the service, both simulated providers, and what goes over the wire between them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/stage.rs"]
mod stage;
mod support;

use braid_microloans_rails::port::{Collection, Submission};
use braid_microloans_service::{callbacks, worker};
use braid_microloans_simulator::{Faults, Phone};
use serde_json::{Value, json};
use stage::Stage;

const AMINA: &str = "254700000001";
const KWAME: &str = "233240000001";

/// Somebody with a loan that was asked for over the interface, accepted and paid out.
async fn borrower(stage: &Stage, number: &str, country: &str, product: &str, principal: &str) -> String {
    let client = &stage.client;
    let person = json!({"country": country, "language": "en", "name": "A Borrower", "phone": format!("+{number}"), "national_id": "12345678"});
    let person = client.post("gateway", "/v1/people", person).await;
    let application = json!({"person": person["id"], "product": product, "principal": principal, "instalments": 6, "purpose": "cloth"});
    let loan = client.post("gateway", "/v1/loans", application).await;
    let id = loan["id"].as_str().unwrap().to_owned();
    client.post("officer", &format!("/v1/loans/{id}/review"), json!({})).await;
    client.approved("officer", json!({"action": "offer", "loan": id})).await;
    let facts = client.get("gateway", &format!("/v1/loans/{id}/key-facts")).await;
    let consent = json!({"key_facts_hash": facts["key_facts_hash"], "language": "en", "channel": "agent"});
    client.post("gateway", &format!("/v1/loans/{id}/accept"), consent).await;
    stage.until_state(&id, "active").await;
    id
}

async fn outstanding(stage: &Stage, id: &str) -> String {
    let loan = stage.client.get("auditor", &format!("/v1/loans/{id}")).await;
    loan["balance"]["outstanding"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loan_goes_out_and_comes_back_by_prompt_and_by_code() {
    let stage = Stage::new(4, Faults::calm()).await;
    stage.fund().await;
    for (number, country, product, rail) in [(AMINA, "KE", "stock", "daraja"), (KWAME, "GH", "market", "mtn")] {
        let before = stage.simulator.phone(number).unwrap().balance_minor;
        let principal = if rail == "mtn" { "1000" } else { "10000" };
        let id = borrower(&stage, number, country, product, principal).await;
        // Two percent are kept back.
        let got = stage.simulator.phone(number).unwrap().balance_minor - before;
        assert_eq!(got, if rail == "mtn" { 98_000 } else { 980_000 });
        let path = format!("/v1/loans/{id}/collect");
        stage.client.post("gateway", &path, json!({"amount": "200"})).await;
        let legs = format!("/v1/loans/{id}/legs");
        stage
            .until("the prompt is paid", async || {
                let legs = stage.client.get("auditor", &legs).await;
                let paid = |leg: &&Value| leg["kind"] == "collection" && leg["state"] == "succeeded";
                legs.as_array().unwrap().iter().find(paid).map(|leg| leg["receipt"].clone())
            })
            .await;
        let owes = outstanding(&stage, &id).await;
        // From the menu of the telephone, to the loan's code.
        let code = stage.client.get("auditor", &format!("/v1/loans/{id}")).await["code"].as_str().unwrap().to_owned();
        stage.pay_in(number, &code, 30_000).await;
        if rail == "daraja" {
            stage.until("the deposit is booked", async || (outstanding(&stage, &id).await != owes).then_some(())).await;
        }
    }
    // MTN tells nobody of deposits: the statement does.
    stage.pass(60).await;
    stage.night().await;
    stage.holds().await;
    let nights = stage.client.get("auditor", "/v1/reconciliations").await;
    let night =
        |rail: &str| nights.as_array().unwrap().iter().find(|night| night["rail"] == rail).unwrap()["counts"].clone();
    let (daraja, mtn) = (night("daraja"), night("mtn"));
    assert_eq!(
        (&daraja["matched"], &daraja["known"], &daraja["charges"]),
        (&json!(2), &json!(1), &json!(1)),
        "{daraja}"
    );
    assert_eq!((&mtn["matched"], &mtn["found"]), (&json!(2), &json!(1)), "{mtn}");
    assert_eq!(stage.client.get("auditor", "/v1/contradictions").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn money_given_back_in_the_first_days_costs_the_interest_alone() {
    let stage = Stage::new(2, Faults::calm()).await;
    stage.fund().await;
    let id = borrower(&stage, AMINA, "KE", "stock", "10000").await;
    let loan = stage.client.get("auditor", &format!("/v1/loans/{id}")).await;
    let code = loan["code"].as_str().unwrap();
    let pay_off = loan["balance"]["pay_off"].as_str().unwrap();
    // Up to two shillings too much besides.
    let minor = (pay_off.split('.').next().unwrap().parse::<i64>().unwrap() + 2) * 100;
    // Somebody else pays: whose telephone it is does not matter.
    let other = stage.simulator.phone(AMINA).unwrap();
    let other = Phone { msisdn: "254711111111".to_owned(), balance_minor: minor, ..other };
    stage.simulator.add_phone(other).unwrap();
    stage.pay_in("254711111111", code, minor).await;
    stage.until_state(&id, "overpaid").await;
    let before = stage.simulator.phone(AMINA).unwrap().balance_minor;
    stage.client.approved("treasurer", json!({"action": "refund", "loan": id})).await;
    stage.until_state(&id, "closed").await;
    let back = stage.simulator.phone(AMINA).unwrap().balance_minor - before;
    assert!(back >= 20_000 + 100, "the fee of 200 and a shilling: {back}");
    stage.night().await;
    stage.holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_takes_back_is_owed_again() {
    let stage = Stage::new(2, Faults::calm()).await;
    stage.fund().await;
    let id = borrower(&stage, AMINA, "KE", "stock", "10000").await;
    let code = stage.client.get("auditor", &format!("/v1/loans/{id}")).await["code"].as_str().unwrap().to_owned();
    let owes = outstanding(&stage, &id).await;
    stage.pay_in(AMINA, &code, 100_000).await;
    stage.until("the deposit is booked", async || (outstanding(&stage, &id).await != owes).then_some(())).await;
    let mut read = stage.app.read().await.unwrap();
    let paid = braid_microloans_ledger::payments::of_loan(&mut read, &id.parse().unwrap(), 5).await.unwrap();
    drop(read);
    let rail = stage.app.rail("daraja").unwrap();
    let amount = braid_microloans_arithmetic::Money { minor: 100_000, currency: "KES".parse().unwrap() };
    let order = braid_microloans_rails::port::Reversal {
        correlation: "00000000-0000-4000-8000-000000000001".parse().unwrap(),
        receipt: paid[0].receipt.clone(),
        amount,
        note: "Wrong number".to_owned(),
        callback: braid_microloans_rails::port::CallbackUrl("http://127.0.0.1:9/nowhere".to_owned()),
    };
    rail.reverse(&order).await;
    stage.pass(60).await;
    stage.night().await;
    assert_eq!(outstanding(&stage, &id).await, owes);
    stage.holds().await;
}

/// The requests to pay of a loan.
async fn collections(stage: &Stage, id: &str) -> Vec<Value> {
    let legs = stage.client.get("auditor", &format!("/v1/loans/{id}/legs")).await;
    legs.as_array().unwrap().iter().filter(|leg| leg["kind"] == "collection").cloned().collect()
}

/// Asks for a payment; the status of the answer.
async fn ask(stage: &Stage, id: &str, key: &str) -> u16 {
    let request = stage.http.post(format!("{}/v1/loans/{id}/collect", stage.client.base));
    let request = request.bearer_auth(support::token("gateway")).header("idempotency-key", key);
    request.json(&json!({"amount": "200"})).send().await.unwrap().status().as_u16()
}

/// Waits, while no time passes, until the provider has been called and nobody knows what became of it.
async fn until_in_doubt(stage: &Stage, id: &str) {
    for _ in 0..6_000 {
        if collections(stage, id).await.iter().any(|leg| leg["state"] == "unknown") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let legs = collections(stage, id).await;
    assert_eq!(legs, Vec::<Value>::new(), "none is in doubt");
}

async fn until_paid(stage: &Stage, id: &str, times: usize) {
    let is_paid = |leg: &&Value| leg["state"] == "succeeded";
    stage
        .until("the request is paid", async || {
            (collections(stage, id).await.iter().filter(is_paid).count() == times).then_some(())
        })
        .await;
}

/// A request lies in the provider's queue for minutes: it is not answered, and who asks about it hears that it was never seen. Whoever believed that and asked
/// the borrower once more would be paid twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_held_up_is_paid_once() {
    let stage = Stage::new(4, Faults::calm()).await;
    stage.fund().await;
    for (number, country, product, principal) in [(AMINA, "KE", "stock", "10000"), (KWAME, "GH", "market", "1000")] {
        let id = borrower(&stage, number, country, product, principal).await;
        let before = stage.simulator.phone(number).unwrap().balance_minor;
        stage.simulator.set_faults(Faults { held: 1_000, ..Faults::calm() }).unwrap();
        assert_eq!(ask(&stage, &id, &format!("{number}-first")).await, 202);
        until_in_doubt(&stage, &id).await;
        stage.simulator.set_faults(Faults::calm()).unwrap();
        for minute in 0..20 {
            let legs = collections(&stage, &id).await;
            assert_eq!(legs.len(), 1, "{legs:?}");
            if legs[0]["state"] == "succeeded" {
                break;
            }
            assert_eq!(ask(&stage, &id, &format!("{number}-{minute}")).await, 409, "minute {minute}: {legs:?}");
            stage.pass(60).await;
            stage.settle().await;
        }
        stage.pass(3_600).await;
        stage.settle().await;
        assert_eq!(collections(&stage, &id).await[0]["state"], "succeeded");
        assert_eq!(before - stage.simulator.phone(number).unwrap().balance_minor, 20_000, "paid once");
    }
    stage.night().await;
    stage.holds().await;
}

/// A request that no statement has is given up, the borrower is asked again and pays; then the first one comes out of some queue, and is paid as well. That
/// money is the borrower's: it counts for the loan within minutes, and once.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_payment_of_the_same_instalment_is_credited() {
    let stage = Stage::new(2, Faults::calm()).await;
    stage.fund().await;
    let id = borrower(&stage, AMINA, "KE", "stock", "10000").await;
    let (before, owed) = (stage.simulator.phone(AMINA).unwrap().balance_minor, outstanding(&stage, &id).await);
    stage.simulator.set_faults(Faults { error_before: 1_000, ..Faults::calm() }).unwrap();
    assert_eq!(ask(&stage, &id, "first").await, 202);
    until_in_doubt(&stage, &id).await;
    stage.simulator.set_faults(Faults::calm()).unwrap();
    stage.pass(3 * 3_600).await;
    assert_eq!(ask(&stage, &id, "too early").await, 409, "what became of it is not known");
    stage.night().await;
    assert_eq!(collections(&stage, &id).await[0]["state"], "failed", "no statement has it");
    assert_eq!(ask(&stage, &id, "again").await, 202);
    until_paid(&stage, &id, 1).await;

    let mut read = stage.app.read().await.unwrap();
    let legs = braid_microloans_ledger::payments::legs_of(&mut read, &id.parse().unwrap()).await.unwrap();
    drop(read);
    let first = legs.iter().find(|leg| leg.state == braid_microloans_ledger::LegState::Failed).unwrap();
    let loan = stage.client.get("auditor", &format!("/v1/loans/{id}")).await;
    let order = Collection {
        correlation: first.id.as_str().parse().unwrap(),
        amount: braid_microloans_arithmetic::Money { minor: first.amount, currency: first.currency },
        payer: AMINA.parse().unwrap(),
        reference: loan["code"].as_str().unwrap().to_owned(),
        note: "Repayment".to_owned(),
        callback: worker::callback_url(&stage.app, first, callbacks::Purpose::Order),
    };
    // Not within the two minutes in which M-PESA takes an equal payment for a repetition.
    stage.pass(180).await;
    let sent = stage.app.rail("daraja").unwrap().collect(&order).await;
    assert!(matches!(sent, Submission::Acknowledged { .. }), "{sent:?}");
    let minor = |text: &str| text.replace('.', "").parse::<i64>().unwrap();
    stage
        .until("both payments count", async || {
            (minor(&owed) - minor(&outstanding(&stage, &id).await) == 40_000).then_some(())
        })
        .await;
    assert_eq!(before - stage.simulator.phone(AMINA).unwrap().balance_minor, 40_000, "paid twice");
    stage.night().await;
    assert_eq!(minor(&owed) - minor(&outstanding(&stage, &id).await), 40_000, "and the statement adds nothing");
    stage.holds().await;
}

/// A confirmation is replayed a thousand times, at the same time; one is made up for a receipt that is nobody's, one puts another's loan into a true one.
#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_counts_once_however_often_it_is_told() {
    let stage = Stage::new(4, Faults::calm()).await;
    stage.fund().await;
    let id = borrower(&stage, AMINA, "KE", "stock", "10000").await;
    let other = borrower(&stage, "254700000002", "KE", "stock", "10000").await;
    let code = async |id: &str| {
        let loan = stage.client.get("auditor", &format!("/v1/loans/{id}")).await;
        loan["code"].as_str().unwrap().to_owned()
    };
    let (own, others) = (code(&id).await, code(&other).await);
    let (owed, others_owed) = (outstanding(&stage, &id).await, outstanding(&stage, &other).await);
    // The provider's own confirmation is lost.
    stage.simulator.set_faults(Faults { lost: 1_000, ..Faults::calm() }).unwrap();
    stage.pay_in(AMINA, &own, 30_000).await;
    stage.pass(60).await;
    stage.settle().await;
    let messages = stage.simulator.phone(AMINA).unwrap().messages;
    let told = messages.iter().map(|message| message.text.clone()).find(|text| text.contains("300.00 paid")).unwrap();
    let receipt = told.split_whitespace().next().unwrap();
    let token = callbacks::token(stage.app.ledger.vault(), callbacks::Purpose::Rail, "daraja");
    let url = format!("{}/v1/callbacks/daraja/rail/{token}/confirmation", stage.client.base);
    // By the clock of Nairobi.
    let at = stage.clock.now() + jiff::SignedDuration::from_hours(3);
    let at = at.strftime("%Y%m%d%H%M%S").to_string();
    let confirm = async |receipt: &str, amount: &str, code: &str| {
        let body = json!({"TransactionType": "Pay Bill", "TransID": receipt, "TransTime": at, "TransAmount": amount,
            "BusinessShortCode": "600638", "BillRefNumber": code, "MSISDN": "2547 ***** 001", "FirstName": "A"});
        stage.http.post(&url).json(&body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(confirm("SKFORGED01", "5000.00", &own).await, 200, "what is made up is only looked for");
    assert_eq!(confirm(receipt, "300.00", &others).await, 200);
    for statuses in (0..10).map(|_| futures::future::join_all((0..100).map(|_| confirm(receipt, "300.00", &own)))) {
        assert!(statuses.await.iter().all(|status| *status == 200));
    }
    let minor = |text: &str| text.replace('.', "").parse::<i64>().unwrap();
    stage.until("the deposit is booked", async || (outstanding(&stage, &id).await != owed).then_some(())).await;
    stage.night().await;
    assert_eq!(minor(&owed) - minor(&outstanding(&stage, &id).await), 30_000, "once, and nothing that was made up");
    assert_eq!(outstanding(&stage, &other).await, others_owed, "it is the loan's that the payer named");
    stage.holds().await;
}
