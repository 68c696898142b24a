//! What hashing together saves: hashes of one message after the other beside those of all, and roots of lists beside alloy's. Times are of
//! the thread's own work; the quickest of some rounds, since other programs can only slow one down.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::float_arithmetic, reason = "for people")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use alloy_primitives::{B256, keccak256};
use alloy_trie::root::ordered_trie_root_with_encoder;
use braid_keccak::{hash_all, ordered_root};

const MESSAGES: usize = 1_024;
const ROUNDS: usize = 50;

fn quickest<T>(mut work: impl FnMut() -> T) -> Duration {
    let mut time = || {
        let started = Instant::now();
        black_box(work());
        started.elapsed()
    };
    (0..ROUNDS).map(|_| time()).min().unwrap_or_default()
}

fn row(what: &str, length: usize, before: Duration, after: Duration) {
    let each = |time: Duration| time.as_secs_f64() * 1e9 / MESSAGES as f64;
    println!("| {what} | {length} | {:.0} | {:.0} | {:.2} |", each(before), each(after), each(before) / each(after));
}

fn main() {
    println!("| what | bytes | one by one, ns | together, ns | times |\n|---|---|---|---|---|");
    for length in [32, 110, 180, 450, 532] {
        let messages: Vec<Vec<u8>> =
            (0..MESSAGES).map(|index| index.to_be_bytes().repeat(length)[..length].to_vec()).collect();
        let before = quickest(|| messages.iter().map(keccak256).collect::<Vec<B256>>());
        row("hash", length, before, quickest(|| hash_all(&messages)));
    }
    for length in [180, 450] {
        let items: Vec<Vec<u8>> =
            (0..MESSAGES).map(|index| index.to_be_bytes().repeat(length)[..length].to_vec()).collect();
        let encode = |item: &Vec<u8>, out: &mut Vec<u8>| out.extend_from_slice(item);
        let before = quickest(|| ordered_trie_root_with_encoder(&items, encode));
        row("item of a root", length, before, quickest(|| ordered_root(&items, encode)));
    }
}
