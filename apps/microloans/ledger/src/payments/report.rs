//! What a provider says about a leg, and what follows.
//!
//! | leg | completed | failed | not found | unknown |
//! |---|---|---|---|---|
//! | sent, acked, unknown, manual | succeeded, booked | failed, money taken back | unknown; may be sent again | unknown |
//! | succeeded | nothing | contradiction | nothing | nothing |
//! | failed | contradiction, booked as such | nothing | nothing | nothing |
//!
//! A completed leg with another amount than was ordered is a contradiction too, and nobody but a person may settle it.

use braid_microloans_arithmetic::{Component, Minor};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{Incoming, LegKind, LegRecord, leg, outbox, outbox::Task, receive, step_leg};
use crate::{
    LedgerError, LegId, LegState, LoanState,
    id::random_uuid,
    journal::{self, Account, Entry, Kind, account},
    limits,
    loans::{self, Hold, LoanRecord},
    store::{Columns as _, Source, Write},
};
/// What a provider says about a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// It will be done, and has this name there.
    Acknowledged {
        /// The provider's name for it.
        reference: Option<String>,
    },
    /// Not done yet.
    Pending,
    /// Done.
    Completed {
        /// The provider's receipt.
        receipt: Option<String>,
        /// How much, in minor units, if the provider says so.
        amount: Option<Minor>,
        /// When, if the provider says so.
        at: Option<Timestamp>,
    },
    /// Not done, and never will be.
    Failed {
        /// Why, in the provider's code; nothing about the person.
        code: String,
    },
    /// The provider has never seen it, and is sure.
    NotFound,
    /// It was not sent at all.
    NotSent,
    /// Nobody knows.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// Something that contradicts the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Contradiction {
    /// Its name.
    pub id: String,
    /// What kind.
    pub kind: String,
    /// The leg it is about.
    pub leg: Option<String>,
    /// When it was noticed, in milliseconds since 1970.
    pub at: i64,
    /// In words.
    pub detail: String,
}

/// Says that a leg is about to be sent. From here on it may have happened.
///
/// # Errors
/// If it was sent before and is not known to be missing, or the database fails.
pub async fn sending(write: &mut Write, id: &LegId) -> Result<LegRecord, LedgerError> {
    let mut leg = leg(write, id).await?;
    step_leg(write, &mut leg, LegState::Sent, "sending").await?;
    let query = sqlx::query("UPDATE leg SET sent_at = $2 WHERE id = $1").bind(id.as_str()).bind(write.millis());
    query.execute(&mut *write.tx).await?;
    leg.sent_at = Some(write.millis());
    Ok(leg)
}

/// Calls a leg off that was not sent.
///
/// # Errors
/// If it was, or the database fails.
pub async fn call_off(write: &mut Write, id: &LegId, why: &str) -> Result<(), LedgerError> {
    let mut leg = leg(write, id).await?;
    if leg.state != LegState::Created {
        return Err(LedgerError::conflict("this payment may have been sent"));
    }
    outbox::done(write, Task::Send, id.as_str()).await?;
    fail(write, &mut leg, why).await
}

/// Writes down that an answer about a leg does not fit it, such as one with another payer. Nothing is booked.
///
/// # Errors
/// If there is no such leg, or the database fails.
pub async fn mistrust(write: &mut Write, id: &LegId, kind: &str, detail: &str) -> Result<(), LedgerError> {
    let leg = leg(write, id).await?;
    contradict(write, kind, &leg, detail).await.map(drop)
}

/// Books what a provider says about a leg.
///
/// # Errors
/// If there is no such leg, or the database fails. What contradicts the books is no error.
pub async fn report(write: &mut Write, id: &LegId, report: &Report) -> Result<LegState, LedgerError> {
    let mut leg = leg(write, id).await?;
    match (leg.state, report) {
        (LegState::Created, _) => {
            return Err(LedgerError::conflict("nothing is known of a payment that was not sent"));
        }
        (LegState::Succeeded, Report::Failed { code }) => {
            contradict(write, "failed_after_success", &leg, code).await?;
        }
        (LegState::Failed, Report::Completed { receipt, amount, at }) => {
            succeed_late(write, &leg, receipt.as_deref(), *amount, *at).await?;
        }
        (LegState::Sent | LegState::Acked | LegState::Unknown | LegState::Manual, _) => {
            settle_open(write, &mut leg, report).await?;
        }
        _ => {}
    }
    if !matches!(leg.state, LegState::Created | LegState::Sent | LegState::Acked | LegState::Unknown) {
        outbox::done(write, Task::Inquire, leg.id.as_str()).await?;
    }
    Ok(leg.state)
}

async fn settle_open(write: &mut Write, leg: &mut LegRecord, report: &Report) -> Result<(), LedgerError> {
    match report {
        Report::Acknowledged { reference } => acknowledge(write, leg, reference.as_deref()).await,
        Report::Pending => acknowledge(write, leg, None).await,
        Report::Completed { receipt, amount, at } => {
            if amount.is_some_and(|amount| amount != leg.amount) {
                contradict(write, "amount_differs", leg, "the provider names another amount").await?;
                return become_manual(write, leg).await;
            }
            succeed(write, leg, receipt.as_deref(), *at).await
        }
        Report::Failed { code } => fail(write, leg, code).await,
        Report::NotFound => become_unknown(write, leg, "the provider has never seen it").await,
        Report::NotSent => become_unknown(write, leg, "it was not sent").await,
        Report::Unknown { why } => become_unknown(write, leg, why).await,
    }
}

async fn acknowledge(write: &mut Write, leg: &mut LegRecord, reference: Option<&str>) -> Result<(), LedgerError> {
    if let Some(reference) = reference {
        let query = sqlx::query("UPDATE leg SET provider_reference = $2 WHERE id = $1");
        query.bind(leg.id.as_str()).bind(reference).execute(&mut *write.tx).await?;
    }
    if leg.state == LegState::Sent { step_leg(write, leg, LegState::Acked, "acknowledged").await } else { Ok(()) }
}

async fn become_unknown(write: &mut Write, leg: &mut LegRecord, why: &str) -> Result<(), LedgerError> {
    if !matches!(leg.state, LegState::Sent | LegState::Acked) {
        return Ok(());
    }
    step_leg(write, leg, LegState::Unknown, why).await?;
    let mut loan = loans::loan(write, &leg.loan).await?;
    if leg.kind == LegKind::Payout && loan.state == LoanState::Disbursing {
        let data = json!({"leg": leg.id.as_str()});
        loans::step(write, &mut loan, LoanState::DisbursementUnknown, "DisbursementUnknown", data).await?;
    }
    Ok(())
}

async fn become_manual(write: &mut Write, leg: &mut LegRecord) -> Result<(), LedgerError> {
    become_unknown(write, leg, "a person has to find out").await?;
    if leg.state == LegState::Unknown {
        step_leg(write, leg, LegState::Manual, "a person has to find out").await
    } else {
        Ok(())
    }
}

/// Brings a leg to where the table lets it end: what was sent was taken, whether or not that answer arrived.
async fn prepare_end(write: &mut Write, leg: &mut LegRecord) -> Result<(), LedgerError> {
    if leg.state == LegState::Sent { step_leg(write, leg, LegState::Acked, "told by its end").await } else { Ok(()) }
}

async fn succeed(
    write: &mut Write,
    leg: &mut LegRecord,
    receipt: Option<&str>,
    at: Option<Timestamp>,
) -> Result<(), LedgerError> {
    // What is collected is booked by its receipt, by which it is known should it be told of in another way. It has to come from the provider's answer or
    // statement: by one that somebody made up the payment would count a second time when the statement names the true one.
    let receipt = receipt.map(str::to_owned);
    if leg.kind == LegKind::Collection && receipt.is_none() {
        return acknowledge(write, leg, None).await;
    }
    prepare_end(write, leg).await?;
    step_leg(write, leg, LegState::Succeeded, "completed").await?;
    let query = sqlx::query("UPDATE leg SET receipt = $2 WHERE id = $1").bind(leg.id.as_str()).bind(&receipt);
    query.execute(&mut *write.tx).await?;
    let mut loan = loans::loan(write, &leg.loan).await?;
    match leg.kind {
        LegKind::Payout => paid_out(write, leg, &mut loan, at).await,
        LegKind::Refund => refunded(write, leg, &mut loan).await,
        LegKind::Collection => {
            let incoming = Incoming {
                rail: leg.rail.clone(),
                receipt: receipt.unwrap_or_default(),
                currency: leg.currency,
                amount: leg.amount,
                at: at.unwrap_or(write.at),
                loan: Some(leg.loan.clone()),
                reference: None,
            };
            receive(write, &incoming).await.map(drop)
        }
    }
}

/// The borrower has the money: the loan begins.
async fn paid_out(
    write: &mut Write,
    leg: &LegRecord,
    loan: &mut LoanRecord,
    at: Option<Timestamp>,
) -> Result<(), LedgerError> {
    let today = loan.local_date(write.at)?;
    let said = loan.local_date(at.unwrap_or(write.at))?;
    // A provider's clock cannot put it before the offer or after today.
    let disbursed = said.min(today).max(loan.offered_on.unwrap_or(today));
    if loan.state == LoanState::DisbursementUnknown {
        let data = json!({"leg": leg.id.as_str()});
        loans::step(write, loan, LoanState::Disbursing, "DisbursementFound", data).await?;
    }
    loans::fix_schedule(write, loan, disbursed).await?;
    let owed = Account::Owed(loan.id.clone(), Component::Principal);
    let entry = Entry::new(Kind::PayoutSucceeded, leg.id.as_str(), disbursed)
        .transfer(owed.clone(), Account::InTransit(leg.rail.clone()), leg.currency, leg.amount)
        .transfer(owed, Account::Income(Component::Fees), leg.currency, loan.principal - leg.amount)
        .transfer(Account::CapitalCommitted, Account::CapitalLent, leg.currency, loan.principal);
    journal::post(write, &entry).await?;
    let data = json!({"leg": leg.id.as_str()});
    loans::step(write, loan, LoanState::Active, "DisbursementConfirmed", data).await?;
    loans::book(write, &loan.id, today).await
}

/// What was too much has gone back.
async fn refunded(write: &mut Write, leg: &LegRecord, loan: &mut LoanRecord) -> Result<(), LedgerError> {
    let received = Account::Received(loan.id.clone());
    let in_transit = Account::InTransit(leg.rail.clone());
    let entry = Entry::new(Kind::RefundSucceeded, leg.id.as_str(), loan.local_date(write.at)?);
    journal::post(write, &entry.transfer(received.clone(), in_transit, leg.currency, leg.amount)).await?;
    let left = account::balance(write, &received, leg.currency.code()).await?;
    let next = if left >= loan.payment_multiple()? { LoanState::Overpaid } else { LoanState::Closed };
    loans::step(write, loan, next, "Refunded", json!({"leg": leg.id.as_str()})).await
}

async fn fail(write: &mut Write, leg: &mut LegRecord, code: &str) -> Result<(), LedgerError> {
    prepare_end(write, leg).await?;
    step_leg(write, leg, LegState::Failed, code).await?;
    let mut loan = loans::loan(write, &leg.loan).await?;
    let data = json!({"leg": leg.id.as_str(), "code": code});
    let kind = match leg.kind {
        LegKind::Collection => return loans::event(write, &loan.id, "CollectionFailed", data).await,
        LegKind::Payout => Kind::PayoutFailed,
        LegKind::Refund => Kind::RefundFailed,
    };
    let (float, in_transit) = (Account::Float(leg.rail.clone()), Account::InTransit(leg.rail.clone()));
    let entry = Entry::new(kind, leg.id.as_str(), loan.local_date(write.at)?);
    journal::post(write, &entry.transfer(float, in_transit, leg.currency, leg.amount)).await?;
    if leg.kind == LegKind::Refund {
        return loans::step(write, &mut loan, LoanState::Overpaid, "RefundFailed", data).await;
    }
    if loan.state == LoanState::DisbursementUnknown {
        loans::step(write, &mut loan, LoanState::Disbursing, "DisbursementFound", json!({})).await?;
    }
    loans::step(write, &mut loan, LoanState::DisbursementFailed, "DisbursementFailed", data).await?;
    loans::step(write, &mut loan, LoanState::Funded, "DisbursementToBeRepeated", json!({})).await
}

/// Money that moved although it was said that it never would. It is booked where it went, the loan is frozen, and nothing is credited.
async fn succeed_late(
    write: &mut Write,
    leg: &LegRecord,
    receipt: Option<&str>,
    amount: Option<Minor>,
    at: Option<Timestamp>,
) -> Result<(), LedgerError> {
    if leg.kind == LegKind::Collection {
        return collected_late(write, leg, receipt, amount, at).await;
    }
    if !contradict(write, "succeeded_after_failure", leg, "paid after it had failed").await? {
        return Ok(());
    }
    let loan = loans::loan(write, &leg.loan).await?;
    let (contradicted, float) = (Account::Contradicted(leg.rail.clone()), Account::Float(leg.rail.clone()));
    let entry = Entry::new(Kind::PayoutContradicted, leg.id.as_str(), loan.local_date(write.at)?);
    let entry = entry.transfer(contradicted, float, leg.currency, amount.unwrap_or(leg.amount));
    journal::post(write, &entry).await?;
    loans::hold(write, &leg.loan, "frozen", Hold::Begins).await
}

/// A borrower's money that came after all is the borrower's: the receipt makes sure that it counts once.
async fn collected_late(
    write: &mut Write,
    leg: &LegRecord,
    receipt: Option<&str>,
    amount: Option<Minor>,
    at: Option<Timestamp>,
) -> Result<(), LedgerError> {
    let Some(receipt) = receipt else { return Ok(()) };
    contradict(write, "succeeded_after_failure", leg, "collected after it had failed").await?;
    let incoming = Incoming {
        rail: leg.rail.clone(),
        receipt: receipt.to_owned(),
        currency: leg.currency,
        amount: amount.unwrap_or(leg.amount),
        at: at.unwrap_or(write.at),
        loan: Some(leg.loan.clone()),
        reference: None,
    };
    receive(write, &incoming).await.map(drop)
}

/// Writes a contradiction down; `false` if it is there already.
pub(super) async fn contradict(
    write: &mut Write,
    kind: &str,
    leg: &LegRecord,
    detail: &str,
) -> Result<bool, LedgerError> {
    let written = sqlx::query(
        "INSERT INTO contradiction (id, kind, leg, at, detail) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (kind, leg) DO NOTHING",
    )
    .bind(random_uuid()?)
    .bind(kind)
    .bind(leg.id.as_str())
    .bind(write.millis())
    .bind(detail)
    .execute(&mut *write.tx)
    .await?;
    Ok(written.rows_affected() == 1)
}

/// Keeps the receipt that a callback named: only a hint, by which the provider is asked where it confirms payments without naming them.
///
/// # Errors
/// If there is no such leg, or the database fails.
pub async fn hint_receipt(write: &mut Write, id: &LegId, receipt: &str) -> Result<(), LedgerError> {
    LedgerError::check_text("the receipt", receipt)?;
    let query = sqlx::query("UPDATE leg SET hinted_receipt = $2 WHERE id = $1 AND state <> 'succeeded'");
    query.bind(id.as_str()).bind(receipt).execute(&mut *write.tx).await?;
    Ok(())
}

/// Counts an inquiry, and says when the next one is due: after four seconds, then twice as long each time, up to an hour. After the
/// last one a person has to find out.
///
/// # Errors
/// If there is no such leg, or the database fails.
pub async fn inquired(write: &mut Write, id: &LegId) -> Result<(), LedgerError> {
    let query = sqlx::query("UPDATE leg SET inquiries = inquiries + 1 WHERE id = $1").bind(id.as_str());
    query.execute(&mut *write.tx).await?;
    let mut leg = leg(write, id).await?;
    if !matches!(leg.state, LegState::Sent | LegState::Acked | LegState::Unknown) {
        return outbox::done(write, Task::Inquire, id.as_str()).await;
    }
    if leg.inquiries >= limits::MAX_INQUIRIES {
        become_manual(write, &mut leg).await?;
        return outbox::done(write, Task::Inquire, id.as_str()).await;
    }
    let doublings = u32::try_from(leg.inquiries.clamp(1, 10)).unwrap_or(10);
    let seconds = (2_i64 << doublings).min(3_600);
    outbox::inquire(write, id.as_str(), SignedDuration::from_secs(seconds)).await
}

/// Settles a leg that nobody but a person could find out about. To be called with a second person's approval only.
///
/// # Errors
/// If the leg is not waiting for it, or the database fails.
pub(crate) async fn settle_by_hand(
    write: &mut Write,
    id: &LegId,
    receipt: Option<&str>,
) -> Result<LegState, LedgerError> {
    let mut leg = leg(write, id).await?;
    if leg.state != LegState::Manual {
        return Err(LedgerError::conflict("this payment is not waiting for a person"));
    }
    match receipt {
        Some(receipt) => succeed(write, &mut leg, Some(receipt), None).await?,
        None => fail(write, &mut leg, "found out by hand").await?,
    }
    Ok(leg.state)
}

/// Contradictions that nobody has settled.
///
/// # Errors
/// If the database fails.
pub async fn contradictions(source: &mut impl Source) -> Result<Vec<Contradiction>, LedgerError> {
    let rows = sqlx::query(
        "SELECT id, kind, leg, at, detail FROM contradiction WHERE resolved_at IS NULL ORDER BY at, id LIMIT $1",
    );
    let rows = rows.bind(limits::MAX_ROWS).fetch_all(source.rows()).await?;
    let contradiction = |row: &sqlx::any::AnyRow| {
        Ok(Contradiction {
            id: row.text("id")?,
            kind: row.text("kind")?,
            leg: row.optional("leg")?,
            at: row.number("at")?,
            detail: row.text("detail")?,
        })
    };
    rows.iter().map(contradiction).collect()
}

/// Says that a contradiction has been settled.
///
/// # Errors
/// If there is none of this id that is open, or the database fails.
pub(crate) async fn resolve(write: &mut Write, id: &str) -> Result<(), LedgerError> {
    let resolved = sqlx::query(
        "UPDATE contradiction SET resolved_at = $2, resolved_by = $3 WHERE id = $1 AND resolved_at IS NULL",
    );
    let resolved = resolved.bind(id).bind(write.millis()).bind(&write.by.name).execute(&mut *write.tx).await?;
    if resolved.rows_affected() == 1 { Ok(()) } else { Err(LedgerError::NotFound("contradiction", id.to_owned())) }
}
