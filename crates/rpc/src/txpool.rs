//! The `txpool` namespace: what waits for a block.

use std::collections::BTreeMap;

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, U64};
use braid_types::RecoveredTx;
use jsonrpsee::core::RegisterMethodError;
use serde::Serialize;

use crate::{
    convert::{self, RpcTransaction},
    method::{Module, blocking, quick},
};

/// Registers the methods of this namespace.
///
/// # Errors
/// If a name is taken.
pub fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    quick(module, "txpool_status", 0, |context, _| {
        let status = context.chain.pool().lock().status();
        Ok(Sections { pending: U64::from(status.pending), queued: U64::from(status.queued) })
    })?;
    blocking(module, "txpool_content", 0, |context, _| {
        let content = context.chain.pool().lock().content(None);
        Ok(Sections { pending: by_sender(content.pending, shown), queued: by_sender(content.queued, shown) })
    })?;
    blocking(module, "txpool_contentFrom", 1, |context, arguments| {
        let sender = arguments.address(0)?;
        let mut content = context.chain.pool().lock().content(Some(sender));
        let lane = |lanes: &mut Lanes| by_nonce(lanes.remove(&sender).unwrap_or_default(), shown);
        Ok(Sections { pending: lane(&mut content.pending), queued: lane(&mut content.queued) })
    })?;
    blocking(module, "txpool_inspect", 0, |context, _| {
        let content = context.chain.pool().lock().content(None);
        Ok(Sections { pending: by_sender(content.pending, summary), queued: by_sender(content.queued, summary) })
    })
}

type Lanes = BTreeMap<Address, BTreeMap<u64, RecoveredTx>>;

/// What can stand in the next block, and what waits behind a nonce gap.
#[derive(Clone, Debug, Serialize)]
struct Sections<T> {
    pending: T,
    queued: T,
}

/// Lanes by checksummed address and decimal nonce.
fn by_sender<T>(lanes: Lanes, show: fn(&RecoveredTx) -> T) -> BTreeMap<String, BTreeMap<String, T>> {
    lanes.into_iter().map(|(sender, lane)| (sender.to_checksum(None), by_nonce(lane, show))).collect()
}

fn by_nonce<T>(lane: BTreeMap<u64, RecoveredTx>, show: fn(&RecoveredTx) -> T) -> BTreeMap<String, T> {
    lane.into_iter().map(|(nonce, tx)| (nonce.to_string(), show(&tx))).collect()
}

fn shown(tx: &RecoveredTx) -> RpcTransaction {
    convert::transaction(tx, None)
}

fn summary(tx: &RecoveredTx) -> String {
    let to = tx.to().map_or_else(|| "contract creation".to_owned(), |to| to.to_checksum(None));
    format!("{to}: {} wei + {} gas × {} wei", tx.value(), tx.gas_limit(), tx.max_fee_per_gas())
}
