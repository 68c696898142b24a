//! What every request passes: who asks, in which language; and what every answer has: headers that forbid scripts and strangers, and a page where there would
//! be only a status.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use braid_microloans_ledger::PersonId;
use braid_microloans_service::auth::{Caller, Role};
use braid_microloans_ussd::Language;

use crate::{
    Faces,
    fault::Fault,
    page::View,
    session::{self, Session, Who},
};

const LANGUAGE_COOKIE: &str = "braid-language";
/// A year, in seconds.
const LANGUAGE_SECONDS: i64 = 365 * 24 * 60 * 60;

/// Nothing but this service's own style sheet is loaded, and nothing is executed.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=()"),
];

/// Who asks for a page.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) language: Language,
    pub(crate) session: Option<Session>,
    pub(crate) path: String,
}

impl Visitor {
    fn of(request: &Request, faces: &Faces) -> Self {
        let headers = request.headers();
        let cookies = headers.get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let vault = faces.app.ledger.vault();
        let session = session::cookie(cookies, session::COOKIE);
        let session = session.and_then(|value| Session::read(value, vault, faces.app.clock.now()));
        let chosen = asked_language(request)
            .or_else(|| session::cookie(cookies, LANGUAGE_COOKIE).and_then(Language::of_code))
            .or_else(|| preferred_language(headers));
        Self {
            language: chosen.unwrap_or(Language::English),
            session: session.filter(|session| is_current(session, faces)),
            path: request.uri().path().to_owned(),
        }
    }

    /// The borrower who is signed in.
    pub(crate) fn borrower(&self) -> Result<&PersonId, Fault> {
        match self.session.as_ref().map(|session| &session.who) {
            Some(Who::Borrower(person)) => Ok(person),
            _ => Err(Fault::Elsewhere("/sign-in")),
        }
    }

    /// The account that is signed in, if it has one of these roles.
    pub(crate) fn staff(&self, roles: &[Role]) -> Result<Caller, Fault> {
        match self.session.as_ref().map(|session| &session.who) {
            Some(Who::Staff(name, role)) if roles.contains(role) => Ok(Caller { name: name.clone(), role: *role }),
            Some(Who::Staff(..)) => Err(Fault::Forbidden),
            _ => Err(Fault::Elsewhere("/staff")),
        }
    }
}

/// An account that was taken out of the configuration, or has another role by now, is signed out.
fn is_current(session: &Session, faces: &Faces) -> bool {
    match &session.who {
        Who::Staff(name, role) => faces.accounts.role_of(name) == Some(*role),
        _ => true,
    }
}

/// The language that a link on the page asked for.
fn asked_language(request: &Request) -> Option<Language> {
    let pairs = request.uri().query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(name, _)| *name == "lang").and_then(|(_, code)| Language::of_code(code))
}

/// The first language of the browser's list that there is.
fn preferred_language(headers: &HeaderMap) -> Option<Language> {
    let list = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    let codes = list.split(',').map(|part| part.split([';', '-']).next().unwrap_or("").trim());
    // The codes of Twi and of its family, Akan, are both in use.
    codes.into_iter().find_map(|code| Language::of_code(if code == "ak" { "tw" } else { code }))
}

impl FromRequestParts<Arc<Faces>> for Visitor {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Faces>) -> Result<Self, Fault> {
        parts.extensions.get::<Self>().cloned().ok_or(Fault::Unavailable)
    }
}

/// Whether a browser says that another site sends this.
fn is_foreign(request: &Request) -> bool {
    let site = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok());
    request.method() == Method::POST && site.is_some_and(|site| site != "same-origin" && site != "none")
}

/// Passes a request on and its answer back.
pub(crate) async fn guard(State(faces): State<Arc<Faces>>, mut request: Request, next: Next) -> Response {
    let visitor = Visitor::of(&request, &faces);
    let asked = asked_language(&request);
    request.extensions_mut().insert(visitor.clone());
    let response = if is_foreign(&request) { Fault::Stale.into_response() } else { next.run(request).await };
    let mut response = with_page(&faces, &visitor, response);
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    // Pages hold persons' data, or tokens; only what sets its own rule may be kept.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(language) = asked {
        let cookie = session::set_cookie(LANGUAGE_COOKIE, language.code(), LANGUAGE_SECONDS, faces.is_secure);
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

/// Makes a page of an answer that has only a status.
fn with_page(faces: &Faces, visitor: &Visitor, response: Response) -> Response {
    let fault = match response.extensions().get::<Fault>() {
        Some(fault) => fault.clone(),
        None => match response.status() {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::PAYLOAD_TOO_LARGE => {
                Fault::Unreadable
            }
            _ => return response,
        },
    };
    let status = response.status();
    let mut page = View::new(faces, visitor).fault(&fault);
    *page.status_mut() = status;
    page
}
