//! The sum of many points times many scalars, with affine buckets.
//!
//! Pippenger's method: the scalars are cut into windows of `width` bits, with digits between -2^(width - 1) and 2^(width - 1). In each window
//! the points with the same digit are added first (its *bucket*). A window's sum is that of the buckets times their digits: with pairs
//! T(e) = B(2e) + B(2e + 1) it is the sum of the odd buckets plus twice the sum of e·T(e), and so on. So every bit of the scalars gets one point,
//! and a chain of doublings adds those.
//!
//! All additions but those of the chain are affine. A round takes those that do not depend on each other from all buckets, windows and levels at the same time,
//! and shares one inversion.
//!
//! Where two points to be added are the same or opposite the sum is not computed. Honest scalars are random, so that happens
//! only where the same point is given twice.

use std::array;

use crate::{
    field::{Field, LANES, Mask, Words},
    generator::{Packed, unpack},
    point::{Affine, Divisions, Jacobian, divide_all},
    scalar::add_to,
};

/// Bits of a scalar, with its sign and a carry.
const SCALAR_BITS: usize = 131;

/// Points whose buckets are filled at the same time, so that they stay in the caches.
const ARENA: usize = 6144;

/// A point and its scalar, signed in two's complement and of at most 129 bits and a sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term<F: Field> {
    pub(crate) point: Packed<F>,
    pub(crate) scalar: Words,
}

/// Adds up the terms. `None` if the sum is infinity, or if points met that cannot be added.
#[inline(always)]
pub(crate) fn sum<F: Field>(terms: &[Term<F>]) -> Option<Jacobian<F>> {
    let width = width(terms.len());
    let windows = SCALAR_BITS.div_ceil(width);
    let scalars: Vec<[u64; 5]> = terms.iter().map(|term| biased(&term.scalar, width, windows)).collect();
    let mut additions = Additions::new();
    let mut buckets = Vec::with_capacity(windows);
    let at_once = (ARENA / terms.len().max(1)).clamp(1, windows);
    let mut window = 0;
    while window < windows {
        let count = at_once.min(windows - window);
        fill(terms, &scalars, window..window + count, width, &mut additions, &mut buckets)?;
        window += count;
    }
    let bits = bits(&buckets, width, &mut additions)?;
    chain(&bits)
}

/// The width with the fewest additions.
fn width(terms: usize) -> usize {
    let additions = |width: &usize| SCALAR_BITS.div_ceil(*width) * (terms + (1 << width));
    (4..=14).min_by_key(additions).unwrap_or(4)
}

/// The scalar plus half of each window's range, so that plain windows are signed digits plus that half.
fn biased(scalar: &Words, width: usize, windows: usize) -> [u64; 5] {
    let [a, b, c, d] = *scalar;
    let extension = if d >> 63 == 1 { u64::MAX } else { 0 };
    let mut bias = [0; 5];
    for window in 0..windows {
        let bit = window * width + width - 1;
        bias[bit / 64] |= 1 << (bit % 64);
    }
    add_to([a, b, c, d, extension], &bias)
}

/// Fills the buckets of some windows: for each window a point or none for each digit from 0 on.
#[inline(always)]
fn fill<F: Field>(
    terms: &[Term<F>],
    scalars: &[[u64; 5]],
    windows: std::ops::Range<usize>,
    width: usize,
    additions: &mut Additions<F>,
    buckets: &mut Vec<Vec<Option<Packed<F>>>>,
) -> Option<()> {
    let half = 1 << (width - 1);
    let digits = half + 1;
    let first = windows.start;
    let digit = |window: usize, scalar: &[u64; 5]| {
        let digit = crate::scalar::window(scalar, window * width, width);
        // Bucket, and whether the point is negated.
        (((window - first) * digits) + digit.abs_diff(half), digit < half)
    };
    let mut starts = vec![0_u32; windows.len() * digits + 1];
    for window in windows.clone() {
        for scalar in scalars {
            starts[digit(window, scalar).0 + 1] += 1;
        }
    }
    for bucket in 1..starts.len() {
        starts[bucket] += starts[bucket - 1];
    }
    let mut ends = starts.clone();
    additions.clear(scalars.len() * windows.len());
    for window in windows.clone() {
        for (term, scalar) in terms.iter().zip(scalars) {
            let (bucket, negative) = digit(window, scalar);
            let end = &mut ends[bucket];
            additions.set(*end, &term.point, negative);
            *end += 1;
        }
    }
    // Points of digit zero count for nothing.
    let mut runs: Vec<Run> = Vec::with_capacity(starts.len());
    for (bucket, start) in starts[..starts.len() - 1].iter().enumerate() {
        let length = if bucket % digits == 0 { 0 } else { ends[bucket] - start };
        runs.push(Run { start: *start, length });
    }
    additions.reduce(&mut runs)?;
    for window in runs.chunks_exact(digits) {
        buckets.push(window.iter().map(|run| (run.length == 1).then(|| additions.get(run.start))).collect());
    }
    Some(())
}

/// A point for each bit of the scalars, the lowest first.
#[inline(always)]
fn bits<F: Field>(
    buckets: &[Vec<Option<Packed<F>>>],
    width: usize,
    additions: &mut Additions<F>,
) -> Option<Vec<Option<Packed<F>>>> {
    let mut bits = Vec::with_capacity(buckets.len() * width);
    // For each window the buckets of this level, and for each level those with odd digits.
    let mut levels: Vec<Vec<Option<Packed<F>>>> = buckets.to_vec();
    let mut odd: Vec<Vec<Packed<F>>> = vec![Vec::new(); buckets.len() * width];
    for level in 0..width {
        for (window, level_buckets) in levels.iter().enumerate() {
            odd[window * width + level] = level_buckets.iter().skip(1).step_by(2).flatten().copied().collect();
        }
        additions.clear(0);
        let mut runs = Vec::new();
        for level_buckets in &levels {
            for pair in level_buckets.chunks(2) {
                runs.push(additions.append(pair.iter().flatten()));
            }
        }
        additions.reduce(&mut runs)?;
        let mut runs = runs.iter();
        for level_buckets in &mut levels {
            let pairs = level_buckets.len().div_ceil(2);
            *level_buckets =
                runs.by_ref().take(pairs).map(|run| (run.length == 1).then(|| additions.get(run.start))).collect();
        }
    }
    additions.clear(0);
    let mut runs: Vec<Run> = odd.iter().map(|points| additions.append(points.iter())).collect();
    additions.reduce(&mut runs)?;
    bits.extend(runs.iter().map(|run| (run.length == 1).then(|| additions.get(run.start))));
    Some(bits)
}

/// The sum of points that are each twice as heavy as the one before.
#[inline(always)]
fn chain<F: Field>(bits: &[Option<Packed<F>>]) -> Option<Jacobian<F>> {
    let mut sum: Option<Jacobian<F>> = None;
    for bit in bits.iter().rev() {
        if let Some(sum) = &mut sum {
            sum.double();
        }
        if let Some(point) = bit {
            let point = unpack([point; LANES]);
            match &mut sum {
                None => sum = Some(Jacobian::from_affine(&point)),
                Some(sum) => sum.add(&point),
            }
        }
    }
    sum
}

/// Points that stand next to each other and are to be added up. The sum takes the first one's place.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: u32,
    length: u32,
}

/// Points in runs, and additions of pairs of them.
struct Additions<F: Field> {
    points: Vec<Packed<F>>,
    /// Pairs of places; the sum goes to the first.
    pairs: Vec<[u32; 2]>,
    prefixes: Vec<F>,
    rejected: bool,
}

impl<F: Field> Additions<F> {
    fn new() -> Self {
        Self { points: Vec::new(), pairs: Vec::new(), prefixes: Vec::new(), rejected: false }
    }

    fn clear(&mut self, length: usize) {
        self.points.clear();
        self.points.resize(length, [F::Packed::default(); 2]);
    }

    fn get(&self, place: u32) -> Packed<F> {
        self.points[place as usize]
    }

    #[inline(always)]
    fn set(&mut self, place: u32, point: &Packed<F>, negative: bool) {
        let [x, y] = point;
        self.points[place as usize] = [*x, if negative { F::negate_packed(y) } else { *y }];
    }

    #[expect(clippy::cast_possible_truncation, reason = "there are some thousand points")]
    fn append<'a>(&mut self, points: impl Iterator<Item = &'a Packed<F>>) -> Run
    where
        F: 'a,
    {
        let start = self.points.len();
        self.points.extend(points.copied());
        Run { start: start as u32, length: (self.points.len() - start) as u32 }
    }

    /// Adds until every run has at most one point.
    #[inline(always)]
    fn reduce(&mut self, runs: &mut [Run]) -> Option<()> {
        loop {
            self.pairs.clear();
            for run in runs.iter_mut() {
                let (additions, left) = (run.length / 2, run.length.div_ceil(2));
                for place in run.start..run.start + additions {
                    self.pairs.push([place, place + left]);
                }
                run.length = left;
            }
            if self.pairs.is_empty() {
                return Some(());
            }
            let mut prefixes = std::mem::take(&mut self.prefixes);
            divide_all(self, &mut prefixes);
            self.prefixes = prefixes;
            if self.rejected {
                return None;
            }
        }
    }

    /// The pairs of eight additions. The last lanes repeat the last pair: they compute the same.
    #[inline(always)]
    fn pairs_of(&self, index: usize) -> [[usize; 2]; LANES] {
        array::from_fn(|lane| {
            let [first, second] = self.pairs[(index * LANES + lane).min(self.pairs.len() - 1)];
            [first as usize, second as usize]
        })
    }
}

impl<F: Field> Divisions<F> for Additions<F> {
    fn count(&self) -> usize {
        self.pairs.len().div_ceil(LANES)
    }

    #[inline(always)]
    fn divisor(&self, index: usize) -> F {
        let pairs = self.pairs_of(index);
        let second = F::unpack(pairs.map(|[_, second]| &self.points[second][0]));
        second.sub::<1>(&F::unpack(pairs.map(|[first, _]| &self.points[first][0])))
    }

    #[inline(always)]
    fn finish(&mut self, index: usize, inverse: &F) {
        let pairs = self.pairs_of(index);
        let first: Affine<F> = unpack(pairs.map(|[first, _]| &self.points[first]));
        let second = unpack(pairs.map(|[_, second]| &self.points[second]));
        let sum = first.add(&second, inverse);
        let (x, y) = (sum.x.pack(), sum.y.pack());
        for lane in 0..LANES {
            self.points[pairs[lane][0]] = [x[lane], y[lane]];
        }
    }

    fn reject(&mut self, _index: usize, _lanes: &Mask) {
        self.rejected = true;
    }
}
