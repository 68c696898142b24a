//! Money: what lenders have and what is lent, deposits, payments without a loan, and contradictions.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use braid_microloans_arithmetic::Currency;
use braid_microloans_ledger::{
    approvals::{self, Action},
    code::LoanCode,
    journal::account,
    loans,
    payments::{self, Contradiction, SuspendedPayment},
};
use braid_microloans_service::auth::Role;
use maud::{Markup, html};
use serde::Deserialize;

use super::STAFF;
use crate::{
    Faces,
    auditor::balance_table,
    fault::Fault,
    guard::Visitor,
    page::{Column, View, field, table},
    posted::{Begun, Posted},
};

/// The page.
pub(crate) async fn show(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Result<Response, Fault> {
    let caller = visitor.staff(&STAFF)?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let mut read = faces.app.read().await?;
    let lines = account::trial_balance(&mut read).await?;
    let suspended = payments::suspended(&mut read).await?;
    let contradictions = payments::contradictions(&mut read).await?;
    drop(read);
    let may_move = matches!(caller.role, Role::Treasurer | Role::Approver);
    Ok(view.page(
        &t.money,
        &html! {
            (balance_table(&view, &lines))
            (suspense_table(&view, &suspended))
            @if may_move && !suspended.is_empty() { (assign_form(&view, &suspended)) }
            (contradiction_table(&view, &contradictions))
            @if may_move { (deposit_form(&view)) }
        },
    ))
}

fn suspense_table(view: &View<'_>, suspended: &[SuspendedPayment]) -> Markup {
    let t = view.t;
    if suspended.is_empty() {
        return html! { h2 { (t.suspense) } p { (t.suspense_none) } };
    }
    let row = |payment: &SuspendedPayment| {
        let amount = payment.currency.parse::<Currency>();
        let amount =
            amount.map_or_else(|_| payment.amount.to_string(), |currency| view.money(payment.amount.into(), currency));
        vec![view.day(&payment.paid_on), amount, payment.rail.clone(), payment.receipt.clone()]
    };
    let heads = [
        (t.date_head.as_str(), Column::Words),
        (&t.amount, Column::Figure),
        (&t.provider, Column::Words),
        (&t.receipt, Column::Words),
    ];
    table(&t.suspense, &heads, &suspended.iter().map(row).collect::<Vec<_>>())
}

fn assign_form(view: &View<'_>, suspended: &[SuspendedPayment]) -> Markup {
    let t = view.t;
    view.form(
        "/officer/money/assign",
        &html! {
            (field(&t.receipt, "payment", None, |_| html! {
                select id="payment" name="payment" required { @for payment in suspended { option value=(payment.id) { (payment.receipt) } } }
            }))
            (field(&t.loan_code, "code", None, |_| html! { input id="code" name="code" maxlength="16" autocomplete="off" required; }))
            button { (t.propose_assign) }
        },
    )
}

fn contradiction_table(view: &View<'_>, contradictions: &[Contradiction]) -> Markup {
    let t = view.t;
    if contradictions.is_empty() {
        return html! { h2 { (t.contradictions) } p { (t.contradictions_none) } };
    }
    let row = |contradiction: &Contradiction| {
        vec![view.moment(contradiction.at), contradiction.kind.clone(), contradiction.detail.clone()]
    };
    let heads = [(t.when.as_str(), Column::Words), (&t.kind, Column::Words), (&t.what, Column::Words)];
    table(&t.contradictions, &heads, &contradictions.iter().map(row).collect::<Vec<_>>())
}

fn deposit_form(view: &View<'_>) -> Markup {
    let t = view.t;
    let rails = view.faces.app.rails.iter();
    html! {
        h2 { (t.propose_deposit) }
        (view.form("/officer/money/deposit", &html! {
            (field(&t.provider, "rail", None, |_| html! {
                select id="rail" name="rail" required {
                    @for (name, rail) in rails { option value=(name) { (name) " (" (rail.rules().currency) ")" } }
                }
            }))
            (field(&t.amount, "amount", None, |_| html! { input id="amount" name="amount" inputmode="decimal" maxlength="20" required; }))
            (field(&t.evidence, "evidence", Some(&t.evidence_hint), |hint| html! {
                input id="evidence" name="evidence" maxlength="100" autocomplete="off" required aria-describedby=[hint];
            }))
            button { (t.propose_deposit) }
        }))
    }
}

/// A deposit.
#[derive(Debug, Deserialize)]
pub(crate) struct NewDeposit {
    rail: String,
    amount: String,
    evidence: String,
}

/// Proposes a deposit.
pub(crate) async fn deposit(State(faces): State<Arc<Faces>>, posted: Posted<NewDeposit>) -> Result<Response, Fault> {
    posted.visitor.staff(&[Role::Treasurer, Role::Approver])?;
    let NewDeposit { rail, amount, evidence } = &posted.value;
    let currency = faces.app.rail(rail)?.rules().currency;
    currency.parse(amount)?;
    let mut pending = match posted.begin(&faces).await? {
        Begun::Answered(response) => return Ok(response),
        Begun::New(pending) => pending,
    };
    let action = Action::Deposit {
        rail: rail.clone(),
        currency: currency.code().to_owned(),
        amount: amount.clone(),
        evidence: evidence.clone(),
    };
    approvals::propose(&mut pending.write, &action).await?;
    pending.lead_to("/officer/approvals").await
}

/// Whose a payment is.
#[derive(Debug, Deserialize)]
pub(crate) struct Assignment {
    payment: String,
    code: String,
}

/// Proposes to give a payment to a loan.
pub(crate) async fn assign(State(faces): State<Arc<Faces>>, posted: Posted<Assignment>) -> Result<Response, Fault> {
    posted.visitor.staff(&[Role::Treasurer, Role::Approver])?;
    let code: LoanCode = posted.value.code.parse()?;
    let payment = posted.value.payment.parse()?;
    let mut pending = match posted.begin(&faces).await? {
        Begun::Answered(response) => return Ok(response),
        Begun::New(pending) => pending,
    };
    let loan = loans::by_code(&mut pending.write, &code).await?.ok_or(Fault::NotFound)?;
    approvals::propose(&mut pending.write, &Action::AssignPayment { payment, loan: loan.id }).await?;
    pending.lead_to("/officer/approvals").await
}
