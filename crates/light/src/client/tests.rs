//! A client follows what its committee, or its group, says, and nothing else.

use std::collections::BTreeSet;

use alloy_primitives::B256;

use super::*;
use crate::{
    certified::MAX_HEADERS,
    tests::{
        encode::Header,
        network::{EPOCH_LENGTH, LAG, Validators, chain, finalize_as_group, group_client, header},
        sign,
    },
};

const WHOLE: Dissemination = Dissemination::Whole;

fn digest(header: &Header, dissemination: Dissemination) -> B256 {
    B256::from(*blake3::hash(&header.encode(dissemination)).as_bytes())
}

/// The last header of an epoch, with the committee of the next.
fn last(epoch: u64, next: Option<&Validators>) -> Header {
    let header = header((epoch + 1) * EPOCH_LENGTH - 1, B256::repeat_byte(0x11));
    Header { next: next.map(Validators::keys), ..header }
}

#[test]
fn a_certified_header_is_final() {
    for dissemination in [Dissemination::Whole, Dissemination::Coded] {
        let (validators, group) = (Validators::new(0..4), sign::Group::new(1));
        let header = header(5, B256::repeat_byte(0x11));
        let proof = validators.finalize(&header, dissemination);
        let expected = Ok(header.expected(&header.encode(dissemination)));
        assert_eq!(validators.client(0, dissemination).finalized(&proof), expected);
        let proof = finalize_as_group(&group, &header, dissemination);
        assert_eq!(group_client(group.key, dissemination).finalized(&proof), expected);
    }
}

#[test]
fn ancestors_of_a_certified_header_are_final() {
    let validators = Validators::new(0..4);
    let client = validators.client(0, WHOLE);
    let first = header(6, B256::repeat_byte(0x11));
    let second = header(7, digest(&first, WHOLE));
    let third = header(8, digest(&second, WHOLE));
    let link = |below: &[&Header], top: &Header| client.finalized(&validators.finalize_with(below, top, WHOLE));
    assert_eq!(link(&[&first, &second], &third).unwrap().height, 6);

    let (digest_of_first, due) = (digest(&first, WHOLE), digest(&second, WHOLE));
    let gap = LinkError::Digest { height: 6, digest: digest_of_first, due };
    assert_eq!(link(&[&first], &third), Err(gap.into()));
    let order = LinkError::Digest { height: 6, digest: digest_of_first, due };
    assert_eq!(link(&[&second, &first], &third), Err(order.into()));
    let leap = header(8, digest_of_first);
    assert_eq!(link(&[&first], &leap), Err(LinkError::Height { height: 6, child: 8 }.into()));
    let many = vec![&first; MAX_HEADERS];
    let FinalityError::Malformed(error) = link(&many, &third).unwrap_err() else { panic!("too many headers") };
    assert_eq!((error.what, error.at, error.reason), ("finality proof", 0, "a length is above its limit"));
    let FinalityError::Malformed(error) = client.finalized(&[0]).unwrap_err() else { panic!("no header") };
    assert_eq!(error.reason, "it has no header");
}

#[test]
fn every_bit_of_a_header_counts() {
    let validators = Validators::new(0..4);
    let client = validators.client(0, WHOLE);
    let (below, top) = (header(8, B256::ZERO), last(0, Some(&Validators::new(1..6))));
    let top = Header { parent: digest(&below, WHOLE), ..top };
    let proof = validators.finalize_with(&[&below], &top, WHOLE);
    assert!(client.finalized(&proof).is_ok());
    let headers = 1 + below.encode(WHOLE).len() + top.encode(WHOLE).len();
    for bit in 0..headers * 8 {
        let mut altered = proof.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        client.finalized(&altered).unwrap_err();
    }
    // The bytes of the lower header are only under the hash in the upper one.
    let mut altered = proof.to_vec();
    altered[60] ^= 1;
    let error = client.finalized(&altered).unwrap_err();
    assert!(matches!(error, FinalityError::Link(LinkError::Digest { height: 8, .. })), "{error}");
}

#[test]
fn a_header_belongs_to_the_epoch_of_its_certificate() {
    let validators = Validators::new(0..4);
    // Of epoch 1 by its height, of epoch 0 by its own word and the certificate's.
    let stray = Header { epoch: 0, ..header(15, B256::ZERO) };
    let error = validators.client(0, WHOLE).finalized(&validators.finalize(&stray, WHOLE)).unwrap_err();
    assert_eq!(error, FinalityError::HeaderEpoch { certificate: 0, header: 0, height: 15 });
}

#[test]
fn committees_follow_each_other() {
    let committees = [Validators::new(0..4), Validators::new(2..9), Validators::new([4, 8, 30, 31])];
    let mut client = committees[0].client(0, WHOLE);
    for epoch in 0..2 {
        let (now, next) = (&committees[epoch], &committees[epoch + 1]);
        let epoch = epoch as u64;
        client.advance(&now.finalize(&last(epoch, Some(next)), WHOLE)).unwrap();
        assert_eq!(client, next.client(epoch + 1, WHOLE));
    }
    let header = header(25, B256::ZERO);
    assert_eq!(client.finalized(&committees[2].finalize(&header, WHOLE)).unwrap().height, 25);
    // A former committee has no say any more, not even for its own epoch.
    let error = client.finalized(&committees[1].finalize(&header, WHOLE)).unwrap_err();
    assert!(matches!(error, FinalityError::Certificate(CertificateError::CommitteeSize { .. })), "{error}");
    let old = committees[1].finalize(&last(1, Some(&committees[0])), WHOLE);
    assert_eq!(client.finalized(&old), Err(FinalityError::Epoch { certificate: 1, known: 2 }));
    let ahead = committees[2].finalize(&last(3, None), WHOLE);
    assert_eq!(client.finalized(&ahead), Err(FinalityError::Epoch { certificate: 3, known: 2 }));
}

#[test]
fn only_the_last_header_of_an_epoch_changes_the_committee() {
    let (validators, next) = (Validators::new(0..4), Validators::new(4..8));
    let twice = CommitteeError::Duplicate(next.keys()[0]);
    let start = validators.client(0, WHOLE);
    let refused = |header: &Header| {
        let mut client = start.clone();
        let error = client.advance(&validators.finalize(header, WHOLE)).unwrap_err();
        assert_eq!(client, start);
        error
    };
    let early = Header { next: Some(next.keys()), ..header(8, B256::ZERO) };
    assert_eq!(refused(&early), AdvanceError::NotLast { height: 8, epoch: 0, last: 9 });
    assert_eq!(refused(&last(0, None)), AdvanceError::NoCommittee(0));
    let odd = Header { next: Some(vec![next.keys()[0]; 2]), ..last(0, None) };
    assert_eq!(refused(&odd), AdvanceError::Committee(0, twice));
    let mut client = start.clone();
    let forged = next.finalize(&last(0, Some(&next)), WHOLE);
    let error = client.advance(&forged).unwrap_err();
    assert!(
        matches!(error, AdvanceError::Finality(FinalityError::Certificate(CertificateError::Signature(_)))),
        "{error}"
    );
    assert_eq!(client, start);
}

#[test]
fn a_group_key_holds_in_all_epochs() {
    let group = sign::Group::new(1);
    let mut client = group_client(group.key, WHOLE);
    let start = client.clone();
    for epoch in [0, 1, 400] {
        client.advance(&finalize_as_group(&group, &last(epoch, None), WHOLE)).unwrap();
        assert_eq!(client, start);
    }
    let other = finalize_as_group(&sign::Group::new(2), &last(0, None), WHOLE);
    let error = AdvanceError::Finality(FinalityError::Certificate(CertificateError::GroupSignature));
    assert_eq!(client.advance(&other), Err(error));
}

#[test]
fn a_header_commits_to_one_block() {
    let ledger = crate::tests::ledger::Ledger::new(5, 1);
    let rlp = alloy_rlp::encode(&ledger.header);
    let ordered = |height, execution| {
        let header = Header { execution, ..header(height, B256::ZERO) };
        header.expected(&header.encode(WHOLE))
    };
    let chain = chain(WHOLE);
    let hash = ledger.header.hash_slow();
    let found = chain.execution(&ordered(5 + LAG, (5, hash)), &rlp).unwrap();
    assert_eq!((found.hash, found.number, found.state_root), (hash, 5, ledger.header.state_root));
    let lag = ExecutionError::Lag { height: 9, execution: 5, due: 6 };
    assert_eq!(chain.execution(&ordered(9, (5, hash)), &rlp), Err(lag));
    let due = B256::repeat_byte(1);
    assert_eq!(chain.execution(&ordered(8, (5, due)), &rlp), Err(ExecutionError::Hash { header: hash, due }));
    let number = ExecutionError::Number { header: 5, due: 6 };
    assert_eq!(chain.execution(&ordered(9, (6, hash)), &rlp), Err(number));
    for bit in (0..rlp.len() * 8).step_by(3) {
        let mut altered = rlp.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let error = chain.execution(&ordered(8, (5, hash)), &altered).unwrap_err();
        assert!(matches!(error, ExecutionError::Hash { .. }), "bit {bit}: {error}");
    }
}

#[test]
fn a_client_is_written_and_read() {
    for client in [Validators::new(0..4).client(3, Dissemination::Coded), group_client(sign::Group::new(1).key, WHOLE)]
    {
        let json = serde_json::to_value(&client).unwrap();
        assert_eq!(serde_json::from_value::<LightClient>(json.clone()).unwrap(), client, "{json}");
        let mut strange = json.clone();
        strange["chain"]["epochLength"] = 0.into();
        assert!(serde_json::from_value::<LightClient>(strange).is_err());
        let mut strange = json;
        strange["more"] = true.into();
        assert!(serde_json::from_value::<LightClient>(strange).is_err());
    }
    let json = serde_json::to_string(&group_client(sign::Group::new(1).key, WHOLE)).unwrap();
    assert!(json.contains(r#""trust":{"groupKey":"0x"#), "{json}");
    let infinity = json.replace(&sign::Group::new(1).key.bytes().to_string(), &format!("0xc0{}", "00".repeat(95)));
    assert!(
        serde_json::from_str::<LightClient>(&infinity).unwrap_err().to_string().contains("not a BLS12-381 public key")
    );
}

#[test]
fn the_namespace_is_of_everything_that_the_genesis_fixes() {
    let member = |byte| Member {
        public_key: B256::repeat_byte(byte),
        fee_recipient: Address::repeat_byte(byte),
        address: format!("validator-{byte}.example:30303"),
    };
    let network = Network {
        chain_id: 1337,
        genesis_hash: B256::repeat_byte(1),
        execution_lag: 3,
        epoch_length: NonZeroU64::new(50).unwrap(),
        dissemination: Dissemination::Whole,
        group_polynomial: None,
        validators: vec![member(1), member(2)],
    };
    let namespace = network.namespace();
    assert_eq!((namespace.len(), &namespace[..6]), (38, b"braid-".as_slice()));
    let reordered = Network { validators: vec![member(2), member(1)], ..network.clone() };
    assert_eq!(reordered.namespace(), namespace);
    let moved = Member { address: "elsewhere.example:30303".to_owned(), ..member(2) };
    let others = [
        Network { chain_id: 1338, ..network.clone() },
        Network { genesis_hash: B256::repeat_byte(2), ..network.clone() },
        Network { execution_lag: 4, ..network.clone() },
        Network { epoch_length: NonZeroU64::new(51).unwrap(), ..network.clone() },
        Network { dissemination: Dissemination::Coded, ..network.clone() },
        Network { group_polynomial: Some(Bytes::from_static(&[0])), ..network.clone() },
        Network { validators: vec![member(1)], ..network.clone() },
        Network { validators: vec![member(1), moved], ..network.clone() },
        Network { validators: vec![member(1), Member { fee_recipient: Address::ZERO, ..member(2) }], ..network },
    ];
    let mut distinct: BTreeSet<Bytes> = others.iter().map(Network::namespace).collect();
    distinct.insert(namespace);
    assert_eq!(distinct.len(), others.len() + 1);
}
