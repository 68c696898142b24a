//! Telling a chain what happens to loans, and anchoring the journal there. It may be killed anywhere.
//!
//! A loan goes through these steps, each durable before the next begins:
//! 1. the row of the outbox is claimed, and what has happened since the last time is written down as facts ([`facts`]), in one transaction;
//! 2. the facts that the chain does not have are told in their order, each under its number, word for word as they were written down;
//! 3. that the chain has one is written down.
//!
//! Whoever is killed between the second and the third tells it again, and the contract ignores it. A chain that does not answer keeps nothing waiting but
//! payouts, which need that the chain knows of the borrower's consent; what comes in is booked all the same, and told later.

mod facts;
mod link;

use std::sync::atomic::Ordering;

use alloy_primitives::{B256, Bytes};
use braid_microloans_arithmetic::Date;
use braid_microloans_chain::{Anchor, ChainError, Recorded};
use braid_microloans_ledger::{
    Actor, LedgerError, LoanId, Write,
    chain::{self as book, Linked},
    loans,
    payments::outbox::{self, Desk, Message, Task},
};
use jiff::SignedDuration;

pub use link::{ChainLink, Pool, SealOnChain};

use crate::{app::App, limits};
use link::Ready;

/// Who writes what the chain was told.
pub(crate) fn actor() -> Actor {
    Actor::system("chain")
}

/// What became of a row.
enum Outcome {
    /// It is done, or waits for its time.
    Over,
    /// The chain does not answer.
    Unreachable,
}

/// Tells until it is dropped; ends at once where no chain is told anything.
pub async fn run(app: App) {
    let Some(link) = app.chain.clone() else { return };
    let pause = std::time::Duration::from_millis(app.worker.pause_ms.max(1));
    loop {
        match round(&app, &link).await {
            Ok(0) => tokio::time::sleep(pause).await,
            Ok(_) => {}
            Err(RoundError::Chain(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the chain cannot be told anything");
                tokio::time::sleep(limits::CHAIN_PAUSE).await;
            }
            Err(RoundError::Ledger(error)) => {
                app.counts.failures.fetch_add(1, Ordering::Relaxed);
                tracing::error!(error = &error as &dyn std::error::Error, "a round for the chain failed");
                tokio::time::sleep(limits::CHAIN_PAUSE).await;
            }
        }
    }
}

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// The chain does not answer, or not as it should.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The database fails.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Tells what is due now; returns how much was.
///
/// # Errors
/// If the database fails, or the chain cannot be reached.
pub async fn round(app: &App, link: &ChainLink) -> Result<usize, RoundError> {
    let due = outbox::due_at(&mut app.read().await?, Desk::Chain, app.clock.now(), limits::BATCH).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let ready = link.ready().await?;
    for message in &due {
        let outcome = match message.task {
            Task::Anchor => anchor(app, ready, message).await?,
            _ => tell(app, link, ready, message).await?,
        };
        if matches!(outcome, Outcome::Unreachable) {
            tokio::time::sleep(limits::CHAIN_PAUSE).await;
            break;
        }
    }
    Ok(due.len())
}

fn lease(app: &App) -> SignedDuration {
    SignedDuration::from_secs(app.worker.lease_seconds.into())
}

async fn tell(app: &App, link: &ChainLink, ready: &Ready, message: &Message) -> Result<Outcome, LedgerError> {
    let id: LoanId = message.subject.parse()?;
    let mut write = app.write(actor()).await?;
    if !outbox::claim(&mut write, message, lease(app)).await? {
        return Ok(Outcome::Over);
    }
    let Some(linked) = write_down(app, &mut write, link, ready, &id).await? else {
        // Nothing has been offered yet: that is between a borrower and a lender.
        outbox::done(&mut write, Task::Tell, &message.subject).await?;
        write.commit().await?;
        return Ok(Outcome::Over);
    };
    let all = book::facts(&mut write, &id).await?;
    write.commit().await?;
    let word = word(&linked.word)?;
    for fact in all.iter().filter(|fact| !fact.is_told) {
        let seq = u64::try_from(fact.seq).map_err(|_| LedgerError::Corrupt("a fact's number".to_owned()))?;
        let call: Bytes = fact.call.parse().map_err(|_| LedgerError::Corrupt("a fact's call".to_owned()))?;
        let told = ready.recorder.record_call(word, seq, &call).await;
        let mut write = app.write(actor()).await?;
        match told {
            Ok(recorded) => book::told(&mut write, &id, fact.seq, reference(recorded).as_deref()).await?,
            Err(error) => return not_told(write, message, Some((&id, fact.seq)), &error).await,
        }
        write.commit().await?;
    }
    let mut write = app.write(actor()).await?;
    if !book::finish(&mut write, &linked).await? {
        // Something has happened meanwhile.
        outbox::later(&mut write, Task::Tell, &message.subject, SignedDuration::ZERO).await?;
    }
    write.commit().await?;
    Ok(Outcome::Over)
}

/// Writes what has happened to a loan down as facts. `None` if nothing of it is to be told.
async fn write_down(
    app: &App,
    write: &mut Write,
    link: &ChainLink,
    ready: &Ready,
    id: &LoanId,
) -> Result<Option<Linked>, LedgerError> {
    let loan = loans::loan(write, id).await?;
    if loan.key_facts_hash.is_none() {
        return Ok(None);
    }
    let pool = link.pool(loan.currency.code())?;
    let context = facts::Context {
        vault: app.ledger.vault().clone(),
        pool: pool.address,
        unit: ready.unit(loan.currency.code())?,
        payee: ready.recorder.address(),
        now: write.at.as_second(),
    };
    let mut linked = book::link(write, id).await?;
    let mut seq = book::next_seq(write, id).await?;
    let word = word(&linked.word)?;
    for event in book::news(write, &linked).await? {
        for (kind, fact) in facts::of_event(write, &context, &loan, &mut linked, &event).await? {
            let number = u64::try_from(seq).map_err(|_| LedgerError::Corrupt("a fact's number".to_owned()))?;
            book::write_down(write, id, seq, kind, &fact.call(word, number)).await?;
            seq += 1;
        }
        linked.event = event.seq;
    }
    book::keep(write, &linked).await?;
    Ok(Some(linked))
}

fn word(text: &str) -> Result<B256, LedgerError> {
    text.parse().map_err(|_| LedgerError::Corrupt("a loan's name on the chain".to_owned()))
}

fn reference(recorded: Recorded) -> Option<String> {
    match recorded {
        Recorded::Now { transaction } => Some(transaction.to_string()),
        Recorded::Before => None,
    }
}

/// Puts a row back that could not be done.
async fn not_told(
    mut write: Write,
    message: &Message,
    fact: Option<(&LoanId, i64)>,
    error: &ChainError,
) -> Result<Outcome, LedgerError> {
    tracing::warn!(subject = %message.subject, error = error as &dyn std::error::Error, "the chain was not told");
    let is_unreachable = matches!(error, ChainError::Unreachable(_) | ChainError::Node { .. });
    let after = if is_unreachable || matches!(error, ChainError::Pending(_)) {
        SignedDuration::ZERO
    } else {
        if let Some((loan, seq)) = fact {
            book::refused(&mut write, loan, seq, &error.to_string()).await?;
        }
        SignedDuration::from_secs(limits::CHAIN_REFUSED_SECONDS)
    };
    outbox::later(&mut write, message.task, &message.subject, after).await?;
    write.commit().await?;
    Ok(if is_unreachable { Outcome::Unreachable } else { Outcome::Over })
}

async fn anchor(app: &App, ready: &Ready, message: &Message) -> Result<Outcome, LedgerError> {
    let mut write = app.write(actor()).await?;
    if !outbox::claim(&mut write, message, lease(app)).await? {
        return Ok(Outcome::Over);
    }
    let (seal, is_next) = book::seal_to_anchor(&mut write, &message.subject).await?;
    if !is_next {
        let later = SignedDuration::from_secs(limits::CHAIN_REFUSED_SECONDS);
        outbox::later(&mut write, Task::Anchor, &message.subject, later).await?;
        write.commit().await?;
        return Ok(Outcome::Over);
    }
    write.commit().await?;
    let number = |seq: i64| u64::try_from(seq).map_err(|_| LedgerError::Corrupt("an entry's number".to_owned()));
    let anchor = Anchor {
        day: day_number(seal.day.parse()?)?,
        root: seal.root.parse().map_err(|_| LedgerError::Corrupt("a seal's root".to_owned()))?,
        first_entry: number(seal.first_seq)?,
        last_entry: number(seal.last_seq)?,
    };
    let told = ready.recorder.anchor(anchor).await;
    let mut write = app.write(actor()).await?;
    match told {
        Ok(recorded) => book::anchored(&mut write, &seal.day, reference(recorded).as_deref()).await?,
        Err(error) => return not_told(write, message, None, &error).await,
    }
    write.commit().await?;
    Ok(Outcome::Over)
}

/// A day, counted from 1970.
fn day_number(day: Date) -> Result<u32, LedgerError> {
    let epoch = Date::new(1970, 1, 1)?;
    u32::try_from(day.days_since(epoch)).map_err(|_| LedgerError::Corrupt(format!("{day} before 1970")))
}
