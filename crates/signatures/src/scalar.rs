//! Numbers modulo the order of the group, and how they are cut into windows.
//!
//! The order is n = 2^256 - c with a c of 129 bits, so a product is reduced by folding its upper half twice.
//!
//! # Endomorphism
//! There are numbers λ and β with λ·(x, y) = (βx, y) for every point. A scalar k is k1 + λ·k2 modulo n with halves of some 128 bits (Gallant,
//! Lambert, Vanstone: *Faster point multiplication on elliptic curves with efficient endomorphisms*, 2001), found by rounding in the lattice of
//! the pairs that stand for zero, whose basis is (A1, B1), (A2, B2).
//!
//! # Odd windows
//! An odd k between -2^L and 2^L is a sum of ±2^i for all i below L: with m = (k + 2^L - 1) / 2, the sign of 2^i is bit i of m. A window
//! of w bits of m then stands for an odd digit between -2^w and 2^w, never zero, which spares the point formulas a special
//! case (Joye, Tunstall: *Exponent recoding and regular exponentiation algorithms*, 2009).

#![expect(clippy::cast_possible_truncation, reason = "wide products are cut into words on purpose")]

use std::array;

use crate::field::Words;

/// The order of the group.
pub(crate) const ORDER: Words =
    [0xbfd2_5e8c_d036_4141, 0xbaae_dce6_af48_a03b, 0xffff_ffff_ffff_fffe, 0xffff_ffff_ffff_ffff];

/// 2^256 - n.
const COMPLEMENT: [u64; 3] = [0x402d_a173_2fc9_bebf, 0x4551_2319_50b7_5fc4, 1];

/// A1 of the lattice, which is also B2.
const A1: Words = [0xe86c_90e4_9284_eb15, 0x3086_d221_a7d4_6bcd, 0, 0];

/// -B1.
const MINUS_B1: Words = [0x6f54_7fa9_0abf_e4c3, 0xe443_7ed6_010e_8828, 0, 0];

/// A2.
const A2: Words = [0x57c1_108d_9d44_cfd8, 0x14ca_50f7_a8e2_f3f6, 1, 0];

/// B2 · 2^384 / n, rounded.
const ROUND_1: Words = [0xe893_209a_45db_b031, 0x3daa_8a14_71e8_ca7f, 0xe86c_90e4_9284_eb15, 0x3086_d221_a7d4_6bcd];

/// -B1 · 2^384 / n, rounded.
const ROUND_2: Words = [0x1571_b4ae_8ac4_7f71, 0x2212_08ac_9df5_06c6, 0x6f54_7fa9_0abf_e4c4, 0xe443_7ed6_010e_8828];

/// A number below the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scalar(Words);

impl Scalar {
    /// One.
    pub(crate) const ONE: Self = Self([1, 0, 0, 0]);

    /// The number, if it is below the order.
    pub(crate) fn new(words: Words) -> Option<Self> {
        let (_, borrow) = subtract(&words, &ORDER);
        borrow.then_some(Self(words))
    }

    /// The number modulo the order.
    pub(crate) fn reduced(words: Words) -> Self {
        let (less, borrow) = subtract(&words, &ORDER);
        Self(if borrow { words } else { less })
    }

    /// Its words, the least significant first.
    pub(crate) fn words(&self) -> &Words {
        &self.0
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.0 == [0; 4]
    }

    /// The negative.
    pub(crate) fn neg(&self) -> Self {
        if self.is_zero() { *self } else { Self(subtract(&ORDER, &self.0).0) }
    }

    /// Sum.
    pub(crate) fn add(&self, other: &Self) -> Self {
        let (sum, carry) = add(&self.0, &other.0);
        let (less, borrow) = subtract(&sum, &ORDER);
        Self(if carry || !borrow { less } else { sum })
    }

    /// Product.
    pub(crate) fn mul(&self, other: &Self) -> Self {
        let [a, b, c, d, high @ ..]: [u64; 8] = multiply(&self.0, &other.0);
        // 385 bits, then 260, then at most one fold of a few bits.
        let folded: [u64; 7] = multiply(&high, &COMPLEMENT);
        let [e, f, g, h, high @ ..] = add_to(folded, &[a, b, c, d, 0, 0, 0]);
        let folded: [u64; 6] = multiply(&high, &COMPLEMENT);
        let [a, b, c, d, high, _] = add_to(folded, &[e, f, g, h, 0, 0]);
        let folded: [u64; 4] = multiply(&[high], &COMPLEMENT);
        let (sum, carry) = add(&[a, b, c, d], &folded);
        // A carry leaves a sum so small that adding the complement cannot carry again.
        let sum = if carry { add(&sum, &[COMPLEMENT[0], COMPLEMENT[1], COMPLEMENT[2], 0]).0 } else { sum };
        Self::reduced(sum)
    }

    /// The inverse, by raising to n - 2; of zero, zero.
    pub(crate) fn invert(&self) -> Self {
        let (exponent, _) = subtract(&ORDER, &[2, 0, 0, 0]);
        // Four bits at a time.
        let mut powers = [Self::ONE; 16];
        for i in 1..16 {
            powers[i] = powers[i - 1].mul(self);
        }
        let mut result = Self::ONE;
        for i in (0..64).rev() {
            for _ in 0..4 {
                result = result.mul(&result);
            }
            let digit = exponent[i / 16] >> (i % 16 * 4) & 15;
            result = result.mul(&powers[usize::from(digit as u8)]);
        }
        result
    }

    /// Halves with which this is k1 + λ·k2: signed numbers in two's complement, of at most 128 bits and a sign.
    pub(crate) fn halves(&self) -> [Words; 2] {
        let c1 = rounded_product(&self.0, &ROUND_1);
        let c2 = rounded_product(&self.0, &ROUND_2);
        let k1 = subtract(&subtract(&self.0, &multiply(&c1, &A1)).0, &multiply(&c2, &A2)).0;
        let k2 = subtract(&multiply(&c1, &MINUS_B1), &multiply(&c2, &A1)).0;
        [k1, k2]
    }

    /// Halves that are both odd, of at most 129 bits and a sign.
    ///
    /// Adding (A1, B1) changes whether either is odd, adding (A2, B2) that of the second alone.
    pub(crate) fn odd_halves(&self) -> [Words; 2] {
        let [mut k1, mut k2] = self.halves();
        if k1[0] % 2 == 0 {
            // Towards zero in the first half.
            (k1, k2) = if is_negative(&k1) {
                (add(&k1, &A1).0, subtract(&k2, &MINUS_B1).0)
            } else {
                (subtract(&k1, &A1).0, add(&k2, &MINUS_B1).0)
            };
        }
        if k2[0] % 2 == 0 {
            (k1, k2) = if is_negative(&k1) {
                (add(&k1, &A2).0, add(&k2, &A1).0)
            } else {
                (subtract(&k1, &A2).0, subtract(&k2, &A1).0)
            };
        }
        [k1, k2]
    }

    /// This or its negative, whichever is odd, and whether it is the negative. The order itself stands for zero.
    pub(crate) fn odd(&self) -> (Words, bool) {
        if self.0[0] % 2 == 1 { (self.0, false) } else { (subtract(&ORDER, &self.0).0, true) }
    }
}

/// Replaces numbers by their inverses, with one inversion for all (Montgomery's trick). None may be zero.
pub(crate) fn invert_all(scalars: &mut [Scalar]) {
    let mut product = Scalar::ONE;
    let mut prefixes = Vec::with_capacity(scalars.len());
    for scalar in scalars.iter() {
        prefixes.push(product);
        product = product.mul(scalar);
    }
    let mut inverse = product.invert();
    for (scalar, prefix) in scalars.iter_mut().zip(prefixes).rev() {
        let own = inverse.mul(&prefix);
        inverse = inverse.mul(scalar);
        *scalar = own;
    }
}

/// The sign bits of an odd number as a sum of ±2^i for all i below `LENGTH`.
pub(crate) fn signs<const LENGTH: usize>(odd: &Words) -> [u64; 5] {
    let extension = if LENGTH <= 192 && is_negative(odd) { u64::MAX } else { 0 };
    let [a, b, c, d] = *odd;
    // (k - 1) / 2 + 2^(L - 1), as k is odd.
    let mut halved = [0; 5];
    let wide = [a, b, c, d, extension, extension];
    for (i, word) in halved.iter_mut().enumerate() {
        *word = wide[i] >> 1 | wide[i + 1] << 63;
    }
    let mut top = [0; 5];
    top[(LENGTH - 1) / 64] = 1 << ((LENGTH - 1) % 64);
    add_to(halved, &top)
}

/// `width` bits of a number from bit `start` on.
pub(crate) fn window(words: &[u64; 5], start: usize, width: usize) -> usize {
    let (word, shift) = (start / 64, start % 64);
    let above = if shift + width > 64 { words[word + 1] << (64 - shift) } else { 0 };
    let bits = (words[word] >> shift | above) & ((1 << width) - 1);
    usize::from(bits as u16)
}

/// A number from 32 bytes, the most significant first.
pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Words {
    let (words, _) = bytes.as_chunks::<8>();
    array::from_fn(|i| u64::from_be_bytes(words[3 - i]))
}

/// The bytes of a number, the most significant first.
pub(crate) fn to_bytes(words: &Words) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words.iter().rev()) {
        chunk.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

/// Sum and carry.
pub(crate) fn add(a: &Words, b: &Words) -> (Words, bool) {
    let mut carry = false;
    let sum = array::from_fn(|i| {
        let (partial, first) = a[i].overflowing_add(b[i]);
        let (total, second) = partial.overflowing_add(u64::from(carry));
        carry = first || second;
        total
    });
    (sum, carry)
}

/// Difference modulo 2^256, and whether it is negative.
pub(crate) fn subtract(a: &Words, b: &Words) -> (Words, bool) {
    let mut borrow = false;
    let difference = array::from_fn(|i| {
        let (partial, first) = a[i].overflowing_sub(b[i]);
        let (total, second) = partial.overflowing_sub(u64::from(borrow));
        borrow = first || second;
        total
    });
    (difference, borrow)
}

fn is_negative(words: &Words) -> bool {
    words[3] >> 63 == 1
}

/// The lowest `N` words of a product.
#[inline(always)]
fn multiply<const A: usize, const B: usize, const N: usize>(a: &[u64; A], b: &[u64; B]) -> [u64; N] {
    let mut product = [0; N];
    for i in 0..A {
        let mut carry = 0_u128;
        for j in 0..B.min(N - i) {
            carry += u128::from(product[i + j]) + u128::from(a[i]) * u128::from(b[j]);
            product[i + j] = carry as u64;
            carry >>= 64;
        }
        if i + B < N {
            product[i + B] = carry as u64;
        }
    }
    product
}

/// Sum, modulo the length.
#[inline(always)]
pub(crate) fn add_to<const N: usize>(mut sum: [u64; N], addend: &[u64; N]) -> [u64; N] {
    let mut carry = false;
    for i in 0..N {
        let (partial, first) = sum[i].overflowing_add(addend[i]);
        let (total, second) = partial.overflowing_add(u64::from(carry));
        (sum[i], carry) = (total, first || second);
    }
    sum
}

/// `a * b / 2^384`, rounded.
fn rounded_product(a: &Words, b: &Words) -> Words {
    let product: [u64; 8] = multiply(a, b);
    let round = product[5] >> 63;
    let (sum, carry) = product[6].overflowing_add(round);
    [sum, product[7] + u64::from(carry), 0, 0]
}
