//! The standard normal distribution, times 10^18: Hart's rational approximation (Computer Approximations, 1968, number 5666) as given
//! by Graeme West (Better Approximations to Cumulative Normal Functions, 2005). The twin of the functions in `BlackModel.sol`.

use alloy_primitives::{I256, U256, uint};

use crate::{
    Error,
    fixed::{WAD, div, exp_wad, mul, signed},
};

/// Beyond this a tail is less than one in 10^18.
const TAIL: U256 = uint!(9_000_000_000_000_000_000_U256);
/// 5 √2, where the approximation changes.
const SPLIT: U256 = uint!(7_071_067_811_865_475_244_U256);
/// √(2π).
const ROOT_TWO_PI: U256 = uint!(2_506_628_274_631_000_502_U256);

/// Hart's numerator, highest power first.
const OVER: [U256; 7] = uint!([
    35_262_496_599_891_100_U256,
    700_383_064_443_688_000_U256,
    6_373_962_203_531_650_000_U256,
    33_912_866_078_383_000_000_U256,
    112_079_291_497_871_000_000_U256,
    221_213_596_169_931_000_000_U256,
    220_206_867_912_376_000_000_U256,
]);

/// His denominator.
const UNDER: [U256; 8] = uint!([
    88_388_347_648_318_400_U256,
    1_755_667_163_182_640_000_U256,
    16_064_177_579_207_000_000_U256,
    86_780_732_202_946_100_000_U256,
    296_564_248_779_674_000_000_U256,
    637_333_633_378_831_000_000_U256,
    793_826_512_519_948_000_000_U256,
    440_413_735_824_752_000_000_U256,
]);

/// How likely a standard normal variable is at most `x`.
///
/// # Errors
/// None for any number; the type is that of the steps.
pub fn cumulative(x: I256) -> Result<U256, Error> {
    let beyond = tail(x.unsigned_abs())?;
    Ok(if x.is_positive() { WAD.saturating_sub(beyond) } else { beyond })
}

/// The density of a standard normal variable at `x`.
///
/// # Errors
/// None for any number; the type is that of the steps.
pub fn density(x: I256) -> Result<U256, Error> {
    let distance = x.unsigned_abs();
    if distance >= TAIL {
        return Ok(U256::ZERO);
    }
    div(mul(bell(distance)?, WAD)?, ROOT_TWO_PI)
}

/// e^(-x²/2).
fn bell(x: U256) -> Result<U256, Error> {
    let half_square = div(mul(x, x)?, WAD << 1)?;
    Ok(exp_wad(-signed(half_square)?)?.into_raw())
}

/// How likely it is beyond `x`.
fn tail(x: U256) -> Result<U256, Error> {
    if x >= TAIL {
        return Ok(U256::ZERO);
    }
    let bell = bell(x)?;
    if x < SPLIT {
        return div(mul(bell, polynomial(&OVER, x)?)?, polynomial(&UNDER, x)?);
    }
    let mut fraction = x + WAD * U256::from(65) / U256::from(100);
    for level in [4_u64, 3, 2, 1] {
        fraction = x + div(U256::from(level) * WAD * WAD, fraction)?;
    }
    div(mul(div(mul(bell, WAD)?, fraction)?, WAD)?, ROOT_TWO_PI)
}

/// By Horner's rule, rounded down at each step.
fn polynomial(coefficients: &[U256], x: U256) -> Result<U256, Error> {
    coefficients.iter().try_fold(U256::ZERO, |sum, &coefficient| Ok(mul(sum, x)? / WAD + coefficient))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milli: i64) -> I256 {
        I256::unchecked_from(milli) * I256::unchecked_from(1_000_000_000_000_000_i64)
    }

    /// Φ from tables of more than fifteen digits.
    #[test]
    fn the_distribution_is_that_of_the_tables() {
        let table: [(i64, u64); 9] = [
            (0, 500_000_000_000_000_000),
            (500, 691_462_461_274_013_104),
            (1000, 841_344_746_068_542_949),
            (1960, 975_002_104_851_779_565),
            (2000, 977_249_868_051_820_793),
            (3000, 998_650_101_968_369_905),
            (-1000, 158_655_253_931_457_051),
            (-4000, 31_671_241_833_120),
            (-5000, 286_651_571_879),
        ];
        for (milli, expected) in table {
            let found = cumulative(at(milli)).expect("defined").to::<u64>();
            assert!(found.abs_diff(expected) < 1000, "{milli}: {found}");
        }
        let far = cumulative(at(-8000)).expect("defined").to::<u64>();
        assert!(far.abs_diff(622) <= 2, "{far}");
    }

    #[test]
    fn both_sides_sum_up_to_one() {
        for milli in (1..9500).step_by(37) {
            let sum = cumulative(at(milli)).expect("defined") + cumulative(at(-milli)).expect("defined");
            assert_eq!(sum, WAD, "{milli}");
        }
        assert_eq!(cumulative(I256::MIN), Ok(U256::ZERO));
        assert_eq!(cumulative(I256::MAX), Ok(WAD));
    }

    #[test]
    fn it_rises() {
        let mut last = U256::ZERO;
        for milli in -9100..9100 {
            let found = cumulative(at(milli)).expect("defined");
            // Where the approximation changes, and around zero, it may step back by its error.
            assert!(found + U256::from(2000) >= last, "{milli}");
            last = found;
        }
    }

    #[test]
    fn the_density_is_that_of_the_tables() {
        let table: [(i64, u64); 4] =
            [(0, 398_942_280_401_432_678), (1000, 241_970_724_519_143_349), (-2000, 53_990_966_513_188_052), (9000, 0)];
        for (milli, expected) in table {
            let found = density(at(milli)).expect("defined").to::<u64>();
            assert!(found.abs_diff(expected) < 10, "{milli}: {found}");
        }
    }
}
