//! The encodings: what is written is read again, what is read has one spelling, and the bytes do not change by accident.

use alloy_primitives::hex;
use commonware_codec::{Decode as _, DecodeExt as _};
use commonware_cryptography::{Signer as _, ed25519::PrivateKey};
use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::{committee::Validator, fuzz, rules::Rules};

fn key(seed: u64) -> PublicKey {
    PrivateKey::from_seed(seed).public_key()
}

fn validator() -> impl Strategy<Value = Validator> {
    (0_u64..16, any::<[u8; 20]>(), "[a-z]{1,20}:[0-9]{1,5}").prop_map(|(seed, fee_recipient, address)| Validator {
        public_key: key(seed),
        fee_recipient: fee_recipient.into(),
        address,
    })
}

fn committee() -> impl Strategy<Value = Committee> {
    vec(validator(), 1..6).prop_filter_map("keys stand once", |validators| Committee::new(validators).ok())
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![validator().prop_map(Change::Add), (0_u64..16).prop_map(|seed| Change::Remove(key(seed)))]
}

fn tally() -> impl Strategy<Value = Tally> {
    vec(change(), 0..12).prop_map(|votes| votes.iter().fold(Tally::default(), |tally, vote| tally.with(Some(vote))))
}

trait Sample: Dissemination {
    fn commitment(digest: [u8; 32]) -> Self::Commitment;
}

impl Sample for Whole {
    fn commitment(digest: [u8; 32]) -> Digest {
        blake3::Digest(digest)
    }
}

impl Sample for Coded {
    fn commitment(digest: [u8; 32]) -> Self::Commitment {
        let digest = blake3::Digest(digest);
        Commitment::from((digest, digest, digest, GENESIS_CODING))
    }
}

fn block<K: Sample>() -> impl Strategy<Value = Block<K>> {
    let place = (any::<(u32, u32, u32)>(), 0_u64..16, any::<[u8; 32]>());
    let fields = (any::<[u8; 32]>(), any::<u64>(), any::<u64>(), any::<[u8; 20]>(), any::<(u64, [u8; 32])>());
    let election = (option::of(change()), tally(), option::of(committee()));
    let body = (vec(vec(any::<u8>(), 1..200), 0..20), vec(any::<[u8; 20]>(), 0..20));
    (place, fields, election, body).prop_map(|(place, fields, (vote, tally, next), (body, senders))| {
        let ((epoch, view, parent_view), leader, commitment) = place;
        let (parent, height, timestamp_ms, beneficiary, (executed, hash)) = fields;
        let transactions: Vec<Bytes> = body.into_iter().map(Bytes::from).collect();
        let senders: Vec<Address> = senders.into_iter().take(transactions.len()).map(Address::from).collect();
        let round = Round::new(
            commonware_consensus::types::Epoch::new(epoch.into()),
            View::new(u64::from(view) + u64::from(parent_view)),
        );
        let parent_view = View::new(parent_view.into());
        let header = Header {
            context: Context { round, leader: key(leader), parent: (parent_view, K::commitment(commitment)) },
            parent: blake3::Digest(parent),
            height,
            timestamp_ms,
            beneficiary: beneficiary.into(),
            execution: BlockRef { height: executed, hash: hash.into() },
            body: body_digest(&transactions, &senders, None),
            vote,
            tally,
            next,
        };
        Block { header, transactions, senders, reshare: None }
    })
}

fn survives<K: Dissemination>(block: &Block<K>) {
    let encoded = block.encode();
    assert_eq!(encoded.len(), block.encode_size());
    assert!(encoded.len() <= Block::<K>::max_encode_size(&Rules::body_limits()));
    assert_eq!(&Block::<K>::decode_cfg(encoded, &Rules::body_limits()).unwrap(), block);
    let header = block.header.encode();
    assert!(header.len() <= Header::<K>::MAX_SIZE);
    assert_eq!(Header::<K>::decode(header).unwrap().digest(), block.digest());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn blocks_survive_their_encoding(whole in block::<Whole>(), coded in block::<Coded>()) {
        survives(&whole);
        survives(&coded);
    }

    #[test]
    fn mutated_blocks_have_one_spelling_or_none(
        block in block::<Whole>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = block.encode().to_vec();
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        fuzz::block(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        fuzz::block(&bytes);
    }

    #[test]
    fn arbitrary_bytes_have_one_spelling_or_none(bytes in vec(any::<u8>(), 0..1_000)) {
        fuzz::block(&bytes);
    }

    #[test]
    fn a_body_other_than_the_header_names_is_refused(block in block::<Whole>(), extra in vec(any::<u8>(), 1..50)) {
        let mut other = block;
        other.transactions.push(extra.into());
        prop_assert!(Block::<Whole>::decode_cfg(other.encode(), &Rules::body_limits()).is_err());
        other.transactions.pop();
        prop_assert!(Block::<Whole>::decode_cfg(other.encode(), &Rules::body_limits()).is_ok());
        match other.senders.pop() {
            Some(_) => {}
            None if other.transactions.is_empty() => return Ok(()),
            None => other.senders.push(Address::ZERO),
        }
        prop_assert!(Block::<Whole>::decode_cfg(other.encode(), &Rules::body_limits()).is_err());
    }
}

fn sample() -> Block<Whole> {
    let validator = |seed: u64| Validator {
        public_key: key(seed),
        fee_recipient: Address::repeat_byte(u8::try_from(seed).unwrap()),
        address: format!("validator-{seed}.example:30400"),
    };
    let committee = Committee::new((0..4).map(validator).collect()).unwrap();
    let transactions = vec![Bytes::from_static(&[1; 100]), Bytes::from_static(&[2; 300])];
    let senders = vec![Address::repeat_byte(3)];
    let vote = Change::Add(validator(9));
    let round = Round::new(commonware_consensus::types::Epoch::new(2), View::new(300));
    let header = Header {
        context: Context { round, leader: key(1), parent: (View::new(299), blake3::Digest([7; 32])) },
        parent: blake3::Digest([7; 32]),
        height: 299,
        timestamp_ms: 1_750_000_000_123,
        beneficiary: Address::repeat_byte(1),
        execution: BlockRef { height: 296, hash: B256::repeat_byte(9) },
        body: body_digest(&transactions, &senders, None),
        tally: Tally::default().with(Some(&Change::Remove(key(3)))).with(Some(&vote)),
        vote: Some(vote),
        next: Some(committee),
    };
    Block { header, transactions, senders, reshare: None }
}

/// Whoever changes these changes what every node of every chain reads and signs.
#[test]
fn the_encoding_stays_what_it_is() {
    let whole = sample();
    let genesis =
        Block::<Coded>::genesis(whole.header.next.clone().unwrap(), BlockRef::default(), &Signatures::Ed25519).unwrap();
    let hash = |bytes: &[u8]| hex::encode(Blake3::hash(&[bytes]));
    assert_eq!(hash(&whole.encode()), "2cc3ba42fd35527e06337740187abff21dcbed15378452a4813ec66b57e20dac");
    assert_eq!(hash(&genesis.encode()), "e878c234b860c1d4c63fc04adec56ffbfdfad252c5510e6729b91176413e83fb");
}

#[test]
fn limits_on_bodies_hold() {
    let limits = BodyLimits { bytes: 400, transaction_bytes: 300 };
    let refused = |transactions: Vec<Bytes>| {
        let mut block = sample();
        block.header.body = body_digest(&transactions, &[], None);
        (block.transactions, block.senders) = (transactions, Vec::new());
        Block::<Whole>::decode_cfg(block.encode(), &limits).is_err()
    };
    assert!(!refused(vec![vec![1; 300].into(), vec![1; 90].into()]));
    assert!(refused(vec![vec![1; 301].into()]));
    assert!(refused(vec![vec![1; 300].into(), vec![1; 100].into()]));
    assert!(refused(vec![Bytes::new()]));
    assert!(refused(vec![vec![1].into(); 7]));
    let mut crowded = sample();
    crowded.senders = vec![Address::ZERO; crowded.transactions.len() + 1];
    crowded.header.body = body_digest(&crowded.transactions, &crowded.senders, None);
    assert!(Block::<Whole>::decode_cfg(crowded.encode(), &Rules::body_limits()).is_err());
}
