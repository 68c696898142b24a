//! The page of telephones: what they are asked, what they have, what they were told. Works without scripts, at 360 pixels.

use std::sync::Arc;

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Deserialize;

use super::Shared;
use crate::{
    phone::Phone,
    time,
    world::{WorldError, written},
};

/// How many telephones one page lists, so that it stays under 100 KB.
const PHONES_PER_PAGE: usize = 50;
/// How many messages a telephone's page shows.
const MESSAGES: usize = 20;
/// Longest part of a message that is shown.
const SHOWN: usize = 500;

const STYLE: &str = "
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}
h1{font-size:1.3rem}h2{font-size:1.1rem;margin:0}
ul{list-style:none;padding:0;display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(min(18rem,100%),1fr))}
li,section{border:1px solid GrayText;border-radius:.8rem;padding:1rem;overflow-wrap:anywhere}
section{margin:1rem 0}
.asked{border:3px solid #b45309}
label{display:block;margin:.6rem 0}
input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;min-height:2.75rem}
button{font:inherit;padding:.6rem 1.2rem;min-height:2.75rem;margin:.3rem .5rem .3rem 0}
.problem{border:2px solid #b91c1c;padding:.5rem 1rem}
time{color:GrayText;font-size:.9rem}
";

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(list))
        .route("/phones/{msisdn}", get(one))
        .route("/phones/{msisdn}/answer", post(answer))
        .route("/phones/{msisdn}/pay", post(pay))
}

fn page(title: &str, content: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { h1 { (title) } (content) } }
        }
    };
    Html(page.into_string())
}

#[derive(Debug, Deserialize)]
struct Listed {
    /// The first number to list.
    #[serde(default)]
    from: String,
}

async fn list(State(shared): State<Arc<Shared>>, Query(listed): Query<Listed>) -> Html<String> {
    let now = time::utc(shared.now_ms());
    let world = shared.world.lock();
    let mut phones: Vec<&Phone> =
        world.phones().filter(|phone| phone.msisdn >= listed.from).take(PHONES_PER_PAGE + 1).collect();
    let next = if phones.len() > PHONES_PER_PAGE { phones.pop().map(|phone| phone.msisdn.clone()) } else { None };
    let content = html! {
        p { "Simulated telephones and wallets. It is " time { (now) } "." }
        ul { @for phone in phones { (card(phone)) } }
        @if let Some(next) = next { p { a href=(format!("/?from={next}")) { "More telephones" } } }
    };
    page("Telephones", &content)
}

fn card(phone: &Phone) -> Markup {
    html! {
        li .asked[phone.prompt.is_some()] {
            h2 { a href=(format!("/phones/{}", phone.msisdn)) { (phone.name) } }
            p { "+" (phone.msisdn) br; (written(phone.rail, phone.balance_minor)) }
            @if let Some(prompt) = &phone.prompt { p { strong { (prompt.text) } } }
            @if let Some(message) = phone.messages.front() { p { (message.from) ": " (cut(&message.text)) } }
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

async fn one(State(shared): State<Arc<Shared>>, Path(msisdn): Path<String>) -> Response {
    show(&shared, &msisdn, None)
}

fn show(shared: &Shared, msisdn: &str, problem: Option<&WorldError>) -> Response {
    let world = shared.world.lock();
    let phone = match world.phone(msisdn) {
        Ok(phone) => phone,
        Err(error) => {
            let content = html! { p { (error.to_string()) } p { a href="/" { "All telephones" } } };
            return (StatusCode::NOT_FOUND, page("No such telephone", &content)).into_response();
        }
    };
    let content = html! {
        @if let Some(problem) = problem { p .problem role="alert" { (problem.to_string()) } }
        p { "+" (phone.msisdn) br; (written(phone.rail, phone.balance_minor)) }
        @if phone.is_locked() { p .problem { "The wallet is locked: the PIN was wrong too often." } }
        (prompt(phone))
        (pay_form(phone))
        (messages(phone))
        p { a href=(format!("/phones/{}", phone.msisdn)) { "Look again" } " · " a href="/" { "All telephones" } }
    };
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    (status, page(&phone.name, &content)).into_response()
}

fn prompt(phone: &Phone) -> Markup {
    html! {
        @if let Some(prompt) = &phone.prompt {
            section .asked {
                h2 { "You are asked" }
                p { (prompt.text) }
                form method="post" action=(format!("/phones/{}/answer", phone.msisdn)) {
                    label { "PIN" input name="pin" type="password" inputmode="numeric" maxlength="4" autocomplete="off"; }
                    button name="action" value="approve" { "Pay" }
                    button name="action" value="refuse" { "Refuse" }
                }
            }
        }
    }
}

fn pay_form(phone: &Phone) -> Markup {
    html! {
        section {
            h2 { "Pay to BRAID" }
            form method="post" action=(format!("/phones/{}/pay", phone.msisdn)) {
                label { "Account" input name="account" maxlength="20" autocomplete="off" required; }
                label { "Amount" input name="amount" inputmode="decimal" maxlength="12" autocomplete="off" required; }
                label { "PIN" input name="pin" type="password" inputmode="numeric" maxlength="4" autocomplete="off" required; }
                button { "Pay" }
            }
        }
    }
}

fn messages(phone: &Phone) -> Markup {
    html! {
        section {
            h2 { "Messages" }
            @if phone.messages.is_empty() { p { "None yet." } }
            @for message in phone.messages.iter().take(MESSAGES) {
                p { strong { (message.from) } " " time { (time::utc(message.at_ms)) } br; (cut(&message.text)) }
            }
        }
    }
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    pin: String,
    action: String,
}

async fn answer(State(shared): State<Arc<Shared>>, Path(msisdn): Path<String>, Form(form): Form<Answer>) -> Response {
    let pin = (form.action != "refuse").then_some(form.pin.as_str());
    let answered = shared.world.lock().answer(&msisdn, pin);
    back(&shared, &msisdn, answered)
}

#[derive(Debug, Deserialize)]
struct Pay {
    account: String,
    amount: String,
    pin: String,
}

async fn pay(State(shared): State<Arc<Shared>>, Path(msisdn): Path<String>, Form(form): Form<Pay>) -> Response {
    let paid = match super::momo::minor(form.amount.trim()) {
        Some(minor) => shared.world.lock().pay_in(&msisdn, &form.pin, form.account.trim(), minor).map(|_| ()),
        None => Err(WorldError::Declined("the amount is not a number with up to two decimals")),
    };
    back(&shared, &msisdn, paid)
}

fn back(shared: &Shared, msisdn: &str, result: Result<(), WorldError>) -> Response {
    match result {
        Ok(()) => Redirect::to(&format!("/phones/{msisdn}")).into_response(),
        Err(error) => show(shared, msisdn, Some(&error)),
    }
}
