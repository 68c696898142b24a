//! Calls that leave nothing behind, with overrides, and the gas they need.

use alloy_primitives::{B256, U256};
use braid_chain::Mining;
use serde_json::{Value, json};

use crate::kit::{Node, RECIPIENT, signer};

const TARGET: &str = "0xc100000000000000000000000000000000000000";
const OTHER: &str = "0x0000000000000000000000000000000000123456";

/// `SLOAD(0)`, returned.
const LOAD_SLOT_0: &str = "0x60005460005260206000f3";
/// `NUMBER`, returned.
const NUMBER: &str = "0x4360005260206000f3";
/// Jumps to its beginning for ever.
const LOOP: &str = "0x5b600056";
/// Reverts with the four bytes 0x01020304.
const REVERT: &str = "0x630102030460e01b60005260046000fd";

fn word(number: u64) -> String {
    B256::from(U256::from(number)).to_string()
}

fn coded(code: &str) -> Value {
    json!({ TARGET: { "code": code } })
}

#[tokio::test]
async fn a_call_sees_overridden_code_storage_and_block() {
    let node = Node::start(Mining::Manual);
    let call = json!({ "to": TARGET });
    for field in ["state", "stateDiff"] {
        let overrides = json!({ TARGET: { "code": LOAD_SLOT_0, field: { word(0): word(42) } } });
        assert_eq!(node.call("eth_call", json!([call, "latest", overrides])).await, word(42));
    }
    let params = json!([call, "latest", coded(NUMBER), { "number": "0x7b" }]);
    assert_eq!(node.call("eth_call", params).await, word(123));
    let both = json!({ TARGET: { "state": {}, "stateDiff": {} } });
    assert_eq!(node.refused("eth_call", json!([call, "latest", both])).await.0, -32000);
    assert_eq!(node.call("eth_call", json!([call, "latest"])).await, "0x");
}

#[tokio::test]
async fn a_moved_precompile_answers_at_its_new_address() {
    let node = Node::start(Mining::Manual);
    let identity = "0x0000000000000000000000000000000000000004";
    let overrides = json!({ identity: { "movePrecompileToAddress": OTHER } });
    let call = |to: &str| json!([{ "to": to, "input": "0x1234" }, "latest", overrides]);
    assert_eq!(node.call("eth_call", call(OTHER)).await, "0x1234");
    assert_eq!(node.call("eth_call", call(identity)).await, "0x");
    let overrides = json!({ OTHER: { "movePrecompileToAddress": identity } });
    let (code, message) = node.refused("eth_call", json!([{ "to": OTHER }, "latest", overrides])).await;
    assert_eq!((code, message.as_str()), (-32000, format!("account {OTHER} is not a precompile").as_str()));
}

#[tokio::test]
async fn a_revert_has_code_3_and_its_data() {
    let node = Node::start(Mining::Manual);
    for method in ["eth_call", "eth_estimateGas"] {
        let error = node.try_call(method, json!([{ "to": TARGET }, "latest", coded(REVERT)])).await.unwrap_err();
        assert_eq!(error["code"], 3, "{method}");
        assert_eq!(error["message"], "execution reverted", "{method}");
        assert_eq!(error["data"], "0x01020304", "{method}");
    }
}

#[tokio::test]
async fn a_price_must_reach_the_base_fee_and_be_affordable() {
    let node = Node::start(Mining::Manual);
    let rich = signer(1).address();
    let cheap = json!([{ "from": rich, "to": RECIPIENT, "maxFeePerGas": "0x1" }, "latest"]);
    let (code, message) = node.refused("eth_call", cheap).await;
    assert_eq!(code, -32000);
    assert!(message.starts_with("err: max fee per gas less than block base fee: address 0x"), "{message}");
    let poor = json!([{ "from": TARGET, "to": RECIPIENT, "value": "0x1" }, "latest"]);
    let (_, message) = node.refused("eth_call", poor).await;
    assert!(message.contains("insufficient funds for gas * price + value"), "{message}");
    assert!(message.ends_with("have 0 want 1 (supplied gas 50000000)"), "{message}");
    let mixed = json!([{ "to": RECIPIENT, "gasPrice": "0x1", "maxFeePerGas": "0x1" }, "latest"]);
    assert_eq!(node.refused("eth_call", mixed).await.0, -32000);
}

#[tokio::test]
async fn gas_is_estimated_as_little_as_needed() {
    let node = Node::start(Mining::Manual);
    let rich = signer(1).address();
    let transfer = json!([{ "from": rich, "to": RECIPIENT, "value": "0x1" }]);
    assert_eq!(node.call("eth_estimateGas", transfer).await, "0x5208");
    let params = json!([{ "from": rich, "to": TARGET }, "latest", coded(LOAD_SLOT_0)]);
    let estimate = node.call("eth_estimateGas", params).await;
    let gas = u64::from_str_radix(estimate.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    // 21,000, a cold load and a few opcodes, and at most 1.5 % more.
    assert!((23_100..23_600).contains(&gas), "{gas}");
    let run = json!([{ "from": rich, "to": TARGET, "gas": estimate }, "latest", coded(LOAD_SLOT_0)]);
    assert_eq!(node.call("eth_call", run).await, word(0));
}

#[tokio::test]
async fn gas_that_no_limit_suffices_for_is_refused() {
    let node = Node::start(Mining::Manual);
    let (code, message) = node.refused("eth_estimateGas", json!([{ "to": TARGET }, "latest", coded(LOOP)])).await;
    assert_eq!((code, message.as_str()), (-32000, "gas required exceeds allowance (16777216)"));
    let spent = json!([{ "to": TARGET, "gas": "0x7530" }, "latest", coded(LOOP)]);
    assert_eq!(node.refused("eth_call", spent).await, (-32000, "out of gas".to_owned()));
}

#[tokio::test]
async fn an_access_list_names_what_a_call_touches() {
    let node = Node::start(Mining::Manual);
    let params = json!([{ "to": TARGET }, "latest", coded(LOAD_SLOT_0)]);
    let answer = node.call("eth_createAccessList", params).await;
    assert_eq!(answer["accessList"], json!([{ "address": TARGET, "storageKeys": [word(0)] }]));
    assert!(answer.get("error").is_none());
    let params = json!([{ "to": TARGET }, "latest", coded(REVERT)]);
    let answer = node.call("eth_createAccessList", params).await;
    assert_eq!(answer["error"], "execution reverted");
}
