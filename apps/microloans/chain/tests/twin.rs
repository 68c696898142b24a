//! The contract's arithmetic beside the crate's: random terms, the same schedules to the last minor unit. `make twin CASES=…` draws more.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::env;

use alloy_primitives::U256;
use alloy_sol_types::sol;
use braid_microloans_arithmetic::{
    Date, DayCount, Disbursement, Every, Grace, Loan, Method, Periods, Rate, Rounding, Terms,
};
use braid_suite::artefact::LOAN_SCHEDULES;
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use support::Chain;

sol! {
    #[derive(Debug)]
    struct Rhythm {
        uint32 firstDue;
        uint32 months;
        uint32 dayLength;
    }

    #[derive(Debug)]
    struct LoanTerms {
        uint256 principal;
        uint256 rate;
        uint8 method;
        uint8 dayCount;
        Rhythm rhythm;
        uint32 disbursed;
        uint256 instalments;
        uint256 multiple;
        bool isUp;
        uint256 gracePrincipal;
        uint256 graceInterest;
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Line {
        uint32 due;
        uint256 principal;
        uint256 interest;
        uint256 balance;
    }

    function scheduleOf(LoanTerms terms) returns (Line[] lines);
}

/// Cases of an ordinary run.
const CASES: u32 = 150;

const METHODS: [Method; 5] = [Method::Flat, Method::Declining, Method::Daily, Method::EqualPrincipal, Method::Bullet];

const DAY_COUNTS: [DayCount; 5] =
    [DayCount::Thirty360, DayCount::Actual365, DayCount::Actual360, DayCount::Actual364, DayCount::ActualActual];

fn epoch() -> Date {
    "1970-01-01".parse().unwrap()
}

fn every() -> impl Strategy<Value = Every> {
    prop_oneof![(1_u32..=12).prop_map(Every::Months), (1_u32..=60).prop_map(Every::Days)]
}

/// Terms of all shapes: tiny and huge, short and long, with and without grace.
fn terms() -> impl Strategy<Value = Terms> {
    let amounts = (prop_oneof![1_i128..1_000, 1_i128..10_000_000, 1_i128..=1_000_000_000_000_000], rate());
    let shape = (0..5_usize, 0..5_usize, every(), prop_oneof![1_u32..=6, 1_u32..=36]);
    let days = (10_958_i32..32_000, 1_i32..=800);
    let level = (prop_oneof![Just(1_i128), 1_i128..=1_000], any::<bool>());
    (amounts, shape, days, level, (0_u32..36, 0_u32..36)).prop_map(
        |((amount, rate), (method, day_count, every, instalments), (start, wait), (multiple, is_up), grace)| {
            let date = epoch().plus_days(start);
            let first = Disbursement { date, amount };
            let currency = "USD".parse().unwrap();
            Terms {
                method: METHODS[method],
                day_count: DAY_COUNTS[day_count],
                periods: Periods::new(date.plus_days(wait), every),
                multiple,
                rounding: if is_up { Rounding::Up } else { Rounding::HalfEven },
                grace: Grace { principal: grace.0 % instalments, interest: grace.1 % instalments },
                ..Terms::new(currency, first, rate, date.plus_days(wait), every, instalments)
            }
        },
    )
}

/// From none through ordinary ones to the highest, with up to six decimals.
fn rate() -> impl Strategy<Value = Rate> {
    let millionths = prop_oneof![Just(0_u64), 0_u64..100_000_000, 0_u64..=10_000_000_000];
    millionths.prop_map(|rate| format!("{}.{:06}", rate / 1_000_000, rate % 1_000_000).parse().unwrap())
}

fn days(date: Date) -> u32 {
    u32::try_from(date.days_since(epoch())).unwrap()
}

fn asked(terms: &Terms) -> LoanTerms {
    let number = |amount: i128| U256::from(u128::try_from(amount).unwrap());
    let place = |at: Option<usize>| u8::try_from(at.unwrap()).unwrap();
    let (months, length) = match terms.periods.every() {
        Every::Months(months) => (months, 0),
        Every::Days(days) => (0, days),
    };
    LoanTerms {
        principal: number(terms.principal()),
        rate: number(terms.rate.millionths()),
        method: place(METHODS.iter().position(|method| *method == terms.method)),
        dayCount: place(DAY_COUNTS.iter().position(|count| *count == terms.day_count)),
        rhythm: Rhythm { firstDue: days(terms.due(0)), months, dayLength: length },
        disbursed: days(terms.disbursements[0].date),
        instalments: U256::from(terms.instalments),
        multiple: number(terms.multiple),
        isUp: terms.rounding == Rounding::Up,
        gracePrincipal: U256::from(terms.grace.principal),
        graceInterest: U256::from(terms.grace.interest),
    }
}

fn expected(terms: &Terms) -> Vec<Line> {
    let number = |amount: i128| U256::from(u128::try_from(amount).unwrap());
    let lines = Loan::new(terms.clone()).unwrap().schedule().lines;
    let line = |line: &braid_microloans_arithmetic::Line| Line {
        due: days(line.due),
        principal: number(line.parts.principal),
        interest: number(line.parts.interest),
        balance: number(line.balance),
    };
    lines.iter().map(line).collect()
}

#[tokio::test]
async fn schedules_are_the_same_to_the_minor_unit() {
    let cases = env::var("BRAID_TWIN_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let chain = Chain::bare().await;
    let twin = chain.deploy(LOAN_SCHEDULES, &[]).await;
    let (strategy, mut compared) = (terms(), 0);
    while compared < cases {
        let terms = strategy.new_tree(&mut runner).unwrap().current();
        // What the crate refuses, such as dates too far away, is nobody's schedule.
        if terms.check().is_err() {
            continue;
        }
        let call = scheduleOfCall { terms: asked(&terms) };
        let mut lines = chain.node.question(twin, &call).await.unwrap_or_else(|error| panic!("{error}: {terms:?}"));
        // Where everything is repaid before the last instalment, the crate says no more.
        while lines.len() > 1 && lines.last().is_some_and(|line| line.principal.is_zero() && line.interest.is_zero()) {
            lines.pop();
        }
        assert_eq!(lines, expected(&terms), "{terms:?}");
        compared += 1;
    }
}
