//! Callbacks: what providers send. Anybody may send anything, so a callback is a reason to ask, not a fact.
//!
//! An address ends in a token that nobody can guess, of one leg and one purpose. What arrives at the address given with an order only makes the worker ask
//! the provider at once. What arrives at the address given with our own question is the provider's answer to it (Daraja answers in no other way); it is
//! booked if correlation, amount and party fit. Money that came of itself is looked up in the statement.

use std::sync::atomic::Ordering;

use axum::{
    body::Bytes,
    extract::{Path, State as AppState},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use braid_microloans_ledger::{
    Actor, LedgerError, LegId, LegState, Write,
    code::LoanCode,
    loans,
    payments::{self, Incoming, LegKind, LegRecord, outbox, told},
    vault::Vault,
};
use braid_microloans_rails::{
    MobileMoney,
    port::{Completion, Decision, Delivery, Deposit, Event, MAX_CALLBACK_BYTES, Route, State},
};
use jiff::SignedDuration;
use subtle::ConstantTimeEq as _;

use crate::{app::App, problem::Problem, worker};

/// What an address was given out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The result of an order.
    Order,
    /// The answer to a question.
    Status,
    /// Money that comes of itself; one address for the rail.
    Rail,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Status => "status",
            Self::Rail => "rail",
        }
    }
}

/// The last part of an address, before the route.
#[must_use]
pub fn token(vault: &Vault, purpose: Purpose, subject: &str) -> String {
    vault.callback_token(&format!("{}/{subject}", purpose.name()))
}

/// Takes a callback in.
///
/// # Errors
/// If the address is none of ours, the body is none of the provider's, or the database fails.
pub async fn receive(
    AppState(app): AppState<App>,
    Path((rail, subject, secret, route)): Path<(String, String, String, String)>,
    body: Bytes,
) -> Result<Response, Problem> {
    let answer = take(&app, &rail, &subject, &secret, &route, &body).await;
    let count = if answer.is_ok() { &app.counts.callbacks } else { &app.counts.callbacks_refused };
    count.fetch_add(1, Ordering::Relaxed);
    answer
}

async fn take(
    app: &App,
    rail_name: &str,
    subject: &str,
    secret: &str,
    route: &str,
    body: &[u8],
) -> Result<Response, Problem> {
    // Whatever is wrong with the address, the answer is the same.
    let rail = app.rail(rail_name).map_err(|_| Problem::not_found())?;
    let route = Route::named(route).ok_or_else(Problem::not_found)?;
    let purpose = purpose_of(app, subject, rail_name, secret).ok_or_else(Problem::not_found)?;
    if body.len() > MAX_CALLBACK_BYTES {
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "a callback is not that long"));
    }
    let event = rail.read_callback(Delivery { route, body });
    let event = event.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let decision = match event {
        Event::Result { correlation, state, .. } => {
            let fits = correlation.is_none_or(|correlation| correlation.to_string() == subject);
            if purpose == Purpose::Rail || !fits {
                return Err(Problem::not_found());
            }
            let id = subject.parse::<LegId>().map_err(|_| Problem::not_found())?;
            let is_answer = purpose == Purpose::Status && route == Route::Status;
            hear(app, rail.as_ref(), &id, state, is_answer).await?;
            Decision::Accept
        }
        Event::Validation(deposit) => validate(app, rail.as_ref(), &deposit).await?,
        Event::Deposit(deposit) => {
            if purpose != Purpose::Rail {
                return Err(Problem::not_found());
            }
            tell(app, rail_name, deposit).await?;
            Decision::Accept
        }
    };
    let answer = rail.answer_callback(route, decision);
    Ok((StatusCode::OK, [(CONTENT_TYPE, "application/json")], answer.body).into_response())
}

/// What the address was given out for, if its token is right.
fn purpose_of(app: &App, subject: &str, rail: &str, secret: &str) -> Option<Purpose> {
    let subject = if subject == "rail" { rail } else { subject };
    let purposes = [Purpose::Order, Purpose::Status, Purpose::Rail];
    purposes.into_iter().find(|purpose| {
        let right = token(app.ledger.vault(), *purpose, subject);
        right.as_bytes().ct_eq(secret.as_bytes()).into()
    })
}

fn actor() -> Actor {
    Actor::system("callbacks")
}

async fn hear(app: &App, rail: &dyn MobileMoney, id: &LegId, state: State, is_answer: bool) -> Result<(), Problem> {
    let mut write = app.write(actor()).await?;
    let leg = payments::leg(&mut write, id).await?;
    if let State::Completed(completion) = &state
        && let Some(receipt) = &completion.receipt
    {
        payments::hint_receipt(&mut write, id, receipt).await?;
        if leg.state == LegState::Failed && leg.kind == LegKind::Collection {
            tell_late(&mut write, &leg, completion, receipt).await?;
        }
    }
    // Somebody may have made up the receipt by which a collection was asked about: that there is none such says nothing about it.
    let is_hint = state == State::NotFound && leg.kind == LegKind::Collection;
    if is_answer && !is_hint {
        worker::record_state(&mut write, rail, &leg, state).await?;
    } else if leg.state.is_open() {
        outbox::inquire(&mut write, id.as_str(), SignedDuration::ZERO).await?;
    }
    Ok(write.commit().await?)
}

/// A borrower has paid after all, as it seems, what was thought to have failed. The statement is looked into at once and not in the night, so that nobody is
/// asked again for what they have paid.
async fn tell_late(
    write: &mut Write,
    leg: &LegRecord,
    completion: &Completion,
    receipt: &str,
) -> Result<(), LedgerError> {
    let incoming = Incoming {
        rail: leg.rail.clone(),
        receipt: receipt.to_owned(),
        currency: leg.currency,
        amount: leg.amount,
        at: completion.completed_at.unwrap_or(write.at),
        loan: Some(leg.loan.clone()),
        reference: None,
    };
    told::tell(write, &incoming).await
}

/// May this payment come? Only if a loan has the code that was typed; everything else would only be suspended.
async fn validate(app: &App, rail: &dyn MobileMoney, deposit: &Deposit) -> Result<Decision, Problem> {
    let Ok(code) = deposit.reference.parse::<LoanCode>() else { return Ok(Decision::UnknownReference) };
    if deposit.amount.minor <= 0 || deposit.amount.currency != rail.rules().currency {
        return Ok(Decision::WrongAmount);
    }
    let mut read = app.read().await?;
    let loan = loans::by_code(&mut read, &code).await?;
    let takes = loan.is_some_and(|loan| loan.state.takes_payments() && loan.currency == deposit.amount.currency);
    Ok(if takes { Decision::Accept } else { Decision::UnknownReference })
}

async fn tell(app: &App, rail: &str, deposit: Deposit) -> Result<(), Problem> {
    let mut write: Write = app.write(actor()).await?;
    let incoming = Incoming {
        rail: rail.to_owned(),
        receipt: deposit.receipt,
        currency: deposit.amount.currency,
        amount: deposit.amount.minor,
        at: deposit.completed_at.unwrap_or(write.at),
        loan: None,
        reference: Some(deposit.reference),
    };
    told::tell(&mut write, &incoming).await?;
    Ok(write.commit().await?)
}
