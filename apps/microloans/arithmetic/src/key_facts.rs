//! The key facts statement: what a borrower is told, in figures, before agreeing.

use std::fmt::Write as _;

use crate::{
    Error,
    apr::{AnnualRate, DatedFlow, Flows, PerYear, Percent, Series, annual_rate, effective_rate},
    date::Date,
    loan::{Line, Loan},
    metrics::cost_per_thousand,
    money::{Currency, Minor},
    period::Every,
    rate::Rate,
    terms::Terms,
};

/// Days of a loan from which on an offer has to stand longer.
const LONG_TERM_DAYS: i32 = 7;

/// The figures of a key facts statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// The currency of all amounts.
    pub currency: Currency,
    /// What is lent.
    pub principal: Minor,
    /// What the borrower receives.
    pub received: Minor,
    /// Fees that are kept back from what is lent.
    pub fees_kept_back: Minor,
    /// Fees with instalments.
    pub fees_with_instalments: Minor,
    /// Nominal annual rate of interest.
    pub rate: Rate,
    /// All interest.
    pub interest: Minor,
    /// All that the borrower pays.
    pub total_paid: Minor,
    /// What the loan costs: all that is paid less what is received.
    pub cost: Minor,
    /// The same for each thousand received.
    pub cost_per_thousand: Minor,
    /// Annual percentage rate with fees, by Regulation Z.
    pub apr: Percent,
    /// Effective annual rate with fees, by date.
    pub effective: Percent,
    /// When it is disbursed, and when the last instalment is due.
    pub term: (Date, Date),
    /// Working days for which the offer stands: three, or one for a loan of less than a week.
    pub offer_working_days: u32,
    /// The instalments.
    pub lines: Vec<Line>,
}

impl KeyFacts {
    /// The key facts of terms.
    ///
    /// # Errors
    /// If the terms cannot be calculated, or their cost has no annual rate.
    pub fn of(terms: &Terms) -> Result<Self, Error> {
        let lines = Loan::new(terms.clone())?.schedule().lines;
        let (Some(first), Some(last)) = (terms.disbursements.first(), lines.last()) else {
            return Err(Error::NoDisbursement);
        };
        let total = lines.iter().fold(crate::Parts::default(), |sum, line| sum.plus(&line.parts));
        let (principal, fees_kept_back) = (terms.principal(), terms.fees_on_disbursement());
        let received = principal - fees_kept_back;
        let cost = total.total() - received;
        let flows = cash_flows(terms, &lines);
        Ok(Self {
            currency: terms.currency,
            principal,
            received,
            fees_kept_back,
            fees_with_instalments: total.fees,
            rate: terms.rate,
            interest: total.interest,
            total_paid: total.total(),
            cost,
            cost_per_thousand: cost_per_thousand(cost, received, terms.currency).unwrap_or(0),
            apr: by_unit_periods(terms, &flows)?.nominal,
            effective: effective_rate(&flows)?,
            term: (first.date, last.due),
            offer_working_days: if last.due.days_since(first.date) >= LONG_TERM_DAYS { 3 } else { 1 },
            lines,
        })
    }

    /// The figures as text, one a line, always in the same order: what a borrower's consent is a hash of.
    #[must_use]
    pub fn canonical(&self) -> String {
        let amount = |minor| self.currency.format(minor);
        let mut text = String::new();
        let facts = [
            ("currency", self.currency.to_string()),
            ("principal", amount(self.principal)),
            ("received", amount(self.received)),
            ("fees_kept_back", amount(self.fees_kept_back)),
            ("fees_with_instalments", amount(self.fees_with_instalments)),
            ("annual_rate_percent", self.rate.to_string()),
            ("interest", amount(self.interest)),
            ("total_paid", amount(self.total_paid)),
            ("cost", amount(self.cost)),
            ("cost_per_thousand", amount(self.cost_per_thousand)),
            ("apr_percent", self.apr.format(2)),
            ("effective_percent", self.effective.format(2)),
            ("disbursed", self.term.0.to_string()),
            ("offer_working_days", self.offer_working_days.to_string()),
        ];
        for (name, value) in facts {
            let _ = writeln!(text, "{name} {value}");
        }
        for line in &self.lines {
            let _ = writeln!(text, "instalment {} {}", line.due, amount(line.parts.total()));
        }
        text
    }
}

/// What the borrower receives and pays if everything is paid on its day. Fees that are kept back lessen the first disbursements.
#[must_use]
pub fn cash_flows(terms: &Terms, lines: &[Line]) -> Vec<DatedFlow> {
    let mut kept_back = terms.fees_on_disbursement();
    let mut flows = Vec::new();
    for disbursement in &terms.disbursements {
        let less = kept_back.min(disbursement.amount);
        kept_back -= less;
        flows.push(DatedFlow { date: disbursement.date, amount: disbursement.amount - less });
    }
    flows.extend(lines.iter().map(|line| DatedFlow { date: line.due, amount: -line.parts.total() }));
    flows.retain(|flow| flow.amount != 0);
    flows
}

/// The annual rate by Appendix J, with the interval between instalments as the unit period.
fn by_unit_periods(terms: &Terms, flows: &[DatedFlow]) -> Result<AnnualRate, Error> {
    let every = terms.periods.every();
    let start = flows.first().map_or_else(|| terms.due(0), |flow| flow.date);
    let series = |flow: &DatedFlow| {
        let (periods, odd) = unit_periods(start, flow.date, every);
        Series::one(periods, odd, flow.amount.abs())
    };
    let (advances, payments): (Vec<_>, Vec<_>) = flows.iter().partition(|flow| flow.amount > 0);
    annual_rate(&Flows {
        per_year: per_year(every),
        advances: advances.into_iter().map(series).collect(),
        payments: payments.into_iter().map(series).collect(),
    })
}

const fn per_year(every: Every) -> PerYear {
    match every {
        Every::Months(months) => PerYear { numerator: 12, denominator: months },
        // A year of 52 weeks, or of 365 days.
        Every::Days(days) if days % 7 == 0 => PerYear { numerator: 52, denominator: days / 7 },
        Every::Days(days) => PerYear { numerator: 365, denominator: days },
    }
}

/// Whole unit periods and the odd part of one between two days, counted back from the later one. A month of an odd part has thirty days
/// (Appendix J, paragraph (b)(5)).
#[must_use]
pub fn unit_periods(start: Date, end: Date, every: Every) -> (u32, (u32, u32)) {
    match every {
        Every::Days(length) => {
            let days = end.days_since(start).max(0).cast_unsigned();
            (days / length, (days % length, length))
        }
        Every::Months(length) => {
            let days = end.days_since(start).max(0);
            // Too many at first by at most a few.
            let mut months = days / 28;
            while months > 0 && end.plus_months(-months) < start {
                months -= 1;
            }
            let odd_days = end.plus_months(-months).days_since(start).clamp(0, 30).cast_unsigned();
            let months = months.cast_unsigned();
            (months / length, (months % length * 30 + odd_days, length * 30))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Charge, Disbursement, Fee, When};

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn terms(fees: Vec<Fee>) -> Terms {
        let first = Disbursement { date: date("2024-01-01"), amount: 1_000_000 };
        let rate = "24".parse().unwrap();
        Terms { fees, ..Terms::new("KES".parse().unwrap(), first, rate, date("2024-02-01"), Every::Months(1), 6) }
    }

    fn fee(percent: u32, when: When) -> Fee {
        Fee { name: "service".to_owned(), charge: Charge::Share(Rate::percent(percent).unwrap()), when }
    }

    #[test]
    fn without_fees_the_rate_is_the_price() {
        let facts = KeyFacts::of(&terms(vec![])).unwrap();
        assert_eq!(facts.apr.format(2), "24.00");
        assert_eq!((facts.received, facts.cost), (1_000_000, facts.interest));
        assert_eq!(facts.total_paid, facts.lines.iter().map(|line| line.parts.total()).sum::<Minor>());
        assert_eq!(facts.offer_working_days, 3);
    }

    #[test]
    fn a_fee_is_part_of_the_price() {
        let plain = KeyFacts::of(&terms(vec![])).unwrap();
        let kept_back = KeyFacts::of(&terms(vec![fee(3, When::Disbursement)])).unwrap();
        assert_eq!((kept_back.received, kept_back.cost), (970_000, plain.cost + 30_000));
        assert_eq!((kept_back.cost, kept_back.cost_per_thousand), (101_154, 10_428));
        let paid = KeyFacts::of(&terms(vec![fee(1, When::EveryInstalment)])).unwrap();
        assert_eq!(paid.fees_with_instalments, 60_000);
        assert!(plain.apr < kept_back.apr && kept_back.apr < paid.apr);
        // 9700.00 received, 5 × 1785.26 and 1785.24 paid: the same by floating point, elsewhere.
        assert_eq!((kept_back.apr.format(2), kept_back.effective.format(2)), ("34.92".to_owned(), "41.22".to_owned()));
    }

    #[test]
    fn odd_days_of_the_examples() {
        let months = |start, end, length| unit_periods(date(start), date(end), Every::Months(length));
        assert_eq!(
            months("1978-01-13", "1978-03-01", 1),
            (1, (19, 30)),
            "loan of January 13th, first payment March 1st"
        );
        assert_eq!(months("1978-05-23", "1978-10-01", 3), (1, (39, 90)), "loan of May 23rd, first payment October 1st");
        assert_eq!(months("2024-01-31", "2024-02-29", 1), (0, (29, 30)), "the 29th a month earlier is before the 31st");
        assert_eq!(unit_periods(date("1978-03-20"), date("1978-04-21"), Every::Days(7)), (4, (4, 7)));
    }

    #[test]
    fn consent_is_to_one_text() {
        let facts = KeyFacts::of(&terms(vec![fee(3, When::Disbursement)])).unwrap();
        let text = facts.canonical();
        assert!(text.starts_with("currency KES\nprincipal 10000.00\nreceived 9700.00\n"), "{text}");
        assert!(text.contains("\napr_percent 34.92\n"), "{text}");
        assert_eq!(text.lines().count(), 14 + 6);
        assert_ne!(text, KeyFacts::of(&terms(vec![])).unwrap().canonical());
    }
}
