//! The `.io` files of the suite: comments, requests and the responses that must follow them.
//!
//! ```text
//! // comment
//! // speconly: compare the shape alone
//! >> {"jsonrpc":"2.0", …}
//! << {"jsonrpc":"2.0", …}
//! ```

use serde_json::Value;

use super::compare::Strictness;

/// A request and the response it must get.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exchange {
    /// The request as it stands in the file, for it may be malformed on purpose.
    pub(crate) request: String,
    /// The response.
    pub(crate) expected: Value,
}

/// One `.io` file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Script {
    /// How strictly to compare.
    pub(crate) strictness: Strictness,
    /// Requests in order.
    pub(crate) exchanges: Vec<Exchange>,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// If a line is neither comment, request nor response, a response is not JSON, or the two do not alternate.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut script = Self { strictness: Strictness::Exact, exchanges: Vec::new() };
        let mut waiting: Option<String> = None;
        for (index, line) in text.lines().map(str::trim).enumerate() {
            let at = |reason: &str| format!("line {}: {reason}", index + 1);
            if let Some(comment) = line.strip_prefix("//") {
                if comment.trim_start().starts_with("speconly") {
                    script.strictness = Strictness::Shape;
                }
            } else if let Some(request) = line.strip_prefix(">> ") {
                if waiting.replace(request.to_owned()).is_some() {
                    return Err(at("request without a response before it"));
                }
            } else if let Some(response) = line.strip_prefix("<< ") {
                let request = waiting.take().ok_or_else(|| at("response without a request"))?;
                let expected = serde_json::from_str(response).map_err(|error| at(&error.to_string()))?;
                script.exchanges.push(Exchange { request, expected });
            } else if !line.is_empty() {
                return Err(at("neither comment, request nor response"));
            }
        }
        if waiting.is_some() {
            return Err("the last request has no response".to_owned());
        }
        if script.exchanges.is_empty() {
            return Err("the script has no request".to_owned());
        }
        Ok(script)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_script_is_requests_with_their_responses() {
        let script = Script::parse("// a comment\n>> {\"id\":1}\n<< {\"id\":1,\"result\":2}\n\n").unwrap();
        let exchange = Exchange { request: "{\"id\":1}".to_owned(), expected: json!({ "id": 1, "result": 2 }) };
        assert_eq!(script, Script { strictness: Strictness::Exact, exchanges: vec![exchange] });
    }

    #[test]
    fn speconly_asks_for_the_shape() {
        let script = Script::parse("// speconly: whatever\n>> {}\n<< {}\n").unwrap();
        assert_eq!(script.strictness, Strictness::Shape);
    }

    #[test]
    fn broken_scripts_are_refused() {
        for text in ["", "// nothing", ">> {}", "<< {}", ">> {}\n>> {}\n<< {}", ">> {}\n<< {", "hello\n>> {}\n<< {}"] {
            assert!(Script::parse(text).is_err(), "{text:?}");
        }
    }
}
