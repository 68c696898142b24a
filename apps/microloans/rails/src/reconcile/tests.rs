//! Constructed cases, and random days on which the truth is known.

use braid_microloans_arithmetic::Currency;
use proptest::prelude::*;

use super::*;

fn kes(shillings: i128) -> Money {
    Money { minor: shillings * 100, currency: "KES".parse::<Currency>().unwrap() }
}

fn id(n: u8) -> CorrelationId {
    CorrelationId::from_random([n; 16])
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn day() -> Span {
    Span { from: at(0), to: at(86_400) }
}

fn leg(n: u8, shillings: i128, standing: Standing) -> Leg {
    Leg {
        correlation: id(n),
        direction: Direction::Out,
        amount: kes(shillings),
        reference: format!("LN-{n}"),
        receipt: Some(format!("R{n}")),
        standing,
        at: at(i64::from(n)),
    }
}

fn line(n: u8, shillings: i128) -> StatementLine {
    StatementLine {
        receipt: format!("R{n}"),
        correlation: Some(id(n)),
        direction: Direction::Out,
        amount: kes(shillings),
        completed_at: at(i64::from(n)),
        reference: None,
        purpose: Purpose::Payment,
    }
}

#[test]
fn each_difference_is_named() {
    let legs = [
        leg(1, 100, Standing::Succeeded),
        leg(2, 100, Standing::Open),
        leg(3, 100, Standing::Failed),
        leg(4, 100, Standing::Succeeded),
        leg(5, 100, Standing::Succeeded),
        leg(6, 100, Standing::Open),
        leg(7, 100, Standing::Failed),
        Leg { at: at(-1), ..leg(8, 100, Standing::Succeeded) },
    ];
    let odd = Leg { receipt: Some("R99".into()), ..leg(10, 100, Standing::Succeeded) };
    let legs: Vec<_> = legs.into_iter().chain([odd]).collect();
    let mut statement =
        vec![line(10, 100), line(1, 100), line(2, 100), line(3, 100), line(4, 101), line(9, 100), line(1, 100)];
    statement.push(StatementLine { purpose: Purpose::Charge, ..line(1, 5) });
    let report = reconcile(&statement, &legs, day());
    let ids = |pairs: &[Pair]| pairs.iter().map(|pair| pair.leg).collect::<Vec<_>>();
    assert_eq!(ids(&report.matched), [id(1)]);
    assert_eq!(ids(&report.resolved), [id(2)]);
    assert_eq!(ids(&report.contradicted), [id(3)]);
    assert_eq!(ids(&report.amount_differs), [id(4)]);
    assert_eq!(ids(&report.receipt_differs), [id(10)]);
    assert_eq!(report.missing_here, [line(9, 100)]);
    assert_eq!(report.missing_there, [id(5)]);
    assert_eq!(report.still_open, [id(6)]);
    assert_eq!(report.rest, [id(7), id(8)]);
    assert_eq!(report.repeated, [line(1, 100)]);
    assert_eq!(report.charges.len(), 1);
    assert!(!report.is_clean());
}

#[test]
fn a_receipt_is_enough_and_a_reference_if_it_is_the_only_one() {
    let nameless = |n, shillings| Leg { receipt: None, direction: Direction::In, ..leg(n, shillings, Standing::Open) };
    let paid_in = |n: u8, reference: u8, shillings| StatementLine {
        correlation: None,
        direction: Direction::In,
        reference: Some(format!("LN-{reference}")),
        ..line(n, shillings)
    };
    let by_receipt = StatementLine { correlation: None, ..line(1, 100) };
    let report = reconcile(&[by_receipt], &[leg(1, 100, Standing::Succeeded)], day());
    assert_eq!(report.matched.len(), 1);

    let report = reconcile(&[paid_in(20, 2, 50)], &[nameless(2, 50), nameless(3, 50)], day());
    assert_eq!(report.resolved.len(), 1);
    assert_eq!(report.still_open, [id(3)]);

    // Two payments of the same loan and amount: which is which is for people to say.
    let report = reconcile(&[paid_in(20, 2, 50), paid_in(21, 2, 50)], &[nameless(2, 50)], day());
    assert_eq!((report.missing_here.len(), report.still_open.len()), (2, 1));
}

#[test]
fn a_reversal_is_not_what_it_reverses() {
    let collected = Leg { direction: Direction::In, ..leg(1, 100, Standing::Succeeded) };
    let paid_in = StatementLine { direction: Direction::In, correlation: None, ..line(1, 100) };
    let reversed = StatementLine { correlation: None, purpose: Purpose::Reversal(Some("R1".into())), ..line(1, 100) };
    let report = reconcile(&[reversed.clone(), paid_in], &[collected], day());
    assert_eq!(report.matched.len(), 1);
    assert_eq!(report.missing_here, [reversed]);
}

/// What happened to one payment, and what each side wrote down.
#[derive(Clone, Copy, Debug)]
struct Fate {
    standing: u8,
    on_statement: bool,
    has_id: bool,
    has_receipt: bool,
    other_amount: bool,
    doubled: bool,
    amount: u8,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = (0..3u8, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), 1..4u8).prop_map(
        |(standing, on_statement, has_id, has_receipt, other_amount, doubled, amount)| Fate {
            standing,
            on_statement,
            has_id,
            has_receipt,
            other_amount,
            doubled,
            amount,
        },
    );
    prop::collection::vec(fate, 0..40)
}

fn day_of(fates: &[Fate]) -> (Vec<StatementLine>, Vec<Leg>) {
    let (mut lines, mut legs) = (Vec::new(), Vec::new());
    for (n, fate) in (0u8..).zip(fates) {
        let standing = [Standing::Succeeded, Standing::Failed, Standing::Open][usize::from(fate.standing)];
        let amount = i128::from(fate.amount);
        let mut ours = leg(n, amount, standing);
        if !fate.has_receipt {
            ours.receipt = None;
        }
        // Every third has the reference of another.
        ours.reference = format!("LN-{}", n / 3);
        let mut theirs = line(n, amount + i128::from(fate.other_amount));
        theirs.reference = Some(ours.reference.clone());
        if !fate.has_id {
            theirs.correlation = None;
        }
        if fate.on_statement {
            lines.push(theirs.clone());
            if fate.doubled {
                lines.push(theirs);
            }
        }
        legs.push(ours);
    }
    (lines, legs)
}

proptest! {
    #[test]
    fn nothing_is_forgotten_or_counted_twice(fates in fates()) {
        let (lines, legs) = day_of(&fates);
        let report = reconcile(&lines, &legs, day());
        let pairs =
            [&report.matched, &report.resolved, &report.contradicted, &report.amount_differs, &report.receipt_differs];
        let paired: usize = pairs.iter().map(|list| list.len()).sum();
        prop_assert_eq!(paired + report.missing_here.len() + report.repeated.len(), lines.len());
        let mut seen: Vec<_> = pairs.iter().flat_map(|list| list.iter().map(|pair| pair.leg)).collect();
        seen.extend(report.missing_there.iter().chain(&report.still_open).chain(&report.rest));
        seen.sort_unstable();
        let mut all: Vec<_> = legs.iter().map(|leg| leg.correlation).collect();
        all.sort_unstable();
        prop_assert_eq!(seen, all);
    }

    #[test]
    fn what_both_know_by_name_is_always_paired_with_itself(fates in fates()) {
        let (lines, legs) = day_of(&fates);
        let report = reconcile(&lines, &legs, day());
        let pairs = report.matched.iter().chain(&report.resolved).chain(&report.contradicted).chain(&report.amount_differs);
        let lines_of: BTreeMap<_, _> = pairs.map(|pair| (pair.leg, pair.line.receipt.clone())).collect();
        for (n, fate) in (0u8..).zip(&fates) {
            if fate.on_statement && (fate.has_id || fate.has_receipt) {
                prop_assert_eq!(lines_of.get(&id(n)), Some(&format!("R{n}")));
            }
        }
        for pair in &report.matched {
            prop_assert_eq!(pair.line.amount, legs.iter().find(|leg| leg.correlation == pair.leg).unwrap().amount);
        }
    }

    #[test]
    fn the_order_does_not_matter(fates in fates(), seed in any::<u64>()) {
        let (mut lines, mut legs) = day_of(&fates);
        let report = reconcile(&lines, &legs, day());
        let mut state = seed | 1;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
        };
        for last in (1..lines.len()).rev() {
            lines.swap(last, next(last + 1));
        }
        for last in (1..legs.len()).rev() {
            legs.swap(last, next(last + 1));
        }
        prop_assert_eq!(reconcile(&lines, &legs, day()), report);
    }

    #[test]
    fn a_calm_day_is_clean(amounts in prop::collection::vec(1..1000u32, 0..40)) {
        let (mut lines, mut legs) = (Vec::new(), Vec::new());
        for (n, amount) in (0u8..).zip(&amounts) {
            legs.push(leg(n, i128::from(*amount), Standing::Succeeded));
            lines.push(line(n, i128::from(*amount)));
        }
        let report = reconcile(&lines, &legs, day());
        prop_assert!(report.is_clean());
        prop_assert_eq!(report.matched.len(), amounts.len());
    }
}
