//! Persons: registered by the gateway, opened for a reason, erased by two people (a proposal, see [`approvals`](super::approvals)).

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use braid_microloans_ledger::{PersonId, Pii, rules, vault};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Made;
use crate::{
    app::App,
    auth::Role,
    posted::{Begun, Posted},
    problem::Problem,
};

/// A person to be registered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// Two letters, by ISO 3166.
    country: String,
    /// Two or three small letters, by ISO 639.
    language: String,
    /// The full name.
    #[schema(value_type = String)]
    name: Pii<String>,
    /// `+` and seven to fifteen digits.
    #[schema(value_type = String)]
    phone: Pii<String>,
    /// The number of an identity document.
    #[schema(value_type = String)]
    national_id: Pii<String>,
}

/// Registers a person.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/people", request_body = NewPerson, tag = "people",
    params(("idempotency-key" = String, Header)),
    responses((status = 201, body = Made), (status = "4XX", body = crate::problem::ProblemBody)))]
pub async fn register(State(app): State<App>, posted: Posted<NewPerson>) -> Result<Response, Problem> {
    let (mut pending, person) = match posted.begin(&app, &[Role::Gateway, Role::Officer]).await? {
        Begun::Answered(response) => return Ok(response),
        Begun::New(pending, person) => (pending, person),
    };
    rules::of_country(&person.country)?;
    let record = vault::Record { name: person.name, phone: person.phone, national_id: person.national_id };
    let id = vault::register(&mut pending.write, &person.country, &person.language, &record).await?;
    pending.answer(StatusCode::CREATED, &Made { id: id.to_string() }).await
}

/// Why a record is opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Kept in the audit log.
    reason: String,
}

/// A person's record.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenRecord {
    /// The full name.
    name: String,
    /// The telephone number.
    phone: String,
    /// The number of an identity document.
    national_id: String,
}

/// Opens a person's record. The answer is not kept, so asking again opens it, and is written down, again.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/people/{id}/open", request_body = Opening, tag = "people",
    params(("id" = String, Path), ("idempotency-key" = String, Header)),
    responses((status = 200, body = OpenRecord), (status = "4XX", body = crate::problem::ProblemBody)))]
pub async fn open(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted<Opening>,
) -> Result<axum::Json<OpenRecord>, Problem> {
    posted.caller.must_be(&[Role::Officer])?;
    let id: PersonId = id.parse()?;
    let mut write = app.write(posted.caller.actor()).await?;
    let record = vault::reveal_all(&mut write, &id, &posted.value.reason).await?;
    write.commit().await?;
    Ok(axum::Json(OpenRecord {
        name: record.name.expose().clone(),
        phone: record.phone.expose().clone(),
        national_id: record.national_id.expose().clone(),
    }))
}

/// A number whose owner is looked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// `+` and seven to fifteen digits.
    #[schema(value_type = String)]
    phone: Pii<String>,
}

/// Finds a person by telephone number. In a body, so that no number stands in an address or a log.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/people/find", request_body = Search, tag = "people",
    params(("idempotency-key" = String, Header)),
    responses((status = 200, body = Made), (status = "4XX", body = crate::problem::ProblemBody)))]
pub async fn find(State(app): State<App>, posted: Posted<Search>) -> Result<axum::Json<Made>, Problem> {
    posted.caller.must_be(&[Role::Gateway, Role::Officer])?;
    let mut write = app.write(posted.caller.actor()).await?;
    let found = vault::find(&mut write, posted.value.phone.expose()).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    Ok(axum::Json(Made { id: found.to_string() }))
}
