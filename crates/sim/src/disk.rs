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
    StoreOptions { history: None, checkpoint_interval_ms: NEVER_MS, checkpoint_size_bytes: 1 << 40 }
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

#[cfg(test)]
mod tests {
    use std::{num::NonZeroUsize, sync::Arc};

    use alloy_primitives::{Address, B256};
    use braid_chain::{Chain, ChainOptions, Ledger};
    use braid_pool::PoolConfig;
    use braid_types::OrderedBlock;
    use tempfile::TempDir;

    use super::*;
    use crate::{plan::Plan, world};

    fn open(directory: &TempDir) -> Ledger {
        let options = ChainOptions {
            genesis: world::genesis(&world::Keys::of(&Plan::new(1, 1)).consensus_config()),
            directory: directory.path().to_owned(),
            store: store_options(),
            pool: PoolConfig::default(),
            threads: NonZeroUsize::MIN,
            is_dev: false,
        };
        Ledger::new(Arc::new(Chain::open(options).unwrap())).unwrap()
    }

    /// The height that a chain of three blocks comes back with after its machine lost power.
    fn height_after(torn: Torn) -> u64 {
        let (before, after) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let ledger = open(&before);
        for height in 1..=3 {
            let digest = B256::with_last_byte(height);
            let (parent, height) = (ledger.durable().digest, u64::from(height));
            let (beneficiary, transactions) = (Address::ZERO, Vec::new());
            let block = OrderedBlock { height, digest, parent, timestamp_ms: 0, beneficiary, transactions };
            ledger.commit(&block).unwrap();
        }
        copy(before.path(), after.path()).unwrap();
        tear(after.path(), torn).unwrap();
        open(&after).durable().height
    }

    #[test]
    fn only_the_record_that_was_being_written_is_lost() {
        assert_eq!(height_after(Torn::Nothing), 3);
        for torn in [Torn::All, Torn::Behind(0), Torn::Behind(3), Torn::Behind(99), Torn::Within(0), Torn::Within(60)] {
            assert_eq!(height_after(torn), 2, "{torn:?}");
        }
    }

    #[test]
    fn copies_have_the_bytes_and_the_length() {
        let directory = TempDir::new().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir(&from).unwrap();
        let mut content = vec![0; 3 << 20];
        content[1 << 20] = 1;
        content[(2 << 20) + 5] = 2;
        let file = File::create(from.join("file")).unwrap();
        file.write_all_at(&[1], 1 << 20).unwrap();
        file.write_all_at(&[2], (2 << 20) + 5).unwrap();
        file.set_len(3 << 20).unwrap();
        copy(&from, &to).unwrap();
        assert!(fs::read(to.join("file")).unwrap() == content);
    }
}
