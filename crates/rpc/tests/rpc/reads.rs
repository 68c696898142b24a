//! Blocks, transactions, receipts and state as clients read them.

use alloy_primitives::TxKind;
use braid_chain::Mining;
use braid_rpc::method::{self, Module};
use serde_json::{Value, json};

use crate::kit::{BENEFICIARY, Node, RECIPIENT, raw_transaction, signer};

#[tokio::test]
async fn a_new_chain_tells_who_it_is() {
    let node = Node::start(Mining::Manual);
    assert_eq!(node.call("eth_chainId", json!([])).await, "0x7a69");
    assert_eq!(node.call("net_version", json!([])).await, "31337");
    assert_eq!(node.call("eth_blockNumber", json!([])).await, "0x0");
    assert_eq!(node.call("eth_syncing", json!([])).await, false);
    let empty = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
    assert_eq!(node.call("web3_sha3", json!(["0x"])).await, empty);
    let accounts: Vec<Value> = (1..=3).map(|number| json!(signer(number).address())).collect();
    assert_eq!(node.call("eth_accounts", json!([])).await, Value::Array(accounts));
    let config = node.call("eth_config", json!([])).await;
    assert_eq!(config["current"]["chainId"], "0x7a69");
    assert_eq!(config["next"], Value::Null);
    assert_eq!(config["current"]["precompiles"]["P256VERIFY"], "0x0000000000000000000000000000000000000100");
}

#[tokio::test]
async fn what_does_not_exist_is_null_or_an_error_as_geth_has_it() {
    let node = Node::start(Mining::Manual);
    let hash = format!("0x{}", "00".repeat(32));
    for (method, params) in [
        ("eth_getBlockByNumber", json!(["0x3e8", true])),
        ("eth_getBlockByHash", json!([hash, true])),
        ("eth_getBlockReceipts", json!(["0x3e8"])),
        ("eth_getBlockTransactionCountByNumber", json!(["0x3e8"])),
        ("eth_getTransactionByHash", json!([hash])),
        ("eth_getTransactionReceipt", json!([hash])),
        ("eth_getTransactionByBlockNumberAndIndex", json!(["0x0", "0x0"])),
        ("eth_getUncleByBlockNumberAndIndex", json!(["0x0", "0x0"])),
    ] {
        assert_eq!(node.call(method, params).await, Value::Null, "{method}");
    }
    let header_not_found = (-32000, "header not found".to_owned());
    assert_eq!(node.refused("eth_getBalance", json!([RECIPIENT, "0x3e8"])).await, header_not_found);
    assert_eq!(node.refused("eth_getBalance", json!([])).await.0, -32602);
    assert_eq!(node.refused("eth_getBalance", json!(["0x12", "latest"])).await.0, -32602);
    assert_eq!(node.refused("eth_getBalance", json!([RECIPIENT, "latest", 1])).await.0, -32602);
    let no_prefix = node.refused("debug_getRawBlock", json!(["2"])).await;
    assert_eq!(no_prefix, (-32602, "invalid argument 0: hex string without 0x prefix".to_owned()));
}

#[tokio::test]
async fn a_transaction_is_seen_waiting_then_mined() {
    let node = Node::start(Mining::Manual);
    let raw = raw_transaction(1, 0, TxKind::Call(RECIPIENT), vec![]);
    let hash = node.call("eth_sendRawTransaction", json!([raw])).await;
    let waiting = node.call("eth_getTransactionByHash", json!([hash])).await;
    assert_eq!(waiting["blockHash"], Value::Null);
    assert_eq!(waiting["from"], json!(signer(1).address()));
    assert_eq!(node.call("eth_getTransactionReceipt", json!([hash])).await, Value::Null);
    let sender = json!(signer(1).address());
    assert_eq!(node.call("eth_getTransactionCount", json!([sender, "latest"])).await, "0x0");
    assert_eq!(node.call("eth_getTransactionCount", json!([sender, "pending"])).await, "0x1");
    assert_eq!(node.call("txpool_status", json!([])).await, json!({ "pending": "0x1", "queued": "0x0" }));
    let content = node.call("txpool_content", json!([])).await;
    assert_eq!(content["pending"][signer(1).address().to_checksum(None)]["0"]["hash"], hash);
    let pending = node.call("eth_getBlockByNumber", json!(["pending", false])).await;
    assert_eq!((&pending["number"], &pending["hash"]), (&json!("0x1"), &Value::Null));
    assert_eq!(pending["transactions"], json!([hash]));
    let again = node.refused("eth_sendRawTransaction", json!([raw])).await;
    assert_eq!(again, (-32000, "already known".to_owned()));

    node.mine();
    let block = node.call("eth_getBlockByNumber", json!(["latest", true])).await;
    let mined = node.call("eth_getTransactionByHash", json!([hash])).await;
    assert_eq!(block["transactions"], json!([mined]));
    assert_eq!(mined["blockHash"], block["hash"]);
    assert_eq!(mined["type"], "0x2");
    assert_eq!(mined["yParity"], mined["v"]);
    assert_eq!(mined["accessList"], json!([]));
    assert_eq!(block["miner"], json!(BENEFICIARY));
    assert_eq!((&block["uncles"], &block["withdrawals"]), (&json!([]), &json!([])));
    assert!(block.get("totalDifficulty").is_none());
    let receipt = node.call("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!((&receipt["status"], &receipt["gasUsed"]), (&json!("0x1"), &json!("0x5208")));
    assert_eq!(receipt["contractAddress"], Value::Null);
    let receipts = node.call("eth_getBlockReceipts", json!([block["hash"]])).await;
    assert_eq!(receipts, json!([receipt]));
    assert_eq!(node.call("eth_getRawTransactionByHash", json!([hash])).await, json!(raw));
    assert_eq!(node.call("debug_getRawTransaction", json!([hash])).await, json!(raw));
}

#[tokio::test]
async fn raw_blocks_have_the_size_and_hash_that_are_shown() {
    let node = Node::start(Mining::Manual);
    let raw = raw_transaction(1, 0, TxKind::Call(RECIPIENT), vec![1; 100]);
    node.call("eth_sendRawTransaction", json!([raw])).await;
    node.mine();
    let block = node.call("eth_getBlockByNumber", json!(["0x1", false])).await;
    let raw_block = node.call("debug_getRawBlock", json!(["0x1"])).await;
    let bytes = (raw_block.as_str().unwrap().len() - 2) / 2;
    assert_eq!(block["size"], json!(format!("{bytes:#x}")));
    let raw_header = node.call("debug_getRawHeader", json!(["0x1"])).await;
    assert_eq!(node.call("web3_sha3", json!([raw_header])).await, block["hash"]);
    let header = node.call("eth_getHeaderByHash", json!([block["hash"]])).await;
    assert_eq!(header["stateRoot"], block["stateRoot"]);
    assert!(header.get("transactions").is_none());
}

#[tokio::test]
async fn state_is_read_at_every_kind_of_block_name() {
    let node = Node::start(Mining::Manual);
    let sender = json!(signer(1).address());
    let genesis = node.call("eth_getBlockByNumber", json!(["earliest", false])).await;
    let raw = raw_transaction(1, 0, TxKind::Call(RECIPIENT), vec![]);
    node.call("eth_sendRawTransaction", json!([raw])).await;
    node.mine();
    let names = [json!("earliest"), json!("0x0"), genesis["hash"].clone(), json!({ "blockHash": genesis["hash"] })];
    for name in names {
        assert_eq!(node.call("eth_getTransactionCount", json!([sender, name])).await, "0x0", "{name}");
    }
    for name in ["latest", "safe", "finalized", "0x1", "pending"] {
        assert_eq!(node.call("eth_getTransactionCount", json!([sender, name])).await, "0x1", "{name}");
    }
    let proof = node.call("eth_getProof", json!([sender, ["0x0"], "latest"])).await;
    assert_eq!(proof["nonce"], "0x1");
    assert_eq!(proof["balance"], node.call("eth_getBalance", json!([sender])).await);
    assert_eq!(proof["storageProof"], json!([{ "key": "0x0", "value": "0x0", "proof": [] }]));
    let zero = format!("0x{}", "00".repeat(32));
    assert_eq!(node.call("eth_getStorageAt", json!([sender, "0x0", "latest"])).await, json!(zero));
    let key = node.refused("eth_getStorageAt", json!([sender, "0xasdf", "latest"])).await;
    assert_eq!(key, (-32602, "invalid hex in storage key: \"0xasdf\"".to_owned()));
    assert_eq!(node.refused("eth_getStorageValues", json!([{}, "latest"])).await.1, "empty request");
}

#[tokio::test]
async fn a_crash_in_a_handler_is_one_failed_request() {
    let node = Node::start(Mining::Manual);
    let mut module = Module::new(std::sync::Arc::clone(&node.context));
    method::quick::<()>(&mut module, "test_quick", 0, |_, _| panic!("on purpose")).unwrap();
    method::blocking::<()>(&mut module, "test_blocking", 0, |_, _| panic!("on purpose")).unwrap();
    for name in ["test_quick", "test_blocking"] {
        let request = json!({ "jsonrpc": "2.0", "id": 7, "method": name }).to_string();
        let (response, _) = module.raw_json_request(&request, 1).await.unwrap();
        let response: Value = serde_json::from_str(response.get()).unwrap();
        assert_eq!((&response["id"], &response["error"]["code"]), (&json!(7), &json!(-32603)));
    }
}
