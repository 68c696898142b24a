//! The bodies of callbacks, in each provider's form. Pure.

use serde_json::{Value, json};

use crate::{
    faults::{Alteration, Calling},
    phone::Rail,
    time,
    world::{Delivery, Key, Kind, Order, Outcome, Payment, Problem},
};

/// The callback that tells what became of a payment; none if nobody asked for one. `subject` is what a query was about.
pub(crate) fn result(
    payment: &Payment,
    subject: Option<&Payment>,
    float_minor: i64,
    calling: Calling,
) -> Option<Delivery> {
    if calling == Calling::QueueTimeout && !payment.order.callbacks.timeout.is_empty() {
        return Some(post(&payment.order.callbacks.timeout, &timeout(&payment.order)));
    }
    let url = &payment.order.callbacks.result;
    if url.is_empty() {
        return None;
    }
    let told = match calling {
        Calling::Altered(alteration) => altered(payment, alteration),
        _ => payment.clone(),
    };
    Some(match (payment.order.rail, payment.order.kind) {
        (Rail::MtnMomo, _) => Delivery { is_put: payment.fate.by_put, ..post(url, &momo(&told)) },
        (Rail::Daraja, Kind::Prompt) => post(url, &stk(&told)),
        (Rail::Daraja, Kind::Deposit) => {
            // Only what happened is confirmed.
            told.receipt()?;
            post(url, &deposit(&told))
        }
        (Rail::Daraja, Kind::Payout) => post(url, &payout(&told, float_minor)),
        (Rail::Daraja, Kind::Reversal) => post(url, &reversal(&told)),
        (Rail::Daraja, Kind::Query) => post(url, &query(&told, subject)),
    })
}

/// The question whether a deposit may come.
pub(crate) fn validation(order: &Order, now_ms: i64, url: &str, key: Key) -> Delivery {
    let body = deposit_body(order, "", now_ms);
    Delivery { validates: Some(key), ..post(url, &body) }
}

fn post(url: &str, body: &Value) -> Delivery {
    Delivery { is_put: false, url: url.to_owned(), body: body.to_string(), validates: None }
}

/// The payment as a callback that was tampered with tells it.
fn altered(payment: &Payment, alteration: Alteration) -> Payment {
    let mut told = payment.clone();
    match alteration {
        Alteration::Amount => told.order.amount_minor += 100,
        Alteration::Receipt => {
            if let Some(Outcome::Done { receipt, .. }) = &mut told.outcome {
                *receipt = receipt.chars().rev().collect();
            }
        }
        Alteration::Party => told.order.msisdn = other_digits(&told.order.msisdn),
        Alteration::Request => {
            told.order.id = other_digits(&told.order.id);
            told.order.external_id = other_digits(&told.order.external_id);
        }
    }
    told
}

/// The same form with other digits.
fn other_digits(text: &str) -> String {
    let turn = |(at, c): (usize, char)| match c {
        // The first digits of a number are its country's, and the version of a UUID stands in its middle.
        '0'..='8' if at > 20 || (at > 5 && text.len() < 20) => char::from_u32(u32::from(c) + 1).unwrap_or(c),
        _ => c,
    };
    text.chars().enumerate().map(turn).collect()
}

/// An amount in whole shillings, as M-PESA writes it.
fn shillings(minor: i64) -> i64 {
    minor / 100
}

fn parameters(pairs: &[(&str, Value)]) -> Value {
    let listed: Vec<Value> = pairs.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    json!({ "ResultParameter": listed })
}

fn envelope(order: &Order, code: &Value, text: &str, receipt: &str) -> Value {
    json!({ "Result": {
        "ResultType": 0,
        "ResultCode": code,
        "ResultDesc": text,
        "OriginatorConversationID": order.id,
        "ConversationID": order.server_id,
        "TransactionID": receipt,
        "ReferenceData": { "ReferenceItem": { "Key": "QueueTimeoutURL", "Value": order.callbacks.timeout } },
    } })
}

const PROCESSED: &str = "The service request is processed successfully.";

fn payout(payment: &Payment, float_minor: i64) -> Value {
    let order = &payment.order;
    match &payment.outcome {
        Some(Outcome::Done { receipt, at_ms, name }) => {
            let mut body = envelope(order, &json!(0), PROCESSED, receipt);
            body["Result"]["ResultParameters"] = parameters(&[
                ("TransactionAmount", json!(shillings(order.amount_minor))),
                ("TransactionReceipt", json!(receipt)),
                ("B2CRecipientIsRegisteredCustomer", json!("Y")),
                ("B2CChargesPaidAccountAvailableFunds", json!(0)),
                ("ReceiverPartyPublicName", json!(format!("{} - {name}", order.msisdn))),
                ("TransactionCompletedDateTime", json!(time::dotted(*at_ms))),
                ("B2CUtilityAccountAvailableFunds", json!(shillings(float_minor))),
                ("B2CWorkingAccountAvailableFunds", json!(0)),
            ]);
            body
        }
        _ => failed(payment),
    }
}

fn failed(payment: &Payment) -> Value {
    let (code, text) = daraja_code(payment);
    envelope(&payment.order, &code, text, "")
}

fn reversal(payment: &Payment) -> Value {
    let order = &payment.order;
    match &payment.outcome {
        Some(Outcome::Done { receipt, at_ms, .. }) => {
            // Codes of reversals are strings.
            let mut body = envelope(order, &json!("0"), PROCESSED, receipt);
            body["Result"]["ResultParameters"] = parameters(&[
                ("Amount", json!(shillings(order.amount_minor))),
                ("TransCompletedTime", json!(compact_number(*at_ms))),
                ("OriginalTransactionID", json!(order.about)),
                ("Charge", json!(0)),
            ]);
            body
        }
        _ => failed(payment),
    }
}

fn query(payment: &Payment, subject: Option<&Payment>) -> Value {
    let Some(subject) = subject.filter(|_| matches!(payment.outcome, Some(Outcome::Done { .. }))) else {
        return failed(payment);
    };
    let order = &subject.order;
    let status = match &subject.outcome {
        None => "Pending",
        Some(Outcome::Done { .. }) => "Completed",
        Some(Outcome::Failed(_)) => "Failed",
    };
    let (receipt, finalised, name) = match &subject.outcome {
        Some(Outcome::Done { receipt, at_ms, name }) => {
            (receipt.as_str(), json!(compact_number(*at_ms)), name.as_str())
        }
        _ => ("", json!(""), ""),
    };
    let mut body = envelope(&payment.order, &json!("0"), PROCESSED, "0000000000");
    let (ours, theirs) = ("600638 - Braid".to_owned(), format!("{} - {name}", order.msisdn));
    let (debit, credit) = if order.kind == Kind::Payout { (ours, theirs) } else { (theirs, ours) };
    body["Result"]["ResultParameters"] = parameters(&[
        ("DebitPartyName", json!(debit)),
        ("CreditPartyName", json!(credit)),
        ("OriginatorConversationID", json!(order.id)),
        ("InitiatedTime", json!(compact_number(subject.taken_at_ms))),
        ("TransactionStatus", json!(status)),
        ("FinalisedTime", finalised),
        ("Amount", json!(shillings(order.amount_minor))),
        ("ConversationID", json!(order.server_id)),
        ("ReceiptNo", json!(receipt)),
    ]);
    body
}

fn timeout(order: &Order) -> Value {
    json!({ "Result": {
        "ResultType": 1,
        "ResultCode": 1,
        "ResultDesc": "The request timed out in the queue.",
        "OriginatorConversationID": order.id,
        "ConversationID": order.server_id,
    } })
}

fn stk(payment: &Payment) -> Value {
    let order = &payment.order;
    let mut callback = json!({ "MerchantRequestID": order.server_id, "CheckoutRequestID": order.id });
    match &payment.outcome {
        Some(Outcome::Done { receipt, at_ms, .. }) => {
            callback["ResultCode"] = json!(0);
            callback["ResultDesc"] = json!(PROCESSED);
            callback["CallbackMetadata"] = json!({ "Item": [
                // A number with decimals, here and nowhere else.
                { "Name": "Amount", "Value": decimal(order.amount_minor) },
                { "Name": "MpesaReceiptNumber", "Value": receipt },
                { "Name": "Balance" },
                { "Name": "TransactionDate", "Value": compact_number(*at_ms) },
                { "Name": "PhoneNumber", "Value": order.msisdn.parse::<u64>().unwrap_or_default() },
            ] });
        }
        _ => {
            let (code, text) = daraja_code(payment);
            callback["ResultCode"] = code;
            callback["ResultDesc"] = json!(text);
        }
    }
    json!({ "Body": { "stkCallback": callback } })
}

/// A JSON number with one decimal: `150.0`.
fn decimal(minor: i64) -> Value {
    serde_json::from_str(&format!("{}.0", shillings(minor))).unwrap_or_default()
}

fn compact_number(at_ms: i64) -> u64 {
    time::compact(at_ms).parse().unwrap_or_default()
}

fn deposit(payment: &Payment) -> Value {
    let (receipt, at_ms) = match &payment.outcome {
        Some(Outcome::Done { receipt, at_ms, .. }) => (receipt.as_str(), *at_ms),
        _ => ("", payment.taken_at_ms),
    };
    deposit_body(&payment.order, receipt, at_ms)
}

fn deposit_body(order: &Order, receipt: &str, at_ms: i64) -> Value {
    json!({
        "TransactionType": "Pay Bill",
        // A payment that is asked about has a receipt to come.
        "TransID": if receipt.is_empty() { "PENDING000" } else { receipt },
        "TransTime": time::compact(at_ms),
        "TransAmount": format!("{}.00", shillings(order.amount_minor)),
        "BusinessShortCode": "600638",
        "BillRefNumber": order.reference,
        "InvoiceNumber": "",
        "OrgAccountBalance": "",
        "ThirdPartyTransID": "",
        "MSISDN": masked(&order.msisdn),
        "FirstName": "",
        "MiddleName": "",
        "LastName": "",
    })
}

/// A number as confirmations show it: `2547 ***** 126`.
pub(crate) fn masked(msisdn: &str) -> String {
    let length = msisdn.len();
    if length < 8 {
        return "*".repeat(length);
    }
    format!("{} {} {}", &msisdn[..4], "*".repeat(length - 7), &msisdn[length - 3..])
}

/// M-PESA's code and sentence of a failure; some codes are numbers, some strings.
pub(crate) fn daraja_code(payment: &Payment) -> (Value, &'static str) {
    let Some(Outcome::Failed(problem)) = &payment.outcome else { return (json!(0), PROCESSED) };
    match problem {
        Problem::InsufficientFunds => (json!(1), "The balance is insufficient for the transaction."),
        Problem::TooMuch => (json!(3), "More than the maximum amount of a transaction."),
        Problem::WalletFull => (json!(8), "Would exceed the maximum balance."),
        Problem::TooSoon => (json!(17), "A similar transaction was made less than two minutes ago."),
        Problem::Expired => (json!(1019), "Transaction has expired."),
        Problem::Cancelled => (json!(1032), "Request cancelled by user."),
        Problem::Unreachable => (json!(1037), "DS timeout user cannot be reached."),
        Problem::WrongPin | Problem::WrongCredential => (json!(2001), "The initiator information is invalid."),
        Problem::NotRegistered if payment.order.kind == Kind::Payout => {
            (json!(2040), "Credit party customer type can not be supported by the service.")
        }
        Problem::NotRegistered => (json!("SFC_IC0003"), "The operator does not exist."),
        Problem::Locked => (json!(8006), "The security credential is locked."),
        Problem::ReversedAlready => (json!("R000001"), "The transaction has already been reversed."),
        Problem::NoSuchPayment => (json!("R000002"), "The original transaction is invalid."),
        Problem::Refused => (json!("C2B00016"), "Other Error"),
    }
}

/// MTN's object of a request: the answer to a question, and the callback.
pub(crate) fn momo(payment: &Payment) -> Value {
    let order = &payment.order;
    let party = json!({ "partyIdType": "MSISDN", "partyId": order.msisdn });
    let mut body = json!({
        "externalId": order.external_id,
        "amount": format!("{}.{:02}", order.amount_minor / 100, order.amount_minor % 100),
        "currency": "GHS",
        "payerMessage": order.note,
        "payeeNote": order.reference,
    });
    body[if order.kind == Kind::Payout { "payee" } else { "payer" }] = party;
    match &payment.outcome {
        None => body["status"] = json!("PENDING"),
        Some(Outcome::Done { receipt, .. }) => {
            body["status"] = json!("SUCCESSFUL");
            body["financialTransactionId"] = json!(receipt);
        }
        Some(Outcome::Failed(problem)) => {
            body["status"] = json!("FAILED");
            let code = momo_code(*problem, order.kind);
            // Either form occurs.
            body["reason"] = if payment.fate.by_put { json!(code) } else { json!({ "code": code, "message": code }) };
        }
    }
    body
}

const fn momo_code(problem: Problem, kind: Kind) -> &'static str {
    match problem {
        Problem::InsufficientFunds => "NOT_ENOUGH_FUNDS",
        Problem::TooMuch | Problem::WalletFull => "PAYER_LIMIT_REACHED",
        Problem::Expired | Problem::Unreachable => "COULD_NOT_PERFORM_TRANSACTION",
        Problem::Cancelled | Problem::WrongPin => "APPROVAL_REJECTED",
        Problem::NotRegistered if matches!(kind, Kind::Payout) => "PAYEE_NOT_FOUND",
        Problem::NotRegistered => "PAYER_NOT_FOUND",
        Problem::Locked => "PAYEE_NOT_ALLOWED_TO_RECEIVE",
        _ => "INTERNAL_PROCESSING_ERROR",
    }
}
