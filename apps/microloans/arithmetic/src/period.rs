//! The rhythm of a loan: how often instalments fall due, and the notional periods between due dates.
//!
//! Due dates are counted from the first one, so that the 31st stays the 31st wherever a month has one. The same rhythm goes on
//! before the first due date and after the last one: there a loan is disbursed early, or paid late.

use std::{fmt, str::FromStr};

use crate::{
    Error,
    date::Date,
    limits::{MAX_INTERVAL_DAYS, MAX_INTERVAL_MONTHS},
    money::shortened,
};

/// The interval between instalments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// Calendar months.
    Months(u32),
    /// Days; a week is seven.
    Days(u32),
}

impl FromStr for Every {
    type Err = Error;

    /// Reads `1 month`, `2 months`, `1 week`, `15 days`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::NoSuchInterval(shortened(text));
        let (count, unit) = text.split_once(' ').ok_or_else(wrong)?;
        if count.len() > 4 || !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let count: u32 = count.parse().map_err(|_| wrong())?;
        let (every, count, limit) = match unit {
            "month" | "months" => (Self::Months(count), count, MAX_INTERVAL_MONTHS),
            "week" | "weeks" => (Self::Days(count * 7), count * 7, MAX_INTERVAL_DAYS),
            "day" | "days" => (Self::Days(count), count, MAX_INTERVAL_DAYS),
            "year" | "years" => (Self::Months(count * 12), count * 12, MAX_INTERVAL_MONTHS),
            _ => return Err(wrong()),
        };
        if count == 0 || count > limit { Err(wrong()) } else { Ok(every) }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match *self {
            Self::Months(count) => (count, "month"),
            Self::Days(count) if count % 7 == 0 => (count / 7, "week"),
            Self::Days(count) => (count, "day"),
        };
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

/// The notional periods of a loan. Period 0 ends with the first instalment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    first_due: Date,
    every: Every,
    ends_with_month: bool,
}

impl Periods {
    /// Counted from this due date.
    #[must_use]
    pub const fn new(first_due: Date, every: Every) -> Self {
        Self { first_due, every, ends_with_month: false }
    }

    /// The same, by the end-of-month rule: if the first due date is the last of its month, so are all.
    #[must_use]
    pub fn ending_with_month(first_due: Date, every: Every) -> Self {
        let ends_with_month = matches!(every, Every::Months(_)) && first_due.is_end_of_month();
        Self { first_due, every, ends_with_month }
    }

    /// The interval.
    #[must_use]
    pub const fn every(self) -> Every {
        self.every
    }

    /// The day on which a period ends: that of instalment `period`, counted from 0.
    #[must_use]
    pub fn end(self, period: i32) -> Date {
        match self.every {
            Every::Days(days) => self.first_due.plus_days(days.cast_signed().saturating_mul(period)),
            Every::Months(months) => {
                let day = self.first_due.plus_months(months.cast_signed().saturating_mul(period));
                if self.ends_with_month { day.end_of_month() } else { day }
            }
        }
    }

    /// The day on which it begins.
    #[must_use]
    pub fn start(self, period: i32) -> Date {
        self.end(period - 1)
    }

    /// The period in which a day lies; the day on which one ends belongs to the next.
    #[must_use]
    pub fn of(self, day: Date) -> i32 {
        let days = day.days_since(self.first_due);
        let mut period = match self.every {
            Every::Days(length) => days.div_euclid(length.cast_signed()) + 1,
            // A month has at least 28 days, so this is not too late; and at most a few periods from the right one.
            Every::Months(months) => days.div_euclid(31 * months.cast_signed()) - 1,
        };
        while self.end(period) <= day {
            period += 1;
        }
        while self.start(period) > day {
            period -= 1;
        }
        period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn intervals_are_read_and_written() {
        for text in ["1 month", "2 months", "1 week", "2 weeks", "15 days", "12 months"] {
            assert_eq!(text.parse::<Every>().unwrap().to_string(), text);
        }
        assert_eq!("1 year".parse(), Ok(Every::Months(12)));
        for text in [
            "",
            "month",
            "0 months",
            "13 months",
            "367 days",
            "-1 day",
            "1  month",
            "1 fortnight",
            "99999 days",
            "+1 day",
        ] {
            assert!(text.parse::<Every>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_31st_comes_back_after_a_short_month() {
        let periods = Periods::new(date("2024-01-31"), Every::Months(1));
        let ends: Vec<_> = (-1..4).map(|period| periods.end(period).to_string()).collect();
        assert_eq!(ends, ["2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]);
        assert_eq!(periods.start(1), date("2024-01-31"));
    }

    #[test]
    fn by_the_end_of_month_rule_the_30th_becomes_the_31st() {
        let april = date("2024-04-30");
        assert_eq!(Periods::new(april, Every::Months(1)).end(1), date("2024-05-30"));
        assert_eq!(Periods::ending_with_month(april, Every::Months(1)).end(1), date("2024-05-31"));
        assert_eq!(Periods::ending_with_month(date("2024-04-29"), Every::Months(1)).end(1), date("2024-05-29"));
    }

    #[test]
    fn every_day_lies_in_one_period() {
        for every in [Every::Months(1), Every::Months(7), Every::Days(7), Every::Days(15), Every::Days(1)] {
            let periods = Periods::new(date("2024-01-31"), every);
            for offset in -2_000..2_000 {
                let day = date("2024-01-31").plus_days(offset);
                let period = periods.of(day);
                assert!(periods.start(period) <= day && day < periods.end(period), "{every} {day}");
            }
        }
    }
}
