//! Division of integers with a named way to round. Every loss of precision in this crate happens in one of these functions,
//! at one of the five rounding points:
//!
//! | point | what is rounded | how |
//! |---|---|---|
//! | R1 | the level instalment, to the multiple that can be paid | half to even, or up if the product says so (`level`) |
//! | R2 | the interest of each accrual segment, by itself | half to even ([`crate::day_count::interest`]) |
//! | R3 | – | the last instalment takes what is left ([`crate::loan`]) |
//! | R4 | shares of a distribution | largest remainder, ties to the earlier ([`crate::share`]) |
//! | R5 | one currency into another | down; the rest is returned ([`crate::convert`]) |

use num_bigint::BigUint;

/// How a quotient becomes an integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest, and halfway to the even neighbour.
    #[default]
    HalfEven,
    /// Away from zero.
    Up,
}

/// `numerator / denominator`, rounded to the nearest integer, halfway to the even one. The denominator is positive.
#[must_use]
pub const fn half_even(numerator: i128, denominator: i128) -> i128 {
    let floor = numerator.div_euclid(denominator);
    // Compared without doubling, which could overflow.
    let rest = numerator.rem_euclid(denominator);
    let other = denominator - rest;
    if rest > other || (rest == other && floor % 2 != 0) { floor + 1 } else { floor }
}

/// The same for large numbers, not negative.
pub(crate) fn divide(numerator: &BigUint, denominator: &BigUint, rounding: Rounding) -> BigUint {
    let floor = numerator / denominator;
    let rest = numerator - &floor * denominator;
    let is_up = match rounding {
        Rounding::Up => rest != BigUint::ZERO,
        Rounding::HalfEven => {
            let twice = rest << 1_u32;
            twice > *denominator || (twice == *denominator && floor.bit(0))
        }
    };
    if is_up { floor + 1_u32 } else { floor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let cases = [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (1, 3, 0), (2, 3, 1), (-2, 3, -1), (6, 3, 2)];
        for (numerator, denominator, expected) in cases {
            assert_eq!(half_even(numerator, denominator), expected, "{numerator}/{denominator}");
            if numerator >= 0 {
                let large =
                    divide(&numerator.unsigned_abs().into(), &denominator.unsigned_abs().into(), Rounding::HalfEven);
                assert_eq!(large, expected.unsigned_abs().into(), "{numerator}/{denominator}");
            }
        }
        assert_eq!(half_even(i128::MAX, i128::MAX), 1, "nothing overflows");
    }

    #[test]
    fn up_leaves_whole_numbers_alone() {
        let up = |a: u32, b: u32| divide(&a.into(), &b.into(), Rounding::Up);
        assert_eq!([up(6, 3), up(7, 3), up(1, 9), up(0, 9)], [2_u32.into(), 3_u32.into(), 1_u32.into(), 0_u32.into()]);
    }
}
