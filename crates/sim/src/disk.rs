//! What a chain directory is after its machine lost power.
//!
//! The store appends each block to a log and syncs it before anybody hears of it, and moves the log into the flat store from
//! time to time, by a thread of its own. In the simulation that thread never runs (its interval is [`NEVER_MS`]); the log moves when a store
//! is closed in order. So while a validator runs, its log is all that changes, at moments that the simulation knows, and what
//! is on the disk when the power goes is the directory as it is, up to the record that is being written at that moment: of that
//! one there may be anything ([`Torn`]).
//!
//! A power cut therefore copies the directory, damages the last record of the copy if the power went while it was written,
//! and lets the validator go on with the copy. The store that was open still closes in order, in the directory that was left
//! behind.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use braid_chain::state::StoreOptions;

use crate::plan::Torn;

/// Longer than any simulation takes.
pub const NEVER_MS: u64 = 1_000_000_000;

/// Bytes before the first record of a log segment, and before a record's payload; as the store's log documents.
const SEGMENT_HEADER_BYTES: usize = 32;
const RECORD_HEADER_BYTES: usize = 24;
const RECORD_MAGIC: &[u8; 4] = b"BREC";

/// Where copies read and write at once.
const BUFFER_BYTES: usize = 1 << 16;

/// How the stores of a simulation keep what they keep.
pub const fn store_options() -> StoreOptions {
    StoreOptions { history: None, checkpoint_interval_ms: NEVER_MS, checkpoint_size_bytes: 1 << 40, memory_bytes: None }
}

/// Copies a chain directory that a store may have open but does not write to.
///
/// # Errors
/// If a file cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            copy_file(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Copies a file with its holes, since most of these are preallocated.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let (mut source, mut target) = (File::open(from)?, File::create(to)?);
    let length = source.metadata()?.len();
    target.set_len(length)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut offset = 0;
    while let Some(data) = next_data(&source, offset)? {
        source.seek(SeekFrom::Start(data))?;
        let count = source.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        let read = &buffer[..count];
        if read.iter().any(|byte| *byte != 0) {
            target.seek(SeekFrom::Start(data))?;
            target.write_all(read)?;
        }
        offset = data + count as u64;
    }
    Ok(())
}

/// Where data begins at or after `offset`.
fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(offset)) {
        Ok(data) => Ok(Some(data)),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Damages the last record of the log in a chain directory, as if the power had gone while it was written.
///
/// # Errors
/// If there is no record, or a file cannot be read or written.
pub fn tear(directory: &Path, torn: Torn) -> io::Result<()> {
    let path = newest_segment(&directory.join("log"))?;
    let bytes = fs::read(&path)?;
    let (start, end) = last_record(&bytes).ok_or_else(|| io::Error::other("the log has no record"))?;
    let at = |percent: u8| start + (end - start) * usize::from(percent) / 100;
    let file = OpenOptions::new().write(true).open(&path)?;
    match torn {
        Torn::Nothing => Ok(()),
        Torn::All => clear(&file, start, end),
        Torn::Behind(percent) => clear(&file, at(percent), end),
        Torn::Within(percent) => file.write_all_at(&[!bytes[at(percent)]], at(percent) as u64),
    }
}

fn clear(file: &File, start: usize, end: usize) -> io::Result<()> {
    file.write_all_at(&vec![0; end - start], start as u64)
}

fn newest_segment(log: &Path) -> io::Result<PathBuf> {
    let entries = fs::read_dir(log)?.map(|entry| entry.map(|entry| entry.path()));
    let paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.into_iter().max().ok_or_else(|| io::Error::other("the log has no segment"))
}

/// Where the last record of a segment begins and ends.
fn last_record(bytes: &[u8]) -> Option<(usize, usize)> {
    let (mut last, mut start) = (None, SEGMENT_HEADER_BYTES);
    while let Some(header) = bytes.get(start..start + RECORD_HEADER_BYTES)
        && header.starts_with(RECORD_MAGIC)
    {
        let length = u32::from_be_bytes(*header[4..].first_chunk()?);
        let end = start + RECORD_HEADER_BYTES + usize::try_from(length).ok()?;
        last = Some((start, end));
        start = end;
    }
    last
}
