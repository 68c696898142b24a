//! Each rule about headers, broken alone.

use std::num::NonZeroU64;

use alloy_primitives::{Address, B256};
use braid_types::ordered::Dissemination as Chosen;
use commonware_consensus::{
    simplex::types::Context,
    types::{Round, View},
};
use commonware_cryptography::{Signer as _, ed25519::PrivateKey};

use super::*;
use crate::{
    block::{Block, Whole, body_digest},
    committee::Validator,
    scheme::Signatures,
};

fn validator(seed: u64) -> Validator {
    let number = u8::try_from(seed).unwrap();
    Validator {
        public_key: PrivateKey::from_seed(seed).public_key(),
        fee_recipient: Address::repeat_byte(number),
        address: format!("10.0.0.{number}:30400"),
    }
}

fn rules() -> Rules {
    Rules {
        namespace: b"a chain".to_vec(),
        execution_lag: 3,
        epoch_length: NonZeroU64::new(5).unwrap(),
        dissemination: Chosen::Whole,
        signatures: Signatures::Ed25519,
        committee: Committee::new((0..4).map(validator).collect()).unwrap(),
        genesis: BlockRef { height: 0, hash: B256::repeat_byte(1) },
    }
}

fn members(rules: &Rules) -> Members {
    let committee = Arc::new(rules.committee.clone());
    Members { committee: Arc::clone(&committee), elected: committee }
}

fn child(parent: &Header<Whole>, vote: Option<Change>) -> Header<Whole> {
    let rules = rules();
    let digest = parent.digest();
    let round = Round::new(rules.epoch_of(parent.height + 1), View::new(parent.height + 1));
    let leader = validator(parent.height % 4).public_key;
    let context = Context { round, leader, parent: (View::new(parent.height), digest) };
    let height = (parent.height + 1).saturating_sub(rules.execution_lag);
    let execution = BlockRef { height, hash: B256::repeat_byte(2) };
    let body = body_digest(&[], &[], None);
    build_header(context, (parent, digest), 1_000, execution, body, vote, &rules, &members(&rules)).unwrap()
}

fn genesis() -> Header<Whole> {
    let rules = rules();
    Block::genesis(rules.committee.clone(), rules.genesis, &rules.signatures).unwrap().header
}

fn check(header: &Header<Whole>, parent: &Header<Whole>) -> Result<(), HeaderError> {
    let rules = rules();
    check_header(header, parent, &rules, &members(&rules))
}

#[test]
fn what_is_built_is_valid() {
    let mut parent = genesis();
    for _ in 0..12 {
        let vote = (parent.height.is_multiple_of(3)).then(|| Change::Add(validator(7)));
        let header = child(&parent, vote);
        assert_eq!(check(&header, &parent), Ok(()));
        assert!(header.timestamp_ms > parent.timestamp_ms);
        assert_eq!(header.next.is_some(), header.height % 5 == 4);
        parent = header;
    }
}

#[test]
fn the_last_block_carries_what_was_voted_for() {
    let mut parent = genesis();
    for _ in 0..4 {
        parent = child(&parent, Some(Change::Add(validator(7))));
    }
    let next = parent.next.clone().unwrap();
    assert_eq!(next.get(&validator(7).public_key), Some(&validator(7)));
    let first = child(&parent, None);
    assert_eq!(first.tally, Tally::default(), "a new epoch counts anew");
}

#[test]
fn each_rule_is_checked() {
    let parent = child(&child(&genesis(), None), None);
    let valid = child(&parent, None);
    let wrong = |change: fn(&mut Header<Whole>)| {
        let mut header = valid.clone();
        change(&mut header);
        check(&header, &parent).unwrap_err()
    };
    assert!(matches!(wrong(|header| header.timestamp_ms = 0), HeaderError::Timestamp { .. }));
    assert_eq!(wrong(|header| header.context.leader = validator(9).public_key), HeaderError::Leader);
    assert_eq!(wrong(|header| header.beneficiary = Address::repeat_byte(0xee)), HeaderError::Beneficiary);
    let height = HeaderError::ExecutionHeight { found: 1, expected: 0 };
    assert_eq!(wrong(|header| header.execution.height = 1), height);
    assert_eq!(wrong(|header| header.vote = Some(Change::Remove(validator(9).public_key))), HeaderError::Vote);
    assert_eq!(wrong(|header| header.vote = Some(Change::Add(validator(9)))), HeaderError::Tally);
    assert_eq!(wrong(|header| header.next = Some(rules().committee)), HeaderError::Next);
    let last = child(&child(&parent, None), None);
    let before = child(&parent, None);
    let mut without = last.clone();
    without.next = None;
    assert_eq!(check(&without, &before), Err(HeaderError::Next));
}
