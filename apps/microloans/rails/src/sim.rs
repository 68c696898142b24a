//! When a telephone number was last given another SIM, as the operator knows it: who steals a number begins with a new SIM for it.
//!
//! Asked by the interface that operators have in common (GSMA Open Gateway; CAMARA SIM Swap, `retrieve-date`), with a bearer token.

use std::time::Duration;

use http::header::AUTHORIZATION;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::{
    Msisdn,
    http::{Http, Outgoing, SetupError, Unanswered},
    json::object,
    port::{Doubt, RailError},
};

/// Where operators answer.
const PATH: &str = "/sim-swap/v1/retrieve-date";

/// An operator that can be asked about the SIMs of its numbers.
#[derive(Debug)]
pub struct SimSwaps {
    http: Http,
    token: SecretString,
}

impl SimSwaps {
    /// An operator at an address (scheme and host), which waits so long for an answer.
    ///
    /// # Errors
    /// If the address is none, or is not encrypted and not of this machine.
    pub fn new(base_url: &str, token: SecretString, timeout: Duration) -> Result<Self, SetupError> {
        Ok(Self { http: Http::new(base_url, timeout)?, token })
    }

    /// When the number was last given another SIM; `None` if never within the time that the operator looks back.
    ///
    /// # Errors
    /// If there is no answer, the operator refuses, or the answer cannot be read. It then says nothing about the SIM.
    pub async fn last_change(&self, number: &Msisdn) -> Result<Option<Timestamp>, RailError> {
        let body = json!({ "phoneNumber": format!("+{}", number.expose()) }).to_string();
        let request =
            Outgoing::post(PATH, Some(body)).with(AUTHORIZATION, format!("Bearer {}", self.token.expose_secret()));
        let answer = self.http.send(request).await.map_err(|lost| match lost {
            Unanswered::BeforeSending(doubt) | Unanswered::Perhaps(doubt) => doubt,
        })?;
        match answer.status {
            200 => read(&answer.body),
            status @ 400..=499 => Err(RailError::Refused(status.to_string())),
            status => Err(Doubt::Status(status).into()),
        }
    }
}

fn read(body: &[u8]) -> Result<Option<Timestamp>, RailError> {
    let unreadable = Doubt::Unreadable("the date of a SIM");
    match object(body).as_ref().and_then(|body| body.get("latestSimChange")) {
        Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|_| unreadable.into()),
        _ => Err(unreadable.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_date_or_none_or_nothing() {
        let at = "2026-03-01T10:00:00Z".parse().unwrap();
        assert_eq!(read(br#"{"latestSimChange":"2026-03-01T12:00:00.000+02:00"}"#), Ok(Some(at)));
        assert_eq!(read(br#"{"latestSimChange":null,"monitoredPeriod":120}"#), Ok(None));
        for body in [&b"{}"[..], b"", b"[]", br#"{"latestSimChange":"yesterday"}"#, br#"{"latestSimChange":1}"#] {
            assert!(read(body).is_err(), "{body:?}");
        }
    }
}
