//! Where a chain that was joined by state sync begins: its first block's certificate, which marshal starts from.
//!
//! It is written before the import is complete, so a chain whose newest block is below it never got that far, and begins at the
//! genesis.

use commonware_runtime::{Clock, Metrics, Storage};
use commonware_storage::metadata::{self, Metadata};
use commonware_utils::sequence::U64;

use crate::{block::Dissemination, certificates::Certified, scheme::CertificateBounds};

/// The only key: metadata is a map.
const KEY: u64 = 0;

type Stored<E, K> = Metadata<E, U64, Certified<K>>;

async fn open<E: Clock + Storage + Metrics, K: Dissemination>(
    context: &E,
    prefix: &str,
) -> Result<Stored<E, K>, metadata::Error> {
    let config = metadata::Config { partition: format!("{prefix}-anchor"), codec_config: CertificateBounds::ANY };
    Metadata::init(context.child("anchor"), config).await
}

/// The certified header of the block at which the chain begins; `None`: at the genesis.
pub(crate) async fn read<E: Clock + Storage + Metrics, K: Dissemination>(
    context: &E,
    prefix: &str,
) -> Result<Option<Certified<K>>, metadata::Error> {
    Ok(open(context, prefix).await?.get(&U64::new(KEY)).cloned())
}

/// Writes it down, durably.
pub(crate) async fn write<E: Clock + Storage + Metrics, K: Dissemination>(
    context: &E,
    prefix: &str,
    anchor: Certified<K>,
) -> Result<(), metadata::Error> {
    open(context, prefix).await?.put_sync(U64::new(KEY), anchor).await?;
    Ok(())
}
