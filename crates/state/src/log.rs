//! The block log: the commit point.
//!
//! A directory of segments, each named by the sequence number of its first record. A segment is preallocated and
//! zero-filled, so that appending changes no metadata and one `fdatasync` makes a record durable.
//!
//! ```text
//! segment  "BRAIDLOG" | version u32 | salt u64 | first sequence u64 | crc32 of these | record* | zeros
//! record   "BREC" | length u32 | sequence u64 | crc32 of salt and header | crc32 of salt and payload | payload
//! ```
//!
//! Sequence numbers rise by one without gaps. A record that does not check out is a *torn write* if nothing valid
//! follows: it was never acknowledged, and recovery cuts it off. If a valid record does follow, an acknowledged record was
//! damaged, and recovery refuses. The salt is chosen at random for each segment, so that no payload can
//! contain what looks like a record.

mod scan;
mod segment;

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use scan::{Scan, scan};
use segment::Segment;

/// Bytes a segment is preallocated with: large enough that a new one is rare, small enough to be read at once when the
/// store opens. A record that is larger gets a segment of its own.
pub(crate) const SEGMENT_SIZE_BYTES: u64 = 16 << 20;

/// Failed to use the log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file operation failed.
    #[error("failed to {step} {path}")]
    Io {
        /// What was tried.
        step: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A record that was acknowledged is damaged or missing.
    #[error("log segment {path} is damaged at byte {offset}: {reason}")]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where in the segment.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A record is larger than [`braid_types::limits::MAX_LOG_RECORD_SIZE_BYTES`].
    #[error("log record of {0} bytes is too large")]
    TooLarge(usize),
}

impl LogError {
    fn io<'a>(step: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::Io { step, path: path.to_owned(), source }
    }
}

/// The log, open for appending.
#[derive(Debug)]
pub(crate) struct Log {
    dir: PathBuf,
    /// Segments before the current one: first sequence and path.
    older: VecDeque<(u64, PathBuf)>,
    current: Segment,
    next_sequence: u64,
    segment_size: u64,
    /// How long the newest record waited for the disk.
    pub(crate) synced_in: Duration,
}

/// A payload with its sequence number.
pub(crate) type LogRecord = (u64, Vec<u8>);

impl Log {
    /// Opens or creates the log in `dir` and returns the records after sequence number `after`. Cuts off a torn tail,
    /// and removes segments that hold nothing after `after`.
    pub(crate) fn open(dir: &Path, after: u64) -> Result<(Self, Vec<LogRecord>), LogError> {
        Self::open_sized(dir, after, SEGMENT_SIZE_BYTES)
    }

    pub(crate) fn open_sized(dir: &Path, after: u64, segment_size: u64) -> Result<(Self, Vec<LogRecord>), LogError> {
        fs::create_dir_all(dir).map_err(LogError::io("create", dir))?;
        let mut paths = list(dir)?;
        while paths.len() > 1 && paths.get(1).is_some_and(|(first, _)| *first <= after + 1) {
            if let Some((_, path)) = paths.pop_front() {
                fs::remove_file(&path).map_err(LogError::io("remove", &path))?;
            }
        }
        let Some((newest, older)) = paths.make_contiguous().split_last() else {
            let current = Segment::create(dir, after + 1, segment_size)?;
            let next_sequence = after + 1;
            let synced_in = Duration::ZERO;
            let log = Self { dir: dir.to_owned(), older: paths, current, next_sequence, segment_size, synced_in };
            return Ok((log, Vec::new()));
        };
        let mut records = Vec::new();
        let mut expected = None;
        for (first, path) in older {
            let bytes = read_segment(*first, path, expected, after)?;
            let scan = scan(path, &bytes, *first)?;
            if scan.torn {
                return Err(damaged(path, scan.end, "record is invalid and later segments exist"));
            }
            expected = Some(first + scan.records.len() as u64);
            keep(&mut records, scan, *first, after, &bytes);
        }
        let (first, path) = newest;
        let bytes = read_segment(*first, path, expected, after)?;
        let scan = scan(path, &bytes, *first)?;
        let next_sequence = first + scan.records.len() as u64;
        if next_sequence <= after {
            return Err(damaged(path, scan.end, "records before the last checkpoint are missing"));
        }
        let current = Segment::reopen(path, &scan, &bytes, segment_size)?;
        keep(&mut records, scan, *first, after, &bytes);
        paths.pop_back();
        let synced_in = Duration::ZERO;
        Ok((Self { dir: dir.to_owned(), older: paths, current, next_sequence, segment_size, synced_in }, records))
    }

    /// Appends a record and waits until it is durable; returns its sequence number. After an error the log must
    /// not be used again: what the disk holds is unknown.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<u64, LogError> {
        if payload.len() > braid_types::limits::MAX_LOG_RECORD_SIZE_BYTES as usize {
            return Err(LogError::TooLarge(payload.len()));
        }
        if !self.current.has_room(payload.len()) {
            self.rotate(payload.len())?;
        }
        let sequence = self.next_sequence;
        self.synced_in = self.current.append(sequence, payload)?;
        self.next_sequence += 1;
        Ok(sequence)
    }

    /// Removes the segments whose records are all at or below `sequence`.
    pub(crate) fn remove_through(&mut self, sequence: u64) -> Result<(), LogError> {
        while !self.older.is_empty() {
            let next = self.older.get(1).map_or(self.current.first, |(first, _)| *first);
            if next > sequence + 1 {
                break;
            }
            if let Some((_, path)) = self.older.pop_front() {
                fs::remove_file(&path).map_err(LogError::io("remove", &path))?;
            }
        }
        Ok(())
    }

    fn rotate(&mut self, payload_len: usize) -> Result<(), LogError> {
        let size = self.segment_size.max(Segment::size_for(payload_len));
        let next = Segment::create(&self.dir, self.next_sequence, size)?;
        let full = std::mem::replace(&mut self.current, next);
        // An empty segment that the record does not fit into has been replaced under its own name.
        if full.first < self.next_sequence {
            self.older.push_back((full.first, full.path));
        }
        Ok(())
    }
}

/// Segments in order of their names; leftovers of a creation that never finished are removed.
fn list(dir: &Path) -> Result<VecDeque<(u64, PathBuf)>, LogError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(LogError::io("list", dir))? {
        let path = entry.map_err(LogError::io("list", dir))?.path();
        if path.extension().is_some_and(|extension| extension == segment::TEMPORARY_EXTENSION) {
            fs::remove_file(&path).map_err(LogError::io("remove", &path))?;
        } else if let Some(first) = segment::first_sequence_of(&path) {
            paths.push((first, path));
        }
    }
    paths.sort_unstable();
    Ok(paths.into())
}

/// Reads a segment and checks that it begins where it must: right after the one before it, or, for the oldest, no later
/// than the checkpoint ends.
fn read_segment(first: u64, path: &Path, expected: Option<u64>, after: u64) -> Result<Vec<u8>, LogError> {
    if expected.map_or(first > after + 1, |expected| first != expected) {
        return Err(damaged(path, 0, "records before this segment are missing"));
    }
    fs::read(path).map_err(LogError::io("read", path))
}

fn keep(records: &mut Vec<LogRecord>, scan: Scan, first: u64, after: u64, bytes: &[u8]) {
    for (sequence, payload) in (first..).zip(scan.records) {
        if sequence > after {
            records.push((sequence, bytes[payload].to_vec()));
        }
    }
}

fn damaged(path: &Path, offset: usize, reason: &'static str) -> LogError {
    LogError::Damaged { path: path.to_owned(), offset: offset as u64, reason }
}
