//! Requests for schedules.

use braid_microloans_arithmetic::{
    Charge, Currency, Date, DayCount, Disbursement, Every, Fee, Grace, Late, Line, Loan, Method, Minor, Penalty,
    Periods, Prepayment, Rounding, Terms, When, limits::MAX_PAYMENTS,
};
use serde::{Deserialize, Serialize};

use crate::{
    CalculatorError,
    apr::DatedRequest,
    at,
    input::{Decimal, Text},
};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    principal: Decimal,
    currency: Text,
    annual_rate_percent: Decimal,
    method: MethodName,
    day_count: Option<Text>,
    disbursed: Option<Text>,
    first_due: Option<Text>,
    every: Option<Text>,
    instalments: u32,
    instalment_multiple: Option<Decimal>,
    instalment_rounding: Option<RoundingName>,
    grace_principal: Option<u32>,
    grace_interest: Option<u32>,
    disbursements: Option<Vec<DatedRequest>>,
    payments: Option<Vec<DatedRequest>>,
    advance: Option<AdvanceName>,
    as_of: Option<Text>,
    fees: Option<Vec<FeeRequest>>,
    late: Option<LateRequest>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum MethodName {
    Flat,
    Declining,
    Daily,
    EqualPrincipal,
    Bullet,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum AdvanceName {
    #[default]
    NextInstalment,
    LastInstalment,
    ReduceInstalment,
    ReduceCount,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum RoundingName {
    #[default]
    HalfEven,
    Up,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum WhenName {
    Disbursement,
    FirstInstalment,
    EveryInstalment,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeeRequest {
    name: Option<String>,
    amount: Option<Decimal>,
    percent: Option<Decimal>,
    when: WhenName,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LateRequest {
    amount: Option<Decimal>,
    percent: Option<Decimal>,
    annual_rate_percent: Option<Decimal>,
    grace_days: Option<u16>,
    cap_percent: Option<Decimal>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    instalments: Vec<InstalmentAnswer>,
    total_interest: String,
    pay_off: String,
    /// Only where more was paid than owed.
    #[serde(skip_serializing_if = "Option::is_none")]
    overpaid: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct InstalmentAnswer {
    due: String,
    principal: String,
    interest: String,
    fees: String,
    penalties: String,
    total: String,
    balance: String,
}

/// A request whose values have been read.
struct Calculation {
    terms: Terms,
    /// `None` if nothing is known of payments, so that all are taken to be made as agreed.
    payments: Option<Vec<Disbursement>>,
    as_of: Date,
}

pub(crate) fn answer(request: &Request) -> Result<Answer, CalculatorError> {
    let Calculation { terms, payments, as_of } = read(request)?;
    let currency = terms.currency;
    let mut loan = Loan::new(terms)?;
    match payments {
        None => loan.keep_to(as_of)?,
        Some(payments) => {
            for payment in payments {
                at("payments", loan.pay(payment.date, payment.amount))?;
            }
            loan.advance_to(as_of)?;
        }
    }
    let schedule = loan.schedule();
    let overpaid = loan.overpaid();
    Ok(Answer {
        total_interest: currency.format(schedule.totals().interest),
        pay_off: currency.format(loan.owed()),
        instalments: schedule.lines.iter().map(|line| InstalmentAnswer::new(currency, line)).collect(),
        overpaid: (overpaid > 0).then(|| currency.format(overpaid)),
    })
}

impl InstalmentAnswer {
    fn new(currency: Currency, line: &Line) -> Self {
        Self {
            due: line.due.to_string(),
            principal: currency.format(line.parts.principal),
            interest: currency.format(line.parts.interest),
            fees: currency.format(line.parts.fees),
            penalties: currency.format(line.parts.penalties),
            total: currency.format(line.parts.total()),
            balance: currency.format(line.balance),
        }
    }
}

fn read(request: &Request) -> Result<Calculation, CalculatorError> {
    let currency: Currency = request.currency.read("currency")?;
    let disbursements = disbursements(request, currency)?;
    let first = disbursements[0];
    let every: Every = request.every.as_ref().map_or(Ok(Every::Months(1)), |every| every.read("every"))?;
    let first_due = match &request.first_due {
        Some(first_due) => first_due.read("first_due")?,
        None => Periods::new(first.date, every).end(1),
    };
    let method = request.method.into();
    let mut payments = request.payments.as_deref().map(|payments| dated("payments", payments, currency)).transpose()?;
    if let Some(payments) = &mut payments {
        payments.sort_by_key(|payment| payment.date);
    }
    let last_paid = payments.as_ref().and_then(|payments| payments.last()).map(|payment| payment.date);
    let as_of = match &request.as_of {
        Some(as_of) => as_of.read("as_of")?,
        None => last_paid.unwrap_or(first.date),
    };
    check_days(first.date, &payments, as_of)?;
    let multiple = request.instalment_multiple.as_ref();
    let terms = Terms {
        disbursements,
        method,
        day_count: request.day_count.as_ref().map_or(Ok(usual_day_count(method)), |name| name.read("day_count"))?,
        multiple: multiple.map_or(Ok(1), |multiple| at("instalment_multiple", currency.parse(&multiple.0)))?,
        rounding: request.instalment_rounding.unwrap_or_default().into(),
        grace: Grace { principal: request.grace_principal.unwrap_or(0), interest: request.grace_interest.unwrap_or(0) },
        fees: request.fees.iter().flatten().map(|fee| fee.fee(currency)).collect::<Result<_, _>>()?,
        penalty: request.late.as_ref().map(|late| late.penalty(currency)).transpose()?,
        prepayment: request.advance.unwrap_or_default().into(),
        ..Terms::new(
            currency,
            first,
            request.annual_rate_percent.read("annual_rate_percent")?,
            first_due,
            every,
            request.instalments,
        )
    };
    Ok(Calculation { terms, payments, as_of })
}

/// Daily interest counts days; other methods count months.
const fn usual_day_count(method: Method) -> DayCount {
    if matches!(method, Method::Daily) { DayCount::Actual365 } else { DayCount::Thirty360 }
}

/// What is lent and when. Without `disbursements` it is the principal on the day `disbursed`. Otherwise they are all of it, if one of them
/// is made on that day or no such day is given; or what is lent after it, besides the principal.
fn disbursements(request: &Request, currency: Currency) -> Result<Vec<Disbursement>, CalculatorError> {
    let principal = at("principal", currency.parse(&request.principal.0))?;
    let mut listed = dated("disbursements", request.disbursements.as_deref().unwrap_or_default(), currency)?;
    listed.sort_by_key(|disbursement| disbursement.date);
    let disbursed: Option<Date> = request.disbursed.as_ref().map(|date| date.read("disbursed")).transpose()?;
    let (first, date) = match (listed.first(), disbursed) {
        (None, None) => return Err(CalculatorError::Inconsistent("disbursed is missing".to_owned())),
        (None, Some(date)) => return Ok(vec![Disbursement { date, amount: principal }]),
        (Some(first), None) => (*first, first.date),
        (Some(first), Some(date)) => (*first, date),
    };
    if first.date < date {
        return Err(CalculatorError::Inconsistent(format!(
            "a disbursement of {} is before {date}, the first",
            first.date
        )));
    }
    if first.date > date {
        listed.insert(0, Disbursement { date, amount: principal });
        return Ok(listed);
    }
    let sum: Minor = listed.iter().map(|disbursement| disbursement.amount).sum();
    if principal != sum && principal != first.amount {
        let sum = currency.format(sum);
        return Err(CalculatorError::Inconsistent(format!(
            "disbursements of {sum} are not the principal, {}",
            request.principal.0
        )));
    }
    Ok(listed)
}

fn dated(
    key: &'static str,
    requests: &[DatedRequest],
    currency: Currency,
) -> Result<Vec<Disbursement>, CalculatorError> {
    if requests.len() > MAX_PAYMENTS {
        return Err(CalculatorError::Inconsistent(format!("{key} are more than {MAX_PAYMENTS}")));
    }
    let one = |request: &DatedRequest| {
        Ok(Disbursement { date: request.date.read(key)?, amount: at(key, currency.parse(&request.amount.0))? })
    };
    requests.iter().map(one).collect()
}

fn check_days(start: Date, payments: &Option<Vec<Disbursement>>, as_of: Date) -> Result<(), CalculatorError> {
    let payments = payments.as_deref().unwrap_or_default();
    if let Some(early) = payments.first().filter(|payment| payment.date < start) {
        return Err(CalculatorError::Inconsistent(format!(
            "a payment of {} is before the loan of {start}",
            early.date
        )));
    }
    if let Some(late) = payments.last().filter(|payment| payment.date > as_of) {
        return Err(CalculatorError::Inconsistent(format!("a payment of {} is after as_of, {as_of}", late.date)));
    }
    if as_of < start {
        return Err(CalculatorError::Inconsistent(format!("as_of, {as_of}, is before the loan of {start}")));
    }
    Ok(())
}

impl FeeRequest {
    fn fee(&self, currency: Currency) -> Result<Fee, CalculatorError> {
        let charge = charge("fees", self.amount.as_ref(), self.percent.as_ref(), currency)?;
        Ok(Fee { name: self.name.clone().unwrap_or_default(), charge, when: self.when.into() })
    }
}

impl LateRequest {
    fn penalty(&self, currency: Currency) -> Result<Penalty, CalculatorError> {
        let late = match &self.annual_rate_percent {
            Some(_) if self.amount.is_some() || self.percent.is_some() => return Err(one_of("late")),
            Some(rate) => Late::Daily(rate.read("late")?),
            None => Late::Once(charge("late", self.amount.as_ref(), self.percent.as_ref(), currency)?),
        };
        let cap = self.cap_percent.as_ref().map(|cap| cap.read("late")).transpose()?;
        Ok(Penalty { late, grace_days: self.grace_days.unwrap_or(0), cap })
    }
}

fn charge(
    key: &'static str,
    amount: Option<&Decimal>,
    percent: Option<&Decimal>,
    currency: Currency,
) -> Result<Charge, CalculatorError> {
    match (amount, percent) {
        (Some(amount), None) => Ok(Charge::Fixed(at(key, currency.parse(&amount.0))?)),
        (None, Some(percent)) => Ok(Charge::Share(percent.read(key)?)),
        (None, None) | (Some(_), Some(_)) => Err(one_of(key)),
    }
}

fn one_of(key: &str) -> CalculatorError {
    CalculatorError::Inconsistent(format!("{key}: give either an amount or a percentage"))
}

impl From<MethodName> for Method {
    fn from(name: MethodName) -> Self {
        match name {
            MethodName::Flat => Self::Flat,
            MethodName::Declining => Self::Declining,
            MethodName::Daily => Self::Daily,
            MethodName::EqualPrincipal => Self::EqualPrincipal,
            MethodName::Bullet => Self::Bullet,
        }
    }
}

impl From<AdvanceName> for Prepayment {
    fn from(name: AdvanceName) -> Self {
        match name {
            AdvanceName::NextInstalment => Self::NextInstalment,
            AdvanceName::LastInstalment => Self::LastInstalment,
            AdvanceName::ReduceInstalment => Self::ReduceInstalment,
            AdvanceName::ReduceCount => Self::ReduceCount,
        }
    }
}

impl From<RoundingName> for Rounding {
    fn from(name: RoundingName) -> Self {
        match name {
            RoundingName::HalfEven => Self::HalfEven,
            RoundingName::Up => Self::Up,
        }
    }
}

impl From<WhenName> for When {
    fn from(name: WhenName) -> Self {
        match name {
            WhenName::Disbursement => Self::Disbursement,
            WhenName::FirstInstalment => Self::FirstInstalment,
            WhenName::EveryInstalment => Self::EveryInstalment,
        }
    }
}
