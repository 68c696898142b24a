//! Where a provider's statements come from. Neither provider has an interface for them: an organisation exports them from a portal,
//! so this is a download from wherever its exports are put, with a bearer token.

use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    http::{Http, Outgoing, SetupError, Unanswered},
    port::{Doubt, RailError, Span},
};

/// Where statements are downloaded.
#[derive(Clone, Debug)]
pub struct StatementSource {
    /// Scheme and host.
    pub base_url: String,
    /// The path; `?from=…&to=…` (RFC 3339, in UTC) is appended.
    pub path: String,
    /// The bearer token.
    pub token: SecretString,
}

#[derive(Debug)]
pub(crate) struct Source {
    http: Http,
    path: String,
    token: SecretString,
}

impl Source {
    pub(crate) fn new(source: &StatementSource, timeout: Duration) -> Result<Self, SetupError> {
        if !source.path.starts_with('/') || source.path.contains(['?', '#']) {
            return Err(SetupError::Setting("the statement's path begins with a slash and has no query"));
        }
        let http = Http::new(&source.base_url, timeout)?;
        Ok(Self { http, path: source.path.clone(), token: source.token.clone() })
    }

    pub(crate) async fn download(&self, span: Span) -> Result<Bytes, RailError> {
        let path = format!("{}?from={}&to={}", self.path, span.from, span.to);
        let request = Outgoing::get(path).with(AUTHORIZATION, format!("Bearer {}", self.token.expose_secret()));
        let answer = self.http.send(request).await.map_err(|lost| match lost {
            Unanswered::BeforeSending(doubt) | Unanswered::Perhaps(doubt) => doubt,
        })?;
        match answer.status {
            200 => Ok(answer.body),
            status @ 400..=499 => Err(RailError::Refused(status.to_string())),
            status => Err(Doubt::Status(status).into()),
        }
    }
}
