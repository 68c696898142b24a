//! Clients and the server over real sockets.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use alloy_primitives::{B256, keccak256};
use braid_ingest::{
    Client, ClientError, ServerHandle, Settings, Submit, serve,
    wire::{self, Refusal},
};
use braid_types::limits::{MAX_INGEST_BATCH, MAX_INGEST_BATCH_SIZE_BYTES, MAX_INGEST_CONNECTIONS};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const CHAIN_ID: u64 = 31_337;
/// More than any machine needs.
const LONG: Duration = Duration::from_secs(120);

/// Takes every envelope but those that begin with 0xff, and notes the largest batch.
#[derive(Debug, Default)]
struct Hasher {
    largest: AtomicUsize,
    bytes: AtomicUsize,
}

impl Submit for Hasher {
    fn submit(&self, envelopes: &[Bytes]) -> Vec<Result<B256, Refusal>> {
        self.largest.fetch_max(envelopes.len(), Ordering::SeqCst);
        self.bytes.fetch_max(envelopes.iter().map(Bytes::len).sum(), Ordering::SeqCst);
        envelopes.iter().map(|envelope| answer(envelope)).collect()
    }
}

fn answer(envelope: &[u8]) -> Result<B256, Refusal> {
    match envelope {
        [0xff, ..] => Err(Refusal { code: -32_000, reason: "no transaction".to_owned() }),
        _ => Ok(keccak256(envelope)),
    }
}

async fn start(target: Arc<dyn Submit>) -> ServerHandle {
    start_with(Settings::new(CHAIN_ID), target).await
}

async fn start_with(settings: Settings, target: Arc<dyn Submit>) -> ServerHandle {
    serve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), settings, target).await.unwrap()
}

fn envelopes(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|k| [if k % 7 == 3 { 0xff } else { 2 }, 0, 0].iter().copied().chain(k.to_be_bytes()).collect())
        .collect()
}

#[tokio::test]
async fn every_envelope_has_its_answer_in_order() {
    let target = Arc::new(Hasher::default());
    let server = start(Arc::clone(&target) as _).await;
    let address = server.local_address();
    let clients = (0..4).map(|_| async move {
        let mut client = Client::connect(address).await.unwrap();
        assert_eq!(client.chain_id(), CHAIN_ID);
        for count in [1, 0, 20_000, 3] {
            let sent = envelopes(count);
            let answers = client.submit(&sent).await.unwrap();
            assert_eq!(answers, sent.iter().map(|envelope| answer(envelope)).collect::<Vec<_>>());
        }
    });
    let tasks: Vec<_> = clients.map(tokio::spawn).collect();
    for task in tasks {
        timeout(LONG, task).await.unwrap().unwrap();
    }
    assert!(target.largest.load(Ordering::SeqCst) <= MAX_INGEST_BATCH);
    server.stop().await;
    assert!(Client::connect(address).await.is_err());
}

#[tokio::test]
async fn batches_of_large_envelopes_are_bounded() {
    let target = Arc::new(Hasher::default());
    let server = start(Arc::clone(&target) as _).await;
    let mut client = Client::connect(server.local_address()).await.unwrap();
    let large = vec![2; 1_000_000];
    let answers = timeout(LONG, client.submit(vec![&large; 12])).await.unwrap().unwrap();
    assert_eq!(answers, vec![Ok(keccak256(&large)); 12]);
    // One more was begun when the last byte of room was taken.
    assert!(target.bytes.load(Ordering::SeqCst) < MAX_INGEST_BATCH_SIZE_BYTES + large.len());
    server.stop().await;
}

#[tokio::test]
async fn bytes_may_come_one_by_one() {
    let server = start(Arc::new(Hasher::default())).await;
    let mut stream = TcpStream::connect(server.local_address()).await.unwrap();
    let mut bytes = wire::hello().to_vec();
    wire::put_request(&mut bytes, &[2, 9]).unwrap();
    for byte in bytes {
        stream.write_all(&[byte]).await.unwrap();
        stream.flush().await.unwrap();
    }
    stream.shutdown().await.unwrap();
    let mut answered = Vec::new();
    timeout(LONG, stream.read_to_end(&mut answered)).await.unwrap().unwrap();
    let mut expected = wire::welcome(CHAIN_ID).to_vec();
    wire::put_answer(&mut expected, &Ok(keccak256([2, 9])).into());
    assert_eq!(answered, expected);
    server.stop().await;
}

/// What the server says to somebody who sends these bytes and then waits.
async fn closing(server: &ServerHandle, bytes: &[u8]) -> Vec<wire::Answer> {
    let mut stream = TcpStream::connect(server.local_address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answered = Vec::new();
    timeout(LONG, stream.read_to_end(&mut answered)).await.unwrap().unwrap();
    let (welcome, answers) = answered.split_at(wire::WELCOME_SIZE_BYTES);
    assert_eq!(welcome, wire::welcome(CHAIN_ID));
    let mut arrived = answers.into();
    std::iter::from_fn(|| wire::take_answer(&mut arrived).unwrap()).collect()
}

fn says(reason: &str) -> wire::Answer {
    wire::Answer::Closing(reason.to_owned())
}

#[tokio::test]
async fn who_speaks_something_else_is_told() {
    let server = start(Arc::new(Hasher::default())).await;
    let told = closing(&server, b"POST / HTTP/1.1\r\n\r\n").await;
    assert_eq!(told, [says("the other side does not speak this protocol")]);
    assert_eq!(closing(&server, b"BRDI\x07").await, [says("version 7 is not known here, but 1 is")]);
    // What came before is answered.
    let mut bytes = wire::hello().to_vec();
    wire::put_request(&mut bytes, &[2, 9]).unwrap();
    bytes.extend(u32::MAX.to_be_bytes());
    let told = closing(&server, &bytes).await;
    let limit = wire::MAX_ENVELOPE_SIZE_BYTES;
    let reason = format!("an envelope of 4294967295 bytes; the limit is {limit}");
    assert_eq!(told, [wire::Answer::Accepted(keccak256([2, 9])), says(&reason)]);
    server.stop().await;
}

#[tokio::test]
async fn who_says_nothing_is_let_go() {
    let settings = Settings { idle: Duration::from_millis(50), ..Settings::new(CHAIN_ID) };
    let server = start_with(settings, Arc::new(Hasher::default())).await;
    assert_eq!(closing(&server, &wire::hello()).await, [says("nothing came for 0 s")]);
    server.stop().await;
}

#[tokio::test]
async fn connections_are_bounded_and_come_free_again() {
    let server = start(Arc::new(Hasher::default())).await;
    let address = server.local_address();
    let mut clients = Vec::new();
    for _ in 0..MAX_INGEST_CONNECTIONS {
        clients.push(Client::connect(address).await.unwrap());
    }
    let mut one_more = Client::connect(address).await.unwrap();
    let error = timeout(LONG, one_more.submit([[2]])).await.unwrap().unwrap_err();
    // The server may have closed the connection before the request went out.
    assert!(matches!(error, ClientError::Closed(_) | ClientError::Io(_)), "{error}");
    assert_eq!(clients[0].submit([[2]]).await.unwrap(), [Ok(keccak256([2]))]);
    clients.clear();
    timeout(LONG, async { while Client::connect(address).await.unwrap().submit([[2]]).await.is_err() {} })
        .await
        .unwrap();
    server.stop().await;
}

/// Answers when it is let.
#[derive(Debug)]
struct Slow(Mutex<mpsc::Receiver<()>>);

impl Submit for Slow {
    fn submit(&self, envelopes: &[Bytes]) -> Vec<Result<B256, Refusal>> {
        // An error says that the test is over.
        let _ = self.0.lock().unwrap().recv();
        envelopes.iter().map(|envelope| answer(envelope)).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_too_slow_stops_reading() {
    let (let_go, wait) = mpsc::channel();
    let server = start(Arc::new(Slow(Mutex::new(wait)))).await;
    let mut client = Client::connect(server.local_address()).await.unwrap();
    // 64 MiB, more than the buffers of sockets and server hold.
    let large = vec![2; 1 << 20];
    let mut sending = Box::pin(client.submit(vec![&large; 64]));
    assert!(timeout(Duration::from_millis(500), &mut sending).await.is_err());
    drop(let_go);
    assert_eq!(timeout(LONG, sending).await.unwrap().unwrap().len(), 64);
    server.stop().await;
}

#[tokio::test]
async fn who_is_connected_when_the_server_stops_is_told() {
    let server = start(Arc::new(Hasher::default())).await;
    let mut client = Client::connect(server.local_address()).await.unwrap();
    assert_eq!(client.submit([[2]]).await.unwrap().len(), 1);
    server.stop().await;
    let error = client.submit([[2]]).await.unwrap_err();
    assert!(matches!(error, ClientError::Closed(ref reason) if reason == "the server stops"), "{error}");
}
