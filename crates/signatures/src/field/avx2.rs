//! Vectors of AVX2: four lanes of 64 bits, with a product of their lower halves.
//!
//! [`V4`] must be used only where the processor has AVX2: by the functions of `backend::avx2`, and by tests that ask before.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_and_si256, _mm256_mul_epu32, _mm256_permute2x128_si256, _mm256_set1_epi64x,
    _mm256_slli_epi64, _mm256_srli_epi64, _mm256_sub_epi64, _mm256_unpackhi_epi64, _mm256_unpacklo_epi64,
};

use super::limbs29::{self, LANES, Limbs, Vector};

/// Four words in a register.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct V4(__m256i);

/// Calls an intrinsic of AVX2.
macro_rules! avx2 {
    ($call:expr) => {
        // SAFETY: code over `V4` is reached only where there is AVX2.
        unsafe { $call }
    };
}

impl Vector for V4 {
    #[inline(always)]
    fn load(words: &[u64; LANES]) -> Self {
        // SAFETY: both types are 32 bytes without padding, and every bit pattern is valid for both.
        Self(unsafe { std::mem::transmute::<[u64; LANES], __m256i>(*words) })
    }

    #[inline(always)]
    fn store(self) -> [u64; LANES] {
        // SAFETY: as for `load`.
        unsafe { std::mem::transmute::<__m256i, [u64; LANES]>(self.0) }
    }

    #[inline(always)]
    fn splat(word: u64) -> Self {
        Self(avx2!(_mm256_set1_epi64x(word.cast_signed())))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(avx2!(_mm256_add_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(avx2!(_mm256_sub_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(avx2!(_mm256_mul_epu32(self.0, other.0)))
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        Self(avx2!(_mm256_and_si256(self.0, other.0)))
    }

    #[inline(always)]
    fn shl<const N: i32>(self) -> Self {
        Self(avx2!(_mm256_slli_epi64::<N>(self.0)))
    }

    #[inline(always)]
    fn shr<const N: i32>(self) -> Self {
        Self(avx2!(_mm256_srli_epi64::<N>(self.0)))
    }

    #[inline(always)]
    fn transpose([a, b, c, d]: [Self; LANES]) -> [Self; LANES] {
        avx2!({
            let (ab_even, ab_odd) = (_mm256_unpacklo_epi64(a.0, b.0), _mm256_unpackhi_epi64(a.0, b.0));
            let (cd_even, cd_odd) = (_mm256_unpacklo_epi64(c.0, d.0), _mm256_unpackhi_epi64(c.0, d.0));
            [
                Self(_mm256_permute2x128_si256::<0x20>(ab_even, cd_even)),
                Self(_mm256_permute2x128_si256::<0x20>(ab_odd, cd_odd)),
                Self(_mm256_permute2x128_si256::<0x31>(ab_even, cd_even)),
                Self(_mm256_permute2x128_si256::<0x31>(ab_odd, cd_odd)),
            ]
        })
    }

    #[inline(always)]
    fn multiply(a: &Limbs<Self>, b: &Limbs<Self>) -> Limbs<Self> {
        avx2!(multiply(a, b))
    }

    #[inline(always)]
    fn multiply_sub<const K: u64>(a: &Limbs<Self>, b: &Limbs<Self>, subtrahend: &Limbs<Self>) -> Limbs<Self> {
        avx2!(multiply_sub::<K>(a, b, subtrahend))
    }

    #[inline(always)]
    fn square(a: &Limbs<Self>) -> Limbs<Self> {
        avx2!(square(a))
    }

    #[inline(always)]
    fn square_times(a: &Limbs<Self>, count: usize) -> Limbs<Self> {
        avx2!(square_times(a, count))
    }

    #[inline(always)]
    fn square_sub<const K: u64>(a: &Limbs<Self>, subtrahend: &Limbs<Self>) -> Limbs<Self> {
        avx2!(square_sub::<K>(a, subtrahend))
    }
}

#[target_feature(enable = "avx2")]
#[inline(never)]
fn multiply(a: &Limbs<V4>, b: &Limbs<V4>) -> Limbs<V4> {
    limbs29::multiply(a, b)
}

#[target_feature(enable = "avx2")]
#[inline(never)]
fn multiply_sub<const K: u64>(a: &Limbs<V4>, b: &Limbs<V4>, subtrahend: &Limbs<V4>) -> Limbs<V4> {
    limbs29::multiply_sub::<K, V4>(a, b, subtrahend)
}

#[target_feature(enable = "avx2")]
#[inline(never)]
fn square(a: &Limbs<V4>) -> Limbs<V4> {
    limbs29::square(a)
}

#[target_feature(enable = "avx2")]
#[inline(never)]
fn square_times(a: &Limbs<V4>, count: usize) -> Limbs<V4> {
    limbs29::square_times(a, count)
}

#[target_feature(enable = "avx2")]
#[inline(never)]
fn square_sub<const K: u64>(a: &Limbs<V4>, subtrahend: &Limbs<V4>) -> Limbs<V4> {
    limbs29::square_sub::<K, V4>(a, subtrahend)
}
