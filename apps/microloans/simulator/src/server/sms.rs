//! Text messages to the simulated telephones, through an interface like that of Africa's Talking.

use std::sync::Arc;

use axum::{Form, Router, extract::State, http::StatusCode, response::Response, routing::post};
use serde::Deserialize;
use serde_json::json;

use super::{Shared, json_response};

/// The longest message that is taken: ten parts of a long one.
const MAX_MESSAGE: usize = 1530;
/// How many receivers a message may have.
const MAX_RECEIVERS: usize = 100;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/version1/messaging", post(send))
}

#[derive(Debug, Deserialize)]
struct Send {
    /// Numbers in international form with a plus sign, separated by commas.
    to: String,
    message: String,
    from: Option<String>,
}

async fn send(State(shared): State<Arc<Shared>>, Form(request): Form<Send>) -> Response {
    let receivers: Vec<&str> = request.to.split(',').map(str::trim).filter(|number| !number.is_empty()).collect();
    if receivers.is_empty() || receivers.len() > MAX_RECEIVERS || request.message.chars().count() > MAX_MESSAGE {
        return json_response(
            StatusCode::BAD_REQUEST,
            &json!({ "SMSMessageData": { "Message": "InvalidRequest", "Recipients": [] } }),
        );
    }
    let now_ms = shared.now_ms();
    let from = request.from.unwrap_or_else(|| "BRAID".to_owned());
    let mut world = shared.world.lock();
    let mut recipients = Vec::new();
    for number in &receivers {
        let told = world
            .phone_mut(number.trim_start_matches('+'))
            .map(|phone| phone.tell(&from, request.message.clone(), now_ms));
        let (code, status) = if told.is_ok() { (101, "Success") } else { (403, "InvalidPhoneNumber") };
        recipients.push(
            json!({ "statusCode": code, "number": number, "status": status, "cost": "0", "messageId": "ATXid_1" }),
        );
    }
    let summary =
        format!("Sent to {}/{}", recipients.iter().filter(|one| one["statusCode"] == 101).count(), receivers.len());
    json_response(StatusCode::CREATED, &json!({ "SMSMessageData": { "Message": summary, "Recipients": recipients } }))
}
