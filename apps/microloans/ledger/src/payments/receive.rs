//! Money that comes in. Rail and receipt name it for ever; told of twice, it counts once. Without a loan it waits in suspense until two people agree
//! whose it is.

use braid_microloans_arithmetic::{Currency, Minor};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    LedgerError, LoanId, PaymentId,
    code::LoanCode,
    id::random_uuid,
    journal::{self, Account, Entry, Kind},
    limits, loans,
    loans::LoanRecord,
    store::{Columns as _, Source, Write, stored},
    time,
};

/// Money that a provider says has come in.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Through which provider.
    pub rail: String,
    /// The provider's receipt.
    pub receipt: String,
    /// In which currency.
    pub currency: Currency,
    /// How much, in minor units.
    pub amount: Minor,
    /// When.
    pub at: Timestamp,
    /// The loan, if the payment was asked for.
    pub loan: Option<LoanId>,
    /// What the payer typed; with luck, a loan's code. It is not kept.
    pub reference: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It is the loan's.
    Allocated(PaymentId),
    /// Whose it is, is not known.
    Suspended(PaymentId),
    /// It was known already.
    Known(PaymentId),
}

/// A payment without a loan, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SuspendedPayment {
    /// Its name.
    pub id: String,
    /// Through which provider.
    pub rail: String,
    /// The provider's receipt.
    pub receipt: String,
    /// In which currency.
    pub currency: String,
    /// In minor units.
    pub amount: i64,
    /// On which day.
    pub paid_on: String,
}

/// Books money that has come in.
///
/// # Errors
/// If it is no amount, or the database fails.
pub async fn receive(write: &mut Write, incoming: &Incoming) -> Result<Receipt, LedgerError> {
    LedgerError::check_text("the receipt", &incoming.receipt)?;
    if incoming.amount <= 0 {
        return Err(LedgerError::invalid("a payment is more than zero"));
    }
    if let Some((id, amount)) = known(write, incoming).await? {
        if amount != incoming.amount {
            contradict_amount(write, incoming).await?;
        }
        return Ok(Receipt::Known(id));
    }
    let loan = owner(write, incoming).await?;
    let id = PaymentId::random()?;
    let today = local_date(loan.as_ref(), write.at)?;
    let paid_on = local_date(loan.as_ref(), incoming.at)?.min(today);
    let state = if loan.is_some() { "allocated" } else { "suspended" };
    sqlx::query(
        "INSERT INTO payment (id, seq, rail, receipt, loan, currency, amount, paid_on, at, state)
         VALUES ($1, (SELECT COALESCE(MAX(seq), 0) + 1 FROM payment), $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id.as_str())
    .bind(&incoming.rail)
    .bind(&incoming.receipt)
    .bind(loan.as_ref().map(|loan| loan.id.as_str().to_owned()))
    .bind(incoming.currency.code())
    .bind(stored(incoming.amount)?)
    .bind(paid_on.to_string())
    .bind(write.millis())
    .bind(state)
    .execute(&mut *write.tx)
    .await?;
    let credit = loan
        .as_ref()
        .map_or_else(|| Account::Suspense(incoming.rail.clone()), |loan| Account::Received(loan.id.clone()));
    let entry = Entry::new(Kind::PaymentReceived, id.as_str(), paid_on);
    let entry = entry.transfer(Account::Float(incoming.rail.clone()), credit, incoming.currency, incoming.amount);
    journal::post(write, &entry).await?;
    let Some(loan) = loan else { return Ok(Receipt::Suspended(id)) };
    let data = json!({"payment": id.as_str(), "amount": incoming.currency.format(incoming.amount)});
    loans::event(write, &loan.id, "PaymentReceived", data).await?;
    loans::book(write, &loan.id, today).await?;
    Ok(Receipt::Allocated(id))
}

/// The payment with this receipt.
async fn known(source: &mut impl Source, incoming: &Incoming) -> Result<Option<(PaymentId, Minor)>, LedgerError> {
    let query = sqlx::query("SELECT id, amount FROM payment WHERE rail = $1 AND receipt = $2");
    let row = query.bind(&incoming.rail).bind(&incoming.receipt).fetch_optional(source.rows()).await?;
    row.map(|row| Ok((row.parsed("id")?, row.number("amount")?.into()))).transpose()
}

async fn contradict_amount(write: &mut Write, incoming: &Incoming) -> Result<(), LedgerError> {
    let detail = format!("receipt {} of {} came with another amount", incoming.receipt, incoming.rail);
    let there = sqlx::query("SELECT id FROM contradiction WHERE kind = 'receipt_differs' AND detail = $1");
    if there.bind(&detail).fetch_optional(&mut *write.tx).await?.is_some() {
        return Ok(());
    }
    let query = sqlx::query("INSERT INTO contradiction (id, kind, at, detail) VALUES ($1, 'receipt_differs', $2, $3)");
    query.bind(random_uuid()?).bind(write.millis()).bind(detail).execute(&mut *write.tx).await?;
    Ok(())
}

/// Whose money it is, if that is sure and the loan takes it.
async fn owner(write: &mut Write, incoming: &Incoming) -> Result<Option<LoanRecord>, LedgerError> {
    let loan = match (&incoming.loan, incoming.reference.as_deref().map(str::parse::<LoanCode>)) {
        (Some(id), _) => Some(loans::loan(write, id).await?),
        (None, Some(Ok(code))) => loans::by_code(write, &code).await?,
        (None, _) => None,
    };
    Ok(loan.filter(|loan| loan.state.takes_payments() && loan.currency == incoming.currency))
}

fn local_date(loan: Option<&LoanRecord>, at: Timestamp) -> Result<braid_microloans_arithmetic::Date, LedgerError> {
    loan.map_or_else(|| time::utc_date(at), |loan| loan.local_date(at))
}

/// Gives a suspended payment its loan. To be called with a second person's approval only.
///
/// # Errors
/// If the payment is not suspended, the loan takes no payments or has another currency, or the database fails.
pub(crate) async fn assign(write: &mut Write, id: &PaymentId, loan: &LoanId) -> Result<(), LedgerError> {
    let row = sqlx::query("SELECT rail, currency, amount, state FROM payment WHERE id = $1").bind(id.as_str());
    let row = row.fetch_optional(&mut *write.tx).await?;
    let row = row.ok_or_else(|| LedgerError::NotFound("payment", id.to_string()))?;
    let loan = loans::loan(write, loan).await?;
    let (currency, amount): (Currency, Minor) = (row.parsed("currency")?, row.number("amount")?.into());
    if row.text("state")? != "suspended" {
        return Err(LedgerError::conflict("this payment is not suspended"));
    }
    if !loan.state.takes_payments() || loan.currency != currency {
        return Err(LedgerError::conflict("this loan does not take this payment"));
    }
    let query = sqlx::query("UPDATE payment SET state = 'allocated', loan = $2 WHERE id = $1 AND state = 'suspended'");
    query.bind(id.as_str()).bind(loan.id.as_str()).execute(&mut *write.tx).await?;
    let today = loan.local_date(write.at)?;
    let entry = Entry::new(Kind::PaymentAssigned, id.as_str(), today);
    let suspense = Account::Suspense(row.text("rail")?);
    journal::post(write, &entry.transfer(suspense, Account::Received(loan.id.clone()), currency, amount)).await?;
    loans::event(write, &loan.id, "PaymentAssigned", json!({"payment": id.as_str()})).await?;
    loans::book(write, &loan.id, today).await
}

/// A payment of a loan, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PaymentLine {
    /// The provider's receipt.
    pub receipt: String,
    /// Through which provider.
    pub rail: String,
    /// In minor units.
    pub amount: i64,
    /// On which day.
    pub paid_on: String,
}

/// The payments of a loan that count, the last ones first.
///
/// # Errors
/// If the database fails.
pub async fn of_loan(source: &mut impl Source, loan: &LoanId, limit: i64) -> Result<Vec<PaymentLine>, LedgerError> {
    let rows = sqlx::query(
        "SELECT receipt, rail, amount, paid_on FROM payment WHERE loan = $1 AND state = 'allocated'
         ORDER BY paid_on DESC, seq DESC LIMIT $2",
    );
    let rows = rows.bind(loan.as_str()).bind(limit).fetch_all(source.rows()).await?;
    let line = |row: &sqlx::any::AnyRow| {
        Ok(PaymentLine {
            receipt: row.text("receipt")?,
            rail: row.text("rail")?,
            amount: row.number("amount")?,
            paid_on: row.text("paid_on")?,
        })
    };
    rows.iter().map(line).collect()
}

/// Payments without a loan.
///
/// # Errors
/// If the database fails.
pub async fn suspended(source: &mut impl Source) -> Result<Vec<SuspendedPayment>, LedgerError> {
    let rows = sqlx::query(
        "SELECT id, rail, receipt, currency, amount, paid_on FROM payment WHERE state = 'suspended' ORDER BY seq LIMIT $1",
    );
    let rows = rows.bind(limits::MAX_ROWS).fetch_all(source.rows()).await?;
    let payment = |row: &sqlx::any::AnyRow| {
        Ok(SuspendedPayment {
            id: row.text("id")?,
            rail: row.text("rail")?,
            receipt: row.text("receipt")?,
            currency: row.text("currency")?,
            amount: row.number("amount")?,
            paid_on: row.text("paid_on")?,
        })
    };
    rows.iter().map(payment).collect()
}
