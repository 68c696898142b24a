//! The organisation portal's statement: CSV with some lines about the account, a line of headings, and one line a movement.

use braid_microloans_arithmetic::Currency;

use super::time;
use crate::{
    CorrelationId, csv,
    json::positive,
    port::{Direction, Purpose, RailError, Span, StatementLine},
};

/// The columns that are read, by their headings. Others may stand among them.
struct Columns {
    receipt: usize,
    completed: usize,
    details: usize,
    status: usize,
    paid_in: usize,
    withdrawn: usize,
    reason: usize,
    linked: usize,
    account: usize,
}

impl Columns {
    fn find(headings: &[String]) -> Option<Self> {
        let at = |name: &str| headings.iter().position(|heading| heading.trim() == name);
        Some(Self {
            receipt: at("Receipt No.")?,
            completed: at("Completion Time")?,
            details: at("Details")?,
            status: at("Transaction Status")?,
            paid_in: at("Paid In")?,
            withdrawn: at("Withdrawn")?,
            reason: at("Reason Type")?,
            linked: at("Linked Transaction ID")?,
            account: at("A/C No.")?,
        })
    }
}

/// Reads a statement whole, in the order of time.
pub(crate) fn read(body: &[u8], currency: Currency, span: Span) -> Result<Vec<StatementLine>, RailError> {
    let wrong = |line, what| RailError::Statement { line, what };
    let text = std::str::from_utf8(body).map_err(|_| wrong(1, "not UTF-8"))?;
    let records = csv::records(text).map_err(|line| wrong(line, "quotes do not close"))?;
    let heading = records.iter().position(|record| record.first().is_some_and(|first| first.trim() == "Receipt No."));
    let heading = heading.ok_or(wrong(1, "no line of headings"))?;
    let columns = Columns::find(&records[heading]).ok_or(wrong(heading + 1, "a column is missing"))?;
    let mut lines = Vec::new();
    for (index, record) in records.iter().enumerate().skip(heading + 1) {
        if record.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        let line = movement(record, &columns, currency).map_err(|what| wrong(index + 1, what))?;
        lines.extend(line.filter(|line| (span.from..span.to).contains(&line.completed_at)));
    }
    lines.sort_by(|a, b| (a.completed_at, &a.receipt, a.direction).cmp(&(b.completed_at, &b.receipt, b.direction)));
    Ok(lines)
}

/// A movement; none if it did not complete.
fn movement(record: &[String], columns: &Columns, currency: Currency) -> Result<Option<StatementLine>, &'static str> {
    let field = |at: usize| record.get(at).map(|field| field.trim()).ok_or("too few columns");
    if field(columns.status)? != "Completed" {
        return Ok(None);
    }
    let (direction, amount) = match (field(columns.paid_in)?, field(columns.withdrawn)?) {
        (paid_in, "" | "0" | "0.00") => (Direction::In, paid_in),
        // Withdrawals have a minus sign in some exports.
        ("" | "0" | "0.00", withdrawn) => (Direction::Out, withdrawn.trim_start_matches('-')),
        _ => return Err("paid in and withdrawn at once"),
    };
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let reason = field(columns.reason)?;
    let purpose = if reason.contains("Charge") {
        Purpose::Charge
    } else if reason.contains("Reversal") {
        Purpose::Reversal(filled(field(columns.linked)?))
    } else {
        Purpose::Payment
    };
    Ok(Some(StatementLine {
        receipt: filled(field(columns.receipt)?).ok_or("no receipt")?,
        correlation: correlation(field(columns.details)?),
        direction,
        amount: positive(amount, currency).ok_or("no amount")?,
        completed_at: time::read(field(columns.completed)?, time::DASHED).ok_or("no completion time")?,
        reference: filled(field(columns.account)?),
        purpose,
    }))
}

/// Our ID, which payouts carry at the end of their details.
fn correlation(details: &str) -> Option<CorrelationId> {
    details.split_whitespace().rev().find_map(|word| word.trim_end_matches('.').parse().ok())
}
