//! What the menus ask of the lending service, and nothing else of it.
//!
//! Every call that changes something carries a key. The same key with the same content is the same call, however often it comes:
//! telephones, networks and gateways repeat themselves.

use async_trait::async_trait;
use braid_microloans_arithmetic::{Date, Money};
use braid_microloans_rails::Msisdn;
use secrecy::SecretString;

use crate::Language;

/// How far a person's registration has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their language, once chosen.
    pub language: Option<Language>,
    /// Whether they have agreed to their data being kept.
    pub has_consented: bool,
    /// Whether their ID number was taken.
    pub has_identity: bool,
    /// Whether they have a PIN.
    pub has_pin: bool,
}

/// What a PIN was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinCheck {
    /// Right.
    Right,
    /// Wrong, with so many tries left.
    Wrong {
        /// At least one.
        left: u8,
    },
    /// Locked.
    Locked,
}

/// How often a loan is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// Every week.
    Weekly,
    /// Every two weeks.
    TwoWeekly,
    /// Every month.
    Monthly,
}

/// A term on offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// How many instalments.
    pub instalments: u16,
    /// How often.
    pub rhythm: Rhythm,
}

/// What a person may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub low: Money,
    /// The most.
    pub high: Money,
    /// Up to [`MAX_TERMS`] terms; more are not shown.
    pub terms: Vec<Term>,
}

/// How many terms fit on a screen.
pub const MAX_TERMS: usize = 3;

/// Why nothing is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another loan is late.
    Late,
    /// The payments would be too high.
    Limit,
    /// The identity could not be checked.
    Identity,
    /// Another reason, to be told by a person.
    Other,
}

/// The key facts of an offer, as the product's statement of key facts says them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The loan's code.
    pub code: String,
    /// The hash of the statement of key facts, which is what is accepted.
    pub key_facts_hash: [u8; 32],
    /// What the borrower gets.
    pub receive: Money,
    /// What they pay back in all.
    pub total: Money,
    /// The difference.
    pub cost: Money,
    /// How many instalments.
    pub instalments: u16,
    /// The largest of them.
    pub largest: Money,
    /// When the first is due.
    pub first_due: Date,
    /// When the last is due.
    pub last_due: Date,
    /// The annual percentage rate, with two decimals.
    pub apr_percent: String,
    /// What a late payment costs.
    pub late: Money,
    /// Until when the loan may be given back.
    pub cooling_off_until: Date,
}

/// What becomes of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// An offer.
    Offered(Box<Offer>),
    /// People look at it.
    Review,
    /// Nothing is lent.
    Refused(Refusal),
}

/// A running loan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The loan's code.
    pub code: String,
    /// All that is owed, with interest to come.
    pub owed: Money,
    /// What is to be paid next.
    pub next: Money,
    /// When.
    pub next_due: Date,
    /// What settles the loan today.
    pub pay_off: Money,
}

/// A payment that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// When.
    pub on: Date,
    /// How much.
    pub amount: Money,
}

/// What a complaint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matter {
    /// Money did not come.
    NotReceived,
    /// A payment was not counted.
    NotCounted,
    /// An amount is wrong.
    WrongAmount,
    /// How somebody was treated.
    Treatment,
    /// Something else.
    Other,
}

/// A complaint that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its name.
    pub code: String,
    /// Within how many days it is answered.
    pub days: u8,
}

/// The service cannot answer now. What it was asked to do may be asked again with the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lending service cannot answer")]
pub struct Unavailable;

/// The lending service.
#[async_trait]
pub trait Loans: Send + Sync + std::fmt::Debug {
    /// How far a person's registration has come.
    async fn person(&self, who: &Msisdn) -> Result<Person, Unavailable>;

    /// Chooses a language.
    async fn set_language(&self, who: &Msisdn, language: Language) -> Result<(), Unavailable>;

    /// Agrees to data being kept, in the words of that language.
    async fn consent(&self, who: &Msisdn, language: Language, key: &str) -> Result<(), Unavailable>;

    /// Takes an ID number. Whether it is right is found out later.
    async fn identify(&self, who: &Msisdn, id_number: &SecretString, key: &str) -> Result<(), Unavailable>;

    /// Chooses a PIN, where there is none.
    async fn set_pin(&self, who: &Msisdn, pin: &SecretString, key: &str) -> Result<(), Unavailable>;

    /// Checks a PIN, and counts wrong ones. The same key counts once.
    async fn check_pin(&self, who: &Msisdn, pin: &SecretString, key: &str) -> Result<PinCheck, Unavailable>;

    /// What a person may ask for; or why nothing.
    async fn range(&self, who: &Msisdn) -> Result<Result<Range, Refusal>, Unavailable>;

    /// Asks for a loan.
    async fn apply(&self, who: &Msisdn, amount: Money, term: Term, key: &str) -> Result<Applied, Unavailable>;

    /// Accepts key facts by their hash, in a language; false if the offer has ended.
    async fn accept(&self, who: &Msisdn, offer: &Offer, language: Language, key: &str) -> Result<bool, Unavailable>;

    /// Declines an offer.
    async fn decline(&self, who: &Msisdn, offer: &Offer, key: &str) -> Result<(), Unavailable>;

    /// The running loan, if there is one.
    async fn owed(&self, who: &Msisdn) -> Result<Option<Owed>, Unavailable>;

    /// Sends a request to pay to the telephone.
    async fn repay(&self, who: &Msisdn, code: &str, amount: Money, key: &str) -> Result<(), Unavailable>;

    /// The last payments to the running loan, newest first.
    async fn payments(&self, who: &Msisdn) -> Result<Vec<Paid>, Unavailable>;

    /// Takes a complaint.
    async fn complain(&self, who: &Msisdn, matter: Matter, key: &str) -> Result<Ticket, Unavailable>;
}
