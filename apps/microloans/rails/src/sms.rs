//! Text messages, through an interface like that of Africa's Talking: a form with an application's key.
//!
//! A message may arrive twice where an answer was lost; it says what happened, and asks for nothing.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    Msisdn,
    http::{Http, Outgoing, SetupError, Unanswered},
    json::object,
    port::{Doubt, RailError},
};

const PATH: &str = "/version1/messaging";
const API_KEY: HeaderName = HeaderName::from_static("apikey");
/// The codes by which a message was taken: processed, sent, queued.
const TAKEN: std::ops::RangeInclusive<i64> = 100..=102;

/// Where messages are handed in.
#[derive(Debug)]
pub struct TextMessages {
    http: Http,
    username: String,
    key: SecretString,
    sender: Option<String>,
}

impl TextMessages {
    /// A gateway at an address (scheme and host), with the application's name and key, and the name that messages come from if it has one.
    ///
    /// # Errors
    /// If the address is none, or is not encrypted and not of this machine.
    pub fn new(
        base_url: &str,
        username: &str,
        key: SecretString,
        sender: Option<String>,
        timeout: Duration,
    ) -> Result<Self, SetupError> {
        Ok(Self { http: Http::new(base_url, timeout)?, username: username.to_owned(), key, sender })
    }

    /// Hands a message in.
    ///
    /// # Errors
    /// If there is no answer, or the gateway does not take it.
    pub async fn send(&self, to: &Msisdn, text: &str) -> Result<(), RailError> {
        let number = format!("+{}", to.expose());
        let mut fields = vec![("username", self.username.as_str()), ("to", &number), ("message", text)];
        if let Some(sender) = &self.sender {
            fields.push(("from", sender));
        }
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let request = Outgoing::post(PATH, Some(body.join("&")))
            .with(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .with(ACCEPT, "application/json")
            .with(API_KEY, self.key.expose_secret());
        let answer = self.http.send(request).await.map_err(|lost| match lost {
            Unanswered::BeforeSending(doubt) | Unanswered::Perhaps(doubt) => doubt,
        })?;
        match answer.status {
            200 | 201 => read(&answer.body),
            status @ 400..=499 => Err(RailError::Refused(status.to_string())),
            status => Err(Doubt::Status(status).into()),
        }
    }
}

fn read(body: &[u8]) -> Result<(), RailError> {
    let answer = object(body).ok_or(Doubt::Unreadable("the answer to a message"))?;
    let code = answer.pointer("/SMSMessageData/Recipients/0/statusCode").and_then(serde_json::Value::as_i64);
    match code {
        Some(code) if TAKEN.contains(&code) => Ok(()),
        Some(code) => Err(RailError::Refused(code.to_string())),
        None => Err(RailError::Refused("no receiver".to_owned())),
    }
}

/// A value of a form, percent-encoded.
fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_or_not() {
        let answer = |code: u16| format!(r#"{{"SMSMessageData":{{"Recipients":[{{"statusCode":{code}}}]}}}}"#);
        assert_eq!(read(answer(101).as_bytes()), Ok(()));
        assert_eq!(read(answer(403).as_bytes()), Err(RailError::Refused("403".to_owned())));
        assert!(read(br#"{"SMSMessageData":{"Message":"InvalidSenderId","Recipients":[]}}"#).is_err());
        assert!(read(b"<html>").is_err());
    }

    #[test]
    fn a_form_keeps_what_it_is_given() {
        assert_eq!(encoded("KES 1,000 & more\n+é"), "KES%201%2C000%20%26%20more%0A%2B%C3%A9");
    }
}
