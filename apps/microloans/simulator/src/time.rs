//! Times as the providers write them.

use jiff::{
    Timestamp,
    tz::{self, TimeZone},
};

/// Hours that M-PESA's times are ahead of UTC.
const EAST_AFRICA: i8 = 3;

fn local(at_ms: i64, notation: &str) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::fixed(tz::offset(EAST_AFRICA))).strftime(notation).to_string()
}

/// `20191219102115`.
pub(crate) fn compact(at_ms: i64) -> String {
    local(at_ms, "%Y%m%d%H%M%S")
}

/// `19.12.2019 10:21:15`.
pub(crate) fn dotted(at_ms: i64) -> String {
    local(at_ms, "%d.%m.%Y %H:%M:%S")
}

/// `2019-12-19 10:21:15`.
pub(crate) fn dashed(at_ms: i64) -> String {
    local(at_ms, "%Y-%m-%d %H:%M:%S")
}

/// `2019-12-19T07:21:15Z`.
pub(crate) fn utc(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// An instant in that notation, in milliseconds.
pub(crate) fn read_utc(text: &str) -> Option<i64> {
    Some(text.parse::<Timestamp>().ok()?.as_millisecond())
}
