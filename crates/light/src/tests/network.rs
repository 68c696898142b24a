//! Validators that agree on headers.

use std::num::NonZeroU64;

use alloy_primitives::{B256, Bytes};

use super::{
    encode::{self, Header, varint},
    sign,
};
use crate::{
    bls::GroupKey,
    client::{Chain, Checkpoint, LightClient, Trust},
    committee::Committee,
    header::Dissemination,
};

pub(crate) const NAMESPACE: &[u8] = b"chain 1337";
pub(crate) const LAG: u64 = 3;
pub(crate) const EPOCH_LENGTH: u64 = 10;

pub(crate) fn chain(dissemination: Dissemination) -> Chain {
    let epoch_length = NonZeroU64::new(EPOCH_LENGTH).unwrap();
    Chain { namespace: Bytes::from_static(NAMESPACE), execution_lag: LAG, epoch_length, dissemination }
}

/// What the validators sign: a proposal, as they encode it.
pub(crate) fn proposal(epoch: u64, view: u64, digest: B256, dissemination: Dissemination) -> Vec<u8> {
    [varint(epoch), varint(view), varint(view.saturating_sub(1)), encode::name(digest, dissemination)].concat()
}

pub(crate) fn message(namespace: &[u8], suffix: &[u8], proposal: &[u8]) -> Vec<u8> {
    let space = [namespace, suffix].concat();
    [varint(space.len().try_into().unwrap()), space, proposal.to_vec()].concat()
}

/// A committee whose keys are made of these seeds, in the order of the keys.
#[derive(Clone, Debug)]
pub(crate) struct Validators(Vec<u8>);

impl Validators {
    pub(crate) fn new(seeds: impl IntoIterator<Item = u8>) -> Self {
        let mut seeds: Vec<u8> = seeds.into_iter().collect();
        seeds.sort_by_key(|seed| sign::ed25519(*seed, &[]).0.bytes());
        Self(seeds)
    }

    pub(crate) fn keys(&self) -> Vec<B256> {
        self.0.iter().map(|seed| sign::ed25519(*seed, &[]).0.bytes()).collect()
    }

    pub(crate) fn committee(&self) -> Committee {
        Committee::new(self.keys()).unwrap()
    }

    pub(crate) fn client(&self, epoch: u64, dissemination: Dissemination) -> LightClient {
        let trust = Trust::Checkpoint(Checkpoint { epoch, committee: self.committee() });
        LightClient { chain: chain(dissemination), trust }
    }

    /// The certificate that those at `places` sign.
    pub(crate) fn certificate(&self, places: &[usize], message: &[u8]) -> Vec<u8> {
        let mut bits = vec![0_u8; self.0.len().div_ceil(8)];
        let mut places = places.to_vec();
        places.sort_unstable();
        places.iter().for_each(|place| bits[place / 8] |= 1 << (place % 8));
        let mut bytes = [&[0], (self.0.len() as u64).to_be_bytes().as_slice(), &bits].concat();
        bytes.extend(varint(places.len() as u64));
        places.iter().for_each(|place| bytes.extend(sign::ed25519(self.0[*place], message).1));
        bytes
    }

    /// All but f of them.
    pub(crate) fn quorum(&self) -> Vec<usize> {
        (0..self.committee().quorum()).collect()
    }

    /// The header with a quorum's certificate.
    pub(crate) fn finalize(&self, header: &Header, dissemination: Dissemination) -> Bytes {
        self.finalize_with(&[], header, dissemination)
    }

    /// Headers, the lowest first, and one above them with a quorum's certificate.
    pub(crate) fn finalize_with(&self, below: &[&Header], header: &Header, dissemination: Dissemination) -> Bytes {
        let proposal = proposed(header, dissemination);
        let certificate = self.certificate(&self.quorum(), &message(NAMESPACE, b"_FINALIZE", &proposal));
        certified(below, header, &[proposal, certificate].concat(), dissemination)
    }
}

/// A client that trusts a group, and a header that the group made final.
pub(crate) fn group_client(key: GroupKey, dissemination: Dissemination) -> LightClient {
    LightClient { chain: chain(dissemination), trust: Trust::GroupKey(key) }
}

pub(crate) fn finalize_as_group(group: &sign::Group, header: &Header, dissemination: Dissemination) -> Bytes {
    let proposal = proposed(header, dissemination);
    let signature = group.sign(&message(NAMESPACE, b"_FINALIZE", &proposal));
    certified(&[], header, &[proposal.as_slice(), &[1], &signature].concat(), dissemination)
}

fn proposed(header: &Header, dissemination: Dissemination) -> Vec<u8> {
    let digest = B256::from(*blake3::hash(&header.encode(dissemination)).as_bytes());
    proposal(header.epoch, header.view, digest, dissemination)
}

fn certified(below: &[&Header], header: &Header, finalization: &[u8], dissemination: Dissemination) -> Bytes {
    let mut bytes = varint(below.len() as u64 + 1);
    below.iter().for_each(|below| bytes.extend(below.encode(dissemination)));
    bytes.extend(header.encode(dissemination));
    bytes.extend(finalization);
    bytes.into()
}

/// A header in its epoch, with the view counted from the epoch's first block.
pub(crate) fn header(height: u64, parent: B256) -> Header {
    let (epoch, view) = (height / EPOCH_LENGTH, height % EPOCH_LENGTH + 1);
    let execution = (height.saturating_sub(LAG), B256::repeat_byte(0xee));
    Header { epoch, view, parent, height, timestamp_ms: 1_000 * height, execution, ..Header::default() }
}
