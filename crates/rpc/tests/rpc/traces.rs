//! What happened inside transactions, as geth, Parity and Otterscan tell it.

use alloy_primitives::{B256, Bytes, TxKind, keccak256};
use braid_chain::Mining;
use serde_json::{Value, json};

use crate::kit::{LOGGER_INIT, Node, raw_transaction, signer};

/// A chain on which the first account deployed the logger, then called it, in two blocks.
async fn deployed_and_called(node: &Node) -> (Value, Value) {
    let logger = node.deploy_logger(0).await;
    let to = TxKind::Call(logger.as_str().unwrap().parse().unwrap());
    let hash = node.call("eth_sendRawTransaction", json!([raw_transaction(1, 1, to, vec![])])).await;
    node.mine();
    (logger, hash)
}

#[tokio::test]
async fn the_default_trace_lists_every_opcode() {
    let node = Node::start(Mining::Manual);
    let (_, hash) = deployed_and_called(&node).await;
    let trace = node.call("debug_traceTransaction", json!([hash])).await;
    let receipt = node.call("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(json!(format!("{:#x}", trace["gas"].as_u64().unwrap())), receipt["gasUsed"]);
    assert_eq!((&trace["failed"], &trace["returnValue"]), (&json!(false), &json!("0x")));
    let steps = trace["structLogs"].as_array().unwrap();
    let ops: Vec<&str> = steps.iter().map(|step| step["op"].as_str().unwrap()).collect();
    assert_eq!(ops, ["PUSH1", "PUSH1", "PUSH1", "LOG1", "STOP"]);
    assert_eq!(steps[3]["stack"], json!(["0x2a", "0x0", "0x0"]));
    assert!(steps.iter().all(|step| step.get("refund").is_none() && step.get("memory").is_none()));
    let block = node.call("debug_traceBlockByNumber", json!(["latest"])).await;
    assert_eq!(block, json!([{ "txHash": hash, "result": trace }]));
}

#[tokio::test]
async fn built_in_tracers_are_offered_and_scripts_refused() {
    let node = Node::start(Mining::Manual);
    let (logger, hash) = deployed_and_called(&node).await;
    let with = |tracer: &str, config: Value| json!([hash, { "tracer": tracer, "tracerConfig": config }]);
    let call = node.call("debug_traceTransaction", with("callTracer", json!({ "withLog": true }))).await;
    assert_eq!((&call["type"], &call["to"]), (&json!("CALL"), &logger));
    assert_eq!(call["logs"][0]["address"], logger);
    let before = node.call("debug_traceTransaction", with("prestateTracer", json!({}))).await;
    assert!(before.get(logger.as_str().unwrap()).is_some(), "{before}");
    let diff = node.call("debug_traceTransaction", with("prestateTracer", json!({ "diffMode": true }))).await;
    let sender = format!("{:?}", signer(1).address());
    assert_eq!(diff["post"][&sender]["nonce"], 2, "{diff}");
    for tracer in ["4byteTracer", "noopTracer", "flatCallTracer"] {
        node.call("debug_traceTransaction", with(tracer, json!({}))).await;
    }
    let mux = json!({ "callTracer": {}, "4byteTracer": null });
    assert!(node.call("debug_traceTransaction", with("muxTracer", mux)).await.get("callTracer").is_some());
    let script = "{ step: function() {}, fault: function() {}, result: function() { return 1 } }";
    let (code, message) = node.refused("debug_traceTransaction", with(script, json!({}))).await;
    assert_eq!(code, -32602);
    assert!(message.contains("JavaScript"), "{message}");
}

#[tokio::test]
async fn a_call_and_a_raw_block_can_be_traced() {
    let node = Node::start(Mining::Manual);
    let (logger, _) = deployed_and_called(&node).await;
    let params = json!([{ "to": logger }, "latest", { "tracer": "callTracer" }]);
    assert_eq!(node.call("debug_traceCall", params).await["type"], "CALL");
    // Before the first transaction of its block, the contract is not there.
    let params = json!([{ "to": logger }, "0x1", { "txIndex": "0x0" }]);
    assert_eq!(node.call("debug_traceCall", params).await["structLogs"], json!([]));
    let rlp = node.call("debug_getRawBlock", json!(["0x2"])).await;
    let raw = node.call("debug_traceBlock", json!([rlp, { "tracer": "callTracer" }])).await;
    let by_number = node.call("debug_traceBlockByNumber", json!(["0x2", { "tracer": "callTracer" }])).await;
    assert_eq!(raw, by_number);
    assert_eq!(node.refused("debug_traceBlock", json!(["0xc0"])).await.0, -32602);
}

#[tokio::test]
async fn what_cannot_be_traced_is_refused() {
    let node = Node::start(Mining::Manual);
    let genesis = node.refused("debug_traceBlockByNumber", json!(["0x0"])).await;
    assert_eq!(genesis, (-32000, "genesis is not traceable".to_owned()));
    let unknown = format!("0x{:064x}", 1);
    let absent = node.refused("debug_traceTransaction", json!([unknown])).await;
    assert_eq!(absent, (-32000, "transaction not found".to_owned()));
    let absent = node.refused("debug_traceBlockByHash", json!([unknown])).await;
    assert_eq!(absent, (-32000, format!("block {unknown} not found")));
}

#[tokio::test]
async fn parity_traces_are_flat() {
    let node = Node::start(Mining::Manual);
    let (logger, hash) = deployed_and_called(&node).await;
    let block = node.call("trace_block", json!(["latest"])).await;
    assert_eq!(block[0]["action"]["to"], logger);
    assert_eq!(node.call("trace_transaction", json!([hash])).await, block);
    assert_eq!(node.call("trace_get", json!([hash, []])).await, block[0]);
    assert_eq!(node.call("trace_get", json!([hash, ["0x0"]])).await, Value::Null);
    let all = json!(["trace", "vmTrace", "stateDiff"]);
    let replayed = node.call("trace_replayTransaction", json!([hash, all])).await;
    assert_eq!(replayed["trace"][0]["type"], "call");
    let sender = format!("{:?}", signer(1).address());
    assert_eq!(replayed["stateDiff"][&sender]["nonce"], json!({ "*": { "from": "0x1", "to": "0x2" } }));
    let blocks = node.call("trace_replayBlockTransactions", json!(["latest", all])).await;
    assert_eq!(blocks[0]["transactionHash"], hash);
    let found = node.call("trace_filter", json!([{ "toAddress": [logger] }])).await;
    assert_eq!(found.as_array().unwrap().len(), 2, "its creation and its call");
    let second = node.call("trace_filter", json!([{ "toAddress": [logger], "after": 1, "count": 5 }])).await;
    assert_eq!(second.as_array().unwrap().len(), 1);
    let between = |from: Value, to: Value| {
        node.call("trace_filter", json!([{ "fromBlock": from, "toBlock": to, "toAddress": [logger] }]))
    };
    assert_eq!(between(json!("earliest"), json!("latest")).await, found);
    assert_eq!(between(json!("0x1"), json!(2)).await, found);
    assert_eq!(between(json!("earliest"), json!("earliest")).await, json!([]));
    assert_eq!(between(json!("latest"), json!("pending")).await.as_array().unwrap().len(), 1);
    let called = node.call("trace_call", json!([{ "to": logger }, ["trace"], "latest"])).await;
    assert_eq!(called["trace"][0]["action"]["to"], logger);
}

#[tokio::test]
async fn otterscan_finds_what_it_asks_for() {
    let node = Node::start(Mining::Manual);
    let (logger, hash) = deployed_and_called(&node).await;
    let sender = signer(1).address();
    assert_eq!(node.call("ots_getApiLevel", json!([])).await, 8);
    assert_eq!(node.call("ots_hasCode", json!([logger, "latest"])).await, true);
    assert_eq!(node.call("ots_hasCode", json!([logger, "0x0"])).await, false);
    let creator = node.call("ots_getContractCreator", json!([logger])).await;
    assert_eq!(creator["creator"], json!(sender));
    let by_nonce = |nonce: u64| node.call("ots_getTransactionBySenderAndNonce", json!([sender, nonce]));
    assert_eq!(by_nonce(0).await, creator["hash"]);
    assert_eq!(by_nonce(1).await, hash);
    assert_eq!(by_nonce(2).await, Value::Null);
    let entries = node.call("ots_traceTransaction", json!([creator["hash"]])).await;
    assert_eq!((&entries[0]["type"], &entries[0]["to"]), (&json!("CREATE"), &logger));
    assert_eq!(node.call("ots_getTransactionError", json!([hash])).await, "0x");
    assert_eq!(node.call("ots_getInternalOperations", json!([hash])).await, json!([]));
}

#[tokio::test]
async fn otterscan_pages_through_an_address() {
    let node = Node::start(Mining::Manual);
    let (logger, hash) = deployed_and_called(&node).await;
    let newest = node.call("ots_searchTransactionsBefore", json!([logger, 0, 1])).await;
    assert_eq!((&newest["firstPage"], &newest["lastPage"]), (&json!(true), &json!(false)));
    assert_eq!(newest["txs"][0]["hash"], hash);
    let older = node.call("ots_searchTransactionsBefore", json!([logger, 2, 25])).await;
    assert_eq!((&older["firstPage"], &older["lastPage"]), (&json!(false), &json!(true)));
    assert_eq!(older["txs"].as_array().unwrap().len(), 1);
    let after = node.call("ots_searchTransactionsAfter", json!([logger, 1, 25])).await;
    assert_eq!((&after["firstPage"], &after["lastPage"]), (&json!(true), &json!(false)));
    assert_eq!(after["txs"][0]["hash"], hash);
    let details = node.call("ots_getBlockDetails", json!(["0x1"])).await;
    assert_eq!(details["block"]["transactionCount"], 1);
    assert_eq!(details["issuance"]["issuance"], "0x0");
    let page = node.call("ots_getBlockTransactions", json!(["0x1", 0, 10])).await;
    assert_eq!(page["fullblock"]["transactions"][0]["input"].as_str().unwrap().len(), 10);
    assert_eq!(page["receipts"][0]["logs"], Value::Null);
    assert!(page["receipts"][0]["timestamp"].is_string());
    let header = node.call("erigon_getHeaderByNumber", json!(["0x1"])).await;
    assert_eq!(header["number"], "0x1");
    assert!(LOGGER_INIT.len() > 4);
}

#[tokio::test]
async fn otterscan_may_number_blocks_as_it_likes() {
    let node = Node::start(Mining::Manual);
    let (logger, hash) = deployed_and_called(&node).await;
    for genesis in [json!(0), json!("0x0"), json!("earliest")] {
        assert_eq!(node.call("ots_getBlockDetails", json!([genesis])).await["block"]["number"], "0x0");
        let page = node.call("ots_getBlockTransactions", json!([genesis, 0, 10])).await;
        assert_eq!(page["fullblock"]["number"], "0x0");
        assert_eq!(node.call("ots_hasCode", json!([logger, genesis])).await, false);
        assert_eq!(node.call("erigon_getHeaderByNumber", json!([genesis])).await["number"], "0x0");
    }
    for head in [json!(2), json!("0x2"), json!("latest")] {
        assert_eq!(node.call("ots_getBlockDetails", json!([head])).await["block"]["number"], "0x2");
        assert_eq!(node.call("ots_hasCode", json!([logger, head])).await, true);
        let before = node.call("ots_searchTransactionsBefore", json!([logger, head, 25])).await;
        assert_eq!(before["txs"].as_array().unwrap().len(), 1, "{head}");
        let after = node.call("ots_searchTransactionsAfter", json!([logger, head, 25])).await;
        assert_eq!(after["txs"], json!([]), "{head}");
    }
    let after = node.call("ots_searchTransactionsAfter", json!([logger, "0x1", 25])).await;
    assert_eq!(after["txs"][0]["hash"], hash);
}

#[tokio::test]
async fn a_witness_proves_what_a_block_read() {
    let node = Node::start(Mining::Manual);
    let (logger, _) = deployed_and_called(&node).await;
    let witness = node.call("debug_executionWitness", json!(["0x2"])).await;
    let code = node.call("eth_getCode", json!([logger, "latest"])).await;
    assert!(witness["codes"].as_array().unwrap().contains(&code), "the code that ran");
    assert!(witness["keys"].as_array().unwrap().contains(&logger));
    let parent = node.call("eth_getBlockByNumber", json!(["0x1", false])).await;
    let root = parent["stateRoot"].as_str().unwrap().parse::<B256>().unwrap();
    let nodes = witness["state"].as_array().unwrap().iter();
    let mut hashes = nodes.map(|node| keccak256(node.as_str().unwrap().parse::<Bytes>().unwrap()));
    assert!(hashes.any(|hash| hash == root), "the root of the parent's trie");
    assert_eq!(node.refused("debug_executionWitness", json!(["0x0"])).await.0, -32000);
}

#[tokio::test]
async fn a_trace_without_end_is_stopped() {
    let node = Node::start(Mining::Manual);
    let target = "0xc100000000000000000000000000000000000000";
    let endless = json!({ target: { "code": "0x5b600056" } });
    let params = json!([{ "to": target }, "latest", { "stateOverrides": endless }]);
    assert_eq!(node.refused("debug_traceCall", params).await, (-32005, "the trace is too large".to_owned()));
    let params = json!([{ "to": target }, "latest", { "stateOverrides": endless, "tracer": "callTracer" }]);
    assert_eq!(node.call("debug_traceCall", params).await["error"], "out of gas");
}
