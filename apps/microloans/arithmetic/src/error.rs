//! Why a calculation is refused. Every variant is a rejection of what was asked for; nothing here is a fault of the program.

use crate::{date::Date, limits};

/// A request that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No decimal number.
    #[error("{0:?} is not a decimal number such as 12.50")]
    NotANumber(String),
    /// More decimals than the unit has.
    #[error("{text} has more decimals than {what}, which has {decimals}")]
    TooManyDecimals {
        /// The number.
        text: String,
        /// Of what.
        what: &'static str,
        /// How many there may be.
        decimals: u8,
    },
    /// A code that is not in the table.
    #[error("currency {0:?} is not known")]
    UnknownCurrency(String),
    /// Two amounts that do not add.
    #[error("{0} and {1} are different currencies")]
    CurrenciesDiffer(&'static str, &'static str),
    /// Above [`limits::MAX_MINOR`].
    #[error("amount {0} is larger than is calculated with")]
    AmountTooLarge(String),
    /// Not above zero.
    #[error("{0} must be more than zero")]
    NotPositive(&'static str),
    /// Outside of zero to [`limits::MAX_RATE_PERCENT`].
    #[error("a rate must be from 0 to {} percent", limits::MAX_RATE_PERCENT)]
    RateOutOfBounds,
    /// No day, or too far away.
    #[error("{0:?} is not a date from {min}-01-01 to {max}-12-31", min = limits::MIN_YEAR, max = limits::MAX_YEAR)]
    NoSuchDate(String),
    /// No interval between instalments.
    #[error("{0:?} is not an interval such as \"1 month\", \"2 weeks\" or \"15 days\"")]
    NoSuchInterval(String),
    /// Outside of one to the limit.
    #[error("{what} must be from {min} to {max}")]
    OutOfBounds {
        /// What was counted.
        what: &'static str,
        /// The lowest that is possible.
        min: u64,
        /// The highest.
        max: u64,
    },
    /// Nothing is disbursed.
    #[error("a loan needs a disbursement")]
    NoDisbursement,
    /// A disbursement at or after the last instalment.
    #[error("the disbursement of {0} is not before the last instalment, due {1}")]
    DisbursedTooLate(Date, Date),
    /// The first instalment is due before anything is disbursed.
    #[error("the first instalment, due {0}, must be after the disbursement of {1}")]
    DueTooEarly(Date, Date),
    /// An event before one that has already been recorded.
    #[error("{0} is before {1}, up to which the loan has been calculated")]
    InThePast(Date, Date),
    /// Nothing more can happen to this loan.
    #[error("the loan is {0}")]
    Over(&'static str),
    /// More is to be waived than is owed.
    #[error("{asked} is more than the {owed} that are owed")]
    MoreThanOwed {
        /// Minor units asked for.
        asked: i128,
        /// Minor units owed.
        owed: i128,
    },
    /// Cash flows without an annual rate.
    #[error("these cash flows have no annual rate: {0}")]
    NoAnnualRate(&'static str),
    /// No fraction of a period.
    #[error("{0:?} is not a fraction from 0 to below 1, such as 19/30")]
    NoSuchFraction(String),
}
