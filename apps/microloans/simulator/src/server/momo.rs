//! MTN Mobile Money's interface: products with their tokens, requests to pay, transfers, and questions about both.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::json;

use super::{Shared, answered, authorization, header_text, json_response, object, text};
use crate::{
    calls,
    credentials::{API_KEY, API_USER, SUBSCRIPTION_KEY, Scope, TOKEN_SECONDS, is_basic},
    faults::Answering,
    phone::Rail,
    world::{Callbacks, Key, Kind, Order},
};

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/collection/token/", post(|state, headers| token(state, headers, Scope::Collection)))
        .route("/disbursement/token/", post(|state, headers| token(state, headers, Scope::Disbursement)))
        .route("/collection/v1_0/requesttopay", post(|state, headers, body| take(state, headers, body, Kind::Prompt)))
        .route("/disbursement/v1_0/transfer", post(|state, headers, body| take(state, headers, body, Kind::Payout)))
        .route(
            "/collection/v1_0/requesttopay/{id}",
            get(|state, headers, id| look_up(state, headers, id, Kind::Prompt)),
        )
        .route("/disbursement/v1_0/transfer/{id}", get(|state, headers, id| look_up(state, headers, id, Kind::Payout)))
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    json_response(status, &json!({ "code": code, "message": message }))
}

fn bad(message: &str) -> Box<Response> {
    Box::new(error(StatusCode::BAD_REQUEST, "BAD_REQUEST", message))
}

fn has_key(headers: &HeaderMap) -> bool {
    header_text(headers, "ocp-apim-subscription-key") == Some(SUBSCRIPTION_KEY)
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, scope: Scope) -> Response {
    if !has_key(&headers) || !is_basic(authorization(&headers), API_USER, API_KEY) {
        return json_response(StatusCode::UNAUTHORIZED, &json!({ "error": "login_failed" }));
    }
    let token = shared.credentials.lock().issue(scope, shared.now_ms());
    let body = json!({ "access_token": token, "token_type": "access_token", "expires_in": TOKEN_SECONDS });
    json_response(StatusCode::OK, &body)
}

const fn scope(kind: Kind) -> Scope {
    if matches!(kind, Kind::Payout) { Scope::Disbursement } else { Scope::Collection }
}

fn admit(shared: &Shared, headers: &HeaderMap, kind: Kind) -> Result<(), Box<Response>> {
    let now_ms = shared.now_ms();
    let refused = |message: &str| {
        Box::new(json_response(StatusCode::UNAUTHORIZED, &json!({ "statusCode": 401, "message": message })))
    };
    if !has_key(headers) {
        return Err(refused("Access denied due to invalid subscription key."));
    }
    if !shared.credentials.lock().is_bearer(authorization(headers), scope(kind), now_ms) {
        return Err(refused("Access denied due to invalid token."));
    }
    if header_text(headers, "x-target-environment").is_none_or(str::is_empty) {
        return Err(Box::new(error(StatusCode::BAD_REQUEST, "NOT_ALLOWED_TARGET_ENVIRONMENT", "Access denied.")));
    }
    Ok(())
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes, kind: Kind) -> Response {
    let order = match read_order(&shared, &headers, &body, kind) {
        Ok(order) => order,
        Err(response) => return *response,
    };
    let fate = shared.world.lock().fate(kind, &order.msisdn);
    if fate.answering == Answering::ErrorBefore {
        return error(
            StatusCode::SERVICE_UNAVAILABLE,
            "SERVICE_UNAVAILABLE",
            "Service temporarily unavailable, try again later.",
        );
    }
    if let Err(full) = shared.world.lock().take(order, fate) {
        return error(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", &full.to_string());
    }
    answered(&shared, fate.answering, StatusCode::ACCEPTED.into_response()).await
}

fn read_order(shared: &Shared, headers: &HeaderMap, body: &Bytes, kind: Kind) -> Result<Order, Box<Response>> {
    admit(shared, headers, kind)?;
    let id = header_text(headers, "x-reference-id").filter(|id| is_uuid(id)).ok_or_else(|| bad("X-Reference-Id"))?;
    let key = Key { rail: Rail::MtnMomo, id: id.to_owned() };
    if shared.world.lock().payment(&key).is_some() {
        let text = "Duplicated reference id. Creation of resource failed.";
        return Err(Box::new(error(StatusCode::CONFLICT, "RESOURCE_ALREADY_EXIST", text)));
    }
    let body = object(body);
    if text(&body, "currency").as_deref() != Some("GHS") {
        return Err(Box::new(error(StatusCode::BAD_REQUEST, "INVALID_CURRENCY", "Currency not supported.")));
    }
    let amount_minor = text(&body, "amount").as_deref().and_then(minor).ok_or_else(|| bad("amount"))?;
    let party = body.get(if kind == Kind::Payout { "payee" } else { "payer" }).ok_or_else(|| bad("party"))?;
    if text(party, "partyIdType").as_deref() != Some("MSISDN") {
        return Err(bad("partyIdType"));
    }
    let msisdn = text(party, "partyId").ok_or_else(|| bad("partyId"))?;
    let note = message(&body, "payerMessage")?;
    let reference = message(&body, "payeeNote")?;
    let external_id = text(&body, "externalId").ok_or_else(|| bad("externalId"))?;
    let result = header_text(headers, "x-callback-url").unwrap_or_default().to_owned();
    Ok(Order {
        rail: Rail::MtnMomo,
        kind,
        id: id.to_owned(),
        server_id: String::new(),
        msisdn,
        amount_minor,
        reference,
        external_id,
        note,
        callbacks: Callbacks { result, timeout: String::new() },
        is_authorised: true,
        about: String::new(),
    })
}

/// A text of at most 160 characters, without apostrophes.
fn message(body: &serde_json::Value, field: &str) -> Result<String, Box<Response>> {
    let text = text(body, field).unwrap_or_default();
    if text.chars().count() > 160 || text.contains('\'') { Err(bad(field)) } else { Ok(text) }
}

/// An amount with up to two decimals, in minor units.
pub(super) fn minor(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |part: &str| (1..=12).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || fraction.len() > 2 {
        return None;
    }
    let cents: i64 = format!("{fraction:0<2}").parse().ok()?;
    let minor = whole.parse::<i64>().ok()? * 100 + cents;
    (minor > 0).then_some(minor)
}

/// Whether this is a version 4 UUID.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'4',
            _ => byte.is_ascii_hexdigit(),
        })
}

async fn look_up(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    kind: Kind,
) -> Response {
    if let Err(response) = admit(&shared, &headers, kind) {
        return *response;
    }
    let world = shared.world.lock();
    let payment = world.payment(&Key { rail: Rail::MtnMomo, id }).filter(|payment| payment.order.kind == kind);
    match payment {
        Some(payment) => json_response(StatusCode::OK, &calls::momo(payment)),
        None => error(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", "Requested resource was not found."),
    }
}
