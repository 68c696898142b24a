//! The server: one task that reads a connection, one that answers it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use alloy_primitives::B256;
use braid_types::limits::{MAX_INGEST_BATCH, MAX_INGEST_BATCH_SIZE_BYTES, MAX_INGEST_CONNECTIONS};
use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use crate::wire::{self, Answer, HELLO_SIZE_BYTES, Refusal};

/// Bytes that are asked of a socket at once.
const READ_SIZE_BYTES: usize = 64 * 1024;

/// Where transactions go.
pub trait Submit: Send + Sync + 'static {
    /// Takes a batch of EIP-2718 envelopes in order, and says of each what became of it. Blocks; called from a thread where it may.
    fn submit(&self, envelopes: &[Bytes]) -> Vec<Result<B256, Refusal>>;
}

/// How to serve.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// EIP-155 chain id, which clients are told.
    pub chain_id: u64,
    /// How long a client may take for its greeting, for the rest of an envelope that it began, and to read an answer.
    pub patience: Duration,
    /// How long a connection may be silent.
    pub idle: Duration,
}

impl Settings {
    /// What nodes use.
    pub const fn new(chain_id: u64) -> Self {
        Self { chain_id, patience: Duration::from_secs(30), idle: Duration::from_secs(600) }
    }
}

/// A server that runs until it is stopped.
#[derive(Debug)]
pub struct ServerHandle {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    server: tokio::task::JoinHandle<()>,
}

impl ServerHandle {
    /// Where it listens.
    pub const fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more transactions, answers those that it took, and ends.
    pub async fn stop(self) {
        // Nobody listens if the server has ended by itself.
        let _ = self.stop.send(true);
        let _ = self.server.await;
    }
}

/// Serves on an address.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(address: SocketAddr, settings: Settings, target: Arc<dyn Submit>) -> io::Result<ServerHandle> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(accept(listener, settings, target, stopped));
    Ok(ServerHandle { address, stop, server })
}

async fn accept(
    listener: TcpListener,
    settings: Settings,
    target: Arc<dyn Submit>,
    mut stopped: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(MAX_INGEST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // The process has no file descriptor left, or the client has gone again.
                    tracing::warn!(%error, "failed to accept an ingest connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = stopped.changed() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let (target, stopped) = (Arc::clone(&target), stopped.clone());
        match Arc::clone(&room).try_acquire_owned() {
            Ok(place) => {
                connections.spawn(async move {
                    let ended = connection(stream, settings, target, stopped).await;
                    tracing::debug!(?ended, "an ingest connection ended");
                    drop(place);
                });
            }
            Err(_) => {
                connections.spawn(refuse(stream, settings));
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Says that there are too many connections.
async fn refuse(mut stream: TcpStream, settings: Settings) {
    let mut out = wire::welcome(settings.chain_id).to_vec();
    wire::put_answer(&mut out, &Answer::Closing(format!("more than {MAX_INGEST_CONNECTIONS} connections")));
    // A client that does not read it is not waited for.
    let _ = timeout(Duration::from_secs(1), stream.write_all(&out)).await;
}

async fn connection(
    mut stream: TcpStream,
    settings: Settings,
    target: Arc<dyn Submit>,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut hello = [0; HELLO_SIZE_BYTES];
    timeout(settings.patience, stream.read_exact(&mut hello)).await??;
    let checked = wire::check_hello(hello);
    let (incoming, outgoing) = stream.into_split();
    let mut answering = Answering { outgoing, patience: settings.patience };
    answering.write(&wire::welcome(settings.chain_id)).await?;
    if let Err(error) = checked {
        return answering.close(&error.to_string()).await;
    }
    // One batch is worked on, one is ready, one is gathered.
    let (batches, ready) = mpsc::channel(1);
    let reader = tokio::spawn(read(incoming, batches, settings, stopped));
    let answered = answering.answer(ready, target).await;
    // Nothing that it reads would be answered any more.
    reader.abort();
    answered
}

/// What a reader hands on.
#[derive(Debug)]
enum Incoming {
    Batch(Vec<Bytes>),
    /// Nothing more will come, and the client is to be told why.
    Closing(String),
}

/// Gathers what arrives into batches until the client ends, says what is no request, or is silent too long.
async fn read(
    mut incoming: OwnedReadHalf,
    batches: mpsc::Sender<Incoming>,
    settings: Settings,
    mut stopped: watch::Receiver<bool>,
) {
    let mut gathered = Gathered::default();
    let closing = loop {
        gathered.arrived.reserve(READ_SIZE_BYTES);
        let patience = if gathered.arrived.is_empty() { settings.idle } else { settings.patience };
        tokio::select! {
            // What has arrived already goes into the same batch.
            biased;
            _ = stopped.changed() => break Some("the server stops".to_owned()),
            read = timeout(patience, incoming.read_buf(&mut gathered.arrived)), if gathered.has_room() => match read {
                Ok(Ok(1..)) => {
                    if let Err(error) = gathered.take() {
                        break Some(error.to_string());
                    }
                }
                // The client has sent everything, or is gone.
                Ok(Ok(0) | Err(_)) => break None,
                Err(_) => break Some(format!("nothing came for {} s", patience.as_secs())),
            },
            place = batches.reserve(), if !gathered.batch.is_empty() => {
                let Ok(place) = place else { return };
                place.send(Incoming::Batch(gathered.hand_over()));
            }
        }
    };
    if !gathered.batch.is_empty() && batches.send(Incoming::Batch(gathered.hand_over())).await.is_err() {
        return;
    }
    if let Some(reason) = closing {
        // The other task may have ended with the connection.
        let _ = batches.send(Incoming::Closing(reason)).await;
    }
}

/// What has arrived and was not handed on.
#[derive(Debug, Default)]
struct Gathered {
    arrived: BytesMut,
    batch: Vec<Bytes>,
    size_bytes: usize,
}

impl Gathered {
    fn has_room(&self) -> bool {
        self.batch.len() < MAX_INGEST_BATCH && self.size_bytes < MAX_INGEST_BATCH_SIZE_BYTES
    }

    /// Takes complete envelopes out of what has arrived, as far as there is room.
    fn take(&mut self) -> Result<(), wire::WireError> {
        while self.has_room() {
            let Some(envelope) = wire::take_request(&mut self.arrived)? else { break };
            self.size_bytes += envelope.len();
            self.batch.push(envelope);
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Vec<Bytes> {
        self.size_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        // What had no room goes into the next; an error in it is found with the next bytes.
        let _ = self.take();
        batch
    }
}

/// The half of a connection that answers.
#[derive(Debug)]
struct Answering {
    outgoing: OwnedWriteHalf,
    patience: Duration,
}

impl Answering {
    async fn answer(mut self, mut ready: mpsc::Receiver<Incoming>, target: Arc<dyn Submit>) -> io::Result<()> {
        let mut out = Vec::new();
        while let Some(incoming) = ready.recv().await {
            let batch = match incoming {
                Incoming::Batch(batch) => batch,
                Incoming::Closing(reason) => return self.close(&reason).await,
            };
            let target = Arc::clone(&target);
            let submitted = tokio::task::spawn_blocking(move || target.submit(&batch)).await;
            let Ok(results) = submitted else { return self.close("the node failed").await };
            out.clear();
            for result in results {
                wire::put_answer(&mut out, &result.into());
            }
            self.write(&out).await?;
        }
        self.outgoing.shutdown().await
    }

    async fn close(mut self, reason: &str) -> io::Result<()> {
        let mut out = Vec::new();
        wire::put_answer(&mut out, &Answer::Closing(reason.to_owned()));
        self.write(&out).await?;
        self.outgoing.shutdown().await
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(self.patience, self.outgoing.write_all(bytes)).await?
    }
}
