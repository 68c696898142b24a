//! A short fuzzing run on every `cargo test`: the functions that libFuzzer drives (`fuzz/src/lib.rs`), fed with mutations of
//! real transactions, blocks, log records, genesis files and requests, and of programs.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use alloy_primitives::B256;
use braid_ingest::wire;
use proptest::{prelude::*, sample::Index, test_runner::Config};
use serde_json::{Value, json};

#[expect(unreachable_pub, reason = "a library for libFuzzer, a module here")]
#[path = "../../../fuzz/src/lib.rs"]
mod targets;

use targets::Node;

/// One change of a sample. Positions are drawn before the length is known.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    Truncate(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    // Bytes at which RLP and JSON change their meaning are worth trying more often.
    let byte = prop_oneof![
        any::<u8>(),
        proptest::sample::select(&[0x00, 0x7f, 0x80, 0xb7, 0xb8, 0xbf, 0xc0, 0xf7, 0xf8, 0xff][..])
    ];
    prop_oneof![
        (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Mutation::Flip(at, 1 << bit)),
        (any::<Index>(), byte.clone()).prop_map(|(at, to)| Mutation::Set(at, to)),
        (any::<Index>(), proptest::collection::vec(byte, 1..9)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (any::<Index>(), 1..40usize).prop_map(|(at, count)| Mutation::Remove(at, count)),
        (any::<Index>(), 1..200usize).prop_map(|(at, count)| Mutation::Repeat(at, count)),
        any::<Index>().prop_map(Mutation::Truncate),
    ]
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |at: &Index, bytes: &Vec<u8>| at.index(bytes.len() + 1);
        match self {
            Self::Flip(at, bits) => {
                let at = place(at, bytes);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= bits);
            }
            Self::Set(at, to) => {
                let at = place(at, bytes);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte = *to);
            }
            Self::Insert(at, new) => {
                let at = place(at, bytes);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = place(at, bytes);
                bytes.drain(at..bytes.len().min(at + count));
            }
            Self::Repeat(at, count) => {
                let at = place(at, bytes);
                let part = bytes[at..bytes.len().min(at + count)].to_vec();
                bytes.splice(at..at, part);
            }
            Self::Truncate(at) => bytes.truncate(place(at, bytes)),
        }
    }
}

/// Runs `target` on every sample as it is, then on `cases` mutations of them.
fn run(samples: &[Vec<u8>], cases: u32, target: impl Fn(&[u8])) {
    assert!(!samples.is_empty());
    for sample in samples {
        target(sample);
    }
    let strategy = (proptest::sample::select(samples.to_vec()), proptest::collection::vec(mutation(), 1..6));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = proptest::test_runner::TestRunner::new(config).run(&strategy, |(mut bytes, mutations)| {
        for mutation in &mutations {
            mutation.apply(&mut bytes);
        }
        target(&bytes);
        Ok(())
    });
    result.unwrap();
}

#[test]
fn transactions() {
    run(&Node::start().transactions(), 30_000, targets::transaction);
}

#[test]
fn blocks() {
    run(&Node::start().blocks(), 30_000, targets::block);
}

#[test]
fn access_lists() {
    run(&Node::start().access_lists(), 30_000, targets::access_list);
}

#[test]
fn programs() {
    run(&targets::programs(), 1_000, targets::execution);
}

#[test]
fn log_records() {
    run(&Node::start().records(), 30_000, targets::record);
}

#[test]
fn light_proofs() {
    run(&targets::proofs(), 5_000, targets::proof);
}

#[test]
fn ordered_blocks_and_certificates() {
    run(&targets::proofs(), 5_000, targets::ordered_block);
}

#[test]
fn state_sync() {
    let messages = targets::sync_messages();
    run(&messages, 5_000, targets::state_sync);
    run(&Node::start().snapshot(), 10_000, targets::state_sync);
}

#[test]
fn loan_calculations() {
    let schedule = br#"{"principal":"100","currency":"USD","annual_rate_percent":"9.4822","method":"daily","day_count":"ACT/ACT",
        "disbursed":"2024-01-01","first_due":"2024-02-01","every":"1 month","instalments":6,"instalment_multiple":"1","grace_principal":1,
        "grace_interest":2,"disbursements":[{"date":"2024-02-15","amount":"50"}],"payments":[{"date":"2024-02-20","amount":"40.05"}],
        "advance":"reduce_count","as_of":"2024-03-15","fees":[{"percent":"1","when":"every_instalment"}],"late":{"amount":"2"}}"#;
    let flat = br#"{"principal":5000,"currency":"UGX","annual_rate_percent":"36","method":"flat","disbursed":"2024-01-31","every":"2 weeks",
        "instalments":12,"payments":[{"date":"2024-02-20","amount":"2000"},{"date":"2024-03-20","amount":"90"}],"advance":"next_instalment"}"#;
    let rate = br#"{"unit_periods_per_year":12,"advances":[{"t":0,"f":"0","amount":"6000"}],
        "payments":[{"t":1,"f":"19/30","amount":"200","count":36,"step":1}]}"#;
    let dates = br#"{"dates":[{"date":"1994-01-01","amount":"1000"},{"date":"1995-07-01","amount":"-1200"}]}"#;
    run(&[schedule.to_vec(), flat.to_vec(), rate.to_vec(), dates.to_vec()], 10_000, targets::microloan);
}

#[test]
fn ingest() {
    let mut requests = Vec::new();
    for envelope in [&[2; 1][..], &[0xf8; 110], &[3; 300]] {
        wire::put_request(&mut requests, envelope).unwrap();
    }
    let mut answers = Vec::new();
    let refusal = wire::Refusal { code: -32_000, reason: "nonce too low: next nonce 2, tx nonce 1".to_owned() };
    for answer in [Ok(B256::repeat_byte(7)), Err(refusal)] {
        wire::put_answer(&mut answers, &answer.into());
    }
    wire::put_answer(&mut answers, &wire::Answer::Closing("the server stops".to_owned()));
    run(&[requests, answers], 10_000, targets::ingest);
}

#[test]
fn mobile_money() {
    let payout = br#"{"Result":{"ResultType":0,"ResultCode":0,"OriginatorConversationID":"0e1c2d3e-4f50-4a6b-8c7d-9e8f7a6b5c4d","TransactionID":"NLJ41HAY6Q",
        "ResultParameters":{"ResultParameter":[{"Key":"TransactionAmount","Value":10},{"Key":"TransactionReceipt","Value":"NLJ41HAY6Q"},
        {"Key":"TransactionStatus","Value":"Completed"},{"Key":"ReceiptNo","Value":"NLJ41HAY6Q"},{"Key":"Amount","Value":"1,500.00"},
        {"Key":"TransactionCompletedDateTime","Value":"19.12.2019 11:45:50"}]}}}"#;
    let prompt = br#"{"Body":{"stkCallback":{"CheckoutRequestID":"ws_CO_1","ResultCode":0,"CallbackMetadata":{"Item":[{"Name":"Amount","Value":1.00},
        {"Name":"MpesaReceiptNumber","Value":"NLJ7RT61SV"},{"Name":"TransactionDate","Value":20191219102115}]}}}}"#;
    let deposit = br#"{"TransID":"RKTQDM7W6S","TransTime":"20191122063845","TransAmount":"10.00","BillRefNumber":"LN-1","MSISDN":"2547 ***** 126"}"#;
    let paid = br#"{"financialTransactionId":"23503452","externalId":"1","amount":"100.50","currency":"GHS","status":"SUCCESSFUL","reason":{"code":"X"}}"#;
    let csv = b"Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Reason Type,Linked Transaction ID,A/C No.\n\
        NLJ41HAY6Q,2019-12-19 11:45:50,,\"a, \"\"b\"\"\",Completed,,\"-1,500.00\",1.00,Business Payment,,\n";
    let list = br#"[{"transactionReference":"2","amount":"100.50","currency":"GHS","type":"disbursement","transactionStatus":"completed","modificationDate":"2026-03-01T12:00:00Z"}]"#;
    let bodies: [(&[u8], &[u8]); 6] =
        [(payout, &[0, 6, 8, 4]), (prompt, &[2]), (deposit, &[10, 12]), (paid, &[1, 3]), (csv, &[0]), (list, &[1])];
    let samples: Vec<Vec<u8>> =
        bodies.iter().flat_map(|(body, firsts)| firsts.iter().map(|first| [&[*first], *body].concat())).collect();
    run(&samples, 10_000, targets::mobile_money);
}

#[test]
fn genesis_files() {
    let genesis = serde_json::to_vec(&targets::node::genesis()).unwrap();
    let small = br#"{"config":{"chainId":1,"homesteadBlock":0,"londonBlock":5,"shanghaiTime":9},"difficulty":"0x1",
        "gasLimit":"0x5","alloc":{"0x00000000000000000000000000000000000000cc":{"balance":"0x1","storage":{"0x01":"0x02"}}}}"#;
    run(&[genesis, small.to_vec()], 5_000, targets::genesis);
}

/// Arguments worth giving to any method, wrong ones among them.
fn arguments(node: &Node) -> Vec<Value> {
    let block = node.call("eth_getBlockByNumber", &json!(["latest", true]));
    let transaction = &block["transactions"][0];
    let call = json!({ "from": transaction["from"], "to": transaction["to"], "value": "0x1", "data": "0x01020304" });
    let transactions = node.transactions();
    let raw = format!("0x{}", alloy_primitives::hex::encode(&transactions[0]));
    vec![
        json!("latest"),
        json!("pending"),
        json!("earliest"),
        json!("safe"),
        json!("0x1"),
        json!("0x0"),
        json!("0xffffffffffffffff"),
        json!("0x"),
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1e300),
        json!(""),
        json!([]),
        json!({}),
        json!([[]]),
        json!("0xzz"),
        block["hash"].clone(),
        transaction["hash"].clone(),
        transaction["from"].clone(),
        transaction["to"].clone(),
        transaction.clone(),
        call.clone(),
        json!({ "blockHash": block["hash"] }),
        json!({ "fromBlock": "0x0", "toBlock": "latest", "topics": [null, [null]] }),
        json!({ "tracer": "callTracer" }),
        json!({ "tracer": "prestateTracer", "tracerConfig": { "diffMode": true } }),
        json!({ "tracer": "4byteTracer" }),
        json!(["trace", "vmTrace", "stateDiff"]),
        json!([25, 50.5, 101]),
        json!(["0x0", "0x1"]),
        json!(raw),
        json!([call, ["trace"]]),
        json!({ "blockStateCalls": [{ "calls": [call], "blockOverrides": { "number": "0xffffffffffffffff" } }], "validation": true }),
        json!({ transaction["to"].as_str().unwrap(): { "balance": "0x1", "stateDiff": {}, "code": "0x5f5ffd" } }),
    ]
}

#[test]
fn requests() {
    let node = Node::start();
    let pool = arguments(&node);
    let methods = node.methods();
    assert!(methods.len() > 60, "{methods:?}");
    // Every method with every single argument and with none, then with random lists.
    let ask = |method: &str, params: &[Value]| {
        node.request(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string());
    };
    for method in &methods {
        ask(method, &[]);
        for argument in &pool {
            ask(method, std::slice::from_ref(argument));
        }
    }
    let lists = (proptest::sample::select(methods), proptest::collection::vec(proptest::sample::select(pool), 1..5));
    let config = Config { cases: 10_000, failure_persistence: None, ..Config::default() };
    let result = proptest::test_runner::TestRunner::new(config).run(&lists, |(method, params)| {
        ask(method, &params);
        Ok(())
    });
    result.unwrap();
}

#[test]
fn request_bodies() {
    let node = Node::start();
    let pool = arguments(&node);
    let request = |method: &str, params: Value| {
        json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string().into_bytes()
    };
    let samples = [
        request("eth_call", json!([pool[23], "latest", pool.last()])),
        request("eth_getLogs", json!([pool[25]])),
        request("debug_traceTransaction", json!([pool[19], pool[26]])),
        request("eth_simulateV1", json!([pool[34], "latest"])),
        request("eth_sendRawTransaction", json!([pool[32]])),
        request("eth_getProof", json!([pool[21], ["0x0"], "latest"])),
        request("eth_feeHistory", json!(["0x4", "latest", [25, 75]])),
    ];
    run(&samples, 10_000, |bytes| targets::request(&node, bytes));
}
