//! The books, for those who check them: entries, accounts, seals and proofs, everything that waits for a person, and the log.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use braid_microloans_arithmetic::{
    Currency,
    metrics::{Counting, at_risk},
};
use braid_microloans_ledger::{
    LedgerError, audit,
    complaints::{self, Complaint},
    inspect::{self, Inspection},
    journal::{self, EntryView, account, seal},
    loans::{self, oddities::Oddity},
    payments::{self, Contradiction, SuspendedPayment, statement, statement::Reconciliation},
    time,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Made, Page};
use crate::{
    app::App,
    auth::{Caller, Role},
    posted::{Begun, Posted},
    problem::{Problem, ProblemBody},
};

/// Entries of the journal.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/journal/entries", tag = "books", params(Page), responses((status = 200, body = [EntryView])))]
pub async fn entries(
    State(app): State<App>,
    _caller: Caller,
    Query(page): Query<Page>,
) -> Result<Json<Vec<EntryView>>, Problem> {
    let (from, limit) = page.bounds();
    Ok(Json(journal::entries(&mut app.read().await?, from, limit).await?))
}

/// The proof that an entry is in its day's seal.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/journal/entries/{seq}/proof", tag = "books", params(("seq" = i64, Path)),
    responses((status = 200, body = seal::EntryProof), (status = "4XX", body = ProblemBody)))]
pub async fn proof(
    State(app): State<App>,
    _caller: Caller,
    Path(seq): Path<i64>,
) -> Result<Json<seal::EntryProof>, Problem> {
    Ok(Json(seal::prove(&mut app.read().await?, seq).await?))
}

/// The seal of a day (UTC).
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/journal/days/{day}", tag = "books", params(("day" = String, Path)),
    responses((status = 200, body = seal::Seal), (status = "4XX", body = ProblemBody)))]
pub async fn day(
    State(app): State<App>,
    _caller: Caller,
    Path(day): Path<String>,
) -> Result<Json<seal::Seal>, Problem> {
    let day = day.parse().map_err(LedgerError::from)?;
    Ok(Json(seal::seal_of(&mut app.read().await?, day).await?))
}

/// The trial balance: accounts of single loans summed up by what they are.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/accounts", tag = "books", responses((status = 200, body = [account::Line])))]
pub async fn accounts(State(app): State<App>, _caller: Caller) -> Result<Json<Vec<account::Line>>, Problem> {
    Ok(Json(account::trial_balance(&mut app.read().await?).await?))
}

/// Reads the whole journal and replays every loan.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/inspection", tag = "books", responses((status = 200, body = Inspection), (status = "4XX", body = ProblemBody)))]
pub async fn inspection(State(app): State<App>, caller: Caller) -> Result<Json<Inspection>, Problem> {
    caller.must_be(&[Role::Auditor, Role::Operator])?;
    Ok(Json(inspect::inspect(&mut app.read().await?).await?))
}

/// Payments without a loan.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/suspense", tag = "books", responses((status = 200, body = [SuspendedPayment])))]
pub async fn suspense(State(app): State<App>, _caller: Caller) -> Result<Json<Vec<SuspendedPayment>>, Problem> {
    Ok(Json(payments::suspended(&mut app.read().await?).await?))
}

/// What contradicts the books and nobody has settled.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/contradictions", tag = "books", responses((status = 200, body = [Contradiction])))]
pub async fn contradictions(State(app): State<App>, _caller: Caller) -> Result<Json<Vec<Contradiction>>, Problem> {
    Ok(Json(payments::contradictions(&mut app.read().await?).await?))
}

/// Who did what.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/audit", tag = "books", params(Page),
    responses((status = 200, body = [audit::Record]), (status = "4XX", body = ProblemBody)))]
pub async fn log(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<Json<Vec<audit::Record>>, Problem> {
    caller.must_be(&[Role::Auditor, Role::Operator])?;
    let (from, limit) = page.bounds();
    Ok(Json(audit::records(&mut app.read().await?, from, limit).await?))
}

/// The days of statements that were compared, and what came of it.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/reconciliations", tag = "books", responses((status = 200, body = [Reconciliation])))]
pub async fn reconciliations(State(app): State<App>, _caller: Caller) -> Result<Json<Vec<Reconciliation>>, Problem> {
    Ok(Json(statement::reconciliations(&mut app.read().await?).await?))
}

/// What looks as if nobody had borrowed it.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/oddities", tag = "books",
    responses((status = 200, body = [Oddity]), (status = "4XX", body = ProblemBody)))]
pub async fn oddities(State(app): State<App>, caller: Caller) -> Result<Json<Vec<Oddity>>, Problem> {
    caller.must_be(&[Role::Auditor, Role::Operator])?;
    let day = time::utc_date(app.clock.now())?;
    Ok(Json(loans::oddities::oddities(&mut app.read().await?, day).await?))
}

/// Complaints without an answer, the most urgent first.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/complaints", tag = "people", responses((status = 200, body = [Complaint])))]
pub async fn complaints(State(app): State<App>, caller: Caller) -> Result<Json<Vec<Complaint>>, Problem> {
    caller.must_be(&[Role::Officer, Role::Approver, Role::Auditor])?;
    Ok(Json(complaints::open(&mut app.read().await?).await?))
}

/// An answer to a complaint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAnswer {
    /// In words; no names, no numbers.
    answer: String,
}

/// Answers a complaint.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/complaints/{code}/answer", request_body = NewAnswer, tag = "people",
    params(("code" = String, Path), ("idempotency-key" = String, Header)),
    responses((status = 200, body = Made), (status = "4XX", body = ProblemBody)))]
pub async fn answer_complaint(
    State(app): State<App>,
    Path(code): Path<String>,
    posted: Posted<NewAnswer>,
) -> Result<Response, Problem> {
    let (mut pending, new) = match posted.begin(&app, &[Role::Officer, Role::Approver]).await? {
        Begun::Answered(response) => return Ok(response),
        Begun::New(pending, new) => (pending, new),
    };
    complaints::answer(&mut pending.write, &code, &new.answer).await?;
    pending.answer(StatusCode::OK, &Made { id: code }).await
}

/// Which portfolio.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// In which currency.
    currency: String,
}

/// The portfolio of a currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct Portfolio {
    /// On which day (UTC).
    pub day: String,
    /// Loans that are being repaid.
    pub loans: usize,
    /// Principal outstanding.
    pub outstanding: String,
    /// Outstanding principal of loans that are late at all, percent.
    pub par1_percent: Option<String>,
    /// The same of loans that are more than 30 days late.
    pub par30_percent: Option<String>,
    /// The same of loans that are more than 90 days late.
    pub par90_percent: Option<String>,
}

/// The portfolio at risk, by the loans themselves.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/portfolio", tag = "books", params(Which),
    responses((status = 200, body = Portfolio), (status = "4XX", body = ProblemBody)))]
pub async fn portfolio(
    State(app): State<App>,
    _caller: Caller,
    Query(which): Query<Which>,
) -> Result<Json<Portfolio>, Problem> {
    let currency: Currency = which.currency.parse().map_err(LedgerError::from)?;
    let day = time::utc_date(app.clock.now())?;
    let exposures = loans::exposures(&mut app.read().await?, currency.code(), day).await?;
    let par = |days| at_risk(&exposures, days, Counting::WithRestructured).percent();
    Ok(Json(Portfolio {
        day: day.to_string(),
        loans: exposures.len(),
        outstanding: currency.format(exposures.iter().map(|exposure| exposure.outstanding).sum()),
        par1_percent: par(0),
        par30_percent: par(30),
        par90_percent: par(90),
    }))
}
