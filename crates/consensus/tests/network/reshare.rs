//! A group's key handed on from committee to committee.

use std::sync::Arc;

use braid_consensus::{
    block::Whole,
    certificates::Certified,
    committee::Change,
    reshare::{EpochInfo, EpochOutcome},
    rules::Rules,
    scheme::{CertificateBounds, Scheme, Signatures},
};
use braid_light::{Chain, LightClient, Trust, bls::GroupKey};
use braid_types::ordered::{CertificateScheme, Dissemination};
use commonware_codec::{Decode as _, Encode as _};
use commonware_consensus::types::Epoch;
use commonware_cryptography::bls12381::{
    dkg::feldman_desmedt::{Dealer, DealerPrivMsg, Info, Reveal},
    primitives::{sharing::Mode, variant::MinSig},
};
use commonware_cryptography::ed25519::PublicKey;
use commonware_glue::dkg::types::Message;
use commonware_p2p::{Recipients, Sender as _, utils::mux::Muxer};
use commonware_runtime::Supervisor as _;
use commonware_utils::{N3f1, test_rng};

use crate::{
    ALL,
    net::{Kind, Net},
    run,
};

/// Enough blocks in the second half for each of five leaders, and some that are lost.
const EPOCH: u64 = 20;

fn kind() -> Kind {
    Kind { scheme: CertificateScheme::Bls12381Threshold, epoch_length: EPOCH, ..Kind::default() }
}

fn info(net: &Net, index: usize, epoch: u64) -> Arc<EpochInfo> {
    net.committees(index).info(Epoch::new(epoch)).unwrap()
}

/// The group's key, which never changes, and the polynomial, which does.
fn group(info: &EpochInfo) -> (Vec<u8>, Vec<u8>) {
    let sharing = info.output.public();
    (sharing.public().encode().to_vec(), sharing.encode().to_vec())
}

/// A light client that knows the genesis alone.
fn light_client(rules: &Rules) -> LightClient {
    let Signatures::Threshold(polynomial) = &rules.signatures else { panic!("there is a group") };
    let chain = Chain {
        namespace: rules.namespace.clone().into(),
        execution_lag: rules.execution_lag,
        epoch_length: rules.epoch_length,
        dissemination: braid_light::Dissemination::Whole,
    };
    LightClient { chain, trust: Trust::GroupKey(GroupKey::of_polynomial(&polynomial.encode()).unwrap()) }
}

/// Checks a certificate at `height` with what the genesis says of the group.
async fn proves(net: &Net, index: usize, height: u64) {
    let first = net.committee();
    let scheme = Scheme::verifier(&net.rules().signatures, &net.rules().namespace, first.keys());
    let node = net.certificates(index);
    let encoded = node.certificate(height).await.unwrap();
    assert_eq!(light_client(net.rules()).finalized(&encoded).unwrap().height, height);
    let certified = Certified::<Whole>::decode_cfg(encoded, &CertificateBounds::ANY).unwrap();
    assert!(certified.verify(&mut test_rng(), &scheme), "height {height}");
}

#[test]
fn the_same_committee_gets_new_shares_of_the_same_key() {
    run(20, kind(), |mut net| async move {
        net.start_all().await;
        net.reach(&ALL, 3 * EPOCH + 5, 240).await;
        net.agree();
        let first = info(&net, 0, 0);
        for epoch in 1..=3 {
            let next = info(&net, 0, epoch);
            assert_eq!(next.outcome, EpochOutcome::Success, "epoch {epoch}");
            assert_eq!(group(&next).0, group(&first).0, "the key stays");
            assert_ne!(group(&next).1, group(&info(&net, 0, epoch - 1)).1, "the shares do not");
            assert_eq!(next.output.players(), &net.committee().keys());
            assert!(next.output.revealed().is_empty(), "nobody's share was told in public");
            assert!(ALL.iter().all(|&index| *info(&net, index, epoch) == *next));
        }
        assert!(ALL.iter().all(|&index| net.status(index).is_validator && net.status(index).refused == 0));
        for height in [5, EPOCH + 5, 3 * EPOCH + 2] {
            proves(&net, 1, height).await;
        }
    });
}

#[test]
fn coded_blocks_carry_the_ceremony_too() {
    run(21, Kind { dissemination: Dissemination::Coded, ..kind() }, |mut net| async move {
        net.start_all().await;
        net.reach(&ALL, 2 * EPOCH + 3, 240).await;
        net.agree();
        for epoch in 1..=2 {
            assert_eq!(info(&net, 0, epoch).outcome, EpochOutcome::Success);
            assert_eq!(group(&info(&net, 3, epoch)).0, group(&info(&net, 0, 0)).0);
        }
        assert!(ALL.iter().all(|&index| net.status(index).is_validator && net.status(index).refused == 0));
    });
}

#[test]
fn a_fifth_validator_is_given_a_share_and_the_first_one_leaves() {
    run(22, Kind { others: 1, ..kind() }, |mut net| async move {
        let (fifth, first) = (net.validator(4), net.validator(0));
        for index in ALL {
            net.votes[index] = Some(Change::Add(fifth.clone()));
        }
        net.start_all().await;
        let everyone = [0, 1, 2, 3, 4];
        // Elected in epoch 0, announced for 2, given a share in 3.
        net.reach(&everyone, 3 * EPOCH + 5, 240).await;
        assert!(info(&net, 4, 2).next_players.position(&fifth.public_key).is_some());
        assert!(info(&net, 4, 3).players.position(&fifth.public_key).is_some());
        assert!(everyone.iter().all(|&index| net.status(index).validators == 4));
        net.reach(&everyone, 4 * EPOCH + 5, 240).await;
        assert!(everyone.iter().all(|&index| net.status(index).validators == 5));
        assert!(net.status(4).is_validator);
        let group_key = group(&info(&net, 0, 0)).0;
        assert_eq!(group(&info(&net, 4, 4)).0, group_key);
        for index in everyone {
            net.crash(index).await;
            net.votes[index] = Some(Change::Remove(first.public_key.clone()));
            net.start(index).await;
        }
        net.reach(&everyone, 9 * EPOCH + 5, 480).await;
        assert!(everyone.iter().all(|&index| net.status(index).validators == 4));
        assert!(!net.status(0).is_validator && net.status(4).is_validator);
        assert_eq!(group(&info(&net, 0, 9)).0, group_key);
        // Three of the four now have to sign, the fifth among them, and the first is not missed.
        net.crash(0).await;
        net.crash(1).await;
        let proposed = net.status(4).proposed;
        net.reach(&[2, 3, 4], 9 * EPOCH + 15, 240).await;
        assert!(net.status(4).proposed > proposed, "the new validator leads");
        proves(&net, 4, 9 * EPOCH + 10).await;
        net.agree();
    });
}

#[test]
fn a_dealer_that_crashed_is_not_missed_and_gets_its_share_afterwards() {
    run(23, kind(), |mut net| async move {
        net.start_all().await;
        net.reach(&ALL, EPOCH - 3, 120).await;
        net.crash(3).await;
        let others = [0, 1, 2];
        net.reach(&others, 2 * EPOCH + 3, 240).await;
        let next = info(&net, 0, 2);
        assert_eq!(next.outcome, EpochOutcome::Success);
        let absent = net.validator(3).public_key;
        assert!(next.output.dealers().position(&absent).is_none());
        assert!(next.output.revealed().position(&absent).is_some(), "its parts stand in the blocks");
        net.start(3).await;
        net.reach(&ALL, 2 * EPOCH + 6, 240).await;
        assert!(net.status(3).is_validator);
        // Its signature is needed now.
        net.crash(0).await;
        net.reach(&[1, 2, 3], 3 * EPOCH + 5, 240).await;
        proves(&net, 3, 3 * EPOCH + 2).await;
        net.agree();
    });
}

#[test]
fn a_dealer_that_lost_its_disk_deals_the_same_again() {
    run(30, kind(), |mut net| async move {
        net.start_all().await;
        // Parts are dealt and acknowledged, and nobody's log is in a block yet.
        net.reach(&ALL, EPOCH / 2 - 3, 120).await;
        net.crash(3).await;
        net.wipe(3);
        net.start(3).await;
        net.reach(&ALL, EPOCH + 3, 240).await;
        assert!(net.blocked().await.is_empty(), "nobody looks like a liar");
        assert_eq!(info(&net, 0, 1).outcome, EpochOutcome::Success);
        net.reach(&ALL, 2 * EPOCH + 3, 240).await;
        assert!(net.status(3).is_validator, "it was given a share again");
        net.crash(0).await;
        net.reach(&[1, 2, 3], 3 * EPOCH + 5, 240).await;
        assert!(net.blocked().await.is_empty());
        net.agree();
    });
}

#[test]
fn a_member_that_restarts_again_and_again_keeps_its_part() {
    run(24, kind(), |mut net| async move {
        net.start_all().await;
        // In the dealing half, around the middle, among the logs, and around the end.
        for height in [EPOCH + 2, EPOCH + 9, EPOCH + 10, EPOCH + 14, 2 * EPOCH - 1, 2 * EPOCH] {
            net.reach(&ALL, height, 120).await;
            net.crash(1).await;
            net.start(1).await;
        }
        net.reach(&ALL, 2 * EPOCH + 3, 240).await;
        let next = info(&net, 0, 2);
        assert_eq!(next.outcome, EpochOutcome::Success);
        assert_eq!(*info(&net, 1, 2), *next);
        assert!(next.output.revealed().is_empty());
        assert!(net.status(1).is_validator);
        net.crash(0).await;
        net.reach(&[1, 2, 3], 3 * EPOCH + 5, 240).await;
        proves(&net, 1, 2 * EPOCH + 10).await;
        net.agree();
    });
}

#[test]
fn all_members_crash_in_the_middle_and_hand_the_key_on() {
    run(25, kind(), |mut net| async move {
        net.start_all().await;
        for height in [4, 13, EPOCH + 10] {
            net.reach(&ALL, height, 240).await;
            for index in ALL {
                net.crash(index).await;
            }
            net.start_all().await;
        }
        net.reach(&ALL, 3 * EPOCH + 3, 480).await;
        net.agree();
        assert_eq!(info(&net, 0, 3).outcome, EpochOutcome::Success);
        assert_eq!(group(&info(&net, 0, 3)).0, group(&info(&net, 0, 0)).0);
        assert!(ALL.iter().all(|&index| net.status(index).is_validator));
    });
}

/// Epochs too short for a quorum of dealers to lead in the second half.
#[test]
fn too_few_dealers_leave_everything_as_it_was() {
    run(26, Kind { epoch_length: 6, ..kind() }, |mut net| async move {
        net.start_all().await;
        net.reach(&ALL, 20, 240).await;
        for epoch in 1..=3 {
            let next = info(&net, 0, epoch);
            assert_eq!(next.outcome, EpochOutcome::Failure);
            assert_eq!(next.output, info(&net, 0, 0).output);
        }
        // The shares of the first epoch still sign, after a restart too.
        for index in ALL {
            net.crash(index).await;
        }
        net.start_all().await;
        net.reach(&ALL, 40, 240).await;
        net.agree();
        assert!(ALL.iter().all(|&index| net.status(index).is_validator));
        proves(&net, 2, 30).await;
    });
}

#[test]
fn a_member_without_a_share_follows_until_it_is_given_one() {
    run(27, kind(), |mut net| async move {
        net.forget_share(2);
        net.start_all().await;
        net.reach(&ALL, EPOCH - 2, 240).await;
        assert!(!net.status(2).is_validator);
        net.reach(&ALL, EPOCH + 3, 240).await;
        assert!(net.status(2).is_validator);
        net.crash(0).await;
        net.reach(&[1, 2, 3], 2 * EPOCH + 3, 240).await;
        net.agree();
    });
}

#[test]
fn who_was_away_for_epochs_votes_again() {
    run(28, kind(), |mut net| async move {
        let others = [0, 1, 2];
        for index in others {
            net.start(index).await;
        }
        net.reach(&others, 2 * EPOCH + 5, 480).await;
        net.start(3).await;
        net.reach(&ALL, 3 * EPOCH + 5, 480).await;
        assert!(net.status(3).is_validator);
        net.crash(1).await;
        net.reach(&[0, 2, 3], 3 * EPOCH + 15, 240).await;
        net.agree();
    });
}

#[test]
fn a_dealer_of_wrong_parts_is_refused_and_left_out() {
    run(29, kind(), |mut net| async move {
        let others = [0, 1, 2];
        for index in others {
            net.start(index).await;
        }
        // The fourth runs no node. It has its share and deals from it, but gives every player another one's part.
        let first = info(&net, 0, 0);
        let round = Info::<MinSig, _>::new::<N3f1>(
            &net.rules().namespace,
            0,
            Some(first.output.clone()),
            Mode::NonZeroCounter,
            Reveal::V1,
            first.output.players().clone(),
            first.players.clone(),
        );
        let (key, share) = (net.key(3), net.share(3));
        let (_, commitment, parts) =
            Dealer::<MinSig, _>::start::<N3f1>(test_rng(), round.unwrap(), key.clone(), Some(share)).unwrap();
        let (sender, receiver) = net.share_channel(3).await;
        let (muxer, mut handle) = Muxer::new(net.context.child("liar"), sender, receiver);
        muxer.start();
        let (mut sender, _receiver) = handle.register(0).await.unwrap();
        let shifted: Vec<DealerPrivMsg> = parts.iter().cycle().skip(1).map(|(_, part)| part.clone()).take(4).collect();
        for ((player, _), part) in parts.iter().zip(shifted) {
            let message = Message::<MinSig, PublicKey>::Dealer(commitment.clone(), part);
            sender.send(Recipients::One(player.clone()), message.encode(), true);
        }
        net.reach(&others, EPOCH + 3, 480).await;
        let liar = net.validator(3).public_key;
        let blocked = net.blocked().await;
        assert!(others.iter().all(|&index| blocked.contains(&(net.validator(index).public_key, liar.clone()))));
        let next = info(&net, 0, 1);
        assert_eq!(next.outcome, EpochOutcome::Success);
        assert!(next.output.dealers().position(&liar).is_none());
        assert_eq!(group(&next).0, group(&first).0);
        proves(&net, 0, EPOCH + 1).await;
    });
}
