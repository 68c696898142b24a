//! Idempotency keys, kept for ever: the same key with the same request gets the first answer again; with another request it is refused.
//!
//! The row is written in the transaction of what the request did, so there is an answer if and only if it was done. Requests may hold
//! persons' data, so a request is kept as a keyed hash; answers hold none.

use crate::{
    LedgerError, limits,
    store::{Columns as _, Write},
};

/// An answer that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its HTTP status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

/// A request, as it is compared.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The caller's key.
    pub key: &'a str,
    /// What is asked for.
    pub path: &'a str,
    /// With which body.
    pub body: &'a [u8],
}

impl Request<'_> {
    fn check(&self) -> Result<(), LedgerError> {
        let is_plain = self.key.bytes().all(|byte| byte.is_ascii_graphic());
        if self.key.is_empty() || self.key.len() > limits::MAX_KEY_CHARS || !is_plain {
            let text = format!("an idempotency key has 1 to {} plain characters", limits::MAX_KEY_CHARS);
            return Err(LedgerError::Invalid(text));
        }
        Ok(())
    }

    fn hash(&self, write: &Write) -> String {
        write.vault.blind(&format!("request {}", self.path), self.body)
    }
}

/// The answer that this request was given before.
///
/// # Errors
/// If the key was used for another request or is none, or the database fails.
pub async fn find(write: &mut Write, request: &Request<'_>) -> Result<Option<Answer>, LedgerError> {
    request.check()?;
    let row = sqlx::query("SELECT request, status, answer FROM idempotency WHERE caller = $1 AND key = $2")
        .bind(&write.by.name)
        .bind(request.key)
        .fetch_optional(&mut *write.tx)
        .await?;
    let Some(row) = row else { return Ok(None) };
    if row.text("request")? != request.hash(write) {
        return Err(LedgerError::KeyReused);
    }
    let status = u16::try_from(row.number("status")?).map_err(|_| LedgerError::Corrupt("a status".to_owned()))?;
    Ok(Some(Answer { status, body: row.text("answer")? }))
}

/// Keeps the answer to a request.
///
/// # Errors
/// If the database fails.
pub async fn keep(write: &mut Write, request: &Request<'_>, answer: &Answer) -> Result<(), LedgerError> {
    let hash = request.hash(write);
    let query = sqlx::query(
        "INSERT INTO idempotency (caller, key, request, status, answer, at) VALUES ($1, $2, $3, $4, $5, $6)",
    );
    query
        .bind(&write.by.name)
        .bind(request.key)
        .bind(hash)
        .bind(i64::from(answer.status))
        .bind(&answer.body)
        .bind(write.at.as_millisecond())
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}
