//! Signing in with the telephone number and the PIN of the telephone's menus, and signing out.

use std::{fmt, sync::Arc};

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use braid_microloans_ledger::{Actor, PersonId, vault};
use braid_microloans_rails::Msisdn;
use braid_microloans_ussd::loans::PinCheck;
use maud::{Markup, html};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    Faces,
    fault::Fault,
    guard::Visitor,
    language::fill,
    page::{View, field, notice, with_session, with_status},
    posted::Posted,
    session::{Session, Who},
};

/// The form.
pub(crate) async fn form(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Result<Response, Fault> {
    if visitor.borrower().is_ok() {
        return Ok(Redirect::to("/me").into_response());
    }
    show(&faces, &visitor, StatusCode::OK, None)
}

/// The form with a session of its own, which the sign-in ends.
fn show(faces: &Faces, visitor: &Visitor, status: StatusCode, remark: Option<String>) -> Result<Response, Fault> {
    let view = View::new(faces, visitor);
    let t = view.t;
    let session = Session::begin(Who::Nobody, faces.app.clock.now())?;
    let fields = html! {
        (field(&t.phone, "phone", Some(&t.phone_hint), |hint| html! {
            input id="phone" name="phone" type="tel" inputmode="tel" autocomplete="tel" maxlength="24" required aria-describedby=[hint];
        }))
        (pin_field(&view))
        button { (t.sign_in) }
    };
    let page = view.page(
        &t.sign_in,
        &html! {
            @if let Some(remark) = &remark { (notice("bad", remark)) }
            p { (fill(&t.sign_in_lead, &[("dial", &faces.dial)])) }
            (view.form_of(&session, "/sign-in", &fields))
            p { small { (fill(&t.sign_in_help, &[("phone", &faces.helpline)])) } }
        },
    );
    Ok(with_session(faces, &session, with_status(status, page)))
}

/// The input of a PIN.
pub(super) fn pin_field(view: &View<'_>) -> Markup {
    field(&view.t.pin, "pin", Some(&view.t.pin_hint), |hint| {
        html! {
            input id="pin" name="pin" type="password" inputmode="numeric" pattern="[0-9]*" minlength="4" maxlength="4"
                autocomplete="current-password" required aria-describedby=[hint];
        }
    })
}

/// Number and PIN.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    phone: String,
    pin: SecretPin,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// A PIN as it was typed.
#[derive(Deserialize)]
#[serde(from = "String")]
pub(super) struct SecretPin(SecretString);

impl From<String> for SecretPin {
    fn from(pin: String) -> Self {
        Self(SecretString::from(pin))
    }
}

/// What became of a PIN, as a remark; none if it is right.
pub(super) async fn check_pin(
    view: &View<'_>,
    who: &Msisdn,
    pin: &SecretPin,
    key: &str,
) -> Result<Option<String>, Fault> {
    let checked = view.faces.pins.check(who, &pin.0, key).await.map_err(|_| Fault::Unavailable)?;
    Ok(match checked {
        PinCheck::Right => None,
        PinCheck::Wrong { left } => Some(fill(&view.t.pin_wrong, &[("left", &left.to_string())])),
        PinCheck::Locked => Some(fill(&view.t.pin_locked, &[("phone", &view.faces.helpline)])),
    })
}

/// Signs in.
pub(crate) async fn sign_in(State(faces): State<Arc<Faces>>, posted: Posted<Credentials>) -> Result<Response, Fault> {
    let view = View::new(&faces, &posted.visitor);
    let typed: String = posted.value.phone.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
    let Ok(who) = typed.parse::<Msisdn>() else {
        return show(&faces, &posted.visitor, StatusCode::UNAUTHORIZED, Some(view.t.phone_wrong.clone()));
    };
    if let Some(remark) = check_pin(&view, &who, &posted.value.pin, &posted.key).await? {
        return show(&faces, &posted.visitor, StatusCode::UNAUTHORIZED, Some(remark));
    }
    let Some(person) = person(&faces, &who).await? else {
        return show(&faces, &posted.visitor, StatusCode::UNAUTHORIZED, Some(view.t.phone_wrong.clone()));
    };
    let session = Session::begin(Who::Borrower(person), faces.app.clock.now())?;
    Ok(with_session(&faces, &session, Redirect::to("/me").into_response()))
}

async fn person(faces: &Faces, who: &Msisdn) -> Result<Option<PersonId>, Fault> {
    let mut write = faces.app.write(Actor { name: "web".to_owned(), role: "gateway".to_owned() }).await?;
    Ok(vault::find(&mut write, &format!("+{}", who.expose())).await?)
}

/// A form without fields of its own.
#[derive(Debug, Deserialize)]
pub(crate) struct Nothing {}

/// Signs out.
pub(crate) async fn sign_out(State(faces): State<Arc<Faces>>, _: Posted<Nothing>) -> Response {
    let gone = crate::session::set_cookie(crate::session::COOKIE, "", 0, faces.is_secure);
    let mut response = Redirect::to("/").into_response();
    if let Ok(value) = gone.parse() {
        response.headers_mut().append(axum::http::header::SET_COOKIE, value);
    }
    response
}
