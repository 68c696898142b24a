//! Why a payment did not happen, in words of ours, and what may be done about it.

use std::time::Duration;

use braid_microloans_arithmetic::Money;

/// Why money did not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Whoever was to pay does not have the money.
    InsufficientFunds,
    /// The amount is outside what the provider lets pass in one payment, a day, or into an account.
    LimitExceeded,
    /// The same amount to or from the same customer a moment ago; the provider takes it for a repetition.
    TooSoon,
    /// The customer did not answer in time.
    Expired,
    /// The customer refused.
    Cancelled,
    /// The customer's telephone could not be reached.
    Unreachable,
    /// The customer's PIN was wrong.
    WrongPin,
    /// Our own credentials were refused.
    NotAuthorised,
    /// The customer has no account with the provider.
    NotRegistered,
    /// The customer's account is locked or may not take part.
    AccountBlocked,
    /// The request is one that the provider cannot follow.
    Invalid,
    /// There is nothing to reverse, or it was reversed already.
    NotReversible,
    /// The provider says that it failed, and gives a reason that is not in our tables or is none.
    Other,
}

/// Whether trying once more can help. It always needs a new correlation ID, since the failure of the old one is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not without somebody changing something.
    No,
    /// Later, or when the customer asks.
    Yes,
    /// Not before this time has passed.
    After(Duration),
}

/// How long Daraja takes a payment of the same amount with the same customer for a repetition.
pub const REPETITION_WINDOW: Duration = Duration::from_secs(120);

impl Reason {
    /// Whether trying once more can help.
    #[must_use]
    pub const fn retry(self) -> Retry {
        match self {
            Self::TooSoon => Retry::After(REPETITION_WINDOW),
            Self::InsufficientFunds | Self::Expired | Self::Cancelled | Self::Unreachable | Self::WrongPin => {
                Retry::Yes
            }
            Self::LimitExceeded
            | Self::NotAuthorised
            | Self::NotRegistered
            | Self::AccountBlocked
            | Self::Invalid
            | Self::NotReversible
            | Self::Other => Retry::No,
        }
    }

    /// The GSMA error category nearest to it.
    #[must_use]
    pub const fn category(self) -> &'static str {
        match self {
            Self::NotAuthorised | Self::WrongPin => "authorisation",
            Self::NotRegistered => "identification",
            Self::Invalid => "validation",
            Self::Unreachable | Self::Expired => "serviceUnavailable",
            Self::Other => "internal",
            _ => "businessRule",
        }
    }
}

/// A failure that the provider vouches for: no money moved, and none will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In our words.
    pub reason: Reason,
    /// The provider's code, as it came.
    pub code: String,
    /// The provider's sentence, shortened. It may quote the customer's number: not for logs.
    pub text: String,
}

/// An amount that a provider cannot pay or collect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// The provider deals in another currency.
    #[error("the rail pays in {rail}, not in {asked}")]
    Currency {
        /// The provider's.
        rail: &'static str,
        /// The order's.
        asked: &'static str,
    },
    /// Not a multiple of what the provider can pay, or not positive, or beyond its limit.
    #[error("the rail cannot pay {0}: not a positive multiple of its smallest amount within its limit")]
    Amount(Money),
}
