//! What the law of a country asks, as data: one file for each country and the day from which it holds.
//!
//! The files are made from summaries and say whether a lawyer has confirmed them. A loan keeps to the file that was in force on the day of its offer.
//! Public holidays are not in them; they come from the configuration.

use std::collections::BTreeSet;

use braid_microloans_arithmetic::{Currency, Date, Minor, calendar::Calendar};
use serde::Deserialize;

use crate::LedgerError;

/// Every file.
const FILES: [&str; 4] = [
    include_str!("../rules/KE-2022-03-18.toml"),
    include_str!("../rules/NG-2025-07-25.toml"),
    include_str!("../rules/GH-2025-11-01.toml"),
    include_str!("../rules/IN-2024-04-15.toml"),
];

/// Names of the days of the week, 0 being Monday.
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    country: String,
    from: String,
    currency: String,
    calling_code: String,
    utc_offset_minutes: i32,
    weekend: Vec<String>,
    payment_multiple: String,
    in_duplum_after_days: Option<u16>,
    negative_listing: Option<FileListing>,
    complaint_hours: Option<u32>,
    records_years: Option<u32>,
    household_income_at_most: Option<String>,
    own_lending: bool,
    confirmed_by_a_lawyer: bool,
    sources: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileListing {
    notice_days: u32,
    at_least: String,
}

/// When a borrower may be listed with a credit bureau.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegativeListing {
    /// Days of notice before it.
    pub notice_days: u32,
    /// The least that has to be owed, in minor units.
    pub at_least: Minor,
}

/// The rules of a country from a day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Two letters, by ISO 3166.
    pub country: String,
    /// The first day on which they hold.
    pub from: Date,
    /// The currency that borrowers earn, and are lent.
    pub currency: Currency,
    /// What telephone numbers of the country begin with.
    pub calling_code: String,
    /// How far local time is ahead of UTC.
    pub utc_offset_minutes: i32,
    /// Days of the week without business, 0 being Monday.
    pub weekend: BTreeSet<i32>,
    /// What payments are a multiple of.
    pub payment_multiple: Minor,
    /// After so many days late, interest and penalties are limited to the principal.
    pub in_duplum_after_days: Option<u16>,
    /// When a borrower may be listed.
    pub negative_listing: Option<NegativeListing>,
    /// Within how many hours a complaint is answered.
    pub complaint_hours: Option<u32>,
    /// How many years records are kept.
    pub records_years: Option<u32>,
    /// What a household may earn in a year to be a borrower.
    pub household_income_at_most: Option<Minor>,
    /// Whether loans are this operator's own; otherwise it works for a regulated lender.
    pub own_lending: bool,
    /// Whether a lawyer has read them.
    pub confirmed_by_a_lawyer: bool,
    /// What they were made from.
    pub sources: Vec<String>,
}

impl Rules {
    fn read(text: &str) -> Result<Self, LedgerError> {
        let file: File = toml::from_str(text).map_err(|error| LedgerError::invalid(error.to_string()))?;
        let currency: Currency = file.currency.parse()?;
        let amount = |text: &str| currency.parse(text);
        let listing = file.negative_listing.map(|listing| {
            Ok::<_, LedgerError>(NegativeListing {
                notice_days: listing.notice_days,
                at_least: amount(&listing.at_least)?,
            })
        });
        Ok(Self {
            country: file.country,
            calling_code: file.calling_code,
            from: file.from.parse()?,
            utc_offset_minutes: file.utc_offset_minutes,
            weekend: file.weekend.iter().map(|day| weekday(day)).collect::<Result<_, _>>()?,
            payment_multiple: amount(&file.payment_multiple)?,
            in_duplum_after_days: file.in_duplum_after_days,
            negative_listing: listing.transpose()?,
            complaint_hours: file.complaint_hours,
            records_years: file.records_years,
            household_income_at_most: file.household_income_at_most.as_deref().map(amount).transpose()?,
            own_lending: file.own_lending,
            confirmed_by_a_lawyer: file.confirmed_by_a_lawyer,
            sources: file.sources,
            currency,
        })
    }

    /// The country's business days.
    #[must_use]
    pub fn calendar(&self, holidays: &BTreeSet<Date>) -> Calendar {
        Calendar { weekend: self.weekend.clone(), holidays: holidays.clone() }
    }
}

fn weekday(name: &str) -> Result<i32, LedgerError> {
    let at = (0..).zip(WEEKDAYS).find(|(_, day)| *day == name).map(|(at, _)| at);
    at.ok_or_else(|| LedgerError::invalid(format!("{name:?} is not a day of the week")))
}

/// All rules there are.
///
/// # Errors
/// If a file cannot be read; a test reads them all.
pub fn all() -> Result<Vec<Rules>, LedgerError> {
    FILES.iter().map(|text| Rules::read(text)).collect()
}

/// The rules of a country that are in force on a day: the youngest that are not younger than the day.
///
/// # Errors
/// If there are none.
pub fn in_force(country: &str, day: Date) -> Result<Rules, LedgerError> {
    latest(all()?, country, day)
        .ok_or_else(|| LedgerError::conflict(format!("there are no rules for loans in {country:?} on {day}")))
}

/// The rules of a country that came last, whether in force or not yet: for its time and currency.
///
/// # Errors
/// If there are none.
pub fn of_country(country: &str) -> Result<Rules, LedgerError> {
    let rules = all()?.into_iter().filter(|rules| rules.country == country).max_by_key(|rules| rules.from);
    rules.ok_or_else(|| LedgerError::invalid(format!("{country:?} is not a country of this service")))
}

/// The rules of the country that a telephone number belongs to: digits without a plus sign.
///
/// # Errors
/// If it is none of those of this service.
pub fn of_number(digits: &str) -> Result<Rules, LedgerError> {
    let rules = all()?.into_iter().filter(|rules| digits.starts_with(&rules.calling_code));
    let rules = rules.max_by_key(|rules| rules.from);
    rules.ok_or_else(|| LedgerError::invalid("the number is not of a country of this service"))
}

fn latest(rules: Vec<Rules>, country: &str, day: Date) -> Option<Rules> {
    let in_force = rules.into_iter().filter(|rules| rules.country == country && rules.from <= day);
    in_force.max_by_key(|rules| rules.from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn every_file_is_read_and_named_by_its_content() {
        let rules = all().unwrap();
        assert_eq!(rules.len(), FILES.len());
        for rules in rules {
            let name = format!("{}/rules/{}-{}.toml", env!("CARGO_MANIFEST_DIR"), rules.country, rules.from);
            assert!(std::path::Path::new(&name).exists(), "{name}");
            assert!(!rules.sources.is_empty() && rules.payment_multiple > 0);
        }
    }

    #[test]
    fn a_day_has_the_rules_in_force_then() {
        let kenya = in_force("KE", day("2026-11-23")).unwrap();
        assert_eq!((kenya.in_duplum_after_days, kenya.payment_multiple), (Some(90), 100));
        assert!(in_force("KE", day("2022-03-17")).is_err(), "before they held");
        assert!(in_force("DE", day("2026-11-23")).is_err(), "no such country");
        let newer = Rules { from: day("2027-01-01"), in_duplum_after_days: Some(30), ..kenya.clone() };
        let chosen = |at| latest(vec![newer.clone(), kenya.clone()], "KE", day(at)).unwrap().in_duplum_after_days;
        assert_eq!((chosen("2026-12-31"), chosen("2027-01-01")), (Some(90), Some(30)));
    }

    #[test]
    fn india_lends_through_a_regulated_lender() {
        assert!(!in_force("IN", day("2026-11-23")).unwrap().own_lending);
    }
}
