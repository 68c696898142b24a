//! Signing in with an account of the configuration.

use std::{fmt, sync::Arc};

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use braid_microloans_service::auth::Role;
use maud::html;
use serde::Deserialize;

use crate::{
    Faces,
    accounts::{MAX_NAME, MAX_PASSWORD, SignIn},
    fault::Fault,
    guard::Visitor,
    page::{View, field, notice, with_session, with_status},
    posted::Posted,
    session::{Session, Who},
};

/// Where an account's work is.
const fn first_page(role: Role) -> &'static str {
    match role {
        Role::Auditor => "/audit",
        Role::Gateway | Role::Officer | Role::Approver | Role::Treasurer | Role::Operator => "/officer",
    }
}

/// The form.
pub(crate) async fn form(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Result<Response, Fault> {
    if let Some(Who::Staff(_, role)) = visitor.session.as_ref().map(|session| &session.who) {
        return Ok(Redirect::to(first_page(*role)).into_response());
    }
    show(&faces, &visitor, StatusCode::OK, None)
}

fn show(faces: &Faces, visitor: &Visitor, status: StatusCode, remark: Option<&str>) -> Result<Response, Fault> {
    let view = View::new(faces, visitor);
    let t = view.t;
    let session = Session::begin(Who::Nobody, faces.app.clock.now())?;
    let fields = html! {
        (field(&t.account, "account", None, |_| html! {
            input id="account" name="account" autocomplete="username" autocapitalize="none" maxlength=(MAX_NAME) required;
        }))
        (field(&t.password, "password", None, |_| html! {
            input id="password" name="password" type="password" autocomplete="current-password" maxlength=(MAX_PASSWORD) required;
        }))
        button { (t.sign_in) }
    };
    let page = view.page(
        &t.staff,
        &html! {
            @if let Some(remark) = remark { (notice("bad", remark)) }
            (view.form_of(&session, "/staff", &fields))
        },
    );
    Ok(with_session(faces, &session, with_status(status, page)))
}

/// Account and password.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    account: String,
    password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// Signs in.
pub(crate) async fn sign_in(State(faces): State<Arc<Faces>>, posted: Posted<Credentials>) -> Result<Response, Fault> {
    let view = View::new(&faces, &posted.visitor);
    let Credentials { account, password } = posted.value;
    let (checker, name, now) = (Arc::clone(&faces), account.clone(), faces.app.clock.now());
    match faces.app.hashing.place()?.run(move || checker.accounts.check(&name, &password, now)).await? {
        SignIn::Right(role) => {
            let session = Session::begin(Who::Staff(account, role), now)?;
            Ok(with_session(&faces, &session, Redirect::to(first_page(role)).into_response()))
        }
        SignIn::Wrong => show(&faces, &posted.visitor, StatusCode::UNAUTHORIZED, Some(&view.t.password_wrong)),
        SignIn::Paused => show(&faces, &posted.visitor, StatusCode::TOO_MANY_REQUESTS, Some(&view.t.password_paused)),
    }
}
