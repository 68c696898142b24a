//! The load against what others decode: signatures, nonces, lanes, and the token's code.

use std::num::NonZeroUsize;

use alloy_consensus::{Transaction as _, TxEnvelope, transaction::SignerRecoverable as _};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, Bytes, keccak256};
use braid_ingest::wire;
use bytes::BytesMut;
use serde_json::Value;

use super::{
    LoadArgs,
    keys::Signer,
    setup::{self, Stage},
    workload::{self, Workload},
};

fn args(workload: Workload, txs: usize, accounts: usize, conns: usize) -> LoadArgs {
    let count = |n| NonZeroUsize::new(n).unwrap();
    LoadArgs {
        rpc: vec![String::new()],
        ingest: Vec::new(),
        workload,
        txs: count(txs),
        accounts: count(accounts),
        batch: count(7),
        conns: count(conns),
        mnemonic: String::new(),
        seed: 5,
        rate: None,
        late_receipts: false,
        timeout: 1,
        pid: None,
        burst: None,
        soak: false,
        seconds: 5,
        max_memory: None,
        max_growth: 6_144,
        json: false,
    }
}

fn stage(args: &LoadArgs) -> Stage {
    let signer = Signer::new();
    let senders = signer.senders(args.seed, args.accounts.get()).unwrap();
    let nonces = (0..senders.len() as u64).map(|at| at * 10).collect();
    let token = (args.workload != Workload::Transfer).then_some(Address::repeat_byte(9));
    Stage { signer, chain_id: 31_337, node: String::new(), senders, nonces, token, max_fee: 100 }
}

/// The transactions of a request body, in order.
fn decode(body: &[u8]) -> Vec<TxEnvelope> {
    let calls: Vec<Value> = serde_json::from_slice(body).unwrap();
    let raw = |call: &Value| call["params"][0].as_str().unwrap().parse::<Bytes>().unwrap();
    calls.iter().map(|call| TxEnvelope::decode_2718_exact(&raw(call)).unwrap()).collect()
}

#[test]
fn every_sender_has_its_nonces_in_order_on_one_connection() {
    let args = args(Workload::Erc20, 103, 10, 3);
    let stage = stage(&args);
    let load = workload::sign(&stage, &args);
    let mut next = stage.nonces.clone();
    let mut hashes = Vec::new();
    let mut connections_of = vec![Vec::new(); stage.senders.len()];
    for (connection, batches) in load.batches.iter().enumerate() {
        for batch in batches {
            assert!(batch.transactions.len() <= 7);
            for (transaction, &k) in decode(&batch.body).iter().zip(&batch.transactions) {
                let signer = transaction.recover_signer().unwrap();
                let at = stage.senders.iter().position(|key| key.address == signer).unwrap();
                assert_eq!(transaction.nonce(), next[at]);
                assert_eq!(*transaction.tx_hash(), load.hashes[k]);
                next[at] += 1;
                connections_of[at].push(connection);
                hashes.push(load.hashes[k]);
            }
        }
    }
    assert!(connections_of.iter().all(|connections| connections.iter().all(|one| *one == connections[0])));
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 103);
}

#[test]
fn binary_batches_hold_the_same_transactions() {
    let json = args(Workload::Erc20, 20, 5, 2);
    let binary = LoadArgs { ingest: vec![([127, 0, 0, 1], 1).into()], ..args(Workload::Erc20, 20, 5, 2) };
    let stage = stage(&json);
    let load = workload::sign(&stage, &binary);
    for (json, binary) in workload::sign(&stage, &json).batches.iter().flatten().zip(load.batches.iter().flatten()) {
        let mut arrived = BytesMut::from(&binary.body[..]);
        let envelopes: Vec<_> = std::iter::from_fn(|| wire::take_request(&mut arrived).unwrap()).collect();
        let found: Vec<_> = envelopes.iter().map(|bytes| TxEnvelope::decode_2718_exact(bytes).unwrap()).collect();
        assert_eq!(found, decode(&json.body));
        assert_eq!(binary.transactions, json.transactions);
    }
}

#[test]
fn a_part_of_a_batch_holds_the_transactions_asked_for() {
    for ingest in [Vec::new(), vec![([127, 0, 0, 1], 1).into()]] {
        let args = LoadArgs { ingest, ..args(Workload::Transfer, 7, 7, 1) };
        let whole = workload::sign(&stage(&args), &args).batches.remove(0).remove(0);
        let part = whole.only(&[1, 4]).only(&[0, 1]);
        assert_eq!(part.transactions, [1, 4]);
        if args.ingest.is_empty() {
            let all = decode(&whole.body);
            assert_eq!(decode(&part.body), [all[1].clone(), all[4].clone()]);
        } else {
            assert_eq!(part.body.len() * 7, whole.body.len() * 2);
        }
    }
}

#[test]
fn workloads_pay_whom_they_say() {
    for (workload, is_call, recipients) in
        [(Workload::Transfer, false, 2..=10), (Workload::Erc20, true, 2..=10), (Workload::Erc20Hot, true, 1..=1)]
    {
        let args = args(workload, 50, 10, 1);
        let load = workload::sign(&stage(&args), &args);
        let transactions: Vec<_> = load.batches[0].iter().flat_map(|batch| decode(&batch.body)).collect();
        let recipient = |transaction: &TxEnvelope| match is_call {
            true => Address::from_slice(&transaction.input()[16..36]),
            false => transaction.to().unwrap(),
        };
        assert!(transactions.iter().all(|transaction| transaction.input().is_empty() != is_call));
        let mut all: Vec<_> = transactions.iter().map(recipient).collect();
        all.sort_unstable();
        all.dedup();
        assert!(recipients.contains(&all.len()), "{workload:?} pays {} recipients", all.len());
    }
}

#[test]
fn the_token_is_the_published_one() {
    // Keccak-256 of the creation code in @openzeppelin/contracts 4.9.6; tests/bench/check-token compares the file itself.
    let expected = "0x26bb3705c8d96b17d5af31ff5a3f954709ea3b98df9d3325d2905a77e59814e7";
    assert_eq!(keccak256(setup::token_code().unwrap()).to_string(), expected);
}
