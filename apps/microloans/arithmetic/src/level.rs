//! The level instalment: the amount that, paid at the end of every period, brings the balance to nothing.
//!
//! With growth factors gᵢ = 1 + rate × shareᵢ of the periods, and amounts that enter the balance with their own growth to the end
//! of the period in which they enter, B and S are carried from period to period:
//!
//! ```text
//!   B ← B·gᵢ + Σ entering·growth        what would be owed if nothing were paid
//!   S ← S·gᵢ + 1                        what one unit paid at the end of every period has grown to
//! ```
//!
//! and the instalment is B ⁄ S after the last period. Both are kept as integers over one common denominator, so the quotient is
//! exact until it is rounded, once, to the multiple that can be paid (rounding point R1).

use num_bigint::BigUint;

use crate::{
    day_count::Share,
    money::Minor,
    rate::{Rate, WHOLE},
    round::{Rounding, divide},
};

/// A period as the level instalment sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Period {
    /// Share of a year in which the balance grows; nothing if interest is paid as it falls due (grace on principal).
    pub(crate) share: Option<Share>,
    /// Amounts that enter the balance, with the share of a year that is left for them to grow.
    pub(crate) entering: Vec<(Minor, Option<Share>)>,
    /// Whether an instalment is paid at its end.
    pub(crate) pays: bool,
}

/// A fraction with numerator and denominator.
type Factor = (BigUint, BigUint);

fn factor(rate: Rate, share: Option<Share>) -> Factor {
    let Some(share) = share else { return (1_u32.into(), 1_u32.into()) };
    let denominator = (WHOLE * share.denominator).unsigned_abs();
    let growth = (rate.millionths() * share.numerator).unsigned_abs();
    ((denominator + growth).into(), denominator.into())
}

/// The level instalment in minor units, a multiple of `multiple`. Zero if no period pays.
pub(crate) fn level(periods: &[Period], rate: Rate, multiple: Minor, rounding: Rounding) -> Minor {
    let (mut owed, mut paid, mut common) = (BigUint::ZERO, BigUint::ZERO, BigUint::from(1_u32));
    for period in periods {
        let (mut numerator, mut denominator) = factor(rate, period.share);
        let entering: Vec<(Minor, Factor)> =
            period.entering.iter().map(|(amount, share)| (*amount, factor(rate, *share))).collect();
        // One denominator for the period and all that enters in it.
        for (_, (_, other)) in &entering {
            if *other != denominator {
                numerator *= other;
                denominator *= other;
            }
        }
        owed *= &numerator;
        paid *= &numerator;
        for (amount, (grown, other)) in entering {
            owed += amount.unsigned_abs() * grown * (&denominator / other) * &common;
        }
        common *= denominator;
        if period.pays {
            paid += &common;
        }
    }
    if paid == BigUint::ZERO {
        return 0;
    }
    let multiple = multiple.max(1).unsigned_abs();
    let count = divide(&owed, &(paid * multiple), rounding);
    // One instalment is at most all that enters, grown over its own period: 2⁵⁰ times some thirty thousand at the limits.
    i128::try_from(count * multiple).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month() -> Option<Share> {
        Some(Share { numerator: 1, denominator: 12 })
    }

    fn monthly(count: usize, principal: Minor) -> Vec<Period> {
        let mut periods = vec![Period { share: month(), entering: vec![], pays: true }; count];
        periods[0].entering.push((principal, month()));
        periods
    }

    #[test]
    fn the_textbook_annuity() {
        let rate: Rate = "9.4822".parse().unwrap();
        assert_eq!(level(&monthly(6, 10_000), rate, 1, Rounding::HalfEven), 1_713);
        assert_eq!(level(&monthly(6, 10_000), rate, 100, Rounding::HalfEven), 1_700);
        assert_eq!(level(&monthly(6, 10_000), rate, 100, Rounding::Up), 1_800);
        assert_eq!(level(&monthly(4, 1_000), Rate::ZERO, 1, Rounding::HalfEven), 250);
        assert_eq!(level(&[], rate, 1, Rounding::HalfEven), 0);
    }

    #[test]
    fn halves_are_seen_exactly() {
        // 1.05 × 1010 = 1060.5: halfway, so to the even 1060.
        let rate = Rate::percent(60).unwrap();
        assert_eq!(level(&monthly(1, 1_010), rate, 1, Rounding::HalfEven), 1_060);
        assert_eq!(level(&monthly(1, 1_030), rate, 1, Rounding::HalfEven), 1_082);
    }
}
