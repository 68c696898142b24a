//! A statement as a JSON list of transactions, with the names of the GSMA Mobile Money API (`GET /accounts/…/transactions`).

use braid_microloans_arithmetic::Currency;
use serde_json::Value;

use crate::{
    json::{money, text},
    port::{Direction, Purpose, RailError, Span, StatementLine},
};

/// Reads a statement whole, in the order of time.
pub(crate) fn read(body: &[u8], currency: Currency, span: Span) -> Result<Vec<StatementLine>, RailError> {
    let wrong = |line, what| RailError::Statement { line, what };
    let listed: Vec<Value> = serde_json::from_slice(body).map_err(|_| wrong(1, "not a json list"))?;
    let mut lines = Vec::with_capacity(listed.len());
    for (index, transaction) in listed.iter().enumerate() {
        let line = movement(transaction, currency).map_err(|what| wrong(index + 1, what))?;
        lines.extend(line.filter(|line| (span.from..span.to).contains(&line.completed_at)));
    }
    lines.sort_by(|a, b| (a.completed_at, &a.receipt, a.direction).cmp(&(b.completed_at, &b.receipt, b.direction)));
    Ok(lines)
}

fn movement(transaction: &Value, currency: Currency) -> Result<Option<StatementLine>, &'static str> {
    if text(transaction, "transactionStatus").ok_or("no transactionStatus")? != "completed" {
        return Ok(None);
    }
    if text(transaction, "currency").as_deref() != Some(currency.code()) {
        return Err("another currency");
    }
    let (direction, purpose) = match text(transaction, "type").ok_or("no type")?.as_str() {
        "merchantpay" | "deposit" | "billpay" => (Direction::In, Purpose::Payment),
        "disbursement" | "transfer" => (Direction::Out, Purpose::Payment),
        "fee" => (Direction::Out, Purpose::Charge),
        "reversal" => (Direction::Out, Purpose::Reversal(text(transaction, "originalTransactionReference"))),
        _ => return Err("a type that is not known"),
    };
    let completed_at = text(transaction, "modificationDate").and_then(|time| time.parse().ok());
    Ok(Some(StatementLine {
        receipt: text(transaction, "transactionReference").ok_or("no transactionReference")?,
        correlation: text(transaction, "requestingOrganisationTransactionReference").and_then(|id| id.parse().ok()),
        direction,
        amount: money(transaction, "amount", currency).ok_or("no amount")?,
        completed_at: completed_at.ok_or("no modificationDate")?,
        reference: text(transaction, "descriptionText").filter(|text| !text.is_empty()),
        purpose,
    }))
}
