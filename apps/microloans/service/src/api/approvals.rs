//! Proposals, and what a second person decides.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use braid_microloans_ledger::approvals::{self, Action, Approval, Decision};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Made;
use crate::{
    app::App,
    auth::{Caller, Role},
    posted::{Begun, Posted},
    problem::{Problem, ProblemBody},
};

/// Proposes something.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/approvals", request_body = Action, tag = "approvals",
    params(("idempotency-key" = String, Header)),
    responses((status = 201, body = Made), (status = "4XX", body = ProblemBody)))]
pub async fn propose(State(app): State<App>, posted: Posted<Action>) -> Result<Response, Problem> {
    let roles = may_propose(&posted.value);
    let (mut pending, action) = match posted.begin(&app, roles).await? {
        Begun::Answered(response) => return Ok(response),
        Begun::New(pending, action) => (pending, action),
    };
    if let Action::Deposit { rail, .. } = &action {
        app.rail(rail)?;
    }
    let id = approvals::propose(&mut pending.write, &action).await?;
    pending.answer(StatusCode::CREATED, &Made { id: id.to_string() }).await
}

/// Who proposes what.
const fn may_propose(action: &Action) -> &'static [Role] {
    match action {
        Action::Offer { .. }
        | Action::Waive { .. }
        | Action::Restructure { .. }
        | Action::WriteOff { .. }
        | Action::Release { .. }
        | Action::ForgetPin { .. } => &[Role::Officer, Role::Approver],
        Action::Erase { .. } => &[Role::Officer, Role::Operator],
        Action::Deposit { .. }
        | Action::AssignPayment { .. }
        | Action::Refund { .. }
        | Action::SettleLeg { .. }
        | Action::ResolveContradiction { .. } => &[Role::Treasurer, Role::Approver],
    }
}

/// Proposals that wait.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/approvals", tag = "approvals", responses((status = 200, body = [Approval])))]
pub async fn pending(State(app): State<App>, _caller: Caller) -> Result<Json<Vec<Approval>>, Problem> {
    Ok(Json(approvals::pending(&mut app.read().await?).await?))
}

/// What is decided.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDecision {
    /// Whether it is to be done.
    decision: Decision,
}

/// Decides on somebody else's proposal; what is approved is done at once.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/approvals/{id}/decide", request_body = NewDecision, tag = "approvals",
    params(("id" = String, Path), ("idempotency-key" = String, Header)),
    responses((status = 200, body = Approval), (status = "4XX", body = ProblemBody)))]
pub async fn decide(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted<NewDecision>,
) -> Result<Response, Problem> {
    let (mut pending, new) = match posted.begin(&app, &[Role::Approver]).await? {
        Begun::Answered(response) => return Ok(response),
        Begun::New(pending, new) => (pending, new),
    };
    let decided = approvals::decide(&mut pending.write, &app.catalogue, &id.parse()?, new.decision).await?;
    pending.answer(StatusCode::OK, &decided).await
}
