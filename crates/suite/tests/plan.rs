//! What holds of a suite without any chain.

use std::collections::BTreeSet;

use alloy_primitives::{Address, Signature, U256, address, b256, eip191_hash_message, keccak256, uint};
use alloy_sol_types::{SolCall, SolValue, sol};

use braid_suite::{Act, Condition, Expected, Purpose, Step, Suite, Transaction, artefact, proxy};

sol! {
    function addClaim(uint256 topic, uint256 scheme, address issuer, bytes signature, bytes data, string uri)
        returns (bytes32 claimId);
    function addKey(bytes32 key, uint256 purpose, uint256 keyType) returns (bool);
}

/// The first account of every development node.
const OWNER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

/// Longest creation code that a chain takes (EIP-3860).
const MAX_INIT_CODE: usize = 49_152;

#[test]
fn every_artefact_has_code_and_an_interface() {
    for artefact in artefact::ALL {
        assert!(artefact.code().unwrap().len() > 100, "{}", artefact.name);
        assert!(artefact.abi().unwrap().get().starts_with('['), "{}", artefact.name);
        assert!(artefact.source().unwrap().ends_with(&format!("{}.sol", artefact.name)));
    }
}

#[test]
fn a_suite_has_one_address_and_one_name_for_each_contract() {
    let suite = Suite::new(OWNER).unwrap();
    let names: BTreeSet<_> = suite.contracts.iter().map(|contract| contract.name.to_lowercase()).collect();
    let addresses: BTreeSet<_> = suite.contracts.iter().map(|contract| contract.address).collect();
    assert_eq!((names.len(), addresses.len()), (suite.contracts.len(), suite.contracts.len()));
    for contract in &suite.contracts {
        let is_plain = contract.name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
        assert!(is_plain && !contract.about.is_empty(), "{}", contract.name);
        assert!(contract.init_code.as_ref().is_none_or(|code| code.len() <= MAX_INIT_CODE), "{}", contract.name);
        assert_eq!(suite.find(&contract.name.to_uppercase()).map(|found| found.address), Some(contract.address));
    }
}

#[test]
fn another_owner_has_other_addresses_for_what_names_it() {
    let [one, other] = [OWNER, Address::repeat_byte(7)].map(|owner| Suite::new(owner).unwrap());
    let address = |suite: &Suite, name: &str| suite.find(name).unwrap().address;
    assert_eq!(address(&one, "Vault"), address(&other, "Vault"), "it has no owner");
    assert_ne!(address(&one, "bUSD"), address(&other, "bUSD"));
    assert_eq!(address(&one, "bUSD"), address(&Suite::new(OWNER).unwrap(), "bUSD"));
}

#[test]
fn the_proxy_is_the_one_that_every_chain_has() {
    let expected = b256!("2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989");
    assert_eq!(keccak256(&proxy::CODE), expected);
    assert_eq!(proxy::DEPLOYER.create(0), proxy::ADDRESS);
    let transaction = b256!("eddf9e61fb9d8f5111840daef55e5fde0041f5702856532cdbb5a02998033d26");
    assert_eq!(keccak256(&proxy::TRANSACTION), transaction);
    assert_eq!(U256::from(proxy::GAS_PRICE) * U256::from(100_000), proxy::COST);
}

/// Half the order of the curve (EIP-2): a signature with a larger `s` is refused.
const HALF_ORDER: U256 = uint!(0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0_U256);

#[test]
fn the_seeded_claim_is_signed_by_the_key_that_its_issuer_gets_and_that_key_signs_no_other() {
    let mut keys = BTreeSet::new();
    for owner in (1..=16).map(Address::repeat_byte) {
        let suite = Suite::new(owner).unwrap();
        let [issuer, identity] = ["ClaimIssuer", "Identity"].map(|name| suite.find(name).unwrap().address);
        let sent = suite.transactions();
        let claim = sent.iter().find(|sent| sent.to == identity).unwrap();
        let claim = addClaimCall::abi_decode(&claim.input).unwrap();
        let key = sent.iter().find(|sent| sent.to == issuer).unwrap();
        let key = addKeyCall::abi_decode(&key.input).unwrap().key;
        assert_eq!(claim.issuer, issuer);
        let signature = Signature::from_raw(&claim.signature).unwrap();
        assert!(signature.s() <= HALF_ORDER && claim.signature.len() == 65);
        let told = keccak256((identity, claim.topic, claim.data).abi_encode_params());
        let signer = signature.recover_address_from_prehash(&eip191_hash_message(told)).unwrap();
        assert_eq!(keccak256(signer.abi_encode()), key);
        keys.insert(key);
    }
    assert_eq!(keys.len(), 16, "another identity, another key");
}

fn condition(word: usize, expected: Expected) -> Condition {
    Condition { to: Address::ZERO, input: Default::default(), word, expected }
}

fn step(act: Act) -> Step {
    let done = condition(0, Expected::AtLeast(U256::ONE));
    Step { about: String::new(), purpose: Purpose::Seed, done, act }
}

fn send(value: u8) -> Step {
    step(Act::Send(Transaction { to: Address::ZERO, value: U256::from(value), input: Default::default() }))
}

#[test]
fn what_is_done_is_left_out_with_everything_within() {
    let tree = step(Act::All(vec![send(1), step(Act::All(vec![send(2), send(3)])), send(4)]));
    assert_eq!(tree.conditions().len(), 6);
    let left = |done: [bool; 6]| {
        let mut answers = done.into_iter();
        let left = tree.outstanding(&mut || answers.next().unwrap());
        assert_eq!(answers.next(), None, "every condition was asked");
        left.iter().map(|(_, transaction)| transaction.value.to::<u8>()).collect::<Vec<_>>()
    };
    assert_eq!(left([false; 6]), [1, 2, 3, 4]);
    assert_eq!(left([false, true, false, false, true, false]), [2, 4]);
    assert_eq!(
        left([false, false, true, false, false, false]),
        [1, 4],
        "the inner one is done, whatever is asked within"
    );
    assert_eq!(left([true, false, false, false, false, false]), [0_u8; 0]);
}

#[test]
fn a_condition_needs_an_answer() {
    let word = |number: u64| U256::from(number).to_be_bytes::<32>();
    let least = condition(0, Expected::AtLeast(U256::from(5)));
    assert!(least.holds(&word(5)) && least.holds(&word(6)) && !least.holds(&word(4)));
    let other = condition(0, Expected::OtherThan(U256::from(5)));
    assert!(other.holds(&word(4)) && !other.holds(&word(5)));
    let zero = condition(0, Expected::Zero);
    assert!(zero.holds(&word(0)) && !zero.holds(&word(1)));
    for condition in [least, other, zero] {
        assert!(!condition.holds(&[]) && !condition.holds(&[0; 31]), "{condition:?}");
    }
}

#[test]
fn a_condition_may_be_about_a_later_word() {
    let second = condition(1, Expected::AtLeast(U256::from(5)));
    let answer = |words: [u64; 2]| words.map(|word| U256::from(word).to_be_bytes::<32>()).concat();
    assert!(second.holds(&answer([0, 5])) && !second.holds(&answer([5, 0])));
    assert!(!second.holds(&U256::from(5).to_be_bytes::<32>()), "there is no second word");
}
