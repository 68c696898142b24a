//! What one person proposed, and another one decides.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use braid_microloans_ledger::approvals::{self, Action, Approval, Decision};
use braid_microloans_service::auth::{Caller, Role};
use maud::{Markup, html};
use serde::Deserialize;

use super::STAFF;
use crate::{
    Faces,
    fault::Fault,
    guard::Visitor,
    language::fill,
    page::View,
    posted::{Begun, Posted},
};

/// The page.
pub(crate) async fn list(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Result<Response, Fault> {
    let caller = visitor.staff(&STAFF)?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let pending = approvals::pending(&mut faces.app.read().await?).await?;
    Ok(view.page(
        &t.approvals,
        &html! {
            p { (t.approvals_lead) }
            @if pending.is_empty() { p.lead { (t.approvals_none) } }
            ul.cards { @for approval in &pending { li.card { (one(&view, &caller, approval)) } } }
        },
    ))
}

fn one(view: &View<'_>, caller: &Caller, approval: &Approval) -> Markup {
    let t = view.t;
    let by = fill(&t.proposed_by, &[("name", &approval.maker), ("when", &view.moment(approval.made_at))]);
    let decide = |decision: &str, class: &str, text: &str| {
        let content = html! { input type="hidden" name="decision" value=(decision); button class=(class) { (text) } };
        view.form(&format!("/officer/approvals/{}", approval.id), &content)
    };
    html! {
        (what(view, &approval.action))
        p { small { (by) } }
        @if caller.role != Role::Approver { p { small { (t.approver_decides) } } }
        @else if caller.name == approval.maker { p { small { (t.own_proposal) } } }
        @else { div.pair { (decide("approved", "", &t.approve)) (decide("refused", "quiet", &t.refuse)) } }
    }
}

/// What is proposed.
fn what(view: &View<'_>, action: &Action) -> Markup {
    let t = view.t;
    let of_loan = |title: &str, loan: &str, detail: &str| {
        html! { h2 { (title) } p { a href={ "/officer/loans/" (loan) } { (t.see_loan) } " " (detail) } }
    };
    match action {
        Action::Offer { loan } => of_loan(&t.propose_offer, loan.as_str(), ""),
        Action::Refund { loan } => of_loan(&t.propose_refund, loan.as_str(), ""),
        Action::WriteOff { loan } => of_loan(&t.propose_write_off, loan.as_str(), ""),
        Action::Release { loan, .. } => of_loan(&t.propose_release, loan.as_str(), ""),
        Action::Waive { loan, amount, .. } => of_loan(&t.propose_waive, loan.as_str(), amount),
        Action::AssignPayment { loan, .. } => of_loan(&t.propose_assign, loan.as_str(), ""),
        Action::Deposit { rail, currency, amount, evidence } => {
            html! { h2 { (t.propose_deposit) } p { (currency) " " (amount) " · " (rail) " · " (evidence) } }
        }
        // Kinds that no form here proposes; the service's own interface does.
        _ => {
            html! { h2 { (t.propose_other) } p lang="en" { code { (format!("{action:?}")) } } }
        }
    }
}

/// What is decided.
#[derive(Debug, Deserialize)]
pub(crate) struct Decided {
    decision: Decision,
}

/// Decides. What is approved is done at once.
pub(crate) async fn decide(
    State(faces): State<Arc<Faces>>,
    Path(id): Path<String>,
    posted: Posted<Decided>,
) -> Result<Response, Fault> {
    posted.visitor.staff(&[Role::Approver])?;
    let mut pending = match posted.begin(&faces).await? {
        Begun::Answered(response) => return Ok(response),
        Begun::New(pending) => pending,
    };
    let catalogue = &faces.app.catalogue;
    approvals::decide(&mut pending.write, catalogue, &id.parse()?, posted.value.decision).await?;
    pending.lead_to("/officer/approvals").await
}
