//! Blocks that might be.

use braid_chain::Mining;
use serde_json::{Value, json};

use crate::kit::{Node, RECIPIENT, signer};

const POOR: &str = "0xc000000000000000000000000000000000000000";

async fn simulate(node: &Node, payload: Value) -> Value {
    node.call("eth_simulateV1", json!([payload, "latest"])).await
}

#[tokio::test]
async fn simulated_blocks_stand_on_each_other_and_are_forgotten() {
    let node = Node::start(Mining::Manual);
    let send = json!({ "from": POOR, "to": RECIPIENT, "value": "0x3e8" });
    let payload = json!({ "blockStateCalls": [
        { "stateOverrides": { POOR: { "balance": "0x7d0" } }, "calls": [send] },
        { "calls": [send] },
    ] });
    let blocks = simulate(&node, payload).await;
    assert_eq!((&blocks[0]["number"], &blocks[1]["number"]), (&json!("0x1"), &json!("0x2")));
    assert_eq!(blocks[1]["parentHash"], blocks[0]["hash"]);
    assert_ne!(blocks[1]["stateRoot"], blocks[0]["stateRoot"]);
    assert_eq!(blocks[1]["calls"][0]["status"], "0x1");
    assert_eq!(blocks[1]["gasUsed"], "0x5208");
    assert_eq!(node.call("eth_blockNumber", json!([])).await, "0x0");
    assert_eq!(node.call("eth_getBalance", json!([RECIPIENT, "latest"])).await, "0x0");
}

#[tokio::test]
async fn a_valid_simulation_has_the_root_that_the_block_will_have() {
    let node = Node::start(Mining::Manual);
    let (sender, beneficiary) = (signer(1).address(), crate::kit::BENEFICIARY);
    let fees = ("0x2540be400", "0x3b9aca00");
    let call = json!({ "from": sender, "to": RECIPIENT, "gas": "0x186a0", "nonce": "0x0", "input": "0x",
        "maxFeePerGas": fees.0, "maxPriorityFeePerGas": fees.1 });
    let head = node.call("eth_getBlockByNumber", json!(["pending", false])).await;
    let overrides = json!({ "time": head["timestamp"], "feeRecipient": beneficiary, "prevRandao": head["mixHash"] });
    let payload = json!({ "blockStateCalls": [{ "blockOverrides": overrides, "calls": [call] }], "validation": true });
    let simulated = simulate(&node, payload).await[0].take();
    let raw = crate::kit::raw_transaction(1, 0, alloy_primitives::TxKind::Call(RECIPIENT), vec![]);
    node.call("eth_sendRawTransaction", json!([raw])).await;
    node.mine();
    let made = node.call("eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(made["timestamp"], simulated["timestamp"]);
    for field in ["stateRoot", "receiptsRoot", "gasUsed", "baseFeePerGas", "requestsHash", "withdrawalsRoot"] {
        assert_eq!(made[field], simulated[field], "{field}");
    }
}

#[tokio::test]
async fn transfers_are_logged_where_asked() {
    let node = Node::start(Mining::Manual);
    let calls = json!([{ "from": signer(1).address(), "to": RECIPIENT, "value": "0x5" }]);
    let plain = simulate(&node, json!({ "blockStateCalls": [{ "calls": calls }] })).await;
    assert_eq!(plain[0]["calls"][0]["logs"], json!([]));
    let traced = simulate(&node, json!({ "blockStateCalls": [{ "calls": calls }], "traceTransfers": true })).await;
    let log = &traced[0]["calls"][0]["logs"][0];
    assert_eq!(log["address"], "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
    assert_eq!(log["blockHash"], traced[0]["hash"]);
    assert_eq!(traced[0]["hash"], plain[0]["hash"], "pseudo-logs are no part of the block");
}

#[tokio::test]
async fn what_no_block_could_hold_has_its_own_code() {
    let node = Node::start(Mining::Manual);
    let rich = signer(1).address();
    let code = async |call: Value, validation: bool| {
        let payload = json!({ "blockStateCalls": [{ "calls": [call] }], "validation": validation });
        node.refused("eth_simulateV1", json!([payload, "latest"])).await.0
    };
    let fee = "0x2540be400";
    assert_eq!(code(json!({ "from": POOR, "to": RECIPIENT, "value": "0x1" }), false).await, -38014);
    assert_eq!(code(json!({ "from": rich, "to": RECIPIENT, "gas": "0x0" }), false).await, -38013);
    assert_eq!(code(json!({ "from": rich, "to": RECIPIENT, "gas": "0xffffffffff" }), false).await, -38015);
    assert_eq!(code(json!({ "from": rich, "to": RECIPIENT }), true).await, -38012);
    let nonce = |nonce: &str| json!({ "from": rich, "to": RECIPIENT, "nonce": nonce, "maxFeePerGas": fee });
    assert_eq!(code(nonce("0x1"), true).await, -38011);
    assert_eq!(node.refused("eth_simulateV1", json!([{ "blockStateCalls": [] }])).await.0, -32602);
    let many = vec![json!({}); 257];
    assert_eq!(node.refused("eth_simulateV1", json!([{ "blockStateCalls": many }])).await.0, -38026);
}
