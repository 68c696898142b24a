//! What other nodes forward, with the senders they claim.

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes, TxKind};
use braid_chain::Mining;
use braid_rpc::submit::decode;
use braid_types::RecoveredTx;
use serde_json::json;

use crate::kit::{Node, RECIPIENT, raw_transaction, signer};

fn payment(from: u8, nonce: u64) -> RecoveredTx {
    decode(&raw_transaction(from, nonce, TxKind::Call(RECIPIENT), Vec::new())).unwrap().transaction
}

/// The sender, and the transaction: what nodes send each other.
fn forwarded(transaction: &RecoveredTx) -> Bytes {
    lie(transaction, transaction.signer())
}

/// A message that claims another sender.
fn lie(transaction: &RecoveredTx, claimed: Address) -> Bytes {
    [claimed.as_slice(), &transaction.inner().encoded_2718()].concat().into()
}

async fn pending(node: &Node) -> u64 {
    let status = node.call("txpool_status", json!([])).await;
    u64::from_str_radix(status["pending"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

#[tokio::test]
async fn what_is_forwarded_is_admitted_by_its_signature_whatever_is_claimed() {
    let node = Node::start(Mining::Manual);
    let own: Vec<RecoveredTx> = (0..100).map(|nonce| payment(1, nonce)).collect();
    let truths: Vec<Bytes> = own.iter().map(forwarded).collect();
    node.context.submit_forwarded(&truths);
    assert_eq!(pending(&node).await, 100);
    // Now the key of the first account is known, and that of the third is not.
    let others: Vec<RecoveredTx> = (0..100).map(|nonce| payment(2, nonce)).collect();
    let claims = [signer(1).address(), signer(2).address(), signer(3).address(), Address::ZERO];
    let lies: Vec<Bytes> = others.iter().zip(claims.iter().cycle()).map(|(one, claimed)| lie(one, *claimed)).collect();
    node.context.submit_forwarded(&lies);
    assert_eq!(pending(&node).await, 200);
    let content = node.call("txpool_contentFrom", json!([signer(2).address()])).await;
    assert_eq!(content["pending"].as_object().unwrap().len(), 100);
}

#[tokio::test]
async fn what_is_no_transaction_or_comes_again_is_left_out() {
    let node = Node::start(Mining::Manual);
    let (first, second) = (payment(1, 0), payment(1, 1));
    let short: Bytes = vec![7; 19].into();
    let rubbish: Bytes = [signer(1).address().as_slice(), &[2, 0xc0]].concat().into();
    let messages = [short, rubbish, forwarded(&first), forwarded(&first), Bytes::new()];
    node.context.submit_forwarded(&messages);
    node.context.submit_forwarded(&messages);
    assert_eq!(pending(&node).await, 1);
    node.mine();
    node.context.submit_forwarded(&[forwarded(&first), forwarded(&second)]);
    assert_eq!(pending(&node).await, 1);
}
