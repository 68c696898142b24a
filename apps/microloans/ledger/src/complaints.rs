//! Complaints: what a borrower says is wrong, and until when they are answered.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    LedgerError, LoanId, PersonId, audit,
    code::LoanCode,
    limits, rules,
    store::{Columns as _, Source, Write},
    vault,
};

/// Hours for an answer where the law of the country does not say.
const ANSWER_HOURS: u32 = 72;

/// A complaint, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Complaint {
    /// Its name among people.
    pub code: String,
    /// Whose it is.
    pub person: String,
    /// The loan it is about, if there was one.
    pub loan: Option<String>,
    /// What about: `not_received`, `not_counted`, `wrong_amount`, `treatment`, `other`.
    pub matter: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Until when it is answered.
    pub answer_until: i64,
    /// The answer, if there is one.
    pub answer: Option<String>,
}

/// What a person is told of their complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its name.
    pub code: String,
    /// Hours within which it is answered.
    pub hours: u32,
}

/// Takes a complaint.
///
/// # Errors
/// If there is no such person, or the database fails.
pub async fn take(
    write: &mut Write,
    person: &PersonId,
    loan: Option<&LoanId>,
    matter: &str,
) -> Result<Ticket, LedgerError> {
    LedgerError::check_text("the matter", matter)?;
    let rules = rules::of_country(&vault::country(write, person).await?)?;
    let hours = rules.complaint_hours.unwrap_or(ANSWER_HOURS);
    let until: Timestamp = write.at.saturating_add(SignedDuration::from_hours(hours.into())).unwrap_or(write.at);
    let code = LoanCode::random()?.to_string();
    sqlx::query("INSERT INTO complaint (code, person, loan, matter, at, answer_until) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(&code)
        .bind(person.as_str())
        .bind(loan.map(|loan| loan.as_str().to_owned()))
        .bind(matter)
        .bind(write.millis())
        .bind(until.as_millisecond())
        .execute(&mut *write.tx)
        .await?;
    audit::record(write, "complaint.take", &code, matter).await?;
    Ok(Ticket { code, hours })
}

/// Answers a complaint.
///
/// # Errors
/// If there is none of this name without an answer, the answer is no text, or the database fails.
pub async fn answer(write: &mut Write, code: &str, answer: &str) -> Result<(), LedgerError> {
    LedgerError::check_text("the answer", answer)?;
    let query = sqlx::query(
        "UPDATE complaint SET answered_at = $2, answered_by = $3, answer = $4 WHERE code = $1 AND answered_at IS NULL",
    );
    let query = query.bind(code).bind(write.millis()).bind(&write.by.name).bind(answer);
    if query.execute(&mut *write.tx).await?.rows_affected() != 1 {
        return Err(LedgerError::NotFound("open complaint", code.chars().take(40).collect()));
    }
    audit::record(write, "complaint.answer", code, "").await
}

/// Complaints without an answer, the most urgent first.
///
/// # Errors
/// If the database fails.
pub async fn open(source: &mut impl Source) -> Result<Vec<Complaint>, LedgerError> {
    let rows = sqlx::query(
        "SELECT code, person, loan, matter, at, answer_until, answer FROM complaint WHERE answered_at IS NULL
         ORDER BY answer_until, code LIMIT $1",
    );
    let rows = rows.bind(limits::MAX_ROWS).fetch_all(source.rows()).await?;
    let complaint = |row: &sqlx::any::AnyRow| {
        Ok(Complaint {
            code: row.text("code")?,
            person: row.text("person")?,
            loan: row.optional("loan")?,
            matter: row.text("matter")?,
            at: row.number("at")?,
            answer_until: row.number("answer_until")?,
            answer: row.optional("answer")?,
        })
    };
    rows.iter().map(complaint).collect()
}
