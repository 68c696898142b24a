//! A payment, from the order to its outcome.

use crate::{faults::Fate, phone::Rail};

/// What kind of request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// From the organisation to a telephone.
    Payout,
    /// From a telephone, which is asked first.
    Prompt,
    /// From a telephone, by its own will.
    Deposit,
    /// Takes a payment to the organisation back.
    Reversal,
    /// Asks what became of a payment.
    Query,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Payout => "payout",
            Self::Prompt => "prompt",
            Self::Deposit => "deposit",
            Self::Reversal => "reversal",
            Self::Query => "query",
        }
    }
}

/// The name of a payment with its provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) rail: Rail,
    pub(crate) id: String,
}

/// Where its callbacks go; an empty text is nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Callbacks {
    pub(crate) result: String,
    pub(crate) timeout: String,
}

/// An order as a provider took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) rail: Rail,
    pub(crate) kind: Kind,
    /// The ID by which it is asked about.
    pub(crate) id: String,
    /// The provider's other ID of it.
    pub(crate) server_id: String,
    /// The telephone it is about.
    pub(crate) msisdn: String,
    pub(crate) amount_minor: i64,
    /// The account that the customer named, or the loan's code.
    pub(crate) reference: String,
    /// MTN's `externalId`.
    pub(crate) external_id: String,
    pub(crate) note: String,
    pub(crate) callbacks: Callbacks,
    /// Whether the initiator's credential was right; M-PESA looks at it late.
    pub(crate) is_authorised: bool,
    /// What a reversal or a query is about: a receipt or an ID.
    pub(crate) about: String,
}

/// What became of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The money moved.
    Done {
        receipt: String,
        at_ms: i64,
        /// Whose telephone it is, by the provider's register.
        name: String,
    },
    /// It did not.
    Failed(Problem),
}

/// Why money did not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    InsufficientFunds,
    TooMuch,
    WalletFull,
    TooSoon,
    Expired,
    Cancelled,
    Unreachable,
    WrongPin,
    WrongCredential,
    NotRegistered,
    Locked,
    ReversedAlready,
    NoSuchPayment,
    Refused,
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) order: Order,
    pub(crate) fate: Fate,
    pub(crate) taken_at_ms: i64,
    pub(crate) outcome: Option<Outcome>,
}

impl Payment {
    /// Which payment a query is about, if it names an ID.
    pub(crate) fn subject(&self) -> Option<Key> {
        (self.order.kind == Kind::Query).then(|| Key { rail: self.order.rail, id: self.order.about.clone() })
    }

    /// Its receipt, if it happened.
    pub(crate) fn receipt(&self) -> Option<&str> {
        match &self.outcome {
            Some(Outcome::Done { receipt, .. }) => Some(receipt),
            _ => None,
        }
    }
}
