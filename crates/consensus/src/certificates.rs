//! Finality certificates by height, for light clients.
//!
//! A quorum's votes to finalize a block make everything below it final too, and not every block has a certificate of its own: a view
//! may end with a certificate for its child alone. So what is given for a height is the header there, those above it up to the next
//! one with a certificate, and that certificate. Each header names the one before by its digest.

use std::{fmt, sync::Arc};

use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, Encode as _, EncodeSize, Error, Read, Write};
use commonware_consensus::{
    marshal::core::{Mailbox, Variant},
    simplex::types::Finalization,
    types::Height,
};
use commonware_cryptography::Digestible as _;
use commonware_parallel::Sequential;
use futures::{FutureExt as _, future::BoxFuture};
use rand_core::CryptoRng;

use crate::{
    block::{Block, Dissemination, Header},
    ends::Ends,
    engine::Runtime,
    rules::Rules,
    scheme::{CertificateBounds, Scheme},
};

/// Headers up to the next certificate.
pub const MAX_CERTIFIED_HEADERS: usize = 64;

/// A header and the proof that it is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified<K: Dissemination> {
    /// The header, and those above it up to the certified one; each the parent of the next.
    pub headers: Vec<Header<K>>,
    /// The certificate of the last of them.
    pub finalization: Finalization<Scheme, K::Commitment>,
}

impl<K: Dissemination> Certified<K> {
    /// Whether the headers form a chain that ends in what `scheme`'s committee finalized. The committee must be the one of the
    /// last header's epoch.
    pub fn verify(&self, rng: &mut impl CryptoRng, scheme: &Scheme) -> bool {
        let is_chain = self
            .headers
            .windows(2)
            .all(|pair| pair[1].parent == pair[0].digest() && pair[0].height.checked_add(1) == Some(pair[1].height));
        let names_last = |last: &Header<K>| K::block_of(self.finalization.proposal.payload) == last.digest();
        self.headers.last().is_some_and(names_last) && is_chain && self.finalization.verify(rng, scheme, &Sequential)
    }
}

impl<K: Dissemination> Write for Certified<K> {
    fn write(&self, buf: &mut impl BufMut) {
        self.headers.write(buf);
        self.finalization.write(buf);
    }
}

impl<K: Dissemination> EncodeSize for Certified<K> {
    fn encode_size(&self) -> usize {
        self.headers.encode_size() + self.finalization.encode_size()
    }
}

impl<K: Dissemination> Read for Certified<K> {
    type Cfg = CertificateBounds;

    fn read_cfg(buf: &mut impl Buf, bounds: &CertificateBounds) -> Result<Self, Error> {
        let headers = Read::read_cfg(buf, &((1..=MAX_CERTIFIED_HEADERS).into(), ()))?;
        Ok(Self { headers, finalization: Read::read_cfg(buf, bounds)? })
    }
}

trait Find: Send + Sync {
    fn find(&self, height: u64) -> BoxFuture<'static, Option<Bytes>>;

    fn block(&self, height: u64) -> BoxFuture<'static, Option<Bytes>>;
}

/// Looks certificates up. Clones share the source.
#[derive(Clone)]
pub struct Certificates(Arc<dyn Find>);

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    pub(crate) fn new<E, K, V>(marshal: Mailbox<Scheme, V>, ends: Ends<E, K>, rules: Arc<Rules>) -> Self
    where
        E: Runtime,
        K: Dissemination,
        V: Variant<ApplicationBlock = Block<K>, Commitment = K::Commitment>,
    {
        Self(Arc::new(Source { marshal, ends, rules }))
    }

    /// The encoded [`Certified`] header at `height`. `None` if it is not final here yet, or no longer kept.
    pub async fn certificate(&self, height: u64) -> Option<Bytes> {
        self.0.find(height).await
    }

    /// The encoded final [`Block`] at `height`. `None` if there is none here yet, or it is no longer kept.
    pub async fn block(&self, height: u64) -> Option<Bytes> {
        self.0.block(height).await
    }
}

/// The header at `height` and those above it up to one with a certificate, which marshal has. `None` if one is missing.
pub(crate) async fn find_certified<K, V>(marshal: &Mailbox<Scheme, V>, height: u64) -> Option<Certified<K>>
where
    K: Dissemination,
    V: Variant<ApplicationBlock = Block<K>, Commitment = K::Commitment>,
{
    let mut headers = Vec::new();
    for height in height..height.checked_add(MAX_CERTIFIED_HEADERS as u64)? {
        let block = V::into_shared(marshal.get_block(Height::new(height)).await?);
        let digest = block.digest();
        headers.push(block.inner().header.clone());
        let found = marshal.get_finalization(Height::new(height)).await;
        if let Some(finalization) = found.filter(|found| K::block_of(found.proposal.payload) == digest) {
            return Some(Certified { headers, finalization });
        }
    }
    None
}

struct Source<E: Runtime, K: Dissemination, V: Variant> {
    marshal: Mailbox<Scheme, V>,
    ends: Ends<E, K>,
    rules: Arc<Rules>,
}

impl<E: Runtime, K: Dissemination, V: Variant> Clone for Source<E, K, V> {
    fn clone(&self) -> Self {
        Self { marshal: self.marshal.clone(), ends: self.ends.clone(), rules: Arc::clone(&self.rules) }
    }
}

impl<E, K, V> Find for Source<E, K, V>
where
    E: Runtime,
    K: Dissemination,
    V: Variant<ApplicationBlock = Block<K>, Commitment = K::Commitment>,
{
    fn find(&self, height: u64) -> BoxFuture<'static, Option<Bytes>> {
        let Self { marshal, ends, rules } = self.clone();
        async move {
            if let Some(certified) = find_certified(&marshal, height).await {
                return Some(certified.encode());
            }
            // Blocks from before a snapshot are not here; the ends of epochs are, for those who follow committees.
            if !rules.is_last(height) {
                return None;
            }
            let end = ends.get(rules.epoch_of(height)).await;
            let end = end.inspect_err(|error| tracing::error!(%error, height, "cannot read the end of an epoch"));
            end.ok().flatten().map(|end| end.encode())
        }
        .boxed()
    }

    fn block(&self, height: u64) -> BoxFuture<'static, Option<Bytes>> {
        let marshal = self.marshal.clone();
        async move {
            let block = V::into_shared(marshal.get_block(Height::new(height)).await?);
            Some(block.inner().encode())
        }
        .boxed()
    }
}
