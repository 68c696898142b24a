//! Questions that pages ask: payments of a loan, the portfolio loan by loan, and accounts summed up from the entries alone. Nothing is written here.

use std::collections::BTreeMap;

use braid_microloans_arithmetic::{Currency, Date, Minor};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use super::{LoanRecord, replay};
use crate::{
    LedgerError, LoanId, LoanState, PaymentId, PersonId,
    journal::{self, account::Line, seal::Seal},
    limits,
    states::Machine as _,
    store::{Columns as _, Source},
};

/// Money that a borrower paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// Its name.
    pub id: PaymentId,
    /// Of which loan.
    pub loan: LoanId,
    /// Through which provider.
    pub rail: String,
    /// The provider's receipt.
    pub receipt: String,
    /// In which currency.
    pub currency: Currency,
    /// How much, in minor units.
    pub amount: Minor,
    /// On which day at the borrower's place.
    pub paid_on: Date,
    /// The number of its entry in the journal.
    pub entry: i64,
}

const PAID: &str =
    "SELECT payment.id, payment.loan, payment.rail, payment.receipt, payment.currency, payment.amount, payment.paid_on,
        entry.seq AS entry
    FROM payment JOIN entry ON entry.kind = 'payment_received' AND entry.subject = payment.id
    WHERE payment.state = 'allocated'";

impl Paid {
    fn of(row: &AnyRow) -> Result<Self, LedgerError> {
        Ok(Self {
            id: row.parsed("id")?,
            loan: row.parsed("loan")?,
            rail: row.text("rail")?,
            receipt: row.text("receipt")?,
            currency: row.parsed("currency")?,
            amount: row.number("amount")?.into(),
            paid_on: row.parsed("paid_on")?,
            entry: row.number("entry")?,
        })
    }
}

/// The payments of a loan, the latest first.
///
/// # Errors
/// If the database fails.
pub async fn payments_of(source: &mut impl Source, loan: &LoanId) -> Result<Vec<Paid>, LedgerError> {
    let statement = format!("{PAID} AND payment.loan = $1 ORDER BY payment.paid_on DESC, payment.seq DESC LIMIT $2");
    let query = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(loan.as_str()).bind(limits::MAX_ROWS);
    query.fetch_all(source.rows()).await?.iter().map(Paid::of).collect()
}

/// A payment that belongs to a loan.
///
/// # Errors
/// If there is none of this id, or the database fails.
pub async fn payment(source: &mut impl Source, id: &PaymentId) -> Result<Paid, LedgerError> {
    let statement = format!("{PAID} AND payment.id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id.as_str()).fetch_optional(source.rows()).await?;
    row.as_ref().map_or_else(|| Err(LedgerError::NotFound("payment", id.to_string())), Paid::of)
}

/// A loan that was paid out, on a day.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its name in programs.
    pub id: LoanId,
    /// Its name among people.
    pub code: String,
    /// Whose it is.
    pub person: PersonId,
    /// In which country.
    pub country: String,
    /// In which currency.
    pub currency: Currency,
    /// What was lent.
    pub principal: Minor,
    /// Where it stands.
    pub state: LoanState,
    /// When the borrower got the money.
    pub disbursed_on: Date,
    /// Principal that has not been repaid, if it is being repaid.
    pub outstanding: Minor,
    /// What has fallen due and is not paid.
    pub overdue: Minor,
    /// Days since the oldest of it fell due.
    pub days_late: u32,
}

/// Every loan that was ever paid out, as it stands at a moment.
///
/// # Errors
/// If a loan cannot be replayed, or the database fails.
pub async fn standings(source: &mut impl Source, at: Timestamp) -> Result<Vec<Standing>, LedgerError> {
    let mut standings = Vec::new();
    let mut after = String::new();
    loop {
        let query = sqlx::query("SELECT * FROM loan WHERE disbursed_on IS NOT NULL AND id > $1 ORDER BY id LIMIT $2");
        let rows = query.bind(&after).bind(limits::MAX_ROWS).fetch_all(source.rows()).await?;
        let Some(last) = rows.last() else { return Ok(standings) };
        after = last.text("id")?;
        for row in &rows {
            let record = LoanRecord::of(row)?;
            if let Some(disbursed_on) = record.disbursed_on {
                standings.push(standing(source, record, disbursed_on, at).await?);
            }
        }
    }
}

async fn standing(
    source: &mut impl Source,
    record: LoanRecord,
    disbursed_on: Date,
    at: Timestamp,
) -> Result<Standing, LedgerError> {
    let (mut outstanding, mut overdue, mut days_late) = (0, 0, 0);
    if matches!(record.state, LoanState::Active | LoanState::Restructured) {
        let loan = replay(source, &record, record.local_date(at)?).await?;
        (outstanding, overdue, days_late) = (loan.outstanding(), loan.overdue().total(), loan.days_late());
    }
    Ok(Standing {
        id: record.id,
        code: record.code.to_string(),
        person: record.person,
        country: record.country,
        currency: record.currency,
        principal: record.principal,
        state: record.state,
        disbursed_on,
        outstanding,
        overdue,
        days_late,
    })
}

/// Loans in a state, the oldest application first.
///
/// # Errors
/// If the database fails.
pub async fn oldest_in_state(
    source: &mut impl Source,
    state: LoanState,
    limit: i64,
) -> Result<Vec<LoanRecord>, LedgerError> {
    let query = sqlx::query("SELECT * FROM loan WHERE state = $1 ORDER BY created_at, id LIMIT $2");
    let rows = query.bind(state.name()).bind(limit).fetch_all(source.rows()).await?;
    rows.iter().map(LoanRecord::of).collect()
}

/// The accounts, as the entries of the journal say, and nothing else; in the form of
/// [`trial_balance`](crate::journal::account::trial_balance), with which they are to agree.
///
/// # Errors
/// If the database fails.
pub async fn rebuilt(source: &mut impl Source) -> Result<Vec<Line>, LedgerError> {
    let mut sums = BTreeMap::<(String, String), (i64, i64)>::new();
    let mut from = 1;
    loop {
        let entries = journal::entries(source, from, limits::MAX_ROWS).await?;
        let Some(last) = entries.last() else { break };
        from = last.seq + 1;
        for transfer in entries.iter().flat_map(|entry| &entry.transfers) {
            let key = |account: &str| (without_loan(account), transfer.currency.clone());
            sums.entry(key(&transfer.debit)).or_default().0 += transfer.amount;
            sums.entry(key(&transfer.credit)).or_default().1 += transfer.amount;
        }
    }
    let line = |((account, currency), (debits, credits))| Line { account, currency, debits, credits };
    Ok(sums.into_iter().map(line).collect())
}

/// `loan/…/principal` becomes `loans/principal`.
fn without_loan(account: &str) -> String {
    let parts = account.strip_prefix("loan/").and_then(|rest| rest.split_once('/'));
    parts.map_or_else(|| account.to_owned(), |(_, kind)| format!("loans/{kind}"))
}

/// The last seals, the latest first.
///
/// # Errors
/// If the database fails.
pub async fn seals(source: &mut impl Source, limit: i64) -> Result<Vec<Seal>, LedgerError> {
    let query = sqlx::query("SELECT day, root, first_seq, last_seq FROM seal ORDER BY day DESC LIMIT $1");
    let rows = query.bind(limit).fetch_all(source.rows()).await?;
    let seal = |row: &AnyRow| {
        Ok(Seal {
            day: row.text("day")?,
            root: row.text("root")?,
            first_seq: row.number("first_seq")?,
            last_seq: row.number("last_seq")?,
        })
    };
    rows.iter().map(seal).collect()
}
