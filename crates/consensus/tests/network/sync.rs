//! Joining late: from honest servers and from ones that lie.

use std::{sync::Arc, time::Duration};

use alloy_primitives::U256;
use braid_chain::{Ledger, Snapshot, state::Cursor};
use braid_consensus::{
    block::Whole,
    certificates::{Certificates, Certified},
    committee::Change,
    scheme::CertificateBounds,
    sync::{
        Joining,
        evidence::Evidence,
        message::{Answer, Message, Offered, Request},
    },
};
use braid_types::ordered::Dissemination;
use commonware_codec::{Decode as _, Encode as _};
use commonware_p2p::{Receiver as _, Recipients, Sender as _};
use commonware_runtime::{Clock as _, Handle, Spawner as _, Supervisor as _};

use crate::{
    ALL,
    net::{Kind, Net, SyncReceiver, SyncSender, transfer},
    run,
};

const LATE: usize = 4;

/// Anything that is offered, however long it takes.
const ANY: (u64, Option<Duration>) = (1, None);

fn kind() -> Kind {
    Kind { others: 2, epoch_length: 10, snapshot_interval: 8, ..Kind::default() }
}

/// Four validators with a few payments and `height` blocks.
async fn served(net: &mut Net, height: u64) {
    for index in ALL {
        net.start(index).await;
    }
    net.sleep(1).await;
    for nonce in 0..5 {
        net.submit(0, transfer(1, nonce));
    }
    net.reach(&ALL, height, 240).await;
}

async fn certified(certificates: &Certificates, height: u64) -> Certified<Whole> {
    let encoded = certificates.certificate(height).await.unwrap();
    Certified::decode_cfg(encoded, &CertificateBounds::ANY).unwrap()
}

async fn joined(handle: Handle<Result<Joining, braid_consensus::sync::SyncError>>) -> u64 {
    match handle.await.unwrap().unwrap() {
        Joining::State(block) => block.height,
        Joining::Replay => panic!("there are snapshots"),
    }
}

#[test]
fn who_joins_late_begins_with_the_state_and_serves_it() {
    run(20, kind(), |mut net| async move {
        let fifth = net.validator(LATE + 1);
        for index in ALL {
            net.votes[index] = Some(Change::Add(fifth.clone()));
        }
        served(&mut net, 55).await;
        let handle = net.join(LATE, ANY);
        let begins = joined(handle).await;
        assert!(begins >= 40, "{begins}");
        net.start(LATE).await;
        assert_eq!(net.height(LATE), begins);
        let target = net.height(0) + 15;
        net.reach(&[0, LATE], target, 240).await;
        net.agree();
        assert_eq!(net.received(LATE), U256::from(5));
        assert_eq!(net.status(LATE).validators, 5, "the committee has changed on the way");
        let store = net.ledger(LATE).chain().store();
        assert!(store.block(begins).unwrap().is_some() && store.block(begins - 1).unwrap().is_none());
        // Certificates: of later heights, and of the ends of all epochs. Quorums may differ, headers do not.
        let certificates = net.certificates(LATE);
        for height in [begins, begins + 3, 9, 19, 29] {
            let (own, other) = (certified(&certificates, height).await, certified(&net.certificates(0), height).await);
            assert_eq!(own.headers[0], other.headers[0], "{height}");
        }
        assert_eq!(certificates.certificate(8).await, None);
        // They keep the archives open.
        drop(certificates);
        net.crash(LATE).await;
        net.reach(&[0], target + 15, 120).await;
        net.start(LATE).await;
        let target = net.height(0) + 25;
        net.reach(&[0, LATE], target, 240).await;
        assert_eq!(net.stopped(LATE).map(|reason| reason.to_string()), None);
        // The other one gets it from whom joined before: nobody else is reachable.
        net.connect(&crate::link(), |a, b| (a == LATE + 1) == (b == LATE + 1) || a == LATE || b == LATE).await;
        let handle = net.join(LATE + 1, ANY);
        assert!(joined(handle).await > begins);
        net.connect(&crate::link(), |_, _| true).await;
        net.start(LATE + 1).await;
        let target = net.height(0) + 15;
        net.reach(&[0, LATE, LATE + 1], target, 240).await;
        net.agree();
    });
}

#[test]
fn coded_blocks_are_joined_too() {
    let kind = Kind { dissemination: Dissemination::Coded, ..kind() };
    run(24, kind, |mut net| async move {
        served(&mut net, 35).await;
        let handle = net.join(LATE, ANY);
        let begins = joined(handle).await;
        net.start(LATE).await;
        let target = net.height(0) + 15;
        net.reach(&[0, LATE], target, 240).await;
        net.agree();
        assert_eq!(net.received(LATE), U256::from(5));
        assert!(net.ledger(LATE).chain().store().block(begins - 1).unwrap().is_none());
        // The end of an epoch that lies before what it has.
        assert!(net.certificates(LATE).certificate(9).await.is_some());
        net.crash(LATE).await;
        net.start(LATE).await;
        let target = net.height(0) + 15;
        net.reach(&[0, LATE], target, 240).await;
    });
}

#[test]
fn a_short_chain_is_executed_from_the_genesis() {
    run(21, kind(), |mut net| async move {
        served(&mut net, 25).await;
        let handle = net.join(LATE, (1_000, Some(Duration::from_secs(5))));
        assert_eq!(handle.await.unwrap().unwrap(), Joining::Replay);
        net.start(LATE).await;
        let target = net.height(0) + 5;
        net.reach(&[0, LATE], target, 240).await;
        let store = net.ledger(LATE).chain().store();
        assert!((0..target).all(|height| store.block(height).unwrap().is_some()));
        // Where nobody answers, waiting has an end too.
        net.connect(&crate::link(), |a, b| a != LATE + 1 && b != LATE + 1).await;
        let handle = net.join(LATE + 1, (1, Some(Duration::from_secs(5))));
        assert_eq!(handle.await.unwrap().unwrap(), Joining::Replay);
    });
}

#[test]
fn a_validator_without_a_disk_comes_back() {
    run(22, kind(), |mut net| async move {
        served(&mut net, 45).await;
        net.crash(2).await;
        net.wipe(2);
        net.reach(&[0, 1, 3], 60, 120).await;
        let handle = net.join(2, ANY);
        joined(handle).await;
        net.start(2).await;
        let target = net.height(0) + 15;
        net.reach(&ALL, target, 240).await;
        let proposed = net.status(2).proposed;
        net.reach(&ALL, target + 10, 240).await;
        assert!(net.status(2).proposed > proposed, "it leads again");
        net.agree();
    });
}

#[test]
fn a_crash_at_any_moment_is_no_matter() {
    run(23, kind(), |mut net| async move {
        served(&mut net, 45).await;
        // From before the first answer to long after the last.
        let mut was_cut = 0;
        for wait_ms in (5..).step_by(5) {
            let handle = net.join(LATE, ANY);
            net.context.sleep(Duration::from_millis(wait_ms)).await;
            handle.abort();
            // What it has open is closed when the runtime comes to it.
            net.context.sleep(Duration::from_millis(5)).await;
            if net.has_chain(LATE) {
                break;
            }
            was_cut += 1;
        }
        assert!(was_cut > 20, "{was_cut}");
        net.start(LATE).await;
        let target = net.height(0) + 10;
        net.reach(&[0, LATE], target, 240).await;
        assert!(net.ledger(LATE).chain().store().block(5).unwrap().is_none(), "it did not begin with the genesis");
        net.agree();
        assert_eq!(net.received(LATE), U256::from(5));
    });
}

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    None,
    Silence,
    Rubbish,
    OtherAnswer,
    Evidence,
    Ends,
    Manifest,
    Chunk,
    /// A false chunk, and nothing more.
    ChunkAndSilence,
    Gone,
}

/// A server that knows the truth.
struct Liar {
    lie: Lie,
    snapshot: Snapshot,
    certificates: Certificates,
}

impl Liar {
    fn new(lie: Lie, ledger: &Arc<Ledger>, certificates: Certificates) -> Self {
        let height = ledger.durable().height - 3;
        Self { lie, snapshot: Snapshot::take(ledger.chain(), height).unwrap(), certificates }
    }

    async fn certified(&self, height: u64) -> Certified<Whole> {
        certified(&self.certificates, height).await
    }

    async fn answer(&self, request: Request) -> Option<Answer<Whole>> {
        let height = self.snapshot.block().height;
        let manifest = &self.snapshot.manifest().0;
        let is_offer = request == Request::Offer;
        Some(match (self.lie, request) {
            (Lie::Silence, _) if !is_offer => return None,
            (Lie::Gone, _) if !is_offer => Answer::Nothing,
            (Lie::OtherAnswer, Request::Evidence(_)) => Answer::Manifest(vec![7].into()),
            (_, Request::Offer) => {
                Answer::Offer(vec![Offered { height, manifest_bytes: u32::try_from(manifest.len()).unwrap() }])
            }
            (lie, Request::Evidence(height)) => {
                let (mut floor, execution) = (self.certified(height).await, self.certified(height + 3).await);
                if lie == Lie::Evidence {
                    floor.headers[0].timestamp_ms += 1;
                }
                Answer::Evidence(Box::new(Evidence { floor, execution }))
            }
            (lie, Request::Ends(epoch)) => {
                let mut end = self.certified((epoch + 1) * 10 - 1).await;
                if lie == Lie::Ends {
                    end.headers[0].next = None;
                }
                Answer::Ends(vec![end])
            }
            (lie, Request::Manifest(..)) => {
                let mut bytes = manifest.to_vec();
                if lie == Lie::Manifest {
                    *bytes.last_mut().unwrap() ^= 1;
                }
                Answer::Manifest(bytes.into())
            }
            (Lie::ChunkAndSilence, Request::Chunk(_, from)) if from != Cursor::default() => return None,
            (lie, Request::Chunk(_, from)) => {
                let (mut bytes, _) = self.snapshot.chunk(from).unwrap();
                let is_false = matches!(lie, Lie::Chunk | Lie::ChunkAndSilence) && from == Cursor::default();
                // A balance, in the middle of some account.
                let index = bytes.len() / 3;
                bytes[index] ^= u8::from(is_false);
                Answer::Chunk(bytes.into())
            }
        })
    }

    async fn serve(self, (mut sender, mut receiver): (SyncSender, SyncReceiver)) {
        while let Ok((peer, bytes)) = receiver.recv().await {
            let Ok(Message::<Whole>::Request(id, request)) = Message::decode_cfg(bytes, &CertificateBounds::ANY) else {
                continue;
            };
            let answer = match self.answer(request).await {
                Some(_) if self.lie == Lie::Rubbish && request != Request::Offer => bytes::Bytes::from_static(&[1; 40]),
                Some(answer) => Message::Answer(id, answer).encode(),
                None => continue,
            };
            sender.send(Recipients::One(peer), answer, false);
        }
    }
}

#[test]
fn a_lying_server_costs_time_only() {
    let lies =
        [Lie::Silence, Lie::Rubbish, Lie::OtherAnswer, Lie::Evidence, Lie::Ends, Lie::Manifest, Lie::Chunk, Lie::Gone];
    for (seed, lie) in (30..).zip(lies) {
        run(seed, kind(), move |mut net| async move {
            served(&mut net, 41).await;
            // It offers something newer than anybody, and is asked first.
            let liar = Liar::new(lie, net.ledger(0), net.certificates(0));
            let height = liar.snapshot.block().height;
            let channel = net.sync_channel(LATE + 1).await;
            let serving = net.context.child("liar").spawn(move |_| liar.serve(channel));
            let handle = net.join(LATE, ANY);
            let begins = joined(handle).await;
            assert_ne!(begins, height, "{lie:?}: the liar was believed");
            serving.abort();
            net.start(LATE).await;
            let target = net.height(0) + 5;
            net.reach(&[0, LATE], target, 240).await;
            net.agree();
            assert_eq!(net.received(LATE), U256::from(5), "{lie:?}");
        });
    }
}

/// The false chunk is found out when others have given the rest: nobody can say whose it was.
#[test]
fn a_false_part_of_a_patchwork_costs_time_only() {
    let kind = Kind { others: 3, accounts: 20_000, ..kind() };
    run(40, kind, |mut net| async move {
        served(&mut net, 41).await;
        let [liar, helper] =
            [Lie::ChunkAndSilence, Lie::None].map(|lie| Liar::new(lie, net.ledger(0), net.certificates(0)));
        let chunk = liar.snapshot.chunk(Cursor::default()).unwrap();
        assert!(chunk.1.is_some(), "the state is more than one chunk");
        let channel = net.sync_channel(LATE + 1).await;
        net.context.child("liar").spawn(move |_| liar.serve(channel));
        let handle = net.join(LATE, ANY);
        // By now the liar has given what it gives; the helper goes on with it.
        net.sleep(15).await;
        let channel = net.sync_channel(LATE + 2).await;
        net.context.child("helper").spawn(move |_| helper.serve(channel));
        joined(handle).await;
        net.start(LATE).await;
        let target = net.height(0) + 5;
        net.reach(&[0, LATE], target, 240).await;
        net.agree();
    });
}
