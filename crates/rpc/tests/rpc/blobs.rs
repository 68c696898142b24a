//! Blob transactions with sidecars of either version, and what is refused before their proofs cost any work.

use alloy_consensus::{SignableTransaction, TxEip4844, TxEip4844WithSidecar};
use alloy_eips::{
    eip2718::Encodable2718,
    eip4844::{Blob, BlobTransactionSidecar, Bytes48, kzg_to_versioned_hash},
    eip7594::BlobTransactionSidecarVariant,
};
use alloy_primitives::hex;
use alloy_signer::SignerSync;
use braid_chain::Mining;
use serde_json::json;

use crate::kit::{CHAIN_ID, Node, RECIPIENT, signer};

/// A sender without money.
const POOR: u8 = 200;

/// The point at infinity: commitment and proof of a blob of zeros.
fn infinity() -> Bytes48 {
    let mut point = [0; 48];
    point[0] = 0xc0;
    Bytes48::from(point)
}

/// A proof that no blob has: not a point.
fn nonsense() -> Bytes48 {
    Bytes48::from([7; 48])
}

fn old_sidecar(proof: Bytes48) -> BlobTransactionSidecarVariant {
    let sidecar = BlobTransactionSidecar::new(vec![Blob::ZERO], vec![infinity()], vec![proof]);
    BlobTransactionSidecarVariant::Eip4844(sidecar)
}

fn blob_transaction(from: u8, nonce: u64, sidecar: BlobTransactionSidecarVariant) -> String {
    let tx = TxEip4844 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: RECIPIENT,
        max_fee_per_blob_gas: 10_000_000_000,
        blob_versioned_hashes: vec![kzg_to_versioned_hash(infinity().as_slice())],
        ..TxEip4844::default()
    };
    let tx = TxEip4844WithSidecar::from_tx_and_sidecar(tx, sidecar);
    let signature = signer(from).sign_hash_sync(&tx.signature_hash()).unwrap();
    hex::encode_prefixed(tx.into_signed(signature).encoded_2718())
}

#[tokio::test]
async fn sidecars_of_either_version_are_taken() {
    let node = Node::start(Mining::Manual);
    let new = old_sidecar(infinity()).try_convert_into_eip7594().unwrap();
    assert!(new.is_eip7594());
    let sidecars = [old_sidecar(infinity()), new];
    for (nonce, sidecar) in (0..).zip(sidecars) {
        let hash = node.call("eth_sendRawTransaction", json!([blob_transaction(1, nonce, sidecar)])).await;
        node.mine();
        let receipt = node.call("eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!((&receipt["status"], &receipt["blobGasUsed"]), (&json!("0x1"), &json!("0x20000")));
    }
}

#[tokio::test]
async fn a_proof_of_the_old_kind_must_hold() {
    let node = Node::start(Mining::Manual);
    let raw = blob_transaction(1, 0, old_sidecar(nonsense()));
    let (code, message) = node.refused("eth_sendRawTransaction", json!([raw])).await;
    assert_eq!(code, -32000);
    assert!(message.starts_with("KZG verification error"), "{message}");
}

#[tokio::test]
async fn who_cannot_pay_has_no_proof_checked() {
    let node = Node::start(Mining::Manual);
    let poor = blob_transaction(POOR, 0, old_sidecar(nonsense()));
    let (_, message) = node.refused("eth_sendRawTransaction", json!([poor])).await;
    assert!(message.starts_with("insufficient funds for gas * price + value: balance 0, tx cost"), "{message}");
    node.call("anvil_setNonce", json!([signer(1).address(), 3])).await;
    let late = blob_transaction(1, 2, old_sidecar(nonsense()));
    let (_, message) = node.refused("eth_sendRawTransaction", json!([late])).await;
    assert_eq!(message, "nonce too low: next nonce 3, tx nonce 2");
    let known = blob_transaction(1, 3, old_sidecar(infinity()));
    node.call("eth_sendRawTransaction", json!([known])).await;
    assert_eq!(node.refused("eth_sendRawTransaction", json!([known])).await.1, "already known");
}
