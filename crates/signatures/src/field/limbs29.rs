//! Elements in nine limbs of 29 bits, one vector a limb, one element a lane, four lanes a vector and two vectors side by side.
//!
//! A product of two limbs fits the 64 bits of its lane with room for eight more, so a column of the schoolbook product needs
//! no carry until it is complete. The columns from 2^261 on are carried, then folded: 2^261 = 2^37 + 31264 modulo the prime. The
//! carry out of the lower nine is folded at 2^256 = 2^32 + 977, so that a product's highest limb has 24 bits and the whole hardly
//! exceeds 2^256.
//!
//! Why 29 and not 26 bits, as is usual: 81 products instead of 100, a square with 45 instead of 55, for magnitudes up to 6 instead
//! of hundreds. With `mul_sub` and `square_sub` that is enough for all point formulas.

#![expect(clippy::needless_range_loop, reason = "indices name limbs and lanes, and loops over them unroll")]

use super::{Field, Mask, Words, join, split};

/// Lanes of a vector.
pub(crate) const LANES: usize = 4;

/// Limbs of an element.
const LIMBS: usize = 9;

/// Bits of a limb.
const BITS: u64 = 29;

const LIMB_MASK: u64 = (1 << BITS) - 1;

/// Bits of the highest limb below 2^256.
const TOP_BITS: u64 = 256 - 8 * BITS;

const TOP_MASK: u64 = (1 << TOP_BITS) - 1;

/// 2^261 modulo the prime, less 2^37.
const HIGH_FOLD: u64 = 977 << 5;

/// Twice the prime in limbs that exceed those of any element of magnitude 1.
const BIAS: [u64; LIMBS] = {
    let mut bias = [(2 << BITS) - 2; LIMBS];
    bias[0] = (2 << BITS) - 2 * 977;
    bias[1] -= 2 << (32 - BITS);
    bias[LIMBS - 1] = (2 << TOP_BITS) - 2;
    bias
};

/// [`LANES`] words of 64 bits.
pub(crate) trait Vector: Copy {
    /// From memory.
    fn load(words: &[u64; LANES]) -> Self;
    /// To memory.
    fn store(self) -> [u64; LANES];
    /// The same word in every lane.
    fn splat(word: u64) -> Self;
    /// Sum, which must fit.
    fn add(self, other: Self) -> Self;
    /// Difference, which must not be negative.
    fn sub(self, other: Self) -> Self;
    /// Product of numbers below 2^32.
    fn mul(self, other: Self) -> Self;
    /// Bits in common.
    fn and(self, other: Self) -> Self;
    /// Shifted towards the high bits, none of which may be lost.
    fn shl<const N: i32>(self) -> Self;
    /// Shifted towards the low bits.
    fn shr<const N: i32>(self) -> Self;
    /// Rows for columns.
    fn transpose(rows: [Self; LANES]) -> [Self; LANES];

    /// [`multiply`], as a call of its own where that keeps code small.
    #[inline(always)]
    fn multiply(a: &Limbs<Self>, b: &Limbs<Self>) -> Limbs<Self> {
        multiply(a, b)
    }
    /// [`multiply_sub`], the same.
    #[inline(always)]
    fn multiply_sub<const K: u64>(a: &Limbs<Self>, b: &Limbs<Self>, subtrahend: &Limbs<Self>) -> Limbs<Self> {
        multiply_sub::<K, Self>(a, b, subtrahend)
    }
    /// [`square`], the same.
    #[inline(always)]
    fn square(a: &Limbs<Self>) -> Limbs<Self> {
        square(a)
    }
    /// [`square_times`], the same.
    #[inline(always)]
    fn square_times(a: &Limbs<Self>, count: usize) -> Limbs<Self> {
        square_times(a, count)
    }
    /// [`square_sub`], the same.
    #[inline(always)]
    fn square_sub<const K: u64>(a: &Limbs<Self>, subtrahend: &Limbs<Self>) -> Limbs<Self> {
        square_sub::<K, Self>(a, subtrahend)
    }
}

/// Four elements.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Limbs<V>([V; LIMBS]);

/// A column of the product: the sum of the given limbs' products.
macro_rules! column {
    ($a:ident $b:ident, $i:literal $j:literal $(, $k:literal $l:literal)*) => {
        $a[$i].mul($b[$j])$(.add($a[$k].mul($b[$l])))*
    };
}

#[inline(always)]
fn columns<V: Vector>(a: &[V; LIMBS], b: &[V; LIMBS]) -> [V; 2 * LIMBS - 1] {
    [
        column!(a b, 0 0),
        column!(a b, 0 1, 1 0),
        column!(a b, 0 2, 1 1, 2 0),
        column!(a b, 0 3, 1 2, 2 1, 3 0),
        column!(a b, 0 4, 1 3, 2 2, 3 1, 4 0),
        column!(a b, 0 5, 1 4, 2 3, 3 2, 4 1, 5 0),
        column!(a b, 0 6, 1 5, 2 4, 3 3, 4 2, 5 1, 6 0),
        column!(a b, 0 7, 1 6, 2 5, 3 4, 4 3, 5 2, 6 1, 7 0),
        column!(a b, 0 8, 1 7, 2 6, 3 5, 4 4, 5 3, 6 2, 7 1, 8 0),
        column!(a b, 1 8, 2 7, 3 6, 4 5, 5 4, 6 3, 7 2, 8 1),
        column!(a b, 2 8, 3 7, 4 6, 5 5, 6 4, 7 3, 8 2),
        column!(a b, 3 8, 4 7, 5 6, 6 5, 7 4, 8 3),
        column!(a b, 4 8, 5 7, 6 6, 7 5, 8 4),
        column!(a b, 5 8, 6 7, 7 6, 8 5),
        column!(a b, 6 8, 7 7, 8 6),
        column!(a b, 7 8, 8 7),
        column!(a b, 8 8),
    ]
}

/// The same for a square: `d` is twice `a`.
#[inline(always)]
fn square_columns<V: Vector>(a: &[V; LIMBS]) -> [V; 2 * LIMBS - 1] {
    let mut d = *a;
    for limb in &mut d {
        *limb = limb.add(*limb);
    }
    let d = &d;
    [
        a[0].mul(a[0]),
        column!(d a, 0 1),
        column!(d a, 0 2).add(a[1].mul(a[1])),
        column!(d a, 0 3, 1 2),
        column!(d a, 0 4, 1 3).add(a[2].mul(a[2])),
        column!(d a, 0 5, 1 4, 2 3),
        column!(d a, 0 6, 1 5, 2 4).add(a[3].mul(a[3])),
        column!(d a, 0 7, 1 6, 2 5, 3 4),
        column!(d a, 0 8, 1 7, 2 6, 3 5).add(a[4].mul(a[4])),
        column!(d a, 1 8, 2 7, 3 6, 4 5),
        column!(d a, 2 8, 3 7, 4 6).add(a[5].mul(a[5])),
        column!(d a, 3 8, 4 7, 5 6),
        column!(d a, 4 8, 5 7).add(a[6].mul(a[6])),
        column!(d a, 5 8, 6 7),
        column!(d a, 6 8).add(a[7].mul(a[7])),
        column!(d a, 7 8),
        a[8].mul(a[8]),
    ]
}

/// Carries and folds the columns of a product to magnitude 1.
#[inline(always)]
fn reduce<V: Vector>(columns: [V; 2 * LIMBS - 1]) -> Limbs<V> {
    let mask = V::splat(LIMB_MASK);
    let [mut low @ .., _, _, _, _, _, _, _, _] = columns;
    let mut high = [mask; LIMBS];
    let mut carry = low[LIMBS - 1].shr::<29>();
    low[LIMBS - 1] = low[LIMBS - 1].and(mask);
    for i in 0..LIMBS - 1 {
        let sum = columns[LIMBS + i].add(carry);
        high[i] = sum.and(mask);
        carry = sum.shr::<29>();
    }
    high[LIMBS - 1] = carry;

    let fold = V::splat(HIGH_FOLD);
    for i in 0..LIMBS {
        low[i] = low[i].add(high[i].mul(fold));
    }
    for i in 1..LIMBS {
        low[i] = low[i].add(high[i - 1].shl::<8>());
    }
    // What the highest limb adds above the highest, folded once more. It has 22 bits.
    low[0] = low[0].add(carry.mul(V::splat(HIGH_FOLD << 8)));
    low[1] = low[1].add(carry.shl::<16>());

    for i in 1..LIMBS {
        low[i] = low[i].add(low[i - 1].shr::<29>());
        low[i - 1] = low[i - 1].and(mask);
    }
    let top = low[LIMBS - 1].shr::<24>();
    low[LIMBS - 1] = low[LIMBS - 1].and(V::splat(TOP_MASK));
    low[0] = low[0].add(top.mul(V::splat(977)));
    low[1] = low[1].add(top.shl::<3>()).add(low[0].shr::<29>());
    low[0] = low[0].and(mask);
    Limbs(low)
}

/// Subtracts an element from the lower columns.
#[inline(always)]
fn less<const K: u64, V: Vector>(mut columns: [V; 2 * LIMBS - 1], subtrahend: &Limbs<V>) -> [V; 2 * LIMBS - 1] {
    for i in 0..LIMBS {
        columns[i] = columns[i].add(V::splat(K * BIAS[i]).sub(subtrahend.0[i]));
    }
    columns
}

/// `a * b`.
#[inline(always)]
pub(crate) fn multiply<V: Vector>(a: &Limbs<V>, b: &Limbs<V>) -> Limbs<V> {
    reduce(columns(&a.0, &b.0))
}

/// `a * b - subtrahend`.
#[inline(always)]
pub(crate) fn multiply_sub<const K: u64, V: Vector>(a: &Limbs<V>, b: &Limbs<V>, subtrahend: &Limbs<V>) -> Limbs<V> {
    reduce(less::<K, V>(columns(&a.0, &b.0), subtrahend))
}

/// `a²`.
#[inline(always)]
pub(crate) fn square<V: Vector>(a: &Limbs<V>) -> Limbs<V> {
    reduce(square_columns(&a.0))
}

/// `a` squared `count` times.
#[inline(always)]
pub(crate) fn square_times<V: Vector>(a: &Limbs<V>, count: usize) -> Limbs<V> {
    let mut power = *a;
    for _ in 0..count {
        power = reduce(square_columns(&power.0));
    }
    power
}

/// `a² - subtrahend`.
#[inline(always)]
pub(crate) fn square_sub<const K: u64, V: Vector>(a: &Limbs<V>, subtrahend: &Limbs<V>) -> Limbs<V> {
    reduce(less::<K, V>(square_columns(&a.0), subtrahend))
}

impl<V: Vector> Limbs<V> {
    /// Carries once, all limbs at the same time, to magnitude 1.
    #[inline(always)]
    fn carried(self) -> Self {
        let Self(limbs) = self;
        let mask = V::splat(LIMB_MASK);
        let mut carried = limbs;
        for limb in &mut carried {
            *limb = limb.and(mask);
        }
        for i in 1..LIMBS {
            carried[i] = carried[i].add(limbs[i - 1].shr::<29>());
        }
        let highest = limbs[LIMBS - 1];
        let top = highest.shr::<24>();
        let below = limbs[LIMBS - 2].shr::<29>();
        carried[LIMBS - 1] = highest.and(V::splat(TOP_MASK)).add(below);
        carried[0] = carried[0].add(top.mul(V::splat(977)));
        carried[1] = carried[1].add(top.shl::<3>());
        Self(carried)
    }
}

/// Limbs in pairs, the odd ones above the even ones.
type Packed = [u64; 5];

impl<V: Vector> Limbs<V> {
    #[inline(always)]
    fn from_words([a, b, c, d]: &[Words; LANES]) -> Self {
        let (a, b, c, d) = (split::<29, LIMBS>(a), split::<29, LIMBS>(b), split::<29, LIMBS>(c), split::<29, LIMBS>(d));
        let mut limbs = [V::splat(0); LIMBS];
        for i in 0..LIMBS {
            limbs[i] = V::load(&[a[i], b[i], c[i], d[i]]);
        }
        Self(limbs)
    }

    #[inline(always)]
    fn to_words(self) -> [Words; LANES] {
        let mut lanes = [[0; LIMBS]; LANES];
        for i in 0..LIMBS {
            let [a, b, c, d] = self.0[i].store();
            (lanes[0][i], lanes[1][i], lanes[2][i], lanes[3][i]) = (a, b, c, d);
        }
        lanes.map(|limbs| join::<29, LIMBS>(&limbs))
    }

    #[inline(always)]
    fn unpack([a, b, c, d]: [&Packed; LANES]) -> Self {
        let low = V::splat(u64::from(u32::MAX));
        let pairs = V::transpose([
            V::load(&[a[0], a[1], a[2], a[3]]),
            V::load(&[b[0], b[1], b[2], b[3]]),
            V::load(&[c[0], c[1], c[2], c[3]]),
            V::load(&[d[0], d[1], d[2], d[3]]),
        ]);
        let mut limbs = [V::load(&[a[4], b[4], c[4], d[4]]); LIMBS];
        for i in 0..LIMBS / 2 {
            limbs[2 * i] = pairs[i].and(low);
            limbs[2 * i + 1] = pairs[i].shr::<32>();
        }
        Self(limbs)
    }

    #[inline(always)]
    fn pack(&self, packed: &mut [Packed]) {
        let Self(limbs) = self;
        let mut pairs = [limbs[0]; LANES];
        for i in 0..LANES {
            pairs[i] = limbs[2 * i].add(limbs[2 * i + 1].shl::<32>());
        }
        let rows = V::transpose(pairs);
        let highest = limbs[LIMBS - 1].store();
        for lane in 0..LANES {
            let [a, b, c, d] = rows[lane].store();
            packed[lane] = [a, b, c, d, highest[lane]];
        }
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
        let Self([a, b, c, d, e, f, g, h, i]) = *value;
        self.0 = [a, b, c, d, e, f, g, h, i];
    }

    #[inline(always)]
    fn negate_if(&self, mask: [u64; LANES]) -> Self {
        let set = V::load(&mask);
        let [a, b, c, d] = mask;
        let clear = V::load(&[!a, !b, !c, !d]);
        let Self(mut limbs) = *self;
        for i in 0..LIMBS {
            let negative = V::splat(BIAS[i]).sub(limbs[i]);
            limbs[i] = limbs[i].and(clear).add(negative.and(set));
        }
        Self(limbs)
    }
}

/// Eight elements: two vectors of four for each limb.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Halves<V>(Limbs<V>, Limbs<V>);

impl<V: Vector> Field for Halves<V> {
    type Packed = Packed;

    #[inline(always)]
    fn from_words([a, b, c, d, e, f, g, h]: &[Words; 2 * LANES]) -> Self {
        Self(Limbs::from_words(&[*a, *b, *c, *d]), Limbs::from_words(&[*e, *f, *g, *h]))
    }

    #[inline(always)]
    fn to_words(&self) -> [Words; 2 * LANES] {
        let ([a, b, c, d], [e, f, g, h]) = (self.0.to_words(), self.1.to_words());
        [a, b, c, d, e, f, g, h]
    }

    #[inline(always)]
    fn unpack([a, b, c, d, e, f, g, h]: [&Packed; 2 * LANES]) -> Self {
        Self(Limbs::unpack([a, b, c, d]), Limbs::unpack([e, f, g, h]))
    }

    #[inline(always)]
    fn pack(&self) -> [Packed; 2 * LANES] {
        let mut packed = [[0; 5]; 2 * LANES];
        self.0.pack(&mut packed[..LANES]);
        self.1.pack(&mut packed[LANES..]);
        packed
    }

    #[inline(always)]
    fn negate_packed(packed: &Packed) -> Packed {
        // No borrow passes between the limbs of a pair: each limb is below its bias.
        let mut negative = [BIAS[LIMBS - 1]; 5];
        for i in 0..LIMBS / 2 {
            negative[i] = BIAS[2 * i] | BIAS[2 * i + 1] << 32;
        }
        for (negative, word) in negative.iter_mut().zip(packed) {
            *negative -= word;
        }
        negative
    }

    #[inline(always)]
    fn mul(&self, other: &Self) -> Self {
        Self(V::multiply(&self.0, &other.0), V::multiply(&self.1, &other.1))
    }

    #[inline(always)]
    fn mul_sub<const K: u64>(&self, other: &Self, subtrahend: &Self) -> Self {
        Self(
            V::multiply_sub::<K>(&self.0, &other.0, &subtrahend.0),
            V::multiply_sub::<K>(&self.1, &other.1, &subtrahend.1),
        )
    }

    #[inline(always)]
    fn square(&self) -> Self {
        Self(V::square(&self.0), V::square(&self.1))
    }

    #[inline(always)]
    fn square_times<const N: usize>(elements: &mut [Self; N], count: usize) {
        for Self(first, second) in elements {
            first.set(&V::square_times(first, count));
            second.set(&V::square_times(second, count));
        }
    }

    #[inline(always)]
    fn square_sub<const K: u64>(&self, subtrahend: &Self) -> Self {
        Self(V::square_sub::<K>(&self.0, &subtrahend.0), V::square_sub::<K>(&self.1, &subtrahend.1))
    }

    #[inline(always)]
    fn add(&self, other: &Self) -> Self {
        Self(self.0.add(&other.0), self.1.add(&other.1))
    }

    #[inline(always)]
    fn sub<const K: u64>(&self, other: &Self) -> Self {
        Self(self.0.sub::<K>(&other.0), self.1.sub::<K>(&other.1))
    }

    #[inline(always)]
    fn set(&mut self, value: &Self) {
        self.0.set(&value.0);
        self.1.set(&value.1);
    }

    #[inline(always)]
    fn triple(&self) -> Self {
        let Self(first, second) = self;
        Self(first.add(first).add(first).carried(), second.add(second).add(second).carried())
    }

    #[inline(always)]
    fn negate_if(&self, [a, b, c, d, e, f, g, h]: &Mask) -> Self {
        Self(self.0.negate_if([*a, *b, *c, *d]), self.1.negate_if([*e, *f, *g, *h]))
    }
}
