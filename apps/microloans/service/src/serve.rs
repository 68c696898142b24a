//! The service as a process: what is listened to, and what runs beside it.

use std::{future::Future, sync::Arc, sync::atomic::Ordering};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use braid_microloans_ledger::{Ledger, LedgerError};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use tokio::net::TcpListener;
use utoipa::OpenApi as _;

use crate::{
    Clock, Config,
    api::{approvals, books, loans, people},
    app::{App, Rails},
    callbacks,
    config::ConfigError,
    housekeeping, limits, metrics, openapi,
    problem::Problem,
    worker::{self, Watch},
};

/// Why the service did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration cannot be followed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database cannot be opened.
    #[error("failed to open the database")]
    Ledger(#[from] LedgerError),
    /// The address cannot be listened on, or not any more.
    #[error("failed to serve")]
    Io(#[from] std::io::Error),
}

/// Opens what a configuration names.
///
/// # Errors
/// If it cannot be opened, or a product is paid out through a rail that is not there.
pub async fn open(config: &Config, rails: Rails, clock: Clock) -> Result<App, ServeError> {
    let catalogue = config.catalogue()?;
    for product in catalogue.products() {
        if !rails.contains_key(&product.rail) {
            let text = format!("product {} is paid out through {}, which is not configured", product.id, product.rail);
            return Err(ConfigError::Value(text).into());
        }
    }
    let ledger = Ledger::open(config.database.expose_secret(), config.vault()?).await?;
    Ok(App {
        ledger,
        catalogue: Arc::new(catalogue),
        rails: Arc::new(rails),
        callers: Arc::new(config.callers()?),
        clock,
        callback_base: config.callback_base.trim_end_matches('/').into(),
        worker: config.worker,
        straight_through: config.straight_through,
        watch: Watch::default(),
        counts: Arc::default(),
    })
}

/// All addresses.
pub fn router(app: App) -> Router {
    let api = Router::new()
        .route("/v1/people", post(people::register))
        .route("/v1/people/find", post(people::find))
        .route("/v1/people/{id}/open", post(people::open))
        .route("/v1/products", get(loans::products))
        .route("/v1/loans", post(loans::apply).get(loans::list))
        .route("/v1/loans/{id}", get(loans::get))
        .route("/v1/loans/{id}/key-facts", get(loans::key_facts))
        .route("/v1/loans/{id}/review", post(loans::review))
        .route("/v1/loans/{id}/reject", post(loans::reject))
        .route("/v1/loans/{id}/withdraw", post(loans::withdraw))
        .route("/v1/loans/{id}/accept", post(loans::accept))
        .route("/v1/loans/{id}/decline", post(loans::decline))
        .route("/v1/loans/{id}/fund", post(loans::fund))
        .route("/v1/loans/{id}/disburse", post(loans::disburse))
        .route("/v1/loans/{id}/collect", post(loans::collect))
        .route("/v1/loans/{id}/hold", post(loans::hold))
        .route("/v1/loans/{id}/schedule", get(loans::schedule))
        .route("/v1/loans/{id}/events", get(loans::events))
        .route("/v1/loans/{id}/legs", get(loans::legs))
        .route("/v1/approvals", post(approvals::propose).get(approvals::pending))
        .route("/v1/approvals/{id}/decide", post(approvals::decide))
        .route("/v1/journal/entries", get(books::entries))
        .route("/v1/journal/entries/{seq}/proof", get(books::proof))
        .route("/v1/journal/days/{day}", get(books::day))
        .route("/v1/accounts", get(books::accounts))
        .route("/v1/inspection", get(books::inspection))
        .route("/v1/suspense", get(books::suspense))
        .route("/v1/contradictions", get(books::contradictions))
        .route("/v1/audit", get(books::log))
        .route("/v1/portfolio", get(books::portfolio));
    api
        // MTN sends either method.
        .route("/v1/callbacks/{rail}/{subject}/{token}/{route}", post(callbacks::receive).put(callbacks::receive))
        .route("/openapi.json", get(document))
        .route("/health", get(health))
        .route("/metrics", get(metrics::answer))
        .fallback(async || Problem::not_found())
        .layer(DefaultBodyLimit::max(limits::MAX_REQUEST_BYTES))
        .layer(middleware::from_fn_with_state(app.clone(), count))
        .with_state(app)
}

async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    app.counts.requests.fetch_add(1, Ordering::Relaxed);
    response
}

async fn document() -> impl IntoResponse {
    Json(openapi::Document::openapi())
}

/// How the service is.
#[derive(Serialize)]
struct Health {
    status: &'static str,
    database: &'static str,
}

/// Healthy is a service that can write: it takes the writer's lock and gives it back.
async fn health(State(app): State<App>) -> (StatusCode, Json<Health>) {
    match app.write(braid_microloans_ledger::Actor::system("health")).await {
        Ok(_) => (StatusCode::OK, Json(Health { status: "ok", database: "ok" })),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "failing", database: "failing" })),
    }
}

/// Serves, works and keeps house until `end` is there.
///
/// # Errors
/// If nothing can be listened to any more.
pub async fn serve(
    app: App,
    listener: TcpListener,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let tasks = [tokio::spawn(worker::run(app.clone())), tokio::spawn(housekeeping::run(app.clone()))];
    let served = axum::serve(listener, router(app.clone())).with_graceful_shutdown(end).await;
    // Whatever they were doing is taken up again at the next start.
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    app.ledger.close().await;
    Ok(served?)
}
