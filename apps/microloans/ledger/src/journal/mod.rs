//! The journal: every movement of value, in one chain of entries that are only ever added.
//!
//! An entry consists of transfers. A transfer debits one account and credits another, in one currency, so an entry cannot be out of balance and
//! neither can the books. Which sides increase an account depends on its class ([`Class`]); the journal does not need to know.
//!
//! **Chain.** An entry's hash is SHA-256 over its content and the hash of the entry before ([`hash`]). **Days.** The entries of a day (UTC) are the
//! leaves of a Merkle tree whose root is fixed when the day has ended ([`seal`]); it is what can be put on a public chain, and one entry can be proved against it.

pub mod account;
mod hash;
pub mod merkle;
pub mod seal;
mod verify;

pub use account::{Account, Class};
pub use hash::GENESIS;
pub use verify::{Verification, verify};

use braid_microloans_arithmetic::{Currency, Date, Minor};
use serde::Serialize;
use sqlx::Row as _;
use utoipa::ToSchema;

use crate::{
    LedgerError, LoanId,
    store::{Columns as _, Source, Write, moment, stored},
    time,
};

/// Why an entry was made. The kinds that can happen once for a subject are booked once; the database refuses the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lenders' money came in.
    Deposit,
    /// Lenders' money was set aside for a loan.
    Committed,
    /// Money was set aside for a payout that is to be sent.
    PayoutRequested,
    /// It has been paid out.
    PayoutSucceeded,
    /// It has not and will not be.
    PayoutFailed,
    /// It has been, although the provider had said the opposite.
    PayoutContradicted,
    /// The same for what is given back.
    RefundRequested,
    /// It has been given back.
    RefundSucceeded,
    /// It has not and will not be.
    RefundFailed,
    /// Money came in.
    PaymentReceived,
    /// Money without a loan was given its loan.
    PaymentAssigned,
    /// What the loan's schedule and payments say, as far as the books did not say it yet.
    LoanBooked,
    /// Money was sent back the way it came.
    PaymentReversed,
    /// A provider charged something.
    ChargeBooked,
    /// A fee was given back to somebody who gave the money back within the cooling-off days.
    FeeReturned,
}

impl Kind {
    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Committed => "committed",
            Self::PayoutRequested => "payout_requested",
            Self::PayoutSucceeded => "payout_succeeded",
            Self::PayoutFailed => "payout_failed",
            Self::PayoutContradicted => "payout_contradicted",
            Self::RefundRequested => "refund_requested",
            Self::RefundSucceeded => "refund_succeeded",
            Self::RefundFailed => "refund_failed",
            Self::PaymentReceived => "payment_received",
            Self::PaymentAssigned => "payment_assigned",
            Self::LoanBooked => "loan_booked",
            Self::PaymentReversed => "payment_reversed",
            Self::ChargeBooked => "charge_booked",
            Self::FeeReturned => "fee_returned",
        }
    }
}

/// Value that moves from one account to another of the same currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    debit: Account,
    credit: Account,
    currency: Currency,
    amount: Minor,
}

/// Transfers that happen together.
#[derive(Clone, Debug)]
pub struct Entry {
    kind: Kind,
    subject: String,
    dated: Date,
    transfers: Vec<Transfer>,
}

impl Entry {
    /// An entry without transfers, for what it is about and the business day it belongs to.
    #[must_use]
    pub fn new(kind: Kind, subject: &str, dated: Date) -> Self {
        Self { kind, subject: subject.to_owned(), dated, transfers: Vec::new() }
    }

    /// Adds a transfer. Nothing is added for zero; below zero it goes the other way.
    #[must_use]
    pub fn transfer(mut self, debit: Account, credit: Account, currency: Currency, amount: Minor) -> Self {
        let (debit, credit) = if amount < 0 { (credit, debit) } else { (debit, credit) };
        if amount != 0 {
            self.transfers.push(Transfer { debit, credit, currency, amount: amount.abs() });
        }
        self
    }

    /// Whether it moves nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.transfers.is_empty()
    }
}

/// Adds an entry. One that moves nothing is left out.
///
/// # Errors
/// If it has been booked before, an amount is too large, or the database fails.
pub async fn post(write: &mut Write, entry: &Entry) -> Result<(), LedgerError> {
    if entry.is_empty() {
        return Ok(());
    }
    let (last, previous, last_at) = head(write).await?;
    let seq = last + 1;
    // A clock that was set back does not put an entry into a day that may be sealed.
    let at = write.millis().max(last_at);
    let day = time::utc_date(moment(at)?)?;
    let lines: Vec<String> = entry.transfers.iter().map(line).collect();
    let hash = hash::of_entry(&previous, seq, entry.kind.name(), &entry.subject, &entry.dated.to_string(), at, &lines);
    sqlx::query(
        "INSERT INTO entry (seq, kind, subject, dated, at, day, previous, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(seq)
    .bind(entry.kind.name())
    .bind(&entry.subject)
    .bind(entry.dated.to_string())
    .bind(at)
    .bind(day.to_string())
    .bind(previous)
    .bind(hash)
    .execute(&mut *write.tx)
    .await?;
    for (place, transfer) in (0_i64..).zip(&entry.transfers) {
        insert_transfer(write, seq, place, transfer).await?;
    }
    Ok(())
}

async fn insert_transfer(write: &mut Write, seq: i64, place: i64, transfer: &Transfer) -> Result<(), LedgerError> {
    let amount = stored(transfer.amount)?;
    let currency = transfer.currency.code();
    account::add(write, &transfer.debit, currency, amount, 0).await?;
    account::add(write, &transfer.credit, currency, 0, amount).await?;
    let loan = transfer.debit.loan().or_else(|| transfer.credit.loan());
    sqlx::query(
        "INSERT INTO transfer (entry, place, debit, credit, currency, amount, loan) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(seq)
    .bind(place)
    .bind(transfer.debit.to_string())
    .bind(transfer.credit.to_string())
    .bind(currency)
    .bind(amount)
    .bind(loan.map(|loan| loan.as_str().to_owned()))
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// A transfer as it is hashed.
fn line(transfer: &Transfer) -> String {
    format!("{} {} {} {}", transfer.debit, transfer.credit, transfer.currency, transfer.amount)
}

/// Number, hash and time of the last entry.
async fn head(source: &mut impl Source) -> Result<(i64, String, i64), LedgerError> {
    let query = sqlx::query("SELECT seq, hash, at FROM entry ORDER BY seq DESC LIMIT 1");
    let row = query.fetch_optional(source.rows()).await?;
    row.map_or(Ok((0, GENESIS.to_owned(), 0)), |row| Ok((row.number("seq")?, row.text("hash")?, row.number("at")?)))
}

/// Whether an entry of this kind has been made for a subject.
pub(crate) async fn is_posted(source: &mut impl Source, kind: Kind, subject: &str) -> Result<bool, LedgerError> {
    let query = sqlx::query("SELECT COUNT(*) FROM entry WHERE kind = $1 AND subject = $2");
    let count: i64 = query.bind(kind.name()).bind(subject).fetch_one(source.rows()).await?.try_get(0)?;
    Ok(count > 0)
}

/// What went from one account to another because of a loan, less what went back.
pub(crate) async fn flow(
    source: &mut impl Source,
    loan: &LoanId,
    debit: &Account,
    credit: &Account,
) -> Result<Minor, LedgerError> {
    let sums = sqlx::query(
        "SELECT CAST(COALESCE(SUM(CASE WHEN debit = $2 THEN amount ELSE -amount END), 0) AS BIGINT) FROM transfer
         WHERE loan = $1 AND ((debit = $2 AND credit = $3) OR (debit = $3 AND credit = $2))",
    )
    .bind(loan.as_str())
    .bind(debit.to_string())
    .bind(credit.to_string())
    .fetch_one(source.rows())
    .await?;
    Ok(sums.try_get::<i64, _>(0)?.into())
}

/// An entry as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EntryView {
    /// Its number, from 1.
    pub seq: i64,
    /// Its kind.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// The business day it belongs to.
    pub dated: String,
    /// When it was made, in milliseconds since 1970.
    pub at: i64,
    /// The hash of the entry before.
    pub previous: String,
    /// Its hash.
    pub hash: String,
    /// What it moves.
    pub transfers: Vec<TransferView>,
}

/// A transfer as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TransferView {
    /// The account that is debited.
    pub debit: String,
    /// The account that is credited.
    pub credit: String,
    /// The currency.
    pub currency: String,
    /// In minor units.
    pub amount: i64,
}

/// Entries from a number on.
///
/// # Errors
/// If the database fails.
pub async fn entries(source: &mut impl Source, from: i64, limit: i64) -> Result<Vec<EntryView>, LedgerError> {
    let query = sqlx::query(
        "SELECT seq, kind, subject, dated, at, previous, hash FROM entry WHERE seq >= $1 ORDER BY seq LIMIT $2",
    );
    let rows = query.bind(from).bind(limit).fetch_all(source.rows()).await?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        entries.push(EntryView {
            seq: row.number("seq")?,
            kind: row.text("kind")?,
            subject: row.text("subject")?,
            dated: row.text("dated")?,
            at: row.number("at")?,
            previous: row.text("previous")?,
            hash: row.text("hash")?,
            transfers: Vec::new(),
        });
    }
    let last = entries.last().map_or(0, |entry| entry.seq);
    let query = sqlx::query(
        "SELECT entry, debit, credit, currency, amount FROM transfer WHERE entry BETWEEN $1 AND $2 ORDER BY entry, place",
    );
    for row in query.bind(from).bind(last).fetch_all(source.rows()).await? {
        let seq = row.number("entry")?;
        let at = entries.binary_search_by_key(&seq, |entry| entry.seq);
        let at = at.map_err(|_| LedgerError::Corrupt(format!("a transfer of entry {seq}, which is not there")))?;
        entries[at].transfers.push(TransferView {
            debit: row.text("debit")?,
            credit: row.text("credit")?,
            currency: row.text("currency")?,
            amount: row.number("amount")?,
        });
    }
    Ok(entries)
}
