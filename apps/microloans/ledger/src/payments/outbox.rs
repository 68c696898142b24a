//! What is to be done outside: rows that are written with the decision, and done afterwards, at least once.
//!
//! A row is claimed by moving its time ahead by a lease. If whoever claimed it dies, it is due again when the lease is over; whoever takes it up then must
//! reckon with everything having happened already.

use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;

use crate::{
    LedgerError,
    store::{Columns as _, Source, Write},
};

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Send a leg to its provider.
    Send,
    /// Send it once more, with the same id: it is certain that it did not arrive.
    Resend,
    /// Ask the provider about a leg.
    Inquire,
    /// Look a payment up that a callback told of.
    Confirm,
    /// Tell a chain what has happened to a loan.
    Tell,
    /// Anchor a day of the journal on a chain.
    Anchor,
    /// Tell a borrower what has happened to a loan.
    Say,
}

/// Whose work it is. Chains and providers do not wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Desk {
    /// What goes to providers of mobile money.
    Providers,
    /// What goes to a chain.
    Chain,
    /// Messages to borrowers.
    Messages,
}

impl Desk {
    const fn kinds(self) -> &'static str {
        match self {
            Self::Providers => "kind NOT IN ('tell', 'anchor', 'say')",
            Self::Chain => "kind IN ('tell', 'anchor')",
            Self::Messages => "kind = 'say'",
        }
    }
}

impl Task {
    const ALL: [Self; 7] =
        [Self::Send, Self::Resend, Self::Inquire, Self::Confirm, Self::Tell, Self::Anchor, Self::Say];

    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Resend => "resend",
            Self::Inquire => "inquire",
            Self::Confirm => "confirm",
            Self::Tell => "tell",
            Self::Anchor => "anchor",
            Self::Say => "say",
        }
    }
}

/// A row that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What is to be done.
    pub task: Task,
    /// To what.
    pub subject: String,
    /// How often it was tried before.
    pub attempts: i64,
    due_at: i64,
}

/// Writes that something is to be done at a time. A row that is there already is due again at that time.
pub(crate) async fn put(write: &mut Write, task: Task, subject: &str, due_at: i64) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO outbox (kind, subject, created_at, due_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (kind, subject) DO UPDATE SET due_at = excluded.due_at, done_at = NULL",
    )
    .bind(task.name())
    .bind(subject)
    .bind(write.millis())
    .bind(due_at)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Writes that a provider is to be asked about a leg.
///
/// # Errors
/// If the database fails.
pub async fn inquire(write: &mut Write, leg: &str, after: SignedDuration) -> Result<(), LedgerError> {
    let due_at = write.millis().saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
    put(write, Task::Inquire, leg, due_at).await
}

/// Writes that a leg is to be sent once more, with the same id: the provider is sure that it has never seen it.
///
/// # Errors
/// If the database fails.
pub async fn send_again(write: &mut Write, leg: &str, after: SignedDuration) -> Result<(), LedgerError> {
    let due_at = write.millis().saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
    put(write, Task::Resend, leg, due_at).await
}

/// What is due for providers, the longest first.
///
/// # Errors
/// If the database fails.
pub async fn due(source: &mut impl Source, at: Timestamp, limit: i64) -> Result<Vec<Message>, LedgerError> {
    due_at(source, Desk::Providers, at, limit).await
}

/// What is due at a desk, the longest first.
///
/// # Errors
/// If the database fails.
pub async fn due_at(
    source: &mut impl Source,
    desk: Desk,
    at: Timestamp,
    limit: i64,
) -> Result<Vec<Message>, LedgerError> {
    let sql = format!(
        "SELECT kind, subject, attempts, due_at FROM outbox WHERE {} AND done_at IS NULL AND due_at <= $1
         ORDER BY due_at, subject LIMIT $2",
        desk.kinds()
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql));
    let rows = rows.bind(at.as_millisecond()).bind(limit).fetch_all(source.rows()).await?;
    let message = |row: &sqlx::any::AnyRow| {
        let kind = row.text("kind")?;
        let task = Task::ALL.into_iter().find(|task| task.name() == kind);
        Ok(Message {
            task: task.ok_or_else(|| LedgerError::Corrupt(format!("outbox work {kind:?}")))?,
            subject: row.text("subject")?,
            attempts: row.number("attempts")?,
            due_at: row.number("due_at")?,
        })
    };
    rows.iter().map(message).collect()
}

/// Claims a row for the time of a lease. `false` if somebody else has.
///
/// # Errors
/// If the database fails.
pub async fn claim(write: &mut Write, message: &Message, lease: SignedDuration) -> Result<bool, LedgerError> {
    let until = write.millis().saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
    let claimed = sqlx::query(
        "UPDATE outbox SET due_at = $4, attempts = attempts + 1
         WHERE kind = $1 AND subject = $2 AND due_at = $3 AND done_at IS NULL",
    )
    .bind(message.task.name())
    .bind(&message.subject)
    .bind(message.due_at)
    .bind(until)
    .execute(&mut *write.tx)
    .await?;
    Ok(claimed.rows_affected() == 1)
}

/// Writes that a claimed row is to be taken up again after a while.
///
/// # Errors
/// If the database fails.
pub async fn later(write: &mut Write, task: Task, subject: &str, after: SignedDuration) -> Result<(), LedgerError> {
    let due_at = write.millis().saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
    let query = sqlx::query("UPDATE outbox SET due_at = $3 WHERE kind = $1 AND subject = $2 AND done_at IS NULL");
    query.bind(task.name()).bind(subject).bind(due_at).execute(&mut *write.tx).await?;
    Ok(())
}

/// Writes that something has been done.
///
/// # Errors
/// If the database fails.
pub async fn done(write: &mut Write, task: Task, subject: &str) -> Result<(), LedgerError> {
    let query = sqlx::query("UPDATE outbox SET done_at = $3 WHERE kind = $1 AND subject = $2 AND done_at IS NULL");
    query.bind(task.name()).bind(subject).bind(write.at.as_millisecond()).execute(&mut *write.tx).await?;
    Ok(())
}

/// How many rows are waiting for providers, and how old the oldest is that is due, in milliseconds.
///
/// # Errors
/// If the database fails.
pub async fn backlog(source: &mut impl Source, at: Timestamp) -> Result<(i64, i64), LedgerError> {
    backlog_at(source, Desk::Providers, at).await
}

/// The same at a desk.
///
/// # Errors
/// If the database fails.
pub async fn backlog_at(source: &mut impl Source, desk: Desk, at: Timestamp) -> Result<(i64, i64), LedgerError> {
    let sql =
        format!("SELECT COUNT(*), COALESCE(MIN(due_at), $1) FROM outbox WHERE {} AND done_at IS NULL", desk.kinds());
    let query = sqlx::query(sqlx::AssertSqlSafe(sql));
    let row = query.bind(at.as_millisecond()).fetch_one(source.rows()).await?;
    Ok((row.try_get(0)?, (at.as_millisecond() - row.try_get::<i64, _>(1)?).max(0)))
}
