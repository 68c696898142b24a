//! A client: one connection.

use std::{io, net::SocketAddr};

use alloy_primitives::B256;
use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::wire::{self, Answer, Refusal, WELCOME_SIZE_BYTES, WireError};

/// Failed to send transactions. What was sent and not answered may or may not be in the pool; sending it again does no harm.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection broke.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// The other side is no such server, or the envelope no such thing.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The server closed the connection.
    #[error("the server closed the connection: {0}")]
    Closed(String),
}

/// A connection to a node.
#[derive(Debug)]
pub struct Client {
    incoming: OwnedReadHalf,
    outgoing: OwnedWriteHalf,
    arrived: BytesMut,
    chain_id: u64,
}

impl Client {
    /// Connects and exchanges greetings.
    ///
    /// # Errors
    /// If nobody listens there, or the other side speaks something else.
    pub async fn connect(address: SocketAddr) -> Result<Self, ClientError> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&wire::hello()).await?;
        let mut welcome = [0; WELCOME_SIZE_BYTES];
        stream.read_exact(&mut welcome).await?;
        let chain_id = wire::read_welcome(welcome)?;
        let (incoming, outgoing) = stream.into_split();
        Ok(Self { incoming, outgoing, arrived: BytesMut::new(), chain_id })
    }

    /// EIP-155 chain id of the node's chain.
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Sends EIP-2718 envelopes, and waits for what became of each.
    ///
    /// # Errors
    /// If the connection broke or was closed before all were answered, or an envelope is empty or too large.
    pub async fn submit<T: AsRef<[u8]>>(
        &mut self,
        envelopes: impl IntoIterator<Item = T>,
    ) -> Result<Vec<Result<B256, Refusal>>, ClientError> {
        let (mut requests, mut count) = (Vec::new(), 0);
        for envelope in envelopes {
            wire::put_request(&mut requests, envelope.as_ref())?;
            count += 1;
        }
        self.exchange(&requests, count).await
    }

    /// Sends `count` requests that [`wire::put_request`] has made, and waits for what became of each.
    ///
    /// # Errors
    /// If the connection broke or was closed before all were answered.
    pub async fn exchange(&mut self, requests: &[u8], count: usize) -> Result<Vec<Result<B256, Refusal>>, ClientError> {
        let Self { incoming, outgoing, arrived, .. } = self;
        // At once: a server that is not read stops reading. Its reason to close is worth more than that writing failed.
        let (written, answers) = tokio::join!(outgoing.write_all(requests), read_answers(incoming, arrived, count));
        let answers = answers?;
        written?;
        Ok(answers)
    }
}

async fn read_answers(
    incoming: &mut OwnedReadHalf,
    arrived: &mut BytesMut,
    count: usize,
) -> Result<Vec<Result<B256, Refusal>>, ClientError> {
    let mut answers = Vec::with_capacity(count);
    while answers.len() < count {
        match wire::take_answer(arrived)? {
            Some(Answer::Accepted(hash)) => answers.push(Ok(hash)),
            Some(Answer::Refused(refusal)) => answers.push(Err(refusal)),
            Some(Answer::Closing(reason)) => return Err(ClientError::Closed(reason)),
            None if incoming.read_buf(arrived).await? == 0 => {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            None => {}
        }
    }
    Ok(answers)
}
