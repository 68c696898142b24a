//! Paying: how much; then the borrower's telephone asks for the PIN of mobile money, which is never typed here.

use std::sync::Arc;

use axum::{
    extract::{Query, State},
    response::Response,
};
use braid_microloans_arithmetic::{Minor, Money};
use braid_microloans_ledger::{loans::LoanRecord, payments};
use maud::{Markup, html};
use serde::Deserialize;

use super::{Owed, last_loan, owed, payable};
use crate::{
    Faces,
    fault::Fault,
    guard::Visitor,
    language::fill,
    page::{View, field, notice},
    posted::{Begun, Posted},
};

/// Whether a payment was asked for just now, or why not.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Said {
    #[serde(default)]
    said: String,
}

/// The form.
pub(crate) async fn form(
    State(faces): State<Arc<Faces>>,
    visitor: Visitor,
    Query(said): Query<Said>,
) -> Result<Response, Fault> {
    let person = visitor.borrower()?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let mut read = faces.app.read().await?;
    let loan = last_loan(&mut read, person).await?.filter(|loan| loan.state.is_outstanding());
    let Some(loan) = loan else {
        return Ok(view.page(&t.pay, &html! { p.lead { (t.nothing_owed) } p { a.button href="/me" { (t.my_loan) } } }));
    };
    let owed = owed(&mut read, &loan, loan.local_date(faces.app.clock.now())?).await?;
    drop(read);
    Ok(view.page(
        &t.pay,
        &html! {
            @match said.said.as_str() {
                "sent" => (notice("good", &t.pay_sent)),
                "amount" => (notice("bad", &t.pay_wrong)),
                _ => {}
            }
            (view.form("/me/pay", &choices(&view, &loan, owed.as_ref())?))
            h2 { (t.pay_without) }
            p { (fill(&t.pay_without_text, &[("code", loan.code.as_str())])) }
            p { (t.pay_safety) }
        },
    ))
}

fn choices(view: &View<'_>, loan: &LoanRecord, owed: Option<&Owed>) -> Result<Markup, Fault> {
    let t = view.t;
    let multiple = multiple(loan)?;
    let choice = |value: &str, text: String, is_first: bool| {
        html! { label.choice { input type="radio" name="choice" value=(value) required checked[is_first]; (text) } }
    };
    let next = owed.and_then(|owed| owed.next).map(|next| payable(next.amount, multiple));
    let pay_off = owed.map(|owed| payable(owed.pay_off, multiple));
    let text = |text: &str, minor| fill(text, &[("amount", &view.money(minor, loan.currency))]);
    Ok(html! {
        fieldset {
            legend { (t.pay_how_much) }
            @if let Some(next) = next { (choice("next", text(&t.pay_next, next), true)) }
            @if let Some(pay_off) = pay_off { (choice("all", text(&t.pay_all, pay_off), false)) }
            (choice("other", t.pay_other.clone(), owed.is_none()))
        }
        @let hint = fill(&t.pay_multiple, &[("multiple", &view.money(multiple, loan.currency))]);
        (field(&t.pay_other_amount, "amount", Some(&hint), |id| html! {
            input id="amount" name="amount" inputmode="numeric" maxlength="16" aria-describedby=[id];
        }))
        button { (t.pay_ask) }
    })
}

fn multiple(loan: &LoanRecord) -> Result<Minor, Fault> {
    loan.terms.as_ref().map(|terms| terms.multiple.into()).ok_or(Fault::NotFound)
}

/// How much.
#[derive(Debug, Deserialize)]
pub(crate) struct Payment {
    choice: String,
    #[serde(default)]
    amount: String,
}

/// Asks the borrower's telephone.
pub(crate) async fn pay(State(faces): State<Arc<Faces>>, posted: Posted<Payment>) -> Result<Response, Fault> {
    let person = posted.visitor.borrower()?.clone();
    let mut pending = match posted.begin(&faces).await? {
        Begun::Answered(response) => return Ok(response),
        Begun::New(pending) => pending,
    };
    let loan = last_loan(&mut pending.write, &person).await?.filter(|loan| loan.state.is_outstanding());
    let loan = loan.ok_or(Fault::NotFound)?;
    let multiple = multiple(&loan)?;
    let owed = owed(&mut pending.write, &loan, loan.local_date(faces.app.clock.now())?).await?;
    let typed: String = posted.value.amount.chars().filter(|c| !matches!(c, ' ' | ',')).collect();
    let amount = match posted.value.choice.as_str() {
        "next" => owed.and_then(|owed| owed.next).map(|next| payable(next.amount, multiple)),
        "all" => owed.map(|owed| payable(owed.pay_off, multiple)),
        _ => loan.currency.parse(&typed).ok(),
    };
    let rail = faces.app.catalogue.product(&loan.product)?.rail.clone();
    let rules = faces.app.rail(&rail)?.rules();
    let amount =
        amount.filter(|minor| *minor > 0 && rules.check(Money { minor: *minor, currency: loan.currency }).is_ok());
    let Some(amount) = amount else { return pending.lead_to("/me/pay?said=amount").await };
    payments::collect(&mut pending.write, &loan, &rail, amount).await?;
    pending.lead_to("/me/pay?said=sent").await
}
