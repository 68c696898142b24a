//! Figures and dates as people of a language write them.

use braid_microloans_arithmetic::{Currency, Date, Minor};
use braid_microloans_ledger::time;
use braid_microloans_ussd::Language;
use jiff::{Timestamp, tz::Offset};

use crate::language::{Texts, fill};

/// An amount with its currency: `KES 12,500.50`; decimals only where there are some. In Hindi, digits are grouped by lakh and crore.
pub(crate) fn money(language: Language, minor: Minor, currency: Currency) -> String {
    // The space does not break, so that no amount is torn from its currency.
    format!("{}\u{a0}{}", currency.code(), amount(language, minor, currency))
}

/// An amount without its currency.
pub(crate) fn amount(language: Language, minor: Minor, currency: Currency) -> String {
    let text = currency.format(minor);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("−", digits));
    let fraction = if fraction.bytes().all(|digit| digit == b'0') { String::new() } else { format!(".{fraction}") };
    format!("{sign}{}{fraction}", grouped(language, digits))
}

/// A count.
pub(crate) fn count(language: Language, count: impl TryInto<u64>) -> String {
    grouped(language, &count.try_into().unwrap_or(u64::MAX).to_string())
}

fn grouped(language: Language, digits: &str) -> String {
    let length = digits.len();
    let mut text = String::with_capacity(length + length / 2);
    for (at, digit) in digits.chars().enumerate() {
        let left = length - at;
        let ends_group = match language {
            // 12,34,56,789
            Language::Hindi => left == 3 || (left > 3 && (left - 3).is_multiple_of(2)),
            _ => left.is_multiple_of(3),
        };
        if at > 0 && ends_group {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A day: `23 November 2026`.
pub(crate) fn date(texts: &Texts, date: Date) -> String {
    let (year, month, day) = date.civil();
    let month = texts.months.get(usize::try_from(month).unwrap_or(1).wrapping_sub(1)).map_or("", String::as_str);
    fill(&texts.date, &[("day", &day.to_string()), ("month", month), ("year", &year.to_string())])
}

/// A month: `November 2026`.
pub(crate) fn month(texts: &Texts, date: Date) -> String {
    let (year, month, _) = date.civil();
    let month = texts.months.get(usize::try_from(month).unwrap_or(1).wrapping_sub(1)).map_or("", String::as_str);
    format!("{month} {year}")
}

/// A moment, in UTC: what staff compare between countries.
pub(crate) fn moment(texts: &Texts, millis: i64) -> String {
    let Ok(at) = Timestamp::from_millisecond(millis) else { return String::new() };
    let Ok(day) = time::utc_date(at) else { return String::new() };
    let civil = Offset::UTC.to_datetime(at);
    format!("{}, {:02}:{:02} UTC", date(texts, day), civil.hour(), civil.minute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Catalogue;

    #[test]
    fn digits_are_grouped_as_people_write_them() {
        let shillings: Currency = "KES".parse().unwrap();
        assert_eq!(money(Language::English, 123_456_750, shillings), "KES\u{a0}1,234,567.50");
        assert_eq!(money(Language::Hindi, 123_456_700, "INR".parse().unwrap()), "INR\u{a0}12,34,567");
        assert_eq!(amount(Language::Swahili, -99_900, shillings), "−999");
        assert_eq!(count(Language::Hindi, 123_456_789_u64), "12,34,56,789");
        assert_eq!(count(Language::Yoruba, 0_u64), "0");
    }

    #[test]
    fn dates_have_the_names_of_the_language() {
        let catalogue = Catalogue::load().unwrap();
        let day = "2026-11-03".parse().unwrap();
        assert_eq!(date(catalogue.texts(Language::English), day), "3 November 2026");
        assert_eq!(date(catalogue.texts(Language::Swahili), day), "3 Novemba 2026");
        assert_eq!(moment(catalogue.texts(Language::English), 1_795_430_460_000), "23 November 2026, 10:41 UTC");
    }
}
