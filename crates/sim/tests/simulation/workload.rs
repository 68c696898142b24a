//! Clients.

use alloy_consensus::{Transaction as _, transaction::SignerRecoverable};

use braid_sim::{
    random::Random,
    workload::{Submission, Workload},
};

#[test]
fn clients_number_their_transactions_and_send_again_what_is_missing() {
    let mut workload = Workload::new(Random::new(3));
    let sent: Vec<Submission> = (0..40).flat_map(|_| workload.step(10)).collect();
    assert!(sent.len() > 100);
    let again = workload.again();
    let expected = workload.expected_nonces();
    for (address, next) in &expected {
        let mut nonces: Vec<u64> = again
            .iter()
            .filter(|submission| submission.transaction.signer() == *address)
            .map(|submission| submission.transaction.nonce())
            .collect();
        nonces.dedup();
        assert_eq!(nonces, (0..*next).collect::<Vec<_>>());
    }
    workload.look(|address| expected.get(&address).copied().unwrap_or_default());
    assert!(workload.again().is_empty());
}

#[test]
fn senders_are_those_whose_keys_signed() {
    let mut workload = Workload::new(Random::new(4));
    for submission in (0..10).flat_map(|_| workload.step(10)) {
        let signer = submission.transaction.inner().recover_signer().unwrap();
        assert_eq!(signer, submission.transaction.signer());
    }
}
