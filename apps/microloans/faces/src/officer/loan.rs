//! One loan, as staff see it: what it is, what happened, and what can be done; and the person's record, opened for a reason.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use braid_microloans_arithmetic::key_facts::KeyFacts;
use braid_microloans_ledger::{
    LoanId, LoanState,
    approvals::{self, Action},
    loans::{self, Hold, LoanEvent, LoanRecord},
    payments::{self, LegRecord},
    rules, vault,
};
use braid_microloans_service::auth::{Caller, Role};
use maud::{Markup, html};
use serde::Deserialize;

use super::STAFF;
use crate::{
    Faces,
    borrower::{apply::purpose, offer::key_fact_table, statement::schedule_table},
    fault::Fault,
    format,
    guard::Visitor,
    page::{Column, View, facts, field, table, with_status},
    posted::{Begun, Posted},
};

/// Why an application is refused: names in the books.
const REASONS: [&str; 4] = ["payments too high", "identity not confirmed", "another loan", "purpose not lent for"];
/// Why a record is opened: names in the log.
const OPENINGS: [&str; 3] = ["review of an application", "payment is late", "complaint"];

/// All there is to show.
struct Shown {
    loan: LoanRecord,
    events: Vec<LoanEvent>,
    legs: Vec<LegRecord>,
    schedule: Vec<loans::ScheduleLine>,
    held: bool,
}

async fn read(faces: &Faces, id: &str) -> Result<Shown, Fault> {
    let id: LoanId = id.parse()?;
    let mut read = faces.app.read().await?;
    let loan = loans::loan(&mut read, &id).await?;
    let schedule = if loan.disbursed_on.is_some() {
        loans::schedule(&mut read, &loan, loan.local_date(faces.app.clock.now())?).await?
    } else {
        Vec::new()
    };
    Ok(Shown {
        events: loans::events(&mut read, &id).await?,
        legs: payments::legs_of(&mut read, &id).await?,
        held: loans::is_held(&mut read, &id).await?,
        loan,
        schedule,
    })
}

/// The page.
pub(crate) async fn show(
    State(faces): State<Arc<Faces>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let caller = visitor.staff(&STAFF)?;
    let view = View::new(&faces, &visitor);
    page(&view, &caller, &read(&faces, &id).await?, None)
}

fn page(view: &View<'_>, caller: &Caller, shown: &Shown, record: Option<Markup>) -> Result<Response, Fault> {
    let (t, loan) = (view.t, &shown.loan);
    let title = format!("{} {}", t.loan, loan.code);
    Ok(view.page(
        &title,
        &html! {
            p.state { (view.state(loan.state)) @if shown.held { " · " (t.held) } }
            (facts(&[
                (t.amount.as_str(), view.money(loan.principal, loan.currency)),
                (&t.instalments, view.count(loan.instalments)),
                (&t.product, loan.product.clone()),
                (&t.purpose, purpose(t, &loan.purpose).to_owned()),
                (&t.country, loan.country.clone()),
            ]))
            @if let Some(record) = record { (record) }
            (actions(view, caller, shown))
            @if let Some((facts, title)) = cost(view, loan)? { h2 { (title) } (key_fact_table(view, loan, &facts)?) }
            @if !shown.schedule.is_empty() { (schedule_table(view, loan, &shown.schedule)) }
            (leg_table(view, loan, &shown.legs))
            (event_table(view, &shown.events))
        },
    ))
}

/// The key facts of an offer; before there is one, as they would be today.
fn cost<'a>(view: &View<'a>, loan: &LoanRecord) -> Result<Option<(KeyFacts, &'a str)>, Fault> {
    if loan.terms.is_some() {
        return Ok(Some((loans::key_facts(loan)?.0, &view.t.key_facts)));
    }
    if !matches!(loan.state, LoanState::Submitted | LoanState::UnderReview) {
        return Ok(None);
    }
    let today = loan.local_date(view.faces.app.clock.now())?;
    let rules = rules::in_force(&loan.country, today)?;
    let product = view.faces.app.catalogue.product(&loan.product)?;
    let terms = product.terms_of(&rules, loan.principal, loan.instalments, today)?;
    Ok(Some((KeyFacts::of(&terms.terms(today)?)?, &view.t.estimate)))
}

fn actions(view: &View<'_>, caller: &Caller, shown: &Shown) -> Markup {
    let (t, loan) = (view.t, &shown.loan);
    let may = |roles: &[Role]| roles.contains(&caller.role);
    let act = |action: &str, content: &Markup| view.form(&format!("/officer/loans/{}/{action}", loan.id), content);
    let button = |action: &str, text: &str| act(action, &html! { button { (text) } });
    let is_officer = may(&[Role::Officer]);
    let may_propose = may(&[Role::Officer, Role::Approver]);
    html! {
        section.actions {
            h2 { (t.actions) }
            @if is_officer && loan.state == LoanState::Submitted { (button("review", &t.take_up)) }
            @if may_propose && loan.state == LoanState::UnderReview { (button("offer", &t.propose_offer)) }
            @if is_officer && loan.state == LoanState::UnderReview {
                (act("reject", &html! { (select(&t.reason, "reason", &REASONS)) button.quiet { (t.reject) } }))
            }
            @if may(&[Role::Officer, Role::Treasurer]) && loan.state == LoanState::Accepted { (button("fund", &t.fund)) }
            @if may(&[Role::Officer, Role::Treasurer]) && matches!(loan.state, LoanState::Funded | LoanState::DisbursementFailed) {
                (button("disburse", &t.disburse))
            }
            @if may(&[Role::Treasurer, Role::Approver]) && loan.state == LoanState::Overpaid { (button("refund", &t.propose_refund)) }
            @if may_propose && matches!(loan.state, LoanState::Active | LoanState::Restructured) { (button("write-off", &t.propose_write_off)) }
            @if !loan.state.is_over() && !shown.held { (act("hold", &html! { button.quiet { (t.hold) } })) }
            @if may_propose && shown.held { (button("release", &t.propose_release)) }
            @if is_officer {
                (act("open", &html! { (select(&t.open_reason, "reason", &OPENINGS)) button.quiet { (t.open_record) } }))
                p { small { (t.open_text) } }
            }
        }
    }
}

/// A choice of names that stand in the books as they are.
fn select(label: &str, name: &str, options: &[&str]) -> Markup {
    field(label, &format!("{name}-{}", options.len()), None, |_| {
        html! {
            select id={ (name) "-" (options.len()) } name=(name) required lang="en" {
                @for option in options { option { (option) } }
            }
        }
    })
}

fn leg_table(view: &View<'_>, loan: &LoanRecord, legs: &[LegRecord]) -> Markup {
    let t = view.t;
    if legs.is_empty() {
        return html! {};
    }
    let row = |leg: &LegRecord| {
        vec![
            view.moment(leg.created_at),
            leg.kind.name().to_owned(),
            format::amount(view.language(), leg.amount, loan.currency),
            leg.state.to_string(),
            leg.receipt.clone().unwrap_or_default(),
        ]
    };
    let heads = [
        (t.when.as_str(), Column::Words),
        (&t.kind, Column::Words),
        (&t.amount, Column::Figure),
        (&t.state, Column::Words),
        (&t.receipt, Column::Words),
    ];
    table(&t.movements, &heads, &legs.iter().map(row).collect::<Vec<_>>())
}

fn event_table(view: &View<'_>, events: &[LoanEvent]) -> Markup {
    let t = view.t;
    let row = |event: &LoanEvent| vec![view.moment(event.at), event.kind.clone(), event.actor.clone()];
    let heads = [(t.when.as_str(), Column::Words), (&t.what, Column::Words), (&t.who, Column::Words)];
    table(&t.history, &heads, &events.iter().map(row).collect::<Vec<_>>())
}

/// What some actions ask for besides.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Detail {
    #[serde(default)]
    reason: String,
}

/// What can be done, and by whom; as in the service's own interface.
fn roles_of(action: &str) -> Result<&'static [Role], Fault> {
    Ok(match action {
        "review" | "reject" | "open" => &[Role::Officer],
        "offer" | "write-off" | "release" => &[Role::Officer, Role::Approver],
        "refund" => &[Role::Treasurer, Role::Approver],
        "fund" | "disburse" => &[Role::Officer, Role::Treasurer],
        "hold" => &[Role::Officer, Role::Approver, Role::Treasurer],
        _ => return Err(Fault::NotFound),
    })
}

/// Does something, or proposes it where that takes two people.
pub(crate) async fn act(
    State(faces): State<Arc<Faces>>,
    Path((id, action)): Path<(String, String)>,
    posted: Posted<Detail>,
) -> Result<Response, Fault> {
    let caller = posted.visitor.staff(roles_of(&action)?)?;
    let loan: LoanId = id.parse()?;
    if action == "open" {
        return open(&faces, &posted, &caller, &loan).await;
    }
    if action == "reject" && !REASONS.contains(&posted.value.reason.as_str()) {
        return Err(Fault::Unreadable);
    }
    let mut pending = match posted.begin(&faces).await? {
        Begun::Answered(response) => return Ok(response),
        Begun::New(pending) => pending,
    };
    let write = &mut pending.write;
    let proposal = match action.as_str() {
        "offer" => Some(Action::Offer { loan: loan.clone() }),
        "write-off" => Some(Action::WriteOff { loan: loan.clone() }),
        "refund" => Some(Action::Refund { loan: loan.clone() }),
        "release" => Some(Action::Release { loan: loan.clone(), hold: "frozen".to_owned() }),
        _ => None,
    };
    match (proposal, action.as_str()) {
        (Some(proposal), _) => drop(approvals::propose(write, &proposal).await?),
        (None, "review") => drop(loans::review(write, &loan).await?),
        (None, "reject") => drop(loans::reject(write, &loan, &posted.value.reason).await?),
        (None, "fund") => drop(loans::fund(write, &loan).await?),
        (None, "hold") => loans::hold(write, &loan, "frozen", Hold::Begins).await?,
        _ => {
            let record = loans::loan(write, &loan).await?;
            let rail = faces.app.catalogue.product(&record.product)?.rail.clone();
            faces.app.rail(&rail)?;
            loans::disburse(write, &loan, &rail).await?;
        }
    }
    pending.lead_to(&format!("/officer/loans/{loan}")).await
}

/// Opens the person's record, on this page and for this time only.
async fn open(faces: &Faces, posted: &Posted<Detail>, caller: &Caller, id: &LoanId) -> Result<Response, Fault> {
    if !OPENINGS.contains(&posted.value.reason.as_str()) {
        return Err(Fault::Unreadable);
    }
    let shown = read(faces, id.as_str()).await?;
    let mut write = faces.app.write(caller.actor()).await?;
    let record = vault::reveal_all(&mut write, &shown.loan.person, &posted.value.reason).await?;
    write.commit().await?;
    let view = View::new(faces, &posted.visitor);
    let t = view.t;
    let record = html! {
        section.record {
            h2 { (t.record) }
            (facts(&[
                (t.name.as_str(), record.name.expose()),
                (&t.phone, record.phone.expose()),
                (&t.national_id, record.national_id.expose()),
            ]))
            p { small { (t.open_text) } }
        }
    };
    Ok(with_status(StatusCode::OK, page(&view, caller, &shown, Some(record))?))
}
