//! Vectors of AVX-512: eight lanes of 64 bits, with products of 52 bits (IFMA).
//!
//! [`V8`] must be used only where the processor has both: by the functions of `backend::avx512`, and by tests that ask before.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_mov_epi64,
    _mm512_mask_storeu_epi64, _mm512_maskz_loadu_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_shuffle_i64x2,
    _mm512_slli_epi64, _mm512_srli_epi64, _mm512_sub_epi64, _mm512_test_epi64_mask, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi64,
};

use super::{
    LANES, Mask,
    limbs43::{self, LIMBS, Limbs, Vector},
};

/// Eight words in a register.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct V8(__m512i);

/// Calls an intrinsic of AVX-512.
macro_rules! avx512 {
    ($call:expr) => {
        // SAFETY: code over `V8` is reached only where there is AVX-512 with IFMA.
        unsafe { $call }
    };
}

/// The words of an element at rest.
const ELEMENT: u8 = (1 << LIMBS) - 1;

impl V8 {
    #[inline(always)]
    fn load(words: &[u64; LANES]) -> Self {
        // SAFETY: both types are 64 bytes without padding, and every bit pattern is valid for both.
        Self(unsafe { std::mem::transmute::<[u64; LANES], __m512i>(*words) })
    }
}

impl Vector for V8 {
    #[inline(always)]
    fn splat(word: u64) -> Self {
        Self(avx512!(_mm512_set1_epi64(word.cast_signed())))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(avx512!(_mm512_add_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(avx512!(_mm512_sub_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn add_low(self, a: Self, b: Self) -> Self {
        Self(avx512!(_mm512_madd52lo_epu64(self.0, a.0, b.0)))
    }

    #[inline(always)]
    fn add_high(self, a: Self, b: Self) -> Self {
        Self(avx512!(_mm512_madd52hi_epu64(self.0, a.0, b.0)))
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        Self(avx512!(_mm512_and_si512(self.0, other.0)))
    }

    #[inline(always)]
    fn shl<const N: u32>(self) -> Self {
        Self(avx512!(_mm512_slli_epi64::<N>(self.0)))
    }

    #[inline(always)]
    fn shr<const N: u32>(self) -> Self {
        Self(avx512!(_mm512_srli_epi64::<N>(self.0)))
    }

    #[inline(always)]
    fn replace_if(self, mask: &Mask, other: Self) -> Self {
        let Self(mask) = Self::load(mask);
        avx512!({
            let mask = _mm512_test_epi64_mask(mask, mask);
            Self(_mm512_mask_mov_epi64(self.0, mask, other.0))
        })
    }

    #[inline(always)]
    fn gather(elements: [&[u64; LIMBS]; LANES]) -> [Self; LIMBS] {
        avx512!({
            let mut rows = [_mm512_setzero_si512(); LANES];
            for lane in 0..LANES {
                // The words behind an element are not read.
                rows[lane] = _mm512_maskz_loadu_epi64(ELEMENT, elements[lane].as_ptr().cast());
            }
            let [a, b, c, d, e, f, _, _] = transpose(rows);
            [Self(a), Self(b), Self(c), Self(d), Self(e), Self(f)]
        })
    }

    #[inline(always)]
    fn scatter([a, b, c, d, e, f]: [Self; LIMBS]) -> [[u64; LIMBS]; LANES] {
        let mut elements = [[0; LIMBS]; LANES];
        avx512!({
            let zero = _mm512_setzero_si512();
            let rows = transpose([a.0, b.0, c.0, d.0, e.0, f.0, zero, zero]);
            for lane in 0..LANES {
                // The words behind an element are not written.
                _mm512_mask_storeu_epi64(elements[lane].as_mut_ptr().cast(), ELEMENT, rows[lane]);
            }
        });
        elements
    }

    #[inline(always)]
    fn square_times<const N: usize>(elements: &mut [Limbs<Self>; N], count: usize) {
        avx512!(square_times(elements, count));
    }
}

/// Rows for columns.
#[target_feature(enable = "avx512f")]
#[inline]
fn transpose([a, b, c, d, e, f, g, h]: [__m512i; LANES]) -> [__m512i; LANES] {
    let [c0, c2, c4, c6] = quarters([
        _mm512_unpacklo_epi64(a, b),
        _mm512_unpacklo_epi64(c, d),
        _mm512_unpacklo_epi64(e, f),
        _mm512_unpacklo_epi64(g, h),
    ]);
    let [c1, c3, c5, c7] = quarters([
        _mm512_unpackhi_epi64(a, b),
        _mm512_unpackhi_epi64(c, d),
        _mm512_unpackhi_epi64(e, f),
        _mm512_unpackhi_epi64(g, h),
    ]);
    [c0, c1, c2, c3, c4, c5, c6, c7]
}

/// Rows for columns of quarters of a register.
#[target_feature(enable = "avx512f")]
#[inline]
fn quarters([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    let (ab_even, ab_odd) = (_mm512_shuffle_i64x2::<EVEN>(a, b), _mm512_shuffle_i64x2::<ODD>(a, b));
    let (cd_even, cd_odd) = (_mm512_shuffle_i64x2::<EVEN>(c, d), _mm512_shuffle_i64x2::<ODD>(c, d));
    [
        _mm512_shuffle_i64x2::<EVEN>(ab_even, cd_even),
        _mm512_shuffle_i64x2::<EVEN>(ab_odd, cd_odd),
        _mm512_shuffle_i64x2::<ODD>(ab_even, cd_even),
        _mm512_shuffle_i64x2::<ODD>(ab_odd, cd_odd),
    ]
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline(never)]
fn square_times<const N: usize>(elements: &mut [Limbs<V8>; N], count: usize) {
    limbs43::square_times(elements, count);
}
