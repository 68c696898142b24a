//! Daraja's interface: who calls it, what it demands of a request, and what it answers at once.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Shared, answered, authorization, json_response, object, text};
use crate::{
    calls::daraja_code,
    credentials::{CONSUMER_KEY, CONSUMER_SECRET, PASSKEY, SHORT_CODE, Scope, TOKEN_SECONDS, is_basic},
    faults::Answering,
    phone::Rail,
    world::{Callbacks, DepositUrls, Key, Kind, Order, Outcome},
};

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/oauth/v1/generate", get(token))
        .route("/mpesa/stkpush/v1/processrequest", post(prompt))
        .route("/mpesa/stkpushquery/v1/query", post(prompt_query))
        .route("/mpesa/b2c/v3/paymentrequest", post(payout))
        .route("/mpesa/transactionstatus/v1/query", post(status))
        .route("/mpesa/reversal/v1/request", post(reversal))
        .route("/mpesa/c2b/v1/registerurl", post(register))
}

/// An error of the gateway.
fn error(status: StatusCode, code: &str, message: &str) -> Response {
    json_response(status, &json!({ "requestId": "16813-15-1", "errorCode": code, "errorMessage": message }))
}

fn invalid(field: &str) -> Response {
    error(StatusCode::BAD_REQUEST, "400.002.02", &format!("Bad Request - Invalid {field}"))
}

async fn token(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    if query.as_deref() != Some("grant_type=client_credentials") {
        return error(StatusCode::BAD_REQUEST, "400.008.02", "Invalid grant type passed");
    }
    if !is_basic(authorization(&headers), CONSUMER_KEY, CONSUMER_SECRET) {
        return error(StatusCode::BAD_REQUEST, "400.008.01", "Invalid Authentication passed");
    }
    let token = shared.credentials.lock().issue(Scope::Daraja, shared.now_ms());
    // A string, where others have a number.
    json_response(StatusCode::OK, &json!({ "access_token": token, "expires_in": TOKEN_SECONDS.to_string() }))
}

/// The body of a request with a token that is good.
fn admitted(shared: &Shared, headers: &HeaderMap, body: &Bytes) -> Result<Value, Box<Response>> {
    let now_ms = shared.now_ms();
    if !shared.credentials.lock().is_bearer(authorization(headers), Scope::Daraja, now_ms) {
        return Err(Box::new(error(StatusCode::NOT_FOUND, "404.001.03", "Invalid Access Token")));
    }
    Ok(object(body))
}

/// A field that has to be there.
fn required(body: &Value, field: &str) -> Result<String, Box<Response>> {
    text(body, field).filter(|text| !text.is_empty()).ok_or_else(|| Box::new(invalid(field)))
}

/// A field of so many characters.
fn bounded(body: &Value, field: &str, lengths: std::ops::RangeInclusive<usize>) -> Result<String, Box<Response>> {
    let text = required(body, field)?;
    if lengths.contains(&text.chars().count()) { Ok(text) } else { Err(Box::new(invalid(field))) }
}

/// A whole number of shillings, in cents.
fn amount(body: &Value) -> Result<i64, Box<Response>> {
    let shillings = required(body, "Amount")?.parse::<i64>().ok().filter(|amount| (1..=1_000_000_000).contains(amount));
    shillings.map(|shillings| shillings * 100).ok_or_else(|| Box::new(invalid("Amount")))
}

fn number(body: &Value, field: &str) -> Result<String, Box<Response>> {
    let number = required(body, field)?;
    let is_kenyan = number.len() == 12 && number.starts_with("254") && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_kenyan { Ok(number) } else { Err(Box::new(invalid(field))) }
}

fn url(body: &Value, field: &str) -> Result<String, Box<Response>> {
    let url = required(body, field)?;
    let is_one = url.starts_with("http://") || url.starts_with("https://");
    if is_one { Ok(url) } else { Err(Box::new(invalid(field))) }
}

fn short_code(body: &Value, field: &str) -> Result<(), Box<Response>> {
    if required(body, field)? == SHORT_CODE { Ok(()) } else { Err(Box::new(invalid(field))) }
}

/// An order with what all orders have; the rest is filled in by whoever takes it.
fn order(kind: Kind, id: String, msisdn: String, amount_minor: i64, callbacks: Callbacks) -> Order {
    Order {
        rail: Rail::Daraja,
        kind,
        server_id: format!("AG_{id}"),
        id,
        msisdn,
        amount_minor,
        reference: String::new(),
        external_id: String::new(),
        note: String::new(),
        callbacks,
        is_authorised: true,
        about: String::new(),
    }
}

fn acknowledged(order: &Order) -> Response {
    json_response(
        StatusCode::OK,
        &json!({
            "ConversationID": order.server_id,
            "OriginatorConversationID": order.id,
            "ResponseCode": "0",
            "ResponseDescription": "Accept the service request successfully.",
        }),
    )
}

/// Takes an order as fate has it.
async fn take(shared: &Shared, order: Order, well: Response) -> Response {
    let fate = shared.world.lock().fate(order.kind, &order.msisdn);
    if fate.answering == Answering::ErrorBefore {
        return error(StatusCode::SERVICE_UNAVAILABLE, "503.001.01", "Service Unavailable");
    }
    if let Err(full) = shared.world.lock().take(order, fate) {
        return error(StatusCode::SERVICE_UNAVAILABLE, "503.001.01", &full.to_string());
    }
    answered(shared, fate.answering, well).await
}

async fn payout(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    match payout_order(&shared, &headers, &body) {
        Ok(order) => {
            let well = acknowledged(&order);
            take(&shared, order, well).await
        }
        Err(response) => *response,
    }
}

fn payout_order(shared: &Shared, headers: &HeaderMap, body: &Bytes) -> Result<Order, Box<Response>> {
    let body = admitted(shared, headers, body)?;
    let id = bounded(&body, "OriginatorConversationID", 1..=64)?;
    let command = required(&body, "CommandID")?;
    if !matches!(command.as_str(), "BusinessPayment" | "SalaryPayment" | "PromotionPayment") {
        return Err(Box::new(invalid("CommandID")));
    }
    let amount_minor = amount(&body)?;
    short_code(&body, "PartyA")?;
    let msisdn = number(&body, "PartyB")?;
    let note = bounded(&body, "Remarks", 2..=100)?;
    let callbacks = Callbacks { result: url(&body, "ResultURL")?, timeout: url(&body, "QueueTimeOutURL")? };
    let reference = text(&body, "Occassion").unwrap_or_default();
    let is_authorised = initiator(shared, &body, "InitiatorName")?;
    if shared.world.lock().payment(&Key { rail: Rail::Daraja, id: id.clone() }).is_some() {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return Err(Box::new(error(status, "500.002.1001", "Duplicate OriginatorConversationID.")));
    }
    Ok(Order { reference, note, is_authorised, ..order(Kind::Payout, id, msisdn, amount_minor, callbacks) })
}

/// Whether the initiator is who they say; a wrong credential is only noticed when the request is executed.
fn initiator(shared: &Shared, body: &Value, field: &str) -> Result<bool, Box<Response>> {
    let name = required(body, field)?;
    let credential = required(body, "SecurityCredential")?;
    Ok(shared.credentials.lock().is_initiator(&name, &credential))
}

async fn prompt(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    match prompt_order(&shared, &headers, &body) {
        Ok(order) => {
            let well = json_response(
                StatusCode::OK,
                &json!({
                    "MerchantRequestID": order.server_id,
                    "CheckoutRequestID": order.id,
                    "ResponseCode": "0",
                    "ResponseDescription": "Success. Request accepted for processing",
                    "CustomerMessage": "Success. Request accepted for processing",
                }),
            );
            take(&shared, order, well).await
        }
        Err(response) => *response,
    }
}

fn prompt_order(shared: &Shared, headers: &HeaderMap, body: &Bytes) -> Result<Order, Box<Response>> {
    let body = admitted(shared, headers, body)?;
    password(&body)?;
    if !matches!(required(&body, "TransactionType")?.as_str(), "CustomerPayBillOnline" | "CustomerBuyGoodsOnline") {
        return Err(Box::new(invalid("TransactionType")));
    }
    let amount_minor = amount(&body)?;
    let msisdn = number(&body, "PhoneNumber")?;
    if number(&body, "PartyA")? != msisdn {
        return Err(Box::new(invalid("PartyA")));
    }
    short_code(&body, "PartyB")?;
    let reference = bounded(&body, "AccountReference", 1..=12)?;
    let note = bounded(&body, "TransactionDesc", 1..=13)?;
    let callbacks = Callbacks { result: url(&body, "CallBackURL")?, timeout: String::new() };
    let mut world = shared.world.lock();
    if world.is_asked(&msisdn) {
        let text = "Unable to lock subscriber, a transaction is already in process for the current subscriber";
        return Err(Box::new(error(StatusCode::INTERNAL_SERVER_ERROR, "500.001.1001", text)));
    }
    let id = world.next_checkout_id();
    let order = order(Kind::Prompt, id, msisdn, amount_minor, callbacks);
    Ok(Order { reference, note, server_id: format!("29115-{}", order.id.len()), ..order })
}

/// The password of prompts: short code, passkey and time in base64.
fn password(body: &Value) -> Result<(), Box<Response>> {
    short_code(body, "BusinessShortCode")?;
    let timestamp = bounded(body, "Timestamp", 14..=14)?;
    let expected = STANDARD.encode(format!("{SHORT_CODE}{PASSKEY}{timestamp}"));
    if required(body, "Password")? == expected {
        Ok(())
    } else {
        Err(Box::new(error(StatusCode::INTERNAL_SERVER_ERROR, "500.001.1001", "Wrong credentials")))
    }
}

async fn prompt_query(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    prompt_state(&shared, &headers, &body).unwrap_or_else(|response| *response)
}

fn prompt_state(shared: &Shared, headers: &HeaderMap, body: &Bytes) -> Result<Response, Box<Response>> {
    let body = admitted(shared, headers, body)?;
    password(&body)?;
    let id = required(&body, "CheckoutRequestID")?;
    let world = shared.world.lock();
    let payment = world.payment(&Key { rail: Rail::Daraja, id: id.clone() });
    let payment = payment.filter(|payment| payment.order.kind == Kind::Prompt);
    let payment = payment.ok_or_else(|| Box::new(invalid("CheckoutRequestID")))?;
    if payment.outcome.is_none() {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return Err(Box::new(error(status, "500.001.1001", "The transaction is being processed")));
    }
    let (code, text) = match payment.outcome {
        Some(Outcome::Done { .. }) => (json!("0"), "The service request is processed successfully."),
        _ => daraja_code(payment),
    };
    let code = code.as_str().map_or_else(|| code.to_string(), str::to_owned);
    Ok(json_response(
        StatusCode::OK,
        &json!({
            "ResponseCode": "0",
            "ResponseDescription": "The service request has been accepted successsfully",
            "MerchantRequestID": payment.order.server_id,
            "CheckoutRequestID": id,
            "ResultCode": code,
            "ResultDesc": text,
        }),
    ))
}

async fn status(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    match query_order(&shared, &headers, &body) {
        Ok(order) => {
            let well = acknowledged(&order);
            take(&shared, order, well).await
        }
        Err(response) => *response,
    }
}

fn query_order(shared: &Shared, headers: &HeaderMap, body: &Bytes) -> Result<Order, Box<Response>> {
    let body = admitted(shared, headers, body)?;
    // The portal's sample has a space in the key; both are taken.
    let command = text(&body, "CommandID").or_else(|| text(&body, "Command ID"));
    if command.as_deref() != Some("TransactionStatusQuery") {
        return Err(Box::new(invalid("CommandID")));
    }
    let receipt = text(&body, "TransactionID").filter(|text| !text.is_empty());
    let about = receipt.or_else(|| text(&body, "OriginatorConversationID").filter(|text| !text.is_empty()));
    let about = about.ok_or_else(|| Box::new(invalid("TransactionID")))?;
    short_code(&body, "PartyA")?;
    if required(&body, "IdentifierType")? != "4" {
        return Err(Box::new(invalid("IdentifierType")));
    }
    bounded(&body, "Remarks", 2..=100)?;
    let callbacks = Callbacks { result: url(&body, "ResultURL")?, timeout: url(&body, "QueueTimeOutURL")? };
    let is_authorised = initiator(shared, &body, "Initiator")?;
    let id = shared.world.lock().next_server_id("query");
    // Its fate is drawn from what it is about: it concerns no telephone.
    Ok(Order { about: about.clone(), is_authorised, ..order(Kind::Query, id, about, 0, callbacks) })
}

async fn reversal(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    match reversal_order(&shared, &headers, &body) {
        Ok(order) => {
            let well = acknowledged(&order);
            take(&shared, order, well).await
        }
        Err(response) => *response,
    }
}

fn reversal_order(shared: &Shared, headers: &HeaderMap, body: &Bytes) -> Result<Order, Box<Response>> {
    let body = admitted(shared, headers, body)?;
    if required(&body, "CommandID")? != "TransactionReversal" {
        return Err(Box::new(invalid("CommandID")));
    }
    let about = required(&body, "TransactionID")?;
    let amount_minor = amount(&body)?;
    short_code(&body, "ReceiverParty")?;
    if required(&body, "RecieverIdentifierType")? != "11" {
        return Err(Box::new(invalid("RecieverIdentifierType")));
    }
    bounded(&body, "Remarks", 2..=100)?;
    let callbacks = Callbacks { result: url(&body, "ResultURL")?, timeout: url(&body, "QueueTimeOutURL")? };
    let is_authorised = initiator(shared, &body, "Initiator")?;
    let id = shared.world.lock().next_server_id("reversal");
    Ok(Order { about: about.clone(), is_authorised, ..order(Kind::Reversal, id, about, amount_minor, callbacks) })
}

async fn register(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let registered = || -> Result<DepositUrls, Box<Response>> {
        let body = admitted(&shared, &headers, &body)?;
        short_code(&body, "ShortCode")?;
        if !matches!(required(&body, "ResponseType")?.as_str(), "Completed" | "Cancelled") {
            return Err(Box::new(invalid("ResponseType")));
        }
        Ok(DepositUrls { validation: url(&body, "ValidationURL")?, confirmation: url(&body, "ConfirmationURL")? })
    };
    match registered() {
        Ok(urls) => {
            shared.world.lock().register_deposits(urls);
            let body =
                json!({ "OriginatorCoversationID": "7619-1", "ResponseCode": "0", "ResponseDescription": "Success" });
            json_response(StatusCode::OK, &body).into_response()
        }
        Err(response) => *response,
    }
}
