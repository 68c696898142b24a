//! The end of every epoch, with its certificate, kept for good: the way from the genesis's committee to today's.
//!
//! The last block of an epoch always gets a certificate of its own, since nobody outside its committee could check one that covers it
//! from the next. It is written down when the next epoch begins, and by state sync for the epochs before. Nodes that keep no old
//! blocks still lead others from epoch to epoch: those that join, and light clients.

use std::sync::Arc;

use commonware_consensus::types::Epoch;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_storage::{
    archive::{self, Archive as _, Identifier, prunable},
    translator::EightCap,
};
use futures::lock::Mutex;

use crate::{
    block::{Digest, Dissemination},
    certificates::Certified,
    engine::{Runtime, StartError, archive},
    scheme::CertificateBounds,
};

type Archive<E, K> = prunable::Archive<EightCap, E, Digest, Certified<K>>;

/// Ends by epoch. Clones share them.
pub(crate) struct Ends<E: Runtime, K: Dissemination>(Arc<Mutex<Option<Archive<E, K>>>>);

impl<E: Runtime, K: Dissemination> Clone for Ends<E, K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Failed to keep the end of an epoch.
#[derive(Debug, thiserror::Error)]
pub enum EndsError {
    /// The storage failed.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// It failed before, and refuses to be used.
    #[error("the archive of ends of epochs failed before")]
    Closed,
    /// It is none.
    #[error("it is no end of an epoch")]
    NoHeader,
}

impl<E: Runtime, K: Dissemination> Ends<E, K> {
    /// Opens the archive.
    pub(crate) async fn open(context: &E, prefix: &str, page_cache: &CacheRef) -> Result<Self, StartError> {
        let opened = archive(context, prefix, "ends", page_cache, CertificateBounds::ANY).await?;
        Ok(Self(Arc::new(Mutex::new(Some(opened)))))
    }

    /// An epoch's end, if it is known.
    pub(crate) async fn get(&self, epoch: Epoch) -> Result<Option<Certified<K>>, EndsError> {
        let archive = self.0.lock().await;
        Ok(archive.as_ref().ok_or(EndsError::Closed)?.get(Identifier::Index(epoch.get())).await?)
    }

    /// The first epoch whose end is not known.
    pub(crate) async fn next(&self) -> Result<Epoch, EndsError> {
        let archive = self.0.lock().await;
        // They come in order.
        let last = archive.as_ref().ok_or(EndsError::Closed)?.next_gap(0).0;
        Ok(last.map_or(Epoch::zero(), |last| Epoch::new(last).next()))
    }

    /// Keeps an epoch's end, durably; does nothing if it is known. The caller has checked it.
    pub(crate) async fn put(&self, epoch: Epoch, end: &Certified<K>) -> Result<(), EndsError> {
        self.add(epoch, end).await?;
        self.sync().await
    }

    /// As [`Ends::put`], durable with the next [`Ends::sync`].
    pub(crate) async fn add(&self, epoch: Epoch, end: &Certified<K>) -> Result<(), EndsError> {
        let digest = end.headers.last().ok_or(EndsError::NoHeader)?.digest();
        let mut slot = self.0.lock().await;
        let archive = slot.take().ok_or(EndsError::Closed)?;
        // A failure leaves nothing in the slot.
        *slot = Some(archive.put(epoch.get(), digest, end).await?);
        Ok(())
    }

    /// Makes durable what was added.
    pub(crate) async fn sync(&self) -> Result<(), EndsError> {
        let mut slot = self.0.lock().await;
        let archive = slot.take().ok_or(EndsError::Closed)?;
        *slot = Some(archive.sync().await?);
        Ok(())
    }
}
