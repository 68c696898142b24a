//! Safaricom M-PESA, Kenya, through Daraja: prompts on the customer's telephone (STK push), payouts (B2C, version 3), deposits (C2B), status and reversal.
//!
//! Field names are those of the API, with its slips: `Occassion`, `RecieverIdentifierType`. Amounts are whole shillings. A state
//! of a payout is asked for and answered to a callback; that of a prompt at once.

mod callback;
mod codes;
pub mod credential;
mod statement;
#[cfg(test)]
mod tests;
mod time;

pub(crate) use self::{callback::read as read_callback, statement::read as read_statement};

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use braid_microloans_arithmetic::{Currency, Money};
use http::header::AUTHORIZATION;
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use self::codes::From;
use crate::{
    Failure, MobileMoney, Reason,
    http::{Answer, Http, Outgoing, SetupError, Unanswered},
    json::{object, text},
    port::{
        CallbackAnswer, CallbackError, CallbackUrl, Collection, Completion, Decision, Delivery, Doubt, Event, Kind,
        Payout, Provider, RailError, Recognises, Reversal, Route, Rules, Span, State, StateQuery, StatementLine,
        Submission,
    },
    source::{Source, StatementSource},
    text::{is_reference, plain},
    token::{Clock, Token, TokenCache},
};

/// Minor units in a shilling.
const SHILLING: i128 = 100;
/// The most of one payment, by M-PESA's tariff: KES 250,000.
const LARGEST: i128 = 250_000 * SHILLING;
/// How long after it was sent a request may still appear in Daraja's answers: its queue keeps requests for some minutes.
const SETTLES_WITHIN: Duration = Duration::from_secs(15 * 60);
/// Longest `TransactionDesc`.
const LONGEST_DESCRIPTION: usize = 13;
/// Longest `Remarks`; the shortest are two characters.
const LONGEST_REMARKS: usize = 100;
/// `IdentifierType` of an organisation's short code.
const SHORT_CODE: &str = "4";
/// `RecieverIdentifierType` of the organisation that gives a collection back.
const REVERSING_SHORT_CODE: &str = "11";

/// How to reach Daraja, and as whom.
#[derive(Clone, Debug)]
pub struct DarajaConfig {
    /// `https://api.safaricom.co.ke`, or a simulator on this machine.
    pub base_url: String,
    /// Of the application, for access tokens.
    pub consumer_key: SecretString,
    /// Of the application, for access tokens.
    pub consumer_secret: SecretString,
    /// The pay bill that customers pay to.
    pub collection_code: String,
    /// Its key for prompts.
    pub passkey: SecretString,
    /// The short code that payouts are made from.
    pub payout_code: String,
    /// Who makes payouts there.
    pub initiator: String,
    /// The initiator's password, encrypted: [`credential::seal`].
    pub security_credential: SecretString,
    /// Where statements are.
    pub statement: Option<StatementSource>,
    /// How long an answer is waited for.
    pub timeout: Duration,
}

/// The adapter.
#[derive(Debug)]
pub struct Daraja {
    config: DarajaConfig,
    http: Http,
    source: Option<Source>,
    tokens: TokenCache,
    clock: Clock,
    rules: Rules,
}

impl Daraja {
    /// An adapter that follows `config`.
    ///
    /// # Errors
    /// If the configuration cannot be followed.
    pub fn new(config: DarajaConfig, clock: Clock) -> Result<Self, SetupError> {
        let is_code = |code: &str| (5..=7).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit());
        if !is_code(&config.collection_code) || !is_code(&config.payout_code) {
            return Err(SetupError::Setting("a short code has five to seven digits"));
        }
        let currency: Currency = "KES".parse().map_err(|_| SetupError::Setting("KES is not a currency"))?;
        let rules = Rules {
            currency,
            multiple: SHILLING,
            largest: LARGEST,
            reverses_collections: true,
            recognises: Recognises { payouts: true, collections: false },
            settles_within: SETTLES_WITHIN,
        };
        let http = Http::new(&config.base_url, config.timeout)?;
        let source = config.statement.as_ref().map(|source| Source::new(source, config.timeout)).transpose()?;
        Ok(Self { config, http, source, tokens: TokenCache::default(), clock, rules })
    }

    async fn fetch_token(&self) -> Result<Token, Doubt> {
        let pair =
            format!("{}:{}", self.config.consumer_key.expose_secret(), self.config.consumer_secret.expose_secret());
        let request = Outgoing::get("/oauth/v1/generate?grant_type=client_credentials")
            .with(AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)));
        let answer = self.http.send(request).await.map_err(|_| Doubt::NoToken)?;
        let body = object(&answer.body).filter(|_| answer.status == 200).ok_or(Doubt::NoToken)?;
        let secret = text_whole(&body, "access_token").ok_or(Doubt::NoToken)?;
        let lasts = text(&body, "expires_in").and_then(|seconds| seconds.parse().ok()).ok_or(Doubt::NoToken)?;
        Ok(Token { secret: secret.into(), lasts: SignedDuration::from_secs(lasts) })
    }

    /// Posts with a token, and once more with a fresh one if the first is refused: who has no token has not been listened to.
    async fn post(&self, path: &str, body: &Value) -> Result<Answer, Unanswered> {
        for _ in 0..2 {
            let (token, generation) =
                self.tokens.get(self.clock.now(), || self.fetch_token()).await.map_err(Unanswered::BeforeSending)?;
            let request = Outgoing::post(path, Some(body.to_string()))
                .with(AUTHORIZATION, format!("Bearer {}", token.expose_secret()));
            let answer = self.http.send(request).await?;
            if !is_token_refused(&answer) {
                return Ok(answer);
            }
            self.tokens.drop_generation(generation).await;
        }
        Err(Unanswered::BeforeSending(Doubt::NoToken))
    }

    /// The password of prompts, and the time in it.
    fn password(&self) -> (String, String) {
        let timestamp = time::write(self.clock.now(), time::COMPACT);
        let plain = format!("{}{}{timestamp}", self.config.collection_code, self.config.passkey.expose_secret());
        (STANDARD.encode(plain), timestamp)
    }

    fn refusal(&self, amount: Money, reference: &str) -> Option<Failure> {
        if let Err(error) = self.rules.check(amount) {
            return Some(invalid(error.to_string()));
        }
        (!is_reference(reference)).then(|| invalid("the reference is not one that the provider carries".to_owned()))
    }

    async fn prompt_state(&self, query: &StateQuery) -> State {
        let Some(checkout) = &query.server_correlation else { return State::Unknown(Doubt::NoServerId) };
        let (password, timestamp) = self.password();
        let body = json!({
            "BusinessShortCode": self.config.collection_code,
            "Password": password,
            "Timestamp": timestamp,
            "CheckoutRequestID": checkout,
        });
        match self.post("/mpesa/stkpushquery/v1/query", &body).await {
            Ok(answer) => prompt_state(&answer),
            Err(Unanswered::BeforeSending(doubt) | Unanswered::Perhaps(doubt)) => State::Unknown(doubt),
        }
    }

    /// Asks by a receipt, or by our ID of a payout; the answer comes to its callback.
    async fn transaction_state(&self, query: &StateQuery) -> State {
        let code = match query.kind {
            Kind::Collection => &self.config.collection_code,
            Kind::Payout => &self.config.payout_code,
        };
        let mut body = json!({
            "Initiator": self.config.initiator,
            "SecurityCredential": self.config.security_credential.expose_secret(),
            "CommandID": "TransactionStatusQuery",
            "PartyA": code,
            "IdentifierType": SHORT_CODE,
            "ResultURL": query.callback.at(Route::Status),
            "QueueTimeOutURL": query.callback.at(Route::Timeout),
            "Remarks": "Status",
            "Occasion": "",
        });
        // One of the two names the payment; the receipt where there is one.
        match &query.receipt {
            Some(receipt) => body["TransactionID"] = json!(receipt),
            None => body["OriginatorConversationID"] = json!(query.correlation.to_string()),
        }
        match submission(self.post("/mpesa/transactionstatus/v1/query", &body).await, "ConversationID", From::Initiator)
        {
            Submission::Acknowledged { .. } => State::Asked,
            Submission::Refused(failure) => State::Unknown(Doubt::Code(failure.code)),
            Submission::Duplicate => State::Unknown(Doubt::Unreadable("the query was called a duplicate")),
            Submission::NotSent(doubt) | Submission::Unknown(doubt) => State::Unknown(doubt),
        }
    }
}

#[async_trait]
impl MobileMoney for Daraja {
    fn provider(&self) -> Provider {
        Provider::Daraja
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    async fn disburse(&self, order: &Payout) -> Submission {
        if let Some(failure) = self.refusal(order.amount, &order.reference) {
            return Submission::Refused(failure);
        }
        let body = json!({
            "OriginatorConversationID": order.correlation.to_string(),
            "InitiatorName": self.config.initiator,
            "SecurityCredential": self.config.security_credential.expose_secret(),
            "CommandID": "BusinessPayment",
            "Amount": whole_shillings(order.amount),
            "PartyA": self.config.payout_code,
            "PartyB": order.payee.expose(),
            "Remarks": plain(&order.note, LONGEST_REMARKS, "Loan"),
            "QueueTimeOutURL": order.callback.at(Route::Timeout),
            "ResultURL": order.callback.at(Route::Payout),
            "Occassion": order.reference,
        });
        submission(self.post("/mpesa/b2c/v3/paymentrequest", &body).await, "ConversationID", From::Initiator)
    }

    async fn collect(&self, order: &Collection) -> Submission {
        if let Some(failure) = self.refusal(order.amount, &order.reference) {
            return Submission::Refused(failure);
        }
        let (password, timestamp) = self.password();
        let body = json!({
            "BusinessShortCode": self.config.collection_code,
            "Password": password,
            "Timestamp": timestamp,
            "TransactionType": "CustomerPayBillOnline",
            "Amount": whole_shillings(order.amount),
            "PartyA": order.payer.expose(),
            "PartyB": self.config.collection_code,
            "PhoneNumber": order.payer.expose(),
            "CallBackURL": order.callback.at(Route::Collection),
            "AccountReference": order.reference,
            "TransactionDesc": plain(&order.note, LONGEST_DESCRIPTION, "Loan"),
        });
        submission(self.post("/mpesa/stkpush/v1/processrequest", &body).await, "CheckoutRequestID", From::Prompt)
    }

    async fn reverse(&self, order: &Reversal) -> Submission {
        if let Err(error) = self.rules.check(order.amount) {
            return Submission::Refused(invalid(error.to_string()));
        }
        let body = json!({
            "Initiator": self.config.initiator,
            "SecurityCredential": self.config.security_credential.expose_secret(),
            "CommandID": "TransactionReversal",
            "TransactionID": order.receipt,
            "Amount": whole_shillings(order.amount),
            "ReceiverParty": self.config.collection_code,
            "RecieverIdentifierType": REVERSING_SHORT_CODE,
            "ResultURL": order.callback.at(Route::Reversal),
            "QueueTimeOutURL": order.callback.at(Route::Timeout),
            "Remarks": plain(&order.note, LONGEST_REMARKS, "Reversal"),
            "Occasion": "",
        });
        submission(self.post("/mpesa/reversal/v1/request", &body).await, "ConversationID", From::Initiator)
    }

    async fn request_state(&self, query: &StateQuery) -> State {
        if query.kind == Kind::Payout {
            return self.transaction_state(query).await;
        }
        // What it says of a prompt that was paid has no receipt: that comes with the answer to a question by the one that a callback named.
        match self.prompt_state(query).await {
            State::Completed(_) | State::Unknown(Doubt::NoServerId) if query.receipt.is_some() => {
                self.transaction_state(query).await
            }
            state => state,
        }
    }

    async fn statement(&self, span: Span) -> Result<Vec<StatementLine>, RailError> {
        let source = self.source.as_ref().ok_or(RailError::NotConfigured("statement"))?;
        statement::read(&source.download(span).await?, self.rules.currency, span)
    }

    /// Validations and confirmations of deposits to the pay bill.
    async fn register_deposits(&self, callback: &CallbackUrl) -> Result<(), RailError> {
        let body = json!({
            "ShortCode": self.config.collection_code,
            // What happens to a payment if our validation does not answer: it comes, and is in suspense if it matches nothing.
            "ResponseType": "Completed",
            "ConfirmationURL": callback.at(Route::Confirmation),
            "ValidationURL": callback.at(Route::Validation),
        });
        match submission(self.post("/mpesa/c2b/v1/registerurl", &body).await, "ConversationID", From::Initiator) {
            Submission::Acknowledged { .. } => Ok(()),
            Submission::Duplicate => Err(RailError::Refused("duplicate".to_owned())),
            Submission::Refused(failure) => Err(RailError::Refused(failure.code)),
            Submission::NotSent(doubt) | Submission::Unknown(doubt) => Err(doubt.into()),
        }
    }

    fn read_callback(&self, delivery: Delivery<'_>) -> Result<Event, CallbackError> {
        callback::read(delivery, self.rules.currency)
    }

    fn answer_callback(&self, route: Route, decision: Decision) -> CallbackAnswer {
        callback::answer(route, decision)
    }
}

fn whole_shillings(amount: Money) -> Value {
    // `Rules::check` has bounded it.
    json!(i64::try_from(amount.minor / SHILLING).unwrap_or_default())
}

fn invalid(text: String) -> Failure {
    Failure { reason: Reason::Invalid, code: "local".to_owned(), text }
}

/// A string of any length: tokens are long.
fn text_whole(body: &Value, key: &str) -> Option<String> {
    body.get(key)?.as_str().map(str::to_owned).filter(|text| !text.is_empty())
}

fn error_code(answer: &Answer) -> (String, String) {
    let body = object(&answer.body).unwrap_or_default();
    (text(&body, "errorCode").unwrap_or_default(), text(&body, "errorMessage").unwrap_or_default())
}

fn is_token_refused(answer: &Answer) -> bool {
    let (code, _) = error_code(answer);
    answer.status == 401 || matches!(code.as_str(), "404.001.03" | "401.003.01" | "400.003.01")
}

/// What became of a request, by its answer. `server_id` is the key under which the provider's own ID stands.
fn submission(answer: Result<Answer, Unanswered>, server_id: &str, from: From) -> Submission {
    let answer = match answer {
        Ok(answer) => answer,
        Err(Unanswered::BeforeSending(doubt)) => return Submission::NotSent(doubt),
        Err(Unanswered::Perhaps(doubt)) => return Submission::Unknown(doubt),
    };
    if answer.status != 200 {
        return refused(&answer);
    }
    let Some(body) = object(&answer.body) else { return Submission::Unknown(Doubt::Unreadable("no json")) };
    // Registering addresses is answered with a code of zeros.
    match text(&body, "ResponseCode").as_deref() {
        Some(codes::SUCCESS | "00000000") => Submission::Acknowledged { server_correlation: text(&body, server_id) },
        Some(code) => match codes::failure(code, text(&body, "ResponseDescription").as_deref(), from) {
            State::Failed(failure) => Submission::Refused(failure),
            _ => Submission::Unknown(Doubt::Code(code.to_owned())),
        },
        None => Submission::Unknown(Doubt::Unreadable("no ResponseCode")),
    }
}

/// What an answer with another status than 200 says.
fn refused(answer: &Answer) -> Submission {
    let (code, message) = error_code(answer);
    match (answer.status, code.as_str()) {
        (_, "500.002.1001") if message.contains("Duplicate") => Submission::Duplicate,
        // Too many requests: the gateway has not passed it on.
        (429, _) | (_, "500.003.02" | "500.003.03") => Submission::NotSent(Doubt::Status(answer.status)),
        // The gateway says what is wrong with it. Without a code, the answer is somebody else's.
        (400..=407 | 409..=499, code) if !code.is_empty() => {
            Submission::Refused(Failure { reason: Reason::Invalid, code: code.to_owned(), text: message })
        }
        (status, _) => Submission::Unknown(Doubt::Status(status)),
    }
}

fn prompt_state(answer: &Answer) -> State {
    if answer.status != 200 {
        let (_, message) = error_code(answer);
        let is_pending = message.contains("being processed");
        return if is_pending { State::Pending } else { State::Unknown(Doubt::Status(answer.status)) };
    }
    let Some(body) = object(&answer.body) else { return State::Unknown(Doubt::Unreadable("no json")) };
    match text(&body, "ResultCode").as_deref() {
        Some(codes::SUCCESS) => State::Completed(Completion {
            receipt: None,
            amount: None,
            party: None,
            party_name: None,
            completed_at: None,
        }),
        Some(code) => codes::failure(code, text(&body, "ResultDesc").as_deref(), From::Prompt),
        None => State::Unknown(Doubt::Unreadable("no ResultCode")),
    }
}
