//! Keccak-f\[1600\] of four or eight states at once, a word of each in a vector (FIPS 202, section 3; the round's steps in the order of the Keccak team's
//! *Keccak implementation overview*, section 2.1).

/// Words of a state.
pub(crate) const WORDS: usize = 25;

/// What step ι adds to the first word.
const CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// The permutation in vectors of one kind, by the functions beside it.
macro_rules! permutation {
    ($feature:literal) => {
        /// The permutation.
        #[target_feature(enable = $feature)]
        pub(crate) fn permute(state: &mut [Words; WORDS]) {
            let mut a = *state;
            for constant in CONSTANTS {
                // Step θ.
                let c0 = sum([a[0], a[5], a[10], a[15], a[20]]);
                let c1 = sum([a[1], a[6], a[11], a[16], a[21]]);
                let c2 = sum([a[2], a[7], a[12], a[17], a[22]]);
                let c3 = sum([a[3], a[8], a[13], a[18], a[23]]);
                let c4 = sum([a[4], a[9], a[14], a[19], a[24]]);
                let d0 = xor(c4, rotate!(c1, 1));
                let d1 = xor(c0, rotate!(c2, 1));
                let d2 = xor(c1, rotate!(c3, 1));
                let d3 = xor(c2, rotate!(c4, 1));
                let d4 = xor(c3, rotate!(c0, 1));
                // Steps ρ, π and χ, row by row.
                let first = mix([
                    xor(a[0], d0),
                    rotate!(xor(a[6], d1), 44),
                    rotate!(xor(a[12], d2), 43),
                    rotate!(xor(a[18], d3), 21),
                    rotate!(xor(a[24], d4), 14),
                ]);
                let second = mix([
                    rotate!(xor(a[3], d3), 28),
                    rotate!(xor(a[9], d4), 20),
                    rotate!(xor(a[10], d0), 3),
                    rotate!(xor(a[16], d1), 45),
                    rotate!(xor(a[22], d2), 61),
                ]);
                let third = mix([
                    rotate!(xor(a[1], d1), 1),
                    rotate!(xor(a[7], d2), 6),
                    rotate!(xor(a[13], d3), 25),
                    rotate!(xor(a[19], d4), 8),
                    rotate!(xor(a[20], d0), 18),
                ]);
                let fourth = mix([
                    rotate!(xor(a[4], d4), 27),
                    rotate!(xor(a[5], d0), 36),
                    rotate!(xor(a[11], d1), 10),
                    rotate!(xor(a[17], d2), 15),
                    rotate!(xor(a[23], d3), 56),
                ]);
                let fifth = mix([
                    rotate!(xor(a[2], d2), 62),
                    rotate!(xor(a[8], d3), 55),
                    rotate!(xor(a[14], d4), 39),
                    rotate!(xor(a[15], d0), 41),
                    rotate!(xor(a[21], d1), 2),
                ]);
                a[..5].copy_from_slice(&first);
                a[5..10].copy_from_slice(&second);
                a[10..15].copy_from_slice(&third);
                a[15..20].copy_from_slice(&fourth);
                a[20..].copy_from_slice(&fifth);
                // Step ι.
                a[0] = xor(a[0], everywhere(constant.cast_signed()));
            }
            *state = a;
        }
    };
}

/// Four states.
pub(crate) mod avx2 {
    use std::arch::x86_64::{
        __m256i as Words, _mm256_andnot_si256, _mm256_or_si256, _mm256_set1_epi64x as everywhere, _mm256_slli_epi64,
        _mm256_srli_epi64, _mm256_xor_si256 as xor,
    };

    use super::{CONSTANTS, WORDS};

    /// Rotates the words of a vector to the left.
    macro_rules! rotate {
        ($words:expr, $left:literal) => {{
            let words = $words;
            _mm256_or_si256(_mm256_slli_epi64::<$left>(words), _mm256_srli_epi64::<{ 64 - $left }>(words))
        }};
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn sum([a, b, c, d, e]: [Words; 5]) -> Words {
        xor(xor(xor(a, b), xor(c, d)), e)
    }

    /// Step χ of a row.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn mix([a, b, c, d, e]: [Words; 5]) -> [Words; 5] {
        [
            xor(a, _mm256_andnot_si256(b, c)),
            xor(b, _mm256_andnot_si256(c, d)),
            xor(c, _mm256_andnot_si256(d, e)),
            xor(d, _mm256_andnot_si256(e, a)),
            xor(e, _mm256_andnot_si256(a, b)),
        ]
    }

    permutation!("avx2");
}

/// Eight states, with instructions for what takes two or three elsewhere: rotations, and any function of three words.
pub(crate) mod avx512 {
    use std::arch::x86_64::{
        __m512i as Words, _mm512_rol_epi64, _mm512_set1_epi64 as everywhere, _mm512_ternarylogic_epi64,
        _mm512_xor_si512 as xor,
    };

    use super::{CONSTANTS, WORDS};

    /// a ⊕ b ⊕ c, as a table of its values from a = b = c = 1 down.
    const XOR: i32 = 0b1001_0110;

    /// a ⊕ (¬b ∧ c), likewise.
    const CHI: i32 = 0b1101_0010;

    /// Rotates the words of a vector to the left.
    macro_rules! rotate {
        ($words:expr, $left:literal) => {
            _mm512_rol_epi64::<$left>($words)
        };
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn sum([a, b, c, d, e]: [Words; 5]) -> Words {
        _mm512_ternarylogic_epi64::<XOR>(_mm512_ternarylogic_epi64::<XOR>(a, b, c), d, e)
    }

    /// Step χ of a row.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn mix([a, b, c, d, e]: [Words; 5]) -> [Words; 5] {
        [
            _mm512_ternarylogic_epi64::<CHI>(a, b, c),
            _mm512_ternarylogic_epi64::<CHI>(b, c, d),
            _mm512_ternarylogic_epi64::<CHI>(c, d, e),
            _mm512_ternarylogic_epi64::<CHI>(d, e, a),
            _mm512_ternarylogic_epi64::<CHI>(e, a, b),
        ]
    }

    permutation!("avx512f");
}
