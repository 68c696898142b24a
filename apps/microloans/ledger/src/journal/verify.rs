//! Verifying the journal from its first entry to its last, from what is stored alone: what an auditor runs.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{EntryView, GENESIS, TransferView, entries, hash, merkle, seal};
use crate::{
    LedgerError, limits,
    store::{Columns as _, Source},
};

/// What was verified, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Verification {
    /// Entries that were read.
    pub entries: i64,
    /// Days whose seals were computed again.
    pub days: i64,
    /// The hash of the last entry.
    pub head: String,
    /// What does not hold; empty if everything does.
    pub failures: Vec<String>,
}

/// Reads the whole journal: hashes and their chain, accounts as sums of transfers, seals.
///
/// # Errors
/// If the database fails. What does not hold is part of the answer.
pub async fn verify(source: &mut impl Source) -> Result<Verification, LedgerError> {
    let mut found = Verification { head: GENESIS.to_owned(), ..Verification::default() };
    let mut sums = BTreeMap::<(String, String), (i64, i64)>::new();
    loop {
        let part = entries(source, found.entries + 1, limits::MAX_ROWS).await?;
        if part.is_empty() {
            break;
        }
        for entry in &part {
            check_entry(&mut found, entry);
            entry.transfers.iter().for_each(|transfer| add(&mut sums, transfer));
        }
    }
    check_accounts(source, &mut found, sums).await?;
    check_seals(source, &mut found).await?;
    Ok(found)
}

fn check_entry(found: &mut Verification, entry: &EntryView) {
    let EntryView { seq, kind, subject, dated, at, .. } = entry;
    let lines: Vec<String> = entry
        .transfers
        .iter()
        .map(|transfer| format!("{} {} {} {}", transfer.debit, transfer.credit, transfer.currency, transfer.amount))
        .collect();
    if *seq != found.entries + 1 {
        found.failures.push(format!("entry {} is missing", found.entries + 1));
    }
    if entry.previous != found.head {
        found.failures.push(format!("entry {seq} does not follow the one before it"));
    }
    if hash::of_entry(&entry.previous, *seq, kind, subject, dated, *at, &lines) != entry.hash {
        found.failures.push(format!("entry {seq} does not have its hash"));
    }
    found.entries = *seq;
    found.head.clone_from(&entry.hash);
}

fn add(sums: &mut BTreeMap<(String, String), (i64, i64)>, transfer: &TransferView) {
    sums.entry((transfer.debit.clone(), transfer.currency.clone())).or_default().0 += transfer.amount;
    sums.entry((transfer.credit.clone(), transfer.currency.clone())).or_default().1 += transfer.amount;
}

async fn check_accounts(
    source: &mut impl Source,
    found: &mut Verification,
    sums: BTreeMap<(String, String), (i64, i64)>,
) -> Result<(), LedgerError> {
    let rows = sqlx::query("SELECT name, currency, debits, credits FROM account").fetch_all(source.rows()).await?;
    let mut stored = BTreeMap::new();
    for row in rows {
        stored.insert((row.text("name")?, row.text("currency")?), (row.number("debits")?, row.number("credits")?));
    }
    if stored != sums {
        let differ = stored.iter().filter(|(key, value)| sums.get(*key) != Some(*value)).map(|(key, _)| &key.0);
        let missing = sums.keys().filter(|key| !stored.contains_key(*key)).map(|key| &key.0);
        found
            .failures
            .extend(differ.chain(missing).map(|name| format!("account {name} is not the sum of its transfers")));
    }
    Ok(())
}

async fn check_seals(source: &mut impl Source, found: &mut Verification) -> Result<(), LedgerError> {
    for row in sqlx::query("SELECT day, root FROM seal ORDER BY day").fetch_all(source.rows()).await? {
        let day = row.text("day")?;
        let root = const_hex::encode(merkle::root(&seal::leaves(source, &day).await?));
        if root != row.text("root")? {
            found.failures.push(format!("the seal of {day} is not that of its entries"));
        }
        found.days += 1;
    }
    Ok(())
}
