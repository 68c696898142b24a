//! What only a development node lets its clients do.

use alloy_primitives::{B256, TxKind, U256};
use braid_chain::Mining;
use braid_rpc::RpcOptions;
use braid_types::limits::MAX_TIMESTAMP_S;
use serde_json::{Value, json};

use crate::kit::{Node, RECIPIENT, raw_transaction, signer};

/// `SLOAD(0)`, returned.
const LOAD_SLOT_0: &str = "0x60005460005260206000f3";

fn word(number: u64) -> String {
    B256::from(U256::from(number)).to_string()
}

async fn set_everything(node: &Node) {
    node.call("anvil_setBalance", json!([RECIPIENT, "0x1234"])).await;
    node.call("hardhat_setNonce", json!([RECIPIENT, 7])).await;
    node.call("anvil_setCode", json!([RECIPIENT, LOAD_SLOT_0])).await;
    assert_eq!(node.call("hardhat_setStorageAt", json!([RECIPIENT, "0x0", word(99)])).await, true);
}

async fn assert_everything(node: &Node) {
    assert_eq!(node.call("eth_getBalance", json!([RECIPIENT, "latest"])).await, "0x1234");
    assert_eq!(node.call("eth_getTransactionCount", json!([RECIPIENT, "latest"])).await, "0x7");
    assert_eq!(node.call("eth_getCode", json!([RECIPIENT, "latest"])).await, LOAD_SLOT_0);
    assert_eq!(node.call("eth_call", json!([{ "to": RECIPIENT }, "latest"])).await, word(99));
}

#[tokio::test]
async fn accounts_change_without_a_transaction() {
    let node = Node::start(Mining::Manual);
    set_everything(&node).await;
    assert_everything(&node).await;
    node.mine();
    assert_everything(&node).await;
    let delegation = "0xef010012";
    assert_eq!(node.refused("anvil_setCode", json!([RECIPIENT, delegation])).await.0, -32602);
}

#[tokio::test]
async fn a_snapshot_brings_blocks_and_state_back() {
    let node = Node::start(Mining::Manual);
    node.mine();
    let first = node.call("evm_snapshot", json!([])).await;
    set_everything(&node).await;
    let second = node.call("evm_snapshot", json!([])).await;
    node.mine();
    assert_eq!(node.call("evm_revert", json!([second])).await, true);
    assert_everything(&node).await;
    assert_eq!(node.call("eth_blockNumber", json!([])).await, "0x1");
    assert_eq!(node.call("evm_revert", json!([first])).await, true);
    assert_eq!(node.call("eth_getBalance", json!([RECIPIENT, "latest"])).await, "0x0");
    assert_eq!(node.call("evm_revert", json!([second])).await, false, "it was taken after the first");
    assert_eq!(node.call("evm_revert", json!([first])).await, false, "a snapshot serves once");
}

#[tokio::test]
async fn a_reverted_transaction_can_be_sent_again() {
    let node = Node::start(Mining::Auto);
    let raw = raw_transaction(1, 0, TxKind::Call(RECIPIENT), vec![]);
    let snapshot = node.call("evm_snapshot", json!([])).await;
    for _ in 0..2 {
        node.call("eth_sendRawTransactionSync", json!([raw])).await;
        assert_eq!(node.call("eth_blockNumber", json!([])).await, "0x1");
        node.call("evm_revert", json!([snapshot])).await;
        node.call("evm_snapshot", json!([])).await;
    }
}

#[tokio::test]
async fn blocks_are_mined_with_the_time_that_was_asked_for() {
    let node = Node::start(Mining::Manual);
    let timestamp = |block: Value| u64::from_str_radix(&block["timestamp"].as_str().unwrap()[2..], 16).unwrap();
    node.call("evm_setNextBlockTimestamp", json!([1_800_000_000_u64])).await;
    node.call("evm_mine", json!([])).await;
    let block = node.call("eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(timestamp(block), 1_800_000_000);
    node.call("hardhat_mine", json!(["0x3", "0x64"])).await;
    let block = node.call("eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(block["number"], "0x4");
    assert!(timestamp(block) >= 1_800_000_200);
    let (code, message) = node.refused("evm_setNextBlockTimestamp", json!(["0x1"])).await;
    assert_eq!(code, -32000);
    assert!(message.starts_with("Timestamp 1 is lower than or equal to previous block's timestamp"), "{message}");
    assert_eq!(node.refused("anvil_mine", json!(["0xffffffffffffffff"])).await.0, -32602);
}

#[tokio::test]
async fn time_ends_before_clients_lose_count() {
    let node = Node::start(Mining::Manual);
    let latest = MAX_TIMESTAMP_S;
    for (method, params) in [
        ("evm_setNextBlockTimestamp", json!([latest + 1])),
        ("evm_mine", json!([latest + 1])),
        ("evm_mine", json!([{ "timestamp": "0xffffffffffffffff" }])),
        ("evm_setTime", json!([latest + 1])),
        ("evm_increaseTime", json!([latest])),
        ("anvil_mine", json!([2, latest])),
        ("anvil_setBlockTimestampInterval", json!([u64::MAX])),
    ] {
        let (code, message) = node.refused(method, params).await;
        assert_eq!(code, -32602, "{method}: {message}");
    }
    assert_eq!(node.call("eth_blockNumber", json!([])).await, "0x0");
    node.call("evm_setNextBlockTimestamp", json!([latest - 1])).await;
    node.mine();
    let block = node.call("eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(block["timestamp"], json!(format!("{:#x}", latest - 1)));
}

#[tokio::test]
async fn what_becomes_executable_is_mined_at_once() {
    let node = Node::start(Mining::Auto);
    let mined = async |hash: &Value| {
        for _ in 0..500 {
            let receipt = node.call("eth_getTransactionReceipt", json!([hash])).await;
            if receipt != Value::Null {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        false
    };
    let early = raw_transaction(1, 5, TxKind::Call(RECIPIENT), vec![]);
    let early = node.call("eth_sendRawTransaction", json!([early])).await;
    assert_eq!(node.call("eth_getTransactionReceipt", json!([early])).await, Value::Null);
    node.call("anvil_setNonce", json!([signer(1).address(), 5])).await;
    assert!(mined(&early).await);
    let cheap = json!([{ "from": signer(2).address(), "to": RECIPIENT, "gasPrice": "0x1", "gas": "0x5208" }]);
    let cheap = node.call("eth_sendTransaction", cheap).await;
    assert_eq!(node.call("eth_getTransactionReceipt", json!([cheap])).await, Value::Null);
    node.call("anvil_setNextBlockBaseFeePerGas", json!(["0x1"])).await;
    assert!(mined(&cheap).await);
}

#[tokio::test]
async fn the_next_block_is_made_as_asked() {
    let node = Node::start(Mining::Manual);
    let beneficiary = signer(9).address();
    node.call("hardhat_setCoinbase", json!([beneficiary])).await;
    node.call("anvil_setNextBlockBaseFeePerGas", json!(["0x5"])).await;
    node.call("hardhat_setPrevRandao", json!([word(77)])).await;
    assert_eq!(node.call("evm_setBlockGasLimit", json!(["0x2faf080"])).await, true);
    node.mine();
    let block = node.call("eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(block["miner"], json!(beneficiary));
    assert_eq!(block["baseFeePerGas"], "0x5");
    assert_eq!(block["mixHash"], word(77));
    assert_eq!(block["gasLimit"], "0x2faf080");
}

#[tokio::test]
async fn mining_modes_are_switched_and_told() {
    let node = Node::start(Mining::Auto);
    assert_eq!(node.call("anvil_getAutomine", json!([])).await, true);
    node.call("evm_setAutomine", json!([false])).await;
    assert_eq!(node.call("hardhat_getAutomine", json!([])).await, false);
    node.call("evm_setIntervalMining", json!([3600])).await;
    assert_eq!(node.call("anvil_getIntervalMining", json!([])).await, 3600);
}

#[tokio::test]
async fn a_dump_is_loaded_into_another_chain() {
    let node = Node::start(Mining::Manual);
    set_everything(&node).await;
    let dump = node.call("anvil_dumpState", json!([])).await;
    assert!(dump.as_str().unwrap().starts_with("0x1f8b"), "gzip in hexadecimal digits");
    let other = Node::start(Mining::Manual);
    assert_eq!(other.call("anvil_loadState", json!([dump])).await, true);
    assert_everything(&other).await;
    assert_eq!(other.refused("anvil_loadState", json!(["0x1234"])).await.0, -32602);
}

#[tokio::test]
async fn a_reset_leaves_the_genesis() {
    let node = Node::start(Mining::Manual);
    let genesis = node.call("eth_getBlockByNumber", json!(["0x0", false])).await;
    set_everything(&node).await;
    node.mine();
    node.call("evm_snapshot", json!([])).await;
    node.call("hardhat_reset", json!([{ "forking": {} }])).await;
    assert_eq!(node.call("eth_getBlockByNumber", json!(["latest", false])).await, genesis);
    assert_eq!(node.call("eth_getBalance", json!([RECIPIENT, "latest"])).await, "0x0");
    assert_eq!(node.call("evm_revert", json!(["0x1"])).await, false);
    let forking = json!([{ "forking": { "jsonRpcUrl": "http://127.0.0.1:1" } }]);
    assert_eq!(node.refused("anvil_reset", forking).await.0, -32000);
}

#[tokio::test]
async fn waiting_transactions_are_dropped() {
    let node = Node::start(Mining::Manual);
    let send = |nonce| {
        node.call("eth_sendRawTransaction", json!([raw_transaction(1, nonce, TxKind::Call(RECIPIENT), vec![])]))
    };
    let (first, _) = (send(0).await, send(1).await);
    assert_eq!(node.call("hardhat_dropTransaction", json!([first])).await, true);
    assert_eq!(node.call("hardhat_dropTransaction", json!([first])).await, false);
    node.call("anvil_removePoolTransactions", json!([signer(1).address()])).await;
    let status = node.call("txpool_status", json!([])).await;
    assert_eq!((&status["pending"], &status["queued"]), (&json!("0x0"), &json!("0x0")));
}

#[tokio::test]
async fn an_ordinary_node_offers_none_of_this() {
    let node = Node::with_options(Mining::Manual, RpcOptions::default());
    for method in ["evm_mine", "anvil_setBalance", "hardhat_reset", "evm_snapshot"] {
        assert_eq!(node.refused(method, json!([])).await.0, -32601, "{method}");
    }
}
