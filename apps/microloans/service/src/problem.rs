//! What a caller is told when something was not done: a status and a sentence, as RFC 9457 has it.

use axum::{
    Json,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use braid_microloans_ledger::LedgerError;
use serde::Serialize;
use utoipa::ToSchema;

/// Why something was not done.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
}

/// A problem as it is sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// What kind, in words that do not change.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What exactly.
    pub detail: String,
}

impl Problem {
    /// A problem with a status.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "a caller shows its token as `authorization: Bearer …`")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing here")
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        let status = match &error {
            LedgerError::NotFound(..) => StatusCode::NOT_FOUND,
            LedgerError::IllegalStep(_) | LedgerError::Conflict(_) => StatusCode::CONFLICT,
            LedgerError::Invalid(_)
            | LedgerError::Arithmetic(_)
            | LedgerError::Limit { .. }
            | LedgerError::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            LedgerError::Forbidden(_) => StatusCode::FORBIDDEN,
            LedgerError::Erased => StatusCode::GONE,
            LedgerError::Busy | LedgerError::Database(_) => StatusCode::SERVICE_UNAVAILABLE,
            LedgerError::DoesNotOpen
            | LedgerError::PinHash
            | LedgerError::Randomness(_)
            | LedgerError::Corrupt(_)
            | LedgerError::Json(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            tracing::error!(error = &error as &dyn std::error::Error, "failed to answer");
            return Self::new(status, "the service failed; ask again with the same idempotency key");
        }
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            title: self.status.canonical_reason().unwrap_or("problem").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        (self.status, [(CONTENT_TYPE, "application/problem+json")], Json(body)).into_response()
    }
}
