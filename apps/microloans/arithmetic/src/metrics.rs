//! Figures of a portfolio. Each is a fraction of whole amounts, kept as such until it is shown.
//!
//! Portfolio at risk is the whole outstanding principal of loans that are late, over the gross outstanding principal: an overdue instalment
//! puts all that is left of its loan at risk. What is overdue over what is outstanding looks better, and says less.

use crate::{
    Error,
    money::{Currency, Minor, format_decimal},
    rate::Rate,
    round::half_even,
};

/// A part of a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Above the line.
    pub part: Minor,
    /// Below it.
    pub whole: Minor,
}

impl Ratio {
    /// In percent with two decimals, half to even; `None` of nothing.
    #[must_use]
    pub fn percent(self) -> Option<String> {
        (self.whole > 0).then(|| format_decimal(half_even(self.part * 10_000, self.whole), 2))
    }
}

/// Whether a loan was restructured, and has not been paid as agreed for long enough since to count as sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restructured {
    /// Never, or long ago.
    #[default]
    No,
    /// Yes.
    NotCured,
}

/// A loan as the portfolio sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// Principal that has not been repaid.
    pub outstanding: Minor,
    /// Principal and interest that are overdue.
    pub overdue: Minor,
    /// Days since the oldest instalment fell due that is not paid.
    pub days_late: u32,
    /// Whether it was restructured.
    pub restructured: Restructured,
}

/// Which loans are at risk besides late ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// Restructured ones that are not cured.
    WithRestructured,
    /// None.
    LateOnly,
}

/// Portfolio at risk: loans with an instalment more than so many days late, by [`Counting`] with restructured ones.
///
/// PAR30 is `at_risk(loans, 30, …)`, and PAR1, of loans that are late at all, `at_risk(loans, 0, …)`.
#[must_use]
pub fn at_risk(loans: &[Exposure], days: u32, counting: Counting) -> Ratio {
    let is_at_risk = |loan: &&Exposure| {
        loan.days_late > days || (counting == Counting::WithRestructured && loan.restructured == Restructured::NotCured)
    };
    Ratio { part: outstanding(loans.iter().filter(is_at_risk)), whole: outstanding(loans.iter()) }
}

fn outstanding<'a>(loans: impl Iterator<Item = &'a Exposure>) -> Minor {
    loans.map(|loan| loan.outstanding).sum()
}

/// What is overdue over what is outstanding; not portfolio at risk, though it is often called that.
#[must_use]
pub fn arrears_rate(loans: &[Exposure]) -> Ratio {
    Ratio { part: loans.iter().map(|loan| loan.overdue).sum(), whole: outstanding(loans.iter()) }
}

/// What was given up in a span of time over the average gross portfolio, of the balances at its beginning and end.
#[must_use]
pub const fn write_off_ratio(written_off: Minor, gross_before: Minor, gross_after: Minor) -> Ratio {
    Ratio { part: written_off * 2, whole: gross_before + gross_after }
}

/// The allowance for losses over what is at risk beyond 30 days.
#[must_use]
pub fn risk_coverage(allowance: Minor, loans: &[Exposure]) -> Ratio {
    Ratio { part: allowance, whole: at_risk(loans, 30, Counting::WithRestructured).part }
}

/// Instalments paid by their due date over all that fell due.
#[must_use]
pub const fn on_time_rate(on_time: u32, fallen_due: u32) -> Ratio {
    // Widenings that `From` cannot do in a constant function.
    Ratio { part: on_time as i128, whole: fallen_due as i128 }
}

/// Operational self-sufficiency: revenue over what it took to earn it (funding, losses and running costs).
#[must_use]
pub const fn self_sufficiency(revenue: Minor, funding: Minor, losses: Minor, running: Minor) -> Ratio {
    Ratio { part: revenue, whole: funding + losses + running }
}

/// Interest, fees and penalties received in so many days over the average gross portfolio, for a year of 365.
#[must_use]
pub fn portfolio_yield(received: Minor, gross_before: Minor, gross_after: Minor, days: u32) -> Ratio {
    Ratio { part: received * 2 * 365, whole: (gross_before + gross_after) * i128::from(days) }
}

/// What running costs are for each loan made; `None` without loans.
#[must_use]
pub fn cost_per_loan(running: Minor, loans: u32) -> Option<Minor> {
    (loans > 0).then(|| half_even(running, loans.into()))
}

/// What a borrower pays in all for each thousand units of the currency received, in minor units.
#[must_use]
pub const fn cost_per_thousand(cost: Minor, received: Minor, currency: Currency) -> Option<Minor> {
    let thousand = 10_i128.pow(3 + currency.decimals() as u32);
    if received <= 0 { None } else { Some(half_even(cost * thousand, received)) }
}

/// How late a loan is, in the classes of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    /// Not late.
    Current,
    /// 1 to 30 days.
    To30,
    /// 31 to 60 days.
    To60,
    /// 61 to 90 days.
    To90,
    /// 91 to 180 days.
    To180,
    /// More.
    Beyond180,
}

impl Bucket {
    /// The class of a number of days.
    #[must_use]
    pub const fn of(days_late: u32) -> Self {
        match days_late {
            0 => Self::Current,
            1..=30 => Self::To30,
            31..=60 => Self::To60,
            61..=90 => Self::To90,
            91..=180 => Self::To180,
            _ => Self::Beyond180,
        }
    }
}

/// Stage of expected credit loss (IFRS 9): up to 30 days late, up to 90, more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Sound.
    One,
    /// Significantly riskier than when it was made.
    Two,
    /// Impaired.
    Three,
}

impl Stage {
    /// The stage of a number of days.
    #[must_use]
    pub const fn of(days_late: u32) -> Self {
        match days_late {
            0..=30 => Self::One,
            31..=90 => Self::Two,
            _ => Self::Three,
        }
    }
}

/// What is expected of the loans of one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Probability of default, as a rate; for stage one within a year, else within the life of the loan.
    pub default: Rate,
    /// Share of the exposure that is lost in default.
    pub loss: Rate,
}

/// Expected credit loss: probability of default × loss given default × exposure, each loan rounded by itself, with the expectations of the three stages.
#[must_use]
pub fn expected_loss(loans: &[Exposure], stages: &[Expectation; 3]) -> Minor {
    let of_loan = |loan: &Exposure| {
        let expectation = match Stage::of(loan.days_late) {
            Stage::One => &stages[0],
            Stage::Two => &stages[1],
            Stage::Three => &stages[2],
        };
        // Rates are shares of ten to the eighth: both at once stay within 27 + 27 + 50 bits, as neither is above a whole.
        let whole = Rate::percent(100).unwrap_or_default();
        let (default, loss) = (expectation.default.min(whole), expectation.loss.min(whole));
        half_even(loan.outstanding * default.millionths() * loss.millionths(), whole.millionths() * whole.millionths())
    };
    loans.iter().map(of_loan).sum()
}

/// The smallest of the values that at least so many percent of them do not exceed (nearest rank); `None` without values.
///
/// # Errors
/// If the percentage is not from 1 to 100.
pub fn percentile(values: &[u64], percent: u32) -> Result<Option<u64>, Error> {
    crate::terms::bounded("a percentile", percent.into(), 1, 100)?;
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() as u64 * u64::from(percent)).div_ceil(100);
    Ok(usize::try_from(rank).ok().and_then(|rank| rank.checked_sub(1)).and_then(|at| sorted.get(at).copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loan(outstanding: Minor, overdue: Minor, days_late: u32, restructured: Restructured) -> Exposure {
        Exposure { outstanding, overdue, days_late, restructured }
    }

    fn four() -> [Exposure; 4] {
        [
            loan(1_000, 0, 0, Restructured::No),
            loan(500, 50, 31, Restructured::No),
            loan(300, 0, 0, Restructured::NotCured),
            loan(200, 20, 10, Restructured::No),
        ]
    }

    #[test]
    fn risk_of_the_constructed_portfolio() {
        let par = |days, counting| at_risk(&four(), days, counting).percent().unwrap();
        assert_eq!(par(0, Counting::WithRestructured), "50.00");
        assert_eq!(par(30, Counting::WithRestructured), "40.00");
        assert_eq!(par(30, Counting::LateOnly), "25.00");
        assert_eq!(par(31, Counting::LateOnly), "0.00", "more than 31 days is not 31 days");
        assert_eq!(arrears_rate(&four()).percent().unwrap(), "3.50");
        assert_eq!(risk_coverage(200, &four()), Ratio { part: 200, whole: 800 });
        assert_eq!(at_risk(&[], 30, Counting::LateOnly).percent(), None);
    }

    #[test]
    fn classes_begin_where_they_say() {
        let buckets = [0, 1, 30, 31, 60, 61, 90, 91, 180, 181].map(Bucket::of);
        use Bucket::{Beyond180, Current, To30, To60, To90, To180};
        assert_eq!(buckets, [Current, To30, To30, To60, To60, To90, To90, To180, To180, Beyond180]);
        assert_eq!([0, 30, 31, 90, 91].map(Stage::of), [Stage::One, Stage::One, Stage::Two, Stage::Two, Stage::Three]);
    }

    #[test]
    fn ratios_of_a_year() {
        assert_eq!(write_off_ratio(30, 900, 1_100).percent().unwrap(), "3.00");
        assert_eq!(portfolio_yield(60, 900, 1_100, 73).percent().unwrap(), "30.00");
        assert_eq!(self_sufficiency(120, 40, 20, 40).percent().unwrap(), "120.00");
        assert_eq!(on_time_rate(97, 100).percent().unwrap(), "97.00");
        assert_eq!((cost_per_loan(1_000, 3), cost_per_loan(1, 0)), (Some(333), None));
        let shillings = "KES".parse().unwrap();
        // 25.00 for 200.00 are 125.00 for 1000.00.
        assert_eq!(cost_per_thousand(2_500, 20_000, shillings), Some(12_500));
        assert_eq!(cost_per_thousand(1, 0, shillings), None);
    }

    #[test]
    fn expected_losses_by_stage() {
        let rate = |percent| Rate::percent(percent).unwrap();
        let stages = [(2, 50), (20, 50), (100, 60)]
            .map(|(default, loss)| Expectation { default: rate(default), loss: rate(loss) });
        // 1000 and 300 and 200 at 1 %, 500 at 10 %.
        assert_eq!(expected_loss(&four(), &stages), 10 + 50 + 3 + 2);
    }

    #[test]
    fn percentiles_are_values() {
        let values: Vec<u64> = (1..=20).rev().collect();
        assert_eq!(
            [percentile(&values, 50), percentile(&values, 95), percentile(&values, 100)],
            [Ok(Some(10)), Ok(Some(19)), Ok(Some(20))]
        );
        assert_eq!(percentile(&[], 50), Ok(None));
        assert!(percentile(&values, 0).is_err() && percentile(&values, 101).is_err());
    }
}
