//! What a public chain is told of loans and of the journal, as far as it concerns these books: which facts there are, in which order, and which of
//! them it has.
//!
//! Events of a loan become facts, numbered from 1 on, each written down as the call by which it is told, before it is told for the first time. So it is
//! told word for word again, whatever has happened meanwhile, and the contract ignores it. Which facts follow from which events is decided by who
//! speaks with the chain; here they are bytes.
//!
//! A loan and its borrower are random words there, others for every loan.

use braid_microloans_arithmetic::{Minor, Parts};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    LedgerError, LoanId,
    journal::seal::{Seal, seal_of},
    loans::{self, LoanEvent},
    payments::outbox::{self, Task},
    store::{Columns as _, Source, Write, stored},
};

/// A loan as the chain knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The loan.
    pub loan: LoanId,
    /// What it is called there: 64 hexadecimal digits.
    pub word: String,
    /// What its borrower is called there.
    pub borrower: String,
    /// The last event that has been written down as facts.
    pub event: i64,
    /// What the facts say was paid, in minor units.
    pub paid: Parts,
}

/// A fact that has been written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFact {
    /// Its number, from 1.
    pub seq: i64,
    /// What it says.
    pub kind: String,
    /// The call by which it is told, in hexadecimal.
    pub call: String,
    /// Whether the chain has it.
    pub is_told: bool,
    /// By which transaction, as far as it is known.
    pub reference: Option<String>,
    /// Why the chain does not take it.
    pub refused: Option<String>,
}

/// Writes that the chain is to be told of a loan.
pub(crate) async fn put(write: &mut Write, loan: &LoanId) -> Result<(), LedgerError> {
    outbox::put(write, Task::Tell, loan.as_str(), write.millis()).await
}

/// Puts everything into the outbox that the chain may not know: after the time in which nobody told it anything.
///
/// # Errors
/// If the database fails.
pub async fn put_all(write: &mut Write) -> Result<(), LedgerError> {
    let loans = sqlx::query(
        "SELECT id FROM loan WHERE key_facts_hash IS NOT NULL AND NOT EXISTS
           (SELECT 1 FROM chain_loan c WHERE c.loan = loan.id
              AND c.event = (SELECT MAX(seq) FROM loan_event e WHERE e.loan = loan.id)
              AND NOT EXISTS (SELECT 1 FROM chain_fact f WHERE f.loan = c.loan AND f.told_at IS NULL)) ORDER BY id",
    );
    for row in loans.fetch_all(&mut *write.tx).await? {
        put(write, &row.parsed("id")?).await?;
    }
    let days =
        sqlx::query("SELECT day FROM seal WHERE NOT EXISTS (SELECT 1 FROM chain_anchor a WHERE a.day = seal.day)");
    for row in days.fetch_all(&mut *write.tx).await? {
        outbox::put(write, Task::Anchor, &row.text("day")?, write.millis()).await?;
    }
    Ok(())
}

fn random_word() -> Result<String, LedgerError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(const_hex::encode(bytes))
}

/// The loan's names on the chain; they are drawn when they are asked for first.
///
/// # Errors
/// If the database fails, or the system has no random numbers.
pub async fn link(write: &mut Write, loan: &LoanId) -> Result<Linked, LedgerError> {
    if let Some(linked) = linked(write, loan).await? {
        return Ok(linked);
    }
    let (word, borrower) = (random_word()?, random_word()?);
    sqlx::query(
        "INSERT INTO chain_loan (loan, word, borrower, event, principal, interest, fees, penalties)
         VALUES ($1, $2, $3, 0, 0, 0, 0, 0)",
    )
    .bind(loan.as_str())
    .bind(&word)
    .bind(&borrower)
    .execute(&mut *write.tx)
    .await?;
    Ok(Linked { loan: loan.clone(), word, borrower, event: 0, paid: Parts::default() })
}

/// The loan's names on the chain, if it has any.
///
/// # Errors
/// If the database fails.
pub async fn linked(source: &mut impl Source, loan: &LoanId) -> Result<Option<Linked>, LedgerError> {
    let query = sqlx::query("SELECT * FROM chain_loan WHERE loan = $1").bind(loan.as_str());
    query.fetch_optional(source.rows()).await?.as_ref().map(of_row).transpose()
}

fn of_row(row: &AnyRow) -> Result<Linked, LedgerError> {
    let paid = |name: &str| -> Result<Minor, LedgerError> { Ok(row.number(name)?.into()) };
    Ok(Linked {
        loan: row.parsed("loan")?,
        word: row.text("word")?,
        borrower: row.text("borrower")?,
        event: row.number("event")?,
        paid: Parts {
            principal: paid("principal")?,
            interest: paid("interest")?,
            fees: paid("fees")?,
            penalties: paid("penalties")?,
        },
    })
}

/// Events of a loan that have not been written down as facts.
///
/// # Errors
/// If the database fails.
pub async fn news(source: &mut impl Source, linked: &Linked) -> Result<Vec<LoanEvent>, LedgerError> {
    let events = loans::events(source, &linked.loan).await?;
    Ok(events.into_iter().filter(|event| event.seq > linked.event).collect())
}

/// The number of the next fact of a loan.
///
/// # Errors
/// If the database fails.
pub async fn next_seq(source: &mut impl Source, loan: &LoanId) -> Result<i64, LedgerError> {
    let query = sqlx::query("SELECT COALESCE(MAX(seq), 0) + 1 FROM chain_fact WHERE loan = $1").bind(loan.as_str());
    Ok(query.fetch_one(source.rows()).await?.try_get(0)?)
}

/// Writes a fact down under the next number.
///
/// # Errors
/// If the database fails.
pub async fn write_down(
    write: &mut Write,
    loan: &LoanId,
    seq: i64,
    kind: &str,
    call: &[u8],
) -> Result<(), LedgerError> {
    sqlx::query("INSERT INTO chain_fact (loan, seq, kind, call) VALUES ($1, $2, $3, $4)")
        .bind(loan.as_str())
        .bind(seq)
        .bind(kind)
        .bind(const_hex::encode(call))
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}

/// Keeps up to which event a loan has been written down, and what its facts say was paid.
///
/// # Errors
/// If the database fails.
pub async fn keep(write: &mut Write, linked: &Linked) -> Result<(), LedgerError> {
    let paid = &linked.paid;
    sqlx::query(
        "UPDATE chain_loan SET event = $2, principal = $3, interest = $4, fees = $5, penalties = $6 WHERE loan = $1",
    )
    .bind(linked.loan.as_str())
    .bind(linked.event)
    .bind(stored(paid.principal)?)
    .bind(stored(paid.interest)?)
    .bind(stored(paid.fees)?)
    .bind(stored(paid.penalties)?)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// All facts of a loan.
///
/// # Errors
/// If the database fails.
pub async fn facts(source: &mut impl Source, loan: &LoanId) -> Result<Vec<StoredFact>, LedgerError> {
    let query =
        sqlx::query("SELECT seq, kind, call, told_at, reference, refused FROM chain_fact WHERE loan = $1 ORDER BY seq");
    let rows = query.bind(loan.as_str()).fetch_all(source.rows()).await?;
    let fact = |row: &AnyRow| {
        Ok(StoredFact {
            seq: row.number("seq")?,
            kind: row.text("kind")?,
            call: row.text("call")?,
            is_told: row.optional_number("told_at")?.is_some(),
            reference: row.optional("reference")?,
            refused: row.optional("refused")?,
        })
    };
    rows.iter().map(fact).collect()
}

/// Whether the chain has a fact of this kind.
///
/// # Errors
/// If the database fails.
pub async fn is_told(source: &mut impl Source, loan: &LoanId, kind: &str) -> Result<bool, LedgerError> {
    let sql = "SELECT COUNT(*) FROM chain_fact WHERE loan = $1 AND kind = $2 AND told_at IS NOT NULL";
    let query = sqlx::query(sql).bind(loan.as_str()).bind(kind);
    Ok(query.fetch_one(source.rows()).await?.try_get::<i64, _>(0)? > 0)
}

/// Writes that the chain has a fact.
///
/// # Errors
/// If the database fails.
pub async fn told(write: &mut Write, loan: &LoanId, seq: i64, reference: Option<&str>) -> Result<(), LedgerError> {
    sqlx::query(
        "UPDATE chain_fact SET told_at = $3, reference = $4, refused = NULL WHERE loan = $1 AND seq = $2 AND told_at IS NULL",
    )
    .bind(loan.as_str())
    .bind(seq)
    .bind(write.millis())
    .bind(reference)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Writes why the chain does not take a fact.
///
/// # Errors
/// If the database fails.
pub async fn refused(write: &mut Write, loan: &LoanId, seq: i64, why: &str) -> Result<(), LedgerError> {
    let query = sqlx::query("UPDATE chain_fact SET refused = $3 WHERE loan = $1 AND seq = $2 AND told_at IS NULL");
    query.bind(loan.as_str()).bind(seq).bind(why).execute(&mut *write.tx).await?;
    Ok(())
}

/// Ends a row of the outbox if the chain has everything of a loan; returns whether it does.
///
/// # Errors
/// If the database fails.
pub async fn finish(write: &mut Write, linked: &Linked) -> Result<bool, LedgerError> {
    let is_left = facts(write, &linked.loan).await?.iter().any(|fact| !fact.is_told);
    if is_left || !news(write, linked).await?.is_empty() {
        return Ok(false);
    }
    outbox::done(write, Task::Tell, linked.loan.as_str()).await?;
    Ok(true)
}

/// The seal of a day as text, and whether the one before it is anchored, as days are anchored in order.
///
/// # Errors
/// If the day has no seal, or the database fails.
pub async fn seal_to_anchor(source: &mut impl Source, day: &str) -> Result<(Seal, bool), LedgerError> {
    let seal = seal_of(source, day.parse()?).await?;
    let sql =
        "SELECT COUNT(*) FROM seal WHERE day < $1 AND NOT EXISTS (SELECT 1 FROM chain_anchor a WHERE a.day = seal.day)";
    let before: i64 = sqlx::query(sql).bind(day).fetch_one(source.rows()).await?.try_get(0)?;
    Ok((seal, before == 0))
}

/// Writes that the chain has a day's seal.
///
/// # Errors
/// If the database fails.
pub async fn anchored(write: &mut Write, day: &str, reference: Option<&str>) -> Result<(), LedgerError> {
    sqlx::query("INSERT INTO chain_anchor (day, told_at, reference) VALUES ($1, $2, $3) ON CONFLICT (day) DO NOTHING")
        .bind(day)
        .bind(write.millis())
        .bind(reference)
        .execute(&mut *write.tx)
        .await?;
    outbox::done(write, Task::Anchor, day).await
}

/// How many facts the chain has, how many it has not, and how many of those it refuses.
///
/// # Errors
/// If the database fails.
pub async fn counts(source: &mut impl Source) -> Result<[i64; 3], LedgerError> {
    let row = sqlx::query("SELECT COUNT(told_at), COUNT(*) - COUNT(told_at), COUNT(refused) FROM chain_fact");
    let row = row.fetch_one(source.rows()).await?;
    Ok([row.try_get(0)?, row.try_get(1)?, row.try_get(2)?])
}
