//! Both fields, and limbs that check their bounds, against arbitrary-precision integers.

use num_bigint::BigUint;
use proptest::prelude::*;

use super::{
    limbs29::{self, Halves, Limbs, Vector},
    limbs43,
    portable::Portable,
    *,
};

/// Lanes whose operations fail when they lose a bit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked([u64; limbs29::LANES]);

impl Checked {
    #[inline(never)]
    fn zip(self, other: Self, f: fn(u64, u64) -> Option<u64>) -> Self {
        Self(std::array::from_fn(|lane| f(self.0[lane], other.0[lane]).expect("a bound does not hold")))
    }
}

impl Vector for Checked {
    fn load(words: &[u64; limbs29::LANES]) -> Self {
        Self(*words)
    }

    fn store(self) -> [u64; limbs29::LANES] {
        self.0
    }

    fn splat(word: u64) -> Self {
        Self([word; limbs29::LANES])
    }

    fn add(self, other: Self) -> Self {
        self.zip(other, u64::checked_add)
    }

    fn sub(self, other: Self) -> Self {
        self.zip(other, u64::checked_sub)
    }

    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| Some(u64::from(u32::try_from(a).ok()?) * u64::from(u32::try_from(b).ok()?)))
    }

    fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| Some(a & b))
    }

    fn shl<const N: i32>(self) -> Self {
        Self(self.0.map(|word| {
            assert!(word.leading_zeros() >= N.unsigned_abs(), "a bound does not hold");
            word << N
        }))
    }

    fn shr<const N: i32>(self) -> Self {
        Self(self.0.map(|word| word >> N))
    }

    fn transpose(rows: [Self; limbs29::LANES]) -> [Self; limbs29::LANES] {
        std::array::from_fn(|i| Self(rows.map(|row| row.0[i])))
    }

    // Calls of their own, or the compiler would need minutes.
    #[inline(never)]
    fn multiply(a: &Limbs<Self>, b: &Limbs<Self>) -> Limbs<Self> {
        limbs29::multiply(a, b)
    }

    #[inline(never)]
    fn multiply_sub<const K: u64>(a: &Limbs<Self>, b: &Limbs<Self>, subtrahend: &Limbs<Self>) -> Limbs<Self> {
        limbs29::multiply_sub::<K, Self>(a, b, subtrahend)
    }

    #[inline(never)]
    fn square(a: &Limbs<Self>) -> Limbs<Self> {
        limbs29::square(a)
    }

    #[inline(never)]
    fn square_times(a: &Limbs<Self>, count: usize) -> Limbs<Self> {
        limbs29::square_times(a, count)
    }

    #[inline(never)]
    fn square_sub<const K: u64>(a: &Limbs<Self>, subtrahend: &Limbs<Self>) -> Limbs<Self> {
        limbs29::square_sub::<K, Self>(a, subtrahend)
    }
}

/// The same for products of 52 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked52([u64; LANES]);

impl Checked52 {
    #[inline(never)]
    fn zip(self, other: Self, f: fn(u64, u64) -> Option<u64>) -> Self {
        Self(std::array::from_fn(|lane| f(self.0[lane], other.0[lane]).expect("a bound does not hold")))
    }

    fn product(self, other: Self, part: fn(u128) -> u128) -> Self {
        Self(std::array::from_fn(|lane| {
            let (a, b) = (self.0[lane], other.0[lane]);
            assert!(a >> 52 == 0 && b >> 52 == 0, "a factor is too large");
            u64::try_from(part(u128::from(a) * u128::from(b))).unwrap()
        }))
    }
}

impl limbs43::Vector for Checked52 {
    fn splat(word: u64) -> Self {
        Self([word; LANES])
    }

    fn add(self, other: Self) -> Self {
        self.zip(other, u64::checked_add)
    }

    fn sub(self, other: Self) -> Self {
        self.zip(other, u64::checked_sub)
    }

    #[inline(never)]
    fn add_low(self, a: Self, b: Self) -> Self {
        self.add(a.product(b, |product| product & ((1 << 52) - 1)))
    }

    #[inline(never)]
    fn add_high(self, a: Self, b: Self) -> Self {
        self.add(a.product(b, |product| product >> 52))
    }

    fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| Some(a & b))
    }

    fn shl<const N: u32>(self) -> Self {
        Self(self.0.map(|word| {
            assert!(word.leading_zeros() >= N, "a bound does not hold");
            word << N
        }))
    }

    fn shr<const N: u32>(self) -> Self {
        Self(self.0.map(|word| word >> N))
    }

    fn replace_if(self, mask: &Mask, other: Self) -> Self {
        Self(std::array::from_fn(|lane| if mask[lane] == 0 { self.0[lane] } else { other.0[lane] }))
    }

    fn gather(elements: [&[u64; limbs43::LIMBS]; LANES]) -> [Self; limbs43::LIMBS] {
        std::array::from_fn(|limb| Self(elements.map(|element| element[limb])))
    }

    fn scatter(limbs: [Self; limbs43::LIMBS]) -> [[u64; limbs43::LIMBS]; LANES] {
        std::array::from_fn(|lane| limbs.map(|limb| limb.0[lane]))
    }
}

fn number(words: &Words) -> BigUint {
    BigUint::from_bytes_le(words.map(u64::to_le_bytes).as_flattened())
}

fn prime() -> BigUint {
    number(&PRIME)
}

/// Numbers near the edges of words, limbs and the prime, and any.
fn words() -> impl Strategy<Value = Words> {
    let edge = prop_oneof![Just(0_u64), Just(1), Just(u64::MAX), Just(u64::MAX - FOLD), Just(1 << 29), any::<u64>()];
    let near_prime = (-3_i64..3).prop_map(|offset| {
        let mut words = PRIME;
        words[0] = words[0].wrapping_add_signed(offset);
        words
    });
    prop_oneof![3 => proptest::array::uniform4(edge), 1 => near_prime, 2 => any::<Words>()]
}

fn lanes() -> impl Strategy<Value = [Words; LANES]> {
    proptest::array::uniform8(words())
}

fn check<F: Field>(result: &F, expected: impl Fn(usize) -> BigUint) {
    for (lane, words) in result.to_words().iter().enumerate() {
        assert_eq!(number(words), expected(lane) % prime(), "lane {lane}");
    }
}

fn agree<F: Field>(a: &[Words; LANES], b: &[Words; LANES], mask: &Mask) {
    let p = prime();
    let (fa, fb) = (F::from_words(a), F::from_words(b));
    let (na, nb) = (a.map(|a| number(&a)), b.map(|b| number(&b)));
    check(&fa, |i| na[i].clone());
    check(&fa.mul(&fb), |i| &na[i] * &nb[i]);
    check(&fa.square(), |i| &na[i] * &na[i]);
    check(&fa.mul_sub::<3>(&fb, &fb.double().double()), |i| &na[i] * &nb[i] + 4_u8 * (&p * 2_u8 - &nb[i]));
    check(&fa.square_sub::<2>(&fb.double()), |i| &na[i] * &na[i] + 2_u8 * (&p * 2_u8 - &nb[i]));
    check(&fa.sub::<1>(&fb).mul(&fa.double()), |i| (&na[i] + 2_u8 * &p - &nb[i]) * 2_u8 * &na[i]);
    check(&fa.triple(), |i| 3_u8 * &na[i]);
    check(&fa.negate_if(mask).mul(&fb.triple()), |i| {
        (if mask[i] == 0 { na[i].clone() } else { 2_u8 * &p - &na[i] }) * 3_u8 * &nb[i]
    });
    let packed = fa.mul(&fb).pack();
    let next = |i: usize| (i + 1) % LANES;
    check(&F::unpack(std::array::from_fn(|i| &packed[next(i)])), |i| &na[next(i)] * &nb[next(i)]);
}

fn powers<F: Field>(a: &[Words; LANES]) {
    let p = prime();
    let element = F::from_words(a);
    let numbers = a.map(|a| number(&a));
    let [square, root] = roots(&[element.square(), element]);
    check(&square.square(), |i| numbers[i].modpow(&BigUint::from(2_u8), &p));
    check(&root, |i| numbers[i].modpow(&((&p + 1_u8) >> 2), &p));
    check(&invert(&element), |i| numbers[i].modpow(&(&p - 2_u8), &p));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn arithmetic_agrees_with_integers(a in lanes(), b in lanes(), signs in any::<[bool; LANES]>()) {
        let mask = signs.map(|negative| if negative { u64::MAX } else { 0 });
        agree::<Portable>(&a, &b, &mask);
        agree::<Halves<Checked>>(&a, &b, &mask);
        agree::<limbs43::Limbs<Checked52>>(&a, &b, &mask);
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            agree::<Halves<avx2::V4>>(&a, &b, &mask);
        }
        #[cfg(target_arch = "x86_64")]
        if crate::backend::avx512::backend().is_some() {
            agree::<limbs43::Limbs<avx512::V8>>(&a, &b, &mask);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn powers_agree_with_integers(a in lanes()) {
        powers::<Portable>(&a);
        powers::<Halves<Checked>>(&a);
        powers::<limbs43::Limbs<Checked52>>(&a);
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            powers::<Halves<avx2::V4>>(&a);
        }
        #[cfg(target_arch = "x86_64")]
        if crate::backend::avx512::backend().is_some() {
            powers::<limbs43::Limbs<avx512::V8>>(&a);
        }
    }
}
