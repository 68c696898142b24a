//! Elements in six limbs of 43 bits, one vector a limb, one element a lane, for processors that multiply numbers of 52 bits.
//!
//! Such a multiplication adds the lower or the upper 52 bits of a product to a sum. The six limbs' 258 bits leave nine bits of each free,
//! so sums and differences are multiplied as they are, carries pass once and all at the same time, and no column of a product overflows:
//! with 52 bits to a limb five would do, for 50 multiplications instead of 72, but each sum would have to be carried before, one limb after the other.
//!
//! The upper half of a product of limbs at 43·k bits stands at 43·k + 52, which is nine bits above the next column. The columns from 2^258 on are
//! folded: 2^258 = 2^34 + 3908 modulo the prime.

#![expect(clippy::needless_range_loop, reason = "indices name limbs and lanes, and loops over them unroll")]

use super::{FOLD, Field, LANES, Mask, Words, join, split};

/// Limbs of an element.
pub(crate) const LIMBS: usize = 6;

/// Bits of a limb.
const BITS: usize = 43;

const LIMB_MASK: u64 = (1 << BITS) - 1;

/// Bits of the highest limb below 2^256.
const TOP_BITS: usize = 256 - 5 * BITS;

const TOP_MASK: u64 = (1 << TOP_BITS) - 1;

/// 2^258 modulo the prime.
const HIGH_FOLD: u64 = FOLD << 2;

/// 2^267 modulo the prime, less 2^43.
const TOP_FOLD: u64 = 977 << 11;

/// Columns of a product, with one for what the highest carries.
const COLUMNS: usize = 2 * LIMBS;

/// Twice the prime in limbs that exceed those of any element of magnitude 1.
const BIAS: [u64; LIMBS] = {
    let mut bias = [(2 << BITS) - 2; LIMBS];
    bias[0] = (2 << BITS) - 2 * FOLD;
    bias[LIMBS - 1] = (2 << TOP_BITS) - 2;
    bias
};

/// [`LANES`] words of 64 bits.
pub(crate) trait Vector: Copy {
    /// The same word in every lane.
    fn splat(word: u64) -> Self;
    /// Sum, which must fit.
    fn add(self, other: Self) -> Self;
    /// Difference, which must not be negative.
    fn sub(self, other: Self) -> Self;
    /// The sum, and the lower 52 bits of the product of two numbers below 2^52.
    fn add_low(self, a: Self, b: Self) -> Self;
    /// The sum, and the product of two numbers below 2^52 without its lower 52 bits.
    fn add_high(self, a: Self, b: Self) -> Self;
    /// Bits in common.
    fn and(self, other: Self) -> Self;
    /// Shifted towards the high bits, none of which may be lost.
    fn shl<const N: u32>(self) -> Self;
    /// Shifted towards the low bits.
    fn shr<const N: u32>(self) -> Self;
    /// Another vector in the lanes where the mask is set.
    fn replace_if(self, mask: &Mask, other: Self) -> Self;
    /// The limbs of elements at rest.
    fn gather(elements: [&[u64; LIMBS]; LANES]) -> [Self; LIMBS];
    /// Elements to rest from their limbs.
    fn scatter(limbs: [Self; LIMBS]) -> [[u64; LIMBS]; LANES];

    /// [`square_times`], as a call of its own where that keeps code small.
    #[inline(always)]
    fn square_times<const N: usize>(elements: &mut [Limbs<Self>; N], count: usize) {
        square_times(elements, count);
    }
}

/// Eight elements.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Limbs<V>([V; LIMBS]);

/// The columns of a sum of products of limbs: what stands at 43 bits times their number, and the upper halves, nine bits above.
#[derive(Clone, Copy)]
struct Columns<V> {
    low: [V; COLUMNS],
    high: [V; COLUMNS],
}

impl<V: Vector> Columns<V> {
    #[inline(always)]
    fn new() -> Self {
        Self { low: [V::splat(0); COLUMNS], high: [V::splat(0); COLUMNS] }
    }

    #[inline(always)]
    fn add(&mut self, column: usize, a: V, b: V) {
        self.low[column] = self.low[column].add_low(a, b);
        self.high[column + 1] = self.high[column + 1].add_high(a, b);
    }

    #[inline(always)]
    fn product(a: &[V; LIMBS], b: &[V; LIMBS]) -> Self {
        let mut columns = Self::new();
        for i in 0..LIMBS {
            for j in 0..LIMBS {
                columns.add(i + j, a[i], b[j]);
            }
        }
        columns
    }

    #[inline(always)]
    fn square(a: &[V; LIMBS]) -> Self {
        let mut columns = Self::new();
        for i in 0..LIMBS {
            columns.add(2 * i, a[i], a[i]);
            let twice = a[i].add(a[i]);
            for j in i + 1..LIMBS {
                columns.add(i + j, twice, a[j]);
            }
        }
        columns
    }

    /// Subtracts an element.
    #[inline(always)]
    fn less<const K: u64>(mut self, subtrahend: &Limbs<V>) -> Self {
        for i in 0..LIMBS {
            self.low[i] = self.low[i].add(V::splat(K * BIAS[i]).sub(subtrahend.0[i]));
        }
        self
    }

    /// Carries and folds the columns to magnitude 1.
    #[inline(always)]
    fn reduce(self) -> Limbs<V> {
        let mask = V::splat(LIMB_MASK);
        let mut sums = self.low;
        for i in 1..COLUMNS {
            sums[i] = sums[i].add(self.high[i].shl::<9>());
        }
        // From 2^258 on; the highest is below 2^42 and keeps what it has.
        let mut upper = [sums[0]; LIMBS];
        for i in 0..LIMBS {
            let column = LIMBS + i;
            let kept = if i + 1 < LIMBS { sums[column].and(mask) } else { sums[column] };
            upper[i] = kept.add(sums[column - 1].shr::<43>());
        }
        sums[LIMBS - 1] = sums[LIMBS - 1].and(mask);

        let fold = V::splat(HIGH_FOLD);
        let mut folded = [sums[0]; LIMBS];
        let mut above = [V::splat(0); LIMBS];
        for i in 0..LIMBS {
            folded[i] = sums[i].add_low(upper[i], fold);
            above[i] = above[i].add_high(upper[i], fold);
        }
        for i in 1..LIMBS {
            folded[i] = folded[i].add(above[i - 1].shl::<9>());
        }
        // What the highest column adds above the highest, folded once more.
        folded[0] = folded[0].add_low(above[LIMBS - 1], V::splat(TOP_FOLD));
        folded[1] = folded[1].add(above[LIMBS - 1]);
        Limbs(folded).carried()
    }
}

impl<V: Vector> Limbs<V> {
    /// Carries once, all limbs at the same time, and then the lowest limb, to magnitude 1.
    #[inline(always)]
    fn carried(self) -> Self {
        let Self(limbs) = self;
        let mask = V::splat(LIMB_MASK);
        let mut carried = limbs;
        for i in 1..LIMBS {
            let kept = if i + 1 < LIMBS { mask } else { V::splat(TOP_MASK) };
            carried[i] = limbs[i].and(kept).add(limbs[i - 1].shr::<43>());
        }
        let top = limbs[LIMBS - 1].shr::<41>();
        let lowest = limbs[0].and(mask).add_low(top, V::splat(FOLD));
        carried[0] = lowest.and(mask);
        carried[1] = carried[1].add(lowest.shr::<43>());
        Self(carried)
    }
}

/// `a * b`.
#[inline(always)]
fn multiply<V: Vector>(a: &Limbs<V>, b: &Limbs<V>) -> Limbs<V> {
    Columns::product(&a.0, &b.0).reduce()
}

/// `a * b - subtrahend`.
#[inline(always)]
fn multiply_sub<const K: u64, V: Vector>(a: &Limbs<V>, b: &Limbs<V>, subtrahend: &Limbs<V>) -> Limbs<V> {
    Columns::product(&a.0, &b.0).less::<K>(subtrahend).reduce()
}

/// `a²`.
#[inline(always)]
fn square<V: Vector>(a: &Limbs<V>) -> Limbs<V> {
    Columns::square(&a.0).reduce()
}

/// Squares elements `count` times.
#[inline(always)]
pub(crate) fn square_times<const N: usize, V: Vector>(elements: &mut [Limbs<V>; N], count: usize) {
    for _ in 0..count {
        for element in elements.iter_mut() {
            element.set(&square(element));
        }
    }
}

/// `a² - subtrahend`.
#[inline(always)]
fn square_sub<const K: u64, V: Vector>(a: &Limbs<V>, subtrahend: &Limbs<V>) -> Limbs<V> {
    Columns::square(&a.0).less::<K>(subtrahend).reduce()
}

impl<V: Vector> Field for Limbs<V> {
    type Packed = [u64; LIMBS];

    #[inline(always)]
    fn from_words(words: &[Words; LANES]) -> Self {
        let mut limbs = [[0; LIMBS]; LANES];
        for lane in 0..LANES {
            limbs[lane] = split::<BITS, LIMBS>(&words[lane]);
        }
        Self(V::gather(limbs.each_ref()))
    }

    #[inline(always)]
    fn to_words(&self) -> [Words; LANES] {
        V::scatter(self.0).map(|limbs| join::<BITS, LIMBS>(&limbs))
    }

    #[inline(always)]
    fn unpack(packed: [&Self::Packed; LANES]) -> Self {
        Self(V::gather(packed))
    }

    #[inline(always)]
    fn pack(&self) -> [Self::Packed; LANES] {
        V::scatter(self.0)
    }

    #[inline(always)]
    fn negate_packed(packed: &Self::Packed) -> Self::Packed {
        let mut negative = BIAS;
        for i in 0..LIMBS {
            negative[i] -= packed[i];
        }
        negative
    }

    #[inline(always)]
    fn mul(&self, other: &Self) -> Self {
        multiply(self, other)
    }

    #[inline(always)]
    fn mul_sub<const K: u64>(&self, other: &Self, subtrahend: &Self) -> Self {
        multiply_sub::<K, V>(self, other, subtrahend)
    }

    #[inline(always)]
    fn square(&self) -> Self {
        square(self)
    }

    #[inline(always)]
    fn square_times<const N: usize>(elements: &mut [Self; N], count: usize) {
        V::square_times(elements, count);
    }

    #[inline(always)]
    fn square_sub<const K: u64>(&self, subtrahend: &Self) -> Self {
        square_sub::<K, V>(self, subtrahend)
    }

    #[inline(always)]
    fn add(&self, other: &Self) -> Self {
        let Self(mut sum) = *self;
        for i in 0..LIMBS {
            sum[i] = sum[i].add(other.0[i]);
        }
        Self(sum)
    }

    #[inline(always)]
    fn sub<const K: u64>(&self, other: &Self) -> Self {
        let Self(mut difference) = *self;
        for i in 0..LIMBS {
            difference[i] = difference[i].add(V::splat(K * BIAS[i]).sub(other.0[i]));
        }
        Self(difference)
    }

    #[inline(always)]
    fn set(&mut self, value: &Self) {
        let Self([a, b, c, d, e, f]) = *value;
        self.0 = [a, b, c, d, e, f];
    }

    #[inline(always)]
    fn triple(&self) -> Self {
        self.add(self).add(self).carried()
    }

    #[inline(always)]
    fn negate_if(&self, mask: &Mask) -> Self {
        let Self(mut limbs) = *self;
        for i in 0..LIMBS {
            limbs[i] = limbs[i].replace_if(mask, V::splat(BIAS[i]).sub(limbs[i]));
        }
        Self(limbs)
    }
}
