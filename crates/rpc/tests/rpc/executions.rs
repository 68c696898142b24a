//! What blocks accessed, and what the executor observed.

use alloy_eips::eip7928::BlockAccessList;
use alloy_primitives::{Bytes, TxKind};
use braid_chain::{Mining, exec::access_list};
use serde_json::{Value, json};

use crate::kit::{BENEFICIARY, Node, raw_transaction, signer};

/// Code that stores 7 at slot 1 and loads slot 2, behind the code that deploys it.
const WRITER_INIT: [u8; 17] = alloy_primitives::hex!("686007600155600254505f5260096017f3");

fn entry(list: &Value, address: &Value) -> Value {
    let address = address.as_str().unwrap().to_lowercase();
    let found = list.as_array().unwrap().iter().find(|entry| entry["address"] == address.as_str());
    found.unwrap_or_else(|| panic!("{address} is not in {list}")).clone()
}

#[tokio::test]
async fn an_access_list_says_what_a_block_read_and_changed() {
    let node = Node::start(Mining::Manual);
    let deployed =
        node.call("eth_sendRawTransaction", json!([raw_transaction(1, 0, TxKind::Create, WRITER_INIT.to_vec())])).await;
    node.mine();
    let writer = node.call("eth_getTransactionReceipt", json!([deployed])).await["contractAddress"].take();
    let to = TxKind::Call(writer.as_str().unwrap().parse().unwrap());
    node.call("eth_sendRawTransaction", json!([raw_transaction(1, 1, to, vec![])])).await;
    node.call("eth_sendRawTransaction", json!([raw_transaction(2, 0, to, vec![])])).await;
    node.mine();

    let created = entry(&node.call("eth_getBlockAccessList", json!(["0x1"])).await, &writer);
    let code = node.call("eth_getCode", json!([writer, "latest"])).await;
    assert_eq!(created["codeChanges"], json!([{ "index": "0x1", "code": code }]));
    assert_eq!(created["nonceChanges"], json!([{ "index": "0x1", "value": "0x1" }]));

    let list = node.call("eth_getBlockAccessList", json!(["latest"])).await;
    let word = |number: u64| format!("0x{number:064x}");
    let written = json!([{ "key": word(1), "changes": [{ "index": "0x1", "value": word(7) }] }]);
    let expected = json!({
        "address": writer, "storageChanges": written, "storageReads": [word(2)],
        "balanceChanges": [], "nonceChanges": [], "codeChanges": [],
    });
    assert_eq!(entry(&list, &writer), expected);
    for (number, index) in [(1, "0x1"), (2, "0x2")] {
        let sender = json!(signer(number).address());
        let balance = node.call("eth_getBalance", json!([sender, "latest"])).await;
        assert_eq!(entry(&list, &sender)["balanceChanges"], json!([{ "index": index, "value": balance }]));
    }
    assert_eq!(entry(&list, &json!(BENEFICIARY))["balanceChanges"].as_array().unwrap().len(), 2);
    let hash = node.call("eth_getBlockByNumber", json!(["latest", false])).await["hash"].take();
    assert_eq!(node.call("eth_getBlockAccessList", json!([hash])).await, list);
    let raw: Bytes = serde_json::from_value(node.call("debug_getRawBlockAccessList", json!([hash])).await).unwrap();
    let decoded: BlockAccessList = access_list::decode(&raw, 2, 30_000_000).unwrap();
    assert_eq!(decoded.len(), list.as_array().unwrap().len());
    // The block in the making has one too.
    node.call("eth_sendRawTransaction", json!([raw_transaction(3, 0, to, vec![])])).await;
    let pending = entry(&node.call("eth_getBlockAccessList", json!(["pending"])).await, &json!(signer(3).address()));
    assert_eq!(pending["nonceChanges"], json!([{ "index": "0x1", "value": "0x1" }]));
}

#[tokio::test]
async fn blocks_without_access_list_are_told_apart() {
    let node = Node::start(Mining::Manual);
    assert_eq!(node.call("eth_getBlockAccessList", json!(["earliest"])).await, json!([]));
    assert_eq!(node.call("debug_getRawBlockAccessList", json!(["earliest"])).await, "0xc0");
    assert_eq!(node.call("eth_getBlockAccessList", json!(["0x99"])).await, Value::Null);
    let absent = node.refused("debug_getRawBlockAccessList", json!(["0x99"])).await;
    assert_eq!(absent, (-32001, "Resource not found".to_owned()));
    assert_eq!(node.refused("eth_getBlockAccessList", json!([])).await.0, -32602);
}

#[tokio::test]
async fn statistics_are_those_of_the_blocks_this_node_executed() {
    let node = Node::start(Mining::Manual);
    let to = TxKind::Call(BENEFICIARY);
    for number in 1..=3 {
        node.call("eth_sendRawTransaction", json!([raw_transaction(number, 0, to, vec![])])).await;
    }
    node.mine();
    let stats = node.call("braid_blockExecutionStats", json!(["latest"])).await;
    let block = node.call("eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!((&stats["number"], &stats["hash"]), (&json!("0x1"), &block["hash"]));
    assert_eq!((&stats["transactions"], &stats["gasUsed"]), (&json!("0x3"), &block["gasUsed"]));
    assert_eq!((&stats["executions"], &stats["threads"]), (&json!("0x3"), &json!("0x1")));
    for name in ["speculations", "conflicts", "reExecutions", "deltas", "fallbacks"] {
        assert_eq!(stats[name], "0x0", "one thread never runs ahead: {name}");
    }
    assert_eq!(stats["contended"], json!([]));
    assert_eq!(node.call("braid_blockExecutionStats", json!([block["hash"]])).await, stats);
    for absent in ["earliest", "pending", "0x2"] {
        assert_eq!(node.call("braid_blockExecutionStats", json!([absent])).await, Value::Null, "{absent}");
    }
}

#[tokio::test]
async fn statistics_go_with_the_block_that_is_taken_back() {
    let node = Node::start(Mining::Manual);
    let snapshot = node.call("evm_snapshot", json!([])).await;
    node.mine();
    let hash = node.call("eth_getBlockByNumber", json!(["latest", false])).await["hash"].take();
    assert_eq!(node.call("braid_blockExecutionStats", json!([hash])).await["transactions"], "0x0");
    node.call("evm_revert", json!([snapshot])).await;
    assert_eq!(node.call("braid_blockExecutionStats", json!([hash])).await, Value::Null);
}
