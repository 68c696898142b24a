//! Payment legs: rows, and their steps.

use braid_microloans_arithmetic::{Currency, Minor};
use serde::Serialize;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::outbox;
use crate::{
    LedgerError, LegId, LegState, LoanId,
    loans::LoanRecord,
    states::Machine as _,
    store::{Columns as _, Source, Write, stored},
};

/// What a leg is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegKind {
    /// The loan goes to the borrower.
    Payout,
    /// The borrower is asked to pay.
    Collection,
    /// What was paid too much goes back.
    Refund,
}

impl LegKind {
    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Payout => "payout",
            Self::Collection => "collection",
            Self::Refund => "refund",
        }
    }

    fn named(name: &str) -> Result<Self, LedgerError> {
        [Self::Payout, Self::Collection, Self::Refund]
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| LedgerError::Corrupt(format!("a leg of kind {name:?}")))
    }
}

/// A leg's row.
#[derive(Clone, Debug)]
pub struct LegRecord {
    /// Its name, here and with the provider.
    pub id: LegId,
    /// What it is for.
    pub kind: LegKind,
    /// Of which loan.
    pub loan: LoanId,
    /// Through which provider.
    pub rail: String,
    /// In which currency.
    pub currency: Currency,
    /// How much, in minor units.
    pub amount: Minor,
    /// Where it stands.
    pub state: LegState,
    /// The provider's name for it.
    pub provider_reference: Option<String>,
    /// The provider's receipt.
    pub receipt: Option<String>,
    /// The receipt that a callback named, which nobody has confirmed: by it the provider can be asked.
    pub hinted_receipt: Option<String>,
    /// How often the provider was asked about it.
    pub inquiries: i64,
    /// When it was written, in milliseconds since 1970.
    pub created_at: i64,
    /// When it was sent the last time, in milliseconds since 1970.
    pub sent_at: Option<i64>,
}

/// A leg as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LegView {
    /// Its name, here and with the provider.
    pub id: String,
    /// `payout`, `collection`, `refund`.
    pub kind: String,
    /// Of which loan.
    pub loan: String,
    /// Through which provider.
    pub rail: String,
    /// In which currency.
    pub currency: String,
    /// How much.
    pub amount: String,
    /// Where it stands.
    pub state: String,
    /// The provider's receipt.
    pub receipt: Option<String>,
}

/// A leg's row, read.
pub(super) fn of_row(row: &AnyRow) -> Result<LegRecord, LedgerError> {
    LegRecord::of(row)
}

impl LegRecord {
    fn of(row: &AnyRow) -> Result<Self, LedgerError> {
        Ok(Self {
            id: row.parsed("id")?,
            kind: LegKind::named(&row.text("kind")?)?,
            loan: row.parsed("loan")?,
            rail: row.text("rail")?,
            currency: row.parsed("currency")?,
            amount: row.number("amount")?.into(),
            state: row.state("state")?,
            provider_reference: row.optional("provider_reference")?,
            receipt: row.optional("receipt")?,
            hinted_receipt: row.optional("hinted_receipt")?,
            inquiries: row.number("inquiries")?,
            created_at: row.number("created_at")?,
            sent_at: row.optional_number("sent_at")?,
        })
    }

    /// As it is shown.
    #[must_use]
    pub fn view(&self) -> LegView {
        LegView {
            id: self.id.to_string(),
            kind: self.kind.name().to_owned(),
            loan: self.loan.to_string(),
            rail: self.rail.clone(),
            currency: self.currency.to_string(),
            amount: self.currency.format(self.amount),
            state: self.state.to_string(),
            receipt: self.receipt.clone(),
        }
    }
}

/// A leg.
///
/// # Errors
/// If there is none of this id, or the database fails.
pub async fn leg(source: &mut impl Source, id: &LegId) -> Result<LegRecord, LedgerError> {
    let row = sqlx::query("SELECT * FROM leg WHERE id = $1").bind(id.as_str()).fetch_optional(source.rows()).await?;
    row.as_ref().map_or_else(|| Err(LedgerError::NotFound("payment leg", id.to_string())), LegRecord::of)
}

/// All legs of a loan, the oldest first.
///
/// # Errors
/// If the database fails.
pub async fn legs_of(source: &mut impl Source, loan: &LoanId) -> Result<Vec<LegRecord>, LedgerError> {
    let query = sqlx::query("SELECT * FROM leg WHERE loan = $1 ORDER BY created_at, id").bind(loan.as_str());
    query.fetch_all(source.rows()).await?.iter().map(LegRecord::of).collect()
}

/// Writes a leg and that it is to be sent.
///
/// # Errors
/// If the loan has one already that may have happened, or the database fails.
pub async fn create_leg(
    write: &mut Write,
    kind: LegKind,
    loan: &LoanRecord,
    rail: &str,
    amount: Minor,
) -> Result<LegId, LedgerError> {
    if amount <= 0 {
        return Err(LedgerError::invalid("an amount to be paid is more than zero"));
    }
    let id = LegId::random()?;
    sqlx::query(
        "INSERT INTO leg (id, kind, loan, rail, currency, amount, state, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id.as_str())
    .bind(kind.name())
    .bind(loan.id.as_str())
    .bind(rail)
    .bind(loan.currency.code())
    .bind(stored(amount)?)
    .bind(LegState::Created.name())
    .bind(write.millis())
    .execute(&mut *write.tx)
    .await?;
    outbox::put(write, outbox::Task::Send, id.as_str(), write.millis()).await?;
    Ok(id)
}

/// Asks a borrower to pay, on their phone. A loan has one such request at a time.
///
/// # Errors
/// If the loan takes no payments, is being asked already, or the database fails.
pub async fn collect(write: &mut Write, loan: &LoanRecord, rail: &str, amount: Minor) -> Result<LegId, LedgerError> {
    if !loan.state.is_outstanding() {
        return Err(LedgerError::conflict("only of a loan that is outstanding a payment is asked for"));
    }
    let legs = legs_of(write, &loan.id).await?;
    if legs.iter().any(|leg| leg.kind == LegKind::Collection && leg.state.is_open()) {
        return Err(LedgerError::conflict("the borrower is being asked to pay already"));
    }
    create_leg(write, LegKind::Collection, loan, rail, amount).await
}

/// How many legs are in each state, by kind.
///
/// # Errors
/// If the database fails.
pub async fn count_by_state(source: &mut impl Source) -> Result<Vec<(String, String, i64)>, LedgerError> {
    let statement = "SELECT kind, state, COUNT(*) AS legs FROM leg GROUP BY kind, state ORDER BY kind, state";
    let rows = sqlx::query(statement).fetch_all(source.rows()).await?;
    rows.iter().map(|row| Ok((row.text("kind")?, row.text("state")?, row.number("legs")?))).collect()
}

/// Takes a step and tells of it.
pub(crate) async fn step_leg(
    write: &mut Write,
    leg: &mut LegRecord,
    next: LegState,
    why: &str,
) -> Result<(), LedgerError> {
    let step = leg.state.to(next)?;
    let changed = sqlx::query("UPDATE leg SET state = $2 WHERE id = $1 AND state = $3")
        .bind(leg.id.as_str())
        .bind(next.name())
        .bind(step.from().name())
        .execute(&mut *write.tx)
        .await?;
    if changed.rows_affected() != 1 {
        return Err(LedgerError::conflict(format!("payment leg {} has changed", leg.id)));
    }
    leg.state = step.into_state();
    sqlx::query(
        "INSERT INTO leg_event (leg, seq, from_state, to_state, at, data)
         VALUES ($1, (SELECT COALESCE(MAX(seq), 0) + 1 FROM leg_event WHERE leg = $1), $2, $3, $4, $5)",
    )
    .bind(leg.id.as_str())
    .bind(step.from().name())
    .bind(next.name())
    .bind(write.millis())
    .bind(why)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}
