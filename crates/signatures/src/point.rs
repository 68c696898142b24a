//! Points of the curve y² = x³ + 7, eight at once.
//!
//! Additions of affine points share one inversion among all additions that do not depend on each other (Montgomery's trick), after
//! which each costs six products; chains that depend on themselves use Jacobian coordinates.
//! The formulas are not complete: where they meet the same point twice, opposite points or infinity, they divide by
//! zero. Affine additions find and report those lanes, Jacobian ones leave Z = 0 for good.

use crate::field::{Field, LANES, Mask, Words, invert};

/// The generator's coordinates.
pub(crate) const GENERATOR: (Words, Words) = (
    [0x59f2_815b_16f8_1798, 0x029b_fcdb_2dce_28d9, 0x55a0_6295_ce87_0b07, 0x79be_667e_f9dc_bbac],
    [0x9c47_d08f_fb10_d4b8, 0xfd17_b448_a685_5419, 0x5da4_fbfc_0e11_08a8, 0x483a_da77_26a3_c465],
);

/// A cube root of one, with which λ·(x, y) = (βx, y).
pub(crate) const BETA: Words =
    [0xc139_6c28_7195_01ee, 0x9cf0_4975_12f5_8995, 0x6e64_479e_ac34_34e9, 0x7ae9_6a2b_657c_0710];

/// Eight points with both coordinates, y of a magnitude up to 2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Affine<F> {
    pub(crate) x: F,
    pub(crate) y: F,
}

/// Eight points (X / Z², Y / Z³).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jacobian<F> {
    pub(crate) x: F,
    pub(crate) y: F,
    pub(crate) z: F,
}

impl<F: Field> Affine<F> {
    /// The same point in all lanes.
    pub(crate) fn splat((x, y): &(Words, Words)) -> Self {
        Self { x: F::from_words(&[*x; LANES]), y: F::from_words(&[*y; LANES]) }
    }

    /// The divisor of [`Self::add`].
    #[inline(always)]
    pub(crate) fn difference(&self, other: &F) -> F {
        other.sub::<1>(&self.x)
    }

    /// Sum, given the inverse of the difference of their x.
    #[inline(always)]
    pub(crate) fn add(&self, other: &Self, inverse: &F) -> Self {
        let slope = other.y.sub::<2>(&self.y).mul(inverse);
        self.chord(&other.x, &slope)
    }

    /// Twice the point, given the inverse of twice its y.
    #[inline(always)]
    pub(crate) fn double(&self, inverse: &F) -> Self {
        let slope = self.x.square().triple().mul(inverse);
        self.chord(&self.x, &slope)
    }

    /// The negative of the third point on the line of a slope through this one and another.
    #[inline(always)]
    fn chord(&self, other: &F, slope: &F) -> Self {
        let x = slope.square_sub::<2>(&self.x.add(other));
        let y = slope.mul_sub::<2>(&self.x.sub::<1>(&x), &self.y);
        Self { x, y }
    }
}

impl<F: Field> Jacobian<F> {
    #[inline(always)]
    pub(crate) fn from_affine(point: &Affine<F>) -> Self {
        Self { x: point.x, y: point.y, z: F::small(1) }
    }

    /// Doubles the point; 3 products, 4 squares. y may be of magnitude 2 before.
    #[inline(always)]
    pub(crate) fn double(&mut self) {
        let slope = self.x.square().triple();
        let y2 = self.y.square().double();
        let y4 = y2.square();
        let xy = self.x.mul(&y2);
        let xy2 = xy.double();
        self.z.set(&self.y.double().mul(&self.z));
        self.x.set(&slope.square_sub::<3>(&xy2.double()));
        self.y.set(&slope.mul_sub::<2>(&xy2.sub::<1>(&self.x), &y4.double()));
    }

    /// Adds an affine point; 8 products, 3 squares.
    #[inline(always)]
    pub(crate) fn add(&mut self, other: &Affine<F>) {
        let zz = self.z.square();
        let zzz = zz.mul(&self.z);
        let h = other.x.mul_sub::<1>(&zz, &self.x);
        let r = other.y.mul_sub::<2>(&zzz, &self.y);
        let hh = h.square();
        let hhh = hh.mul(&h);
        let v = self.x.mul(&hh);
        self.z.set(&self.z.mul(&h));
        self.x.set(&r.square_sub::<2>(&v.double().add(&hhh)));
        self.y.set(&r.mul_sub::<1>(&v.sub::<1>(&self.x), &self.y.mul(&hhh)));
    }

    /// The affine point, given the inverse of Z.
    #[inline(always)]
    pub(crate) fn to_affine(self, inverse: &F) -> Affine<F> {
        let square = inverse.square();
        Affine { x: self.x.mul(&square), y: self.y.mul(&square).mul(inverse) }
    }
}

/// Divisions that do not depend on each other.
pub(crate) trait Divisions<F: Field> {
    /// How many there are.
    fn count(&self) -> usize;

    /// A divisor, of a magnitude up to 6. It is asked for twice.
    fn divisor(&self, index: usize) -> F;

    /// Takes the inverse of a divisor. Called in descending order, each time after the divisor was asked for.
    fn finish(&mut self, index: usize, inverse: &F);

    /// Says that a divisor is zero in some lanes, where one is inverted instead of it.
    fn reject(&mut self, index: usize, lanes: &Mask);
}

/// Does divisions with one inversion for all.
///
/// `prefixes` is a buffer.
#[inline(always)]
pub(crate) fn divide_all<F: Field>(divisions: &mut impl Divisions<F>, prefixes: &mut Vec<F>) {
    prefixes.clear();
    prefixes.push(F::small(1));
    for index in 0..divisions.count() {
        let product = prefixes[index].mul(&divisions.divisor(index));
        prefixes.push(product);
    }
    let product = &prefixes[divisions.count()];
    if zero_lanes(product) != [0; LANES] {
        return divide_each(divisions);
    }
    let mut inverse = invert(product);
    for index in (0..divisions.count()).rev() {
        let divisor = divisions.divisor(index);
        divisions.finish(index, &inverse.mul(&prefixes[index]));
        inverse.set(&inverse.mul(&divisor));
    }
}

/// The same where some divisor is zero: those are found and replaced.
///
/// Whoever wants to slow a node down can make such signatures, but each costs little more than a rejected one.
#[cold]
#[inline(never)]
fn divide_each<F: Field>(divisions: &mut impl Divisions<F>) {
    let one = F::small(1);
    let nonzero = |divisor: F| divisor.replace_if(&zero_lanes(&divisor), &one);
    let mut product = one;
    let mut prefixes = Vec::with_capacity(divisions.count());
    for index in 0..divisions.count() {
        let divisor = divisions.divisor(index);
        let zero = zero_lanes(&divisor);
        if zero != [0; LANES] {
            divisions.reject(index, &zero);
        }
        prefixes.push(product);
        product = product.mul(&nonzero(divisor));
    }
    let mut inverse = invert(&product);
    for index in (0..divisions.count()).rev() {
        let divisor = nonzero(divisions.divisor(index));
        divisions.finish(index, &inverse.mul(&prefixes[index]));
        inverse = inverse.mul(&divisor);
    }
}

/// The lanes in which an element is zero.
#[inline(always)]
pub(crate) fn zero_lanes<F: Field>(element: &F) -> Mask {
    element.to_words().map(|words| if words == [0; 4] { u64::MAX } else { 0 })
}
