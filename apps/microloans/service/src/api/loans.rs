//! Loans: from the application to the statement.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use braid_microloans_arithmetic::Every;
use braid_microloans_ledger::{
    LedgerError, LoanId, LoanState, PersonId,
    code::LoanCode,
    loans::{self, Application, Consent, Hold, LoanEvent, LoanRecord, LoanView, ScheduleLine},
    payments::{self, LegView},
    product::Product,
    states::Machine as _,
    store::Source,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Made, Nothing};
use crate::{
    app::App,
    auth::{Caller, Role},
    posted::{Begun, Posted},
    problem::{Problem, ProblemBody},
};

/// Those who speak for borrowers, or advise them.
const FRONT: [Role; 2] = [Role::Gateway, Role::Officer];

/// Begins a write, or gives the answer that was given before.
macro_rules! begin {
    ($posted:expr, $app:expr, $roles:expr) => {
        match $posted.begin(&$app, &$roles).await? {
            Begun::Answered(response) => return Ok(response),
            Begun::New(pending, value) => (pending, value),
        }
    };
}

/// What is offered.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/products", tag = "loans", responses((status = 200, body = [Product])))]
pub async fn products(State(app): State<App>, _caller: Caller) -> Json<Vec<Product>> {
    Json(app.catalogue.products().cloned().collect())
}

/// An application.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLoan {
    /// Who asks.
    #[schema(value_type = String)]
    person: PersonId,
    /// Of which product.
    product: String,
    /// How much, in units of the currency.
    principal: String,
    /// In how many instalments.
    instalments: u32,
    /// What for; no names, no numbers.
    purpose: String,
}

/// Asks for a loan.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/loans", request_body = NewLoan, tag = "loans",
    params(("idempotency-key" = String, Header)),
    responses((status = 201, body = LoanView), (status = "4XX", body = ProblemBody)))]
pub async fn apply(State(app): State<App>, posted: Posted<NewLoan>) -> Result<Response, Problem> {
    let (mut pending, new) = begin!(posted, app, FRONT);
    let application = Application {
        person: new.person,
        product: new.product,
        principal: new.principal,
        instalments: new.instalments,
        purpose: new.purpose,
    };
    let loan = loans::apply(&mut pending.write, &app.catalogue, &application).await?;
    let shown = show(&mut pending.write, &app, &loan).await?;
    pending.answer(StatusCode::CREATED, &shown).await
}

async fn show(source: &mut impl Source, app: &App, loan: &LoanRecord) -> Result<LoanView, LedgerError> {
    loans::view(source, loan, loan.local_date(app.clock.now())?).await
}

/// Which loans are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// In this state.
    state: String,
    /// With an id after this one.
    #[serde(default)]
    after: String,
}

/// Loans in a state, by id.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/loans", tag = "loans", params(Listing),
    responses((status = 200, body = [LoanView]), (status = "4XX", body = ProblemBody)))]
pub async fn list(
    State(app): State<App>,
    _caller: Caller,
    Query(listing): Query<Listing>,
) -> Result<Json<Vec<LoanView>>, Problem> {
    let state = LoanState::named(&listing.state).ok_or_else(|| Problem::invalid("this is not a state of a loan"))?;
    let mut read = app.read().await?;
    let mut shown = Vec::new();
    for loan in loans::in_state(&mut read, state, &listing.after, 100).await? {
        shown.push(show(&mut read, &app, &loan).await?);
    }
    Ok(Json(shown))
}

/// A loan, by its id or its code.
async fn find(source: &mut impl Source, name: &str) -> Result<LoanRecord, Problem> {
    if let Ok(code) = name.parse::<LoanCode>() {
        return loans::by_code(source, &code).await?.ok_or_else(Problem::not_found);
    }
    Ok(loans::loan(source, &name.parse()?).await?)
}

/// A loan, by its id or its code.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/loans/{id}", tag = "loans", params(("id" = String, Path)),
    responses((status = 200, body = LoanView), (status = "4XX", body = ProblemBody)))]
pub async fn get(State(app): State<App>, _caller: Caller, Path(id): Path<String>) -> Result<Json<LoanView>, Problem> {
    let mut read = app.read().await?;
    let loan = find(&mut read, &id).await?;
    Ok(Json(show(&mut read, &app, &loan).await?))
}

/// The key facts of an offer.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyFactsView {
    /// What the borrower agrees to by naming it.
    pub key_facts_hash: String,
    /// The text of which it is the SHA-256.
    pub canonical: String,
    /// In which currency all amounts are.
    pub currency: String,
    /// What is lent.
    pub principal: String,
    /// What the borrower receives.
    pub received: String,
    /// What the borrower pays in all.
    pub total_paid: String,
    /// What the loan costs.
    pub cost: String,
    /// The same for each thousand received.
    pub cost_per_thousand: String,
    /// Annual percentage rate, fees included.
    pub apr_percent: String,
    /// The same with interest upon interest.
    pub effective_percent: String,
    /// The last instalment's due date.
    pub ends: String,
    /// Until when the offer stands.
    pub offer_until: Option<String>,
    /// The rhythm of the instalments.
    pub every: String,
    /// Due dates and amounts.
    pub instalments: Vec<DueView>,
}

/// An instalment.
#[derive(Debug, Serialize, ToSchema)]
pub struct DueView {
    /// When.
    pub due: String,
    /// How much.
    pub total: String,
}

/// The key facts of an offer.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/loans/{id}/key-facts", tag = "loans", params(("id" = String, Path)),
    responses((status = 200, body = KeyFactsView), (status = "4XX", body = ProblemBody)))]
pub async fn key_facts(
    State(app): State<App>,
    _caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<KeyFactsView>, Problem> {
    let loan = find(&mut app.read().await?, &id).await?;
    let (facts, key_facts_hash) = loans::key_facts(&loan)?;
    let amount = |minor| facts.currency.format(minor);
    let every = loan.terms.as_ref().and_then(|terms| terms.product.every.parse::<Every>().ok());
    let due = |line: &braid_microloans_arithmetic::Line| DueView {
        due: line.due.to_string(),
        total: amount(line.parts.total()),
    };
    Ok(Json(KeyFactsView {
        key_facts_hash,
        canonical: facts.canonical(),
        currency: facts.currency.to_string(),
        principal: amount(facts.principal),
        received: amount(facts.received),
        total_paid: amount(facts.total_paid),
        cost: amount(facts.cost),
        cost_per_thousand: amount(facts.cost_per_thousand),
        apr_percent: facts.apr.format(2),
        effective_percent: facts.effective.format(2),
        ends: facts.term.1.to_string(),
        offer_until: loan.offer_until.map(|until| until.to_string()),
        every: every.map(|every| every.to_string()).unwrap_or_default(),
        instalments: facts.lines.iter().map(due).collect(),
    }))
}

/// Takes an application up.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/loans/{id}/review", request_body = Nothing, tag = "loans",
    params(("id" = String, Path), ("idempotency-key" = String, Header)),
    responses((status = 200, body = LoanView), (status = "4XX", body = ProblemBody)))]
pub async fn review(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted<Nothing>,
) -> Result<Response, Problem> {
    let (mut pending, _) = begin!(posted, app, [Role::Officer]);
    let loan = loans::review(&mut pending.write, &id.parse()?).await?;
    let shown = show(&mut pending.write, &app, &loan).await?;
    pending.answer(StatusCode::OK, &shown).await
}

/// Why something is done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Which the borrower is told.
    reason: String,
}

/// Refuses an application.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/loans/{id}/reject", request_body = Reason, tag = "loans",
    params(("id" = String, Path), ("idempotency-key" = String, Header)),
    responses((status = 200, body = LoanView), (status = "4XX", body = ProblemBody)))]
pub async fn reject(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted<Reason>,
) -> Result<Response, Problem> {
    let (mut pending, why) = begin!(posted, app, [Role::Officer]);
    let loan = loans::reject(&mut pending.write, &id.parse()?, &why.reason).await?;
    let shown = show(&mut pending.write, &app, &loan).await?;
    pending.answer(StatusCode::OK, &shown).await
}

/// Takes an application back.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/loans/{id}/withdraw", request_body = Nothing, tag = "loans",
    params(("id" = String, Path), ("idempotency-key" = String, Header)),
    responses((status = 200, body = LoanView), (status = "4XX", body = ProblemBody)))]
pub async fn withdraw(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted<Nothing>,
) -> Result<Response, Problem> {
    let (mut pending, _) = begin!(posted, app, FRONT);
    let loan = loans::withdraw(&mut pending.write, &id.parse()?).await?;
    let shown = show(&mut pending.write, &app, &loan).await?;
    pending.answer(StatusCode::OK, &shown).await
}

/// How a borrower agrees.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConsent {
    /// The hash of the key facts that were shown.
    key_facts_hash: String,
    /// In which language.
    language: String,
    /// `ussd`, `web`, `agent`.
    channel: String,
}

/// Accepts an offer.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/loans/{id}/accept", request_body = NewConsent, tag = "loans",
    params(("id" = String, Path), ("idempotency-key" = String, Header)),
    responses((status = 200, body = LoanView), (status = "4XX", body = ProblemBody)))]
pub async fn accept(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted<NewConsent>,
) -> Result<Response, Problem> {
    let (mut pending, new) = begin!(posted, app, FRONT);
    let consent = Consent { key_facts_hash: new.key_facts_hash, language: new.language, channel: new.channel };
    let loan = loans::accept(&mut pending.write, &id.parse()?, &consent).await?;
    let shown = show(&mut pending.write, &app, &loan).await?;
    pending.answer(StatusCode::OK, &shown).await
}

/// Refuses an offer.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/loans/{id}/decline", request_body = Nothing, tag = "loans",
    params(("id" = String, Path), ("idempotency-key" = String, Header)),
    responses((status = 200, body = LoanView), (status = "4XX", body = ProblemBody)))]
pub async fn decline(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted<Nothing>,
) -> Result<Response, Problem> {
    let (mut pending, _) = begin!(posted, app, FRONT);
    let loan = loans::decline(&mut pending.write, &id.parse()?).await?;
    let shown = show(&mut pending.write, &app, &loan).await?;
    pending.answer(StatusCode::OK, &shown).await
}

/// Sets lenders' money aside for an accepted loan.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/loans/{id}/fund", request_body = Nothing, tag = "loans",
    params(("id" = String, Path), ("idempotency-key" = String, Header)),
    responses((status = 200, body = LoanView), (status = "4XX", body = ProblemBody)))]
pub async fn fund(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted<Nothing>,
) -> Result<Response, Problem> {
    let (mut pending, _) = begin!(posted, app, [Role::Officer, Role::Treasurer]);
    let loan = loans::fund(&mut pending.write, &id.parse()?).await?;
    let shown = show(&mut pending.write, &app, &loan).await?;
    pending.answer(StatusCode::OK, &shown).await
}

/// Orders the payout of a funded loan.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/loans/{id}/disburse", request_body = Nothing, tag = "loans",
    params(("id" = String, Path), ("idempotency-key" = String, Header)),
    responses((status = 202, body = Made), (status = "4XX", body = ProblemBody)))]
pub async fn disburse(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted<Nothing>,
) -> Result<Response, Problem> {
    let (mut pending, _) = begin!(posted, app, [Role::Officer, Role::Treasurer]);
    let id: LoanId = id.parse()?;
    let loan = loans::loan(&mut pending.write, &id).await?;
    let rail = app.catalogue.product(&loan.product)?.rail.clone();
    app.rail(&rail)?;
    let leg = loans::disburse(&mut pending.write, &id, &rail).await?;
    pending.answer(StatusCode::ACCEPTED, &Made { id: leg.to_string() }).await
}

/// How much is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// In units of the currency.
    amount: String,
}

/// Asks the borrower to pay, on the phone.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/loans/{id}/collect", request_body = Asked, tag = "loans",
    params(("id" = String, Path), ("idempotency-key" = String, Header)),
    responses((status = 202, body = Made), (status = "4XX", body = ProblemBody)))]
pub async fn collect(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted<Asked>,
) -> Result<Response, Problem> {
    let (mut pending, asked) = begin!(posted, app, FRONT);
    let loan = loans::loan(&mut pending.write, &id.parse()?).await?;
    let amount = loan.currency.parse(&asked.amount).map_err(LedgerError::from)?;
    let name = app.catalogue.product(&loan.product)?.rail.clone();
    let money = braid_microloans_arithmetic::Money { minor: amount, currency: loan.currency };
    app.rail(&name)?.rules().check(money).map_err(|error| Problem::invalid(error.to_string()))?;
    let leg = payments::collect(&mut pending.write, &loan, &name, amount).await?;
    pending.answer(StatusCode::ACCEPTED, &Made { id: leg.to_string() }).await
}

/// How a loan is held.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// `frozen` or `disputed`.
    hold: String,
}

/// Keeps money from going out for a loan. To end it takes a proposal and a second person.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(post, path = "/v1/loans/{id}/hold", request_body = NewHold, tag = "loans",
    params(("id" = String, Path), ("idempotency-key" = String, Header)),
    responses((status = 200, body = Made), (status = "4XX", body = ProblemBody)))]
pub async fn hold(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted<NewHold>,
) -> Result<Response, Problem> {
    let (mut pending, new) = begin!(posted, app, [Role::Officer, Role::Approver, Role::Treasurer]);
    loans::hold(&mut pending.write, &id.parse()?, &new.hold, Hold::Begins).await?;
    pending.answer(StatusCode::OK, &Made { id }).await
}

/// The schedule of a loan.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/loans/{id}/schedule", tag = "loans", params(("id" = String, Path)),
    responses((status = 200, body = [ScheduleLine]), (status = "4XX", body = ProblemBody)))]
pub async fn schedule(
    State(app): State<App>,
    _caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Vec<ScheduleLine>>, Problem> {
    let mut read = app.read().await?;
    let loan = find(&mut read, &id).await?;
    let day = loan.local_date(app.clock.now())?;
    Ok(Json(loans::schedule(&mut read, &loan, day).await?))
}

/// What happened to a loan.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/loans/{id}/events", tag = "loans", params(("id" = String, Path)),
    responses((status = 200, body = [LoanEvent]), (status = "4XX", body = ProblemBody)))]
pub async fn events(
    State(app): State<App>,
    _caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Vec<LoanEvent>>, Problem> {
    let mut read = app.read().await?;
    let loan = find(&mut read, &id).await?;
    Ok(Json(loans::events(&mut read, &loan.id).await?))
}

/// The movements of money of a loan.
///
/// # Errors
/// As [`Problem`] says.
#[utoipa::path(get, path = "/v1/loans/{id}/legs", tag = "loans", params(("id" = String, Path)),
    responses((status = 200, body = [LegView]), (status = "4XX", body = ProblemBody)))]
pub async fn legs(
    State(app): State<App>,
    _caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Vec<LegView>>, Problem> {
    let mut read = app.read().await?;
    let loan = find(&mut read, &id).await?;
    let legs = payments::legs_of(&mut read, &loan.id).await?;
    Ok(Json(legs.iter().map(payments::LegRecord::view).collect()))
}
