//! The frame of all pages, and the pieces they are made of.

use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use braid_microloans_arithmetic::{Currency, Date, Minor};
use braid_microloans_ledger::{LoanState, PersonId};
use braid_microloans_service::auth::Role;
use braid_microloans_ussd::Language;
use maud::{DOCTYPE, Markup, Render, html};

use crate::{
    Faces,
    fault::Fault,
    format,
    guard::Visitor,
    language::{self, Texts, fill},
    session::{Session, Who, random_token},
};

/// A page in the making: for whom, in which language.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) faces: &'a Faces,
    pub(crate) visitor: &'a Visitor,
    pub(crate) t: &'a Texts,
}

impl<'a> View<'a> {
    pub(crate) const fn new(faces: &'a Faces, visitor: &'a Visitor) -> Self {
        Self { faces, visitor, t: faces.texts.texts(visitor.language) }
    }

    pub(crate) const fn language(&self) -> Language {
        self.visitor.language
    }

    pub(crate) fn money(&self, minor: Minor, currency: Currency) -> String {
        format::money(self.language(), minor, currency)
    }

    pub(crate) fn date(&self, date: Date) -> String {
        format::date(self.t, date)
    }

    /// A day that is stored as text.
    pub(crate) fn day(&self, text: &str) -> String {
        text.parse().map_or_else(|_| text.to_owned(), |date| self.date(date))
    }

    pub(crate) fn moment(&self, millis: i64) -> String {
        format::moment(self.t, millis)
    }

    pub(crate) fn count(&self, count: impl TryInto<u64>) -> String {
        format::count(self.language(), count)
    }

    /// A whole page.
    pub(crate) fn page(&self, title: &str, content: &Markup) -> Response {
        let page = html! {
            (DOCTYPE)
            html lang=(self.language().code()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width,initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · Braid" }
                    link rel="stylesheet" href="/style.css";
                }
                body {
                    a.skip href="#content" { (self.t.skip) }
                    header.top {
                        a.brand href="/" { "Braid" }
                        (self.languages())
                        nav aria-label=(self.t.sections) { ul { (self.sections()) } }
                    }
                    main id="content" { h1 { (title) } (content) }
                    footer { p { (fill(&self.t.footer, &[("phone", &self.faces.helpline)])) } }
                }
            }
        };
        Html(page.into_string()).into_response()
    }

    fn languages(&self) -> Markup {
        html! {
            details.languages {
                summary { span.unseen { (self.t.language) ": " } (language::own_name(self.language())) }
                ul {
                    @for language in Language::ALL {
                        li {
                            a href={ (self.visitor.path) "?lang=" (language.code()) } lang=(language.code()) hreflang=(language.code())
                                aria-current=[(language == self.language()).then_some("true")] {
                                (language::own_name(language))
                            }
                        }
                    }
                }
            }
        }
    }

    fn sections(&self) -> Markup {
        let t = self.t;
        let link = |path: &str, text: &str| {
            let is_here = self.visitor.path == path;
            html! { li { a href=(path) aria-current=[is_here.then_some("page")] { (text) } } }
        };
        match self.visitor.session.as_ref().map(|session| &session.who) {
            Some(Who::Borrower(_)) => html! {
                (link("/me", &t.my_loan)) (link("/me/pay", &t.pay)) (link("/me/receipts", &t.receipts)) (link("/learn", &t.learn))
                li { (self.sign_out()) }
            },
            Some(Who::Staff(_, role)) => html! {
                @if *role != Role::Auditor {
                    (link("/officer", &t.queue)) (link("/officer/approvals", &t.approvals))
                    (link("/officer/collections", &t.collections)) (link("/officer/money", &t.money))
                }
                @if matches!(role, Role::Auditor | Role::Operator) {
                    (link("/audit", &t.books)) (link("/audit/journal", &t.journal)) (link("/audit/days", &t.days)) (link("/audit/log", &t.log))
                }
                (link("/figures", &t.figures))
                li { (self.sign_out()) }
            },
            _ => html! {
                (link("/sign-in", &t.sign_in)) (link("/learn", &t.learn)) (link("/lend", &t.lend)) (link("/figures", &t.figures))
            },
        }
    }

    fn sign_out(&self) -> Markup {
        self.form("/sign-out", &html! { button.link { (self.t.sign_out) } })
    }

    /// A form of this session.
    pub(crate) fn form(&self, action: &str, content: &Markup) -> Markup {
        match &self.visitor.session {
            Some(session) => self.form_of(session, action, content),
            None => html! {},
        }
    }

    /// A form of a session.
    pub(crate) fn form_of(&self, session: &Session, action: &str, content: &Markup) -> Markup {
        let token = session.form_token(self.faces.app.ledger.vault());
        html! {
            form method="post" action=(action) {
                input type="hidden" name="token" value=(token);
                // Without random numbers a form can be sent once for each session.
                input type="hidden" name="key" value=(random_token().unwrap_or_default());
                (content)
            }
        }
    }

    /// The page of a fault.
    pub(crate) fn fault(&self, fault: &Fault) -> Response {
        let t = self.t;
        let (title, text) = match fault {
            Fault::NotFound => (&t.not_found, &t.not_found_text),
            Fault::Stale => (&t.stale, &t.stale_text),
            Fault::Forbidden | Fault::Elsewhere(_) => (&t.forbidden, &t.forbidden_text),
            Fault::Unreadable => (&t.unreadable, &t.unreadable_text),
            Fault::Refused(_) => (&t.refused, &t.refused_text),
            Fault::Unavailable => (&t.unavailable, &t.unavailable_text),
        };
        let is_staff = self.visitor.session.as_ref().is_some_and(|session| matches!(session.who, Who::Staff(..)));
        self.page(
            title,
            &html! {
                p { (fill(text, &[("phone", &self.faces.helpline)])) }
                @if let (Fault::Refused(why), true) = (fault, is_staff) { p lang="en" { code { (why) } } }
                p { a.button href="/" { (t.to_start) } }
            },
        )
    }

    /// What a state of a loan is called.
    pub(crate) fn state(&self, state: LoanState) -> &'a str {
        let t = self.t;
        match state {
            LoanState::Draft | LoanState::Submitted => &t.state_submitted,
            LoanState::UnderReview => &t.state_review,
            LoanState::Rejected => &t.state_rejected,
            LoanState::Withdrawn => &t.state_withdrawn,
            LoanState::Offered => &t.state_offered,
            LoanState::OfferExpired | LoanState::FundingFailed => &t.state_expired,
            LoanState::Declined => &t.state_declined,
            LoanState::Accepted | LoanState::Funding | LoanState::Funded => &t.state_accepted,
            LoanState::Disbursing | LoanState::DisbursementUnknown | LoanState::DisbursementFailed => &t.state_sending,
            LoanState::Active => &t.state_active,
            LoanState::Restructured => &t.state_restructured,
            LoanState::Overpaid | LoanState::RefundPending => &t.state_refund,
            LoanState::Closed => &t.state_closed,
            LoanState::CoolingOffCancelled => &t.state_cancelled,
            LoanState::ChargedOff | LoanState::Recovered | LoanState::WrittenOffClosed => &t.state_lost,
            LoanState::Forgiven => &t.state_forgiven,
        }
    }
}

/// Adds a session's cookie to an answer.
pub(crate) fn with_session(faces: &Faces, session: &Session, mut response: Response) -> Response {
    let seconds = session.expires - faces.app.clock.now().as_second();
    let value = session.signed(faces.app.ledger.vault());
    let cookie = crate::session::set_cookie(crate::session::COOKIE, &value, seconds, faces.is_secure);
    if let Ok(value) = cookie.parse() {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// Sets an answer's status.
pub(crate) fn with_status(status: StatusCode, mut response: Response) -> Response {
    *response.status_mut() = status;
    response
}

/// Names with values; what has no value is left out.
pub(crate) fn facts<V: Render>(pairs: &[(&str, V)]) -> Markup {
    let shown = pairs.iter().map(|(name, value)| (name, value.render())).filter(|(_, value)| !value.0.is_empty());
    html! { dl { @for (name, value) in shown { div { dt { (name) } dd { (value) } } } } }
}

/// A table; on a small screen each row is a card, whose cells say the names of their columns themselves.
pub(crate) fn table<C: Render>(caption: &str, heads: &[(&str, Column)], rows: &[Vec<C>]) -> Markup {
    let class = |at: usize| heads.get(at).filter(|(_, column)| *column == Column::Figure).map(|_| "figure");
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for (at, (head, _)) in heads.iter().enumerate() { th scope="col" class=[class(at)] { (head) } } } }
                tbody {
                    @for row in rows {
                        tr { @for (at, cell) in row.iter().enumerate() { td class=[class(at)] data-label=[heads.get(at).map(|(head, _)| head)] { (cell) } } }
                    }
                }
            }
        }
    }
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Words,
    /// Aligned to the right.
    Figure,
}

/// A remark that stands out: `good`, `bad`, `calm`.
pub(crate) fn notice(kind: &str, text: &str) -> Markup {
    let role = if kind == "bad" { "alert" } else { "status" };
    html! { p class={ "notice " (kind) } role=(role) { (text) } }
}

/// An input with its label, and a hint below it.
pub(crate) fn field(label: &str, id: &str, hint: Option<&str>, input: impl FnOnce(Option<&str>) -> Markup) -> Markup {
    let hint_id = format!("{id}-hint");
    html! {
        div.field {
            label for=(id) { (label) }
            (input(hint.map(|_| hint_id.as_str())))
            @if let Some(hint) = hint { small id=(hint_id) { (hint) } }
        }
    }
}

/// A short part of an id or hash, with all of it on hand.
pub(crate) fn short(text: &str) -> Markup {
    html! { code title=(text) { (text.get(..12).unwrap_or(text)) "…" } }
}

/// Paragraphs, with blank lines between them; lines that begin with a hyphen are a list.
pub(crate) fn prose(text: &str) -> Markup {
    html! {
        @for part in text.split("\n\n") {
            @if part.starts_with("- ") {
                ul { @for line in part.lines() { li { (line.strip_prefix("- ").unwrap_or(line)) } } }
            } @else {
                p { (part) }
            }
        }
    }
}

/// Whose page this is, for the log of openings.
pub(crate) fn is_own(person: &PersonId, owner: &PersonId) -> Result<(), Fault> {
    if person == owner { Ok(()) } else { Err(Fault::NotFound) }
}
