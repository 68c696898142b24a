//! Whole networks of nodes, in the deterministic runtime.
//!
//! One binary, and one instance of everything generic: compiling it is what takes the time.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod net;
mod reshare;
mod sync;

use std::time::Duration;

use alloy_primitives::{Address, KECCAK256_EMPTY, U256};
use braid_consensus::{
    StopReason,
    block::Whole,
    certificates::Certified,
    committee::Change,
    faults::Fault,
    scheme::{CertificateBounds, Scheme},
};
use braid_types::{
    StateChanges,
    changes::{AccountChange, AccountState},
    ordered::{CertificateScheme, Dissemination},
};
use commonware_codec::Decode as _;
use commonware_runtime::{Clock as _, Runner as _, deterministic};
use commonware_utils::test_rng;
use net::{Kind, Net, link, lossy, transfer};

fn run<F: Future<Output = ()>>(seed: u64, kind: Kind, test: impl FnOnce(Net) -> F) {
    deterministic::Runner::seeded(seed).start(|context| async move {
        let net = Net::new(context, kind).await;
        test(net).await;
    });
}

const ALL: [usize; 4] = [0, 1, 2, 3];

#[test]
fn four_validators_finalize_what_they_order() {
    run(1, Kind::default(), |mut net| async move {
        net.start_all().await;
        net.sleep(1).await;
        for nonce in 0..20 {
            net.submit(0, transfer(1, nonce));
            net.submit(1, transfer(2, nonce));
        }
        net.reach(&ALL, 20, 60).await;
        net.agree();
        assert!(ALL.iter().all(|&index| net.received(index) == U256::from(40)));
        let status = net.status(0);
        assert!(status.is_validator && status.refused == 0 && status.proposed > 0, "{status:?}");
        assert!(status.finality_ms < 1_000, "{status:?}");
    });
}

/// The same seed gives the same chain, whatever the machine does.
#[test]
fn one_seed_gives_one_chain() {
    let tip = |seed| {
        deterministic::Runner::seeded(seed).start(|context| async move {
            let mut net = Net::new(context, Kind::default()).await;
            net.start_all().await;
            net.sleep(1).await;
            net.submit(2, transfer(1, 0));
            net.reach(&ALL, 10, 60).await;
            net.ledger(0).chain().store().block(10).unwrap().unwrap().hash
        })
    };
    assert_eq!(tip(5), tip(5));
}

#[test]
fn loss_of_a_tenth_of_all_messages_holds_nobody_up() {
    run(2, Kind::default(), |mut net| async move {
        net.connect(&lossy(), |_, _| true).await;
        net.start_all().await;
        net.sleep(1).await;
        net.submit(3, transfer(1, 0));
        net.reach(&ALL, 30, 240).await;
        net.agree();
        assert!(ALL.iter().all(|&index| net.received(index) == U256::from(1)));
    });
}

#[test]
fn a_crashed_validator_comes_back_from_its_storage() {
    run(3, Kind::default(), |mut net| async move {
        net.start_all().await;
        net.reach(&ALL, 5, 60).await;
        net.crash(1).await;
        let others = [0, 2, 3];
        let before = net.height(0);
        net.reach(&others, before + 10, 120).await;
        net.start(1).await;
        assert!(net.height(1) >= 5, "what was durable is still there");
        let target = net.height(0) + 10;
        net.reach(&ALL, target, 120).await;
        net.agree();
        assert_eq!(net.stopped(1).map(|reason| reason.to_string()), None);
    });
}

#[test]
fn all_validators_crash_and_go_on() {
    run(4, Kind::default(), |mut net| async move {
        net.start_all().await;
        net.sleep(1).await;
        net.submit(0, transfer(1, 0));
        net.reach(&ALL, 10, 60).await;
        for index in ALL {
            net.crash(index).await;
        }
        net.start_all().await;
        net.reach(&ALL, 30, 120).await;
        net.agree();
        assert!(ALL.iter().all(|&index| net.received(index) == U256::from(1)));
    });
}

#[test]
fn a_wiped_validator_follows_and_votes_again_with_the_next_epoch() {
    let kind = Kind { epoch_length: 40, ..Kind::default() };
    run(13, kind, |mut net| async move {
        net.start_all().await;
        net.reach(&ALL, 45, 120).await;
        net.crash(1).await;
        net.wipe(1);
        let before = net.height(0);
        net.reach(&[0, 2, 3], before + 5, 120).await;
        net.start(1).await;
        let target = net.height(0);
        net.reach(&[1], target, 120).await;
        let status = net.status(1);
        assert_eq!((status.epoch, status.is_validator, status.votes_again), (1, true, Some(2)), "{status:?}");
        assert!(!status.is_voting() && status.proposed == 0, "{status:?}");
        // A restart changes nothing about it.
        net.crash(1).await;
        net.start(1).await;
        net.reach(&ALL, target + 3, 120).await;
        assert_eq!(net.status(1).votes_again, Some(2));
        net.reach(&ALL, 100, 240).await;
        let status = net.status(1);
        assert!(status.is_voting() && status.proposed > 0, "{status:?}");
        net.crash(1).await;
        net.start(1).await;
        net.reach(&ALL, 110, 120).await;
        assert!(net.status(1).is_voting(), "an ordinary restart");
        net.agree();
        let mut node = net.node(0);
        assert!(node.faults.try_recv().is_err(), "nobody has contradicted itself");
    });
}

/// What the file beside the key is for: without it the same node votes in the epoch in which it has voted already.
#[test]
fn without_what_is_beside_its_key_a_wiped_validator_votes_at_once() {
    run(14, Kind::default(), |mut net| async move {
        net.start_all().await;
        net.reach(&ALL, 10, 60).await;
        net.crash(1).await;
        net.wipe(1);
        net.forget_votes(1);
        net.start(1).await;
        // Whether it gets any further depends on whether it contradicts itself, for then the others shut it out.
        net.sleep(5).await;
        assert!(net.status(1).is_voting());
    });
}

#[test]
fn old_ordered_blocks_are_removed_and_a_restart_needs_none_of_them() {
    let kind = Kind { epoch_length: 50, ..Kind::default() };
    run(15, kind, |mut net| async move {
        net.keep_blocks = Some(20);
        net.start_all().await;
        net.reach(&ALL, 515, 480).await;
        net.sleep(1).await;
        let certificates = net.status_of(0, |node| node.certificates.clone());
        // Whole files are removed: those below block 449, on which the epoch begins whose blocks might be delivered again.
        for gone in [1, 100, 255] {
            assert!(certificates.block(gone).await.is_none(), "{gone}");
            assert!(certificates.certificate(gone).await.is_none(), "{gone}");
        }
        for kept in [449, 500, 514] {
            assert!(certificates.block(kept).await.is_some(), "{kept}");
        }
        // It keeps the archives open.
        drop(certificates);
        for index in ALL {
            net.crash(index).await;
        }
        net.start_all().await;
        net.reach(&ALL, 530, 120).await;
        net.agree();
    });
}

#[test]
fn halves_of_a_network_finalize_nothing_and_heal() {
    run(5, Kind::default(), |mut net| async move {
        net.start_all().await;
        net.reach(&ALL, 5, 60).await;
        net.connect(&link(), |a, b| (a < 2) == (b < 2)).await;
        net.sleep(3).await;
        let settled = ALL.map(|index| net.height(index)).into_iter().max().unwrap();
        net.sleep(20).await;
        let after = ALL.map(|index| net.height(index)).into_iter().max().unwrap();
        assert_eq!(after, settled, "no half has a quorum");
        net.connect(&link(), |_, _| true).await;
        net.reach(&ALL, settled + 10, 120).await;
        net.agree();
        // Three of four are a quorum; the fourth catches up.
        net.connect(&link(), |a, b| a != 3 && b != 3).await;
        let target = net.height(0) + 10;
        net.reach(&[0, 1, 2], target, 120).await;
        net.connect(&link(), |_, _| true).await;
        net.reach(&ALL, target + 10, 120).await;
        net.agree();
    });
}

#[test]
fn whoever_executes_wrongly_is_outvoted_named_and_stops() {
    run(6, Kind::default(), |mut net| async move {
        // One node's state has an account that nobody else's has. It leads the view in which execution is committed to first.
        let wrong = net.open(0);
        let account = AccountState { balance: U256::from(1), nonce: 0, code_hash: KECCAK256_EMPTY };
        let change = AccountChange { account: Some(account), ..AccountChange::default() };
        let changes =
            StateChanges { accounts: [(Address::repeat_byte(0x77), change)].into(), ..StateChanges::default() };
        wrong.chain().override_state(&changes).unwrap();
        for index in [1, 2, 3] {
            net.start(index).await;
        }
        net.start_on(0, wrong).await;
        let others = [1, 2, 3];
        net.reach(&others, 20, 120).await;
        let hashes = others.map(|index| net.ledger(index).chain().store().block(20).unwrap().unwrap().hash);
        assert!(hashes.iter().all(|hash| *hash == hashes[0]));
        assert!(matches!(net.stopped(0), Some(StopReason::Diverged { .. })), "{:?}", net.stopped(0));
        let culprit = net.validator(0).public_key;
        let mut node = net.node(1);
        let mut named = false;
        while let Ok(fault) = node.faults.try_recv() {
            assert_eq!(fault.validator(), &culprit, "{fault:?}");
            named |= matches!(fault, Fault::WrongExecution { .. });
        }
        assert!(named);
    });
}

#[test]
fn coded_blocks_are_finalized_too() {
    let kind = Kind { dissemination: Dissemination::Coded, others: 1, epoch_length: 20, ..Kind::default() };
    run(7, kind, |mut net| async move {
        net.start_all().await;
        net.sleep(1).await;
        for nonce in 0..50 {
            net.submit(0, transfer(1, nonce));
        }
        net.reach(&ALL, 15, 120).await;
        net.crash(3).await;
        net.reach(&[0, 1, 2], 25, 120).await;
        net.start(3).await;
        // Node 4 follows.
        let everyone = [0, 1, 2, 3, 4];
        net.reach(&everyone, 50, 120).await;
        net.agree();
        assert!(everyone.iter().all(|&index| net.received(index) == U256::from(50)));
    });
}

#[test]
fn a_threshold_scheme_finalizes_too() {
    let kind = Kind { scheme: CertificateScheme::Bls12381Threshold, ..Kind::default() };
    run(8, kind, |mut net| async move {
        net.start_all().await;
        net.sleep(1).await;
        net.submit(0, transfer(1, 0));
        net.reach(&ALL, 10, 120).await;
        net.agree();
        assert!(ALL.iter().all(|&index| net.received(index) == U256::from(1)));
    });
}

#[test]
fn certificates_prove_headers_to_whoever_knows_the_committee() {
    run(9, Kind::default(), |mut net| async move {
        net.start_all().await;
        net.reach(&ALL, 10, 60).await;
        let node = net.node(0);
        let committee = net.committee();
        let scheme = Scheme::verifier(&net.rules().signatures, &net.rules().namespace, committee.keys());
        for height in 1..8 {
            let encoded = node.certificates.certificate(height).await.unwrap();
            let certified = Certified::<Whole>::decode_cfg(encoded, &CertificateBounds::ANY).unwrap();
            assert!(certified.verify(&mut test_rng(), &scheme));
            assert_eq!(certified.headers[0].height, height);
            let execution = certified.headers[0].execution;
            let block = net.ledger(1).chain().store().block(execution.height).unwrap().unwrap();
            assert_eq!(block.hash, execution.hash, "the certificate proves an Ethereum block");
            let mut other = certified.clone();
            other.headers[0].timestamp_ms += 1;
            assert!(!other.verify(&mut test_rng(), &scheme));
        }
        assert!(node.certificates.certificate(1_000_000).await.is_none());
    });
}

#[test]
fn a_follower_without_a_vote_follows() {
    let kind = Kind { others: 1, ..Kind::default() };
    run(10, kind, |mut net| async move {
        for index in ALL {
            net.start(index).await;
        }
        net.reach(&ALL, 20, 60).await;
        net.start(4).await;
        let target = net.height(0) + 10;
        net.reach(&[0, 4], target, 120).await;
        net.agree();
        let status = net.status(4);
        assert!(!status.is_validator && status.proposed == 0, "{status:?}");
        net.crash(4).await;
        net.reach(&ALL, target + 10, 60).await;
        net.start(4).await;
        net.reach(&[4], target + 20, 120).await;
        net.agree();
    });
}

#[test]
fn the_committee_takes_in_a_fifth_validator_and_leaves_one_out() {
    let kind = Kind { others: 1, epoch_length: 20, ..Kind::default() };
    run(11, kind, |mut net| async move {
        let (fifth, first) = (net.validator(4), net.validator(0));
        for index in ALL {
            net.votes[index] = Some(Change::Add(fifth.clone()));
        }
        net.start_all().await;
        let everyone = [0, 1, 2, 3, 4];
        net.reach(&everyone, 25, 120).await;
        assert!(everyone.iter().all(|&index| net.status(index).epoch == 1));
        assert!(everyone.iter().all(|&index| net.status(index).validators == 5));
        assert!(net.status(4).is_validator);
        // Now they ask for the first to leave. Each restarts with its new wish.
        for index in everyone {
            net.crash(index).await;
            net.votes[index] = Some(Change::Remove(first.public_key.clone()));
            net.start(index).await;
        }
        net.reach(&everyone, 65, 240).await;
        assert!(everyone.iter().all(|&index| net.status(index).validators == 4));
        assert!(!net.status(0).is_validator && net.status(4).is_validator);
        let proposed = net.status(4).proposed;
        net.reach(&everyone, 85, 240).await;
        assert!(net.status(4).proposed > proposed, "the new validator leads");
        net.agree();
        // The one who left still follows, and its absence is not felt.
        net.crash(0).await;
        net.context.sleep(Duration::from_secs(1)).await;
        net.reach(&[1, 2, 3, 4], 110, 240).await;
        net.start(0).await;
        net.reach(&everyone, 115, 240).await;
        net.agree();
    });
}

#[test]
fn who_was_away_for_epochs_catches_up() {
    let kind = Kind { epoch_length: 10, ..Kind::default() };
    run(12, kind, |mut net| async move {
        for index in [0, 1, 2] {
            net.start(index).await;
        }
        net.reach(&[0, 1, 2], 45, 240).await;
        net.start(3).await;
        net.reach(&ALL, 60, 240).await;
        net.agree();
        net.crash(3).await;
        net.reach(&[0, 1, 2], 85, 240).await;
        net.start(3).await;
        net.reach(&ALL, 95, 240).await;
        net.agree();
    });
}
