//! Many messages over four lanes.
//!
//! A lane absorbs one message block after block. The lanes are permuted together, and a lane whose message is at its end takes the next one, so
//! messages of any lengths keep all lanes busy until there are fewer than four left.

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
    if hashes.len() > 1 && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        unsafe { avx2::hash_each(message, hashes) };
        return;
    }
    for (index, hash) in hashes.iter_mut().enumerate() {
        *hash = keccak256(message(index).unwrap_or_default());
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{__m256i, _mm256_and_si256, _mm256_set_epi64x, _mm256_setzero_si256, _mm256_xor_si256};

    use alloy_primitives::B256;

    use crate::permutation::{WORDS, permute};

    /// Bytes that a permutation absorbs.
    const RATE: usize = 136;

    const LANES: usize = 4;

    type Block = [u8; RATE];

    /// What a lane works on.
    #[derive(Clone, Copy)]
    struct Lane<'a> {
        /// Place of the message; none if there is nothing left to do.
        index: Option<usize>,
        rest: &'a [u8],
        /// The last block of the message, padded.
        last: Block,
    }

    impl<'a> Lane<'a> {
        const IDLE: Self = Self { index: None, rest: &[], last: [0; RATE] };

        fn take(&mut self, index: usize, message: &'a [u8]) {
            self.index = Some(index);
            self.rest = message;
        }

        /// The next block, and whether it is the last of a message.
        #[inline]
        fn block(&mut self) -> (&Block, bool) {
            if let Some((block, rest)) = self.rest.split_first_chunk() {
                self.rest = rest;
                return (block, false);
            }
            self.last = [0; RATE];
            self.last[..self.rest.len()].copy_from_slice(self.rest);
            self.last[self.rest.len()] = 0x01;
            self.last[RATE - 1] |= 0x80;
            (&self.last, self.index.is_some())
        }
    }

    /// See [`super::hash_each`].
    #[target_feature(enable = "avx2")]
    pub(super) fn hash_each<'a>(message: impl Fn(usize) -> Option<&'a [u8]>, hashes: &mut [B256]) {
        let mut lanes = [Lane::IDLE; LANES];
        let mut state = [_mm256_setzero_si256(); WORDS];
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
            let keep = ended.map(|ended| if ended { 0 } else { -1 });
            let keep = _mm256_set_epi64x(keep[3], keep[2], keep[1], keep[0]);
            for words in &mut state {
                *words = _mm256_and_si256(*words, keep);
            }
        }
    }

    /// Adds a block to each lane's state; which of them were the last ones of their messages.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn absorb(state: &mut [__m256i; WORDS], lanes: &mut [Lane<'_>; LANES]) -> [bool; LANES] {
        let [a, b, c, d] = lanes;
        let ((a, a_ends), (b, b_ends), (c, c_ends), (d, d_ends)) = (a.block(), b.block(), c.block(), d.block());
        let (a, b, c, d) = (words(a), words(b), words(c), words(d));
        for (index, words) in state[..RATE / 8].iter_mut().enumerate() {
            let word = |block: &[[u8; 8]]| i64::from_le_bytes(block[index]);
            *words = _mm256_xor_si256(*words, _mm256_set_epi64x(word(d), word(c), word(b), word(a)));
        }
        [a_ends, b_ends, c_ends, d_ends]
    }

    fn words(block: &Block) -> &[[u8; 8]] {
        block.as_chunks().0
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn digests(state: &[__m256i; WORDS]) -> [B256; LANES] {
        let mut digests = [B256::ZERO; LANES];
        for (place, words) in state[..4].iter().enumerate() {
            // SAFETY: both are 32 bytes without padding, and any bytes are valid for either.
            let words = unsafe { std::mem::transmute::<__m256i, [u64; LANES]>(*words) };
            for (digest, word) in digests.iter_mut().zip(words) {
                digest[8 * place..8 * (place + 1)].copy_from_slice(&word.to_le_bytes());
            }
        }
        digests
    }
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

    proptest! {
        #[test]
        fn messages_of_any_lengths_do_not_mix(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..600), 0..30),
        ) {
            let expected: Vec<B256> = messages.iter().map(keccak256).collect();
            prop_assert_eq!(hash_all(&messages), expected);
        }
    }
}
