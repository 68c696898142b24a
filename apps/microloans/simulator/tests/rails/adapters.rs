//! The adapters against the simulator, over HTTP: what each step of a payment looks like from both sides.

use std::time::Duration;

use crate::support::{self, Received, Stage, all_time, id, money};
use braid_microloans_rails::{
    MobileMoney as _, Reason,
    port::{Completion, Decision, Direction, Event, Kind, Provider, Purpose, Reversal, Route, State, Submission},
};
use braid_microloans_simulator::{Faults, Habit, Rail};

const KENYAN: &str = "254700000001";
const GHANAIAN: &str = "233240000001";
/// No test may depend on how fast the machine is.
const PATIENCE: Duration = Duration::from_secs(100);

async fn calm(habit: Habit) -> Stage {
    Stage::new(1, 4, habit, Faults::calm(), PATIENCE).await
}

fn states(events: &[(Received, Event)]) -> Vec<&State> {
    events.iter().filter_map(|(_, event)| state(event)).collect()
}

const fn state(event: &Event) -> Option<&State> {
    match event {
        Event::Result { state, .. } => Some(state),
        _ => None,
    }
}

fn completion(events: &[(Received, Event)]) -> Completion {
    match states(events).as_slice() {
        [State::Completed(completion)] => completion.clone(),
        other => panic!("one completion, not {other:?}"),
    }
}

fn reason(state: &State) -> Reason {
    match state {
        State::Failed(failure) => failure.reason,
        other => panic!("a failure, not {other:?}"),
    }
}

#[tokio::test]
async fn a_payout_through_daraja() {
    let stage = calm(Habit::Ask).await;
    let order = stage.payout(Provider::Daraja, 1, KENYAN, 1500);
    let Submission::Acknowledged { server_correlation: Some(server) } = stage.daraja.disburse(&order).await else {
        panic!()
    };
    assert_eq!(stage.daraja.disburse(&order).await, Submission::Duplicate);
    let query = stage.query(Provider::Daraja, Kind::Payout, 1, Some(server));
    assert_eq!(stage.daraja.request_state(&query).await, State::Asked);
    let events = stage.pass(60).await;
    let (results, answers): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|(received, _)| received.route == Route::Payout);
    let completion = completion(&results);
    assert_eq!(results[0].0.token, "token-1");
    assert_eq!(completion.amount, Some(money(Provider::Daraja, 1500)));
    assert!(support::number(KENYAN).matches_masked(completion.party.as_deref().unwrap()));
    assert_eq!(completion.party_name.as_deref(), Some("Amina Bello"));
    assert!(matches!(&answers[0].1, Event::Result { correlation: Some(of), .. } if *of == id(1)));
    assert_eq!(stage.simulator.phone(KENYAN).unwrap().balance_minor, 500_000 + 150_000);

    let lines = stage.daraja.statement(all_time()).await.unwrap();
    let [payout, charge] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((payout.correlation, payout.direction, payout.amount), (Some(id(1)), Direction::Out, order.amount));
    assert_eq!(Some(&payout.receipt), completion.receipt.as_ref());
    assert_eq!(payout.completed_at, completion.completed_at.unwrap());
    assert_eq!(charge.purpose, Purpose::Charge);
}

#[tokio::test]
async fn payouts_that_fail() {
    let stage = calm(Habit::Ask).await;
    let fails = async |n, msisdn, units| {
        let submission = stage.daraja.disburse(&stage.payout(Provider::Daraja, n, msisdn, units)).await;
        assert!(matches!(submission, Submission::Acknowledged { .. }), "{submission:?}");
        let events = stage.pass(10).await;
        let failed = |state: &&State| !matches!(state, State::Completed(_));
        states(&events).into_iter().filter(failed).map(reason).collect::<Vec<_>>()
    };
    assert_eq!(fails(1, "254799999999", 10).await, [Reason::NotRegistered]);
    assert_eq!(fails(2, KENYAN, 240_000).await, []);
    assert_eq!(fails(3, KENYAN, 240_000).await, [Reason::TooSoon]);
    assert_eq!(fails(4, KENYAN, 249_999).await, []);
    assert_eq!(fails(5, KENYAN, 250_000).await, [Reason::LimitExceeded]);
    // What the adapter knows to be impossible is not sent.
    let order = stage.payout(Provider::Daraja, 6, KENYAN, 250_001);
    assert!(matches!(stage.daraja.disburse(&order).await, Submission::Refused(_)));
}

#[tokio::test]
async fn a_prompt_through_daraja() {
    let stage = calm(Habit::Approve).await;
    let order = stage.collection(Provider::Daraja, 1, KENYAN, 250);
    let Submission::Acknowledged { server_correlation } = stage.daraja.collect(&order).await else { panic!() };
    let query = stage.query(Provider::Daraja, Kind::Collection, 1, server_correlation.clone());
    assert_eq!(stage.daraja.request_state(&query).await, State::Pending);
    let events = stage.pass(60).await;
    assert!(matches!(&events[0].1, Event::Result { server_correlation: of, .. } if *of == server_correlation));
    let completion = completion(&events);
    assert_eq!(completion.amount, Some(order.amount));
    assert_eq!(completion.party.as_deref(), Some(KENYAN));
    let State::Completed(answer) = stage.daraja.request_state(&query).await else { panic!() };
    assert_eq!(answer.receipt, None, "only the callback and the statement have it");
    assert_eq!(stage.simulator.phone(KENYAN).unwrap().balance_minor, 500_000 - 25_000);

    let reversal = Reversal {
        correlation: id(2),
        receipt: completion.receipt.unwrap(),
        amount: order.amount,
        note: "Paid twice".into(),
        callback: stage.callback(Provider::Daraja, "token-2"),
    };
    assert!(matches!(stage.daraja.reverse(&reversal).await, Submission::Acknowledged { .. }));
    let reversed = stage.pass(60).await;
    assert!(matches!(states(&reversed).as_slice(), [State::Completed(_)]));
    assert_eq!(stage.simulator.phone(KENYAN).unwrap().balance_minor, 500_000);
    assert!(matches!(stage.daraja.reverse(&reversal).await, Submission::Acknowledged { .. }));
    assert_eq!(reason(states(&stage.pass(60).await)[0]), Reason::NotReversible);
    assert_eq!(stage.simulator.total_minor(Rail::Daraja), 1_000_000_000 + 2 * 500_000);
}

#[tokio::test]
async fn prompts_that_fail() {
    for (habit, expected) in [
        (Habit::Refuse, Reason::Cancelled),
        (Habit::WrongPin, Reason::WrongPin),
        (Habit::Ignore, Reason::Expired),
        (Habit::Off, Reason::Unreachable),
    ] {
        let stage = calm(habit).await;
        let order = stage.collection(Provider::Daraja, 1, KENYAN, 250);
        let Submission::Acknowledged { server_correlation } = stage.daraja.collect(&order).await else { panic!() };
        assert_eq!(reason(states(&stage.pass(100).await)[0]), expected);
        let query = stage.query(Provider::Daraja, Kind::Collection, 1, server_correlation);
        assert_eq!(reason(&stage.daraja.request_state(&query).await), expected);
        assert_eq!(stage.simulator.phone(KENYAN).unwrap().balance_minor, 500_000);
    }
    let stage = calm(Habit::Approve).await;
    let order = stage.collection(Provider::Daraja, 1, KENYAN, 5001);
    stage.daraja.collect(&order).await;
    assert_eq!(reason(states(&stage.pass(100).await)[0]), Reason::InsufficientFunds);
}

#[tokio::test]
async fn a_deposit_is_asked_about_and_told() {
    let stage = calm(Habit::Ask).await;
    stage.daraja.register_deposits(&stage.callback(Provider::Daraja, "deposits")).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let pay = async |account: &str| {
        let url = format!("{}/simulator/phones/{KENYAN}/pay", stage.simulator.url());
        let body = format!(r#"{{"pin":"1234","account":"{account}","amount_minor":20000}}"#);
        client.post(url).header("content-type", "application/json").body(body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(pay("LN-1").await, 204);
    let events = stage.pass(60).await;
    let [(_, Event::Validation(asked)), (_, Event::Deposit(told))] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((asked.amount, asked.reference.as_str()), (money(Provider::Daraja, 200), "LN-1"));
    assert_eq!((told.amount, told.reference.as_str()), (money(Provider::Daraja, 200), "LN-1"));
    assert!(support::number(KENYAN).matches_masked(&told.party));
    stage.decide(Decision::UnknownReference);
    assert_eq!(pay("LN-2").await, 204);
    let events = stage.pass(60).await;
    assert!(matches!(events.as_slice(), [(_, Event::Validation(_))]), "{events:?}");
    assert_eq!(stage.simulator.phone(KENYAN).unwrap().balance_minor, 500_000 - 20_000);
    let lines = stage.daraja.statement(all_time()).await.unwrap();
    assert_eq!((lines.len(), lines[0].reference.as_deref()), (1, Some("LN-1")));
}

#[tokio::test]
async fn both_directions_through_mtn() {
    let stage = calm(Habit::Approve).await;
    let payout = stage.payout(Provider::MtnMomo, 1, GHANAIAN, 100);
    let out = stage.query(Provider::MtnMomo, Kind::Payout, 1, None);
    assert_eq!(stage.momo.request_state(&out).await, State::NotFound);
    assert_eq!(stage.momo.disburse(&payout).await, Submission::Acknowledged { server_correlation: None });
    assert_eq!(stage.momo.disburse(&payout).await, Submission::Duplicate);
    assert_eq!(stage.momo.request_state(&out).await, State::Pending);
    let told = completion(&stage.pass(60).await);
    let State::Completed(asked) = stage.momo.request_state(&out).await else { panic!() };
    assert_eq!((&told, told.amount), (&asked, Some(payout.amount)));

    let collection = stage.collection(Provider::MtnMomo, 2, GHANAIAN, 30);
    assert!(matches!(stage.momo.collect(&collection).await, Submission::Acknowledged { .. }));
    let events = stage.pass(60).await;
    assert!(matches!(&events[0].1, Event::Result { correlation: Some(of), .. } if *of == id(2)));
    assert_eq!(completion(&events).party.as_deref(), Some(GHANAIAN));
    assert_eq!(stage.simulator.phone(GHANAIAN).unwrap().balance_minor, 500_000 + 10_000 - 3_000);

    let lines = stage.momo.statement(all_time()).await.unwrap();
    let seen: Vec<_> = lines.iter().map(|line| (line.correlation, line.direction, line.amount)).collect();
    assert_eq!(seen, [(Some(id(1)), Direction::Out, payout.amount), (Some(id(2)), Direction::In, collection.amount)]);
}

#[tokio::test]
async fn failures_through_mtn() {
    let stage = calm(Habit::Approve).await;
    let asks = async |n, msisdn: &str, units| {
        let submission = stage.momo.collect(&stage.collection(Provider::MtnMomo, n, msisdn, units)).await;
        assert!(matches!(submission, Submission::Acknowledged { .. }), "{submission:?}");
        let told = stage.pass(400).await;
        let query = stage.query(Provider::MtnMomo, Kind::Collection, n, None);
        assert_eq!(states(&told), [&stage.momo.request_state(&query).await]);
        reason(states(&told)[0])
    };
    assert_eq!(asks(1, GHANAIAN, 5001).await, Reason::InsufficientFunds);
    assert_eq!(asks(2, "233249999999", 1).await, Reason::NotRegistered);
}

#[tokio::test]
async fn a_token_that_is_forgotten_is_fetched_again() {
    let stage = calm(Habit::Approve).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for n in 1..4 {
        let order = stage.payout(Provider::Daraja, n, KENYAN, 100 + i128::from(n));
        assert!(matches!(stage.daraja.disburse(&order).await, Submission::Acknowledged { .. }));
        let order = stage.payout(Provider::MtnMomo, 10 + n, GHANAIAN, 100);
        assert!(matches!(stage.momo.disburse(&order).await, Submission::Acknowledged { .. }));
        client.post(format!("{}/simulator/forget-tokens", stage.simulator.url())).send().await.unwrap();
    }
    // An hour later they have ended by themselves.
    stage.pass(3600).await;
    let order = stage.payout(Provider::Daraja, 9, KENYAN, 200);
    assert!(matches!(stage.daraja.disburse(&order).await, Submission::Acknowledged { .. }));
}

#[tokio::test]
async fn a_wrong_password_fails_late_and_a_wrong_key_at_once() {
    let stage = calm(Habit::Ask).await;
    let clock = braid_microloans_rails::Clock(std::sync::Arc::new(|| {
        jiff::Timestamp::from_millisecond(support::START_MS).unwrap()
    }));
    let mut config = support::daraja_config(&stage.simulator.url(), PATIENCE);
    let wrong = "wrong".to_owned().into();
    config.security_credential = braid_microloans_rails::daraja::credential::seal(
        &wrong,
        braid_microloans_simulator::credentials::CERTIFICATE_PEM,
    )
    .unwrap();
    let daraja = braid_microloans_rails::Daraja::new(config.clone(), clock.clone()).unwrap();
    let order = stage.payout(Provider::Daraja, 1, KENYAN, 10);
    assert!(matches!(daraja.disburse(&order).await, Submission::Acknowledged { .. }));
    assert_eq!(reason(states(&stage.pass(60).await)[0]), Reason::NotAuthorised);
    config.consumer_secret = "wrong".to_owned().into();
    let daraja = braid_microloans_rails::Daraja::new(config, clock).unwrap();
    assert!(matches!(daraja.disburse(&order).await, Submission::NotSent(_)));
}

#[tokio::test]
async fn a_prompt_is_answered_on_the_page() {
    let stage = Stage::new(1, 300, Habit::Ask, Faults::calm(), PATIENCE).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = stage.simulator.url();
    let get = async |path: &str| client.get(format!("{url}{path}")).send().await.unwrap().text().await.unwrap();
    let post = async |path: String, form: &'static str| {
        let request = client.post(format!("{url}{path}")).header("content-type", "application/x-www-form-urlencoded");
        request.body(form).send().await.unwrap().status().as_u16()
    };
    let order = stage.collection(Provider::Daraja, 1, KENYAN, 250);
    assert!(matches!(stage.daraja.collect(&order).await, Submission::Acknowledged { .. }));
    stage.pass(10).await;
    let list = get("/?from=2547").await;
    assert!(list.len() < 100_000 && list.contains("Do you want to pay KES 250.00"), "{}", list.len());
    let path = format!("/phones/{KENYAN}");
    let page = get(&path).await;
    assert!(page.contains("You are asked") && page.contains("width=device-width"));
    assert_eq!(post(format!("{path}/answer"), "action=approve&pin=1234").await, 200);
    assert!(completion(&stage.pass(10).await).receipt.is_some());
    let page = get(&path).await;
    assert!(page.contains("KES 4750.00") && page.contains("paid to BRAID") && !page.contains("You are asked"));
    // A second answer is to nothing, and a wrong PIN pays nothing; what people type is not taken for markup.
    assert_eq!(post(format!("{path}/answer"), "action=approve&pin=1234").await, 422);
    assert_eq!(post(format!("{path}/pay"), "account=LN-1&amount=10&pin=9999").await, 422);
    assert_eq!(post(format!("{path}/pay"), "account=%3Cb%3ELN-1&amount=10&pin=1234").await, 200);
    stage.pass(10).await;
    let page = get(&path).await;
    assert!(page.contains("&lt;b&gt;LN-1") && !page.contains("<b>"));
    let request =
        client.post(format!("{url}/version1/messaging")).header("content-type", "application/x-www-form-urlencoded");
    let sent = request.body(format!("username=sandbox&to=%2B{KENYAN}&message=Due+tomorrow")).send().await.unwrap();
    assert_eq!(sent.status().as_u16(), 201);
    assert_eq!(stage.simulator.phone(KENYAN).unwrap().messages[0].text, "Due tomorrow");
}
