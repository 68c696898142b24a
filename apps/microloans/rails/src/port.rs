//! The port: what the product asks of a mobile-money provider, in the words of the GSMA Mobile Money API (version 1.2), and the
//! events it hears back.
//!
//! A payment leg's life: [`MobileMoney::disburse`] or [`MobileMoney::collect`] with a [`CorrelationId`] that was stored first gives a
//! [`Submission`]. Whether the money moved is said by a [`State`], which comes from [`MobileMoney::request_state`] or, as a hint
//! only, from a callback ([`MobileMoney::read_callback`]).
//!
//! What the product may rely on:
//! - [`State::Failed`] and [`Submission::Refused`] mean that no money moved and none will by this request. All doubt (time-outs,
//!   5xx, answers that cannot be read, codes in no table) is `Unknown`.
//! - The same order may be sent again with the same correlation ID, as often as needed, where [`Rules::recognises`] says so; that, and
//!   not a new ID, is what to do after [`Submission::NotSent`]. After `Unknown`, ask for the state first.
//! - Nothing in a callback is trusted. Before money is booked, ask for the state, and compare correlation, amount and party.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use braid_microloans_arithmetic::{Currency, Minor, Money};
use jiff::Timestamp;

use crate::{CorrelationId, Failure, Msisdn, failure::AmountError};

/// A provider of mobile money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// Safaricom M-PESA, Kenya, through Daraja.
    Daraja,
    /// MTN Mobile Money, through its open API.
    MtnMomo,
}

impl Provider {
    /// The name, in URLs and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Daraja => "daraja",
            Self::MtnMomo => "mtn-momo",
        }
    }

    /// The provider of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Daraja, Self::MtnMomo].into_iter().find(|provider| provider.name() == name)
    }
}

/// What a provider can do, as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The currency of its accounts.
    pub currency: Currency,
    /// The smallest amount, of which every other is a multiple: 100 where only whole shillings are paid.
    pub multiple: Minor,
    /// The largest amount of one payment.
    pub largest: Minor,
    /// Whether the API can reverse a collection. No provider's API reverses a payout.
    pub reverses_collections: bool,
    /// Whether payouts and collections sent again with the same ID are recognised. A Daraja STK push is not: a second is a second prompt.
    pub recognises: Recognises,
    /// How long after sending a state of `NotFound` may still become another.
    pub settles_within: Duration,
}

/// Which requests a provider recognises when they come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recognises {
    /// Payouts.
    pub payouts: bool,
    /// Collections.
    pub collections: bool,
}

impl Rules {
    /// Checks that an amount can be paid or collected.
    ///
    /// # Errors
    /// If it is in another currency, not positive, not a multiple of the smallest amount, or too large.
    pub fn check(&self, amount: Money) -> Result<(), AmountError> {
        if amount.currency != self.currency {
            return Err(AmountError::Currency { rail: self.currency.code(), asked: amount.currency.code() });
        }
        let is_payable = amount.minor > 0 && amount.minor <= self.largest && amount.minor % self.multiple == 0;
        if is_payable { Ok(()) } else { Err(AmountError::Amount(amount)) }
    }
}

/// Where a provider is to send what happens to one payment: a URL that ends in a secret token of that payment.
///
/// An adapter appends `/` and a [`Route`]'s name. It is a secret, and so is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackUrl(pub String);

impl CallbackUrl {
    /// The full URL of a route.
    #[must_use]
    pub fn at(&self, route: Route) -> String {
        format!("{}/{}", self.0.trim_end_matches('/'), route.name())
    }
}

impl fmt::Debug for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackUrl(hidden)")
    }
}

/// What a callback is about, as the last segment of its URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// The result of a payout (Daraja B2C `ResultURL`; MTN transfer).
    Payout,
    /// The result of a collection (Daraja STK `CallBackURL`; MTN request to pay).
    Collection,
    /// The provider's queue timed out (Daraja `QueueTimeOutURL`): nothing is known.
    Timeout,
    /// The answer to a query of a state (Daraja transaction status).
    Status,
    /// The result of a reversal.
    Reversal,
    /// May this payment be accepted? (Daraja C2B validation). To be answered within [`VALIDATION_DEADLINE`].
    Validation,
    /// A customer has paid of their own accord (Daraja C2B confirmation).
    Confirmation,
}

/// How soon Daraja wants an answer to a validation; it goes on without one.
pub const VALIDATION_DEADLINE: Duration = Duration::from_secs(8);

impl Route {
    /// Every route.
    pub const ALL: [Self; 7] = [
        Self::Payout,
        Self::Collection,
        Self::Timeout,
        Self::Status,
        Self::Reversal,
        Self::Validation,
        Self::Confirmation,
    ];

    /// The name, in URLs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Payout => "payout",
            Self::Collection => "collection",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Reversal => "reversal",
            Self::Validation => "validation",
            Self::Confirmation => "confirmation",
        }
    }

    /// The route of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|route| route.name() == name)
    }
}

/// A payout to a customer's wallet (GSMA transaction type `disbursement`).
#[derive(Clone, Debug)]
pub struct Payout {
    /// Stored before this is sent, and never used for another order.
    pub correlation: CorrelationId,
    /// What to pay.
    pub amount: Money,
    /// To whom.
    pub payee: Msisdn,
    /// The loan's code, which the customer knows; at most [`MAX_REFERENCE`] characters.
    pub reference: String,
    /// A short text for the customer; adapters shorten and clean it.
    pub note: String,
    /// Where to send the result.
    pub callback: CallbackUrl,
}

/// A request to a customer to pay (GSMA transaction type `merchantpay`), which they approve on their telephone.
#[derive(Clone, Debug)]
pub struct Collection {
    /// Stored before this is sent, and never used for another order.
    pub correlation: CorrelationId,
    /// What to ask for.
    pub amount: Money,
    /// Of whom.
    pub payer: Msisdn,
    /// The loan's code; at most [`MAX_REFERENCE`] characters.
    pub reference: String,
    /// A short text for the customer; adapters shorten and clean it.
    pub note: String,
    /// Where to send the result.
    pub callback: CallbackUrl,
}

/// The longest reference that every provider carries (Daraja `AccountReference`).
pub const MAX_REFERENCE: usize = 12;

/// What kind of request a correlation ID belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A payout.
    Payout,
    /// A collection.
    Collection,
}

/// A question about a request.
#[derive(Clone, Debug)]
pub struct StateQuery {
    /// What it was.
    pub kind: Kind,
    /// Our ID of it.
    pub correlation: CorrelationId,
    /// The provider's ID of it, if the acknowledgement arrived (Daraja STK can only be asked for by this).
    pub server_correlation: Option<String>,
    /// The receipt, if known.
    pub receipt: Option<String>,
    /// Where to send the answer, for providers that answer later.
    pub callback: CallbackUrl,
}

/// An order to take a collection back.
#[derive(Clone, Debug)]
pub struct Reversal {
    /// Of this order itself.
    pub correlation: CorrelationId,
    /// The receipt of the collection.
    pub receipt: String,
    /// All of it; providers reverse no parts.
    pub amount: Money,
    /// A short reason.
    pub note: String,
    /// Where to send the result.
    pub callback: CallbackUrl,
}

/// What became of an attempt to hand an order to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submission {
    /// Taken; whether the money moves is known later.
    Acknowledged {
        /// The provider's ID of the request, to be stored.
        server_correlation: Option<String>,
    },
    /// The provider knows this ID already: ask for the state.
    Duplicate,
    /// Refused for good: no money moves by this request.
    Refused(Failure),
    /// It never left, or was turned away at the door before it was read (no connection, no token, too many requests). May be sent again as it is.
    NotSent(Doubt),
    /// It may or may not have been taken: ask for the state, and do not send it again before that.
    Unknown(Doubt),
}

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Taken, not finished.
    Pending,
    /// The money moved.
    Completed(Completion),
    /// No money moved, and none will by this request.
    Failed(Failure),
    /// The provider has never seen it. For good only after [`Rules::settles_within`]; then it may be sent again with the same ID.
    NotFound,
    /// The question was taken; the answer comes to its callback (route [`Route::Status`]).
    Asked,
    /// The answer says nothing that can be relied on.
    Unknown(Doubt),
}

/// Why something is not known, for logs: holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// No connection to the provider.
    #[error("the provider cannot be reached")]
    Unreachable,
    /// No answer in time, or the connection broke after the request left.
    #[error("no answer to the request")]
    NoAnswer,
    /// An answer with a status that says nothing about the payment.
    #[error("the provider answered with status {0}")]
    Status(u16),
    /// An answer that cannot be read, and where.
    #[error("the provider's answer cannot be read: {0}")]
    Unreadable(&'static str),
    /// A result code that is in no table.
    #[error("the provider's result code {0} is in no table")]
    Code(String),
    /// No access token.
    #[error("the provider gave no access token")]
    NoToken,
    /// The provider can only be asked by its own ID of the request, which never arrived.
    #[error("the provider's id of the request is not known")]
    NoServerId,
    /// The provider's queue timed out.
    #[error("the provider's queue timed out")]
    QueueTimeout,
}

/// A payment that happened.
#[derive(Clone, PartialEq, Eq)]
pub struct Completion {
    /// The provider's receipt; unique with the provider. The answer to Daraja's STK query has none: it comes with the callback, or with the
    /// statement.
    pub receipt: Option<String>,
    /// What moved, where the provider says so. To be compared with the order.
    pub amount: Option<Money>,
    /// The customer's number, whole or masked, where the provider says so. To be compared with [`Msisdn::matches_masked`].
    pub party: Option<String>,
    /// The customer's name by the provider's register, where it says so: for the name check, then the vault.
    pub party_name: Option<String>,
    /// When, where the provider says so.
    pub completed_at: Option<Timestamp>,
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion")
            .field("receipt", &self.receipt)
            .field("amount", &self.amount)
            .finish_non_exhaustive()
    }
}

/// A callback as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The last segment of its URL.
    pub route: Route,
    /// The body; at most [`MAX_CALLBACK_BYTES`].
    pub body: &'a [u8],
}

/// The longest callback that is read. Real ones have a kilobyte or two.
pub const MAX_CALLBACK_BYTES: usize = 64 * 1024;

/// What a callback says. It is a hint, whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// About a request of ours.
    Result {
        /// Our ID, where the callback names it; the URL's token names the leg in any case.
        correlation: Option<CorrelationId>,
        /// The provider's ID, where the callback names it.
        server_correlation: Option<String>,
        /// What it says of the request.
        state: State,
    },
    /// May this payment be taken?
    Validation(Deposit),
    /// A payment came in that nobody had asked for (or of a loan's code, at an agent or from the customer's menu).
    Deposit(Deposit),
}

/// Money that a customer paid in of their own accord.
#[derive(Clone, PartialEq, Eq)]
pub struct Deposit {
    /// The provider's receipt; unique with the provider.
    pub receipt: String,
    /// What was paid.
    pub amount: Money,
    /// What the customer typed as account: a loan's code, with luck.
    pub reference: String,
    /// The customer's number, whole or masked.
    pub party: String,
    /// When, where the provider says so.
    pub completed_at: Option<Timestamp>,
}

impl fmt::Debug for Deposit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deposit").field("receipt", &self.receipt).field("amount", &self.amount).finish_non_exhaustive()
    }
}

/// What to say to a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Received; or, to a validation, the payment may come.
    Accept,
    /// To a validation: no loan has this code.
    UnknownReference,
    /// To a validation: this amount cannot be taken.
    WrongAmount,
    /// To a validation: for another reason.
    Refuse,
}

/// The answer to a callback: status 200 with this JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackAnswer {
    /// JSON, or empty.
    pub body: String,
}

/// A callback that cannot be read. It is answered with status 400, and changes nothing: the state is asked for in time anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// Longer than [`MAX_CALLBACK_BYTES`].
    #[error("callback is longer than {MAX_CALLBACK_BYTES} bytes")]
    TooLong,
    /// The provider sends nothing to this route.
    #[error("the provider sends nothing to this route")]
    NoSuchRoute,
    /// Not JSON of the form that the provider documents.
    #[error("callback cannot be read: {0}")]
    Unreadable(&'static str),
}

/// One line of a provider's statement: money that moved, by its books.
#[derive(Clone, PartialEq, Eq)]
pub struct StatementLine {
    /// The provider's receipt.
    pub receipt: String,
    /// Our ID, where the statement carries it.
    pub correlation: Option<CorrelationId>,
    /// Into our account or out of it.
    pub direction: Direction,
    /// Always positive.
    pub amount: Money,
    /// When.
    pub completed_at: Timestamp,
    /// What the customer typed, where the statement carries it.
    pub reference: Option<String>,
    /// What for.
    pub purpose: Purpose,
}

/// What a line of a statement is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A payment of a customer, or to one.
    Payment,
    /// What the provider charges for one; it has the payment's receipt.
    Charge,
    /// Takes another payment back: its receipt, where the statement says which.
    Reversal(Option<String>),
}

impl fmt::Debug for StatementLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = f.debug_struct("StatementLine");
        line.field("receipt", &self.receipt).field("direction", &self.direction).field("amount", &self.amount);
        line.field("correlation", &self.correlation).field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

/// Which way money went, seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Into our account.
    In,
    /// Out of our account.
    Out,
}

/// A stretch of time: `from` belongs to it, `to` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

/// Why a statement or a balance could not be had. Asking again changes nothing, so there is no doubt to keep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RailError {
    /// No usable answer.
    #[error(transparent)]
    NoAnswer(#[from] Doubt),
    /// The provider refused.
    #[error("the provider refused with code {0}")]
    Refused(String),
    /// A line of a statement that cannot be read; lines count from one.
    #[error("line {line} of the statement cannot be read: {what}")]
    Statement {
        /// Which.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// The adapter's configuration has no address for it.
    #[error("no {0} is configured")]
    NotConfigured(&'static str),
}

/// A provider of mobile money, as the product sees it.
#[async_trait]
pub trait MobileMoney: Send + Sync + fmt::Debug {
    /// Which provider.
    fn provider(&self) -> Provider;

    /// What it can do.
    fn rules(&self) -> &Rules;

    /// Pays out to a customer. What was paid out cannot be called back.
    async fn disburse(&self, order: &Payout) -> Submission;

    /// Asks a customer to pay.
    async fn collect(&self, order: &Collection) -> Submission;

    /// Takes a collection back, where [`Rules::reverses_collections`]; otherwise refuses.
    async fn reverse(&self, order: &Reversal) -> Submission;

    /// Asks what became of a request. Changes nothing, so it may be asked as often as wanted.
    async fn request_state(&self, query: &StateQuery) -> State;

    /// What the provider's books say for a stretch of time, in the order in which it happened.
    ///
    /// # Errors
    /// If there is no answer, or it cannot be read as a whole: half a statement is none.
    async fn statement(&self, span: Span) -> Result<Vec<StatementLine>, RailError>;

    /// Tells the provider where deposits are to be told ([`Route::Validation`], [`Route::Confirmation`]), where it has to be told.
    ///
    /// # Errors
    /// If there is no answer, or it refuses.
    async fn register_deposits(&self, _callback: &CallbackUrl) -> Result<(), RailError> {
        Ok(())
    }

    /// Reads a callback. Pure: books nothing and asks nobody.
    ///
    /// # Errors
    /// If it cannot be read; it then says nothing.
    fn read_callback(&self, delivery: Delivery<'_>) -> Result<Event, CallbackError>;

    /// What to answer to a callback that was read.
    fn answer_callback(&self, route: Route, decision: Decision) -> CallbackAnswer;
}
