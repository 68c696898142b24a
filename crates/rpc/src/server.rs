//! The server: HTTP and WebSocket JSON-RPC on one port, with plain pages (`/health`, `/metrics`) beside them.

mod middleware;
mod routes;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderValue, Method, header};
use jsonrpsee::{
    core::{RegisterMethodError, middleware::RpcServiceBuilder},
    server::{BatchRequestConfig, IdProvider, ServerBuilder, ServerConfig},
    types::SubscriptionId,
};
use tower_http::cors::{AllowOrigin, CorsLayer};

pub use self::routes::{HttpRoute, Routes};
use self::{middleware::MiddlewareLayer, routes::RoutesLayer};
use crate::{
    context::{RpcContext, RpcOptions},
    method::Module,
};

/// Hears of every call, for metrics.
pub trait Observer: Send + Sync {
    /// A call of `method` (`unknown` if there is no such method) was answered.
    fn on_call(&self, method: &'static str, duration: Duration, is_success: bool);
}

/// Where and how to serve.
#[derive(Clone)]
pub struct ServerOptions {
    /// Address to listen on; port 0 takes any.
    pub address: SocketAddr,
    /// Plain pages.
    pub routes: Option<Routes>,
    /// Who counts calls.
    pub observer: Option<Arc<dyn Observer>>,
}

impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerOptions").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Failed to start the server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("failed to listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Two methods have one name.
    #[error("failed to register a method")]
    Register(#[from] RegisterMethodError),
    /// An allowed origin is not a header value.
    #[error("{0:?} is not an origin")]
    Origin(String),
}

/// A running server. Dropping it stops the server.
#[derive(Clone, Debug)]
pub struct ServerHandle {
    local_address: SocketAddr,
    inner: jsonrpsee::server::ServerHandle,
}

impl ServerHandle {
    /// The address it listens on.
    pub const fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Tells it to stop after the requests it is working on.
    pub fn stop(&self) {
        // An error says that it has stopped already.
        let _ = self.inner.stop();
    }

    /// Waits until it has stopped.
    pub async fn stopped(self) {
        self.inner.stopped().await;
    }
}

/// Starts serving on the current tokio runtime.
///
/// # Errors
/// If the address cannot be listened on or an option is not valid.
pub async fn serve(context: Arc<RpcContext>, options: ServerOptions) -> Result<ServerHandle, ServeError> {
    let module = methods(&context)?;
    let methods: jsonrpsee::Methods = module.into();
    let cors = cors(&context.options)?;
    let layer = MiddlewareLayer::new(Arc::clone(&context), methods.clone(), options.observer);
    let server = ServerBuilder::new()
        .set_config(config(&context.options))
        .set_http_middleware(tower::ServiceBuilder::new().layer(cors).layer(RoutesLayer::new(options.routes)))
        .set_rpc_middleware(RpcServiceBuilder::new().layer(layer))
        .build(options.address)
        .await;
    let failed = |source| ServeError::Listen { address: options.address, source };
    let server = server.map_err(failed)?;
    let local_address = server.local_addr().map_err(failed)?;
    Ok(ServerHandle { local_address, inner: server.start(methods) })
}

/// Every method of the namespaces that the options offer.
///
/// # Errors
/// If two methods have one name.
pub fn methods(context: &Arc<RpcContext>) -> Result<Module, RegisterMethodError> {
    let mut module = Module::new(Arc::clone(context));
    crate::register(&mut module)?;
    let hidden: Vec<&'static str> = module.method_names().filter(|name| !is_offered(&context.options, name)).collect();
    for name in hidden {
        module.remove_method(name);
    }
    Ok(module)
}

/// `rpc_modules` belongs to no namespace that could be switched off.
fn is_offered(options: &RpcOptions, method: &str) -> bool {
    let namespace = match method.split('_').next().unwrap_or_default() {
        // Otterscan asks for headers under Erigon's name.
        "erigon" => "ots",
        namespace => namespace,
    };
    namespace == "rpc" || options.offers(namespace)
}

fn config(options: &RpcOptions) -> ServerConfig {
    ServerConfig::builder()
        .max_connections(options.max_connections)
        .max_request_body_size(options.max_body_bytes)
        .max_response_body_size(options.max_response_bytes)
        .max_subscriptions_per_connection(options.max_subscriptions_per_connection)
        .set_batch_request_config(BatchRequestConfig::Limit(options.max_batch))
        .set_id_provider(RandomIds)
        .set_tcp_no_delay(true)
        .build()
}

fn cors(options: &RpcOptions) -> Result<CorsLayer, ServeError> {
    let origin = match options.cors_origins.as_slice() {
        [any] if any == "*" => AllowOrigin::any(),
        list => {
            let parse = |text: &String| text.parse::<HeaderValue>().map_err(|_| ServeError::Origin(text.clone()));
            AllowOrigin::list(list.iter().map(parse).collect::<Result<Vec<_>, _>>()?)
        }
    };
    let methods = [Method::POST, Method::GET];
    Ok(CorsLayer::new().allow_origin(origin).allow_methods(methods).allow_headers([header::CONTENT_TYPE]))
}

/// Subscription ids that cannot be guessed, as geth writes them.
#[derive(Clone, Copy, Debug)]
struct RandomIds;

impl IdProvider for RandomIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        SubscriptionId::Str(alloy_primitives::FixedBytes::<16>::random().to_string().into())
    }
}
