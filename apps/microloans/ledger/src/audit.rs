//! Who did what, and when: rows that are only added, in the transaction of what they tell of. No person's data stands here.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    LedgerError,
    store::{Columns as _, Source, Write},
};

/// A row of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Record {
    /// Its number, from 1.
    pub seq: i64,
    /// In milliseconds since 1970.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// In which role.
    pub role: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// With which values.
    pub detail: String,
}

/// Adds a row.
///
/// # Errors
/// If the database fails.
pub async fn record(write: &mut Write, action: &str, subject: &str, detail: &str) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO audit (seq, at, actor, role, action, subject, detail)
         VALUES ((SELECT COALESCE(MAX(seq), 0) + 1 FROM audit), $1, $2, $3, $4, $5, $6)",
    )
    .bind(write.millis())
    .bind(&write.by.name)
    .bind(&write.by.role)
    .bind(action)
    .bind(subject)
    .bind(detail)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Rows from a number on.
///
/// # Errors
/// If the database fails.
pub async fn records(source: &mut impl Source, from: i64, limit: i64) -> Result<Vec<Record>, LedgerError> {
    let query = sqlx::query(
        "SELECT seq, at, actor, role, action, subject, detail FROM audit WHERE seq >= $1 ORDER BY seq LIMIT $2",
    );
    let rows = query.bind(from).bind(limit).fetch_all(source.rows()).await?;
    let record = |row: &sqlx::any::AnyRow| {
        Ok(Record {
            seq: row.number("seq")?,
            at: row.number("at")?,
            actor: row.text("actor")?,
            role: row.text("role")?,
            action: row.text("action")?,
            subject: row.text("subject")?,
            detail: row.text("detail")?,
        })
    };
    rows.iter().map(record).collect()
}
