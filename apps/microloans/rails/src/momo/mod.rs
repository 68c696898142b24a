//! MTN Mobile Money through its open API: requests to pay (product `collection`) and transfers (product `disbursement`).
//!
//! Our correlation ID is the provider's ID (`X-Reference-Id`): it is recognised when it comes again (409), and asked about by it. A 404
//! to a question says that the request never arrived. `externalId` carries it too, since callbacks and statements show that.

mod callback;
mod statement;
#[cfg(test)]
mod tests;

pub(crate) use self::{callback::read as read_callback, statement::read as read_statement};

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use braid_microloans_arithmetic::{Currency, Money};
use http::{HeaderName, header::AUTHORIZATION};
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::{
    Failure, MobileMoney, Msisdn, Reason,
    http::{Answer, Http, Outgoing, SetupError, Unanswered},
    json::{object, text},
    port::{
        CallbackAnswer, CallbackError, Collection, Decision, Delivery, Doubt, Event, Kind, Payout, Provider, RailError,
        Recognises, Reversal, Route, Rules, Span, State, StateQuery, StatementLine, Submission,
    },
    source::{Source, StatementSource},
    text::{is_reference, plain},
    token::{Clock, Token, TokenCache},
};

const SUBSCRIPTION_KEY: HeaderName = HeaderName::from_static("ocp-apim-subscription-key");
const TARGET_ENVIRONMENT: HeaderName = HeaderName::from_static("x-target-environment");
const REFERENCE_ID: HeaderName = HeaderName::from_static("x-reference-id");
const CALLBACK_URL: HeaderName = HeaderName::from_static("x-callback-url");

/// Longest note and message.
const LONGEST_NOTE: usize = 160;
/// How long after it was sent a request that is not found may still arrive: gateways hold requests for less than a minute.
const SETTLES_WITHIN: Duration = Duration::from_secs(5 * 60);

/// The credentials of one product.
#[derive(Clone, Debug)]
pub struct Product {
    /// `Ocp-Apim-Subscription-Key`.
    pub subscription_key: SecretString,
    /// The API user, a UUID.
    pub user: String,
    /// Its key.
    pub key: SecretString,
}

/// How to reach MTN Mobile Money, and as whom.
#[derive(Clone, Debug)]
pub struct MtnMomoConfig {
    /// Scheme and host of the country's API, or a simulator on this machine.
    pub base_url: String,
    /// `X-Target-Environment`: `mtnghana`, `mtnuganda`, `sandbox` …
    pub target_environment: String,
    /// The country's currency.
    pub currency: Currency,
    /// The most of one payment, in minor units.
    pub largest: i128,
    /// For requests to pay.
    pub collection: Product,
    /// For transfers.
    pub disbursement: Product,
    /// Where statements are.
    pub statement: Option<StatementSource>,
    /// How long an answer is waited for.
    pub timeout: Duration,
}

/// The adapter.
#[derive(Debug)]
pub struct MtnMomo {
    config: MtnMomoConfig,
    http: Http,
    source: Option<Source>,
    collection_tokens: TokenCache,
    disbursement_tokens: TokenCache,
    clock: Clock,
    rules: Rules,
}

impl MtnMomo {
    /// An adapter that follows `config`.
    ///
    /// # Errors
    /// If the configuration cannot be followed.
    pub fn new(config: MtnMomoConfig, clock: Clock) -> Result<Self, SetupError> {
        if config.largest <= 0 {
            return Err(SetupError::Setting("the largest amount has to be positive"));
        }
        let rules = Rules {
            currency: config.currency,
            multiple: 1,
            largest: config.largest,
            reverses_collections: false,
            recognises: Recognises { payouts: true, collections: true },
            settles_within: SETTLES_WITHIN,
        };
        let http = Http::new(&config.base_url, config.timeout)?;
        let source = config.statement.as_ref().map(|source| Source::new(source, config.timeout)).transpose()?;
        Ok(Self {
            config,
            http,
            source,
            collection_tokens: TokenCache::default(),
            disbursement_tokens: TokenCache::default(),
            clock,
            rules,
        })
    }

    const fn product(&self, kind: Kind) -> (&Product, &TokenCache, &'static str) {
        match kind {
            Kind::Collection => (&self.config.collection, &self.collection_tokens, "/collection"),
            Kind::Payout => (&self.config.disbursement, &self.disbursement_tokens, "/disbursement"),
        }
    }

    async fn fetch_token(&self, kind: Kind) -> Result<Token, Doubt> {
        let (product, _, path) = self.product(kind);
        let pair = format!("{}:{}", product.user, product.key.expose_secret());
        let request = Outgoing::post(format!("{path}/token/"), None)
            .with(AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)))
            .with(SUBSCRIPTION_KEY, product.subscription_key.expose_secret());
        let answer = self.http.send(request).await.map_err(|_| Doubt::NoToken)?;
        let body = object(&answer.body).filter(|_| answer.status == 200).ok_or(Doubt::NoToken)?;
        let secret = body.get("access_token").and_then(Value::as_str).ok_or(Doubt::NoToken)?;
        let lasts = text(&body, "expires_in").and_then(|seconds| seconds.parse().ok()).ok_or(Doubt::NoToken)?;
        Ok(Token { secret: secret.to_owned().into(), lasts: SignedDuration::from_secs(lasts) })
    }

    /// Sends with a token, and once more with a fresh one if the first is refused: who has no token has not been listened to.
    async fn send(&self, kind: Kind, request: impl Fn() -> Outgoing) -> Result<Answer, Unanswered> {
        let (product, tokens, _) = self.product(kind);
        for _ in 0..2 {
            let (token, generation) =
                tokens.get(self.clock.now(), || self.fetch_token(kind)).await.map_err(Unanswered::BeforeSending)?;
            let request = request()
                .with(AUTHORIZATION, format!("Bearer {}", token.expose_secret()))
                .with(SUBSCRIPTION_KEY, product.subscription_key.expose_secret())
                .with(TARGET_ENVIRONMENT, self.config.target_environment.as_str());
            let answer = self.http.send(request).await?;
            if answer.status != 401 {
                return Ok(answer);
            }
            tokens.drop_generation(generation).await;
        }
        Err(Unanswered::BeforeSending(Doubt::NoToken))
    }

    async fn order(&self, kind: Kind, order: Order<'_>) -> Submission {
        if let Err(error) = self.rules.check(order.amount) {
            return Submission::Refused(invalid(error.to_string()));
        }
        if !is_reference(order.reference) {
            return Submission::Refused(invalid("the reference is not one that the provider carries".to_owned()));
        }
        let party = json!({ "partyIdType": "MSISDN", "partyId": order.party.expose() });
        let mut body = json!({
            "amount": order.amount.currency.format(order.amount.minor),
            "currency": order.amount.currency.code(),
            "externalId": order.correlation,
            "payerMessage": plain(order.note, LONGEST_NOTE, "Loan"),
            "payeeNote": order.reference,
        });
        body[party_key(kind)] = party;
        let (body, callback) = (body.to_string(), order.callback);
        let answer = self.send(kind, || {
            Outgoing::post(resource(kind), Some(body.clone()))
                .with(REFERENCE_ID, order.correlation.as_str())
                .with(CALLBACK_URL, callback.as_str())
        });
        submission(answer.await)
    }
}

/// What the two kinds of order have in common.
struct Order<'a> {
    correlation: String,
    amount: Money,
    party: &'a Msisdn,
    reference: &'a str,
    note: &'a str,
    callback: String,
}

const fn party_key(kind: Kind) -> &'static str {
    match kind {
        Kind::Collection => "payer",
        Kind::Payout => "payee",
    }
}

const fn resource(kind: Kind) -> &'static str {
    match kind {
        Kind::Collection => "/collection/v1_0/requesttopay",
        Kind::Payout => "/disbursement/v1_0/transfer",
    }
}

fn invalid(text: String) -> Failure {
    Failure { reason: Reason::Invalid, code: "local".to_owned(), text }
}

fn submission(answer: Result<Answer, Unanswered>) -> Submission {
    let answer = match answer {
        Ok(answer) => answer,
        Err(Unanswered::BeforeSending(doubt)) => return Submission::NotSent(doubt),
        Err(Unanswered::Perhaps(doubt)) => return Submission::Unknown(doubt),
    };
    let body = object(&answer.body);
    let code = body.as_ref().and_then(|body| text(body, "code")).unwrap_or_default();
    match answer.status {
        // The provider's ID is ours.
        202 => Submission::Acknowledged { server_correlation: None },
        409 => Submission::Duplicate,
        429 => Submission::NotSent(Doubt::Status(429)),
        // Refused with reasons; without any, the answer is somebody else's.
        400 | 403 | 404 | 422 if body.is_some() => {
            let message = body.as_ref().and_then(|body| text(body, "message")).unwrap_or_default();
            Submission::Refused(Failure { reason: callback::reason(&code, Reason::Invalid), code, text: message })
        }
        status => Submission::Unknown(Doubt::Status(status)),
    }
}

#[async_trait]
impl MobileMoney for MtnMomo {
    fn provider(&self) -> Provider {
        Provider::MtnMomo
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    async fn disburse(&self, order: &Payout) -> Submission {
        let order = Order {
            correlation: order.correlation.to_string(),
            amount: order.amount,
            party: &order.payee,
            reference: &order.reference,
            note: &order.note,
            callback: order.callback.at(Route::Payout),
        };
        self.order(Kind::Payout, order).await
    }

    async fn collect(&self, order: &Collection) -> Submission {
        let order = Order {
            correlation: order.correlation.to_string(),
            amount: order.amount,
            party: &order.payer,
            reference: &order.reference,
            note: &order.note,
            callback: order.callback.at(Route::Collection),
        };
        self.order(Kind::Collection, order).await
    }

    async fn reverse(&self, _: &Reversal) -> Submission {
        let text = "MTN Mobile Money is not asked to reverse: pay out instead".to_owned();
        Submission::Refused(Failure { reason: Reason::NotReversible, code: "local".to_owned(), text })
    }

    async fn request_state(&self, query: &StateQuery) -> State {
        let path = format!("{}/{}", resource(query.kind), query.correlation);
        match self.send(query.kind, || Outgoing::get(path.as_str())).await {
            Err(Unanswered::BeforeSending(doubt) | Unanswered::Perhaps(doubt)) => State::Unknown(doubt),
            Ok(answer) => state(&answer, query.kind, self.rules.currency),
        }
    }

    async fn statement(&self, span: Span) -> Result<Vec<StatementLine>, RailError> {
        let source = self.source.as_ref().ok_or(RailError::NotConfigured("statement"))?;
        statement::read(&source.download(span).await?, self.rules.currency, span)
    }

    fn read_callback(&self, delivery: Delivery<'_>) -> Result<Event, CallbackError> {
        callback::read(delivery, self.rules.currency)
    }

    fn answer_callback(&self, _: Route, _: Decision) -> CallbackAnswer {
        CallbackAnswer { body: String::new() }
    }
}

fn state(answer: &Answer, kind: Kind, currency: Currency) -> State {
    let body = object(&answer.body);
    match (answer.status, body) {
        (200, Some(body)) => {
            callback::state(&body, kind, currency).unwrap_or_else(|what| State::Unknown(Doubt::Unreadable(what)))
        }
        // Only the API's own 404 says that there is no such request; a gateway's, for one, has no code.
        (404, Some(body)) if text(&body, "code").as_deref() == Some("RESOURCE_NOT_FOUND") => State::NotFound,
        (200, None) => State::Unknown(Doubt::Unreadable("no json")),
        (status, _) => State::Unknown(Doubt::Status(status)),
    }
}
