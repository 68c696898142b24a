//! Multiples of the generator, computed once in a process.
//!
//! For each window of [`WIDTH`] bits of a scalar the table holds all odd multiples below 2^[`WIDTH`] of the generator times the window's
//! weight. A product with the generator is then a sum of [`WINDOWS`] points without any doubling.

use std::array;

use crate::{
    field::{Field, LANES, Mask},
    point::{Affine, Divisions, GENERATOR, divide_all},
};

/// Bits of a window. Wider ones save additions and cost memory: 10 bits take one megabyte.
pub(crate) const WIDTH: usize = 10;

/// Windows of a scalar of 256 bits.
pub(crate) const WINDOWS: usize = 256_usize.div_ceil(WIDTH);

/// Multiples in a window.
const MULTIPLES: usize = 1 << (WIDTH - 1);

/// A point at rest: x and y.
pub(crate) type Packed<F> = [<F as Field>::Packed; 2];

/// The table.
#[derive(Debug)]
pub(crate) struct Generator<F: Field> {
    /// Window after window, each in ascending order.
    multiples: Vec<Packed<F>>,
}

impl<F: Field> Generator<F> {
    /// The point for an odd digit of a window, and whether to negate it. `digit` has the bits of the scalar's signs.
    #[inline(always)]
    pub(crate) fn multiple(&self, window: usize, digit: usize) -> (&Packed<F>, u64) {
        let (index, negative) = odd_digit(digit, WIDTH);
        (&self.multiples[window * MULTIPLES + index], negative)
    }

    /// Computes the table, all windows at the same time, eight in the lanes.
    #[inline(always)]
    pub(crate) fn compute() -> Self {
        let bases = Self::bases();
        let groups: Vec<[Packed<F>; LANES]> =
            bases.chunks(LANES).map(|chunk| array::from_fn(|lane| *chunk.get(lane).unwrap_or(&chunk[0]))).collect();
        let mut growing = Growing::<F, MULTIPLES> {
            multiples: vec![[[F::Packed::default(); 2]; MULTIPLES]; groups.len() * LANES],
            even: Vec::new(),
            half: 0,
        };
        for (group, bases) in groups.iter().enumerate() {
            for (lane, base) in bases.iter().enumerate() {
                growing.multiples[group * LANES + lane][0] = *base;
            }
            growing.even.push(unpack(array::from_fn(|lane| &bases[lane])));
        }
        growing.grow(&mut Vec::new());
        let mut multiples = growing.multiples.into_flattened();
        multiples.truncate(WINDOWS * MULTIPLES);
        Self { multiples }
    }

    /// The generator times each window's weight.
    #[inline(always)]
    fn bases() -> Vec<Packed<F>> {
        let mut doubling = Doubling(Affine::<F>::splat(&GENERATOR));
        let mut prefixes = Vec::new();
        let mut bases = Vec::with_capacity(WINDOWS);
        for _ in 0..WINDOWS {
            bases.push([doubling.0.x.pack()[0], doubling.0.y.pack()[0]]);
            for _ in 0..WIDTH {
                divide_all(&mut doubling, &mut prefixes);
            }
        }
        bases
    }
}

/// Where an odd digit stands among the odd multiples of a window, and whether it is negative.
///
/// `digit` has a bit for each sign: the digit's value is 2·`digit` - (2^`width` - 1).
#[inline(always)]
pub(crate) fn odd_digit(digit: usize, width: usize) -> (usize, u64) {
    let half = 1 << (width - 1);
    if digit >= half { (digit - half, 0) } else { (half - 1 - digit, u64::MAX) }
}

/// Eight points from where they rest.
#[inline(always)]
pub(crate) fn unpack<F: Field>(points: [&Packed<F>; LANES]) -> Affine<F> {
    Affine { x: F::unpack(points.map(|[x, _]| x)), y: F::unpack(points.map(|[_, y]| y)) }
}

/// One doubling.
struct Doubling<F>(Affine<F>);

impl<F: Field> Divisions<F> for Doubling<F> {
    fn count(&self) -> usize {
        1
    }

    #[inline(always)]
    fn divisor(&self, _index: usize) -> F {
        self.0.y.double()
    }

    #[inline(always)]
    fn finish(&mut self, _index: usize, inverse: &F) {
        self.0 = self.0.double(inverse);
    }

    fn reject(&mut self, _index: usize, _lanes: &Mask) {
        // No point of the curve has y = 0.
    }
}

/// Odd multiples of points, of which there are twice as many after each round: those so far plus an even multiple.
///
/// The even multiple is doubled in the same round.
pub(crate) struct Growing<F: Field, const N: usize> {
    /// The odd multiples of each point, the point first.
    pub(crate) multiples: Vec<[Packed<F>; N]>,
    /// 2·`half` times the points, or the points.
    pub(crate) even: Vec<Affine<F>>,
    /// How many odd multiples there are; in the beginning zero, though the first is there.
    pub(crate) half: usize,
}

impl<F: Field, const N: usize> Growing<F, N> {
    /// Computes all multiples. `prefixes` is a buffer.
    #[inline(always)]
    pub(crate) fn grow(&mut self, prefixes: &mut Vec<F>) {
        while self.half < N {
            divide_all(self, prefixes);
            self.half = (2 * self.half).max(1);
        }
    }

    /// In each group one doubling and then an addition for each multiple.
    #[inline(always)]
    fn place(&self, index: usize) -> (usize, Option<usize>) {
        let jobs = self.half + 1;
        (index / jobs, (index % jobs).checked_sub(1))
    }

    #[inline(always)]
    fn odd(&self, group: usize, position: usize) -> [&Packed<F>; LANES] {
        let lanes = &self.multiples[group * LANES..][..LANES];
        array::from_fn(|lane| &lanes[lane][position])
    }
}

impl<F: Field, const N: usize> Divisions<F> for Growing<F, N> {
    fn count(&self) -> usize {
        self.even.len() * (self.half + 1)
    }

    #[inline(always)]
    fn divisor(&self, index: usize) -> F {
        let (group, position) = self.place(index);
        let even = &self.even[group];
        match position {
            None => even.y.double(),
            Some(position) => even.difference(&F::unpack(self.odd(group, position).map(|[x, _]| x))),
        }
    }

    #[inline(always)]
    fn finish(&mut self, index: usize, inverse: &F) {
        let (group, position) = self.place(index);
        let even = self.even[group];
        match position {
            None => self.even[group] = even.double(inverse),
            Some(position) => {
                let sum = even.add(&unpack(self.odd(group, position)), inverse);
                let (x, y) = (sum.x.pack(), sum.y.pack());
                for lane in 0..LANES {
                    self.multiples[group * LANES + lane][self.half + position] = [x[lane], y[lane]];
                }
            }
        }
    }

    fn reject(&mut self, _index: usize, _lanes: &Mask) {
        // The order of the group is a prime, and larger than all these multiples.
    }
}
