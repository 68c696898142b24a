//! Requests that change something: with a caller, an idempotency key and a body, answered once and then the same for ever.

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRef, FromRequest, Request},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use braid_microloans_ledger::{
    Write, audit,
    idempotency::{self, Answer},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    app::App,
    auth::{Caller, Role, caller_of},
    limits,
    problem::Problem,
};

/// The header with the idempotency key.
pub const KEY_HEADER: &str = "idempotency-key";

/// A request that changes something.
#[derive(Debug)]
pub struct Posted<T> {
    /// Who asks.
    pub caller: Caller,
    /// For what.
    pub value: T,
    key: String,
    path: String,
    body: Bytes,
}

impl<S, T> FromRequest<S> for Posted<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
    App: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let caller = caller_of(&parts, &App::from_ref(state).callers)?;
        let key = parts.headers.get(KEY_HEADER).and_then(|value| value.to_str().ok());
        let key =
            key.ok_or_else(|| Problem::invalid(format!("a request that changes something has a header {KEY_HEADER}")))?;
        let too_large = || {
            let text = format!("a request has at most {} bytes", limits::MAX_REQUEST_BYTES);
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, text)
        };
        let body = to_bytes(body, limits::MAX_REQUEST_BYTES).await.map_err(|_| too_large())?;
        // The words of the parser may quote the body, which may hold a person's data: only the place is told.
        let value = serde_json::from_slice(if body.is_empty() { b"{}" } else { &body }).map_err(|error| {
            let text = format!(
                "the body is not the JSON that is asked for (line {}, column {})",
                error.line(),
                error.column()
            );
            Problem::invalid(text)
        })?;
        let path = format!("{} {}", parts.method, parts.uri.path());
        Ok(Self { caller, value, key: key.to_owned(), path, body })
    }
}

/// Whether a request was answered before.
#[derive(Debug)]
pub enum Begun<T> {
    /// It was, in this way.
    Answered(Response),
    /// It was not: a write is under way.
    New(Box<Pending>, T),
}

/// A write that will be answered.
#[derive(Debug)]
pub struct Pending {
    /// The write.
    pub write: Write,
    key: String,
    path: String,
    body: Bytes,
}

impl<T> Posted<T> {
    /// Begins the write, for callers of these roles.
    ///
    /// # Errors
    /// If the caller has another role, the key was used for another request, or the database fails.
    pub async fn begin(self, app: &App, roles: &[Role]) -> Result<Begun<T>, Problem> {
        self.caller.must_be(roles)?;
        let mut write = app.write(self.caller.actor()).await?;
        let request = idempotency::Request { key: &self.key, path: &self.path, body: &self.body };
        match idempotency::find(&mut write, &request).await? {
            Some(answer) => Ok(Begun::Answered(response(&answer))),
            None => {
                let pending = Pending { write, key: self.key, path: self.path, body: self.body };
                Ok(Begun::New(Box::new(pending), self.value))
            }
        }
    }
}

impl Pending {
    /// Keeps the answer with what was done, and gives it.
    ///
    /// # Errors
    /// If the database fails; then nothing was done.
    pub async fn answer(mut self, status: StatusCode, body: &impl Serialize) -> Result<Response, Problem> {
        let body = serde_json::to_string(body).map_err(braid_microloans_ledger::LedgerError::from)?;
        let answer = Answer { status: status.as_u16(), body };
        let request = idempotency::Request { key: &self.key, path: &self.path, body: &self.body };
        idempotency::keep(&mut self.write, &request, &answer).await?;
        // Addresses hold ids and nothing else about a person.
        audit::record(&mut self.write, "request", &self.path, &format!("answered {}", answer.status)).await?;
        self.write.commit().await?;
        Ok(response(&answer))
    }
}

fn response(answer: &Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    (status, [(CONTENT_TYPE, "application/json")], answer.body.clone()).into_response()
}
