//! Many messages over four lanes, or eight where the processor has AVX-512.
//!
//! A lane absorbs one message block after block. The lanes are permuted together, and a lane whose message is at its end takes the next one, so
//! messages of any lengths keep all lanes busy until there are fewer left than lanes.

use alloy_primitives::{B256, keccak256};

/// Keccak-256 of each message, in their order.
pub fn hash_all<T: AsRef<[u8]>>(messages: &[T]) -> Vec<B256> {
    let mut hashes = vec![B256::ZERO; messages.len()];
    hash_each(|index| messages.get(index).map(AsRef::as_ref), &mut hashes);
    hashes
}

/// Puts Keccak-256 of each message in its place.
pub(crate) fn hash_each<'a>(message: impl Fn(usize) -> Option<&'a [u8]>, hashes: &mut [B256]) {
    #[cfg(target_arch = "x86_64")]
    if hashes.len() > 1 {
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has AVX-512.
            unsafe { avx512::hash_each(message, hashes) };
            return;
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            unsafe { avx2::hash_each(message, hashes) };
            return;
        }
    }
    for (index, hash) in hashes.iter_mut().enumerate() {
        *hash = keccak256(message(index).unwrap_or_default());
    }
}

/// Bytes that a permutation absorbs.
#[cfg(target_arch = "x86_64")]
const RATE: usize = 136;

#[cfg(target_arch = "x86_64")]
type Block = [u8; RATE];

/// What a lane works on.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Lane<'a> {
    /// Place of the message; none if there is nothing left to do.
    index: Option<usize>,
    rest: &'a [u8],
    /// The last block of the message, padded.
    last: Block,
}

#[cfg(target_arch = "x86_64")]
impl<'a> Lane<'a> {
    const IDLE: Self = Self { index: None, rest: &[], last: [0; RATE] };

    fn take(&mut self, index: usize, message: &'a [u8]) {
        self.index = Some(index);
        self.rest = message;
    }

    /// The words of the next block, and whether it is the last of a message.
    #[inline]
    fn block(&mut self) -> (&[[u8; 8]], bool) {
        if let Some((block, rest)) = self.rest.split_first_chunk::<RATE>() {
            self.rest = rest;
            return (block.as_chunks().0, false);
        }
        self.last = [0; RATE];
        self.last[..self.rest.len()].copy_from_slice(self.rest);
        self.last[self.rest.len()] = 0x01;
        self.last[RATE - 1] |= 0x80;
        (self.last.as_chunks().0, self.index.is_some())
    }
}

/// Hashing in vectors of one kind, by the functions beside it.
#[cfg(target_arch = "x86_64")]
macro_rules! lanes {
    ($feature:literal) => {
        /// See [`super::hash_each`].
        #[target_feature(enable = $feature)]
        pub(super) fn hash_each<'a>(message: impl Fn(usize) -> Option<&'a [u8]>, hashes: &mut [B256]) {
            let mut lanes = [Lane::IDLE; LANES];
            let mut state = [vector([0; LANES]); WORDS];
            let mut next = 0;
            for lane in &mut lanes {
                if next < hashes.len() {
                    lane.take(next, message(next).unwrap_or_default());
                    next += 1;
                }
            }
            while lanes.iter().any(|lane| lane.index.is_some()) {
                let ended = absorb(&mut state, &mut lanes);
                permute(&mut state);
                if ended == [false; LANES] {
                    continue;
                }
                let digests = digests(&state);
                for ((lane, ended), digest) in lanes.iter_mut().zip(ended).zip(digests) {
                    if !ended {
                        continue;
                    }
                    if let Some(hash) = lane.index.take().and_then(|index| hashes.get_mut(index)) {
                        *hash = digest;
                    }
                    if next < hashes.len() {
                        lane.take(next, message(next).unwrap_or_default());
                        next += 1;
                    }
                }
                let keep = vector(ended.map(|ended| if ended { 0 } else { -1 }));
                for words in &mut state {
                    *words = and(*words, keep);
                }
            }
        }

        /// Adds a block to each lane's state; which of them were the last ones of their messages.
        #[inline]
        #[target_feature(enable = $feature)]
        fn absorb(state: &mut [Words; WORDS], lanes: &mut [Lane<'_>; LANES]) -> [bool; LANES] {
            let blocks = lanes.each_mut().map(|lane| lane.block());
            for (index, words) in state[..RATE / 8].iter_mut().enumerate() {
                *words = xor(*words, vector(blocks.map(|(block, _)| i64::from_le_bytes(block[index]))));
            }
            blocks.map(|(_, is_last)| is_last)
        }

        #[inline]
        #[target_feature(enable = $feature)]
        fn digests(state: &[Words; WORDS]) -> [B256; LANES] {
            let mut digests = [B256::ZERO; LANES];
            for (place, words) in state[..4].iter().enumerate() {
                // SAFETY: both are as many bytes without padding, and any bytes are valid for either.
                let words = unsafe { std::mem::transmute::<Words, [u64; LANES]>(*words) };
                for (digest, word) in digests.iter_mut().zip(words) {
                    digest[8 * place..8 * (place + 1)].copy_from_slice(&word.to_le_bytes());
                }
            }
            digests
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{__m256i as Words, _mm256_and_si256 as and, _mm256_set_epi64x, _mm256_xor_si256 as xor};

    use alloy_primitives::B256;

    use super::{Lane, RATE};
    use crate::permutation::{WORDS, avx2::permute};

    const LANES: usize = 4;

    #[inline]
    #[target_feature(enable = "avx2")]
    fn vector([a, b, c, d]: [i64; LANES]) -> Words {
        _mm256_set_epi64x(d, c, b, a)
    }

    lanes!("avx2");
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{__m512i as Words, _mm512_and_si512 as and, _mm512_set_epi64, _mm512_xor_si512 as xor};

    use alloy_primitives::B256;

    use super::{Lane, RATE};
    use crate::permutation::{WORDS, avx512::permute};

    const LANES: usize = 8;

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn vector([a, b, c, d, e, f, g, h]: [i64; LANES]) -> Words {
        _mm512_set_epi64(h, g, f, e, d, c, b, a)
    }

    lanes!("avx512f");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_length_around_the_blocks_is_hashed_as_alone() {
        let bytes: Vec<u8> = (0..=250).cycle().take(1_000).collect();
        let messages: Vec<&[u8]> = (0..bytes.len()).map(|length| &bytes[..length]).collect();
        let expected: Vec<B256> = messages.iter().map(keccak256).collect();
        assert_eq!(hash_all(&messages), expected);
    }

    /// As [`hash_all`] on a processor without AVX-512.
    #[cfg(target_arch = "x86_64")]
    fn hash_all_by_fours(messages: &[Vec<u8>]) -> Vec<B256> {
        let mut hashes = vec![B256::ZERO; messages.len()];
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            unsafe { avx2::hash_each(|index| messages.get(index).map(AsRef::as_ref), &mut hashes) };
            return hashes;
        }
        hash_all(messages)
    }

    proptest! {
        #[test]
        fn messages_of_any_lengths_do_not_mix(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..600), 0..30),
        ) {
            let expected: Vec<B256> = messages.iter().map(keccak256).collect();
            #[cfg(target_arch = "x86_64")]
            prop_assert_eq!(hash_all_by_fours(&messages), expected.clone());
            prop_assert_eq!(hash_all(&messages), expected);
        }
    }
}
