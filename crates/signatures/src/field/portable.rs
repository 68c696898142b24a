//! Elements in five limbs of 52 bits, in the processor's own words, one lane after the other.
//!
//! Products have 104 bits of their 128, so magnitudes hardly matter. 2^260 = 2^36 + 15632 modulo the prime.

#![expect(clippy::cast_possible_truncation, reason = "wide products are cut into words on purpose")]
#![expect(clippy::needless_range_loop, reason = "indices name limbs and lanes, and loops over them unroll")]

use super::{FOLD, Field, LANES, Mask, Words, join, split};

const LIMBS: usize = 5;

const LIMB_MASK: u64 = (1 << 52) - 1;

const TOP_MASK: u64 = (1 << 48) - 1;

/// Twice the prime in limbs that exceed those of any element of magnitude 1.
const BIAS: [u64; LIMBS] = {
    let mut bias = [(2 << 52) - 2; LIMBS];
    bias[0] = (2 << 52) - 2 * FOLD;
    bias[LIMBS - 1] = (2 << 48) - 2;
    bias
};

/// One element.
type Limbs = [u64; LIMBS];

/// Eight elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable([Limbs; LANES]);

/// 2^260 modulo the prime.
const HIGH_FOLD: u64 = FOLD << 4;

#[inline(always)]
fn wide(a: u64, b: u64) -> u128 {
    a as u128 * b as u128
}

/// The lowest 52 bits.
#[inline(always)]
fn low(column: u128) -> u64 {
    column as u64 & LIMB_MASK
}

fn multiply(a: &Limbs, b: &Limbs, addend: &Limbs) -> Limbs {
    let [a0, a1, a2, a3, a4] = *a;
    let [b0, b1, b2, b3, b4] = *b;
    reduce(
        [
            wide(a0, b0),
            wide(a0, b1) + wide(a1, b0),
            wide(a0, b2) + wide(a1, b1) + wide(a2, b0),
            wide(a0, b3) + wide(a1, b2) + wide(a2, b1) + wide(a3, b0),
            wide(a0, b4) + wide(a1, b3) + wide(a2, b2) + wide(a3, b1) + wide(a4, b0),
            wide(a1, b4) + wide(a2, b3) + wide(a3, b2) + wide(a4, b1),
            wide(a2, b4) + wide(a3, b3) + wide(a4, b2),
            wide(a3, b4) + wide(a4, b3),
            wide(a4, b4),
        ],
        addend,
    )
}

fn square(a: &Limbs, addend: &Limbs) -> Limbs {
    let [a0, a1, a2, a3, a4] = *a;
    let (d0, d1, d2, d3) = (2 * a0, 2 * a1, 2 * a2, 2 * a3);
    reduce(
        [
            wide(a0, a0),
            wide(d0, a1),
            wide(d0, a2) + wide(a1, a1),
            wide(d0, a3) + wide(d1, a2),
            wide(d0, a4) + wide(d1, a3) + wide(a2, a2),
            wide(d1, a4) + wide(d2, a3),
            wide(d2, a4) + wide(a3, a3),
            wide(d3, a4),
            wide(a4, a4),
        ],
        addend,
    )
}

/// Carries and folds columns to magnitude 1. The columns are below 2^120.
#[inline(always)]
fn reduce(columns: [u128; 2 * LIMBS - 1], addend: &Limbs) -> Limbs {
    let [c0, c1, c2, c3, c4, c5, c6, c7, c8] = columns;
    // From 2^260 on.
    let c5 = c5 + (c4 >> 52);
    let c6 = c6 + (c5 >> 52);
    let c7 = c7 + (c6 >> 52);
    let c8 = c8 + (c7 >> 52);
    let [d0, d1, d2, d3, d4] = *addend;
    // Below; the highest column has less than 2^108, so what is folded from it is a word.
    let c0 = c0 + wide(low(c5), HIGH_FOLD) + u128::from(d0);
    let c1 = c1 + wide(low(c6), HIGH_FOLD) + u128::from(d1) + (c0 >> 52);
    let c2 = c2 + wide(low(c7), HIGH_FOLD) + u128::from(d2) + (c1 >> 52);
    let c3 = c3 + wide(low(c8), HIGH_FOLD) + u128::from(d3) + (c2 >> 52);
    let c4 = u128::from(low(c4)) + wide((c8 >> 52) as u64, HIGH_FOLD) + u128::from(d4) + (c3 >> 52);
    // Bits from 2^256 on.
    let folded = wide((c4 >> 48) as u64, FOLD) + u128::from(low(c0));
    [low(folded), low(c1) + (folded >> 52) as u64, low(c2), low(c3), low(c4) & TOP_MASK]
}

impl Portable {
    #[inline(always)]
    fn zip(&self, other: &Self, f: impl Fn(&Limbs, &Limbs) -> Limbs) -> Self {
        let Self(mut result) = *self;
        for lane in 0..LANES {
            result[lane] = f(&self.0[lane], &other.0[lane]);
        }
        Self(result)
    }
}

impl Field for Portable {
    type Packed = Limbs;

    fn from_words(words: &[Words; LANES]) -> Self {
        Self(words.map(|words| split::<52, LIMBS>(&words)))
    }

    fn to_words(&self) -> [Words; LANES] {
        self.0.map(|limbs| join::<52, LIMBS>(&limbs))
    }

    fn unpack(packed: [&Self::Packed; LANES]) -> Self {
        Self(packed.map(|limbs| *limbs))
    }

    fn pack(&self) -> [Self::Packed; LANES] {
        self.0
    }

    fn negate_packed(packed: &Self::Packed) -> Self::Packed {
        std::array::from_fn(|i| BIAS[i] - packed[i])
    }

    fn mul(&self, other: &Self) -> Self {
        self.zip(other, |a, b| multiply(a, b, &[0; LIMBS]))
    }

    fn mul_sub<const K: u64>(&self, other: &Self, subtrahend: &Self) -> Self {
        let Self(mut result) = negative::<K>(subtrahend);
        for lane in 0..LANES {
            result[lane] = multiply(&self.0[lane], &other.0[lane], &result[lane]);
        }
        Self(result)
    }

    fn square(&self) -> Self {
        Self(self.0.map(|a| square(&a, &[0; LIMBS])))
    }

    fn square_sub<const K: u64>(&self, subtrahend: &Self) -> Self {
        self.zip(&negative::<K>(subtrahend), square)
    }

    fn add(&self, other: &Self) -> Self {
        self.zip(other, |a, b| std::array::from_fn(|i| a[i] + b[i]))
    }

    fn sub<const K: u64>(&self, other: &Self) -> Self {
        self.add(&negative::<K>(other))
    }

    fn set(&mut self, value: &Self) {
        *self = *value;
    }

    fn triple(&self) -> Self {
        Self(self.0.map(|a| a.map(|limb| 3 * limb)))
    }

    fn negate_if(&self, mask: &Mask) -> Self {
        let negative = negative::<1>(self);
        Self(std::array::from_fn(|lane| if mask[lane] == 0 { self.0[lane] } else { negative.0[lane] }))
    }
}

/// The negative, by a multiple of the prime.
fn negative<const K: u64>(element: &Portable) -> Portable {
    Portable(element.0.map(|limbs| std::array::from_fn(|i| K * BIAS[i] - limbs[i])))
}
