//! Hashes that a worker has computed before.
//!
//! Contracts hash the same 64 bytes over and over (a key and the number of a mapping), and log the same addresses and
//! topics. A direct-mapped table of whole inputs answers most of these in a few nanoseconds; a miss costs one comparison.

use alloy_primitives::{B256, Bloom, Log, keccak256};

/// Inputs of 64 bytes that are remembered: 96 KB.
const PAIRS: usize = 1_024;
/// Addresses and topics that are remembered: 72 KB.
const WORDS: usize = 1_024;

/// See the [module](self). An entry whose hash is zero is empty: nobody knows an input with that hash.
#[derive(Debug)]
pub(crate) struct Hashes {
    pairs: Box<[Pair]>,
    words: Box<[Word]>,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    input: [u8; 64],
    hash: B256,
}

#[derive(Clone, Copy, Debug)]
struct Word {
    input: B256,
    length: usize,
    hash: B256,
}

const NO_PAIR: Pair = Pair { input: [0; 64], hash: B256::ZERO };
const NO_WORD: Word = Word { input: B256::ZERO, length: 0, hash: B256::ZERO };

impl Hashes {
    pub(crate) fn new() -> Self {
        Self { pairs: vec![NO_PAIR; PAIRS].into(), words: vec![NO_WORD; WORDS].into() }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.pairs.fill(NO_PAIR);
        self.words.fill(NO_WORD);
    }

    /// The hash of 64 bytes.
    pub(crate) fn of_pair(&mut self, input: &[u8; 64]) -> B256 {
        let known = &mut self.pairs[place(input, PAIRS)];
        if known.input != *input || known.hash.is_zero() {
            *known = Pair { input: *input, hash: keccak256(input) };
        }
        known.hash
    }

    /// The bloom of a transaction's logs.
    pub(crate) fn bloom(&mut self, logs: &[Log]) -> Bloom {
        let mut bloom = Bloom::ZERO;
        for log in logs {
            bloom.m3_2048_hashed(&self.of_word(log.address.into_word(), 20));
            for topic in log.topics() {
                bloom.m3_2048_hashed(&self.of_word(*topic, 32));
            }
        }
        bloom
    }

    /// The hash of a word's last `length` bytes.
    fn of_word(&mut self, input: B256, length: usize) -> B256 {
        let known = &mut self.words[place(&input.0, WORDS)];
        if known.input != input || known.length != length {
            *known = Word { input, length, hash: keccak256(&input[32 - length..]) };
        }
        known.hash
    }
}

/// Where an input belongs in a table of `size` entries.
fn place(input: &[u8], size: usize) -> usize {
    let (words, _) = input.as_chunks::<8>();
    let mut mixed = 0u64;
    for word in words {
        mixed = (mixed.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    (mixed >> 40) as usize % size
}
