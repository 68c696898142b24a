//! One file of the log.

use std::{
    fs::{self, File, OpenOptions},
    hash::{BuildHasher, Hasher, RandomState},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{FallocateFlags, fallocate};

use super::{LogError, scan::Scan};
use crate::meter::Stopwatch;

pub(super) const TEMPORARY_EXTENSION: &str = "new";
const EXTENSION: &str = "log";
const MAGIC: [u8; 8] = *b"BRAIDLOG";
const VERSION: u32 = 1;
const RECORD_MAGIC: [u8; 4] = *b"BREC";

/// Bytes before the first record.
pub(super) const SEGMENT_HEADER_BYTES: usize = 32;

/// Bytes before a record's payload.
pub(super) const RECORD_HEADER_BYTES: usize = 24;

/// A segment open for appending.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) path: PathBuf,
    file: File,
    salt: u64,
    offset: u64,
    capacity: u64,
    buffer: Vec<u8>,
}

impl Segment {
    /// Creates an empty segment: complete and durable under its name, or not there at all.
    pub(super) fn create(dir: &Path, first: u64, capacity: u64) -> Result<Self, LogError> {
        let path = dir.join(format!("{first:016x}.{EXTENSION}"));
        let temporary = path.with_extension(TEMPORARY_EXTENSION);
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&temporary);
        let file = options.map_err(LogError::io("create", &temporary))?;
        let salt = random_salt();
        allocate(&file, capacity).map_err(LogError::io("preallocate", &temporary))?;
        file.write_all_at(&header(salt, first), 0).map_err(LogError::io("write", &temporary))?;
        file.sync_all().map_err(LogError::io("sync", &temporary))?;
        fs::rename(&temporary, &path).map_err(LogError::io("rename", &temporary))?;
        sync_directory(dir)?;
        Ok(Self { first, path, file, salt, offset: SEGMENT_HEADER_BYTES as u64, capacity, buffer: Vec::new() })
    }

    /// Opens the newest segment after its last valid record, and clears what a torn write left there.
    pub(super) fn reopen(path: &Path, scan: &Scan, bytes: &[u8], capacity: u64) -> Result<Self, LogError> {
        let options = OpenOptions::new().read(true).write(true).open(path);
        let file = options.map_err(LogError::io("open", path))?;
        let capacity = capacity.max(bytes.len() as u64);
        let offset = scan.end as u64;
        if scan.torn || (bytes.len() as u64) < capacity {
            file.set_len(offset).map_err(LogError::io("truncate", path))?;
            allocate(&file, capacity).map_err(LogError::io("preallocate", path))?;
            file.sync_all().map_err(LogError::io("sync", path))?;
        }
        let Some((salt, first)) = parse_header(bytes) else {
            return Err(super::damaged(path, 0, "segment header is invalid"));
        };
        Ok(Self { first, path: path.to_owned(), file, salt, offset, capacity, buffer: Vec::new() })
    }

    /// Bytes of a segment with a single record.
    pub(super) const fn size_for(payload_len: usize) -> u64 {
        (SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES + payload_len) as u64
    }

    pub(super) const fn has_room(&self, payload_len: usize) -> bool {
        self.offset + (RECORD_HEADER_BYTES + payload_len) as u64 <= self.capacity
    }

    /// Writes a record and waits until it is durable; returns how long it waited for the disk.
    pub(super) fn append(&mut self, sequence: u64, payload: &[u8]) -> Result<Duration, LogError> {
        self.buffer.clear();
        let length = u32::try_from(payload.len()).map_err(|_| LogError::TooLarge(payload.len()))?;
        let header = record_header(self.salt, length, sequence, checksum(self.salt, payload));
        self.buffer.extend_from_slice(&header);
        self.buffer.extend_from_slice(payload);
        self.file.write_all_at(&self.buffer, self.offset).map_err(LogError::io("append to", &self.path))?;
        let mut watch = Stopwatch::start();
        self.file.sync_data().map_err(LogError::io("sync", &self.path))?;
        self.offset += self.buffer.len() as u64;
        Ok(watch.lap().wall)
    }
}

/// The first sequence number a segment's name tells, if the file is a segment.
pub(super) fn first_sequence_of(path: &Path) -> Option<u64> {
    let stem = path.file_stem()?.to_str().filter(|stem| stem.len() == 16)?;
    path.extension().filter(|extension| *extension == EXTENSION)?;
    u64::from_str_radix(stem, 16).ok()
}

/// Salt and first sequence number of a segment.
pub(super) fn parse_header(bytes: &[u8]) -> Option<(u64, u64)> {
    let head: [u8; SEGMENT_HEADER_BYTES] = *bytes.first_chunk()?;
    let salt = u64::from_be_bytes(*head[12..].first_chunk()?);
    let first = u64::from_be_bytes(*head[20..].first_chunk()?);
    (header(salt, first) == head).then_some((salt, first))
}

fn header(salt: u64, first: u64) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut out = [0; SEGMENT_HEADER_BYTES];
    out[..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&VERSION.to_be_bytes());
    out[12..20].copy_from_slice(&salt.to_be_bytes());
    out[20..28].copy_from_slice(&first.to_be_bytes());
    let checksum = crc32fast::hash(&out[..28]);
    out[28..].copy_from_slice(&checksum.to_be_bytes());
    out
}

/// The sequence number and payload length of the valid record at the start of `bytes`. The header has a checksum of its own,
/// so that bytes which only look like a header cost no checksum over what follows.
pub(super) fn parse_record(salt: u64, bytes: &[u8]) -> Option<(u64, usize)> {
    let (head, rest) = bytes.split_first_chunk::<RECORD_HEADER_BYTES>()?;
    let length = u32::from_be_bytes(*head[4..].first_chunk()?);
    let sequence = u64::from_be_bytes(*head[8..].first_chunk()?);
    let payload_checksum = u32::from_be_bytes(*head[20..].first_chunk()?);
    if record_header(salt, length, sequence, payload_checksum) != *head {
        return None;
    }
    let payload = rest.get(..length as usize)?;
    (checksum(salt, payload) == payload_checksum).then_some((sequence, payload.len()))
}

/// Where the next possible record begins, if any.
pub(super) fn find_record_magic(bytes: &[u8]) -> Option<usize> {
    bytes.windows(RECORD_MAGIC.len()).position(|window| window == RECORD_MAGIC)
}

fn record_header(salt: u64, length: u32, sequence: u64, payload_checksum: u32) -> [u8; RECORD_HEADER_BYTES] {
    let mut out = [0; RECORD_HEADER_BYTES];
    out[..4].copy_from_slice(&RECORD_MAGIC);
    out[4..8].copy_from_slice(&length.to_be_bytes());
    out[8..16].copy_from_slice(&sequence.to_be_bytes());
    out[20..].copy_from_slice(&payload_checksum.to_be_bytes());
    let header_checksum = checksum(salt, &out);
    out[16..20].copy_from_slice(&header_checksum.to_be_bytes());
    out
}

fn checksum(salt: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_be_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// Reserves space; a file system that cannot gets a sparse file.
fn allocate(file: &File, len: u64) -> std::io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, len) {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(len),
        other => Ok(other?),
    }
}

/// A number that the sender of a transaction cannot know, from the standard library's source of hash keys.
fn random_salt() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Makes a rename in `dir` durable.
fn sync_directory(dir: &Path) -> Result<(), LogError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(LogError::io("sync", dir))
}
