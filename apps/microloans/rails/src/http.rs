//! The HTTP client of the adapters. What it adds to a request and an answer is the difference that matters for money: whether a
//! request that got no answer can have been acted upon.
//!
//! It follows no redirect, sends to one host only, and demands TLS unless that host is this machine.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::port::Doubt;

/// The longest answer that is read. A day's statement of a busy account has some megabytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// The shortest and longest time that an answer may be waited for.
const TIMEOUTS: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(120);

/// Why an adapter cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Not `https://host[:port]`, or `http://` with an address of this machine.
    #[error("base url has to be https://host[:port], or http:// on this machine: {0:?}")]
    BaseUrl(String),
    /// Out of range.
    #[error("time-out has to be between 0.1 and 120 seconds")]
    Timeout,
    /// The system's root certificates cannot be read.
    #[error("failed to read the system's root certificates")]
    Roots(#[source] std::io::Error),
    /// The provider's certificate, or the key in it, cannot be read.
    #[error("failed to read the provider's certificate: {0}")]
    Certificate(&'static str),
    /// The initiator's password cannot be encrypted.
    #[error("failed to encrypt the initiator's password: is it longer than the key permits?")]
    Encryption,
    /// A setting that cannot be followed.
    #[error("{0}")]
    Setting(&'static str),
}

/// A request without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// It did not leave.
    BeforeSending(Doubt),
    /// It may have been acted upon.
    Perhaps(Doubt),
}

/// An answer, read whole.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Bytes,
}

/// One request to the host.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    /// Path and query, with a leading slash.
    pub(crate) path: String,
    pub(crate) headers: Vec<(HeaderName, String)>,
    /// JSON, if any, unless a header says otherwise.
    pub(crate) body: Option<String>,
}

impl Outgoing {
    /// A GET.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), headers: Vec::new(), body: None }
    }

    /// A POST of JSON, or of nothing.
    pub(crate) fn post(path: impl Into<String>, body: Option<String>) -> Self {
        Self { method: Method::POST, path: path.into(), headers: Vec::new(), body }
    }

    /// With one header more.
    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A client of one host.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Scheme and authority, without a trailing slash.
    base: String,
    timeout: Duration,
}

impl Http {
    /// A client of the host that `base_url` names.
    pub(crate) fn new(base_url: &str, timeout: Duration) -> Result<Self, SetupError> {
        if !TIMEOUTS.contains(&timeout) {
            return Err(SetupError::Timeout);
        }
        let (base, is_secure) = parse_base(base_url).ok_or_else(|| SetupError::BaseUrl(base_url.to_owned()))?;
        let connector = HttpsConnectorBuilder::new();
        let provider = Arc::new(ring::default_provider());
        let connector = if is_secure {
            connector
                .with_provider_and_native_roots(provider)
                .map_err(SetupError::Roots)?
                .https_only()
                .enable_http1()
                .build()
        } else {
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| SetupError::Roots(std::io::Error::other(error)))?;
            let config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
            connector.with_tls_config(config).https_or_http().enable_http1().build()
        };
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), base, timeout })
    }

    /// Sends a request and reads the answer whole.
    pub(crate) async fn send(&self, outgoing: Outgoing) -> Result<Answer, Unanswered> {
        let request =
            self.request(outgoing).map_err(|_| Unanswered::BeforeSending(Doubt::Unreadable("our request")))?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| {
                if error.is_connect() {
                    Unanswered::BeforeSending(Doubt::Unreachable)
                } else {
                    Unanswered::Perhaps(Doubt::NoAnswer)
                }
            })?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|_| Unanswered::Perhaps(Doubt::NoAnswer))?;
            Ok(Answer { status, body: body.to_bytes() })
        };
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or(Err(Unanswered::Perhaps(Doubt::NoAnswer)))
    }

    fn request(&self, outgoing: Outgoing) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::builder().method(outgoing.method).uri(format!("{}{}", self.base, outgoing.path));
        for (name, value) in outgoing.headers {
            request = request.header(name, value);
        }
        let has_type = request.headers_ref().is_some_and(|headers| headers.contains_key(header::CONTENT_TYPE));
        if outgoing.body.is_some() && !has_type {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let mut request = request.body(Full::from(outgoing.body.unwrap_or_default()))?;
        if let Some(authorization) = request.headers_mut().get_mut(header::AUTHORIZATION) {
            authorization.set_sensitive(true);
        }
        Ok(request)
    }
}

/// Scheme and authority of a base URL, and whether it is TLS. A path, a query and a user's name have no business in it.
fn parse_base(text: &str) -> Option<(String, bool)> {
    let uri: Uri = text.parse().ok()?;
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    if uri.query().is_some() || !matches!(uri.path(), "" | "/") {
        return None;
    }
    let is_secure = match uri.scheme_str()? {
        "https" => true,
        "http" if matches!(uri.host()?, "127.0.0.1" | "localhost" | "[::1]") => false,
        _ => return None,
    };
    Some((format!("{}://{authority}", if is_secure { "https" } else { "http" }), is_secure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        for good in [
            "https://api.safaricom.co.ke",
            "https://api.safaricom.co.ke/",
            "http://127.0.0.1:8080",
            "http://localhost:1",
        ] {
            assert!(parse_base(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "api.example",
            "http://api.example",
            "ftp://127.0.0.1",
            "https://a@b",
            "https://a/b",
            "https://a?b",
            "http://127.0.0.1.example",
        ] {
            assert!(parse_base(bad).is_none(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_a_request_that_was_not_sent() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let http = Http::new(&format!("http://127.0.0.1:{port}"), Duration::from_secs(60)).unwrap();
        let answer = http.send(Outgoing::get("/")).await;
        assert_eq!(answer.err(), Some(Unanswered::BeforeSending(Doubt::Unreachable)));
    }

    #[tokio::test]
    async fn a_connection_that_breaks_leaves_a_doubt() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = [0; 64];
            let read = std::io::Read::read(&mut stream, &mut seen).unwrap();
            assert!(read > 0);
        });
        let http = Http::new(&format!("http://127.0.0.1:{port}"), Duration::from_secs(60)).unwrap();
        let answer = http.send(Outgoing::post("/", Some("{}".into()))).await;
        assert_eq!(answer.err(), Some(Unanswered::Perhaps(Doubt::NoAnswer)));
        server.join().unwrap();
    }
}
