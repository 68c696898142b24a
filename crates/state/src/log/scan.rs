//! Reading a segment back, and telling a torn write from damage.

use std::{ops::Range, path::Path};

use super::{
    LogError, damaged,
    segment::{RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES, find_record_magic, parse_header, parse_record},
};

/// What a segment holds.
#[derive(Debug)]
pub(super) struct Scan {
    /// Where each record's payload lies, in order.
    pub(super) records: Vec<Range<usize>>,
    /// Where the last valid record ends.
    pub(super) end: usize,
    /// Whether anything but zeros follows.
    pub(super) torn: bool,
}

/// Reads all records of a segment whose first sequence number must be `first`.
pub(super) fn scan(path: &Path, bytes: &[u8], first: u64) -> Result<Scan, LogError> {
    let salt = match parse_header(bytes) {
        Some((salt, stored)) if stored == first => salt,
        _ => return Err(damaged(path, 0, "segment header is invalid")),
    };
    let mut records = Vec::new();
    let mut end = SEGMENT_HEADER_BYTES;
    while let Some((sequence, length)) = parse_record(salt, &bytes[end..]) {
        if sequence != first + records.len() as u64 {
            return Err(damaged(path, end, "sequence number is out of order"));
        }
        let payload = end + RECORD_HEADER_BYTES;
        end = payload + length;
        records.push(payload..end);
    }
    let torn = bytes[end..].iter().any(|byte| *byte != 0);
    if torn && has_record_after(salt, &bytes[end..]) {
        return Err(damaged(path, end, "record is invalid and valid ones follow"));
    }
    Ok(Scan { records, end, torn })
}

/// Whether a valid record begins anywhere in `bytes`. Its length and checksum are only looked at where the magic stands;
/// the length of the invalid record before it cannot be trusted.
fn has_record_after(salt: u64, mut bytes: &[u8]) -> bool {
    while let Some(at) = find_record_magic(bytes) {
        if parse_record(salt, &bytes[at..]).is_some() {
            return true;
        }
        bytes = &bytes[at + 1..];
    }
    false
}
