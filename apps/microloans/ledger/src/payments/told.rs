//! Money that a callback told of. Anybody could have sent it, so it is only looked up in the provider's statement, and booked as it stands there.

use braid_microloans_arithmetic::{Currency, Minor};
use jiff::{SignedDuration, Timestamp};

use super::{Incoming, outbox, outbox::Task, receive};
use crate::{
    LedgerError, LoanId,
    code::LoanCode,
    loans,
    store::{Columns as _, Source, Write, moment, stored},
};

/// A payment that is to be looked up.
#[derive(Clone, Debug)]
pub struct Told {
    /// Through which provider.
    pub rail: String,
    /// The provider's receipt.
    pub receipt: String,
    /// In which currency.
    pub currency: Currency,
    /// How much, in minor units.
    pub amount: Minor,
    /// The loan that the payer's reference names.
    pub loan: Option<LoanId>,
    /// When it was paid.
    pub paid_at: Timestamp,
}

/// The name of a payment in the outbox.
fn subject(rail: &str, receipt: &str) -> String {
    format!("{rail}/{receipt}")
}

/// Writes down that a payment is to be looked up, for the loan that it is known to be for, or else the one that the payer's reference names. Of that reference
/// nothing else is kept.
///
/// # Errors
/// If it is no payment, or the database fails.
pub async fn tell(write: &mut Write, incoming: &Incoming) -> Result<(), LedgerError> {
    LedgerError::check_text("the receipt", &incoming.receipt)?;
    let code = incoming.reference.as_deref().and_then(|text| text.parse::<LoanCode>().ok());
    let loan = match (&incoming.loan, code) {
        (Some(loan), _) => Some(loan.clone()),
        (None, Some(code)) => loans::by_code(write, &code).await?.map(|loan| loan.id),
        (None, None) => None,
    };
    let written = sqlx::query(
        "INSERT INTO told (rail, receipt, currency, amount, loan, paid_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (rail, receipt) DO NOTHING",
    )
    .bind(&incoming.rail)
    .bind(&incoming.receipt)
    .bind(incoming.currency.code())
    .bind(stored(incoming.amount)?)
    .bind(loan.map(|loan| loan.to_string()))
    .bind(incoming.at.as_millisecond())
    .execute(&mut *write.tx)
    .await?;
    if written.rows_affected() == 1 {
        outbox::put(write, Task::Confirm, &subject(&incoming.rail, &incoming.receipt), write.at.as_millisecond())
            .await?;
    }
    Ok(())
}

/// What was told of a payment, by its name in the outbox.
///
/// # Errors
/// If there is none, or the database fails.
pub async fn told(source: &mut impl Source, subject: &str) -> Result<Told, LedgerError> {
    let missing = || LedgerError::NotFound("payment that was told of", subject.to_owned());
    let (rail, receipt) = subject.split_once('/').ok_or_else(missing)?;
    let query = sqlx::query("SELECT * FROM told WHERE rail = $1 AND receipt = $2").bind(rail).bind(receipt);
    let row = query.fetch_optional(source.rows()).await?.ok_or_else(missing)?;
    Ok(Told {
        rail: row.text("rail")?,
        receipt: row.text("receipt")?,
        currency: row.parsed("currency")?,
        amount: row.number("amount")?.into(),
        loan: row.optional("loan")?.map(|id| id.parse()).transpose()?,
        paid_at: moment(row.number("paid_at")?)?,
    })
}

/// Books a payment as the statement has it: amount, time, and the payer's reference, which says whose it is whatever the callback said.
///
/// # Errors
/// If the database fails.
pub async fn confirm(
    write: &mut Write,
    told: &Told,
    (amount, paid_at, reference): (Minor, Timestamp, Option<String>),
) -> Result<(), LedgerError> {
    let reference = reference.filter(|text| text.parse::<LoanCode>().is_ok());
    let incoming = Incoming {
        rail: told.rail.clone(),
        receipt: told.receipt.clone(),
        currency: told.currency,
        amount,
        at: paid_at,
        loan: if reference.is_none() { told.loan.clone() } else { None },
        reference,
    };
    receive(write, &incoming).await?;
    outbox::done(write, Task::Confirm, &subject(&told.rail, &told.receipt)).await
}

/// Says that a payment is not in the statement yet: it is looked up again later, and in the end by nobody.
///
/// # Errors
/// If the database fails.
pub async fn look_again(write: &mut Write, subject: &str, attempts: i64) -> Result<(), LedgerError> {
    if attempts >= crate::limits::MAX_INQUIRIES {
        return outbox::done(write, Task::Confirm, subject).await;
    }
    let doublings = u32::try_from(attempts.clamp(0, 10)).unwrap_or(10);
    let after = SignedDuration::from_secs((2_i64 << doublings).min(3_600));
    let due_at = write.at.as_millisecond().saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
    outbox::put(write, Task::Confirm, subject, due_at).await
}
