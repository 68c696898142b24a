//! What a visitor is told when a page cannot be shown or something cannot be done. A fault travels in the response; [`guard`](crate::guard) makes a page of
//! it, in the visitor's language.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use braid_microloans_ledger::LedgerError;

/// Why there is no page.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// There is nothing here.
    NotFound,
    /// The form is too old, or of another session.
    Stale,
    /// Not in this role.
    Forbidden,
    /// What was sent cannot be read.
    Unreadable,
    /// It cannot be done; why, for staff.
    Refused(String),
    /// Not now.
    Unavailable,
    /// There is another page for this; to sign in, mostly.
    Elsewhere(&'static str),
}

impl Fault {
    const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Stale | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Elsewhere(_) => StatusCode::SEE_OTHER,
        }
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        match &error {
            LedgerError::NotFound(..) | LedgerError::Erased => Self::NotFound,
            LedgerError::KeyReused => Self::Stale,
            LedgerError::IllegalStep(_)
            | LedgerError::Conflict(_)
            | LedgerError::Invalid(_)
            | LedgerError::Forbidden(_)
            | LedgerError::Arithmetic(_)
            | LedgerError::Limit { .. } => Self::Refused(error.to_string()),
            LedgerError::Busy => Self::Unavailable,
            LedgerError::Database(_)
            | LedgerError::DoesNotOpen
            | LedgerError::PinHash
            | LedgerError::Randomness(_)
            | LedgerError::Corrupt(_)
            | LedgerError::Json(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "failed to make a page");
                Self::Unavailable
            }
        }
    }
}

impl From<braid_microloans_arithmetic::Error> for Fault {
    fn from(error: braid_microloans_arithmetic::Error) -> Self {
        LedgerError::from(error).into()
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        if let Self::Elsewhere(path) = self {
            return Redirect::to(path).into_response();
        }
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
