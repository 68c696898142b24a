//! The ordered block: what validators agree on.
//!
//! It is a consensus header and a list of signed transactions; executing it gives the Ethereum block of the same height. Beside the
//! list stand the senders that the leader claims, which save work where they are true and decide nothing. The block's digest is the
//! BLAKE3 hash of the encoded header, and the header holds the BLAKE3 hash of both lists, so headers alone can be followed and
//! checked. Under a threshold scheme some blocks carry a part of the [ceremony](crate::reshare) as well; it belongs to the body.
//! Encodings are canonical: what decodes, encodes to the same bytes, and a body that is not the one
//! its header names does not decode.
//!
//! Blocks travel whole or erasure coded ([`Dissemination`]); the two differ only in how the header's context names the parent.

use std::fmt;

use alloy_primitives::{Address, B256, Bytes};
use bytes::BufMut;
use commonware_codec::{Buf, Encode, EncodeSize, Error, FixedSize, MaxEncodeSize, Read, ReadExt, Write, varint::UInt};
use commonware_coding::{Config as CodingConfig, ReedSolomon};
use commonware_consensus::{
    Block as ConsensusBlock, BoundedBlock, CertifiableBlock, Heightable,
    simplex::types::Context,
    types::{Height, Round, View, coding::Commitment},
};
use commonware_cryptography::{Blake3, Digest as _, Digestible, Hasher, blake3, ed25519::PublicKey};
use commonware_utils::NZU16;

use braid_types::BlockRef;

use crate::{
    committee::{Change, Committee, Tally},
    reshare,
    scheme::Signatures,
};

/// A BLAKE3 hash: names an ordered block.
pub type Digest = blake3::Digest;

/// How blocks reach the validators. Decides what a parent is named by.
pub trait Dissemination: Copy + fmt::Debug + PartialEq + Eq + Send + Sync + 'static {
    /// What votes name a block by.
    type Commitment: commonware_cryptography::Digest;

    /// The parent's name in the genesis block's context.
    fn no_parent() -> Self::Commitment;

    /// The digest of the block that a name is for.
    fn block_of(commitment: Self::Commitment) -> Digest;
}

/// The leader sends every validator the whole block. Votes name it by its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole;

/// The leader sends every validator one Reed–Solomon shard, and they exchange theirs. Votes name the block by its digest and the
/// root over the shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coded;

/// The erasure code of [`Coded`].
pub type Coding = ReedSolomon<Blake3>;

impl Dissemination for Whole {
    type Commitment = Digest;

    fn no_parent() -> Digest {
        Digest::EMPTY
    }

    fn block_of(commitment: Digest) -> Digest {
        commitment
    }
}

/// The coding setting in names of blocks that were never coded: genesis and its absent parent.
pub const GENESIS_CODING: CodingConfig = CodingConfig { minimum_shards: NZU16!(1), extra_shards: NZU16!(1) };

impl Dissemination for Coded {
    type Commitment = Commitment<Block<Self>, Coding, Blake3>;

    fn no_parent() -> Self::Commitment {
        Commitment::from((Digest::EMPTY, Digest::EMPTY, Digest::EMPTY, GENESIS_CODING))
    }

    fn block_of(commitment: Self::Commitment) -> Digest {
        commitment.block()
    }
}

/// What a block is agreed to be, in [`Header::digest`] and the validators' votes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<K: Dissemination> {
    /// Round and leader, and the parent as votes name it.
    pub context: Context<K::Commitment, PublicKey>,
    /// The parent's digest; of genesis: zero.
    pub parent: Digest,
    /// Height, from genesis (0).
    pub height: u64,
    /// Milliseconds since 1970, by the leader's clock; later than the parent's.
    pub timestamp_ms: u64,
    /// Where the fees go: the leader's choice, fixed in the committee.
    pub beneficiary: Address,
    /// The Ethereum block that this chain's blocks gave some heights before.
    pub execution: BlockRef,
    /// [`body_digest`] of the transactions and what stands beside them.
    pub body: Digest,
    /// The change of the committee that the leader asks for.
    pub vote: Option<Change>,
    /// Votes of this epoch's blocks up to this one.
    pub tally: Tally,
    /// In genesis and in the last block of an epoch: whom the votes elected. With ed25519 they are the committee of the next epoch;
    /// with a threshold scheme they have to be given shares before (see [`crate::reshare`]).
    pub next: Option<Committee>,
}

impl<K: Dissemination> Header<K> {
    /// Largest encoding in bytes.
    pub const MAX_SIZE: usize = Context::<K::Commitment, PublicKey>::MAX_ENCODE_SIZE
        + Digest::SIZE
        + 10
        + 8
        + 20
        + 10
        + 32
        + Digest::SIZE
        + 1
        + 1
        + crate::committee::Validator::MAX_SIZE
        + Tally::MAX_SIZE
        + 1
        + Committee::MAX_SIZE;

    /// The block's name.
    pub fn digest(&self) -> Digest {
        Blake3::hash(&[&self.encode()])
    }
}

impl<K: Dissemination> Write for Header<K> {
    fn write(&self, buf: &mut impl BufMut) {
        self.context.write(buf);
        self.parent.write(buf);
        UInt(self.height).write(buf);
        self.timestamp_ms.write(buf);
        buf.put_slice(self.beneficiary.as_slice());
        UInt(self.execution.height).write(buf);
        buf.put_slice(self.execution.hash.as_slice());
        self.body.write(buf);
        self.vote.write(buf);
        self.tally.write(buf);
        self.next.write(buf);
    }
}

impl<K: Dissemination> EncodeSize for Header<K> {
    fn encode_size(&self) -> usize {
        self.context.encode_size()
            + Digest::SIZE
            + UInt(self.height).encode_size()
            + 8
            + 20
            + UInt(self.execution.height).encode_size()
            + 32
            + Digest::SIZE
            + self.vote.encode_size()
            + self.tally.encode_size()
            + self.next.encode_size()
    }
}

impl<K: Dissemination> Read for Header<K> {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        Ok(Self {
            context: Context::read(buf)?,
            parent: Digest::read(buf)?,
            height: UInt::read(buf)?.into(),
            timestamp_ms: u64::read(buf)?,
            beneficiary: Address::from(<[u8; 20]>::read(buf)?),
            execution: BlockRef { height: UInt::read(buf)?.into(), hash: B256::from(<[u8; 32]>::read(buf)?) },
            body: Digest::read(buf)?,
            vote: Option::read(buf)?,
            tally: Tally::read(buf)?,
            next: Option::read(buf)?,
        })
    }
}

/// Bounds on a block's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes of the encoded list of transactions.
    pub bytes: usize,
    /// Bytes of one transaction.
    pub transaction_bytes: usize,
}

/// Bytes that the shortest transaction of any type takes; bounds how many fit a body.
pub const MIN_TRANSACTION_BYTES: usize = 64;

/// Bytes of a sender.
const SENDER_BYTES: usize = 20;

/// Bytes of a list's length, at most.
const MAX_COUNT_BYTES: usize = 5;

impl BodyLimits {
    const fn transactions(&self) -> usize {
        self.bytes / MIN_TRANSACTION_BYTES
    }

    /// Bytes of both encoded lists.
    const fn body(&self) -> usize {
        self.bytes + MAX_COUNT_BYTES + self.transactions() * SENDER_BYTES
    }
}

/// A header, its transactions, each in its EIP-2718 encoding, and what stands beside them.
#[derive(Clone, PartialEq, Eq)]
pub struct Block<K: Dissemination> {
    /// The header; its `body` names the rest.
    pub header: Header<K>,
    /// The transactions in order.
    pub transactions: Vec<Bytes>,
    /// Who has signed the first of them, by what the leader says. No more than there are transactions.
    pub senders: Vec<Address>,
    /// What it carries of a ceremony.
    pub reshare: Option<reshare::Payload>,
}

impl<K: Dissemination> fmt::Debug for Block<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { header, transactions, senders, reshare } = self;
        let mut fields = f.debug_struct("Block");
        fields.field("header", header).field("transactions", transactions).field("senders", senders);
        fields.field("carries_reshare", &reshare.is_some()).finish()
    }
}

/// Bytes of the encoded lists of transactions and claimed senders.
pub fn body_size(transactions: &[Bytes], senders: &[Address]) -> usize {
    let each = |transaction: &Bytes| transaction.len().encode_size() + transaction.len();
    let transactions = transactions.len().encode_size() + transactions.iter().map(each).sum::<usize>();
    transactions + senders.len().encode_size() + senders.len() * SENDER_BYTES
}

/// Begins what is hashed of a body with a payload. No list begins so: its length would have more bits than there are.
const WITH_PAYLOAD: [u8; 16] = [0xff; 16];

/// BLAKE3 of the encoded lists; with what the block carries of a ceremony, BLAKE3 of the hashes of lists and payload, so that either
/// can be shown without the other.
pub fn body_digest(transactions: &[Bytes], senders: &[Address], reshare: Option<&reshare::Payload>) -> Digest {
    let mut encoded = Vec::with_capacity(body_size(transactions, senders));
    write_body(transactions, senders, &mut encoded);
    let lists = Blake3::hash(&[&encoded]);
    let Some(reshare) = reshare else { return lists };
    let payload = Blake3::hash(&[&reshare.encode()]);
    Blake3::hash(&[&WITH_PAYLOAD, lists.as_ref(), payload.as_ref()])
}

fn read_reshare(buf: &mut impl Buf) -> Result<Option<reshare::Payload>, Error> {
    bool::read(buf)?.then(|| reshare::read_payload(buf)).transpose()
}

fn write_body(transactions: &[Bytes], senders: &[Address], buf: &mut impl BufMut) {
    transactions.len().write(buf);
    for transaction in transactions {
        transaction.len().write(buf);
        buf.put_slice(transaction);
    }
    senders.len().write(buf);
    for sender in senders {
        buf.put_slice(sender.as_slice());
    }
}

fn read_transactions(buf: &mut impl Buf, limits: &BodyLimits) -> Result<Vec<Bytes>, Error> {
    let count = usize::read_cfg(buf, &(..=limits.transactions()).into())?;
    let mut left = limits.bytes.saturating_sub(count.encode_size());
    let mut transactions = Vec::with_capacity(count.min(buf.remaining()));
    for _ in 0..count {
        let length = usize::read_cfg(buf, &(1..=limits.transaction_bytes).into())?;
        left = left
            .checked_sub(length.encode_size() + length)
            .ok_or(Error::Invalid("Block", "body is larger than the limit"))?;
        if buf.remaining() < length {
            return Err(Error::EndOfBuffer);
        }
        transactions.push(Bytes(buf.copy_to_bytes(length)));
    }
    Ok(transactions)
}

fn read_senders(buf: &mut impl Buf, transactions: usize) -> Result<Vec<Address>, Error> {
    let count = usize::read_cfg(buf, &(..=transactions).into())?;
    if buf.remaining() < count * SENDER_BYTES {
        return Err(Error::EndOfBuffer);
    }
    (0..count).map(|_| Ok(Address::from(<[u8; SENDER_BYTES]>::read(buf)?))).collect()
}

impl<K: Dissemination> Block<K> {
    /// The first block: it names the Ethereum genesis, the first committee and its group, so its digest fixes all of them.
    ///
    /// # Errors
    /// If the group's polynomial is for another number of members.
    pub fn genesis(committee: Committee, genesis: BlockRef, signatures: &Signatures) -> Result<Self, Error> {
        let reshare = match signatures {
            Signatures::Ed25519 => None,
            Signatures::Threshold(polynomial) => {
                Some(reshare::Payload::EpochInfo(reshare::first(&committee, polynomial)?))
            }
        };
        let leader = committee.validators()[0].public_key.clone();
        let header = Header {
            context: Context { round: Round::zero(), leader, parent: (View::zero(), K::no_parent()) },
            parent: Digest::EMPTY,
            height: 0,
            timestamp_ms: 0,
            beneficiary: Address::ZERO,
            execution: genesis,
            body: body_digest(&[], &[], reshare.as_ref()),
            vote: None,
            tally: Tally::default(),
            next: Some(committee),
        };
        Ok(Self { header, transactions: Vec::new(), senders: Vec::new(), reshare })
    }
}

impl<K: Dissemination> Write for Block<K> {
    fn write(&self, buf: &mut impl BufMut) {
        self.header.write(buf);
        write_body(&self.transactions, &self.senders, buf);
        self.reshare.write(buf);
    }
}

impl<K: Dissemination> EncodeSize for Block<K> {
    fn encode_size(&self) -> usize {
        self.header.encode_size() + body_size(&self.transactions, &self.senders) + self.reshare.encode_size()
    }
}

impl<K: Dissemination> Read for Block<K> {
    type Cfg = BodyLimits;

    fn read_cfg(buf: &mut impl Buf, limits: &BodyLimits) -> Result<Self, Error> {
        let header = Header::read(buf)?;
        let transactions = read_transactions(buf, limits)?;
        let senders = read_senders(buf, transactions.len())?;
        let reshare = read_reshare(buf)?;
        if body_digest(&transactions, &senders, reshare.as_ref()) != header.body {
            return Err(Error::Invalid("Block", "body is not the one the header names"));
        }
        Ok(Self { header, transactions, senders, reshare })
    }
}

impl<K: Dissemination> Digestible for Block<K> {
    type Digest = Digest;

    fn digest(&self) -> Digest {
        self.header.digest()
    }
}

impl<K: Dissemination> Heightable for Block<K> {
    fn height(&self) -> Height {
        Height::new(self.header.height)
    }
}

impl<K: Dissemination> ConsensusBlock for Block<K> {
    fn parent(&self) -> Digest {
        self.header.parent
    }
}

impl<K: Dissemination> CertifiableBlock for Block<K> {
    type Context = Context<K::Commitment, PublicKey>;

    fn context(&self) -> Self::Context {
        self.header.context.clone()
    }
}

impl<K: Dissemination> BoundedBlock for Block<K> {
    fn max_encode_size(limits: &BodyLimits) -> usize {
        Header::<K>::MAX_SIZE + limits.body() + 1 + reshare::max_payload_size()
    }
}

#[cfg(test)]
mod tests;
