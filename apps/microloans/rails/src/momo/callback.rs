//! What MTN Mobile Money tells us of a request: the same object in the answer to a question and in a callback. Pure.

use braid_microloans_arithmetic::Currency;
use serde_json::Value;

use crate::{
    Failure, Reason,
    json::{money, object, scalar, shortened, text},
    port::{CallbackError, Completion, Delivery, Doubt, Event, Kind, MAX_CALLBACK_BYTES, Route, State},
};

/// Reads a callback.
pub(crate) fn read(delivery: Delivery<'_>, currency: Currency) -> Result<Event, CallbackError> {
    if delivery.body.len() > MAX_CALLBACK_BYTES {
        return Err(CallbackError::TooLong);
    }
    let kind = match delivery.route {
        Route::Payout => Kind::Payout,
        Route::Collection => Kind::Collection,
        Route::Timeout | Route::Status | Route::Reversal | Route::Validation | Route::Confirmation => {
            return Err(CallbackError::NoSuchRoute);
        }
    };
    let body = object(delivery.body).ok_or(CallbackError::Unreadable("not a json object"))?;
    let state = state(&body, kind, currency).map_err(CallbackError::Unreadable)?;
    let correlation = text(&body, "externalId").and_then(|id| id.parse().ok());
    Ok(Event::Result { correlation, server_correlation: text(&body, "referenceId"), state })
}

/// What the object says of its request.
pub(super) fn state(body: &Value, kind: Kind, currency: Currency) -> Result<State, &'static str> {
    Ok(match text(body, "status").ok_or("no status")?.as_str() {
        "PENDING" | "CREATED" => State::Pending,
        "SUCCESSFUL" => State::Completed(completion(body, kind, currency)?),
        "FAILED" => State::Failed(failure(body)),
        other => State::Unknown(Doubt::Code(other.to_owned())),
    })
}

fn completion(body: &Value, kind: Kind, currency: Currency) -> Result<Completion, &'static str> {
    if text(body, "currency").as_deref() != Some(currency.code()) {
        return Err("another currency");
    }
    let party = body.get(super::party_key(kind)).and_then(|party| text(party, "partyId"));
    Ok(Completion {
        receipt: Some(text(body, "financialTransactionId").ok_or("no financialTransactionId")?),
        amount: Some(money(body, "amount", currency).ok_or("no amount")?),
        party,
        party_name: None,
        completed_at: None,
    })
}

/// The reason stands there as a text, or as an object with a code.
fn failure(body: &Value) -> Failure {
    let given = body.get("reason");
    let code = given.and_then(|given| scalar(given).or_else(|| text(given, "code"))).unwrap_or_default();
    let message = given.and_then(|given| text(given, "message")).unwrap_or_default();
    Failure { reason: reason(&code, Reason::Other), code, text: shortened(&message) }
}

/// A reason by its code. The status says that it failed, so that a code that is not known leaves no doubt.
pub(super) fn reason(code: &str, otherwise: Reason) -> Reason {
    match code {
        "PAYER_NOT_FOUND" | "PAYEE_NOT_FOUND" => Reason::NotRegistered,
        "NOT_ENOUGH_FUNDS" => Reason::InsufficientFunds,
        "PAYER_LIMIT_REACHED" | "PAYEE_LIMIT_REACHED" => Reason::LimitExceeded,
        "APPROVAL_REJECTED" => Reason::Cancelled,
        "EXPIRED" | "COULD_NOT_PERFORM_TRANSACTION" => Reason::Expired,
        "NOT_ALLOWED" | "NOT_ALLOWED_TARGET_ENVIRONMENT" => Reason::NotAuthorised,
        "PAYEE_NOT_ALLOWED_TO_RECEIVE" => Reason::AccountBlocked,
        "INVALID_CURRENCY" | "INVALID_CALLBACK_URL_HOST" => Reason::Invalid,
        _ => otherwise,
    }
}
