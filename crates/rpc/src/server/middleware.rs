//! Between the transport and the methods: counts calls, words the error of an unknown method as geth does, and handles
//! batches of raw transactions together.
//!
//! A run of consecutive `eth_sendRawTransaction` entries in a batch is decoded and recovered on all cores and enters the
//! pool under one lock; its answers stand where they would have stood one by one. Order in the batch is kept, so a read
//! between two transactions sees the first.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::B256;
use jsonrpsee::{
    BatchResponseBuilder, MethodResponse, Methods,
    core::middleware::{Batch, BatchEntry, Notification, RpcServiceT},
    server::ResponsePayload,
    types::{ErrorObjectOwned, Id, Request},
};
use tower::Layer;

use super::Observer;
use crate::{
    admission::Place,
    context::RpcContext,
    error::{INTERNAL, METHOD_NOT_FOUND, RpcError},
    eth::send::{SEND_RAW, raw_transaction_text},
    method::handler_crashed,
};

/// Methods that need a connection which can carry notifications. jsonrpsee calls their use over HTTP an internal error.
const SUBSCRIPTION_METHODS: [&str; 2] = ["eth_subscribe", "eth_unsubscribe"];

fn notifications_unsupported() -> RpcError {
    RpcError::new(METHOD_NOT_FOUND, "notifications not supported")
}

#[derive(Clone)]
pub(super) struct MiddlewareLayer(Arc<Shared>);

struct Shared {
    context: Arc<RpcContext>,
    methods: Methods,
    observer: Option<Arc<dyn Observer>>,
}

impl MiddlewareLayer {
    pub(super) fn new(context: Arc<RpcContext>, methods: Methods, observer: Option<Arc<dyn Observer>>) -> Self {
        Self(Arc::new(Shared { context, methods, observer }))
    }
}

impl<S> Layer<S> for MiddlewareLayer {
    type Service = Middleware<S>;

    fn layer(&self, service: S) -> Middleware<S> {
        Middleware { shared: Arc::clone(&self.0), service: Arc::new(service) }
    }
}

pub(super) struct Middleware<S> {
    shared: Arc<Shared>,
    service: Arc<S>,
}

impl<S> Clone for Middleware<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), service: Arc::clone(&self.service) }
    }
}

/// A stretch of a batch that is handled as one.
enum Run<'a> {
    Raw(Vec<Request<'a>>),
    One(BatchEntry<'a>),
    Malformed(MethodResponse),
}

impl<S> RpcServiceT for Middleware<S>
where
    S: RpcServiceT<
            MethodResponse = MethodResponse,
            BatchResponse = MethodResponse,
            NotificationResponse = MethodResponse,
        > + Send
        + Sync
        + 'static,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let Self { shared, service } = self.clone();
        async move {
            let Some(name) = shared.method_name(&request) else {
                shared.observe("unknown", Duration::ZERO, false);
                let error: ErrorObjectOwned = RpcError::method_not_found(request.method_name()).into();
                return MethodResponse::error(request.id, error);
            };
            let started = shared.now();
            let subscriber = SUBSCRIPTION_METHODS.contains(&name).then(|| request.id.clone());
            let mut response = service.call(request).await;
            if let (Some(id), Some(INTERNAL)) = (subscriber, response.as_error_code()) {
                response = MethodResponse::error(id, ErrorObjectOwned::from(notifications_unsupported()));
            }
            shared.observe_since(name, started, response.is_success());
            response
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let middleware = self.clone();
        async move { middleware.run_batch(batch).await }
    }

    fn notification<'a>(&self, notification: Notification<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        self.service.notification(notification)
    }
}

impl<S> Middleware<S>
where
    Self: RpcServiceT<
            MethodResponse = MethodResponse,
            BatchResponse = MethodResponse,
            NotificationResponse = MethodResponse,
        >,
{
    async fn run_batch(&self, batch: Batch<'_>) -> MethodResponse {
        let limit = self.shared.max_response();
        let mut responses = BatchResponseBuilder::new_with_limit(limit);
        let mut is_notified = false;
        for run in runs(batch) {
            let answers = match run {
                Run::Raw(requests) => self.shared.submit_run(requests).await,
                Run::One(BatchEntry::Call(request)) => vec![self.call(request).await],
                Run::One(BatchEntry::Notification(notification)) => {
                    is_notified = true;
                    self.notification(notification).await;
                    continue;
                }
                Run::Malformed(response) => vec![response],
            };
            for answer in answers {
                if let Err(too_large) = responses.append(answer) {
                    return too_large;
                }
            }
        }
        if responses.is_empty() && is_notified {
            return MethodResponse::notification();
        }
        MethodResponse::from_batch(responses.finish())
    }
}

/// Submits transactions that have a place on the way into the pool.
fn submit_within(_place: Place, context: &RpcContext, texts: &[String]) -> Vec<Result<B256, RpcError>> {
    context.submit_raw(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Splits a batch into runs, in order.
fn runs(batch: Batch<'_>) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    for entry in batch {
        match (entry, runs.last_mut()) {
            (Ok(BatchEntry::Call(request)), Some(Run::Raw(run))) if request.method_name() == SEND_RAW => {
                run.push(request);
            }
            (Ok(BatchEntry::Call(request)), _) if request.method_name() == SEND_RAW => {
                runs.push(Run::Raw(vec![request]));
            }
            (Ok(entry), _) => runs.push(Run::One(entry)),
            (Err(error), _) => {
                let (error, id) = error.into_parts();
                runs.push(Run::Malformed(MethodResponse::error(id, error)));
            }
        }
    }
    runs
}

impl Shared {
    fn method_name(&self, request: &Request<'_>) -> Option<&'static str> {
        self.methods.method_with_name(request.method_name()).map(|(name, _)| name)
    }

    fn max_response(&self) -> usize {
        usize::try_from(self.context.options.max_response_bytes).unwrap_or(usize::MAX)
    }

    /// Submits the transactions of consecutive requests together.
    async fn submit_run(&self, requests: Vec<Request<'_>>) -> Vec<MethodResponse> {
        let started = self.now();
        let place = match self.context.admission.try_enter(requests.len()) {
            Ok(place) => place,
            Err(busy) => return self.refuse_run(requests, started, &busy),
        };
        let mut texts = Vec::with_capacity(requests.len());
        let parsed: Vec<Result<(), RpcError>> = requests
            .iter()
            .map(|request| {
                let params = request.params.as_ref().map(|params| params.get());
                texts.push(raw_transaction_text(params)?.into_owned());
                Ok(())
            })
            .collect();
        let context = Arc::clone(&self.context);
        let submit = move || submit_within(place, &context, &texts);
        // The task fails only if a handler panicked.
        let mut hashes = tokio::task::spawn_blocking(submit).await.unwrap_or_default().into_iter();
        let mut answers = Vec::with_capacity(requests.len());
        for (request, parsed) in requests.into_iter().zip(parsed) {
            let answer = parsed.and_then(|()| hashes.next().unwrap_or_else(|| Err(handler_crashed(SEND_RAW))));
            self.observe_since(SEND_RAW, started, answer.is_ok());
            answers.push(self.respond(request.id, answer));
        }
        answers
    }

    /// Answers requests that there is no room for now.
    fn refuse_run(&self, requests: Vec<Request<'_>>, started: Option<Instant>, busy: &RpcError) -> Vec<MethodResponse> {
        let refuse = |request: Request<'_>| {
            self.observe_since(SEND_RAW, started, false);
            self.respond(request.id, Err(busy.clone()))
        };
        requests.into_iter().map(refuse).collect()
    }

    fn respond(&self, id: Id<'_>, answer: Result<B256, RpcError>) -> MethodResponse {
        match answer {
            Ok(hash) => MethodResponse::response(id, ResponsePayload::success(hash), self.max_response()),
            Err(error) => MethodResponse::error(id, ErrorObjectOwned::from(error)),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "latency is measured where requests come in")]
    fn now(&self) -> Option<Instant> {
        self.observer.is_some().then(Instant::now)
    }

    fn observe_since(&self, method: &'static str, started: Option<Instant>, is_success: bool) {
        if let Some(started) = started {
            self.observe(method, started.elapsed(), is_success);
        }
    }

    fn observe(&self, method: &'static str, duration: Duration, is_success: bool) {
        if let Some(observer) = &self.observer {
            observer.on_call(method, duration, is_success);
        }
    }
}
