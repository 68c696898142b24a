//! Who is late, the longest first; and what falls due next.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use braid_microloans_ledger::loans::report::Standing;
use maud::{Markup, html};

use super::STAFF;
use crate::{
    Faces,
    fault::Fault,
    format,
    guard::Visitor,
    open::Figures,
    page::{Column, View, prose, table},
};

/// Loans that are listed; the page stays below 100 KB.
const LISTED: usize = 200;

/// The page.
pub(crate) async fn show(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Result<Response, Fault> {
    visitor.staff(&STAFF)?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let figures = Figures::now(&faces).await?;
    let mut late: Vec<&Standing> = figures.loans.iter().filter(|loan| loan.days_late > 0).collect();
    late.sort_by_key(|loan| (std::cmp::Reverse(loan.days_late), loan.code.as_str()));
    let row = |loan: &&Standing| -> Vec<Markup> {
        vec![
            html! { a href={ "/officer/loans/" (loan.id) } { (loan.code) } },
            html! { (view.count(loan.days_late)) },
            html! { (view.money(loan.overdue, loan.currency)) },
            html! { (format::amount(view.language(), loan.outstanding, loan.currency)) },
        ]
    };
    let heads = [
        (t.loan.as_str(), Column::Words),
        (&t.days_late, Column::Figure),
        (&t.overdue, Column::Figure),
        (&t.outstanding, Column::Figure),
    ];
    let rows: Vec<_> = late.iter().take(LISTED).map(row).collect();
    Ok(view.page(
        &t.collections,
        &html! {
            (prose(&t.collections_lead))
            @if rows.is_empty() { p.lead { (t.nobody_late) } } @else { (table(&t.late_loans, &heads, &rows)) }
        },
    ))
}
