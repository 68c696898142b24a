//! Receipts: each payment, with its place in the books and the proof that it is there.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use braid_microloans_ledger::{
    LedgerError, PaymentId,
    journal::{merkle, seal},
    loans::{self, report},
};
use maud::{Markup, html};

use super::last_loan;
use crate::{
    Faces,
    fault::Fault,
    guard::Visitor,
    page::{View, facts, is_own},
};

/// The payments of the last loan.
pub(crate) async fn list(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Result<Response, Fault> {
    let person = visitor.borrower()?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let mut read = faces.app.read().await?;
    let paid = match last_loan(&mut read, person).await? {
        Some(loan) => report::payments_of(&mut read, &loan.id).await?,
        None => Vec::new(),
    };
    drop(read);
    Ok(view.page(
        &t.receipts,
        &html! {
            @if paid.is_empty() { p.lead { (t.no_payments) } }
            ul.plain { @for paid in &paid { li {
                a href={ "/me/receipts/" (paid.id) } { (view.date(paid.paid_on)) } ": " (view.money(paid.amount, paid.currency))
            } } }
        },
    ))
}

/// A receipt.
pub(crate) async fn one(
    State(faces): State<Arc<Faces>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let person = visitor.borrower()?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let id: PaymentId = id.parse()?;
    let mut read = faces.app.read().await?;
    let paid = report::payment(&mut read, &id).await?;
    let loan = loans::loan(&mut read, &paid.loan).await?;
    is_own(person, &loan.person)?;
    let proof = match seal::prove(&mut read, paid.entry).await {
        Ok(proof) => Some(proof),
        // The day has not ended yet.
        Err(LedgerError::NotFound(..)) => None,
        Err(error) => return Err(error.into()),
    };
    drop(read);
    Ok(view.page(
        &t.receipt,
        &html! {
            p.figure-large { (view.money(paid.amount, paid.currency)) }
            (facts(&[
                (t.date_head.as_str(), view.date(paid.paid_on)),
                (&t.loan, loan.code.to_string()),
                (&t.provider, paid.rail.clone()),
                (&t.provider_receipt, paid.receipt.clone()),
                (&t.entry, paid.entry.to_string()),
            ]))
            h2 { (t.proof) }
            @match proof {
                Some(proof) => (proof_of(&view, &proof)?),
                None => p { (t.proof_later) },
            }
        },
    ))
}

/// A proof, calculated again here.
pub(crate) fn proof_of(view: &View<'_>, proof: &seal::EntryProof) -> Result<Markup, Fault> {
    let t = view.t;
    let root = merkle::root_by(&merkle::parse(&proof.leaf)?, &proof.proof)?;
    let holds = const_hex::encode(root) == proof.root;
    Ok(html! {
        @if holds { (crate::page::notice("good", &t.proof_holds)) } @else { (crate::page::notice("bad", &t.proof_fails)) }
        (facts(&[
            (t.day.as_str(), html! { (view.day(&proof.day)) }),
            (&t.entry_hash, html! { code.hash { (proof.leaf) } }),
            (&t.day_root, html! { code.hash { (proof.root) } }),
        ]))
        details { summary { (t.proof_path) }
            ol { @for hash in &proof.proof.path { li { code.hash { (hash) } } } }
        }
    })
}
