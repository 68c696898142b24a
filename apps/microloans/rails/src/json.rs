//! Foreign JSON, read leniently where providers are careless (codes and amounts are strings in one place and numbers in the next) and
//! strictly where money is concerned.

use braid_microloans_arithmetic::{Currency, Money};
use serde_json::Value;

/// The longest text that is taken over from a provider, in characters.
const MAX_TEXT: usize = 200;

/// Parses a body as a JSON object.
pub(crate) fn object(body: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Value>(body).ok().filter(Value::is_object)
}

/// A string, or a number in its own digits, under a key.
pub(crate) fn text(object: &Value, key: &str) -> Option<String> {
    scalar(object.get(key)?)
}

/// A string or number as text; anything else is none.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(shortened(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A text, cut to what is kept.
pub(crate) fn shortened(text: &str) -> String {
    text.trim().chars().take(MAX_TEXT).collect()
}

/// A positive amount under a key, as string or number.
pub(crate) fn money(object: &Value, key: &str, currency: Currency) -> Option<Money> {
    positive(&text(object, key)?, currency)
}

/// A positive amount. Thousands may be set off with commas, as in statements.
pub(crate) fn positive(text: &str, currency: Currency) -> Option<Money> {
    let minor = currency.parse(&text.replace(',', "")).ok()?;
    (minor > 0).then_some(Money { minor, currency })
}
