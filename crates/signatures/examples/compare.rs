//! Microseconds of processor time to a sender's address, beside libsecp256k1.
//!
//! `cargo run --release -p braid-signatures --example compare`

use std::sync::LazyLock;

use alloy_primitives::{Address, B256, U256, keccak256};
use braid_signatures::{Signed, recover_all, recover_hinted};
use rustix::time::{ClockId, clock_gettime};
use secp256k1::{
    Message, Secp256k1, SecretKey, VerifyOnly,
    ecdsa::{RecoverableSignature, RecoveryId},
};

const SIGNATURES: u64 = 4096;

const ROUNDS: usize = 15;

fn main() {
    let signatures: Vec<Signed> = (1..=SIGNATURES).map(sign).collect();
    let expected: Vec<Address> = signatures.iter().map(one_by_one).collect();
    let sizes: Vec<usize> = std::env::args().skip(1).map(|size| size.parse().expect("a number")).collect();
    for size in if sizes.is_empty() { vec![1, 4, 16, 64, 256, 1024, 4096] } else { sizes } {
        let batches: Vec<&[Signed]> = signatures.chunks(size).collect();
        let (mut ours, mut theirs, mut hinted) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let (time, keys) = timed(|| batches.iter().flat_map(|batch| recover_all(batch)).collect::<Vec<_>>());
            ours.push(time);
            let start = round % 4 * 256;
            let (time, _) = timed(|| signatures[start..start + 256].iter().map(one_by_one).collect::<Vec<_>>());
            theirs.push(time * 16.0);
            let addresses: Vec<Address> = keys.iter().map(|key| key.as_ref().expect("a key").address()).collect();
            let hints: Vec<_> = signatures.iter().zip(&keys).map(|(signed, key)| (*signed, key.ok())).collect();
            let (time, same) = timed(|| hints.chunks(size).flat_map(|batch| recover_hinted(batch, &mut rand::rng())).collect::<Vec<_>>());
            hinted.push(time);
            assert_eq!(same, keys);
            assert_eq!(addresses, expected, "both find the same senders");
        }
        let (ours, hinted, theirs) = (median(ours), median(hinted), median(theirs));
        println!(
            "batches of {size:4}: {ours:6.2} µs, with hints {hinted:6.2} µs, libsecp256k1 {theirs:6.2} µs: {:.2} and {:.2} times",
            theirs / ours,
            theirs / hinted
        );
    }
}

fn sign(number: u64) -> Signed {
    let secp = Secp256k1::new();
    let key = SecretKey::from_byte_array(keccak256(number.to_be_bytes()).0).expect("a key");
    let hash = keccak256(keccak256(number.to_be_bytes()));
    let (id, bytes) = secp.sign_ecdsa_recoverable(Message::from_digest(hash.0), &key).serialize_compact();
    let number = |bytes: &[u8]| U256::from_be_slice(bytes);
    Signed { hash, r: number(&bytes[..32]), s: number(&bytes[32..]), recovery_id: i32::from(id) as u8 }
}

fn one_by_one(signed: &Signed) -> Address {
    static SECP256K1: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&signed.r.to_be_bytes::<32>());
    bytes[32..].copy_from_slice(&signed.s.to_be_bytes::<32>());
    let id = RecoveryId::try_from(i32::from(signed.recovery_id)).expect("an id");
    let signature = RecoverableSignature::from_compact(&bytes, id).expect("a signature");
    let key = SECP256K1.recover_ecdsa(Message::from_digest(signed.hash.0), &signature).expect("a key");
    let hash: B256 = keccak256(&key.serialize_uncompressed()[1..]);
    Address::from_slice(&hash[12..])
}

/// Microseconds a signature.
fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let started = processor_time();
    let result = work();
    ((processor_time() - started) * 1e6 / SIGNATURES as f64, result)
}

fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
