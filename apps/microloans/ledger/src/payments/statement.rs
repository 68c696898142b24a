//! A provider's statement beside the books: what the nightly comparison reads and writes. What it means is decided by whoever compares
//! (`reconcile` of the rails); everything here may be done again and changes nothing then.

use braid_microloans_arithmetic::{Currency, Date, Minor};
use serde::Serialize;
use serde_json::json;
use sqlx::Row as _;
use utoipa::ToSchema;

use super::{LegRecord, leg::of_row};
use crate::{
    LedgerError, LegId, LoanId, LoanState, PaymentId,
    code::LoanCode,
    id::random_uuid,
    journal::{self, Account, Entry, Kind},
    limits, loans,
    store::{Columns as _, Source, Write},
};

/// Legs that a statement may tell of: sent, and on no statement before this day's; with their loans' codes, the oldest first.
///
/// # Errors
/// If the database fails, or there are more than are compared at a time.
pub async fn legs_for(
    source: &mut impl Source,
    rail: &str,
    day: Date,
    until_ms: i64,
) -> Result<Vec<(LegRecord, LoanCode)>, LedgerError> {
    let rows = sqlx::query(
        "SELECT leg.*, loan.code AS code FROM leg JOIN loan ON loan.id = leg.loan
         WHERE leg.rail = $1 AND leg.sent_at IS NOT NULL AND leg.sent_at < $3
         AND (leg.on_statement IS NULL OR leg.on_statement = $2)
         AND (leg.state <> 'failed' OR leg.sent_at > $4) ORDER BY leg.created_at, leg.id LIMIT $5",
    );
    let limit = limits::MAX_COMPARED;
    let rows = rows.bind(rail).bind(day.to_string()).bind(until_ms).bind(until_ms - limits::FAILED_LEGS_KEPT_MS);
    let rows = rows.bind(limit + 1).fetch_all(source.rows()).await?;
    if i64::try_from(rows.len()).unwrap_or(i64::MAX) > limit {
        return Err(LedgerError::Limit { what: "the legs of one comparison", limit: limit.unsigned_abs() });
    }
    rows.iter().map(|row| Ok((of_row(row)?, row.parsed("code")?))).collect()
}

/// Writes down on which day's statement a leg stands.
///
/// # Errors
/// If the database fails.
pub async fn on_statement(write: &mut Write, leg: &LegId, day: Date) -> Result<(), LedgerError> {
    let query = sqlx::query("UPDATE leg SET on_statement = $2 WHERE id = $1").bind(leg.as_str()).bind(day.to_string());
    query.execute(&mut *write.tx).await?;
    Ok(())
}

/// Books what a provider charged, once for a receipt.
///
/// # Errors
/// If the database fails.
pub async fn charge(
    write: &mut Write,
    rail: &str,
    receipt: &str,
    (currency, amount): (Currency, Minor),
    dated: Date,
) -> Result<(), LedgerError> {
    LedgerError::check_text("the receipt", receipt)?;
    let subject = format!("{rail}/{receipt}");
    if journal::is_posted(write, Kind::ChargeBooked, &subject).await? {
        return Ok(());
    }
    let entry = Entry::new(Kind::ChargeBooked, &subject, dated);
    journal::post(write, &entry.transfer(Account::Charges, Account::Float(rail.to_owned()), currency, amount)).await
}

/// What became of a payment that the provider has taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenBack {
    /// It is booked.
    Booked,
    /// It was booked before.
    Known,
    /// A person has to decide: it is not known, or the loan it repaid is over.
    ForAPerson,
}

/// Takes a payment back that the provider has reversed: the loan owes again what it had paid.
///
/// # Errors
/// If the database fails.
pub async fn take_back(
    write: &mut Write,
    rail: &str,
    receipt: &str,
    amount: Minor,
    dated: Date,
) -> Result<TakenBack, LedgerError> {
    let query = sqlx::query("SELECT id, loan, currency, amount, state FROM payment WHERE rail = $1 AND receipt = $2");
    let row = query.bind(rail).bind(receipt).fetch_optional(&mut *write.tx).await?;
    let Some(row) = row else { return Ok(TakenBack::ForAPerson) };
    let (id, state): (PaymentId, String) = (row.parsed("id")?, row.text("state")?);
    if state == "reversed" {
        return Ok(TakenBack::Known);
    }
    if Minor::from(row.number("amount")?) != amount {
        return Ok(TakenBack::ForAPerson);
    }
    let loan = row.optional("loan")?.map(|id| id.parse::<LoanId>()).transpose()?;
    let from = match &loan {
        None => Account::Suspense(rail.to_owned()),
        Some(id) => {
            let record = loans::loan(write, id).await?;
            if !matches!(record.state, LoanState::Active | LoanState::Restructured) {
                return Ok(TakenBack::ForAPerson);
            }
            Account::Received(id.clone())
        }
    };
    let update = sqlx::query("UPDATE payment SET state = 'reversed' WHERE id = $1").bind(id.as_str());
    update.execute(&mut *write.tx).await?;
    let entry = Entry::new(Kind::PaymentReversed, id.as_str(), dated);
    let entry = entry.transfer(from, Account::Float(rail.to_owned()), row.parsed("currency")?, amount);
    journal::post(write, &entry).await?;
    if let Some(id) = &loan {
        loans::event(write, id, "PaymentReversed", json!({"receipt": receipt})).await?;
        let today = loans::loan(write, id).await?.local_date(write.at)?;
        loans::book(write, id, today).await?;
    }
    Ok(TakenBack::Booked)
}

/// Writes down what contradicts the books and belongs to no leg; once for the same words.
///
/// # Errors
/// If the database fails.
pub async fn contradict(write: &mut Write, kind: &str, detail: &str) -> Result<(), LedgerError> {
    let there = sqlx::query("SELECT id FROM contradiction WHERE kind = $1 AND detail = $2").bind(kind).bind(detail);
    if there.fetch_optional(&mut *write.tx).await?.is_some() {
        return Ok(());
    }
    let query = sqlx::query("INSERT INTO contradiction (id, kind, at, detail) VALUES ($1, $2, $3, $4)");
    query.bind(random_uuid()?).bind(kind).bind(write.millis()).bind(detail).execute(&mut *write.tx).await?;
    Ok(())
}

/// A day of a statement that was compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reconciliation {
    /// Whose statement.
    pub rail: String,
    /// The day (UTC).
    pub day: String,
    /// When it was compared, in milliseconds since 1970.
    pub at: i64,
    /// How many lines or legs there were of each kind.
    #[schema(value_type = std::collections::BTreeMap<String, u64>)]
    pub counts: serde_json::Value,
}

/// Writes down that a day was compared. The first comparison stays.
///
/// # Errors
/// If the database fails.
pub async fn reconciled(
    write: &mut Write,
    rail: &str,
    day: Date,
    counts: &serde_json::Value,
) -> Result<(), LedgerError> {
    let query = sqlx::query(
        "INSERT INTO reconciliation (rail, day, at, counts) VALUES ($1, $2, $3, $4) ON CONFLICT (rail, day) DO NOTHING",
    );
    let query = query.bind(rail).bind(day.to_string()).bind(write.millis()).bind(counts.to_string());
    query.execute(&mut *write.tx).await?;
    Ok(())
}

/// The days that were compared, the last ones first.
///
/// # Errors
/// If the database fails.
pub async fn reconciliations(source: &mut impl Source) -> Result<Vec<Reconciliation>, LedgerError> {
    let rows = sqlx::query("SELECT rail, day, at, counts FROM reconciliation ORDER BY day DESC, rail LIMIT $1");
    let rows = rows.bind(limits::MAX_ROWS).fetch_all(source.rows()).await?;
    let read = |row: &sqlx::any::AnyRow| {
        Ok(Reconciliation {
            rail: row.text("rail")?,
            day: row.text("day")?,
            at: row.number("at")?,
            counts: serde_json::from_str(&row.text("counts")?)?,
        })
    };
    rows.iter().map(read).collect()
}

/// The first day of a rail that has not been compared: the one after the last that was, else the one on which its first leg was written or its first
/// payment came.
///
/// # Errors
/// If the database fails.
pub async fn next_day(source: &mut impl Source, rail: &str) -> Result<Option<Date>, LedgerError> {
    let last = sqlx::query("SELECT MAX(day) FROM reconciliation WHERE rail = $1").bind(rail);
    let last: Option<String> = last.fetch_one(source.rows()).await?.try_get(0)?;
    if let Some(day) = last {
        return Ok(Some(day.parse::<Date>()?.plus_days(1)));
    }
    let first = sqlx::query(
        "SELECT MIN(at) FROM (SELECT created_at AS at FROM leg WHERE rail = $1 UNION ALL SELECT paid_at FROM told WHERE rail = $1) AS first",
    );
    let first: Option<i64> = first.bind(rail).fetch_one(source.rows()).await?.try_get(0)?;
    first.map(|at| crate::time::utc_date(crate::store::moment(at)?)).transpose()
}

/// Whether money with this receipt is known.
///
/// # Errors
/// If the database fails.
pub async fn is_known(source: &mut impl Source, rail: &str, receipt: &str) -> Result<bool, LedgerError> {
    let query = sqlx::query("SELECT id FROM payment WHERE rail = $1 AND receipt = $2").bind(rail).bind(receipt);
    Ok(query.fetch_optional(source.rows()).await?.is_some())
}
