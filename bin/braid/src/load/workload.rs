//! The transactions of a load: who pays whom, signed and packed into request bodies before the clock starts.
//!
//! Transaction `k` is the `k / accounts`-th of sender `k % accounts`. A sender's transactions all go over connection
//! `sender % connections`, so that its nonces arrive in order.

use std::{
    fmt::{self, Write as _},
    ops::Range,
};

use alloy_primitives::{Address, B256, address};
use braid_ingest::wire;
use rayon::prelude::*;

use super::{LoadArgs, keys::SignedTransaction, setup::Stage};

/// The recipient of [`Workload::Erc20Hot`], an account nobody has the key of.
const HOT_RECIPIENT: Address = address!("0x4242424242424242424242424242424242424242");

/// What a load consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Workload {
    /// One wei to another sender
    Transfer,
    /// One token to another sender
    Erc20,
    /// One token to one and the same recipient
    Erc20Hot,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transfer => "transfer",
            Self::Erc20 => "erc20",
            Self::Erc20Hot => "erc20-hot",
        })
    }
}

/// A batch of transactions, ready to go.
#[derive(Debug)]
pub(super) struct Batch {
    /// A JSON-RPC batch, or requests of the binary ingest.
    pub(super) body: Vec<u8>,
    /// Where each transaction's request stands in it.
    pub(super) parts: Vec<Range<usize>>,
    /// The transactions in it, which are also the ids of JSON-RPC calls.
    pub(super) transactions: Vec<usize>,
}

/// Everything to send.
#[derive(Debug)]
pub(super) struct Load {
    /// Hash of each transaction.
    pub(super) hashes: Vec<B256>,
    /// The batches of each connection.
    pub(super) batches: Vec<Vec<Batch>>,
}

/// Signs the whole load on all cores.
pub(super) fn sign(stage: &Stage, args: &LoadArgs) -> Load {
    let sign = |k: usize| {
        let (sender, round) = (k % stage.senders.len(), k / stage.senders.len());
        let nonce = stage.nonces[sender] + round as u64;
        stage.signer.sign(&stage.senders[sender], stage.payment(nonce, recipient(stage, args, k)))
    };
    let signed: Vec<_> = (0..args.txs.get()).into_par_iter().map(sign).collect();
    let batches = (0..args.conns.get()).map(|connection| batches(&signed, connection, args)).collect();
    Load { hashes: signed.iter().map(|transaction| transaction.hash).collect(), batches }
}

fn recipient(stage: &Stage, args: &LoadArgs, k: usize) -> Address {
    if args.workload == Workload::Erc20Hot {
        return HOT_RECIPIENT;
    }
    let count = stage.senders.len() as u64;
    let at = usize::try_from(scatter(args.seed, k as u64) % count).unwrap_or_default();
    stage.senders[at].address
}

/// The `k`-th number of a seed's sequence: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, figure 17).
fn scatter(seed: u64, k: u64) -> u64 {
    let mut z = seed.wrapping_add((k + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The batches of one connection, in order of sending.
fn batches(signed: &[SignedTransaction], connection: usize, args: &LoadArgs) -> Vec<Batch> {
    let mine = |k: &usize| (k % args.accounts.get()) % args.conns.get() == connection;
    let mine: Vec<_> = (0..signed.len()).filter(mine).collect();
    let chunks = mine.chunks(args.batch.get());
    let batch = if args.ingest.is_empty() { json } else { binary };
    chunks.map(|chunk| batch(signed, chunk)).collect()
}

fn binary(signed: &[SignedTransaction], chunk: &[usize]) -> Batch {
    let (mut body, mut parts) = (Vec::new(), Vec::with_capacity(chunk.len()));
    for &k in chunk {
        let start = body.len();
        // A payment is neither empty nor large.
        let _ = wire::put_request(&mut body, &signed[k].raw);
        parts.push(start..body.len());
    }
    Batch { body, parts, transactions: chunk.to_vec() }
}

fn json(signed: &[SignedTransaction], chunk: &[usize]) -> Batch {
    let (mut body, mut parts) = (String::from("["), Vec::with_capacity(chunk.len()));
    for &k in chunk {
        if body.len() > 1 {
            body.push(',');
        }
        let (start, raw) = (body.len(), &signed[k].raw);
        // Writing to a string cannot fail.
        let _ = write!(body, r#"{{"jsonrpc":"2.0","id":{k},"method":"eth_sendRawTransaction","params":["{raw}"]}}"#);
        parts.push(start..body.len());
    }
    body.push(']');
    Batch { body: body.into_bytes(), parts, transactions: chunk.to_vec() }
}

impl Batch {
    /// The batch of those of its transactions that stand at `positions`.
    pub(super) fn only(&self, positions: &[usize]) -> Self {
        let is_json = self.body.first() == Some(&b'[');
        let (mut body, mut parts) = (Vec::new(), Vec::with_capacity(positions.len()));
        for &position in positions {
            if is_json {
                body.push(if body.is_empty() { b'[' } else { b',' });
            }
            let start = body.len();
            body.extend_from_slice(&self.body[self.parts[position].clone()]);
            parts.push(start..body.len());
        }
        if is_json {
            body.push(b']');
        }
        Self { body, parts, transactions: positions.iter().map(|&position| self.transactions[position]).collect() }
    }
}
