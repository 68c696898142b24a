//! The service as a process: what is listened to, and what runs beside it.

use std::{
    future::{Future, IntoFuture as _},
    path::Path,
    sync::Arc,
    sync::atomic::Ordering,
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use braid_microloans_ledger::{Ledger, LedgerError};
use braid_microloans_rails::port::CallbackUrl;
use braid_microloans_ussd::{Gateway, http};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use tokio::net::TcpListener;
use utoipa::OpenApi as _;

use crate::{
    Clock, Config,
    api::{approvals, books, loans, people},
    app::{App, Rails},
    callbacks,
    chain::{self, ChainLink},
    config::ConfigError,
    desk::Desk,
    hashing::Hashing,
    housekeeping, limits,
    messages::{self, Post},
    metrics, openapi,
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
    let chain = config.chain.as_ref().map(|chain| ChainLink::new(chain, &catalogue)).transpose()?.map(Arc::new);
    let mut ledger = Ledger::open(config.database.expose_secret(), config.vault()?).await?;
    if chain.is_some() {
        ledger = ledger.telling_a_chain();
        let mut write = ledger.write(clock.now(), chain::actor()).await?;
        braid_microloans_ledger::chain::put_all(&mut write).await?;
        write.commit().await?;
    }
    let post = config.messages.as_ref().map(Post::new).transpose()?.map(Arc::new);
    if post.is_some() {
        ledger = ledger.telling_borrowers();
    }
    Ok(App {
        ledger,
        post,
        catalogue: Arc::new(catalogue),
        rails: Arc::new(rails),
        sims: Arc::new(crate::rails::sims(&config.sims)?),
        callers: Arc::new(config.callers()?),
        clock,
        callback_base: config.callback_base.trim_end_matches('/').into(),
        ussd: config.ussd.clone(),
        worker: config.worker,
        straight_through: config.straight_through,
        hashing: Hashing::default(),
        watch: Watch::default(),
        counts: Arc::default(),
        chain,
    })
}

/// The menus of any telephone, at an address that only the network's gateway knows.
///
/// # Errors
/// If the file with that part of the address cannot be read, or the texts of the menus cannot.
pub fn menus(app: &App) -> Result<Router, ConfigError> {
    let Some(config) = &app.ussd else { return Ok(Router::new()) };
    let gateway = Gateway::new(Arc::new(Desk::new(app.clone())), config.phone.as_str());
    let gateway = Arc::new(gateway.map_err(|error| ConfigError::Value(error.to_string()))?);
    let menus = http::gateway_routes(Arc::clone(&gateway), app.clock.of_rails());
    let menus = match &config.secret_file {
        Some(path) => Router::new().nest(&format!("/{}", address_secret(path)?), menus),
        None => menus,
    };
    let handset = if config.handset { http::handset_routes(gateway, app.clock.of_rails()) } else { Router::new() };
    Ok(menus.merge(handset))
}

/// Letters and digits, as a part of an address.
fn address_secret(path: &Path) -> Result<String, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File(path.to_owned(), error))?;
    let secret = text.trim();
    let is_one = secret.len() >= limits::MIN_TOKEN_CHARS && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_one {
        Ok(secret.to_owned())
    } else {
        let text = format!("{} holds fewer than {} letters and digits", path.display(), limits::MIN_TOKEN_CHARS);
        Err(ConfigError::Value(text))
    }
}

/// All addresses of the interface for programs.
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
        .route("/v1/oddities", get(books::oddities))
        .route("/v1/suspense", get(books::suspense))
        .route("/v1/contradictions", get(books::contradictions))
        .route("/v1/audit", get(books::log))
        .route("/v1/portfolio", get(books::portfolio))
        .route("/v1/reconciliations", get(books::reconciliations))
        .route("/v1/complaints", get(books::complaints))
        .route("/v1/complaints/{code}/answer", post(books::answer_complaint));
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

/// Tells every rail where deposits are told, as often as it takes.
async fn register_deposits(app: App) {
    for (name, rail) in app.rails.iter() {
        let token = callbacks::token(app.ledger.vault(), callbacks::Purpose::Rail, name);
        let callback = CallbackUrl(format!("{}/v1/callbacks/{name}/rail/{token}", app.callback_base));
        while let Err(error) = rail.register_deposits(&callback).await {
            tracing::warn!(rail = %name, %error, "the address of deposits was not registered");
            tokio::time::sleep(limits::REGISTRATION_PAUSE).await;
        }
    }
}

/// Serves, works and keeps house until `end` is there.
///
/// # Errors
/// If nothing can be listened to any more, or the menus cannot be served.
pub async fn serve(
    app: App,
    listener: TcpListener,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let pages = menus(&app)?;
    serve_with(app, listener, pages, end).await
}

/// As [`serve`], with other pages beside the interface.
///
/// # Errors
/// If nothing can be listened to any more.
pub async fn serve_with(
    app: App,
    listener: TcpListener,
    pages: Router,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let tasks = [
        tokio::spawn(worker::run(app.clone())),
        tokio::spawn(chain::run(app.clone())),
        tokio::spawn(messages::run(app.clone())),
        tokio::spawn(housekeeping::run(app.clone())),
        tokio::spawn(register_deposits(app.clone())),
    ];
    let (ending, ended) = tokio::sync::oneshot::channel();
    let end = async move {
        end.await;
        let _ = ending.send(());
    };
    let served = axum::serve(listener, pages.merge(router(app.clone()))).with_graceful_shutdown(end).into_future();
    let late = async {
        match ended.await {
            Ok(()) => tokio::time::sleep(limits::GRACE).await,
            // The server has ended by itself.
            Err(_) => std::future::pending().await,
        }
    };
    let served = tokio::select! {
        served = served => served,
        () = late => {
            tracing::warn!("requests were still running and are cut off");
            Ok(())
        }
    };
    // Whatever they were doing is taken up again at the next start.
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    app.ledger.close().await;
    Ok(served?)
}
