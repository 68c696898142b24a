//! Logs, filters and what bounds them.

use alloy_primitives::{Address, TxKind, hex};
use braid_chain::Mining;
use braid_rpc::RpcOptions;
use serde_json::{Value, json};

use crate::kit::{Node, raw_transaction};

const TOPIC: &str = "0x000000000000000000000000000000000000000000000000000000000000002a";
const OTHER: &str = "0x000000000000000000000000000000000000000000000000000000000000002b";

fn address(value: &Value) -> Address {
    value.as_str().unwrap().parse().unwrap()
}

/// Calls the contract that logs from senders 1.., and mines one block.
async fn log_once_each(node: &Node, logger: &Value, nonces: &[u64]) {
    for (sender, nonce) in (1..).zip(nonces) {
        let raw = raw_transaction(sender, *nonce, TxKind::Call(address(logger)), vec![]);
        node.call("eth_sendRawTransaction", json!([raw])).await;
    }
    node.mine();
}

#[tokio::test]
async fn filters_choose_by_address_topic_and_block() {
    let node = Node::start(Mining::Manual);
    let logger = node.deploy_logger(0).await;
    assert_eq!(node.call("eth_getCode", json!([logger])).await, hex::encode_prefixed(hex!("602a60006000a100")));
    log_once_each(&node, &logger, &[1, 0]).await;
    let block = node.call("eth_getBlockByNumber", json!(["latest", false])).await;
    let count = async |filter: Value| node.call("eth_getLogs", json!([filter])).await.as_array().unwrap().len();
    assert_eq!(count(json!({ "fromBlock": "earliest" })).await, 2);
    assert_eq!(count(json!({})).await, 2);
    assert_eq!(count(json!({ "blockHash": block["hash"] })).await, 2);
    assert_eq!(count(json!({ "fromBlock": "0x0", "toBlock": "0x1" })).await, 0);
    assert_eq!(count(json!({ "address": logger, "topics": [TOPIC] })).await, 2);
    assert_eq!(count(json!({ "address": [logger], "topics": [[OTHER, TOPIC]] })).await, 2);
    assert_eq!(count(json!({ "topics": [OTHER] })).await, 0);
    assert_eq!(count(json!({ "topics": [null, null] })).await, 0);
    let logs = node.call("eth_getLogs", json!([{}])).await;
    let indices: Vec<&Value> = logs.as_array().unwrap().iter().map(|log| &log["logIndex"]).collect();
    assert_eq!(indices, ["0x0", "0x1"]);
    assert_eq!(logs[1]["blockTimestamp"], block["timestamp"]);
    let receipt = node.call("eth_getTransactionReceipt", json!([logs[1]["transactionHash"]])).await;
    assert_eq!(receipt["logs"], json!([logs[1]]));
}

#[tokio::test]
async fn wrong_ranges_are_refused_as_geth_does() {
    let node = Node::start(Mining::Manual);
    node.mine();
    let refused = async |filter: Value| node.refused("eth_getLogs", json!([filter])).await;
    let beyond = (-32602, "block range extends beyond current head block".to_owned());
    assert_eq!(refused(json!({ "fromBlock": "0x0", "toBlock": "0x9" })).await, beyond);
    let reversed = (-32602, "invalid block range params".to_owned());
    assert_eq!(refused(json!({ "fromBlock": "0x1", "toBlock": "0x0" })).await, reversed);
    let both = refused(json!({ "fromBlock": "0x1", "blockHash": TOPIC })).await;
    let sentence = "invalid argument 0: cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other";
    assert_eq!(both, (-32602, sentence.to_owned()));
    assert_eq!(refused(json!({ "blockHash": TOPIC })).await, (-32000, "unknown block".to_owned()));
}

#[tokio::test]
async fn a_range_or_result_beyond_its_limit_is_refused() {
    let options = RpcOptions { max_log_range: 3, max_logs: 1, ..RpcOptions::default() };
    let node = Node::with_options(Mining::Manual, options);
    let logger = node.deploy_logger(0).await;
    log_once_each(&node, &logger, &[1, 0]).await;
    let too_many = node.refused("eth_getLogs", json!([{ "fromBlock": "0x1" }])).await;
    assert_eq!(too_many.0, -32005, "{}", too_many.1);
    node.mine();
    assert_eq!(node.refused("eth_getLogs", json!([{ "fromBlock": "0x0" }])).await.0, -32005);
    assert_eq!(node.call("eth_getLogs", json!([{ "fromBlock": "0x3" }])).await, json!([]));
}

#[tokio::test]
async fn polled_filters_report_each_thing_once() {
    let node = Node::start(Mining::Manual);
    let logger = node.deploy_logger(0).await;
    let logs = node.call("eth_newFilter", json!([{ "address": logger }])).await;
    let blocks = node.call("eth_newBlockFilter", json!([])).await;
    let pending = node.call("eth_newPendingTransactionFilter", json!([])).await;
    log_once_each(&node, &logger, &[1]).await;
    let changes = async |id: &Value| node.call("eth_getFilterChanges", json!([id])).await;
    let hash = node.call("eth_getBlockByNumber", json!(["latest", false])).await["hash"].take();
    assert_eq!(changes(&blocks).await, json!([hash]));
    assert_eq!(changes(&blocks).await, json!([]));
    let seen = changes(&logs).await;
    assert_eq!(seen.as_array().unwrap().len(), 1);
    assert_eq!(changes(&logs).await, json!([]));
    assert_eq!(changes(&pending).await, json!([seen[0]["transactionHash"]]));
    assert_eq!(node.call("eth_getFilterLogs", json!([logs])).await, seen);
    assert_eq!(node.call("eth_uninstallFilter", json!([logs])).await, true);
    assert_eq!(node.call("eth_uninstallFilter", json!([logs])).await, false);
    let gone = node.refused("eth_getFilterChanges", json!([logs])).await;
    assert_eq!(gone, (-32000, "filter not found".to_owned()));
}

#[tokio::test]
async fn a_filter_left_for_long_catches_up_over_several_polls() {
    let options = RpcOptions { max_log_range: 3, max_logs: 1, ..RpcOptions::default() };
    let node = Node::with_options(Mining::Manual, options);
    let logger = node.deploy_logger(0).await;
    let filter = node.call("eth_newFilter", json!([{ "address": logger }])).await;
    log_once_each(&node, &logger, &[1]).await;
    log_once_each(&node, &logger, &[2]).await;
    (0..5).for_each(|_| node.mine());
    log_once_each(&node, &logger, &[3]).await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        let logs = node.call("eth_getFilterChanges", json!([filter])).await;
        seen.extend(logs.as_array().unwrap().iter().map(|log| log["blockNumber"].clone()));
    }
    assert_eq!(seen, ["0x2", "0x3", "0x9"]);
}
