//! Compares a JSON-RPC response with the expected one, as the suite's own runner does.
//!
//! Values must be equal, but an error's message may differ where an error is both expected and given. Scripts that only
//! state what the specification says ("speconly") are compared by shape: the same kinds of values under the same keys.

use serde_json::{Map, Value};

/// Fields that the specification leaves out where they do not apply, though the expected response has them: a node that
/// deletes no logs has no strategy for deleting them.
const OPTIONAL_FIELDS: [&str; 1] = [".result.logs.deleteStrategy"];

/// How strictly to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// Every value must be equal.
    Exact,
    /// Kinds of values and keys must be the same.
    Shape,
}

/// The differences between a response and the expected one, one a line; empty if there are none that matter.
pub(crate) fn differences(strictness: Strictness, expected: &Value, found: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    let is_error = |value: &Value| value.get("error").is_some();
    if strictness == Strictness::Shape && !is_error(found) {
        compare_shapes("", expected, found, &mut differences);
    } else if is_error(expected) && is_error(found) {
        compare("", &without_message(expected), &without_message(found), &mut differences);
    } else {
        compare("", expected, found, &mut differences);
    }
    differences
}

fn without_message(response: &Value) -> Value {
    let mut response = response.clone();
    if let Some(error) = response.get_mut("error").and_then(Value::as_object_mut) {
        error.remove("message");
    }
    response
}

fn compare(path: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, pair) in union(expected, found) {
                let path = format!("{path}.{key}");
                match pair {
                    (Some(expected), Some(found)) => compare(&path, expected, found, differences),
                    (Some(expected), None) => {
                        differences.push(format!("{path}: missing, expected {}", short(expected)))
                    }
                    (None, Some(found)) => differences.push(format!("{path}: not expected, found {}", short(found))),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(expected), Value::Array(found)) => {
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                compare(&format!("{path}[{index}]"), expected, found, differences);
            }
            if expected.len() != found.len() {
                differences.push(format!("{path}: {} elements, expected {}", found.len(), expected.len()));
            }
        }
        _ if expected == found => {}
        _ => differences.push(format!("{path}: found {}, expected {}", short(found), short(expected))),
    }
}

fn compare_shapes(path: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, expected) in expected {
                let path = format!("{path}.{key}");
                match found.get(key) {
                    Some(found) => compare_shapes(&path, expected, found, differences),
                    None if OPTIONAL_FIELDS.contains(&path.as_str()) => {}
                    None => differences.push(format!("{path}: missing")),
                }
            }
        }
        (Value::Array(expected), Value::Array(found)) => {
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                compare_shapes(&format!("{path}[{index}]"), expected, found, differences);
            }
        }
        _ if kind(expected) == kind(found) => {}
        _ => differences.push(format!("{path}: found {}, expected {}", kind(found), kind(expected))),
    }
}

type Pair<'a> = (Option<&'a Value>, Option<&'a Value>);

/// The keys of both objects with their values, sorted.
fn union<'a>(one: &'a Map<String, Value>, other: &'a Map<String, Value>) -> Vec<(&'a str, Pair<'a>)> {
    let mut keys: Vec<&str> = one.keys().chain(other.keys()).map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter().map(|key| (key, (one.get(key), other.get(key)))).collect()
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A value on one line, cut where it is long.
fn short(value: &Value) -> String {
    const MAX_CHARS: usize = 160;
    let text = value.to_string();
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn exact(expected: &Value, found: &Value) -> Vec<String> {
        differences(Strictness::Exact, expected, found)
    }

    #[test]
    fn equal_responses_do_not_differ_whatever_the_order_of_keys() {
        let expected = json!({ "id": 1, "result": { "a": [1, 2], "b": null } });
        let found = serde_json::from_str(r#"{"result":{"b":null,"a":[1,2]},"id":1}"#).unwrap();
        assert_eq!(exact(&expected, &found), Vec::<String>::new());
    }

    #[test]
    fn every_difference_is_named_by_its_path() {
        let expected = json!({ "result": { "a": "0x1", "b": [1, 2], "c": null } });
        let found = json!({ "result": { "a": "0x2", "b": [1], "d": true } });
        assert_eq!(
            exact(&expected, &found),
            [
                ".result.a: found \"0x2\", expected \"0x1\"",
                ".result.b: 1 elements, expected 2",
                ".result.c: missing, expected null",
                ".result.d: not expected, found true",
            ]
        );
    }

    #[test]
    fn messages_of_errors_may_differ_but_not_codes_or_data() {
        let expected = json!({ "error": { "code": 3, "message": "one", "data": "0x1" } });
        assert!(exact(&expected, &json!({ "error": { "code": 3, "message": "two", "data": "0x1" } })).is_empty());
        assert_eq!(exact(&expected, &json!({ "error": { "code": 4, "message": "one", "data": "0x1" } })).len(), 1);
        assert_eq!(exact(&expected, &json!({ "error": { "code": 3, "message": "one" } })).len(), 1);
        assert!(!exact(&expected, &json!({ "result": null })).is_empty());
    }

    #[test]
    fn shape_ignores_values_but_not_kinds_and_keys() {
        let shape = |expected: &Value, found: &Value| differences(Strictness::Shape, expected, found);
        let expected = json!({ "result": { "a": "0x1", "b": [{ "c": 1 }] } });
        assert!(shape(&expected, &json!({ "result": { "a": "0x2", "b": [{ "c": 7 }, {}], "d": 1 } })).is_empty());
        assert_eq!(shape(&expected, &json!({ "result": { "a": 2, "b": [{}] } })).len(), 2);
        assert!(!shape(&expected, &json!({ "error": { "code": -32601 } })).is_empty());
    }
}
