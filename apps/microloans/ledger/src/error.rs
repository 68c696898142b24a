//! Why something was not done.

use crate::{limits, states::IllegalStep};

/// Why something was not done. What the caller can help stands apart from what failed underneath.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// There is no such thing.
    #[error("there is no {0} {1:?}")]
    NotFound(&'static str, String),
    /// A step that the table of states does not have.
    #[error(transparent)]
    IllegalStep(#[from] IllegalStep),
    /// What was asked for cannot be done with these values.
    #[error("{0}")]
    Invalid(String),
    /// What was asked for cannot be done now.
    #[error("{0}")]
    Conflict(String),
    /// Not by this caller.
    #[error("{0}")]
    Forbidden(String),
    /// An idempotency key that was used for another request.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// The arithmetic refused.
    #[error(transparent)]
    Arithmetic(#[from] braid_microloans_arithmetic::Error),
    /// A limit was reached.
    #[error("{what} is limited to {limit}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How much there may be.
        limit: u64,
    },
    /// The person's key has been destroyed.
    #[error("the data of this person has been erased")]
    Erased,
    /// Sealed data that does not open: another master key, or damage.
    #[error("sealed data does not open with this key")]
    DoesNotOpen,
    /// No random numbers.
    #[error("failed to get random numbers: {0}")]
    Randomness(#[from] getrandom::Error),
    /// A PIN that could not be hashed, for want of memory.
    #[error("failed to hash a PIN")]
    PinHash,
    /// Too much is being done at this moment.
    #[error("too much is being done at this moment")]
    Busy,
    /// The database failed, or refused.
    #[error("failed to use the database")]
    Database(#[from] sqlx::Error),
    /// The database contains what this program does not write.
    #[error("the database contains {0}")]
    Corrupt(String),
    /// JSON that could not be written or read.
    #[error("failed to convert JSON")]
    Json(#[from] serde_json::Error),
}

impl LedgerError {
    /// For values that cannot be followed.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }

    /// For what does not fit what is.
    pub(crate) fn conflict(text: impl Into<String>) -> Self {
        Self::Conflict(text.into())
    }

    /// A text that is longer than [`limits::MAX_TEXT_CHARS`], or empty.
    pub(crate) fn check_text(what: &'static str, text: &str) -> Result<(), Self> {
        if text.trim().is_empty() {
            return Err(Self::invalid(format!("{what} is empty")));
        }
        if text.chars().count() > limits::MAX_TEXT_CHARS {
            return Err(Self::Limit { what, limit: limits::MAX_TEXT_CHARS as u64 });
        }
        Ok(())
    }
}
