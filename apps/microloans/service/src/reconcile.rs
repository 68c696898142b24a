//! The nightly comparison with the providers' statements: a statement is what happened, whatever callbacks and answers said.
//!
//! When a day (UTC) has been over for an hour, its statement is downloaded and compared with the legs that were sent
//! ([`reconcile`](fn@braid_microloans_rails::reconcile::reconcile)). Every finding is acted on in a transaction of its own, and everything may be done
//! again, so that the service may be killed in between:
//!
//! | finding | what is done |
//! |---|---|
//! | a payout or collection that was in doubt | booked as the statement has it |
//! | money that came in and is not known | booked: to the loan whose code was typed, else suspended |
//! | a collection in doubt that is not there, although its time is over | it failed; the borrower can be asked again |
//! | a payment that the provider reversed | taken back, where the loan is being repaid |
//! | charges | booked |
//! | money that left and nobody ordered; other amounts or receipts; success after failure; what we believe and the statement lacks | contradictions, for a person |

use std::collections::BTreeMap;

use braid_microloans_arithmetic::{Date, Money};
use braid_microloans_ledger::{
    Actor, LedgerError, LegId, LegState, Write,
    code::LoanCode,
    payments::{self, Incoming, LegKind, LegRecord, Receipt, Report, statement, statement::TakenBack},
    time,
};
use braid_microloans_rails::{
    CorrelationId,
    port::{Direction, Purpose, RailError, Span, StatementLine},
    reconcile::{self, Leg, Pair, Standing},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{app::App, limits};

fn actor() -> Actor {
    Actor::system("reconciliation")
}

/// How many findings there were of each kind.
pub type Counts = BTreeMap<&'static str, u64>;

/// Compares every day that is due; returns how many were.
///
/// # Errors
/// If the database fails. A statement that cannot be had is asked for again later.
pub async fn due(app: &App) -> Result<usize, LedgerError> {
    let mut compared = 0;
    for name in app.rails.keys() {
        while compared < limits::DAYS_AT_A_TIME {
            let Some(day) = statement::next_day(&mut app.read().await?, name).await? else { break };
            let span = span_of(day)?;
            let is_over =
                app.clock.now().duration_since(span.to) >= SignedDuration::from_secs(limits::STATEMENT_AFTER_SECONDS);
            if !is_over {
                break;
            }
            match app.rail(name)?.statement(span).await {
                Ok(lines) => drop(compare(app, name, day, &lines).await?),
                Err(RailError::NotConfigured(_)) => break,
                Err(error) => {
                    tracing::warn!(rail = %name, %day, %error, "the statement could not be had");
                    break;
                }
            }
            compared += 1;
        }
    }
    Ok(compared)
}

fn span_of(day: Date) -> Result<Span, LedgerError> {
    let days = i64::from(day.days_since(Date::new(1970, 1, 1)?));
    let at = |days: i64| {
        Timestamp::from_second(days * 86_400).map_err(|_| LedgerError::Invalid("a day is too far away".to_owned()))
    };
    Ok(Span { from: at(days)?, to: at(days + 1)? })
}

/// Compares one day's statement with the legs, and acts on what differs.
///
/// # Errors
/// If the database fails.
pub async fn compare(app: &App, rail: &str, day: Date, lines: &[StatementLine]) -> Result<Counts, LedgerError> {
    let span = span_of(day)?;
    let mut read = app.read().await?;
    let records = statement::legs_for(&mut read, rail, day, span.to.as_millisecond()).await?;
    let mut known = 0;
    let mut unknown = Vec::new();
    for line in lines {
        // Money that customers sent of their own accord, and that is booked, belongs to no leg: it must not be taken for one of the same amount.
        let has_leg = records.iter().any(|(leg, _)| leg.receipt.as_deref() == Some(line.receipt.as_str()));
        let is_deposit = line.direction == Direction::In && line.purpose == Purpose::Payment && !has_leg;
        if is_deposit && statement::is_known(&mut read, rail, &line.receipt).await? {
            known += 1;
        } else {
            unknown.push(line.clone());
        }
    }
    drop(read);
    let legs: Vec<Leg> = records.iter().filter_map(|(record, code)| leg_of(record, code, &unknown)).collect();
    let by_id: BTreeMap<CorrelationId, &LegRecord> =
        records.iter().filter_map(|(record, _)| Some((record.id.as_str().parse().ok()?, record))).collect();
    let report = reconcile::reconcile(&unknown, &legs, span);
    let night = Night { app, rail, day, by_id };
    let mut counts = Counts::from([("known", known), ("matched", length(&report.matched))]);
    for pair in &report.matched {
        night.mark(pair).await?;
    }
    for (kind, pairs) in [
        ("resolved", &report.resolved),
        ("contradicted", &report.contradicted),
        ("amount_differs", &report.amount_differs),
    ] {
        counts.insert(kind, length(pairs));
        for pair in pairs {
            night.book(pair).await?;
        }
    }
    counts.insert("receipt_differs", length(&report.receipt_differs));
    for pair in &report.receipt_differs {
        night.mistrust(pair).await?;
    }
    for line in &report.missing_here {
        *counts.entry(night.missing_here(line).await?).or_default() += 1;
    }
    counts.insert("charges", length(&report.charges));
    for line in &report.charges {
        night.charge(line).await?;
    }
    let mut not_there = 0;
    for correlation in report.still_open.iter().chain(&report.missing_there).chain(&report.rest) {
        not_there += u64::from(night.not_there(correlation, span).await?);
    }
    counts.insert("not_there", not_there);
    let mut write = app.write(actor()).await?;
    statement::reconciled(&mut write, rail, day, &json!(counts)).await?;
    write.commit().await?;
    Ok(counts)
}

fn length<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

/// A leg as it is compared. A receipt that a callback named counts if there is such a line, of this amount and loan.
fn leg_of(record: &LegRecord, code: &LoanCode, lines: &[StatementLine]) -> Option<Leg> {
    let fits = |receipt: &String| {
        let is_line = |line: &StatementLine| {
            line.receipt == *receipt
                && line.amount.minor == record.amount
                && line.reference.as_deref() == Some(code.as_str())
        };
        lines.iter().any(is_line)
    };
    let hint = record.hinted_receipt.clone().filter(fits);
    let standing = match record.state {
        LegState::Succeeded | LegState::ReversalPending | LegState::Reversed => Standing::Succeeded,
        LegState::Failed => Standing::Failed,
        LegState::Created => return None,
        LegState::Sent | LegState::Acked | LegState::Unknown | LegState::Manual => Standing::Open,
    };
    Some(Leg {
        correlation: record.id.as_str().parse().ok()?,
        direction: if record.kind == LegKind::Collection { Direction::In } else { Direction::Out },
        amount: Money { minor: record.amount, currency: record.currency },
        reference: code.to_string(),
        receipt: record.receipt.clone().or(hint),
        standing,
        at: Timestamp::from_millisecond(record.sent_at?).ok()?,
    })
}

/// One day of one rail.
struct Night<'a> {
    app: &'a App,
    rail: &'a str,
    day: Date,
    by_id: BTreeMap<CorrelationId, &'a LegRecord>,
}

impl Night<'_> {
    fn leg(&self, correlation: &CorrelationId) -> Result<&LegId, LedgerError> {
        let missing = || LedgerError::NotFound("payment leg", correlation.to_string());
        self.by_id.get(correlation).map(|record| &record.id).ok_or_else(missing)
    }

    /// A write, in which the leg is marked as standing on this statement.
    async fn begin(&self, pair: &Pair) -> Result<(Write, LegId), LedgerError> {
        let mut write = self.app.write(actor()).await?;
        let leg = self.leg(&pair.leg)?.clone();
        statement::on_statement(&mut write, &leg, self.day).await?;
        Ok((write, leg))
    }

    async fn mark(&self, pair: &Pair) -> Result<(), LedgerError> {
        self.begin(pair).await?.0.commit().await
    }

    /// The statement says that it happened: success, or, where that cannot be, a contradiction.
    async fn book(&self, pair: &Pair) -> Result<(), LedgerError> {
        let (mut write, leg) = self.begin(pair).await?;
        let line = &pair.line;
        let (receipt, amount, at) = (Some(line.receipt.clone()), Some(line.amount.minor), Some(line.completed_at));
        payments::report(&mut write, &leg, &Report::Completed { receipt, amount, at }).await?;
        write.commit().await
    }

    async fn mistrust(&self, pair: &Pair) -> Result<(), LedgerError> {
        let (mut write, leg) = self.begin(pair).await?;
        payments::mistrust(&mut write, &leg, "receipt_differs", "the statement has another receipt").await?;
        write.commit().await
    }

    /// What the statement has and no leg explains; returns what it was.
    async fn missing_here(&self, line: &StatementLine) -> Result<&'static str, LedgerError> {
        let mut write = self.app.write(actor()).await?;
        let kind = match (line.direction, &line.purpose) {
            (Direction::In, Purpose::Payment) => {
                let incoming = Incoming {
                    rail: self.rail.to_owned(),
                    receipt: line.receipt.clone(),
                    currency: line.amount.currency,
                    amount: line.amount.minor,
                    at: line.completed_at,
                    loan: None,
                    reference: line.reference.clone(),
                };
                match payments::receive(&mut write, &incoming).await? {
                    Receipt::Allocated(_) => "found",
                    Receipt::Suspended(_) => "suspended",
                    Receipt::Known(_) => "known",
                }
            }
            (Direction::Out, Purpose::Reversal(Some(original))) => {
                let dated = time::utc_date(line.completed_at)?;
                let became = statement::take_back(&mut write, self.rail, original, line.amount.minor, dated).await?;
                if became == TakenBack::ForAPerson {
                    let detail = format!("receipt {} of {} reverses {original}", line.receipt, self.rail);
                    statement::contradict(&mut write, "reversal_to_be_settled", &detail).await?;
                }
                "reversed"
            }
            _ => {
                let amount = line.amount.currency.format(line.amount.minor);
                let detail = format!("receipt {} of {}: {amount} that nobody here ordered", line.receipt, self.rail);
                statement::contradict(&mut write, "not_ordered", &detail).await?;
                "not_ordered"
            }
        };
        write.commit().await?;
        Ok(kind)
    }

    async fn charge(&self, line: &StatementLine) -> Result<(), LedgerError> {
        let mut write = self.app.write(actor()).await?;
        let dated = time::utc_date(line.completed_at)?;
        let amount = (line.amount.currency, line.amount.minor);
        statement::charge(&mut write, self.rail, &line.receipt, amount, dated).await?;
        write.commit().await
    }

    /// A leg that is not on the statement, when it would be by now: a collection in doubt has failed, and what we believe to have happened has not.
    async fn not_there(&self, correlation: &CorrelationId, span: Span) -> Result<bool, LedgerError> {
        let Some(record) = self.by_id.get(correlation) else { return Ok(false) };
        let sent_at = record.sent_at.and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or(span.to);
        let is_over = span.to.duration_since(sent_at) >= SignedDuration::from_secs(limits::COLLECTION_OVER_SECONDS);
        let mut write = self.app.write(actor()).await?;
        match (record.state, record.kind) {
            (LegState::Acked | LegState::Unknown | LegState::Sent | LegState::Manual, LegKind::Collection)
                if is_over =>
            {
                let code = "not on the statement".to_owned();
                payments::report(&mut write, &record.id, &Report::Failed { code }).await?;
            }
            (LegState::Succeeded, _)
                if span.to.duration_since(sent_at) >= SignedDuration::from_secs(limits::MISSING_AFTER_SECONDS) =>
            {
                payments::mistrust(&mut write, &record.id, "not_on_statement", "no statement has it").await?;
            }
            _ => return Ok(false),
        }
        write.commit().await?;
        Ok(true)
    }
}
