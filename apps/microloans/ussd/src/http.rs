//! The gateway over HTTP, as Africa's Talking calls it, and a handset to try it in a browser.
//!
//! `POST /ussd` is answered with status 200 and plain text that begins with `CON ` or `END `; anything else would end the session
//! without a word.

use std::{fmt, sync::Arc};

use axum::{
    Form, Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse as _, Response},
    routing::{get, post},
};
use braid_microloans_rails::{Clock, Msisdn};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Deserialize;

use crate::{Gateway, gateway::Request, gsm7::septets, place::Screen};

/// The longest form that is read.
const MAX_FORM_BYTES: usize = 8 * 1024;

#[derive(Clone)]
struct Shared {
    gateway: Arc<Gateway>,
    clock: Clock,
}

/// The interface for the network's gateway: `POST /ussd` and `POST /ussd/end`.
pub fn gateway_routes(gateway: Arc<Gateway>, clock: Clock) -> Router {
    Router::new()
        .route("/ussd", post(answer))
        .route("/ussd/end", post(ended))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .with_state(Shared { gateway, clock })
}

/// The simulated handset: `/handset`. For demonstrations: whoever opens it can be any number.
pub fn handset_routes(gateway: Arc<Gateway>, clock: Clock) -> Router {
    Router::new()
        .route("/handset", get(handset).post(press))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .with_state(Shared { gateway, clock })
}

impl Shared {
    async fn screen(&self, session: &str, number: &str, text: &str) -> Screen {
        let failed = |text: String| Screen { text, goes_on: false };
        let Ok(who) = number.trim().parse::<Msisdn>() else {
            return failed("This number is not in international form.".to_owned());
        };
        let request = Request { session, who: &who, text, now_ms: self.clock.now().as_millisecond() };
        self.gateway.answer(request).await.unwrap_or_else(|error| failed(error.to_string()))
    }
}

/// What Africa's Talking sends. The text has PINs in it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    session_id: String,
    phone_number: String,
    #[serde(default)]
    text: String,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

async fn answer(State(shared): State<Shared>, Form(call): Form<Call>) -> Response {
    let screen = shared.screen(&call.session_id, &call.phone_number, &call.text).await;
    let word = if screen.goes_on { "CON" } else { "END" };
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))];
    (kind, format!("{word} {}", screen.text)).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    session_id: String,
}

async fn ended(State(shared): State<Shared>, Form(call): Form<Ended>) -> StatusCode {
    shared.gateway.ended(&call.session_id);
    StatusCode::OK
}

const STYLE: &str = "
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:24rem;padding:1rem}
pre{font:1.05rem/1.45 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere;min-height:12rem;margin:0;padding:1rem;border:.6rem solid #374151;border-radius:1.2rem}
label{display:block;margin:.8rem 0}
input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;min-height:2.75rem}
button{font:inherit;padding:.6rem 1.2rem;min-height:2.75rem;margin:.3rem .5rem .3rem 0}
";

fn page(content: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                title { "Handset" }
                style { (PreEscaped(STYLE)) }
            }
            body { main { h1 { "Handset" } (content) } }
        }
    };
    Html(page.into_string())
}

async fn handset() -> Html<String> {
    page(&dial("+2348012345678"))
}

fn dial(number: &str) -> Markup {
    html! {
        form method="post" action="/handset" {
            label { "Number" input name="number" inputmode="tel" value=(number) maxlength="16" required; }
            button { "Dial *384*27#" }
        }
    }
}

#[derive(Deserialize)]
struct Press {
    number: String,
    /// The session that goes on; none to dial.
    #[serde(default)]
    session: String,
    /// The answers so far.
    #[serde(default)]
    text: String,
    #[serde(default)]
    answer: String,
}

impl fmt::Debug for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Press").finish_non_exhaustive()
    }
}

async fn press(State(shared): State<Shared>, Form(press): Form<Press>) -> Html<String> {
    let answer = press.answer.trim();
    let (session, text) = if press.session.is_empty() {
        (format!("handset-{}-{}", press.number.trim(), shared.clock.now().as_millisecond()), String::new())
    } else if press.text.is_empty() {
        (press.session, answer.to_owned())
    } else {
        (press.session, format!("{}*{answer}", press.text))
    };
    let screen = shared.screen(&session, &press.number, &text).await;
    let count =
        septets(&screen.text).map_or_else(|| "outside the alphabet".to_owned(), |count| format!("{count} of 182"));
    page(&html! {
        pre role="status" { (screen.text) }
        p { small { "Septets: " (count) } }
        @if screen.goes_on {
            form method="post" action="/handset" {
                input type="hidden" name="number" value=(press.number);
                input type="hidden" name="session" value=(session);
                input type="hidden" name="text" value=(text);
                label { "Answer" input name="answer" maxlength="40" autocomplete="off" autofocus; }
                button { "Send" }
            }
        }
        (dial(&press.number))
    })
}
