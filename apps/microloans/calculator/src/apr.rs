//! Requests for annual rates.

use braid_microloans_arithmetic::{
    Currency, Error, Minor,
    apr::{DatedFlow, Flows, PerYear, Series, annual_rate, effective_rate},
};
use serde::{Deserialize, Serialize};

use crate::{
    CalculatorError, at,
    input::{Decimal, Fraction, Text},
};

/// Decimals of the percentages in answers.
const DECIMALS: u8 = 2;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    unit_periods_per_year: Option<Decimal>,
    advances: Option<Vec<SeriesRequest>>,
    payments: Option<Vec<SeriesRequest>>,
    dates: Option<Dates>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeriesRequest {
    t: Option<u32>,
    f: Option<Decimal>,
    amount: Decimal,
    count: Option<u32>,
    step: Option<u32>,
}

/// Cash flows by date: one list with signs, or two without.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Dates {
    Signed(Vec<DatedRequest>),
    Sides(Sides),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sides {
    advances: Vec<DatedRequest>,
    payments: Vec<DatedRequest>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatedRequest {
    pub(crate) date: Text,
    pub(crate) amount: Decimal,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    apr_percent: String,
    effective_percent: String,
}

pub(crate) fn answer(request: &Request) -> Result<Answer, CalculatorError> {
    let has_periods =
        request.unit_periods_per_year.is_some() || request.advances.is_some() || request.payments.is_some();
    match &request.dates {
        Some(dates) if !has_periods => by_date(dates),
        Some(_) => Err(CalculatorError::Inconsistent("give either dates, or unit periods".to_owned())),
        None => by_unit_periods(request),
    }
}

fn by_unit_periods(request: &Request) -> Result<Answer, CalculatorError> {
    let per_year = request.unit_periods_per_year.as_ref().ok_or_else(|| {
        CalculatorError::Inconsistent("unit_periods_per_year is missing, and so are dates".to_owned())
    })?;
    let Fraction { numerator, denominator } = per_year.read("unit_periods_per_year")?;
    let series = |requests: &Option<Vec<SeriesRequest>>| {
        requests.iter().flatten().map(SeriesRequest::series).collect::<Result<_, _>>()
    };
    let rate = annual_rate(&Flows {
        per_year: PerYear { numerator, denominator },
        advances: series(&request.advances)?,
        payments: series(&request.payments)?,
    })?;
    Ok(Answer { apr_percent: rate.nominal.format(DECIMALS), effective_percent: rate.effective.format(DECIMALS) })
}

impl SeriesRequest {
    fn series(&self) -> Result<Series, CalculatorError> {
        let odd = self.f.as_ref().map_or(Ok(Fraction { numerator: 0, denominator: 1 }), |f| f.read("f"))?;
        Ok(Series {
            periods: self.t.unwrap_or(0),
            odd: (odd.numerator, odd.denominator),
            amount: amount(&self.amount)?,
            count: self.count.unwrap_or(1),
            step: self.step.unwrap_or(1),
        })
    }
}

/// Rates do not depend on the currency: amounts are read with six decimals, the most that any has.
fn amount(decimal: &Decimal) -> Result<Minor, CalculatorError> {
    let finest = Currency::all().max_by_key(|currency| currency.decimals());
    at("amount", finest.ok_or(Error::UnknownCurrency(String::new())).and_then(|finest| finest.parse(&decimal.0)))
}

fn by_date(dates: &Dates) -> Result<Answer, CalculatorError> {
    let flows = match dates {
        Dates::Signed(flows) => signed(flows)?,
        Dates::Sides(sides) => {
            let payments = read(&sides.payments)?.into_iter().map(|flow| DatedFlow { amount: -flow.amount, ..flow });
            let flows: Vec<_> = read(&sides.advances)?.into_iter().chain(payments).collect();
            let is_signed = flows[..sides.advances.len()].iter().any(|flow| flow.amount < 0)
                || flows[sides.advances.len()..].iter().any(|flow| flow.amount > 0);
            if is_signed {
                return Err(CalculatorError::Inconsistent("advances and payments have no sign".to_owned()));
            }
            flows
        }
    };
    let effective = effective_rate(&flows)?.format(DECIMALS);
    // Under the directive, the annual percentage rate is the effective one.
    Ok(Answer { apr_percent: effective.clone(), effective_percent: effective })
}

/// Either sign may be that of the borrower's receipts: it is the sign of the first cash flow.
fn signed(requests: &[DatedRequest]) -> Result<Vec<DatedFlow>, CalculatorError> {
    let mut flows = read(requests)?;
    let first = flows.iter().min_by_key(|flow| flow.date).map_or(0, |flow| flow.amount.signum());
    flows.iter_mut().for_each(|flow| flow.amount *= first);
    Ok(flows)
}

fn read(requests: &[DatedRequest]) -> Result<Vec<DatedFlow>, CalculatorError> {
    let flow = |request: &DatedRequest| {
        let amount = amount(&request.amount)?;
        if amount == 0 {
            Err(CalculatorError::Value { key: "amount", error: Error::NotPositive("an amount") })
        } else {
            Ok(DatedFlow { date: request.date.read("date")?, amount })
        }
    };
    requests.iter().map(flow).collect()
}
