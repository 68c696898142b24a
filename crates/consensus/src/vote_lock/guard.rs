//! The lock together with the store whose votes it speaks of: what is asked before an epoch's engine may sign.

use alloy_primitives::B128;
use commonware_runtime::{Blob as _, Clock, Metrics, Storage};
use commonware_storage::metadata::{self, Metadata};
use commonware_utils::sequence::U64;
use rand_core::CryptoRng;

use super::{Judgement, Store, StoreId, VoteLock, VoteLockError};

/// The one entry of a store's identity.
const ENTRY: u64 = 0;

/// Identity and number of starts.
type Entry = [u8; 24];

/// Name of an empty first section of a vote log. Made before the file beside the key names the epoch, it tells a log in which
/// nothing stands yet from one that is gone.
const EMPTY_SECTION: [u8; 8] = 0_u64.to_be_bytes();

/// What a validator may do in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// It votes.
    Votes,
    /// It follows, for it may have voted already and does not know what for.
    Follows {
        /// The epoch in which it votes again.
        until: u64,
    },
}

/// Decides in which epochs a node's key votes.
pub(crate) struct Guard<E: Storage + Clock + Metrics> {
    lock: VoteLock,
    pub(super) store: Store,
    context: E,
    /// `None` after a failure.
    metadata: Option<Metadata<E, U64, Entry>>,
}

fn failed(error: impl ToString) -> VoteLockError {
    VoteLockError::Store(error.to_string())
}

impl<E: Storage + Clock + Metrics + CryptoRng> Guard<E> {
    /// Reads the identity of the store in partitions that begin with `prefix`, or makes one, and counts this start.
    ///
    /// # Errors
    /// [`VoteLockError::Store`].
    pub(crate) async fn open(mut context: E, prefix: &str, lock: VoteLock) -> Result<Self, VoteLockError> {
        let config = metadata::Config { partition: format!("{prefix}-identity"), codec_config: () };
        let metadata: Metadata<_, U64, Entry> =
            Metadata::init(context.child("identity"), config).await.map_err(failed)?;
        let known = metadata.get(&U64::new(ENTRY)).map(decode);
        let before = known.unwrap_or_else(|| Store { id: random(&mut context), start: 0 });
        let store = Store { start: before.start.saturating_add(1), ..before };
        let mut guard = Self { lock, store, context, metadata: Some(metadata) };
        guard.keep(store).await?;
        Ok(guard)
    }

    /// Asks for permission to sign in `epoch`, whose vote log is in `partition`. What permits it is durable when this returns; if it is
    /// refused, the log is empty.
    ///
    /// # Errors
    /// If it cannot be told or kept. Nobody may sign then.
    pub(crate) async fn enter(&mut self, epoch: u64, partition: &str) -> Result<Permission, VoteLockError> {
        let has_log = self.has_log(partition).await?;
        match self.lock.judge(epoch, self.store, has_log) {
            Judgement::Votes(record) => {
                if !has_log {
                    let (section, ..) = self.context.open(partition, &EMPTY_SECTION).await.map_err(failed)?;
                    section.sync().await.map_err(failed)?;
                } else if self.lock.record.is_none() {
                    tracing::warn!(
                        file = %self.lock.path.display(),
                        "the file that says what this key has voted in was missing, and is made anew from the vote log"
                    );
                }
                self.lock.write(record)?;
                Ok(Permission::Votes)
            }
            Judgement::Follows(until) => {
                self.renew().await?;
                // What is there was not written by this life of the key.
                match self.context.remove(partition, None).await {
                    Ok(()) | Err(commonware_runtime::Error::PartitionMissing(_)) => {}
                    Err(error) => return Err(failed(error)),
                }
                Ok(Permission::Follows { until })
            }
        }
    }

    async fn has_log(&self, partition: &str) -> Result<bool, VoteLockError> {
        match self.context.scan(partition).await {
            Ok(sections) => Ok(!sections.is_empty()),
            Err(commonware_runtime::Error::PartitionMissing(_)) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// Gives the store another identity, if it has the one in the file: it is not what it was then.
    async fn renew(&mut self) -> Result<(), VoteLockError> {
        if self.lock.record.is_some_and(|record| record.store.id == self.store.id) {
            self.store.id = random(&mut self.context);
            self.keep(self.store).await?;
        }
        Ok(())
    }

    pub(super) async fn keep(&mut self, store: Store) -> Result<(), VoteLockError> {
        let metadata = self.metadata.take().ok_or_else(|| failed("an earlier write failed"))?;
        let kept = metadata.put_sync(U64::new(ENTRY), encode(store)).await.map_err(failed)?;
        self.metadata = Some(kept);
        Ok(())
    }
}

fn random(rng: &mut impl CryptoRng) -> StoreId {
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    B128::from(id)
}

pub(super) fn encode(store: Store) -> Entry {
    let mut entry = [0; 24];
    entry[..16].copy_from_slice(store.id.as_slice());
    entry[16..].copy_from_slice(&store.start.to_be_bytes());
    entry
}

pub(super) fn decode(entry: &Entry) -> Store {
    let (mut id, mut start) = ([0; 16], [0; 8]);
    id.copy_from_slice(&entry[..16]);
    start.copy_from_slice(&entry[16..]);
    Store { id: B128::from(id), start: u64::from_be_bytes(start) }
}
