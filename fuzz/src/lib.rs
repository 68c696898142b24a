//! What is fuzzed: everything that reads bytes from outside, and byte code under the parallel executor, each as one function
//! from bytes to nothing.
//!
//! A function returns for any input whatever; it panics where a promise is broken: where what was decoded does not encode to
//! the same (two encodings of one transaction would be two hashes of it), or where the server answers with an internal
//! error. libFuzzer drives them from `fuzz_targets/`, and `bin/braid/tests/fuzz.rs`, which
//! includes this file, with mutated samples on every `cargo test`.

use alloy_consensus::{EthereumTxEnvelope, TxEip4844WithSidecar};
use alloy_eips::{
    eip2718::{Decodable2718, Encodable2718},
    eip7594::BlobTransactionSidecarVariant,
};
use alloy_genesis::Genesis;
use alloy_rlp::{Decodable, Encodable};
use braid_exec::access_list;
use braid_light::{Bundle, Certified, Dissemination, LightClient};
use braid_types::{ChainSpec, Transaction};

mod execution;
pub mod node;

pub use execution::{execution, programs};
pub use node::Node;

type RlpBlock = alloy_consensus::Block<Transaction>;
type WithSidecar = EthereumTxEnvelope<TxEip4844WithSidecar<BlobTransactionSidecarVariant>>;

/// A signed transaction, as `eth_sendRawTransaction` takes it.
pub fn transaction(bytes: &[u8]) {
    let Ok(submission) = braid_rpc::submit::decode_bytes(bytes) else { return };
    let transaction = submission.transaction.inner();
    // A blob transaction arrives with its sidecar, which the transaction itself is kept without.
    if submission.sidecar.is_some() {
        let full = WithSidecar::decode_2718_exact(bytes).expect("what was decoded once decodes again");
        assert_eq!(full.encoded_2718(), bytes, "a transaction has one encoding");
        assert_eq!(full.tx_hash(), transaction.tx_hash(), "the sidecar is no part of the hash");
        return;
    }
    assert_eq!(transaction.encoded_2718(), bytes, "a transaction has one encoding");
}

/// A block, as import files and `debug_traceBlock` hold it. alloy does not compare the length of the string around a typed
/// transaction with the transaction in it, so a block may have a second spelling; what it means must not depend on that.
pub fn block(bytes: &[u8]) {
    let Ok(block) = RlpBlock::decode(&mut &bytes[..]) else { return };
    let mut encoded = Vec::new();
    block.encode(&mut encoded);
    let again = RlpBlock::decode(&mut &encoded[..]).expect("what was encoded decodes");
    assert_eq!(again, block, "a block survives its encoding");
    assert_eq!(again.header.hash_slow(), block.header.hash_slow(), "and keeps its hash");
}

/// Transactions and gas limit of the block whose access list is fuzzed.
const LISTED: (usize, u64) = (8, 30_000_000);

/// The access list of a block (EIP-7928), decoded and read.
pub fn access_list(bytes: &[u8]) {
    let (transactions, gas_limit) = LISTED;
    let Ok(list) = access_list::decode(bytes, transactions, gas_limit) else { return };
    assert_eq!(&access_list::encode(&list)[..], bytes, "a list has one encoding");
    assert_eq!(access_list::first_difference(&list, &list), None, "a list is itself");
    let after = access_list::index_after(transactions + 1);
    let given = access_list::GivenState::new(&list);
    for account in &list {
        let info = given.account(account.address, after);
        assert_eq!((info.balance, info.nonce), (account.balance_post_state(), account.nonce_post_state()));
        assert_eq!(info.code_hash, account.code_hash_post_state());
        for (slot, value) in account.storage_post_states() {
            assert_eq!(given.slot(account.address, slot, after), Some(value));
        }
    }
}

/// The payload of a record of the block log.
pub fn record(bytes: &[u8]) {
    let (first, second) = (braid_state::codec::decode_record(bytes), braid_state::codec::decode_record(bytes));
    assert_eq!(first.ok(), second.ok(), "decoding has one result");
}

/// A JSON-RPC request, any text.
pub fn request(node: &Node, bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        node.request(text);
    }
}

/// What arrives at either side of the binary ingest. What decodes is encoded again as it was.
pub fn ingest(bytes: &[u8]) {
    let mut arrived = bytes::BytesMut::from(bytes);
    while let Ok(Some(envelope)) = braid_ingest::wire::take_request(&mut arrived) {
        let mut again = Vec::new();
        braid_ingest::wire::put_request(&mut again, &envelope).expect("it was a request");
        assert_eq!(again[4..], envelope[..]);
    }
    let mut arrived = bytes::BytesMut::from(bytes);
    loop {
        let before = arrived.clone();
        let Ok(Some(answer)) = braid_ingest::wire::take_answer(&mut arrived) else { break };
        let mut again = Vec::new();
        braid_ingest::wire::put_answer(&mut again, &answer);
        assert_eq!(again[..], before[..again.len()]);
        assert_eq!(before.len() - again.len(), arrived.len());
    }
}

/// A genesis in geth's format: read, understood, and turned into block 0.
pub fn genesis(bytes: &[u8]) {
    let Ok(genesis) = serde_json::from_slice::<Genesis>(bytes) else { return };
    let Ok(spec) = ChainSpec::from_config(&genesis.config) else { return };
    let Ok((block, changes, state)) = braid_chain::genesis_block(&genesis, &spec) else { return };
    assert_eq!(block.header.state_root, state.root(), "the header has the state's root");
    assert_eq!(braid_state::State::empty().apply(&changes).root(), state.root(), "the changes make the state");
}

/// What the light client of the fuzzed proofs trusts, and two proofs that it believes: of an account and of a receipt.
const LIGHT: [&str; 3] = [
    include_str!("../../crates/light/fixtures/client.json"),
    include_str!("../../crates/light/fixtures/account.json"),
    include_str!("../../crates/light/fixtures/receipt.json"),
];

/// A proof for a light client, as its file has it, and the parts of it that consensus encodes.
pub fn proof(bytes: &[u8]) {
    let client: LightClient = serde_json::from_str(LIGHT[0]).expect("the client is in the repository");
    if let Ok(bundle) = serde_json::from_slice::<Bundle>(bytes)
        && let Ok(proved) = bundle.verify(&client)
    {
        let known =
            |sample: &str| serde_json::from_str::<Bundle>(sample).is_ok_and(|known| known.finality == bundle.finality);
        assert!(LIGHT[1..].iter().any(|sample| known(sample)), "nobody can make a certificate");
        assert_eq!(proved.header.number, proved.ordered.execution.height, "the header is the one committed to");
    }
    for dissemination in [Dissemination::Whole, Dissemination::Coded] {
        if let Ok(certified) = Certified::decode(bytes, dissemination) {
            assert!(!certified.headers().is_empty(), "a certificate is about a header");
            assert!(
                client.finalized(bytes).is_err() || proofs().contains(&bytes.to_vec()),
                "nobody can make a certificate"
            );
        }
    }
}

/// Proofs that are believed, for mutation: two files, and the encoded certificates in them.
pub fn proofs() -> Vec<Vec<u8>> {
    let bundles = LIGHT[1..].iter().map(|sample| serde_json::from_str::<Bundle>(sample).expect("a proof"));
    let encoded =
        bundles.flat_map(|bundle| bundle.epochs.into_iter().chain([bundle.finality])).map(|bytes| bytes.to_vec());
    LIGHT[1..].iter().map(|sample| sample.as_bytes().to_vec()).chain(encoded).collect()
}

/// An ordered block, or a finality certificate, as validators send them to each other.
pub fn ordered_block(bytes: &[u8]) {
    braid_consensus::fuzz::block(bytes);
    braid_consensus::fuzz::certified(bytes);
}

/// What nodes ask each other for when one joins, and what they answer; and the chunks and manifests in it.
pub fn state_sync(bytes: &[u8]) {
    braid_consensus::fuzz::sync(bytes);
    let chunk = || braid_state::codec::is_chunk(bytes);
    assert_eq!(chunk(), chunk(), "decoding has one result");
    let _ = braid_state::Manifest::decode(bytes);
}

/// Messages of state sync for mutation: every question, and answers with the certificates of [`proofs`] in them.
pub fn sync_messages() -> Vec<Vec<u8>> {
    let number = 7u64.to_be_bytes();
    let tagged = |kind: u8, body: &[u8]| [&[kind][..], &number, body].concat();
    let height = 5u64.to_be_bytes();
    let questions = [vec![0], [&[1][..], &height].concat(), [&[2][..], &height].concat()];
    let longer = [[&[3][..], &height, &[0; 4]].concat(), [&[4][..], &height, &[0x11; 64]].concat()];
    let plain = [vec![0], [&[1, 1][..], &height, &[0, 0, 1, 0]].concat(), vec![4, 3, 1, 2, 3], vec![5, 2, 1, 2]];
    let certified: Vec<_> = proofs().into_iter().filter(|proof| proof.first() != Some(&b'{')).collect();
    let ends = certified.iter().map(|end| [&[3, 1][..], end].concat());
    let evidence = certified.iter().map(|proof| [&[2][..], proof, proof].concat());
    let asked = questions.into_iter().chain(longer).map(|question| tagged(0, &question));
    asked.chain(plain.into_iter().chain(ends).chain(evidence).map(|answer| tagged(1, &answer))).collect()
}

/// A request to the calculator of micro-loans.
pub fn microloan(bytes: &[u8]) {
    let _ = braid_microloans_calculator::apr(bytes);
    let Ok(answer) = braid_microloans_calculator::schedule(bytes) else { return };
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("answers are JSON");
    let lines = answer["instalments"].as_array().expect("a schedule has lines");
    let text = |line: &serde_json::Value, key: &str| line[key].as_str().expect("amounts are strings").to_owned();
    let is_nothing = |amount: &str| amount.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    assert!(lines.last().is_some_and(|line| is_nothing(&text(line, "balance"))), "the last instalment leaves nothing");
    for line in lines {
        for key in ["principal", "interest", "fees", "penalties", "total", "balance"] {
            assert!(!text(line, key).starts_with('-'), "no instalment asks for less than nothing");
        }
    }
}

/// A callback of a provider of mobile money, and a statement: the first byte chooses the provider and the route.
pub fn mobile_money(bytes: &[u8]) {
    use braid_microloans_rails::{
        foreign,
        port::{Delivery, Event, Provider, Route, Span, State},
    };
    let Some((first, body)) = bytes.split_first() else { return };
    let (provider, code) = if first.is_multiple_of(2) { (Provider::Daraja, "KES") } else { (Provider::MtnMomo, "GHS") };
    let currency = code.parse().expect("a currency");
    let route = Route::ALL[usize::from(first / 2) % Route::ALL.len()];
    match foreign::read_callback(provider, Delivery { route, body }, currency) {
        Ok(Event::Result { state: State::Completed(completion), .. }) => {
            assert!(completion.receipt.is_some(), "a callback of what happened has a receipt");
            assert!(completion.amount.is_none_or(|amount| amount.minor > 0), "money that moved is more than nothing");
        }
        Ok(Event::Deposit(deposit) | Event::Validation(deposit)) => {
            assert!(deposit.amount.minor > 0, "a deposit is more than nothing");
        }
        Ok(Event::Result { .. }) | Err(_) => {}
    }
    let bound = |text: &str| text.parse().expect("a time");
    let span = Span { from: bound("2000-01-01T00:00:00Z"), to: bound("2100-01-01T00:00:00Z") };
    for line in foreign::read_statement(provider, body, currency, span).into_iter().flatten() {
        assert!(line.amount.minor > 0 && !line.receipt.is_empty(), "a movement has an amount and a receipt");
    }
}
