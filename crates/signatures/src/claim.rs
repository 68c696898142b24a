//! Checks many signatures at once against keys that somebody claims.
//!
//! A signature (r, s) of hash z names the key Q if and only if R - u1·G - u2·Q is zero, with u1 = z/s, u2 = r/s and the point R with x = r. A
//! sum of such differences, each times a random weight of 128 bits, is zero if all are; if one is not, then at most one in
//! 2^128 choices of its weight makes the sum zero (Bellare, Garay, Rabin: *Fast batch verification for modular exponentiation and digital signatures*,
//! 1998). The sum is one of few terms: all weights of G together, all of a key together, and a short one for each R.
//!
//! Weights must not be known to who makes the signatures, before they are made.

use std::{
    array,
    collections::{HashMap, hash_map::Entry},
};

use crate::{
    field::{Field, LANES, PRIME, Words},
    generator::Packed,
    lockstep::{Nonces, lift},
    multi::{self, Term},
    point::{Affine, BETA, GENERATOR, Jacobian, zero_lanes},
    scalar::{Scalar, subtract},
};

/// Into how many parts a batch is cut whose sum is not zero. What is in a part that is not zero either is not checked further, so that
/// false claims cost at most twice what true ones do, and a recovery.
const PARTS: usize = 8;

/// A signature after the arithmetic modulo the order, and the coordinates of the key it is said to name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// x of R, below the prime.
    pub(crate) x: Words,
    /// Whether y of R is odd.
    pub(crate) is_odd: bool,
    /// z/s.
    pub(crate) u1: Scalar,
    /// r/s.
    pub(crate) u2: Scalar,
    /// Coordinates of the claimed key.
    pub(crate) key: (Words, Words),
    /// Random bits.
    pub(crate) weight: [u64; 2],
}

/// Says of each claim whether it is known to be true. One that is not may be true nevertheless.
#[inline(always)]
pub(crate) fn check<F: Field>(claims: &[Claim]) -> Vec<bool> {
    let (nonces, mut sound) = nonces::<F>(claims);
    let (keys, indices) = Keys::gather(claims);
    for (sound, index) in sound.iter_mut().zip(&indices) {
        *sound &= keys.on_curve[*index];
    }
    let equations: Vec<Equation<F>> = sound
        .iter()
        .enumerate()
        .filter(|(_, sound)| **sound)
        .map(|(claim, _)| Equation { claim, nonce: nonces[claim], key: indices[claim] })
        .collect();
    if equations.is_empty() || holds(claims, &equations, &keys) {
        return sound;
    }
    let part = equations.len().div_ceil(PARTS);
    for equations in equations.chunks(part) {
        if !holds(claims, equations, &keys) {
            for equation in equations {
                sound[equation.claim] = false;
            }
        }
    }
    sound
}

/// One summand.
struct Equation<F: Field> {
    claim: usize,
    nonce: Packed<F>,
    key: usize,
}

/// The points R, and which of them are on the curve.
#[inline(always)]
fn nonces<F: Field>(claims: &[Claim]) -> (Vec<Packed<F>>, Vec<bool>) {
    let groups: Vec<Nonces> = claims
        .chunks(LANES)
        .map(|claims| {
            let claim = |lane: usize| claims.get(lane).unwrap_or(&claims[0]);
            let lanes: [usize; LANES] = array::from_fn(|lane| lane);
            Nonces { x: lanes.map(|lane| claim(lane).x), is_odd: lanes.map(|lane| claim(lane).is_odd) }
        })
        .collect();
    let (lifted, off_curve) = lift::<F>(&groups);
    let mut points = Vec::with_capacity(claims.len() + LANES);
    for point in &lifted {
        points.extend(packed(point));
    }
    let sound = off_curve.as_flattened().iter().map(|off| *off == 0).take(claims.len()).collect();
    (points, sound)
}

#[inline(always)]
fn packed<F: Field>(point: &Affine<F>) -> [Packed<F>; LANES] {
    let (x, y) = (point.x.pack(), point.y.pack());
    array::from_fn(|lane| [x[lane], y[lane]])
}

/// The different keys, the generator before them, each with its image λ times it.
struct Keys<F: Field> {
    points: Vec<[Packed<F>; 2]>,
    on_curve: Vec<bool>,
}

impl<F: Field> Keys<F> {
    /// Also the place of each claim's key.
    #[inline(always)]
    fn gather(claims: &[Claim]) -> (Self, Vec<usize>) {
        let mut places = HashMap::with_capacity(claims.len());
        let mut coordinates = vec![GENERATOR];
        let mut indices = Vec::with_capacity(claims.len());
        for claim in claims {
            indices.push(match places.entry(claim.key) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => {
                    coordinates.push(claim.key);
                    *entry.insert(coordinates.len() - 1)
                }
            });
        }
        (Self::new(&coordinates), indices)
    }

    #[inline(always)]
    fn new(coordinates: &[(Words, Words)]) -> Self {
        let (beta, seven) = (F::from_words(&[BETA; LANES]), F::small(7));
        let mut keys = Self { points: Vec::new(), on_curve: Vec::new() };
        for group in coordinates.chunks(LANES) {
            let mut lanes = [GENERATOR; LANES];
            lanes[..group.len()].copy_from_slice(group);
            let (x, y) = (F::from_words(&lanes.map(|(x, _)| x)), F::from_words(&lanes.map(|(_, y)| y)));
            let on_curve = zero_lanes(&x.square().mul(&x).add(&seven).sub::<1>(&y.square()));
            let points = packed(&Affine { x, y });
            let images = packed(&Affine { x: x.mul(&beta), y });
            for (lane, coordinates) in group.iter().enumerate() {
                keys.points.push([points[lane], images[lane]]);
                keys.on_curve.push(on_curve[lane] != 0 && is_below_prime(coordinates));
            }
        }
        keys
    }
}

fn is_below_prime((x, y): &(Words, Words)) -> bool {
    subtract(x, &PRIME).1 && subtract(y, &PRIME).1
}

/// Whether the weighted sum of equations is zero. To keep clear of infinity, the generator is added to it.
#[inline(always)]
fn holds<F: Field>(claims: &[Claim], equations: &[Equation<F>], keys: &Keys<F>) -> bool {
    let mut coefficients = vec![Scalar::default(); keys.points.len()];
    coefficients[0] = Scalar::ONE.neg();
    let mut terms: Vec<Term<F>> = Vec::with_capacity(equations.len() + 2 * keys.points.len());
    for equation in equations {
        let claim = &claims[equation.claim];
        let weight = [claim.weight[0], claim.weight[1], 0, 0];
        terms.push(Term { point: equation.nonce, scalar: weight });
        let weight = Scalar::reduced(weight);
        coefficients[0] = coefficients[0].add(&weight.mul(&claim.u1));
        let coefficient = &mut coefficients[equation.key];
        *coefficient = coefficient.add(&weight.mul(&claim.u2));
    }
    for ([point, image], coefficient) in keys.points.iter().zip(coefficients) {
        if coefficient.is_zero() {
            continue;
        }
        let [first, second] = coefficient.neg().halves();
        terms.extend([Term { point: *point, scalar: first }, Term { point: *image, scalar: second }]);
    }
    match multi::sum(&terms) {
        Some(sum) => is_generator(&sum),
        None => false,
    }
}

#[inline(always)]
fn is_generator<F: Field>(point: &Jacobian<F>) -> bool {
    let generator = Affine::<F>::splat(&GENERATOR);
    let square = point.z.square();
    let x = generator.x.mul(&square).sub::<1>(&point.x);
    let y = generator.y.mul(&square.mul(&point.z)).sub::<2>(&point.y);
    let all = [u64::MAX; LANES];
    zero_lanes(&point.z) == [0; LANES] && zero_lanes(&x) == all && zero_lanes(&y) == all
}
