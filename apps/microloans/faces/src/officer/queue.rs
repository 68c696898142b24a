//! What waits for an officer: applications, offers, payouts that are not done.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use braid_microloans_ledger::{LoanState, loans::LoanRecord, loans::report};
use maud::{Markup, html};

use super::STAFF;
use crate::{
    Faces,
    borrower::apply::purpose,
    fault::Fault,
    guard::Visitor,
    page::{Column, View, table},
};

/// Loans of one list; the oldest first, so that the next ones move up.
const LISTED: i64 = 50;

/// The page.
pub(crate) async fn show(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Result<Response, Fault> {
    visitor.staff(&STAFF)?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let lists = [
        LoanState::Submitted,
        LoanState::UnderReview,
        LoanState::Offered,
        LoanState::Accepted,
        LoanState::Funded,
        LoanState::DisbursementUnknown,
        LoanState::DisbursementFailed,
        LoanState::Overpaid,
        LoanState::ChargedOff,
    ];
    let mut read = faces.app.read().await?;
    let mut found = Vec::new();
    for state in lists {
        let loans = report::oldest_in_state(&mut read, state, LISTED).await?;
        if !loans.is_empty() {
            found.push((state, loans));
        }
    }
    drop(read);
    Ok(view.page(
        &t.queue,
        &html! {
            @if found.is_empty() { p.lead { (t.queue_empty) } }
            @for (state, loans) in &found { (list(&view, *state, loans)) }
        },
    ))
}

fn list(view: &View<'_>, state: LoanState, loans: &[LoanRecord]) -> Markup {
    let t = view.t;
    let row = |loan: &LoanRecord| {
        vec![
            html! { a href={ "/officer/loans/" (loan.id) } { (loan.code) } },
            html! { (view.money(loan.principal, loan.currency)) },
            html! { (loan.instalments) },
            html! { (purpose(t, &loan.purpose)) },
            html! { (loan.product) },
        ]
    };
    let heads = [
        (t.loan.as_str(), Column::Words),
        (&t.amount, Column::Figure),
        (&t.instalments, Column::Figure),
        (&t.purpose, Column::Words),
        (&t.product, Column::Words),
    ];
    html! { section { (table(view.state(state), &heads, &loans.iter().map(row).collect::<Vec<_>>())) } }
}
