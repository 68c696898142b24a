//! Which epoch a validator's key has voted in, written down beside the key.
//!
//! What keeps a validator from contradicting itself after a restart is its vote log, in the data directory. Whoever loses that (a disk
//! that is gone, an old copy that was restored, a directory that somebody removed) and still has the key would vote a second time
//! in the same epoch, for other things. One that does so beside a Byzantine member is enough to fork a committee of four
//! (`a_restart_that_forgets_votes_can_split_the_chain` in `crates/model`).
//!
//! So before an engine may sign in an epoch, a small file beside the key file says which epoch that is and which *store* holds the
//! votes. A store is the place of a vote log: it has a random identity, kept with the log, and counts its starts. The rule
//! ([`VoteLock::judge`]):
//!
//! - an epoch above the one in the file: the key votes, and the file is written first;
//! - that epoch or one below it, by the store in the file, whose log is there, from its first epoch on: the key votes, as after any
//!   restart;
//! - otherwise the key may have cast votes that are not known here: the node follows until the epoch after the one in the file.
//!
//! A store that has started no more often than the file knows is an old copy. It gets another identity, as does one whose log for the
//! epoch is gone.
//!
//! The file is replaced as a whole and synced, with its folder, before it counts. One that is damaged or cannot be read ends the
//! start: what it said may be needed. One that is missing is a first start, or the wish of an operator who knows that the key
//! votes nowhere else. The key file itself is locked while a node uses it, so that two processes of one machine cannot share a key.

mod guard;

use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use alloy_primitives::{B128, B256};
use commonware_cryptography::{Blake3, Hasher as _};

pub(crate) use self::guard::{Guard, Permission};

/// First line of the file: what it is, and the version of its layout.
const TITLE: &str =
    "# The newest epoch that this key has voted in. Written by braid; see docs/operations.md before you touch it. v1";

/// Bytes of a file that is read; its text has some three hundred.
const MAX_FILE_BYTES: u64 = 4_096;

/// Rights of the file: its owner reads and writes.
const OWNER_ONLY: u32 = 0o600;

/// A key must not vote, for all that is known.
#[derive(Debug, thiserror::Error)]
pub enum VoteLockError {
    /// The key file cannot be opened or locked.
    #[error("failed to lock the key file {path}: {reason}")]
    Key {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// Another process has the key.
    #[error("the key {0} is in use by another process")]
    InUse(PathBuf),
    /// The file cannot be read or written.
    #[error("failed to {verb} {path}, which says what this key has voted in: {reason}")]
    File {
        /// Read or write.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The file is not what was written.
    #[error(
        "{0} is damaged: what this key has voted in is not known, so it must not vote (docs/operations.md says what to do)"
    )]
    Damaged(PathBuf),
    /// The identity of the vote log's place cannot be kept.
    #[error("failed to keep the identity of the vote log: {0}")]
    Store(String),
}

/// The identity of a store.
type StoreId = B128;

/// The place of a vote log, in its present life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Store {
    id: StoreId,
    /// How often it was started, this time included.
    start: u64,
}

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    /// The newest epoch that the key has voted in.
    epoch: u64,
    /// The first epoch in which its votes are in `store`.
    first: u64,
    /// Where they are, and in which life of it the file was written.
    store: Store,
}

/// What follows from the file for an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    /// It votes, after this has been written.
    Votes(Record),
    /// It follows; the epoch in which it votes again.
    Follows(u64),
}

/// A key that this process alone uses, and what it has voted in on one network.
#[derive(Debug)]
pub(crate) struct VoteLock {
    path: PathBuf,
    network: B256,
    record: Option<Record>,
    /// Whether this process has written the file.
    is_written: bool,
    /// Locked as long as it is open.
    _key: File,
}

impl VoteLock {
    /// Locks a key and reads what it has voted in on the network whose signatures have this namespace.
    ///
    /// # Errors
    /// [`VoteLockError`].
    pub(crate) fn open(key_file: &Path, namespace: &[u8]) -> Result<Self, VoteLockError> {
        let key = lock(key_file)?;
        let network = B256::from(Blake3::hash(&[namespace]).0);
        let path = file_of(key_file, network);
        let record = read(&path, network)?;
        Ok(Self { path, network, record, is_written: false, _key: key })
    }

    /// Whether the key votes in `epoch` with `store`, which has votes of that epoch or none.
    fn judge(&self, epoch: u64, store: Store, has_log: bool) -> Judgement {
        let Some(record) = self.record else {
            return Judgement::Votes(Record { epoch, first: epoch, store });
        };
        let is_same = self.is_store(record, store);
        if epoch > record.epoch {
            return Judgement::Votes(Record { epoch, first: if is_same { record.first } else { epoch }, store });
        }
        if is_same && has_log && epoch >= record.first {
            return Judgement::Votes(Record { store, ..record });
        }
        Judgement::Follows(record.epoch.saturating_add(1))
    }

    /// Whether `store` is what the record names, and no older copy of it.
    fn is_store(&self, record: Record, store: Store) -> bool {
        let is_later = store.start > record.store.start || (self.is_written && store.start == record.store.start);
        record.store.id == store.id && is_later
    }

    /// Makes a record durable.
    fn write(&mut self, record: Record) -> Result<(), VoteLockError> {
        let failed = |reason| VoteLockError::File { verb: "write", path: self.path.clone(), reason };
        replace(&self.path, &render(self.network, record)).map_err(failed)?;
        self.record = Some(record);
        self.is_written = true;
        Ok(())
    }
}

/// Locks a key file until the handle is dropped.
fn lock(key_file: &Path) -> Result<File, VoteLockError> {
    let failed = |reason| VoteLockError::Key { path: key_file.to_owned(), reason };
    let file = File::open(key_file).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(VoteLockError::InUse(key_file.to_owned())),
        Err(TryLockError::Error(reason)) => Err(failed(reason)),
    }
}

/// Where a key's votes on a network are written down: a key may serve several networks, whose votes have nothing to do with
/// each other.
fn file_of(key_file: &Path, network: B256) -> PathBuf {
    let mut name = key_file.as_os_str().to_owned();
    name.push(format!(".votes-{}", alloy_primitives::hex::encode(&network[..8])));
    name.into()
}

fn read(path: &Path, network: B256) -> Result<Option<Record>, VoteLockError> {
    let failed = |reason| VoteLockError::File { verb: "read", path: path.to_owned(), reason };
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let damaged = || VoteLockError::Damaged(path.to_owned());
    if length > MAX_FILE_BYTES {
        return Err(damaged());
    }
    let bytes = fs::read(path).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|_| damaged())?;
    let (of, record) = parse(&text).ok_or_else(damaged)?;
    if of != network {
        return Err(damaged());
    }
    Ok(Some(record))
}

/// Replaces a file so that after a crash it is the old or the new one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ONLY).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()
}

/// The file's text. Its last line is a hash of the others.
fn render(network: B256, record: Record) -> String {
    let Record { epoch, first, store } = record;
    let body = format!(
        "{TITLE}\nnetwork {network}\nepoch {epoch}\nfirst {first}\nstore {}\nstart {}\n",
        store.id, store.start
    );
    let check = B256::from(Blake3::hash(&[body.as_bytes()]).0);
    format!("{body}check {check}\n")
}

/// What a file's text says, if it is one that [`render`] makes.
fn parse(text: &str) -> Option<(B256, Record)> {
    let mut lines = text.lines().skip(1);
    let network = field(lines.next()?, "network ")?;
    let epoch = field(lines.next()?, "epoch ")?;
    let first = field(lines.next()?, "first ")?;
    let store = Store { id: field(lines.next()?, "store ")?, start: field(lines.next()?, "start ")? };
    let record = Record { epoch, first, store };
    (render(network, record) == text).then_some((network, record))
}

fn field<T: FromStr>(line: &str, name: &str) -> Option<T> {
    line.strip_prefix(name)?.parse().ok()
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Votes => f.write_str("votes"),
            Self::Follows { until } => write!(f, "follows until epoch {until}"),
        }
    }
}

#[cfg(test)]
mod tests;
