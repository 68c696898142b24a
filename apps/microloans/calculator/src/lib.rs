//! The loan calculator: JSON in, JSON out, for `braid microloans schedule` and `braid microloans apr`. What the keys mean is written in
//! `docs/microloans.md`; what is calculated, in `braid-microloans-arithmetic`. No input, no output, no clock.
//!
//! Amounts and rates are decimal strings, since a JSON number is a binary fraction to most programs; numbers are read all the same. Keys that are not known are refused: a misspelt key would change the result unseen.

#![forbid(unsafe_code)]

mod apr;
mod input;
mod schedule;

use serde::{Serialize, de::DeserializeOwned};

/// Bytes of a request: some thousands of payments.
pub const MAX_REQUEST_BYTES: u64 = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CalculatorError {
    /// Larger than [`MAX_REQUEST_BYTES`].
    #[error("the request is larger than {MAX_REQUEST_BYTES} bytes")]
    TooLarge,
    /// No JSON, or not of the form that is asked for.
    #[error("the request cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A value that cannot be used.
    #[error("{key}: {error}")]
    Value {
        /// Where it stands.
        key: &'static str,
        /// What is wrong with it.
        error: braid_microloans_arithmetic::Error,
    },
    /// Values that do not go together.
    #[error("{0}")]
    Inconsistent(String),
    /// A calculation that has no result.
    #[error(transparent)]
    Refused(#[from] braid_microloans_arithmetic::Error),
}

/// Answers `braid microloans schedule`.
///
/// # Errors
/// If the request cannot be read or followed.
pub fn schedule(request: &[u8]) -> Result<String, CalculatorError> {
    answer(request, schedule::answer)
}

/// Answers `braid microloans apr`.
///
/// # Errors
/// If the request cannot be read or followed.
pub fn apr(request: &[u8]) -> Result<String, CalculatorError> {
    answer(request, apr::answer)
}

fn answer<Q: DeserializeOwned, A: Serialize>(
    request: &[u8],
    calculate: impl Fn(&Q) -> Result<A, CalculatorError>,
) -> Result<String, CalculatorError> {
    if request.len() as u64 > MAX_REQUEST_BYTES {
        return Err(CalculatorError::TooLarge);
    }
    let answer = calculate(&serde_json::from_slice(request)?)?;
    Ok(serde_json::to_string_pretty(&answer)? + "\n")
}

/// Names the key of a value that cannot be used.
fn at<T>(key: &'static str, value: Result<T, braid_microloans_arithmetic::Error>) -> Result<T, CalculatorError> {
    value.map_err(|error| CalculatorError::Value { key, error })
}

#[cfg(test)]
mod tests;
