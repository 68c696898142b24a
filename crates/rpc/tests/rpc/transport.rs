//! The server over real sockets: batches, limits, malformed bodies, pages and subscriptions.

use alloy_primitives::TxKind;
use braid_chain::Mining;
use braid_rpc::RpcOptions;
use serde_json::{Value, json};

use crate::kit::{Node, RECIPIENT, WebSocket, http, post, post_json, raw_transaction};

fn request(id: u64, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_transactions_is_answered_in_order() {
    let node = Node::start(Mining::Manual);
    let server = node.serve().await;
    let address = server.local_address();
    let mut batch: Vec<Value> = (0..100_u64)
        .map(|id| {
            let sender = u8::try_from(id % 50).unwrap() + 1;
            let raw = raw_transaction(sender, id / 50, TxKind::Call(RECIPIENT), vec![]);
            request(id, "eth_sendRawTransaction", &json!([raw]))
        })
        .collect();
    batch[7]["params"] = json!(["0x00"]);
    batch[8]["params"] = json!([5]);
    batch.insert(60, request(1000, "eth_chainId", &json!([])));
    let answers = post_json(address, &Value::Array(batch).to_string()).await;
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 101);
    let ids: Vec<u64> = answers.iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (0..60).chain([1000]).chain(60..100).collect();
    assert_eq!(ids, expected);
    assert_eq!(answers[60]["result"], "0x7a69");
    assert_eq!(answers[7]["error"]["code"], -32000);
    assert_eq!(answers[8]["error"]["code"], -32602);
    assert_eq!(answers.iter().filter(|answer| answer["error"].is_null()).count(), 99);
    // Nonce 1 of the two senders whose first transaction was refused waits behind a gap.
    assert_eq!(node.call("txpool_status", json!([])).await, json!({ "pending": "0x60", "queued": "0x2" }));
    server.stop();
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_bodies_get_the_standard_errors() {
    let node = Node::start(Mining::Manual);
    let server = node.serve().await;
    let address = server.local_address();
    for (body, code) in [
        ("{", -32700),
        ("nonsense", -32700),
        ("[", -32700),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32600),
        (r#"{"id":1,"method":5}"#, -32600),
        ("[]", -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_nonsense"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":{"a":1}}"#, -32602),
    ] {
        let (_, answer) = post(address, body).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["error"]["code"], code, "{body}: {answer}");
    }
    let unknown = post_json(address, r#"{"jsonrpc":"2.0","id":1,"method":"eth_nonsense"}"#).await;
    assert_eq!(unknown["error"]["message"], "the method eth_nonsense does not exist/is not available");
    let mixed = post_json(address, r#"[1, {"jsonrpc":"2.0","id":2,"method":"eth_chainId"}]"#).await;
    assert_eq!((&mixed[0]["error"]["code"], &mixed[1]["result"]), (&json!(-32600), &json!("0x7a69")));
    let (status, body) = post(address, r#"{"jsonrpc":"2.0","method":"eth_chainId"}"#).await;
    // jsonrpsee fills the empty answer of a notification with a null, which clients that sent no id do not read.
    assert_eq!((status, body.as_str()), (200, "null"));
    let (status, _) = http(address, "POST / HTTP/1.1\r\nContent-Type: text/html", "{}").await;
    assert_eq!(status, 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_answer_with_what_was_exceeded() {
    let options = RpcOptions { max_batch: 2, max_body_bytes: 4096, max_response_bytes: 8192, ..RpcOptions::default() };
    let node = Node::with_options(Mining::Manual, options);
    let server = node.serve().await;
    let address = server.local_address();
    let batch: Vec<Value> = (0..3).map(|id| request(id, "eth_chainId", &json!([]))).collect();
    let answer = post_json(address, &Value::Array(batch).to_string()).await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("batch"), "{answer}");
    let (status, _) = post(address, &" ".repeat(5000)).await;
    assert_eq!(status, 413);
    for sender in 1..=10 {
        let raw = raw_transaction(sender, 0, TxKind::Call(RECIPIENT), vec![1; 600]);
        post_json(address, &request(1, "eth_sendRawTransaction", &json!([raw])).to_string()).await;
    }
    node.mine();
    let body = request(1, "eth_getBlockByNumber", &json!(["latest", true])).to_string();
    let answer = post_json(address, &body).await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("too big"), "{answer}");
    // Namespaces that were not asked for are not there.
    let hidden = post_json(address, &request(1, "admin_nodeInfo", &json!([])).to_string()).await;
    assert_eq!(hidden["error"]["code"], -32601);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_browsers_share_the_port() {
    let node = Node::start(Mining::Manual);
    let server = node.serve().await;
    let address = server.local_address();
    assert_eq!(http(address, "GET /health HTTP/1.1", "").await, (200, "ok".to_owned()));
    assert_eq!(http(address, "GET /nothing HTTP/1.1", "").await.0, 405);
    let preflight = "OPTIONS / HTTP/1.1\r\nOrigin: http://example.org\r\nAccess-Control-Request-Method: POST\r\n\
                     Access-Control-Request-Headers: content-type";
    assert_eq!(http(address, preflight, "").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_hear_of_heads_logs_and_pending_transactions() {
    let node = Node::start(Mining::Manual);
    let logger = node.deploy_logger(0).await;
    let server = node.serve().await;
    let mut socket = WebSocket::connect(server.local_address());
    let mut subscribe = |params: Value| {
        socket.send(&request(1, "eth_subscribe", &params));
        let answer = socket.receive();
        answer["result"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    let heads = subscribe(json!(["newHeads"]));
    let logs = subscribe(json!(["logs", { "address": logger }]));
    let hashes = subscribe(json!(["newPendingTransactions"]));
    let full = subscribe(json!(["newPendingTransactions", true]));
    let to = TxKind::Call(logger.as_str().unwrap().parse().unwrap());
    let hash = node.call("eth_sendRawTransaction", json!([raw_transaction(1, 1, to, vec![])])).await;
    node.mine();
    let head = node.call("eth_getBlockByNumber", json!(["latest", false])).await;
    let mut heard = std::collections::BTreeMap::new();
    for _ in 0..4 {
        let mut notification = socket.receive();
        assert_eq!(notification["method"], "eth_subscription");
        let id = notification["params"]["subscription"].as_str().unwrap().to_owned();
        heard.insert(id, notification["params"]["result"].take());
    }
    assert_eq!(heard[&heads]["hash"], head["hash"]);
    assert_eq!(heard[&logs]["transactionHash"], hash);
    assert_eq!(heard[&hashes], hash);
    assert_eq!(heard[&full]["hash"], hash);
    socket.send(&request(2, "eth_unsubscribe", &json!([heads])));
    assert_eq!(socket.receive()["result"], true);
    let events = &node.context.events;
    let listeners = (events.committed.receiver_count(), events.pending.receiver_count());
    assert!(listeners.0 <= 2 && listeners.1 == 2, "{listeners:?} hold back what they do not read");
    socket.send(&request(3, "eth_subscribe", &json!(["nonsense"])));
    assert_eq!(socket.receive()["error"]["code"], -32602);
    socket.send(&request(4, "eth_chainId", &json!([])));
    assert_eq!(socket.receive()["result"], "0x7a69");
}
