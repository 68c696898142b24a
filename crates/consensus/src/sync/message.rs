//! What is asked and answered, and how large it may be.
//!
//! ```text
//! message   0u8 | id u64 | request     or     1u8 | id u64 | answer
//! ```
//!
//! Who asks has one question open at a time with a peer, and drops answers to others.

use alloy_primitives::B256;
use braid_chain::state::Cursor;
use braid_types::limits::{MAX_SNAPSHOT_CHUNK_SIZE_BYTES, MAX_SNAPSHOT_MANIFEST_SIZE_BYTES};
use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, EncodeSize, Error, FixedSize as _, Read, ReadExt as _, Write};

use super::evidence::Evidence;
use crate::{block::Dissemination, certificates::Certified, scheme::CertificateBounds};

/// Bytes of a piece of a manifest; the last one is shorter.
pub const PIECE_SIZE_BYTES: usize = 1024 * 1024;

/// Ends of epochs in one answer.
pub const MAX_ENDS: usize = 32;

/// Snapshots in one offer.
pub const MAX_OFFERED: usize = 8;

/// Bytes of a message. The largest is a chunk.
pub const MAX_MESSAGE_BYTES: usize = MAX_SNAPSHOT_CHUNK_SIZE_BYTES + 64;

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Which snapshots are there?
    Offer,
    /// What makes the snapshot at this height believable?
    Evidence(u64),
    /// The ends of this epoch and those after it.
    Ends(u64),
    /// A piece of the manifest of the snapshot at this height, counted from zero.
    Manifest(u64, u32),
    /// The chunk that begins at the cursor, of the snapshot at this height.
    Chunk(u64, Cursor),
}

/// A snapshot that a peer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Height of its block.
    pub height: u64,
    /// Bytes of its manifest.
    pub manifest_bytes: u32,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<K: Dissemination> {
    /// There is no such thing here, or no more.
    Nothing,
    /// To [`Request::Offer`].
    Offer(Vec<Offered>),
    /// To [`Request::Evidence`].
    Evidence(Box<Evidence<K>>),
    /// To [`Request::Ends`]: at least one, in order.
    Ends(Vec<Certified<K>>),
    /// To [`Request::Manifest`].
    Manifest(Bytes),
    /// To [`Request::Chunk`].
    Chunk(Bytes),
}

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<K: Dissemination> {
    /// A question and the number that its answer must have.
    Request(u64, Request),
    /// The answer to the question with this number.
    Answer(u64, Answer<K>),
}

fn write_cursor(cursor: &Cursor, buf: &mut impl BufMut) {
    buf.put_slice(cursor.account.as_slice());
    buf.put_slice(cursor.slot.as_slice());
}

fn read_cursor(buf: &mut impl Buf) -> Result<Cursor, Error> {
    let account = B256::from(<[u8; 32]>::read(buf)?);
    Ok(Cursor { account, slot: B256::from(<[u8; 32]>::read(buf)?) })
}

impl Write for Request {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Offer => buf.put_u8(0),
            Self::Evidence(height) => {
                buf.put_u8(1);
                height.write(buf);
            }
            Self::Ends(from) => {
                buf.put_u8(2);
                from.write(buf);
            }
            Self::Manifest(height, piece) => {
                buf.put_u8(3);
                height.write(buf);
                piece.write(buf);
            }
            Self::Chunk(height, from) => {
                buf.put_u8(4);
                height.write(buf);
                write_cursor(from, buf);
            }
        }
    }
}

impl EncodeSize for Request {
    fn encode_size(&self) -> usize {
        1 + match self {
            Self::Offer => 0,
            Self::Evidence(_) | Self::Ends(_) => u64::SIZE,
            Self::Manifest(..) => u64::SIZE + u32::SIZE,
            Self::Chunk(..) => u64::SIZE + 64,
        }
    }
}

impl Read for Request {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        Ok(match u8::read(buf)? {
            0 => Self::Offer,
            1 => Self::Evidence(u64::read(buf)?),
            2 => Self::Ends(u64::read(buf)?),
            3 => Self::Manifest(u64::read(buf)?, u32::read(buf)?),
            4 => Self::Chunk(u64::read(buf)?, read_cursor(buf)?),
            tag => return Err(Error::InvalidEnum(tag)),
        })
    }
}

impl Write for Offered {
    fn write(&self, buf: &mut impl BufMut) {
        self.height.write(buf);
        self.manifest_bytes.write(buf);
    }
}

impl EncodeSize for Offered {
    fn encode_size(&self) -> usize {
        u64::SIZE + u32::SIZE
    }
}

impl Read for Offered {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let offered = Self { height: u64::read(buf)?, manifest_bytes: u32::read(buf)? };
        if offered.manifest_bytes as usize > MAX_SNAPSHOT_MANIFEST_SIZE_BYTES {
            return Err(Error::Invalid("Offered", "manifest is larger than the limit"));
        }
        Ok(offered)
    }
}

impl<K: Dissemination> Write for Answer<K> {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Nothing => buf.put_u8(0),
            Self::Offer(offered) => {
                buf.put_u8(1);
                offered.write(buf);
            }
            Self::Evidence(evidence) => {
                buf.put_u8(2);
                evidence.write(buf);
            }
            Self::Ends(ends) => {
                buf.put_u8(3);
                ends.write(buf);
            }
            Self::Manifest(bytes) => {
                buf.put_u8(4);
                bytes.write(buf);
            }
            Self::Chunk(bytes) => {
                buf.put_u8(5);
                bytes.write(buf);
            }
        }
    }
}

impl<K: Dissemination> EncodeSize for Answer<K> {
    fn encode_size(&self) -> usize {
        1 + match self {
            Self::Nothing => 0,
            Self::Offer(offered) => offered.encode_size(),
            Self::Evidence(evidence) => evidence.encode_size(),
            Self::Ends(ends) => ends.encode_size(),
            Self::Manifest(bytes) | Self::Chunk(bytes) => bytes.encode_size(),
        }
    }
}

impl<K: Dissemination> Read for Answer<K> {
    type Cfg = CertificateBounds;

    fn read_cfg(buf: &mut impl Buf, bounds: &CertificateBounds) -> Result<Self, Error> {
        Ok(match u8::read(buf)? {
            0 => Self::Nothing,
            1 => Self::Offer(Vec::read_cfg(buf, &((0..=MAX_OFFERED).into(), ()))?),
            2 => Self::Evidence(Box::new(Evidence::read_cfg(buf, bounds)?)),
            3 => Self::Ends(Vec::read_cfg(buf, &((1..=MAX_ENDS).into(), *bounds))?),
            4 => Self::Manifest(Bytes::read_cfg(buf, &(1..=PIECE_SIZE_BYTES).into())?),
            5 => Self::Chunk(Bytes::read_cfg(buf, &(1..=MAX_SNAPSHOT_CHUNK_SIZE_BYTES).into())?),
            tag => return Err(Error::InvalidEnum(tag)),
        })
    }
}

impl<K: Dissemination> Write for Message<K> {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Request(id, request) => {
                buf.put_u8(0);
                id.write(buf);
                request.write(buf);
            }
            Self::Answer(id, answer) => {
                buf.put_u8(1);
                id.write(buf);
                answer.write(buf);
            }
        }
    }
}

impl<K: Dissemination> EncodeSize for Message<K> {
    fn encode_size(&self) -> usize {
        1 + u64::SIZE
            + match self {
                Self::Request(_, request) => request.encode_size(),
                Self::Answer(_, answer) => answer.encode_size(),
            }
    }
}

impl<K: Dissemination> Read for Message<K> {
    type Cfg = CertificateBounds;

    fn read_cfg(buf: &mut impl Buf, bounds: &CertificateBounds) -> Result<Self, Error> {
        let tag = u8::read(buf)?;
        let id = u64::read(buf)?;
        Ok(match tag {
            0 => Self::Request(id, Request::read(buf)?),
            1 => Self::Answer(id, Answer::read_cfg(buf, bounds)?),
            tag => return Err(Error::InvalidEnum(tag)),
        })
    }
}
