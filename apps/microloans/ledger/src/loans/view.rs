//! Loans as they are shown: figures as text, in units of their currency, and nothing about the person.

use braid_microloans_arithmetic::{
    Date, Loan, Minor, Status,
    metrics::{Bucket, Exposure, Restructured},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{LoanRecord, in_state, replay};
use crate::{LedgerError, LoanState, limits, store::Source};

/// A loan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LoanView {
    /// Its name in programs.
    pub id: String,
    /// Its name among people.
    pub code: String,
    /// Whose it is.
    pub person: String,
    /// In which country.
    pub country: String,
    /// In which currency all amounts are.
    pub currency: String,
    /// The product.
    pub product: String,
    /// What is lent.
    pub principal: String,
    /// How many instalments.
    pub instalments: u32,
    /// What the borrower says it is for.
    pub purpose: String,
    /// Where it stands.
    pub state: String,
    /// The hash of the key facts, once offered.
    pub key_facts_hash: Option<String>,
    /// Until when the offer stands.
    pub offer_until: Option<String>,
    /// When the borrower got the money.
    pub disbursed_on: Option<String>,
    /// How it is being repaid, once it is.
    pub balance: Option<BalanceView>,
}

/// What is owed of a loan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BalanceView {
    /// The day of these figures.
    pub day: String,
    /// Principal that has not been repaid.
    pub outstanding: String,
    /// What has fallen due and is not paid.
    pub overdue: String,
    /// Days since the oldest of it fell due.
    pub days_late: u32,
    /// How late it is.
    pub bucket: String,
    /// What settles the loan on that day.
    pub pay_off: String,
    /// When the next instalment falls due.
    pub next_due: Option<String>,
}

/// A line of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ScheduleLine {
    /// When it falls due.
    pub due: String,
    /// What it asks for.
    pub principal: String,
    /// What it asks for.
    pub interest: String,
    /// What it asks for.
    pub fees: String,
    /// What it asks for.
    pub penalties: String,
    /// All of it.
    pub total: String,
    /// Principal outstanding after it.
    pub balance: String,
}

/// A loan as it is shown on a day.
///
/// # Errors
/// If the database fails.
pub async fn view(source: &mut impl Source, record: &LoanRecord, day: Date) -> Result<LoanView, LedgerError> {
    let balance = match record.state {
        LoanState::Active | LoanState::Restructured => {
            let loan = replay(source, record, day).await?;
            Some(balance(record, &loan))
        }
        _ => None,
    };
    Ok(LoanView {
        id: record.id.to_string(),
        code: record.code.to_string(),
        person: record.person.to_string(),
        country: record.country.clone(),
        currency: record.currency.to_string(),
        product: record.product.clone(),
        principal: record.currency.format(record.principal),
        instalments: record.instalments,
        purpose: record.purpose.clone(),
        state: record.state.to_string(),
        key_facts_hash: record.key_facts_hash.clone(),
        offer_until: record.offer_until.map(|until| until.to_string()),
        disbursed_on: record.disbursed_on.map(|day| day.to_string()),
        balance,
    })
}

fn balance(record: &LoanRecord, loan: &Loan) -> BalanceView {
    let amount = |minor| record.currency.format(minor);
    let next = loan.instalments().iter().find(|instalment| instalment.due > loan.today());
    let next = next.filter(|_| loan.status() == Status::Active);
    BalanceView {
        day: loan.today().to_string(),
        outstanding: amount(loan.outstanding()),
        overdue: amount(loan.overdue().total()),
        days_late: loan.days_late(),
        bucket: format!("{:?}", Bucket::of(loan.days_late())),
        pay_off: amount(loan.owed()),
        next_due: next.map(|instalment| instalment.due.to_string()),
    }
}

/// What is to be paid of a loan, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upcoming {
    /// All that is owed, with interest to come, in minor units.
    pub owed: Minor,
    /// What is to be paid next: what has fallen due, else the next instalment.
    pub next: Minor,
    /// When.
    pub next_due: Date,
    /// What settles the loan on that day.
    pub pay_off: Minor,
    /// Days since the oldest unpaid instalment fell due.
    pub days_late: u32,
}

/// What is to be paid of a loan that is being repaid, seen from a day. Amounts are rounded up to what can be paid.
///
/// # Errors
/// If it has not been disbursed, or the database fails.
pub async fn upcoming(source: &mut impl Source, record: &LoanRecord, day: Date) -> Result<Upcoming, LedgerError> {
    let loan = replay(source, record, day).await?;
    let multiple = record.payment_multiple()?;
    let payable = |amount: Minor| (amount + multiple - 1) / multiple * multiple;
    let totals = loan.totals();
    let settled = totals.paid.plus(&totals.waived).plus(&totals.written_off).total();
    let lines = loan.schedule().lines;
    let overdue = loan.overdue().total();
    let oldest = loan.instalments().iter().find(|instalment| instalment.unpaid().total() > 0);
    let (next, next_due) = match oldest.filter(|_| overdue > 0) {
        Some(oldest) => (overdue, oldest.due),
        None => next_line(&loan, &lines).unwrap_or((0, loan.today())),
    };
    Ok(Upcoming {
        owed: payable(loan.schedule().totals().total() - settled),
        next: payable(next),
        next_due,
        pay_off: payable(loan.owed()),
        days_late: loan.days_late(),
    })
}

/// The next instalment of which something is left to pay.
fn next_line(loan: &Loan, lines: &[braid_microloans_arithmetic::Line]) -> Option<(Minor, Date)> {
    let both = lines.iter().zip(loan.instalments()).filter(|(line, _)| line.due > loan.today());
    let mut left = both
        .map(|(line, instalment)| (line.parts.total() - instalment.paid.plus(&instalment.waived).total(), line.due));
    left.find(|(left, _)| *left > 0)
}

/// The schedule of a loan on a day: what was due, and what will be.
///
/// # Errors
/// If it has not been disbursed, or the database fails.
pub async fn schedule(
    source: &mut impl Source,
    record: &LoanRecord,
    day: Date,
) -> Result<Vec<ScheduleLine>, LedgerError> {
    let loan = replay(source, record, day).await?;
    let amount = |minor| record.currency.format(minor);
    let line = |line: &braid_microloans_arithmetic::Line| ScheduleLine {
        due: line.due.to_string(),
        principal: amount(line.parts.principal),
        interest: amount(line.parts.interest),
        fees: amount(line.parts.fees),
        penalties: amount(line.parts.penalties),
        total: amount(line.parts.total()),
        balance: amount(line.balance),
    };
    Ok(loan.schedule().lines.iter().map(line).collect())
}

/// What is outstanding of every loan of a currency that is being repaid: for the portfolio at risk.
///
/// # Errors
/// If the database fails.
pub async fn exposures(source: &mut impl Source, currency: &str, day: Date) -> Result<Vec<Exposure>, LedgerError> {
    let mut exposures = Vec::new();
    for state in [LoanState::Active, LoanState::Restructured] {
        let mut after = String::new();
        loop {
            let loans = in_state(source, state, &after, limits::MAX_ROWS).await?;
            let Some(last) = loans.last() else { break };
            after = last.id.to_string();
            for record in loans.iter().filter(|loan| loan.currency.code() == currency) {
                let loan = replay(source, record, day).await?;
                exposures.push(exposure(state, &loan));
            }
        }
    }
    Ok(exposures)
}

fn exposure(state: LoanState, loan: &Loan) -> Exposure {
    let restructured = if state == LoanState::Restructured { Restructured::NotCured } else { Restructured::No };
    Exposure {
        outstanding: loan.outstanding(),
        overdue: loan.overdue().total(),
        days_late: loan.days_late(),
        restructured,
    }
}
