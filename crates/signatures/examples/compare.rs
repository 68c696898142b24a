//! Microseconds of processor time from a signature to its sender's address, beside libsecp256k1.
//!
//! `cargo run --release -p braid-signatures --example compare [batch sizes]`
//!
//! Three ways in turn in one process, medians: recovery in lockstep, the check of hints (every signature by another key,
//! which is the dearest case), and libsecp256k1's recovery, one after the other. All give the same addresses.
#![expect(clippy::float_arithmetic, reason = "a benchmark computes times")]

use std::sync::LazyLock;

use alloy_primitives::{Address, U256, keccak256};
use braid_signatures::{PublicKey, RecoveryError, Signed, recover_all, recover_hinted};
use rustix::time::{ClockId, clock_gettime};
use secp256k1::{
    Message, Secp256k1, SecretKey, VerifyOnly,
    ecdsa::{RecoverableSignature, RecoveryId},
};

const SIGNATURES: usize = 4096;

/// Signatures that libsecp256k1 recovers in a round.
const REFERENCE: usize = 256;

const ROUNDS: usize = 15;

fn main() {
    let signatures: Vec<Signed> = (0..SIGNATURES).map(sign).collect();
    let expected: Vec<Address> = signatures.iter().map(one_by_one).collect();
    let hints: Vec<(Signed, Option<PublicKey>)> =
        signatures.iter().zip(recover_all(&signatures)).map(|(signed, key)| (*signed, key.ok())).collect();
    let sizes: Vec<usize> = std::env::args().skip(1).map(|size| size.parse().expect("a number")).collect();
    for size in if sizes.is_empty() { vec![1, 8, 16, 32, 64, 128, 256, 1024, 4096] } else { sizes } {
        let [mut lockstep, mut hinted, mut reference] = [const { Vec::new() }; 3];
        for round in 0..ROUNDS {
            let (time, addresses) = timed(|| signatures.chunks(size).flat_map(recover_all).map(address).collect());
            assert_eq!(addresses, expected);
            lockstep.push(time);
            let mut random = rand::rng();
            let check = |batch: &[_]| recover_hinted(batch, &mut random);
            let (time, addresses) = timed(|| hints.chunks(size).flat_map(check).map(address).collect());
            assert_eq!(addresses, expected);
            hinted.push(time);
            let start = round * REFERENCE % SIGNATURES;
            let (time, _) = timed(|| signatures[start..start + REFERENCE].iter().map(one_by_one).collect());
            reference.push(time);
        }
        let [lockstep, hinted, reference] = [lockstep, hinted, reference].map(median);
        println!(
            "batches of {size:4}: lockstep {lockstep:6.2} µs, {:.2} times; hints {hinted:6.2} µs, {:.2} times; libsecp256k1 {reference:.2} µs",
            reference / lockstep,
            reference / hinted,
        );
    }
}

fn sign(index: usize) -> Signed {
    static CONTEXT: LazyLock<Secp256k1<secp256k1::SignOnly>> = LazyLock::new(Secp256k1::signing_only);
    let seed = keccak256(index.to_be_bytes());
    let key = SecretKey::from_byte_array(seed.0).expect("a key");
    let hash = keccak256(seed);
    let (id, bytes) = CONTEXT.sign_ecdsa_recoverable(Message::from_digest(hash.0), &key).serialize_compact();
    let number = |bytes: &[u8]| U256::from_be_slice(bytes);
    let recovery_id = u8::try_from(i32::from(id)).expect("an id");
    Signed { hash, r: number(&bytes[..32]), s: number(&bytes[32..]), recovery_id }
}

fn address(key: Result<PublicKey, RecoveryError>) -> Address {
    key.expect("a key").address()
}

fn one_by_one(signed: &Signed) -> Address {
    static CONTEXT: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&signed.r.to_be_bytes::<32>());
    bytes[32..].copy_from_slice(&signed.s.to_be_bytes::<32>());
    let id = RecoveryId::try_from(i32::from(signed.recovery_id)).expect("an id");
    let signature = RecoverableSignature::from_compact(&bytes, id).expect("a signature");
    let key = CONTEXT.recover_ecdsa(Message::from_digest(signed.hash.0), &signature).expect("a key");
    Address::from_raw_public_key(&key.serialize_uncompressed()[1..])
}

/// Microseconds of this thread for each result.
fn timed(work: impl FnOnce() -> Vec<Address>) -> (f64, Vec<Address>) {
    let started = processor_time_us();
    let addresses = work();
    ((processor_time_us() - started) / addresses.len() as f64, addresses)
}

fn processor_time_us() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
