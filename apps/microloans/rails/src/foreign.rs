//! The adapters' readers of foreign input without an adapter: for tests, fuzzing, and files that came by other ways.

use braid_microloans_arithmetic::Currency;

use crate::{
    daraja, momo,
    port::{CallbackError, Delivery, Event, Provider, RailError, Span, StatementLine},
};

/// Reads a callback of a provider, as [`crate::MobileMoney::read_callback`] does.
///
/// # Errors
/// If it cannot be read.
pub fn read_callback(provider: Provider, delivery: Delivery<'_>, currency: Currency) -> Result<Event, CallbackError> {
    match provider {
        Provider::Daraja => daraja::read_callback(delivery, currency),
        Provider::MtnMomo => momo::read_callback(delivery, currency),
    }
}

/// Reads a statement of a provider, as [`crate::MobileMoney::statement`] does: the movements in `span`, in the order of time.
///
/// # Errors
/// If any line of it cannot be read.
pub fn read_statement(
    provider: Provider,
    body: &[u8],
    currency: Currency,
    span: Span,
) -> Result<Vec<StatementLine>, RailError> {
    match provider {
        Provider::Daraja => daraja::read_statement(body, currency, span),
        Provider::MtnMomo => momo::read_statement(body, currency, span),
    }
}
