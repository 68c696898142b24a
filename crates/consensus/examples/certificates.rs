//! What a finality certificate costs a light client: bytes, and microseconds of processor time to verify, beside the engine's own
//! verification.
//!
//! `cargo run --release -p braid-consensus --example certificates`

#![expect(clippy::unwrap_used, reason = "an example with inputs of its own")]

#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../tests/light/network.rs"]
mod network;

use std::hint::black_box;

use braid_consensus::{block::Whole, certificates::Certified, scheme::Scheme};
use braid_light::Finalization;
use braid_types::ordered::CertificateScheme;
use commonware_codec::Encode as _;
use commonware_parallel::Sequential;
use network::{Network, header, rng};
use rustix::time::{ClockId, clock_gettime};

/// Verifications of one measurement; the median of several is given.
const REPETITIONS: u32 = 50;

/// Measurements.
const ROUNDS: usize = 9;

/// Processor time of this thread in nanoseconds.
fn now_ns() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn median_us(mut verify: impl FnMut() -> bool) -> i64 {
    let mut rounds: Vec<i64> = (0..ROUNDS)
        .map(|_| {
            let start = now_ns();
            for _ in 0..REPETITIONS {
                assert!(black_box(verify()));
            }
            (now_ns() - start) / (1_000 * i64::from(REPETITIONS))
        })
        .collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2]
}

fn main() {
    println!("| scheme | validators | certificate, bytes | with its header, bytes | light client, µs | engine, µs |");
    println!("|---|---|---|---|---|---|");
    for scheme in [CertificateScheme::Ed25519, CertificateScheme::Bls12381Threshold] {
        for validators in [4, 16, 100] {
            let network = Network::new::<Whole>(validators, scheme);
            let header = header::<Whole>(199, braid_consensus::block::Digest::from([1; 32]));
            // As few signers as make a quorum.
            let absent = usize::from((validators - 1) / 3);
            let finalization = network.finalize(&header, absent);
            let certificate = finalization.encode();
            let proof = Certified { headers: vec![header], finalization: finalization.clone() }.encode();
            let light = median_us(|| {
                let read = Finalization::decode(&certificate, braid_light::Dissemination::Whole).unwrap();
                network.client.verify(&read).is_ok()
            });
            let verifier =
                Scheme::verifier(&network.rules.signatures, &network.rules.namespace, network.rules.committee.keys());
            let mut rng = rng(b"measure");
            let engine = median_us(|| finalization.verify(&mut rng, &verifier, &Sequential));
            let name = if scheme == CertificateScheme::Ed25519 { "ed25519" } else { "BLS12-381 threshold" };
            println!("| {name} | {validators} | {} | {} | {light} | {engine} |", certificate.len(), proof.len());
        }
    }
}
