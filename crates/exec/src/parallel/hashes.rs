//! Hashes that a worker has computed before.
//!
//! Contracts hash the same 64 bytes over and over (a key and the number of a mapping), and log the same addresses and
//! topics. A direct-mapped table of whole inputs answers most of these in a few nanoseconds; a miss costs one comparison.

use alloy_primitives::{B256, Bloom, Log, keccak256};

/// Inputs of 64 bytes that are remembered: 200 KB.
const PAIRS: usize = 2_048;
/// Addresses and topics that are remembered: 88 KB.
const WORDS: usize = 2_048;

/// Number of a block, among those that used the tables. What other blocks left in them counts as empty.
pub(crate) type Epoch = u32;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Hashes {
    pairs: Box<[Pair]>,
    words: Box<[Word]>,
    epoch: Epoch,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    input: [u8; 64],
    hash: B256,
    epoch: Epoch,
}

/// A word with the part of its hash that a bloom uses.
#[derive(Clone, Copy, Debug)]
struct Word {
    input: B256,
    length: u8,
    hash: [u8; 6],
    epoch: Epoch,
}

const NO_PAIR: Pair = Pair { input: [0; 64], hash: B256::ZERO, epoch: 0 };
const NO_WORD: Word = Word { input: B256::ZERO, length: 0, hash: [0; 6], epoch: 0 };

impl Hashes {
    /// Tables that are empty in any epoch but 0.
    pub(crate) fn new() -> Self {
        Self { pairs: vec![NO_PAIR; PAIRS].into(), words: vec![NO_WORD; WORDS].into(), epoch: 0 }
    }

    /// Begins a block.
    pub(crate) fn begin(&mut self, epoch: Epoch) {
        self.epoch = epoch;
    }

    /// The hash of 64 bytes.
    pub(crate) fn of_pair(&mut self, input: &[u8; 64]) -> B256 {
        let known = &mut self.pairs[place(input, PAIRS)];
        if known.input != *input || known.epoch != self.epoch {
            *known = Pair { input: *input, hash: keccak256(input), epoch: self.epoch };
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

    /// What a bloom uses of the hash of a word's last `length` bytes; the rest is zero.
    fn of_word(&mut self, input: B256, length: u8) -> B256 {
        let known = &mut self.words[place(&input.0, WORDS)];
        if known.input != input || known.length != length || known.epoch != self.epoch {
            let hash = keccak256(&input[32 - usize::from(length)..]);
            let [a, b, c, d, e, f, ..] = hash.0;
            *known = Word { input, length, hash: [a, b, c, d, e, f], epoch: self.epoch };
        }
        let mut hash = B256::ZERO;
        hash[..6].copy_from_slice(&known.hash);
        hash
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

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, LogData, b256};

    use super::*;

    #[test]
    fn hashes_are_those_of_keccak_in_every_epoch() {
        let mut hashes = Hashes::new();
        for epoch in 1..4 {
            hashes.begin(epoch);
            assert_eq!(hashes.of_pair(&[0; 64]), keccak256([0; 64]));
            let known = hashes.pairs.iter().filter(|pair| pair.epoch == epoch).count();
            assert_eq!((known, hashes.of_pair(&[0; 64])), (1, keccak256([0; 64])));
        }
    }

    #[test]
    fn blooms_are_those_of_the_logs() {
        let mut hashes = Hashes::new();
        hashes.begin(1);
        let topic = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
        let data = LogData::new_unchecked(vec![topic, B256::ZERO, B256::with_last_byte(1)], vec![7].into());
        let logs = [Address::ZERO, Address::with_last_byte(1)].map(|address| Log { address, data: data.clone() });
        let mut expected = Bloom::ZERO;
        logs.iter().for_each(|log| expected.accrue_log(log));
        assert_eq!([hashes.bloom(&logs), hashes.bloom(&logs)], [expected; 2]);
    }
}
