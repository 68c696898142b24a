//! Eight elements of secp256k1's base field at once.
//!
//! The prime is p = 2^256 - 2^32 - 977. Everything above this module is written once over [`Field`] and works on [`LANES`]
//! independent elements; an implementation holds them in vector registers ([`limbs43`] over [`avx512`], [`limbs29`] over [`avx2`]) or one
//! after the other ([`portable`]). Nothing here takes the same time for all inputs: signatures and public keys are public.
//!
//! # Magnitudes
//! Limbs are wider than needed, so that sums and differences need no carries. An element's *magnitude* says by how much
//! its limbs may exceed those of a product:
//!
//! | operation | wants | gives |
//! |---|---|---|
//! | `mul`, `square`, `mul_sub`, `square_sub` | magnitudes whose product is at most 6 | 1 |
//! | `triple`, `from_words`, `unpack` | | 1 |
//! | `add` | | the sum |
//! | `sub::<K>` | a subtrahend of at most 2K - 1, as do `mul_sub` and `square_sub` | 2K more than the minuend |
//! | `negate_if` | 1 | 2 |
//! | `pack`, `to_words` | 1 | |
//!
//! The tests run the whole recovery over limbs that check each of these bounds.

#![expect(clippy::cast_possible_truncation, reason = "wide numbers are cut into words on purpose")]

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(any(target_arch = "x86_64", test))]
pub(crate) mod limbs29;
#[cfg(any(target_arch = "x86_64", test))]
pub(crate) mod limbs43;
pub(crate) mod portable;
#[cfg(test)]
pub(crate) mod tests;

/// Elements that are computed at once.
pub(crate) const LANES: usize = 8;

/// A number of 256 bits, least significant word first.
pub(crate) type Words = [u64; 4];

/// The prime p.
pub(crate) const PRIME: Words = [0xffff_fffe_ffff_fc2f, u64::MAX, u64::MAX, u64::MAX];

/// 2^256 - p.
pub(crate) const FOLD: u64 = 0x1_0000_03d1;

/// For each lane all ones or zero.
pub(crate) type Mask = [u64; LANES];

/// [`LANES`] elements of the field. Its operations are described in the module's documentation.
pub(crate) trait Field: Copy {
    /// One element at rest.
    type Packed: Copy + Default + Send + Sync + std::fmt::Debug + 'static;

    /// Elements from numbers below 2^256, which may exceed the prime.
    fn from_words(words: &[Words; LANES]) -> Self;

    /// The least representatives.
    fn to_words(&self) -> [Words; LANES];

    /// Elements from where they rest, which need not be one place.
    fn unpack(packed: [&Self::Packed; LANES]) -> Self;

    /// Elements to rest apart.
    fn pack(&self) -> [Self::Packed; LANES];

    /// The negative of an element at rest, of magnitude 2.
    fn negate_packed(packed: &Self::Packed) -> Self::Packed;

    /// Product.
    fn mul(&self, other: &Self) -> Self;

    /// `self * other - subtrahend`.
    fn mul_sub<const K: u64>(&self, other: &Self, subtrahend: &Self) -> Self;

    /// Square.
    fn square(&self) -> Self;

    /// `self² - subtrahend`.
    fn square_sub<const K: u64>(&self, subtrahend: &Self) -> Self;

    /// Sum.
    fn add(&self, other: &Self) -> Self;

    /// Difference.
    fn sub<const K: u64>(&self, other: &Self) -> Self;

    /// Overwrites this element. An assignment would call a function of the C library to copy so many bytes.
    fn set(&mut self, value: &Self);

    /// Three times an element.
    fn triple(&self) -> Self;

    /// The negative in the lanes where the mask is set.
    fn negate_if(&self, mask: &Mask) -> Self;

    /// Another element in the lanes where the mask is set. Slow.
    fn replace_if(&self, mask: &Mask, other: &Self) -> Self {
        let (mut words, other) = (self.to_words(), other.to_words());
        for lane in 0..LANES {
            if mask[lane] != 0 {
                words[lane] = other[lane];
            }
        }
        Self::from_words(&words)
    }

    /// The same small number in all lanes.
    #[inline(always)]
    fn small(value: u64) -> Self {
        Self::from_words(&[[value, 0, 0, 0]; LANES])
    }

    /// Twice an element.
    #[inline(always)]
    fn double(&self) -> Self {
        self.add(self)
    }

    /// Squares elements `count` times. Several at once hide how long each square waits for the one before.
    #[inline(always)]
    fn square_times<const N: usize>(elements: &mut [Self; N], count: usize) {
        for element in elements {
            for _ in 0..count {
                element.set(&element.square());
            }
        }
    }
}

/// `base` squared `count` times, times `factor`.
#[inline(always)]
fn raise<F: Field, const N: usize>(base: &[F; N], count: usize, factor: &[F; N]) -> [F; N] {
    let mut power = *base;
    F::square_times(&mut power, count);
    for (power, factor) in power.iter_mut().zip(factor) {
        power.set(&power.mul(factor));
    }
    power
}

/// The powers of `a` that both exponents below begin with: 2^2 - 1, 2^22 - 1 and 2^223 - 1.
#[inline(always)]
fn common_powers<F: Field, const N: usize>(a: &[F; N]) -> ([F; N], [F; N], [F; N]) {
    let x2 = raise(a, 1, a);
    let x3 = raise(&x2, 1, a);
    let x6 = raise(&x3, 3, &x3);
    let x9 = raise(&x6, 3, &x3);
    let x11 = raise(&x9, 2, &x2);
    let x22 = raise(&x11, 11, &x11);
    let x44 = raise(&x22, 22, &x22);
    let x88 = raise(&x44, 44, &x44);
    let x176 = raise(&x88, 88, &x88);
    let x220 = raise(&x176, 44, &x44);
    let x223 = raise(&x220, 3, &x3);
    (x2, x22, x223)
}

/// A square root of each `a` if it has one, otherwise one of `-a`: a^((p + 1) / 4), as p = 3 mod 4.
#[inline(always)]
pub(crate) fn roots<F: Field, const N: usize>(a: &[F; N]) -> [F; N] {
    let (x2, x22, x223) = common_powers(a);
    let mut roots = raise(&raise(&x223, 23, &x22), 6, &x2);
    F::square_times(&mut roots, 2);
    roots
}

/// The inverse, a^(p - 2); of zero, zero.
#[inline(always)]
pub(crate) fn invert<F: Field>(a: &F) -> F {
    let a = &[*a];
    let (x2, x22, x223) = common_powers(a);
    let [inverse] = raise(&raise(&raise(&raise(&x223, 23, &x22), 5, a), 3, &x2), 2, a);
    inverse
}

/// The least representative of a number of 256 bits.
pub(crate) fn canonical(words: &Words) -> Words {
    let (sum, carry) = add_small(words, FOLD);
    if carry { sum } else { *words }
}

/// Adds a word, with the carry out of the highest.
pub(crate) fn add_small(words: &Words, value: u64) -> (Words, bool) {
    let mut sum = *words;
    let mut carry = value;
    for word in &mut sum {
        let (total, overflow) = word.overflowing_add(carry);
        (*word, carry) = (total, u64::from(overflow));
    }
    (sum, carry != 0)
}

/// A number of 256 bits in limbs of `BITS` bits.
fn split<const BITS: usize, const LIMBS: usize>(words: &Words) -> [u64; LIMBS] {
    std::array::from_fn(|i| {
        let (word, shift) = (i * BITS / 64, i * BITS % 64);
        let above = words.get(word + 1).copied().unwrap_or(0);
        let wide = u128::from(words[word]) | u128::from(above) << 64;
        (wide >> shift) as u64 & ((1 << BITS) - 1)
    })
}

/// The least representative of what limbs of `BITS` bits and magnitude 1 stand for.
fn join<const BITS: usize, const LIMBS: usize>(limbs: &[u64; LIMBS]) -> Words {
    // Up to five words: limbs overlap by their excess.
    let mut words = [0_u64; 5];
    for (i, limb) in limbs.iter().enumerate() {
        let (word, shift) = (i * BITS / 64, i * BITS % 64);
        let mut carry = u128::from(*limb) << shift;
        for word in &mut words[word..] {
            carry += u128::from(*word);
            *word = carry as u64;
            carry >>= 64;
        }
    }
    let [a, b, c, d, excess] = words;
    let (folded, overflow) = add_small(&[a, b, c, d], excess * FOLD);
    canonical(&if overflow { add_small(&folded, FOLD).0 } else { folded })
}
