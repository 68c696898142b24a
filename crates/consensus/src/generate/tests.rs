//! The generation among members that are honest, absent or liars, over a simulated network.

use std::time::Duration;

use commonware_cryptography::{
    Signer as _,
    bls12381::{
        dkg::feldman_desmedt::{Dealer, Info, Reveal},
        primitives::{
            ops::{self, threshold},
            sharing::Mode,
            variant::MinSig,
        },
    },
    ed25519::PrivateKey,
};
use commonware_p2p::{
    Manager as _, TrackedPeers,
    simulated::{self, Link, Oracle},
};
use commonware_runtime::{Handle, Quota, Runner as _, Spawner as _, Supervisor as _, deterministic};
use commonware_utils::{N3f1, NZU32, NZUsize, TestRng, ordered::Set, probability};

use super::*;
use crate::{deal, keys};

const MEMBERS: u64 = 4;

fn key(member: u64) -> PrivateKey {
    PrivateKey::from_seed(member)
}

fn terms(attempt: u64) -> Terms {
    let members = Set::from_iter_dedup((0..MEMBERS).map(|member| key(member).public_key()));
    Terms { members, namespace: b"a chain".to_vec(), attempt }
}

type Network = Oracle<PublicKey, deterministic::Context>;

async fn network(context: &deterministic::Context) -> Network {
    let config = simulated::Config {
        max_size: 1 << 20,
        max_peers_per_set: NZUsize!(16),
        disconnect_on_block: true,
        tracked_peer_sets: NZUsize!(1),
    };
    let (network, oracle) = simulated::Network::new(context.child("network"), config);
    network.start();
    oracle.manager().track(0, TrackedPeers::new(terms(0).members, Set::default()));
    context.sleep(Duration::from_millis(1)).await;
    let link =
        Link { latency: Duration::from_millis(20), jitter: Duration::from_millis(10), success_rate: probability!(0.8) };
    for (from, to) in (0..MEMBERS).flat_map(|from| (0..MEMBERS).map(move |to| (from, to))).filter(|(a, b)| a != b) {
        oracle.add_link(key(from).public_key(), key(to).public_key(), link.clone()).await.unwrap();
    }
    oracle
}

async fn start(
    context: &deterministic::Context,
    oracle: &Network,
    member: u64,
    attempt: u64,
) -> Handle<Result<Generated, GenerateError>> {
    let quota = Quota::per_second(NZU32!(64));
    let channel = oracle.control(key(member).public_key()).register(0, quota).await.unwrap();
    context.child("member").with_attribute("index", member).spawn(move |mut context| async move {
        let generation = Generation::new(&mut context, terms(attempt), key(member))?;
        run(context, generation, channel, Duration::from_secs(60), |_| Ok(())).await
    })
}

/// A fifth of all messages get lost.
#[test]
fn members_make_a_key_that_a_quorum_of_them_signs_with() {
    let made = deterministic::Runner::seeded(1).start(|context| async move {
        let oracle = network(&context).await;
        let mut running = Vec::new();
        for member in 0..MEMBERS {
            running.push(start(&context, &oracle, member, 0).await);
            context.sleep(Duration::from_secs(1)).await;
        }
        let mut made = Vec::new();
        for member in running {
            made.push(member.await.unwrap().unwrap());
        }
        made
    });
    let polynomial = keys::polynomial(&made[0].polynomial).unwrap();
    let shares: Vec<_> = made.iter().map(|made| keys::share(&made.share).unwrap()).collect();
    for made in &made {
        assert_eq!(made.polynomial, made_first(&made.polynomial, &polynomial));
        assert_eq!(deal::check(&made.share, &made.polynomial), Ok(()));
    }
    let sign = |share| threshold::sign_message::<MinSig>(share, b"namespace", b"message");
    let partials: Vec<_> = shares[1..].iter().map(sign).collect();
    let signature = threshold::recover::<MinSig, _>(&polynomial, &partials, &commonware_parallel::Sequential);
    ops::verify_message::<MinSig>(polynomial.public(), b"namespace", b"message", &signature.unwrap()).unwrap();
    let too_few = threshold::recover::<MinSig, _>(&polynomial, &partials[..2], &commonware_parallel::Sequential);
    assert!(too_few.is_err());
}

/// The bytes again, through the polynomial that they encode.
fn made_first(encoded: &[u8], polynomial: &crate::scheme::GroupPolynomial) -> alloy_primitives::Bytes {
    assert_eq!(keys::polynomial(encoded).as_ref(), Ok(polynomial));
    polynomial.encode().into()
}

#[test]
fn who_is_missing_is_named() {
    deterministic::Runner::seeded(2).start(|context| async move {
        let oracle = network(&context).await;
        let mut running = Vec::new();
        for member in 0..3 {
            running.push(start(&context, &oracle, member, 0).await);
        }
        for member in running {
            let error = member.await.unwrap().unwrap_err();
            let absent = vec![key(3).public_key()];
            assert!(matches!(&error, GenerateError::Missing { members, .. } if *members == absent), "{error}");
        }
    });
}

#[test]
fn who_counts_attempts_otherwise_is_named() {
    deterministic::Runner::seeded(3).start(|context| async move {
        let oracle = network(&context).await;
        let mut running = Vec::new();
        for member in 0..MEMBERS {
            running.push(start(&context, &oracle, member, u64::from(member == 2)).await);
        }
        let error = running.swap_remove(0).await.unwrap().unwrap_err();
        assert!(matches!(&error, GenerateError::Ack(member) if **member == key(2).public_key()), "{error}");
    });
}

/// Four state machines with their messages delivered by hand.
fn machines() -> Vec<Generation> {
    (0..MEMBERS).map(|member| Generation::new(TestRng::new(member), terms(0), key(member)).unwrap()).collect()
}

fn exchange(machines: &mut [Generation]) {
    for from in 0..machines.len() {
        for (to, message) in machines[from].messages() {
            let to = (0..MEMBERS).position(|member| key(member).public_key() == to).unwrap();
            machines[to].on(&key(from as u64).public_key(), message).unwrap();
        }
    }
}

#[test]
fn a_wrong_part_and_a_second_dealing_are_noticed() {
    let mut machines = machines();
    let (own, other) = (key(0).public_key(), key(1).public_key());
    let dealings: Vec<_> = machines[1]
        .messages()
        .into_iter()
        .filter_map(|(to, message)| match message {
            Message::Dealing(commitment, part) => Some((to, commitment, part)),
            _ => None,
        })
        .collect();
    let of = |member: &PublicKey| dealings.iter().find(|(to, ..)| to == member).cloned().unwrap();
    let (_, commitment, part) = of(&own);
    let wrong = Message::Dealing(commitment.clone(), of(&key(2).public_key()).2);
    let error = machines[0].on(&other, wrong).unwrap_err();
    assert!(matches!(&error, GenerateError::Dealing { dealer, .. } if **dealer == other), "{error}");
    machines[0].on(&other, Message::Dealing(commitment, part)).unwrap();
    let info = Info::<MinSig, _>::new::<N3f1>(
        b"a chain",
        0,
        None,
        Mode::NonZeroCounter,
        Reveal::V1,
        terms(0).members,
        terms(0).members,
    );
    let (_, again, parts) = Dealer::<MinSig, _>::start::<N3f1>(TestRng::new(99), info.unwrap(), key(1), None).unwrap();
    let part = parts.into_iter().find(|(to, _)| *to == own).unwrap().1;
    let error = machines[0].on(&other, Message::Dealing(again, part)).unwrap_err();
    assert!(matches!(&error, GenerateError::Twice(dealer) if **dealer == other), "{error}");
}

#[test]
fn nobody_is_done_before_all_have_stored_their_shares() {
    let mut machines = machines();
    for _ in 0..3 {
        exchange(&mut machines);
    }
    assert!(machines.iter().all(Generation::has_all_logs));
    for machine in &mut machines[1..] {
        machine.finish(&mut TestRng::new(7)).unwrap();
        machine.confirm();
    }
    for _ in 0..2 {
        exchange(&mut machines);
    }
    assert!(!machines.iter().any(Generation::is_done), "the first has not stored its share");
    machines[0].finish(&mut TestRng::new(8)).unwrap();
    assert!(!machines[0].is_done());
    machines[0].confirm();
    exchange(&mut machines);
    assert!(machines.iter().all(Generation::is_done));
    // A signature under something else is noticed, whenever it comes.
    let forged = key(3).sign(b"braid group confirmation", &[0; 32]);
    let error = machines[0].on(&key(3).public_key(), Message::Confirmation(forged)).unwrap_err();
    assert!(matches!(error, GenerateError::Disagreement(_)), "{error}");
}
