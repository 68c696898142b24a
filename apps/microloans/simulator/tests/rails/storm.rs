//! A bad day: requests that are acted upon and not answered, callbacks that are lost, late, doubled, out of order and false. Whoever
//! follows the rules of the port ends with books that are the provider's, pays nobody twice, and loses no payment.

use std::{collections::BTreeMap, time::Duration};

use crate::support::{self, Stage, all_time, id};
use braid_microloans_rails::{
    MobileMoney,
    port::{Direction, Event, Kind, Provider, Route, State, Submission},
    reconcile::{self, Leg, Standing},
};
use braid_microloans_simulator::{Faults, Habit, Rail};

/// How many payments there are of each kind with each provider.
const PAYMENTS: u8 = 12;
/// How many times the books are gone through. Each attempt fails with less than one in four, so that this is never reached.
const ROUNDS: usize = 60;
/// Between them, in seconds of the simulated world.
const PAUSE: u64 = 30 * 60;

/// What we know of a payment.
struct Ours {
    n: u8,
    provider: Provider,
    kind: Kind,
    msisdn: String,
    units: i128,
    is_acknowledged: bool,
    server: Option<String>,
    receipt: Option<String>,
    standing: Standing,
}

fn orders() -> Vec<Ours> {
    let mut orders = Vec::new();
    for n in 0..PAYMENTS * 4 {
        let provider = if n.is_multiple_of(2) { Provider::Daraja } else { Provider::MtnMomo };
        let kind = if n % 4 < 2 { Kind::Payout } else { Kind::Collection };
        let place = u32::from(n / 4) + 1;
        let msisdn = if n.is_multiple_of(2) { format!("2547{place:08}") } else { format!("23324{place:07}") };
        let units = 50 + i128::from(n);
        orders.push(Ours {
            n,
            provider,
            kind,
            msisdn,
            units,
            is_acknowledged: false,
            server: None,
            receipt: None,
            standing: Standing::Open,
        });
    }
    orders
}

/// Sends what has to be sent, and asks about the rest.
async fn attend(stage: &Stage, ours: &mut Ours) {
    let rail = stage.rail(ours.provider);
    if ours.is_acknowledged {
        let query = stage.query(ours.provider, ours.kind, ours.n, ours.server.clone());
        match rail.request_state(&query).await {
            State::Completed(completion) => {
                ours.receipt = completion.receipt;
                ours.standing = Standing::Succeeded;
            }
            State::Failed(_) => ours.standing = Standing::Failed,
            // The pause is longer than the provider may take: it never arrived, and goes out again as it was.
            State::NotFound => ours.is_acknowledged = false,
            State::Pending | State::Asked | State::Unknown(_) => {}
        }
        return;
    }
    match submit(stage, rail, ours).await {
        Submission::Acknowledged { server_correlation } => {
            ours.server = server_correlation;
            ours.is_acknowledged = true;
        }
        Submission::Duplicate => ours.is_acknowledged = true,
        Submission::Refused(failure) => panic!("{failure:?}"),
        Submission::NotSent(_) => {}
        // A payout that is recognised goes out again; what is not recognised is left to its callback and the statement.
        Submission::Unknown(_) => ours.is_acknowledged = !recognises(rail, ours.kind),
    }
}

fn recognises(rail: &dyn MobileMoney, kind: Kind) -> bool {
    let recognises = rail.rules().recognises;
    match kind {
        Kind::Payout => recognises.payouts,
        Kind::Collection => recognises.collections,
    }
}

async fn submit(stage: &Stage, rail: &dyn MobileMoney, ours: &Ours) -> Submission {
    match ours.kind {
        Kind::Payout => rail.disburse(&stage.payout(ours.provider, ours.n, &ours.msisdn, ours.units)).await,
        Kind::Collection => rail.collect(&stage.collection(ours.provider, ours.n, &ours.msisdn, ours.units)).await,
    }
}

/// What the answer to a question about a payout says, which comes as a callback and is compared field by field. Other callbacks are hints, and not
/// needed here at all.
fn hear(ours: &mut Ours, route: Route, event: &Event) {
    let Event::Result { correlation, state, .. } = event else { return };
    if route != Route::Status || ours.standing != Standing::Open || *correlation != Some(id(ours.n)) {
        return;
    }
    match state {
        State::Completed(completion)
            if completion.amount == Some(support::money(ours.provider, ours.units))
                && completion.party.as_deref() == Some(ours.msisdn.as_str()) =>
        {
            ours.receipt.clone_from(&completion.receipt);
            ours.standing = Standing::Succeeded;
        }
        State::Failed(_) => ours.standing = Standing::Failed,
        _ => {}
    }
}

async fn day(seed: u64, faults: Faults, timeout: Duration) -> (Stage, Vec<Ours>) {
    let stage = Stage::new(seed, usize::from(PAYMENTS) * 2, Habit::Approve, faults, timeout).await;
    let mut all = orders();
    for _ in 0..ROUNDS {
        for ours in all.iter_mut().filter(|ours| ours.standing == Standing::Open) {
            attend(&stage, ours).await;
        }
        for (received, event) in stage.pass(PAUSE).await {
            let n: u8 = received.token.strip_prefix("token-").unwrap().parse().unwrap();
            hear(&mut all[usize::from(n)], received.route, &event);
        }
        let is_waiting = |ours: &Ours| {
            ours.standing == Standing::Open
                && (!ours.is_acknowledged
                    || ours.server.is_some()
                    || ours.kind == Kind::Payout
                    || ours.provider == Provider::MtnMomo)
        };
        if !all.iter().any(is_waiting) {
            break;
        }
    }
    stage.pass(100 * 3600).await;
    (stage, all)
}

fn legs(all: &[Ours], provider: Provider) -> Vec<Leg> {
    let direction = |kind| if kind == Kind::Payout { Direction::Out } else { Direction::In };
    let of_provider = all.iter().filter(|ours| ours.provider == provider);
    let leg = |ours: &Ours| Leg {
        correlation: id(ours.n),
        direction: direction(ours.kind),
        amount: support::money(provider, ours.units),
        reference: format!("LN-{}", ours.n),
        receipt: ours.receipt.clone(),
        standing: ours.standing,
        at: jiff::Timestamp::from_millisecond(support::START_MS).unwrap(),
    };
    of_provider.map(leg).collect()
}

/// What each telephone should have, by our books and the statement's.
fn expected(all: &[Ours], moved: &BTreeMap<u8, bool>) -> BTreeMap<String, i64> {
    let mut balances = BTreeMap::new();
    for ours in all {
        let balance = balances.entry(ours.msisdn.clone()).or_insert(500_000);
        let minor = i64::try_from(ours.units * 100).unwrap();
        if moved[&ours.n] {
            *balance += if ours.kind == Kind::Payout { minor } else { -minor };
        }
    }
    balances
}

#[tokio::test]
async fn whoever_follows_the_rules_ends_with_the_providers_books() {
    let faults = Faults { no_answer: 15, ..Faults::rough() };
    let (stage, all) = day(7, faults, Duration::from_secs(5)).await;
    let mut moved: BTreeMap<u8, bool> = all.iter().map(|ours| (ours.n, ours.standing == Standing::Succeeded)).collect();
    for provider in [Provider::Daraja, Provider::MtnMomo] {
        let lines = stage.rail(provider).statement(all_time()).await.unwrap();
        let report = reconcile::reconcile(&lines, &legs(&all, provider), all_time());
        assert!(report.missing_here.is_empty(), "money moved that we have not ordered: {:?}", report.missing_here);
        assert!(report.missing_there.is_empty(), "we believe in money that never moved: {:?}", report.missing_there);
        assert!(report.contradicted.is_empty() && report.amount_differs.is_empty() && report.repeated.is_empty());
        for pair in &report.resolved {
            moved.insert(pair.leg.bytes()[0], true);
        }
        for open in &report.still_open {
            let ours = all.iter().find(|ours| id(ours.n) == *open).unwrap();
            assert_eq!((ours.provider, ours.kind), (Provider::Daraja, Kind::Collection), "only a prompt can stay open");
        }
    }
    for (msisdn, balance) in expected(&all, &moved) {
        assert_eq!(
            stage.simulator.phone(&msisdn).unwrap().balance_minor,
            balance,
            "{msisdn} was paid or charged twice, or not at all"
        );
    }
    assert!(all.iter().filter(|ours| ours.standing == Standing::Succeeded).count() > usize::from(PAYMENTS) * 2);
    let people = i64::from(PAYMENTS) * 500_000;
    assert_eq!(stage.simulator.total_minor(Rail::Daraja), 1_000_000_000 + people);
    assert_eq!(stage.simulator.total_minor(Rail::MtnMomo), 1_000_000_000 + people);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_day() {
    // Without answers that never come, nothing depends on how long anybody waits.
    let faults = Faults { no_answer: 0, ..Faults::rough() };
    let mut days = Vec::new();
    for seed in [3, 3, 4] {
        let (stage, _) = day(seed, faults, Duration::from_secs(100)).await;
        days.push(format!("{:?}", stage.rail(Provider::MtnMomo).statement(all_time()).await.unwrap()));
    }
    assert_eq!(days[0], days[1]);
    assert_ne!(days[0], days[2]);
}
