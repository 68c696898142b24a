//! Days: of UTC for the journal's seals, of the borrower's country for everything a borrower is told.

use braid_microloans_arithmetic::{Date, calendar::Calendar};
use jiff::{Timestamp, tz::Offset};

use crate::LedgerError;

/// The day of the calendar at a moment, so many minutes ahead of UTC. None of the four countries has summer time.
///
/// # Errors
/// If the moment lies outside of the years that are calculated with.
pub fn local_date(at: Timestamp, utc_offset_minutes: i32) -> Result<Date, LedgerError> {
    let offset = Offset::from_seconds(utc_offset_minutes.saturating_mul(60))
        .map_err(|_| LedgerError::invalid("an offset from UTC is more than a day"))?;
    let civil = offset.to_datetime(at).date();
    Ok(Date::new(civil.year().into(), civil.month().unsigned_abs().into(), civil.day().unsigned_abs().into())?)
}

/// The day in UTC.
///
/// # Errors
/// As [`local_date`].
pub fn utc_date(at: Timestamp) -> Result<Date, LedgerError> {
    local_date(at, 0)
}

/// The end of the last of so many working days after a day: what an offer's validity is counted by.
///
/// # Errors
/// If the moment cannot be represented.
pub fn end_of_working_day(
    from: Date,
    days: u32,
    calendar: &Calendar,
    utc_offset_minutes: i32,
) -> Result<Timestamp, LedgerError> {
    let mut day = from;
    for _ in 0..days {
        day = calendar.shifted(day.plus_days(1), braid_microloans_arithmetic::calendar::Shift::Following);
    }
    let epoch = Date::new(1970, 1, 1)?;
    let days = i64::from(day.plus_days(1).days_since(epoch));
    Timestamp::from_second(days * 86_400 - i64::from(utc_offset_minutes) * 60)
        .map_err(|_| LedgerError::invalid("a day is too far away"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn midnight_comes_earlier_in_the_east() {
        let moment = at("2026-12-31T21:30:00Z");
        let day = |minutes| local_date(moment, minutes).unwrap().to_string();
        assert_eq!(day(180), "2027-01-01", "Nairobi");
        assert_eq!(day(330), "2027-01-01", "Mumbai");
        assert_eq!(day(60), "2026-12-31", "Lagos");
        assert_eq!(day(0), "2026-12-31", "Accra");
        assert!(local_date(moment, i32::MAX).is_err());
    }

    #[test]
    fn an_offer_stands_to_the_end_of_a_working_day() {
        let calendar = Calendar::with_holidays([]);
        // A Friday: Monday, Tuesday, Wednesday.
        let friday = "2026-11-27".parse().unwrap();
        assert_eq!(end_of_working_day(friday, 3, &calendar, 180).unwrap(), at("2026-12-02T21:00:00Z"));
        assert_eq!(end_of_working_day(friday, 1, &calendar, 0).unwrap(), at("2026-12-01T00:00:00Z"));
    }
}
