//! Daraja's times: East Africa Time, three hours ahead of UTC all year, in three notations.

use jiff::{
    Timestamp,
    civil::DateTime,
    fmt::strtime,
    tz::{self, TimeZone},
};

/// Hours ahead of UTC.
const OFFSET_HOURS: i8 = 3;

/// `20191219102115`, as in prompts and deposits.
pub(crate) const COMPACT: &str = "%Y%m%d%H%M%S";
/// `19.12.2019 11:45:50`, as in the results of payouts.
pub(crate) const DOTTED: &str = "%d.%m.%Y %H:%M:%S";
/// `2019-12-19 11:45:50`, as in statements.
pub(crate) const DASHED: &str = "%Y-%m-%d %H:%M:%S";

fn zone() -> TimeZone {
    TimeZone::fixed(tz::offset(OFFSET_HOURS))
}

/// Reads a local time.
pub(crate) fn read(text: &str, notation: &str) -> Option<Timestamp> {
    let time: DateTime = strtime::parse(notation, text.trim()).ok()?.to_datetime().ok()?;
    let instant = time.to_zoned(zone()).ok()?.timestamp();
    // The parser takes single digits; that a digit is missing must not shift the rest.
    (write(instant, notation) == text.trim()).then_some(instant)
}

/// Writes a local time.
pub(crate) fn write(time: Timestamp, notation: &str) -> String {
    time.to_zoned(zone()).strftime(notation).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_notations_name_the_same_instant() {
        let instant: Timestamp = "2019-12-19T08:45:50Z".parse().unwrap();
        for (notation, text) in
            [(COMPACT, "20191219114550"), (DOTTED, "19.12.2019 11:45:50"), (DASHED, "2019-12-19 11:45:50")]
        {
            assert_eq!(read(text, notation), Some(instant));
            assert_eq!(write(instant, notation), text);
        }
        for text in ["", "20191319114550", "2019121911455", "20190229114550"] {
            assert_eq!(read(text, COMPACT), None, "{text}");
        }
    }
}
