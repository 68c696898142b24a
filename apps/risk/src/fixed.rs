//! Integers as the EVM has them, and what Solady builds on them: products with 512 bits, square root, exponential, logarithm.
//!
//! The rational approximations of [`exp_wad`] and [`ln_wad`] are Remco Bloemen's, as in Solady's `FixedPointMathLib` (MIT). They are
//! followed operation by operation, shifts and truncations included, because the last digit is what matters here.

use alloy_primitives::{I256, U256, U512, uint};

use crate::Error;

/// One, for numbers times 10^18.
pub const WAD: U256 = uint!(1_000_000_000_000_000_000_U256);

/// `value` as a signed number.
///
/// # Errors
/// [`Error::Overflow`] from 2^255 on.
pub fn signed(value: U256) -> Result<I256, Error> {
    I256::checked_from_sign_and_abs(alloy_primitives::Sign::Positive, value).ok_or(Error::Overflow)
}

/// `magnitude` with the sign of `like`.
pub(crate) fn with_sign(magnitude: U256, like: I256) -> Result<I256, Error> {
    let value = signed(magnitude)?;
    Ok(if like.is_negative() { -value } else { value })
}

pub(crate) fn add(a: U256, b: U256) -> Result<U256, Error> {
    a.checked_add(b).ok_or(Error::Overflow)
}

pub(crate) fn mul(a: U256, b: U256) -> Result<U256, Error> {
    a.checked_mul(b).ok_or(Error::Overflow)
}

pub(crate) fn div(a: U256, b: U256) -> Result<U256, Error> {
    a.checked_div(b).ok_or(Error::DivisionByZero)
}

pub(crate) fn signed_add(a: I256, b: I256) -> Result<I256, Error> {
    a.checked_add(b).ok_or(Error::Overflow)
}

pub(crate) fn signed_sub(a: I256, b: I256) -> Result<I256, Error> {
    a.checked_sub(b).ok_or(Error::Overflow)
}

pub(crate) fn signed_mul(a: I256, b: I256) -> Result<I256, Error> {
    a.checked_mul(b).ok_or(Error::Overflow)
}

/// Rounded towards zero.
pub(crate) fn signed_div(a: I256, b: I256) -> Result<I256, Error> {
    if b.is_zero() { Err(Error::DivisionByZero) } else { a.checked_div(b).ok_or(Error::Overflow) }
}

/// `value / divisor`, rounded up.
///
/// # Errors
/// [`Error::DivisionByZero`].
pub fn div_up(value: U256, divisor: U256) -> Result<U256, Error> {
    if value.is_zero() {
        return Ok(U256::ZERO);
    }
    Ok(div(value - U256::ONE, divisor)? + U256::ONE)
}

/// `a * b / divisor`, rounded down, with a product of 512 bits.
///
/// # Errors
/// [`Error::DivisionByZero`], or [`Error::Overflow`] if the quotient does not fit.
pub fn mul_div(a: U256, b: U256, divisor: U256) -> Result<U256, Error> {
    mul_div_rest(a, b, divisor).map(|(quotient, _)| quotient)
}

/// `a * b / divisor`, rounded up, with a product of 512 bits.
///
/// # Errors
/// As [`mul_div`].
pub fn mul_div_up(a: U256, b: U256, divisor: U256) -> Result<U256, Error> {
    let (quotient, is_exact) = mul_div_rest(a, b, divisor)?;
    if is_exact { Ok(quotient) } else { add(quotient, U256::ONE) }
}

fn mul_div_rest(a: U256, b: U256, divisor: U256) -> Result<(U256, bool), Error> {
    if divisor.is_zero() {
        return Err(Error::DivisionByZero);
    }
    let product: U512 = a.widening_mul(b);
    let (quotient, rest) = product.div_rem(U512::from(divisor));
    Ok((U256::checked_from_limbs_slice(quotient.as_limbs()).ok_or(Error::Overflow)?, rest.is_zero()))
}

/// The square root, rounded down.
#[must_use]
pub fn sqrt(value: U256) -> U256 {
    if value.is_zero() {
        return value;
    }
    // Newton's method from above: falls until it is there.
    let mut root = U256::ONE << value.bit_len().div_ceil(2);
    loop {
        let next = (root + value / root) >> 1;
        if next >= root {
            return root;
        }
        root = next;
    }
}

/// e to the `x`, both times 10^18. Zero below -41.4.
///
/// # Errors
/// [`Error::OutsideDomain`] from 135.3 on.
pub fn exp_wad(x: I256) -> Result<I256, Error> {
    const LEAST: I256 = negative(uint!(41446531673892822313_U256));
    const END: I256 = positive(uint!(135305999368893231589_U256));
    const LN_2: I256 = positive(uint!(54916777467707473351141471128_U256));
    const P: [I256; 5] = [
        positive(uint!(1346386616545796478920950773328_U256)),
        positive(uint!(57155421227552351082224309758442_U256)),
        negative(uint!(94201549194550492254356042504812_U256)),
        positive(uint!(28719021644029726153956944680412240_U256)),
        positive(uint!(4385272521454847904659076985693276_U256)),
    ];
    const Q: [I256; 6] = [
        negative(uint!(2855989394907223263936484059900_U256)),
        positive(uint!(50020603652535783019961831881945_U256)),
        negative(uint!(533845033583426703283633433725380_U256)),
        positive(uint!(3604857256930695427073651918091429_U256)),
        negative(uint!(14423608567350463180887372962807573_U256)),
        positive(uint!(26449188498355588339934803723976023_U256)),
    ];
    const SCALE: U256 = uint!(3822833074963236453042738258902158003155416615667_U256);
    const FIVE_18: I256 = positive(uint!(3814697265625_U256));

    if x <= LEAST {
        return Ok(I256::ZERO);
    }
    if x >= END {
        return Err(Error::OutsideDomain);
    }
    // From 10^18 to 2^96, and into -ln(2)/2 .. ln(2)/2 by taking powers of two away.
    let x = x.wrapping_shl(78).wrapping_div(FIVE_18);
    let half = I256::ONE.wrapping_shl(95);
    let k = x.wrapping_shl(96).wrapping_div(LN_2).wrapping_add(half).asr(96);
    let x = x.wrapping_sub(k.wrapping_mul(LN_2));

    let y = x.wrapping_add(P[0]);
    let y = y.wrapping_mul(x).asr(96).wrapping_add(P[1]);
    let p = y.wrapping_add(x).wrapping_add(P[2]);
    let p = p.wrapping_mul(y).asr(96).wrapping_add(P[3]);
    let p = p.wrapping_mul(x).wrapping_add(P[4].wrapping_shl(96));
    let q = Q[1..].iter().fold(x.wrapping_add(Q[0]), |q, &next| q.wrapping_mul(x).asr(96).wrapping_add(next));
    let r = p.wrapping_div(q).into_raw();
    let shift = usize::try_from(I256::unchecked_from(195).wrapping_sub(k)).map_err(|_| Error::OutsideDomain)?;
    Ok(I256::from_raw(r.wrapping_mul(SCALE) >> shift))
}

/// The natural logarithm of `x`, both times 10^18.
///
/// # Errors
/// [`Error::OutsideDomain`] for zero and below.
pub fn ln_wad(x: I256) -> Result<I256, Error> {
    const P: [I256; 7] = [
        positive(uint!(3273285459638523848632254066296_U256)),
        positive(uint!(24828157081833163892658089445524_U256)),
        positive(uint!(43456485725739037958740375743393_U256)),
        positive(uint!(11111509109440967052023855526967_U256)),
        positive(uint!(45023709667254063763336534515857_U256)),
        positive(uint!(14706773417378608786704636184526_U256)),
        positive(uint!(795164235651350426258249787498_U256)),
    ];
    const Q: [I256; 7] = [
        positive(uint!(5573035233440673466300451813936_U256)),
        positive(uint!(71694874799317883764090561454958_U256)),
        positive(uint!(283447036172924575727196451306956_U256)),
        positive(uint!(401686690394027663651624208769553_U256)),
        positive(uint!(204048457590392012362485061816622_U256)),
        positive(uint!(31853899698501571402653359427138_U256)),
        positive(uint!(909429971244387300277376558375_U256)),
    ];
    const SCALE: I256 = positive(uint!(1677202110996718588342820967067443963516166_U256));
    const LN_2: I256 = positive(uint!(16597577552685614221487285958193947469193820559219878177908093499208371_U256));
    const LN_UNIT: I256 =
        positive(uint!(600920179829731861736702779321621459595472258049074101567377883020018308_U256));

    if !x.is_positive() {
        return Err(Error::OutsideDomain);
    }
    // From 10^18 to 1 .. 2 times 2^96.
    let raw = x.into_raw();
    let r = 256 - raw.bit_len();
    let x = I256::from_raw((raw << r) >> 159_usize);

    let p = P[..3].iter().fold(x, |p, &next| p.wrapping_add(next).wrapping_mul(x).asr(96)).wrapping_sub(P[3]);
    let p = p.wrapping_mul(x).asr(96).wrapping_sub(P[4]);
    let p = p.wrapping_mul(x).asr(96).wrapping_sub(P[5]);
    let p = p.wrapping_mul(x).wrapping_sub(P[6].wrapping_shl(96));
    let q = Q[1..].iter().fold(x.wrapping_add(Q[0]), |q, &next| x.wrapping_mul(q).asr(96).wrapping_add(next));
    let k = I256::unchecked_from(159).wrapping_sub(I256::from_raw(U256::from(r)));
    let scaled = SCALE.wrapping_mul(p.wrapping_div(q)).wrapping_add(LN_2.wrapping_mul(k));
    Ok(scaled.wrapping_add(LN_UNIT).asr(174))
}

/// A constant of one of the approximations, far below 2^255.
const fn positive(value: U256) -> I256 {
    I256::from_raw(value)
}

const fn negative(value: U256) -> I256 {
    I256::from_raw(U256::ZERO.wrapping_sub(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wad(text: &str) -> I256 {
        I256::from_dec_str(text).expect("a number")
    }

    #[test]
    fn exponentials_are_those_of_the_tables() {
        assert_eq!(exp_wad(I256::ZERO), Ok(wad("1000000000000000000")));
        assert_eq!(exp_wad(wad("1000000000000000000")), Ok(wad("2718281828459045235")));
        assert_eq!(exp_wad(wad("-1000000000000000000")), Ok(wad("367879441171442321")));
        assert_eq!(exp_wad(wad("-41446531673892822313")), Ok(I256::ZERO));
        assert_eq!(exp_wad(wad("-41446531673892822312")), Ok(wad("1")));
        assert_eq!(exp_wad(wad("135305999368893231589")), Err(Error::OutsideDomain));
        assert!(exp_wad(wad("135305999368893231588")).is_ok());
    }

    #[test]
    fn logarithms_are_those_of_the_tables() {
        assert_eq!(ln_wad(wad("1000000000000000000")), Ok(I256::ZERO));
        assert_eq!(ln_wad(wad("2718281828459045235")), Ok(wad("999999999999999999")));
        assert_eq!(ln_wad(wad("2000000000000000000")), Ok(wad("693147180559945309")));
        assert_eq!(ln_wad(wad("10000000000000000000")), Ok(wad("2302585092994045683")));
        assert_eq!(ln_wad(wad("1")), Ok(wad("-41446531673892822313")));
        assert_eq!(ln_wad(I256::ZERO), Err(Error::OutsideDomain));
        assert_eq!(ln_wad(I256::MAX).map(|ln| ln.to_dec_string()), Ok("135305999368893231589".to_owned()));
    }

    #[test]
    fn roots_are_rounded_down() {
        for value in 0..1000_u64 {
            let root = sqrt(U256::from(value)).to::<u64>();
            assert!(root * root <= value && (root + 1) * (root + 1) > value, "{value}");
        }
        assert_eq!(sqrt(U256::MAX), (U256::ONE << 128) - U256::ONE);
    }

    #[test]
    fn quotients_of_long_products_are_exact() {
        assert_eq!(mul_div(U256::MAX, U256::MAX, U256::MAX), Ok(U256::MAX));
        assert_eq!(mul_div(U256::MAX, U256::from(2), U256::ONE), Err(Error::Overflow));
        assert_eq!(mul_div(U256::ONE, U256::ONE, U256::ZERO), Err(Error::DivisionByZero));
        assert_eq!(mul_div_up(U256::from(7), U256::from(3), U256::from(2)), Ok(U256::from(11)));
        assert_eq!(div_up(U256::from(6), U256::from(3)), Ok(U256::from(2)));
        assert_eq!(div_up(U256::ZERO, U256::ZERO), Ok(U256::ZERO));
        assert_eq!(div_up(U256::ONE, U256::ZERO), Err(Error::DivisionByZero));
    }
}
