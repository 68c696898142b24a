//! Random loans with random histories: whatever happens, every minor unit is accounted for.
//!
//! `BRAID_LOANS` sets how many (`make loans` tries a million); a failure prints the loan, shrunk.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use braid_microloans_arithmetic::{
    Charge, Component, Currency, Date, DayCount, Disbursement, Every, Fee, Grace, Late, Loan, Method, Minor, Parts,
    Penalty, Periods, Prepayment, Rate, Rounding, Status, Terms, When,
    apr::{DatedFlow, effective_rate},
    key_facts::KeyFacts,
    loan::{Capitalise, Restructuring},
};
use proptest::{prelude::*, test_runner::TestRunner};

/// What happens to a loan some days after what happened before.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Pay(Minor),
    PayOff,
    PayOverdue,
    Wait,
    WaivePenalties,
    WriteOff,
    Restructure(Capitalise),
}

fn cases() -> u32 {
    std::env::var("BRAID_LOANS").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000)
}

fn check(
    strategy: impl Strategy<Value = (Terms, Vec<(u8, Happening)>)>,
    property: impl Fn(&Terms, &[(u8, Happening)]),
) {
    let config = ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(&strategy, |(terms, history)| {
        property(&terms, &history);
        Ok(())
    });
    result.unwrap();
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => (1..60_000_i128).prop_map(Happening::Pay),
        4 => Just(Happening::PayOverdue),
        1 => Just(Happening::PayOff),
        2 => Just(Happening::Wait),
        1 => Just(Happening::WaivePenalties),
        1 => Just(Happening::WriteOff),
        1 => proptest::sample::select(&[Capitalise::Principal, Capitalise::Interest, Capitalise::Everything][..])
            .prop_map(Happening::Restructure),
    ]
}

fn history() -> impl Strategy<Value = Vec<(u8, Happening)>> {
    proptest::collection::vec((0..60_u8, happening()), 0..10)
}

fn charge() -> impl Strategy<Value = Charge> {
    prop_oneof![
        (0..2_000_i128).prop_map(Charge::Fixed),
        (0..900_u32).prop_map(|tenths| Charge::Share(tenths_of_percent(tenths / 10)))
    ]
}

fn tenths_of_percent(tenths: u32) -> Rate {
    format!("{}.{}", tenths / 10, tenths % 10).parse().unwrap()
}

fn fees() -> impl Strategy<Value = Vec<Fee>> {
    let when = proptest::sample::select(&[When::Disbursement, When::FirstInstalment, When::EveryInstalment][..]);
    let fee = (charge(), when).prop_map(|(charge, when)| Fee { name: "fee".to_owned(), charge, when });
    proptest::collection::vec(fee, 0..2)
}

fn penalty() -> impl Strategy<Value = Option<Penalty>> {
    let late = prop_oneof![
        charge().prop_map(Late::Once),
        (0..400_u32).prop_map(|rate| Late::Daily(Rate::percent(rate).unwrap()))
    ];
    let cap = proptest::option::of((0..100_u32).prop_map(|cap| Rate::percent(cap).unwrap()));
    proptest::option::of((late, 0..10_u16, cap).prop_map(|(late, grace_days, cap)| Penalty { late, grace_days, cap }))
}

fn every() -> impl Strategy<Value = Every> {
    proptest::sample::select(
        &[
            Every::Months(1),
            Every::Months(1),
            Every::Months(2),
            Every::Days(7),
            Every::Days(14),
            Every::Days(15),
            Every::Days(1),
        ][..],
    )
}

fn terms() -> impl Strategy<Value = Terms> {
    let methods = [Method::Flat, Method::Declining, Method::Daily, Method::EqualPrincipal, Method::Bullet];
    let day_counts =
        [DayCount::Thirty360, DayCount::Actual365, DayCount::Actual360, DayCount::Actual364, DayCount::ActualActual];
    let prepayments =
        [Prepayment::NextInstalment, Prepayment::LastInstalment, Prepayment::ReduceInstalment, Prepayment::ReduceCount];
    let ways = (
        proptest::sample::select(methods.to_vec()),
        proptest::sample::select(day_counts.to_vec()),
        proptest::sample::select(prepayments.to_vec()),
        prop_oneof![3 => Just(1_i128), 1 => Just(100), 1 => Just(5_000)],
        prop_oneof![Just(Rounding::HalfEven), Just(Rounding::Up)],
    );
    let money = (1..200_000_i128, 0..1_500_u32, proptest::collection::vec((0..90_u16, 1..50_000_i128), 0..3));
    let time = (every(), 1..20_u32, 0..1_000_i32, 1..70_i32);
    let grace = (0..6_u32, 0..6_u32);
    let in_duplum = proptest::option::weighted(0.2, 1..100_u16);
    (ways, money, time, grace, fees(), penalty(), in_duplum).prop_map(
        |(ways, money, time, grace, fees, penalty, in_duplum)| {
            let (method, day_count, prepayment, multiple, rounding) = ways;
            let (principal, rate, more) = money;
            let (every, instalments, start, first_due) = time;
            let start = Date::new(2023, 1, 1).unwrap().plus_days(start);
            let first_due = start.plus_days(first_due);
            let periods = Periods::new(first_due, every);
            let last_due = periods.end(i32::try_from(instalments).unwrap() - 1);
            let mut disbursements = vec![Disbursement { date: start, amount: principal }];
            for (days, amount) in more {
                let date = disbursements.last().unwrap().date.plus_days(days.into());
                if date < last_due {
                    disbursements.push(Disbursement { date, amount });
                }
            }
            let currency: Currency = "KES".parse().unwrap();
            let first = disbursements[0];
            let grace = Grace { principal: grace.0.min(instalments - 1), interest: grace.1.min(instalments - 1) };
            let terms = Terms {
                disbursements,
                method,
                day_count,
                multiple,
                rounding,
                grace,
                fees,
                penalty,
                in_duplum,
                prepayment,
                ..Terms::new(currency, first, tenths_of_percent(rate), first_due, every, instalments)
            };
            // What is kept back must leave something.
            if terms.check().is_ok() { terms } else { Terms { fees: Vec::new(), ..terms } }
        },
    )
}

/// Lets something happen; returns the loan that goes on, if another one does.
fn happen(loan: &mut Loan, days: u8, happening: Happening) -> Option<Loan> {
    let date = loan.today().plus_days(days.into());
    let is_active = |loan: &Loan| loan.status() == Status::Active;
    match happening {
        Happening::Wait => loan.advance_to(date).unwrap(),
        Happening::Pay(amount) => pay(loan, date, amount),
        Happening::PayOff => {
            let amount = loan.pay_off(date).unwrap();
            pay_if_any(loan, date, amount);
            assert_eq!(loan.owed(), 0, "what is asked for settles the loan");
        }
        Happening::PayOverdue => {
            loan.advance_to(date).unwrap();
            let amount = loan.overdue().total();
            pay_if_any(loan, date, if is_active(loan) { amount } else { 0 });
        }
        Happening::WaivePenalties => {
            loan.advance_to(date).unwrap();
            let amount = loan.overdue().penalties;
            if is_active(loan) && amount > 0 {
                loan.waive(Component::Penalties, amount).unwrap();
            }
        }
        Happening::WriteOff if is_active(loan) => {
            let owed = loan.pay_off(date).unwrap();
            assert_eq!(loan.write_off(date).unwrap().total(), owed);
        }
        Happening::Restructure(capitalise) if is_active(loan) => return restructure(loan, date, capitalise),
        Happening::WriteOff | Happening::Restructure(_) => {}
    }
    None
}

fn pay_if_any(loan: &mut Loan, date: Date, amount: Minor) {
    if amount > 0 {
        pay(loan, date, amount);
    }
}

/// Pays, and checks that the money went somewhere.
fn pay(loan: &mut Loan, date: Date, amount: Minor) {
    if loan.status() == Status::Restructured {
        assert!(loan.pay(date, amount).is_err());
        return;
    }
    loan.advance_to(date).unwrap();
    let (owed, was_active) = (loan.owed(), loan.status() == Status::Active);
    let receipt = loan.pay(date, amount).unwrap();
    assert_eq!(receipt.paid.total() + receipt.overpaid, amount, "no money is lost");
    assert!(receipt.overpaid >= 0);
    assert!(receipt.paid.is_not_negative() || loan.terms().method == Method::Flat);
    assert!(receipt.overpaid == 0 || loan.owed() == 0, "nothing is given back that is owed");
    if was_active {
        assert_eq!(owed - loan.owed(), receipt.paid.total(), "a payment lessens what is owed by itself");
    }
}

fn restructure(loan: &mut Loan, date: Date, capitalise: Capitalise) -> Option<Loan> {
    let owed = loan.pay_off(date).unwrap();
    let terms = Terms {
        periods: Periods::new(date.plus_days(30), Every::Months(1)),
        instalments: 9,
        grace: Grace::default(),
        fees: Vec::new(),
        ..loan.terms().clone()
    };
    // Nothing but charges, or nothing at all, may be owed: there is no principal to begin again with.
    let new = loan.restructure(date, &Restructuring { terms, capitalise }).ok()?;
    assert_eq!((new.owed(), loan.owed(), loan.totals().moved.total()), (owed, 0, owed));
    Some(new)
}

/// What is true of every loan at any time.
fn assert_books(loan: &Loan) {
    let totals = loan.totals();
    let mut settled = Parts::default();
    for instalment in loan.instalments() {
        for parts in
            [instalment.charged, instalment.paid, instalment.waived, instalment.written_off, instalment.recovered]
        {
            assert!(parts.is_not_negative(), "{instalment:?}");
        }
        assert!(instalment.written_off.minus(&instalment.recovered).is_not_negative(), "{instalment:?}");
    }
    for parts in [totals.paid, totals.waived, totals.written_off, totals.moved] {
        settled = settled.plus(&parts);
    }
    if loan.status() != Status::Active {
        assert_eq!(totals.charged, settled, "nothing is left of a loan that is over");
    }
    assert!(loan.overdue().is_not_negative());
    assert_eq!(loan.lent() - settled.principal, loan.outstanding());
    let schedule = loan.schedule();
    let mut after = schedule.totals();
    for line in &schedule.lines {
        assert!(line.parts.is_not_negative() && line.balance >= 0, "{line:?}");
    }
    assert_eq!(schedule.lines.last().unwrap().balance, 0, "the last instalment leaves nothing");
    after.principal -= loan.lent();
    assert!(after.principal >= 0, "all that was lent is repaid");
}

#[test]
fn every_minor_unit_is_accounted_for() {
    check((terms(), history()), |terms, history| {
        let mut loan = Loan::new(terms.clone()).unwrap();
        let planned = loan.schedule();
        assert_eq!(planned.totals().principal, terms.principal());
        assert!(planned.lines.len() <= terms.instalments as usize);
        assert_books(&loan);
        for (days, happening) in history {
            let new = happen(&mut loan, *days, *happening);
            assert_books(&loan);
            if let Some(new) = new {
                loan = new;
                assert_books(&loan);
            }
        }
    });
}

#[test]
fn who_pays_as_agreed_pays_what_was_agreed() {
    check((terms(), Just(Vec::new())), |terms, _| {
        let mut loan = Loan::new(terms.clone()).unwrap();
        let planned = loan.schedule();
        let mut payments = Vec::new();
        for line in &planned.lines {
            let total = line.parts.total();
            loan.advance_to(line.due).unwrap();
            if total > 0 {
                let receipt = loan.pay(line.due, total).unwrap();
                assert_eq!(receipt.overpaid, 0);
                payments.push(DatedFlow { date: line.due, amount: -total });
            }
        }
        assert_eq!((loan.owed(), loan.schedule()), (0, planned));
        // Rates take a thousand times as long as all else.
        if terms.principal() % 64 == 0 {
            assert_disclosed(terms, payments);
        }
    });
}

/// The rate that was disclosed is that of what was received and paid.
fn assert_disclosed(terms: &Terms, payments: Vec<DatedFlow>) {
    let mut flows: Vec<DatedFlow> = terms
        .disbursements
        .iter()
        .map(|disbursement| DatedFlow { date: disbursement.date, amount: disbursement.amount })
        .collect();
    flows[0].amount -= terms.fees_on_disbursement();
    if flows[0].amount > 0 {
        flows.extend(payments);
        assert_eq!(KeyFacts::of(terms).map(|facts| facts.effective), effective_rate(&flows));
    }
}

#[test]
fn time_may_stop_anywhere_and_payments_of_a_day_may_be_swapped() {
    check((terms(), history()), |terms, history| {
        // A penalty by the day is rounded where time stops.
        let terms = Terms { penalty: None, ..terms.clone() };
        let [mut straight, mut halting] = [(); 2].map(|()| Loan::new(terms.clone()).unwrap());
        for (days, happening) in history {
            let Happening::Pay(amount) = *happening else { continue };
            let date = straight.today().plus_days((*days).into());
            for day in 0..*days {
                halting.advance_to(straight.today().plus_days(day.into())).unwrap();
            }
            straight.pay(date, amount).unwrap();
            straight.pay(date, 1_000).unwrap();
            halting.pay(date, 1_000).unwrap();
            halting.pay(date, amount).unwrap();
            assert_eq!(straight.owed(), halting.owed());
            assert_eq!((straight.overpaid(), straight.status()), (halting.overpaid(), halting.status()));
            if straight.status() == Status::Active {
                assert_eq!(straight.schedule(), halting.schedule());
            } else {
                // What settles the loan is principal of the day, in whichever order it comes.
                assert_eq!(straight.totals(), halting.totals());
            }
        }
    });
}
