//! The HTTP interface: JSON in, JSON out, amounts as text in units of their currency.

pub mod approvals;
pub mod books;
pub mod loans;
pub mod people;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A part of a long list.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// The number of the first row, from 1.
    #[serde(default = "one")]
    pub from: i64,
    /// How many rows, at most 500.
    #[serde(default = "hundred")]
    pub limit: i64,
}

const fn one() -> i64 {
    1
}

const fn hundred() -> i64 {
    100
}

impl Page {
    /// The bounds, within the limits.
    pub(crate) fn bounds(self) -> (i64, i64) {
        (self.from.max(1), self.limit.clamp(1, braid_microloans_ledger::limits::MAX_ROWS))
    }
}

/// A request without content.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// The name of what was made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Made {
    /// Its id.
    pub id: String,
}
