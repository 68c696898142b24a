//! What Daraja tells us: results of payouts, prompts, queries and reversals, and deposits. Pure.

use braid_microloans_arithmetic::Currency;
use serde_json::{Value, json};

use super::{codes, codes::From, time};
use crate::{
    Failure, Reason,
    json::{money, object, positive, scalar, shortened, text},
    port::{
        CallbackAnswer, CallbackError, Completion, Decision, Delivery, Deposit, Doubt, Event, MAX_CALLBACK_BYTES,
        Route, State,
    },
};

/// Reads a callback.
pub(crate) fn read(delivery: Delivery<'_>, currency: Currency) -> Result<Event, CallbackError> {
    if delivery.body.len() > MAX_CALLBACK_BYTES {
        return Err(CallbackError::TooLong);
    }
    let body = object(delivery.body).ok_or(CallbackError::Unreadable("not a json object"))?;
    match delivery.route {
        Route::Payout => payout(&body, currency),
        Route::Collection => prompt(&body, currency),
        Route::Status => status(&body, currency),
        Route::Reversal => reversal(&body, currency),
        Route::Timeout => timeout(&body),
        Route::Validation => deposit(&body, currency).map(Event::Validation),
        Route::Confirmation => deposit(&body, currency).map(Event::Deposit),
    }
}

/// What to answer: deposits are asked about, the rest is told.
pub(super) fn answer(route: Route, decision: Decision) -> CallbackAnswer {
    let (code, text) = match (route, decision) {
        (Route::Validation, Decision::UnknownReference) => ("C2B00012", "Invalid Account Number"),
        (Route::Validation, Decision::WrongAmount) => ("C2B00013", "Invalid Amount"),
        (Route::Validation, Decision::Refuse) => ("C2B00016", "Other Error"),
        _ => ("0", "Accepted"),
    };
    CallbackAnswer { body: json!({ "ResultCode": code, "ResultDesc": text }).to_string() }
}

/// The parts that every `Result` has.
struct Outcome<'a> {
    result: &'a Value,
    code: String,
}

impl<'a> Outcome<'a> {
    fn read(body: &'a Value) -> Result<Self, CallbackError> {
        let result = body.get("Result").ok_or(CallbackError::Unreadable("no Result"))?;
        let code = text(result, "ResultCode").ok_or(CallbackError::Unreadable("no ResultCode"))?;
        Ok(Self { result, code })
    }

    fn is_success(&self) -> bool {
        self.code == codes::SUCCESS
    }

    fn failure(&self) -> State {
        codes::failure(&self.code, text(self.result, "ResultDesc").as_deref(), From::Initiator)
    }

    /// A parameter. A single one may stand there without a list around it.
    fn parameter(&self, name: &str) -> Option<String> {
        let listed = self.result.get("ResultParameters")?.get("ResultParameter")?;
        let list = listed.as_array().map_or(std::slice::from_ref(listed), Vec::as_slice);
        let found = list.iter().find(|item| item.get("Key").and_then(Value::as_str) == Some(name))?;
        scalar(found.get("Value")?)
    }

    fn event(&self, originator: Option<String>, state: State) -> Event {
        let conversation = text(self.result, "ConversationID");
        Event::Result {
            correlation: originator.and_then(|id| id.parse().ok()),
            server_correlation: conversation,
            state,
        }
    }
}

fn payout(body: &Value, currency: Currency) -> Result<Event, CallbackError> {
    let outcome = Outcome::read(body)?;
    let originator = text(outcome.result, "OriginatorConversationID");
    if !outcome.is_success() {
        return Ok(outcome.event(originator, outcome.failure()));
    }
    let receipt = outcome
        .parameter("TransactionReceipt")
        .or_else(|| text(outcome.result, "TransactionID"))
        .ok_or(CallbackError::Unreadable("no TransactionReceipt"))?;
    let amount = outcome
        .parameter("TransactionAmount")
        .and_then(|amount| positive(&amount, currency))
        .ok_or(CallbackError::Unreadable("no TransactionAmount"))?;
    let (party, party_name) = parties(outcome.parameter("ReceiverPartyPublicName"));
    let completed_at =
        outcome.parameter("TransactionCompletedDateTime").and_then(|text| time::read(&text, time::DOTTED));
    let completion = Completion { receipt: Some(receipt), amount: Some(amount), party, party_name, completed_at };
    Ok(outcome.event(originator, State::Completed(completion)))
}

/// Number and name, which stand in one text: `254708374149 - Jane Doe`.
fn parties(public_name: Option<String>) -> (Option<String>, Option<String>) {
    match public_name {
        Some(both) => match both.split_once(" - ") {
            Some((number, name)) => (Some(number.trim().to_owned()), Some(name.trim().to_owned())),
            None => (Some(both), None),
        },
        None => (None, None),
    }
}

/// Fewest digits of a customer's number; an organisation's short code has seven at most.
const CUSTOMER_DIGITS: usize = 9;

/// The customer among the two parties of a payment: who received a payout, or paid.
fn customer(outcome: &Outcome<'_>) -> (Option<String>, Option<String>) {
    let digits = |number: &str| number.bytes().filter(|byte| byte.is_ascii_digit() || *byte == b'*').count();
    let named = ["CreditPartyName", "DebitPartyName"].map(|key| parties(outcome.parameter(key)));
    let is_customer = |(number, _): &&(Option<String>, Option<String>)| {
        number.as_deref().is_some_and(|number| digits(number) >= CUSTOMER_DIGITS)
    };
    let [credit, _] = &named;
    named.iter().find(is_customer).unwrap_or(credit).clone()
}

fn prompt(body: &Value, currency: Currency) -> Result<Event, CallbackError> {
    let callback = body
        .get("Body")
        .and_then(|body| body.get("stkCallback"))
        .ok_or(CallbackError::Unreadable("no Body.stkCallback"))?;
    let code = text(callback, "ResultCode").ok_or(CallbackError::Unreadable("no ResultCode"))?;
    let server_correlation = text(callback, "CheckoutRequestID");
    let state = if code == codes::SUCCESS {
        State::Completed(prompt_completion(callback, currency)?)
    } else {
        codes::failure(&code, text(callback, "ResultDesc").as_deref(), From::Prompt)
    };
    Ok(Event::Result { correlation: None, server_correlation, state })
}

fn prompt_completion(callback: &Value, currency: Currency) -> Result<Completion, CallbackError> {
    let items = callback.get("CallbackMetadata").and_then(|metadata| metadata.get("Item")).and_then(Value::as_array);
    let item = |name: &str| {
        let found = items?.iter().find(|item| item.get("Name").and_then(Value::as_str) == Some(name))?;
        scalar(found.get("Value")?)
    };
    let amount = item("Amount").and_then(|amount| positive(&amount, currency));
    Ok(Completion {
        receipt: Some(item("MpesaReceiptNumber").ok_or(CallbackError::Unreadable("no MpesaReceiptNumber"))?),
        amount: Some(amount.ok_or(CallbackError::Unreadable("no Amount"))?),
        party: item("PhoneNumber"),
        party_name: None,
        completed_at: item("TransactionDate").and_then(|text| time::read(&text, time::COMPACT)),
    })
}

/// The answer to a query. Its own identity stands outside, that of the payment asked about among the parameters.
fn status(body: &Value, currency: Currency) -> Result<Event, CallbackError> {
    let outcome = Outcome::read(body)?;
    if outcome.code == codes::NO_SUCH {
        return Ok(outcome.event(None, State::NotFound));
    }
    if !outcome.is_success() {
        // The query failed, which says nothing about the payment.
        return Ok(outcome.event(None, State::Unknown(Doubt::Code(outcome.code.clone()))));
    }
    let originator = outcome.parameter("OriginatorConversationID");
    let status = outcome.parameter("TransactionStatus").ok_or(CallbackError::Unreadable("no TransactionStatus"))?;
    let state = match status.as_str() {
        "Completed" => {
            let amount = outcome.parameter("Amount").and_then(|amount| positive(&amount, currency));
            let (party, party_name) = customer(&outcome);
            State::Completed(Completion {
                receipt: Some(outcome.parameter("ReceiptNo").ok_or(CallbackError::Unreadable("no ReceiptNo"))?),
                amount: Some(amount.ok_or(CallbackError::Unreadable("no Amount"))?),
                party,
                party_name,
                completed_at: outcome.parameter("FinalisedTime").and_then(|text| time::read(&text, time::COMPACT)),
            })
        }
        "Pending" | "Authorized" | "Submitted" => State::Pending,
        "Failed" | "Cancelled" | "Declined" | "Expired" => State::Failed(Failure {
            reason: Reason::Other,
            code: status.clone(),
            text: outcome.parameter("TransactionReason").map(|text| shortened(&text)).unwrap_or_default(),
        }),
        other => State::Unknown(Doubt::Code(other.to_owned())),
    };
    Ok(outcome.event(originator, state))
}

fn reversal(body: &Value, currency: Currency) -> Result<Event, CallbackError> {
    let outcome = Outcome::read(body)?;
    if !outcome.is_success() {
        return Ok(outcome.event(None, outcome.failure()));
    }
    let receipt = text(outcome.result, "TransactionID").ok_or(CallbackError::Unreadable("no TransactionID"))?;
    let completion = Completion {
        receipt: Some(receipt),
        amount: outcome.parameter("Amount").and_then(|amount| positive(&amount, currency)),
        party: None,
        party_name: None,
        completed_at: outcome.parameter("TransCompletedTime").and_then(|text| time::read(&text, time::COMPACT)),
    };
    Ok(outcome.event(None, State::Completed(completion)))
}

fn timeout(body: &Value) -> Result<Event, CallbackError> {
    let outcome = Outcome::read(body)?;
    let originator = text(outcome.result, "OriginatorConversationID");
    Ok(outcome.event(originator, State::Unknown(Doubt::QueueTimeout)))
}

fn deposit(body: &Value, currency: Currency) -> Result<Deposit, CallbackError> {
    Ok(Deposit {
        receipt: text(body, "TransID").ok_or(CallbackError::Unreadable("no TransID"))?,
        amount: money(body, "TransAmount", currency).ok_or(CallbackError::Unreadable("no TransAmount"))?,
        reference: text(body, "BillRefNumber").unwrap_or_default(),
        party: text(body, "MSISDN").unwrap_or_default(),
        completed_at: text(body, "TransTime").and_then(|text| time::read(&text, time::COMPACT)),
    })
}
