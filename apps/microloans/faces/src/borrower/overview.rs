//! The borrower's first page: where the loan stands, and what can be done now.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use braid_microloans_ledger::{
    LoanState,
    loans::{self, LoanRecord},
};
use maud::{Markup, html};

use super::{Owed, last_loan, owed, sign_in::Nothing};
use crate::{
    Faces,
    fault::Fault,
    guard::Visitor,
    language::fill,
    page::{View, facts, notice},
    posted::{Begun, Posted},
};

/// The page.
pub(crate) async fn show(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Result<Response, Fault> {
    let person = visitor.borrower()?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let mut read = faces.app.read().await?;
    let mut all = loans::of_person(&mut read, person).await?;
    let last = all.pop();
    let owed = match &last {
        Some(loan) => owed(&mut read, loan, loan.local_date(faces.app.clock.now())?).await?,
        None => None,
    };
    drop(read);
    let is_free = last.as_ref().is_none_or(|loan| loan.state.is_over());
    Ok(view.page(
        &t.my_loan,
        &html! {
            @match &last {
                Some(loan) => (current(&view, loan, owed.as_ref())),
                None => p.lead { (t.no_loan) },
            }
            @if is_free { p { a.button href="/me/apply" { (t.apply) } } }
            @if !all.is_empty() {
                h2 { (t.past_loans) }
                ul.plain { @for loan in all.iter().rev() { li { (past(&view, loan)) } } }
            }
        },
    ))
}

fn past(view: &View<'_>, loan: &LoanRecord) -> Markup {
    html! {
        @if loan.disbursed_on.is_some() { a href={ "/me/statement/" (loan.id) } { (view.t.loan) " " (loan.code) } }
        @else { (view.t.loan) " " (loan.code) }
        ": " (view.money(loan.principal, loan.currency)) ", " (view.state(loan.state))
    }
}

fn current(view: &View<'_>, loan: &LoanRecord, owed: Option<&Owed>) -> Markup {
    let t = view.t;
    html! {
        p.state { (t.loan) " " strong { (loan.code) } " · " (view.state(loan.state)) }
        @if let Some(owed) = owed { (balance(view, loan, owed)) }
        @else { (facts(&[(t.amount.as_str(), view.money(loan.principal, loan.currency)), (&t.instalments, view.count(loan.instalments))])) }
        (what_now(view, loan))
        @if loan.disbursed_on.is_some() { p { a href={ "/me/statement/" (loan.id) } { (t.statement) } } }
    }
}

fn balance(view: &View<'_>, loan: &LoanRecord, owed: &Owed) -> Markup {
    let t = view.t;
    html! {
        @if owed.days_late > 0 { (notice("bad", &fill(&t.late_days, &[("days", &owed.days_late.to_string())]))) }
        @if let Some(next) = owed.next {
            p.figure-large { (view.money(next.amount, loan.currency)) }
            p { @if next.is_late { (t.due_now) } @else { (fill(&t.due_on, &[("date", &view.date(next.due))])) } }
        }
        (facts(&[
            (t.outstanding.as_str(), view.money(owed.outstanding, loan.currency)),
            (&t.pay_off, view.money(owed.pay_off, loan.currency)),
        ]))
        p { a.button href="/me/pay" { (t.pay) } }
    }
}

/// What a borrower can do in a state, or is told about it.
fn what_now(view: &View<'_>, loan: &LoanRecord) -> Markup {
    let t = view.t;
    match loan.state {
        LoanState::Offered => html! { p { a.button href="/me/offer" { (t.read_offer) } } },
        LoanState::Draft | LoanState::Submitted | LoanState::UnderReview => html! {
            p { (t.wait_review) }
            (view.form("/me/withdraw", &html! { button.quiet { (t.withdraw) } }))
        },
        LoanState::Accepted
        | LoanState::Funding
        | LoanState::Funded
        | LoanState::Disbursing
        | LoanState::DisbursementUnknown
        | LoanState::DisbursementFailed => html! { p { (t.wait_money) } },
        LoanState::Overpaid | LoanState::RefundPending => html! { p { (t.wait_refund) } },
        LoanState::Rejected => html! { p { (fill(&t.rejected_text, &[("phone", &view.faces.helpline)])) } },
        LoanState::ChargedOff | LoanState::Recovered => {
            html! { p { (fill(&t.lost_text, &[("phone", &view.faces.helpline)])) } p { a.button href="/me/pay" { (t.pay) } } }
        }
        _ => html! {},
    }
}

/// Takes an application back.
pub(crate) async fn withdraw(State(faces): State<Arc<Faces>>, posted: Posted<Nothing>) -> Result<Response, Fault> {
    let person = posted.visitor.borrower()?.clone();
    let mut pending = match posted.begin(&faces).await? {
        Begun::Answered(response) => return Ok(response),
        Begun::New(pending) => pending,
    };
    let loan = last_loan(&mut pending.write, &person).await?.ok_or(Fault::NotFound)?;
    loans::withdraw(&mut pending.write, &loan.id).await?;
    pending.lead_to("/me").await
}
