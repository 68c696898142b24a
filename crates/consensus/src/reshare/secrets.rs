//! Where a node keeps what only it may know of the ceremonies: its shares, the parts it was dealt, and the seeds it deals from.
//!
//! Each is on disk before anything that follows from it leaves the node: a dealer that crashes deals the same parts again from
//! the same seed, and a player that acknowledged a part still has it. Records are sealed with ChaCha20-Poly1305 under a
//! key that is derived from the node's identity and 32 random bytes for every record, and bound to their place: whoever has the
//! storage without the identity learns nothing but sizes. A record that does not open counts as lost.
//!
//! The share of the first epoch is the configured one, and stays in use until a ceremony succeeds. So long, a node whose disk is lost
//! still has a share to deal, and must not deal it in another way than before: who acknowledged the first dealing would look like
//! a liar. So its seeds are derived from that share and its identity, as nonces are from keys in RFC 6979. Later seeds are random: a
//! node that has lost its disk has no share, and does not deal.

use bytes::BufMut;
use commonware_codec::{Copying, DecodeExt as _, Encode as _, FixedSize as _, Write};
use commonware_consensus::types::Epoch;
use commonware_cryptography::{
    ChaCha20Poly1305, Cipher as _, PublicKey as Identity,
    bls12381::dkg::feldman_desmedt::DealerPrivMsg,
    ed25519::{PrivateKey, PublicKey},
    transcript::{Summary, Transcript, Version},
};
use commonware_glue::dkg::SecretStore;
use commonware_math::algebra::Random as _;
use commonware_storage::metadata::{self, Metadata};
use commonware_utils::sequence::FixedBytes;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    engine::Runtime,
    scheme::GroupShare,
    stop::{StopReason, Stopper},
};

/// Kind of record, epoch, dealer.
const PLACE_BYTES: usize = 1 + 8 + PublicKey::SIZE;

type Place = FixedBytes<PLACE_BYTES>;

const SHARE: u8 = 0;
const SEED: u8 = 1;
const PART: u8 = 2;

/// Random bytes before, and authenticating bytes after, what is sealed.
const SALT_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

/// Largest record that is read back: far above a share.
const MAX_RECORD_BYTES: usize = 1_024;

/// The secrets of a node, on its storage.
pub(super) struct Secrets<E: Runtime> {
    random: E,
    /// What records are sealed under.
    seal: Transcript,
    /// `None` after a failure: nothing more is written or told.
    records: Option<Metadata<E, Place, Vec<u8>>>,
    first_share: Option<GroupShare>,
    stopper: Stopper,
}

impl<E: Runtime> Secrets<E> {
    /// Opens the secrets of the node with this identity.
    pub(super) async fn open(
        context: E,
        prefix: &str,
        identity: &PrivateKey,
        first_share: Option<GroupShare>,
        stopper: Stopper,
    ) -> Result<Self, metadata::Error> {
        let config = metadata::Config {
            partition: format!("{prefix}-secrets"),
            codec_config: ((..=MAX_RECORD_BYTES).into(), ()),
        };
        let records = Metadata::init(context.child("records"), config).await?;
        let mut seal = Transcript::new(b"braid secrets at rest", Version::V1);
        seal.commit(Zeroizing::new(identity.encode().to_vec()).as_slice());
        Ok(Self { random: context, seal, records: Some(records), first_share, stopper })
    }

    async fn put(&mut self, place: Place, secret: &[u8]) {
        let Some(sealed) = seal(&self.seal, &mut self.random, &place, secret) else { return self.fail().await };
        let Some(records) = self.records.take() else { return self.fail().await };
        match records.put_sync(place, sealed).await {
            Ok(records) => self.records = Some(records),
            Err(error) => {
                tracing::error!(%error, "cannot store a secret");
                self.fail().await;
            }
        }
    }

    /// The node stops, and nobody goes on as if the secret were safe.
    async fn fail(&self) {
        self.stopper.stop(StopReason::Part("the storage of secrets"));
        std::future::pending().await
    }

    fn has_no_share_but(&self, share: &GroupShare) -> bool {
        let Some(records) = self.records.as_ref() else { return false };
        let mut shares = records.keys().filter(|place| place.as_ref()[0] == SHARE);
        let share = encode(share);
        shares.all(|place| self.get(place).is_some_and(|stored| stored == share))
    }

    fn get(&self, place: &Place) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = self.records.as_ref()?.get(place)?;
        let opened = open(&self.seal, place, sealed);
        if opened.is_none() {
            tracing::warn!("a stored secret does not open under this identity");
        }
        opened
    }
}

/// The seed of who deals the share it was configured with.
fn derived_seed(seal: &Transcript, share: &GroupShare, epoch: Epoch) -> Summary {
    let mut seed = seal.fork(b"seed");
    seed.commit(encode(share).as_slice()).commit(epoch.get().to_be_bytes().as_slice());
    seed.summarize()
}

fn place(kind: u8, epoch: Epoch, dealer: &[u8]) -> Place {
    let mut bytes = [0; PLACE_BYTES];
    bytes[0] = kind;
    bytes[1..9].copy_from_slice(&epoch.get().to_be_bytes());
    for (to, from) in bytes[9..].iter_mut().zip(dealer) {
        *to = *from;
    }
    Place::new(bytes)
}

fn cipher(seal: &Transcript, salt: &[u8]) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::random(seal.fork(b"record").commit(salt).noise(b"key"))
}

fn seal(seal: &Transcript, random: &mut impl CryptoRng, place: &Place, secret: &[u8]) -> Option<Vec<u8>> {
    let mut salt = [0; SALT_BYTES];
    random.fill_bytes(&mut salt);
    let mut sealed = Zeroizing::new(secret.to_vec());
    let (_, tag) = cipher(seal, &salt).seal(place.as_ref(), &mut sealed)?;
    let mut record = Vec::with_capacity(SALT_BYTES + secret.len() + TAG_BYTES);
    record.put_slice(&salt);
    record.put_slice(&sealed);
    record.put_slice(tag.as_ref());
    Some(record)
}

fn open(seal: &Transcript, place: &Place, record: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (salt, rest) = record.split_at_checked(SALT_BYTES)?;
    let (sealed, tag) = rest.split_at_checked(rest.len().checked_sub(TAG_BYTES)?)?;
    let tag = FixedBytes::<TAG_BYTES>::new(tag.try_into().ok()?);
    let mut secret = Zeroizing::new(sealed.to_vec());
    cipher(seal, salt).open(place.as_ref(), &mut secret, &tag)?;
    Some(secret)
}

fn encode(value: &impl Write) -> Zeroizing<Vec<u8>> {
    let mut encoded = Zeroizing::new(Vec::with_capacity(64));
    value.write(&mut *encoded);
    encoded
}

impl<E: Runtime> SecretStore for Secrets<E> {
    async fn put_share(&mut self, epoch: Epoch, share: GroupShare) {
        self.put(place(SHARE, epoch, &[]), &encode(&share)).await;
    }

    async fn get_share(&mut self, epoch: Epoch) -> Option<GroupShare> {
        let stored = self.get(&place(SHARE, epoch, &[]));
        let stored = stored.and_then(|share| GroupShare::decode(Copying(share.as_slice())).ok());
        stored.or_else(|| self.first_share.clone().filter(|_| epoch.is_zero()))
    }

    async fn put_seed(&mut self, epoch: Epoch, seed: Summary) {
        self.put(place(SEED, epoch, &[]), &encode(&seed)).await;
    }

    async fn get_seed(&mut self, epoch: Epoch) -> Option<Summary> {
        let stored = self.get(&place(SEED, epoch, &[]));
        let stored = stored.and_then(|seed| Summary::decode(Copying(seed.as_slice())).ok());
        stored.or_else(|| {
            let share = self.first_share.as_ref().filter(|share| self.has_no_share_but(share))?;
            Some(derived_seed(&self.seal, share, epoch))
        })
    }

    async fn put_dealing<P: Identity>(&mut self, epoch: Epoch, dealer: P, private: DealerPrivMsg) {
        self.put(place(PART, epoch, dealer.as_ref()), &encode(&private)).await;
    }

    async fn get_dealing<P: Identity>(&mut self, epoch: Epoch, dealer: &P) -> Option<DealerPrivMsg> {
        let part = self.get(&place(PART, epoch, dealer.as_ref()))?;
        DealerPrivMsg::decode(Copying(part.as_slice())).ok()
    }

    async fn prune(&mut self, min: Epoch) {
        let Some(mut records) = self.records.take() else { return self.fail().await };
        let min = min.get().to_be_bytes();
        records.retain(|place, _| place.as_ref()[1..9] >= min[..]);
        match records.sync().await {
            Ok(records) => self.records = Some(records),
            Err(error) => {
                tracing::error!(%error, "cannot remove old secrets");
                self.fail().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use commonware_cryptography::Signer as _;
    use commonware_utils::test_rng;

    use super::*;

    fn transcript(identity: u64) -> Transcript {
        let mut seal = Transcript::new(b"braid secrets at rest", Version::V1);
        seal.commit(PrivateKey::from_seed(identity).encode().as_ref());
        seal
    }

    #[test]
    fn a_record_opens_in_its_place_under_its_identity_only() {
        let here = place(SHARE, Epoch::new(7), &[]);
        let record = seal(&transcript(1), &mut test_rng(), &here, b"secret").unwrap();
        assert!(!record.windows(6).any(|window| window == b"secret"));
        assert_eq!(open(&transcript(1), &here, &record).unwrap().as_slice(), b"secret");
        assert!(open(&transcript(2), &here, &record).is_none(), "another identity");
        assert!(open(&transcript(1), &place(SHARE, Epoch::new(8), &[]), &record).is_none(), "another place");
        for at in 0..record.len() {
            let mut torn = record.clone();
            torn[at] ^= 1;
            assert!(open(&transcript(1), &here, &torn).is_none(), "byte {at}");
            assert!(open(&transcript(1), &here, &record[..at]).is_none(), "{at} bytes");
        }
    }

    #[test]
    fn two_records_of_one_secret_differ() {
        let (here, mut random) = (place(SEED, Epoch::zero(), &[]), test_rng());
        let mut record = || seal(&transcript(1), &mut random, &here, b"secret").unwrap();
        assert_ne!(record(), record());
    }
}
