//! Recovers public keys in lockstep: all signatures of a batch take the same steps at the same time.
//!
//! The key of a signature (r, s) of hash z is Q = u1·G + u2·R with u1 = -z/r, u2 = s/r, where R is the point with x = r (SEC 1, section
//! 4.1.6). The steps, each for the whole batch:
//!
//! 1. *Lift*: y of R, a root of x³ + 7.
//! 2. *Multiples*: R, 3R … 31R in affine coordinates.
//! 3. *Pairs*: u2 = k1 + λ·k2; for each window of 5 bits the sum of the two multiples, from the table and, times β, from it again.
//! 4. *Ladder*: the pairs' sum, with 125 doublings, in Jacobian coordinates.
//! 5. *Generator*: u1·G, summed pairwise from precomputed multiples.
//! 6. *Key*: both sums' sum, in affine coordinates.
//!
//! 2, 3, 5 and 6 share an inversion in each round. No step branches on the signature: digits are odd, hence never zero. What
//! remains is found by a divisor that is zero or a Z that is: then the outcome is [`Outcome::Unknown`].

use std::array;

use crate::{
    field::{Field, LANES, Mask, Words, roots},
    generator::{self, Generator, Growing, Packed, odd_digit, unpack},
    point::{Affine, BETA, Divisions, GENERATOR, Jacobian, divide_all, zero_lanes},
    scalar::{Scalar, signs, window},
};

/// Bits of a window of u2's halves.
const WIDTH: usize = 5;

/// Windows of a half, which has 129 bits and a sign.
const WINDOWS: usize = 26;

/// Odd multiples of R.
const MULTIPLES: usize = 1 << (WIDTH - 1);

/// What remains of a signature after the arithmetic modulo the order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input {
    /// x of R, below the prime.
    pub(crate) x: Words,
    /// Whether y of R is odd.
    pub(crate) is_odd: bool,
    /// -z/r.
    pub(crate) u1: Scalar,
    /// s/r.
    pub(crate) u2: Scalar,
}

/// What came of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Coordinates of the public key.
    Key(Words, Words),
    /// No point has that x.
    NotOnCurve,
    /// The formulas met a special case.
    Unknown,
}

/// The large tables of a batch. Whoever recovers again and again keeps them, as their memory would else be taken from the system and
/// given back each time; nothing is read in them that was not written for the same batch.
#[derive(Debug)]
pub(crate) struct Tables<F: Field> {
    growing: Vec<[Packed<F>; MULTIPLES]>,
    multiples: Vec<Multiples<F>>,
    pairs: Vec<Affine<F>>,
    points: Vec<Affine<F>>,
    prefixes: Vec<F>,
}

impl<F: Field> Tables<F> {
    pub(crate) const fn new() -> Self {
        Self { growing: Vec::new(), multiples: Vec::new(), pairs: Vec::new(), points: Vec::new(), prefixes: Vec::new() }
    }
}

/// Recovers the keys of signatures.
#[inline(always)]
pub(crate) fn recover<F: Field>(generator: &Generator<F>, inputs: &[Input], tables: &mut Tables<F>) -> Vec<Outcome> {
    let Tables { growing, multiples, pairs, points, prefixes } = tables;
    let groups: Vec<Group> = inputs.chunks(LANES).map(Group::new).collect();
    let mut rejected = vec![[0; LANES]; groups.len()];

    let nonces: Vec<Nonces> = groups.iter().map(|group| group.nonces).collect();
    let (nonces, off_curve) = lift::<F>(&nonces);
    self::multiples(&nonces, growing, prefixes, multiples);
    pairs.resize(groups.len() * WINDOWS, nonces[0]);
    let mut pairs = Pairs { groups: &groups, multiples, sums: pairs };
    divide_all(&mut pairs, prefixes);
    let mut products = Vec::with_capacity(groups.len());
    // Loops instead of closures wherever there is arithmetic: a closure would not be compiled for the processor at hand.
    for points in pairs.sums.chunks_exact(WINDOWS) {
        products.push(ladder(points));
    }

    let mut sums = Sums::first(&groups, generator, points, &mut rejected, prefixes);
    while sums.terms > 1 {
        divide_all(&mut sums, prefixes);
        sums.terms = sums.terms.div_ceil(2);
    }
    let mut keys = Keys::add(&groups, products, points, &mut rejected);
    divide_all(&mut keys, prefixes);
    let coordinates = keys.coordinates;
    let outcome = |index: usize| {
        let (group, lane) = (index / LANES, index % LANES);
        let (x, y) = coordinates[group];
        match (off_curve[group][lane], rejected[group][lane]) {
            (0, 0) => Outcome::Key(x[lane], y[lane]),
            (0, _) => Outcome::Unknown,
            _ => Outcome::NotOnCurve,
        }
    };
    (0..inputs.len()).map(outcome).collect()
}

/// x of eight points, below the prime, and whether their y is odd.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nonces {
    pub(crate) x: [Words; LANES],
    pub(crate) is_odd: [bool; LANES],
}

/// Eight signatures, with the signs of their scalars' digits.
#[derive(Debug)]
struct Group {
    nonces: Nonces,
    /// Of u2's halves.
    halves: [[[u64; 5]; 2]; LANES],
    /// Of u1 or its negative.
    generator: [[u64; 5]; LANES],
    /// Where it is the negative.
    negative: Mask,
}

impl Group {
    /// The last lanes repeat the first signature if there are fewer than lanes.
    fn new(inputs: &[Input]) -> Self {
        let input = |lane: usize| inputs.get(lane).unwrap_or(&inputs[0]);
        let lanes: [usize; LANES] = array::from_fn(|lane| lane);
        let odd = lanes.map(|lane| input(lane).u1.odd());
        Self {
            nonces: Nonces { x: lanes.map(|lane| input(lane).x), is_odd: lanes.map(|lane| input(lane).is_odd) },
            halves: lanes.map(|lane| input(lane).u2.odd_halves().map(|half| signs::<{ WIDTH * WINDOWS }>(&half))),
            generator: odd.map(|(odd, _)| signs::<{ generator::WIDTH * generator::WINDOWS }>(&odd)),
            negative: odd.map(|(_, negative)| if negative { u64::MAX } else { 0 }),
        }
    }
}

/// The points R, and the lanes where there is none, which hold the generator instead.
#[inline(always)]
pub(crate) fn lift<F: Field>(nonces: &[Nonces]) -> (Vec<Affine<F>>, Vec<Mask>) {
    let (seven, one) = (F::small(7), F::small(1));
    let (mut points, mut off_curve) = (Vec::with_capacity(nonces.len()), Vec::with_capacity(nonces.len()));
    for pair in nonces.chunks(2) {
        let pair = [&pair[0], &pair[pair.len() - 1]];
        let x = [F::from_words(&pair[0].x), F::from_words(&pair[1].x)];
        let squares = [x[0].square().mul(&x[0]).add(&seven), x[1].square().mul(&x[1]).add(&seven)];
        let y = roots(&squares);
        for i in 0..2 {
            let wrong = zero_lanes(&y[i].square().sub::<2>(&squares[i])).map(|right| !right);
            let parities = y[i].to_words();
            let mut negate = [0; LANES];
            for lane in 0..LANES {
                let is_odd = parities[lane][0] % 2 == 1;
                negate[lane] = if is_odd == pair[i].is_odd[lane] { 0 } else { u64::MAX };
            }
            let point = Affine { x: x[i], y: y[i].negate_if(&negate).mul(&one) };
            points.push(if wrong == [0; LANES] { point } else { replaced(&point, &wrong) });
            off_curve.push(wrong);
        }
    }
    // An odd number's last was computed twice.
    points.truncate(nonces.len());
    off_curve.truncate(nonces.len());
    (points, off_curve)
}

/// The generator in place of what is no point.
#[inline(always)]
fn replaced<F: Field>(point: &Affine<F>, lanes: &Mask) -> Affine<F> {
    let generator = Affine::<F>::splat(&GENERATOR);
    Affine { x: point.x.replace_if(lanes, &generator.x), y: point.y.replace_if(lanes, &generator.y) }
}

/// Odd multiples of a point at rest: x, y and βx, which is the x of λ times the multiple.
type Multiples<F> = [[<F as Field>::Packed; 3]; MULTIPLES];

#[inline(always)]
fn multiples<F: Field>(
    points: &[Affine<F>],
    buffer: &mut Vec<[Packed<F>; MULTIPLES]>,
    prefixes: &mut Vec<F>,
    multiples: &mut Vec<Multiples<F>>,
) {
    let mut growing = Growing::<F, MULTIPLES> { multiples: std::mem::take(buffer), even: points.to_vec(), half: 0 };
    growing.multiples.resize(points.len() * LANES, [[F::Packed::default(); 2]; MULTIPLES]);
    for (group, point) in points.iter().enumerate() {
        let (x, y) = (point.x.pack(), point.y.pack());
        for lane in 0..LANES {
            growing.multiples[group * LANES + lane][0] = [x[lane], y[lane]];
        }
    }
    growing.grow(prefixes);
    let beta = F::from_words(&[BETA; LANES]);
    multiples.resize(points.len() * LANES, [[F::Packed::default(); 3]; MULTIPLES]);
    for (group, packed) in multiples.chunks_exact_mut(LANES).zip(growing.multiples.chunks_exact(LANES)) {
        for position in 0..MULTIPLES {
            let x = F::unpack(array::from_fn(|lane| &packed[lane][position][0]));
            let images = x.mul(&beta).pack();
            for lane in 0..LANES {
                let [x, y] = packed[lane][position];
                group[lane][position] = [x, y, images[lane]];
            }
        }
    }
    *buffer = growing.multiples;
}

/// For each group and window the sum of a multiple of R and one of λR.
struct Pairs<'a, F: Field> {
    groups: &'a [Group],
    multiples: &'a [Multiples<F>],
    sums: &'a mut [Affine<F>],
}

impl<F: Field> Pairs<'_, F> {
    /// For each lane the multiple of a half's digit, and where to negate it.
    #[inline(always)]
    fn select(&self, index: usize, half: usize) -> ([&[F::Packed; 3]; LANES], Mask) {
        let (group, position) = (index / WINDOWS, index % WINDOWS);
        let (mut selected, mut negate) = ([&self.multiples[0][0]; LANES], [0; LANES]);
        for lane in 0..LANES {
            let digit = window(&self.groups[group].halves[lane][half], position * WIDTH, WIDTH);
            let (index, negative) = odd_digit(digit, WIDTH);
            selected[lane] = &self.multiples[group * LANES + lane][index];
            negate[lane] = negative;
        }
        (selected, negate)
    }

    #[inline(always)]
    fn coordinate(selected: [&[F::Packed; 3]; LANES], coordinate: usize) -> F {
        F::unpack(selected.map(|multiple| &multiple[coordinate]))
    }
}

impl<F: Field> Divisions<F> for Pairs<'_, F> {
    fn count(&self) -> usize {
        self.sums.len()
    }

    #[inline(always)]
    fn divisor(&self, index: usize) -> F {
        let first = Self::coordinate(self.select(index, 0).0, 0);
        let second = Self::coordinate(self.select(index, 1).0, 2);
        second.sub::<1>(&first)
    }

    #[inline(always)]
    fn finish(&mut self, index: usize, inverse: &F) {
        let (selected, negate) = self.select(index, 0);
        let first = Affine { x: Self::coordinate(selected, 0), y: Self::coordinate(selected, 1).negate_if(&negate) };
        let (selected, negate) = self.select(index, 1);
        let second = Affine { x: Self::coordinate(selected, 2), y: Self::coordinate(selected, 1).negate_if(&negate) };
        self.sums[index] = first.add(&second, inverse);
    }

    fn reject(&mut self, _index: usize, _lanes: &Mask) {
        // k1·R = ±k2·λR for no odd digits k1, k2: λ is no quotient of numbers that small.
    }
}

/// The sum of points, each 2^[`WIDTH`] times as heavy as the one before it.
#[inline(always)]
fn ladder<F: Field>(points: &[Affine<F>]) -> Jacobian<F> {
    let (last, rest) = (&points[WINDOWS - 1], &points[..WINDOWS - 1]);
    let mut sum = Jacobian::from_affine(last);
    for point in rest.iter().rev() {
        for _ in 0..WIDTH {
            sum.double();
        }
        sum.add(point);
    }
    sum
}

/// Points that are added in pairs until one a group is left.
struct Sums<'a, F> {
    points: &'a mut [Affine<F>],
    /// Points left in each group.
    terms: usize,
    rejected: &'a mut [Mask],
}

/// Points of a group after the first round.
const PAIRS: usize = generator::WINDOWS / 2;

impl<'a, F: Field> Sums<'a, F> {
    /// The first round, which takes the points from the table.
    #[inline(always)]
    fn first(
        groups: &[Group],
        generator: &Generator<F>,
        points: &'a mut Vec<Affine<F>>,
        rejected: &'a mut [Mask],
        prefixes: &mut Vec<F>,
    ) -> Self {
        const { assert!(generator::WINDOWS.is_multiple_of(2)) };
        points.resize(groups.len() * PAIRS, Affine::splat(&GENERATOR));
        let mut first = Selected { groups, generator, rejected, points };
        divide_all(&mut first, prefixes);
        Self { points: first.points, terms: PAIRS, rejected: first.rejected }
    }

    /// Adds the second half of a group's points to the first; the middle one of an odd number stays.
    #[inline(always)]
    fn places(&self, index: usize) -> [usize; 2] {
        let additions = self.terms / 2;
        let first = index / additions * PAIRS + index % additions;
        [first, first + self.terms.div_ceil(2)]
    }
}

impl<F: Field> Divisions<F> for Sums<'_, F> {
    fn count(&self) -> usize {
        self.points.len() / PAIRS * (self.terms / 2)
    }

    #[inline(always)]
    fn divisor(&self, index: usize) -> F {
        let [first, second] = self.places(index);
        self.points[first].difference(&self.points[second].x)
    }

    #[inline(always)]
    fn finish(&mut self, index: usize, inverse: &F) {
        let [first, second] = self.places(index);
        self.points[first] = self.points[first].add(&self.points[second], inverse);
    }

    fn reject(&mut self, index: usize, lanes: &Mask) {
        mark(&mut self.rejected[index / (self.terms / 2)], lanes);
    }
}

/// Multiples of the generator, two of which are added.
struct Selected<'a, 'r, F: Field> {
    groups: &'a [Group],
    generator: &'a Generator<F>,
    rejected: &'r mut [Mask],
    points: &'r mut [Affine<F>],
}

impl<F: Field> Selected<'_, '_, F> {
    #[inline(always)]
    fn select(&self, index: usize, position: usize) -> ([&Packed<F>; LANES], Mask) {
        let (group, window) = (&self.groups[index / PAIRS], 2 * (index % PAIRS) + position);
        let (mut selected, mut negate) = ([self.generator.multiple(0, 0).0; LANES], [0; LANES]);
        for lane in 0..LANES {
            let start = window * generator::WIDTH;
            let digit = self::window(&group.generator[lane], start, generator::WIDTH);
            (selected[lane], negate[lane]) = self.generator.multiple(window, digit);
        }
        (selected, negate)
    }

    #[inline(always)]
    fn point(&self, index: usize, position: usize) -> Affine<F> {
        let (selected, negate) = self.select(index, position);
        let point = unpack(selected);
        Affine { x: point.x, y: point.y.negate_if(&negate) }
    }
}

impl<F: Field> Divisions<F> for Selected<'_, '_, F> {
    fn count(&self) -> usize {
        self.points.len()
    }

    #[inline(always)]
    fn divisor(&self, index: usize) -> F {
        let (first, second) = (self.select(index, 0).0, self.select(index, 1).0);
        F::unpack(second.map(|[x, _]| x)).sub::<1>(&F::unpack(first.map(|[x, _]| x)))
    }

    #[inline(always)]
    fn finish(&mut self, index: usize, inverse: &F) {
        self.points[index] = self.point(index, 0).add(&self.point(index, 1), inverse);
    }

    fn reject(&mut self, index: usize, lanes: &Mask) {
        mark(&mut self.rejected[index / PAIRS], lanes);
    }
}

/// The keys, from Jacobian to affine coordinates.
struct Keys<'a, F> {
    points: Vec<Jacobian<F>>,
    coordinates: Vec<([Words; LANES], [Words; LANES])>,
    rejected: &'a mut [Mask],
}

impl<'a, F: Field> Keys<'a, F> {
    /// Adds the multiples of G to those of R.
    #[inline(always)]
    fn add(groups: &[Group], mut points: Vec<Jacobian<F>>, sums: &[Affine<F>], rejected: &'a mut [Mask]) -> Self {
        for (index, (point, group)) in points.iter_mut().zip(groups).enumerate() {
            let Affine { x, y } = sums[index * PAIRS];
            point.add(&Affine { x, y: y.negate_if(&group.negative) });
        }
        let coordinates = vec![Default::default(); points.len()];
        Self { points, coordinates, rejected }
    }
}

impl<F: Field> Divisions<F> for Keys<'_, F> {
    fn count(&self) -> usize {
        self.points.len()
    }

    #[inline(always)]
    fn divisor(&self, index: usize) -> F {
        self.points[index].z
    }

    #[inline(always)]
    fn finish(&mut self, index: usize, inverse: &F) {
        let Affine { x, y } = self.points[index].to_affine(inverse);
        self.coordinates[index] = (x.to_words(), y.to_words());
    }

    fn reject(&mut self, index: usize, lanes: &Mask) {
        mark(&mut self.rejected[index], lanes);
    }
}

fn mark(rejected: &mut Mask, lanes: &Mask) {
    for (rejected, lane) in rejected.iter_mut().zip(lanes) {
        *rejected |= lane;
    }
}
