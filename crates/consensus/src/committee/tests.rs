//! Elections: what two thirds of an epoch's blocks ask for happens, and nothing else.

use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_cryptography::{Signer as _, ed25519::PrivateKey};

use super::*;

fn validator(seed: u64) -> Validator {
    let number = u8::try_from(seed).unwrap();
    Validator {
        public_key: PrivateKey::from_seed(seed).public_key(),
        fee_recipient: Address::repeat_byte(number),
        address: format!("10.0.0.{number}:30400"),
    }
}

fn committee(count: u64) -> Committee {
    Committee::new((0..count).map(validator).collect()).unwrap()
}

fn votes(change: &Change, count: usize) -> Tally {
    (0..count).fold(Tally::default(), |tally, _| tally.with(Some(change)))
}

#[test]
fn more_than_two_thirds_of_the_blocks_decide() {
    let (four, change) = (committee(4), Change::Add(validator(4)));
    assert_eq!(votes(&change, 6).elect(&four, 9), four, "two thirds are not more than two thirds");
    assert_eq!(votes(&change, 7).elect(&four, 9), committee(5));
    let remove = Change::Remove(validator(4).public_key);
    assert_eq!(votes(&remove, 7).elect(&committee(5), 9), four);
}

#[test]
fn several_changes_are_made_in_the_order_in_which_they_were_asked_for() {
    let (add, remove) = (Change::Add(validator(4)), Change::Remove(validator(0).public_key));
    let tally = (0..7).fold(Tally::default(), |tally, _| tally.with(Some(&add)).with(Some(&remove)));
    let elected = tally.elect(&committee(4), 10);
    assert_eq!(elected.validators().len(), 4);
    assert!(elected.get(&validator(0).public_key).is_none());
    assert_eq!(elected.get(&validator(4).public_key), Some(&validator(4)));
}

#[test]
fn a_committee_is_not_reduced_below_what_tolerates_a_fault() {
    let remove = Change::Remove(validator(0).public_key);
    assert_eq!(committee(4).after(&remove), committee(4));
    assert_eq!(committee(1).after(&remove), committee(1));
    assert_eq!(committee(5).after(&remove).validators().len(), 4);
}

#[test]
fn an_entry_can_be_replaced() {
    let moved = Validator { address: "10.0.1.1:30400".to_owned(), ..validator(1) };
    let change = Change::Add(moved.clone());
    assert!(!change.is_made(&committee(4)));
    let after = committee(4).after(&change);
    assert!(change.is_made(&after));
    assert_eq!((after.validators().len(), after.get(&moved.public_key)), (4, Some(&moved)));
}

#[test]
fn only_so_many_changes_are_counted() {
    let change = |seed| Change::Add(validator(seed));
    let most = MAX_CHANGES_PER_EPOCH as u64;
    let full = (0..most).fold(Tally::default(), |tally, seed| tally.with(Some(&change(seed))));
    assert_eq!(full.with(Some(&change(most))), full);
    assert_ne!(full.with(Some(&change(0))), full);
    assert!(full.encode_size() <= Tally::MAX_SIZE);
}

#[test]
fn lists_that_are_no_committee_are_refused() {
    assert_eq!(Committee::new(Vec::new()), Err(CommitteeError::Size(0)));
    assert_eq!(Committee::new(vec![validator(1), validator(1)]), Err(CommitteeError::Duplicate));
    for address in ["", "a b:1", "ä:1"] {
        let wrong = Validator { address: address.to_owned(), ..validator(1) };
        assert_eq!(Committee::new(vec![wrong]), Err(CommitteeError::Address), "{address}");
    }
}

#[test]
fn a_committee_is_encoded_in_the_order_of_its_keys() {
    let four = committee(4);
    assert_eq!(Committee::decode(four.encode()).unwrap(), four);
    let mut reversed = four.0.clone();
    reversed.reverse();
    assert!(Committee::decode(Committee(reversed).encode()).is_err());
    assert!(Committee::decode(Committee(vec![validator(1), validator(1)]).encode()).is_err());
}
