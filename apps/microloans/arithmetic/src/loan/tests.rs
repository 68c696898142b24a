//! Schedules and payments whose figures are public, or follow from the rules by hand.

use super::*;
use crate::{Charge, Component, DayCount, Fee, Grace, Late, Penalty, Prepayment, Status, When};

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

/// An amount with two decimals.
fn cents(text: &str) -> Minor {
    "USD".parse::<crate::Currency>().unwrap().parse(text).unwrap()
}

fn terms(principal: &str, rate: &str, disbursed: &str, first_due: &str, every: &str, instalments: u32) -> Terms {
    let first = Disbursement { date: date(disbursed), amount: cents(principal) };
    Terms::new(
        "USD".parse().unwrap(),
        first,
        rate.parse().unwrap(),
        date(first_due),
        every.parse().unwrap(),
        instalments,
    )
}

/// 100 lent on 1 January 2024 for six months.
fn hundred(rate: &str) -> Terms {
    terms("100", rate, "2024-01-01", "2024-02-01", "1 month", 6)
}

/// 5000 lent on 1 November 2022 at 12 %, in instalments of whole units.
fn five_thousand(method: Method, instalments: u32) -> Terms {
    Terms { method, multiple: 100, ..terms("5000", "12", "2022-11-01", "2022-12-01", "1 month", instalments) }
}

fn loan(terms: &Terms) -> Loan {
    Loan::new(terms.clone()).unwrap()
}

fn and_disbursed(terms: Terms, more: &[(&str, &str)]) -> Terms {
    let more = more.iter().map(|(day, amount)| Disbursement { date: date(day), amount: cents(amount) });
    Terms { disbursements: terms.disbursements.iter().copied().chain(more).collect(), ..terms }
}

/// Totals, interest and balances of a schedule, as texts with spaces.
fn columns(loan: &Loan) -> [String; 3] {
    let currency = loan.terms().currency;
    let schedule = loan.schedule();
    let column = |of: &dyn Fn(&Line) -> Minor| {
        schedule.lines.iter().map(|line| currency.format(of(line))).collect::<Vec<_>>().join(" ")
    };
    [column(&|line| line.parts.total()), column(&|line| line.parts.interest), column(&|line| line.balance)]
}

#[track_caller]
fn check(loan: &Loan, totals: &str, interest: &str, balances: &str) {
    assert_eq!(columns(loan), [totals, interest, balances]);
}

#[test]
fn thirty_360_monthly() {
    check(
        &loan(&hundred("9.4822")),
        "17.13 17.13 17.13 17.13 17.13 17.13",
        "0.79 0.66 0.53 0.40 0.27 0.13",
        "83.66 67.19 50.59 33.86 17.00 0.00",
    );
}

#[test]
fn disbursed_within_the_first_period() {
    check(
        &loan(&terms("192.22", "9.99", "2024-01-15", "2024-02-01", "1 month", 6)),
        "32.85 32.85 32.85 32.85 32.85 32.87",
        "0.88 1.33 1.07 0.81 0.54 0.27",
        "160.25 128.73 96.95 64.91 32.60 0.00",
    );
}

#[test]
fn actual_365_keeps_a_level_that_no_other_betters() {
    check(
        &loan(&Terms { day_count: DayCount::Actual365, ..hundred("15.678") }),
        "17.43 17.43 17.43 17.43 17.43 17.47",
        "1.33 1.05 0.90 0.66 0.46 0.22",
        "83.90 67.52 50.99 34.22 17.25 0.00",
    );
}

#[test]
fn actual_actual_across_a_leap_year() {
    let terms = terms("100", "9.4822", "2023-12-12", "2024-01-12", "1 month", 6);
    check(
        &loan(&Terms { day_count: DayCount::ActualActual, ..terms }),
        "17.13 17.13 17.13 17.13 17.13 17.13",
        "0.80 0.67 0.50 0.41 0.26 0.14",
        "83.67 67.21 50.58 33.86 16.99 0.00",
    );
}

#[test]
fn weeks_and_days() {
    let weekly = |first_due, every, count| Terms {
        day_count: DayCount::Actual364,
        ..terms("100", "9.4822", "2024-01-01", first_due, every, count)
    };
    check(
        &loan(&weekly("2024-01-08", "1 week", 6)),
        "16.77 16.77 16.77 16.77 16.77 16.78",
        "0.18 0.15 0.12 0.09 0.06 0.03",
        "83.41 66.79 50.14 33.46 16.75 0.00",
    );
    check(&loan(&weekly("2024-01-15", "2 weeks", 3)), "33.57 33.57 33.58", "0.36 0.24 0.12", "66.79 33.46 0.00");
    for day_count in [DayCount::Actual360, DayCount::Thirty360] {
        check(
            &loan(&Terms { day_count, ..terms("100", "9.4822", "2024-01-01", "2024-01-16", "15 days", 6) }),
            "16.90 16.90 16.90 16.90 16.90 16.89",
            "0.40 0.33 0.26 0.20 0.13 0.07",
            "83.50 66.93 50.29 33.59 16.82 0.00",
        );
    }
}

#[test]
fn no_interest() {
    check(
        &loan(&terms("1000", "0", "2024-01-01", "2024-02-01", "1 month", 4)),
        "250.00 250.00 250.00 250.00",
        "0.00 0.00 0.00 0.00",
        "750.00 500.00 250.00 0.00",
    );
}

/// Level or first instalment, the last, and all interest.
fn ends(terms: &Terms) -> (Minor, Minor, Minor) {
    let schedule = loan(terms).schedule();
    let total = |line: Option<&Line>| line.unwrap().parts.total();
    assert_eq!(schedule.totals().principal, terms.principal());
    (total(schedule.lines.first()), total(schedule.lines.last()), schedule.totals().interest)
}

#[test]
fn whole_units_by_every_method() {
    let [flat, declining, equal, bullet] = [Method::Flat, Method::Declining, Method::EqualPrincipal, Method::Bullet]
        .map(|method| ends(&five_thousand(method, 18)));
    assert_eq!(flat, (32_800, 32_400, 90_000));
    assert_eq!(declining, (30_500, 30_322, 48_822));
    assert_eq!(equal, (32_778, 28_052, 47_500));
    assert_eq!(bullet, (5_000, 505_000, 90_000));
    let daily = Terms { day_count: DayCount::Actual365, ..five_thousand(Method::Daily, 18) };
    assert_eq!(ends(&daily), (30_500, 30_233, 48_733));
    let lines = loan(&five_thousand(Method::EqualPrincipal, 18)).schedule().lines;
    assert_eq!((lines[16].parts.principal, lines[17].parts.principal), (27_778, 27_774));
}

#[test]
fn grace_on_principal() {
    let terms = Terms { grace: Grace { principal: 3, interest: 0 }, ..five_thousand(Method::Declining, 18) };
    let schedule = loan(&terms).schedule();
    let totals: Vec<_> = schedule.lines.iter().map(|line| line.parts.total()).collect();
    assert_eq!(totals[..5], [5_000, 5_000, 5_000, 36_100, 36_100]);
    assert_eq!((totals[16], totals[17], schedule.totals().interest), (36_100, 35_487, 55_887));
}

#[test]
fn grace_on_interest_defers_it() {
    let terms = Terms { grace: Grace { principal: 6, interest: 3 }, ..five_thousand(Method::Declining, 18) };
    let schedule = loan(&terms).schedule();
    let totals: Vec<_> = schedule.lines.iter().map(|line| line.parts.total()).collect();
    assert_eq!(totals[..8], [0, 0, 0, 20_000, 5_000, 5_000, 44_400, 44_400]);
    assert_eq!((totals[17], schedule.totals().interest), (44_709, 63_109));
    for method in [Method::Flat, Method::Daily, Method::EqualPrincipal, Method::Bullet] {
        let with = Terms { grace: Grace { principal: 0, interest: 17 }, ..five_thousand(method, 18) };
        let without = five_thousand(method, 18);
        assert_eq!(ends(&with).2, ends(&without).2, "{method:?}: as much interest, later");
        assert_eq!(loan(&with).schedule().lines[16].parts.interest, 0);
    }
}

#[test]
fn disbursed_in_parts() {
    check(
        &loan(&and_disbursed(hundred("9.4822"), &[("2024-01-08", "200")])),
        "51.33 51.33 51.33 51.33 51.33 51.34",
        "2.02 1.98 1.59 1.20 0.80 0.40",
        "250.69 201.34 151.60 101.47 50.94 0.00",
    );
    check(
        &loan(&and_disbursed(hundred("9.4822"), &[("2024-02-15", "100")])),
        "17.13 37.53 37.53 37.53 37.53 37.53",
        "0.79 1.07 1.16 0.88 0.59 0.29",
        "83.66 147.20 110.83 74.18 37.24 0.00",
    );
    check(
        &loan(&and_disbursed(hundred("9.4822"), &[("2024-03-01", "100")])),
        "17.13 17.13 42.63 42.63 42.63 42.61",
        "0.79 0.66 1.32 0.99 0.67 0.33",
        "83.66 167.19 125.88 84.24 42.28 0.00",
    );
    let late_start = terms("100", "9.4822", "2024-01-05", "2024-02-01", "1 month", 6);
    check(
        &loan(&and_disbursed(late_start, &[("2024-01-08", "50"), ("2024-01-08", "25")])),
        "29.94 29.94 29.94 29.94 29.94 29.94",
        "1.15 1.16 0.93 0.70 0.47 0.23",
        "146.21 117.43 88.42 59.18 29.71 0.00",
    );
}

/// The loan after payments on these days.
fn paid(terms: &Terms, payments: &[(&str, &str)]) -> Loan {
    let mut loan = loan(terms);
    for (day, amount) in payments {
        loan.pay(date(day), cents(amount)).unwrap();
    }
    loan
}

#[test]
fn an_instalment_paid_early_costs_interest_to_that_day() {
    let loan = paid(&hundred("7"), &[("2024-02-01", "17.01"), ("2024-02-15", "17.01")]);
    assert_eq!(loan.outstanding(), cents("66.80"));
    check(
        &loan,
        "17.01 17.01 17.01 17.01 17.01 16.95",
        "0.58 0.24 0.59 0.29 0.20 0.10",
        "83.57 66.80 50.38 33.66 16.85 0.00",
    );
    // Most of the next one is paid a month early: 0.20 that the period before went on accruing, and 16.71 of principal. What is left
    // of it is 0.10 of interest, and the other 0.19 of that period fall due with the one after.
    let payments = [("2024-02-01", "17.01"), ("2024-02-15", "17.01"), ("2024-03-01", "16.91")];
    check(
        &paid(&hundred("7"), &payments),
        "17.01 17.01 17.01 17.01 17.01 16.85",
        "0.58 0.24 0.30 0.48 0.20 0.10",
        "83.57 66.80 50.09 33.56 16.75 0.00",
    );
}

#[test]
fn what_settles_a_loan() {
    let mut loan = loan(&hundred("7"));
    assert_eq!(loan.pay_off(date("2024-01-01")), Ok(cents("100")));
    assert_eq!(loan.pay_off(date("2024-01-15")), Ok(cents("100.26")));
    loan.keep_to(date("2024-02-15")).unwrap();
    assert_eq!(loan.owed(), cents("83.81"));
    loan.keep_to(date("2024-03-01")).unwrap();
    assert_eq!(loan.owed(), cents("84.06"), "the instalment of that day is part of it");
    let receipt = loan.pay(date("2024-03-01"), cents("90")).unwrap();
    assert_eq!((loan.status(), loan.owed(), receipt.overpaid), (Status::Settled, 0, cents("5.94")));
    assert_eq!(loan.schedule().lines.len(), 2);
    assert_eq!(loan.pay(date("2024-03-02"), 1).unwrap().overpaid, 1);
}

#[test]
fn an_advance_on_the_due_date_lowers_the_instalments() {
    let terms = Terms {
        day_count: DayCount::Actual365,
        prepayment: Prepayment::ReduceInstalment,
        ..five_thousand(Method::Daily, 6)
    };
    check(
        &paid(&terms, &[("2022-12-01", "1500")]),
        "1500.00 731.00 731.00 731.00 731.00 732.24",
        "49.32 36.17 29.09 19.82 14.69 7.15",
        "3549.32 2854.49 2152.58 1441.40 725.09 0.00",
    );
}

#[test]
fn paying_late_costs_daily_interest_alone() {
    let terms = Terms { day_count: DayCount::Actual365, ..five_thousand(Method::Daily, 6) };
    // Four days on 5000.00 cost 6.58, the other 27 on 4186.32 cost 37.16.
    let totals = "863.00 863.00 863.00 863.00 863.00 861.47";
    let interest = "49.32 43.74 34.32 23.37 17.31 8.41";
    let balances = "4186.32 3367.06 2538.38 1698.75 853.06 0.00";
    check(&paid(&terms, &[("2022-12-05", "863")]), totals, interest, balances);
    // From the day of the last payment on, what is overdue is taken to be paid.
    check(&paid(&terms, &[("2022-12-05", "200")]), totals, interest, balances);
    let declining = Terms { method: Method::Declining, ..terms };
    let late = paid(&declining, &[("2022-12-05", "863")]);
    assert_eq!(columns(&late), columns(&loan(&declining)), "penalties, not interest, are for lateness");
}

#[test]
fn four_ways_to_apply_an_advance() {
    let after = |prepayment| {
        let terms = Terms { prepayment, ..terms("1000", "0", "2024-01-01", "2024-02-01", "1 month", 4) };
        paid(&terms, &[("2024-02-01", "450")])
    };
    check(
        &after(Prepayment::NextInstalment),
        "250.00 250.00 250.00 250.00",
        "0.00 0.00 0.00 0.00",
        "750.00 500.00 250.00 0.00",
    );
    check(
        &after(Prepayment::LastInstalment),
        "450.00 250.00 250.00 50.00",
        "0.00 0.00 0.00 0.00",
        "550.00 300.00 50.00 0.00",
    );
    check(
        &after(Prepayment::ReduceInstalment),
        "450.00 183.33 183.33 183.34",
        "0.00 0.00 0.00 0.00",
        "550.00 366.67 183.34 0.00",
    );
    check(
        &after(Prepayment::ReduceCount),
        "450.00 250.00 250.00 50.00",
        "0.00 0.00 0.00 0.00",
        "550.00 300.00 50.00 0.00",
    );
    assert_eq!(after(Prepayment::NextInstalment).owed(), cents("550"));
}

#[test]
fn with_interest_the_last_instalment_and_fewer_of_them_differ() {
    let after = |prepayment| paid(&Terms { prepayment, ..hundred("60") }, &[("2024-02-01", "40")]);
    // The level is 19.70: 5.00 interest and 14.70 principal; 20.30 are paid ahead, the last 18.76 and 1.54 of the one before.
    check(
        &after(Prepayment::LastInstalment),
        "40.00 18.69 18.69 18.69 17.15",
        "5.00 3.25 2.48 1.67 0.82",
        "65.00 49.56 33.35 16.33 0.00",
    );
    check(
        &after(Prepayment::ReduceCount),
        "40.00 19.70 19.70 19.70 13.80",
        "5.00 3.25 2.43 1.56 0.66",
        "65.00 48.55 31.28 13.14 0.00",
    );
}

fn with_fee(terms: Terms) -> Terms {
    let fee = Fee { name: "service".to_owned(), charge: Charge::Fixed(100), when: When::EveryInstalment };
    Terms { fees: vec![fee], ..terms }
}

fn penalty(late: Late, cap: Option<u32>) -> Option<Penalty> {
    Some(Penalty { late, grace_days: 3, cap: cap.and_then(Rate::percent) })
}

#[test]
fn money_pays_the_oldest_instalment_first_and_its_penalty_before_all() {
    let base = with_fee(terms("400", "12", "2024-01-01", "2024-02-01", "1 month", 4));
    let terms = Terms { method: Method::Flat, penalty: penalty(Late::Once(Charge::Fixed(500)), None), ..base };
    let mut loan = loan(&terms);
    // 100.00 principal, 4.00 interest and 1.00 fee fall due every month.
    loan.advance_to(date("2024-02-04")).unwrap();
    assert_eq!((loan.overdue().total(), loan.days_late()), (10_500, 3));
    loan.advance_to(date("2024-02-05")).unwrap();
    assert_eq!(loan.overdue().penalties, 500, "after the days of grace");
    let receipt = loan.pay(date("2024-03-10"), cents("20")).unwrap();
    // Two penalties by now, but the first instalment is paid first.
    assert_eq!(receipt.paid, Parts { penalties: 500, fees: 100, interest: 400, principal: 1_000 });
    assert_eq!(loan.days_late(), 38);
    assert_eq!(loan.overdue(), Parts { penalties: 500, fees: 100, interest: 400, principal: 19_000 });
    loan.pay(date("2024-03-10"), cents("90")).unwrap();
    assert_eq!(loan.days_late(), 9, "the second instalment is the oldest now");
}

#[test]
fn lateness_by_the_day_stops_at_its_cap() {
    let late = |cap| Terms {
        penalty: penalty(Late::Daily(Rate::percent(365).unwrap()), cap),
        ..five_thousand(Method::Flat, 5)
    };
    // 1000.00 of principal is late: 1 % of it a day.
    let after = |cap, day| {
        let mut loan = loan(&late(cap));
        loan.advance_to(date(day)).unwrap();
        loan.totals().charged.penalties
    };
    assert_eq!([after(None, "2022-12-04"), after(None, "2022-12-05"), after(None, "2022-12-11")], [0, 4_000, 10_000]);
    assert_eq!(after(Some(1), "2022-12-11"), 5_000);
}

#[test]
fn in_duplum_the_principal_is_doubled_at_most() {
    let daily = Terms {
        method: Method::Daily,
        day_count: DayCount::Actual365,
        ..terms("1000", "73", "2024-01-01", "2024-02-01", "1 month", 1)
    };
    let owed = |terms: &Terms, day| loan(terms).pay_off(date(day)).unwrap();
    // 2.00 a day: 31 days until it is due, 90 until it does not perform, 500 until the principal is doubled.
    let capped = Terms { in_duplum: Some(90), ..daily.clone() };
    assert_eq!(date("2024-05-01").days_since(date("2024-01-01")), 31 + 90);
    assert_eq!([owed(&capped, "2024-05-01"), owed(&daily, "2024-05-01")], [cents("1242"); 2]);
    assert_eq!([owed(&capped, "2025-09-13"), owed(&daily, "2025-09-13")], [cents("2242"); 2]);
    assert_eq!([owed(&capped, "2029-01-01"), owed(&daily, "2029-01-01")], [cents("2242"), cents("4654")]);
    let penalised = Terms { penalty: penalty(Late::Daily(Rate::percent(73).unwrap()), None), ..capped };
    assert_eq!(owed(&penalised, "2029-01-01"), cents("2242"), "penalties count");
}

#[test]
fn a_waiver_is_not_a_payment() {
    let terms = Terms { penalty: penalty(Late::Once(Charge::Share(Rate::percent(10).unwrap())), None), ..hundred("7") };
    let mut loan = loan(&terms);
    loan.advance_to(date("2024-02-10")).unwrap();
    assert_eq!(loan.overdue().penalties, 170);
    let before = loan.owed();
    assert!(loan.waive(Component::Penalties, 171).is_err());
    loan.waive(Component::Penalties, 100).unwrap();
    loan.waive(Component::Principal, 643).unwrap();
    assert_eq!((before - loan.owed(), loan.overdue().penalties, loan.outstanding()), (743, 70, 9_357));
}

#[test]
fn what_is_written_off_can_be_recovered() {
    let mut loan = paid(&hundred("7"), &[("2024-02-01", "17.01")]);
    let owed = loan.pay_off(date("2024-05-15")).unwrap();
    let lost = loan.write_off(date("2024-05-15")).unwrap();
    assert_eq!((lost.total(), lost.principal, loan.owed(), loan.status()), (owed, 8_357, 0, Status::WrittenOff));
    let receipt = loan.pay(date("2025-01-01"), cents("50")).unwrap();
    assert_eq!((receipt.paid.total(), receipt.overpaid), (5_000, 0));
    assert_eq!(loan.totals().recovered.total(), 5_000);
    assert_eq!(loan.pay(date("2025-02-01"), cents("100")).unwrap().overpaid, 10_000 - (owed - 5_000));
    assert!(loan.write_off(date("2025-03-01")).is_err());
}

#[test]
fn a_restructured_loan_owes_what_it_did() {
    let old_terms = Terms { penalty: penalty(Late::Once(Charge::Fixed(200)), None), ..hundred("24") };
    for (capitalise, principal) in [
        (Capitalise::Principal, 10_000),
        (Capitalise::Interest, 10_000 + 412),
        (Capitalise::Everything, 10_000 + 412 + 400),
    ] {
        let mut old = loan(&old_terms);
        let owed = old.pay_off(date("2024-03-11")).unwrap();
        let terms = Terms { penalty: None, ..terms("1", "24", "2024-03-11", "2024-04-11", "1 month", 12) };
        let new = old.restructure(date("2024-03-11"), &Restructuring { terms, capitalise }).unwrap();
        assert_eq!(
            (new.owed(), new.lent(), old.owed(), old.status()),
            (owed, principal, 0, Status::Restructured),
            "{capitalise:?}"
        );
        assert_eq!(old.totals().moved.total(), owed);
        assert!(old.pay(date("2024-03-12"), 1).is_err());
        let first = new.schedule().lines[0].parts;
        assert_eq!(first.total() - new.schedule().lines[1].parts.total(), owed - principal);
    }
}

#[test]
fn a_long_first_period_that_costs_more_than_a_level_instalment_asks_for_interest_alone() {
    let loan = loan(&terms("1000", "120", "2020-01-01", "2024-02-01", "1 month", 12));
    let lines = loan.schedule().lines;
    assert_eq!((lines[0].parts.principal, lines[0].parts.interest), (0, cents("4900")));
    assert!(lines.iter().all(|line| line.parts.is_not_negative()));
    assert_eq!(lines.last().unwrap().balance, 0);
}

#[test]
fn terms_that_cannot_be_calculated_are_refused() {
    let is_refused = |terms: Terms| assert!(Loan::new(terms.clone()).is_err(), "{terms:?}");
    let good = || hundred("7");
    is_refused(Terms { instalments: 0, ..good() });
    is_refused(Terms { instalments: 601, ..good() });
    is_refused(Terms { disbursements: vec![], ..good() });
    is_refused(Terms { multiple: 0, ..good() });
    is_refused(Terms { grace: Grace { principal: 6, interest: 0 }, ..good() });
    is_refused(Terms { grace: Grace { principal: 0, interest: 6 }, ..good() });
    is_refused(and_disbursed(good(), &[("2024-07-01", "1")]));
    is_refused(and_disbursed(good(), &[("2023-12-31", "1")]));
    is_refused(and_disbursed(good(), &[("2024-01-31", "0")]));
    is_refused(terms("100", "1", "2024-02-01", "2024-02-01", "1 month", 6));
    is_refused(terms("100", "1", "2199-01-01", "2199-02-01", "12 months", 6));
    let fee = Fee { name: String::new(), charge: Charge::Fixed(10_000), when: When::Disbursement };
    is_refused(Terms { fees: vec![fee], ..good() });
    let mut loan = loan(&good());
    loan.advance_to(date("2024-03-01")).unwrap();
    assert!(loan.pay(date("2024-02-29"), 1).is_err() && loan.pay(date("2024-03-02"), 0).is_err());
}
