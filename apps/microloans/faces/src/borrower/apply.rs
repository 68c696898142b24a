//! Asking for a loan: first amount and number of instalments, then what that would cost, then the request itself. Nothing is written before the last step.

use std::sync::Arc;

use axum::{
    extract::{Query, State},
    response::Response,
};
use braid_microloans_arithmetic::{Minor, key_facts::KeyFacts};
use braid_microloans_ledger::{
    LedgerError,
    loans::{self, Application},
    product::Product,
    rules::{self, Rules},
    time, vault,
};
use maud::{Markup, html};
use serde::Deserialize;

use super::last_loan;
use crate::{
    Faces,
    fault::Fault,
    guard::Visitor,
    language::{Texts, fill},
    page::{View, facts, field, notice},
    posted::{Begun, Posted},
};

/// What a loan can be for: names in the books. A list, so that nobody writes names or numbers here.
const PURPOSES: [&str; 7] = ["stock", "tools", "farm", "school", "transport", "repair", "other"];

/// What a purpose is called.
pub(crate) fn purpose<'a>(t: &'a Texts, name: &'a str) -> &'a str {
    match name {
        "stock" => &t.purpose_stock,
        "tools" => &t.purpose_tools,
        "farm" => &t.purpose_farm,
        "school" => &t.purpose_school,
        "transport" => &t.purpose_transport,
        "repair" => &t.purpose_repair,
        "other" => &t.purpose_other,
        // Of an application that came another way.
        _ => name,
    }
}

/// What was typed so far.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    product: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    instalments: String,
}

/// The products of a country.
fn products<'a>(faces: &'a Faces, country: &str) -> Vec<&'a Product> {
    faces.app.catalogue.products().filter(|product| product.country == country).collect()
}

/// A wish that can be fulfilled.
struct Possible<'a> {
    product: &'a Product,
    rules: Rules,
    principal: Minor,
    instalments: u32,
}

impl<'a> Possible<'a> {
    /// Reads a wish; or says, in the visitor's language, why it cannot be.
    fn read(view: &View<'a>, wish: &Wish, country: &str) -> Result<Result<Self, String>, Fault> {
        let t = view.t;
        let product = view.faces.app.catalogue.product(&wish.product).ok().filter(|product| product.country == country);
        let Some(product) = product else { return Ok(Err(t.choose_product.clone())) };
        let now = view.faces.app.clock.now();
        let rules = rules::of_country(country)?;
        let rules = rules::in_force(country, time::local_date(now, rules.utc_offset_minutes)?)?;
        let typed: String = wish.amount.chars().filter(|c| !matches!(c, ' ' | ',')).collect();
        let bounds = [&product.principal_min, &product.principal_max].map(|text| rules.currency.parse(text));
        let [low, high] = bounds;
        let (low, high) = (low?, high?);
        let money = |minor| view.money(minor, rules.currency);
        let principal = rules.currency.parse(&typed).ok().filter(|minor| (low..=high).contains(minor));
        let Some(principal) = principal else {
            return Ok(Err(fill(&t.amount_wrong, &[("low", &money(low)), ("high", &money(high))])));
        };
        let range = product.instalments_min..=product.instalments_max;
        let instalments = wish.instalments.parse().ok().filter(|count| range.contains(count));
        let Some(instalments) = instalments else {
            let values = [("low", product.instalments_min.to_string()), ("high", product.instalments_max.to_string())];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            return Ok(Err(fill(&t.instalments_wrong, &values)));
        };
        match product.check_request(&rules, principal, instalments) {
            Ok(()) => Ok(Ok(Self { product, rules, principal, instalments })),
            // The bounds are kept: what is left is what mobile money cannot pay out.
            Err(LedgerError::Invalid(_)) => {
                Ok(Err(fill(&t.amount_multiple, &[("multiple", &money(rules.payment_multiple))])))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What it would cost, if it were offered and paid out today.
    fn estimate(&self, view: &View<'_>) -> Result<KeyFacts, Fault> {
        let today = time::local_date(view.faces.app.clock.now(), self.rules.utc_offset_minutes)?;
        let terms = self.product.terms_of(&self.rules, self.principal, self.instalments, today)?;
        Ok(KeyFacts::of(&terms.terms(today)?)?)
    }
}

/// The form, with an estimate once there is something to estimate.
pub(crate) async fn form(
    State(faces): State<Arc<Faces>>,
    visitor: Visitor,
    Query(wish): Query<Wish>,
) -> Result<Response, Fault> {
    let person = visitor.borrower()?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let mut read = faces.app.read().await?;
    let country = vault::country(&mut read, person).await?;
    let has_loan = last_loan(&mut read, person).await?.is_some_and(|loan| !loan.state.is_over());
    drop(read);
    if has_loan {
        return Ok(view.page(&t.apply, &html! { p.lead { (t.one_loan) } p { a.button href="/me" { (t.my_loan) } } }));
    }
    let is_asked = !wish.amount.is_empty() || !wish.instalments.is_empty();
    let possible = if is_asked { Some(Possible::read(&view, &wish, &country)?) } else { None };
    let estimate = match &possible {
        Some(Ok(possible)) => Some((possible, possible.estimate(&view)?)),
        _ => None,
    };
    Ok(view.page(
        &t.apply,
        &html! {
            @if let Some(Err(remark)) = &possible { (notice("bad", remark)) }
            p { (t.apply_lead) }
            (wish_form(&view, &wish, &products(&faces, &country)))
            @if let Some((possible, estimate)) = &estimate { (estimated(&view, possible, estimate)) }
        },
    ))
}

fn wish_form(view: &View<'_>, wish: &Wish, products: &[&Product]) -> Markup {
    let t = view.t;
    html! {
        form method="get" action="/me/apply" {
            @if let [product] = products { input type="hidden" name="product" value=(product.id); }
            @else {
                fieldset {
                    legend { (t.product) }
                    @for product in products { label.choice {
                        input type="radio" name="product" value=(product.id) required checked[product.id == wish.product];
                        (product.id)
                    } }
                }
            }
            @let hint = products.iter().map(|product| bounds(view, product)).collect::<Vec<_>>().join(" · ");
            (field(&t.amount, "amount", Some(&hint), |id| html! {
                input id="amount" name="amount" inputmode="numeric" maxlength="16" required value=(wish.amount) aria-describedby=[id];
            }))
            @let low = products.iter().map(|product| product.instalments_min).min().unwrap_or(1);
            @let high = products.iter().map(|product| product.instalments_max).max().unwrap_or(1);
            (field(&t.instalments, "instalments", None, |_| html! {
                input id="instalments" name="instalments" type="number" min=(low) max=(high) required value=(wish.instalments);
            }))
            button { (t.calculate) }
        }
    }
}

fn bounds(view: &View<'_>, product: &Product) -> String {
    let currency = rules::of_country(&product.country).map(|rules| rules.currency);
    let Ok(currency) = currency else { return String::new() };
    let money = |text: &str| currency.parse(text).map_or_else(|_| text.to_owned(), |minor| view.money(minor, currency));
    fill(&view.t.amount_hint, &[("low", &money(&product.principal_min)), ("high", &money(&product.principal_max))])
}

fn estimated(view: &View<'_>, possible: &Possible<'_>, facts_of: &KeyFacts) -> Markup {
    let t = view.t;
    let money = |minor| view.money(minor, facts_of.currency);
    let largest = facts_of.lines.iter().map(|line| line.parts.total()).max().unwrap_or(0);
    html! {
        section {
            h2 { (t.estimate) }
            (facts(&[
                (t.kf_received.as_str(), money(facts_of.received)),
                (&t.kf_total, money(facts_of.total_paid)),
                (&t.kf_cost, money(facts_of.cost)),
                (&t.kf_largest, money(largest)),
                (&t.kf_apr, format!("{}%", facts_of.apr.format(2))),
            ]))
            p { (t.estimate_text) }
            (view.form("/me/apply", &html! {
                input type="hidden" name="product" value=(possible.product.id);
                input type="hidden" name="amount" value=(facts_of.currency.format(possible.principal));
                input type="hidden" name="instalments" value=(possible.instalments);
                (field(&t.purpose, "purpose", None, |_| html! {
                    select id="purpose" name="purpose" required {
                        @for name in PURPOSES { option value=(name) { (purpose(t, name)) } }
                    }
                }))
                button { (t.send_request) }
            }))
        }
    }
}

/// A request.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    product: String,
    amount: String,
    instalments: u32,
    purpose: String,
}

/// Asks for a loan.
pub(crate) async fn apply(State(faces): State<Arc<Faces>>, posted: Posted<Request>) -> Result<Response, Fault> {
    let person = posted.visitor.borrower()?.clone();
    if !PURPOSES.contains(&posted.value.purpose.as_str()) {
        return Err(Fault::Unreadable);
    }
    let mut pending = match posted.begin(&faces).await? {
        Begun::Answered(response) => return Ok(response),
        Begun::New(pending) => pending,
    };
    let Request { product, amount, instalments, purpose } = posted.value;
    let application = Application { person, product, principal: amount, instalments, purpose };
    loans::apply(&mut pending.write, &faces.app.catalogue, &application).await?;
    pending.lead_to("/me").await
}
