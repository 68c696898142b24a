//! The offer: its key facts, and accepting them with the PIN, by their hash, or refusing.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use braid_microloans_arithmetic::key_facts::KeyFacts;
use braid_microloans_ledger::{
    Actor, LoanState, PersonId,
    loans::{self, Consent, LoanRecord},
    vault::{self, Field},
};
use braid_microloans_rails::Msisdn;
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    last_loan,
    sign_in::{Nothing, SecretPin, check_pin, pin_field},
};
use crate::{
    Faces,
    fault::Fault,
    format,
    guard::Visitor,
    language::fill,
    page::{Column, View, facts, notice, table, with_status},
    posted::{Begun, Posted},
};

/// The offer that a person has.
async fn offered(faces: &Faces, person: &PersonId) -> Result<LoanRecord, Fault> {
    let loan = last_loan(&mut faces.app.read().await?, person).await?;
    loan.filter(|loan| loan.state == LoanState::Offered).ok_or(Fault::Elsewhere("/me"))
}

/// The page.
pub(crate) async fn show(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Result<Response, Fault> {
    let loan = offered(&faces, visitor.borrower()?).await?;
    page(&View::new(&faces, &visitor), &loan, None)
}

fn page(view: &View<'_>, loan: &LoanRecord, remark: Option<&str>) -> Result<Response, Fault> {
    let t = view.t;
    let (key_facts, hash) = loans::key_facts(loan)?;
    let fields = html! {
        input type="hidden" name="key_facts_hash" value=(hash);
        label.choice { input type="checkbox" name="read" value="yes" required; (t.offer_read) }
        (pin_field(view))
        button { (t.accept) }
    };
    Ok(view.page(
        &t.key_facts,
        &html! {
            @if let Some(remark) = remark { (notice("bad", remark)) }
            p { (t.key_facts_lead) }
            (key_fact_table(view, loan, &key_facts)?)
            h2 { (t.accept_title) }
            (view.form("/me/offer/accept", &fields))
            (view.form("/me/offer/decline", &html! { button.quiet { (t.decline) } }))
            p { small { (t.key_facts_hash) ": " code { (hash) } } }
        },
    ))
}

/// The key facts of a loan, as borrowers and officers see them.
pub(crate) fn key_fact_table(view: &View<'_>, loan: &LoanRecord, key_facts: &KeyFacts) -> Result<Markup, Fault> {
    let t = view.t;
    let money = |minor| view.money(minor, key_facts.currency);
    let until = loan
        .offer_until
        .map(|until| loan.local_date(until.saturating_sub(jiff::SignedDuration::from_secs(1)).unwrap_or(until)));
    let until = until.transpose()?.map_or_else(String::new, |day| view.date(day));
    let late = loan.terms.as_ref().and_then(|terms| terms.product.late.as_ref());
    let late = late.map_or_else(
        || t.kf_late_none.clone(),
        |late| {
            fill(
                &t.kf_late_text,
                &[("percent", &late.percent), ("days", &late.grace_days.to_string()), ("cap", &late.cap_percent)],
            )
        },
    );
    let row = |line: &braid_microloans_arithmetic::Line| {
        let amount = |minor| format::amount(view.language(), minor, key_facts.currency);
        let rest = line.parts.total() - line.parts.principal;
        // What is to be paid comes first: on a small screen the rest is beyond the edge.
        vec![view.date(line.due), amount(line.parts.total()), amount(line.parts.principal), amount(rest)]
    };
    let heads = [
        (t.due.as_str(), Column::Words),
        (&t.total, Column::Figure),
        (&t.principal, Column::Figure),
        (&t.interest_and_fees, Column::Figure),
    ];
    Ok(html! {
        (facts(&[
            (t.kf_received.as_str(), money(key_facts.received)),
            (&t.kf_total, money(key_facts.total_paid)),
            (&t.kf_cost, money(key_facts.cost)),
            (&t.kf_apr, format!("{}%", key_facts.apr.format(2))),
        ]))
        (facts(&[
            (t.kf_principal.as_str(), money(key_facts.principal)),
            (&t.kf_rate, rate_text(key_facts)),
            (&t.kf_interest, money(key_facts.interest)),
            (&t.kf_fees, money(key_facts.fees_kept_back + key_facts.fees_with_instalments)),
            (&t.kf_thousand, money(key_facts.cost_per_thousand)),
            (&t.kf_effective, format!("{}%", key_facts.effective.format(2))),
            (&t.kf_until, until),
            (&t.kf_late, late),
        ]))
        (table(&t.kf_schedule, &heads, &key_facts.lines.iter().map(row).collect::<Vec<_>>()))
    })
}

/// The nominal rate, without zeros at its end.
fn rate_text(key_facts: &KeyFacts) -> String {
    let text = key_facts.rate.to_string();
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{short}%")
}

/// Consent.
#[derive(Deserialize)]
pub(crate) struct Acceptance {
    key_facts_hash: String,
    pin: SecretPin,
    read: String,
}

/// Accepts the offer.
pub(crate) async fn accept(State(faces): State<Arc<Faces>>, posted: Posted<Acceptance>) -> Result<Response, Fault> {
    let person = posted.visitor.borrower()?.clone();
    if posted.value.read != "yes" {
        return Err(Fault::Unreadable);
    }
    let view = View::new(&faces, &posted.visitor);
    let loan = offered(&faces, &person).await?;
    if let Some(remark) = check_pin(&view, &phone_of(&faces, &person).await?, &posted.value.pin, &posted.key).await? {
        return Ok(with_status(StatusCode::UNAUTHORIZED, page(&view, &loan, Some(&remark))?));
    }
    let mut pending = match posted.begin(&faces).await? {
        Begun::Answered(response) => return Ok(response),
        Begun::New(pending) => pending,
    };
    let consent = Consent {
        key_facts_hash: posted.value.key_facts_hash.clone(),
        language: view.language().code().to_owned(),
        channel: "web".to_owned(),
    };
    loans::accept(&mut pending.write, &loan.id, &consent).await?;
    pending.lead_to("/me").await
}

/// The number by which PINs are known. The log of openings tells of it.
async fn phone_of(faces: &Faces, person: &PersonId) -> Result<Msisdn, Fault> {
    let mut write = faces.app.write(Actor { name: "web".to_owned(), role: "gateway".to_owned() }).await?;
    let phone = vault::reveal(&mut write, person, Field::Phone, "check of a PIN").await?;
    let who = phone.expose().parse().map_err(|_| Fault::Unavailable)?;
    write.commit().await?;
    Ok(who)
}

/// Refuses the offer.
pub(crate) async fn decline(State(faces): State<Arc<Faces>>, posted: Posted<Nothing>) -> Result<Response, Fault> {
    let person = posted.visitor.borrower()?.clone();
    let mut pending = match posted.begin(&faces).await? {
        Begun::Answered(response) => return Ok(response),
        Begun::New(pending) => pending,
    };
    let loan = last_loan(&mut pending.write, &person).await?.ok_or(Fault::NotFound)?;
    loans::decline(&mut pending.write, &loan.id).await?;
    pending.lead_to("/me").await
}
