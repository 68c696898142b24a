//! The statement of a loan, to read or to print.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use braid_microloans_ledger::{
    Actor, LoanId,
    loans::{self, LoanRecord, report},
    vault::{self, Field},
};
use maud::{Markup, html};

use super::owed;
use crate::{
    Faces,
    fault::Fault,
    format,
    guard::Visitor,
    page::{Column, View, facts, is_own, table},
};

/// The page. It carries the borrower's name, for whoever asks for it on paper; that it was opened stands in the log.
pub(crate) async fn show(
    State(faces): State<Arc<Faces>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let person = visitor.borrower()?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let id: LoanId = id.parse()?;
    let mut write = faces.app.write(Actor { name: "web".to_owned(), role: "gateway".to_owned() }).await?;
    let loan = loans::loan(&mut write, &id).await?;
    is_own(person, &loan.person)?;
    let name = vault::reveal(&mut write, person, Field::Name, "statement").await?;
    write.commit().await?;
    let today = loan.local_date(faces.app.clock.now())?;
    let mut read = faces.app.read().await?;
    let owed = owed(&mut read, &loan, today).await?;
    let schedule = loans::schedule(&mut read, &loan, today).await?;
    let paid = report::payments_of(&mut read, &loan.id).await?;
    drop(read);
    Ok(view.page(
        &t.statement,
        &html! {
            p { (t.statement_day) " " (view.date(today)) }
            (facts(&[
                (t.name.as_str(), name.expose().clone()),
                (&t.loan, loan.code.to_string()),
                (&t.state, view.state(loan.state).to_owned()),
                (&t.amount, view.money(loan.principal, loan.currency)),
                (&t.paid_out_on, loan.disbursed_on.map_or_else(String::new, |day| view.date(day))),
            ]))
            @if let Some(owed) = owed {
                (facts(&[
                    (t.outstanding.as_str(), view.money(owed.outstanding, loan.currency)),
                    (&t.pay_off, view.money(owed.pay_off, loan.currency)),
                ]))
            }
            (schedule_table(&view, &loan, &schedule))
            (payment_table(&view, &loan, &paid))
            p.no-print { (t.print_hint) }
        },
    ))
}

/// The schedule of a loan, as borrowers and officers see it.
pub(crate) fn schedule_table(view: &View<'_>, loan: &LoanRecord, lines: &[loans::ScheduleLine]) -> Markup {
    let t = view.t;
    let amount = |text: &str| {
        let minor = loan.currency.parse(text);
        minor.map_or_else(|_| text.to_owned(), |minor| format::amount(view.language(), minor, loan.currency))
    };
    let row = |line: &loans::ScheduleLine| {
        vec![
            view.day(&line.due),
            amount(&line.total),
            amount(&line.principal),
            amount(&line.interest),
            amount(&line.fees),
            amount(&line.penalties),
            amount(&line.balance),
        ]
    };
    let heads = [
        (t.due.as_str(), Column::Words),
        (&t.total, Column::Figure),
        (&t.principal, Column::Figure),
        (&t.interest, Column::Figure),
        (&t.fees, Column::Figure),
        (&t.penalties, Column::Figure),
        (&t.left, Column::Figure),
    ];
    table(&t.kf_schedule, &heads, &lines.iter().map(row).collect::<Vec<_>>())
}

fn payment_table(view: &View<'_>, loan: &LoanRecord, paid: &[report::Paid]) -> Markup {
    let t = view.t;
    if paid.is_empty() {
        return html! { p { (t.no_payments) } };
    }
    let row = |paid: &report::Paid| {
        vec![view.date(paid.paid_on), format::amount(view.language(), paid.amount, loan.currency), paid.receipt.clone()]
    };
    let heads = [(t.date_head.as_str(), Column::Words), (&t.amount, Column::Figure), (&t.receipt, Column::Words)];
    table(&t.payments, &heads, &paid.iter().map(row).collect::<Vec<_>>())
}
