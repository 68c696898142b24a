//! Loans by telephone, end to end: the service, both simulated providers, and what goes over the wire between them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/stage.rs"]
mod stage;
mod support;

use braid_microloans_simulator::{Faults, Phone};
use serde_json::{Value, json};
use stage::Stage;

const AMINA: &str = "254700000001";
const KWAME: &str = "233240000001";

/// Somebody with a loan that was asked for over the interface, accepted and paid out.
async fn borrower(stage: &Stage, number: &str, country: &str, product: &str, principal: &str) -> String {
    let id = accepted(stage, number, country, product, principal).await;
    stage.until_state(&id, "active").await;
    id
}

/// Somebody with a loan that was asked for over the interface and accepted.
async fn accepted(stage: &Stage, number: &str, country: &str, product: &str, principal: &str) -> String {
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

#[tokio::test(flavor = "multi_thread")]
async fn borrowers_are_told_of_what_happens_in_their_name() {
    let stage = Stage::new(2, Faults::calm()).await;
    stage.fund().await;
    let id = borrower(&stage, AMINA, "KE", "stock", "10000").await;
    let loan = stage.client.get("auditor", &format!("/v1/loans/{id}")).await;
    let code = loan["code"].as_str().unwrap();
    stage.pay_in(AMINA, code, 123_400).await;
    let said = async || {
        let messages = stage.simulator.phone(AMINA).unwrap().messages;
        let ours: Vec<_> = messages.into_iter().filter(|message| message.from == "BRAID").collect();
        (ours.len() >= 3).then_some(ours)
    };
    let said = stage.until("three messages", said).await;
    let texts: Vec<_> = said.iter().rev().map(|message| message.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            format!("Braid: you agreed to loan {code} of KES 10,000. If this was not you, call 0800 123 now."),
            format!(
                "Braid: KES 10,000 of loan {code} were sent to this phone. First payment: 23/12/2026. If you did not ask for it, call 0800 123."
            ),
            format!("Braid: we have your payment of KES 1,234 for loan {code}. If you have questions, call 0800 123."),
        ]
    );
    // Each once, whatever else happens.
    stage.pass(3_600).await;
    stage.settle().await;
    let messages = stage.simulator.phone(AMINA).unwrap().messages;
    assert_eq!(messages.iter().filter(|message| message.from == "BRAID").count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_with_a_new_sim_is_paid_only_after_two_people_agree() {
    let stage = Stage::new(2, Faults::calm()).await;
    stage.fund().await;
    let before = stage.simulator.phone(AMINA).unwrap().balance_minor;
    assert_eq!(stage.phone(AMINA, "sim", json!({})).await, 204, "somebody else holds the number now");
    stage.pass(6 * 24 * 3_600).await;
    let id = accepted(&stage, AMINA, "KE", "stock", "10000").await;
    let path = format!("/v1/loans/{id}");
    let failed = async || {
        let legs = stage.client.get("auditor", &format!("{path}/legs")).await;
        (legs[0]["state"] == "failed").then_some(())
    };
    stage.until("the payout is called off", failed).await;
    assert_eq!(stage.client.get("auditor", &path).await["state"], "funded");
    assert_eq!(stage.simulator.phone(AMINA).unwrap().balance_minor, before, "nothing was paid");
    let log = stage.client.get("auditor", "/v1/audit").await;
    let told = log.as_array().unwrap().iter().any(|line| line["action"] == "sim.changed" && line["subject"] == id);
    assert!(told, "{log}");
    let disburse = format!("{path}/disburse");
    assert_eq!(stage.client.refused("officer", &disburse, json!({})).await.0, 409, "it is frozen");

    stage.client.approved("officer", json!({"action": "release", "loan": id, "hold": "frozen"})).await;
    // What is funded is paid out by itself.
    stage.until_state(&id, "active").await;
    assert_eq!(stage.simulator.phone(AMINA).unwrap().balance_minor, before + 980_000, "once");
    stage.night().await;
    stage.holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_change_of_sim_holds_nobody_and_no_answer_waits() {
    let stage = Stage::new(2, Faults::calm()).await;
    stage.fund().await;
    assert_eq!(stage.phone(AMINA, "sim", json!({})).await, 204);
    stage.pass(7 * 24 * 3_600).await;
    borrower(&stage, AMINA, "KE", "stock", "10000").await;
    // The operator knows nothing of this number, and says so; the provider of mobile money is not asked to pay it.
    let before = stage.float("daraja").await;
    let id = accepted(&stage, "254733333333", "KE", "stock", "10000").await;
    stage.until_state(&id, "disbursing").await;
    for _ in 0..30 {
        stage.pass(10).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let loan = stage.client.get("auditor", &format!("/v1/loans/{id}")).await;
    assert_eq!((&loan["state"], stage.float("daraja").await), (&json!("disbursing"), before));
    let phone = Phone { msisdn: "254733333333".to_owned(), ..stage.simulator.phone(AMINA).unwrap() };
    stage.simulator.add_phone(Phone { sim_changed_ms: None, ..phone }).unwrap();
    stage.until_state(&id, "active").await;
    stage.night().await;
    stage.holds().await;
}
