//! Against a real chain and the contracts: what is told, told again, told differently, and interrupted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::time::Duration;

use alloy_primitives::{B256, U256, keccak256};
use braid_microloans_chain::{
    Anchor, ChainError, Fact, Recorded, Recorder,
    contracts::{JournalAnchor, LoanBook, Parts, STATES, state_number},
    schedule::leaf,
};
use braid_microloans_ledger::{
    journal::merkle,
    states::{LoanState, Machine as _},
};
use serde_json::json;
use support::{Chain, DOLLAR, instalments};

fn evidence() -> B256 {
    keccak256("keyed hash of a receipt")
}

/// The life of a loan, in the order of its numbers.
fn life(chain: &Chain) -> Vec<Fact> {
    let offer = chain.offer();
    let key_facts = offer.key_facts;
    let repaid = |principal, next_instalment| Fact::Repaid {
        parts: Parts { principal, interest: DOLLAR, fees: 0, penalties: 0 },
        next_instalment,
    };
    vec![
        Fact::Offered(Box::new(offer)),
        Fact::Accepted { key_facts, language: *b"sw", channel: 1, evidence: evidence() },
        Fact::Held { is_held: true, reason: B256::ZERO },
        Fact::Held { is_held: false, reason: B256::ZERO },
        Fact::Funded,
        Fact::Disbursing,
        Fact::Stepped { to: state_number("disbursement_unknown").unwrap(), reason: B256::ZERO },
        Fact::Stepped { to: state_number("disbursing").unwrap(), reason: B256::ZERO },
        Fact::Disbursed { evidence: evidence() },
        repaid(25 * DOLLAR, 1),
        Fact::Consented { key_facts: keccak256("other facts"), channel: 1, evidence: evidence() },
        Fact::Restructured { schedule: keccak256("schedule"), key_facts: keccak256("other facts") },
        repaid(75 * DOLLAR, 4),
        Fact::Stepped { to: state_number("closed").unwrap(), reason: B256::ZERO },
    ]
}

async fn tell_all(recorder: &Recorder, loan: B256, facts: &[Fact]) -> Vec<Recorded> {
    let mut recorded = Vec::new();
    for (sequence, fact) in (1..).zip(facts) {
        recorded.push(recorder.record(loan, sequence, fact).await.unwrap());
    }
    recorded
}

#[tokio::test]
async fn a_loan_is_told_once_however_often_it_is_told() {
    let chain = Chain::with_lender().await;
    let (recorder, loan, facts) = (chain.recorder().await, keccak256("loan"), life(&chain));
    assert!(tell_all(&recorder, loan, &facts).await.iter().all(|told| matches!(told, Recorded::Now { .. })));
    let balance = chain.balance(chain.owner).await;
    // After a crash the outbox knows nothing and tells everything again.
    let again = chain.recorder().await;
    assert!(tell_all(&again, loan, &facts).await.iter().all(|told| *told == Recorded::Before));
    let told = again.loan(loan).await.unwrap();
    assert_eq!(STATES[usize::from(told.state)], "closed");
    assert_eq!((told.sequence, told.outstanding, told.paid.principal), (14, 0, 100 * DOLLAR));
    assert_eq!(chain.balance(chain.owner).await, balance, "no money moved twice");
    assert_eq!(chain.outstanding().await, U256::ZERO);
    assert_eq!(chain.earned().await, U256::from(2 * DOLLAR));
}

#[tokio::test]
async fn other_facts_gaps_and_refusals_are_told_apart() {
    let chain = Chain::with_lender().await;
    let (recorder, loan, facts) = (chain.recorder().await, keccak256("loan"), life(&chain));
    tell_all(&recorder, loan, &facts[..2]).await;
    let other = Fact::Held { is_held: true, reason: B256::ZERO };
    let error = recorder.record(loan, 2, &other).await.unwrap_err();
    assert!(matches!(error, ChainError::Contradiction { sequence: 2, .. }), "{error}");
    let error = recorder.record(loan, 4, &other).await.unwrap_err();
    assert!(matches!(error, ChainError::Gap { last: 2, given: 4, .. }), "{error}");
    // Money before it is there.
    let error = recorder.record(loan, 3, &Fact::Disbursed { evidence: evidence() }).await.unwrap_err();
    assert!(matches!(&error, ChainError::Refused(reason) if reason.contains("IllegalStep")), "{error}");
    assert!(!error.is_passing());
    let gone = Recorder::new(
        braid_microloans_chain::rpc::Node::new("http://127.0.0.1:9").unwrap(),
        support::KEY,
        chain.book,
        chain.journal,
    );
    assert!(gone.await.unwrap_err().is_passing());
}

/// Killed between sending and hearing of it: the one that comes back sends again, and both are included.
#[tokio::test]
async fn what_was_on_its_way_in_a_crash_happens_once() {
    let chain = Chain::with_lender().await;
    let (recorder, loan, facts) = (chain.recorder().await, keccak256("loan"), life(&chain));
    tell_all(&recorder, loan, &facts[..9]).await;
    let (before, nonce) = (chain.balance(chain.owner).await, chain.node.nonce(chain.owner).await.unwrap());
    chain.cheat("evm_setAutomine", json!([false])).await;
    tokio::select! {
        told = recorder.record(loan, 10, &facts[9]) => panic!("included without a block: {told:?}"),
        () = sent(&chain, nonce + 1) => {}
    }
    drop(recorder);
    let back = chain.recorder().await;
    let blocks = async {
        sent(&chain, nonce + 2).await;
        chain.cheat("evm_mine", json!([])).await;
    };
    let (told, ()) = tokio::join!(back.record(loan, 10, &facts[9]), blocks);
    assert!(matches!(told.unwrap(), Recorded::Now { .. }));
    let paid = U256::from(26 * DOLLAR);
    assert_eq!(chain.balance(chain.owner).await, before - paid, "paid once");
    assert_eq!(back.loan(loan).await.unwrap().outstanding, 75 * DOLLAR);
}

/// Waits until so many transactions of the owner's are sent.
async fn sent(chain: &Chain, nonce: u64) {
    while chain.node.nonce(chain.owner).await.unwrap() < nonce {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_journal_is_anchored_and_its_entries_are_proved_on_chain() {
    let chain = Chain::with_lender().await;
    let recorder = chain.recorder().await;
    let leaves: Vec<[u8; 32]> = (0..11_u8).map(|at| keccak256([at]).0).collect();
    let anchor = Anchor { day: 20_000, root: merkle::root(&leaves).into(), first_entry: 1, last_entry: 11 };
    assert!(matches!(recorder.anchor(anchor).await.unwrap(), Recorded::Now { .. }));
    assert_eq!(recorder.anchor(anchor).await.unwrap(), Recorded::Before);
    let other = Anchor { last_entry: 12, ..anchor };
    assert!(matches!(recorder.anchor(other).await.unwrap_err(), ChainError::AnchoredOtherwise(20_000)));
    let early = Anchor { day: 19_999, first_entry: 12, last_entry: 13, ..anchor };
    let error = recorder.anchor(early).await.unwrap_err();
    assert!(matches!(&error, ChainError::Refused(reason) if reason.contains("OutOfOrder")), "{error}");
    for (entry, hash) in (1_u64..).zip(&leaves) {
        let proof = merkle::prove(&leaves, usize::try_from(entry - 1).unwrap()).unwrap();
        let path = proof.path.iter().map(|beside| beside.parse().unwrap()).collect();
        let call = JournalAnchor::isAnchoredCall { day: 20_000, entry, hash: hash.into(), path };
        assert!(chain.node.question(chain.journal, &call).await.unwrap(), "entry {entry}");
    }
}

/// The contract's table of steps is the service's, from the offer on; and its leaves are this crate's.
#[tokio::test]
async fn contract_and_service_have_the_same_table() {
    let chain = Chain::with_lender().await;
    for (from, from_name) in (0_u8..).zip(STATES) {
        for (to, to_name) in (0_u8..).zip(STATES) {
            let there = chain.node.question(chain.book, &LoanBook::allowsCall { from, to }).await.unwrap();
            let here = match (LoanState::named(from_name), LoanState::named(to_name)) {
                (Some(from), Some(to)) => from.to(to).is_ok(),
                // A loan appears with its offer.
                _ => (from_name, to_name) == ("none", "offered"),
            };
            assert_eq!(there, here, "{from_name} to {to_name}");
        }
    }
    let known = LoanState::ALL.iter().filter(|state| state_number(state.name()).is_none());
    let missing: Vec<_> = known.map(|state| state.name()).collect();
    assert_eq!(missing, ["draft", "submitted", "under_review", "rejected", "withdrawn"], "before the offer");
    let instalment = instalments().remove(2);
    let expected = leaf(&instalment);
    let call = LoanBook::instalmentLeafCall { instalment };
    assert_eq!(chain.node.question(chain.book, &call).await.unwrap(), expected);
}
