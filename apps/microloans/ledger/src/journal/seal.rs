//! The seal of a day: the Merkle root over the hashes of its entries, fixed once the day (UTC) has ended.

use braid_microloans_arithmetic::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::merkle::{self, Hash, Proof};
use crate::{
    LedgerError,
    payments::outbox::{self, Task},
    store::{Columns as _, Source, Write},
    time,
};

/// A day that has been sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Seal {
    /// The day.
    pub day: String,
    /// The root, in hexadecimal.
    pub root: String,
    /// The day's first entry.
    pub first_seq: i64,
    /// The day's last entry.
    pub last_seq: i64,
}

/// That an entry is in a day's seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EntryProof {
    /// The day.
    pub day: String,
    /// The root, in hexadecimal.
    pub root: String,
    /// The entry's hash, which is the leaf.
    pub leaf: String,
    /// The way from the leaf to the root.
    pub proof: Proof,
}

/// Seals every day that has ended and has entries; returns those.
///
/// # Errors
/// If the database fails.
pub async fn seal_ended_days(write: &mut Write) -> Result<Vec<Seal>, LedgerError> {
    let today = time::utc_date(write.at)?.to_string();
    let rows = sqlx::query(
        "SELECT day, MIN(seq) AS first_seq, MAX(seq) AS last_seq FROM entry
         WHERE day < $1 AND seq > (SELECT COALESCE(MAX(last_seq), 0) FROM seal) GROUP BY day ORDER BY day",
    )
    .bind(today)
    .fetch_all(&mut *write.tx)
    .await?;
    let mut seals = Vec::new();
    for row in rows {
        let (day, first_seq, last_seq) = (row.text("day")?, row.number("first_seq")?, row.number("last_seq")?);
        let root = const_hex::encode(merkle::root(&leaves(write, &day).await?));
        sqlx::query("INSERT INTO seal (day, root, first_seq, last_seq, at) VALUES ($1, $2, $3, $4, $5)")
            .bind(&day)
            .bind(&root)
            .bind(first_seq)
            .bind(last_seq)
            .bind(write.millis())
            .execute(&mut *write.tx)
            .await?;
        if write.tells_chain {
            outbox::put(write, Task::Anchor, &day, write.millis()).await?;
        }
        seals.push(Seal { day, root, first_seq, last_seq });
    }
    Ok(seals)
}

/// The seal of a day.
///
/// # Errors
/// If the day has none, or the database fails.
pub async fn seal_of(source: &mut impl Source, day: Date) -> Result<Seal, LedgerError> {
    let day = day.to_string();
    let row = sqlx::query("SELECT day, root, first_seq, last_seq FROM seal WHERE day = $1")
        .bind(&day)
        .fetch_optional(source.rows())
        .await?
        .ok_or(LedgerError::NotFound("sealed day", day))?;
    Ok(Seal {
        day: row.text("day")?,
        root: row.text("root")?,
        first_seq: row.number("first_seq")?,
        last_seq: row.number("last_seq")?,
    })
}

/// The proof that an entry is in its day's seal.
///
/// # Errors
/// If there is no such entry, its day is not sealed yet, or the database fails.
pub async fn prove(source: &mut impl Source, seq: i64) -> Result<EntryProof, LedgerError> {
    let row = sqlx::query("SELECT day, hash FROM entry WHERE seq = $1")
        .bind(seq)
        .fetch_optional(source.rows())
        .await?
        .ok_or_else(|| LedgerError::NotFound("entry", seq.to_string()))?;
    let seal = seal_of(source, row.parsed("day")?).await?;
    let leaves = leaves(source, &seal.day).await?;
    let index = usize::try_from(seq - seal.first_seq).ok();
    let proof = index.and_then(|index| merkle::prove(&leaves, index));
    let proof = proof.ok_or_else(|| LedgerError::Corrupt(format!("a seal of {} without entry {seq}", seal.day)))?;
    Ok(EntryProof { day: seal.day, root: seal.root, leaf: row.text("hash")?, proof })
}

pub(super) async fn leaves(source: &mut impl Source, day: &str) -> Result<Vec<Hash>, LedgerError> {
    let rows =
        sqlx::query("SELECT hash FROM entry WHERE day = $1 ORDER BY seq").bind(day).fetch_all(source.rows()).await?;
    rows.iter().map(|row| merkle::parse(&row.text("hash")?)).collect()
}
