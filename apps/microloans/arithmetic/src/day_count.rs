//! Day counts: which share of a year lies between two days.
//!
//! | name | share |
//! |---|---|
//! | 30/360 | every notional period counts as its months of thirty days, of a year of 360; a part of one by its share of the period's actual days |
//! | ACT/365, ACT/360, ACT/364 | actual days of a year of so many; 364 makes 52 weeks of equal interest |
//! | ACT/ACT | actual days in each calendar year, of that year's 365 or 366 |
//!
//! Between instalments that are not months apart, 30/360 counts actual days of a year of 360, as there are no months to count.

use std::{fmt, str::FromStr};

use crate::{
    Error,
    date::{Date, days_in_year},
    money::{Minor, shortened},
    period::{Every, Periods},
    rate::{Rate, WHOLE},
    round::half_even,
};

/// How days become a share of a year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DayCount {
    /// `30/360`
    #[default]
    Thirty360,
    /// `ACT/365`
    Actual365,
    /// `ACT/360`
    Actual360,
    /// `ACT/364`
    Actual364,
    /// `ACT/ACT`
    ActualActual,
}

/// Names as they are read and written.
const NAMES: [(&str, DayCount); 5] = [
    ("30/360", DayCount::Thirty360),
    ("ACT/365", DayCount::Actual365),
    ("ACT/360", DayCount::Actual360),
    ("ACT/364", DayCount::Actual364),
    ("ACT/ACT", DayCount::ActualActual),
];

impl FromStr for DayCount {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let named = NAMES.into_iter().find(|(name, _)| *name == text);
        named.map(|(_, day_count)| day_count).ok_or_else(|| Error::NoSuchInterval(shortened(text)))
    }
}

impl fmt::Display for DayCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = NAMES.into_iter().find(|(_, day_count)| day_count == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

/// A share of a year, in lowest terms; the denominator is positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Above the line.
    pub numerator: i128,
    /// Below it.
    pub denominator: i128,
}

impl Share {
    const ZERO: Self = Self { numerator: 0, denominator: 1 };

    const fn new(numerator: i128, denominator: i128) -> Self {
        let divisor = greatest_common_divisor(numerator, denominator);
        Self { numerator: numerator / divisor, denominator: denominator / divisor }
    }

    const fn plus(self, other: Self) -> Self {
        let numerator = self.numerator * other.denominator + other.numerator * self.denominator;
        Self::new(numerator, self.denominator * other.denominator)
    }
}

const fn greatest_common_divisor(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}

/// The share of a year from one day to another that is not before it.
#[must_use]
pub fn share(day_count: DayCount, periods: Periods, from: Date, to: Date) -> Share {
    let days = i128::from(to.days_since(from));
    match (day_count, periods.every()) {
        (DayCount::Thirty360, Every::Months(months)) => in_months(periods, months, from, to),
        (DayCount::Thirty360, Every::Days(_)) | (DayCount::Actual360, _) => Share::new(days, 360),
        (DayCount::Actual364, _) => Share::new(days, 364),
        (DayCount::Actual365, _) => Share::new(days, 365),
        (DayCount::ActualActual, _) => in_years(from, to),
    }
}

fn in_months(periods: Periods, months: u32, from: Date, to: Date) -> Share {
    let of_period = Share::new(30 * i128::from(months), 360);
    let mut sum = Share::ZERO;
    let mut whole = 0_i128;
    let (mut period, mut start) = (periods.of(from), from);
    while start < to {
        let (begin, end) = (periods.start(period), periods.end(period));
        let stop = end.min(to);
        if (start, stop) == (begin, end) {
            whole += 1;
        } else {
            let part = Share::new(i128::from(stop.days_since(start)), i128::from(end.days_since(begin)));
            sum = sum.plus(Share::new(of_period.numerator * part.numerator, of_period.denominator * part.denominator));
        }
        (period, start) = (period + 1, stop);
    }
    sum.plus(Share::new(whole * of_period.numerator, of_period.denominator))
}

fn in_years(from: Date, to: Date) -> Share {
    let (first, last) = (from.year(), to.year());
    let days_into = |day: Date| {
        let start = Date::new(day.year(), 1, 1).unwrap_or(day);
        i128::from(day.days_since(start))
    };
    let length = |year| i128::from(days_in_year(year));
    // To the end of the first year, whole years, and into the last one; in one year the days into `from` are taken off.
    let into_last = Share::new(days_into(to), length(last));
    let before_first = Share::new(-days_into(from), length(first));
    into_last.plus(before_first).plus(Share::new(i128::from(last - first), 1))
}

/// Interest of one segment, in which the balance does not change (rounding point R2).
///
/// The limits leave room: a balance of 50 bits, a rate of 40 and a share of 33.
#[must_use]
pub const fn interest(balance: Minor, rate: Rate, share: Share) -> Minor {
    half_even(balance * rate.millionths() * share.numerator, WHOLE * share.denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(day_count: &str, every: &str, from: &str, to: &str) -> (i128, i128) {
        let [from, to] = [from, to].map(|day| day.parse().unwrap());
        let periods = Periods::new("2024-02-01".parse().unwrap(), every.parse().unwrap());
        let share = share(day_count.parse().unwrap(), periods, from, to);
        (share.numerator, share.denominator)
    }

    #[test]
    fn shares_of_a_year() {
        assert_eq!(between("30/360", "1 month", "2024-01-01", "2024-02-01"), (1, 12));
        assert_eq!(between("30/360", "2 months", "2023-12-01", "2024-02-01"), (1, 6));
        assert_eq!(between("30/360", "1 month", "2024-01-15", "2024-02-01"), (17, 12 * 31));
        assert_eq!(between("30/360", "1 month", "2024-02-01", "2024-02-15"), (7, 6 * 29));
        assert_eq!(between("30/360", "1 month", "2023-12-15", "2024-02-01"), (4, 31), "17 of 31 days and a month");
        assert_eq!(between("30/360", "15 days", "2024-01-01", "2024-01-16"), (1, 24));
        assert_eq!(between("ACT/365", "1 month", "2024-01-01", "2024-02-01"), (31, 365));
        assert_eq!(between("ACT/360", "1 month", "2024-01-01", "2024-12-31"), (73, 72));
        assert_eq!(between("ACT/364", "1 week", "2024-01-01", "2024-01-08"), (1, 52));
        assert_eq!(between("ACT/ACT", "1 month", "2024-01-01", "2025-01-01"), (1, 1));
        assert_eq!(
            between("ACT/ACT", "1 month", "2023-12-12", "2024-01-12"),
            (2_267, 26_718),
            "20 of 365 and 11 of 366 days"
        );
        assert_eq!(between("ACT/ACT", "1 month", "2024-05-01", "2024-05-01"), (0, 1));
    }

    #[test]
    fn shares_add_up_over_periods() {
        let periods = Periods::new("2024-01-31".parse().unwrap(), Every::Months(1));
        for (_, day_count) in NAMES {
            let whole = share(day_count, periods, periods.start(-20), periods.end(30));
            let sum = (-20..=30)
                .fold(Share::ZERO, |sum, at| sum.plus(share(day_count, periods, periods.start(at), periods.end(at))));
            assert_eq!(sum, whole, "{day_count}");
        }
    }

    #[test]
    fn names_are_read_and_written() {
        for (name, _) in NAMES {
            assert_eq!(name.parse::<DayCount>().unwrap().to_string(), name);
        }
        assert!("ACT/366".parse::<DayCount>().is_err());
    }

    #[test]
    fn interest_at_the_limits_does_not_overflow() {
        let century = Periods::new("1900-01-31".parse().unwrap(), Every::Months(1));
        let rate = Rate::percent(10_000).unwrap();
        for (_, day_count) in NAMES {
            let share = share(day_count, century, "1900-01-15".parse().unwrap(), "2200-12-30".parse().unwrap());
            let interest = interest(crate::limits::MAX_MINOR, rate, share);
            assert!(
                interest > crate::limits::MAX_MINOR * 29_000 && interest < crate::limits::MAX_MINOR * 31_000,
                "{day_count}"
            );
        }
    }
}
