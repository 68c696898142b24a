//! One test for each reason to refuse a transaction at the door, with the sentence clients see.

use alloy_eips::eip4844::{Blob, BlobTransactionSidecar};
use alloy_eips::eip7594::BlobTransactionSidecarEip7594;
use alloy_primitives::{Bytes, TxKind};

use super::*;
use crate::testing::{blob_transaction, legacy, rules, sender, sent, set_code, transfer};

fn outcome(fork: Fork, transaction: &RecoveredTx) -> String {
    verdict(&rules(fork, 1), &PoolConfig::default(), transaction, None)
}

fn verdict(
    rules: &PoolRules,
    config: &PoolConfig,
    transaction: &RecoveredTx,
    sidecar: Option<&BlobTransactionSidecarVariant>,
) -> String {
    check(rules, config, transaction, sidecar).map_or_else(|rejection| rejection.to_string(), |()| "taken".to_owned())
}

/// A blob that is no constant polynomial: all proofs of one would be the same.
fn blob() -> Blob {
    let mut blob = Blob::repeat_byte(1);
    blob[32..64].fill(2);
    blob
}

fn cell_sidecar() -> BlobTransactionSidecarVariant {
    BlobTransactionSidecarEip7594::try_from_blobs(vec![blob()]).unwrap().into()
}

fn blob_sidecar() -> BlobTransactionSidecarVariant {
    BlobTransactionSidecar::try_from_blobs_with_settings(vec![blob()], EnvKzgSettings::Default.get()).unwrap().into()
}

fn with_blobs(sidecar: &BlobTransactionSidecarVariant) -> RecoveredTx {
    sent(sender(1), blob_transaction(0, sidecar.versioned_hashes().collect()))
}

#[test]
fn ordinary_transactions_are_taken() {
    assert_eq!(outcome(Fork::Frontier, &sent(sender(1), legacy(0, 1))), "taken");
    assert_eq!(outcome(Fork::Osaka, &sent(sender(1), transfer(0, 2, 1))), "taken");
    let mut unprotected = legacy(0, 1);
    unprotected.chain_id = None;
    assert_eq!(outcome(Fork::Osaka, &sent(sender(1), unprotected)), "taken");
}

#[test]
fn a_type_is_refused_before_its_fork() {
    let dynamic = sent(sender(1), transfer(0, 2, 1));
    let sentence = "transaction type not supported: type 2 rejected, pool not yet in London";
    assert_eq!(outcome(Fork::Berlin, &dynamic), sentence);
    assert_eq!(outcome(Fork::London, &dynamic), "taken");
    let sentence = "transaction type not supported: type 4 rejected, pool not yet in Prague";
    assert_eq!(outcome(Fork::Cancun, &sent(sender(1), set_code(0))), sentence);
    let sentence = "transaction type not supported: type 3 rejected, pool not yet in Cancun";
    assert_eq!(outcome(Fork::Shanghai, &with_blobs(&blob_sidecar())), sentence);
}

#[test]
fn another_chains_id_is_refused() {
    let mut foreign = transfer(0, 2, 1);
    foreign.chain_id = 1;
    let sentence = "invalid sender: invalid chain id for signer: have 1 want 31337";
    assert_eq!(outcome(Fork::Osaka, &sent(sender(1), foreign)), sentence);
}

#[test]
fn size_is_limited() {
    let mut large = transfer(0, 2, 1);
    large.input = Bytes::from(vec![0; limits::MAX_TRANSACTION_SIZE_BYTES]);
    let transaction = sent(sender(1), large);
    let sentence = format!("oversized data: transaction size {}, limit 131072", transaction.encode_2718_len());
    assert_eq!(outcome(Fork::Osaka, &transaction), sentence);
}

#[test]
fn creation_code_is_limited_since_shanghai() {
    let mut creation = transfer(0, 2, 1);
    creation.to = TxKind::Create;
    creation.gas_limit = 10_000_000;
    creation.input = Bytes::from(vec![0; 49_152]);
    assert_eq!(outcome(Fork::Osaka, &sent(sender(1), creation.clone())), "taken");
    creation.input = Bytes::from(vec![0; 49_153]);
    let transaction = sent(sender(1), creation);
    assert_eq!(outcome(Fork::Paris, &transaction), "taken");
    assert_eq!(outcome(Fork::Osaka, &transaction), "max initcode size exceeded: code size 49153 limit 49152");
}

#[test]
fn gas_limits_are_capped() {
    let mut hungry = transfer(0, 2, 1);
    hungry.gas_limit = 16_777_217;
    let transaction = sent(sender(1), hungry.clone());
    assert_eq!(outcome(Fork::Prague, &transaction), "taken");
    assert_eq!(outcome(Fork::Osaka, &transaction), "transaction gas limit too high (cap: 16777216, tx: 16777217)");
    hungry.gas_limit = 30_000_001;
    assert_eq!(outcome(Fork::Prague, &sent(sender(1), hungry)), "exceeds block gas limit");
}

#[test]
fn a_tip_above_the_fee_cap_is_refused() {
    let sentence = "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: 3, maxFeePerGas: 2";
    assert_eq!(outcome(Fork::Osaka, &sent(sender(1), transfer(0, 2, 3))), sentence);
}

#[test]
fn the_last_nonce_is_refused() {
    assert_eq!(outcome(Fork::Osaka, &sent(sender(1), transfer(u64::MAX, 2, 1))), "nonce has max value");
}

#[test]
fn a_cost_beyond_256_bits_is_refused() {
    let mut rich = transfer(0, 2, 1);
    rich.value = U256::MAX;
    let sentence = "insufficient funds for gas * price + value: tx cost exceeds 2^256-1";
    assert_eq!(outcome(Fork::Osaka, &sent(sender(1), rich)), sentence);
}

#[test]
fn intrinsic_and_floor_gas_are_demanded() {
    let mut poor = transfer(0, 2, 1);
    poor.gas_limit = 20_000;
    let sentence = "intrinsic gas too low: gas 20000, minimum needed 21000";
    assert_eq!(outcome(Fork::Osaka, &sent(sender(1), poor)), sentence);
    // 100 bytes other than zero: 16 gas each at first, a floor of 40 each since Prague (EIP-7623).
    let mut wordy = transfer(0, 2, 1);
    wordy.input = Bytes::from(vec![1; 100]);
    wordy.gas_limit = 21_000 + 1_600;
    let transaction = sent(sender(1), wordy);
    assert_eq!(outcome(Fork::Cancun, &transaction), "taken");
    let sentence = "insufficient gas for floor data gas cost: gas 22600, minimum needed 25000";
    assert_eq!(outcome(Fork::Prague, &transaction), sentence);
}

#[test]
fn the_configured_tip_is_demanded() {
    let config = PoolConfig { min_tip: 5, ..PoolConfig::default() };
    let transaction = sent(sender(1), transfer(0, 9, 4));
    let sentence = "transaction gas price below minimum: gas tip cap 4, minimum needed 5";
    assert_eq!(verdict(&rules(Fork::Osaka, 1), &config, &transaction, None), sentence);
}

#[test]
fn set_code_needs_an_authorisation() {
    let sentence = "set code tx must have at least one authorization tuple";
    assert_eq!(outcome(Fork::Prague, &sent(sender(1), set_code(0))), sentence);
}

#[test]
fn blobs_come_with_their_proofs() {
    let (rules, config) = (rules(Fork::Osaka, 1), PoolConfig::default());
    let sidecar = cell_sidecar();
    let transaction = with_blobs(&sidecar);
    assert_eq!(verdict(&rules, &config, &transaction, Some(&sidecar)), "taken");
    assert_eq!(verdict(&rules, &config, &transaction, None), "missing sidecar in blob transaction");
    let plain = sent(sender(1), transfer(0, 2, 1));
    let sentence = "unexpected sidecar: transaction carries no blobs";
    assert_eq!(verdict(&rules, &config, &plain, Some(&sidecar)), sentence);
}

#[test]
fn false_proofs_are_refused() {
    let (rules, config) = (rules(Fork::Osaka, 1), PoolConfig::default());
    let mut sidecar = BlobTransactionSidecarEip7594::try_from_blobs(vec![blob()]).unwrap();
    let transaction = with_blobs(&sidecar.clone().into());
    sidecar.cell_proofs.swap(0, 1);
    let swapped = sidecar.clone().into();
    assert_eq!(verdict(&rules, &config, &transaction, Some(&swapped)), "KZG verification error: invalid KZG proof");
    sidecar.cell_proofs.pop();
    let sentence = "Wrong sidecar format: invalid number of 127 blob proofs expected 128";
    assert_eq!(verdict(&rules, &config, &transaction, Some(&sidecar.clone().into())), sentence);
    sidecar.blobs.clear();
    let sentence = "invalid number of 0 blobs compared to 1 commitments";
    assert_eq!(verdict(&rules, &config, &transaction, Some(&sidecar.clone().into())), sentence);
    sidecar.commitments.clear();
    let sentence = "invalid number of 0 blob commitments compared to 1 blob hashes";
    assert_eq!(verdict(&rules, &config, &transaction, Some(&sidecar.into())), sentence);
}

#[test]
fn blob_hashes_must_be_those_of_the_commitments() {
    let sidecar = cell_sidecar();
    let transaction = sent(sender(1), blob_transaction(0, vec![B256::repeat_byte(1)]));
    let answer = verdict(&rules(Fork::Osaka, 1), &PoolConfig::default(), &transaction, Some(&sidecar));
    assert!(answer.starts_with("blob 0: computed hash 0x01"), "{answer}");
    assert!(answer.ends_with(&format!("mismatches transaction one {}", B256::repeat_byte(1))), "{answer}");
}

#[test]
fn number_and_fee_of_blobs_are_limited() {
    let (rules, config) = (rules(Fork::Osaka, 1), PoolConfig::default());
    let none = sent(sender(1), blob_transaction(0, Vec::new()));
    assert_eq!(verdict(&rules, &config, &none, None), "blobless blob transaction");
    let many = sent(sender(1), blob_transaction(0, vec![B256::ZERO; 7]));
    let sentence = "transaction blob limit exceeded: blob count 7, limit 6";
    assert_eq!(verdict(&rules, &config, &many, None), sentence);
    let mut free = blob_transaction(0, vec![B256::ZERO]);
    free.max_fee_per_blob_gas = 0;
    let sentence = "transaction gas price below minimum: blob fee cap 0, minimum needed 1";
    assert_eq!(verdict(&rules, &config, &sent(sender(1), free), None), sentence);
}

#[test]
fn sidecars_follow_the_fork() {
    let config = PoolConfig::default();
    let (old, new) = (blob_sidecar(), cell_sidecar());
    let transaction = with_blobs(&old);
    assert_eq!(verdict(&rules(Fork::Prague, 1), &config, &transaction, Some(&old)), "taken");
    assert_eq!(
        verdict(&rules(Fork::Osaka, 1), &config, &transaction, Some(&old)),
        "Wrong sidecar format: unexpected sidecar version, want: 1, got: 0"
    );
    assert_eq!(
        verdict(&rules(Fork::Prague, 1), &config, &transaction, Some(&new)),
        "Wrong sidecar format: unexpected sidecar version, want: 0, got: 1"
    );
    assert_eq!(sidecar_for_fork(Fork::Osaka, old.clone()).unwrap(), new);
    assert_eq!(sidecar_for_fork(Fork::Prague, old.clone()).unwrap(), old);
    sidecar_for_fork(Fork::Prague, new).unwrap_err();
}
