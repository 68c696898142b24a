//! The annual percentage rate of cash flows.
//!
//! **United States, Regulation Z (12 CFR 1026), Appendix J**: advances and payments lie t whole unit periods and a fraction f of
//! one after the start, and are worth amount ⁄ ((1 + f·i)·(1 + i)ᵗ) there; i is the rate per unit period at which advances and payments are
//! worth the same, and the annual rate is i times the unit periods in a year.
//!
//! **European Union, Directive 2008/48/EC, Annex I**: cash flows by date, worth amount ⁄ (1 + X)^(days ⁄ 365). With one day as the unit
//! period, (1 + X) is (1 + i)³⁶⁵: the effective rate of the same equation.
//!
//! The rate is found by halving an interval, in fixed point with 160 binary digits after the point: far below the two decimals that
//! are shown, and the same on every machine. Of several rates, which only unusual cash flows have, it is the lowest.

use num_bigint::{BigInt, BigUint};

use crate::{
    Error,
    date::Date,
    limits::{MAX_APR_PERCENT, MAX_FLOWS, MAX_UNIT_PERIODS},
    money::{Minor, format_decimal},
    round::{Rounding, divide, half_even},
    terms::bounded,
};

/// Binary digits after the point.
const BITS: u64 = 160;

/// The interval is halved until it is 2 to this power of the last digits wide; what is left of them covers rounding errors.
const WIDTH_BITS: u64 = 72;

/// Decimals of a [`Percent`].
const PERCENT_DECIMALS: u8 = 12;

/// A number of percent, to a millionth of a millionth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(i128);

impl Percent {
    /// Text with so many decimals, half to even.
    #[must_use]
    pub fn format(self, decimals: u8) -> String {
        let decimals = decimals.min(PERCENT_DECIMALS);
        let unit = 10_i128.pow(u32::from(PERCENT_DECIMALS - decimals));
        format_decimal(half_even(self.0, unit), decimals)
    }

    /// Hundredths of a percent, rounded.
    #[must_use]
    pub const fn basis_points(self) -> i128 {
        half_even(self.0, 10_i128.pow(10))
    }

    fn of_fixed(numerator: &BigUint) -> Result<Self, Error> {
        let scaled = numerator * 100_u32 * 10_u64.pow(PERCENT_DECIMALS.into());
        let percent = divide(&scaled, &(BigUint::from(1_u32) << BITS), Rounding::HalfEven);
        i128::try_from(percent).map(Self).map_err(|_| Error::NoAnnualRate("it is beyond all measure"))
    }
}

/// Equal cash flows at equal distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// Whole unit periods from the start to the first of them.
    pub periods: u32,
    /// Odd part of a unit period before those, as a fraction.
    pub odd: (u32, u32),
    /// Each of them.
    pub amount: Minor,
    /// How many.
    pub count: u32,
    /// Unit periods between them.
    pub step: u32,
}

impl Series {
    /// One cash flow.
    #[must_use]
    pub const fn one(periods: u32, odd: (u32, u32), amount: Minor) -> Self {
        Self { periods, odd, amount, count: 1, step: 1 }
    }

    fn check(&self) -> Result<(), Error> {
        crate::terms::positive("an amount", self.amount)?;
        bounded("the count of a series", self.count.into(), 1, MAX_FLOWS)?;
        let last = u64::from(self.periods) + u64::from(self.step) * u64::from(self.count - 1);
        bounded("the unit periods to the last cash flow", last, 0, MAX_UNIT_PERIODS.into())?;
        let (numerator, denominator) = self.odd;
        if denominator == 0 || numerator > denominator {
            return Err(Error::NoSuchFraction(format!("{numerator}/{denominator}")));
        }
        Ok(())
    }

    /// What it is worth at the start, at a rate per unit period.
    fn worth(&self, rate: &BigUint) -> BigUint {
        let one = BigUint::from(1_u32) << BITS;
        let discount = (&one << BITS) / (&one + rate);
        let step = power(&discount, self.step);
        let mut each = power(&discount, self.periods);
        let mut sum = BigUint::ZERO;
        for _ in 0..self.count {
            sum += &each;
            each = (each * &step) >> BITS;
        }
        let (numerator, denominator) = self.odd;
        let odd = one + rate * numerator / denominator;
        ((sum * self.amount.unsigned_abs()) << BITS) / odd
    }
}

/// Fixed point to a whole power.
fn power(base: &BigUint, mut exponent: u32) -> BigUint {
    let mut result = BigUint::from(1_u32) << BITS;
    let mut square = base.clone();
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = (result * &square) >> BITS;
        }
        square = (&square * &square) >> BITS;
        exponent >>= 1;
    }
    result
}

/// How many unit periods make a year, as a fraction: 12, 52, or 365 ⁄ 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerYear {
    /// Above the line.
    pub numerator: u32,
    /// Below it.
    pub denominator: u32,
}

impl PerYear {
    /// A whole number.
    #[must_use]
    pub const fn whole(count: u32) -> Self {
        Self { numerator: count, denominator: 1 }
    }

    fn check(self) -> Result<(), Error> {
        bounded("the unit periods in a year", self.numerator.into(), 1, 366)?;
        bounded("the years of a unit period", self.denominator.into(), 1, 366)
    }
}

/// Cash flows by unit periods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flows {
    /// Unit periods in a year.
    pub per_year: PerYear,
    /// What the borrower receives.
    pub advances: Vec<Series>,
    /// What the borrower pays.
    pub payments: Vec<Series>,
}

/// The price of a loan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnualRate {
    /// The rate per unit period times the unit periods in a year (Appendix J).
    pub nominal: Percent,
    /// With interest upon interest: (1 + i) to the power of the unit periods in a year, less 1.
    pub effective: Percent,
}

/// The annual rate of cash flows.
///
/// # Errors
/// If a number is out of bounds, there is nothing on one side, or no rate from 0 to [`MAX_APR_PERCENT`] makes both sides equal.
pub fn annual_rate(flows: &Flows) -> Result<AnnualRate, Error> {
    flows.check()?;
    let rate = flows.rate_per_period()?;
    let PerYear { numerator, denominator } = flows.per_year;
    let one = BigUint::from(1_u32) << BITS;
    let grown = exact_power(&(&one + &rate), numerator);
    let effective = root(&grown, denominator) - &one;
    Ok(AnnualRate {
        nominal: Percent::of_fixed(&(rate * numerator / denominator))?,
        effective: Percent::of_fixed(&effective)?,
    })
}

/// A power of a number above one, which loses nothing on the way but digits after the point.
fn exact_power(base: &BigUint, exponent: u32) -> BigUint {
    (0..exponent).fold(BigUint::from(1_u32) << BITS, |power, _| (power * base) >> BITS)
}

/// The root of a number of at least one.
fn root(of: &BigUint, degree: u32) -> BigUint {
    if degree == 1 { of.clone() } else { (of << (BITS * u64::from(degree - 1))).nth_root(degree) }
}

impl Flows {
    fn check(&self) -> Result<(), Error> {
        self.per_year.check()?;
        self.advances.iter().chain(&self.payments).try_for_each(Series::check)?;
        let count: u64 = self.advances.iter().chain(&self.payments).map(|series| u64::from(series.count)).sum();
        bounded("the number of cash flows", count, 2, MAX_FLOWS)?;
        if self.advances.is_empty() || self.payments.is_empty() {
            return Err(Error::NoAnnualRate("there must be advances and payments"));
        }
        Ok(())
    }

    /// What the advances are worth at the start more than the payments.
    fn excess(&self, rate: &BigUint) -> BigInt {
        let worth = |series: &[Series]| BigInt::from(series.iter().map(|series| series.worth(rate)).sum::<BigUint>());
        worth(&self.advances) - worth(&self.payments)
    }

    fn rate_per_period(&self) -> Result<BigUint, Error> {
        let sum =
            |series: &[Series]| series.iter().map(|series| series.amount * i128::from(series.count)).sum::<Minor>();
        let (advanced, repaid) = (sum(&self.advances), sum(&self.payments));
        if advanced > repaid {
            return Err(Error::NoAnnualRate("less is paid than was advanced"));
        }
        if advanced == repaid {
            return Ok(BigUint::ZERO);
        }
        let limit =
            (BigUint::from(MAX_APR_PERCENT) << BITS) * self.per_year.denominator / (100 * self.per_year.numerator);
        let mut low = BigUint::ZERO;
        let mut high = BigUint::from(1_u32) << (BITS - 20);
        while self.excess(&high) < BigInt::ZERO {
            if high > limit {
                return Err(Error::NoAnnualRate("payments are worth more than advances at any rate"));
            }
            low.clone_from(&high);
            high <<= 1_u32;
        }
        while (&high - &low).bits() > WIDTH_BITS {
            let middle: BigUint = (&low + &high) >> 1_u32;
            if self.excess(&middle) < BigInt::ZERO {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(high)
    }
}

/// A cash flow on a day: what the borrower receives is positive, what the borrower pays is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatedFlow {
    /// When.
    pub date: Date,
    /// How much, not zero.
    pub amount: Minor,
}

/// The effective annual rate of cash flows by date.
///
/// # Errors
/// As [`annual_rate`]; also if the first of them is a payment.
pub fn effective_rate(flows: &[DatedFlow]) -> Result<Percent, Error> {
    bounded("the number of cash flows", flows.len() as u64, 2, MAX_FLOWS)?;
    let start = flows.iter().map(|flow| flow.date).min().ok_or(Error::NoAnnualRate("there are none"))?;
    let side = |is_advance: bool| -> Vec<Series> {
        let of_side = flows.iter().filter(|flow| (flow.amount > 0) == is_advance);
        of_side.map(|flow| Series::one(flow.date.days_since(start).unsigned_abs(), (0, 1), flow.amount.abs())).collect()
    };
    let flows = Flows { per_year: PerYear::whole(365), advances: side(true), payments: side(false) };
    if !flows.advances.iter().any(|advance| advance.periods == 0) {
        return Err(Error::NoAnnualRate("the first of them must be an advance"));
    }
    annual_rate(&flows).map(|rate| rate.effective)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_year: u32, advance: Minor, payments: &[Series]) -> AnnualRate {
        let flows = Flows {
            per_year: PerYear::whole(per_year),
            advances: vec![Series::one(0, (0, 1), advance * 100)],
            payments: payments.to_vec(),
        };
        annual_rate(&flows).unwrap()
    }

    fn payments(periods: u32, odd: (u32, u32), amount: Minor, count: u32) -> Series {
        Series { periods, odd, amount, count, step: 1 }
    }

    #[track_caller]
    fn check(per_year: u32, advance: Minor, of: &[Series], expected: &str) {
        assert_eq!(rate(per_year, advance, of).nominal.format(2), expected);
    }

    /// The examples of Appendix J, paragraph (c).
    #[test]
    fn appendix_j_single_advance() {
        check(12, 5_000, &[payments(1, (0, 1), 23_000, 24)], "9.69");
        check(12, 6_000, &[payments(1, (19, 30), 20_000, 36)], "11.82");
        check(24, 5_000, &[payments(0, (6, 15), 21_917, 24)], "10.34");
        check(4, 10_000, &[payments(1, (39, 90), 38_500, 40)], "8.97");
        check(52, 500, &[payments(4, (4, 7), 1_760, 30)], "14.96");
        check(12, 5_000, &[payments(1, (0, 1), 25_000, 1), payments(2, (0, 1), 23_000, 23)], "10.08");
    }

    #[test]
    fn no_interest_is_no_rate() {
        let free = rate(12, 1_000, &[payments(1, (0, 1), 25_000, 4)]);
        assert_eq!((free.nominal.format(2), free.effective.format(2)), ("0.00".to_owned(), "0.00".to_owned()));
    }

    #[test]
    fn the_effective_rate_compounds() {
        // 1 % a month for a year: 1.01¹² = 1.126825.
        let monthly = rate(12, 1_000, &[Series::one(1, (0, 1), 101_000)]);
        assert_eq!(
            (monthly.nominal.format(6), monthly.effective.format(4)),
            ("12.000000".to_owned(), "12.6825".to_owned())
        );
        // 2 % in two years is less than 1 % a year.
        let flows = Flows {
            per_year: PerYear { numerator: 1, denominator: 2 },
            advances: vec![Series::one(0, (0, 1), 10_000)],
            payments: vec![Series::one(1, (0, 1), 10_201)],
        };
        let rate = annual_rate(&flows).unwrap();
        assert_eq!((rate.nominal.format(3), rate.effective.format(6)), ("1.005".to_owned(), "1.000000".to_owned()));
    }

    fn dated(flows: &[(&str, Minor)]) -> Result<Percent, Error> {
        let flow = |(date, amount): &(&str, Minor)| DatedFlow { date: date.parse().unwrap(), amount: *amount };
        effective_rate(&flows.iter().map(flow).collect::<Vec<_>>())
    }

    /// The examples of Directive 98/7/EC, Annex III, which 2008/48/EC continues; the fourth in quarters of a year.
    #[test]
    fn european_examples() {
        let rate = |flows: &[(&str, Minor)]| dated(flows).unwrap().format(2);
        assert_eq!(rate(&[("1994-01-01", 100_000), ("1995-07-01", -120_000)]), "12.96");
        assert_eq!(rate(&[("1994-01-01", 95_000), ("1995-07-01", -120_000)]), "16.90");
        assert_eq!(rate(&[("1994-01-01", 100_000), ("1995-01-01", -60_000), ("1996-01-01", -60_000)]), "13.07");
        let quarters = [(1, 27_200), (2, 27_200), (4, 54_400)].map(|(at, amount)| Series::one(at, (0, 1), amount));
        assert_eq!(super::tests::rate(4, 1_000, &quarters).effective.format(2), "13.19");
    }

    #[test]
    fn what_has_no_rate_is_refused() {
        let is_refused = |flows: &[(&str, Minor)]| assert!(dated(flows).is_err(), "{flows:?}");
        is_refused(&[]);
        is_refused(&[("2024-01-01", 100)]);
        is_refused(&[("2024-01-01", 100), ("2024-02-01", 100)]);
        is_refused(&[("2024-01-01", 100), ("2024-02-01", -99)]);
        is_refused(&[("2024-01-01", -100), ("2024-02-01", 100)]);
        is_refused(&[("2024-01-01", 100), ("2024-01-01", -101)]);
        is_refused(&[("2024-01-01", 100), ("2024-01-02", -100_000_000)]);
        let series = payments(1, (0, 1), 1, 1);
        for wrong in [Series { odd: (1, 0), ..series }, Series { odd: (2, 1), ..series }, Series { count: 0, ..series }]
        {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        assert!(Series { count: 10_000, step: 4, ..series }.check().is_err());
    }
}
