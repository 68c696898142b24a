//! What a genesis may say about validators.

use serde_json::{Value, json};

use super::*;
use crate::fork::{ChainSpec, Fork, SpecError};

/// A change of the genesis object.
type Change = fn(&mut Value);

fn validator(number: u8) -> Value {
    json!({
        "publicKey": B256::repeat_byte(number),
        "feeRecipient": Address::repeat_byte(number),
        "address": format!("127.0.0.1:{}", 30_400 + u16::from(number)),
    })
}

fn minimal() -> Value {
    json!({ "validators": [validator(1)] })
}

/// The specification of a chain with `braid` in its genesis configuration.
fn spec(braid: Value) -> Result<ChainSpec, SpecError> {
    let mut config = ChainSpec::at_fork(7, Fork::LATEST).config;
    config.extra_fields.insert_value(CONSENSUS_KEY.to_owned(), braid).unwrap();
    ChainSpec::from_config(&config)
}

fn with(change: impl FnOnce(&mut Value)) -> Result<ConsensusConfig, String> {
    let mut braid = minimal();
    change(&mut braid);
    spec(braid).map(|spec| spec.consensus.unwrap()).map_err(|error| error.to_string())
}

#[test]
fn a_genesis_without_validators_is_an_ordinary_chain() {
    let spec = ChainSpec::from_config(&ChainSpec::at_fork(7, Fork::LATEST).config).unwrap();
    assert_eq!(spec.consensus, None);
    assert!(!spec.allows_timestamp(5, 5) && spec.allows_timestamp(6, 5) && !spec.allows_timestamp(4, 5));
}

#[test]
fn where_validators_order_blocks_time_stamps_may_be_equal() {
    let spec = spec(minimal()).unwrap();
    assert!(spec.allows_timestamp(5, 5) && spec.allows_timestamp(6, 5) && !spec.allows_timestamp(4, 5));
    assert!(spec.allows_timestamp(u64::MAX, u64::MAX));
}

#[test]
fn what_is_left_out_has_defaults() {
    let config = with(|_| {}).unwrap();
    let expected = (3, 432_000, CertificateScheme::Ed25519, Dissemination::Whole, None);
    let ConsensusConfig { execution_lag, epoch_length, scheme, dissemination, group_polynomial, .. } = config;
    assert_eq!((execution_lag, epoch_length, scheme, dissemination, group_polynomial), expected);
}

#[test]
fn every_field_is_read_and_written_again() {
    let braid = json!({
        "executionLag": 2, "epochLength": 9, "scheme": "bls12381-threshold", "dissemination": "coded",
        "validators": (1..=4).map(validator).collect::<Vec<_>>(), "groupPolynomial": "0x0102",
    });
    let config = spec(braid.clone()).unwrap().consensus.unwrap();
    assert_eq!((config.execution_lag, config.epoch_length, config.validators.len()), (2, 9, 4));
    assert_eq!((config.scheme, config.dissemination), (CertificateScheme::Bls12381Threshold, Dissemination::Coded));
    assert_eq!(config.group_polynomial, Some(Bytes::from_static(&[1, 2])));
    assert_eq!(config.validators[3].public_key, B256::repeat_byte(4));
    assert_eq!(config.validators[3].fee_recipient, Address::repeat_byte(4));
    assert_eq!(config.validators[3].address, "127.0.0.1:30404");
    assert_eq!(serde_json::to_value(&config).unwrap(), braid);
}

#[test]
fn contradictions_are_named() {
    let wrong = |change: Change| with(change).unwrap_err();
    let prefix = "config.braid of the genesis is wrong: ";
    let cases: [(Change, &str); 9] = [
        (|it| it["executionLag"] = json!(0), "executionLag is 0, not between 1 and 16"),
        (|it| it["executionLag"] = json!(17), "executionLag is 17, not between 1 and 16"),
        (|it| it["epochLength"] = json!(3), "epochLength 3 is not above executionLag 3"),
        (|it| it["validators"] = json!([]), "there are 0 validators, not between 1 and 128"),
        (|it| it["dissemination"] = json!("coded"), "coded dissemination needs 4 validators, there are 1"),
        (|it| it["scheme"] = json!("bls12381-threshold"), "groupPolynomial is missing, which bls12381-threshold needs"),
        (|it| it["groupPolynomial"] = json!("0x01"), "groupPolynomial is given, but the scheme is ed25519"),
        (|it| it["validators"][0]["address"] = json!("nowhere"), "address \"nowhere\" of a validator is not host:port"),
        (
            |it| it["validators"] = json!([validator(1), validator(1)]),
            "validator key 0x0101010101010101010101010101010101010101010101010101010101010101 is listed twice",
        ),
    ];
    for (change, message) in cases {
        assert_eq!(wrong(change), format!("{prefix}{message}"));
    }
}

#[test]
fn unknown_keys_and_malformed_values_are_refused() {
    let wrong = |change: Change| with(change).unwrap_err();
    assert!(wrong(|it| it["executionlag"] = json!(3)).contains("unknown field `executionlag`"));
    assert!(wrong(|it| it["validators"][0]["weight"] = json!(3)).contains("unknown field `weight`"));
    assert!(wrong(|it| it["scheme"] = json!("rsa")).contains("unknown variant `rsa`"));
    assert!(wrong(|it| it["validators"][0]["publicKey"] = json!("0x01")).contains("invalid string length"));
    assert!(wrong(|it| *it = json!({})).contains("missing field `validators`"));
    assert!(wrong(|it| *it = json!(3)).contains("invalid type"));
}

#[test]
fn addresses_are_names_or_ip_addresses_with_a_port() {
    for good in ["127.0.0.1:1", "validator-1.example.org:65535", "[::1]:30400", "localhost:80"] {
        assert!(is_host_port(good), "{good}");
    }
    for bad in ["", ":1", "a:0", "a:65536", "a:", "a", "::1:80", "[::1]", "[localhost]:80", "a b:80", "a:8 0"] {
        assert!(!is_host_port(bad), "{bad}");
    }
}
