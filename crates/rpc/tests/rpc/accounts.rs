//! Transactions and messages that the node signs.

use std::{sync::Arc, time::Duration};

use alloy_primitives::{Address, Signature, hex};
use braid_chain::Mining;
use serde_json::{Value, json};

use crate::kit::{Node, RECIPIENT, signer};

#[tokio::test]
async fn a_sent_transaction_has_its_receipt_when_blocks_are_made_at_once() {
    let node = Node::start(Mining::Auto);
    let request = json!([{ "from": signer(1).address(), "to": RECIPIENT, "value": "0x7" }]);
    let hash = node.call("eth_sendTransaction", request).await;
    let receipt = node.call("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(node.call("eth_getBalance", json!([RECIPIENT])).await, "0x7");
    let stranger = node.refused("eth_sendTransaction", json!([{ "from": RECIPIENT, "to": RECIPIENT }])).await;
    assert_eq!(stranger, (-32000, "unknown account".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_sent_at_once_get_nonces_of_their_own() {
    let node = Arc::new(Node::start(Mining::Manual));
    let mut sent = tokio::task::JoinSet::new();
    for number in 0..32 {
        let node = Arc::clone(&node);
        let method = if number % 2 == 0 { "eth_sendTransaction" } else { "eth_sendUnsignedTransaction" };
        sent.spawn(async move {
            let request = json!([{ "from": signer(1).address(), "to": RECIPIENT, "value": "0x7" }]);
            node.call(method, request).await
        });
    }
    sent.join_all().await;
    let status = node.call("txpool_status", json!([])).await;
    assert_eq!((&status["pending"], &status["queued"]), (&json!("0x20"), &json!("0x0")));
}

#[tokio::test]
async fn an_impersonated_sender_needs_no_key() {
    let node = Node::start(Mining::Auto);
    let sender = signer(4).address();
    node.context.impersonation.insert(sender);
    let request = json!([{ "from": sender, "to": RECIPIENT, "value": "0x7" }]);
    let hash = node.call("eth_sendTransaction", request).await;
    let transaction = node.call("eth_getTransactionByHash", json!([hash])).await;
    assert_eq!((&transaction["from"], &transaction["blockNumber"]), (&json!(sender), &json!("0x1")));
    // A price below the base fee is not waited for: no block will take it soon.
    let cheap = json!([{ "from": sender, "to": RECIPIENT, "gasPrice": "0x1", "gas": "0x5208" }]);
    let at_once = Duration::from_secs(5);
    let hash = tokio::time::timeout(at_once, node.call("eth_sendTransaction", cheap)).await.unwrap();
    assert_eq!(node.call("eth_getTransactionReceipt", json!([hash])).await, Value::Null);
    node.context.impersonation.clear();
    let stranger = node.refused("eth_sendTransaction", json!([{ "from": sender, "to": RECIPIENT }])).await;
    assert_eq!(stranger, (-32000, "unknown account".to_owned()));
}

#[tokio::test]
async fn a_signed_transaction_can_be_sent_raw() {
    let node = Node::start(Mining::Manual);
    let legacy = json!([{ "from": signer(2).address(), "to": RECIPIENT, "gasPrice": "0x12a05f200", "nonce": "0x0" }]);
    let signed = node.call("eth_signTransaction", legacy).await;
    assert_eq!((&signed["tx"]["type"], &signed["tx"]["chainId"]), (&json!("0x0"), &json!("0x7a69")));
    let hash = node.call("eth_sendRawTransaction", json!([signed["raw"]])).await;
    assert_eq!(hash, signed["tx"]["hash"]);
    let filled = node.call("eth_fillTransaction", json!([{ "from": signer(2).address(), "to": RECIPIENT }])).await;
    assert_eq!((&filled["tx"]["nonce"], &filled["tx"]["gas"]), (&json!("0x1"), &json!("0x5208")));
}

#[tokio::test]
async fn a_raw_transaction_can_be_waited_for() {
    let node = Node::start(Mining::Auto);
    let request = json!([{ "from": signer(1).address(), "to": RECIPIENT }]);
    let raw = node.call("eth_signTransaction", request).await["raw"].take();
    let receipt = node.call("eth_sendRawTransactionSync", json!([raw])).await;
    assert_eq!(receipt["status"], "0x1");
    let manual = Node::start(Mining::Manual);
    let error = manual.try_call("eth_sendRawTransactionSync", json!([raw, 50])).await.unwrap_err();
    assert_eq!((&error["code"], &error["data"]), (&json!(4), &receipt["transactionHash"]));
}

#[tokio::test]
async fn signatures_recover_to_their_account() {
    let node = Node::start(Mining::Manual);
    let account = signer(3).address();
    let signature = |value: Value| {
        let bytes = hex::decode(value.as_str().unwrap()).unwrap();
        Signature::from_raw(&bytes).unwrap()
    };
    let signed = signature(node.call("eth_sign", json!([account, "0x68656c6c6f"])).await);
    assert_eq!(signed.recover_address_from_msg("hello").unwrap(), account);
    let personal = signature(node.call("personal_sign", json!(["0x68656c6c6f", account])).await);
    assert_eq!(personal, signed);
    let typed = json!({
        "types": { "EIP712Domain": [{ "name": "name", "type": "string" }], "Note": [{ "name": "text", "type": "string" }] },
        "primaryType": "Note", "domain": { "name": "test" }, "message": { "text": "hello" },
    });
    let object = node.call("eth_signTypedData_v4", json!([account, typed])).await;
    let text = node.call("eth_signTypedData_v4", json!([account, typed.to_string()])).await;
    assert_eq!(object, text);
    let data: alloy_dyn_abi::TypedData = serde_json::from_value(typed).unwrap();
    let recovered: Address =
        signature(object).recover_address_from_prehash(&data.eip712_signing_hash().unwrap()).unwrap();
    assert_eq!(recovered, account);
}
