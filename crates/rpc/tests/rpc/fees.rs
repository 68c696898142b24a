//! Suggested prices and their history.

use alloy_primitives::TxKind;
use braid_chain::Mining;
use serde_json::{Value, json};

use crate::kit::{Node, RECIPIENT, raw_transaction};

#[tokio::test]
async fn suggestions_follow_what_was_paid() {
    let node = Node::start(Mining::Manual);
    assert_eq!(node.call("eth_maxPriorityFeePerGas", json!([])).await, "0x3b9aca00");
    assert_eq!(node.call("eth_blobBaseFee", json!([])).await, "0x1");
    let quantity = |value: Value| u64::from_str_radix(&value.as_str().unwrap()[2..], 16).unwrap();
    let base_fee = quantity(node.call("eth_baseFee", json!([])).await);
    assert_eq!(quantity(node.call("eth_gasPrice", json!([])).await), base_fee + 1_000_000_000);
    node.mine();
    let head = node.call("eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(quantity(head["baseFeePerGas"].clone()), base_fee);
}

#[tokio::test]
async fn history_has_one_fee_more_than_blocks() {
    let node = Node::start(Mining::Manual);
    let raw = raw_transaction(1, 0, TxKind::Call(RECIPIENT), vec![]);
    node.call("eth_sendRawTransaction", json!([raw])).await;
    node.mine();
    let history = node.call("eth_feeHistory", json!(["0x2", "latest", [0, 50.5, 100]])).await;
    assert_eq!(history["oldestBlock"], "0x0");
    let length = |field: &str| history[field].as_array().unwrap().len();
    assert_eq!((length("baseFeePerGas"), length("gasUsedRatio"), length("reward")), (3, 2, 2));
    assert_eq!((length("baseFeePerBlobGas"), length("blobGasUsedRatio")), (3, 2));
    assert_eq!(history["baseFeePerGas"][2], node.call("eth_baseFee", json!([])).await);
    assert_eq!(history["reward"], json!([["0x0", "0x0", "0x0"], ["0x3b9aca00", "0x3b9aca00", "0x3b9aca00"]]));
    let without = node.call("eth_feeHistory", json!([5, "0x1"])).await;
    assert_eq!((without.get("reward"), &without["oldestBlock"]), (None, &json!("0x0")));
    let beyond = node.refused("eth_feeHistory", json!(["0x1", "0x9", []])).await;
    assert_eq!(beyond, (-32000, "request beyond head block: requested 9, head 1".to_owned()));
    assert_eq!(node.refused("eth_feeHistory", json!(["0x1", "latest", [101]])).await.0, -32000);
    assert_eq!(node.refused("eth_feeHistory", json!(["0x1", "latest", [50, 10]])).await.0, -32000);
}
