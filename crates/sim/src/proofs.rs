//! What validators show of the blocks that they agreed on: ordered blocks, and the certificates that make them final.

use braid_consensus::{
    block::{Block, Coded, Dissemination, Whole},
    certificates::{Certificates, Certified},
    rules::Rules,
    scheme::{CertificateBounds, Scheme},
};
use braid_types::{Height, ordered::Dissemination as Chosen};
use bytes::Bytes;
use commonware_codec::Decode as _;
use commonware_runtime::{Clock as _, deterministic};
use rand_core::CryptoRng;

use crate::auditor::OrderedView;

/// How long a validator may take to show something.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// The ordered block at a height, if the validator has it.
pub async fn ordered_block(
    clock: &deterministic::Context,
    certificates: Certificates,
    height: Height,
    dissemination: Chosen,
) -> Option<OrderedView> {
    let shown = clock.timeout(PATIENCE, async move { certificates.block(height).await }).await.ok()??;
    match dissemination {
        Chosen::Whole => view::<Whole>(shown),
        Chosen::Coded => view::<Coded>(shown),
    }
}

fn view<K: Dissemination>(bytes: Bytes) -> Option<OrderedView> {
    let Block { header, transactions, .. } = Block::<K>::decode_cfg(bytes, &Rules::body_limits()).ok()?;
    Some(OrderedView {
        height: header.height,
        digest: header.digest().0.into(),
        parent: header.parent.0.into(),
        timestamp_ms: header.timestamp_ms,
        beneficiary: header.beneficiary,
        execution: header.execution,
        transactions,
    })
}

/// Whether a validator proves the block at `height`, with this digest, final.
pub async fn proves(
    context: &mut deterministic::Context,
    certificates: Certificates,
    (height, digest): (Height, alloy_primitives::B256),
    rules: &Rules,
) -> bool {
    let shown = context.timeout(PATIENCE, async move { certificates.certificate(height).await }).await;
    let Ok(Some(proof)) = shown else { return false };
    let scheme = Scheme::verifier(&rules.signatures, &rules.namespace, rules.committee.keys());
    match rules.dissemination {
        Chosen::Whole => is_proof::<Whole>(context, proof, (height, digest), &scheme),
        Chosen::Coded => is_proof::<Coded>(context, proof, (height, digest), &scheme),
    }
}

fn is_proof<K: Dissemination>(
    rng: &mut impl CryptoRng,
    proof: Bytes,
    (height, digest): (Height, alloy_primitives::B256),
    scheme: &Scheme,
) -> bool {
    let Ok(certified) = Certified::<K>::decode_cfg(proof, &CertificateBounds::ANY) else { return false };
    let is_it = |header: &braid_consensus::block::Header<K>| header.height == height && header.digest().0 == digest.0;
    certified.headers.first().is_some_and(is_it) && certified.verify(rng, scheme)
}
