//! Days of the proleptic Gregorian calendar, without time or zone. Conversion between days and civil dates after Howard
//! Hinnant, "chrono-compatible low-level date algorithms": years begin in March, so that the leap day is the last.

use std::{fmt, str::FromStr};

use crate::{
    Error,
    limits::{MAX_YEAR, MIN_YEAR},
    money::shortened,
};

/// Days in four hundred years, after which the calendar repeats.
const DAYS_OF_ERA: i32 = 146_097;

/// Days from 1 March of the year 0 to 1 January 1970.
const EPOCH: i32 = 719_468;

/// A day, counted from 1 January 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

impl Date {
    /// The day of this name.
    ///
    /// # Errors
    /// If there is no such day, or its year is out of [`MIN_YEAR`]`..=`[`MAX_YEAR`].
    pub fn new(year: i32, month: u32, day: u32) -> Result<Self, Error> {
        let exists = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        if !exists || !(MIN_YEAR..=MAX_YEAR).contains(&year) {
            return Err(Error::NoSuchDate(format!("{year:04}-{month:02}-{day:02}")));
        }
        Ok(Self::of_civil(year, month, day))
    }

    const fn of_civil(year: i32, month: u32, day: u32) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let from_march = (month.cast_signed() + 9) % 12;
        let of_year = (153 * from_march + 2) / 5 + day.cast_signed() - 1;
        let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        Self(era * DAYS_OF_ERA + day_of_era - EPOCH)
    }

    /// Year, month and day.
    #[must_use]
    pub const fn civil(self) -> (i32, u32, u32) {
        let days = self.0 + EPOCH;
        let era = days.div_euclid(DAYS_OF_ERA);
        let of_era = days.rem_euclid(DAYS_OF_ERA);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = (from_march + 2) % 12 + 1;
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        (year, month.cast_unsigned(), day.cast_unsigned())
    }

    /// Its year.
    #[must_use]
    pub const fn year(self) -> i32 {
        self.civil().0
    }

    /// Days from `earlier` to this day, negative if it is later.
    #[must_use]
    pub const fn days_since(self, earlier: Self) -> i32 {
        self.0 - earlier.0
    }

    /// The day so many days later.
    #[must_use]
    pub const fn plus_days(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The same day so many months later, or the last of that month if it is too short.
    #[must_use]
    pub fn plus_months(self, months: i32) -> Self {
        let (year, month, day) = self.civil();
        let count = year * 12 + month.cast_signed() - 1 + months;
        let (year, month) = (count.div_euclid(12), count.rem_euclid(12).cast_unsigned() + 1);
        Self::of_civil(year, month, day.min(days_in_month(year, month)))
    }

    /// Whether it is the last of its month.
    #[must_use]
    pub fn is_end_of_month(self) -> bool {
        let (year, month, day) = self.civil();
        day == days_in_month(year, month)
    }

    /// The last of its month.
    #[must_use]
    pub fn end_of_month(self) -> Self {
        let (year, month, _) = self.civil();
        Self::of_civil(year, month, days_in_month(year, month))
    }

    /// 0 for Monday to 6 for Sunday.
    #[must_use]
    pub const fn weekday(self) -> i32 {
        // 1 January 1970 was a Thursday.
        (self.0 + 3).rem_euclid(7)
    }
}

/// Days of a year.
pub(crate) const fn days_in_year(year: i32) -> i32 {
    if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 }
}

const fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        2 if days_in_year(year) == 366 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl FromStr for Date {
    type Err = Error;

    /// Reads `2024-02-29`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::NoSuchDate(shortened(text));
        let bytes = text.as_bytes();
        let has_form = bytes.len() == 10
            && bytes
                .iter()
                .enumerate()
                .all(|(at, byte)| if at == 4 || at == 7 { *byte == b'-' } else { byte.is_ascii_digit() });
        if !has_form {
            return Err(wrong());
        }
        let number =
            |part: std::ops::Range<usize>| text.get(part).and_then(|part| part.parse::<u32>().ok()).ok_or_else(wrong);
        Self::new(number(0..4)?.cast_signed(), number(5..7)?, number(8..10)?)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn every_day_has_one_name() {
        let mut day = date("1900-01-01");
        let mut expected = (1900, 1, 1);
        while expected.0 <= MAX_YEAR {
            assert_eq!(day.civil(), expected);
            assert_eq!(Date::new(expected.0, expected.1, expected.2), Ok(day));
            let (year, month, of_month) = expected;
            expected = if of_month < days_in_month(year, month) {
                (year, month, of_month + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
            day = day.plus_days(1);
        }
    }

    #[test]
    fn months_end_where_they_end() {
        assert_eq!(date("2024-01-31").plus_months(1), date("2024-02-29"));
        assert_eq!(date("2023-01-31").plus_months(1), date("2023-02-28"));
        assert_eq!(date("2024-03-31").plus_months(-1), date("2024-02-29"));
        assert_eq!(date("2024-01-15").plus_months(-13), date("2022-12-15"));
        assert_eq!(date("2024-02-10").end_of_month(), date("2024-02-29"));
        assert!(date("1900-02-28").is_end_of_month() && !date("2000-02-28").is_end_of_month());
    }

    #[test]
    fn known_days() {
        assert_eq!(date("1970-01-01"), Date(0));
        assert_eq!(date("2000-03-01"), Date(11_017));
        assert_eq!(date("2024-01-01").weekday(), 0, "a Monday");
        assert_eq!(date("1995-07-01").days_since(date("1994-01-01")), 546);
    }

    #[test]
    fn other_text_is_no_date() {
        for text in ["", "2024-1-01", "2024-02-30", "2023-02-29", "2024-13-01", "2024-00-10", "2024-01-00", "24-01-01"]
        {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
        for text in ["1899-12-31", "2201-01-01", "2024/01/01", "2024-01-01 ", "２０２４-1-1", "+024-01-01"] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }
}
