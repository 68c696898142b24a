//! Business days: to which day an instalment moves whose due date is none. Interest is counted to the due date itself.

use std::collections::BTreeSet;

use crate::date::Date;

/// Days without a business day after which a calendar is taken to have none.
const MAX_CLOSED_DAYS: u32 = 31;

/// How a day moves that is no business day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shift {
    /// Not at all.
    #[default]
    None,
    /// To the next business day.
    Following,
    /// To the next one, or the last before if that is in another month.
    ModifiedFollowing,
    /// To the last one before.
    Preceding,
}

/// The business days of a country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Days of the week without business, 0 being Monday.
    pub weekend: BTreeSet<i32>,
    /// Other days without business.
    pub holidays: BTreeSet<Date>,
}

impl Calendar {
    /// Saturday and Sunday, and these holidays.
    #[must_use]
    pub fn with_holidays(holidays: impl IntoIterator<Item = Date>) -> Self {
        Self { weekend: BTreeSet::from([5, 6]), holidays: holidays.into_iter().collect() }
    }

    /// Whether there is business on a day.
    #[must_use]
    pub fn is_business_day(&self, date: Date) -> bool {
        !self.weekend.contains(&date.weekday()) && !self.holidays.contains(&date)
    }

    /// The business day to which a day moves; the day itself if there is none for a month.
    #[must_use]
    pub fn shifted(&self, date: Date, shift: Shift) -> Date {
        match shift {
            Shift::None => date,
            Shift::Following => self.nearest(date, 1),
            Shift::Preceding => self.nearest(date, -1),
            Shift::ModifiedFollowing => {
                let following = self.nearest(date, 1);
                let is_same_month = following.end_of_month() == date.end_of_month();
                if is_same_month { following } else { self.nearest(date, -1) }
            }
        }
    }

    fn nearest(&self, date: Date, step: i32) -> Date {
        let days = (0..MAX_CLOSED_DAYS.cast_signed()).map(|days| date.plus_days(days * step));
        days.into_iter().find(|day| self.is_business_day(*day)).unwrap_or(date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_move_to_business() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        // Good Friday to Easter Monday of 2024.
        let calendar = Calendar::with_holidays(["2024-03-29", "2024-04-01"].map(date));
        let moved = |shift| calendar.shifted(date("2024-03-30"), shift).to_string();
        assert_eq!(moved(Shift::None), "2024-03-30");
        assert_eq!(moved(Shift::Following), "2024-04-02");
        assert_eq!(moved(Shift::ModifiedFollowing), "2024-03-28");
        assert_eq!(moved(Shift::Preceding), "2024-03-28");
        assert_eq!(calendar.shifted(date("2024-03-28"), Shift::Following), date("2024-03-28"));
        assert_eq!(calendar.shifted(date("2024-06-01"), Shift::ModifiedFollowing), date("2024-06-03"));
        let never = Calendar { weekend: (0..7).collect(), ..Calendar::default() };
        assert_eq!(never.shifted(date("2024-06-01"), Shift::Following), date("2024-06-01"));
    }
}
