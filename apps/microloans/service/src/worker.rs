//! The worker: does what the outbox says. It may be killed anywhere, and several may work at once.
//!
//! A payout goes through these steps, each durable before the next begins:
//! 1. the row of the outbox is claimed and the leg becomes `sent`, in one transaction;
//! 2. the provider is called, with the leg's id as the idempotency key;
//! 3. its answer is booked and the first question about it is put into the outbox, in one transaction.
//!
//! Whoever finds a leg `sent` whose claim has run out knows nothing: the leg becomes unknown, and the provider is asked before anything is sent again. Only
//! what the provider has never seen, for as long as it says that takes, is sent again, with the same id.

use std::{fmt, sync::Arc, sync::atomic::Ordering};

use braid_microloans_arithmetic::Money;
use braid_microloans_ledger::{
    Actor, LedgerError, LegId, LegState, Pii, audit, loans,
    payments::{self, LegKind, LegRecord, Report, outbox, outbox::Message, outbox::Task, told},
    vault,
};
use braid_microloans_rails::{
    MobileMoney, Msisdn,
    port::{CallbackUrl, Collection, Direction, Kind, Payout, Purpose, RailError, Span, State, StateQuery, Submission},
};
use jiff::{SignedDuration, Timestamp};

use crate::{app::App, callbacks, limits};

/// A step of the worker, told of after it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A row is about to be claimed.
    Found,
    /// The leg is written as sent.
    MarkedSent,
    /// The provider has answered.
    Called,
    /// The provider's answer is written.
    Recorded,
    /// A row for a question is claimed.
    Asking,
    /// The provider has said what became of it.
    Answered,
    /// That is written.
    Settled,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Found, Self::MarkedSent, Self::Called, Self::Recorded, Self::Asking, Self::Answered, Self::Settled];
}

/// Who is told of every step; a test may end the process there.
#[derive(Clone, Default)]
pub struct Watch(Option<Arc<dyn Fn(Step) + Send + Sync>>);

impl Watch {
    /// Tells this function.
    pub fn new(watch: impl Fn(Step) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watch)))
    }

    fn tell(&self, step: Step) {
        if let Some(watch) = &self.0 {
            watch(step);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

fn actor() -> Actor {
    Actor::system("worker")
}

/// Works until it is dropped.
pub async fn run(app: App) {
    rounds(&app, "worker", || round(&app)).await;
}

/// Goes round until it is dropped: at once where something was done, otherwise after a pause.
pub(crate) async fn rounds<F>(app: &App, who: &'static str, round: impl Fn() -> F + Send)
where
    F: Future<Output = Result<usize, LedgerError>> + Send,
{
    let pause = std::time::Duration::from_millis(app.worker.pause_ms.max(1));
    loop {
        match round().await {
            Ok(0) => tokio::time::sleep(pause).await,
            Ok(_) => {}
            Err(error) => {
                app.counts.failures.fetch_add(1, Ordering::Relaxed);
                tracing::error!(who, error = &error as &dyn std::error::Error, "a round failed");
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Does what is due now; returns how much was.
///
/// # Errors
/// If the database fails. What a provider does is no error.
pub async fn round(app: &App) -> Result<usize, LedgerError> {
    let mut read = app.read().await?;
    let due = outbox::due(&mut read, app.clock.now(), limits::BATCH).await?;
    drop(read);
    for message in &due {
        match message.task {
            Task::Send | Task::Resend => send(app, message).await?,
            Task::Inquire => inquire(app, message).await?,
            Task::Confirm => confirm(app, message).await?,
            // These are not this worker's.
            Task::Tell | Task::Anchor | Task::Say => {}
        }
    }
    Ok(due.len())
}

fn lease(app: &App) -> SignedDuration {
    SignedDuration::from_secs(app.worker.lease_seconds.into())
}

/// What is to be sent, if it is.
enum Order {
    Payout(Payout),
    Collection(Collection),
}

async fn send(app: &App, message: &Message) -> Result<(), LedgerError> {
    app.watch.tell(Step::Found);
    let id: LegId = message.subject.parse()?;
    if !is_sim_settled(app, message, &id).await? {
        return Ok(());
    }
    let mut write = app.write(actor()).await?;
    if !outbox::claim(&mut write, message, lease(app)).await? {
        return Ok(());
    }
    let leg = payments::leg(&mut write, &id).await?;
    match leg.state {
        LegState::Created if leg.kind != LegKind::Collection && loans::is_held(&mut write, &leg.loan).await? => {
            payments::call_off(&mut write, &id, "held").await?;
            return write.commit().await;
        }
        LegState::Created => {}
        LegState::Unknown if message.task == Task::Resend => {}
        LegState::Sent => {
            // Whoever sent it has not come to write down the answer.
            payments::report(&mut write, &id, &Report::Unknown { why: "the answer was not written down".to_owned() })
                .await?;
            outbox::done(&mut write, message.task, &message.subject).await?;
            outbox::inquire(&mut write, &message.subject, SignedDuration::ZERO).await?;
            return write.commit().await;
        }
        _ => {
            outbox::done(&mut write, message.task, &message.subject).await?;
            return write.commit().await;
        }
    }
    let rail = Arc::clone(app.rail(&leg.rail)?);
    let order = order(app, &mut write, &leg).await?;
    payments::sending(&mut write, &id).await?;
    write.commit().await?;
    app.watch.tell(Step::MarkedSent);

    let submission = match &order {
        Order::Payout(payout) => rail.disburse(payout).await,
        Order::Collection(collection) => rail.collect(collection).await,
    };
    app.watch.tell(Step::Called);
    record_submission(app, message.task, &id, submission).await?;
    app.watch.tell(Step::Recorded);
    Ok(())
}

/// Asks, before money leaves for a number, when it was last given another SIM. After a change a loan is frozen, and what was to be sent is called off with it; two people end
/// that. Without an answer nothing is sent, and the question comes again.
async fn is_sim_settled(app: &App, message: &Message, id: &LegId) -> Result<bool, LedgerError> {
    let mut read = app.read().await?;
    let leg = payments::leg(&mut read, id).await?;
    let is_held = loans::is_held(&mut read, &leg.loan).await?;
    drop(read);
    let Some(check) = app.sims.get(&leg.rail) else { return Ok(true) };
    if leg.kind == LegKind::Collection || leg.state != LegState::Created || is_held {
        return Ok(true);
    }
    let mut write = app.write(actor()).await?;
    let loan = loans::loan(&mut write, &leg.loan).await?;
    let phone = phone(&mut write, &loan, "the SIM's age").await?;
    write.commit().await?;
    let changed = match check.operator.last_change(&phone).await {
        Ok(changed) => changed,
        Err(error) => {
            tracing::warn!(leg = %id, %error, "the operator does not tell the age of a SIM");
            let mut write = app.write(actor()).await?;
            outbox::claim(&mut write, message, lease(app)).await?;
            write.commit().await?;
            return Ok(false);
        }
    };
    let Some(changed) = changed else { return Ok(true) };
    let pause = SignedDuration::from_hours(24 * i64::from(check.days));
    let mut write = app.write(actor()).await?;
    if write.at.duration_since(changed) < pause
        && !loans::is_released_since(&mut write, &leg.loan, changed.as_millisecond()).await?
    {
        loans::hold(&mut write, &leg.loan, "frozen", loans::Hold::Begins).await?;
        audit::record(&mut write, "sim.changed", leg.loan.as_str(), &changed.to_string()).await?;
        write.commit().await?;
    }
    Ok(true)
}

async fn phone(
    write: &mut braid_microloans_ledger::Write,
    loan: &loans::LoanRecord,
    purpose: &str,
) -> Result<Msisdn, LedgerError> {
    let phone = vault::reveal(write, &loan.person, vault::Field::Phone, purpose).await?;
    phone.expose().parse().map_err(|_| LedgerError::Corrupt("a phone number that is none".to_owned()))
}

/// The order for a leg; reads the phone number, which the audit log tells of.
async fn order(app: &App, write: &mut braid_microloans_ledger::Write, leg: &LegRecord) -> Result<Order, LedgerError> {
    let loan = loans::loan(write, &leg.loan).await?;
    let party = phone(write, &loan, leg.kind.name()).await?;
    let correlation = correlation(&leg.id)?;
    let amount = Money { minor: leg.amount, currency: leg.currency };
    let reference = loan.code.to_string();
    let callback = callback_url(app, leg, callbacks::Purpose::Order);
    Ok(match leg.kind {
        LegKind::Payout | LegKind::Refund => {
            let note = if leg.kind == LegKind::Payout { "Your loan" } else { "Paid back to you" };
            Order::Payout(Payout { correlation, amount, payee: party, reference, note: note.to_owned(), callback })
        }
        LegKind::Collection => {
            let note = "Repayment".to_owned();
            Order::Collection(Collection { correlation, amount, payer: party, reference, note, callback })
        }
    })
}

fn correlation(id: &LegId) -> Result<braid_microloans_rails::CorrelationId, LedgerError> {
    id.as_str().parse().map_err(|_| LedgerError::Corrupt(format!("leg {id} with an id that is no UUID")))
}

/// Where the provider tells of a leg.
#[must_use]
pub fn callback_url(app: &App, leg: &LegRecord, purpose: callbacks::Purpose) -> CallbackUrl {
    let token = callbacks::token(app.ledger.vault(), purpose, leg.id.as_str());
    CallbackUrl(format!("{}/v1/callbacks/{}/{}/{token}", app.callback_base, leg.rail, leg.id))
}

async fn record_submission(app: &App, task: Task, id: &LegId, submission: Submission) -> Result<(), LedgerError> {
    let mut write = app.write(actor()).await?;
    let later = SignedDuration::from_secs(app.worker.inquire_after_seconds.into());
    outbox::done(&mut write, task, id.as_str()).await?;
    let report = match submission {
        Submission::Acknowledged { server_correlation } => Report::Acknowledged { reference: server_correlation },
        Submission::Duplicate => Report::Pending,
        Submission::Refused(failure) => Report::Failed { code: failure.code },
        Submission::NotSent(doubt) => {
            tracing::warn!(leg = %id, %doubt, "a payment could not be sent");
            outbox::send_again(&mut write, id.as_str(), later).await?;
            payments::report(&mut write, id, &Report::NotSent).await?;
            return write.commit().await;
        }
        Submission::Unknown(doubt) => Report::Unknown { why: doubt.to_string() },
    };
    let state = payments::report(&mut write, id, &report).await?;
    if matches!(state, LegState::Acked | LegState::Unknown) {
        outbox::inquire(&mut write, id.as_str(), later).await?;
    }
    write.commit().await
}

async fn inquire(app: &App, message: &Message) -> Result<(), LedgerError> {
    let id: LegId = message.subject.parse()?;
    let mut write = app.write(actor()).await?;
    if !outbox::claim(&mut write, message, lease(app)).await? {
        return Ok(());
    }
    let leg = payments::leg(&mut write, &id).await?;
    write.commit().await?;
    app.watch.tell(Step::Asking);

    let rail = Arc::clone(app.rail(&leg.rail)?);
    let query = StateQuery {
        kind: if leg.kind == LegKind::Collection { Kind::Collection } else { Kind::Payout },
        correlation: correlation(&leg.id)?,
        server_correlation: leg.provider_reference.clone(),
        // A payout is asked about by our own id, which nobody can have made up.
        receipt: leg.hinted_receipt.clone().filter(|_| leg.kind == LegKind::Collection),
        callback: callback_url(app, &leg, callbacks::Purpose::Status),
    };
    let state = rail.request_state(&query).await;
    app.watch.tell(Step::Answered);
    let mut write = app.write(actor()).await?;
    record_state(&mut write, rail.as_ref(), &leg, state).await?;
    payments::inquired(&mut write, &id).await?;
    write.commit().await?;
    app.watch.tell(Step::Settled);
    Ok(())
}

/// Books what a provider says of a leg; from an answer to our own question, or from a callback that is one.
pub(crate) async fn record_state(
    write: &mut braid_microloans_ledger::Write,
    rail: &dyn MobileMoney,
    leg: &LegRecord,
    state: State,
) -> Result<(), LedgerError> {
    let report = match state {
        State::Pending | State::Asked => Report::Pending,
        State::Failed(failure) => Report::Failed { code: failure.code },
        State::Unknown(doubt) => Report::Unknown { why: doubt.to_string() },
        State::NotFound => return not_found(write, rail, leg).await,
        State::Completed(completion) => {
            if let Some(party) = &completion.party
                && !is_party(write, leg, party).await?
            {
                let detail = "the provider names another phone number";
                return payments::mistrust(write, &leg.id, "party_differs", detail).await;
            }
            let amount = match completion.amount {
                Some(money) if money.currency != leg.currency => {
                    let detail = "the provider names another currency";
                    return payments::mistrust(write, &leg.id, "currency_differs", detail).await;
                }
                other => other.map(|money| money.minor),
            };
            if let Some(name) = &completion.party_name {
                keep_name(write, leg, name).await?;
            }
            Report::Completed { receipt: completion.receipt, amount, at: completion.completed_at }
        }
    };
    payments::report(write, &leg.id, &report).await.map(drop)
}

/// Keeps the name by which the provider knows whom it has paid, where none is known: people who register by telephone type none.
async fn keep_name(write: &mut braid_microloans_ledger::Write, leg: &LegRecord, name: &str) -> Result<(), LedgerError> {
    let name: String = name.chars().take(braid_microloans_ledger::limits::MAX_TEXT_CHARS).collect();
    if leg.kind == LegKind::Collection || name.trim().is_empty() {
        return Ok(());
    }
    let loan = loans::loan(write, &leg.loan).await?;
    vault::set_field(write, &loan.person, vault::Field::Name, &Pii::new(name)).await
}

/// Whether a number that a provider names, perhaps masked, may be the borrower's.
async fn is_party(
    write: &mut braid_microloans_ledger::Write,
    leg: &LegRecord,
    named: &str,
) -> Result<bool, LedgerError> {
    let loan = loans::loan(write, &leg.loan).await?;
    let phone = vault::reveal(write, &loan.person, vault::Field::Phone, "compare with the provider's").await?;
    let phone: Result<Msisdn, _> = phone.expose().parse();
    // Some answers carry the name or nothing where the number should be: without a digit there is nothing to compare.
    Ok(phone.is_ok_and(|phone| phone.matches_masked(named)) || !named.bytes().any(|byte| byte.is_ascii_digit()))
}

/// The provider has never seen it: final only when enough time has passed since it was sent. A request to pay that would not be recognised, should it have
/// been under way all the time, stays in doubt: the borrower could be asked again meanwhile, and pay twice. The statement ends that doubt.
async fn not_found(
    write: &mut braid_microloans_ledger::Write,
    rail: &dyn MobileMoney,
    leg: &LegRecord,
) -> Result<(), LedgerError> {
    let settles = SignedDuration::try_from(rail.rules().settles_within).unwrap_or(SignedDuration::MAX);
    let sent_at = leg.sent_at.and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or(write.at);
    let is_final = write.at.duration_since(sent_at) >= settles;
    payments::report(write, &leg.id, &Report::NotFound).await?;
    if !is_final {
        return Ok(());
    }
    let recognises = rail.rules().recognises;
    match leg.kind {
        LegKind::Collection if !recognises.collections => Ok(()),
        LegKind::Payout | LegKind::Refund if !recognises.payouts => {
            let report = Report::Failed { code: "not found".to_owned() };
            payments::report(write, &leg.id, &report).await.map(drop)
        }
        _ => outbox::send_again(write, leg.id.as_str(), SignedDuration::ZERO).await,
    }
}

/// Looks up, in the statement, a payment that a callback told of.
async fn confirm(app: &App, message: &Message) -> Result<(), LedgerError> {
    let mut write = app.write(actor()).await?;
    if !outbox::claim(&mut write, message, lease(app)).await? {
        return Ok(());
    }
    let told = told::told(&mut write, &message.subject).await?;
    write.commit().await?;
    let rail = Arc::clone(app.rail(&told.rail)?);
    let window = SignedDuration::from_secs(limits::STATEMENT_WINDOW_SECONDS);
    let span = Span {
        from: told.paid_at.saturating_sub(window).unwrap_or(told.paid_at),
        to: told.paid_at.saturating_add(window).unwrap_or(told.paid_at),
    };
    let line = match rail.statement(span).await {
        Ok(lines) => lines.into_iter().find(|line| {
            line.direction == Direction::In && line.purpose == Purpose::Payment && line.receipt == told.receipt
        }),
        Err(RailError::NotConfigured(_)) => None,
        Err(error) => {
            tracing::warn!(rail = %told.rail, %error, "the statement could not be had");
            None
        }
    };
    let mut write = app.write(actor()).await?;
    match line {
        Some(line) if line.amount.currency == told.currency => {
            let found = (line.amount.minor, line.completed_at, line.reference);
            told::confirm(&mut write, &told, found).await?;
        }
        _ => told::look_again(&mut write, &message.subject, message.attempts).await?,
    }
    write.commit().await
}
