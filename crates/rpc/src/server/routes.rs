//! Plain pages on the RPC port: a GET of a known path is answered by a function, everything else goes to JSON-RPC.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Method, StatusCode, header};
use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse};
use tower::{Layer, Service};

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRoute {
    /// HTTP status.
    pub status: u16,
    /// Content type.
    pub content_type: &'static str,
    /// Body.
    pub body: String,
}

impl HttpRoute {
    /// A page of plain text.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: body.into() }
    }
}

/// The page at a path, if there is one.
pub type Routes = Arc<dyn Fn(&str) -> Option<HttpRoute> + Send + Sync>;

/// Puts [`Routes`] before a service.
#[derive(Clone)]
pub(super) struct RoutesLayer(Option<Routes>);

impl RoutesLayer {
    pub(super) const fn new(routes: Option<Routes>) -> Self {
        Self(routes)
    }
}

impl<S> Layer<S> for RoutesLayer {
    type Service = RoutesService<S>;

    fn layer(&self, inner: S) -> RoutesService<S> {
        RoutesService { routes: self.0.clone(), inner }
    }
}

/// A service with [`Routes`] before it.
#[derive(Clone)]
pub(super) struct RoutesService<S> {
    routes: Option<Routes>,
    inner: S,
}

impl<S> RoutesService<S> {
    fn page<B>(&self, request: &HttpRequest<B>) -> Option<HttpRoute> {
        let is_plain = request.method() == Method::GET && !request.headers().contains_key(header::UPGRADE);
        self.routes.as_ref().filter(|_| is_plain)?(request.uri().path())
    }
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<HttpResponse, E>> + Send>>;

impl<S, B> Service<HttpRequest<B>> for RoutesService<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = HttpResponse;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        match self.page(&request) {
            Some(page) => Box::pin(std::future::ready(Ok(response(page)))),
            None => Box::pin(self.inner.call(request)),
        }
    }
}

fn response(page: HttpRoute) -> HttpResponse {
    let mut response = HttpResponse::new(HttpBody::from(page.body));
    *response.status_mut() = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(page.content_type));
    response
}
