//! Encodings of consensus, the other way round.

use alloy_primitives::{Address, B256};

use crate::{
    header::{Dissemination, Execution, OrderedHeader},
    tests::sign,
};

pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn length(length: usize) -> Vec<u8> {
    varint(length.try_into().unwrap())
}

fn validator(key: B256) -> Vec<u8> {
    let address = b"validator.example:30400";
    [key.as_slice(), &[0xfe; 20], &length(address.len()), address].concat()
}

pub(crate) fn committee(keys: &[B256]) -> Vec<u8> {
    let mut bytes = length(keys.len());
    keys.iter().for_each(|key| bytes.extend(validator(*key)));
    bytes
}

/// A name in votes that starts with `digest`.
pub(crate) fn name(digest: B256, dissemination: Dissemination) -> Vec<u8> {
    let mut name = digest.to_vec();
    name.resize(dissemination.name_bytes(), 0x01);
    name
}

/// A header to be encoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Header {
    pub(crate) epoch: u64,
    pub(crate) view: u64,
    pub(crate) parent: B256,
    pub(crate) height: u64,
    pub(crate) timestamp_ms: u64,
    pub(crate) execution: (u64, B256),
    pub(crate) votes: Vec<B256>,
    pub(crate) next: Option<Vec<B256>>,
}

impl Header {
    pub(crate) fn with_everything() -> Self {
        let keys = (1..=4).map(|seed| sign::ed25519(seed, &[]).0.bytes());
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        Self {
            epoch: 300,
            view: 70_000,
            parent: B256::repeat_byte(0xaa),
            height: 1 << 40,
            timestamp_ms: 1_763_850_000_123,
            execution: ((1 << 40) - 3, B256::repeat_byte(0xee)),
            votes: keys.clone(),
            next: Some(keys),
        }
    }

    pub(crate) fn encode(&self, dissemination: Dissemination) -> Vec<u8> {
        let votes = self.votes.iter().enumerate().map(|(index, key)| change(index, *key));
        let mut bytes =
            [varint(self.epoch), varint(self.view), vec![0x77; 32], varint(self.view.saturating_sub(1))].concat();
        bytes.extend(name(self.parent, dissemination));
        bytes.extend(self.parent);
        bytes.extend(varint(self.height));
        bytes.extend(self.timestamp_ms.to_be_bytes());
        bytes.extend([0xbe; 20]);
        bytes.extend(varint(self.execution.0));
        bytes.extend(self.execution.1);
        bytes.extend([0xbb; 32]);
        bytes.extend(optional(votes.clone().next()));
        bytes.extend(length(self.votes.len()));
        votes.for_each(|change| bytes.extend([change, varint(200)].concat()));
        bytes.extend(optional(self.next.as_deref().map(committee)));
        bytes
    }

    /// What reading it gives.
    pub(crate) fn expected(&self, bytes: &[u8]) -> OrderedHeader {
        OrderedHeader {
            digest: B256::from(*blake3::hash(bytes).as_bytes()),
            epoch: self.epoch,
            view: self.view,
            leader: B256::repeat_byte(0x77),
            parent: self.parent,
            height: self.height,
            timestamp_ms: self.timestamp_ms,
            beneficiary: Address::repeat_byte(0xbe),
            execution: Execution { height: self.execution.0, hash: self.execution.1 },
            body: B256::repeat_byte(0xbb),
            next: self.next.clone(),
        }
    }
}

/// Adds or removes a validator, by turns.
fn change(index: usize, key: B256) -> Vec<u8> {
    if index.is_multiple_of(2) { [vec![0], validator(key)].concat() } else { [&[1], key.as_slice()].concat() }
}

fn optional(bytes: Option<Vec<u8>>) -> Vec<u8> {
    bytes.map_or(vec![0], |bytes| [vec![1], bytes].concat())
}
