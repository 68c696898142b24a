//! What members of a group to come tell each other.

use std::num::NonZeroU32;

use bytes::BufMut;
use commonware_codec::{Buf, EncodeSize, Error, FixedSize as _, Read, ReadExt as _, Write};
use commonware_cryptography::{
    bls12381::{
        dkg::feldman_desmedt::{DealerPrivMsg, DealerPubMsg, PlayerAck, SignedDealerLog},
        primitives::variant::MinSig,
    },
    ed25519::{PublicKey, Signature},
};

/// A message to one other member.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "few exist at a time, and each is sent once")]
pub enum Message {
    /// The dealer's commitment, and its polynomial's value for this member.
    Dealing(DealerPubMsg<MinSig>, DealerPrivMsg),
    /// The dealing fits.
    Ack(PlayerAck<PublicKey>),
    /// All have acknowledged.
    Log(SignedDealerLog<MinSig, PublicKey>),
    /// This is the group's polynomial, and the share is on disk.
    Confirmation(Signature),
}

const DEALING: u8 = 0;
const ACK: u8 = 1;
const LOG: u8 = 2;
const CONFIRMATION: u8 = 3;

impl Message {
    /// Largest encoding in bytes.
    pub(super) fn max_size(members: NonZeroU32) -> usize {
        let dealing = DealerPubMsg::<MinSig>::max_encode_size(members) + DealerPrivMsg::SIZE;
        1 + dealing.max(SignedDealerLog::<MinSig, PublicKey>::max_encode_size(members))
    }
}

impl Write for Message {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Dealing(commitment, part) => {
                buf.put_u8(DEALING);
                commitment.write(buf);
                part.write(buf);
            }
            Self::Ack(ack) => {
                buf.put_u8(ACK);
                ack.write(buf);
            }
            Self::Log(log) => {
                buf.put_u8(LOG);
                log.write(buf);
            }
            Self::Confirmation(signature) => {
                buf.put_u8(CONFIRMATION);
                signature.write(buf);
            }
        }
    }
}

impl EncodeSize for Message {
    fn encode_size(&self) -> usize {
        1 + match self {
            Self::Dealing(commitment, part) => commitment.encode_size() + part.encode_size(),
            Self::Ack(ack) => ack.encode_size(),
            Self::Log(log) => log.encode_size(),
            Self::Confirmation(signature) => signature.encode_size(),
        }
    }
}

impl Read for Message {
    type Cfg = NonZeroU32;

    fn read_cfg(buf: &mut impl Buf, members: &NonZeroU32) -> Result<Self, Error> {
        match u8::read(buf)? {
            DEALING => Ok(Self::Dealing(DealerPubMsg::read_cfg(buf, members)?, DealerPrivMsg::read(buf)?)),
            ACK => Ok(Self::Ack(PlayerAck::read(buf)?)),
            LOG => Ok(Self::Log(SignedDealerLog::read_cfg(buf, members)?)),
            CONFIRMATION => Ok(Self::Confirmation(Signature::read(buf)?)),
            tag => Err(Error::InvalidEnum(tag)),
        }
    }
}
