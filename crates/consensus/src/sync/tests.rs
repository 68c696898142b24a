//! Messages survive their encoding, and what is too large or of another kind is refused.

use alloy_primitives::B256;
use braid_chain::state::Cursor;
use braid_types::limits::{MAX_SNAPSHOT_CHUNK_SIZE_BYTES, MAX_SNAPSHOT_MANIFEST_SIZE_BYTES};
use bytes::Bytes;
use commonware_codec::{Copying, Decode as _, Encode as _, EncodeSize as _};
use proptest::prelude::*;

use super::message::{Answer, MAX_ENDS, MAX_MESSAGE_BYTES, MAX_OFFERED, Message, Offered, PIECE_SIZE_BYTES, Request};
use crate::{
    block::{Coded, Header, Whole},
    certificates::MAX_CERTIFIED_HEADERS,
    committee::MAX_VALIDATORS,
    scheme::{CertificateBounds, Scheme},
};

type Plain = Message<Whole>;

fn decode(bytes: &[u8]) -> Result<Plain, commonware_codec::Error> {
    Plain::decode_cfg(Copying(bytes), &CertificateBounds::ANY)
}

fn survives(message: &Plain) {
    let encoded = message.encode();
    assert_eq!(encoded.len(), message.encode_size());
    assert_eq!(&decode(&encoded).unwrap(), message);
    assert!(decode(&encoded[..encoded.len() - 1]).is_err());
}

fn request() -> impl Strategy<Value = Request> {
    let cursor = any::<([u8; 32], [u8; 32])>()
        .prop_map(|(account, slot)| Cursor { account: B256::from(account), slot: B256::from(slot) });
    prop_oneof![
        Just(Request::Offer),
        any::<u64>().prop_map(Request::Evidence),
        any::<u64>().prop_map(Request::Ends),
        any::<(u64, u32)>().prop_map(|(height, piece)| Request::Manifest(height, piece)),
        (any::<u64>(), cursor).prop_map(|(height, cursor)| Request::Chunk(height, cursor)),
    ]
}

proptest! {
    #[test]
    fn questions_survive_their_encoding(id: u64, request in request()) {
        survives(&Plain::Request(id, request));
    }

    #[test]
    fn rubbish_is_refused_or_means_itself(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = decode(&bytes) {
            prop_assert_eq!(&message.encode()[..], &bytes[..]);
        }
    }
}

#[test]
fn answers_survive_their_encoding() {
    let offered = Offered { height: 7, manifest_bytes: 1_000 };
    for answer in [
        Answer::Nothing,
        Answer::Offer(Vec::new()),
        Answer::Offer(vec![offered; MAX_OFFERED]),
        Answer::Manifest(Bytes::from_static(&[1; 10])),
        Answer::Chunk(Bytes::from_static(&[2; 10])),
    ] {
        survives(&Plain::Answer(3, answer));
    }
}

#[test]
fn what_exceeds_a_limit_is_refused() {
    let refused = |answer: Answer<Whole>| decode(&Plain::Answer(3, answer).encode()).is_err();
    let offered = Offered { height: 7, manifest_bytes: u32::try_from(MAX_SNAPSHOT_MANIFEST_SIZE_BYTES).unwrap() };
    assert!(!refused(Answer::Offer(vec![offered])));
    assert!(refused(Answer::Offer(vec![Offered { manifest_bytes: offered.manifest_bytes + 1, ..offered }])));
    assert!(refused(Answer::Offer(vec![offered; MAX_OFFERED + 1])));
    assert!(refused(Answer::Manifest(vec![0; PIECE_SIZE_BYTES + 1].into())));
    assert!(refused(Answer::Chunk(vec![0; MAX_SNAPSHOT_CHUNK_SIZE_BYTES + 1].into())));
    assert!(refused(Answer::Manifest(Bytes::new())) && refused(Answer::Chunk(Bytes::new())));
    assert!(refused(Answer::Ends(Vec::new())));
}

#[test]
fn the_largest_answers_are_messages() {
    let chunk = Plain::Answer(u64::MAX, Answer::Chunk(vec![0; MAX_SNAPSHOT_CHUNK_SIZE_BYTES].into()));
    assert!(chunk.encode_size() <= MAX_MESSAGE_BYTES);
    // Round, view, commitment and lengths around a certificate.
    let around = 1_024;
    let members = u32::try_from(MAX_VALIDATORS).unwrap();
    let certificate =
        <Scheme as commonware_cryptography::certificate::Verifier>::max_certificate_size(members) + around;
    for header in [Header::<Whole>::MAX_SIZE, Header::<Coded>::MAX_SIZE] {
        assert!(MAX_ENDS * (header + certificate) + around <= MAX_MESSAGE_BYTES);
        let evidence = header + certificate + MAX_CERTIFIED_HEADERS * header + certificate;
        assert!(evidence + around <= MAX_MESSAGE_BYTES);
    }
}
