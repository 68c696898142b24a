//! The controls: telephones, time, faults and statements, as JSON.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post, put},
};
use serde::Deserialize;
use serde_json::json;

use super::{Shared, authorization, deliver, json_response};
use crate::{
    credentials::{SIM_TOKEN, STATEMENT_TOKEN},
    faults::Faults,
    phone::{Habit, Phone, Rail},
    statement, time,
    world::WorldError,
};

/// The longest that time is let pass at once: a hundred days.
const MAX_ADVANCE_SECONDS: u64 = 100 * 24 * 3600;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/simulator/state", get(state))
        .route("/simulator/advance", post(advance))
        .route("/simulator/faults", put(set_faults))
        .route("/simulator/forget-tokens", post(forget_tokens))
        .route("/simulator/phones", post(add_phone))
        .route("/simulator/phones/{msisdn}", get(phone))
        .route("/simulator/phones/{msisdn}/habit", put(set_habit))
        .route("/simulator/phones/{msisdn}/answer", post(answer))
        .route("/simulator/phones/{msisdn}/pay", post(pay))
        .route("/simulator/phones/{msisdn}/sim", post(new_sim))
        .route("/sim-swap/v1/retrieve-date", post(sim_change))
        .route("/statements/{rail}", get(statement))
}

fn refused(error: &WorldError) -> Response {
    let status = match error {
        WorldError::NoPhone(_) => StatusCode::NOT_FOUND,
        WorldError::NoPrompt => StatusCode::CONFLICT,
        _ => StatusCode::BAD_REQUEST,
    };
    json_response(status, &json!({ "error": error.to_string() }))
}

fn done(result: Result<(), WorldError>) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&error),
    }
}

async fn state(State(shared): State<Arc<Shared>>) -> Response {
    let now_ms = shared.now_ms();
    let world = shared.world.lock();
    let account = |rail| {
        let (float, charges) = world.float_and_charges(rail);
        let wallets: i64 = world.phones().filter(|phone| phone.rail == rail).map(|phone| phone.balance_minor).sum();
        json!({ "float_minor": float, "charges_minor": charges, "wallets_minor": wallets })
    };
    let body = json!({
        "now": time::utc(now_ms),
        "next_due": world.next_due_ms().map(time::utc),
        "phones": world.phones().count(),
        "prompts": world.phones().filter(|phone| phone.prompt.is_some()).count(),
        "daraja": account(Rail::Daraja),
        "mtn-momo": account(Rail::MtnMomo),
    });
    json_response(StatusCode::OK, &body)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

async fn advance(State(shared): State<Arc<Shared>>, Json(request): Json<Advance>) -> Response {
    if shared.is_real() {
        return json_response(StatusCode::CONFLICT, &json!({ "error": "time passes by itself here" }));
    }
    if request.seconds > MAX_ADVANCE_SECONDS {
        let error = format!("time passes by {MAX_ADVANCE_SECONDS} seconds at most");
        return json_response(StatusCode::BAD_REQUEST, &json!({ "error": error }));
    }
    let sent = deliver::advance(&shared, Duration::from_secs(request.seconds)).await;
    json_response(StatusCode::OK, &json!({ "now": time::utc(shared.now_ms()), "callbacks": sent }))
}

async fn set_faults(State(shared): State<Arc<Shared>>, Json(faults): Json<Faults>) -> Response {
    done(shared.world.lock().set_faults(faults))
}

async fn forget_tokens(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.credentials.lock().forget_tokens();
    StatusCode::NO_CONTENT
}

async fn add_phone(State(shared): State<Arc<Shared>>, Json(phone): Json<Phone>) -> Response {
    done(shared.world.lock().add_phone(phone))
}

async fn phone(State(shared): State<Arc<Shared>>, Path(msisdn): Path<String>) -> Response {
    match shared.world.lock().phone(&msisdn) {
        Ok(phone) => Json(phone.clone()).into_response(),
        Err(error) => refused(&error),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetHabit {
    habit: Habit,
}

async fn set_habit(
    State(shared): State<Arc<Shared>>,
    Path(msisdn): Path<String>,
    Json(request): Json<SetHabit>,
) -> Response {
    done(shared.world.lock().phone_mut(&msisdn).map(|phone| phone.habit = request.habit))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    /// To refuse, without.
    pin: Option<String>,
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Path(msisdn): Path<String>,
    Json(request): Json<Answer>,
) -> Response {
    done(shared.world.lock().answer(&msisdn, request.pin.as_deref()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pay {
    pin: String,
    account: String,
    amount_minor: i64,
}

async fn pay(State(shared): State<Arc<Shared>>, Path(msisdn): Path<String>, Json(request): Json<Pay>) -> Response {
    let paid = shared.world.lock().pay_in(&msisdn, &request.pin, &request.account, request.amount_minor);
    done(paid.map(|_| ()))
}

/// The number is given another SIM, now.
async fn new_sim(State(shared): State<Arc<Shared>>, Path(msisdn): Path<String>) -> Response {
    let now_ms = shared.now_ms();
    done(shared.world.lock().phone_mut(&msisdn).map(|phone| phone.sim_changed_ms = Some(now_ms)))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SimQuestion {
    phone_number: String,
}

/// The operators' answer to when a number was last given another SIM (CAMARA SIM Swap).
async fn sim_change(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(question): Json<SimQuestion>,
) -> Response {
    if authorization(&headers) != Some(format!("Bearer {SIM_TOKEN}").as_str()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match shared.world.lock().phone(question.phone_number.trim_start_matches('+')) {
        Ok(phone) => json_response(StatusCode::OK, &json!({ "latestSimChange": phone.sim_changed_ms.map(time::utc) })),
        Err(_) => json_response(
            StatusCode::NOT_FOUND,
            &json!({ "status": 404, "code": "IDENTIFIER_NOT_FOUND", "message": "Device identifier not found." }),
        ),
    }
}

#[derive(Debug, Deserialize)]
struct Span {
    from: String,
    to: String,
}

async fn statement(
    State(shared): State<Arc<Shared>>,
    Path(rail): Path<String>,
    Query(span): Query<Span>,
    headers: HeaderMap,
) -> Response {
    if authorization(&headers) != Some(format!("Bearer {STATEMENT_TOKEN}").as_str()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let (Some(from_ms), Some(to_ms)) = (time::read_utc(&span.from), time::read_utc(&span.to)) else {
        return json_response(
            StatusCode::BAD_REQUEST,
            &json!({ "error": "from and to are times such as 2026-03-01T00:00:00Z" }),
        );
    };
    let Some((rail, kind)) = [(Rail::Daraja, "text/csv; charset=utf-8"), (Rail::MtnMomo, "application/json")]
        .into_iter()
        .find(|(known, _)| known.name() == rail)
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let text = statement::write(&shared.world.lock(), rail, from_ms, to_ms);
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
