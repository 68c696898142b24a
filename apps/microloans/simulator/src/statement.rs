//! Statements as the providers' portals export them: CSV with M-PESA, a JSON list with MTN.

use serde_json::{Value, json};

use crate::{
    calls::masked,
    phone::Rail,
    time,
    world::{Entry, EntryKind, World},
};

/// The statement of a stretch of time.
pub(crate) fn write(world: &World, rail: Rail, from_ms: i64, to_ms: i64) -> String {
    let entries = world.entries(rail).filter(|entry| (from_ms..to_ms).contains(&entry.at_ms));
    match rail {
        Rail::Daraja => csv(entries),
        Rail::MtnMomo => Value::Array(entries.map(transaction).collect()).to_string(),
    }
}

const HEADINGS: &str = "Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.";

fn csv<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    let mut text = format!("Account Holder,Braid\r\nShort Code,600638\r\n\r\n{HEADINGS}\r\n");
    for entry in entries {
        text.push_str(&line(entry));
        text.push_str("\r\n");
    }
    text
}

fn line(entry: &Entry) -> String {
    let party = masked(&entry.msisdn);
    let (details, reason) = match entry.kind {
        EntryKind::Payout => (
            format!("Business Payment to {party} via API. Original conversation ID is {}.", entry.client_id),
            "Business Payment to Customer via API",
        ),
        EntryKind::Collection => (format!("Pay Bill from {party} Acc. {}", entry.reference), "Pay Bill Online"),
        EntryKind::Charge => ("Business Payment Charge".to_owned(), "Business Payment Charge"),
        EntryKind::Reversal => (format!("Pay Bill Reversal of {}", entry.linked), "Pay Bill Reversal"),
    };
    let at = time::dashed(entry.at_ms);
    let amount = grouped(entry.amount_minor.abs());
    let (paid_in, withdrawn) =
        if entry.amount_minor >= 0 { (amount, String::new()) } else { (String::new(), format!("-{amount}")) };
    let fields = [
        entry.receipt.clone(),
        at.clone(),
        at,
        details,
        "Completed".to_owned(),
        paid_in,
        withdrawn,
        grouped(entry.balance_minor),
        "true".to_owned(),
        reason.to_owned(),
        party,
        entry.linked.clone(),
        if entry.kind == EntryKind::Collection { entry.reference.clone() } else { String::new() },
    ];
    fields.map(|field| quoted(&field)).join(",")
}

/// `1,500.00`.
fn grouped(minor: i64) -> String {
    let whole = (minor.abs() / 100).to_string();
    let mut text = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{text}.{:02}", minor.abs() % 100)
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

fn transaction(entry: &Entry) -> Value {
    let kind = match entry.kind {
        EntryKind::Payout => "disbursement",
        EntryKind::Collection => "merchantpay",
        EntryKind::Charge => "fee",
        EntryKind::Reversal => "reversal",
    };
    let minor = entry.amount_minor.abs();
    json!({
        "transactionReference": entry.receipt,
        "requestingOrganisationTransactionReference": entry.client_id,
        "originalTransactionReference": entry.linked,
        "amount": format!("{}.{:02}", minor / 100, minor % 100),
        "currency": "GHS",
        "type": kind,
        "transactionStatus": "completed",
        "descriptionText": entry.reference,
        "creationDate": time::utc(entry.at_ms),
        "modificationDate": time::utc(entry.at_ms),
    })
}
