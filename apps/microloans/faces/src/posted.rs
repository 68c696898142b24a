//! Forms that change something: of a session, with its token, and with a key, so that a form that is sent twice does what it did.

use std::sync::Arc;

use axum::{
    Form,
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, Request},
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Redirect, Response},
};
use braid_microloans_ledger::{
    Actor, Write, audit,
    idempotency::{self, Answer},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    Faces,
    faces::MAX_FORM_BYTES,
    fault::Fault,
    guard::Visitor,
    session::{Session, Who},
};

/// What every form has besides its own fields.
#[derive(Deserialize)]
struct Tokens {
    token: String,
    key: String,
}

/// A form.
pub(crate) struct Posted<T> {
    pub(crate) visitor: Visitor,
    pub(crate) session: Session,
    pub(crate) value: T,
    /// Names this filling-in of the form.
    pub(crate) key: String,
    path: String,
    body: Bytes,
}

impl<T: DeserializeOwned> FromRequest<Arc<Faces>> for Posted<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, faces: &Arc<Faces>) -> Result<Self, Fault> {
        let visitor = request.extensions().get::<Visitor>().cloned().ok_or(Fault::Unavailable)?;
        let is_form = request
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        let body = to_bytes(request.into_body(), MAX_FORM_BYTES).await.map_err(|_| Fault::Unreadable)?;
        if !is_form {
            return Err(Fault::Unreadable);
        }
        let session = visitor.session.clone().ok_or(Fault::Stale)?;
        let tokens: Tokens = fields(&body).await?;
        if !session.has_token(&tokens.token, faces.app.ledger.vault()) {
            return Err(Fault::Stale);
        }
        let value = fields(&body).await?;
        // Keys belong to their session, whatever a browser sends.
        let key = format!("{}-{}", session.nonce, tokens.key);
        Ok(Self { path: visitor.path.clone(), visitor, session, value, key, body })
    }
}

async fn fields<T: DeserializeOwned>(body: &Bytes) -> Result<T, Fault> {
    let request = Request::post("/").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.body(Body::from(body.clone())).map_err(|_| Fault::Unreadable)?;
    let form = Form::<T>::from_request(request, &()).await;
    form.map(|Form(value)| value).map_err(|_| Fault::Unreadable)
}

/// A write that will be answered by leading to another page.
pub(crate) struct Pending {
    pub(crate) write: Write,
    key: String,
    path: String,
    body: Bytes,
}

/// Whether a form was answered before.
pub(crate) enum Begun {
    Answered(Response),
    New(Box<Pending>),
}

impl<T> Posted<T> {
    /// As whom the books know the sender.
    fn actor(&self) -> Actor {
        match &self.session.who {
            Who::Staff(name, role) => Actor { name: name.clone(), role: role.name().to_owned() },
            // The pages speak for borrowers, as the telephone's menus do.
            Who::Nobody | Who::Borrower(_) => Actor { name: "web".to_owned(), role: "gateway".to_owned() },
        }
    }

    /// Begins the write, unless this form was answered before.
    pub(crate) async fn begin(&self, faces: &Faces) -> Result<Begun, Fault> {
        let mut write = faces.app.write(self.actor()).await?;
        let request = idempotency::Request { key: &self.key, path: &self.path, body: &self.body };
        if let Some(answer) = idempotency::find(&mut write, &request).await? {
            return Ok(Begun::Answered(Redirect::to(&answer.body).into_response()));
        }
        let (key, path, body) = (self.key.clone(), self.path.clone(), self.body.clone());
        Ok(Begun::New(Box::new(Pending { write, key, path, body })))
    }
}

impl Pending {
    /// Keeps what was done with where it leads, and leads there.
    pub(crate) async fn lead_to(mut self, place: &str) -> Result<Response, Fault> {
        let request = idempotency::Request { key: &self.key, path: &self.path, body: &self.body };
        idempotency::keep(&mut self.write, &request, &Answer { status: 303, body: place.to_owned() }).await?;
        // Addresses hold ids and nothing else about a person.
        audit::record(&mut self.write, "page", &self.path, place).await?;
        self.write.commit().await?;
        Ok(Redirect::to(place).into_response())
    }
}
